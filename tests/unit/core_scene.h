/* A scene for the coordinator's core: people, workers, and a store that commits when the test says so. No sockets, no
 * database, no sleeping. Session 1 is alice, 2 bob, 3 the operator oscar; worker i speaks on session 100 + i. */
#ifndef TESTS_CORE_SCENE_H
#define TESTS_CORE_SCENE_H

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "core/core.h"
#include "unit.h"

#define SCENE_LEASE_MS 30000
#define SCENE_ROWS 4096
#define SCENE_JOBS 64
#define SCENE_GRANTS 512

enum { ALICE = 1, BOB = 2, OSCAR = 3 };

struct scene_row {
        uint64_t job, index;
        struct store_task_state now;
        uint32_t ooms; /* earlier attempts that ended oom */
        uint64_t end_nonce;
        bool final;
};
struct scene_grant { /* as a worker was told */
        unsigned worker;
        uint64_t job, lo, hi, attempt, nonce, epoch;
        uint64_t mem; /* 0: as the description says */
        uint64_t cpus; /* the same */
        bool parent_results;
        char entry[64]; /* the first of it */
};
struct scene {
        struct core *core;
        int64_t mono_us, wall_us;
        int64_t batch_us; /* how long a commit takes */
        uint64_t rows_most; /* made by one operation */
        uint32_t rows_a_sweep; /* of the next start; 0: as many as in life */
        uint64_t random, epoch, next_id;
        struct store_op *ops; /* of the open batch, with their order */
        struct fact facts[4096];
        size_t n_facts;
        struct effect sends[512]; /* on commit */
        size_t n_sends;
        /* the store */
        bool blind; /* it keeps nothing: for jobs that are larger than it */
        struct scene_row rows[SCENE_ROWS];
        size_t n_rows;
        struct store_job_new jobs[SCENE_JOBS]; /* their specs are ours */
        size_t n_jobs;
        struct store_worker workers[16];
        size_t n_workers;
        size_t n_events, n_attempts, n_data, n_visible;
        struct store_attempt attempts[64]; /* the first of them */
        char last_event[32];
        char last_detail[256];
        uint64_t last_event_index; /* 0: it has none */
        uint64_t n_set_jobs; /* of the set that was made to live last */
        struct store_find_job ended[8]; /* what the store says of jobs that are not in memory */
        size_t n_ended;
        bool account_exists;
        uint64_t pid; /* of workers that say ready; 0: 7 */
        struct {
                uint64_t job, on;
                bool due;
        } aborted[16]; /* table Aborted */
        size_t n_aborted;
        /* what was said */
        struct scene_grant grants[SCENE_GRANTS];
        size_t n_grants;
        struct msg *last[256]; /* the last message to a session; owned */
        unsigned n_said[256];
        unsigned n_stops;
        unsigned n_take_backs;
        enum task_reason stop_reason;
        struct job_id loads[8];
        bool load_is_round[8];
        uint32_t load_chunk[8];
        size_t n_loads;
        unsigned n_reports;
        struct store_report report; /* the last one stored; values: below */
        char report_values[128];
        unsigned n_limits;
        uint64_t limit_ms; /* the last one told */
        unsigned n_reads;
        char read_secret[65]; /* of the last read; empty: it is of no secret */
        struct store_secret secrets[4]; /* without their values */
        size_t n_secrets;
        struct read_parent parents[8]; /* of the last read of what parents left */
        size_t n_parents;
        struct principal_id reader; /* in whose name */
        bool stopped;
};

static inline void scene_step(struct scene *s, struct event *event);

static inline const char *scene_key(uint32_t principal)
{
        static char keys[64][41];

        snprintf(keys[principal], sizeof(keys[0]), "%040u", principal);
        return keys[principal];
}

static inline struct scene_row *scene_row(struct scene *s, uint64_t job, uint64_t index)
{
        for (size_t i = 0; i < s->n_rows; i++) {
                if (s->rows[i].job == job && s->rows[i].index == index)
                        return &s->rows[i];
        }
        return NULL;
}

static inline enum task_status scene_status(struct scene *s, uint64_t job, uint64_t index)
{
        const struct scene_row *row = scene_row(s, job, index);

        return row ? row->now.status : 0;
}

static inline struct store_job_new *scene_job(struct scene *s, uint64_t job)
{
        for (size_t i = 0; i < s->n_jobs; i++) {
                if (s->jobs[i].job.n == job)
                        return &s->jobs[i];
        }
        return NULL;
}

static inline enum task_status scene_job_status(struct scene *s, uint64_t job)
{
        return scene_job(s, job) ? scene_job(s, job)->state.status : 0;
}

/* ------------------------------------------------------------------ the store */

