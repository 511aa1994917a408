/* A task that ran out of memory needs more for its next attempt, if its job says so: --mem 4G,x2,max=32G. */
#ifndef CORE_MEMORY_H
#define CORE_MEMORY_H

#include "core/state.h"

/* These ran out of memory once more: from now on they belong to a lot with more of it (lot_of). */
void memory_ran_out(struct core *core, struct job *job, const struct spans *which);
/* The same from what the database knows: so many of their earlier attempts ended oom. */
void memory_replayed(struct core *core, struct job *job, const struct spans *which, uint32_t ooms);
/* The description says something else of memory: those that ran out belong to lots of what that makes of it. */
void memory_needs_changed(struct core *core, struct job *job);
/* Bytes after so many attempts that ran out; 0: nothing is said. */
uint64_t memory_bytes(const struct rec_job_spec *spec, uint32_t ooms);

#endif
