/* Leases and what becomes of tasks whose worker is gone.
 *
 * Invariants: 1. a task is in at most one lease. 2. job.granted, queue.granted and worker.outstanding count the OUT
 * bits of their leases. 3. an attempt number that a worker may still hold is never granted again. */
#include "core/lease.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "core/entries.h"
#include "core/keep.h"
#include "core/place.h"
#include "core/queue.h"
#include "core/retry.h"
#include "core/tasks.h"
#include "core/when.h"

static uint64_t *word(const struct lease *lease, enum lease_bit bit, uint32_t k)
{
        return (uint64_t *)(uintptr_t)&lease->bits[bit * ((lease->n + 63) / 64) + k / 64];
}

bool lease_has(const struct lease *lease, enum lease_bit bit, uint32_t position)
{
        uint32_t k = position - lease->lo;

        return position >= lease->lo && k < lease->n && (*word(lease, bit, k) >> (k % 64) & 1);
}

void lease_set(struct lease *lease, enum lease_bit bit, uint32_t position)
{
        *word(lease, bit, position - lease->lo) |= UINT64_C(1) << ((position - lease->lo) % 64);
}

static void unset(struct lease *lease, enum lease_bit bit, uint32_t position)
{
        *word(lease, bit, position - lease->lo) &= ~(UINT64_C(1) << ((position - lease->lo) % 64));
}

struct lease *lease_find(const struct core *core, uint64_t nonce)
{
        struct lease *lease;

        HASH_FIND(hh, core->leases, &nonce, sizeof(nonce), lease);
        return lease;
}

/* splitmix64 over the random bits of the event. */
uint64_t lease_draw(struct core *core)
{
        uint64_t z = core->random += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
}

uint64_t lease_nonce(struct core *core)
{
        uint64_t nonce;

        do
                nonce = lease_draw(core) & ID_MAX;
        while (nonce == 0 || lease_find(core, nonce));
        return nonce;
}

struct lease *lease_new(struct core *core, struct lot *lot, struct worker *worker, uint32_t lo, uint32_t n,
                        uint64_t nonce)
{
        struct lease *lease = xcalloc(1, sizeof(*lease) + 3 * ((n + 63) / 64) * sizeof(lease->bits[0]));

        BUG_ON(n == 0 || n > 2 * LEASE_TASKS_MAX);
        lease->nonce = nonce;
        lease->epoch = core->settings.epoch;
        lease->job = lot->job;
        lease->lot = lot;
        lease->needs = needs_ref(lot->needs);
        lease->worker = worker;
        lease->lo = lo;
        lease->n = n;
        lease->granted_us = core->wall_us;
        lease->born_us = core->mono_us;
        HASH_ADD(hh, core->leases, nonce, sizeof(lease->nonce), lease);
        DL_APPEND2(lot->job->leases, lease, job_prev, job_next);
        DL_APPEND2(worker->leases, lease, worker_prev, worker_next);
        return lease;
}

void lease_free(struct core *core, struct lease *lease)
{
        place_forget_lease(core, lease);
        HASH_DELETE(hh, core->leases, lease);
        DL_DELETE2(lease->job->leases, lease, job_prev, job_next);
        DL_DELETE2(lease->worker->leases, lease, worker_prev, worker_next);
        entry_texts_free(lease->texts);
        needs_unref(core, lease->needs);
        free(lease);
}

void lease_add(struct core *core, struct lease *lease, uint32_t position)
{
        struct job *job = lease->job;

        lease_set(lease, LEASE_OUT, position);
        lease->n_out++;
        job->granted++;
        job->granted_queued++;
        job->queue->granted++;
        owner_granted(core, job->owner, 1);
        place_outstanding(core, lease->worker, lease->needs, true);
}

bool lease_drop(struct core *core, struct lease *lease, uint32_t position)
{
        struct job *job = lease->job;
        bool started = lease_has(lease, LEASE_STARTED, position);

        unset(lease, LEASE_OUT, position);
        lease->n_out--;
        job->granted--;
        if (!started)
                job->granted_queued--;
        if (job->queue->granted-- == job->queue->max_running)
                core->lane_changes++;
        owner_granted(core, job->owner, -1);
        place_outstanding(core, lease->worker, lease->needs, false);
        return started;
}

