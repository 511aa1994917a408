/* What the core wants written. The store adapter turns each into bound statements inside the batch's transaction,
 * in order. Values are absolute, never increments, so that running a batch again changes nothing.
 *
 * Ownership: an op and everything in it belongs to the batch that carries it; store_op_free releases it after the
 * transaction. The core builds ops with the functions of effect.h. */
#ifndef CORE_STORE_OP_H
#define CORE_STORE_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "core/store_bytes.h"
#include "core/store_people.h"
#include "core/store_secret.h"
#include "core/store_set.h"
#include "proto/msg.h"

enum store_op_kind {
        STORE_JOB_NEW, /* Submissions and Jobs; state `loading` while chunks are missing */
        STORE_JOB_CHUNK, /* one chunk of a job's entries or inputs (JobData) */
        STORE_JOB_LIVE, /* a loaded job becomes visible */
        STORE_SET_JOB, /* a job that is loading belongs to a set */
        STORE_SET_LIVE, /* every job of a set becomes visible */
        STORE_JOB_DROP, /* an upload that was given up: rows of a job that was never acknowledged go away */
        STORE_JOB_SPEC, /* the description has changed (set, hold): seal it again, update Jobs' plain columns and Holds */
        STORE_JOB_COUNTS, /* status, counts, marks and times of a job */
        STORE_TASKS_NEW, /* rows of Tasks for positions, status queued, held or waiting (also SEQUENCE chunks) */
        STORE_TASK_STATE, /* tasks of one job move to a state that is not final (running, queued, waiting, held),
                              with the attempt, tries and crashes that hold from now on */
        STORE_TASK_END, /* tasks of one job reach a final status: compare-and-set, see below */
        STORE_ATTEMPT, /* an attempt that is not the newest any more moves to Attempts */
        STORE_DATA, /* one chunk of result, output or a file: sealed by the store */
        STORE_FILE, /* name, size and digest of a recorded file */
        STORE_REPORT, /* what a task says of itself while it runs: its row is made or written over */
        STORE_EVENT, /* audit */
        STORE_WORKER, /* a worker's row in Workers */
        STORE_WAS_ENDED, /* question: was this task's recorded end made by this lease? answer: 1, 0 */
        STORE_PRINCIPAL, /* person or worker made, changed or ended (with SQL account) */
        STORE_KEY, /* key made or revoked */
        STORE_ROLE, /* role made or removed */
        STORE_MEMBER, /* principal in role, or no more */
        STORE_GRANT, /* grant of a role, or no more */
        STORE_VISIBLE, /* rewrite Visible from people, roles and grants (after any of the five above) */
        STORE_QUEUE, /* a queue's row */
        STORE_SECRET, /* a person's secret kept, changed or removed; sealed by the store */
        STORE_ROUND, /* a retry by a person: the recorded end of these tasks moves to Attempts, they are queued
                              again with tries and crashes 0 (attempt stays, nonce and worker 0, times 0);
                              whoever was aborted because of the job is due to come back */
        STORE_ABORTED, /* this job is aborted because of that one: a new round of that one brings it back */
        STORE_ABORTED_DROP, /* nothing of it is to come back */
        /* Questions: they read, within the batch's transaction, and write their answer into the op. */
        STORE_FIND_KEY, /* was this idempotency key used by this owner, and for what; may be a claim */
        STORE_FIND_JOB, /* what became of a job that is not in the core's memory */
        STORE_FIND_DUE, /* jobs that are to come back since what they were aborted for has a new round */
        STORE_FIND_SECRET, /* has this person a secret of this name, and how many in all */
        STORE_FIND_ACCOUNT, /* does a MariaDB account of this name exist: answer 1, 0 */
};

enum worker_state { WORKER_CONNECTED = 1, WORKER_DRAINING, WORKER_LOST, WORKER_GONE };

/* Counts of a job by task status, and what a restart needs. Positions count the tasks of a job from 0 in order;
 * an index is what people see. */
