/* The histogram of waiting times. */
#include "base/clock.h"
#include "core/pace.h"
#include "tests/unit/unit.h"

static void quantiles_are_right_to_a_fifth(void)
{
        static const int64_t waits_ms[] = { 0, 1, 2, 3, 5, 10, 77, 1000, 12345, 86400000, INT64_C(1) << 45 };

        for (unsigned i = 0; i < sizeof(waits_ms) / sizeof(*waits_ms); i++) {
                struct pace pace = { 0 };
                uint64_t said;

                CU_ASSERT_EQUAL(pace_ms(&pace, 50), 0);
                pace_add(&pace, 1, waits_ms[i] * US_PER_MS, 10);
                said = pace_ms(&pace, 50);
                CU_ASSERT_TRUE((int64_t)said > waits_ms[i] || waits_ms[i] > INT64_C(1) << 39);
                CU_ASSERT_TRUE((int64_t)said <= waits_ms[i] + waits_ms[i] / 4 + 2);
        }
}

static void the_few_that_wait_long_show_in_the_tail_alone(void)
{
        struct pace pace = { 0 };

        pace_add(&pace, 1, 10 * US_PER_MS, 900);
        pace_add(&pace, 1, 60 * US_PER_S, 100);
        CU_ASSERT_TRUE(pace_ms(&pace, 50) < 14);
        CU_ASSERT_TRUE(pace_ms(&pace, 95) > 50000);
}

static void what_was_is_forgotten(void)
{
        struct pace pace = { 0 };

        pace_add(&pace, 1, 60 * US_PER_S, 100);
        for (int64_t minute = 1; minute < 20; minute++)
                pace_add(&pace, minute * 61 * US_PER_S, 10 * US_PER_MS, 10);
        CU_ASSERT_TRUE(pace_ms(&pace, 95) < 14);
}

UNIT_MAIN("core_pace", TEST(quantiles_are_right_to_a_fifth),
          TEST(the_few_that_wait_long_show_in_the_tail_alone), TEST(what_was_is_forgotten))
