/* Messages of people's keys. */
#ifndef CORE_CLIENT_H
#define CORE_CLIENT_H

#include "core/reply.h"

void client_on_message(struct core *core, const struct asker *asker, struct event *event);

#endif
