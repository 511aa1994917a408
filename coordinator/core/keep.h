/* Who holds single tasks of a job, or all of it, and why. What is held is in job.parked (park.h); what a worker still has
 * and is asked to give back is in job.keeps.coming. Both are written with the description, so that a restart knows them;
 * rows of Tasks say nothing of it, however many tasks are held. */
#ifndef CORE_KEEP_H
#define CORE_KEEP_H

#include "core/state.h"

#define KEEPS_MAX 250 /* of one job: who and why are texts, and the description is written with all of them */
#define KEEP_PIECES_MAX 4096 /* runs of held tasks: the same */

/* A number for it, from 1; 0: there are too many. reason may be NULL. What nothing is held for any more is forgotten. */
uint32_t keep_new(const struct core *core, struct job *job, struct principal_id who, const char *reason);
uint32_t keep_note(uint32_t number); /* as the note of a run in job.parked or job.keeps.coming */
const struct keep *keep_of(const struct job *job, uint32_t note); /* NULL: nobody said */
/* Would it still fit into the description, with so many more runs? */
bool keep_fits(const struct job *job, uint64_t pieces);

/* These are with workers, or may be: they are held if they come back. Those that were asked for already are left alone;
 * returns how many were not. */
uint64_t keep_ask_back(struct core *core, struct job *job, const struct spans *which, uint32_t number);
uint64_t keep_forget(struct core *core, struct job *job, uint32_t lo,
                     uint32_t hi); /* not any more: how many */
void keep_came_back(struct core *core, struct job *job, const struct spans *which); /* they are at home now */
void keep_let_run(struct core *core, struct job *job, const struct spans *which); /* they started, or ended */
void keep_let_one_run(struct core *core, struct job *job, uint32_t position);
void keep_changed(struct core *core, struct job *job); /* job.parked or job.keeps.coming: to be written */

/* A copy of the description with all this in it, and the indexes that are held. The caller frees both. */
struct job_spec_box *keep_dup_spec(struct job *job, struct store_held **ret_held, size_t *ret_n);
/* From a description that was read, when everything else of the job is in its place. */
void keep_replayed(struct core *core, struct job *job);
void keep_free(struct job *job);

#endif