static inline void scene_task_rows(struct scene *s, const struct store_op *op)
{
        const struct store_task_state *state = &op->u.task_state;
        const struct store_task_end *end = &op->u.task_end;
        bool is_end = op->kind == STORE_TASK_END;
        const struct range *list = is_end ? end->indexes : state->indexes;
        size_t n = is_end ? end->n_indexes : state->n_indexes;

        for (size_t r = 0; r < n; r++) {
                for (uint64_t i = list[r].lo; i <= list[r].hi; i++) {
                        struct scene_row *row = scene_row(s, is_end ? end->job.n : state->job.n, i);

                        CU_ASSERT_FATAL(row != NULL);
                        CU_ASSERT_FALSE(row->final);
                        if (!is_end) {
                                row->now = *state;
                                continue;
                        }
                        row->final = true;
                        row->end_nonce = end->nonce;
                        row->now.status = end->status;
                        row->now.reason = end->reason;
                        row->now.attempt = end->attempt;
                        row->now.tries = end->tries;
                        row->now.crashes = end->crashes;
                }
        }
}

static inline void scene_new_rows(struct scene *s, const struct store_tasks_new *new)
{
        for (uint64_t i = 0; i < new->n && s->n_rows < SCENE_ROWS; i++) {
                struct scene_row *row = &s->rows[s->n_rows++];

                memset(row, 0, sizeof(*row));
                row->job = new->job.n;
                row->index = new->first + i *new->step;
                row->now.status = new->status;
                row->now.reason = new->reason;
        }
}

static inline void scene_round(struct scene *s, const struct store_round *round)
{
        for (size_t r = 0; r < round->n_indexes; r++) {
                for (uint64_t i = round->indexes[r].lo; i <= round->indexes[r].hi; i++) {
                        struct scene_row *row = scene_row(s, round->job.n, i);

                        CU_ASSERT_FATAL(row != NULL && row->final);
                        row->final = false;
                        row->now.status = TASK_STATUS_QUEUED;
                        row->now.reason = TASK_REASON_NONE;
                        row->now.tries = row->now.crashes = 0;
                }
        }
}

static inline void scene_answer(struct scene *s, struct store_op *op)
{
        if (op->kind == STORE_FIND_KEY) {
                struct store_find_key *ask = &op->u.find_key;

                for (size_t i = 0; i < s->n_jobs; i++) {
                        if (s->jobs[i].owner.n != ask->owner.n ||
                            memcmp(s->jobs[i].key_hash, ask->key_hash, 16) != 0)
                                continue;
                        ask->job = s->jobs[i].job;
                        memcpy(ask->digest, s->jobs[i].digest, 32);
                        ask->tasks = s->jobs[i].tasks;
                        ask->loading = s->jobs[i].loading;
                }
        } else if (op->kind == STORE_FIND_JOB) {
                const struct store_job_new *job = scene_job(s, op->u.find_job.job.n);

                for (size_t i = 0; i < s->n_ended; i++) {
                        if (s->ended[i].job.n == op->u.find_job.job.n)
                                op->u.find_job = s->ended[i];
                }
                if (job && !job->loading) {
                        op->u.find_job.found = true;
                        op->u.find_job.owner = job->owner;
                        op->u.find_job.status = job->state.status;
                        op->u.find_job.tasks = job->tasks;
                }
        } else if (op->kind == STORE_WAS_ENDED) {
                const struct scene_row *row = scene_row(s, op->u.was_ended.job.n, op->u.was_ended.index);

                op->answer = row && row->final && row->end_nonce == op->u.was_ended.nonce;
        } else if (op->kind == STORE_FIND_SECRET) {
                op->u.find_secret.count = s->n_secrets;
                for (size_t i = 0; i < s->n_secrets; i++)
                        op->u.find_secret.found |= strcmp(s->secrets[i].name, op->u.find_secret.name) == 0;
        } else if (op->kind == STORE_FIND_ACCOUNT) {
                op->answer = s->account_exists;
        } else if (op->kind == STORE_FIND_DUE) {
                for (size_t i = 0; i < s->n_aborted; i++) {
                        if (s->aborted[i].due)
                                op->u.find_due.jobs[op->u.find_due.n++].n = s->aborted[i].job;
                }
        }
}

static inline void scene_drop_aborted(struct scene *s, struct job_id job)
{
        for (size_t i = s->n_aborted; i > 0; i--) {
                if (s->aborted[i - 1].job == job.n)
                        s->aborted[i - 1] = s->aborted[--s->n_aborted];
        }
}

static inline void scene_put_worker(struct scene *s, const struct store_worker *row)
{
        size_t i = 0;

        while (i < s->n_workers && s->workers[i].worker.n != row->worker.n)
                i++;
        if (i == s->n_workers)
                s->n_workers++;
        s->workers[i] = (struct store_worker){
                .worker = row->worker, .state = row->state, .slots = row->slots, .seen_us = row->seen_us
        };
}

/* All jobs of a claim are made or none: those of one whose key is taken are left out. */
static inline bool scene_is_taken(const struct store_op *first, const struct store_op *op)
{
        uint64_t job = store_op_job(op).n;

        for (; job && first != op; first = first->next) {
                const struct store_find_key *ask = &first->u.find_key;

                if (first->kind == STORE_FIND_KEY && ask->job.n && job - ask->claims.n < ask->n_claims)
                        return true;
        }
        return false;
}

