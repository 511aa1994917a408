/* Aborting the rest of a job. It is a sweep like that of a cancelled job, but granted tasks are not stopped: their workers
 * are asked to give back those that have not started, and what comes back meets the sweep (tasks_again).
 *
 * A job that waits for a dependency which never comes is aborted as well, but nothing of it was ever granted: deps.c. */
#include "core/abort.h"

#include "core/job.h"
#include "core/lease.h"
#include "core/reply.h"
#include "core/sweep.h"

#define TAKE_BACK_MAX 1000000 /* a worker's whole window */

bool abort_is_on(const struct job *job)
{
        return job->ending == TASK_STATUS_ABORTED && job->ending_reason != TASK_REASON_DEPENDENCY;
}

void abort_take_back(struct core *core, const struct job *job, struct worker *worker)
{
        struct msg msg = { .kind = MSG_take_back };

        /* It may hold many leases of the job: asked once is enough. */
        if (worker->asked_job == job->id.n && worker->asked_event == core->n_events)
                return;
        worker->asked_job = job->id.n;
        worker->asked_event = core->n_events;
        msg.u.take_back = (struct msg_take_back){
                .n = TAKE_BACK_MAX, .job = job->id.n, .has_n = true, .has_job = true
        };
        if (worker->session.n != 0)
                effects_send(core->out, worker->session, &msg, false);
}

void abort_take_all_back(struct core *core, struct job *job)
{
        struct lease *lease, *next;

        DL_FOREACH_SAFE2(job->leases, lease, next, job_next)
        {
                struct spans all = { 0 };

                lease_collect(lease, &all);
                if (lease->unsent)
                        lease_give_up(core, lease, &all, TASK_REASON_RETURNED);
                else
                        abort_take_back(core, job, lease->worker);
                spans_done(&all);
        }
}

void abort_rest(struct core *core, struct job *job, enum task_reason reason)
{
        const struct lease *lease;

        if (job->ending != 0 || job->phase != JOB_LIVE)
                return;
        sweep_job(core, job, TASK_STATUS_ABORTED, reason);
        DL_FOREACH2(job->leases, lease, job_next)
        abort_take_back(core, job, lease->worker);
        job_check_end(core, job);
}

static uint64_t failed(const struct job *job)
{
        return job->n[TASK_STATUS_FAILED] + job->n[TASK_STATUS_TIMEOUT] + job->n[TASK_STATUS_OOM] +
               job->n[TASK_STATUS_LOST];
}

void abort_if_too_many_failed(struct core *core, struct job *job)
{
        const struct rec_job_spec *spec = &job->spec->spec;

        if (job->phase != JOB_LIVE || job->ending != 0)
                return;
        if ((spec->has_max_fails && failed(job) > spec->max_fails) ||
            (spec->has_max_fails_percent && failed(job) * 100 > spec->max_fails_percent * job->tasks)) {
                audit(core, "abort", job, (struct principal_id){ 0 }, "max-fails");
                abort_rest(core, job, TASK_REASON_MAX_FAILS);
        }
}
