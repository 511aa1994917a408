/* Selectors (cli/selector.h): what a person may write for jobs and tasks. */
#include <string.h>

#include "cli/selector.h"
#include "unit.h"

static struct selector parse(const char *text)
{
        struct selector selector = { 0 };
        struct err err = { 0 };

        CU_ASSERT_EQUAL_FATAL(selector_parse(text, &selector, &err), 0);
        return selector;
}

static void a_number_is_a_job(void)
{
        struct selector s = parse("36");

        CU_ASSERT_EQUAL(s.kind, SELECTOR_JOB);
        CU_ASSERT_EQUAL(s.job, 36);
        CU_ASSERT_PTR_NULL(s.ranges);
        selector_done(&s);
}

static void one_task_is_written_with_a_dot_or_as_slurm_does(void)
{
        static const char *const texts[] = { "36.4", "36_4", "36.[4]", "36_[4]" };

        for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
                struct selector s = parse(texts[i]);

                CU_ASSERT_EQUAL(s.kind, SELECTOR_JOB);
                CU_ASSERT_EQUAL_FATAL(s.n_ranges, 1);
                CU_ASSERT_EQUAL(s.ranges[0].lo, 4);
                CU_ASSERT_EQUAL(s.ranges[0].hi, 4);
                selector_done(&s);
        }
}

static void a_bracket_holds_ranges_and_steps(void)
{
        struct selector s = parse("36.[1-5:2,9,20-30]");

        CU_ASSERT_EQUAL_FATAL(s.n_ranges, 5);
        CU_ASSERT_EQUAL(s.ranges[1].lo, 3);
        CU_ASSERT_EQUAL(s.ranges[3].lo, 9);
        CU_ASSERT_EQUAL(s.ranges[4].hi, 30);
        selector_done(&s);
}

static void jobs_come_as_a_range_too(void)
{
        struct selector s = parse("30-36");

        CU_ASSERT_EQUAL(s.kind, SELECTOR_JOBS);
        CU_ASSERT_EQUAL(s.job, 30);
        CU_ASSERT_EQUAL(s.job_to, 36);
        selector_done(&s);
}

static void last_counts_backwards_and_may_have_tasks(void)
{
        struct selector s = parse("last"), t = parse("last~2"), u = parse("last.7"),
                        v = parse("last~1.[2-3]");

        CU_ASSERT_EQUAL(s.kind, SELECTOR_LAST);
        CU_ASSERT_EQUAL(s.last, 0);
        CU_ASSERT_EQUAL(t.last, 2);
        CU_ASSERT_EQUAL(u.ranges[0].lo, 7);
        CU_ASSERT_EQUAL(v.last, 1);
        CU_ASSERT_EQUAL(v.ranges[0].hi, 3);
        selector_done(&s);
        selector_done(&t);
        selector_done(&u);
        selector_done(&v);
}

static void names_and_tags_are_taken_whole(void)
{
        struct selector s = parse("@train.v2 old"), t = parse("tag:project=a=b"), u = parse("all");

        CU_ASSERT_EQUAL(s.kind, SELECTOR_NAME);
        CU_ASSERT_STRING_EQUAL(s.text, "train.v2 old");
        CU_ASSERT_EQUAL(t.kind, SELECTOR_TAG);
        CU_ASSERT_STRING_EQUAL(t.text, "project=a=b");
        CU_ASSERT_EQUAL(u.kind, SELECTOR_ALL);
        selector_done(&s);
        selector_done(&t);
        selector_done(&u);
}

static void everything_else_is_bad_data(void)
{
        static const char *const texts[] = {
                "",           "0",     "36.",   "36.x",    "36.[1-", "36.[]", "36-30",
                "36-",        "-5",    "last~", "last~x",  "lastx",  "@",     "tag:x",
                "tag:=v",     "36 37", "job36", "36.4.5",  "36.-1",  "3.6e1", "99999999999999999999",
                "last.[2-1]", "0x10",  "ALL",   "36.[1%2]"
        };

        for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
                struct selector s = { 0 };
                struct err err = { 0 };

                if (selector_parse(texts[i], &s, &err) == 0) {
                        CU_FAIL("accepted");
                        fprintf(stderr, "accepted: '%s'\n", texts[i]);
                        selector_done(&s);
                        continue;
                }
                CU_ASSERT_EQUAL(err.code, ERR_BAD_DATA);
                CU_ASSERT(err.text[0] != '\0');
        }
}

static void the_first_wrong_word_refuses_all(void)
{
        static const char *const words[] = { "1", "2.3", "x" };
        CLEANUP_SELECTORS struct selectors selectors = { 0 };
        struct err err = { 0 };

        CU_ASSERT_EQUAL(selectors_parse(words, 2, &selectors, &err), 0);
        CU_ASSERT_EQUAL(selectors.n, 2);
        CU_ASSERT_EQUAL(selectors_parse(words, 3, &selectors, &err), -1);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "'x' is no selector"));
}

UNIT_MAIN("selector", TEST(a_number_is_a_job), TEST(one_task_is_written_with_a_dot_or_as_slurm_does),
          TEST(a_bracket_holds_ranges_and_steps), TEST(jobs_come_as_a_range_too),
          TEST(last_counts_backwards_and_may_have_tasks), TEST(names_and_tags_are_taken_whole),
          TEST(everything_else_is_bad_data), TEST(the_first_wrong_word_refuses_all))
