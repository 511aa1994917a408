/* Recorded output: of one task, or what is new of many. */
#include "adapters/reader_internal.h"

#define LOGS_CHUNKS 8 /* when the request does not say */
#define TAIL_CHUNKS 64 /* the same for many tasks: with 64 KiB each, a quarter of what may wait for a peer */

struct wanted {
        uint64_t job, index;
        uint64_t attempt; /* 0: the newest */
        uint64_t stream; /* 0: both */
        uint64_t from; /* seq */
        uint64_t from_attempt; /* that `from` counts in; 0: whichever it is */
};

struct logs { /* where the wanted output stands */
        struct wanted wanted;
        uint64_t attempt;
        uint32_t owner;
        bool found; /* false: its row is still to be made */
        bool ended; /* it cannot grow any more */
        struct data_key key;
        uint64_t next; /* seq */
        uint64_t n; /* chunks sent */
};

static int row_to_come(struct reader_hand *hand, const struct read_request *read, uint64_t job,
                       uint64_t *ret_n, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };

        db_args_init(&args, "who:u job:u");
        db_put_u64(&args, read->who.n);
        db_put_u64(&args, job);
        return db_number(hand->db, "logs_row_to_come", &args, ret_n, err);
}

static int find_logs(struct reader_hand *hand, const struct read_request *read, struct logs *logs,
                     struct err *err)
{
        const struct wanted *wanted = &logs->wanted;
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        uint64_t to_come = 0;
        size_t n;
        const char *wrapped;
        int more;

        db_args_init(&args, "who:u job:u index:u attempt:u");
        db_put_u64(&args, read->who.n);
        db_put_u64(&args, wanted->job);
        db_put_u64(&args, wanted->index);
        db_put_u64(&args, wanted->attempt);
        if (db_read(hand->db, "logs_state", &args, &rows, err) < 0 || db_keep(&rows, err) < 0)
                return -1;
        more = db_next(&rows, err);
        if (more < 0 || (more == 0 && row_to_come(hand, read, wanted->job, &to_come, err) < 0))
                return -1;
        logs->next = wanted->from;
        if (more == 0)
                return to_come ? 0 : reader_not_found(err);
        logs->found = true;
        logs->attempt = wanted->attempt ? wanted->attempt : db_u64(&rows, 0);
        if (wanted->from_attempt && wanted->from_attempt != logs->attempt)
                logs->next = 0;
        logs->owner = (uint32_t)db_u64(&rows, 1);
        logs->ended = db_u64(&rows, 3);
        wrapped = db_bytes(&rows, 2, &n);
        return store_keys_unwrap(hand->keys, wanted->job, wrapped, n, &logs->key, err);
}

static int emit_output(struct reader_hand *hand, const struct read_request *read, const struct logs *logs,
                       const struct db_rows *rows, struct err *err)
{
        CLEANUP_BUF struct buf plain = { 0 };
        struct msg answer = { .kind = MSG_chunk };
        struct seal_place place = { .kind = SEAL_OUTPUT,
                                    .owner = logs->owner,
                                    .job = logs->wanted.job,
                                    .index = logs->wanted.index,
                                    .attempt = (uint32_t)logs->attempt,
                                    .part = (uint32_t)db_u64(rows, 1),
                                    .seq = db_u64(rows, 0),
                                    .final = db_u64(rows, 2) };
        size_t n;
        const char *envelope = db_bytes(rows, 3, &n);

        if (unseal(hand->sealer, &logs->key, &place, envelope, n, &plain, err) < 0)
                return -1;
        answer.u.chunk = (struct msg_chunk){ .job = place.job,
                                             .has_job = true,
                                             .index = place.index,
                                             .has_index = true,
                                             .attempt = logs->attempt,
                                             .has_attempt = true,
                                             .stream = (enum stream)place.part,
                                             .has_stream = true,
                                             .seq = place.seq,
                                             .has_seq = true,
                                             .final = place.final,
                                             .has_final = place.final };
        reader_emit(hand, read, &answer, plain.bytes, plain.n);
        return 0;
}

