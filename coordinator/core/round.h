/* A person asks for a new round: tasks that ended without success are queued again. */
#ifndef CORE_ROUND_H
#define CORE_ROUND_H

#include "core/reply.h"

/* The rights are checked; what ended is not in memory and must be read, once the job stands still. */
void round_ask(struct core *core, const struct asker *asker, struct msg **take_msg);
/* Reads the jobs of those retries that wait and need not any more. After whatever may have let a job stand still. */
void round_go_on(struct core *core);
void round_on_answer(struct core *core, struct job_round *round);
/* A retry of this job is being read. */
bool round_is_read(const struct core *core, uint64_t job);
/* It was read as committed, all of it over; its tasks that were aborted for a dependency wait again. False: none. */
bool round_bring_dependant(struct core *core, struct job_round *round);
bool round_is_over(const struct job_round *round);
void round_committed(struct core *core, struct job *job);
void round_done_all(struct core *core);

#endif
