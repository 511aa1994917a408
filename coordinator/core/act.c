/* What people do to jobs. The count in the answer is what changed, in tasks; with dry_run, what would.
 *
 * A task that is granted is asked to stop; that it was asked survives a restart: for a whole job in Jobs.ending, for single
 * tasks as the reason of their row. */
#include "core/act.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/change.h"
#include "core/hold.h"
#include "core/job.h"
#include "core/lease.h"
#include "core/park.h"
#include "core/pending.h"
#include "core/queue.h"
#include "core/round.h"
#include "core/sweep.h"
#include "core/tasks.h"

static uint64_t unfinished(const struct job *job)
{
        return job->tasks - job_final(job);
}

/* A set of statuses, a bit each; 0: whatever they are. */
static bool wants(uint32_t statuses, enum task_status status)
{
        return statuses == 0 || (statuses >> status & 1) != 0;
}

/* ------------------------------------------------------------------ cancel */

static enum task_status granted_status(const struct lease *lease, uint32_t at)
{
        return lease_has(lease, LEASE_STARTED, at) ? TASK_STATUS_RUNNING : TASK_STATUS_QUEUED;
}

static enum task_status limbo_status(const struct job *job, const struct span *span)
{
        return span->note > 0 && job->notes[span->note - 1].running ? TASK_STATUS_RUNNING
                                                                    : TASK_STATUS_QUEUED;
}

/* Ask for the end of these granted tasks: returns how many had not been asked yet. */
static uint64_t cancel_granted(struct core *core, struct lease *lease, const struct spans *which,
                               uint32_t statuses, bool persist)
{
        struct spans queued = { 0 };
        struct spans running = { 0 };
        struct spans all = { 0 };
        struct span counts = { .attempt = lease->attempt, .tries = lease->tries, .crashes = lease->crashes };
        uint64_t n;

        for (uint32_t at = lease->lo; at < lease->lo + lease->n; at++) {
                struct span task = { .lo = at, .hi = at };

                if (!lease_has(lease, LEASE_OUT, at) || lease_has(lease, LEASE_CANCELLED, at) ||
                    (which && !spans_find(which, at)) || !wants(statuses, granted_status(lease, at)))
                        continue;
                lease_set(lease, LEASE_CANCELLED, at);
                spans_add(&all, task);
                spans_add(lease_has(lease, LEASE_STARTED, at) ? &running : &queued, task);
        }
        n = all.count;
        if (n > 0 && lease->unsent) {
                lease_give_up(core, lease, &all, TASK_REASON_CANCELLED);
        } else if (n > 0) {
                if (persist && queued.count > 0)
                        tasks_write_state(core, lease->job, &queued, TASK_STATUS_QUEUED,
                                          TASK_REASON_CANCELLED, &counts, lease);
                if (persist && running.count > 0)
                        tasks_write_state(core, lease->job, &running, TASK_STATUS_RUNNING,
                                          TASK_REASON_CANCELLED, &counts, lease);
                lease_stop(core, lease, &all, TASK_REASON_CANCELLED);
        }
        spans_done(&queued);
        spans_done(&running);
        spans_done(&all);
        return n;
}

void act_cancel_job(struct core *core, struct job *job)
{
        struct lease *lease, *next;

        if (job->ending == TASK_STATUS_CANCELLED)
                return;
        sweep_job(core, job, TASK_STATUS_CANCELLED, TASK_REASON_CANCELLED);
        DL_FOREACH_SAFE2(job->leases, lease, next, job_next)
        cancel_granted(core, lease, NULL, 0, false);
        job_check_end(core, job);
}

/* Tasks whose worker may come back: remembered with them, told him when he does. */
static uint64_t cancel_limbo(struct core *core, struct job *job, const struct spans *which, uint32_t statuses)
{
        struct spans taken = { 0 };
        uint64_t n = 0;

        for (size_t i = which->head; i < which->n; i++)
                spans_take(&job->limbo, which->list[i].lo, which->list[i].hi, &taken);
        for (size_t i = taken.head; i < taken.n; i++) {
                struct span span = taken.list[i];
                struct note note = { 0 };
                struct spans one = { 0 };
                struct store_task_state *state;

                if (!wants(statuses, limbo_status(job, &span))) {
                        spans_add(&job->limbo, span);
                        continue;
                }
                n += span_count(span);
                if (span.note > 0)
                        note = job->notes[span.note - 1];
                note.cancelled = true;
                GROW(job->notes, job->cap_notes, job->n_notes + 1);
                job->notes[job->n_notes++] = note;
                span.note = (uint32_t)job->n_notes;
                spans_add(&job->limbo, span);
                spans_add(&one, span);
                state = tasks_write_state(core, job, &one,
                                          note.running ? TASK_STATUS_RUNNING : TASK_STATUS_QUEUED,
                                          TASK_REASON_CANCELLED, &span, NULL);
                state->worker = note.worker;
                state->nonce = note.nonce;
                state->started_us = note.started_us;
                spans_done(&one);
        }
        spans_done(&taken);
        return n;
}

