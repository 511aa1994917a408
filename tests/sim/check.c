/* The end: everything was healed and drained. The numbers are those of the invariants that every test of the whole
 * system checks too. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long ull;

/* 4, 5: what a client was promised is there, whole, once. */
static void check_promises(struct sim *sim)
{
        for (unsigned i = 0; i < SIM_CLIENTS; i++) {
                for (size_t k = 0; k < sim->clients[i].n; k++) {
                        const struct sim_submission *one = sim->clients[i].list[k];
                        const struct sim_job *job = sim_store_job(&sim->store, one->job);

                        if (one->in_set) /* its client died before it had all of the set loaded */
                                continue;
                        if (one->job == 0)
                                sim_fail(sim, "client %u: %s was never acknowledged", i, one->key);
                        if (!job || job->loading || job->row.tasks != one->tasks ||
                            HASH_COUNT(job->rows) != one->tasks)
                                sim_fail(sim, "job %llu is not there as it was promised", (ull)one->job);
                        if ((one->watched || one->grouped) && !one->told_done)
                                sim_fail(sim, "job %llu: its watcher was never told", (ull)one->job);
                }
        }
}

/* 8: the recorded output is whole, and of the recorded lease. */
static void check_output(struct sim *sim, const struct sim_job *job, const struct sim_row *row)
{
        uint32_t attempt = row->now.attempt;
        uint32_t seq = 0;
        const struct sim_data *chunk, *last = NULL;
        const struct sim_data *result =
                sim_store_data(&sim->store, job->id, row->index, DATA_KIND_RESULT, attempt, 0, 0);

        if (!result || result->nonce != row->end_nonce)
                sim_fail(sim, "task %llu.%llu: its result is missing or another's", (ull)job->id,
                         (ull)row->index);
        while ((chunk = sim_store_data(&sim->store, job->id, row->index, DATA_KIND_OUTPUT, attempt,
                                       STREAM_STDOUT, seq))) {
                if (chunk->nonce != row->end_nonce)
                        sim_fail(sim, "task %llu.%llu: output of two leases", (ull)job->id, (ull)row->index);
                last = chunk;
                seq++;
        }
        if (!last || !last->final)
                sim_fail(sim, "task %llu.%llu: its output has no end", (ull)job->id, (ull)row->index);
}

/* 1, 3, 6, 7: every task is over, exactly once, and what is recorded happened. */
static void check_tasks(struct sim *sim)
{
        for (const struct sim_job *job = sim->store.jobs; job; job = job->hh.next) {
                const struct sim_row *row;

                if (job->loading && job->in_set) /* its client died before all of the set was there */
                        continue;
                if (job->loading || !sim_job_is_final(job))
                        sim_fail(sim,
                                 "job %llu is not over: %llu held, %llu waiting, %llu queued, %llu running",
                                 (ull)job->id, (ull)job->row.state.held, (ull)job->row.state.waiting,
                                 (ull)job->row.state.queued, (ull)job->row.state.running);
                for (row = job->rows; row; row = row->hh.next) {
                        const struct sim_witness *witness = sim_witness(sim, job->id, row->index);

                        if (!row->final)
                                sim_fail(sim, "task %llu.%llu is not over", (ull)job->id, (ull)row->index);
                        if (row->now.status == TASK_STATUS_SUCCEEDED) {
                                if (witness->starts == 0)
                                        sim_fail(sim, "task %llu.%llu succeeded and never ran", (ull)job->id,
                                                 (ull)row->index);
                                check_output(sim, job, row);
                        }
                }
        }
}

static bool is_unmet(const struct sim *sim, const struct rec_after *after)
{
        const struct sim_job *on = sim_store_job(&sim->store, after->job);
        bool succeeded = on && on->row.state.status == TASK_STATUS_SUCCEEDED;

        return after->when != AFTER_WHEN_EACH && (!on || (after->when == AFTER_WHEN_OK && !succeeded) ||
                                                  (after->when == AFTER_WHEN_NOTOK && succeeded));
}

