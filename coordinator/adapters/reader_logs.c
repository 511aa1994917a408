/* Recorded output: of one task, or what is new of many. However many tasks are asked for, it is two statements: how far they
 * are, then their chunks; in this order, so that what is said to be complete has all its chunks among them. */
#include <inttypes.h>
#include <stdlib.h>

#include "adapters/reader_internal.h"
#include "base/xalloc.h"

#define LOGS_CHUNKS 8 /* when the request does not say */
#define TAIL_CHUNKS 64 /* the same for many tasks: with 64 KiB each, a quarter of what may wait for a peer */

struct logs { /* where the output of one task stands */
        uint64_t job, index;
        uint64_t from_attempt; /* that `next` counts in at first; 0: whichever it is */
        uint64_t attempt; /* that is read; 0: none has begun */
        uint64_t attempts; /* the newest */
        uint32_t owner;
        bool known; /* the job is there and may be seen */
        bool ended; /* it cannot grow any more */
        struct data_key key;
        uint64_t next; /* seq */
        uint64_t end; /* its chunks have numbers below this */
};

struct logs_ask {
        struct logs *list;
        size_t n;
        uint64_t attempt; /* of each; 0: the newest */
        uint64_t stream; /* 0: both */
        uint64_t most; /* chunks in all */
};

static int set_state(struct reader_hand *hand, struct logs *logs, uint64_t attempt,
                     const struct db_rows *rows, struct err *err)
{
        bool has_row = db_u64(rows, 1), to_come = db_u64(rows, 2);
        size_t n;
        const char *wrapped = db_bytes(rows, 5, &n);

        if (!has_row && !to_come)
                return reader_not_found(err);
        logs->known = true;
        if (!has_row)
                return 0;
        logs->attempts = db_u64(rows, 3);
        logs->attempt = attempt ? attempt : logs->attempts;
        if (logs->from_attempt && logs->from_attempt != logs->attempt)
                logs->next = 0;
        logs->owner = (uint32_t)db_u64(rows, 4);
        logs->ended = db_u64(rows, 6);
        logs->end = db_u64(rows, 7);
        return store_keys_unwrap(hand->keys, logs->job, wrapped, n, &logs->key, err);
}

static int read_states(struct reader_hand *hand, const struct read_request *read, struct logs_ask *ask,
                       struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        CLEANUP_BUF struct buf json = { 0 };
        int more;

        for (size_t i = 0; i < ask->n; i++)
                buf_addf(&json, "%c[%" PRIu64 ",%" PRIu64 "]", i ? ',' : '[', ask->list[i].job,
                         ask->list[i].index);
        buf_add_char(&json, ']');
        db_args_init(&args, "* who:u places:s attempt:u");
        db_put_u64(&args, read->who.n);
        db_put_str(&args, json.bytes);
        db_put_u64(&args, ask->attempt);
        if (db_read(hand->db, "logs_states", &args, &rows, err) < 0)
                return -1;
        while ((more = db_next(&rows, err)) > 0) {
                size_t at = db_u64(&rows, 0) - 1;

                BUG_ON(at >= ask->n);
                if (set_state(hand, &ask->list[at], ask->attempt, &rows, err) < 0)
                        return -1;
        }
        for (size_t i = 0; more == 0 && i < ask->n; i++)
                if (!ask->list[i].known)
                        return reader_not_found(err);
        return more;
}