static inline void scene_apply(struct scene *s, struct store_op *op)
{
        if (op->kind == STORE_JOB_NEW) {
                s->jobs[s->n_jobs] = op->u.job_new;
                s->jobs[s->n_jobs++].spec = job_spec_dup(&op->u.job_new.spec->spec);
        } else if (op->kind == STORE_SET_LIVE) {
                for (size_t i = 0; i < s->n_jobs; i++)
                        if (s->jobs[i].owner.n == op->u.set.owner.n)
                                s->jobs[i].loading = false;
                s->n_set_jobs = op->u.set.n;
        } else if (op->kind == STORE_JOB_DROP) {
                struct store_job_new *job = scene_job(s, op->u.job.n);

                job_spec_free(job->spec);
                *job = s->jobs[--s->n_jobs];
        } else if (op->kind == STORE_JOB_LIVE) {
                scene_job(s, op->u.job.n)->loading = false;
        } else if (op->kind == STORE_JOB_SPEC) {
                struct store_job_new *job = scene_job(s, op->u.job_spec.job.n);

                job_spec_free(job->spec);
                job->spec = job_spec_dup(&op->u.job_spec.spec->spec);
        } else if (op->kind == STORE_JOB_COUNTS) {
                scene_job(s, op->u.counts.job.n)->state = op->u.counts;
        } else if (op->kind == STORE_TASKS_NEW) {
                s->rows_most = MAX(s->rows_most, op->u.tasks_new.n);
                scene_new_rows(s, &op->u.tasks_new);
        } else if (op->kind == STORE_TASK_STATE || op->kind == STORE_TASK_END) {
                scene_task_rows(s, op);
        } else if (op->kind == STORE_ROUND) {
                scene_round(s, &op->u.round);
                if (op->u.round.comes_back)
                        scene_drop_aborted(s, op->u.round.job);
                for (size_t i = 0; i < s->n_aborted; i++)
                        s->aborted[i].due |= s->aborted[i].on == op->u.round.job.n;
        } else if (op->kind == STORE_ABORTED) {
                size_t i = 0;

                while (i < s->n_aborted &&
                       (s->aborted[i].job != op->u.aborted.job.n || s->aborted[i].on != op->u.aborted.on.n))
                        i++;
                CU_ASSERT_FATAL(i < ARRAY_LEN(s->aborted));
                s->aborted[i].job = op->u.aborted.job.n;
                s->aborted[i].due = i < s->n_aborted && s->aborted[i].due;
                s->aborted[i].on = op->u.aborted.on.n;
                s->n_aborted += i == s->n_aborted;
        } else if (op->kind == STORE_ABORTED_DROP) {
                scene_drop_aborted(s, op->u.job);
        } else if (op->kind == STORE_WORKER) {
                scene_put_worker(s, &op->u.worker);
        } else if (op->kind == STORE_SECRET && !op->u.secret.removed) {
                CU_ASSERT_TRUE(op->u.secret.value->wipe);
                s->secrets[s->n_secrets++] = op->u.secret;
        } else if (op->kind == STORE_SECRET) {
                s->n_secrets--;
        } else if (op->kind == STORE_REPORT) {
                s->n_reports++;
                s->report = op->u.report;
                snprintf(s->report_values, sizeof(s->report_values), "%s",
                         op->u.report.values ? op->u.report.values : "");
        } else if (op->kind == STORE_EVENT) {
                s->n_events++;
                memcpy(s->last_event, op->u.event.kind, sizeof(s->last_event));
                snprintf(s->last_detail, sizeof(s->last_detail), "%s",
                         op->u.event.detail ? op->u.event.detail : "");
                s->last_event_index = op->u.event.has_index ? op->u.event.index : 0;
        }
        if (op->kind == STORE_ATTEMPT && s->n_attempts < ARRAY_LEN(s->attempts))
                s->attempts[s->n_attempts] = op->u.attempt;
        if (op->kind == STORE_ATTEMPT && op->u.attempt.status == TASK_STATUS_OOM)
                scene_row(s, op->u.attempt.job.n, op->u.attempt.index)->ooms++;
        s->n_attempts += op->kind == STORE_ATTEMPT;
        s->n_data += op->kind == STORE_DATA;
        s->n_visible += op->kind == STORE_VISIBLE;
        scene_answer(s, op);
}

/* ------------------------------------------------------------------ what the core does */