void lease_settle(struct core *core, struct lease *lease)
{
        struct lot *lot = lease->lot;

        if (lease->n_out == 0)
                lease_free(core, lease);
        queue_consider_lot(core, lot);
}

void lease_collect(const struct lease *lease, struct spans *out)
{
        for (uint32_t at = lease->lo; at < lease->lo + lease->n; at++) {
                if (lease_has(lease, LEASE_OUT, at))
                        spans_add(out, (struct span){ .lo = at, .hi = at });
        }
}

void lease_started(struct core *core, struct lease *lease, const struct spans *which, int64_t started_us)
{
        struct job *job = lease->job;
        struct spans fresh = { 0 };
        struct span counts = { .attempt = lease->attempt, .tries = lease->tries, .crashes = lease->crashes };

        for (size_t i = which->head; i < which->n; i++) {
                for (uint32_t at = which->list[i].lo; at <= which->list[i].hi; at++) {
                        if (!lease_has(lease, LEASE_OUT, at) || lease_has(lease, LEASE_STARTED, at))
                                continue;
                        lease_set(lease, LEASE_STARTED, at);
                        spans_add(&fresh, (struct span){ .lo = at, .hi = at });
                }
        }
        if (fresh.count > 0) {
                job->granted_queued -= fresh.count;
                job_move(core, job, TASK_STATUS_QUEUED, TRIGGER_START, TASK_STATUS_RUNNING, fresh.count);
                lease->started_us = started_us;
                keep_let_run(core, job, &fresh);
                if (job->started_us == 0)
                        job->started_us = started_us;
                tasks_write_state(core, job, &fresh, TASK_STATUS_RUNNING, TASK_REASON_NONE, &counts, lease);
        }
        spans_done(&fresh);
}

/* Move dropped tasks along an edge: some of them were running, the rest queued. */
static void move(struct core *core, struct job *job, enum trigger trigger, enum task_status to,
                 uint64_t started, uint64_t n)
{
        job_move(core, job, TASK_STATUS_RUNNING, trigger, to, started);
        job_move(core, job, TASK_STATUS_QUEUED, trigger, to, n - started);
}

static uint64_t drop_all(struct core *core, struct lease *lease, const struct spans *which)
{
        uint64_t started = 0;

        for (size_t i = which->head; i < which->n; i++) {
                for (uint32_t at = which->list[i].lo; at <= which->list[i].hi; at++)
                        started += lease_drop(core, lease, at);
        }
        return started;
}

static struct outcome outcome_of(const struct core *core, const struct lease *lease, enum task_status status,
                                 enum task_reason reason)
{
        return (struct outcome){
                .status = status,
                .reason = reason,
                .attempt = lease->attempt,
                .tries = lease->tries,
                .crashes = lease->crashes,
                .worker = lease->worker->id,
                .nonce = lease->nonce,
                .started_us = lease->started_us,
                .ended_us = core->wall_us,
        };
}

static void end_cancelled(struct core *core, struct lease *lease, const struct spans *which)
{
        struct outcome outcome = outcome_of(core, lease, TASK_STATUS_CANCELLED, TASK_REASON_CANCELLED);

        move(core, lease->job, TRIGGER_SWEEP, TASK_STATUS_CANCELLED, drop_all(core, lease, which),
             which->count);
        tasks_write_end(core, lease->job, which, &outcome);
}

/* Tasks that may have been running when their worker went. */
static void end_crashed(struct core *core, struct lease *lease, const struct spans *which,
                        enum task_reason reason)
{
        struct job *job = lease->job;
        struct outcome outcome = outcome_of(core, lease, TASK_STATUS_LOST, reason);
        struct span counts = { .attempt = lease->attempt,
                               .tries = lease->tries,
                               .crashes = (uint16_t)(lease->crashes + 1) };
        struct decision decision = retry_after_crash(&job->spec->spec, counts.crashes);
        uint64_t started = drop_all(core, lease, which);

        if (outcome.started_us == 0) /* it was over before it could say so */
                outcome.started_us = lease->granted_us;
        if (!decision.again) {
                outcome.crashes = counts.crashes;
                outcome.status = decision.status;
                outcome.reason = decision.reason;
                move(core, job, TRIGGER_CRASH, decision.status, started, which->count);
                tasks_write_end(core, job, which, &outcome);
                return;
        }
        move(core, job, TRIGGER_AGAIN, job_home(job), started, which->count);
        tasks_write_attempts(core, job, which, &outcome);
        tasks_write_state(core, job, which, TASK_STATUS_QUEUED, TASK_REASON_NONE, &counts, NULL);
        tasks_again(core, lease->lot, which, &counts, true);
}

