/* Enumerations that have words on the wire, in SQL and on the screen, each with NAME_word() and NAME_from_word().
 * Every enumerator is SET_NAME in capitals, e.g. TASK_STATUS_QUEUED; 0 is never a member except TASK_REASON_NONE
 * and PERMISSION_NONE. */
#ifndef PROTO_WORDS_H
#define PROTO_WORDS_H

#include <stdbool.h>

#include "base/err.h"

enum task_status {
#define TASK_STATUS(name, number, word, is_final) TASK_STATUS_##name = number,
#include "proto/task_status.def"
#undef TASK_STATUS
};
enum task_reason {
#define TASK_REASON(name, number, word, meaning) TASK_REASON_##name = number,
#include "proto/task_reason.def"
#undef TASK_REASON
};
enum task_type {
#define TASK_TYPE(name, number, word, least, most, what) TASK_TYPE_##name = number,
#include "proto/task_types.def"
#undef TASK_TYPE
};
enum permission {
#define PERMISSION(name, word, scopes, meaning) PERMISSION_##name,
#include "proto/permissions.def"
#undef PERMISSION
        PERMISSION_COUNT
};
enum list_kind {
        LIST_KIND_NO_KIND,
#define LIST_KIND(name, word, permission, query) LIST_KIND_##name,
#include "proto/list_kinds.def"
#undef LIST_KIND
};
/* The formatter takes these macros for code. */
/* clang-format off */
#define SET(set) enum set {
#define WORD(set, name, number, word) name = number,
#define END_SET(set) };
/* clang-format on */
#include "proto/words.def"
#undef SET
#undef WORD
#undef END_SET

/* X_word: the word, or "?" for a number that is no member. X_from_word: the number, or -1. */
#define DECLARE_WORDS(set, type)                                                                             \
        const char *set##_word(type value);                                                                  \
        int set##_from_word(const char *word);
DECLARE_WORDS(task_status, enum task_status)
DECLARE_WORDS(task_reason, enum task_reason)
DECLARE_WORDS(task_type, enum task_type)
DECLARE_WORDS(permission, enum permission)
DECLARE_WORDS(list_kind, enum list_kind)
DECLARE_WORDS(after_when, enum after_when)
DECLARE_WORDS(stream, enum stream)
DECLARE_WORDS(data_kind, enum data_kind)
DECLARE_WORDS(scope, enum scope)
DECLARE_WORDS(worker_order, enum worker_order)
DECLARE_WORDS(end_status, enum end_status)
DECLARE_WORDS(compat, enum compat)
#undef DECLARE_WORDS

bool task_status_is_final(enum task_status status);

#endif