static inline void scene_hear_run(struct scene *s, unsigned worker, const struct msg_run *run)
{
        for (size_t g = 0; g < run->n_grants; g++) {
                const struct rec_grant *grant = &run->grants[g];

                for (size_t r = 0; r < grant->n_ranges; r++) {
                        struct scene_grant *told = &s->grants[s->n_grants++];

                        CU_ASSERT_FATAL(s->n_grants < SCENE_GRANTS);
                        *told = (struct scene_grant){ .worker = worker,
                                                      .job = grant->job,
                                                      .lo = grant->ranges[r].lo,
                                                      .hi = grant->ranges[r].hi,
                                                      .attempt = grant->attempt,
                                                      .nonce = grant->nonce,
                                                      .epoch = run->epoch,
                                                      .mem = grant->has_mem ? grant->mem : 0,
                                                      .cpus = grant->has_cpus ? grant->cpus : 0,
                                                      .parent_results = grant->parent_results };
                        if (grant->n_entries > 0)
                                strncpy(told->entry, grant->entries[0], sizeof(told->entry) - 1);
                }
        }
}

static inline void scene_hear(struct scene *s, struct effect *effect)
{
        uint64_t session = effect->u.send.to.n;
        bool worker = session >= 100;
        struct shared_bytes *body = effect->u.send.body;
        uint64_t id;
        struct err err;
        struct msg *msg =
                msg_decode(worker ? MSG_S2W : MSG_S2C, effect->u.send.header.bytes, effect->u.send.header.n,
                           body ? body->bytes : NULL, body ? body->n : 0, &id, &err);

        CU_ASSERT_FATAL(msg != NULL);
        if (msg->kind == MSG_run)
                scene_hear_run(s, (unsigned)session - 100, &msg->u.run);
        s->n_take_backs += msg->kind == MSG_take_back;
        if (msg->kind == MSG_stop) {
                s->n_stops++;
                s->stop_reason = msg->u.stop.reason;
        }
        if (msg->kind == MSG_limits) {
                s->n_limits++;
                s->limit_ms = msg->u.limits.jobs[0].time_ms;
        }
        msg_free(s->last[session]);
        s->last[session] = msg;
        s->n_said[session]++;
}

static inline void scene_carry_out(struct scene *s, struct effects *effects)
{
        for (size_t i = 0; i < effects->n; i++) {
                struct effect *effect = &effects->list[i];
                struct store_op **end = &s->ops;

                if (effect->kind == EFFECT_STORE) {
                        while (*end)
                                end = &(*end)->next;
                        *end = STEAL(effect->u.store);
                } else if (effect->kind == EFFECT_FACT) {
                        s->facts[s->n_facts++] = effect->u.fact;
                } else if (effect->kind == EFFECT_SEND_NOW) {
                        scene_hear(s, effect);
                } else if (effect->kind == EFFECT_SEND_ON_COMMIT) {
                        s->sends[s->n_sends++] = *effect;
                        memset(&effect->u.send, 0, sizeof(effect->u.send));
                } else if (effect->kind == EFFECT_LOAD) {
                        CU_ASSERT_FATAL(s->n_loads < ARRAY_LEN(s->loads));
                        s->loads[s->n_loads] = effect->u.load.job;
                        s->load_is_round[s->n_loads] = effect->u.load.round;
                        s->load_chunk[s->n_loads++] = effect->u.load.chunk;
                } else if (effect->kind == EFFECT_READ) {
                        const struct read_request *read = effect->u.read;

                        s->n_reads++;
                        memcpy(s->read_secret, effect->u.read->secret, sizeof(s->read_secret));
                        s->reader = read->who;
                        s->n_parents = MIN(read->n_parents, ARRAY_LEN(s->parents));
                        if (s->n_parents > 0)
                                memcpy(s->parents, read->parents, s->n_parents * sizeof(*s->parents));
                } else if (effect->kind == EFFECT_STOP) {
                        s->stopped = true;
                }
        }
        effects_done(effects);
}

static inline void scene_step(struct scene *s, struct event *event)
{
        struct effects effects = { 0 };

        event->mono_us = s->mono_us;
        event->wall_us = s->wall_us;
        event->random = s->random = s->random * UINT64_C(6364136223846793005) + 12345;
        core_step(s->core, event, &effects);
        scene_carry_out(s, &effects);
}

/* The open batch commits: then what was said on commit, then its facts. */
static inline void scene_commit_one(struct scene *s)
{
        struct effects effects = { 0 };
        struct fact facts[4096];
        struct store_op *ops, *op;
        size_t n_facts;

        core_flush(s->core, &effects);
        scene_carry_out(s, &effects);
        s->mono_us += s->batch_us;
        s->wall_us += s->batch_us;
        ops = STEAL(s->ops);
        n_facts = s->n_facts;
        memcpy(facts, s->facts, n_facts * sizeof(*facts));
        s->n_facts = 0;
        for (op = ops; op; op = op->next)
                if (s->blind)
                        scene_answer(s, op);
                else if (!scene_is_taken(ops, op))
                        scene_apply(s, op);
        for (size_t i = 0; i < s->n_sends; i++) {
                scene_hear(s, &s->sends[i]);
                buf_done(&s->sends[i].u.send.header);
                shared_bytes_unref(s->sends[i].u.send.body);
        }
        s->n_sends = 0;
        for (size_t i = 0; i < n_facts; i++) {
                struct event event = { .kind = EVENT_FACT };

                event.u.fact.fact = facts[i];
                event.u.fact.answer = facts[i].op ? facts[i].op->answer : 0;
                scene_step(s, &event);
        }
        while ((op = ops)) {
                ops = op->next;
                store_op_free(op);
        }
}