static uint64_t count_at_home(const struct job *job, const struct spans *which, const struct sweep_how *how)
{
        uint64_t n = 0;

        for (size_t i = which->head; i < which->n; i++) {
                uint32_t lo = which->list[i].lo;
                uint32_t hi = which->list[i].hi;

                n += how->free ? park_count_free(job, lo, hi) : 0;
                n += how->parked ? park_count(job, lo, hi, false) : 0;
                n += how->held ? park_count(job, lo, hi, true) : 0;
        }
        return n;
}

static struct sweep_how cancel_how(const struct job *job, uint32_t statuses)
{
        return (struct sweep_how){ .status = TASK_STATUS_CANCELLED,
                                   .reason = TASK_REASON_CANCELLED,
                                   .free = wants(statuses, job_home(job)),
                                   .parked = wants(statuses, park_home(job)),
                                   .held = wants(statuses, TASK_STATUS_HELD) };
}

static uint64_t count_open(const struct job *job, const struct spans *which, uint32_t statuses)
{
        const struct sweep_how how = cancel_how(job, statuses);
        uint64_t n = count_at_home(job, which, &how);
        const struct lease *lease;

        for (size_t i = job->limbo.head; i < job->limbo.n; i++) {
                const struct span *span = &job->limbo.list[i];

                if (wants(statuses, limbo_status(job, span)))
                        n += spans_count_within(which, span->lo, span->hi);
        }
        DL_FOREACH2(job->leases, lease, job_next)
        {
                for (uint32_t at = lease->lo; at < lease->lo + lease->n; at++)
                        n += lease_has(lease, LEASE_OUT, at) && spans_find(which, at) &&
                             wants(statuses, granted_status(lease, at));
        }
        return n;
}

static void cancel_some(struct core *core, const struct asker *asker, struct job *job,
                        const struct spans *which, uint32_t statuses)
{
        struct lease *lease, *next;
        uint64_t n = cancel_limbo(core, job, which, statuses);
        struct ack *ack;
        const struct sweep_how how = cancel_how(job, statuses);

        DL_FOREACH_SAFE2(job->leases, lease, next, job_next)
        n += cancel_granted(core, lease, which, statuses, true);
        n += sweep_some(core, job, which, &how);
        if (job->sweep.count == 0) {
                reply_changed(core, asker, n, NULL);
                return;
        }
        ack = xcalloc(1, sizeof(*ack));
        ack->session = asker->session;
        ack->re = asker->re;
        ack->count = n;
        LL_APPEND(job->acks, ack);
}

static void cancel(struct core *core, const struct asker *asker, struct job *job,
                   const struct msg_cancel *ask)
{
        const struct chosen chosen = {
                .ranges = ask->ranges,
                .n_ranges = ask->n_ranges,
                .statuses = ask->statuses,
                .n_statuses = ask->n_statuses,
        };
        uint32_t statuses = job_status_bits(ask->statuses, ask->n_statuses);
        struct spans which = { 0 };
        bool whole = ask->n_ranges == 0 && statuses == 0;
        bool ended = job->ending == TASK_STATUS_CANCELLED;

        if (ask->n_ranges == 0)
                spans_add(&which, (struct span){ .lo = 0, .hi = job->tasks - 1 });
        else
                index_spans(&job->indexes, ask->ranges, ask->n_ranges, &which);
        if (ask->dry_run || ended) {
                reply_changed(core, asker, ended ? 0 : count_open(job, &which, statuses), NULL);
        } else {
                audit_tasks(core, "cancel", job, asker->who, &chosen, NULL, ask->reason);
                if (whole) {
                        reply_changed(core, asker, unfinished(job), NULL);
                        act_cancel_job(core, job);
                } else {
                        cancel_some(core, asker, job, &which, statuses);
                }
        }
        spans_done(&which);
}

/* ------------------------------------------------------------------ signal */

static uint64_t signal_lease(struct core *core, struct lease *lease, const struct spans *which,
                             const struct msg_signal *ask)
{
        struct ranges ranges = { 0 };
        struct rec_lease_tasks tasks = {
                .job = lease->job->id.n, .nonce = lease->nonce, .has_job = true, .has_nonce = true
        };
        struct msg msg = { .kind = MSG_send_signal };
        uint64_t n = 0;

        for (uint32_t at = lease->lo; at < lease->lo + lease->n; at++) {
                if (!lease_has(lease, LEASE_OUT, at) || (ask->n_ranges > 0 && !spans_find(which, at)))
                        continue;
                index_ranges(&lease->job->indexes, at, at, &ranges);
                n++;
        }
        tasks.ranges = ranges.list;
        tasks.n_ranges = ranges.n;
        msg.u.send_signal.tasks = &tasks;
        msg.u.send_signal.n_tasks = 1;
        msg.u.send_signal.signal = ask->signal;
        msg.u.send_signal.has_signal = true;
        if (n > 0 && !ask->dry_run && !lease->unsent && lease->worker->session.n != 0)
                effects_send(core->out, lease->worker->session, &msg, false);
        ranges_done(&ranges);
        return n;
}