struct job_state {
        struct job_id job;
        enum task_status status; /* of the job, DESIGN: first that applies */
        uint64_t held, waiting, queued, running; /* queued: all the rest that is not final */
        uint64_t succeeded, failed, timeout, oom, lost, cancelled, aborted;
        uint64_t mark; /* no task at this position or above was ever granted */
        uint64_t low; /* every task below this position is final */
        uint64_t materialised; /* positions below have a row in Tasks */
        int64_t started_us, ended_us; /* wall; 0: not yet */
        /* Every task of the job that was not started gets this final status (cancelled, aborted), row by row in
         * chunks; it survives a restart in Jobs.ending and Jobs.ending_reason. 0: nothing of the kind. */
        enum task_status ending;
        enum task_reason ending_reason;
        /* Tasks that were granted and forgotten have been granted again in this epoch: a lease of an older epoch is
         * adopted no more, unless the task's row names its nonce. */
        uint64_t floor_epoch;
};

struct store_job_new {
        struct job_id job;
        struct principal_id owner;
        uint8_t key_hash[16]; /* of the idempotency key: the first 16 bytes of its SHA-256 */
        uint8_t digest[32]; /* of the encoded description: tells a resend from a conflict */
        struct job_spec_box *spec; /* owned */
        uint64_t tasks;
        uint32_t chunks; /* entry and input chunks that make it whole */
        bool loading; /* some of them have not come */
        int64_t submitted_us;
        struct job_state state;
};

struct store_held { /* indexes lo, lo + step, … hi */
        uint64_t lo, hi, step;
};

struct store_job_spec {
        struct job_id job;
        struct principal_id owner;
        struct job_spec_box *spec; /* owned */
        struct store_held *held; /* owned; single tasks that are held, for whoever looks at rows */
        size_t n_held;
};

struct store_tasks_new { /* indexes first, first + step, …, n of them; rows may be up to 20,000 */
        struct job_id job;
        struct principal_id owner;
        uint64_t first, step, n;
        enum task_status status;
        enum task_reason reason;
};

struct store_task_state {
        struct job_id job;
        struct range *indexes; /* owned */
        size_t n_indexes;
        enum task_status status;
        enum task_reason reason;
        uint32_t attempt, tries, crashes; /* attempt: the newest granted; tries, crashes: counted so far */
        struct principal_id worker; /* 0 unless running */
        uint64_t nonce; /* of the newest lease; 0: none */
        int64_t started_us; /* running: since when; waiting for a time: until when; else 0 */
};

/* Compare-and-set: rows that are final already make the store fail the batch with STALE (the core's memory is
 * wrong: stop and replay). Per-task values: arrays of n_tasks, or of 1 for all alike. */
struct store_task_end {
        struct job_id job;
        struct range *indexes; /* owned */
        size_t n_indexes;
        uint64_t n_tasks;
        enum task_status status;
        enum task_reason reason;
        uint8_t exit_code, exit_signal;
        uint32_t attempt, tries, crashes;
        struct principal_id worker;
        uint64_t nonce;
        size_t n_values; /* 1 or n_tasks */
        int64_t *started_us; /* of store_task_end_values, as are the next three; 0: never started */
        int64_t *ended_us;
        int64_t *cpu_us;
        int64_t *rss_kib;
        int64_t alike[4]; /* where the values lie if one stands for all */
        int64_t *values; /* else; owned */
};

struct store_attempt {
        struct job_id job;
        uint64_t index;
        uint32_t attempt;
        enum task_status status; /* failed, timeout, oom, lost, cancelled */
        enum task_reason reason;
        uint8_t exit_code, exit_signal;
        struct principal_id worker;
        int64_t started_us, ended_us, cpu_us, rss_kib;
};

struct store_event {
        int64_t at_us;
        struct job_id job; /* 0: none */
        struct principal_id owner; /* who may see it beside auditors; 0: none */
        bool has_index;
        uint64_t index;
        char kind[32]; /* submit, cancel, hold, release, retry, refuse, lost, user-add, … */
        struct principal_id actor; /* 0: the system */
        char *detail; /* owned, may be NULL; sealed by the store */
};

