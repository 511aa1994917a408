/* How often a task ran out of memory is not a column: its attempts that ended oom are rows of Attempts, and a restart counts
 * them. In memory such tasks lie in job.bigger (note: number of their lot; attempt: how often), all others are nothing. */
#include "core/memory.h"

#include "core/lot.h"
#include "core/shape.h"

#define FACTOR_ONE 1000 /* mem_factor is in thousandths */
#define MOST_BYTES (UINT64_C(1) << 50) /* where mem_max says nothing; of messages.def */

uint64_t memory_bytes(const struct rec_job_spec *spec, uint32_t ooms)
{
        uint64_t most = spec->has_mem_max ? spec->mem_max : MOST_BYTES;
        uint64_t bytes = spec->mem;

        for (uint32_t k = 0; k < ooms && bytes < most && spec->has_mem_factor; k++)
                bytes = bytes / FACTOR_ONE * spec->mem_factor +
                        bytes % FACTOR_ONE * spec->mem_factor / FACTOR_ONE;
        return MIN(bytes, most);
}

static struct lot *lot_with(struct core *core, struct job *job, uint32_t shape, uint64_t bytes)
{
        const struct needs *said = shape_lot(job, shape)->needs;
        struct needs like = {
                .type = said->type,
                .cpus = said->cpus,
                .gpus = said->gpus,
                .mem_bytes = bytes,
                .res = said->res,
                .n_res = said->n_res,
                .require = said->require,
                .n_require = said->n_require,
                .avoid = said->avoid,
                .n_avoid = said->n_avoid,
        };
        struct needs *needs = needs_get(core, &like);
        struct lot *lot = lot_get(core, job, shape, needs);

        needs_unref(core, needs);
        return lot;
}

/* Tasks of one shape. */
static void set(struct core *core, struct job *job, uint32_t lo, uint32_t hi, uint32_t ooms)
{
        uint32_t shape = shape_of(job, lo);
        struct rec_job_spec room;
        const struct rec_job_spec *spec = shape_spec(job, shape, &room);
        struct spans before = { 0 };
        const struct lot *lot;

        if (!spec->has_mem_factor)
                return;
        lot = lot_with(core, job, shape, memory_bytes(spec, ooms));
        spans_take(&job->bigger, lo, hi, &before);
        spans_done(&before);
        spans_add(&job->bigger, (struct span){ .lo = lo,
                                               .hi = hi,
                                               .note = lot->no,
                                               .attempt = (uint16_t)MIN(ooms, (uint32_t)UINT16_MAX) });
}

void memory_ran_out(struct core *core, struct job *job, const struct spans *which)
{
        for (size_t i = which->head; i < which->n; i++) {
                uint32_t at = which->list[i].lo;

                while (at <= which->list[i].hi) {
                        const struct span *run = spans_find(&job->bigger, at);
                        uint32_t ooms = run ? run->attempt : 0;
                        uint32_t hi = shape_run(job, at, which->list[i].hi);

                        hi = MIN(hi, run ? run->hi : spans_next(&job->bigger, at) - 1);
                        set(core, job, at, hi, ooms + 1);
                        at = hi + 1;
                }
        }
}

void memory_needs_changed(struct core *core, struct job *job)
{
        struct spans before = job->bigger;

        job->bigger = (struct spans){ 0 };
        for (size_t i = before.head; i < before.n; i++)
                set(core, job, before.list[i].lo, before.list[i].hi, before.list[i].attempt);
        spans_done(&before);
}

void memory_replayed(struct core *core, struct job *job, const struct spans *which, uint32_t ooms)
{
        for (size_t i = which->head; i < which->n && ooms > 0; i++) {
                uint32_t at = which->list[i].lo;

                while (at <= which->list[i].hi) {
                        uint32_t hi = shape_run(job, at, which->list[i].hi);

                        set(core, job, at, hi, ooms);
                        at = hi + 1;
                }
        }
}
