/* Recorded bytes: files, inputs, entries. And what a retry has to know of a job. */
#include <stdlib.h>
#include <string.h>

#include "adapters/reader_internal.h"
#include "adapters/store_internal.h"
#include "adapters/store_tasks_read.h"
#include "base/xalloc.h"

int reader_not_found(struct err *err)
{
        return err_set(err, ERR_NOT_FOUND, "no such job"); /* the core's own words */
}

/* Opens the value in column `i` of the row. */
static int open_value(struct reader_hand *hand, const struct db_rows *rows, size_t i,
                      const struct data_key *key, const struct seal_place *place, struct buf *out,
                      struct err *err)
{
        size_t n;
        const char *envelope = db_bytes(rows, i, &n);

        return unseal(hand->sealer, key, place, envelope, n, out, err);
}

/* ------------------------------------------------------------------ chunks of a job */
int reader_chunk(struct reader_hand *hand, struct reader_place place, struct buf *out, bool *ret_last,
                 struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        struct seal_place at = {
                .kind = SEAL_JOB_CHUNK, .job = place.job.n, .part = place.part, .seq = place.seq
        };
        struct data_key key;
        size_t n;
        const char *wrapped;
        int more;

        db_args_init(&args, "job:u part:u seq:u");
        db_put_u64(&args, place.job.n);
        db_put_u64(&args, place.part);
        db_put_u64(&args, place.seq);
        if (db_read(hand->db, "read_chunk", &args, &rows, err) < 0)
                return -1;
        more = db_next(&rows, err);
        if (more <= 0)
                return more < 0 ? -1 : reader_not_found(err);
        at.owner = (uint32_t)db_u64(&rows, 1);
        wrapped = db_bytes(&rows, 2, &n);
        *ret_last = db_u64(&rows, 3);
        if (store_keys_unwrap(hand->keys, place.job.n, wrapped, n, &key, err) < 0)
                return -1;
        return open_value(hand, &rows, 0, &key, &at, out, err);
}

int reader_fetch(struct reader_hand *hand, const struct read_request *read, struct err *err)
{
        const struct msg_fetch *fetch = &read->msg->u.fetch;
        CLEANUP_BUF struct buf plain = { 0 };
        struct msg answer = { .kind = MSG_input_chunk };
        struct reader_place place = { { fetch->job }, read->part, (uint32_t)fetch->seq };
        bool last = false;

        if (reader_chunk(hand, place, &plain, &last, err) < 0)
                return -1;
        answer.u.input_chunk = (struct msg_input_chunk){ .job = fetch->job,
                                                         .has_job = true,
                                                         .input = fetch->input,
                                                         .has_input = true,
                                                         .seq = fetch->seq,
                                                         .has_seq = true,
                                                         .final = last,
                                                         .has_final = last };
        reader_emit(hand, read, &answer, plain.bytes, plain.n);
        return 0;
}

/* ------------------------------------------------------------------ files */
static void fill_get_args(struct db_args *args, const struct msg_get *get)
{
        db_put_u64(args, get->job);
        db_put_u64(args, get->index);
        db_put_u64(args, get->attempt);
        db_put_u64(args, get->file);
}

static int find_file(struct reader_hand *hand, const struct read_request *read, uint32_t *ret_owner,
                     struct data_key *ret_key, struct err *err)
{
        const struct msg_get *get = &read->msg->u.get;
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        size_t n;
        const char *wrapped;
        int more;

        db_args_init(&args, "job:u index:u attempt:u part:u who:u");
        fill_get_args(&args, get);
        db_put_u64(&args, read->who.n);
        if (db_read(hand->db, "get_file", &args, &rows, err) < 0)
                return -1;
        more = db_next(&rows, err);
        if (more <= 0)
                return more < 0 ? -1 : reader_not_found(err);
        *ret_owner = (uint32_t)db_u64(&rows, 0);
        wrapped = db_bytes(&rows, 1, &n);
        return store_keys_unwrap(hand->keys, get->job, wrapped, n, ret_key, err);
}

