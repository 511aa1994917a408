/* One batch as one transaction, and what becomes of it when something goes wrong.
 *
 * 1. A transaction passes the fence (store_writer.h) before it writes anything: another coordinator that has raised the
 *    epoch, or is about to, and this one can never both commit. A small one is a single statement, COMMIT and all.
 * 2. Any error rolls back everything, and the whole batch runs again: half a transaction never commits (after a lock
 *    wait timeout COMMIT alone would do that).
 * 3. A COMMIT that was not answered may have happened. Writers holds the number of the last batch that did: it is
 *    read, with a lock that waits for the dying connection's transaction, before the batch may run again.
 * 4. A key that a submission claims (store_op.h) is looked up only when the unique key of Submissions has refused it: the
 *    batch is rolled back and runs again, asking first and leaving out the jobs of claims that failed.
 * 5. While the database is down the batch stays here and is tried without end. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mysqld_error.h>

#include "adapters/db_setup.h"
#include "adapters/store_internal.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/xalloc.h"

#define AGAIN_MAX 100 /* deadlocks and lock waits (5 s each): minutes of somebody else's lock, not for ever */
#define PAUSE_FIRST_MS 10
#define PAUSE_MAX_MS 2000

enum outcome { DONE, AGAIN, TAKEN, DOWN, FAILED };

static bool is_question(const struct store_op *op)
{
        switch ((int)op->kind) {
        case STORE_WAS_ENDED:
        case STORE_FIND_KEY:
        case STORE_FIND_JOB:
        case STORE_FIND_SECRET:
        case STORE_FIND_ACCOUNT:
        case STORE_FIND_DUE:
                return true;
        default:
                return false;
        }
}

struct store_content store_content_of(const struct store_batch *batch)
{
        struct store_content content = { 0 };

        for (const struct store_op *op = batch->first; op; op = op->next) {
                content.changes |= !is_question(op);
                content.claims |= op->kind == STORE_FIND_KEY && op->u.find_key.n_claims;
                content.submit |= op->kind == STORE_JOB_NEW;
                content.result |= op->kind == STORE_TASK_END;
                content.grant |=
                        op->kind == STORE_TASK_STATE && op->u.task_state.status == TASK_STATUS_RUNNING;
                content.accounts |= op->kind == STORE_PRINCIPAL &&
                                    (*op->u.principal.sql_hash || op->u.principal.drop_sql);
        }
        return content;
}

void store_crash_points_before(struct store_content content)
{
        if (content.submit)
                FAILPOINT("coordinator.submit.before_commit");
        if (content.grant)
                FAILPOINT("coordinator.grant.before_commit");
        if (content.result)
                FAILPOINT("coordinator.result.before_commit");
}

void store_crash_points_after(struct store_content content)
{
        if (content.submit)
                FAILPOINT("coordinator.submit.after_commit");
        if (content.grant)
                FAILPOINT("coordinator.grant.after_commit");
        if (content.result)
                FAILPOINT("coordinator.result.after_commit");
}

/* Where the claims of a batch are looked up, those whose key is taken lose their jobs. */
static void note_taken(struct store *store, const struct store_op *first, const struct store_op *last)
{
        const struct store_claim *newest;

        for (const struct store_op *op = first;; op = op->next) {
                const struct store_find_key *find = &op->u.find_key;

                newest = store->n_taken ? &store->taken[store->n_taken - 1] : NULL;
                if (find->n_claims && find->job.n && !(newest && newest->first == find->claims.n)) {
                        GROW(store->taken, store->cap_taken, store->n_taken + 1);
                        store->taken[store->n_taken++] =
                                (struct store_claim){ find->claims.n, find->n_claims };
                }
                if (op == last)
                        return;
        }
}

static bool is_taken(const struct store *store, const struct store_op *op)
{
        uint64_t job = store->n_taken ? store_op_job(op).n : 0;

        for (size_t i = 0; job && i < store->n_taken; i++)
                if (job - store->taken[i].first < store->taken[i].n)
                        return true;
        return false;
}

/* A claim is a question only after the unique key of Submissions has refused one (batch->asks). */
static int write_one(struct store *store, bool asks, struct store_op **op, struct err *err)
{
        const struct store_op *first = *op;

        if (first->kind != STORE_FIND_KEY)
                return is_taken(store, first) ? 0 : store_write(&store->writer, store->db, *op, err);
        if (first->u.find_key.n_claims && !asks)
                return 0;
        if (store_find_keys(&store->writer, store->db, op, err) < 0)
                return -1;
        note_taken(store, first, *op);
        return 0;
}

