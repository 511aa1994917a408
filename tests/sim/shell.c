/* What app.c does, without sockets and without a database: one open batch, one in flight, sends and facts after the
 * commit, replay after a crash. */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/graph.h"
#include "core/park.h"
#include "core/state.h"

static void batch_done(struct sim_batch *batch)
{
        struct store_op *op;
        struct sim_send *send, *next;

        while ((op = batch->ops)) {
                batch->ops = op->next;
                store_op_free(op);
        }
        LL_FOREACH_SAFE (batch->sends, send, next) {
                buf_done(&send->header);
                shared_bytes_unref(send->body);
                free(send);
        }
        free(batch->facts.list);
        memset(batch, 0, sizeof(*batch));
}

/* A task whose parents have not ended, and never did. */
static void check_parents(struct sim *sim, const struct job *job, uint32_t at)
{
        uint32_t parents[8];
        uint32_t n = job->graph ? graph_find_parents(job, at, parents, 8) : 0;
        const struct sim_job *stored = sim_store_job(&sim->store, job->id.n);

        for (uint32_t i = 0; i < n; i++) {
                uint64_t index = index_of(&job->indexes, parents[i]);
                const struct sim_row *row;

                HASH_FIND(hh, stored->rows, &index, sizeof(index), row);
                if (!row || (!row->final && !row->ended_before && row->now.attempt == 0))
                        sim_fail(sim, "task %llu.%u is granted before %llu has ended",
                                 (unsigned long long)job->id.n, at, (unsigned long long)index);
        }
}

static bool has_ended_before(const struct sim *sim, uint64_t job, uint64_t index)
{
        const struct sim_job *stored = sim_store_job(&sim->store, job);
        const struct sim_row *row = NULL;

        if (stored)
                HASH_FIND(hh, stored->rows, &index, sizeof(index), row);
        return row && row->ended_before;
}

/* An element whose namesake in the other job has not ended and never did, or failed; but a person may retry it all the same. */
static void check_each(struct sim *sim, const struct job *job, uint64_t index)
{
        const struct rec_job_spec *spec = &job->spec->spec;

        for (size_t k = 0; k < spec->n_after; k++) {
                const struct sim_job *on = sim_store_job(&sim->store, spec->after[k].job);
                const struct sim_row *row = NULL;
                uint32_t at;

                if (spec->after[k].when != AFTER_WHEN_EACH || !on || !index_find(&on->indexes, index, &at))
                        continue;
                HASH_FIND(hh, on->rows, &index, sizeof(index), row);
                if (!row || (!row->final && !row->ended_before && row->now.attempt == 0))
                        sim_fail(sim, "task %llu.%llu is granted before %llu.%llu has ended",
                                 (unsigned long long)job->id.n, (unsigned long long)index,
                                 (unsigned long long)on->id, (unsigned long long)index);
                if (row->final && row->now.status != TASK_STATUS_SUCCEEDED && !spec->on_dep_fail_run &&
                    !has_ended_before(sim, job->id.n, index))
                        sim_fail(sim, "task %llu.%llu is granted though %llu.%llu has failed",
                                 (unsigned long long)job->id.n, (unsigned long long)index,
                                 (unsigned long long)on->id, (unsigned long long)index);
        }
}

static bool was_over_before(const struct sim_job *job)
{
        for (const struct sim_row *row = job->rows; row; row = row->hh.next) {
                if (row->ended_before)
                        return true;
        }
        return false;
}

/* The first task of a singleton, while an older job of that name is not over and never was; what is being loaded is none
 * yet: it may be dropped at once. Who gets another name may have started, or comes before others that have. */
