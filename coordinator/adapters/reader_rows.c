/* From the rows of an answer to the JSON of `rows`. Column names say how a value is shown (sql/queries/list.sql);
 * envelopes are opened here, with the place that the row's hidden columns give. A damaged one fails the listing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "adapters/reader_internal.h"
#include "base/utf8.h"
#include "proto/spec_cut.h"

#define SPEC_LIST_BYTES ((size_t)48 << 10) /* of each list: as JSON within JSON a byte may become seven */
#define PAGE_BYTES ((size_t)900000) /* of JSON in one message; what follows goes into the next */
#define ROWS_JSON_MAX ((size_t)1000000) /* messages.def: rows.rows */

enum show {
        SHOW_PLAIN,
        SHOW_HIDDEN,
        SHOW_TIME,
        SHOW_STATUS,
        SHOW_REASON,
        SHOW_TYPE,
        SHOW_ENTRY,
        SHOW_SEALED
};

enum hidden {
        H_KEY,
        H_OWNER,
        H_JOB,
        H_INDEX,
        H_ATTEMPT,
        H_PART,
        H_SEQ,
        H_CHUNK,
        H_K,
        H_NEXT,
        H_NEXT_INDEX,
        H_COUNT
};
static const char *const HIDDEN[H_COUNT] = { "_key", "_owner", "_job", "_index", "_attempt",   "_part",
                                             "_seq", "_chunk", "_k",   "_next",  "_next_index" };

static const struct {
        const char *word;
        enum show show;
} SHOWS[] = { { "TIME", SHOW_TIME },
              { "STATUS", SHOW_STATUS },
              { "REASON", SHOW_REASON },
              { "TYPE", SHOW_TYPE },
              { "ENTRY", SHOW_ENTRY } };

/* A sealed column: its kind and which parts of the place it is bound to (seal_kinds.def). */
static const struct sealed {
        const char *word, *uses;
        enum seal_kind kind;
} SEALED[] = {
#define SEAL_KIND(name, number, uses, where) { #name, uses, SEAL_##name },
#include "crypt/seal_kinds.def"
#undef SEAL_KIND
};

struct page {
        struct reader_hand *hand;
        struct db_rows *rows;
        enum show shows[READER_COLUMNS_MAX];
        const struct sealed *sealed[READER_COLUMNS_MAX];
        int hidden[H_COUNT]; /* column, -1: this listing has none */
        bool is_long; /* the row in hand is too long: a result is to be fetched by itself, a description is cut */
};

/* ------------------------------------------------------------------ columns */
static void plan_form(struct page *page, size_t i, const char *form)
{
        for (size_t k = 0; k < ARRAY_LEN(SHOWS); k++)
                if (strcmp(SHOWS[k].word, form) == 0)
                        page->shows[i] = SHOWS[k].show;
        for (size_t k = 0; k < ARRAY_LEN(SEALED); k++)
                if (strcmp(SEALED[k].word, form) == 0) {
                        page->shows[i] = SHOW_SEALED;
                        page->sealed[i] = &SEALED[k];
                }
        BUG_ON(page->shows[i] == SHOW_PLAIN); /* a form that list.sql misspells */
}

static void plan(struct page *page, struct reader_columns *columns, struct msg_rows *answer)
{
        BUG_ON(page->rows->n_columns > READER_COLUMNS_MAX);
        for (size_t i = 0; i < H_COUNT; i++)
                page->hidden[i] = -1;
        for (size_t i = 0; i < page->rows->n_columns; i++) {
                const char *name = page->rows->fields[i].name, *form = strchr(name, '=');
                size_t n = form ? (size_t)(form - name) : strlen(name);

                if (name[0] == '_') {
                        page->shows[i] = SHOW_HIDDEN;
                        for (size_t k = 0; k < H_COUNT; k++)
                                if (strcmp(HIDDEN[k], name) == 0)
                                        page->hidden[k] = (int)i;
                        continue;
                }
                if (form)
                        plan_form(page, i, form + 1);
                snprintf(columns->text[answer->n_columns], sizeof(columns->text[0]), "%.*s", (int)n, name);
                columns->names[answer->n_columns] = columns->text[answer->n_columns];
                answer->n_columns++;
        }
        answer->columns = columns->names;
}

static uint64_t hidden(const struct page *page, enum hidden which)
{
        return page->hidden[which] < 0 ? 0 : db_u64(page->rows, (size_t)page->hidden[which]);
}

/* ------------------------------------------------------------------ values */
/* Text is valid UTF-8 without NUL wherever we wrote it; what is not is shown as ?, so that the row is still JSON. */
static void add_text(struct buf *json, const char *text, size_t n)
{
        CLEANUP_BUF struct buf clean = { 0 };
        uint32_t code;

        if (utf8_valid(text, n) && !memchr(text, '\0', n)) {
                buf_add_json_str(json, text, n);
                return;
        }
        for (const char *at = text, *end = text + n; at < end;) {
                size_t bytes = utf8_decode(at, end, &code);

                if (bytes == 0 || code == 0)
                        buf_add_char(&clean, '?');
                else
                        buf_add(&clean, at, bytes);
                at += bytes ? bytes : 1;
        }
        buf_add_json_str(json, clean.n ? clean.bytes : "", clean.n);
}

