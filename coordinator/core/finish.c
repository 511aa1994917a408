/* Results. A message is checked as a whole before anything of it counts; then each of its ends counts for those tasks
 * that are still out under that very lease. Everything else of it was recorded before, or is stale.
 *
 * Invariants: 1. nothing is recorded for a task whose lease the sender does not hold. 2. the answer leaves with the commit. */
#include "core/finish.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/abort.h"
#include "core/backoff.h"
#include "core/end_times.h"
#include "core/job.h"
#include "core/lease.h"
#include "core/memory.h"
#include "core/parents.h"
#include "core/pending.h"
#include "core/queue.h"
#include "core/report.h"
#include "core/shape.h"
#include "core/retry.h"
#include "core/tasks.h"
#include "core/watch.h"
#include "core/spec.h"
#include "core/when.h"

#define RAN_US_MAX (INT64_C(1) << 42) /* 50 days: no task is charged more, whatever its worker says */

/* One `end` of a message while it is worked on. */
struct end {
        const struct rec_task_end *said;
        struct job *job; /* NULL: its lease is not held */
        uint32_t attempt;
        struct spans accepted; /* positions that count */
        uint64_t n; /* tasks named */
};

bool finish_positions(const struct lease *lease, const struct range *ranges, size_t n, struct spans *out)
{
        const struct indexes *indexes = &lease->job->indexes;

        for (size_t i = 0; i < n; i++) {
                struct span span = { 0 };

                if (!index_find(indexes, ranges[i].lo, &span.lo) ||
                    !index_find(indexes, ranges[i].hi, &span.hi) || span.hi < span.lo ||
                    span.hi - span.lo != ranges[i].hi - ranges[i].lo || span.lo < lease->lo ||
                    span.hi >= lease->lo + lease->n ||
                    (out->count > 0 && out->list[out->n - 1].hi >= span.lo))
                        return false;
                spans_add(out, span);
        }
        return true;
}

static struct lease *held_lease(const struct core *core, const struct worker *worker, uint64_t job,
                                uint64_t nonce)
{
        struct lease *lease = lease_find(core, nonce);

        return lease && lease->worker == worker && lease->job->id.n == job && !lease->unsent ? lease : NULL;
}

/* ------------------------------------------------------------------ is the message sound */

static bool is_in(const struct rec_task_end *end, uint64_t index)
{
        for (size_t i = 0; i < end->n_ranges; i++) {
                if (index >= end->ranges[i].lo && index <= end->ranges[i].hi)
                        return true;
        }
        return false;
}

static bool fits(size_t n_values, uint64_t n_tasks)
{
        return n_values <= 1 || n_values == n_tasks;
}

static int check_end(const struct rec_task_end *end, uint64_t *n, struct err *err)
{
        *n = 0;
        for (size_t i = 0; i < end->n_ranges; i++) {
                *n += end->ranges[i].hi - end->ranges[i].lo + 1;
                if (*n > 65536)
                        return err_set(err, ERR_TOO_LARGE, "ends: over 65536 tasks in one");
        }
        if (!fits(end->n_ago_us, *n) || !fits(end->n_ran_us, *n) || !fits(end->n_cpu_us, *n) ||
            !fits(end->n_rss_kib, *n))
                return err_set(err, ERR_BAD_FIELD, "ends: one value, or one for each task");
        return 0;
}

static int check_pieces(const struct msg *msg, struct err *err)
{
        const struct msg_finished *finished = &msg->u.finished;
        uint64_t bytes = 0;

        for (size_t i = 0; i < finished->n_chunks; i++) {
                const struct rec_task_chunk *chunk = &finished->chunks[i];

                bytes += chunk->bytes;
                if (chunk->end >= finished->n_ends || !is_in(&finished->ends[chunk->end], chunk->index))
                        return err_set(err, ERR_BAD_FIELD, "chunks: of a task that did not end here");
                if (chunk->kind == DATA_KIND_FILE || (chunk->kind == DATA_KIND_OUTPUT) != chunk->has_stream)
                        return err_set(err, ERR_BAD_FIELD, "chunks: a result, or output with its stream");
        }
        if (bytes != msg->body_bytes)
                return err_set(err, ERR_BAD_FIELD, "chunks: the body has another size");
        for (size_t i = 0; i < finished->n_files; i++) {
                const struct rec_task_file *file = &finished->files[i];

                if (file->end >= finished->n_ends || !is_in(&finished->ends[file->end], file->index))
                        return err_set(err, ERR_BAD_FIELD, "files: of a task that did not end here");
                for (size_t k = 0; k < file->n_sha256; k++)
                        if (!strchr("0123456789abcdef", file->sha256[k]))
                                return err_set(err, ERR_BAD_FIELD,
                                               "files: sha256 is not 64 lower-case digits");
        }
        return 0;
}

