/* Single tasks that wait for something of their own while the rest of their job goes on: a parent inside a graph or of
 * the same index elsewhere, a time. They are in job.parked, are counted as waiting (held while the job is held), and no
 * grant reaches them. Whoever parks says why, and lets go only what he parked himself. */
#ifndef CORE_PARK_H
#define CORE_PARK_H

#include "core/state.h"

enum park { /* the note of a span in job.parked; the reason of the row says it after a restart */
            PARK_DEPENDENCY = 1, /* reason dependency */
            PARK_TIME, /* no reason */
};

/* Positions that are at home (never granted, or to be granted again) wait from now on; others of `which` are left
 * alone. A position that may still be adopted, in limbo, is at home too but stays there. Returns how many were parked.
 * Counts go along WAIT, rows say waiting. Not between a job's submission and its commit (JOB_NEW in life). */
uint64_t park_tasks(struct core *core, struct job *job, const struct spans *which, enum park why);
/* The same for PARK_TIME; their rows hold until_us (wall), for a restart. */
uint64_t park_tasks_until(struct core *core, struct job *job, const struct spans *which, int64_t until_us);
/* The same for positions that the caller has taken from where they were, counted at home; empties *take. */
void park_taken(struct core *core, struct job *job, struct spans *take, enum park why);
/* What they were parked for came: those still parked for `why` can be granted; others of `which` are left alone. They
 * are granted when their row says so: a row that waits was never granted. */
void park_release(struct core *core, struct job *job, const struct spans *which, enum park why);
/* From the row of a task that waits, below the cursor; counts are settled by park_settle. */
void park_replayed(struct job *job, const struct span *run, bool dependency);
/* The same for everything above the cursor: it waits for a dependency and was never granted. */
void park_rest(struct job *job);
void park_settle(struct job *job); /* n[QUEUED] still has those that were replayed */

enum task_status park_home(const struct job *job); /* held or waiting */
void park_rehome(struct core *core, struct job *job); /* the job was held or released */
/* Rows were made or the mark was raised: what was let go before that can be granted now. */
void park_ripen(struct job *job);
/* What is at home within [lo, hi] leaves its place and goes to `into`: those that can be granted at some time but for
 * limbo (remember: the cursor passes over those that never were), those that are parked (they go where the free ones are
 * counted). */
void park_take_free(struct job *job, uint32_t lo, uint32_t hi, bool remember, struct spans *into);
void park_take_parked(struct core *core, struct job *job, uint32_t lo, uint32_t hi, struct spans *into);

#endif