static void add_time(struct buf *json, int64_t at_us)
{
        time_t seconds = (time_t)(at_us / 1000000);
        struct tm tm;

        if (at_us <= 0) {
                buf_add_str(json, "null");
                return;
        }
        gmtime_r(&seconds, &tm);
        buf_addf(json, "\"%04d-%02d-%02dT%02d:%02d:%02d.%06dZ\"", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(at_us % 1000000));
}

static void add_plain(struct buf *json, const struct db_rows *rows, size_t i)
{
        size_t n = 0;
        const char *text;

        switch (rows->fields[i].kind) {
        case DB_INTEGER:
                if (rows->fields[i].is_unsigned)
                        buf_add_u64(json, db_u64(rows, i));
                else
                        buf_add_i64(json, db_i64(rows, i));
                break;
        case DB_NUMBER:
                buf_add_str(json, db_text(rows, i));
                break;
        case DB_TEXT:
        case DB_BYTES:
                text = db_bytes(rows, i, &n);
                add_text(json, text, n);
                break;
        }
}

static struct seal_place place_of(const struct page *page, const struct sealed *sealed)
{
        struct seal_place place = { .kind = sealed->kind,
                                    .owner = (uint32_t)hidden(page, H_OWNER),
                                    .job = hidden(page, H_JOB) };

        if (strchr(sealed->uses, 'i'))
                place.index = hidden(page, H_INDEX);
        if (strchr(sealed->uses, 'a'))
                place.attempt = (uint32_t)hidden(page, H_ATTEMPT);
        if (strchr(sealed->uses, 'p'))
                place.part = (uint32_t)hidden(page, H_PART);
        if (strchr(sealed->uses, 's'))
                place.seq = hidden(page, H_SEQ);
        return place;
}

static int key_of_row(const struct page *page, struct data_key *key, struct err *err)
{
        size_t n = 0;
        const char *wrapped = db_bytes(page->rows, (size_t)page->hidden[H_KEY], &n);

        return store_keys_unwrap(page->hand->keys, hidden(page, H_JOB), wrapped, n, key, err);
}

/* A result that the listing left out for its size: fetched by itself into `long_value`. */
static int fetch_long(const struct page *page, const struct seal_place *place, struct buf *long_value,
                      struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        int more;

        db_args_init(&args, "job:u index:u attempt:u");
        db_put_u64(&args, place->job);
        db_put_u64(&args, place->index);
        db_put_u64(&args, place->attempt);
        if (db_read(page->hand->db, "list_result", &args, &rows, err) < 0)
                return -1;
        while ((more = db_next(&rows, err)) > 0) {
                size_t n;
                const char *bytes = db_bytes(&rows, 0, &n);

                buf_add(long_value, bytes, n);
        }
        return more;
}

static int add_cut_spec(const struct buf *plain, struct buf *json, struct err *err)
{
        CLEANUP_BUF struct buf cut = { 0 };
        struct job_spec_box *box = job_spec_decode(plain->bytes, plain->n, err);

        if (!box)
                return -1;
        job_spec_cut(&box->spec, SPEC_LIST_BYTES, &cut);
        job_spec_free(box);
        add_text(json, cut.bytes, cut.n);
        return 0;
}

static int add_sealed(const struct page *page, size_t i, struct buf *json, struct err *err)
{
        CLEANUP_BUF struct buf plain = { 0 }, long_value = { 0 };
        struct seal_place place = place_of(page, page->sealed[i]);
        struct data_key key;
        size_t n = 0;
        const char *envelope = db_bytes(page->rows, i, &n);

        if (page->is_long && place.kind == SEAL_RESULT) {
                buf_addf(json, "[%" PRIu32 "]", place.attempt);
                return 0;
        }
        if (n == 0 && place.kind == SEAL_RESULT) {
                if (fetch_long(page, &place, &long_value, err) < 0)
                        return -1;
                envelope = long_value.bytes;
                n = long_value.n;
        }
        if (n == 0) { /* nothing was given: no comment, no detail */
                buf_add_str(json, "null");
                return 0;
        }
        if (key_of_row(page, &key, err) < 0 ||
            unseal(page->hand->sealer, &key, &place, envelope, n, &plain, err) < 0)
                return -1;
        if (page->is_long && place.kind == SEAL_JOB_SPEC)
                return add_cut_spec(&plain, json, err);
        add_text(json, plain.n ? plain.bytes : "", plain.n);
        return 0;
}

static int load_entries(struct reader_hand *hand, uint64_t job, uint32_t chunk, struct err *err)
{
        bool last;

        if (hand->entries.n && hand->entries_job == job && hand->entries_chunk == chunk)
                return 0;
        buf_clear(&hand->entries);
        if (reader_chunk(hand, (struct reader_place){ { job }, 0, chunk }, &hand->entries, &last, err) < 0) {
                buf_clear(&hand->entries);
                return -1;
        }
        hand->entries_job = job;
        hand->entries_chunk = chunk;
        return 0;
}

