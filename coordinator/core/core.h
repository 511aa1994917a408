/* The coordinator's decisions: jobs, tasks, queue, placement, dependencies, retries, access. Pure: given its state
 * and an event it changes the state and appends effects. No socket, SQL, clock, random number or log. */
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include "core/effect.h"
#include "core/event.h"

struct core;

struct core *core_new(void);
void core_free(struct core *core);
DEFINE_CLEANUP(struct core, core_free)

/* One event. Effects are appended to `out` in the order in which they must be carried out. */
void core_step(struct core *core, struct event *event, struct effects *out);

/* Append what is written once a batch rather than once an event: counts of changed jobs, progress for watchers. The
 * app calls it right before it hands a batch to the store. O(1) when nothing is dirty. */
void core_flush(struct core *core, struct effects *out);
bool core_dirty(const struct core *core); /* core_flush would append something */

/* Monotonic time of the next EVENT_TICK that the core wants, in microseconds; -1: none. */
int64_t core_next_deadline_us(const struct core *core);

/* Which decoder a message from this key needs: MSG_C2S or MSG_W2S, or -1 for a key that is unknown, revoked or
 * expired at wall_us. */
int core_direction_of(const struct core *core, const char *public_key, int64_t wall_us);

/* Numbers for `status`, the metrics page and tests. */
struct core_numbers {
        uint64_t workers, sessions, jobs_unfinished, tasks_granted, tasks_queued, events, grants, ends;
        uint64_t waiting_p50_ms, waiting_p95_ms; /* from submission to grant, lately */
};
struct core_numbers core_numbers(const struct core *core); /* O(unfinished jobs) */

/* How often tasks took each edge of task_state.def, for the simulation. The name is NULL beyond the last. */
uint64_t core_edge_hits(const struct core *core, size_t edge);
const char *core_edge_name(size_t edge);

#endif
