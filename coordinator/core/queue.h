/* The order of starting: priority, then fair share by owner, then submission. Jobs that could be granted now lie in
 * lanes (queue, task type, cpus), within a lane by priority, within a priority by owner; so that choosing looks at
 * lanes, never at jobs. Every change costs O(log jobs). */
#ifndef CORE_QUEUE_H
#define CORE_QUEUE_H

#include "core/state.h"

/* Something about the job changed: can it be granted now? Puts it in or takes it out. */
void queue_consider(struct core *core, struct job *job);
void queue_remove(struct core *core, struct job *job);
bool queue_is_empty(const struct core *core); /* no job can be granted now */
/* The first job in order that workers of this kind can run, or NULL. O(lanes). */
struct job *queue_pick(const struct core *core, const struct kind *kind);
bool queue_before(const struct job *a, const struct job *b); /* a is served first */
/* The owner has used so much on so many cpus (or, negative, less than assumed). Moves his jobs. */
void queue_charge(struct core *core, struct job *job, int64_t us, uint64_t cpus);
/* Tasks of the job that could be granted now, were there slots. */
uint64_t queue_grantable(const struct job *job);

#endif
