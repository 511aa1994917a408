/* A message from its frames: sizes, text, header, kind, then its members by the tables. Each step refuses before the next
 * one spends anything. */
#include "proto/msg_decode.h"

#include <string.h>

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

        for (uint32_t i = 0; i < d->tokens->list[0].n; i++, at = json_next(d->tokens->list, at + 1)) {
                const struct json_token *key = &d->tokens->list[at];

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
        /* Members that belong to the message are looked at once its kind is known. */
        static const struct record anything = { 0 };

        *header = (struct header){ 0 };
        if (msg_decode_members(d, &header_record, 0, header, &anything) < 0)
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
        return msg_decode_members(d, &msg_kind_info(msg->kind)->record, 0, &msg->u, &header_record);
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
        struct job_spec_box *box;

        if (check_frames(bytes, 0, err) < 0 || scan_object(&d, bytes, &tokens) < 0)
                return NULL;
        arena = d.arena = msg_arena_new(sizeof(*box) + bytes + 16 * tokens.n);
        box = msg_arena_alloc(arena, sizeof(*box));
        if (msg_decode_record(&d, msg_job_spec_record(), 0, "spec", &box->spec) < 0 ||
            job_spec_check(&box->spec, err) < 0)
                return NULL;
        box->arena = STEAL(arena);
        return box;
}
