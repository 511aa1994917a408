/* Dependencies of whole jobs on whole jobs: ok, any, notok. */
#ifndef CORE_DEPS_H
#define CORE_DEPS_H

#include "core/state.h"

/* After the job is in memory: those it waits for that are in memory. */
void deps_attach(struct core *core, struct job *job);
/* The same for those that are not over yet; the others count as met: a person wants a new round. */
void deps_attach_open(struct core *core, struct job *job);
/* What became of a job that had ended before (or is not known any more): `met` or the job is aborted. */
void deps_answer(struct core *core, struct job *job, size_t k, bool found, enum task_status status);
/* Ask for those that are not in memory; their answers come by themselves. */
void deps_ask(struct core *core, struct job *job);
/* The job's end is committed: whoever waits for it goes on or is aborted. */
void deps_release(struct core *core, struct job *job);
/* A worker holds a task of it, so what it waits for (again, after a restart) had come before. */
void deps_were_met(struct core *core, struct job *job);
void deps_forget(struct core *core, struct job *job);

#endif
