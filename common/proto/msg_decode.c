/* JSON text to struct. The text has been through json_scan, so every token is well-formed; here the tables decide
 * what a message is made of.
 *
 * 1. Recursion follows the declared records, never the input: as deep as messages.def nests them.
 * 2. Before memory is taken for n elements, their text must be long enough to hold n of them.
 * 3. An error names the field and what it must be; it never repeats what the peer sent. */
#include "proto/msg_fields.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/name.h"
#include "base/utf8.h"
#include "proto/json_scan.h"

struct decode {
        const char *text;
        const struct json_tokens *tokens;
        struct msg_arena *arena;
        struct err *err;
};

/* Where in the message we are, for errors: a list from the innermost outwards. */
struct place {
        const struct place *outer;
        const char *name;
        size_t index;
        bool has_index;
};

static const struct json_token *token_at(const struct decode *d, size_t at)
{
        return &d->tokens->list[at];
}

/* ------------------------------------------------------------------ errors */

static void add_place(char *text, size_t bytes, const struct place *place)
{
        size_t n;

        if (place->outer) {
                add_place(text, bytes, place->outer);
                strncat(text, ".", bytes - strlen(text) - 1);
        }
        n = strlen(text);
        if (place->has_index)
                snprintf(text + n, bytes - n, "%s[%zu]", place->name, place->index);
        else
                snprintf(text + n, bytes - n, "%s", place->name);
}

/* `fmt` continues "field <place> ". */
static int bad(const struct decode *d, enum err_code code, const struct place *place, const char *fmt, ...)
        PRINTF_LIKE(4, 5);
static int bad(const struct decode *d, enum err_code code, const struct place *place, const char *fmt, ...)
{
        char where[160] = "";
        char what[200];
        va_list args;

        if (place)
                add_place(where, sizeof(where), place);
        va_start(args, fmt);
        vsnprintf(what, sizeof(what), fmt, args);
        va_end(args);
        return err_set(d->err, code, "%s%s%s", place ? "field " : "the message", where, what);
}

static int bad_type(const struct decode *d, const struct place *place, const char *what)
{
        return bad(d, ERR_BAD_FIELD, place, " must be %s", what);
}

/* ------------------------------------------------------------------ scalars */

static void set_has(const struct field *field, void *to)
{
        *(bool *)((char *)to + field->mate) = true;
}

static void set_pointer(const struct field *field, void *to, const void *pointer, size_t n)
{
        *(const void **)((char *)to + field->at) = pointer;
        *(size_t *)((char *)to + field->mate) = n;
}

static int decode_integer(const struct decode *d, const struct field *field, size_t at, void *to,
                          const struct place *place)
{
        const struct json_token *token = token_at(d, at);

        if (token->kind != JSON_KIND_INTEGER || token->integer < field->min || token->integer > field->max)
                return bad(d, ERR_BAD_FIELD, place, " must be an integer from %" PRId64 " to %" PRId64,
                           field->min, field->max);
        *(int64_t *)((char *)to + field->at) = token->integer;
        set_has(field, to);
        return 0;
}

static int decode_bool(const struct decode *d, const struct field *field, size_t at, void *to,
                       const struct place *place)
{
        const struct json_token *token = token_at(d, at);

        if (token->kind != JSON_KIND_TRUE && token->kind != JSON_KIND_FALSE)
                return bad_type(d, place, "true or false");
        *(bool *)((char *)to + field->at) = token->kind == JSON_KIND_TRUE;
        set_has(field, to);
        return 0;
}

static int decode_word(const struct decode *d, const struct field *field, size_t at, void *to,
                       const struct place *place)
{
        const struct json_token *token = token_at(d, at);
        size_t n = token->end - token->at;
        char word[64];
        int number = -1;

        if (token->kind == JSON_KIND_STRING && !token->escaped && n < sizeof(word)) {
                memcpy(word, d->text + token->at, n);
                word[n] = '\0';
                number = field->words->number_of(word);
        }
        if (number < 0)
                return bad_type(d, place, "a word of its set");
        *(int *)((char *)to + field->at) = number;
        set_has(field, to);
        return 0;
}