/* Of a file or a result; the row's first columns are the payload and whether it is the last. */
static int emit_piece(struct reader_hand *hand, const struct read_request *read, const struct db_rows *rows,
                      enum seal_kind kind, uint32_t owner, const struct data_key *key, struct err *err)
{
        const struct msg_get *get = &read->msg->u.get;
        CLEANUP_BUF struct buf plain = { 0 };
        struct msg answer = { .kind = MSG_chunk };
        bool last = db_u64(rows, 1);
        struct seal_place place = { .kind = kind,
                                    .owner = owner,
                                    .job = get->job,
                                    .index = get->index,
                                    .attempt = (uint32_t)get->attempt,
                                    .part = (uint32_t)get->file,
                                    .seq = get->seq,
                                    .final = kind == SEAL_FILE && last };

        if (open_value(hand, rows, 0, key, &place, &plain, err) < 0)
                return -1;
        answer.u.chunk = (struct msg_chunk){ .job = get->job,
                                             .has_job = true,
                                             .index = get->index,
                                             .has_index = true,
                                             .attempt = get->attempt,
                                             .has_attempt = true,
                                             .seq = get->seq,
                                             .has_seq = true,
                                             .final = last,
                                             .has_final = last };
        reader_emit(hand, read, &answer, plain.bytes, plain.n);
        return 0;
}

/* A result is one envelope, and as plain text no longer than a body may be. */
static int get_result(struct reader_hand *hand, const struct read_request *read, struct err *err)
{
        const struct msg_get *get = &read->msg->u.get;
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        struct msg past = { .kind = MSG_end, .u.end = { .final = true, .has_final = true } };
        struct data_key key;
        size_t n;
        const char *wrapped;
        int more;

        db_args_init(&args, "job:u index:u attempt:u who:u");
        db_put_u64(&args, get->job);
        db_put_u64(&args, get->index);
        db_put_u64(&args, get->attempt);
        db_put_u64(&args, read->who.n);
        if (db_read(hand->db, "get_result", &args, &rows, err) < 0)
                return -1;
        more = db_next(&rows, err);
        if (more <= 0)
                return more < 0 ? -1 : reader_not_found(err);
        if (get->seq > 0) {
                reader_emit(hand, read, &past, NULL, 0);
                return 0;
        }
        wrapped = db_bytes(&rows, 3, &n);
        if (store_keys_unwrap(hand->keys, get->job, wrapped, n, &key, err) < 0)
                return -1;
        return emit_piece(hand, read, &rows, SEAL_RESULT, (uint32_t)db_u64(&rows, 2), &key, err);
}

int reader_get(struct reader_hand *hand, const struct read_request *read, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        struct msg past = { .kind = MSG_end, .u.end = { .final = true, .has_final = true } };
        struct data_key key;
        uint32_t owner = 0;
        int more;

        if (read->msg->u.get.file == 0)
                return get_result(hand, read, err);
        if (find_file(hand, read, &owner, &key, err) < 0)
                return -1;
        db_args_init(&args, "job:u index:u attempt:u part:u seq:u");
        fill_get_args(&args, &read->msg->u.get);
        db_put_u64(&args, read->msg->u.get.seq);
        if (db_read(hand->db, "get_piece", &args, &rows, err) < 0)
                return -1;
        more = db_next(&rows, err);
        if (more > 0)
                return emit_piece(hand, read, &rows, SEAL_FILE, owner, &key, err);
        if (more == 0)
                reader_emit(hand, read, &past, NULL, 0);
        return more;
}

/* ------------------------------------------------------------------ rounds */
struct round_rows {
        struct job_round *round;
        size_t cap;
};

static void keep_tasks(void *arg, const struct replay_tasks *tasks)
{
        struct round_rows *rows = arg;

        GROW(rows->round->tasks, rows->cap, rows->round->n_tasks + 1);
        rows->round->tasks[rows->round->n_tasks++] = *tasks;
}

int reader_round(struct reader_hand *hand, struct job_round *round, struct err *err)
{
        const struct job_state *state = &round->replay.job.state;
        struct round_rows rows = { .round = round };
        struct store_positions all = { 0 };

        if (store_read_job(hand->db, hand->keys, hand->sealer, round->job, &round->replay, &round->found,
                           err) < 0)
                return -1;
        if (!round->found)
                return 0;
        all.to = round->replay.job.tasks;
        if (round->ends && state->ended_us == 0) /* beyond that nothing can have ended */
                all.to = MIN(state->mark, state->materialised);
        return store_read_tasks(hand->db, round->ends ? "round_ends" : "round_tasks", round->job,
                                &round->replay.job.spec->spec, all, keep_tasks, &rows, err);
}
