/* Leases: which tasks are out, with whom, and under which (epoch, attempt, nonce). */
#ifndef CORE_LEASE_H
#define CORE_LEASE_H

#include "core/state.h"

/* The tasks [lo, lo + n) of a lot, none of them out yet (lease_add puts them in). */
struct lease *lease_new(struct core *core, struct lot *lot, struct worker *worker, uint32_t lo, uint32_t n,
                        uint64_t nonce);
void lease_free(struct core *core,
                struct lease *lease); /* its tasks must be accounted for, or the job goes too */
struct lease *lease_find(const struct core *core, uint64_t nonce);
uint64_t lease_draw(struct core *core); /* 64 random bits, drawn from those of the event */
uint64_t lease_nonce(struct core *core); /* fresh */

enum lease_bit { LEASE_OUT, LEASE_STARTED, LEASE_CANCELLED };
bool lease_has(const struct lease *lease, enum lease_bit bit, uint32_t position);
void lease_set(struct lease *lease, enum lease_bit bit, uint32_t position);

void lease_add(struct core *core, struct lease *lease, uint32_t position); /* now out */
/* No longer out: true if it had started. The lease stays, also empty: lease_settle frees it. */
bool lease_drop(struct core *core, struct lease *lease, uint32_t position);
void lease_settle(struct core *core, struct lease *lease); /* frees it if nothing of it is out */

/* These tasks run (tell the store); those that had started already are left alone. `which` has positions. */
void lease_started(struct core *core, struct lease *lease, const struct spans *which, int64_t started_us);
/* The worker is gone or has given these up: queued again, ended as cancelled, failed (crash-limit) or lost. */
void lease_give_up(struct core *core, struct lease *lease, const struct spans *which,
                   enum task_reason reason);
void lease_lose_all(struct core *core, struct worker *worker, enum task_reason reason);
/* Ask the worker to end these (cancel), or to drop them silently (not his any more). */
void lease_stop(struct core *core, struct lease *lease, const struct spans *which, enum task_reason reason);

/* The positions of the lease for which all the bits asked are as asked. */
void lease_collect(const struct lease *lease, struct spans *out);

#endif
