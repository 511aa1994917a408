/* Writing tasks: the path where throughput is decided.
 *
 * Runs of tasks that are alike are one UPDATE over a range of the clustered key; all others gather as rows of one
 * array-bound statement. For one task the order of its operations holds: states are written before ends
 * (store_rows.def), and a state that comes after a gathered end (a new round, a requeue) writes that end first. */
#include <stdlib.h>

#include "adapters/store_writer.h"
#include "base/xalloc.h"

#define RANGE_LEAST                                                                                          \
        8 /* tasks from which a statement of their own is cheaper than rows (35 µs against 4 µs each) */
#define NEW_ROWS_LEAST 16 /* the same for new rows made on the server */
#define SEQUENCE_MAX 20000 /* seq_0_to_19999 in tasks_new */
#define ENDED_SPANS_MAX 4096 /* gathered ends are searched one by one: a bound for that */

struct store_span { /* of store_writer.ended */
        uint64_t job, lo, hi;
};

static uint64_t range_size(const struct range *range)
{
        return range->hi - range->lo + 1;
}

/* ------------------------------------------------------------------ new rows */
static int new_rows(struct store_writer *writer, struct db *db, const struct store_tasks_new *tasks,
                    struct err *err)
{
        struct db_args *args = &writer->rows[ROWS_TASK_NEW];

        for (uint64_t i = 0; i < tasks->n; i++) {
                db_put_u64(args, tasks->job.n);
                db_put_u64(args, tasks->first + i * tasks->step);
                db_put_u64(args, tasks->status);
                db_put_u64(args, tasks->reason);
                db_put_u64(args, tasks->owner.n);
        }
        return store_row_added(writer, db, ROWS_TASK_NEW, err);
}

static int new_sequence(struct store_writer *writer, struct db *db, const struct store_tasks_new *tasks,
                        uint64_t from, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        uint64_t n = MIN(tasks->n - from, SEQUENCE_MAX);

        db_args_init(&args, "job:u first:u step:u status:u reason:u owner:u n:u");
        db_put_u64(&args, tasks->job.n);
        db_put_u64(&args, tasks->first + from * tasks->step);
        db_put_u64(&args, tasks->step);
        db_put_u64(&args, tasks->status);
        db_put_u64(&args, tasks->reason);
        db_put_u64(&args, tasks->owner.n);
        db_put_u64(&args, n);
        return store_write_now(writer, db, "tasks_new", &args, n, err);
}

int store_tasks_new(struct store_writer *writer, struct db *db, const struct store_tasks_new *tasks,
                    struct err *err)
{
        if (tasks->n < NEW_ROWS_LEAST)
                return new_rows(writer, db, tasks, err);
        for (uint64_t from = 0; from < tasks->n; from += SEQUENCE_MAX)
                if (new_sequence(writer, db, tasks, from, err) < 0)
                        return -1;
        return 0;
}

/* ------------------------------------------------------------------ states that are not final */
static bool has_gathered_end(const struct store_writer *writer, const struct store_task_state *state)
{
        for (size_t i = 0; i < writer->n_ended; i++) {
                const struct store_span *span = &writer->ended[i];

                if (span->job != state->job.n)
                        continue;
                for (size_t k = 0; k < state->n_indexes; k++)
                        if (state->indexes[k].lo <= span->hi && state->indexes[k].hi >= span->lo)
                                return true;
        }
        return false;
}

static void put_state(struct db_args *args, const struct store_task_state *state)
{
        db_put_u64(args, state->status);
        db_put_u64(args, state->reason);
        db_put_u64(args, state->attempt);
        db_put_u64(args, state->tries);
        db_put_u64(args, state->crashes);
        db_put_u64(args, state->worker.n);
        db_put_u64(args, state->nonce);
        db_put_i64(args, state->started_us);
}

static int state_rows(struct store_writer *writer, struct db *db, const struct store_task_state *state,
                      const struct range *range, struct err *err)
{
        struct db_args *args = &writer->rows[ROWS_TASK_STATE];

        for (uint64_t index = range->lo; index <= range->hi; index++) {
                db_put_u64(args, state->job.n);
                db_put_u64(args, index);
                put_state(args, state);
        }
        return store_row_added(writer, db, ROWS_TASK_STATE, err);
}

static int state_range(struct store_writer *writer, struct db *db, const struct store_task_state *state,
                       const struct range *range, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };

        if (store_flush_upto(writer, db, ROWS_TASK_STATE, err) < 0)
                return -1;
        db_args_init(&args, "job:u lo:u hi:u status:u reason:u attempt:u tries:u crashes:u worker:u nonce:u "
                            "started_us:i");
        db_put_u64(&args, state->job.n);
        db_put_u64(&args, range->lo);
        db_put_u64(&args, range->hi);
        put_state(&args, state);
        return store_write_now(writer, db, "tasks_state", &args, range_size(range), err);
}

int store_task_state(struct store_writer *writer, struct db *db, const struct store_task_state *state,
                     struct err *err)
{
        if (has_gathered_end(writer, state) && store_flush_upto(writer, db, ROWS_TASK_END, err) < 0)
                return -1;
        for (size_t i = 0; i < state->n_indexes; i++) {
                const struct range *range = &state->indexes[i];
                int done = range_size(range) < RANGE_LEAST ? state_rows(writer, db, state, range, err)
                                                           : state_range(writer, db, state, range, err);

                if (done < 0)
                        return -1;
        }
        return 0;
}

