/* Placing: which worker gets which tasks now. Looks at kinds of workers and lanes of jobs, never at all of either. */
#ifndef CORE_PLACE_H
#define CORE_PLACE_H

#include "core/state.h"

/* What a worker has, as it says when it comes; place_worker follows. */
void place_learn(struct core *core, struct worker *worker, const struct msg_ready *ready);
/* A worker came (connected, takes work) or went. */
void place_worker(struct core *core, struct worker *worker);
void place_window(struct core *core, struct worker *worker); /* its window, or what is kept of it, changed */
/* It holds one task more or less. */
void place_outstanding(struct core *core, struct worker *worker, const struct needs *needs, bool more);
/* Grant this worker tasks of the lot, at most so many. It has room for one at least. */
void place_give(struct core *core, struct worker *worker, struct lot *lot, uint32_t most);
/* Grant what can be granted, and tell the workers. At the end of every step. */
void place_all(struct core *core);
/* At most once: the attempt is durable, now the worker may hear of it. */
void place_attempt_durable(struct core *core, uint64_t nonce);
void place_forget_lease(struct core *core, struct lease *lease); /* it ends before it was told */
void place_forget_job(struct core *core, struct job *job);
void place_forget_worker(struct core *core, struct worker *worker); /* its session: it must hear all again */
/* The description changed: tell it again with the next grant. */
void place_spec_changed(struct core *core, struct job *job);

#endif