static bool is_own_unmet(const struct sim *sim, const struct rec_after *after, uint64_t index)
{
        const struct sim_job *on = sim_store_job(&sim->store, after->job);
        const struct sim_row *row = NULL;

        if (after->when != AFTER_WHEN_EACH)
                return false;
        if (on)
                HASH_FIND(hh, on->rows, &index, sizeof(index), row);
        return !on || (row && row->now.status != TASK_STATUS_SUCCEEDED);
}

/* Of a job whose other dependencies were met: each aborted element has one of its own that was not. */
static void check_elements(struct sim *sim, const struct sim_job *job)
{
        const struct rec_job_spec *spec = &job->row.spec->spec;

        for (const struct sim_row *row = job->rows; row; row = row->hh.next) {
                bool unmet = false;

                if (row->now.status != TASK_STATUS_ABORTED || row->now.reason != TASK_REASON_DEPENDENCY)
                        continue;
                for (size_t k = 0; k < spec->n_after; k++)
                        unmet |= is_own_unmet(sim, &spec->after[k], row->index);
                if (!unmet)
                        sim_fail(sim, "task %llu.%llu is aborted, and what it depends on succeeded",
                                 (ull)job->id, (ull)row->index);
        }
}

/* Does this parent, as an entry of a graph names it ("3", "a3", "n3"), let its child run? */
static bool lets_run(const struct sim_job *job, const char *name)
{
        uint64_t index = strtoull(name + (*name == 'a' || *name == 'n'), NULL, 10);
        const struct sim_row *row;

        HASH_FIND(hh, job->rows, &index, sizeof(index), row);
        return *name == 'a' || (row && (row->now.status == TASK_STATUS_SUCCEEDED) == (*name != 'n'));
}

/* The entry of a task: its text, a zero, and behind a one the names of its parents, each with a blank. */
static bool all_let_run(const struct sim_job *job, const uint8_t *entry, size_t n)
{
        const char *text = memchr(entry, '\0', n);
        bool all = true;

        if (!text)
                return true;
        for (const char *name = text + 2; name < (const char *)entry + n && *name != '\0';) {
                all &= lets_run(job, name);
                name = strchr(name, ' ') + 1;
        }
        return all;
}

/* Each task of a graph that is aborted for a dependency has a parent that is why. */
static void check_graph(struct sim *sim, const struct sim_job *job)
{
        uint64_t index = 1;

        for (uint32_t k = 0; k < job->n_chunks; k++) {
                const uint8_t *bytes = (const uint8_t *)job->chunks[k].bytes;

                for (size_t at = 0; at + 4 <= job->chunks[k].n; index++) {
                        size_t n = (size_t)bytes[at + 2] << 8 | bytes[at + 3];
                        const struct sim_row *row;

                        HASH_FIND(hh, job->rows, &index, sizeof(index), row);
                        if (row && row->now.status == TASK_STATUS_ABORTED &&
                            row->now.reason == TASK_REASON_DEPENDENCY && all_let_run(job, bytes + at + 4, n))
                                sim_fail(sim, "task %llu.%llu is aborted, and none of its parents is why",
                                         (ull)job->id, (ull)index);
                        at += 4 + n;
                }
        }
}

/* Nothing stays aborted for what a new round has made good. */
static void check_aborted(struct sim *sim)
{
        for (const struct sim_job *job = sim->store.jobs; job; job = job->hh.next) {
                const struct rec_job_spec *spec = &job->row.spec->spec;
                size_t unmet = 0;

                for (size_t k = 0; k < spec->n_after; k++)
                        unmet += is_unmet(sim, &spec->after[k]);
                if ((unmet == 0 || (spec->after_one && unmet < spec->n_after)) && !spec->has_edges)
                        check_elements(sim, job);
                if (!unmet && spec->has_edges && job->row.state.ending == 0)
                        check_graph(sim, job);
        }
}

void sim_check_end(struct sim *sim)
{
        check_aborted(sim);
        check_tasks(sim);
        check_promises(sim);
}