/* ------------------------------------------------------------------ ends */
static void put_end(struct db_args *args, const struct store_task_end *end, size_t value)
{
        size_t i = end->n_values == 1 ? 0 : value;

        db_put_u64(args, end->status);
        db_put_u64(args, end->reason);
        db_put_u64(args, end->exit_code);
        db_put_u64(args, end->exit_signal);
        db_put_u64(args, end->attempt);
        db_put_u64(args, end->tries);
        db_put_u64(args, end->crashes);
        db_put_u64(args, end->worker.n);
        db_put_u64(args, end->nonce);
        db_put_i64(args, end->started_us[i]);
        db_put_i64(args, end->ended_us[i]);
        db_put_i64(args, end->cpu_us[i]);
        db_put_i64(args, end->rss_kib[i]);
}

static int note_ended(struct store_writer *writer, struct db *db, const struct store_task_end *end,
                      const struct range *range, struct err *err)
{
        struct store_span *last = writer->n_ended ? &writer->ended[writer->n_ended - 1] : NULL;

        if (last && last->job == end->job.n && last->hi + 1 == range->lo) {
                last->hi = range->hi;
                return 0;
        }
        if (writer->n_ended == ENDED_SPANS_MAX && store_flush_upto(writer, db, ROWS_TASK_END, err) < 0)
                return -1;
        GROW(writer->ended, writer->cap_ended, writer->n_ended + 1);
        writer->ended[writer->n_ended++] = (struct store_span){ end->job.n, range->lo, range->hi };
        return 0;
}

static int end_rows(struct store_writer *writer, struct db *db, const struct store_task_end *end,
                    const struct range *range, size_t value, struct err *err)
{
        struct db_args *args = &writer->rows[ROWS_TASK_END];

        if (note_ended(writer, db, end, range, err) < 0)
                return -1;
        for (uint64_t index = range->lo; index <= range->hi; index++) {
                db_put_u64(args, end->job.n);
                db_put_u64(args, index);
                put_end(args, end, value + (index - range->lo));
        }
        return store_row_added(writer, db, ROWS_TASK_END, err);
}

static int end_range(struct store_writer *writer, struct db *db, const struct store_task_end *end,
                     const struct range *range, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };

        if (store_flush_upto(writer, db, ROWS_TASK_STATE, err) < 0)
                return -1;
        db_args_init(
                &args,
                "job:u lo:u hi:u status:u reason:u exit_code:u exit_signal:u attempt:u tries:u crashes:u "
                "worker:u nonce:u started_us:i ended_us:i cpu_us:i rss_kib:i");
        db_put_u64(&args, end->job.n);
        db_put_u64(&args, range->lo);
        db_put_u64(&args, range->hi);
        put_end(&args, end, 0);
        return store_write_now(writer, db, "tasks_end", &args, range_size(range), err);
}

int store_task_end(struct store_writer *writer, struct db *db, const struct store_task_end *end,
                   struct err *err)
{
        size_t value = 0;

        for (size_t i = 0; i < end->n_indexes; i++) {
                const struct range *range = &end->indexes[i];
                bool alike = end->n_values == 1 && range_size(range) >= RANGE_LEAST;
                int done = alike ? end_range(writer, db, end, range, err)
                                 : end_rows(writer, db, end, range, value, err);

                if (done < 0)
                        return -1;
                value += range_size(range);
        }
        BUG_ON(end->n_values != 1 && value != end->n_values);
        return 0;
}

int store_attempt(struct store_writer *writer, struct db *db, const struct store_attempt *attempt,
                  struct err *err)
{
        struct db_args *args = &writer->rows[ROWS_ATTEMPT];

        db_put_u64(args, attempt->job.n);
        db_put_u64(args, attempt->index);
        db_put_u64(args, attempt->attempt);
        db_put_u64(args, attempt->status);
        db_put_u64(args, attempt->reason);
        db_put_u64(args, attempt->exit_code);
        db_put_u64(args, attempt->exit_signal);
        db_put_u64(args, attempt->worker.n);
        db_put_i64(args, attempt->started_us);
        db_put_i64(args, attempt->ended_us);
        db_put_i64(args, attempt->cpu_us);
        db_put_i64(args, attempt->rss_kib);
        return store_row_added(writer, db, ROWS_ATTEMPT, err);
}

static int aborted_job(struct store_writer *writer, struct db *db, const char *statement, struct job_id job,
                       struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };

        db_args_init(&args, "job:u");
        db_put_u64(&args, job.n);
        return store_write_now(writer, db, statement, &args, 0, err);
}

int store_aborted(struct store_writer *writer, struct db *db, const struct store_op *op, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };

        if (op->kind == STORE_ABORTED_DROP)
                return aborted_job(writer, db, "aborted_drop", op->u.job, err);
        db_args_init(&args, "on:u job:u");
        db_put_u64(&args, op->u.aborted.on.n);
        db_put_u64(&args, op->u.aborted.job.n);
        return store_write_now(writer, db, "aborted", &args, 0, err);
}

int store_round(struct store_writer *writer, struct db *db, const struct store_round *round, struct err *err)
{
        if (store_flush_upto(writer, db, ROWS_ATTEMPT, err) < 0)
                return -1;
        for (size_t i = 0; i < round->n_indexes; i++) {
                CLEANUP_DB_ARGS struct db_args args = { 0 };

                db_args_init(&args, "job:u lo:u hi:u");
                db_put_u64(&args, round->job.n);
                db_put_u64(&args, round->indexes[i].lo);
                db_put_u64(&args, round->indexes[i].hi);
                if (store_write_now(writer, db, "round_keep", &args, 0, err) < 0 ||
                    store_write_now(writer, db, "round_open", &args, range_size(&round->indexes[i]), err) < 0)
                        return -1;
        }
        if (round->comes_back && aborted_job(writer, db, "aborted_drop", round->job, err) < 0)
                return -1;
        return aborted_job(writer, db, "aborted_due", round->job, err);
}
