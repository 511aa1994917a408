/* messages.def as tables: one for each record and message. The codec walks them and knows no message by name. */
#include "proto/msg_fields.h"

#include <string.h>

/* ------------------------------------------------------------------ words */

#define WORD_SET(set)                                                                                        \
        static const char *set##_word_of(int number)                                                         \
        {                                                                                                    \
                return set##_word((enum set)number);                                                         \
        }                                                                                                    \
        static const struct word_set set##_set = { set##_word_of, set##_from_word };
WORD_SET(after_when)
WORD_SET(data_kind)
WORD_SET(end_status)
WORD_SET(compat)
WORD_SET(list_kind)
WORD_SET(permission)
WORD_SET(scope)
WORD_SET(stream)
WORD_SET(task_reason)
WORD_SET(task_status)
WORD_SET(task_type)
WORD_SET(worker_order)

static const char *err_word_of(int number)
{
        return err_word((enum err_code)number);
}

static int err_number_of(const char *word)
{
        enum err_code code = err_from_word(word);

        return strcmp(err_word(code), word) == 0 ? (int)code : -1; /* only words of the wire's vocabulary */
}
static const struct word_set err_word_set = { err_word_of, err_number_of };

/* ------------------------------------------------------------------ fields */

/* One name for the struct of an owner, be it a message or a record, so that FIELD can take offsets in it. */
#define MSG(kind, type, op, direction, perm) typedef struct msg_##kind owner_##kind;
#define REC(record) typedef struct rec_##record owner_##record;
#define FIELD(owner, name, field_kind, presence, min, max)
#define FIELD_ENUM(owner, name, set, presence)
#define FIELD_REC(owner, name, record, presence)
#define FIELD_RECS(owner, name, record, presence, min, max)
#define END(kind)
#define END_REC(record)
#include "proto/messages.def"
#undef MSG
#undef REC
#undef FIELD
#undef FIELD_ENUM
#undef FIELD_REC
#undef FIELD_RECS
#undef END
#undef END_REC

#define PRESENCE_REQ true
#define PRESENCE_OPT false
#define MATE_U64(name) has_##name
#define MATE_I64(name) has_##name
#define MATE_BOOL(name) has_##name
#define MATE_STR(name) n_##name
#define MATE_NAME(name) n_##name
#define MATE_STRS(name) n_##name
#define MATE_INTS(name) n_##name
#define MATE_RANGES(name) n_##name
#define MATE_JSON(name) n_##name

#define COMMON(owner, field, field_kind, presence, mate_member)                                              \
        .name = #field, .prefix = ",\"" #field "\":", .n_name = sizeof(#field) - 1, .kind = (field_kind),    \
        .required = PRESENCE_##presence, .at = offsetof(owner_##owner, field),                               \
        .mate = offsetof(owner_##owner, mate_member)

#define MSG(kind, type, op, direction, perm) static const struct field kind##_fields[] = {
#define REC(record_name) static const struct field record_name##_fields[] = {
#define FIELD(owner, field, field_kind, presence, least, most)                                               \
        { COMMON(owner, field, FIELD_KIND_##field_kind, presence, MATE_##field_kind(field)), .min = (least), \
          .max = (int64_t)(most) },
#define FIELD_ENUM(owner, field, set, presence)                                                              \
        { COMMON(owner, field, FIELD_KIND_ENUM, presence, has_##field), .words = &set##_set },
#define FIELD_REC(owner, field, rec, presence)                                                               \
        { COMMON(owner, field, FIELD_KIND_REC, presence, field), .record = &rec##_record },
#define FIELD_RECS(owner, field, rec, presence, least, most)                                                 \
        { COMMON(owner, field, FIELD_KIND_RECS, presence, n_##field), .min = (least), .max = (most),         \
          .record = &rec##_record },
/* The empty row at the end keeps the table of a message without fields from being empty. */
/* clang-format off */
#define END(kind) { 0 } };
#define END_REC(record_name)                                                                                 \
        { 0 } };                                                                                             \
        static const struct record record_name##_record = { record_name##_fields,                            \
                                                            ARRAY_LEN(record_name##_fields) - 1,             \
                                                            sizeof(struct rec_##record_name) };              \
        _Static_assert(ARRAY_LEN(record_name##_fields) <= 65, "one bit for each field while decoding");
/* clang-format on */
#include "proto/messages.def"
#undef MSG
#undef REC
#undef FIELD
#undef FIELD_ENUM
#undef FIELD_REC
#undef FIELD_RECS
#undef END
#undef END_REC

/* ------------------------------------------------------------------ kinds */

bool msg_may_have_body(enum msg_kind kind)
{
        static const enum msg_kind with[] = {
#define BODY(kind, what) MSG_##kind,
#include "proto/bodies.def"
#undef BODY
        };

        for (size_t i = 0; i < ARRAY_LEN(with); i++)
                if (with[i] == kind)
                        return true;
        return false;
}

static const struct kind_info kinds[MSG_KIND_COUNT] = {
#define MSG(kind_name, type_word, op_word, dir, perm)                                                        \
        [MSG_##kind_name] = { .type = #type_word,                                                            \
                              .op = (op_word),                                                               \
                              .direction = MSG_##dir,                                                        \
                              .permission = PERMISSION_##perm,                                               \
                              .record = { kind_name##_fields, ARRAY_LEN(kind_name##_fields) - 1,             \
                                          sizeof(struct msg_##kind_name) } },
#define REC(record)
#define FIELD(owner, name, field_kind, presence, min, max)
#define FIELD_ENUM(owner, name, set, presence)
#define FIELD_REC(owner, name, record, presence)
#define FIELD_RECS(owner, name, record, presence, min, max)
#define END(kind)
#define END_REC(record)
#include "proto/messages.def"
#undef MSG
};

const struct kind_info *msg_kind_info(enum msg_kind kind)
{
        BUG_ON(kind <= MSG_NO_KIND || kind >= MSG_KIND_COUNT);
        return &kinds[kind];
}

const struct record *msg_job_spec_record(void)
{
        return &job_spec_record;
}

const char *msg_op(enum msg_kind kind)
{
        return msg_kind_info(kind)->op;
}

const char *msg_type(enum msg_kind kind)
{
        return msg_kind_info(kind)->type;
}

enum msg_direction msg_direction(enum msg_kind kind)
{
        return msg_kind_info(kind)->direction;
}

enum permission msg_permission(enum msg_kind kind)
{
        return msg_kind_info(kind)->permission;
}