static void check_singleton(struct sim *sim, const struct job *job)
{
        const struct rec_job_spec *spec = &job->spec->spec;
        const struct sim_job *stored = sim_store_job(&sim->store, job->id.n);

        if (!spec->singleton || !stored || stored->row.state.started_us != 0 || was_over_before(stored) ||
            stored->renamed || !sim_same_name(spec, &stored->row.spec->spec))
                return;
        for (const struct sim_job *other = sim->store.jobs; other && other->id < job->id.n;
             other = other->hh.next) {
                if (sim_same_name(&other->row.spec->spec, spec) && other->row.owner.n == job->owner_id.n &&
                    !other->renamed && !other->loading && !sim_job_is_final(other) && !was_over_before(other))
                        sim_fail(sim, "job %llu is a singleton and starts before job %llu is over",
                                 (unsigned long long)job->id.n, (unsigned long long)other->id);
        }
}

static void check_parked(struct sim *sim, uint64_t id, uint64_t index)
{
        const struct job *job;
        uint32_t at;

        HASH_FIND(hh, sim->core->jobs, &id, sizeof(id), job);
        if (!job || !index_find(&job->indexes, index, &at))
                return;
        check_parents(sim, job, at);
        check_each(sim, job, index);
        check_singleton(sim, job);
        if (spans_find(&job->parked, at))
                sim_fail(sim, "task %llu.%llu is granted and waits for something of its own",
                         (unsigned long long)id, (unsigned long long)index);
        if (sim_store_holds(&sim->store, id, at)) /* a crash now, and it runs and is held */
                sim_fail(sim, "task %llu.%llu is granted before its release is committed",
                         (unsigned long long)id, (unsigned long long)index);
}

static void note_run(struct sim *sim, const struct buf *header)
{
        CLEANUP_WITH(msg_free) struct msg *msg = NULL;
        uint64_t id;

        if (!strstr(header->bytes, "\"run\""))
                return;
        msg = msg_decode(MSG_S2W, header->bytes, header->n, NULL, 0, &id, NULL);
        if (!msg || msg->kind != MSG_run)
                return;
        for (size_t g = 0; g < msg->u.run.n_grants; g++) {
                const struct rec_grant *grant = &msg->u.run.grants[g];

                for (size_t r = 0; r < grant->n_ranges; r++) {
                        for (uint64_t i = grant->ranges[r].lo; i <= grant->ranges[r].hi; i++) {
                                struct sim_witness *witness = sim_witness(sim, grant->job, i);
                                uint64_t epoch = msg->u.run.epoch;

                                check_parked(sim, grant->job, i);
                                if (epoch < witness->epoch ||
                                    (epoch == witness->epoch && grant->attempt < witness->attempt))
                                        sim_fail(sim,
                                                 "task %llu.%llu: an older lease was granted after a newer",
                                                 (unsigned long long)grant->job, (unsigned long long)i);
                                witness->epoch = epoch;
                                witness->attempt = grant->attempt;
                                witness->nonce = grant->nonce;
                        }
                }
        }
}

static void send_now(struct sim *sim, struct session_id to, const struct buf *header,
                     const struct shared_bytes *body)
{
        note_run(sim, header);
        /* A peer that does not read: the message is dropped, and the session is reported lost. */
        if (!sim->healing && sim_below(sim, 2000) == 0) {
                struct event event = { .kind = EVENT_SESSION_LOST, .u.session = to };

                for (unsigned i = 0; i < SIM_CLIENTS; i++) {
                        if (sim->clients[i].session.n == to.n)
                                sim_client_disconnect(sim, &sim->clients[i]);
                }
                for (unsigned i = 0; i < SIM_WORKERS; i++) { /* nobody would answer its ready any more */
                        if (sim->workers[i].session.n == to.n && !sim->workers[i].greeted)
                                sim_worker_disconnect(sim, &sim->workers[i]);
                }
                sim_shell_event(sim, &event);
                return;
        }
        sim_net_send(sim, false, to, header, body ? body->bytes : NULL, body ? body->n : 0);
}

static void add_op(struct sim_batch *batch, struct store_op *op)
{
        LL_APPEND(batch->ops, op);
        batch->n_ops++;
}

