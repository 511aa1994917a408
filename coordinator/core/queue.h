/* The order of starting: priority, then fair share by owner, then submission. Lots that could be granted now lie in
 * lanes (queue, needs), within a lane by priority, within a priority by owner; so that choosing looks at lanes, never at
 * jobs. Every change costs O(log lots). */
#ifndef CORE_QUEUE_H
#define CORE_QUEUE_H

#include "core/state.h"

/* Something about the job changed: which of its lots can be granted now? Puts them in or takes them out. */
void queue_consider(struct core *core, struct job *job);
void queue_consider_lot(struct core *core, struct lot *lot); /* the same where only this one changed */
void queue_remove(struct core *core, struct job *job);
bool queue_is_empty(const struct core *core); /* nothing can be granted now */
/* The first lot in order that workers of this kind can run, or NULL. O(lanes). */
struct lot *queue_pick(const struct core *core, const struct kind *kind);
bool queue_before(const struct lot *a, const struct lot *b); /* a is served first */
/* The owner has used so much on so many cpus (or, negative, less than assumed). Moves his lots. */
void queue_charge(struct core *core, struct job *job, int64_t us, uint64_t cpus);
/* Tasks of the lot that could be granted now, were there slots. */
uint64_t queue_grantable(const struct lot *lot);

#endif
