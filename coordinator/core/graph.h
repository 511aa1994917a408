/* Dependencies between the tasks of one job. Each entry of such a job is: its name; a byte 1 and its parents, as
 * positions from 1 with a letter in front where not all that counts is success (`3 a5 n7`: 3 succeeded, 5 ended, 7 did
 * not succeed); a byte 1 and the task's own description. Eight bytes an edge, nine a task. */
#ifndef CORE_GRAPH_H
#define CORE_GRAPH_H

#include "core/state.h"

struct job_round;

/* The job is made: its edges come with its entries. done: tasks at positions below succeeded, unless said otherwise. */
void graph_attach(struct job *job, uint32_t done);
void graph_free(struct core *core, struct job *job);
/* A chunk of entries; they count in their order, others are passed over. NULL: it cannot be read. */
void graph_put(struct core *core, struct job *job, uint32_t no, const uint8_t *bytes, size_t n_bytes);
void graph_load(struct core *core, struct job *job); /* ask for the edges that are missing */
/* All tasks wait; those without parents do not. While the job is being submitted. */
void graph_begin(struct core *core, struct job *job);
/* The job is live. A circle of tasks that wait for each other ends it: who sent that never asked whether it is one. Edges
 * that a restart has not read are asked for. */
void graph_live(struct core *core, struct job *job);
/* What a row says after a restart. */
void graph_replayed(struct job *job, const struct spans *which, bool final);
/* These have ended. At the end of the step, in the same batch, their children are let go or aborted (graph_pass_on): O(log n)
 * for each of their edges. */
void graph_ended(struct core *core, struct job *job, const struct spans *which, enum task_status status);
void graph_pass_on(struct core *core);
/* A new round of everything in job.round, which is emptied: they wait for their parents again. wanted: those of them
 * that a person named; what has failed before does not matter to them. */
void graph_round(struct core *core, struct job *job, const struct spans *wanted);
void graph_why(const struct job *job, uint32_t at, struct buf *out); /* which parents are missing */
bool graph_is_ready(const struct job *job); /* its edges are read; else nothing is known of parents */
bool graph_has_parents(const struct job *job, uint32_t at);
bool graph_has_parent(const struct job *job, uint32_t at, uint32_t parent);
void graph_parents(const struct job *job, uint32_t at, struct spans *out);
/* It left a result. Of what ended before a restart that is always taken for so. */
void graph_gave_result(struct job *job, uint32_t at);
bool graph_parents_left_results(const struct job *job, uint32_t at);
uint32_t graph_find_parents(const struct job *job, uint32_t at, uint32_t *out, uint32_t most);

#endif