/* Tasks that never ran. Their attempt number is used up unless the worker never had it. */
static void end_unstarted(struct core *core, struct lease *lease, const struct spans *which)
{
        struct job *job = lease->job;
        struct span counts = { .attempt = lease->attempt, .tries = lease->tries, .crashes = lease->crashes };

        if (lease->unsent)
                counts.attempt--;
        move(core, job, TRIGGER_AGAIN, job_home(job), drop_all(core, lease, which), which->count);
        tasks_write_state(core, job, which, TASK_STATUS_QUEUED, TASK_REASON_NONE, &counts, NULL);
        tasks_again(core, lease->lot, which, &counts, true);
        when_abort_late(core, job, which, &counts);
}

/* presumed: how many tasks may have been running although nobody said so. */
static void give_up(struct core *core, struct lease *lease, const struct spans *which,
                    enum task_reason reason, uint32_t *presumed)
{
        struct spans cancelled = { 0 };
        struct spans crashed = { 0 };
        struct spans unstarted = { 0 };
        struct job *job = lease->job;
        uint32_t cpus = lease->needs->cpus;

        for (size_t i = which->head; i < which->n; i++) {
                for (uint32_t at = which->list[i].lo; at <= which->list[i].hi; at++) {
                        struct span task = { .lo = at, .hi = at };
                        bool ran = lease_has(lease, LEASE_STARTED, at) && !lease->unsent;

                        if (!lease_has(lease, LEASE_OUT, at))
                                continue;
                        if (!ran && *presumed >= cpus && !lease->unsent) {
                                *presumed -= cpus;
                                ran = true;
                        }
                        if (job->ending == TASK_STATUS_CANCELLED || lease_has(lease, LEASE_CANCELLED, at))
                                spans_add(&cancelled, task);
                        else
                                spans_add(ran ? &crashed : &unstarted, task);
                }
        }
        if (cancelled.count > 0)
                end_cancelled(core, lease, &cancelled);
        if (crashed.count > 0)
                end_crashed(core, lease, &crashed, reason);
        if (unstarted.count > 0)
                end_unstarted(core, lease, &unstarted);
        spans_done(&cancelled);
        spans_done(&crashed);
        spans_done(&unstarted);
        lease_settle(core, lease);
        job_check_end(core, job);
}

void lease_give_up(struct core *core, struct lease *lease, const struct spans *which, enum task_reason reason)
{
        uint32_t presumed = 0;

        give_up(core, lease, which, reason, &presumed);
}

/* A short task is not reported as started: the oldest tasks that fill the slots count as running, so that one which
 * takes its worker down at once meets its crash limit, and the many behind it do not. */
void lease_lose_all(struct core *core, struct worker *worker, enum task_reason reason)
{
        struct lease *lease, *next;
        uint32_t presumed = worker->slots;

        DL_FOREACH_SAFE2(worker->leases, lease, next, worker_next)
        {
                struct spans all = { 0 };

                lease_collect(lease, &all);
                give_up(core, lease, &all, reason, &presumed);
                spans_done(&all);
        }
}

void lease_stop(struct core *core, struct lease *lease, const struct spans *which, enum task_reason reason)
{
        struct ranges ranges = { 0 };
        struct rec_lease_tasks tasks = { .has_job = true, .has_nonce = true };
        struct msg msg = { .kind = MSG_stop };

        for (size_t i = which->head; i < which->n; i++)
                index_ranges(&lease->job->indexes, which->list[i].lo, which->list[i].hi, &ranges);
        tasks.job = lease->job->id.n;
        tasks.nonce = lease->nonce;
        tasks.ranges = ranges.list;
        tasks.n_ranges = ranges.n;
        msg.u.stop.tasks = &tasks;
        msg.u.stop.n_tasks = 1;
        msg.u.stop.reason = reason;
        msg.u.stop.has_reason = true;
        if (lease->worker->session.n != 0 && ranges.n > 0)
                effects_send(core->out, lease->worker->session, &msg, false);
        ranges_done(&ranges);
}
