/* Who holds what, after a ready. The newest lease of a task wins: (epoch, attempt), or for a task that may run at most once
 * exactly the one whose nonce is in its row.
 *
 * Invariants: 1. a position in limbo is in no lease. 2. running rows in limbo are counted as running, the others at home. */
#include "core/adopt.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "core/abort.h"
#include "core/deps.h"
#include "core/job.h"
#include "core/lease.h"
#include "core/queue.h"
#include "core/retry.h"
#include "core/tasks.h"
#include "core/when.h"

static const struct note no_note;

static const struct note *note_of(const struct job *job, const struct span *span)
{
        return span->note > 0 ? &job->notes[span->note - 1] : &no_note;
}

/* A claim of an older epoch on a position in limbo. */
static bool may_adopt(const struct job *job, const struct span *span, const struct rec_held_lease *held)
{
        const struct note *note = note_of(job, span);

        if (note->nonce != 0 && note->nonce == held->nonce)
                return true;
        return !job->spec->spec.at_most_once && held->attempt > span->attempt &&
               held->epoch >= job->floor_epoch;
}

static void tell_stop(struct core *core, const struct worker *worker, const struct rec_held_lease *held,
                      const struct ranges *ranges)
{
        struct rec_lease_tasks tasks = { .job = held->job,
                                         .nonce = held->nonce,
                                         .ranges = ranges->list,
                                         .n_ranges = ranges->n,
                                         .has_job = true,
                                         .has_nonce = true };
        struct msg msg = { .kind = MSG_stop };

        if (ranges->n == 0)
                return;
        msg.u.stop.tasks = &tasks;
        msg.u.stop.n_tasks = 1;
        msg.u.stop.reason = TASK_REASON_WORKER_LOST;
        msg.u.stop.has_reason = true;
        effects_send(core->out, worker->session, &msg, false);
}

/* Somebody came earlier with an older lease of this task: it is his no more. */
static bool supersede(struct core *core, struct job *job, uint32_t at, const struct rec_held_lease *held)
{
        struct lease *lease;
        struct spans one = { 0 };
        struct span home = { .lo = at, .hi = at };

        DL_FOREACH2(job->leases, lease, job_next)
        {
                if (lease_has(lease, LEASE_OUT, at))
                        break;
        }
        if (!lease || lease->epoch > held->epoch || lease->attempt >= held->attempt ||
            held->epoch < job->floor_epoch || job->spec->spec.at_most_once)
                return false;
        spans_add(&one, home);
        lease_stop(core, lease, &one, TASK_REASON_WORKER_LOST);
        spans_done(&one);
        home.attempt = lease->attempt;
        home.tries = lease->tries;
        home.crashes = lease->crashes;
        if (lease_drop(core, lease, at)) {
                GROW(job->notes, job->cap_notes, job->n_notes + 1);
                job->notes[job->n_notes++] = (struct note){ .worker.n = lease->worker->id, .running = true };
                home.note = (uint32_t)job->n_notes;
        } else if (job_home(job) != TASK_STATUS_QUEUED) {
                job_move(core, job, TASK_STATUS_QUEUED,
                         job_home(job) == TASK_STATUS_HELD ? TRIGGER_HOLD : TRIGGER_WAIT, job_home(job), 1);
        }
        spans_add(&job->limbo, home);
        if (!lease->kept)
                lease_settle(core, lease);
        return true;
}

/* Whose nonce it is, if anybody's. */
static bool nonce_fits(const struct core *core, const struct worker *worker, const struct job *job,
                       uint32_t at, const struct rec_held_lease *held)
{
        const struct lease *lease = lease_find(core, held->nonce);

        return !lease || (lease->worker == worker && lease->job == job && lease->epoch == held->epoch &&
                          lease->attempt == held->attempt && at >= lease->lo && at < lease->lo + lease->n);
}

