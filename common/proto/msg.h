/* Messages as C structs, and the one codec. messages.def is the declaration; this header turns it into types.
 *
 * On the wire a message is a JSON header frame of at most MSG_HEADER_MAX bytes and, where the header says
 * `body`: n, exactly one binary frame of n bytes (at most MSG_BODY_MAX).
 *
 * Ownership: a decoded message owns everything it points to (one arena) and dies with msg_free. A message to be
 * encoded is filled by its sender with borrowed pointers and lives on the stack. */
#ifndef PROTO_MSG_H
#define PROTO_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ids.h"
#include "proto/words.h"

#define MSG_VERSION 1
#define MSG_HEADER_MAX ((size_t)1 << 20)
#define MSG_BODY_MAX ((size_t)1 << 20)
#define MSG_CHUNK_MAX ((size_t)1 << 20) /* bytes of one chunk of an input, an output file or entries */
#define MSG_DEPTH_MAX 16

struct range { /* both ends belong to it */
        uint64_t lo;
        uint64_t hi;
};

/* The formatter takes these macros for code. */
/* clang-format off */
#define FIELD_C_U64(name) uint64_t name; bool has_##name;
#define FIELD_C_I64(name) int64_t name; bool has_##name;
#define FIELD_C_BOOL(name) bool name; bool has_##name;
#define FIELD_C_STR(name) const char *name; size_t n_##name;
#define FIELD_C_NAME(name) const char *name; size_t n_##name;
#define FIELD_C_STRS(name) const char **name; size_t n_##name;
#define FIELD_C_INTS(name) int64_t *name; size_t n_##name;
#define FIELD_C_RANGES(name) struct range *name; size_t n_##name;
#define FIELD_C_JSON(name) const char *name; size_t n_##name;
/* err_word fields are enum err_code; every other set is the enum of its name. */
#define err_word err_code

#define MSG(kind, type, op, direction, perm) struct msg_##kind {
#define REC(record) struct rec_##record {
#define FIELD(owner, name, field_kind, presence, min, max) FIELD_C_##field_kind(name)
#define FIELD_ENUM(owner, name, set, presence) enum set name; bool has_##name;
#define FIELD_REC(owner, name, record, presence) struct rec_##record *name;
#define FIELD_RECS(owner, name, record, presence, min, max) struct rec_##record *name; size_t n_##name;
#define END(kind) };
#define END_REC(record) };
/* clang-format on */
#include "proto/messages.def"
#undef MSG
#undef FIELD
#undef FIELD_ENUM
#undef FIELD_REC
#undef FIELD_RECS
#undef REC
#undef END
#undef END_REC
#undef err_word

#define MSG_NO_FIELDS
enum msg_kind {
        MSG_NO_KIND,
#define MSG(kind, type, op, direction, perm) MSG_##kind,
#define REC(record)
#define FIELD(owner, name, field_kind, presence, min, max)
#define FIELD_ENUM(owner, name, set, presence)
#define FIELD_REC(owner, name, record, presence)
#define FIELD_RECS(owner, name, record, presence, min, max)
#define END(kind)
#define END_REC(record)
#include "proto/messages.def"
        MSG_KIND_COUNT,
#undef MSG
};

enum msg_direction { MSG_C2S, MSG_S2C, MSG_W2S, MSG_S2W };

struct msg {
        enum msg_kind kind;
        uint64_t id; /* the sender's number for this message; 0: not yet given */
        uint64_t re; /* id of the message that this answers; 0: none */
        const void *body;
        size_t body_bytes;
        struct msg_arena *arena; /* owned by a decoded message; NULL in one that is being written */
        union {
#define MSG(kind, type, op, direction, perm) struct msg_##kind kind;
#include "proto/messages.def"
#undef MSG
        } u;
};
#undef REC
#undef FIELD
#undef FIELD_ENUM
#undef FIELD_REC
#undef FIELD_RECS
#undef END
#undef END_REC

/* Decode a header sent in `direction` with its optional body. The body's bytes are copied into the message.
 * Errors: BAD_JSON, BAD_FIELD, TOO_LARGE, BAD_FRAME (body and header disagree). If the header is readable enough
 * to tell, *ret_id receives its id even when decoding fails (0 otherwise), so that a refusal can name it. */
struct msg *msg_decode(enum msg_direction direction, const void *header, size_t header_bytes,
                       const void *body, size_t body_bytes, uint64_t *ret_id, struct err *err) MUST_CHECK;
void msg_free(struct msg *msg);
DEFINE_CLEANUP(struct msg, msg_free)

/* Append the header frame of `msg` to `out`. Cost: linear, no allocation beyond `out`. Values outside their
 * declared range are our own mistake: BUG. */
void msg_encode(const struct msg *msg, struct buf *out);

const char *msg_op(enum msg_kind kind);
const char *msg_type(enum msg_kind kind);
enum msg_direction msg_direction(enum msg_kind kind);
enum permission msg_permission(enum msg_kind kind);

/* A job_spec by itself, as it is sealed into the database: one JSON object with the same rules. */
void job_spec_encode(const struct rec_job_spec *spec, struct buf *out);
struct job_spec_box { /* a decoded spec with its memory */
        struct rec_job_spec spec;
        struct msg_arena *arena;
};
struct job_spec_box *job_spec_decode(const void *json, size_t bytes, struct err *err) MUST_CHECK;
struct job_spec_box *job_spec_dup(const struct rec_job_spec *spec);
void job_spec_free(struct job_spec_box *box);
DEFINE_CLEANUP(struct job_spec_box, job_spec_free)

#endif