static void add_send(struct sim_batch *batch, struct effect *effect)
{
        struct sim_send *send = xcalloc(1, sizeof(*send));

        send->to = effect->u.send.to;
        send->header = effect->u.send.header;
        send->body = STEAL(effect->u.send.body);
        memset(&effect->u.send.header, 0, sizeof(effect->u.send.header));
        LL_APPEND(batch->sends, send);
}

/* Of several jobs, each is over; one that is not is just coming back. */
static void answer_group(struct sim *sim, const struct read_request *read)
{
        struct msg msg = { .kind = MSG_event, .re = read->re };
        struct ranges over = { 0 };
        CLEANUP_BUF struct buf header = { 0 };

        for (size_t i = 0; i < read->n_jobs; i++) {
                const struct sim_job *job = sim_store_job(&sim->store, read->jobs[i]);

                if (!job || job->loading)
                        sim_fail(sim, "a watch on job %llu, which is not there",
                                 (unsigned long long)read->jobs[i]);
                if (!sim_job_is_final(job))
                        msg.kind = MSG_refused;
                ranges_add(&over, read->jobs[i], read->jobs[i]);
        }
        if (msg.kind == MSG_refused)
                msg.u.refused = (struct msg_refused){
                        .code = ERR_RETRY_LATER, .has_code = true, .text = "coming back", .n_text = 11
                };
        else
                msg.u.event = (struct msg_event){
                        .ended = over.list, .n_ended = over.n, .past = true, .has_past = true
                };
        msg_encode(&msg, &header);
        sim_net_send(sim, false, read->session, &header, NULL, 0);
        ranges_done(&over);
}

static void answer_watch(struct sim *sim, const struct read_request *read)
{
        const struct sim_job *job = sim_store_job(&sim->store, read->msg->u.watch.job);
        struct msg msg = { .kind = MSG_event, .re = read->re };
        CLEANUP_BUF struct buf header = { 0 };

        if (!job || job->loading)
                sim_fail(sim, "a watch on job %llu, which is not there",
                         (unsigned long long)read->msg->u.watch.job);
        msg.u.event.job = job->id;
        msg.u.event.has_job = true;
        msg.u.event.status = job->row.state.status;
        msg.u.event.has_status = true;
        msg.u.event.done = msg.u.event.has_done = sim_job_is_final(job);
        msg_encode(&msg, &header);
        sim_net_send(sim, false, read->session, &header, NULL, 0);
}

static bool has_ended(const struct sim_job *job, uint64_t index)
{
        const struct sim_row *row;

        HASH_FIND(hh, job->rows, &index, sizeof(index), row);
        return row && (row->final || row->ended_before);
}

/* A task of the same graph: a parent of it, and ended. */
static bool may_read_task(const struct sim_job *stored, const struct job *job, uint64_t of, uint64_t index)
{
        uint32_t at, parent;

        return index_find(&job->indexes, of, &at) && index_find(&job->indexes, index, &parent) &&
               graph_has_parent(job, at, parent) && has_ended(stored, index);
}

/* Another job, or a task of it: the job waited for it, and it has ended, or another one was enough. After a retry a restart
 * may find that something of the job has ended, and let it go on. */
static bool may_read_job(const struct sim *sim, const struct job *job, uint64_t of,
                         const struct read_parent *read)
{
        const struct rec_job_spec *spec = &job->spec->spec;
        const struct sim_job *on = sim_store_job(&sim->store, read->job);

        for (size_t k = 0; on && k < spec->n_after; k++) {
                bool each = spec->after[k].when == AFTER_WHEN_EACH;

                if (spec->after[k].job != read->job)
                        continue;
                if (each && read->lo == of && read->hi == of)
                        return true; /* checked where it is granted; there may be none of that index */
                if (!each && (sim_job_is_final(on) || was_over_before(on) || spec->after_one ||
                              was_over_before(sim_store_job(&sim->store, job->id.n))))
                        return true;
        }
        return false;
}