static struct lease *adopted_lease(struct core *core, struct worker *worker, struct job *job, uint32_t at,
                                   const struct span *span, const struct rec_held_lease *held)
{
        struct lease *lease = lease_find(core, held->nonce);
        uint32_t lo, hi;

        if (lease)
                return lease;
        /* Wherever the grant began, it lies within this window. */
        lo = at < LEASE_TASKS_MAX ? 0 : at - LEASE_TASKS_MAX + 1;
        hi = (uint32_t)MIN((uint64_t)job->tasks, (uint64_t)at + LEASE_TASKS_MAX);
        lease = lease_new(core, lot_of(job, at), worker, lo, hi - lo, held->nonce);
        lease->epoch = held->epoch;
        lease->attempt = (uint16_t)held->attempt;
        lease->tries = span->tries;
        lease->crashes = span->crashes;
        lease->kept = xcalloc(1, sizeof(*lease->kept));
        return lease;
}

/* ret_fresh: positions whose row does not name this lease yet. */
static bool adopt_one(struct core *core, struct worker *worker, struct job *job, uint32_t at,
                      const struct rec_held_lease *held, struct spans *ret_fresh)
{
        const struct span *found = spans_find(&job->limbo, at);
        struct span task = { .lo = at, .hi = at };
        struct spans taken = { 0 };
        struct lease *lease;
        struct note note;

        if ((job->ending == TASK_STATUS_ABORTED && !abort_is_on(job)) ||
            held->epoch >= core->settings.epoch || !nonce_fits(core, worker, job, at, held))
                return false;
        /* What is taken from its holder here is adopted below: nothing must stay between the two. */
        if (!found && spans_find(&job->adopted, at) && supersede(core, job, at, held))
                found = spans_find(&job->limbo, at);
        if (!found || !may_adopt(job, found, held))
                return false;
        lease = adopted_lease(core, worker, job, at, found, held);
        note = *note_of(job, found);
        if (job->n_waits > 0)
                deps_were_met(core, job);
        when_was_met(core, job);
        spans_take(&job->limbo, at, at, &taken);
        spans_done(&taken);
        if (!spans_find(&job->adopted, at))
                spans_add(&job->adopted, task);
        if (!note.running && job_home(job) != TASK_STATUS_QUEUED)
                job_move(core, job, job_home(job), TRIGGER_ADOPT, TASK_STATUS_QUEUED, 1);
        lease_add(core, lease, at);
        if (note.running) {
                lease_set(lease, LEASE_STARTED, at);
                job->granted_queued--;
                lease->started_us = note.started_us;
        }
        if (note.cancelled || job->ending == TASK_STATUS_CANCELLED)
                lease_set(lease, LEASE_CANCELLED, at);
        spans_add(lease->kept, task);
        if (note.nonce != held->nonce)
                spans_add(ret_fresh, task);
        return true;
}

static void write_alike(struct core *core, struct lease *lease, const struct spans *fresh, bool started,
                        bool cancelled)
{
        struct span counts = { .attempt = lease->attempt, .tries = lease->tries, .crashes = lease->crashes };
        struct spans alike = { 0 };

        for (size_t i = fresh->head; i < fresh->n; i++) {
                for (uint32_t at = fresh->list[i].lo; at <= fresh->list[i].hi; at++) {
                        if (lease_has(lease, LEASE_STARTED, at) == started &&
                            lease_has(lease, LEASE_CANCELLED, at) == cancelled)
                                spans_add(&alike, (struct span){ .lo = at, .hi = at });
                }
        }
        if (alike.count > 0)
                tasks_write_state(core, lease->job, &alike,
                                  started ? TASK_STATUS_RUNNING : TASK_STATUS_QUEUED,
                                  cancelled ? TASK_REASON_CANCELLED : TASK_REASON_NONE, &counts, lease);
        spans_done(&alike);
}

/* The rows name the lease from now on, so that it is known after the next restart too. */
static void write_adopted(struct core *core, struct lease *lease, const struct spans *fresh)
{
        for (int kind = 0; kind < 4; kind++)
                write_alike(core, lease, fresh, kind & 1, kind & 2);
}

