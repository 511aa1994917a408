/* What the parents of a task left, for the worker that runs it: their results as one JSON value, their output piece by
 * piece. All of it in the name of the task's owner: what he may not open is as if it were not there. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/reader_internal.h"
#include "base/xalloc.h"

#define FIRST_ROWS                                                                                           \
        16 /* results may be a MiB each: the first page is short, later ones as long as the sizes allow */
#define MOST_ROWS 4096
#define OUTPUT_ROWS 16
#define OUTPUT_TASKS 256 /* of one answer: each costs some questions */
#define OUTPUT_ENOUGH ((size_t)512 * 1024) /* of one answer; the chunk that reaches it is the last */

static const char cut_text[] = "[jobmill: output cut at "; /* the worker's words, at the end of stderr */

struct result {
        uint64_t job, index, per_chunk;
        size_t at, n; /* in `text` */
};
struct gathered {
        struct result *list;
        size_t n, cap;
        struct buf text; /* of all results, one behind the other */
        bool too_large;
};

static void gathered_done(struct gathered *gathered)
{
        free(gathered->list);
        buf_done(&gathered->text);
}

static void put_run(struct db_args *args, const struct read_request *read, const struct read_parent *run,
                    uint64_t lo)
{
        db_put_u64(args, read->who.n);
        db_put_u64(args, run->job);
        db_put_u64(args, lo);
        db_put_u64(args, run->hi);
}

/* ------------------------------------------------------------------ results */
static int add_result(struct reader_hand *hand, const struct db_rows *rows, uint64_t job,
                      struct gathered *gathered, struct err *err)
{
        struct seal_place place = { .kind = SEAL_RESULT,
                                    .owner = (uint32_t)db_u64(rows, 3),
                                    .job = job,
                                    .index = db_u64(rows, 0),
                                    .attempt = (uint32_t)db_u64(rows, 2) };
        struct result result = {
                .job = job, .index = place.index, .per_chunk = db_u64(rows, 5), .at = gathered->text.n
        };
        struct data_key key;
        size_t n, n_wrapped;
        const char *envelope = db_bytes(rows, 1, &n), *wrapped = db_bytes(rows, 4, &n_wrapped);

        if (store_keys_unwrap(hand->keys, job, wrapped, n_wrapped, &key, err) < 0 ||
            unseal(hand->sealer, &key, &place, envelope, n, &gathered->text, err) < 0)
                return -1;
        result.n = gathered->text.n - result.at;
        GROW(gathered->list, gathered->cap, gathered->n + 1);
        gathered->list[gathered->n++] = result;
        gathered->too_large = gathered->text.n > MSG_BODY_MAX;
        return 0;
}

/* One page from index *lo on; *lo is moved behind it, beyond run->hi at the end. */
static int add_page(struct reader_hand *hand, const struct read_request *read, const struct read_parent *run,
                    uint64_t *lo, struct gathered *gathered, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        size_t average = gathered->n ? gathered->text.n / gathered->n : MSG_BODY_MAX / FIRST_ROWS;
        size_t most = MAX((size_t)FIRST_ROWS, MIN((size_t)MOST_ROWS, MSG_BODY_MAX / MAX(average, (size_t)1)));
        size_t n = 0;
        int more;

        db_args_init(&args, "who:u job:u index_lo:u index_hi:u rows:u");
        put_run(&args, read, run, *lo);
        db_put_u64(&args, most);
        if (db_read(hand->db, "parent_results", &args, &rows, err) < 0)
                return -1;
        while ((more = db_next(&rows, err)) > 0) {
                n++;
                *lo = db_u64(&rows, 0) + 1;
                if (!gathered->too_large && add_result(hand, &rows, run->job, gathered, err) < 0)
                        return -1;
        }
        if (n < most)
                *lo = run->hi + 1;
        return more;
}

static int gather(struct reader_hand *hand, const struct read_request *read, struct gathered *gathered,
                  struct err *err)
{
        for (size_t i = 0; i < read->n_parents; i++) {
                const struct read_parent *run = &read->parents[i];

                for (uint64_t lo = run->lo; lo <= run->hi && !gathered->too_large;)
                        if (add_page(hand, read, run, &lo, gathered, err) < 0)
                                return -1;
        }
        return 0;
}

/* Is there one parent in all, whether it gave a result or not? */
static int is_alone(struct reader_hand *hand, const struct read_request *read, bool *ret_alone,
                    struct err *err)
{
        const struct read_parent *run = &read->parents[0];
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        uint64_t tasks = 0;

        *ret_alone = read->n_parents == 1 && run->lo == run->hi;
        if (read->n_parents != 1 || run->hi != UINT32_MAX)
                return 0;
        db_args_init(&args, "who:u job:u");
        db_put_u64(&args, read->who.n);
        db_put_u64(&args, run->job);
        if (db_number(hand->db, "parent_tasks", &args, &tasks, err) < 0)
                return -1;
        *ret_alone = tasks == 1;
        return 0;
}