/* *ret_small: all of it is gathered and nothing written, store_writer_commit does the rest. */
static int write_all(struct store *store, struct store_batch *batch, struct store_content content,
                     bool *ret_small, struct err *err)
{
        struct store_writer *writer = &store->writer;

        store->n_taken = 0;
        *ret_small = false;
        if (!batch->first) /* nothing: the question whether we still count */
                return store_fence_check(&writer->fence, store->db, err);
        for (struct store_op *op = batch->first; op; op = op->next)
                if (write_one(store, content.asks, &op, err) < 0)
                        return -1;
        if (!content.changes)
                return 0;
        if (store_writer_is_small(writer, store->db, ret_small, err) < 0)
                return -1;
        if (*ret_small)
                return 0;
        return store_fence_pass(&writer->fence, store->db, err) < 0
                       ? -1
                       : store_writer_flush(writer, store->db, err);
}

static enum outcome outcome_of(const struct store *store, const struct err *err)
{
        if (err->code != ERR_UNREACHABLE && err->code != ERR_INTERNAL)
                return FAILED; /* STALE, FENCED, damaged keys */
        switch (db_fate(store->db)) {
        case DB_FATE_AGAIN:
                return AGAIN;
        case DB_FATE_DOWN:
                return DOWN;
        case DB_FATE_BROKEN:
                return FAILED;
        }
        return FAILED;
}

static enum outcome give_up(struct store *store, struct store_content content, struct err *err)
{
        enum outcome outcome = outcome_of(store, err);

        if (outcome == FAILED && err->code == ERR_INTERNAL && db_errno(store->db) == ER_DUP_ENTRY &&
            content.claims && !content.asks)
                outcome = TAKEN;
        db_rollback(store->db);
        return outcome;
}

/* The COMMIT of a small one is within: where the connection died, or the server says that it is to be tried again, it is
 * looked up whether it happened. */
static enum outcome give_up_small(struct store *store, struct store_content content, bool *ret_unknown,
                                  struct err *err)
{
        enum outcome outcome = give_up(store, content, err);

        *ret_unknown = outcome == AGAIN || outcome == DOWN;
        return outcome;
}

static enum outcome commit_small(struct store *store, struct store_content content, bool *ret_unknown,
                                 struct err *err)
{
        if (store_writer_commit(&store->writer, store->db, err) == 0)
                return DONE;
        return give_up_small(store, content, ret_unknown, err);
}

static enum outcome commit(struct store *store, struct store_content content, bool *ret_unknown,
                           struct err *err)
{
        if (db_commit(store->db, err) == 0)
                return DONE;
        *ret_unknown = content.changes;
        return DOWN;
}

/* *ret_unknown: it is not known whether it committed. */
static enum outcome run_once(struct store *store, struct store_batch *batch, struct store_content content,
                             bool *ret_unknown, struct err *err)
{
        enum outcome outcome;
        bool small;

        store_writer_begin(&store->writer, store->epoch, batch->number);
        if (write_all(store, batch, content, &small, err) < 0)
                return give_up(store, content, err);
        if (!content.changes && batch->first) { /* the answers are there; nothing hangs on the COMMIT */
                store->commit_late = true;
                return DONE;
        }
        store_crash_points_before(content);
        outcome = small ? commit_small(store, content, ret_unknown, err)
                        : commit(store, content, ret_unknown, err);
        if (outcome == DONE)
                store_crash_points_after(content);
        return outcome;
}

/* Was this batch committed by the connection that died? Ends its own transaction. */
static enum outcome look_back(struct store *store, const struct store_batch *batch, bool *ret_committed,
                              struct err *err)
{
        const struct store_fence fence = { .epoch = store->epoch, .batch = batch->number };
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        enum outcome outcome = DONE;
        uint64_t n = 0;

        store_fence_args(&fence, &args);
        if (db_number(store->db, "writer_find", &args, &n, err) < 0)
                outcome = outcome_of(store, err);
        else
                *ret_committed = n > 0;
        db_rollback(store->db);
        return outcome;
}

