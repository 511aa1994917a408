/* What can happen to the core. Time and randomness arrive here; the core has no other source of either.
 * An event and everything in it is borrowed for the duration of core_step, unless said otherwise. */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include "core/effect.h"

enum event_kind {
        /* Replay, before EVENT_REPLAY_DONE, in this order. */
        EVENT_REPLAY_PRINCIPAL,
        EVENT_REPLAY_KEY,
        EVENT_REPLAY_ROLE,
        EVENT_REPLAY_MEMBER,
        EVENT_REPLAY_GRANT,
        EVENT_REPLAY_QUEUE,
        EVENT_REPLAY_WORKER, /* a worker that may still run something: connected or draining when last written */
        EVENT_REPLAY_JOB, /* an unfinished or loading job */
        EVENT_REPLAY_TASKS, /* of the job before: tasks below its mark that are not final */
        EVENT_REPLAY_SET, /* a job of those is loading as part of a set */
        EVENT_REPLAY_DONE, /* epoch, settings; the core is live */
        /* Life. */
        EVENT_TICK,
        EVENT_MESSAGE, /* a decoded message with the key it came from */
        EVENT_BAD_MESSAGE, /* one that the decoder refused: answered with `refused` */
        EVENT_SESSION_LOST, /* a send to it failed for good: the peer is gone */
        EVENT_FACT, /* a fact whose batch has committed */
        EVENT_ENTRIES, /* answer to a load: one chunk of entries, opened */
        EVENT_DRAIN, /* SIGTERM: grant nothing more, finish acknowledgements */
        EVENT_ROUND, /* answer to a load for a retry, or of the ends that others wait for */
        EVENT_KEY_REFUSED, /* ZAP turned a key away (summarised by the router) */
        EVENT_DEGRADED, /* the database does not answer, or does again: shed what may be shed */
};

struct replay_job {
        struct store_job_new job; /* its spec is taken over by the core */
        uint32_t chunks_stored; /* while loading: contiguous from 0 */
};
struct replay_tasks { /* tasks alike, in one row group */
        struct job_id job;
        struct range indexes;
        enum task_status status;
        enum task_reason reason;
        uint32_t attempt, tries, crashes;
        uint32_t ooms; /* earlier attempts that ran out of memory */
        struct principal_id worker;
        uint64_t nonce;
        int64_t started_us;
};
/* What a retry needs to know of a job. Everything in it is taken over or copied by the core as it says. */
struct job_round {
        struct job_id job;
        bool ends; /* asked by each.c: all tasks but those that succeeded */
        uint32_t generation; /* ... with this number */
        bool failed; /* it could not be read: answered RETRY_LATER */
        bool found;
        struct replay_job
                replay; /* as committed; its spec is taken over if the core takes the job (sets NULL) */
        struct replay_tasks *
                tasks; /* not succeeded and (but for `ends`) final, ascending, alike ones grouped; borrowed */
        size_t n_tasks;
};

struct core_settings {
        uint64_t epoch;
        char install[64]; /* the installation's name, in JOB_KEY */
        uint64_t next_job;
        int64_t lease_ms, reconnect_ms, heartbeat_ms;
        uint64_t tasks_per_job_max;
        uint64_t unfinished_jobs_max; /* submissions beyond are answered RETRY_LATER */
        uint64_t upload_ms; /* a job that is not whole after this is dropped */
        uint32_t rows_a_sweep; /* tasks ended by one operation; 0: as many as a transaction should have */
};

struct event {
        enum event_kind kind;
        int64_t wall_us;
        int64_t mono_us;
        uint64_t random; /* fresh for every event, from the system's generator: seed of nonces */
        union {
                struct store_principal principal;
                struct store_key key;
                struct store_role role;
                struct store_member member;
                struct store_grant grant;
                struct store_queue queue;
                struct store_worker worker;
                struct replay_job job;
                struct replay_tasks tasks;
                struct store_set set;
                struct core_settings settings;
                struct {
                        struct session_id session;
                        char public_key[41]; /* ZAP user id: who speaks */
                        struct msg *msg; /* the core may take it: sets this to NULL */
                        enum msg_direction direction; /* BAD_MESSAGE: what it was decoded as */
                        uint64_t id; /* BAD_MESSAGE: the sender's id or 0 */
                        struct err err; /* BAD_MESSAGE */
                        /* submit: one of each a job, in order, then a key_hash of the set if it names one; put: one
                         * key_hash; submit-set: those of the set and of the key. Computed outside, the core has no
                         * cryptography: first 16 bytes of SHA-256(key); SHA-256(job_spec_encode(spec)). */
                        const uint8_t (*key_hash)[16];
                        const uint8_t (*digest)[32];
                        size_t n_hashes;
                } message;
                struct session_id session;
                struct {
                        struct fact fact;
                        int64_t answer;
                } fact;
                struct {
                        struct job_id job;
                        uint32_t chunk;
                        const uint8_t *bytes; /* NULL: could not be opened; the job's tasks fail */
                        size_t n_bytes;
                } entries;
                struct job_round *round;
                struct {
                        char public_key[41];
                        char address[64];
                        uint64_t count;
                } key_refused;
                bool degraded;
        } u;
};

#endif
