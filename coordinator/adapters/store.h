/* The database's writer: one connection, one thread, one transaction at a time.
 *
 * A batch is everything the core wanted stored since the last one was handed over: while a commit is in flight the
 * next batch gathers, which is the group commit. A transaction begins at the row of Writers
 * (FENCED if the epoch has moved on; an empty batch only looks at that) and leaves its number there, so that after a connection that died
 * during COMMIT the store looks there and knows. Any SQL error: ROLLBACK and the whole batch again, with jitter, a few times.
 * While the database does not answer the store keeps trying (the batch stays in flight). */
#ifndef ADAPTERS_STORE_H
#define ADAPTERS_STORE_H

#include "core/event.h"
#include "crypt/keyring.h"

struct store_config {
        const char *
                option_file; /* MariaDB option file, group [jobmill]: host, port, socket, user, password, ssl-* */
        const char *database;
        bool dev; /* durability may be relaxed, loudly */
};

struct store;

/* Connects (UNREACHABLE: try again later), refuses unsafe settings by name and fix (CONFIG), applies migrations and
 * views under a lock, raises the epoch. */
struct store *store_open(const struct store_config *config, const struct keyring *keyring,
                         struct err *err) MUST_CHECK;
void store_free(struct store *store); /* ends the thread first */
DEFINE_CLEANUP(struct store, store_free)
uint64_t store_epoch(const struct store *store);
/* Durability settings that --dev let pass, for a loud line; empty: none. Borrowed. */
const char *store_relaxed(const struct store *store);

/* Everything that a coordinator needs to go on, as events in the order of event.h; the last is EVENT_REPLAY_DONE,
 * for which the store fills epoch, install and next_job and the app the rest. */
typedef void store_replay_fn(void *arg, struct event *event);
int store_replay(struct store *store, store_replay_fn *each, void *arg, struct err *err) MUST_CHECK;

struct store_batch {
        uint64_t number; /* 1, 2, … within an epoch; given by the caller */
        struct store_op *first; /* linked by next, in order; owned by the batch */
        struct store_op *last;
        size_t n_ops;
        bool failed; /* for good: the process must stop and replay */
        struct err err;
};
void store_batch_done(struct store_batch *batch); /* frees its ops */

int store_start(struct store *store, struct err *err) MUST_CHECK; /* the thread */
int store_fd(const struct store *store); /* readable when store_done may have something */
bool store_busy(const struct store *store); /* a batch is in flight: gather on */
void store_submit(struct store *store,
                  struct store_batch *batch); /* borrowed until store_done gives it back */
struct store_batch *store_done(struct store *store); /* NULL: not yet */
/* Milliseconds since which the database has not answered (0: it does). For admission and `status`. */
int64_t store_down_ms(const struct store *store);

/* First set-up (jobcoordinator --init): migrations, install row, and the first administrator, unless there is one.
 * sql_hash: NULL or the mysql_native_password hash for his SQL account. *ret_made tells whether it was made now. */
int store_init(const struct store_config *config, const struct keyring *keyring, const char *admin,
               const char *public_key, const char *sql_hash, bool *ret_made, struct err *err) MUST_CHECK;

#endif
