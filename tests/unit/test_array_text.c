/* Array text: counted without expansion, the same as counting one by one; print and parse are inverse. */
#include "unit.h"

#include <string.h>

#include "base/xalloc.h"
#include "proto/array_text.h"

#define ARRAY __attribute__((cleanup(array_text_done))) struct array_text

static const char *printed(const char *text, struct buf *b)
{
        ARRAY array = { 0 };

        buf_clear(b);
        if (array_text_parse(text, &array, NULL) < 0)
                return "refused";
        array_text_print(array.parts, array.n_parts, array.max_running, b);
        return b->bytes;
}

static void texts_have_one_normal_form(void)
{
        static const char *const rows[][2] = {
                { "1-100:2%10", "1-99:2%10" },
                { "5", "5" },
                { "0", "0" },
                { "1,2,3", "1-3" },
                { "7-9,1-3", "1-3,7-9" },
                { "1-3,4-6", "1-6" },
                { "3-3:9", "3" },
                { "1-2:5", "1" },
                { "1-9:2,2-10:2", "1-9:2,2-10:2" },
                { "0-2147483647:1073741824", "0-1073741824:1073741824" },
                { "1-10000000%3", "1-10000000%3" },
                { "2147483647", "2147483647" },
        };
        CLEANUP_BUF struct buf b = { 0 };
        CLEANUP_BUF struct buf again = { 0 };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                CU_ASSERT_STRING_EQUAL(printed(rows[i][0], &b), rows[i][1]);
                CU_ASSERT_STRING_EQUAL(printed(b.bytes, &again), b.bytes);
        }
}

static void hostile_texts_are_refused_with_an_example(void)
{
        static const char *const rows[] = { "",
                                            "1-18446744073709551615",
                                            "5-1",
                                            "1-3,2-4",
                                            "1-1000000000:1",
                                            "1-",
                                            "-5",
                                            "1,,2",
                                            "1-5:0",
                                            "1-5%0",
                                            "1-5%",
                                            "1-5:",
                                            "1 -5",
                                            "1-5x",
                                            "2147483648",
                                            "1-9:2,2-10:2,5",
                                            "1-9:3,4",
                                            "%5",
                                            "1-5%10000001",
                                            "\x1b[2J" };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct err err = { 0 };
                ARRAY array = { 0 };

                CU_ASSERT_EQUAL(array_text_parse(rows[i], &array, &err), -1);
                CU_ASSERT_EQUAL(err.code, ERR_BAD_DATA);
                CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "1-100:2%10"));
                CU_ASSERT_PTR_NULL(strchr(err.text, 0x1b));
                CU_ASSERT_PTR_NULL(array.parts);
        }
}

static void a_bomb_of_ranges_is_counted_not_built(void)
{
        CLEANUP_BUF struct buf b = { 0 };
        struct err err = { 0 };
        ARRAY array = { 0 };

        for (uint64_t i = 0; i < 1000; i++)
                buf_addf(&b, "%s%lu-%lu", i ? "," : "", i * 2000000, i * 2000000 + 999999);
        CU_ASSERT_EQUAL(array_text_parse(b.bytes, &array, &err), -1);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "10000000 tasks"));

        buf_clear(&b);
        for (uint64_t i = 0; i < 4097; i++)
                buf_addf(&b, "%s%lu", i ? "," : "", i * 2);
        CU_ASSERT_EQUAL(array_text_parse(b.bytes, &array, &err), -1);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "4096 parts"));

        buf_clear(&b); /* every part lies across every other */
        for (uint64_t i = 0; i < 4000; i++)
                buf_addf(&b, "%s%lu-2147483647:100000", i ? "," : "", i);
        CU_ASSERT_EQUAL(array_text_parse(b.bytes, &array, &err), -1);
}

/* A tiny generator; the seed is fixed, so that a failure can be repeated. */
static uint32_t next_random(uint64_t *state, uint32_t below)
{
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (uint32_t)(*state >> 33) % below;
}

/* Mark the indexes of the parts in `seen`; the number of marks, or 0 if one was there twice. */
static uint64_t count_one_by_one(const struct rec_array_part *parts, size_t n, unsigned char seen[512])
{
        uint64_t count = 0;

        memset(seen, 0, 512);
        for (size_t i = 0; i < n; i++)
                for (uint64_t x = parts[i].lo; x <= parts[i].hi; x += array_part_step(&parts[i]), count++)
                        if (seen[x]++)
                                return 0;
        return count;
}

static void counting_and_overlap_agree_with_brute_force(void)
{
        uint64_t state = 7;
        size_t wrong = 0, accepted = 0;

        for (int round = 0; round < 20000; round++) {
                CLEANUP_BUF struct buf b = { 0 };
                struct rec_array_part parts[4] = { 0 };
                unsigned char seen[512], seen_after[512];
                size_t n = 1 + next_random(&state, 4);
                ARRAY array = { 0 };
                uint64_t count;

                for (size_t i = 0; i < n; i++) {
                        parts[i].lo = next_random(&state, 100);
                        parts[i].hi = parts[i].lo + next_random(&state, 60);
                        parts[i].step = 1 + next_random(&state, 12);
                        buf_addf(&b, "%s%lu-%lu:%lu", i ? "," : "", parts[i].lo, parts[i].hi, parts[i].step);
                }
                count = count_one_by_one(parts, n, seen);
                if (array_text_parse(b.bytes, &array, NULL) < 0) {
                        wrong += count != 0;
                        continue;
                }
                accepted++;
                wrong += array.tasks != count;
                wrong += count_one_by_one(array.parts, array.n_parts, seen_after) != count;
                wrong += memcmp(seen, seen_after, sizeof(seen)) != 0;
        }
        CU_ASSERT_EQUAL(wrong, 0);
        CU_ASSERT(accepted > 1000);
}

static void ranges_of_a_selector_are_joined(void)
{
        CLEANUP_WITH(xfree) struct range *ranges = NULL;
        struct err err = { 0 };
        size_t n;

        CU_ASSERT_EQUAL_FATAL(ranges_parse("7-9:2,20,8,1-3,2-5,21", 100, &ranges, &n, &err), 0);
        CU_ASSERT_EQUAL(n, 3);
        CU_ASSERT(ranges[0].lo == 1 && ranges[0].hi == 5);
        CU_ASSERT(ranges[1].lo == 7 && ranges[1].hi == 9);
        CU_ASSERT(ranges[2].lo == 20 && ranges[2].hi == 21);
        CU_ASSERT_EQUAL(ranges_count(ranges, n), 10);
        xfree(ranges);
        ranges = NULL;
        CU_ASSERT_EQUAL(ranges_parse("1-9:2", 4, &ranges, &n, &err), -1);
        CU_ASSERT_EQUAL(ranges_parse("1-5%2", 100, &ranges, &n, &err), -1);
        CU_ASSERT_EQUAL(ranges_parse("1-2147483647:2", 4096, &ranges, &n, &err), -1);
        CU_ASSERT_EQUAL(ranges_normalise(NULL, 0), 0);
}

UNIT_MAIN("array_text", TEST(texts_have_one_normal_form), TEST(hostile_texts_are_refused_with_an_example),
          TEST(a_bomb_of_ranges_is_counted_not_built), TEST(counting_and_overlap_agree_with_brute_force),
          TEST(ranges_of_a_selector_are_joined))
