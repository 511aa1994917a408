/* Rules between fields, which the tables cannot say. What passes here is consistent in itself, so that nobody behind
 * the decoder has to count again:
 *
 * 1. submit: what `chunks` of all jobs name is the whole body, and no chunk is longer than MSG_CHUNK_MAX.
 * 2. finished: what `chunks` name is the whole body; `end` of chunks and files exists; the numbers of an end are one
 *    for all its tasks or one for each.
 * 3. run: entries of a grant are n_values for each of its tasks.
 * 4. job_spec: array parts are ascending and disjoint and hold at most ARRAY_TASKS_MAX indexes; input names are one path element; cwd is absolute. */
#include "proto/msg_fields.h"

#include <inttypes.h>
#include <string.h>

#include "proto/array_text.h"

static int check_input(const struct rec_input *input, struct err *err)
{
        if (memchr(input->name, '/', input->n_name) || !strcmp(input->name, ".") ||
            !strcmp(input->name, ".."))
                return err_set(err, ERR_BAD_FIELD, "field spec.inputs: a name is not one path element");
        for (size_t i = 0; i < input->n_sha256; i++)
                if (!strchr("0123456789abcdef", input->sha256[i]))
                        return err_set(err, ERR_BAD_FIELD,
                                       "field spec.inputs: sha256 is not 64 lower-case digits");
        return 0;
}

int job_spec_check(const struct rec_job_spec *spec, struct err *err)
{
        uint64_t tasks;

        if (array_parts_check(spec->array, spec->n_array, &tasks, err) < 0)
                return err_wrap(err, "field spec.array");
        if (tasks > ARRAY_TASKS_MAX)
                return err_set(err, ERR_BAD_FIELD, "field spec.array: a job has at most %" PRIu64 " tasks",
                               ARRAY_TASKS_MAX);
        if (spec->cwd && spec->cwd[0] != '/')
                return err_set(err, ERR_BAD_FIELD, "field spec.cwd is not an absolute path");
        for (size_t i = 0; i < spec->n_inputs; i++)
                if (check_input(&spec->inputs[i], err) < 0)
                        return -1;
        return 0;
}

static int check_submit(const struct msg_submit *submit, size_t body_bytes, struct err *err)
{
        uint64_t sum = 0;

        for (size_t i = 0; i < submit->n_jobs; i++) {
                const struct rec_new_job *job = &submit->jobs[i];

                if (job_spec_check(job->spec, err) < 0)
                        return -1;
                for (size_t k = 0; k < job->n_chunks; k++) {
                        if (job->chunks[k] < 0 || job->chunks[k] > (int64_t)MSG_CHUNK_MAX)
                                return err_set(err, ERR_BAD_FRAME,
                                               "field jobs[%zu].chunks: a size is outside 0 … 1 MiB", i);
                        sum += (uint64_t)job->chunks[k];
                }
        }
        if (sum != body_bytes)
                return err_set(err, ERR_BAD_FRAME, "field chunks does not add up to the body");
        return 0;
}

static bool fits(size_t n_numbers, uint64_t n_tasks)
{
        return n_numbers <= 1 || n_numbers == n_tasks;
}

static int check_end(const struct rec_task_end *end, size_t at, struct err *err)
{
        uint64_t tasks = ranges_count(end->ranges, end->n_ranges);

        if (!fits(end->n_ago_us, tasks) || !fits(end->n_ran_us, tasks) || !fits(end->n_cpu_us, tasks) ||
            !fits(end->n_rss_kib, tasks))
                return err_set(
                        err, ERR_BAD_FIELD,
                        "field ends[%zu]: ago_us, ran_us, cpu_us, rss_kib hold one number, or one a task",
                        at);
        return 0;
}

static int check_finished(const struct msg_finished *finished, size_t body_bytes, struct err *err)
{
        uint64_t sum = 0;

        for (size_t i = 0; i < finished->n_ends; i++)
                if (check_end(&finished->ends[i], i, err) < 0)
                        return -1;
        for (size_t i = 0; i < finished->n_chunks; i++) {
                if (finished->chunks[i].end >= finished->n_ends)
                        return err_set(err, ERR_BAD_FIELD, "field chunks[%zu].end names no element of ends",
                                       i);
                sum += finished->chunks[i].bytes;
        }
        for (size_t i = 0; i < finished->n_files; i++)
                if (finished->files[i].end >= finished->n_ends)
                        return err_set(err, ERR_BAD_FIELD, "field files[%zu].end names no element of ends",
                                       i);
        if (sum != body_bytes)
                return err_set(err, ERR_BAD_FRAME, "field chunks does not add up to the body");
        return 0;
}

static int check_run(const struct msg_run *run, struct err *err)
{
        for (size_t i = 0; i < run->n_specs; i++)
                if (job_spec_check(run->specs[i].spec, err) < 0)
                        return -1;
        for (size_t i = 0; i < run->n_grants; i++) {
                const struct rec_grant *grant = &run->grants[i];
                uint64_t values = grant->has_n_values ? grant->n_values : 1;

                if (grant->n_entries &&
                    grant->n_entries != values * ranges_count(grant->ranges, grant->n_ranges))
                        return err_set(err, ERR_BAD_FIELD,
                                       "field grants[%zu].entries: not n_values for each task", i);
        }
        return 0;
}

int msg_check(const struct msg *msg, struct err *err)
{
        if (msg->kind == MSG_submit)
                return check_submit(&msg->u.submit, msg->body_bytes, err);
        if (msg->kind == MSG_finished)
                return check_finished(&msg->u.finished, msg->body_bytes, err);
        if (msg->kind == MSG_run)
                return check_run(&msg->u.run, err);
        return 0;
}
