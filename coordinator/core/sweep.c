/* job.sweep holds positions that are not granted, not waiting to be, and not final yet.
 *
 * A position at or above the mark is taken for never granted by a restart, whatever its row says; so the mark goes
 * above everything that is ended here. Rows that do not exist yet are made first, in the same transaction. */
#include "core/sweep.h"

#include <stdlib.h>

#include "core/job.h"
#include "core/place.h"
#include "core/queue.h"
#include "core/rows.h"
#include "core/tasks.h"

static void take_never_granted(struct job *job, uint32_t lo, uint32_t hi, bool remember)
{
        uint32_t from = spans_skip(&job->gone, MAX(lo, job->cursor));

        while (from <= hi && from < job->tasks) {
                uint32_t next = spans_next(&job->gone, from);
                struct span span = { .lo = from, .hi = MIN(hi, MIN(job->tasks, next) - 1) };

                spans_add(&job->sweep, span);
                if (remember)
                        spans_add(&job->gone, span);
                from = spans_skip(&job->gone, span.hi + 1);
        }
}

void sweep_job(struct core *core, struct job *job, enum task_status status, enum task_reason reason)
{
        job->ending = status;
        job->ending_reason = reason;
        job->sweep_status = status;
        job->sweep_reason = reason;
        lots_again_take(job, 0, job->tasks - 1, &job->sweep);
        spans_take(&job->cool, 0, job->tasks - 1, &job->sweep);
        take_never_granted(job, job->cursor, job->tasks - 1, false);
        job->cursor = job->tasks;
        spans_done(&job->gone);
        job_set_dirty(core, job);
        queue_consider(core, job);
        sweep_next(core, job);
}

uint64_t sweep_some(struct core *core, struct job *job, const struct spans *which)
{
        uint64_t before = job->sweep.count;

        if (job->ending != 0) /* it has everything already, with a status of its own */
                return 0;
        job->sweep_status = TASK_STATUS_CANCELLED;
        job->sweep_reason = TASK_REASON_CANCELLED;
        for (size_t i = which->head; i < which->n; i++) {
                lots_again_take(job, which->list[i].lo, which->list[i].hi, &job->sweep);
                spans_take(&job->cool, which->list[i].lo, which->list[i].hi, &job->sweep);
                take_never_granted(job, which->list[i].lo, which->list[i].hi, true);
        }
        before = job->sweep.count - before;
        queue_consider(core, job);
        sweep_next(core, job);
        return before;
}

/* The run at the front, at most a batch of it; with the rows it needs. Empty if it must wait for rows. */
static struct span next_run(struct core *core, struct job *job)
{
        const struct span *first = spans_first(&job->sweep);
        uint32_t hi = MIN(first->hi, first->lo + ROWS_A_BATCH - 1);

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
                .status = job->sweep_status,
                .reason = job->sweep_reason,
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
        job_move(core, job, job_home(job), TRIGGER_SWEEP, job->sweep_status, which.count);
        tasks_write_end(core, job, &which, &outcome);
        spans_done(&which);
}

void sweep_next(struct core *core, struct job *job)
{
        uint64_t rows = 0;

        if (job->sweeping || job->phase != JOB_LIVE || core->draining)
                return;
        while (job->sweep.count > 0 && rows < ROWS_A_BATCH) {
                struct span run = next_run(core, job);

                if (run.lo > run.hi)
                        break;
                rows += span_count(run);
                end_run(core, job, &run);
        }
        if (rows == 0)
                return;
        job->sweeping = true;
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
