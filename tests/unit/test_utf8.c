/* UTF-8: exactly the sequences that Unicode allows. */
#include "unit.h"

#include <string.h>

#include "base/utf8.h"

static bool valid(const char *text)
{
        return utf8_valid(text, strlen(text));
}

static void every_code_point_goes_there_and_back(void)
{
        size_t bad = 0;

        for (uint32_t code = 0; code < 0x110000; code++) {
                bool scalar = code < 0xd800 || code >= 0xe000;
                char bytes[4];
                uint32_t back = 0;
                size_t n;

                n = utf8_encode(code, bytes);
                bad += (utf8_decode(bytes, bytes + n, &back) == n && back == code) != scalar;
        }
        CU_ASSERT_EQUAL(bad, 0);
}

static void overlong_surrogate_and_far_sequences_are_refused(void)
{
        static const char *const refused[] = { "\xc0\x80",
                                               "\xc1\xbf",
                                               "\xe0\x80\x80",
                                               "\xe0\x9f\xbf",
                                               "\xf0\x80\x80\x80",
                                               "\xed\xa0\x80",
                                               "\xed\xbf\xbf",
                                               "\xf4\x90\x80\x80",
                                               "\xf5\x80\x80\x80",
                                               "\xff",
                                               "\x80",
                                               "a\xbf"
                                               "b",
                                               "\xe2\x82",
                                               "\xf0\x9f\x98",
                                               "\xc3",
                                               "\xe2\x82(" };

        for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
                CU_ASSERT_FALSE(valid(refused[i]));
        CU_ASSERT(valid(""));
        CU_ASSERT(valid("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
        CU_ASSERT(utf8_valid("a\0b", 3));
}

static void a_cut_never_divides_a_character(void)
{
        static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";
        static const size_t cuts[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11 };

        for (size_t n = 0; n < sizeof(cuts) / sizeof(cuts[0]); n++)
                CU_ASSERT_EQUAL(utf8_cut(text, n), cuts[n]);
}

static void bytes_that_are_no_text_are_not_held_back(void)
{
        CU_ASSERT_EQUAL(utf8_cut("\x80\x80\x80\x80\x80", 5), 5);
        CU_ASSERT_EQUAL(utf8_cut("abc\xff", 4), 4);
        CU_ASSERT_EQUAL(utf8_cut("\xf0\x9f\x98", 3), 0); /* may still become one */
}

UNIT_MAIN("utf8", TEST(every_code_point_goes_there_and_back),
          TEST(overlong_surrogate_and_far_sequences_are_refused), TEST(a_cut_never_divides_a_character),
          TEST(bytes_that_are_no_text_are_not_held_back))
