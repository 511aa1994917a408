/* A lot is what the queue places: tasks of one job that need the same. Most jobs are one lot, the plain one, which also
 * owns the cursor; tasks that need something else than the job's description says lie in further ones. */
#ifndef CORE_LOT_H
#define CORE_LOT_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "core/needs.h"
#include "core/spans.h"

struct core;
struct job;
struct bucket;

struct lot_key {
        struct needs *needs;
        uint64_t shape;
};

struct lot {
        struct job *job;
        struct needs *needs;
        uint32_t shape; /* whose tasks these are (shape.h); 0: what the description says */
        struct lot_key key; /* the same two, for hh */
        uint32_t no; /* within the job; 0: the plain one */
        struct spans again; /* granted before (or never to be reached by the cursor), waiting to be granted */
        struct bucket *bucket; /* NULL: nothing of it can be granted now */
        size_t ready_place; /* in its bucket */
        int64_t blocked_us; /* mono; since when it is first in order and fits nowhere; 0: it is not */
        struct worker *reserved; /* whose room is kept for it */
        struct lot *reserved_next, *reserved_prev;
        struct lot *next, *prev; /* of the job, by number */
        UT_hash_handle hh; /* of the job's further lots, by key */
};

void lot_init_plain(struct core *core, struct job *job);
void lot_done_all(struct core *core, struct job *job); /* with the job */
/* The job's lot of this shape with these needs; made if there is none. A lot stays until its job goes: what bounds them is
 * how many different needs a job may name. O(1). */
struct lot *lot_get(struct core *core, struct job *job, uint32_t shape, struct needs *needs);
/* The description asks for something else now: what is at home, and what comes back, belongs to lots of those needs. Leases
 * keep what they were granted with. The job is in no bucket. */
void lots_needs_changed(struct core *core, struct job *job);
/* Where a task at home belongs. */
struct lot *lot_of(struct job *job, uint32_t position);

/* All lots together. */
/* Moves these to `lot`, or (NULL) each to where it belongs. */
void lots_again_add(struct job *job, struct lot *lot, struct spans *from);
uint64_t lots_again_within(const struct job *job, uint32_t lo, uint32_t hi);
const struct span *lots_again_find(const struct job *job, uint32_t position);
void lots_again_take(struct job *job, uint32_t lo, uint32_t hi, struct spans *into);

#endif
