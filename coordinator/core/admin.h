/* People, keys, roles, grants, workers, queues. */
#ifndef CORE_ADMIN_H
#define CORE_ADMIN_H

#include "core/reply.h"

void admin_on_message(struct core *core, const struct asker *asker, struct msg **take_msg);

#endif
