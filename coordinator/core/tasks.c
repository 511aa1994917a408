/* Turns sets of positions into operations on rows. Decides nothing. */
#include "core/tasks.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "core/each.h"
#include "core/graph.h"
#include "core/keep.h"
#include "core/park.h"
#include "core/queue.h"
#include "core/rows.h"
#include "core/sweep.h"
#include "core/watch.h"

static void take_ranges(const struct job *job, const struct spans *which, struct range **ret_list,
                        size_t *ret_n)
{
        struct ranges ranges = { 0 };

        for (size_t i = which->head; i < which->n; i++)
                index_ranges(&job->indexes, which->list[i].lo, which->list[i].hi, &ranges);
        *ret_list = ranges.list;
        *ret_n = ranges.n;
}

struct store_task_end *tasks_write_end(struct core *core, struct job *job, const struct spans *which,
                                       const struct outcome *outcome)
{
        struct store_task_end *end = &effects_store(core->out, STORE_TASK_END)->u.task_end;

        end->job = job->id;
        take_ranges(job, which, &end->indexes, &end->n_indexes);
        end->n_tasks = which->count;
        end->status = outcome->status;
        end->reason = outcome->reason;
        end->exit_code = outcome->exit_code;
        end->exit_signal = outcome->exit_signal;
        end->attempt = outcome->attempt;
        end->tries = outcome->tries;
        end->crashes = outcome->crashes;
        end->worker.n = outcome->worker;
        end->nonce = outcome->nonce;
        store_task_end_values(end, 1);
        end->started_us[0] = outcome->started_us;
        end->ended_us[0] = outcome->ended_us;
        end->cpu_us[0] = outcome->cpu_us;
        end->rss_kib[0] = outcome->rss_kib;
        core->n_ends += which->count;
        keep_let_run(core, job, which);
        job->ends_since_low += (uint32_t)MIN(which->count, (uint64_t)65536);
        if (job->watches)
                watch_ended(core, job, which);
        each_ended(core, job, which, outcome->status);
        if (job->graph)
                graph_ended(core, job, which, outcome->status);
        return end;
}

struct store_task_state *tasks_write_state(struct core *core, struct job *job, const struct spans *which,
                                           enum task_status status, enum task_reason reason,
                                           const struct span *counts, const struct lease *lease)
{
        struct store_task_state *state = &effects_store(core->out, STORE_TASK_STATE)->u.task_state;

        state->job = job->id;
        take_ranges(job, which, &state->indexes, &state->n_indexes);
        state->status = status;
        state->reason = reason;
        state->attempt = counts->attempt;
        state->tries = counts->tries;
        state->crashes = counts->crashes;
        if (lease) {
                state->worker.n = lease->worker->id;
                state->nonce = lease->nonce;
                state->started_us = status == TASK_STATUS_RUNNING ? lease->started_us : 0;
        }
        return state;
}

void tasks_write_attempt(struct core *core, struct job *job, uint32_t position, const struct outcome *outcome)
{
        keep_let_one_run(core, job, position);
        effects_store(core->out, STORE_ATTEMPT)->u.attempt = (struct store_attempt){
                .job = job->id,
                .index = index_of(&job->indexes, position),
                .attempt = outcome->attempt,
                .status = outcome->status,
                .reason = outcome->reason,
                .exit_code = outcome->exit_code,
                .exit_signal = outcome->exit_signal,
                .worker.n = outcome->worker,
                .started_us = outcome->started_us,
                .ended_us = outcome->ended_us,
                .cpu_us = outcome->cpu_us,
                .rss_kib = outcome->rss_kib,
        };
}

void tasks_write_attempts(struct core *core, struct job *job, const struct spans *which,
                          const struct outcome *outcome)
{
        for (size_t i = which->head; i < which->n; i++) {
                for (uint32_t at = which->list[i].lo; at <= which->list[i].hi; at++)
                        tasks_write_attempt(core, job, at, outcome);
        }
}

static void again(struct core *core, struct job *job, struct lot *lot, const struct spans *which,
                  const struct span *counts, bool durable)
{
        struct thaw *thaw = durable ? xcalloc(1, sizeof(*thaw)) : NULL;
        struct spans back = { 0 };

        for (size_t i = which->head; i < which->n; i++) {
                struct span span = *counts;

                span.note = 0;
                span.lo = which->list[i].lo;
                span.hi = which->list[i].hi;
                spans_add(durable ? &job->cool : &back, span);
                if (thaw)
                        spans_add(&thaw->which, (struct span){ .lo = span.lo, .hi = span.hi });
        }
        if (thaw) {
                thaw->number = ++job->n_thaws;
                thaw->lot = lot;
                LL_APPEND(job->thaws, thaw);
                effects_fact(core->out,
                             (struct fact){ .kind = FACT_AGAIN, .job = job->id, .n = thaw->number });
        }
        lots_again_add(job, lot, &back);
        queue_consider(core, job);
        if (job->ending != 0) /* there is no other time for them */
                sweep_job(core, job, job->ending, job->ending_reason);
        else
                keep_came_back(core, job, which);
}

void tasks_again(struct core *core, struct lot *lot, const struct spans *which, const struct span *counts,
                 bool durable)
{
        again(core, lot->job, lot, which, counts, durable);
}

void tasks_again_home(struct core *core, struct job *job, const struct spans *which,
                      const struct span *counts, bool durable)
{
        again(core, job, NULL, which, counts, durable);
}

void tasks_cool(struct core *core, struct job *job, struct spans *take, bool was_held)
{
        struct thaw *thaw = xcalloc(1, sizeof(*thaw));
        struct spans overdue = { 0 }; /* of an earlier commit: it is this one that sets them free now */
        struct thaw *before;

        for (size_t i = take->head; i < take->n; i++) {
                spans_add(&thaw->which, (struct span){ .lo = take->list[i].lo, .hi = take->list[i].hi });
                LL_FOREACH (job->thaws, before) {
                        spans_take(&before->which, take->list[i].lo, take->list[i].hi, &overdue);
                        spans_done(&overdue);
                }
        }
        spans_move(take, &job->cool);
        thaw->was_held = was_held;
        thaw->number = ++job->n_thaws;
        LL_APPEND(job->thaws, thaw);
        effects_fact(core->out, (struct fact){ .kind = FACT_AGAIN, .job = job->id, .n = thaw->number });
}

void tasks_thaw(struct core *core, struct job *job, uint64_t number)
{
        struct thaw *thaw = job->thaws;
        struct spans back = { 0 };

        if (!thaw || thaw->number != number)
                return;
        for (size_t i = thaw->which.head; i < thaw->which.n; i++)
                spans_take(&job->cool, thaw->which.list[i].lo, thaw->which.list[i].hi, &back);
        park_thawed(job, thaw, &back);
        LL_DELETE(job->thaws, thaw);
        spans_done(&thaw->which);
        free(thaw);
        rows_mark(core, job); /* what was held may lie beyond the mark */
        queue_consider(core, job);
}
