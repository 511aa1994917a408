/* Struct to JSON text. Appends to a buffer and does nothing else; a value outside its declared range is a mistake of
 * our own and stops the process, because the peer would refuse it for ever. */
#include "proto/msg_fields.h"

#include <string.h>

#include "base/name.h"

static void encode_record(const struct record *record, const void *from, struct buf *out);

static const void *member(const void *from, size_t at)
{
        return (const char *)from + at;
}

static size_t mate_count(const struct field *field, const void *from)
{
        return *(const size_t *)member(from, field->mate);
}

static bool mate_has(const struct field *field, const void *from)
{
        return *(const bool *)member(from, field->mate);
}

/* Is there a value to send? An optional number or word is sent when has_ says so or it is not 0. */
static bool is_there(const struct field *field, const void *from)
{
        const void *value = member(from, field->at);

        if (field->required)
                return true;
        switch ((enum field_kind)field->kind) {
        case FIELD_KIND_U64:
        case FIELD_KIND_I64:
                return mate_has(field, from) || *(const uint64_t *)value;
        case FIELD_KIND_BOOL:
                return mate_has(field, from) || *(const bool *)value;
        case FIELD_KIND_ENUM:
                return mate_has(field, from) || *(const int *)value;
        case FIELD_KIND_STR:
        case FIELD_KIND_NAME:
        case FIELD_KIND_JSON:
        case FIELD_KIND_REC:
                return *(void *const *)value != NULL;
        case FIELD_KIND_STRS:
        case FIELD_KIND_INTS:
        case FIELD_KIND_RANGES:
        case FIELD_KIND_RECS:
                return mate_count(field, from) != 0;
        }
        return false;
}

static void check_count(const struct field *field, size_t n)
{
        BUG_ON((int64_t)n < field->min || (int64_t)n > field->max);
}

static void encode_strs(const char *const *strs, size_t n, struct buf *out)
{
        buf_add_char(out, '[');
        for (size_t i = 0; i < n; i++) {
                size_t bytes = strlen(strs[i]);

                BUG_ON(bytes > MSG_STRS_ELEMENT_MAX);
                if (i)
                        buf_add_char(out, ',');
                buf_add_json_str(out, strs[i], bytes);
        }
        buf_add_char(out, ']');
}

static void encode_ints(const int64_t *ints, size_t n, struct buf *out)
{
        buf_add_char(out, '[');
        for (size_t i = 0; i < n; i++) {
                BUG_ON(ints[i] > (int64_t)ID_MAX || ints[i] < -(int64_t)ID_MAX);
                if (i)
                        buf_add_char(out, ',');
                buf_add_i64(out, ints[i]);
        }
        buf_add_char(out, ']');
}

static void encode_ranges(const struct range *ranges, size_t n, struct buf *out)
{
        buf_add_char(out, '[');
        for (size_t i = 0; i < n; i++) {
                BUG_ON(ranges[i].lo > ranges[i].hi || ranges[i].hi > ID_MAX);
                BUG_ON(i && ranges[i].lo <= ranges[i - 1].hi);
                buf_add(out, ",[", 2);
                if (!i) { /* no comma before the first */
                        out->n -= 2;
                        buf_add_char(out, '[');
                }
                buf_add_u64(out, ranges[i].lo);
                buf_add_char(out, ',');
                buf_add_u64(out, ranges[i].hi);
                buf_add_char(out, ']');
        }
        buf_add_char(out, ']');
}

static void encode_records(const struct field *field, const char *from, size_t n, struct buf *out)
{
        buf_add_char(out, '[');
        for (size_t i = 0; i < n; i++) {
                if (i)
                        buf_add_char(out, ',');
                encode_record(field->record, from + i * field->record->bytes, out);
        }
        buf_add_char(out, ']');
}

