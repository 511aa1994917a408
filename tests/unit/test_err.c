/* Errors read as one line, keep their code, and never run over their text. */
#include "unit.h"

#include <string.h>

#include "base/err.h"

static void wrapping_puts_the_outer_words_in_front(void)
{
        struct err err = { 0 };

        CU_ASSERT_EQUAL(err_set(&err, ERR_CONFLICT, "row %d", 7), -1);
        CU_ASSERT_EQUAL(err_wrap(&err, "insert job"), -1);
        CU_ASSERT_EQUAL(err_wrap(&err, "accept job %d", 17), -1);
        CU_ASSERT_STRING_EQUAL(err.text, "accept job 17: insert job: row 7");
        CU_ASSERT_EQUAL(err.code, ERR_CONFLICT);
        CU_ASSERT_EQUAL(err_set(NULL, ERR_INTERNAL, "nobody asks"), -1);
        CU_ASSERT_EQUAL(err_wrap(NULL, "nobody asks"), -1);
}

static void too_long_a_text_is_cut(void)
{
        struct err err = { 0 };
        char text[ERR_TEXT_BYTES * 2];

        memset(text, 'x', sizeof(text));
        text[sizeof(text) - 1] = '\0';
        err_set(&err, ERR_INTERNAL, "%s", text);
        CU_ASSERT_EQUAL(strlen(err.text), ERR_TEXT_BYTES - 1);
        err_wrap(&err, "%s", text);
        CU_ASSERT_EQUAL(strlen(err.text), ERR_TEXT_BYTES - 1);
        err_set(&err, ERR_INTERNAL, "tail");
        err_wrap(&err, "%.600s", text);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "x: tail"));
}

static void words_of_the_wire_come_back_as_a_code_with_that_word(void)
{
#define ERR_CODE(name, exit_code, word, meaning)                                                             \
        CU_ASSERT_STRING_EQUAL(err_word(err_from_word(word)), word);                                         \
        CU_ASSERT_EQUAL(err_exit_code(ERR_##name), exit_code);
#include "base/err_codes.def"
#undef ERR_CODE
        CU_ASSERT_EQUAL(err_from_word("NONSENSE"), ERR_INTERNAL);
}

UNIT_MAIN("err", TEST(wrapping_puts_the_outer_words_in_front), TEST(too_long_a_text_is_cut),
          TEST(words_of_the_wire_come_back_as_a_code_with_that_word))