/* Nothing is read for a task but what it waited for, in its owner's name. */
static void answer_fetch_parent(struct sim *sim, const struct read_request *read)
{
        const struct msg_fetch_parent *fetch = &read->msg->u.fetch_parent;
        const struct sim_job *stored = sim_store_job(&sim->store, fetch->job);
        struct msg msg = { .kind = MSG_parent_chunk, .re = read->re };
        CLEANUP_BUF struct buf header = { 0 };
        const struct job *job;

        HASH_FIND(hh, sim->core->jobs, &fetch->job, sizeof(fetch->job), job);
        if (!job || read->who.n != stored->row.owner.n || read->n_parents == 0)
                sim_fail(sim, "parents of task %llu.%llu: of nobody, or in somebody else's name",
                         (unsigned long long)fetch->job, (unsigned long long)fetch->index);
        for (size_t i = 0; i < read->n_parents; i++) {
                const struct read_parent *parent = &read->parents[i];
                bool own = parent->job == fetch->job;

                for (uint64_t index = parent->lo; own && index <= parent->hi; index++)
                        if (!may_read_task(stored, job, fetch->index, index))
                                sim_fail(sim,
                                         "task %llu.%llu reads %llu, which is no parent of it or has not "
                                         "ended",
                                         (unsigned long long)fetch->job, (unsigned long long)fetch->index,
                                         (unsigned long long)index);
                if (!own && !may_read_job(sim, job, fetch->index, parent))
                        sim_fail(sim, "task %llu.%llu reads of job %llu, for which it did not wait",
                                 (unsigned long long)fetch->job, (unsigned long long)fetch->index,
                                 (unsigned long long)parent->job);
        }
        sim->n_fetched++;
        msg.u.parent_chunk = (struct msg_parent_chunk){ .job = fetch->job,
                                                        .index = fetch->index,
                                                        .kind = fetch->kind,
                                                        .final = true,
                                                        .has_job = true,
                                                        .has_index = true,
                                                        .has_kind = true,
                                                        .has_final = true };
        msg_encode(&msg, &header);
        sim_net_send(sim, false, read->session, &header, NULL, 0);
}

static void carry_out(struct sim *sim, struct effects *effects)
{
        for (size_t i = 0; i < effects->n; i++) {
                struct effect *effect = &effects->list[i];

                switch (effect->kind) {
                case EFFECT_STORE:
                        add_op(&sim->open, STEAL(effect->u.store));
                        break;
                case EFFECT_SEND_NOW:
                        send_now(sim, effect->u.send.to, &effect->u.send.header, effect->u.send.body);
                        break;
                case EFFECT_SEND_ON_COMMIT:
                        add_send(&sim->open, effect);
                        break;
                case EFFECT_FACT:
                        GROW(sim->open.facts.list, sim->open.facts.cap, sim->open.facts.n + 1);
                        sim->open.facts.list[sim->open.facts.n++] = effect->u.fact;
                        break;
                case EFFECT_READ:
                        if (effect->u.read->jobs)
                                answer_group(sim, effect->u.read);
                        else if (effect->u.read->watch_answer)
                                answer_watch(sim, effect->u.read);
                        else if (effect->u.read->msg->kind == MSG_fetch_parent)
                                answer_fetch_parent(sim, effect->u.read);
                        break;
                case EFFECT_LOAD:
                        if (sim->n_loads == ARRAY_LEN(sim->loads))
                                sim_fail(sim, "too many loads");
                        sim->loads[sim->n_loads].job = effect->u.load.job;
                        sim->loads[sim->n_loads].ends = effect->u.load.ends;
                        sim->loads[sim->n_loads].round = effect->u.load.round;
                        sim->loads[sim->n_loads++].chunk = effect->u.load.chunk;
                        break;
                case EFFECT_KEY:
                        break;
                case EFFECT_STOP:
                        sim_fail(sim, "the core wants to stop: %s", effect->u.stop.text);
                }
        }
}

