/* What the core wants done. core_step appends; the app carries out.
 *
 *   store  the op joins the open batch: one transaction, in order
 *   send   a message to a session. now: at once. commit: after the open batch's transaction has committed, never if
 *          it fails (every acknowledgement is such a one)
 *   fact   handed back as EVENT_FACT once the open batch has committed (durable facts act when they are durable)
 *   read   a question for the reader threads; they answer the session themselves
 *   load   a question for the reader threads whose answer comes back as an event (entries of a job)
 *   key    the set of keys that ZAP lets in changes
 *   stop   the process ends, for a reason that a person can read
 */
#ifndef CORE_EFFECT_H
#define CORE_EFFECT_H

#include "core/store_op.h"

enum effect_kind {
        EFFECT_STORE,
        EFFECT_SEND_NOW,
        EFFECT_SEND_ON_COMMIT,
        EFFECT_FACT,
        EFFECT_READ,
        EFFECT_LOAD,
        EFFECT_KEY,
        EFFECT_STOP
};

enum fact_kind {
        FACT_JOB_DURABLE, /* job: its submission is committed */
        FACT_TASKS_EXIST, /* job, n: rows below position n are committed */
        FACT_MARK, /* job, n: the mark n is committed */
        FACT_TASKS_ENDED, /* job, n: final statuses are committed; dependants and watchers that wait for n or less */
        FACT_ATTEMPT_GRANTED, /* at-most-once: job, n = nonce: the attempt is committed, now send it */
        FACT_WAS_ENDED, /* request: the answer to STORE_WAS_ENDED is in event.fact.answer */
        FACT_OUTPUT, /* job, n: output of task index n was recorded */
        FACT_EVENTS, /* n: an event was recorded that those hear of who may see this person's */
        FACT_CHUNK, /* job, n: upload chunks below n are committed */
        FACT_FOUND, /* request: the answer to a question (STORE_FIND_*) is in fact.op */
        FACT_SWEPT, /* job: one chunk of tasks that were never started has its final status */
        FACT_ROUND, /* job: a new round is committed */
        FACT_DUE, /* the answer to STORE_FIND_DUE is in fact.op */
        FACT_EACH, /* job, n: ends of tasks that elements of others wait for, up to this number */
        FACT_WATCH, /* n: a session; job, if it is of one: what was recorded before its subscription is committed */
        FACT_AGAIN, /* job, n: tasks whose attempt is used up may be granted again */
};
struct fact {
        enum fact_kind kind;
        struct job_id job;
        uint64_t n;
        uint64_t request; /* core's own number for a pending request */
        struct store_op *
                op; /* WAS_ENDED, FOUND: whose answer; borrowed from the batch, which must outlive the event */
};

struct read_parent { /* tasks of a job that another waited for */
        uint64_t job;
        uint64_t lo, hi; /* indexes; hi UINT32_MAX: all from lo on */
};

/* A checked read for the reader threads: the core has said that `who` may ask this. Rows of other people are
 * filtered by Visible (who, what). The answer goes to `session` with re. */
struct read_request {
        struct session_id session;
        uint64_t re;
        struct principal_id who;
        bool data_any; /* unused by listings whose permission is not data.read */
        enum permission permission;
        struct msg *msg; /* owned: list, logs, get (client) or fetch (worker) */
        uint32_t part; /* fetch of an input: where its content is stored */
        char secret[65]; /* fetch of a secret: its name, and whose; empty: of an input */
        struct principal_id secret_owner;
        struct read_parent *parents; /* fetch_parent: what is read; owned */
        size_t n_parents;
        bool by_entry; /* ... they are tasks of a graph: known by their names */
        bool watch_answer; /* `watch` on a job that is not in memory: answer `event` with done from the tables */
        uint64_t *jobs; /* owned: `watch` on several jobs, of which these are not in memory; NULL: on one */
        size_t n_jobs;
};

struct effect {
        enum effect_kind kind;
        union {
                struct store_op *store; /* owned */
                struct {
                        struct session_id to;
                        struct buf header; /* encoded; owned */
                        struct shared_bytes *body; /* a reference, or NULL */
                } send;
                struct fact fact;
                struct read_request *read; /* owned */
                struct {
                        struct job_id job;
                        bool round; /* the job as it stands and its ended tasks: EVENT_ROUND answers */
                        bool ends; /* the job as it stands and all its tasks that have not succeeded: EVENT_ROUND */
                        uint32_t
                                chunk; /* else entries: chunk number; EVENT_ENTRIES answers. ends: generation */
                } load;
                struct {
                        char public_key[41];
                        bool allowed;
                } key;
                struct {
                        enum err_code code;
                        char text[200];
                } stop;
        } u;
};

struct effects {
        struct effect *list;
        size_t n;
        size_t cap;
};

void effects_done(struct effects *effects);
struct store_op *effects_store(struct effects *effects, enum store_op_kind kind); /* borrowed: fill it in */
void effects_send(struct effects *effects, struct session_id to, const struct msg *msg, bool on_commit);
void effects_fact(struct effects *effects, struct fact fact);
void effects_read(struct effects *effects, struct read_request *read);
void effects_load(struct effects *effects, struct job_id job, uint32_t chunk);
void effects_load_round(struct effects *effects, struct job_id job);
void effects_load_ends(struct effects *effects, struct job_id job, uint32_t generation);
void effects_key(struct effects *effects, const char *public_key, bool allowed);
void effects_stop(struct effects *effects, enum err_code code, const char *text);
void read_request_free(struct read_request *read);

#endif