/* A copy with a NUL behind it. */
static char *copy_string(const struct decode *d, size_t at, size_t *ret_bytes)
{
        const struct json_token *token = token_at(d, at);
        char *copy = msg_arena_alloc(d->arena, token->end - token->at + (size_t)1);

        *ret_bytes = json_unescape(d->text, token, copy);
        copy[*ret_bytes] = '\0';
        return copy;
}

static int decode_string(const struct decode *d, const struct field *field, size_t at, void *to,
                         const struct place *place)
{
        char *copy;
        size_t n;

        if (token_at(d, at)->kind != JSON_KIND_STRING)
                return bad_type(d, place, "a string");
        copy = copy_string(d, at, &n);
        if ((int64_t)n > field->max)
                return bad(d, ERR_TOO_LARGE, place, " is longer than %" PRId64 " bytes", field->max);
        if ((int64_t)n < field->min)
                return bad(d, ERR_BAD_FIELD, place, " is shorter than %" PRId64 " bytes", field->min);
        if (field->kind == FIELD_KIND_NAME && !name_is_valid(copy, n))
                return bad_type(d, place, "a name: [A-Za-z0-9][A-Za-z0-9._-]*");
        set_pointer(field, to, copy, n);
        return 0;
}

static int decode_json(const struct decode *d, const struct field *field, size_t at, void *to,
                       const struct place *place)
{
        const struct json_token *token = token_at(d, at);
        bool string = token->kind == JSON_KIND_STRING; /* whose token lies inside of its quotes */
        size_t from = token->at - (size_t)string;
        size_t n = token->end + (size_t)string - from;
        char *copy;

        if ((int64_t)n > field->max)
                return bad(d, ERR_TOO_LARGE, place, " is longer than %" PRId64 " bytes", field->max);
        if ((int64_t)n < field->min)
                return bad(d, ERR_BAD_FIELD, place, " is shorter than %" PRId64 " bytes", field->min);
        if (json_no_doubles(d->text, d->tokens, at, d->err) < 0)
                return -1;
        copy = msg_arena_alloc(d->arena, n + 1);
        memcpy(copy, d->text + from, n);
        copy[n] = '\0';
        set_pointer(field, to, copy, n);
        return 0;
}

/* ------------------------------------------------------------------ arrays */

/* The token is an array whose number of elements the field allows. */
static int check_array(const struct decode *d, const struct field *field, size_t at,
                       const struct place *place)
{
        const struct json_token *token = token_at(d, at);

        if (token->kind != JSON_KIND_ARRAY)
                return bad_type(d, place, "an array");
        if ((int64_t)token->n > field->max)
                return bad(d, ERR_TOO_LARGE, place, " has more than %" PRId64 " elements", field->max);
        if ((int64_t)token->n < field->min)
                return bad(d, ERR_BAD_FIELD, place, " has fewer than %" PRId64 " elements", field->min);
        return 0;
}

static int decode_strs(const struct decode *d, const struct field *field, size_t at, void *to,
                       const struct place *place)
{
        size_t n = token_at(d, at)->n;
        const char **strs = msg_arena_alloc(d->arena, n * sizeof(*strs));
        size_t bytes;

        at++;
        for (size_t i = 0; i < n; i++, at = json_next(d->tokens->list, at)) {
                struct place element = { place->outer, place->name, i, true };

                if (token_at(d, at)->kind != JSON_KIND_STRING)
                        return bad_type(d, &element, "a string");
                strs[i] = copy_string(d, at, &bytes);
                if (bytes > MSG_STRS_ELEMENT_MAX)
                        return bad(d, ERR_TOO_LARGE, &element, " is longer than %d bytes",
                                   MSG_STRS_ELEMENT_MAX);
        }
        set_pointer(field, to, strs, n);
        return 0;
}