/* ------------------------------------------------------------------ what follows from one end */

/* The tasks of one end that go the same way, with the number of each within the message. */
struct group {
        struct spans which;
        uint32_t *k; /* of each, in order */
        size_t cap;
        uint64_t started;
};

static void group_add(struct group *group, uint32_t at, uint64_t k)
{
        GROW(group->k, group->cap, group->which.count + 1);
        group->k[group->which.count] = (uint32_t)k;
        spans_add(&group->which, (struct span){ .lo = at, .hi = at });
}

static void group_done(struct group *group)
{
        spans_done(&group->which);
        free(group->k);
}

static void put_times(const struct core *core, const struct rec_task_end *said, const struct group *group,
                      struct store_task_end *end)
{
        bool alike =
                said->n_ago_us <= 1 && said->n_ran_us <= 1 && said->n_cpu_us <= 1 && said->n_rss_kib <= 1;
        size_t n = alike ? 1 : group->which.count;

        store_task_end_values(end, n);
        for (size_t i = 0; i < n; i++) {
                struct end_times times = end_times_of(core, said, group->k[i]);

                end->started_us[i] = times.started_us;
                end->ended_us[i] = times.ended_us;
                end->cpu_us[i] = times.cpu_us;
                end->rss_kib[i] = times.rss_kib;
        }
}

static struct outcome outcome_of(const struct core *core, const struct lease *lease,
                                 const struct rec_task_end *said, struct decision decision, uint32_t tries)
{
        struct end_times times = end_times_of(core, said, 0);

        return (struct outcome){
                .status = decision.status,
                .reason = decision.reason,
                .exit_code = said->has_exit_code ? (uint8_t)said->exit_code : 0,
                .exit_signal = said->has_exit_signal ? (uint8_t)said->exit_signal : 0,
                .attempt = lease->attempt,
                .tries = tries,
                .crashes = lease->crashes,
                .worker = lease->worker->id,
                .nonce = lease->nonce,
                .ended_us = times.ended_us,
                .started_us = times.started_us,
        };
}

static void move(struct core *core, struct job *job, enum trigger trigger, enum task_status to,
                 const struct group *group)
{
        job_move(core, job, TASK_STATUS_RUNNING, trigger, to, group->started);
        job_move(core, job, TASK_STATUS_QUEUED, trigger, to, group->which.count - group->started);
}

static void end_finally(struct core *core, struct lease *lease, const struct rec_task_end *said,
                        const struct group *group, const struct outcome *outcome)
{
        struct job *job = lease->job;
        struct store_task_end *end;

        if (group->which.count == 0)
                return;
        move(core, job, TRIGGER_END, outcome->status, group);
        end = tasks_write_end(core, job, &group->which, outcome);
        put_times(core, said, group, end);
        if (job->started_us == 0 || end->started_us[0] < job->started_us)
                job->started_us = end->started_us[0];
}

/* Each superseded attempt is a row with its own times and figures. */
static void write_attempts(struct core *core, struct job *job, const struct rec_task_end *said,
                           const struct group *group, const struct outcome *outcome)
{
        struct outcome one = *outcome;
        size_t i = 0;

        for (size_t span = group->which.head; span < group->which.n; span++) {
                for (uint32_t at = group->which.list[span].lo; at <= group->which.list[span].hi; at++, i++) {
                        struct end_times times = end_times_of(core, said, group->k[i]);

                        one.started_us = times.started_us;
                        one.ended_us = times.ended_us;
                        one.cpu_us = times.cpu_us;
                        one.rss_kib = times.rss_kib;
                        tasks_write_attempt(core, job, at, &one);
                }
        }
}