static inline void scene_commit(struct scene *s) /* until nothing is open */
{
        while (s->ops || s->n_facts > 0 || s->n_sends > 0 || core_dirty(s->core))
                scene_commit_one(s);
}

static inline void scene_drop_batch(struct scene *s)
{
        struct store_op *op;

        while ((op = s->ops)) {
                s->ops = op->next;
                store_op_free(op);
        }
        for (size_t i = 0; i < s->n_sends; i++) {
                buf_done(&s->sends[i].u.send.header);
                shared_bytes_unref(s->sends[i].u.send.body);
        }
        s->n_sends = s->n_facts = 0;
}

/* A batch that is with the store: `open` of the scene is the next one meanwhile. */
struct scene_flight {
        struct fact facts[64];
        size_t n_facts;
};

static inline struct scene_flight scene_take_off(struct scene *s)
{
        struct scene_flight flight = { .n_facts = s->n_facts };
        struct effects effects = { 0 };
        struct store_op *op;

        core_flush(s->core, &effects);
        scene_carry_out(s, &effects);
        memcpy(flight.facts, s->facts, s->n_facts * sizeof(*s->facts));
        for (op = s->ops; op; op = op->next)
                scene_apply(s, op);
        scene_drop_batch(s);
        return flight;
}

static inline void scene_land(struct scene *s, const struct scene_flight *flight)
{
        for (size_t i = 0; i < flight->n_facts; i++) {
                struct event event = { .kind = EVENT_FACT };

                event.u.fact.fact = flight->facts[i];
                scene_step(s, &event);
        }
}

static inline void scene_pass_ms(struct scene *s, int64_t ms)
{
        struct event event = { .kind = EVENT_TICK };

        /* In steps, as a running coordinator sees it: a leap would say that it had been stopped. */
        while (ms > 0) {
                int64_t part = MIN(ms, INT64_C(1000));

                s->mono_us += part * US_PER_MS;
                s->wall_us += part * US_PER_MS;
                ms -= part;
                scene_step(s, &event);
        }
        scene_commit(s);
}

/* ------------------------------------------------------------------ beginning and end */

static inline void scene_person(struct scene *s, uint32_t number, const char *name, bool is_worker,
                                uint32_t role)
{
        struct event event = { .kind = EVENT_REPLAY_PRINCIPAL };

        event.u.principal.principal.n = number;
        strcpy(event.u.principal.name, name);
        event.u.principal.is_worker = is_worker;
        event.u.principal.active = true;
        scene_step(s, &event);
        event = (struct event){ .kind = EVENT_REPLAY_KEY };
        event.u.key.key = number;
        event.u.key.principal.n = number;
        event.u.key.is_worker = is_worker;
        strcpy(event.u.key.public_key, scene_key(number));
        scene_step(s, &event);
        event = (struct event){ .kind = EVENT_REPLAY_MEMBER };
        event.u.member.role = role;
        event.u.member.principal.n = number;
        scene_step(s, &event);
}

static inline void scene_role(struct scene *s, uint32_t number, const char *name)
{
        struct event event = { .kind = EVENT_REPLAY_ROLE };

        event.u.role.role = number;
        strcpy(event.u.role.name, name);
        scene_step(s, &event);
}

static inline void scene_grant_right(struct scene *s, uint32_t role, enum permission permission,
                                     enum scope scope)
{
        struct event event = { .kind = EVENT_REPLAY_GRANT };

        event.u.grant.role = role;
        event.u.grant.permission = permission;
        event.u.grant.scope = scope;
        strcpy(event.u.grant.type, "*");
        scene_step(s, &event);
}

/* Roles as shipped, as far as the tests need them: 1 admin, 2 submitter, 3 operator, 6 worker. */
static inline void scene_people(struct scene *s)
{
        char name[16];

        scene_role(s, 1, "admin");
        scene_role(s, 2, "submitter");
        scene_role(s, 3, "operator");
        scene_role(s, 6, "worker");
        for (int permission = PERMISSION_JOB_SUBMIT; permission <= PERMISSION_EVENT_READ; permission++)
                scene_grant_right(s, 2, (enum permission)permission, SCOPE_OWN);
        scene_grant_right(s, 3, PERMISSION_JOB_READ, SCOPE_ANY);
        scene_grant_right(s, 3, PERMISSION_JOB_ACT, SCOPE_ANY);
        scene_grant_right(s, 3, PERMISSION_QUEUE_ACT, SCOPE_ANY);
        scene_grant_right(s, 3, PERMISSION_WORKER_ACT, SCOPE_ANY);
        scene_grant_right(s, 1, PERMISSION_USER_ADMIN, SCOPE_ANY);
        scene_grant_right(s, 1, PERMISSION_ROLE_GRANT, SCOPE_ANY);
        scene_grant_right(s, 6, PERMISSION_WORKER_RUN, SCOPE_ANY);
        scene_person(s, ALICE, "alice", false, 2);
        scene_person(s, BOB, "bob", false, 2);
        scene_person(s, OSCAR, "oscar", false, 3);
        scene_person(s, 4, "root", false, 1);
        for (uint32_t i = 0; i < 4; i++) {
                snprintf(name, sizeof(name), "w%u", i);
                scene_person(s, 10 + i, name, true, 6);
        }
}

