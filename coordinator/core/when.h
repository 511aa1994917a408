/* Jobs with times: not before --at, aborted what has not started until --start-by. Both are times of the wall clock; one
 * that was given as a delay counts from the job's acceptance, which is stored. */
#ifndef CORE_WHEN_H
#define CORE_WHEN_H

#include "core/state.h"

void when_init(struct core *core);
void when_done(struct core *core);
/* From the description and submitted_us; job_home says waiting while it is too early. fresh: nothing of the job was ever
 * granted, else only its start-by counts, and an `at` that was set since (spec.at_set). */
void when_attach(struct core *core, struct job *job, bool fresh);
/* Its times in the description are others: it may be too early from now on, or no more. */
void when_changed(struct core *core, struct job *job);
void when_forget(struct core *core, struct job *job);
/* Tasks of it were granted before: it was not too early. */
void when_was_met(struct core *core, struct job *job);
/* A person wants tasks of it to run: a start-by that has passed is over, for good (it leaves the description). */
bool when_new_round(struct core *core, struct job *job);
/* Its start-by has passed and these never ran: they are ended as aborted. True if so. */
bool when_abort_late(struct core *core, struct job *job, const struct spans *which,
                     const struct span *counts);
void when_tick(struct core *core);
int64_t when_next_us(const struct core *core); /* mono; -1: none */
int64_t when_at_us(const struct rec_job_spec *spec, int64_t submitted_us); /* wall; 0: none */
int64_t when_start_by_us(const struct rec_job_spec *spec, int64_t submitted_us); /* the same */

#endif
