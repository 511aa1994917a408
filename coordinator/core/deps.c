/* job.waits is an array, one element a dependency; an element hangs in the list of the job it waits for while that one is
 * in memory. n_waits counts those not met. With `after_one` the first that is met takes the others away, and only the last
 * that is not met ends the job. */
#include "core/deps.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "core/job.h"
#include "core/namesake.h"
#include "core/pending.h"
#include "core/sweep.h"

void deps_attach(struct core *core, struct job *job)
{
        const struct rec_job_spec *spec = &job->spec->spec;

        namesake_wait(job);
        if (spec->n_after == 0)
                return;
        job->waits = xcalloc(spec->n_after, sizeof(*job->waits));
        for (size_t i = 0; i < spec->n_after; i++) {
                struct job *on = job_find(core, spec->after[i].job);

                if (spec->after[i].when == AFTER_WHEN_EACH) /* each.c: not the job waits, its elements do */
                        continue;
                job->waits[i] = (struct dependency){ .job = job,
                                                     .on.n = spec->after[i].job,
                                                     .when = spec->after[i].when };
                job->n_waits++;
                if (on && on != job)
                        DL_APPEND(on->dependants, &job->waits[i]);
        }
}

/* prev is NULL exactly while a dependency hangs in no list. */
static void unlink_from(struct job *on, struct dependency *dependency)
{
        DL_DELETE(on->dependants, dependency);
        dependency->prev = dependency->next = NULL;
}

/* One of several was enough. */
static void forget_others(struct core *core, struct job *job)
{
        for (size_t i = 0; i < job->spec->spec.n_after; i++) {
                struct dependency *dependency = &job->waits[i];

                if (dependency->on.n == 0)
                        continue;
                if (dependency->prev)
                        unlink_from(job_find(core, dependency->on.n), dependency);
                dependency->on.n = 0;
                job->n_waits--;
        }
}

void deps_attach_open(struct core *core, struct job *job)
{
        bool met = false;

        deps_attach(core, job);
        for (size_t i = 0; job->waits && i < job->spec->spec.n_after; i++) {
                if (job->waits[i].prev || job->waits[i].on.n == 0)
                        continue;
                job->waits[i].on.n = 0;
                job->n_waits--;
                met = true;
        }
        if (met && job->spec->spec.after_one)
                forget_others(core, job);
}

static bool is_met(const struct job *job, enum after_when when, enum task_status status)
{
        if (job->spec->spec.on_dep_fail_run)
                return true;
        switch (when) {
        case AFTER_WHEN_OK:
                return status == TASK_STATUS_SUCCEEDED;
        case AFTER_WHEN_ANY:
                return true;
        case AFTER_WHEN_NOTOK:
                return status != TASK_STATUS_SUCCEEDED;
        case AFTER_WHEN_EACH:
                return true;
        }
        return false;
}

/* None of several is left but those that were not met: one of them may have a new round by now, and is waited for again.
 * `on`: the one that has just ended. */
static bool wait_again(struct core *core, struct job *job, struct job_id just)
{
        bool any = false;

        for (size_t i = 0; i < job->spec->spec.n_after; i++) {
                struct dependency *dependency = &job->waits[i];
                uint64_t n = job->spec->spec.after[i].job;
                struct job *on = job_find(core, n);

                any |= dependency->on.n != 0;
                if (dependency->on.n != 0 || !on || on == job || n == just.n)
                        continue;
                dependency->on.n = n;
                job->n_waits++;
                DL_APPEND(on->dependants, dependency);
                any = true;
        }
        return any;
}

/* A new round of any that it could have gone on by brings it back. */
static void abort_for(struct core *core, struct job *job, struct job_id on)
{
        const struct rec_job_spec *spec = &job->spec->spec;

        job->n_waits++; /* never met: it stays waiting while its tasks are ended */
        for (size_t i = 0; i < spec->n_after; i++)
                if (spec->after[i].job == on.n || spec->after_one)
                        effects_store(core->out, STORE_ABORTED)->u.aborted =
                                (struct store_aborted){ job->id, { spec->after[i].job } };
        sweep_job(core, job, TASK_STATUS_ABORTED, TASK_REASON_DEPENDENCY);
}

static void answer(struct core *core, struct dependency *dependency, bool found, enum task_status status)
{
        struct job *job = dependency->job;
        struct job_id on = dependency->on;

        if (on.n == 0)
                return;
        dependency->on.n = 0;
        job->n_waits--;
        if (found && is_met(job, dependency->when, status)) {
                if (job->spec->spec.after_one)
                        forget_others(core, job);
                if (job->n_waits == 0)
                        job_rehome(core, job);
                return;
        }
        if (job->ending != 0) {
                job->n_waits++; /* its tasks are being ended one by one, and are counted as waiting */
                return;
        }
        if (!job->spec->spec.after_one || !wait_again(core, job, on))
                abort_for(core, job, on);
}

void deps_answer(struct core *core, struct job *job, size_t k, bool found, enum task_status status)
{
        struct dependency *dependency;
        struct job *on;

        if (!job->waits || k >= job->spec->spec.n_after)
                return;
        dependency = &job->waits[k];
        if (dependency->on.n == 0)
                return;
        on = job_find(core, dependency->on.n);
        if (on && on != job && !dependency->prev) /* it has a new round since it was asked */
                DL_APPEND(on->dependants, dependency);
        if (!dependency->prev)
                answer(core, dependency, found, status);
}

static void answer_all(struct core *core, struct pending *pending)
{
        struct job *job = job_find(core, pending->job);

        for (size_t k = 0; job && k < job->spec->spec.n_after; k++) {
                const struct store_find_job *found = pending_job(pending, job->spec->spec.after[k].job);

                if (found)
                        deps_answer(core, job, k, found->found, found->status);
        }
}

void deps_ask(struct core *core, struct job *job)
{
        struct asker nobody = { 0 };
        struct pending *pending = NULL;

        for (size_t k = 0; k < job->spec->spec.n_after; k++) {
                uint64_t on = job->spec->spec.after[k].job;

                if (job->spec->spec.after[k].when == AFTER_WHEN_EACH || job_find(core, on))
                        continue;
                if (!pending) {
                        pending = pending_new(core, &nobody, NULL, answer_all);
                        pending->job = job->id.n;
                }
                pending_ask_job(core, pending, on);
        }
}

void deps_release(struct core *core, struct job *job)
{
        struct dependency *dependency;

        while ((dependency = job->dependants)) { /* an answer may take others out of the list */
                unlink_from(job, dependency);
                answer(core, dependency, true, job_status(job));
        }
}

static void drop_waits(struct core *core, struct job *job)
{
        for (size_t i = 0; job->waits && i < job->spec->spec.n_after; i++) {
                if (job->waits[i].prev)
                        unlink_from(job_find(core, job->waits[i].on.n), &job->waits[i]);
        }
        free(job->waits);
        job->waits = NULL;
}

void deps_were_met(struct core *core, struct job *job)
{
        drop_waits(core, job);
        namesake_waits_no_more(job);
        job->n_waits = 0;
        job_rehome(core, job);
}

void deps_forget(struct core *core, struct job *job)
{
        struct dependency *dependency, *next;

        DL_FOREACH_SAFE (job->dependants, dependency, next)
                unlink_from(job, dependency);
        drop_waits(core, job);
}