static inline void scene_replay_jobs(struct scene *s)
{
        for (size_t i = 0; i < s->n_jobs; i++) {
                struct event event = { .kind = EVENT_REPLAY_JOB };
                const struct store_job_new *job = &s->jobs[i];

                if (job->state.ended_us != 0)
                        continue;
                event.u.job.job = *job;
                event.u.job.job.spec = job_spec_dup(&job->spec->spec);
                scene_step(s, &event);
                job_spec_free(event.u.job.job.spec);
                for (size_t k = 0; k < s->n_rows; k++) {
                        const struct scene_row *row = &s->rows[k];
                        struct event tasks = { .kind = EVENT_REPLAY_TASKS };

                        if (row->job != job->job.n ||
                            (row->final &&
                             (!job->spec->spec.has_edges || row->now.status == TASK_STATUS_SUCCEEDED)))
                                continue;
                        tasks.u.tasks = (struct replay_tasks){ .job = job->job,
                                                               .indexes = { row->index, row->index },
                                                               .status = row->now.status,
                                                               .reason = row->now.reason,
                                                               .attempt = row->now.attempt,
                                                               .tries = row->now.tries,
                                                               .crashes = row->now.crashes,
                                                               .ooms = row->ooms,
                                                               .worker = row->now.worker,
                                                               .nonce = row->now.nonce,
                                                               .started_us = row->now.started_us };
                        scene_step(s, &tasks);
                }
        }
}

static inline void scene_default_queue(struct scene *s)
{
        struct event event = { .kind = EVENT_REPLAY_QUEUE };

        event.u.queue = (struct store_queue){ .queue = 1, .name = "default", .weight = 1 };
        scene_step(s, &event);
}

static inline void scene_live(struct scene *s)
{
        struct event event = { .kind = EVENT_REPLAY_DONE };

        s->core = core_new();
        s->epoch++;
        scene_people(s);
        scene_default_queue(s);
        for (size_t i = 0; i < s->n_workers; i++) {
                struct event worker = { .kind = EVENT_REPLAY_WORKER };

                worker.u.worker = s->workers[i];
                if (worker.u.worker.state == WORKER_CONNECTED)
                        scene_step(s, &worker);
        }
        scene_replay_jobs(s);
        event.u.settings = (struct core_settings){ .epoch = s->epoch,
                                                   .install = "scene",
                                                   .next_job = s->n_jobs + 1,
                                                   .lease_ms = SCENE_LEASE_MS,
                                                   .reconnect_ms = 900000,
                                                   .heartbeat_ms = 5000,
                                                   .tasks_per_job_max = 1000000,
                                                   .unfinished_jobs_max = 20,
                                                   .upload_ms = 60000,
                                                   .rows_a_sweep = s->rows_a_sweep };
        scene_step(s, &event);
        scene_commit(s);
}

static inline struct scene *scene_new(void)
{
        struct scene *s = xcalloc(1, sizeof(*s));

        s->mono_us = 1000 * US_PER_S;
        s->wall_us = INT64_C(1700000000) * US_PER_S;
        scene_live(s);
        return s;
}

/* kill -9 of the coordinator: what was not committed never was. */
static inline void scene_restart(struct scene *s)
{
        scene_drop_batch(s);
        core_free(s->core);
        s->n_grants = 0;
        scene_live(s);
}

static inline void scene_free(struct scene *s)
{
        scene_drop_batch(s);
        core_free(s->core);
        for (size_t i = 0; i < s->n_jobs; i++)
                job_spec_free(s->jobs[i].spec);
        for (size_t i = 0; i < ARRAY_LEN(s->last); i++)
                msg_free(s->last[i]);
        free(s);
}

/* ------------------------------------------------------------------ people */

