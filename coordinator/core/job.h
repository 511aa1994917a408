/* Jobs: their life in memory, and the one place that moves tasks from status to status. */
#ifndef CORE_JOB_H
#define CORE_JOB_H

#include "core/state.h"

enum trigger {
        TRIGGER_RELEASE,
        TRIGGER_HOLD,
        TRIGGER_MET,
        TRIGGER_WAIT,
        TRIGGER_START,
        TRIGGER_END,
        TRIGGER_AGAIN,
        TRIGGER_CRASH,
        TRIGGER_ADOPT,
        TRIGGER_SWEEP,
        TRIGGER_ROUND,
};

uint64_t *job_edge_counters(void); /* one an edge of task_state.def, zero; owned by the caller */
struct job *job_find(const struct core *core, uint64_t id);
/* A job in memory with all its tasks at home. Takes *take_spec; indexes were made from it. */
struct job *job_new(struct core *core, struct job_id id, struct principal_id owner,
                    struct job_spec_box **take_spec, struct indexes *take_indexes);
void job_free(struct core *core, struct job *job);
void job_set_key(struct core *core, struct job *job, const uint8_t key_hash[16]);
/* Also one whose key may still prove taken (job->claimed). */
struct job *job_find_key(const struct core *core, struct principal_id owner, const uint8_t key_hash[16]);

/* Tasks that are not granted are at home: held, waiting or queued, all of a job alike. */
enum task_status job_home(const struct job *job);
/* The home may have changed (hold, release, a dependency met): move those that are not granted. */
void job_rehome(struct core *core, struct job *job);
/* n tasks go from one status to another; an edge that is not in task_state.def is a bug. */
void job_move(struct core *core, struct job *job, enum task_status from, enum trigger trigger,
              enum task_status to, uint64_t n);
bool job_was_granted(
        const struct job *job); /* something of it has run, or may have: it does not wait again */
uint64_t job_final(const struct job *job); /* tasks with a final status */
/* Words of statuses as a bit each; failed counts timeout, oom and lost too. Words that are none are left out. */
uint32_t job_status_bits(const char *const *words, size_t n);
enum task_status job_status(const struct job *job);
void job_state_fill(const struct job *job, struct job_state *state);
void job_counts_fill(const struct job *job, struct rec_job_counts *counts);
void job_write_spec(struct core *core, struct job *job); /* its description has changed */
void job_set_dirty(struct core *core, struct job *job);
void job_flush(struct core *core); /* counts of dirty jobs */
/* Ends that are written now are told by a fact of this number; those written later by a higher one. */
uint64_t job_end_fact(struct core *core, struct job *job);
/* Has its last task ended? Then it is over, and everybody hears of it when that is committed. */
void job_check_end(struct core *core, struct job *job);
/* It is whole, and not committed yet: tasks that depend on other tasks wait from now on. */
void job_begin(struct core *core, struct job *job);
/* It came to life (its submission is committed, or replay is done): start what it can. */
void job_live(struct core *core, struct job *job);

#define QUEUES_MAX 1000 /* people make them by naming them: each is a row of every listing, for ever */
struct queue *job_queue_find(const struct core *core, const char *name); /* NULL: none of that name */
/* Queue row by name, made (in memory and in the store) if new. */
/* Naming a queue makes it, as long as there are not too many. */
bool job_queues_fit(const struct core *core, const struct msg_submit *submit);
struct queue *job_queue(struct core *core, const char *name);
struct queue *job_queue_put(struct core *core, const struct store_queue *row);

#endif