/* ------------------------------------------------------------------ patience */
static bool stopping(struct store *store)
{
        bool yes;

        pthread_mutex_lock(&store->lock);
        yes = store->stopping;
        pthread_mutex_unlock(&store->lock);
        return yes;
}

static void set_down(struct store *store, bool down)
{
        pthread_mutex_lock(&store->lock);
        if (!down)
                store->down_since_us = 0;
        else if (!store->down_since_us)
                store->down_since_us = clock_mono_us();
        pthread_mutex_unlock(&store->lock);
}

/* Doubling pauses with jitter, so that two that collided do not collide again; cut short by the end of the store. */
static void pause_before(struct store *store, unsigned tries)
{
        unsigned ceiling = tries > 8 ? PAUSE_MAX_MS : MIN(PAUSE_FIRST_MS << tries, PAUSE_MAX_MS);
        unsigned ms = ceiling / 2 + (unsigned)rand_r(&store->jitter) % (ceiling / 2 + 1);
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until); /* what a condition variable counts by */
        until.tv_sec += ms / 1000;
        until.tv_nsec += (long)(ms % 1000) * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_mutex_lock(&store->lock);
        if (!store->stopping)
                pthread_cond_timedwait(&store->wake, &store->lock, &until);
        pthread_mutex_unlock(&store->lock);
}

static void disconnect(struct store *store)
{
        db_close(store->db);
        store->db = NULL;
        set_down(store, true);
}

/* Accounts follow the commit; a crash between is mended at the next start. Without the right to make any the wish is
 * dropped there and shows as no account. */
static enum outcome bring_accounts_about(struct store *store, struct err *err)
{
        if (db_accounts(store->db, false, err) < 0 || db_commit(store->db, err) < 0) {
                enum outcome outcome = outcome_of(store, err);

                db_rollback(store->db);
                return outcome;
        }
        return DONE;
}

struct run { /* where a batch stands */
        struct store_content content;
        bool unknown; /* its COMMIT was not answered */
        bool committed; /* only its accounts are still to be made */
        bool settle; /* it was sent and did not commit; batch->err */
        unsigned again, down;
};

static enum outcome step(struct store *store, struct store_batch *batch, struct run *run, struct err *err)
{
        enum outcome outcome;

        if (run->settle) {
                run->settle = false;
                *err = batch->err;
                batch->err = (struct err){ 0 };
                store_writer_explain(&store->writer, store->db, err);
                return give_up_small(store, run->content, &run->unknown, err);
        }
        if (!store->db) {
                store->db = db_open(&store->target, DB_WRITER, err);
                if (!store->db)
                        return DOWN; /* also for what is wrong with the option file: it can be put right meanwhile */
        }
        if (run->unknown) {
                outcome = look_back(store, batch, &run->committed, err);
                if (outcome != DONE)
                        return outcome;
                run->unknown = false;
        }
        if (!run->committed) {
                outcome = run_once(store, batch, run->content, &run->unknown, err);
                run->committed = outcome == DONE;
                if (outcome != DONE)
                        return outcome;
        }
        return run->content.accounts ? bring_accounts_about(store, err) : DONE;
}

void store_run_late(struct store *store)
{
        struct err ignored = { 0 };

        if (store->commit_late && db_commit(store->db, &ignored) < 0)
                disconnect(store);
        store->commit_late = false;
}

bool store_run(struct store *store, struct store_batch *batch, bool settle)
{
        struct run run = { .content = store_content_of(batch), .settle = settle };

        for (;;) {
                struct err err = { 0 };
                enum outcome outcome = step(store, batch, &run, &err);

                switch (outcome) {
                case DONE:
                        set_down(store, false);
                        return true;
                case FAILED:
                        batch->err = err;
                        return false;
                case AGAIN:
                        if (++run.again > AGAIN_MAX) {
                                batch->err = err;
                                return false;
                        }
                        pause_before(store, MIN(run.again, 5u));
                        break;
                case TAKEN: /* a claimed key was used before: now who has it */
                        run.content.asks = true;
                        break;
                case DOWN:
                        disconnect(store);
                        pause_before(store, run.down++);
                        break;
                }
                if (stopping(store)) {
                        err_set(&batch->err, ERR_UNREACHABLE, "the database did not answer before the end");
                        return false;
                }
        }
}