/* A message through the real codec. Its answers, if any, are in last[session]. */
static inline void scene_say(struct scene *s, uint64_t session, uint32_t principal, struct msg *msg)
{
        struct event event = { .kind = EVENT_MESSAGE };
        CLEANUP_BUF struct buf header = { 0 };
        enum msg_direction direction = msg_direction(msg->kind);
        uint8_t keys[8][16] = { 0 }, digests[8][32] = { 0 };
        uint64_t id;
        struct err err;

        msg->id = ++s->next_id;
        msg_encode(msg, &header);
        event.u.message.msg =
                msg_decode(direction, header.bytes, header.n, msg->body, msg->body_bytes, &id, &err);
        if (!event.u.message.msg) { /* as the router does */
                event.kind = EVENT_BAD_MESSAGE;
                event.u.message.id = id;
                event.u.message.err = err;
        }
        event.u.message.session.n = session;
        event.u.message.direction = direction;
        strcpy(event.u.message.public_key, scene_key(principal));
        if (msg->kind == MSG_submit) {
                event.u.message.n_hashes = msg->u.submit.n_jobs;
                for (size_t i = 0; i < msg->u.submit.n_jobs; i++) {
                        CLEANUP_BUF struct buf text = { 0 };

                        strncpy((char *)keys[i], msg->u.submit.jobs[i].key, 15);
                        job_spec_encode(msg->u.submit.jobs[i].spec, &text);
                        for (size_t k = 0; k < text.n; k++)
                                digests[i][k % 32] =
                                        (uint8_t)(digests[i][k % 32] * 31 + (uint8_t)text.bytes[k]);
                }
                if (msg->u.submit.set)
                        strncpy((char *)keys[event.u.message.n_hashes++], msg->u.submit.set, 15);
        } else if (msg->kind == MSG_submit_set) {
                event.u.message.n_hashes = 2;
                strncpy((char *)keys[0], msg->u.submit_set.set, 15);
                strncpy((char *)keys[1], msg->u.submit_set.key, 15);
        } else if (msg->kind == MSG_put) {
                event.u.message.n_hashes = 1;
                strncpy((char *)keys[0], msg->u.put.key, 15);
        }
        event.u.message.key_hash = (const uint8_t(*)[16])keys;
        event.u.message.digest = (const uint8_t(*)[32])digests;
        scene_step(s, &event);
        msg_free(event.u.message.msg);
}

static inline void scene_ask(struct scene *s, uint32_t who, struct msg *msg)
{
        msg_free(s->last[who]);
        s->last[who] = NULL;
        scene_say(s, who, who, msg);
        scene_commit(s);
}

static inline enum msg_kind scene_answer_kind(const struct scene *s, uint32_t who)
{
        return s->last[who] ? s->last[who]->kind : MSG_NO_KIND;
}

static inline enum err_code scene_refusal(const struct scene *s, uint32_t who)
{
        return scene_answer_kind(s, who) == MSG_refused ? s->last[who]->u.refused.code : ERR_OK;
}

static inline struct rec_job_spec scene_spec(void)
{
        return (struct rec_job_spec){ .type = TASK_TYPE_NOOP, .has_type = true };
}

/* Submits and commits: the job's number, or 0 if it was refused or wants chunks. */
static inline uint64_t scene_submit_key(struct scene *s, uint32_t who, const char *key,
                                        struct rec_job_spec *spec)
{
        struct rec_new_job job = { .key = key, .n_key = strlen(key), .spec = spec };
        struct msg msg = { .kind = MSG_submit };

        msg.u.submit.jobs = &job;
        msg.u.submit.n_jobs = 1;
        scene_ask(s, who, &msg);
        return scene_answer_kind(s, who) == MSG_submitted ? s->last[who]->u.submitted.jobs[0].job : 0;
}

static inline uint64_t scene_submit(struct scene *s, uint32_t who, struct rec_job_spec *spec)
{
        char key[32];

        snprintf(key, sizeof(key), "k%llu", (unsigned long long)s->next_id);
        return scene_submit_key(s, who, key, spec);
}

static inline uint64_t scene_array(struct scene *s, uint32_t who, uint64_t n)
{
        struct rec_array_part part = { .lo = 1, .hi = n, .has_lo = true, .has_hi = true };
        struct rec_job_spec spec = scene_spec();

        spec.array = &part;
        spec.n_array = 1;
        return scene_submit(s, who, &spec);
}

/* A job of n tasks, indexes 1 … n. */
static inline uint64_t scene_submit_array(struct scene *s, uint32_t who, const struct rec_job_spec *spec,
                                          uint64_t n)
{
        struct rec_array_part part = { .lo = 1, .hi = n, .has_lo = true, .has_hi = true };
        struct rec_job_spec array = *spec;

        array.array = &part;
        array.n_array = 1;
        return scene_submit(s, who, &array);
}

static inline void scene_cancel(struct scene *s, uint32_t who, uint64_t job, uint64_t lo, uint64_t hi)
{
        struct range range = { lo, hi };
        struct msg msg = { .kind = MSG_cancel };

        msg.u.cancel.job = job;
        msg.u.cancel.has_job = true;
        msg.u.cancel.ranges = &range;
        msg.u.cancel.n_ranges = lo > 0 ? 1 : 0;
        scene_ask(s, who, &msg);
}

static inline struct replay_tasks scene_read_row(const struct scene_row *row)
{
        return (struct replay_tasks){ .job.n = row->job,
                                      .indexes = { row->index, row->index },
                                      .status = row->now.status,
                                      .reason = row->now.reason,
                                      .attempt = row->now.attempt,
                                      .ooms = row->ooms };
}

