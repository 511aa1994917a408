/* A person asks for a new round: tasks that ended without success are queued again. */
#ifndef CORE_ROUND_H
#define CORE_ROUND_H

#include "core/reply.h"

/* The rights are checked; what ended is not in memory and must be read. */
void round_ask(struct core *core, const struct asker *asker, struct msg **take_msg);
void round_on_answer(struct core *core, struct job_round *round);
void round_committed(struct core *core, struct job *job);
void round_done_all(struct core *core);

#endif
