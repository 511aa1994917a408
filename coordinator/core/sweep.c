/* job.sweep holds positions that are not granted, not waiting to be, and not final yet; each run knows how it ends.
 *
 * A position at or above the mark is taken for never granted by a restart, whatever its row says; so the mark goes
 * above everything that is ended here. Rows that do not exist yet are made first, in the same transaction. */
#include "core/sweep.h"

#include <stdlib.h>

#include "core/job.h"
#include "core/park.h"
#include "core/place.h"
#include "core/queue.h"
#include "core/rows.h"
#include "core/tasks.h"

static uint32_t end_note(enum task_status status, enum task_reason reason)
{
        return (uint32_t)status | (uint32_t)reason << 8;
}

enum task_status sweep_status(const struct span *span)
{
        return (enum task_status)(span->note & 0xff);
}

static enum task_reason sweep_reason(const struct span *span)
{
        return (enum task_reason)(span->note >> 8);
}

void sweep_add(struct job *job, struct spans *from, enum task_status status, enum task_reason reason)
{
        for (size_t i = from->head; i < from->n; i++) {
                struct span span = from->list[i];

                span.note = end_note(status, reason);
                spans_add(&job->sweep, span);
        }
        spans_done(from);
}

void sweep_job(struct core *core, struct job *job, enum task_status status, enum task_reason reason)
{
        struct spans all = { 0 };

        job->ending = status;
        job->ending_reason = reason;
        park_take_free(job, 0, job->tasks - 1, false, &all);
        park_take_waiting(core, job, 0, job->tasks - 1, &all);
        park_take_held(core, job, 0, job->tasks - 1, &all);
        sweep_add(job, &all, status, reason);
        job->cursor = job->tasks;
        spans_done(&job->gone);
        job_set_dirty(core, job);
        queue_consider(core, job);
        sweep_next(core, job);
}

uint64_t sweep_some(struct core *core, struct job *job, const struct spans *which,
                    const struct sweep_how *how)
{
        struct spans taken = { 0 };
        uint64_t n;

        if (job->ending != 0) /* it has everything already, with a status of its own */
                return 0;
        for (size_t i = which->head; i < which->n; i++) {
                if (how->free)
                        park_take_free(job, which->list[i].lo, which->list[i].hi, true, &taken);
                if (how->parked)
                        park_take_waiting(core, job, which->list[i].lo, which->list[i].hi, &taken);
                if (how->held)
                        park_take_held(core, job, which->list[i].lo, which->list[i].hi, &taken);
        }
        n = taken.count;
        sweep_add(job, &taken, how->status, how->reason);
        queue_consider(core, job);
        sweep_next(core, job);
        return n;
}

static uint32_t rows_most(const struct core *core)
{
        return core->settings.rows_a_sweep > 0 ? core->settings.rows_a_sweep : ROWS_A_BATCH;
}

/* The run at the front, at most a batch of it; with the rows it needs. Empty if it must wait for rows. */
static struct span next_run(struct core *core, struct job *job)
{
        const struct span *first = spans_first(&job->sweep);
        uint32_t hi = MIN(first->hi, first->lo + rows_most(core) - 1);

        if (first->lo < job->exist_asked)
                hi = MIN(hi, job->exist_asked - 1);
        else if (core->rows_out || first->lo > job->exist_asked)
                return (struct span){ .lo = 1, .hi = 0 };
        return spans_pop(&job->sweep, hi - first->lo + 1);
}

static void end_run(struct core *core, struct job *job, const struct span *run)
{
        struct spans which = { 0 };
        struct outcome outcome = {
                .status = sweep_status(run),
                .reason = sweep_reason(run),
                .attempt = run->attempt,
                .tries = run->tries,
                .crashes = run->crashes,
                .ended_us = core->wall_us,
        };

        if (run->hi >= job->exist_asked) {
                core->rows_out = true;
                rows_write(core, job, job->exist_asked, run->hi + 1);
                effects_fact(core->out,
                             (struct fact){ .kind = FACT_TASKS_EXIST, .job = job->id, .n = run->hi + 1 });
        }
        if (run->hi >= job->mark_asked) {
                job->mark_asked = run->hi + 1;
                effects_fact(core->out, (struct fact){ .kind = FACT_MARK, .job = job->id, .n = run->hi + 1 });
        }
        spans_add(&which, *run);
        job_move(core, job, job_home(job), TRIGGER_SWEEP, outcome.status, which.count);
        tasks_write_end(core, job, &which, &outcome);
        spans_done(&which);
}

void sweep_next(struct core *core, struct job *job)
{
        uint64_t rows = 0;

        if (job->sweeping || job->phase != JOB_LIVE || core->draining)
                return;
        while (job->sweep.count > 0 && rows < rows_most(core)) {
                struct span run = next_run(core, job);

                if (run.lo > run.hi)
                        break;
                rows += span_count(run);
                end_run(core, job, &run);
        }
        if (rows == 0)
                return;
        job->sweeping = true;
        job->n_swept++;
        effects_fact(core->out, (struct fact){ .kind = FACT_SWEPT, .job = job->id });
        job_check_end(core, job);
}

static void answer_acks(struct core *core, struct job *job)
{
        struct ack *ack, *next;

        LL_FOREACH_SAFE (job->acks, ack, next) {
                struct msg msg = { .kind = MSG_changed, .re = ack->re };

                msg.u.changed.count = ack->count;
                msg.u.changed.has_count = true;
                effects_send(core->out, ack->session, &msg, false);
                free(ack);
        }
        job->acks = NULL;
}

void sweep_done_one(struct core *core, struct job *job)
{
        job->sweeping = false;
        if (job->sweep.count == 0)
                answer_acks(core, job);
        else
                sweep_next(core, job);
}