/* Another attempt. What never started does not use up its number. */
static void end_again(struct core *core, struct lease *lease, const struct rec_task_end *said,
                      const struct group *group, const struct outcome *outcome)
{
        struct job *job = lease->job;
        struct span counts = { .attempt = lease->attempt,
                               .tries = (uint16_t)outcome->tries,
                               .crashes = lease->crashes };
        bool ran = said->status != END_STATUS_RETURNED;
        bool waits = ran && said->status != END_STATUS_CANCELLED && job->ending == 0 &&
                     backoff_us(&job->spec->spec, counts.tries) > 0;

        if (group->which.count == 0)
                return;
        if (!ran)
                counts.attempt--;
        else if (job->started_us == 0)
                job->started_us = outcome->started_us;
        move(core, job, TRIGGER_AGAIN, job_home(job), group);
        if (ran)
                write_attempts(core, job, said, group, outcome);
        /* The row of an adopted lease names it; what waits gets a row that says so. */
        if (!waits &&
            (ran || group->started > 0 || counts.attempt > 0 || lease->epoch != core->settings.epoch))
                tasks_write_state(core, job, &group->which, TASK_STATUS_QUEUED, TASK_REASON_NONE, &counts,
                                  NULL);
        if (outcome->status == TASK_STATUS_OOM && ran) {
                memory_ran_out(core, job, &group->which);
                tasks_again_home(core, job, &group->which, &counts, ran);
        } else {
                tasks_again(core, lease->lot, &group->which, &counts, ran);
        }
        if (!ran)
                when_abort_late(core, job, &group->which, &counts);
        if (waits)
                backoff_start(core, job, &group->which, &counts);
}

static void learn_run_time(struct core *core, struct job *job, uint32_t cpus, const struct rec_task_end *said,
                           uint64_t n)
{
        int64_t mean = 0;

        if (n == 0 || said->status == END_STATUS_RETURNED)
                return;
        for (size_t i = 0; i < said->n_ran_us; i++)
                mean += MIN(MAX(said->ran_us[i], INT64_C(0)), RAN_US_MAX);
        mean /= (int64_t)MAX(said->n_ran_us, (size_t)1);
        queue_charge(core, job, mean - job->task_us, n * cpus);
        job->task_us = MAX((7 * job->task_us + mean) / 8, INT64_C(100));
}

static void apply(struct core *core, struct lease *lease, struct end *end, uint64_t *already)
{
        const struct rec_task_end *said = end->said;
        struct job *job = lease->job;
        bool by_itself = said->status != END_STATUS_CANCELLED && said->status != END_STATUS_RETURNED;
        uint32_t tries = lease->tries + by_itself;
        struct rec_job_spec room;
        struct decision decision = retry_after_end(shape_spec(job, lease->lot->shape, &room), said, tries);
        struct outcome outcome;
        struct group final = { 0 };
        struct group again = { 0 };
        uint64_t k = 0;

        if (said->status == END_STATUS_RETURNED)
                decision.again = true;
        if (job->ending == TASK_STATUS_CANCELLED || (by_itself && abort_is_on(job)))
                decision.again = false;
        for (size_t i = 0; i < said->n_ranges; i++) {
                uint32_t at = 0;

                BUG_ON(!index_find(&job->indexes, said->ranges[i].lo, &at));
                for (uint64_t left = said->ranges[i].hi - said->ranges[i].lo + 1; left > 0;
                     left--, at++, k++) {
                        struct group *group;

                        if (!lease_has(lease, LEASE_OUT, at)) {
                                (*already)++;
                                continue;
                        }
                        group = decision.again && !lease_has(lease, LEASE_CANCELLED, at) ? &again : &final;
                        group_add(group, at, k);
                        group->started += lease_drop(core, lease, at);
                        spans_add(&end->accepted, (struct span){ .lo = at, .hi = at });
                }
        }
        outcome = outcome_of(core, lease, said, decision, tries);
        end_finally(core, lease, said, &final, &outcome);
        end_again(core, lease, said, &again, &outcome);
        learn_run_time(core, job, lease->needs->cpus, said, end->accepted.count);
        report_ended(core, job, &end->accepted);
        group_done(&final);
        group_done(&again);
        lease_settle(core, lease);
        job_check_end(core, job);
}

/* ------------------------------------------------------------------ what it brought along */

static bool counts(const struct end *end, uint64_t index)
{
        uint32_t at;

        return end->job && index_find(&end->job->indexes, index, &at) && spans_find(&end->accepted, at);
}

static void keep_chunks(struct core *core, const struct msg *msg, const struct end *ends)
{
        struct shared_bytes *body = NULL;
        size_t at = 0;

        for (size_t i = 0; i < msg->u.finished.n_chunks; i++) {
                const struct rec_task_chunk *chunk = &msg->u.finished.chunks[i];
                const struct end *end = &ends[chunk->end];

                if (counts(end, chunk->index)) {
                        parents_note_chunk(end->job, chunk);
                        if (!body)
                                body = shared_bytes_new(msg->body, msg->body_bytes);
                        effects_store(core->out, STORE_DATA)->u.data = (struct store_data){
                                .job = end->job->id,
                                .owner = end->job->owner_id,
                                .index = chunk->index,
                                .attempt = end->attempt,
                                .kind = chunk->kind,
                                .part = chunk->has_stream ? chunk->stream : 0,
                                .seq = (uint32_t)chunk->seq,
                                .final = chunk->kind == DATA_KIND_RESULT ? true : chunk->final,
                                .recorded_us = core->wall_us,
                                .bytes = body->bytes + at,
                                .n_bytes = chunk->bytes,
                                .keep = shared_bytes_ref(body),
                        };
                }
                at += chunk->bytes;
        }
        shared_bytes_unref(body);
}

