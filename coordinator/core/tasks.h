/* What is written about tasks: rows of Tasks and Attempts that change, always as ranges of tasks that are alike. */
#ifndef CORE_TASKS_H
#define CORE_TASKS_H

#include "core/job.h"

/* What tasks that ended alike have in common; times are the caller's (0 for tasks that never started). */
struct outcome {
        enum task_status status;
        enum task_reason reason;
        uint8_t exit_code, exit_signal;
        uint32_t attempt, tries, crashes;
        uint32_t worker;
        uint64_t nonce;
        int64_t started_us, ended_us;
        int64_t cpu_us, rss_kib; /* 0: not known */
};

/* Final status for these positions. The returned operation has one value for all times; a caller that knows better
 * replaces them. Counts (job_move) are the caller's. */
struct store_task_end *tasks_write_end(struct core *core, struct job *job, const struct spans *which,
                                       const struct outcome *outcome);
/* Not final: queued again or running. `lease` may be NULL (worker and nonce 0, unless the caller knows better). */
struct store_task_state *tasks_write_state(struct core *core, struct job *job, const struct spans *which,
                                           enum task_status status, enum task_reason reason,
                                           const struct span *counts, const struct lease *lease);
/* This attempt is not the newest any more. */
void tasks_write_attempt(struct core *core, struct job *job, uint32_t position,
                         const struct outcome *outcome);
void tasks_write_attempts(struct core *core, struct job *job, const struct spans *which,
                          const struct outcome *outcome);
/* Back to what waits for a slot, with these counts. durable: only when what was written so far is committed, so that a
 * lease whose attempt is used up can never be adopted after the next one was granted. */
void tasks_again(struct core *core, struct lot *lot, const struct spans *which, const struct span *counts,
                 bool durable);
void tasks_again_home(struct core *core, struct job *job, const struct spans *which,
                      const struct span *counts, bool durable); /* each to the lot where it belongs */
/* These, which the caller has taken from where they were, can be granted when what was written so far is committed.
 * Empties *take. was_held: a person held them until now. */
void tasks_cool(struct core *core, struct job *job, struct spans *take, bool was_held);
void tasks_thaw(struct core *core, struct job *job, uint64_t number); /* that commit happened */

#endif