int reader_entry(struct reader_hand *hand, uint64_t job, uint32_t chunk, uint64_t k, struct buf *out,
                 struct err *err)
{
        const char *text;
        size_t n, from = out->n;

        if (load_entries(hand, job, chunk, err) < 0)
                return -1;
        if (entry_find(hand->entries.bytes, hand->entries.n, k, &text, &n) < 0)
                return err_set(err, ERR_BAD_DATA, "DATA_CORRUPT: entries of job %" PRIu64, job);
        buf_add(out, text, entry_shown(text, n));
        for (size_t i = from; i < out->n; i++)
                if (out->bytes[i] == '\0')
                        out->bytes[i] = ' ';
        return 0;
}

static int add_entry(const struct page *page, size_t i, struct buf *json, struct err *err)
{
        CLEANUP_BUF struct buf joined = { 0 };

        if (db_u64(page->rows, i) == 0) { /* the job has none */
                buf_add_str(json, "null");
                return 0;
        }
        if (reader_entry(page->hand, hidden(page, H_JOB), (uint32_t)hidden(page, H_CHUNK), hidden(page, H_K),
                         &joined, err) < 0)
                return -1;
        add_text(json, joined.bytes, joined.n);
        return 0;
}

static void add_word(struct buf *json, const char *word)
{
        if (*word)
                buf_add_json_str(json, word, strlen(word));
        else
                buf_add_str(json, "null");
}

static int add_value(const struct page *page, size_t i, struct buf *json, struct err *err)
{
        const struct db_rows *rows = page->rows;

        if (db_is_null(rows, i)) {
                buf_add_str(json, "null");
                return 0;
        }
        switch (page->shows[i]) {
        case SHOW_HIDDEN:
                break;
        case SHOW_PLAIN:
                add_plain(json, rows, i);
                break;
        case SHOW_TIME:
                add_time(json, db_i64(rows, i));
                break;
        case SHOW_STATUS:
                add_word(json, task_status_word((enum task_status)db_u64(rows, i)));
                break;
        case SHOW_REASON:
                add_word(json, task_reason_word((enum task_reason)db_u64(rows, i)));
                break;
        case SHOW_TYPE:
                add_word(json, task_type_word((enum task_type)db_u64(rows, i)));
                break;
        case SHOW_ENTRY:
                return add_entry(page, i, json, err);
        case SHOW_SEALED:
                return add_sealed(page, i, json, err);
        }
        return 0;
}

/* ------------------------------------------------------------------ rows */
static int add_row(const struct page *page, struct buf *json, struct err *err)
{
        bool first = true;

        buf_add_char(json, '[');
        for (size_t i = 0; i < page->rows->n_columns; i++) {
                if (page->shows[i] == SHOW_HIDDEN)
                        continue;
                if (!first)
                        buf_add_char(json, ',');
                first = false;
                if (add_value(page, i, json, err) < 0)
                        return -1;
        }
        buf_add_char(json, ']');
        return 0;
}

static int too_large(const struct page *page, struct err *err)
{
        return err_set(err, ERR_TOO_LARGE,
                       "task %" PRIu64 ".%" PRIu64
                       " has a value that is too large for a listing: read it by SQL",
                       hidden(page, H_JOB), hidden(page, H_INDEX));
}

/* Alone in its message it is still too long: with the name of its result instead of the result it is short, or with the
 * beginnings of its description's lists. */
static int add_long_row(struct page *page, struct buf *json, size_t before, struct err *err)
{
        int rc;

        json->n = before;
        page->is_long = true;
        rc = add_row(page, json, err);
        page->is_long = false;
        if (rc == 0 && json->n + 1 > ROWS_JSON_MAX)
                return too_large(page, err);
        return rc;
}

int reader_rows(struct reader_hand *hand, struct db_rows *rows, size_t limit, struct buf *json,
                struct reader_columns *columns, struct msg_rows *answer, struct err *err)
{
        struct page page = { .hand = hand, .rows = rows };
        uint64_t next = 0, next_index = 0;
        size_t n = 0;
        int more;

        plan(&page, columns, answer);
        buf_add_char(json, '[');
        while ((more = db_next(rows, err)) > 0) {
                size_t before = json->n;

                if (n == limit || json->n > PAGE_BYTES) {
                        answer->has_next = true;
                        break;
                }
                if (n)
                        buf_add_char(json, ',');
                if (add_row(&page, json, err) < 0)
                        return -1;
                if (json->n + 1 > ROWS_JSON_MAX && n == 0 && add_long_row(&page, json, before, err) < 0)
                        return -1;
                if (json->n + 1 > ROWS_JSON_MAX) { /* this one into the next message */
                        json->n = before;
                        answer->has_next = true;
                        break;
                }
                n++;
                next = hidden(&page, H_NEXT);
                next_index = hidden(&page, H_NEXT_INDEX);
        }
        if (more < 0)
                return -1;
        buf_add_char(json, ']');
        if (answer->has_next) {
                answer->next = next;
                answer->next_index = next_index;
                answer->has_next_index = true;
        }
        answer->rows = json->bytes;
        answer->n_rows = json->n;
        return 0;
}
