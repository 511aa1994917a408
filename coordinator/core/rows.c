/* Materialising and marks. Invariants: 1. at most one batch of rows is on its way (core.rows_out). 2. exist <= exist_asked
 * <= tasks; mark <= mark_asked <= tasks. */
#include "core/rows.h"

#include "core/job.h"
#include "core/queue.h"
#include "core/sweep.h"

void rows_write(struct core *core, struct job *job, uint32_t lo, uint32_t hi)
{
        for (size_t i = 0; i < job->indexes.n_parts; i++) {
                const struct index_part *part = &job->indexes.parts[i];
                uint64_t from = MAX(part->at, lo);
                uint64_t to = MIN(part->at + part->n, hi);

                if (from >= to)
                        continue;
                effects_store(core->out, STORE_TASKS_NEW)->u.tasks_new = (struct store_tasks_new){
                        .job = job->id,
                        .owner = job->owner_id,
                        .first = part->lo + (from - part->at) * part->step,
                        .step = part->step,
                        .n = to - from,
                        .status = TASK_STATUS_QUEUED,
                };
        }
        job->exist_asked = hi;
        job_set_dirty(core, job);
}

void rows_want(struct core *core, struct job *job)
{
        if (job->exist_asked == job->tasks || job->wants_rows)
                return;
        job->wants_rows = true;
        DL_APPEND2(core->rows_line, job, rows_prev, rows_next);
        rows_next(core);
}

void rows_forget(struct core *core, struct job *job)
{
        if (!job->wants_rows)
                return;
        job->wants_rows = false;
        DL_DELETE2(core->rows_line, job, rows_prev, rows_next);
}

void rows_next(struct core *core)
{
        struct job *job = core->rows_line;
        uint32_t hi;

        if (!job || core->rows_out || core->draining)
                return;
        core->rows_out = true;
        rows_forget(core, job);
        hi = job->exist_asked + MIN((uint32_t)ROWS_A_BATCH, job->tasks - job->exist_asked);
        rows_write(core, job, job->exist_asked, hi);
        effects_fact(core->out, (struct fact){ .kind = FACT_TASKS_EXIST, .job = job->id, .n = hi });
}

void rows_exist(struct core *core, struct job *job, uint32_t n)
{
        core->rows_out = false;
        if (job) {
                job->exist = MAX(job->exist, n);
                rows_want(core, job);
                queue_consider(core, job);
                sweep_next(core, job);
        }
        rows_next(core);
}

void rows_mark(struct core *core, struct job *job)
{
        if (job->mark_asked == job->tasks ||
            job->mark_asked - MIN(job->cursor, job->mark_asked) > MARK_STRIDE / 2)
                return;
        job->mark_asked = (uint32_t)MIN((uint64_t)job->tasks, (uint64_t)job->mark_asked + MARK_STRIDE);
        job_set_dirty(core, job);
        effects_fact(core->out, (struct fact){ .kind = FACT_MARK, .job = job->id, .n = job->mark_asked });
}