/* At most `most` chunks from where it stands. */
static int emit_chunks(struct reader_hand *hand, const struct read_request *read, struct logs *logs,
                       uint64_t most, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        int more = 0;

        if (!logs->found || most == 0)
                return 0;
        db_args_init(&args, "job:u index:u attempt:u seq:u stream:u rows:u");
        db_put_u64(&args, logs->wanted.job);
        db_put_u64(&args, logs->wanted.index);
        db_put_u64(&args, logs->attempt);
        db_put_u64(&args, logs->next);
        db_put_u64(&args, logs->wanted.stream);
        db_put_u64(&args, most);
        if (db_read(hand->db, "logs_chunks", &args, &rows, err) < 0)
                return -1;
        while ((more = db_next(&rows, err)) > 0) {
                if (emit_output(hand, read, logs, &rows, err) < 0)
                        return -1;
                logs->next = db_u64(&rows, 0) + 1;
                logs->n++;
        }
        return more;
}

static struct msg_end end_of(const struct logs *logs, bool all)
{
        return (struct msg_end){ .next = logs->next,
                                 .has_next = true,
                                 .final = logs->ended && all,
                                 .has_final = logs->ended && all,
                                 .attempt = logs->attempt,
                                 .has_attempt = logs->attempt > 0 };
}

int reader_logs(struct reader_hand *hand, const struct read_request *read, struct err *err)
{
        const struct msg_logs *ask = &read->msg->u.logs;
        struct logs logs = { .wanted = { .job = ask->job,
                                         .index = ask->index,
                                         .attempt = ask->has_attempt ? ask->attempt : 0,
                                         .stream = ask->has_stream ? ask->stream : 0,
                                         .from = ask->from } };
        struct msg answer = { .kind = MSG_end };
        uint64_t most = ask->has_max ? ask->max : LOGS_CHUNKS;

        if (find_logs(hand, read, &logs, err) < 0 || emit_chunks(hand, read, &logs, most, err) < 0)
                return -1;
        answer.u.end = end_of(&logs, logs.n < most);
        reader_emit(hand, read, &answer, NULL, 0);
        return 0;
}

/* One task's part of `tail`; *left: chunks that may still be sent. */
static int tail_one(struct reader_hand *hand, const struct read_request *read,
                    const struct rec_log_place *place, uint64_t *left, struct err *err)
{
        const struct msg_tail *ask = &read->msg->u.tail;
        struct logs logs = { .wanted = { .job = ask->job,
                                         .index = place->index,
                                         .attempt = ask->has_attempt ? ask->attempt : 0,
                                         .stream = ask->has_stream ? ask->stream : 0,
                                         .from = place->from,
                                         .from_attempt = place->has_attempt ? place->attempt : 0 } };
        struct msg answer = { .kind = MSG_end };

        if (find_logs(hand, read, &logs, err) < 0 || emit_chunks(hand, read, &logs, *left, err) < 0)
                return -1;
        answer.u.end = end_of(&logs, logs.n < *left);
        answer.u.end.more = answer.u.end.has_more = logs.n == *left;
        answer.u.end.index = place->index;
        answer.u.end.has_index = true;
        *left -= logs.n;
        reader_emit(hand, read, &answer, NULL, 0);
        return 0;
}

int reader_tail(struct reader_hand *hand, const struct read_request *read, struct err *err)
{
        const struct msg_tail *ask = &read->msg->u.tail;
        uint64_t left = ask->has_max ? ask->max : TAIL_CHUNKS;
        struct msg answer = { .kind = MSG_end };

        for (size_t i = 0; i < ask->n_tasks; i++)
                if (tail_one(hand, read, &ask->tasks[i], &left, err) < 0)
                        return -1;
        reader_emit(hand, read, &answer, NULL, 0);
        return 0;
}