static void keep_or_adopt(struct core *core, struct worker *worker, const struct rec_held_lease *held)
{
        struct job *job = job_find(core, held->job);
        struct spans named = { 0 };
        struct spans cancelled = { 0 };
        struct spans fresh = { 0 };
        struct ranges stale = { 0 };
        struct lease *lease = lease_find(core, held->nonce);

        if (job)
                index_spans(&job->indexes, held->ranges, held->n_ranges, &named);
        /* No lease has so many tasks, and each would be looked at. */
        if (!job || job->phase != JOB_LIVE || named.count > 2 * LEASE_TASKS_MAX) {
                struct ranges all = { .list = held->ranges, .n = held->n_ranges };

                tell_stop(core, worker, held, &all);
                spans_done(&named);
                return;
        }
        if (lease && lease->worker == worker && !lease->kept)
                lease->kept = xcalloc(1, sizeof(*lease->kept));
        for (size_t i = named.head; i < named.n; i++) {
                for (uint32_t at = named.list[i].lo; at <= named.list[i].hi; at++) {
                        lease = lease_find(core, held->nonce);
                        if (lease && lease->worker == worker && lease->job == job &&
                            lease->epoch == held->epoch && lease_has(lease, LEASE_OUT, at) &&
                            !spans_find(lease->kept, at))
                                spans_add(lease->kept, (struct span){ .lo = at, .hi = at });
                        else if (!adopt_one(core, worker, job, at, held, &fresh))
                                index_ranges(&job->indexes, at, at, &stale);
                        lease = lease_find(core, held->nonce);
                        if (lease && lease_has(lease, LEASE_CANCELLED, at))
                                spans_add(&cancelled, (struct span){ .lo = at, .hi = at });
                }
        }
        if (lease && fresh.count > 0)
                write_adopted(core, lease, &fresh);
        if (lease && lease->worker == worker && held->has_started_ago_us)
                lease_started(core, lease, &named, core->wall_us - (int64_t)held->started_ago_us);
        if (lease && lease->worker == worker && cancelled.count > 0)
                lease_stop(core, lease, &cancelled, TASK_REASON_CANCELLED);
        if (lease && lease->worker == worker &&
            (abort_is_on(job) || job->late || job->too_early || job->keeps.coming.count > 0 ||
             job->spec->spec.hold))
                abort_take_back(core, job, worker);
        tell_stop(core, worker, held, &stale);
        ranges_done(&stale);
        spans_done(&fresh);
        spans_done(&cancelled);
        spans_done(&named);
}

static void give_up_unnamed(struct core *core, struct worker *worker, bool fresh)
{
        struct lease *lease, *next;

        if (fresh) {
                struct lease *first;

                /* What it does not name of this epoch died with the older process. */
                DL_FOREACH_SAFE2(worker->leases, first, next, worker_next)
                {
                        if (first->kept)
                                fresh = false;
                }
        }
        if (fresh) {
                lease_lose_all(core, worker, TASK_REASON_WORKER_LOST);
                return;
        }
        DL_FOREACH_SAFE2(worker->leases, lease, next, worker_next)
        {
                struct spans out = { 0 };
                struct spans kept = { 0 };
                struct spans ignored = { 0 };

                /* Told on this very connection: it may not have read that yet when it said ready. */
                if (lease->told_in.n != worker->session.n)
                        lease_collect(lease, &out);
                lease->told_in = worker->session;
                if (lease->kept)
                        spans_move(lease->kept, &kept);
                free(lease->kept);
                lease->kept = NULL;
                for (size_t i = kept.head; i < kept.n; i++)
                        spans_take(&out, kept.list[i].lo, kept.list[i].hi, &ignored);
                spans_done(&ignored);
                spans_done(&kept);
                lease_give_up(core, lease, &out, TASK_REASON_WORKER_LOST);
                spans_done(&out);
        }
}

