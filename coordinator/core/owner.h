/* Whose jobs they are: a person's share, what he used of it, and what he may have at most. An owner is there while he has
 * unfinished jobs. */
#ifndef CORE_OWNER_H
#define CORE_OWNER_H

#include "base/hash.h"
#include "core/store_people.h"
#include "proto/msg.h"

struct asker;
struct bucket;
struct core;
struct queue;

struct owner {
        uint32_t id;
        uint64_t jobs; /* unfinished ones */
        uint64_t tasks; /* of these */
        uint64_t granted; /* tasks in leases */
        struct quota quota;
        bool shut; /* as many tasks are granted as may be: nothing of his is picked (queue.c) */
        uint32_t weight; /* share beside other people */
        int64_t served; /* cpu time charged so far, by weights, in 1/1024 us; the least one is served first */
        struct account *accounts; /* one a queue */
        int64_t account_served; /* of the account served last: a new one starts here */
        struct bucket *buckets;
        UT_hash_handle hh;
};

struct account { /* what an owner used in one queue: shares among his own queues */
        struct queue *queue;
        int64_t served; /* as of the owner, by the queue's weight */
        struct account *next, *prev;
};

/* One more unfinished job of so many tasks is his, or one less. */
struct owner *owner_ref(struct core *core, struct principal_id who, uint64_t tasks);
void owner_unref(struct core *core, struct owner *owner, uint64_t tasks);
/* His account with a queue. One that is new starts where he was served last. */
struct account *owner_account(struct owner *owner, struct queue *queue);
void owner_weight(struct core *core, struct principal_id who, uint32_t weight); /* from now on */
void owner_quota(struct core *core, struct principal_id who, const struct quota *quota);
/* Tasks were granted to him, or came back. */
void owner_granted(struct core *core, struct owner *owner, int64_t tasks);
uint64_t owner_room(const struct owner *owner); /* tasks that may still be granted */
/* Are the jobs of this message that do not exist already within the asker's quota? If not, he is told: RETRY_LATER, or
 * TOO_LARGE where they never could be. */
bool owner_allows(struct core *core, const struct asker *asker, const struct msg_submit *submit,
                  const struct rec_submitted_job *told);

#endif
