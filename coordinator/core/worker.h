/* Workers: sessions, what they say about themselves, and when they are lost. */
#ifndef CORE_WORKER_H
#define CORE_WORKER_H

#include "core/reply.h"

struct worker *worker_find(const struct core *core, uint32_t id);
struct worker *worker_get(struct core *core, struct principal_id id); /* made if new */
const char *worker_name(const struct core *core, const struct worker *worker);

/* Any message of a worker key: who it is, whether its session is the current one, then to its handler. */
void worker_on_message(struct core *core, const struct asker *asker, struct msg **take_msg);
void worker_session_lost(struct core *core, struct session_id session); /* leases go on */
/* No sign for one lease, or its key is revoked: everything it held is given up. */
void worker_lost(struct core *core, struct worker *worker, const char *why);
void worker_order(struct core *core, struct worker *worker, enum worker_order order);
void worker_tick(struct core *core);
void worker_known_before(struct core *core, const struct store_worker *row); /* replay */
void worker_init(struct core *core);
void worker_free_all(struct core *core);
int64_t worker_next_deadline(const struct core *core); /* -1: none */

#endif