void sim_shell_event(struct sim *sim, struct event *event)
{
        struct effects effects = { 0 };

        if (!sim->core)
                return;
        event->mono_us = sim->mono_us;
        event->wall_us = sim->wall_us;
        event->random = sim_random(sim);
        core_step(sim->core, event, &effects);
        carry_out(sim, &effects);
        effects_done(&effects);
        sim_check_room(sim);
}

/* Some tasks of a job get a reason of their own to wait, without one; later all are let go. */
void sim_shell_park(struct sim *sim, bool release)
{
        struct core *core = sim->core;
        struct effects effects = { 0 };
        struct spans which = { 0 };
        struct job *job;
        uint64_t skip;

        if (!core || !core->jobs)
                return;
        skip = sim_below(sim, HASH_CNT(hh, core->jobs));
        for (job = core->jobs; skip > 0; skip--)
                job = job->hh.next;
        if (job->phase != JOB_LIVE || job->ending != 0)
                return;
        core->out = &effects;
        if (release) {
                spans_add(&which, (struct span){ .lo = 0, .hi = job->tasks - 1 });
                park_release(core, job, &which, PARK_TIME);
        } else {
                uint32_t lo = (uint32_t)sim_below(sim, job->tasks);

                spans_add(&which,
                          (struct span){ .lo = lo, .hi = lo + (uint32_t)sim_below(sim, job->tasks - lo) });
                park_tasks(core, job, &which, PARK_TIME);
        }
        core->out = NULL;
        spans_done(&which);
        carry_out(sim, &effects);
        effects_done(&effects);
}