static void keep_files(struct core *core, const struct msg *msg, const struct end *ends)
{
        for (size_t i = 0; i < msg->u.finished.n_files; i++) {
                const struct rec_task_file *said = &msg->u.finished.files[i];
                const struct end *end = &ends[said->end];
                struct store_file *file;

                if (!counts(end, said->index))
                        continue;
                file = &effects_store(core->out, STORE_FILE)->u.file;
                file->job = end->job->id;
                file->owner = end->job->owner_id;
                file->index = said->index;
                file->attempt = end->attempt;
                file->file = (uint32_t)said->file;
                file->name = xstrndup(said->name, said->n_name);
                file->bytes = said->bytes;
                memcpy(file->sha256, said->sha256, 64);
        }
}

/* ------------------------------------------------------------------ the message */

static void answer(struct core *core, const struct asker *asker, uint64_t already, uint64_t stale)
{
        struct msg msg = { .kind = MSG_recorded, .re = asker->re };

        msg.u.recorded.already = MIN(already, UINT64_C(65536));
        msg.u.recorded.has_already = already > 0;
        msg.u.recorded.stale = MIN(stale, UINT64_C(65536));
        msg.u.recorded.has_stale = stale > 0;
        effects_send(core->out, asker->session, &msg, true);
}

static void answer_later(struct core *core, struct pending *pending)
{
        answer(core, &pending->asker, pending->already, pending->stale);
}

static void work(struct core *core, struct worker *worker, const struct asker *asker, const struct msg *msg,
                 struct end *ends)
{
        const struct msg_finished *finished = &msg->u.finished;
        struct pending *pending = NULL;
        uint64_t already = 0, stale = 0;

        watch_note_finished(core, worker, finished);
        for (size_t i = 0; i < finished->n_ends; i++) {
                const struct rec_task_end *said = ends[i].said;
                struct lease *lease = held_lease(core, worker, said->job, said->nonce);
                struct spans named = { 0 };

                if (lease && lease->attempt == said->attempt && lease->epoch == said->epoch &&
                    finish_positions(lease, said->ranges, said->n_ranges, &named)) {
                        ends[i].job = lease->job;
                        ends[i].attempt = lease->attempt;
                        apply(core, lease, &ends[i], &already);
                } else if (lease || pending_full(core)) {
                        stale += ends[i].n;
                } else {
                        if (!pending)
                                pending = pending_new(core, asker, NULL, answer_later);
                        pending_ask_was_ended(core, pending, said->job, said->ranges[0].lo, said->nonce,
                                              ends[i].n);
                }
                spans_done(&named);
        }
        keep_chunks(core, msg, ends);
        keep_files(core, msg, ends);
        if (!pending) {
                answer(core, asker, already, stale);
                return;
        }
        pending->already = already;
        pending->stale = stale;
}

void finish_on_finished(struct core *core, struct worker *worker, const struct asker *asker, struct msg *msg)
{
        const struct msg_finished *finished = &msg->u.finished;
        struct end few[FEW] = { 0 };
        struct end *ends = finished->n_ends <= FEW ? few : xcalloc(finished->n_ends, sizeof(*ends));
        struct err err = { 0 };
        int rc = 0;

        for (size_t i = 0; i < finished->n_ends && rc == 0; i++) {
                ends[i].said = &finished->ends[i];
                rc = check_end(ends[i].said, &ends[i].n, &err);
        }
        if (rc == 0)
                rc = check_pieces(msg, &err);
        if (rc == 0)
                work(core, worker, asker, msg, ends);
        else
                reply_worker_refused(core, asker, err.code, err.text);
        for (size_t i = 0; i < finished->n_ends; i++)
                spans_done(&ends[i].accepted);
        if (ends != few)
                free(ends);
}

static void tell_stale(struct core *core, const struct asker *asker)
{
        struct msg msg = { .kind = MSG_stale, .re = asker->re };

        effects_send(core->out, asker->session, &msg, false);
}

