/* Reading back one job and its tasks: for the replay at start and for a retry by a person. */
#ifndef ADAPTERS_STORE_TASKS_READ_H
#define ADAPTERS_STORE_TASKS_READ_H

#include "adapters/db.h"
#include "core/event.h"

struct store_positions { /* from … to - 1 */
        uint64_t from, to;
};

typedef void store_tasks_fn(void *arg, const struct replay_tasks *tasks);

/* Rows that `statement` (replay_tasks, round_tasks) finds for these positions, ascending by position; rows that are
 * alike and follow each other come as one. Streamed: O(1) memory. */
int store_read_tasks(struct db *db, const char *statement, struct job_id job, const struct rec_job_spec *spec,
                     struct store_positions positions, store_tasks_fn *each, void *arg,
                     struct err *err) MUST_CHECK;

#endif