static void send_signals(struct core *core, const struct asker *asker, struct job *job,
                         const struct msg_signal *ask)
{
        const struct chosen chosen = { .ranges = ask->ranges, .n_ranges = ask->n_ranges };
        const char *name = sigabbrev_np((int)ask->signal);
        struct spans which = { 0 };
        struct lease *lease;
        CLEANUP_BUF struct buf text = { 0 };
        uint64_t n = 0;

        index_spans(&job->indexes, ask->ranges, ask->n_ranges, &which);
        DL_FOREACH2(job->leases, lease, job_next)
        n += signal_lease(core, lease, &which, ask);
        spans_done(&which);
        if (name)
                buf_add_str(&text, name);
        else
                buf_addf(&text, "signal %llu", (unsigned long long)ask->signal);
        if (n > 0 && !ask->dry_run)
                audit_tasks(core, "signal", job, asker->who, &chosen, text.bytes, ask->reason);
        reply_changed(core, asker, n, NULL);
}

/* ------------------------------------------------------------------ which job, and may he */

static uint64_t job_of(const struct msg *msg)
{
        if (msg->kind == MSG_cancel)
                return msg->u.cancel.job;
        if (msg->kind == MSG_hold)
                return msg->u.hold.job;
        if (msg->kind == MSG_release)
                return msg->u.release.job;
        if (msg->kind == MSG_retry)
                return msg->u.retry.job;
        return msg->kind == MSG_signal ? msg->u.signal.job : msg->u.set.job;
}

static void act(struct core *core, const struct asker *asker, struct job *job, struct msg **take_msg)
{
        const struct msg *msg = *take_msg;

        if (msg->kind == MSG_cancel)
                cancel(core, asker, job, &msg->u.cancel);
        else if (msg->kind == MSG_hold)
                hold_tasks(core, asker, job, &msg->u.hold);
        else if (msg->kind == MSG_release)
                hold_release(core, asker, job, &msg->u.release);
        else if (msg->kind == MSG_retry)
                round_ask(core, asker, take_msg);
        else if (msg->kind == MSG_signal)
                send_signals(core, asker, job, &msg->u.signal);
        else
                change_set(core, asker, job, &msg->u.set);
}

/* Who may not even see it learns nothing; who may see it learns that he may not act. */
static bool may_act(struct core *core, const struct asker *asker, struct principal_id owner)
{
        if (access_allows(&core->access, asker->who, PERMISSION_JOB_ACT, owner, NULL))
                return true;
        audit_refusal(core, asker->who, "acting on a job without the right job.act");
        if (access_allows(&core->access, asker->who, PERMISSION_JOB_READ, owner, NULL))
                reply_refused(core, asker, ERR_FORBIDDEN, "you may see this job, but not change it");
        else
                reply_not_found(core, asker);
        return false;
}

static void answer(struct core *core, struct pending *pending)
{
        uint64_t id = job_of(pending->msg);
        struct job *job = job_find(core, id);
        const struct store_find_job *found = pending_job(pending, id);

        if (job && job->phase == JOB_LIVE) {
                if (may_act(core, &pending->asker, job->owner_id))
                        act(core, &pending->asker, job, &pending->msg);
                return;
        }
        if (!found || !found->found) {
                reply_not_found(core, &pending->asker);
                return;
        }
        if (!may_act(core, &pending->asker, found->owner))
                return;
        if (pending->msg->kind == MSG_retry)
                round_ask(core, &pending->asker, &pending->msg);
        else
                reply_changed(core, &pending->asker, 0, "the job is finished");
}

static bool statuses_are_words(const struct msg *msg)
{
        const char *const *words = msg->kind == MSG_cancel ? msg->u.cancel.statuses : msg->u.retry.statuses;
        size_t n = msg->kind == MSG_cancel  ? msg->u.cancel.n_statuses
                   : msg->kind == MSG_retry ? msg->u.retry.n_statuses
                                            : 0;

        for (size_t i = 0; i < n; i++) {
                if (task_status_from_word(words[i]) < 0)
                        return false;
        }
        return true;
}

void act_on_message(struct core *core, const struct asker *asker, struct msg **take_msg)
{
        uint64_t id = job_of(*take_msg);
        struct job *job = job_find(core, id);
        struct pending *pending;

        if (!statuses_are_words(*take_msg)) {
                reply_refused(core, asker, ERR_BAD_FIELD, "statuses: not the word of a status");
                return;
        }

        /* A foreign job takes the same way as one that is not there, also in time. */
        if (job && job->phase == JOB_LIVE &&
            access_allows(&core->access, asker->who, PERMISSION_JOB_ACT, job->owner_id, NULL)) {
                act(core, asker, job, take_msg);
                return;
        }
        if (pending_full(core)) {
                reply_retry_later(core, asker, "too much waits for the database", 2000);
                return;
        }
        pending = pending_new(core, asker, take_msg, answer);
        pending_ask_job(core, pending, id);
}
