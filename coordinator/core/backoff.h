/* Back-off: tasks of which an attempt failed wait before the next one. They are parked (park.h) until their time comes. */
#ifndef CORE_BACKOFF_H
#define CORE_BACKOFF_H

#include "core/state.h"

struct backoff { /* tasks of a job whose waits end together */
        struct job *job;
        int64_t due_us; /* mono */
        struct spans
                which; /* attempt: their last one; whoever has a later one by then does not wait for this */
        size_t place; /* in core.backoffs */
        struct backoff *next, *prev; /* of the job */
};

void backoff_init(struct core *core);
void backoff_done(struct core *core);
/* How long to wait after an attempt, the tries-th that ended by itself; 0: not at all. Without what chance adds. */
int64_t backoff_us(const struct rec_job_spec *spec, uint32_t tries);
/* These tasks are at home again after that attempt: they wait from now on. Large sets are cut, so that chance can spread
 * them. */
void backoff_start(struct core *core, struct job *job, const struct spans *which, const struct span *counts);
/* A row of a task that waits for its time, and that has come: it may have been granted just before the stop, so that its
 * worker is waited for, as for any other that was. */
bool backoff_is_over(const struct core *core, const struct replay_tasks *tasks);
/* A row of a task that waits for its time, until until_us (wall). A clock that was set back lengthens no wait beyond its
 * longest. */
void backoff_replayed(struct core *core, struct job *job, const struct spans *which, uint32_t attempt,
                      int64_t until_us);
void backoff_forget_job(struct core *core, struct job *job);
void backoff_tick(struct core *core);
int64_t backoff_next_us(const struct core *core); /* mono; -1: none */
uint64_t backoff_count(const struct job *job); /* tasks that wait, for `why` */
/* Until when this position waits; -1: it does not. For `why`. O(waits of the job). */
int64_t backoff_until_us(const struct job *job, uint32_t position);

#endif