struct store_worker {
        struct principal_id worker;
        enum worker_state state;
        uint32_t slots, busy;
        char *labels, *version, *host; /* owned, may be NULL: unchanged */
        char *enforces;
        char *offers; /* for people: what it has beside slots */
        int64_t seen_us;
};

struct store_was_ended {
        struct job_id job;
        uint64_t index;
        uint64_t nonce;
};

struct store_queue {
        uint32_t queue;
        char name[65];
        bool paused;
        uint64_t max_running; /* 0: no limit */
        uint32_t weight;
};

struct store_round {
        struct job_id job;
        struct range *indexes; /* owned; rows of final status that is not succeeded */
        size_t n_indexes;
        bool comes_back; /* not a person's: what it depends on has a new round */
};

#define DUE_MAX 16 /* jobs that come back at a time: each is read whole */

/* Questions; the fields after the blank line are the store's answer. */
struct store_find_key {
        struct principal_id owner;
        uint8_t key_hash[16];
        /* A claim, if n_claims is not 0: the jobs claims.n and the n_claims - 1 after it are made by this batch, in the hope
         * that the key is free. If one of the keys that claim them is not, none of their operations is carried out. */
        struct job_id claims;
        uint64_t n_claims;

        struct job_id job; /* 0: the key is free */
        uint8_t digest[32];
        uint64_t tasks;
        bool loading;
};
struct store_find_job {
        struct job_id job;

        bool found; /* false also for a job that is still loading */
        struct principal_id owner;
        enum task_status status; /* of the job */
        enum task_type type;
        uint64_t tasks;
};

struct store_aborted {
        struct job_id job;
        struct job_id on;
};
struct store_find_due {
        struct job_id jobs[DUE_MAX];
        size_t n;
};

struct store_op {
        enum store_op_kind kind;
        struct store_op *next; /* in the batch */
        union {
                struct store_job_new job_new;
                struct store_chunk chunk;
                struct job_id job; /* JOB_LIVE, JOB_DROP, ABORTED_DROP */
                struct store_set set; /* SET_JOB, SET_LIVE */
                struct store_job_spec job_spec;
                struct job_state counts;
                struct store_tasks_new tasks_new;
                struct store_task_state task_state;
                struct store_task_end task_end;
                struct store_attempt attempt;
                struct store_data data;
                struct store_file file;
                struct store_report report;
                struct store_event event;
                struct store_worker worker;
                struct store_was_ended was_ended;
                struct store_principal principal;
                struct store_key key;
                struct store_role role;
                struct store_member member;
                struct store_grant grant;
                struct store_queue queue;
                struct store_round round;
                struct store_secret secret;
                struct store_find_secret find_secret;
                struct store_find_key find_key;
                struct store_find_job find_job;
                struct store_aborted aborted;
                struct store_find_due find_due;
                char account[65]; /* FIND_ACCOUNT: a name */
        } u;
        int64_t answer; /* written by the store: WAS_ENDED, FIND_ACCOUNT */
};

/* Bytes shared by several ops (the body of one message); freed with the last reference. Not thread safe in the
 * count: references are taken and dropped by the coordinator's thread only (ops are freed there). */
struct shared_bytes {
        unsigned refs;
        bool wipe; /* zeroed before it is freed */
        size_t n;
        uint8_t bytes[];
};
struct shared_bytes *shared_bytes_new(const void *bytes, size_t n); /* one reference */
struct shared_bytes *shared_bytes_ref(struct shared_bytes *shared);
void shared_bytes_unref(struct shared_bytes *shared); /* NULL is fine */

struct store_op *store_op_new(enum store_op_kind kind);
/* Room for n values of each of the four kinds, zero; what was there is gone. */
void store_task_end_values(struct store_task_end *end, size_t n);
struct job_id store_op_job(const struct store_op *op); /* whose rows it writes; 0: no job's, or a question */
void store_op_free(struct store_op *op);

#endif
