/* What the files of the store share. */
#ifndef ADAPTERS_STORE_INTERNAL_H
#define ADAPTERS_STORE_INTERNAL_H

#include <pthread.h>

#include "adapters/db.h"
#include "adapters/store.h"
#include "adapters/store_writer.h"

struct store_claim { /* jobs first … first + n - 1 */
        uint64_t first, n;
};

struct store {
        char *option_file, *database;
        struct db_target target;
        const struct keyring *keyring; /* borrowed */
        uint64_t epoch;
        char *relaxed; /* settings that --dev let pass; empty: none */

        /* The thread's alone once it runs, but while it rests (store_here.h). */
        struct db *db;
        struct store_writer writer;
        struct store_claim *taken; /* jobs of this batch that are not made: their key is taken */
        size_t n_taken, cap_taken;
        bool commit_late; /* a batch of questions is answered, its transaction still open */
        bool accounts_wanted; /* accounts of MariaDB are to be brought about after the commit */
        unsigned jitter; /* state of rand_r */

        /* Between the coordinator's thread and the store's. */
        pthread_t thread;
        bool started;
        bool busy; /* the coordinator's thread only */
        pthread_mutex_t lock;
        pthread_cond_t wake;
        struct store_batch *in, *out;
        bool resting; /* the thread has nothing in hand, nor has the connection */
        bool settle; /* `in` was sent already and did not commit: what to make of that */
        bool stopping;
        int64_t down_since_us; /* monotonic; 0: the database answers */
        int64_t batch_since_us;
        int event_fd;
        int fd; /* epoll: event_fd, and the connection while `here` is on its way */
        /* The coordinator's thread only: what is under way without the store's, and the descriptor watched for it (-1: none). */
        struct store_batch *here;
        int watched;
};

/* Settings, schema, views, the installation's row: what both store_open and store_init begin with. */
struct db *store_prepare(const struct store_config *config, const struct keyring *keyring,
                         struct buf *relaxed, struct err *err) MUST_CHECK;

/* One batch as one transaction, run again as often as it takes. False: it failed for good (batch->err says why).
 * settle: it was sent as a small one and batch->err says what came of it. */
bool store_run(struct store *store, struct store_batch *batch, bool settle);
/* What may follow when the batch has been given back: a batch of questions ends its transaction. */
void store_run_late(struct store *store);

struct store_content { /* what a batch holds, for the crash points and for what it needs */
        bool changes, submit, grant, result, accounts;
        bool claims; /* keys are claimed */
        bool asks; /* ... and one of them was not free: look them up before anything is made */
};
struct store_content store_content_of(const struct store_batch *batch);
void store_crash_points_before(struct store_content content); /* its COMMIT */
void store_crash_points_after(struct store_content content);

/* The job with this number as it stands, its spec decoded; *ret_found false: there is none. */
struct replay_job;
int store_read_job(struct db *db, struct store_keys *keys, struct sealer *sealer, struct job_id job,
                   struct replay_job *ret_job, bool *ret_found, struct err *err) MUST_CHECK;

#endif