static int decode_ints(const struct decode *d, const struct field *field, size_t at, void *to,
                       const struct place *place)
{
        const struct json_token *token = token_at(d, at) + 1;
        size_t n = token_at(d, at)->n;
        int64_t *ints = msg_arena_alloc(d->arena, n * sizeof(*ints));

        for (size_t i = 0; i < n; i++) {
                if (token[i].kind !=
                    JSON_KIND_INTEGER) { /* a container ends the walk before it misleads it */
                        struct place element = { place->outer, place->name, i, true };

                        return bad_type(d, &element, "an integer of at most 2^53-1");
                }
                ints[i] = token[i].integer;
        }
        set_pointer(field, to, ints, n);
        return 0;
}

/* `token` is one element: [lo,hi] behind `above`, the end of the range before. */
static bool is_range(const struct json_token *token, const struct range *before)
{
        return token[0].kind == JSON_KIND_ARRAY && token[0].n == 2 && token[1].kind == JSON_KIND_INTEGER &&
               token[2].kind == JSON_KIND_INTEGER && token[1].integer >= 0 &&
               token[1].integer <= token[2].integer && (!before || (uint64_t)token[1].integer > before->hi);
}

static int decode_ranges(const struct decode *d, const struct field *field, size_t at, void *to,
                         const struct place *place)
{
        const struct json_token *token = token_at(d, at) + 1;
        size_t n = token_at(d, at)->n;
        struct range *ranges = msg_arena_alloc(d->arena, n * sizeof(*ranges));

        for (size_t i = 0; i < n; i++, token += 3) {
                if (!is_range(token, i ? &ranges[i - 1] : NULL)) {
                        struct place element = { place->outer, place->name, i, true };

                        return bad_type(d, &element, "[lo,hi] with 0 <= lo <= hi, above the range before it");
                }
                ranges[i] = (struct range){ (uint64_t)token[1].integer, (uint64_t)token[2].integer };
        }
        set_pointer(field, to, ranges, n);
        return 0;
}

/* ------------------------------------------------------------------ records */

static int decode_members(const struct decode *d, const struct record *record, size_t at, void *to,
                          const struct place *place, const struct record *others);

static int decode_record(const struct decode *d, const struct record *record, size_t at, void *to,
                         const struct place *place)
{
        if (token_at(d, at)->kind != JSON_KIND_OBJECT)
                return bad_type(d, place, "an object");
        memset(to, 0, record->bytes);
        return decode_members(d, record, at, to, place, NULL);
}

/* The least text of a record: its required members' names, quotes, colons and one byte of value. */
static size_t least_text(const struct record *record)
{
        size_t bytes = 2;

        for (size_t i = 0; i < record->n_fields; i++)
                if (record->fields[i].required)
                        bytes += record->fields[i].n_name + (size_t)5;
        return bytes;
}

static int decode_records(const struct decode *d, const struct field *field, size_t at, void *to,
                          const struct place *place)
{
        const struct record *record = field->record;
        const struct json_token *token = token_at(d, at);
        size_t n = token->n;
        char *records;

        if (token->end - token->at < n * least_text(record))
                return bad_type(d, place, "an array of objects with all their required members");
        records = msg_arena_alloc(d->arena, n * record->bytes);
        at++;
        for (size_t i = 0; i < n; i++, at = json_next(d->tokens->list, at)) {
                struct place element = { place->outer, place->name, i, true };

                if (decode_record(d, record, at, records + i * record->bytes, &element) < 0)
                        return -1;
        }
        set_pointer(field, to, records, n);
        return 0;
}