static int emit_output(struct reader_hand *hand, const struct read_request *read, const struct logs *logs,
                       const struct db_rows *rows, struct err *err)
{
        CLEANUP_BUF struct buf plain = { 0 };
        struct msg answer = { .kind = MSG_chunk };
        struct seal_place place = { .kind = SEAL_OUTPUT,
                                    .owner = logs->owner,
                                    .job = logs->job,
                                    .index = logs->index,
                                    .attempt = (uint32_t)logs->attempt,
                                    .part = (uint32_t)db_u64(rows, 2),
                                    .seq = db_u64(rows, 1),
                                    .final = db_u64(rows, 3) };
        size_t n;
        const char *envelope = db_bytes(rows, 4, &n);

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

static void emit_end(struct reader_hand *hand, const struct read_request *read, const struct logs *logs,
                     bool all)
{
        bool is_tail = read->msg->kind == MSG_tail;
        struct msg answer = { .kind = MSG_end };

        answer.u.end = (struct msg_end){ .job = logs->job,
                                         .has_job = is_tail,
                                         .index = logs->index,
                                         .has_index = is_tail,
                                         .next = logs->next,
                                         .has_next = true,
                                         .more = !all,
                                         .has_more = is_tail && !all,
                                         .final = logs->ended && all,
                                         .has_final = logs->ended && all,
                                         .attempt = logs->attempt,
                                         .has_attempt = logs->attempt > 0,
                                         .attempts = logs->attempts,
                                         .has_attempts = logs->attempts > 0 };
        reader_emit(hand, read, &answer, NULL, 0);
}

static uint64_t pending(const struct logs *logs)
{
        return logs->end > logs->next ? logs->end - logs->next : 0;
}

/* How many places have, together, not more chunks than are wanted; one at least. */
static size_t places_that_fit(const struct logs_ask *ask)
{
        uint64_t chunks = 0;
        size_t n = 0;

        while (n < ask->n) {
                chunks += pending(&ask->list[n]);
                if (chunks > ask->most && chunks > pending(&ask->list[n]))
                        break;
                n++;
        }
        return n;
}

static int read_chunks(struct reader_hand *hand, const struct logs_ask *ask, size_t n, struct db_rows *rows,
                       struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_BUF struct buf json = { 0 };

        for (size_t i = 0; i < n; i++)
                buf_addf(&json, "%c[%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]", i ? ',' : '[',
                         ask->list[i].job, ask->list[i].index, ask->list[i].attempt, ask->list[i].next);
        buf_add_char(&json, ']');
        db_args_init(&args, "places:s stream:u rows:u");
        db_put_str(&args, json.bytes);
        db_put_u64(&args, ask->stream);
        db_put_u64(&args, ask->most + 1);
        return db_read(hand->db, "logs_chunks", &args, rows, err);
}

/* Chunks come in the order of the places; each place ends where the next one begins. Places that do not fit are left alone:
 * who asks asks for them again. */
static int emit_all(struct reader_hand *hand, const struct read_request *read, struct logs_ask *ask,
                    bool *ret_left, struct err *err)
{
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        uint64_t sent = 0;
        size_t at = 0, n = places_that_fit(ask);
        int more;

        if (read_chunks(hand, ask, n, &rows, err) < 0)
                return -1;
        while ((more = db_next(&rows, err)) > 0) {
                size_t place = db_u64(&rows, 0) - 1;

                BUG_ON(place >= n || place < at);
                for (; at < place; at++)
                        emit_end(hand, read, &ask->list[at], true);
                if (sent == ask->most)
                        break;
                if (emit_output(hand, read, &ask->list[at], &rows, err) < 0)
                        return -1;
                ask->list[at].next = db_u64(&rows, 1) + 1;
                sent++;
        }
        if (more < 0)
                return -1;
        for (; at < n; at++)
                emit_end(hand, read, &ask->list[at], more == 0);
        *ret_left = n < ask->n;
        return 0;
}

static int answer(struct reader_hand *hand, const struct read_request *read, struct logs_ask *ask,
                  bool *ret_left, struct err *err)
{
        return read_states(hand, read, ask, err) < 0 ? -1 : emit_all(hand, read, ask, ret_left, err);
}

int reader_logs(struct reader_hand *hand, const struct read_request *read, struct err *err)
{
        const struct msg_logs *msg = &read->msg->u.logs;
        struct logs logs = { .job = msg->job, .index = msg->index, .next = msg->from };
        struct logs_ask ask = { .list = &logs,
                                .n = 1,
                                .attempt = msg->has_attempt ? msg->attempt : 0,
                                .stream = msg->has_stream ? msg->stream : 0,
                                .most = msg->has_max ? msg->max : LOGS_CHUNKS };
        bool left;

        return answer(hand, read, &ask, &left, err);
}

int reader_tail(struct reader_hand *hand, const struct read_request *read, struct err *err)
{
        const struct msg_tail *msg = &read->msg->u.tail;
        CLEANUP_WITH(xfree) struct logs *list = xcalloc(msg->n_tasks, sizeof(*list));
        struct logs_ask ask = { .list = list,
                                .n = msg->n_tasks,
                                .attempt = msg->has_attempt ? msg->attempt : 0,
                                .stream = msg->has_stream ? msg->stream : 0,
                                .most = msg->has_max ? msg->max : TAIL_CHUNKS };
        struct msg end = { .kind = MSG_end };

        for (size_t i = 0; i < msg->n_tasks; i++) {
                const struct rec_log_place *place = &msg->tasks[i];

                if (!place->has_job && !msg->has_job)
                        return err_set(err, ERR_BAD_FIELD, "tail: of which job?");
                list[i] = (struct logs){ .job = place->has_job ? place->job : msg->job,
                                         .index = place->index,
                                         .from_attempt = place->has_attempt ? place->attempt : 0,
                                         .next = place->from };
        }
        if (answer(hand, read, &ask, &end.u.end.more, err) < 0)
                return -1;
        end.u.end.has_more = end.u.end.more;
        reader_emit(hand, read, &end, NULL, 0);
        return 0;
}
