/* One record from its tokens. The text has been through json_scan, so every token is well-formed; here the tables
 * decide what a message is made of.
 *
 * 1. Recursion follows the declared records, never the input: as deep as messages.def nests them.
 * 2. Before memory is taken for n elements, their text must be long enough to hold n of them.
 * 3. An error names the field and what it must be; it never repeats what the peer sent. */
#include "proto/msg_decode.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/name.h"
#include "proto/json_scan.h"

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
                        if (others &&
                            (!others->n_fields || find_field(others, name, bytes, 0) < others->n_fields))
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

int msg_decode_members(const struct decode *d, const struct record *record, size_t at, void *to,
                       const struct record *others)
{
        return decode_members(d, record, at, to, NULL, others);
}

int msg_decode_record(const struct decode *d, const struct record *record, size_t at, const char *name,
                      void *to)
{
        struct place place = { NULL, name, 0, false };

        return decode_record(d, record, at, to, &place);
}
