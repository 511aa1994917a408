/* Buffers and errors: the two things everything else leans on. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"

static void a_buffer_is_always_a_string(void)
{
        CLEANUP_BUF struct buf b = { 0 };

        for (int i = 0; i < 5000; i++) {
                buf_add_char(&b, 'x');
                if (b.bytes[b.n] != '\0')
                        CU_FAIL("no NUL behind the text");
        }
        CU_ASSERT_EQUAL(b.n, 5000);
        buf_clear(&b);
        CU_ASSERT_STRING_EQUAL(b.bytes, "");
        buf_add(&b, NULL, 0);
        CU_ASSERT_EQUAL(b.n, 0);
}

static void numbers_are_written_to_the_last_digit(void)
{
        CLEANUP_BUF struct buf b = { 0 };

        buf_add_u64(&b, 0);
        buf_add_char(&b, ' ');
        buf_add_u64(&b, UINT64_MAX);
        buf_add_char(&b, ' ');
        buf_add_i64(&b, INT64_MIN);
        buf_add_char(&b, ' ');
        buf_add_i64(&b, -7);
        buf_addf(&b, " %s-%d", "f", 3);
        CU_ASSERT_STRING_EQUAL(b.bytes, "0 18446744073709551615 -9223372036854775808 -7 f-3");
}

static void a_json_string_holds_no_raw_control(void)
{
        CLEANUP_BUF struct buf b = { 0 };

        buf_add_json_str(&b, "a\"\\\n\t\x01\x7f\0z", 9);
        CU_ASSERT_STRING_EQUAL(b.bytes, "\"a\\\"\\\\\\n\\t\\u0001\\u007f\\u0000z\"");
        buf_clear(&b);
        buf_add_json_str(&b, "", 0);
        CU_ASSERT_STRING_EQUAL(b.bytes, "\"\"");
}

static void stealing_leaves_an_empty_buffer(void)
{
        CLEANUP_BUF struct buf b = { 0 };
        char *text;

        text = buf_steal(&b);
        CU_ASSERT_STRING_EQUAL(text, "");
        free(text);
        buf_add_str(&b, "abc");
        text = buf_steal(&b);
        CU_ASSERT_STRING_EQUAL(text, "abc");
        CU_ASSERT_PTR_NULL(b.bytes);
        free(text);
}

UNIT_MAIN("buf", TEST(a_buffer_is_always_a_string), TEST(numbers_are_written_to_the_last_digit),
          TEST(a_json_string_holds_no_raw_control), TEST(stealing_leaves_an_empty_buffer))
