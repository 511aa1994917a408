/* Every word maps to its number and back, and no word is there twice. */
#include "unit.h"

#include <string.h>

#include "proto/words.h"

static void statuses_keep_their_numbers_and_finality(void)
{
#define TASK_STATUS(name, number, word, is_final)                                                            \
        CU_ASSERT_EQUAL(task_status_from_word(word), number);                                                \
        CU_ASSERT_STRING_EQUAL(task_status_word(TASK_STATUS_##name), word);                                  \
        CU_ASSERT_EQUAL(task_status_is_final(TASK_STATUS_##name), is_final);
#include "proto/task_status.def"
#undef TASK_STATUS
}

static void every_set_is_one_to_one(void)
{
#define TASK_REASON(name, number, word, meaning) CU_ASSERT_EQUAL(task_reason_from_word(word), number);
#include "proto/task_reason.def"
#undef TASK_REASON
#define TASK_TYPE(name, number, word, least, most, what) CU_ASSERT_EQUAL(task_type_from_word(word), number);
#include "proto/task_types.def"
#undef TASK_TYPE
#define PERMISSION(name, word, scopes, meaning)                                                              \
        CU_ASSERT_EQUAL(permission_from_word(word), PERMISSION_##name);
#include "proto/permissions.def"
#undef PERMISSION
#define LIST_KIND(name, word, permission, query) CU_ASSERT_EQUAL(list_kind_from_word(word), LIST_KIND_##name);
#include "proto/list_kinds.def"
#undef LIST_KIND
#define SET(set)                                                                                             \
        {                                                                                                    \
                int (*number_of)(const char *) = set##_from_word;
#define WORD(set, name, number, word) CU_ASSERT_EQUAL(number_of(word), number);
#define END_SET(set) }
#include "proto/words.def"
#undef SET
#undef WORD
#undef END_SET
}

static void strangers_are_no_members(void)
{
        CU_ASSERT_EQUAL(task_status_from_word("Queued"), -1);
        CU_ASSERT_EQUAL(task_status_from_word(""), -1);
        CU_ASSERT_EQUAL(stream_from_word("stdin"), -1);
        CU_ASSERT_STRING_EQUAL(task_status_word((enum task_status)0), "?");
        CU_ASSERT_STRING_EQUAL(task_status_word((enum task_status)99), "?");
}

UNIT_MAIN("words", TEST(statuses_keep_their_numbers_and_finality), TEST(every_set_is_one_to_one),
          TEST(strangers_are_no_members))
