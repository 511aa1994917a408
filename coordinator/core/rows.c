/* Materialising and marks. Invariants: 1. at most one batch of rows is on its way (core.rows_out). 2. exist <= exist_asked
 * <= tasks; mark <= mark_asked <= tasks. */
#include "core/rows.h"

#include "core/job.h"
#include "core/park.h"
#include "core/queue.h"
#include "core/sweep.h"
#include "core/tasks.h"

/* Whoever submits while rows are made waits for the batch on its way and for the one that takes his job along, and again for
 * the end: while somebody does, batches are small, which costs a tenth of the rate of rows (tests/bench/NOTES.md, 19). */
#define COMPANY_US 250000
#define ROWS_IN_COMPANY 1000

#define WAITS                                                                                                \
        ((uint32_t)PARK_DEPENDENCY | (uint32_t)PARK_TIME) /* what a row says; not that a person holds it */

/* Those of lo … hi - 1 that wait for something of their own, with what they wait for as their note. */
static void collect_waiting(const struct job *job, uint32_t lo, uint32_t hi, struct spans *out)
{
        for (uint32_t at = spans_next(&job->parked, lo); at < hi;) {
                const struct span *run = spans_find(&job->parked, at);
                uint32_t end = MIN(hi, run->hi + 1);

                if ((run->note & WAITS) != 0)
                        spans_add(out, (struct span){ .lo = at, .hi = end - 1, .note = run->note & WAITS });
                at = spans_next(&job->parked, end);
        }
}

/* Rows lo … hi - 1 were made as if all of them waited for a dependency: the others are set right. */
static void write_others(struct core *core, struct job *job, const struct spans *waiting, uint32_t lo,
                         uint32_t hi)
{
        const struct span none = { 0 };
        struct spans queued = { 0 };
        struct spans timed = { 0 };

        for (uint32_t at = spans_skip(waiting, lo); at < hi;) {
                uint32_t end = MIN(hi, spans_next(waiting, at));

                spans_add(&queued, (struct span){ .lo = at, .hi = end - 1 });
                at = spans_skip(waiting, end);
        }
        for (size_t i = waiting->head; i < waiting->n; i++) {
                if (waiting->list[i].note == PARK_TIME)
                        spans_add(&timed, waiting->list[i]);
        }
        if (queued.count > 0)
                tasks_write_state(core, job, &queued, TASK_STATUS_QUEUED, TASK_REASON_NONE, &none, NULL);
        if (timed.count > 0)
                tasks_write_state(core, job, &timed, TASK_STATUS_WAITING, TASK_REASON_NONE, &none, NULL);
        spans_done(&queued);
        spans_done(&timed);
}

void rows_write(struct core *core, struct job *job, uint32_t lo, uint32_t hi)
{
        struct spans waiting = { 0 };

        collect_waiting(job, lo, hi, &waiting);
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
                        .status = waiting.count > 0 ? TASK_STATUS_WAITING : TASK_STATUS_QUEUED,
                        .reason = waiting.count > 0 ? TASK_REASON_DEPENDENCY : TASK_REASON_NONE,
                };
        }
        if (waiting.count > 0)
                write_others(core, job, &waiting, lo, hi);
        spans_done(&waiting);
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
        bool company = core->submitted_us > 0 && core->mono_us - core->submitted_us < COMPANY_US;
        uint32_t most = company ? ROWS_IN_COMPANY : ROWS_A_BATCH;
        uint32_t hi;

        if (!job || core->rows_out || core->draining)
                return;
        core->rows_out = true;
        rows_forget(core, job);
        hi = job->exist_asked + MIN(most, job->tasks - job->exist_asked);
        rows_write(core, job, job->exist_asked, hi);
        effects_fact(core->out, (struct fact){ .kind = FACT_TASKS_EXIST, .job = job->id, .n = hi });
}

void rows_exist(struct core *core, struct job *job, uint32_t n)
{
        core->rows_out = false;
        if (job) {
                job->exist = MAX(job->exist, n);
                park_ripen(job);
                rows_want(core, job);
                queue_consider(core, job);
                sweep_next(core, job);
        }
        rows_next(core);
}

void rows_mark(struct core *core, struct job *job)
{
        uint32_t next = spans_skip(&job->gone, job->cursor);

        if (job->mark_asked == job->tasks || next >= job->tasks ||
            job->mark_asked - MIN(next, job->mark_asked) > MARK_STRIDE / 2)
                return;
        job->mark_asked =
                (uint32_t)MIN((uint64_t)job->tasks, (uint64_t)MAX(job->mark_asked, next) + MARK_STRIDE);
        job_set_dirty(core, job);
        effects_fact(core->out, (struct fact){ .kind = FACT_MARK, .job = job->id, .n = job->mark_asked });
}
