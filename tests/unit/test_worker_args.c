/* Replacement in arguments (INTERFACE of jobsubmit) and the environment of tasks. */
#include "core/wargs.h"
#include "exec/env.h"
#include "tests/unit/unit.h"
#include "tests/unit/worker_scene.h"

static const char *const columns[] = { "name", "size" };

static struct rec_job_spec entries_spec(void)
{
        return (struct rec_job_spec){
                .has_entries = true, .entries = 3, .columns = (const char **)columns, .n_columns = 2
        };
}

static void expect(const struct rec_job_spec *spec, struct wentry entry, const char *arg, const char *want)
{
        CLEANUP_BUF struct buf out = { 0 };

        wargs_expand(spec, entry, 7, arg, &out);
        CU_ASSERT_STRING_EQUAL(out.bytes ? out.bytes : "", want);
}

static void entries_replace_what_they_have_and_nothing_else(void)
{
        static const char *const values[] = { "a b", "2" };
        struct wentry entry = { values, 2 };
        struct rec_job_spec spec = entries_spec();

        expect(&spec, entry, "{}", "a b 2");
        expect(&spec, entry, "x{1}y{2}z", "xa by2z");
        expect(&spec, entry, "{name}.{size}.{#}", "a b.2.7");
        expect(&spec, entry, "{3} {0} {01} {other} { } {{}} {", "{3} {0} {01} {other} { } {a b 2} {");
        expect(&spec, entry, "}{", "}{");
        expect(&spec, entry, "", "");
}

static void what_was_put_in_is_not_looked_at_again(void)
{
        static const char *const values[] = { "{2}{}{#}", "two" };
        struct rec_job_spec spec = entries_spec();

        expect(&spec, (struct wentry){ values, 2 }, "{1}", "{2}{}{#}");
}

static void a_plain_array_knows_only_its_index(void)
{
        struct rec_job_spec spec = { .has_is_array = true, .is_array = true };
        struct wentry none = { NULL, 0 };

        expect(&spec, none, "a{}b{}", "a7b7");
        expect(&spec, none, "{#} {1} {name}", "{#} {1} {name}");
}

static void single_tasks_and_no_replace_keep_their_braces(void)
{
        static const char *const values[] = { "v" };
        struct rec_job_spec single = { 0 }, no = entries_spec();

        no.has_no_replace = no.no_replace = true;
        expect(&single, (struct wentry){ NULL, 0 }, "{} {1}", "{} {1}");
        expect(&no, (struct wentry){ values, 1 }, "{} {1}", "{} {1}");
        CU_ASSERT_FALSE(wargs_replaces(&no));
        CU_ASSERT_FALSE(wargs_replaces(&single));
}

static void many_open_braces_cost_no_more_than_their_length(void)
{
        enum { N = 1 << 20 };
        char *many = xmalloc(N + 1);
        CLEANUP_BUF struct buf out = { 0 };
        struct rec_job_spec spec = { .has_is_array = true, .is_array = true };
        int64_t from = clock_mono_us();

        memset(many, '{', N);
        many[N - 1] = '}';
        many[N] = '\0';
        wargs_expand(&spec, (struct wentry){ NULL, 0 }, 7, many, &out);
        CU_ASSERT_EQUAL(out.n, N - 1); /* the last two became "7" */
        CU_ASSERT(clock_mono_us() - from < 2 * US_PER_S);
        free(many);
}

/* ------------------------------------------------------------------ environment */
static const char *value_of(char *const *env, const char *name)
{
        const char *found = NULL;

        for (size_t i = 0; env[i]; i++)
                if (!strncmp(env[i], name, strlen(name)) && env[i][strlen(name)] == '=') {
                        CU_ASSERT_PTR_NULL(found); /* never twice */
                        found = env[i] + strlen(name) + 1;
                }
        return found;
}

static void the_environment_is_built_from_nothing_and_the_job_wins_but_for_job_names(void)
{
        static const char *const set[] = { "PATH=/own", "A=1", "JOB_ID=999", "TMPDIR=/x", "NOTHING" };
        static const char *const values[] = { "e1", "e2" };
        struct rec_job_spec spec = entries_spec();
        struct job_spec_box box;
        char install[] = "inst";
        struct wjob job = {
                .id = 36, .box = &box, .install = install, .tasks = 3, .index_min = 1, .index_max = 3
        };
        struct range range = { 4, 4 };
        struct rec_grant grant = { .ranges = &range,
                                   .n_ranges = 1,
                                   .entries = (const char **)values,
                                   .n_entries = 2,
                                   .has_n_values = true,
                                   .n_values = 2 };
        struct wlease lease = { .job = &job, .attempt = 2, .grant = &grant };
        struct wtask task = { .lease = &lease, .index = 4 };
        struct env_base base = { .path = "/bin", .home = "/home/a", .user = "a", .worker = "w9" };
        struct env_task about = { .dir = "/s/t1", .result = "/s/t1.json", .end_s = 1234 };
        struct words words = { 0 };
        char *const *env;

        spec.env = (const char **)set;
        spec.n_env = ARRAY_LEN(set);
        box.spec = spec;
        env_build(&base, &task, &about, &words);
        env = words_end(&words);
        CU_ASSERT_STRING_EQUAL(value_of(env, "PATH"), "/own");
        CU_ASSERT_STRING_EQUAL(value_of(env, "HOME"), "/home/a");
        CU_ASSERT_STRING_EQUAL(value_of(env, "LANG"), "C.UTF-8");
        CU_ASSERT_STRING_EQUAL(value_of(env, "TMPDIR"), "/x");
        CU_ASSERT_STRING_EQUAL(value_of(env, "A"), "1");
        CU_ASSERT_STRING_EQUAL(value_of(env, "JOB_ID"), "36");
        CU_ASSERT_STRING_EQUAL(value_of(env, "JOB_KEY"), "inst-36-4");
        CU_ASSERT_STRING_EQUAL(value_of(env, "JOB_ENTRY"), "e1 e2");
        CU_ASSERT_STRING_EQUAL(value_of(env, "JOB_ENTRY_size"), "e2");
        CU_ASSERT_STRING_EQUAL(value_of(env, "JOB_ATTEMPT"), "2");
        CU_ASSERT_STRING_EQUAL(value_of(env, "JOB_END_TIME"), "1234");
        CU_ASSERT_STRING_EQUAL(value_of(env, "JOB_WORKER"), "w9");
        CU_ASSERT_PTR_NULL(value_of(env, "JOB_NAME"));
        CU_ASSERT_PTR_NULL(value_of(env, "JOB_MEM"));
        CU_ASSERT_STRING_EQUAL(env_path(&base, &spec), "/own");
        words_done(&words);
}

UNIT_MAIN("worker arguments", TEST(entries_replace_what_they_have_and_nothing_else),
          TEST(what_was_put_in_is_not_looked_at_again), TEST(a_plain_array_knows_only_its_index),
          TEST(single_tasks_and_no_replace_keep_their_braces),
          TEST(many_open_braces_cost_no_more_than_their_length),
          TEST(the_environment_is_built_from_nothing_and_the_job_wins_but_for_job_names))
