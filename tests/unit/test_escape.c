/* Text of other people cannot act on a terminal, break a row or a CSV field. */
#include "unit.h"

#include <string.h>

#include "base/escape.h"

static const char *text(struct buf *buf, const char *in)
{
        buf_clear(buf);
        escape_add_text(buf, in, strlen(in));
        return buf->bytes;
}

static void controls_and_direction_marks_become_visible(void)
{
        CLEANUP_BUF struct buf b = { 0 };

        CU_ASSERT_STRING_EQUAL(text(&b, "plain \\ text \xc3\xa9"), "plain \\ text \xc3\xa9");
        CU_ASSERT_STRING_EQUAL(text(&b, "\x1b]0;title\x07"), "\\x1b]0;title\\x07");
        CU_ASSERT_STRING_EQUAL(text(&b, "\x1b]52;c;YQ==\x1b\\"), "\\x1b]52;c;YQ==\\x1b\\");
        CU_ASSERT_STRING_EQUAL(text(&b, "a\nb\tc\rd\x7f"), "a\\nb\\tc\\rd\\x7f");
        CU_ASSERT_STRING_EQUAL(text(&b, "\xe2\x80\xae"
                                        "exe.txt"),
                               "\\u202eexe.txt");
        CU_ASSERT_STRING_EQUAL(text(&b, "\xe2\x81\xa6\xe2\x81\xa9\xe2\x80\xa8"), "\\u2066\\u2069\\u2028");
        CU_ASSERT_STRING_EQUAL(text(&b, "\xc2\x9b"
                                        "31m"),
                               "\\u009b31m"); /* CSI as one character */
        CU_ASSERT_STRING_EQUAL(text(&b, "\x9b"
                                        "31m\xff"),
                               "\\x9b31m\\xff");
}

static void nothing_below_0x20_survives_any_pair_of_bytes(void)
{
        CLEANUP_BUF struct buf b = { 0 };
        size_t bad = 0;

        for (int i = 0; i < 65536; i++) {
                char pair[2] = { (char)(i >> 8), (char)i };

                buf_clear(&b);
                escape_add_text(&b, pair, 2);
                for (size_t k = 0; k < b.n; k++)
                        bad += (unsigned char)b.bytes[k] < 0x20 || b.bytes[k] == 0x7f;
        }
        CU_ASSERT_EQUAL(bad, 0);
}

static void long_text_is_cut_between_characters(void)
{
        CLEANUP_BUF struct buf b = { 0 };

        escape_add_short(&b, "ab\xc3\xa9zz", 6, 3);
        CU_ASSERT_STRING_EQUAL(b.bytes, "ab\xe2\x80\xa6");
        buf_clear(&b);
        escape_add_short(&b, "abc", 3, 3);
        CU_ASSERT_STRING_EQUAL(b.bytes, "abc");
}

static void csv_quotes_only_what_needs_it(void)
{
        CLEANUP_BUF struct buf b = { 0 };

        escape_add_csv(&b, "a b;c", 5);
        buf_add_char(&b, '|');
        escape_add_csv(&b, "a,b", 3);
        buf_add_char(&b, '|');
        escape_add_csv(&b, "say \"x\"\n", 8);
        buf_add_char(&b, '|');
        escape_add_csv(&b, "", 0);
        CU_ASSERT_STRING_EQUAL(b.bytes, "a b;c|\"a,b\"|\"say \"\"x\"\"\n\"|");
}

static void shell_words_read_back_as_themselves(void)
{
        CLEANUP_BUF struct buf b = { 0 };

        escape_add_shell(&b, "a-b.c/d=1");
        buf_add_char(&b, ' ');
        escape_add_shell(&b, "it's $HOME");
        buf_add_char(&b, ' ');
        escape_add_shell(&b, "");
        CU_ASSERT_STRING_EQUAL(b.bytes, "a-b.c/d=1 'it'\\''s $HOME' ''");
}

UNIT_MAIN("escape", TEST(controls_and_direction_marks_become_visible),
          TEST(nothing_below_0x20_survives_any_pair_of_bytes), TEST(long_text_is_cut_between_characters),
          TEST(csv_quotes_only_what_needs_it), TEST(shell_words_read_back_as_themselves))
