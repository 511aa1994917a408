/* What a task may read of those that it waited for: their results, and the output that is its stdin. */
#ifndef CORE_PARENTS_H
#define CORE_PARENTS_H

#include "core/reply.h"

struct pending;

/* May a parent of one of these tasks (positions) have left a result? False only where that is known. O(edges of the tasks). */
bool parents_may_have_results(const struct job *job, uint32_t lo, uint32_t n);
void parents_note_chunk(struct job *job, const struct rec_task_chunk *chunk); /* recorded with a task's end */
/* May whoever asks follow all jobs that this description names, and read what is to be its stdin? */
bool parents_may_follow(const struct core *core, const struct pending *pending,
                        const struct rec_job_spec *spec);
/* The worker must hold the task, and the task must have waited for what is read. */
void parents_on_fetch(struct core *core, struct worker *worker, const struct asker *asker,
                      struct msg **take_msg);
/* Is what the description says of stdin_job sound by itself? */
int parents_check(const struct rec_job_spec *spec, struct err *err) MUST_CHECK;

#endif
