/* What a worker says about its tasks. */
#ifndef CORE_FINISH_H
#define CORE_FINISH_H

#include "core/reply.h"

void finish_on_finished(struct core *core, struct worker *worker, const struct asker *asker, struct msg *msg);
void finish_on_started(struct core *core, struct worker *worker, const struct asker *asker,
                       const struct msg *msg);
void finish_on_store(struct core *core, struct worker *worker, const struct asker *asker,
                     const struct msg *msg);
void finish_on_fetch(struct core *core, struct worker *worker, const struct asker *asker,
                     struct msg **take_msg);

/* The lease under which this worker has that task out now, or NULL. */
struct lease *finish_out_lease(const struct core *core, const struct worker *worker, uint64_t job,
                               uint64_t nonce, uint64_t index);
/* The positions of a lease that these index ranges name, ascending and within it; false if some are not its own. */
bool finish_positions(const struct lease *lease, const struct range *ranges, size_t n, struct spans *out);

#endif
