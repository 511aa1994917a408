/* The system ends what is left of a job: too many of its tasks failed, or it could not start in time. */
#ifndef CORE_ABORT_H
#define CORE_ABORT_H

#include "core/state.h"

/* Tasks that have not started end as aborted for this reason: at once, or as soon as the workers that hold them have
 * given them back. What runs goes on to its end; an attempt of it that fails is its last. */
void abort_rest(struct core *core, struct job *job, enum task_reason reason);
/* The same, if more tasks failed than max_fails allows. */
void abort_if_too_many_failed(struct core *core, struct job *job);
/* What has not started of all that workers have of this job comes back. */
void abort_take_all_back(struct core *core, struct job *job);
/* A lease of a job that is being aborted, told or found again just now: ask for what has not started of it. */
void abort_take_back(struct core *core, const struct job *job, struct worker *worker);
bool abort_is_on(const struct job *job); /* its rest is being aborted though tasks of it may run */

#endif
