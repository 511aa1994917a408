/* Dependencies of elements: element i waits for the element with the same index of another job (after_when `each`). */
#ifndef CORE_EACH_H
#define CORE_EACH_H

#include "core/event.h"
#include "core/state.h"

void each_init(struct core *core);
void each_done(struct core *core);
void each_attach(struct core *core, struct job *job); /* the job is in memory; nothing waits yet */
void each_begin(struct core *core, struct job *job); /* the job is whole: everything waits */
void each_replayed(struct job *job); /* what is parked for a dependency waits again */
/* What waits asks what the store knows of the other job. Only when all that was decided before the job began to wait is
 * committed: later ends come by themselves. */
void each_ask(struct core *core, struct job *job);
void each_ask_all(struct core *core); /* after a replay: each of the other jobs once */
void each_on_answer(struct core *core, struct job_round *answer); /* round->ends is set */
void each_tick(struct core *core); /* reads that failed are asked again */
int64_t each_next_us(const struct core *core); /* mono; -1: nothing to do */
/* These of `on` have a final status; whoever waits hears of it once it is committed. Cheap where nobody waits. */
void each_ended(struct core *core, const struct job *on, const struct spans *which, enum task_status status);
void each_committed(struct core *core, uint64_t on, uint64_t number);
/* job.round is emptied: the elements wait again. person: what has failed before does not matter to them. */
void each_round(struct core *core, struct job *job, bool person);
/* Its rows in the table Aborted are gone: the next abort is written again. */
void each_untold(struct job *job);
/* Elements that were aborted may wait again although the job has not ended: nothing of it is about to change. */
bool each_may_come_back(const struct job *job);
/* Of the job that others wait for, before its round leaves job.round: what was read of it, or is about to be told, is old;
 * once the round is committed it is read again. */
void each_parent_round(struct core *core, const struct job *on);
void each_parent_round_committed(struct core *core, const struct job *on);
void each_why(const struct core *core, const struct job *job, uint32_t at, struct buf *out); /* if it waits */
/* What waits for the k-th such dependency (nothing: no text). False: there is none. */
bool each_why_job(const struct core *core, const struct job *job, size_t k, struct buf *out);
void each_forget(struct core *core, struct job *job);
/* The first job that this position still waits for; 0: none. */
uint64_t each_missing(const struct job *job, uint32_t at);

#endif
