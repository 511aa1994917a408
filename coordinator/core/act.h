/* Acting on jobs: cancel, hold, release, signal, set, retry. */
#ifndef CORE_ACT_H
#define CORE_ACT_H

#include "core/reply.h"

void act_on_message(struct core *core, const struct asker *asker, struct msg **take_msg);
void act_cancel_job(struct core *core, struct job *job); /* all of it; granted tasks are asked to stop */

#endif
