/* Gathering rows and writing them in order.
 *
 * 1. Rows of one kind are written in the order in which they came.
 * 2. Kinds are written in the order of store_rows.def; an operation for which that would be the wrong order writes
 *    what is gathered first (store_flush_upto).
 * 3. A compare-and-set that does not match as often as it must is STALE: the core's memory is wrong. */
#include "adapters/store_writer.h"

#include <inttypes.h>
#include <stdlib.h>

#include "adapters/db_whole.h"
#include "adapters/secrets.h"
#include "base/xalloc.h"

struct rows_def {
        const char *statement, *spec;
        uint64_t each;
};
static const struct rows_def DEFS[ROWS_COUNT] = {
#define STORE_ROWS(name, statement, spec, each) { statement, spec, each },
#include "adapters/store_rows.def"
#undef STORE_ROWS
};

void store_writer_init(struct store_writer *writer, const struct keyring *keyring)
{
        *writer = (struct store_writer){ .keyring = keyring,
                                         .sealer = sealer_new(keyring),
                                         .keys = store_keys_new(keyring) };
        for (size_t i = 0; i < ROWS_COUNT; i++)
                db_args_init(&writer->rows[i], DEFS[i].spec);
}

static void forget_slot(struct store_writer *writer, struct store_slot *slot)
{
        HASH_DEL(writer->slots, slot);
        free(slot);
}

static void forget_slots(struct store_writer *writer)
{
        while (writer->slots)
                forget_slot(writer, writer->slots);
        writer->n_fresh = 0;
}

struct store_changed {
        uint64_t job;
        UT_hash_handle hh;
};

bool store_spec_gathered(struct store_writer *writer, struct job_id job)
{
        struct store_changed *changed;

        HASH_FIND(hh, writer->changed, &job.n, sizeof(job.n), changed);
        if (changed)
                return true;
        changed = xcalloc(1, sizeof(*changed));
        changed->job = job.n;
        HASH_ADD(hh, writer->changed, job, sizeof(changed->job), changed);
        return false;
}

static void forget_changed(struct store_writer *writer)
{
        struct store_changed *changed, *next;

        HASH_ITER (hh, writer->changed, changed, next) {
                HASH_DEL(writer->changed, changed);
                free(changed);
        }
}

struct store_slot *store_slot(struct store_writer *writer, struct job_id job)
{
        struct store_slot *slot;

        HASH_FIND(hh, writer->slots, &job.n, sizeof(job.n), slot);
        if (!slot) {
                slot = xcalloc(1, sizeof(*slot));
                slot->job = job.n;
                HASH_ADD(hh, writer->slots, job, sizeof(slot->job), slot);
        }
        return slot;
}

void store_writer_begin(struct store_writer *writer, uint64_t epoch, uint64_t batch)
{
        writer->fence = (struct store_fence){ .epoch = epoch, .batch = batch };
        for (size_t i = 0; i < ROWS_COUNT; i++)
                db_args_clear(&writer->rows[i]);
        writer->n_ended = 0;
        forget_changed(writer);
        forget_slots(writer);
}

void store_writer_done(struct store_writer *writer)
{
        forget_changed(writer);
        forget_slots(writer);
        for (size_t i = 0; i < ROWS_COUNT; i++)
                db_args_done(&writer->rows[i]);
        free(writer->ended);
        store_keys_free(writer->keys);
        sealer_free(writer->sealer);
}

static int check_matched(const char *statement, uint64_t matched, uint64_t wanted, struct err *err)
{
        if (matched == wanted)
                return 0;
        return err_set(err, ERR_STALE,
                       "%s: %" PRIu64 " rows matched instead of %" PRIu64 ": memory and database differ",
                       statement, matched, wanted);
}

static int flush_rows(struct store_writer *writer, struct db *db, enum store_rows which, struct err *err)
{
        const struct rows_def *def = &DEFS[which];
        struct db_args *rows = &writer->rows[which];
        uint64_t matched = 0, n = rows->n_rows;

        if (n == 0)
                return 0;
        if (store_fence_pass(&writer->fence, db, err) < 0 ||
            db_write(db, def->statement, rows, &matched, err) < 0)
                return -1;
        db_args_clear(rows);
        if (which == ROWS_TASK_END)
                writer->n_ended = 0;
        return def->each ? check_matched(def->statement, matched, n * def->each, err) : 0;
}

/* New jobs become rows with the newest counts that the batch has of them so far. */
static int settle_jobs(struct store_writer *writer, struct db *db, struct err *err)
{
        struct store_slot *slot, *tmp;

        HASH_ITER (hh, writer->slots, slot, tmp) {
                if (!slot->fresh)
                        continue;
                if (store_put_job(writer, db, slot, err) < 0)
                        return -1;
                forget_slot(writer, slot);
                if (db_args_weight(&writer->rows[ROWS_JOB]) + db_args_weight(&writer->rows[ROWS_TAG]) <
                    ROWS_WEIGHT_MAX)
                        continue;
                for (size_t i = ROWS_SUBMISSION; i <= ROWS_TAG; i++)
                        if (flush_rows(writer, db, (enum store_rows)i, err) < 0)
                                return -1;
        }
        writer->n_fresh = 0;
        return 0;
}

