/* Opening the store and the hand-over between two threads. What a batch means is store_run.c.
 *
 * The coordinator's thread gives one batch at a time and never waits: an eventfd says that it is done. */
#include "adapters/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <mysql.h>

#include "adapters/db_setup.h"
#include "adapters/store_here.h"
#include "adapters/store_internal.h"
#include "base/clock.h"
#include "base/xalloc.h"

#define EPOCH_PATIENCE_US                                                                                    \
        (30 * US_PER_S) /* a frozen predecessor's transaction is ended by the server after 10 s */
#define DOWN_AFTER_US (2 * US_PER_S) /* a batch takes milliseconds; one that takes this long means trouble */

struct db *store_prepare(const struct store_config *config, const struct keyring *keyring,
                         struct buf *relaxed, struct err *err)
{
        struct db_target target = { config->option_file, config->database };
        CLEANUP_WITH(db_close) struct db *db = db_open(&target, DB_ADMIN, err);

        if (!db || db_check_settings(db, config->dev, relaxed, err) < 0 ||
            db_migrate(db, SIZE_MAX, err) < 0 || db_check_tables(db, err) < 0 ||
            db_coordinator_row(db, keyring, err) < 0 || db_views(db, err) < 0 ||
            db_accounts(db, false, err) < 0)
                return NULL;
        return STEAL(db);
}

static int raise_once(struct db *db, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };

        db_args_init(&args, "started_us:i");
        db_put_i64(&args, clock_wall_us());
        return db_write(db, "setup_epoch_raise", &args, NULL, err);
}

/* The trigger of migration 0015 has to be there. */
static int check_fenced(struct db *db, uint64_t epoch, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        uint64_t n = 0;

        db_args_init(&args, "epoch:u");
        db_put_u64(&args, epoch);
        if (db_number(db, "setup_epoch_fenced", &args, &n, err) < 0)
                return -1;
        return n ? 0
                 : err_set(err, ERR_CONFIG,
                           "the database has lost its trigger epoch_fence (restored from a dump without "
                           "triggers?); "
                           "make it again: mariadb DATABASE < sql/migrations/0015_fence.sql");
}

static int raise_epoch(struct db *db, uint64_t *ret_epoch, struct err *err)
{
        int64_t until = clock_mono_us() + EPOCH_PATIENCE_US;

        while (raise_once(db, err) < 0)
                if (db_fate(db) != DB_FATE_AGAIN || clock_mono_us() > until)
                        return err_wrap(err, "raise the epoch");
        if (db_number(db, "setup_epoch", NULL, ret_epoch, err) < 0)
                return -1;
        return check_fenced(db, *ret_epoch, err);
}

static void share_init(struct store *store)
{
        struct epoll_event event = { .events = EPOLLIN };

        pthread_mutex_init(&store->lock, NULL);
        pthread_cond_init(&store->wake, NULL);
        store->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        store->fd = epoll_create1(EPOLL_CLOEXEC);
        BUG_ON(store->event_fd < 0 || store->fd < 0 ||
               epoll_ctl(store->fd, EPOLL_CTL_ADD, store->event_fd, &event) < 0);
}

struct store *store_open(const struct store_config *config, const struct keyring *keyring, struct err *err)
{
        CLEANUP_BUF struct buf relaxed = { 0 };
        CLEANUP_WITH(db_close) struct db *admin = NULL;
        CLEANUP_WITH(db_close) struct db *writer = NULL;
        struct db_target target = { config->option_file, config->database };
        struct store *store;
        uint64_t epoch = 0;

        admin = store_prepare(config, keyring, &relaxed, err);
        if (!admin || raise_epoch(admin, &epoch, err) < 0)
                return NULL;
        writer = db_open(&target, DB_WRITER, err);
        if (!writer)
                return NULL;
        store = xcalloc(1, sizeof(*store));
        store->option_file = xstrdup(config->option_file);
        store->database = xstrdup(config->database);
        store->target = (struct db_target){ store->option_file, store->database };
        store->keyring = keyring;
        store->epoch = epoch;
        store->relaxed = buf_steal(&relaxed);
        store->db = STEAL(writer);
        store->jitter = (unsigned)clock_mono_us();
        store_writer_init(&store->writer, keyring);
        share_init(store);
        return store;
}

static void end_thread(struct store *store)
{
        if (!store->started)
                return;
        pthread_mutex_lock(&store->lock);
        store->stopping = true;
        pthread_cond_broadcast(&store->wake);
        pthread_mutex_unlock(&store->lock);
        pthread_join(store->thread, NULL);
}

