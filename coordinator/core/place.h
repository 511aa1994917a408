/* Placing: which worker gets which tasks now. Looks at kinds of workers and lanes of jobs, never at all of either. */
#ifndef CORE_PLACE_H
#define CORE_PLACE_H

#include "core/state.h"

/* A worker came (connected, takes work), went, or changed what it wants. */
void place_worker(struct core *core, struct worker *worker);
/* It holds one task more or less. */
void place_outstanding(struct core *core, struct worker *worker, uint32_t cpus, bool more);
/* Grant what can be granted, and tell the workers. At the end of every step. */
void place_all(struct core *core);
/* At most once: the attempt is durable, now the worker may hear of it. */
void place_attempt_durable(struct core *core, uint64_t nonce);
void place_forget_lease(struct core *core, struct lease *lease); /* it ends before it was told */
void place_forget_job(struct core *core, struct job *job);
void place_forget_worker(struct core *core, struct worker *worker); /* its session: it must hear all again */
/* The description changed: tell it again with the next grant. */
void place_spec_changed(struct core *core, struct job *job);
/* Connected workers that could ever run a task with these needs. */
/* Workers of this kind can run tasks with these needs. */
bool place_fits(const struct kind *kind, const struct needs *needs);
uint64_t place_suitable(const struct core *core, const struct needs *needs);

#endif
