/* Parents of a task: those that its graph names, or all tasks of the jobs that its job waited for. What they left is read
 * by the reader threads in the name of the task's owner, so whatever he may not open stays closed.
 *
 * Invariant: nothing is read for a task that its worker does not hold, and nothing of a task that it did not wait for. */
#include "core/parents.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "core/finish.h"
#include "core/graph.h"
#include "core/job.h"
#include "core/pending.h"

static bool waits_for_jobs(const struct rec_job_spec *spec)
{
        return spec->n_after > 0;
}

bool parents_may_have_results(const struct job *job, uint32_t lo, uint32_t n)
{
        const struct rec_job_spec *spec = &job->spec->spec;

        if (!job->graph)
                return spec->type == TASK_TYPE_COMMAND && waits_for_jobs(spec);
        for (uint32_t at = lo; at < lo + n; at++) {
                if (graph_has_parents(job, at) ? graph_parents_left_results(job, at) : waits_for_jobs(spec))
                        return true;
        }
        return false;
}

void parents_note_chunk(struct job *job, const struct rec_task_chunk *chunk)
{
        uint32_t at;

        if (job->graph && chunk->kind == DATA_KIND_RESULT && index_find(&job->indexes, chunk->index, &at))
                graph_gave_result(job, at);
}

int parents_check(const struct rec_job_spec *spec, struct err *err)
{
        bool found = false;

        if (!spec->has_stdin_job) {
                if (spec->has_stdin_index || spec->stdin_each)
                        return err_set(err, ERR_BAD_FIELD, "stdin_index and stdin_each go with stdin_job");
                return 0;
        }
        for (size_t i = 0; i < spec->n_after; i++)
                found |= spec->after[i].job == spec->stdin_job;
        if (!found)
                return err_set(err, ERR_BAD_FIELD, "stdin_job: the job does not wait for it");
        if (spec->has_stdin_input)
                return err_set(err, ERR_BAD_FIELD, "stdin_job and stdin_input exclude each other");
        if (spec->has_stdin_index && spec->stdin_each)
                return err_set(err, ERR_BAD_FIELD, "stdin_index and stdin_each exclude each other");
        if (spec->has_edges)
                return err_set(err, ERR_BAD_FIELD, "stdin_job: tasks of a graph name one of their parents");
        return 0;
}

static bool may(const struct core *core, const struct pending *pending, uint64_t on,
                enum permission permission)
{
        const struct job *job = job_find(core, on);
        const struct store_find_job *found = pending_job(pending, on);
        struct principal_id owner = { 0 };

        if (job && (job->phase == JOB_LIVE || job->phase == JOB_ENDED))
                owner = job->owner_id;
        else if (found && found->found)
                owner = found->owner;
        else
                return false;
        return access_allows(&core->access, pending->asker.who, permission, owner, NULL);
}

bool parents_may_follow(const struct core *core, const struct pending *pending,
                        const struct rec_job_spec *spec)
{
        for (size_t k = 0; k < spec->n_after; k++)
                if (!may(core, pending, spec->after[k].job, PERMISSION_JOB_READ))
                        return false;
        return !spec->has_stdin_job || may(core, pending, spec->stdin_job, PERMISSION_DATA_READ);
}

/* ------------------------------------------------------------------ what is read */

static void add(struct read_request *read, uint64_t job, uint64_t lo, uint64_t hi)
{
        for (size_t i = 0; i < read->n_parents; i++)
                if (read->parents[i].job == job && read->parents[i].lo == lo && read->parents[i].hi == hi)
                        return;
        read->parents = xrealloc(read->parents, (read->n_parents + 1) * sizeof(*read->parents));
        read->parents[read->n_parents++] = (struct read_parent){ .job = job, .lo = lo, .hi = hi };
}

static void add_graph(struct read_request *read, const struct job *job, uint32_t at)
{
        struct spans parents = { 0 };
        struct ranges ranges = { 0 };

        graph_parents(job, at, &parents);
        for (size_t i = parents.head; i < parents.n; i++)
                index_ranges(&job->indexes, parents.list[i].lo, parents.list[i].hi, &ranges);
        read->n_parents = ranges.n;
        read->parents = xcalloc(ranges.n, sizeof(*read->parents));
        for (size_t i = 0; i < ranges.n; i++)
                read->parents[i] = (struct read_parent){ job->id.n, ranges.list[i].lo, ranges.list[i].hi };
        read->by_entry = true;
        ranges_done(&ranges);
        spans_done(&parents);
}

static bool add_results(struct read_request *read, const struct job *job, uint32_t at)
{
        const struct rec_job_spec *spec = &job->spec->spec;

        if (job->graph && graph_has_parents(job, at)) {
                add_graph(read, job, at);
                return true;
        }
        for (size_t i = 0; i < spec->n_after; i++) {
                uint64_t index = read->msg->u.fetch_parent.index;

                if (spec->after[i].when == AFTER_WHEN_EACH)
                        add(read, spec->after[i].job, index, index);
                else
                        add(read, spec->after[i].job, 0, UINT32_MAX);
        }
        return read->n_parents > 0;
}

static bool add_stdin(struct read_request *read, const struct job *job, uint32_t at)
{
        const struct msg_fetch_parent *fetch = &read->msg->u.fetch_parent;
        const struct rec_job_spec *spec = &job->spec->spec;
        uint32_t parent;

        if (job->graph) {
                if (!fetch->has_stdin_index || !index_find(&job->indexes, fetch->stdin_index, &parent) ||
                    !graph_has_parent(job, at, parent))
                        return false;
                add(read, job->id.n, fetch->stdin_index, fetch->stdin_index);
                return true;
        }
        if (!spec->has_stdin_job)
                return false;
        if (spec->stdin_each)
                add(read, spec->stdin_job, fetch->index, fetch->index);
        else if (spec->has_stdin_index)
                add(read, spec->stdin_job, spec->stdin_index, spec->stdin_index);
        else
                add(read, spec->stdin_job, 0, UINT32_MAX);
        return true;
}

void parents_on_fetch(struct core *core, struct worker *worker, const struct asker *asker,
                      struct msg **take_msg)
{
        const struct msg_fetch_parent *fetch = &(*take_msg)->u.fetch_parent;
        struct lease *lease = finish_out_lease(core, worker, fetch->job, fetch->nonce, fetch->index);
        struct read_request *read;
        uint32_t at;
        bool ok;

        if (!lease) {
                struct msg stale = { .kind = MSG_stale, .re = asker->re };

                effects_send(core->out, asker->session, &stale, false);
                return;
        }
        if (lease->job->graph && !graph_is_ready(lease->job)) {
                reply_worker_refused(core, asker, ERR_RETRY_LATER, "its parents are being read");
                return;
        }
        BUG_ON(!index_find(&lease->job->indexes, fetch->index, &at));
        read = xcalloc(1, sizeof(*read));
        read->session = asker->session;
        read->re = asker->re;
        read->who = lease->job->owner_id;
        read->permission = PERMISSION_DATA_READ;
        read->msg = STEAL(*take_msg);
        ok = fetch->kind == DATA_KIND_RESULT ? add_results(read, lease->job, at)
                                             : add_stdin(read, lease->job, at);
        if (ok) {
                effects_read(core->out, read);
                return;
        }
        reply_worker_refused(core, asker, ERR_BAD_FIELD, "fetch-parent: the task did not wait for that");
        read_request_free(read);
}
