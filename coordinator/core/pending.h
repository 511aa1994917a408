/* Requests that wait for answers from the store. A request asks, its facts bring answers, and when none is outstanding
 * it goes on; it may ask again. */
#ifndef CORE_PENDING_H
#define CORE_PENDING_H

#include "core/reply.h"

#define PENDING_MAX 20000 /* requests that wait; beyond: RETRY_LATER. Each holds one message */

struct pending;
typedef void pending_fn(struct core *core, struct pending *pending);

struct pending {
        uint64_t number;
        struct asker asker;
        struct msg *msg; /* owned; NULL where none is needed */
        pending_fn *go_on; /* all answers are there; asks again (pending_ask_…) or is over */
        unsigned n_open;
        uint8_t (*key_hash)[16]; /* owned; those of the message */
        uint8_t (*digest)[32]; /* owned */
        struct store_find_key *keys; /* answers so far; owned */
        size_t n_keys, cap_keys;
        struct rec_submitted_job *told; /* of a claim: the answer, one a job of the message; owned */
        struct job_id claims; /* the first of the jobs that a claim made */
        uint64_t n_claims;
        bool watched; /* the answer says that the job's end will be told */
        size_t key_at; /* where the last was found: they are looked for in the order in which they were asked */
        struct store_find_job *jobs;
        size_t n_jobs, cap_jobs;
        struct store_find_secret *secrets;
        size_t n_secrets, cap_secrets;
        bool account; /* answer to FIND_ACCOUNT */
        uint64_t already, stale; /* finished: tasks of leases that are not held, by the answers */
        uint64_t job; /* dependencies of a replayed job; a round */
        UT_hash_handle hh;
};

bool pending_full(const struct core *core);
/* Takes *take_msg (may be NULL). */
struct pending *pending_new(struct core *core, const struct asker *asker, struct msg **take_msg,
                            pending_fn *go_on);
void pending_ask_key(struct core *core, struct pending *pending, struct principal_id owner,
                     const uint8_t hash[16]);
/* The same as a claim of the jobs pending->claims … (store_op.h, find_key). */
void pending_claim_key(struct core *core, struct pending *pending, struct principal_id owner,
                       const uint8_t hash[16]);
void pending_forget_key(struct pending *pending, const uint8_t hash[16]); /* its answer may have changed */
void pending_ask_job(struct core *core, struct pending *pending, uint64_t job);
void pending_ask_secret(struct core *core, struct pending *pending, struct principal_id owner,
                        const char *name);
const struct store_find_secret *pending_secret(const struct pending *pending,
                                               const char *name); /* NULL: not asked */
void pending_ask_account(struct core *core, struct pending *pending, const char *name);
void pending_ask_was_ended(struct core *core, struct pending *pending, uint64_t job, uint64_t index,
                           uint64_t nonce, uint64_t n_tasks); /* it stands for so many */
const struct store_find_key *pending_key(struct pending *pending,
                                         const uint8_t hash[16]); /* NULL: not asked */
const struct store_find_job *pending_job(const struct pending *pending, uint64_t job);
/* A fact with an answer. n: tasks that a WAS_ENDED stands for. */
void pending_answer(struct core *core, const struct fact *fact, int64_t answer);
void pending_check(struct core *core, struct pending *pending); /* nothing outstanding (any more): go on */
void pending_done_all(struct core *core);

#endif