static void put_counts(struct store_writer *writer);

int store_flush_upto(struct store_writer *writer, struct db *db, enum store_rows last, struct err *err)
{
        if (writer->n_fresh && settle_jobs(writer, db, err) < 0)
                return -1;
        if (last >= ROWS_COUNTS)
                put_counts(writer);
        for (size_t i = 0; i <= (size_t)last; i++)
                if (flush_rows(writer, db, (enum store_rows)i, err) < 0)
                        return -1;
        if (last >= ROWS_HOLD_PUT)
                forget_changed(writer);
        return 0;
}

int store_writer_flush(struct store_writer *writer, struct db *db, struct err *err)
{
        return store_flush_upto(writer, db, ROWS_COUNT - 1, err);
}

/* ------------------------------------------------------------------ little: all of it at once */

/* The rows that were gathered, in their order, behind the fence. Returns how many parts. */
static size_t list_parts(struct store_writer *writer, struct db_args *fence,
                         struct db_part parts[ROWS_COUNT + 1])
{
        size_t n = 0;

        parts[n++] = (struct db_part){ "writer_put", fence, STORE_FENCE_MATCH };
        for (size_t i = 0; i < ROWS_COUNT; i++)
                if (writer->rows[i].n_rows > 0)
                        parts[n++] = (struct db_part){ DEFS[i].statement, &writer->rows[i],
                                                       DEFS[i].each ? DEFS[i].each : DB_MATCH_ANY };
        for (size_t i = 0; i < n; i++)
                if (parts[i].args == &writer->rows[ROWS_TASK_END])
                        parts[i] = (struct db_part){ "task_end_one", parts[i].args, 1 };
        return n;
}

int store_writer_is_small(struct store_writer *writer, struct db *db, bool *ret_small, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args fence = { 0 };
        struct db_part parts[ROWS_COUNT + 1];

        if (writer->n_fresh > DB_WHOLE_ROWS_MAX) {
                *ret_small = false;
                return 0;
        }
        if (writer->n_fresh && settle_jobs(writer, db, err) < 0)
                return -1;
        put_counts(writer);
        store_fence_args(&writer->fence, &fence);
        *ret_small = !writer->fence.passed && db_whole_fits(parts, list_parts(writer, &fence, parts));
        return 0;
}

void store_writer_explain(struct store_writer *writer, struct db *db, struct err *err)
{
        if (db_errno(db) == DB_ERROR_MISMATCH)
                err_set(err, ERR_STALE, "%s: memory and database differ", db_error_text(db));
        else if (db_errno(db) == DB_ERROR_FIRST_MISMATCH && store_fence_check(&writer->fence, db, err) == 0)
                err_set(err, ERR_INTERNAL, "the fence let nobody pass");
}

int store_writer_commit(struct store_writer *writer, struct db *db, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args fence = { 0 };
        struct db_part parts[ROWS_COUNT + 1];

        store_fence_args(&writer->fence, &fence);
        if (db_whole(db, parts, list_parts(writer, &fence, parts), err) == 0)
                return 0;
        store_writer_explain(writer, db, err);
        return -1;
}

bool store_writer_send(struct store_writer *writer, struct db *db)
{
        CLEANUP_DB_ARGS struct db_args fence = { 0 };
        struct db_part parts[ROWS_COUNT + 1];

        store_fence_args(&writer->fence, &fence);
        return db_whole_send(db, parts, list_parts(writer, &fence, parts));
}

/* ------------------------------------------------------------------ */
int store_row_added(struct store_writer *writer, struct db *db, enum store_rows rows, struct err *err)
{
        if (db_args_weight(&writer->rows[rows]) < ROWS_WEIGHT_MAX)
                return 0;
        return store_flush_upto(writer, db, rows, err);
}

int store_put_sealed(struct store_writer *writer, struct db *db, enum store_rows rows,
                     const struct seal_place *place, const void *plain, size_t bytes, struct err *err)
{
        struct db_args *args = &writer->rows[rows];
        struct data_key key;
        size_t begun = db_put_begin(args);

        if (store_keys_get(writer->keys, db, place->job, &key, err) < 0 ||
            seal(writer->sealer, &key, place, plain, bytes, &args->bytes, err) < 0)
                return -1;
        db_put_end(args, begun);
        return 0;
}

int store_write_now(struct store_writer *writer, struct db *db, const char *statement, struct db_args *args,
                    uint64_t each, struct err *err)
{
        uint64_t matched = 0;

        if (store_fence_pass(&writer->fence, db, err) < 0 || db_write(db, statement, args, &matched, err) < 0)
                return -1;
        return each ? check_matched(statement, matched, each, err) : 0;
}

