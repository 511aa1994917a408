/* Descriptions that are too long to be shown whole. */
#include "proto/spec_cut.h"

#include <string.h>

#include "unit.h"

static struct rec_job_spec spec_of(const char **args, size_t n)
{
        return (struct rec_job_spec){
                .type = TASK_TYPE_COMMAND, .has_type = true, .args = args, .n_args = n
        };
}

static void a_short_one_is_itself(void)
{
        const char *args[] = { "echo", "a" };
        struct rec_job_spec spec = spec_of(args, 2);
        CLEANUP_BUF struct buf cut = { 0 }, whole = { 0 };

        job_spec_cut(&spec, 100, &cut);
        job_spec_encode(&spec, &whole);
        CU_ASSERT_STRING_EQUAL(cut.bytes, whole.bytes);
}

static void long_lists_lose_their_ends_and_say_so(void)
{
        const char *args[1000], *env[] = { "A=1", "B=2" };
        struct rec_job_spec spec = spec_of(args, 1000);
        CLEANUP_BUF struct buf cut = { 0 };

        for (size_t i = 0; i < 1000; i++)
                args[i] = "argument";
        spec.env = env;
        spec.n_env = 2;
        job_spec_cut(&spec, 90, &cut);
        CU_ASSERT_EQUAL(spec.n_args, 1000);
        CU_ASSERT_TRUE(cut.n < 400);
        CU_ASSERT_PTR_NOT_NULL(strstr(cut.bytes, "\"env\":[\"A=1\",\"B=2\"]"));
        CU_ASSERT_PTR_NOT_NULL(strstr(cut.bytes, ",\"cut\":\"args: the first 10 of 1000\"}"));
        CU_ASSERT_EQUAL(cut.bytes[cut.n - 1], '}');
}

static void one_word_that_is_longer_than_all_is_left_out(void)
{
        char word[200];
        const char *args[] = { "echo", word };
        struct rec_job_spec spec = spec_of(args, 2);
        CLEANUP_BUF struct buf cut = { 0 };

        memset(word, 'x', sizeof(word) - 1);
        word[sizeof(word) - 1] = 0;
        job_spec_cut(&spec, 100, &cut);
        CU_ASSERT_PTR_NOT_NULL(strstr(cut.bytes, "\"args\":[\"echo\"]"));
        CU_ASSERT_PTR_NOT_NULL(strstr(cut.bytes, "args: the first 1 of 2"));
}

static void shapes_count_by_their_ranges(void)
{
        struct range ranges[100];
        struct rec_shape shapes[3] = { 0 };
        const char *args[] = { "true" };
        struct rec_job_spec spec = spec_of(args, 1);
        CLEANUP_BUF struct buf cut = { 0 };

        for (size_t i = 0; i < 100; i++)
                ranges[i] = (struct range){ i * 2, i * 2 };
        for (size_t i = 0; i < 3; i++) {
                shapes[i].tasks = ranges;
                shapes[i].n_tasks = 100;
        }
        spec.shapes = shapes;
        spec.n_shapes = 3;
        job_spec_cut(&spec, 5000, &cut);
        CU_ASSERT_PTR_NOT_NULL(strstr(cut.bytes, "shapes: the first 2 of 3"));
}

UNIT_MAIN("spec_cut", TEST(a_short_one_is_itself), TEST(long_lists_lose_their_ends_and_say_so),
          TEST(one_word_that_is_longer_than_all_is_left_out), TEST(shapes_count_by_their_ranges))
