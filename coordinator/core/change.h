/* What a job asks for, changed by a person while it is unfinished (`set`). */
#ifndef CORE_CHANGE_H
#define CORE_CHANGE_H

#include "core/reply.h"

/* All that the message says holds, or nothing of it. Of a job that is live. */
void change_set(struct core *core, const struct asker *asker, struct job *job, const struct msg_set *ask);
/* The run limits of what this worker holds, as they are now: it may have missed a change. */
void change_tell_limits(struct core *core, const struct worker *worker);

#endif
