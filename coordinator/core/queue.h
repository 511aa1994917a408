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
/* The first lot in order that some hungry worker of this kind has room for. O(lanes). */
struct pick {
        struct lot *lot; /* NULL: none */
        struct worker *worker;
        struct lot *blocked; /* the first one that comes before it, and for which none has room; NULL: none */
};
struct pick queue_pick(struct core *core, struct kind *kind, enum hunger hunger);
/* The first one that fits this worker now and has a time limit of at most so much. */
struct lot *queue_pick_within(struct core *core, struct worker *worker, int64_t limit_us);
/* The first one that workers of this kind could ever run, room or not. */
struct lot *queue_first(const struct core *core, struct kind *kind);
/* Nothing of this owner is picked any more, or again. */
void queue_owner_shut(struct core *core, struct owner *owner, bool shut);
bool queue_may_start(const struct lot *lot); /* it is ready, and its queue lets it */
bool queue_before(const struct lot *a, const struct lot *b); /* a is served first */
/* The owner has used so much on so many cpus (or, negative, less than assumed). Moves his lots. */
void queue_charge(struct core *core, struct job *job, int64_t us, uint64_t cpus);
/* For checks: of each lane and level the least served owner comes first. O(buckets). */
bool queue_is_in_order(const struct core *core);
/* Tasks of the lot that could be granted now, were there slots. */
uint64_t queue_grantable(const struct lot *lot);

#endif