/* Stands for SHA-256: equal for equal bytes, and that is all that the core uses. */
static void digest_of(const void *bytes, size_t n, uint8_t *out, size_t out_bytes)
{
        uint64_t h = UINT64_C(0xcbf29ce484222325);

        for (size_t i = 0; i < n; i++)
                h = (h ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
        for (size_t i = 0; i < out_bytes; i++, h = h * 31 + 7)
                out[i] = (uint8_t)(h >> 32);
}

static void hash_message(const struct msg *msg, struct event *event, uint8_t (*keys)[16],
                         uint8_t (*digests)[32])
{
        size_t n = msg->kind == MSG_submit ? msg->u.submit.n_jobs : msg->kind == MSG_put ? 1 : 0;

        for (size_t i = 0; i < n && i < 16; i++) {
                const char *key = msg->kind == MSG_put ? msg->u.put.key : msg->u.submit.jobs[i].key;

                digest_of(key, strlen(key), keys[i], 16);
                if (msg->kind == MSG_submit) {
                        CLEANUP_BUF struct buf text = { 0 };

                        job_spec_encode(msg->u.submit.jobs[i].spec, &text);
                        digest_of(text.bytes, text.n, digests[i], 32);
                }
        }
        if (msg->kind == MSG_submit && msg->u.submit.set) {
                digest_of(msg->u.submit.set, msg->u.submit.n_set, keys[n++], 16);
        } else if (msg->kind == MSG_submit_set) {
                digest_of(msg->u.submit_set.set, msg->u.submit_set.n_set, keys[n++], 16);
                digest_of(msg->u.submit_set.key, msg->u.submit_set.n_key, keys[n++], 16);
        }
        event->u.message.key_hash = (const uint8_t(*)[16])keys;
        event->u.message.digest = (const uint8_t(*)[32])digests;
        event->u.message.n_hashes = n;
}

void sim_shell_message(struct sim *sim, struct session_id session, const char *public_key, bool worker,
                       const struct buf *header, const void *body, size_t body_bytes)
{
        struct event event = { .kind = EVENT_MESSAGE };
        struct err err = { 0 };
        uint8_t keys[16][16], digests[16][32];
        uint64_t id;
        struct msg *msg;

        if (!sim->core)
                return;
        msg = msg_decode(worker ? MSG_W2S : MSG_C2S, header->bytes, header->n, body, body_bytes, &id, &err);
        if (!msg)
                sim_fail(sim, "a message of ours cannot be decoded: %s: %s", err.text, header->bytes);
        event.u.message.session = session;
        strcpy(event.u.message.public_key, public_key);
        event.u.message.msg = msg;
        event.u.message.direction = worker ? MSG_W2S : MSG_C2S;
        hash_message(msg, &event, keys, digests);
        sim_shell_event(sim, &event);
        msg_free(event.u.message.msg);
}

/* Hand the open batch to the store, which works on it until sim_shell_commit. */
void sim_shell_hand_over(struct sim *sim)
{
        struct effects effects = { 0 };

        if (!sim->core || sim->in_flight ||
            (sim->open.n_ops == 0 && !core_dirty(sim->core) && sim->open.facts.n == 0 && !sim->open.sends))
                return;
        core_flush(sim->core, &effects);
        carry_out(sim, &effects);
        effects_done(&effects);
        sim->flight = sim->open;
        memset(&sim->open, 0, sizeof(sim->open));
        sim->in_flight = true;
}

static void apply_all(struct sim *sim, struct sim_batch *batch)
{
        struct store_op *op;

        sim->store.n_taken = 0;
        LL_FOREACH (batch->ops, op)
                sim_store_apply(sim, op);
        sim->store.n_commits++;
        sim_store_check_counts(sim);
}

void sim_shell_commit(struct sim *sim)
{
        struct sim_batch batch = sim->flight;
        struct sim_send *send;

        if (!sim->in_flight)
                return;
        memset(&sim->flight, 0, sizeof(sim->flight));
        sim->in_flight = false;
        apply_all(sim, &batch);
        LL_FOREACH (batch.sends, send)
                send_now(sim, send->to, &send->header, send->body);
        for (size_t i = 0; i < batch.facts.n; i++) {
                struct event event = { .kind = EVENT_FACT };

                event.u.fact.fact = batch.facts.list[i];
                if (event.u.fact.fact.op)
                        event.u.fact.answer = event.u.fact.fact.op->answer;
                sim_shell_event(sim, &event);
        }
        batch_done(&batch);
}

void sim_shell_start(struct sim *sim)
{
        struct event event = { .kind = EVENT_REPLAY_DONE };

        sim->store.epoch++;
        sim->core = core_new();
        sim_store_replay(sim);
        event.u.settings = (struct core_settings){
                .epoch = sim->store.epoch,
                .install = "sim",
                .next_job = 1,
                .lease_ms = SIM_LEASE_MS,
                .reconnect_ms = 900000,
                .heartbeat_ms = SIM_HEARTBEAT_MS,
                .tasks_per_job_max = 1000000,
                .unfinished_jobs_max = 2000,
                .upload_ms = 3600000,
                /* In every other seed whatever ends many tasks takes many commits. */
                .rows_a_sweep = sim->seed % 2 == 1 && !sim->large ? 1 + (uint32_t)(sim->seed / 2 % 4) : 0,
        };
        for (const struct sim_job *job = sim->store.jobs; job; job = job->hh.next)
                event.u.settings.next_job = MAX(event.u.settings.next_job, job->id + 1);
        sim_shell_event(sim, &event);
}

void sim_shell_crash(struct sim *sim, bool commit)
{
        if (!sim->core)
                return;
        if (sim->in_flight && commit)
                apply_all(sim, &sim->flight);
        batch_done(&sim->flight);
        batch_done(&sim->open);
        sim->in_flight = false;
        for (size_t i = 0; sim->core && i < ARRAY_LEN(sim->edge_hits); i++)
                sim->edge_hits[i] += core_edge_hits(sim->core, i);
        core_free(sim->core);
        sim->core = NULL;
        sim->n_loads = 0;
}