static int decode_field(const struct decode *d, const struct field *field, size_t at, void *to,
                        const struct place *outer)
{
        struct place place = { outer, field->name, 0, false };
        void *record;

        switch ((enum field_kind)field->kind) {
        case FIELD_KIND_U64:
        case FIELD_KIND_I64:
                return decode_integer(d, field, at, to, &place);
        case FIELD_KIND_BOOL:
                return decode_bool(d, field, at, to, &place);
        case FIELD_KIND_ENUM:
                return decode_word(d, field, at, to, &place);
        case FIELD_KIND_STR:
        case FIELD_KIND_NAME:
                return decode_string(d, field, at, to, &place);
        case FIELD_KIND_JSON:
                return decode_json(d, field, at, to, &place);
        case FIELD_KIND_REC:
                record = msg_arena_alloc(d->arena, field->record->bytes);
                *(void **)((char *)to + field->at) = record;
                return decode_record(d, field->record, at, record, &place);
        case FIELD_KIND_STRS:
        case FIELD_KIND_INTS:
        case FIELD_KIND_RANGES:
        case FIELD_KIND_RECS:
                break;
        }
        if (check_array(d, field, at, &place) < 0)
                return -1;
        if (field->kind == FIELD_KIND_STRS)
                return decode_strs(d, field, at, to, &place);
        if (field->kind == FIELD_KIND_INTS)
                return decode_ints(d, field, at, to, &place);
        if (field->kind == FIELD_KIND_RANGES)
                return decode_ranges(d, field, at, to, &place);
        return decode_records(d, field, at, to, &place);
}

/* The field of that name, or n_fields. Looks first at `hint`: writers keep the declared order. */
static size_t find_field(const struct record *record, const char *name, size_t n, size_t hint)
{
        for (size_t i = 0; i < record->n_fields; i++) {
                size_t k = hint + i < record->n_fields ? hint + i : hint + i - record->n_fields;

                if (record->fields[k].n_name == n && !memcmp(record->fields[k].name, name, n))
                        return k;
        }
        return record->n_fields;
}

static int check_required(const struct decode *d, const struct record *record, uint64_t seen,
                          const struct place *outer)
{
        for (size_t i = 0; i < record->n_fields; i++)
                if (record->fields[i].required && !(seen >> i & 1)) {
                        struct place place = { outer, record->fields[i].name, 0, false };

                        return bad(d, ERR_BAD_FIELD, &place, " is missing");
                }
        return 0;
}

/* Members of the object at `at`. Names that are not the record's must be among `others`, whoever decodes those; NULL:
 * there are no others. */
static int decode_members(const struct decode *d, const struct record *record, size_t at, void *to,
                          const struct place *place, const struct record *others)
{
        size_t n = token_at(d, at)->n;
        size_t hint = 0;
        uint64_t seen = 0;

        at++;
        for (size_t i = 0; i < n; i++, at = json_next(d->tokens->list, at + 1)) {
                const struct json_token *key = token_at(d, at);
                const char *name = d->text + key->at;
                size_t bytes = key->end - key->at;
                size_t k = find_field(record, name, bytes, hint);

                if (k == record->n_fields) {
                        if (others && find_field(others, name, bytes, 0) < others->n_fields)
                                continue;
                        return bad(d, ERR_BAD_FIELD, place, " has an unknown member at byte %u", key->at);
                }
                if (seen >> k & 1)
                        return bad(d, ERR_BAD_JSON, place, " has a member twice at byte %u", key->at);
                seen |= UINT64_C(1) << k;
                if (decode_field(d, &record->fields[k], at + 1, to, place) < 0)
                        return -1;
                hint = k + 1;
        }
        return check_required(d, record, seen, place);
}

/* ------------------------------------------------------------------ headers */

struct header {
        uint64_t v;
        bool has_v;
        const char *type;
        size_t n_type;
        const char *op;
        size_t n_op;
        uint64_t id;
        bool has_id;
        uint64_t re;
        bool has_re;
        uint64_t body;
        bool has_body;
};

#define HEADER_FIELD(field, field_kind, req, mate_member, least, most)                                       \
        {                                                                                                    \
                .name = #field, .n_name = sizeof(#field) - 1, .kind = (field_kind), .required = (req),       \
                .at = offsetof(struct header, field), .mate = offsetof(struct header, mate_member),          \
                .min = (least), .max = (int64_t)(most)                                                       \
        }
