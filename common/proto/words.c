/* Words of the enumerations, both ways. The .def files are the only place where a word is written. */
#include "proto/words.h"

#include <stddef.h>
#include <string.h>

struct word {
        int number;
        const char *word;
};

static const char *word_of(const struct word *words, size_t n, int number)
{
        for (size_t i = 0; i < n; i++)
                if (words[i].number == number)
                        return words[i].word;
        return "?";
}

static int number_of(const struct word *words, size_t n, const char *word)
{
        for (size_t i = 0; i < n; i++)
                if (!strcmp(words[i].word, word))
                        return words[i].number;
        return -1;
}

#define DEFINE_WORDS(set, type)                                                                              \
        const char *set##_word(type value)                                                                   \
        {                                                                                                    \
                return word_of(set##_words, ARRAY_LEN(set##_words), (int)value);                             \
        }                                                                                                    \
        int set##_from_word(const char *word)                                                                \
        {                                                                                                    \
                return number_of(set##_words, ARRAY_LEN(set##_words), word);                                 \
        }

static const struct word task_status_words[] = {
#define TASK_STATUS(name, number, word, is_final) { number, word },
#include "proto/task_status.def"
#undef TASK_STATUS
};
DEFINE_WORDS(task_status, enum task_status)

static const struct word task_reason_words[] = {
#define TASK_REASON(name, number, word, meaning) { number, word },
#include "proto/task_reason.def"
#undef TASK_REASON
};
DEFINE_WORDS(task_reason, enum task_reason)

static const struct word task_type_words[] = {
#define TASK_TYPE(name, number, word, least, most, what) { number, word },
#include "proto/task_types.def"
#undef TASK_TYPE
};
DEFINE_WORDS(task_type, enum task_type)

static const struct word permission_words[] = {
#define PERMISSION(name, word, scopes, meaning) { PERMISSION_##name, word },
#include "proto/permissions.def"
#undef PERMISSION
};
DEFINE_WORDS(permission, enum permission)

static const struct word list_kind_words[] = {
#define LIST_KIND(name, word, permission, query) { LIST_KIND_##name, word },
#include "proto/list_kinds.def"
#undef LIST_KIND
};
DEFINE_WORDS(list_kind, enum list_kind)

/* The small sets: first their tables, then their functions. */
/* The formatter takes these macros for code. */
/* clang-format off */
#define SET(set) static const struct word set##_words[] = {
#define WORD(set, name, number, word) { number, word },
#define END_SET(set) };
/* clang-format on */
#include "proto/words.def"
#undef SET
#undef WORD
#undef END_SET
#define SET(set) DEFINE_WORDS(set, enum set)
#define WORD(set, name, number, word)
#define END_SET(set)
#include "proto/words.def"
#undef SET
#undef WORD
#undef END_SET

bool task_status_is_final(enum task_status status)
{
        switch (status) {
#define TASK_STATUS(name, number, word, is_final)                                                            \
        case TASK_STATUS_##name:                                                                             \
                return is_final;
#include "proto/task_status.def"
#undef TASK_STATUS
        }
        return false;
}