static int add_name(struct reader_hand *hand, const struct read_request *read, const struct result *result,
                    struct buf *json, struct err *err)
{
        CLEANUP_BUF struct buf name = { 0 };

        if (!read->by_entry || result->per_chunk == 0)
                buf_addf(&name, "%" PRIu64 ".%" PRIu64, result->job, result->index);
        else if (reader_entry(hand, result->job, (uint32_t)((result->index - 1) / result->per_chunk),
                              (result->index - 1) % result->per_chunk, &name, err) < 0)
                return -1;
        buf_add_json_str(json, name.n ? name.bytes : "", name.n);
        return 0;
}

static int write_results(struct reader_hand *hand, const struct read_request *read,
                         const struct gathered *gathered, struct buf *json, struct err *err)
{
        bool alone = false;

        if (gathered->n == 0)
                return 0;
        if (is_alone(hand, read, &alone, err) < 0)
                return -1;
        if (alone) {
                buf_add(json, gathered->text.bytes, gathered->text.n);
                return 0;
        }
        for (size_t i = 0; i < gathered->n && json->n <= MSG_BODY_MAX; i++) {
                const struct result *result = &gathered->list[i];

                buf_add_char(json, i ? ',' : '{');
                if (add_name(hand, read, result, json, err) < 0)
                        return -1;
                buf_add_char(json, ':');
                buf_add(json, gathered->text.bytes + result->at, result->n);
        }
        buf_add_char(json, '}');
        return 0;
}

static struct msg answer_to(const struct read_request *read)
{
        const struct msg_fetch_parent *fetch = &read->msg->u.fetch_parent;
        struct msg answer = { .kind = MSG_parent_chunk };

        answer.u.parent_chunk = (struct msg_parent_chunk){ .job = fetch->job,
                                                           .has_job = true,
                                                           .index = fetch->index,
                                                           .has_index = true,
                                                           .kind = fetch->kind,
                                                           .has_kind = true };
        return answer;
}

static int answer_results(struct reader_hand *hand, const struct read_request *read,
                          struct gathered *gathered, struct err *err)
{
        struct msg answer = answer_to(read);
        CLEANUP_BUF struct buf json = { 0 };

        if (gather(hand, read, gathered, err) < 0 ||
            (!gathered->too_large && write_results(hand, read, gathered, &json, err) < 0))
                return -1;
        answer.u.parent_chunk.final = answer.u.parent_chunk.has_final = true;
        if (gathered->too_large || json.n > MSG_BODY_MAX) {
                answer.u.parent_chunk.too_large = answer.u.parent_chunk.has_too_large = true;
                json.n = 0;
        }
        reader_emit(hand, read, &answer, json.bytes, json.n);
        return 0;
}

/* ------------------------------------------------------------------ output */
struct source { /* the task whose output is being read */
        uint64_t job, index, attempt;
        uint32_t owner;
        struct data_key key;
        uint64_t seq;
        bool found;
};

static int find_source(struct reader_hand *hand, const struct read_request *read,
                       const struct read_parent *run, uint64_t from, struct source *source, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        size_t n;
        const char *wrapped;
        int more;

        *source = (struct source){ .job = run->job };
        db_args_init(&args, "who:u job:u index_lo:u index_hi:u");
        put_run(&args, read, run, from);
        if (db_read(hand->db, "parent_output_task", &args, &rows, err) < 0)
                return -1;
        more = db_next(&rows, err);
        if (more <= 0)
                return more;
        source->found = true;
        source->index = db_u64(&rows, 0);
        source->attempt = db_u64(&rows, 1);
        source->owner = (uint32_t)db_u64(&rows, 2);
        wrapped = db_bytes(&rows, 3, &n);
        return store_keys_unwrap(hand->keys, run->job, wrapped, n, &source->key, err);
}

static int open_output(struct reader_hand *hand, const struct source *source, const struct db_rows *rows,
                       struct buf *out, struct err *err)
{
        struct seal_place place = { .kind = SEAL_OUTPUT,
                                    .owner = source->owner,
                                    .job = source->job,
                                    .index = source->index,
                                    .attempt = (uint32_t)source->attempt,
                                    .part = (uint32_t)db_u64(rows, 1),
                                    .seq = db_u64(rows, 0),
                                    .final = db_u64(rows, 2) };
        size_t n;
        const char *envelope = db_bytes(rows, 3, &n);

        return unseal(hand->sealer, &source->key, &place, envelope, n, out, err);
}