static const struct field header_fields[] = {
        HEADER_FIELD(v, FIELD_KIND_U64, true, has_v, MSG_VERSION, MSG_VERSION),
        HEADER_FIELD(type, FIELD_KIND_NAME, true, n_type, 1, 32),
        HEADER_FIELD(op, FIELD_KIND_NAME, true, n_op, 1, 32),
        HEADER_FIELD(id, FIELD_KIND_U64, false, has_id, 1, ID_MAX),
        HEADER_FIELD(re, FIELD_KIND_U64, false, has_re, 1, ID_MAX),
        HEADER_FIELD(body, FIELD_KIND_U64, false, has_body, 1, MSG_BODY_MAX),
};
static const struct record header_record = { header_fields, ARRAY_LEN(header_fields), sizeof(struct header) };

/* An integer member of the outermost object, for the first look at a message; -1 if it is not there. */
static int64_t peek_integer(const struct decode *d, const char *name)
{
        size_t at = 1;

        for (uint32_t i = 0; i < token_at(d, 0)->n; i++, at = json_next(d->tokens->list, at + 1)) {
                const struct json_token *key = token_at(d, at);

                if (key->end - key->at == strlen(name) && !memcmp(d->text + key->at, name, strlen(name)) &&
                    key[1].kind == JSON_KIND_INTEGER)
                        return key[1].integer;
        }
        return -1;
}

static enum msg_kind find_kind(enum msg_direction direction, const struct header *header)
{
        for (enum msg_kind kind = MSG_NO_KIND + 1; kind < MSG_KIND_COUNT; kind++) {
                const struct kind_info *info = msg_kind_info(kind);

                if (info->direction == direction && !strcmp(info->op, header->op) &&
                    !strcmp(info->type, header->type))
                        return kind;
        }
        return MSG_NO_KIND;
}

static int no_such_kind(const struct decode *d, enum msg_direction direction, const struct header *header)
{
        if (direction == MSG_C2S && find_kind(MSG_W2S, header) != MSG_NO_KIND)
                return err_set(d->err, ERR_FORBIDDEN, "only a worker's key may send this message");
        if (direction == MSG_W2S && find_kind(MSG_C2S, header) != MSG_NO_KIND)
                return err_set(d->err, ERR_FORBIDDEN, "a worker's key may not send this message");
        return err_set(d->err, ERR_BAD_FIELD, "fields type and op name no message of this direction");
}

static int decode_header(const struct decode *d, struct header *header, size_t body_bytes)
{
        /* Members that belong to the message: looked at once its kind is known. */
        size_t at = 1;
        uint64_t seen = 0;

        *header = (struct header){ 0 };
        for (uint32_t i = 0; i < token_at(d, 0)->n; i++, at = json_next(d->tokens->list, at + 1)) {
                const struct json_token *key = token_at(d, at);
                size_t k = find_field(&header_record, d->text + key->at, key->end - key->at, 0);

                if (k == header_record.n_fields)
                        continue;
                if (seen >> k & 1)
                        return bad(d, ERR_BAD_JSON, NULL, " has a member twice at byte %u", key->at);
                seen |= UINT64_C(1) << k;
                if (decode_field(d, &header_fields[k], at + 1, header, NULL) < 0)
                        return -1;
        }
        if (check_required(d, &header_record, seen, NULL) < 0)
                return -1;
        if (header->body != body_bytes)
                return err_set(d->err, ERR_BAD_FRAME, "field body is not the length of the second frame");
        return 0;
}

/* ------------------------------------------------------------------ entry points */

static int scan_object(struct decode *d, size_t bytes, struct json_tokens *tokens)
{
        if (json_scan(d->text, bytes, MSG_DEPTH_MAX, tokens, d->err) < 0)
                return -1;
        if (tokens->list[0].kind != JSON_KIND_OBJECT)
                return err_set(d->err, ERR_BAD_JSON, "the message is not an object");
        d->tokens = tokens;
        return 0;
}

