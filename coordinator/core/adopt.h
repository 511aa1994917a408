/* After a restart: tasks that were granted before and have no final status wait in limbo until their worker says that it
 * holds them, every known worker has spoken, or one lease has passed. */
#ifndef CORE_ADOPT_H
#define CORE_ADOPT_H

#include "core/state.h"

/* A worker says ready: leases that it names stay or are adopted, those it does not name are given up. `fresh`: it is
 * another process than before, so that what it had started died with it. */
void adopt_reconcile(struct core *core, struct worker *worker, const struct msg_ready *ready, bool fresh);
/* Nobody can come any more: what is in limbo is queued again, or ends. */
void adopt_release_all(struct core *core);
void adopt_check(struct core *core); /* is it time for that? */

#endif
