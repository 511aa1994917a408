/* Whose end was one for want of memory, told by a counter of the whole machine. */
#include "unit.h"

#include "exec/oom.h"

static void an_end_counted_since_the_last_look_is_blamed_once(void)
{
        struct oom oom;

        oom_start(&oom, 7);
        CU_ASSERT_FALSE(oom_blame(&oom, 7));
        CU_ASSERT_TRUE(oom_blame(&oom, 8));
        CU_ASSERT_FALSE(oom_blame(&oom, 8));
}

static void two_ends_are_of_two_tasks(void)
{
        struct oom oom;

        oom_start(&oom, 7);
        CU_ASSERT_TRUE(oom_blame(&oom, 9));
        CU_ASSERT_TRUE(oom_blame(&oom, 9));
        CU_ASSERT_FALSE(oom_blame(&oom, 9));
}

static void an_end_that_a_look_came_upon_first_is_blamed_still(void)
{
        struct oom oom;

        oom_start(&oom, 7);
        oom_look(&oom, 8);
        CU_ASSERT_TRUE(oom_blame(&oom, 8));
        oom_look(&oom, 8);
        CU_ASSERT_FALSE(oom_blame(&oom, 8));
}

static void an_end_of_long_ago_is_of_nobody_who_dies_now(void)
{
        struct oom oom;

        oom_start(&oom, 7);
        oom_look(&oom, 9);
        oom_look(&oom, 9);
        CU_ASSERT_FALSE(oom_blame(&oom, 9));
        CU_ASSERT_TRUE(oom_blame(&oom, 10));
}

static void nothing_of_before_the_start_counts(void)
{
        struct oom oom;

        oom_start(&oom, 0);
        oom_start(&oom, 500);
        CU_ASSERT_FALSE(oom_blame(&oom, 500));
}

UNIT_MAIN("oom", TEST(an_end_counted_since_the_last_look_is_blamed_once), TEST(two_ends_are_of_two_tasks),
          TEST(an_end_that_a_look_came_upon_first_is_blamed_still),
          TEST(an_end_of_long_ago_is_of_nobody_who_dies_now), TEST(nothing_of_before_the_start_counts))
