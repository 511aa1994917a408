/* The core by itself: events a second and processor time a task, with few and many workers and unfinished jobs. What
 * a store would do is done at once (facts come back in the next step). Prints one JSON line a figure. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "core/core.h"
#include "core/lease.h"
#include "core/worker.h"

#define CLIENT "client0000000000000000000000000000000000"
#define FIRST_WORKER 10 /* number of the first worker's principal */

struct bench {
        struct core *core;
        struct fact *facts;
        size_t n_facts, cap_facts;
        int64_t mono_us;
        uint64_t random, n_events;
        struct effects effects;
        char (*keys)[41]; /* of the workers */
};

/* Processor time of this thread: what else the machine does is none of the core's cost. */
static int64_t cpu_us(void)
{
        struct timespec t;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* As the app does, which takes over what they carry and keeps the list. */
static void drop(struct effects *effects)
{
        for (size_t i = 0; i < effects->n; i++) {
                struct effect *effect = &effects->list[i];

                if (effect->kind == EFFECT_STORE)
                        store_op_free(effect->u.store);
                else if (effect->kind == EFFECT_SEND_NOW || effect->kind == EFFECT_SEND_ON_COMMIT)
                        buf_done(&effect->u.send.header);
                else
                        BUG_ON(effect->kind != EFFECT_FACT && effect->kind != EFFECT_KEY);
        }
        effects->n = 0;
}

static void step(struct bench *bench, struct event *event)
{
        event->mono_us = bench->mono_us += 10;
        event->wall_us = INT64_C(1700000000000000) + bench->mono_us;
        bench->random = bench->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        event->random = bench->random ^ bench->random >> 29;
        core_step(bench->core, event, &bench->effects);
        bench->n_events++;
        for (size_t i = 0; i < bench->effects.n; i++) {
                struct effect *effect = &bench->effects.list[i];

                if (effect->kind != EFFECT_FACT)
                        continue;
                GROW(bench->facts, bench->cap_facts, bench->n_facts + 1);
                bench->facts[bench->n_facts++] = effect->u.fact;
                for (size_t k = 0; effect->u.fact.op && k < i; k++) {
                        struct effect *asked = &bench->effects.list[k];

                        if (asked->kind == EFFECT_STORE && asked->u.store == effect->u.fact.op)
                                asked->u.store =
                                        NULL; /* lives on in its fact; the answer is that there is nothing */
                }
        }
        drop(&bench->effects);
}

/* As after a commit: counts are written once for many events, then the facts come. */
static void commit(struct bench *bench)
{
        core_flush(bench->core, &bench->effects);
        drop(&bench->effects);
        for (size_t i = 0; i < bench->n_facts; i++) {
                struct event event = { .kind = EVENT_FACT };

                event.u.fact.fact = bench->facts[i];
                step(bench, &event);
                store_op_free(event.u.fact.fact.op);
        }
        bench->n_facts = 0;
}

static void commit_all(struct bench *bench)
{
        while (bench->n_facts > 0)
                commit(bench);
}

static void add_principal(struct bench *bench, uint32_t number, bool is_worker, const char *public_key)
{
        struct event event = { .kind = EVENT_REPLAY_PRINCIPAL };

        event.u.principal.principal.n = number;
        snprintf(event.u.principal.name, sizeof(event.u.principal.name), "p%u", number);
        event.u.principal.is_worker = is_worker;
        event.u.principal.active = true;
        step(bench, &event);
        event = (struct event){ .kind = EVENT_REPLAY_KEY };
        event.u.key.key = number;
        event.u.key.principal.n = number;
        event.u.key.is_worker = is_worker;
        strcpy(event.u.key.public_key, public_key);
        step(bench, &event);
        event = (struct event){ .kind = EVENT_REPLAY_MEMBER };
        event.u.member.role = is_worker ? 2 : 1;
        event.u.member.principal.n = number;
        step(bench, &event);
}

static void start(struct bench *bench, unsigned workers)
{
        struct event event;

        memset(bench, 0, sizeof(*bench));
        bench->core = core_new();
        for (uint32_t role = 1; role <= 2; role++) {
                event = (struct event){ .kind = EVENT_REPLAY_ROLE };
                event.u.role.role = role;
                strcpy(event.u.role.name, role == 1 ? "person" : "worker");
                step(bench, &event);
                event = (struct event){ .kind = EVENT_REPLAY_GRANT };
                event.u.grant.role = role;
                event.u.grant.permission = role == 1 ? PERMISSION_JOB_SUBMIT : PERMISSION_WORKER_RUN;
                event.u.grant.scope = SCOPE_ANY;
                strcpy(event.u.grant.type, "*");
                step(bench, &event);
        }
        add_principal(bench, 1, false, CLIENT);
        bench->keys = xcalloc(workers, sizeof(*bench->keys));
        for (unsigned i = 0; i < workers; i++) {
                snprintf(bench->keys[i], sizeof(bench->keys[i]), "worker%034u", i);
                add_principal(bench, FIRST_WORKER + i, true, bench->keys[i]);
        }
        event = (struct event){ .kind = EVENT_REPLAY_DONE };
        event.u.settings = (struct core_settings){ .epoch = 1,
                                                   .install = "bench",
                                                   .next_job = 1,
                                                   .lease_ms = 3600000,
                                                   .reconnect_ms = 3600000,
                                                   .heartbeat_ms = 5000,
                                                   .tasks_per_job_max = 10000000,
                                                   .unfinished_jobs_max = 1000000,
                                                   .upload_ms = 3600000 };
        step(bench, &event);
}

static void say(struct bench *bench, uint64_t session, const char *public_key, struct msg *msg,
                const uint8_t (*hash)[16], const uint8_t (*digest)[32])
{
        struct event event = { .kind = EVENT_MESSAGE };

        event.u.message.session.n = session;
        strcpy(event.u.message.public_key, public_key);
        event.u.message.msg = msg;
        event.u.message.key_hash = hash;
        event.u.message.digest = digest;
        event.u.message.n_hashes = hash ? 1 : 0;
        step(bench, &event);
}

/* A submission goes the whole way: its message is decoded, because the core keeps it while it asks. */
static void submit(struct bench *bench, unsigned number, uint64_t tasks)
{
        struct rec_array_part part = { .lo = 1, .hi = tasks, .has_lo = true, .has_hi = true };
        struct rec_job_spec spec = { .type = TASK_TYPE_NOOP, .has_type = true, .array = &part, .n_array = 1 };
        struct rec_new_job job = { .spec = &spec };
        struct msg msg = { .kind = MSG_submit, .id = 1 };
        CLEANUP_BUF struct buf text = { 0 };
        uint8_t hash[1][16] = { 0 }, digest[1][32] = { 0 };
        char key[32];
        uint64_t id;
        struct msg *decoded;

        snprintf(key, sizeof(key), "key%u", number);
        job.key = key;
        job.n_key = strlen(key);
        memcpy(hash[0], &number, sizeof(number));
        msg.u.submit.jobs = &job;
        msg.u.submit.n_jobs = 1;
        msg_encode(&msg, &text);
        decoded = msg_decode(MSG_C2S, text.bytes, text.n, NULL, 0, &id, NULL);
        BUG_ON(!decoded);
        say(bench, 1, CLIENT, decoded, (const uint8_t(*)[16])hash, (const uint8_t(*)[32])digest);
        commit(bench);
}

static void worker_ready(struct bench *bench, unsigned number, uint64_t slots, uint64_t window)
{
        static const char *types[] = { "noop" };
        struct msg msg = { .kind = MSG_ready, .id = 1 };
        msg.u.ready = (struct msg_ready){ .slots = slots,
                                          .window = window,
                                          .types = types,
                                          .n_types = 1,
                                          .version = "1",
                                          .host = "h",
                                          .pid = 1 };
        say(bench, 100 + number, bench->keys[number], &msg, NULL, NULL);
}

/* The oldest lease of a worker ends: the first `most` tasks of it. Returns how many did. */
static uint64_t finish(struct bench *bench, unsigned number, uint64_t window, uint32_t most)
{
        struct worker *worker = worker_find(bench->core, FIRST_WORKER + number);
        struct lease *lease = worker->leases;
        struct range range;
        int64_t ago = 100, ran = 10;
        struct rec_task_end end = { .status = END_STATUS_SUCCEEDED,
                                    .ranges = &range,
                                    .n_ranges = 1,
                                    .ago_us = &ago,
                                    .n_ago_us = 1,
                                    .ran_us = &ran,
                                    .n_ran_us = 1 };
        struct msg msg = { .kind = MSG_finished, .id = 2 };

        if (!lease)
                return 0;
        range.lo = index_of(&lease->job->indexes, lease->lo + lease->n - lease->n_out);
        range.hi = range.lo + MIN(most, lease->n_out) - 1;
        end.job = lease->job->id.n;
        end.nonce = lease->nonce;
        end.epoch = lease->epoch;
        end.attempt = lease->attempt;
        msg.u.finished.window = window;
        msg.u.finished.ends = &end;
        msg.u.finished.n_ends = 1;
        say(bench, 100 + number, bench->keys[number], &msg, NULL, NULL);
        return range.hi - range.lo + 1;
}

static void bench_done(struct bench *bench)
{
        core_free(bench->core);
        effects_done(&bench->effects);
        free(bench->facts);
        free(bench->keys);
}

static void print_line(const char *name, double value, const char *unit)
{
        printf("{\"name\":\"%s\",\"value\":%.0f,\"unit\":\"%s\"}\n", name, value, unit);
}

/* `ends` messages, each with up to `most` tasks; a commit every 64 of them. */
static void measure(unsigned workers, unsigned jobs, uint64_t window, uint32_t most, unsigned ends)
{
        struct bench bench;
        uint64_t tasks = 0, events;
        int64_t from, us;
        char name[64];

        start(&bench, workers);
        for (unsigned i = 0; i < jobs; i++)
                submit(&bench, i, MAX(UINT64_C(4000000) / jobs, UINT64_C(40)));
        commit_all(&bench);
        for (unsigned i = 0; i < workers; i++)
                worker_ready(&bench, i, 2, window);
        commit_all(&bench);
        events = bench.n_events;
        from = cpu_us();
        for (unsigned k = 0; k < ends; k++) {
                tasks += finish(&bench, k % workers, window, most);
                if (k % 64 == 63)
                        commit(&bench);
        }
        us = cpu_us() - from;
        BUG_ON(tasks < ends);
        snprintf(name, sizeof(name), "core_%s_w%u_j%u", most > 1 ? "group" : "single", workers, jobs);
        if (most > 1)
                print_line(name, (double)us * 1000 / (double)tasks, "ns/task");
        else
                print_line(name, (double)(bench.n_events - events) * 1e6 / (double)us, "events/s");
        bench_done(&bench);
}

static void measure_heartbeats(unsigned workers)
{
        struct bench bench;
        unsigned n = 200000;
        int64_t from, us;
        char name[64];

        start(&bench, workers);
        for (unsigned i = 0; i < workers; i++)
                worker_ready(&bench, i, 2, 2);
        from = cpu_us();
        for (unsigned k = 0; k < n; k++) {
                struct msg msg = { .kind = MSG_heartbeat, .id = 3 };

                msg.u.heartbeat.window = 2;
                say(&bench, 100 + k % workers, bench.keys[k % workers], &msg, NULL, NULL);
        }
        us = cpu_us() - from;
        snprintf(name, sizeof(name), "core_heartbeat_w%u", workers);
        print_line(name, (double)n * 1e6 / (double)us, "events/s");
        bench_done(&bench);
}

int main(int argc, char **argv)
{
        setvbuf(stdout, NULL, _IOLBF, 0);
        if (argc == 4) { /* WORKERS JOBS ENDS: one measurement, for a profiler */
                measure((unsigned)atoi(argv[1]), (unsigned)atoi(argv[2]), 4, 1, (unsigned)atoi(argv[3]));
                return 0;
        }
        measure(2, 1, 1024, LEASE_TASKS_MAX, 4000);
        measure(10, 1, 4, 1, 200000);
        measure(100, 1, 4, 1, 200000);
        measure(1000, 1, 4, 1, 200000);
        measure(10000, 1, 4, 1, 200000);
        measure(100, 1000, 4, 1, 200000);
        measure(100, 100000, 4, 1, 200000);
        measure(10000, 100000, 4, 1, 200000);
        measure_heartbeats(10);
        measure_heartbeats(10000);
        return 0;
}
