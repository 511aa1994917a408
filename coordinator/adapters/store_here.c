/* See store_here.h.
 *
 * 1. Nothing here waits. What cannot be done without waiting (a question, a key that is not in memory, a transaction that
 *    was never prepared, many rows) goes to the thread, from its beginning.
 * 2. The connection is this thread's from store_here_begin, which finds the store's thread at rest, until store_here_done
 *    has given the batch back, or over to the thread.
 * 3. Only success is dealt with here. Whatever else comes of a batch, the thread settles (store_run.c). */
#include "adapters/store_here.h"

#include <sys/epoll.h>

#include "adapters/db_whole.h"
#include "base/xalloc.h"

#define OPS_MAX 48 /* more gather while a commit is in flight; the thread is the place for them */
#define VALUES_MAX 8 /* ends of one operation */
#define BYTES_MAX 4096 /* to be sealed, of one operation */

/* Operations that only gather a few rows. */
static bool is_little(const struct store_op *op)
{
        switch ((int)op->kind) { /* a part of the kinds; store_write names them all */
        case STORE_JOB_NEW:
        case STORE_JOB_COUNTS:
        case STORE_TASK_STATE:
        case STORE_EVENT:
        case STORE_ATTEMPT:
                return true;
        case STORE_FIND_KEY: /* a claim: its unique key answers */
                return op->u.find_key.n_claims > 0;
        case STORE_TASKS_NEW:
                return op->u.tasks_new.n <= VALUES_MAX;
        case STORE_TASK_END:
                return op->u.task_end.n_values <= VALUES_MAX;
        case STORE_DATA:
                return op->u.data.n_bytes <= BYTES_MAX;
        default:
                return false;
        }
}

static bool fits(const struct store_batch *batch)
{
        if (batch->n_ops == 0 || batch->n_ops > OPS_MAX)
                return false;
        for (const struct store_op *op = batch->first; op; op = op->next)
                if (!is_little(op))
                        return false;
        return true;
}

static bool gather(struct store *store, struct store_batch *batch)
{
        struct store_writer *writer = &store->writer;
        bool small = false;
        struct err err;

        store_writer_begin(writer, store->epoch, batch->number);
        store->n_taken = 0;
        for (struct store_op *op = batch->first; op; op = op->next)
                if (op->kind != STORE_FIND_KEY && store_write(writer, NULL, op, &err) < 0)
                        return false;
        return store_writer_is_small(writer, NULL, &small, &err) == 0 && small;
}

static bool thread_rests(struct store *store)
{
        bool yes;

        pthread_mutex_lock(&store->lock);
        yes = store->resting && !store->stopping;
        pthread_mutex_unlock(&store->lock);
        return yes;
}

static void watch(struct store *store)
{
        struct epoll_event event = { .events = (uint32_t)db_whole_events(store->db) };

        store->watched = db_whole_fd(store->db);
        if (store->watched < 0)
                store_wake(store);
        else
                BUG_ON(epoll_ctl(store->fd, EPOLL_CTL_ADD, store->watched, &event) < 0);
}

static void unwatch(struct store *store)
{
        struct epoll_event unused = { 0 };

        if (store->watched >= 0)
                BUG_ON(epoll_ctl(store->fd, EPOLL_CTL_DEL, store->watched, &unused) < 0);
        store->watched = -1;
}

bool store_here_begin(struct store *store, struct store_batch *batch)
{
        struct store_content content;

        if (!fits(batch) || !thread_rests(store) || !store->db)
                return false;
        content = store_content_of(batch);
        if (!content.changes || !gather(store, batch))
                return false;
        store_crash_points_before(content);
        if (!store_writer_send(&store->writer, store->db))
                return false; /* the thread prepares it, and passes the crash points once more */
        store->here = batch;
        watch(store);
        return true;
}

struct store_batch *store_here_done(struct store *store)
{
        struct store_batch *batch = store->here;

        if (!db_whole_has_news(store->db))
                return NULL;
        unwatch(store); /* before it can be closed: a descriptor that a child of ours holds would be watched for ever */
        if (!db_whole_over(store->db)) {
                watch(store);
                return NULL;
        }
        store->here = NULL;
        if (db_whole_result(store->db, &batch->err) < 0) {
                store_give(store, batch, true);
                return NULL;
        }
        store_crash_points_after(store_content_of(batch));
        return batch;
}

void store_here_abandon(struct store *store)
{
        if (!store->here)
                return;
        db_whole_abandon(store->db);
        store->here->failed = true;
        err_set(&store->here->err, ERR_UNREACHABLE, "the database did not answer before the end");
        store->here = NULL;
}
