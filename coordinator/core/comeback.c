/* Who was aborted because of which job is in the table Aborted; a new round of that job makes its rows due, in one
 * transaction with the round, and the round of the dependant takes them away. So a coordinator that is killed in between
 * asks and goes on. A few at a time are read as a person's retry reads them; one that cannot be read now (its own end is
 * not committed, a person retries it) is tried again a little later.
 *
 * A dependant whose other dependencies have failed meanwhile is aborted again, because of those. */
#include "core/comeback.h"

#include "base/clock.h"
#include "core/each.h"
#include "core/job.h"
#include "core/round.h"

#define AGAIN_US (200 * US_PER_MS)

void comeback_ask(struct core *core)
{
        struct store_op *op;

        if (core->comeback_asked || core->n_comebacks > 0) {
                core->comeback_more = true;
                return;
        }
        core->comeback_asked = true;
        core->comeback_more = false;
        op = effects_store(core->out, STORE_FIND_DUE);
        effects_fact(core->out, (struct fact){ .kind = FACT_DUE, .op = op });
}

static struct comeback *find(struct core *core, uint64_t job)
{
        for (unsigned i = 0; i < core->n_comebacks; i++) {
                if (core->comebacks[i].job == job)
                        return &core->comebacks[i];
        }
        return NULL;
}

bool comeback_is_read(const struct core *core, uint64_t job)
{
        const struct comeback *one = find((struct core *)(uintptr_t)core, job);

        return one && one->loading;
}

static void later(struct core *core, struct comeback *one)
{
        one->loading = false;
        core->comeback_at_us = core->mono_us + AGAIN_US;
}

static void forget(struct core *core, struct comeback *one)
{
        *one = core->comebacks[--core->n_comebacks];
        if (core->n_comebacks == 0 && core->comeback_more)
                comeback_ask(core);
}

static void drop(struct core *core, struct comeback *one)
{
        struct job *job = job_find(core, one->job);

        effects_store(core->out, STORE_ABORTED_DROP)->u.job.n = one->job;
        if (job)
                each_untold(job);
        forget(core, one);
}

/* In memory it has not come to its end, or runs again in part. Elements of one that waits for another job element by
 * element need not wait for that end. */
static void start(struct core *core, struct comeback *one)
{
        const struct job *job = job_find(core, one->job);

        if (job && job->phase == JOB_LIVE && job->ending == 0 && job->sweep.count == 0 &&
            job->n[TASK_STATUS_ABORTED] == 0) {
                drop(core, one);
        } else if ((job && !each_may_come_back(job)) || round_is_read(core, one->job) || core->degraded) {
                later(core, one);
        } else {
                one->loading = true;
                effects_load_round(core->out, (struct job_id){ one->job });
        }
}

void comeback_on_due(struct core *core, const struct store_find_due *due)
{
        core->comeback_asked = false;
        core->comeback_more |= due->n == ARRAY_LEN(due->jobs);
        core->n_comebacks = (unsigned)due->n;
        for (size_t i = 0; i < due->n; i++)
                core->comebacks[i] = (struct comeback){ .job = due->jobs[i].n };
        if (due->n == 0 && core->comeback_more)
                comeback_ask(core);
        for (size_t i = due->n; i > 0; i--) /* one that is dropped gives its place to the last */
                start(core, &core->comebacks[i - 1]);
}

static uint64_t count_aborted(const struct job *job, const struct job_round *round)
{
        struct spans aborted = { 0 };
        uint64_t n;

        for (size_t i = 0; i < round->n_tasks; i++) {
                if (round->tasks[i].status == TASK_STATUS_ABORTED)
                        index_spans(&job->indexes, &round->tasks[i].indexes, 1, &aborted);
        }
        n = aborted.count;
        spans_done(&aborted);
        return n;
}

/* Whether it was read as it stands: with its row in Aborted every such task comes back. */
static bool is_whole(const struct job *job, const struct job_round *round)
{
        if (!job)
                return round_is_over(round);
        return each_may_come_back(job) && count_aborted(job, round) == job->n[TASK_STATUS_ABORTED];
}

bool comeback_on_answer(struct core *core, struct job_round *round)
{
        struct comeback *one = find(core, round->job.n);

        if (!one || !one->loading)
                return false;
        if (round->failed || (round->found && !is_whole(job_find(core, one->job), round)))
                later(core, one);
        else if (round->found && round_bring_dependant(core, round))
                forget(core, one);
        else
                drop(core, one);
        return true;
}

void comeback_tick(struct core *core)
{
        if (core->comeback_at_us == 0 || core->mono_us < core->comeback_at_us)
                return;
        core->comeback_at_us = 0;
        for (unsigned i = core->n_comebacks; i > 0; i--) {
                if (!core->comebacks[i - 1].loading)
                        start(core, &core->comebacks[i - 1]);
        }
}
