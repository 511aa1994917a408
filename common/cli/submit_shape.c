/* Shapes: what tasks of a graph ask for where it is not what the job's description says. Tasks that ask for the same share
 * a shape, whatever the order in which they come. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/submit.h"

#define SHAPES_MAX 256 /* as messages.def says */
#define RANGES_MAX 16384 /* in all: the description travels in one message */

struct one_shape {
        char *key; /* what it asks for, as text */
        struct job_spec_box *said;
        struct range *tasks;
        size_t n, cap;
};
struct submit_shapes {
        char *plain; /* key of the description itself */
        struct one_shape *list;
        size_t n, cap, n_ranges;
};

static char *key_of(const struct rec_job_spec *spec)
{
        const struct rec_job_spec part = {
                .type = spec->type,
                .has_type = true,
                .cpus = spec->has_cpus ? spec->cpus : 1,
                .has_cpus = true,
                .mem = spec->mem,
                .has_mem = spec->has_mem,
                .mem_factor = spec->mem_factor,
                .has_mem_factor = spec->has_mem_factor,
                .mem_max = spec->mem_max,
                .has_mem_max = spec->has_mem_max,
                .gpus = spec->gpus,
                .has_gpus = spec->gpus > 0,
                .res = spec->res,
                .n_res = spec->n_res,
                .require = spec->require,
                .n_require = spec->n_require,
                .avoid = spec->avoid,
                .n_avoid = spec->n_avoid,
                .retries = spec->retries,
                .has_retries = true,
                .retry_on = spec->retry_on,
                .n_retry_on = spec->n_retry_on,
                .ok_codes = spec->ok_codes,
                .n_ok_codes = spec->n_ok_codes,
        };
        struct buf text = { 0 };

        job_spec_encode(&part, &text);
        return buf_steal(&text);
}

static int find_shape(struct submit_shapes *shapes, char **take_key, struct one_shape **ret, struct err *err)
{
        for (size_t i = shapes->n; i-- > 0;) {
                *ret = &shapes->list[i];
                if (strcmp((*ret)->key, *take_key) == 0)
                        return 0;
        }
        if (shapes->n == SHAPES_MAX)
                return err_set(err, ERR_BAD_DATA,
                               "more than %d different sets of cpus, mem, gpus, res, require, avoid, "
                               "retries, retry_on and ok_codes",
                               SHAPES_MAX);
        GROW(shapes->list, shapes->cap, shapes->n + 1);
        *ret = &shapes->list[shapes->n];
        **ret = (struct one_shape){ .said = job_spec_decode(*take_key, strlen(*take_key), err) };
        if (!(*ret)->said)
                return -1;
        (*ret)->key = STEAL(*take_key);
        shapes->n++;
        return 0;
}

int submit_add_shape(struct submit *submit, uint64_t index, const struct rec_job_spec *asks, struct err *err)
{
        CLEANUP_WITH(xfree) char *key = key_of(asks);
        struct submit_shapes *shapes = submit->shapes;
        struct one_shape *shape = NULL;

        if (!shapes) {
                shapes = submit->shapes = xcalloc(1, sizeof(*shapes));
                shapes->plain = key_of(&submit->spec);
        }
        if (strcmp(key, shapes->plain) == 0)
                return 0;
        if (find_shape(shapes, &key, &shape, err) < 0)
                return -1;
        if (shape->n > 0 && shape->tasks[shape->n - 1].hi + 1 == index) {
                shape->tasks[shape->n - 1].hi = index;
                return 0;
        }
        if (++shapes->n_ranges > RANGES_MAX)
                return err_set(err, ERR_BAD_DATA,
                               "what tasks ask for changes more than %d times from task to task; put those "
                               "that ask for the same next to each other",
                               RANGES_MAX);
        GROW(shape->tasks, shape->cap, shape->n + 1);
        shape->tasks[shape->n++] = (struct range){ .lo = index, .hi = index };
        return 0;
}

void submit_end_shapes(struct submit *submit)
{
        const struct submit_shapes *shapes = submit->shapes;
        struct rec_shape *recs;

        if (!shapes || shapes->n == 0)
                return;
        recs = submit->shape_recs = xcalloc(shapes->n, sizeof(*recs));
        for (size_t i = 0; i < shapes->n; i++) {
                const struct rec_job_spec *said = &shapes->list[i].said->spec;

                recs[i] = (struct rec_shape){
                        .tasks = shapes->list[i].tasks,
                        .n_tasks = shapes->list[i].n,
                        .cpus = said->cpus,
                        .has_cpus = said->has_cpus,
                        .mem = said->mem,
                        .has_mem = said->has_mem,
                        .mem_factor = said->mem_factor,
                        .has_mem_factor = said->has_mem_factor,
                        .mem_max = said->mem_max,
                        .has_mem_max = said->has_mem_max,
                        .gpus = said->gpus,
                        .has_gpus = true,
                        .res = said->res,
                        .n_res = said->n_res,
                        .require = said->require,
                        .n_require = said->n_require,
                        .avoid = said->avoid,
                        .n_avoid = said->n_avoid,
                        .retries = said->retries,
                        .has_retries = said->has_retries,
                        .retry_on = said->retry_on,
                        .n_retry_on = said->n_retry_on,
                        .ok_codes = said->ok_codes,
                        .n_ok_codes = said->n_ok_codes,
                };
        }
        submit->spec.shapes = recs;
        submit->spec.n_shapes = shapes->n;
}

static bool same_texts(const char *const *a, size_t n_a, const char *const *b, size_t n_b)
{
        if (n_a != n_b)
                return false;
        for (size_t i = 0; i < n_a; i++)
                if (strcmp(a[i], b[i]) != 0)
                        return false;
        return true;
}

void submit_encode_own(const struct rec_job_spec *task, const struct rec_job_spec *job, uint32_t stdin_from,
                       struct buf *json)
{
        struct rec_job_spec own = {
                .ok_codes = task->ok_codes,
                .n_ok_codes = task->n_ok_codes,
                .type = task->type,
                .has_type = true,
                .args = task->args,
                .n_args = task->n_args,
                .env = task->env,
                .n_env = task->n_env,
                .cwd = task->cwd,
                .n_cwd = task->n_cwd,
                .time_ms = task->time_ms,
                .has_time_ms = task->has_time_ms,
                .grace_ms = task->grace_ms,
                .has_grace_ms = task->has_grace_ms,
                .stdin_index = stdin_from,
                .has_stdin_index = stdin_from > 0,
        };

        if (!same_texts(task->outs, task->n_outs, job->outs, job->n_outs)) {
                own.outs = task->outs;
                own.n_outs = task->n_outs;
        }
        if (task->has_out_max && (!job->has_out_max || task->out_max != job->out_max)) {
                own.out_max = task->out_max;
                own.has_out_max = true;
        }
        if (task->has_warn_signal &&
            (task->warn_signal != job->warn_signal || task->warn_ms != job->warn_ms)) {
                own.warn_signal = task->warn_signal;
                own.warn_ms = task->warn_ms;
                own.has_warn_signal = own.has_warn_ms = true;
        }
        buf_add_char(json, 1);
        job_spec_encode(&own, json);
}

void submit_shapes_done(struct submit *submit)
{
        struct submit_shapes *shapes = submit->shapes;

        xfree(submit->shape_recs);
        for (size_t i = 0; shapes && i < shapes->n; i++) {
                xfree(shapes->list[i].key);
                xfree(shapes->list[i].tasks);
                job_spec_free(shapes->list[i].said);
        }
        if (shapes) {
                xfree(shapes->plain);
                xfree(shapes->list);
        }
        xfree(shapes);
}