/* Strings, arrays and records: everything that lies behind a pointer. */
static void encode_pointed(const struct field *field, const void *from, struct buf *out)
{
        const void *value = *(void *const *)member(from, field->at);
        size_t n = field->kind == FIELD_KIND_REC ? 0 : mate_count(field, from);

        if (field->kind != FIELD_KIND_REC)
                check_count(field, n);
        switch ((enum field_kind)field->kind) {
        case FIELD_KIND_NAME:
                BUG_ON(!name_is_valid(value, n));
                buf_add_json_str(out, value, n);
                return;
        case FIELD_KIND_STR:
                buf_add_json_str(out, value ? value : "", n);
                return;
        case FIELD_KIND_JSON:
                buf_add(out, value, n);
                return;
        case FIELD_KIND_STRS:
                encode_strs(value, n, out);
                return;
        case FIELD_KIND_INTS:
                encode_ints(value, n, out);
                return;
        case FIELD_KIND_RANGES:
                encode_ranges(value, n, out);
                return;
        case FIELD_KIND_REC:
                BUG_ON(!value);
                encode_record(field->record, value, out);
                return;
        case FIELD_KIND_RECS:
                encode_records(field, value, n, out);
                return;
        case FIELD_KIND_U64:
        case FIELD_KIND_I64:
        case FIELD_KIND_BOOL:
        case FIELD_KIND_ENUM:
                return;
        }
}

static void encode_value(const struct field *field, const void *from, struct buf *out)
{
        const void *value = member(from, field->at);

        if (field->kind == FIELD_KIND_U64) {
                uint64_t n = *(const uint64_t *)value;

                BUG_ON(n < (uint64_t)field->min || n > (uint64_t)field->max);
                buf_add_u64(out, n);
        } else if (field->kind == FIELD_KIND_I64) {
                int64_t n = *(const int64_t *)value;

                BUG_ON(n < field->min || n > field->max);
                buf_add_i64(out, n);
        } else if (field->kind == FIELD_KIND_BOOL) {
                buf_add_str(out, *(const bool *)value ? "true" : "false");
        } else if (field->kind == FIELD_KIND_ENUM) {
                const char *word = field->words->word_of(*(const int *)value);

                BUG_ON(!strcmp(word, "?"));
                buf_add_json_str(out, word, strlen(word));
        } else {
                encode_pointed(field, from, out);
        }
}

/* Members with a comma before each; the caller removes the first comma or has written something before. */
static void encode_members(const struct record *record, const void *from, struct buf *out)
{
        for (size_t i = 0; i < record->n_fields; i++) {
                const struct field *field = &record->fields[i];

                if (!is_there(field, from))
                        continue;
                buf_add(out, field->prefix, field->n_name + (size_t)4);
                encode_value(field, from, out);
        }
}

static void encode_record(const struct record *record, const void *from, struct buf *out)
{
        size_t start = out->n;

        encode_members(record, from, out);
        if (out->n == start)
                buf_add_char(out, '{');
        else
                out->bytes[start] = '{'; /* in the place of the first comma */
        buf_add_char(out, '}');
}

void msg_encode(const struct msg *msg, struct buf *out)
{
        const struct kind_info *info = msg_kind_info(msg->kind);
        bool from_peer = info->direction == MSG_C2S || info->direction == MSG_W2S;

        BUG_ON(msg->id > ID_MAX || msg->re > ID_MAX || (from_peer && !msg->id));
        BUG_ON(msg->body_bytes > MSG_BODY_MAX || (msg->body_bytes && !msg_may_have_body(msg->kind)));
        buf_add_str(out, "{\"v\":1,\"type\":\"");
        buf_add_str(out, info->type);
        buf_add_str(out, "\",\"op\":\"");
        buf_add_str(out, info->op);
        buf_add_char(out, '"');
        if (msg->id) {
                buf_add_str(out, ",\"id\":");
                buf_add_u64(out, msg->id);
        }
        if (msg->re) {
                buf_add_str(out, ",\"re\":");
                buf_add_u64(out, msg->re);
        }
        if (msg->body_bytes) {
                buf_add_str(out, ",\"body\":");
                buf_add_u64(out, msg->body_bytes);
        }
        encode_members(&info->record, &msg->u, out);
        buf_add_char(out, '}');
}

void job_spec_encode(const struct rec_job_spec *spec, struct buf *out)
{
        encode_record(msg_job_spec_record(), spec, out);
}