/* A reader thread answers a load for a round, or for ends (of this generation): the job as committed. */
static inline void scene_say_read(struct scene *s, uint64_t job, bool ends, uint32_t generation)
{
        struct event event = { .kind = EVENT_ROUND };
        struct job_round round = { .job.n = job, .ends = ends, .generation = generation, .found = true };
        struct replay_tasks tasks[64];

        round.replay.job = *scene_job(s, job);
        round.replay.job.spec = job_spec_dup(&scene_job(s, job)->spec->spec);
        for (size_t i = 0; i < s->n_rows; i++) {
                const struct scene_row *row = &s->rows[i];

                if (row->job == job && (row->final || ends) && row->now.status != TASK_STATUS_SUCCEEDED)
                        tasks[round.n_tasks++] = scene_read_row(row);
        }
        round.tasks = tasks;
        event.u.round = &round;
        scene_step(s, &event);
        job_spec_free(round.replay.job.spec);
}

static inline void scene_read(struct scene *s, uint64_t job, bool ends, uint32_t generation)
{
        scene_say_read(s, job, ends, generation);
        scene_commit(s);
}

static inline void scene_read_round(struct scene *s, uint64_t job)
{
        scene_read(s, job, false, 0);
}

/* ------------------------------------------------------------------ workers */

static inline void scene_say_worker(struct scene *s, unsigned worker, struct msg *msg)
{
        scene_say(s, 100 + worker, 10 + worker, msg);
}

/* held: grants that it says it still has (all of their tasks), started or not. */
static inline void scene_ready_holding(struct scene *s, unsigned worker, uint64_t slots, uint64_t window,
                                       const struct scene_grant *held, size_t n_held, bool started)
{
        static const char *types[] = { "noop", "command" };
        struct rec_held_lease leases[8] = { 0 };
        struct range ranges[8];
        struct msg msg = { .kind = MSG_ready };

        for (size_t i = 0; i < n_held; i++) {
                ranges[i] = (struct range){ held[i].lo, held[i].hi };
                leases[i] = (struct rec_held_lease){ .job = held[i].job,
                                                     .ranges = &ranges[i],
                                                     .n_ranges = 1,
                                                     .epoch = held[i].epoch,
                                                     .attempt = held[i].attempt,
                                                     .nonce = held[i].nonce,
                                                     .started_ago_us = 1000,
                                                     .has_started_ago_us = started };
        }
        msg.u.ready = (struct msg_ready){ .slots = slots,
                                          .window = window,
                                          .types = types,
                                          .n_types = 2,
                                          .version = "1",
                                          .n_version = 1,
                                          .host = "host",
                                          .n_host = 4,
                                          .pid = s->pid ? s->pid : 7,
                                          .held = leases,
                                          .n_held = n_held };
        scene_say_worker(s, worker, &msg);
        scene_commit(s);
}

static inline void scene_ready(struct scene *s, unsigned worker, uint64_t slots, uint64_t window)
{
        scene_ready_holding(s, worker, slots, window, NULL, 0, false);
}

/* Its end is said; nothing is committed yet. */
static inline void scene_say_end(struct scene *s, const struct scene_grant *grant, enum end_status status,
                                 uint64_t exit_code)
{
        struct range range = { grant->lo, grant->hi };
        int64_t us = 1000;
        struct rec_task_end end = { .job = grant->job,
                                    .nonce = grant->nonce,
                                    .epoch = grant->epoch,
                                    .attempt = grant->attempt,
                                    .ranges = &range,
                                    .n_ranges = 1,
                                    .status = status,
                                    .exit_code = exit_code,
                                    .has_exit_code = status == END_STATUS_FAILED,
                                    .ago_us = &us,
                                    .n_ago_us = 1,
                                    .ran_us = &us,
                                    .n_ran_us = 1 };
        struct msg msg = { .kind = MSG_finished };

        msg.u.finished.window = 4;
        msg.u.finished.ends = &end;
        msg.u.finished.n_ends = 1;
        scene_say_worker(s, grant->worker, &msg);
}

static inline void scene_end(struct scene *s, const struct scene_grant *grant, enum end_status status,
                             uint64_t exit_code)
{
        scene_say_end(s, grant, status, exit_code);
        scene_commit(s);
}

static inline void scene_started(struct scene *s, const struct scene_grant *grant)
{
        struct range range = { grant->lo, grant->hi };
        struct rec_lease_tasks tasks = {
                .job = grant->job, .nonce = grant->nonce, .ranges = &range, .n_ranges = 1
        };
        struct msg msg = { .kind = MSG_started };

        msg.u.started.tasks = &tasks;
        msg.u.started.n_tasks = 1;
        scene_say_worker(s, grant->worker, &msg);
        scene_commit(s);
}

static inline void scene_beat(struct scene *s, unsigned worker, uint64_t window)
{
        struct msg msg = { .kind = MSG_heartbeat };

        msg.u.heartbeat.window = window;
        scene_say_worker(s, worker, &msg);
        scene_commit(s);
}

#endif