void finish_on_started(struct core *core, struct worker *worker, const struct asker *asker,
                       const struct msg *msg)
{
        for (size_t i = 0; i < msg->u.started.n_tasks; i++) {
                const struct rec_lease_tasks *said = &msg->u.started.tasks[i];
                struct lease *lease = held_lease(core, worker, said->job, said->nonce);
                struct spans which = { 0 };

                if (lease && finish_positions(lease, said->ranges, said->n_ranges, &which)) {
                        lease_started(core, lease, &which, core->wall_us - (int64_t)said->ago_us);
                } else {
                        struct msg stop = { .kind = MSG_stop };
                        struct rec_lease_tasks tasks = *said;

                        tasks.has_ago_us = false;
                        stop.u.stop.tasks = &tasks;
                        stop.u.stop.n_tasks = 1;
                        stop.u.stop.reason = TASK_REASON_WORKER_LOST;
                        stop.u.stop.has_reason = true;
                        effects_send(core->out, asker->session, &stop, false);
                }
                spans_done(&which);
        }
}

struct lease *finish_out_lease(const struct core *core, const struct worker *worker, uint64_t job,
                               uint64_t nonce, uint64_t index)
{
        struct lease *lease = held_lease(core, worker, job, nonce);
        uint32_t at;

        return lease && index_find(&lease->job->indexes, index, &at) && lease_has(lease, LEASE_OUT, at)
                       ? lease
                       : NULL;
}

void finish_on_store(struct core *core, struct worker *worker, const struct asker *asker,
                     const struct msg *msg)
{
        const struct msg_store *store = &msg->u.store;
        struct lease *lease = finish_out_lease(core, worker, store->job, store->nonce, store->index);
        struct msg kept = { .kind = MSG_kept, .re = asker->re };
        struct store_data *data;

        if (store->kind == DATA_KIND_RESULT || (store->kind == DATA_KIND_OUTPUT) != store->has_stream ||
            (store->kind == DATA_KIND_FILE) != store->has_file) {
                reply_worker_refused(core, asker, ERR_BAD_FIELD,
                                     "store: output with its stream, or a file's number");
                return;
        }
        if (!lease || lease->attempt != store->attempt) {
                tell_stale(core, asker);
                return;
        }
        data = &effects_store(core->out, STORE_DATA)->u.data;
        *data = (struct store_data){
                .job = lease->job->id,
                .owner = lease->job->owner_id,
                .index = store->index,
                .attempt = lease->attempt,
                .kind = store->kind,
                .part = store->has_stream ? store->stream : (uint32_t)store->file,
                .seq = (uint32_t)store->seq,
                .final = store->final,
                .recorded_us = core->wall_us,
                .keep = shared_bytes_new(msg->body, msg->body_bytes),
                .n_bytes = msg->body_bytes,
        };
        data->bytes = data->keep->bytes;
        if (store->kind == DATA_KIND_OUTPUT)
                watch_note_output(core, lease->job, store->index);
        effects_send(core->out, asker->session, &kept, true);
}

void finish_on_fetch(struct core *core, struct worker *worker, const struct asker *asker,
                     struct msg **take_msg)
{
        const struct msg_fetch *fetch = &(*take_msg)->u.fetch;
        struct lease *lease = finish_out_lease(core, worker, fetch->job, fetch->nonce, fetch->index);
        struct msg empty = { .kind = MSG_input_chunk, .re = asker->re };
        const struct rec_job_spec *spec = lease ? &lease->job->spec->spec : NULL;
        struct read_request *read;

        if (!lease) {
                tell_stale(core, asker);
                return;
        }
        if (fetch->input > spec->n_inputs + spec->n_secrets) {
                reply_worker_refused(core, asker, ERR_BAD_FIELD, "fetch: no such input");
                return;
        }
        if (fetch->input <= spec->n_inputs && spec->inputs[fetch->input - 1].bytes == 0) {
                empty.u.input_chunk = (struct msg_input_chunk){ .job = fetch->job,
                                                                .has_job = true,
                                                                .input = fetch->input,
                                                                .has_input = true,
                                                                .has_seq = true };
                empty.u.input_chunk.seq = fetch->seq;
                empty.u.input_chunk.final = empty.u.input_chunk.has_final = true;
                empty.body = "";
                effects_send(core->out, asker->session, &empty, false);
                return;
        }
        read = xcalloc(1, sizeof(*read));
        read->session = asker->session;
        read->re = asker->re;
        read->who = asker->who;
        read->permission = PERMISSION_WORKER_RUN;
        if (fetch->input > spec->n_inputs) {
                strncpy(read->secret, spec->secrets[fetch->input - spec->n_inputs - 1],
                        sizeof(read->secret) - 1);
                read->secret_owner = lease->job->owner_id;
        } else {
                read->part = (uint32_t)spec_first_alike(spec, fetch->input - 1) + 1;
        }
        read->msg = STEAL(*take_msg);
        effects_read(core->out, read);
}