/* ------------------------------------------------------------------ counts: only the newest of a job is written */
static void put_state(struct db_args *args, const struct job_state *state)
{
        db_put_u64(args, state->job.n);
        db_put_u64(args, state->status);
        db_put_u64(args, state->held);
        db_put_u64(args, state->waiting);
        db_put_u64(args, state->queued);
        db_put_u64(args, state->running);
        db_put_u64(args, state->succeeded);
        db_put_u64(args, state->failed);
        db_put_u64(args, state->timeout);
        db_put_u64(args, state->oom);
        db_put_u64(args, state->lost);
        db_put_u64(args, state->cancelled);
        db_put_u64(args, state->aborted);
        db_put_u64(args, state->mark);
        db_put_u64(args, state->low);
        db_put_u64(args, state->materialised);
        db_put_i64(args, state->started_us);
        db_put_i64(args, state->ended_us);
        db_put_u64(args, state->ending);
        db_put_u64(args, state->ending_reason);
        db_put_u64(args, state->floor_epoch);
}

static void put_counts(struct store_writer *writer)
{
        for (const struct store_slot *slot = writer->slots; slot; slot = slot->hh.next)
                put_state(&writer->rows[ROWS_COUNTS], &slot->state);
        forget_slots(writer);
}

/* ------------------------------------------------------------------ */
static int write_people(struct store_writer *writer, struct db *db, const struct store_op *op,
                        struct err *err)
{
        if (store_fence_pass(&writer->fence, db, err) < 0 || store_writer_flush(writer, db, err) < 0)
                return -1;
        switch ((int)op->kind) { /* a part of the kinds; store_write names them all */
        case STORE_PRINCIPAL:
                return store_principal(db, &op->u.principal, err);
        case STORE_KEY:
                return store_key(db, &op->u.key, err);
        case STORE_ROLE:
                return store_role(db, &op->u.role, err);
        case STORE_MEMBER:
                return store_member(db, &op->u.member, err);
        case STORE_GRANT:
                return store_grant(db, &op->u.grant, err);
        case STORE_VISIBLE:
                return store_visible(db, err);
        default:
                return store_queue(db, &op->u.queue, err);
        }
}

int store_write(struct store_writer *writer, struct db *db, struct store_op *op, struct err *err)
{
        switch (op->kind) {
        case STORE_JOB_NEW:
                return store_job_new(writer, &op->u.job_new, err);
        case STORE_JOB_CHUNK:
                return store_job_chunk(writer, db, &op->u.chunk, err);
        case STORE_JOB_LIVE:
                return store_job_live(writer, db, op->u.job, err);
        case STORE_SET_JOB:
                return store_set_job(writer, db, &op->u.set, err);
        case STORE_SET_LIVE:
                return store_set_live(writer, db, &op->u.set, err);
        case STORE_JOB_DROP:
                return store_job_drop(writer, db, op->u.job, err);
        case STORE_JOB_SPEC:
                return store_job_spec(writer, db, &op->u.job_spec, err);
        case STORE_JOB_COUNTS:
                store_slot(writer, op->u.counts.job)->state = op->u.counts;
                return 0;
        case STORE_TASKS_NEW:
                return store_tasks_new(writer, db, &op->u.tasks_new, err);
        case STORE_TASK_STATE:
                return store_task_state(writer, db, &op->u.task_state, err);
        case STORE_TASK_END:
                return store_task_end(writer, db, &op->u.task_end, err);
        case STORE_ATTEMPT:
                return store_attempt(writer, db, &op->u.attempt, err);
        case STORE_ROUND:
                return store_round(writer, db, &op->u.round, err);
        case STORE_ABORTED:
        case STORE_ABORTED_DROP:
                return store_aborted(writer, db, op, err);
        case STORE_DATA:
                return store_data(writer, db, &op->u.data, err);
        case STORE_FILE:
                return store_file(writer, db, &op->u.file, err);
        case STORE_REPORT:
                return store_report(writer, db, &op->u.report, err);
        case STORE_EVENT:
                return store_event(writer, db, &op->u.event, err);
        case STORE_WORKER:
                return store_worker(writer, db, &op->u.worker, err);
        case STORE_PRINCIPAL:
        case STORE_KEY:
        case STORE_ROLE:
        case STORE_MEMBER:
        case STORE_GRANT:
        case STORE_VISIBLE:
        case STORE_QUEUE:
                return write_people(writer, db, op, err);
        case STORE_SECRET:
                return store_secret(writer, db, &op->u.secret, err);
        case STORE_WAS_ENDED:
        case STORE_FIND_KEY:
        case STORE_FIND_JOB:
        case STORE_FIND_SECRET:
        case STORE_FIND_ACCOUNT:
        case STORE_FIND_DUE:
                if (store_writer_flush(writer, db, err) < 0)
                        return -1;
                return store_ask(db, op, err);
        }
        BUG_ON(true);
}
