/* Single tasks that wait for something of their own while the rest of their job goes on: a parent inside a graph or of
 * the same index elsewhere, a time, a person. They are in job.parked, are counted as waiting (held while the job is, or
 * a person holds them), and no grant reaches them. Whoever parks says why, and lets go only what he parked himself. */
#ifndef CORE_PARK_H
#define CORE_PARK_H

#include "core/state.h"

/* The note of a span in job.parked, bits: a task can be held and wait for another thing as well. After a restart the row
 * says of the first two which it is; that a person holds it stands in the description (keep.h), not in the row. */
enum park {
        PARK_DEPENDENCY = 1, /* reason dependency */
        PARK_TIME = 2, /* no reason */
        PARK_HELD = 4, /* counted as held; above this bit the number of the keep that says who */
};
#define PARK_BITS 3

/* Positions that are at home (never granted, or to be granted again) wait from now on; others of `which` are left
 * alone. A position that may still be adopted, in limbo, is at home too but stays there. Returns how many were parked.
 * Counts go along WAIT, rows say waiting. Not between a job's submission and its commit (JOB_NEW in life). */
uint64_t park_tasks(struct core *core, struct job *job, const struct spans *which, enum park why);
/* The same for PARK_TIME; their rows hold until_us (wall), for a restart. */
uint64_t park_tasks_until(struct core *core, struct job *job, const struct spans *which, int64_t until_us);
/* The same for positions that the caller has taken from where they were, counted at home; empties *take. */
void park_taken(struct core *core, struct job *job, struct spans *take, enum park why);
/* What they were parked for came (not PARK_HELD): those of `which` that have no other reason can be granted; those without
 * this one are left alone. Returns how many had it. They are granted when their row says so: a row that waits was never
 * granted. */
uint64_t park_release(struct core *core, struct job *job, const struct spans *which, enum park why);

/* A person holds them until park_let_go: those that can be granted at some time, but for limbo; those that are parked; both.
 * number: of the keep. Return how many were not held yet. No row is written or need exist. */
uint64_t park_hold_free(struct core *core, struct job *job, const struct spans *which, uint32_t number);
uint64_t park_hold_waiting(struct core *core, struct job *job, const struct spans *which, uint32_t number);
uint64_t park_hold(struct core *core, struct job *job, const struct spans *which, uint32_t number);
/* Returns how many were held. What can be granted is when that is committed: what is said to be held was never granted. */
uint64_t park_let_go(struct core *core, struct job *job, const struct spans *which);
/* What tasks_cool was waiting for is committed; *from is empty afterwards. */
void park_thawed(struct job *job, const struct thaw *thaw, struct spans *from);
/* A restart found them held: no worker has them. They can be granted, unless a note says otherwise. */
void park_leave_limbo(struct job *job, const struct spans *which);

/* From the row of a task that waits, below the cursor; counts are settled by park_settle. */
void park_replayed(struct job *job, const struct span *run, bool dependency);
/* The same for everything above the cursor: it waits for a dependency and was never granted. */
void park_rest(struct job *job);
void park_settle(struct job *job); /* n[QUEUED] still has those that were replayed */

enum task_status park_home(const struct job *job); /* held or waiting */
void park_rehome(struct core *core, struct job *job); /* the job was held or released */
/* Rows were made or the mark was raised: what was let go before that can be granted now. */
void park_ripen(struct job *job);
/* How many of [lo, hi] the next ones take. */
uint64_t park_count_free(const struct job *job, uint32_t lo, uint32_t hi);
uint64_t park_count(const struct job *job, uint32_t lo, uint32_t hi, bool held); /* held, or not */
/* What is at home within [lo, hi] leaves its place and goes to `into`: those that can be granted at some time but for
 * limbo (remember: the cursor passes over those that never were); those that are parked and not held, or held (they go
 * where the free ones are counted). */
void park_take_free(struct job *job, uint32_t lo, uint32_t hi, bool remember, struct spans *into);
void park_take_waiting(struct core *core, struct job *job, uint32_t lo, uint32_t hi, struct spans *into);
void park_take_held(struct core *core, struct job *job, uint32_t lo, uint32_t hi, struct spans *into);

#endif
