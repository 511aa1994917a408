/* Ending tasks that were never started and never will be: cancelled by a person, aborted by a dependency. In bounded
 * batches, because a job may have ten million of them and each has a row. */
#ifndef CORE_SWEEP_H
#define CORE_SWEEP_H

#include "core/state.h"

/* The whole job: no task of it is granted any more. Survives a restart (Jobs.ending). Granted tasks are not touched. */
void sweep_job(struct core *core, struct job *job, enum task_status status, enum task_reason reason);
struct sweep_how {
        enum task_status status;
        enum task_reason reason;
        bool free, parked,
                held; /* those that could be granted, that wait for something of their own, that are held */
};
/* These positions, if they are not granted: returns how many will be ended. */
uint64_t sweep_some(struct core *core, struct job *job, const struct spans *which,
                    const struct sweep_how *how);
/* These positions, which the caller has taken from where they were; counted at home. Empties `from`. */
void sweep_add(struct job *job, struct spans *from, enum task_status status, enum task_reason reason);
enum task_status sweep_status(const struct span *span); /* how a run of job.sweep ends */
/* The next batch, if none is on its way and its rows exist or can be made now. */
void sweep_next(struct core *core, struct job *job);
void sweep_done_one(struct core *core, struct job *job); /* a batch is committed */

#endif
