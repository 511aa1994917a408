/* Shapes of a job's tasks.
 *
 * Invariants: 1. a position is in `tasks` once at most. 2. lots[k] is the lot of shape k + 1. */
#include "core/shape.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "core/fit.h"
#include "core/state.h"

struct shapes {
        struct spans tasks; /* note: number of their shape */
        struct lot **lots;
        struct rec_job_spec told;
};

struct run { /* of positions */
        uint64_t lo, hi;
        uint32_t shape;
};

void shape_merge(const struct rec_job_spec *spec, const struct rec_shape *shape, struct rec_job_spec *ret)
{
        *ret = *spec;
        if (shape->has_cpus) {
                ret->cpus = shape->cpus;
                ret->has_cpus = true;
        }
        if (shape->has_mem) {
                ret->mem = shape->mem;
                ret->mem_factor = shape->mem_factor;
                ret->mem_max = shape->mem_max;
                ret->has_mem = true;
                ret->has_mem_factor = shape->has_mem_factor;
                ret->has_mem_max = shape->has_mem_max;
        }
        if (shape->has_gpus) {
                ret->gpus = shape->gpus;
                ret->has_gpus = true;
        }
        if (shape->has_retries) {
                ret->retries = shape->retries;
                ret->has_retries = true;
        }
#define LIST(name)                                                                                           \
        if (shape->n_##name > 0) {                                                                           \
                ret->name = shape->name;                                                                     \
                ret->n_##name = shape->n_##name;                                                             \
        }
        LIST(res)
        LIST(require)
        LIST(avoid)
        LIST(retry_on)
        LIST(ok_codes)
#undef LIST
}

static int by_place(const void *a, const void *b)
{
        const struct run *x = a, *y = b;

        return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* All shapes' ranges in the order of the tasks; the caller frees the list. */
static struct run *list_runs(const struct rec_job_spec *spec, size_t *ret_n)
{
        struct run *runs;
        size_t n = 0;

        for (size_t i = 0; i < spec->n_shapes; i++)
                n += spec->shapes[i].n_tasks;
        runs = xcalloc(n + 1, sizeof(*runs));
        n = 0;
        for (size_t i = 0; i < spec->n_shapes; i++) {
                const struct rec_shape *shape = &spec->shapes[i];

                for (size_t k = 0; k < shape->n_tasks; k++) /* tasks of a graph are numbered from 1 */
                        runs[n++] = (struct run){ .lo = shape->tasks[k].lo,
                                                  .hi = shape->tasks[k].hi,
                                                  .shape = (uint32_t)i + 1 };
        }
        qsort(runs, n, sizeof(*runs), by_place);
        *ret_n = n;
        return runs;
}

int shape_check(const struct rec_job_spec *spec, struct err *err)
{
        size_t n;
        CLEANUP_WITH(xfree) struct run *runs = list_runs(spec, &n);

        for (size_t i = 0; i < n; i++) {
                if (runs[i].lo < 1 || runs[i].hi > spec->entries)
                        return err_set(err, ERR_BAD_FIELD, "shapes: the job has the tasks 1 to %llu",
                                       (unsigned long long)spec->entries);
                if (i > 0 && runs[i].lo <= runs[i - 1].hi)
                        return err_set(err, ERR_BAD_FIELD, "shapes: task %llu has two",
                                       (unsigned long long)runs[i].lo);
        }
        return 0;
}

static void find_lots(struct core *core, struct job *job)
{
        const struct rec_job_spec *spec = &job->spec->spec;

        for (size_t i = 0; i < spec->n_shapes; i++) {
                struct rec_job_spec one;
                struct needs *needs;

                shape_merge(spec, &spec->shapes[i], &one);
                needs = needs_of(core, &one);
                job->shapes->lots[i] = lot_get(core, job, (uint32_t)i + 1, needs);
                needs_unref(core, needs);
        }
}

void shape_needs_changed(struct core *core, struct job *job)
{
        if (job->shapes)
                find_lots(core, job);
}

void shape_attach(struct core *core, struct job *job)
{
        const struct rec_job_spec *spec = &job->spec->spec;
        struct shapes *shapes;
        size_t n;
        CLEANUP_WITH(xfree) struct run *runs = NULL;

        if (spec->n_shapes == 0)
                return;
        shapes = job->shapes = xcalloc(1, sizeof(*shapes));
        shapes->lots = xcalloc(spec->n_shapes, sizeof(struct lot *));
        find_lots(core, job);
        runs = list_runs(spec, &n);
        for (size_t i = 0; i < n; i++)
                spans_add(&shapes->tasks, (struct span){ .lo = (uint32_t)runs[i].lo - 1,
                                                         .hi = (uint32_t)runs[i].hi - 1,
                                                         .note = runs[i].shape });
}

void shape_free(struct job *job)
{
        if (!job->shapes)
                return;
        spans_done(&job->shapes->tasks);
        free(job->shapes->lots);
        free(job->shapes);
        job->shapes = NULL;
}

uint32_t shape_of(const struct job *job, uint32_t position)
{
        const struct span *run = job->shapes ? spans_find(&job->shapes->tasks, position) : NULL;

        return run ? run->note : 0;
}

uint32_t shape_run(const struct job *job, uint32_t from, uint32_t to)
{
        const struct span *run = job->shapes ? spans_find(&job->shapes->tasks, from) : NULL;

        if (!job->shapes)
                return to;
        return MIN(to, run ? run->hi : spans_next(&job->shapes->tasks, from) - 1);
}

const struct rec_job_spec *shape_spec(const struct job *job, uint32_t shape, struct rec_job_spec *room)
{
        const struct rec_job_spec *spec = &job->spec->spec;

        if (shape == 0)
                return spec;
        shape_merge(spec, &spec->shapes[shape - 1], room);
        return room;
}

struct lot *shape_lot(struct job *job, uint32_t shape)
{
        return shape == 0 ? &job->plain : job->shapes->lots[shape - 1];
}

bool shape_has_plain(const struct job *job)
{
        return !job->shapes || job->shapes->tasks.count < job->tasks;
}

const struct lot *shape_scarce(const struct core *core, const struct job *job)
{
        const struct lot *scarce;

        if (!job)
                return NULL;
        scarce = shape_has_plain(job) ? &job->plain : job->shapes->lots[0];
        for (size_t i = 0; job->shapes && i < job->spec->spec.n_shapes; i++) {
                const struct lot *lot = job->shapes->lots[i];

                if (fit_suitable(core, lot->needs) < fit_suitable(core, scarce->needs))
                        scarce = lot;
        }
        return scarce;
}

struct rec_job_spec *shape_told_spec(struct job *job)
{
        struct rec_job_spec *told;

        if (!job->shapes)
                return &job->spec->spec;
        told = &job->shapes->told;
        *told = job->spec->spec;
        told->shapes = NULL;
        told->n_shapes = 0;
        return told;
}