void adopt_reconcile(struct core *core, struct worker *worker, const struct msg_ready *ready, bool fresh)
{
        for (size_t i = 0; i < ready->n_held; i++)
                keep_or_adopt(core, worker, &ready->held[i]);
        give_up_unnamed(core, worker, fresh);
}

/* ------------------------------------------------------------------ nobody can come any more */

static void end_or_again(struct core *core, struct job *job, const struct span *span)
{
        const struct note *note = note_of(job, span);
        enum task_status from = note->running ? TASK_STATUS_RUNNING : job_home(job);
        struct spans which = { 0 };
        struct span counts = *span;
        struct outcome outcome = {
                .status = TASK_STATUS_LOST,
                .reason = TASK_REASON_WORKER_LOST,
                .attempt = span->attempt,
                .tries = span->tries,
                .crashes = span->crashes,
                .worker = note->worker.n,
                .nonce = note->nonce,
                .started_us = note->started_us,
                .ended_us = core->wall_us,
        };
        struct decision decision = { .again = true };

        counts.note = 0;
        spans_add(&which, (struct span){ .lo = span->lo, .hi = span->hi });
        if (note->running) {
                counts.crashes++;
                decision = retry_after_crash(&job->spec->spec, counts.crashes);
        }
        if (job->ending == TASK_STATUS_CANCELLED || note->cancelled) {
                outcome.status = TASK_STATUS_CANCELLED;
                outcome.reason = TASK_REASON_CANCELLED;
                job_move(core, job, from, TRIGGER_SWEEP, TASK_STATUS_CANCELLED, which.count);
                tasks_write_end(core, job, &which, &outcome);
        } else if (job->ending != 0 && !note->running) {
                outcome.worker = 0; /* nobody ran it */
                outcome.nonce = 0;
                outcome.status = job->ending;
                outcome.reason = job->ending_reason;
                job_move(core, job, from, TRIGGER_SWEEP, job->ending, which.count);
                tasks_write_end(core, job, &which, &outcome);
        } else if (!decision.again) {
                outcome.status = decision.status;
                outcome.reason = decision.reason;
                outcome.crashes = counts.crashes;
                job_move(core, job, from, TRIGGER_CRASH, decision.status, which.count);
                tasks_write_end(core, job, &which, &outcome);
        } else {
                if (note->running) {
                        job_move(core, job, from, TRIGGER_AGAIN, job_home(job), which.count);
                        tasks_write_attempts(core, job, &which, &outcome);
                }
                /* The row must not name that lease any more when the next one is granted. */
                if (note->nonce != 0 || note->running)
                        tasks_write_state(core, job, &which, TASK_STATUS_QUEUED, TASK_REASON_NONE, &counts,
                                          NULL);
                tasks_again_home(core, job, &which, &counts, true);
                if (!note->running)
                        when_abort_late(core, job, &which, &counts);
        }
        spans_done(&which);
}

static void release(struct core *core, struct job *job)
{
        struct spans limbo = job->limbo;

        job->limbo = (struct spans){ 0 };
        job->floor_epoch = core->settings.epoch;
        job_set_dirty(core, job);
        for (size_t i = limbo.head; i < limbo.n; i++)
                end_or_again(core, job, &limbo.list[i]);
        spans_done(&limbo);
        spans_done(&job->adopted);
        free(job->notes);
        job->notes = NULL;
        job->n_notes = job->cap_notes = 0;
        queue_consider(core, job);
        job_check_end(core, job);
}

void adopt_release_all(struct core *core)
{
        struct job *job, *next;

        core->limbo_until_us = 0;
        HASH_ITER (hh, core->jobs, job, next) {
                if (job->limbo.count > 0)
                        release(core, job);
        }
}

void adopt_check(struct core *core)
{
        if (core->limbo_until_us != 0 && (core->n_awaited == 0 || core->mono_us >= core->limbo_until_us))
                adopt_release_all(core);
}
