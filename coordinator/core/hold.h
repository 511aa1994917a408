/* hold and release, of whole jobs and of single tasks. */
#ifndef CORE_HOLD_H
#define CORE_HOLD_H

#include "core/reply.h"
#include "core/state.h"

void hold_tasks(struct core *core, const struct asker *asker, struct job *job, const struct msg_hold *ask);
void hold_release(struct core *core, const struct asker *asker, struct job *job,
                  const struct msg_release *ask);

#endif