static int was_cut(struct reader_hand *hand, const struct source *source, bool *ret_cut, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        CLEANUP_BUF struct buf plain = { 0 };
        int more;

        db_args_init(&args, "job:u index:u attempt:u");
        db_put_u64(&args, source->job);
        db_put_u64(&args, source->index);
        db_put_u64(&args, source->attempt);
        if (db_read(hand->db, "parent_output_last", &args, &rows, err) < 0)
                return -1;
        more = db_next(&rows, err);
        if (more <= 0 || db_u64(&rows, 1) != STREAM_STDERR)
                return more < 0 ? -1 : 0;
        if (open_output(hand, source, &rows, &plain, err) < 0)
                return -1;
        *ret_cut = memmem(plain.bytes, plain.n, cut_text, sizeof(cut_text) - 1) != NULL;
        return 0;
}

struct piece { /* of one answer */
        struct buf bytes;
        bool full;
};

/* 1: there is more of this task, or may be; 0: it is at its end; -1. */
static int add_output(struct reader_hand *hand, struct source *source, struct piece *piece, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        size_t n = 0;
        int more;

        db_args_init(&args, "job:u index:u attempt:u seq:u stream:u rows:u");
        db_put_u64(&args, source->job);
        db_put_u64(&args, source->index);
        db_put_u64(&args, source->attempt);
        db_put_u64(&args, source->seq);
        db_put_u64(&args, STREAM_STDOUT);
        db_put_u64(&args, OUTPUT_ROWS);
        if (db_read(hand->db, "parent_output", &args, &rows, err) < 0)
                return -1;
        while ((more = db_next(&rows, err)) > 0) {
                size_t before = piece->bytes.n;

                if (piece->full) /* the others are read past */
                        continue;
                if (open_output(hand, source, &rows, &piece->bytes, err) < 0)
                        return -1;
                if (piece->bytes.n > MSG_BODY_MAX) { /* a long one: it begins the next answer */
                        piece->bytes.n = before;
                        piece->full = true;
                        continue;
                }
                piece->full = piece->bytes.n >= OUTPUT_ENOUGH;
                source->seq = db_u64(&rows, 0) + 1;
                n++;
        }
        return more < 0 ? -1 : n == OUTPUT_ROWS || piece->full;
}

/* What this task has, as far as there is room. *ret_more: it may have more. */
static int add_task(struct reader_hand *hand, struct source *source, struct piece *piece, uint64_t *cut,
                    bool *ret_more, struct err *err)
{
        bool was = false;
        int more;

        do
                more = add_output(hand, source, piece, err);
        while (more > 0 && !piece->full);
        *ret_more = more > 0;
        if (more < 0 || (more == 0 && was_cut(hand, source, &was, err) < 0))
                return -1;
        *cut += was;
        return 0;
}

static void say_next(struct msg_parent_chunk *chunk, const struct source *source, bool more, uint64_t from)
{
        chunk->has_cut = chunk->cut > 0;
        chunk->final = chunk->has_final = !source->found;
        chunk->has_next_index = chunk->has_next_attempt = chunk->has_next_seq = source->found;
        chunk->next_index = more ? source->index : from;
        chunk->next_attempt = more ? source->attempt : 0;
        chunk->next_seq = more ? source->seq : 0;
}

static int answer_output(struct reader_hand *hand, const struct read_request *read, struct piece *piece,
                         struct err *err)
{
        const struct msg_fetch_parent *fetch = &read->msg->u.fetch_parent;
        const struct read_parent *run = &read->parents[0];
        struct msg answer = answer_to(read);
        uint64_t from = fetch->has_at_index ? MAX(fetch->at_index, run->lo) : run->lo;
        struct source source = { .found = true };
        bool more = false;

        for (unsigned n = 0; n < OUTPUT_TASKS && !piece->full; n++) {
                if (find_source(hand, read, run, from, &source, err) < 0)
                        return -1;
                if (!source.found)
                        break;
                if (n == 0 && fetch->at_attempt > 0 && source.index == fetch->at_index) {
                        if (source.attempt != fetch->at_attempt)
                                return err_set(err, ERR_CONFLICT, "that task has another round since");
                        source.seq = fetch->at_seq;
                }
                if (add_task(hand, &source, piece, &answer.u.parent_chunk.cut, &more, err) < 0)
                        return -1;
                from = source.index + 1;
        }
        say_next(&answer.u.parent_chunk, &source, more, from);
        reader_emit(hand, read, &answer, piece->bytes.bytes, piece->bytes.n);
        return 0;
}

int reader_parents(struct reader_hand *hand, const struct read_request *read, struct err *err)
{
        struct gathered gathered = { 0 };
        struct piece piece = { 0 };
        int rc;

        if (read->msg->u.fetch_parent.kind == DATA_KIND_RESULT)
                rc = answer_results(hand, read, &gathered, err);
        else
                rc = answer_output(hand, read, &piece, err);
        gathered_done(&gathered);
        buf_done(&piece.bytes);
        return rc;
}