void store_free(struct store *store)
{
        if (!store)
                return;
        end_thread(store);
        store_here_abandon(store);
        db_close(store->db);
        store_writer_done(&store->writer);
        free(store->taken);
        close(store->fd);
        close(store->event_fd);
        pthread_mutex_destroy(&store->lock);
        pthread_cond_destroy(&store->wake);
        free(store->option_file);
        free(store->database);
        free(store->relaxed);
        free(store);
}

uint64_t store_epoch(const struct store *store)
{
        return store->epoch;
}

const char *store_relaxed(const struct store *store)
{
        return store->relaxed;
}

/* ------------------------------------------------------------------ the thread */
static struct store_batch *take(struct store *store, bool *ret_settle)
{
        struct store_batch *batch;

        pthread_mutex_lock(&store->lock);
        store->resting = true;
        while (!store->in && !store->stopping)
                pthread_cond_wait(&store->wake, &store->lock);
        store->resting = false;
        batch = store->stopping ? NULL : store->in;
        *ret_settle = store->settle;
        store->in = NULL;
        pthread_mutex_unlock(&store->lock);
        return batch;
}

void store_wake(struct store *store)
{
        uint64_t one = 1;

        if (write(store->event_fd, &one, sizeof(one)) < 0)
                BUG_ON(errno != EAGAIN); /* a full counter is readable, which is all it has to be */
}

static void give_back(struct store *store, struct store_batch *batch)
{
        pthread_mutex_lock(&store->lock);
        store->out = batch;
        store->batch_since_us = 0;
        store->resting = !store->commit_late;
        store_wake(store); /* within the lock: who finds the batch finds the note, too, and takes both */
        pthread_mutex_unlock(&store->lock);
}

static void *run_thread(void *arg)
{
        struct store *store = arg;
        struct store_batch *batch;
        bool settle;

        pthread_setname_np(pthread_self(), "store"); /* as top -H and make profile show it */
        mysql_thread_init();
        while ((batch = take(store, &settle))) {
                batch->failed = !store_run(store, batch, settle);
                give_back(store, batch);
                store_run_late(store);
        }
        mysql_thread_end();
        return NULL;
}

int store_start(struct store *store, struct err *err)
{
        int code = pthread_create(&store->thread, NULL, run_thread, store);

        if (code != 0)
                return err_set(err, ERR_INTERNAL, "start the store's thread: %s", strerror(code));
        store->started = true;
        return 0;
}

int store_fd(const struct store *store)
{
        return store->fd;
}

bool store_busy(const struct store *store)
{
        return store->busy;
}

void store_give(struct store *store, struct store_batch *batch, bool settle)
{
        pthread_mutex_lock(&store->lock);
        store->in = batch;
        store->settle = settle;
        pthread_cond_signal(&store->wake);
        pthread_mutex_unlock(&store->lock);
}

static void note_since(struct store *store, int64_t us)
{
        pthread_mutex_lock(&store->lock);
        store->batch_since_us = us;
        pthread_mutex_unlock(&store->lock);
}

void store_submit(struct store *store, struct store_batch *batch)
{
        BUG_ON(store->busy);
        store->busy = true;
        note_since(store, clock_mono_us());
        if (!store_here_begin(store, batch))
                store_give(store, batch, false);
}

static void drain(struct store *store)
{
        uint64_t count;

        if (read(store->event_fd, &count, sizeof(count)) < 0)
                BUG_ON(errno != EAGAIN);
}

static struct store_batch *done_here(struct store *store)
{
        struct store_batch *batch;

        if (store->watched < 0)
                drain(store); /* before the thread may get the batch, and have a note of its own */
        batch = store_here_done(store);
        if (batch) {
                store->busy = false;
                note_since(store, 0);
        }
        return batch;
}

struct store_batch *store_done(struct store *store)
{
        struct store_batch *batch;

        if (!store->busy)
                return NULL;
        if (store->here)
                return done_here(store);
        pthread_mutex_lock(&store->lock);
        batch = store->out;
        store->out = NULL;
        pthread_mutex_unlock(&store->lock);
        if (!batch)
                return NULL;
        store->busy = false;
        drain(store);
        return batch;
}

int64_t store_down_ms(const struct store *store)
{
        struct store *open = (struct store *)store; /* a lock is taken; nothing that shows is changed */
        int64_t now = clock_mono_us(), since;

        pthread_mutex_lock(&open->lock);
        since = open->down_since_us;
        if (!since && open->batch_since_us && now - open->batch_since_us > DOWN_AFTER_US)
                since = open->batch_since_us;
        pthread_mutex_unlock(&open->lock);
        return since ? MAX((now - since) / US_PER_MS, 1) : 0;
}

void store_batch_done(struct store_batch *batch)
{
        struct store_op *next;

        for (struct store_op *op = batch->first; op; op = next) {
                next = op->next;
                store_op_free(op);
        }
        *batch = (struct store_batch){ 0 };
}
