/* Why a job or a task waits, and the coordinator's numbers. */
#ifndef CORE_WHY_H
#define CORE_WHY_H

#include "core/reply.h"

void why_on_why(struct core *core, const struct asker *asker, struct msg **take_msg);
void why_on_status(struct core *core, const struct asker *asker);

#endif