static int check_frames(size_t header_bytes, size_t body_bytes, struct err *err)
{
        if (!header_bytes)
                return err_set(err, ERR_BAD_FRAME, "the header frame is empty");
        if (header_bytes > MSG_HEADER_MAX)
                return err_set(err, ERR_TOO_LARGE, "the header frame is longer than %zu bytes",
                               MSG_HEADER_MAX);
        if (body_bytes > MSG_BODY_MAX)
                return err_set(err, ERR_TOO_LARGE, "the body frame is longer than %zu bytes", MSG_BODY_MAX);
        return 0;
}

static int decode_message(struct decode *d, enum msg_direction direction, size_t body_bytes, struct msg *msg)
{
        bool from_peer = direction == MSG_C2S || direction == MSG_W2S;
        struct header header;

        if (peek_integer(d, "v") != MSG_VERSION)
                return err_set(d->err, ERR_BAD_FIELD, "field v must be one of the supported versions: %d",
                               MSG_VERSION);
        if (decode_header(d, &header, body_bytes) < 0)
                return -1;
        if (from_peer && !header.has_id)
                return err_set(d->err, ERR_BAD_FIELD, "field id is missing");
        msg->kind = find_kind(direction, &header);
        if (msg->kind == MSG_NO_KIND)
                return no_such_kind(d, direction, &header);
        if (body_bytes && !msg_may_have_body(msg->kind))
                return err_set(d->err, ERR_BAD_FRAME, "this message has no second frame");
        msg->id = header.id;
        msg->re = header.re;
        return decode_members(d, &msg_kind_info(msg->kind)->record, 0, &msg->u, NULL, &header_record);
}

/* Ends the arena of a message that could not be decoded. */
static void drop_arena(struct msg_arena **arena)
{
        msg_arena_free(*arena);
}

struct msg *msg_decode(enum msg_direction direction, const void *header, size_t header_bytes,
                       const void *body, size_t body_bytes, uint64_t *ret_id, struct err *err)
{
        __attribute__((cleanup(json_tokens_done))) struct json_tokens tokens = { 0 };
        __attribute__((cleanup(drop_arena))) struct msg_arena *arena = NULL;
        struct decode d = { .text = header, .err = err };
        struct msg *msg;
        int64_t id;

        *ret_id = 0;
        if (check_frames(header_bytes, body_bytes, err) < 0 || scan_object(&d, header_bytes, &tokens) < 0)
                return NULL;
        id = peek_integer(&d, "id");
        *ret_id = id > 0 ? (uint64_t)id : 0;
        arena = d.arena = msg_arena_new(sizeof(*msg) + body_bytes + header_bytes + 16 * tokens.n);
        msg = msg_arena_alloc(arena, sizeof(*msg));
        memset(msg, 0, sizeof(*msg));
        if (decode_message(&d, direction, body_bytes, msg) < 0)
                return NULL;
        if (body_bytes) {
                void *copy = msg_arena_alloc(arena, body_bytes);

                memcpy(copy, body, body_bytes);
                msg->body = copy;
                msg->body_bytes = body_bytes;
        }
        if (msg_check(msg, err) < 0)
                return NULL;
        msg->arena = STEAL(arena);
        return msg;
}

struct job_spec_box *job_spec_decode(const void *json, size_t bytes, struct err *err)
{
        __attribute__((cleanup(json_tokens_done))) struct json_tokens tokens = { 0 };
        __attribute__((cleanup(drop_arena))) struct msg_arena *arena = NULL;
        struct decode d = { .text = json, .err = err };
        struct place place = { NULL, "spec", 0, false };
        struct job_spec_box *box;

        if (check_frames(bytes, 0, err) < 0 || scan_object(&d, bytes, &tokens) < 0)
                return NULL;
        arena = d.arena = msg_arena_new(sizeof(*box) + bytes + 16 * tokens.n);
        box = msg_arena_alloc(arena, sizeof(*box));
        if (decode_record(&d, msg_job_spec_record(), 0, &box->spec, &place) < 0 ||
            job_spec_check(&box->spec, err) < 0)
                return NULL;
        box->arena = STEAL(arena);
        return box;
}
