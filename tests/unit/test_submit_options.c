/* From a command line to a job's description: what jobsubmit would send, compared as JSON; and what it refuses. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "cli/submit.h"
#include "unit.h"

struct scene {
        struct opts opts;
        struct cli cli;
        struct submit submit;
        struct buf script, spec;
        struct err err;
        size_t late;
        int rc;
};

/* As main does it. */
static int parse(struct scene *s, int n, char *const *words)
{
        struct opts line = { 0 };
        int rc = opt_parse(&submit_program, n, words, &line, &s->err);

        if (rc == 0 && !line.had_dashes && line.n_words && !opts_has(&line, "type"))
                s->submit.is_script = submit_is_script(line.words[0]);
        if (rc == 0 && s->submit.is_script)
                rc = submit_script_options(line.words[0], &s->opts, &s->script, &s->late, &s->err);
        opts_done(&line);
        s->submit.n_script_values = s->opts.n_values;
        return rc < 0 ? -1 : opt_parse(&submit_program, n, words, &s->opts, &s->err);
}

static void scene_run(struct scene *s, int n, char *const *words)
{
        *s = (struct scene){ .submit = SUBMIT_EMPTY };
        s->rc = parse(s, n, words);
        if (s->rc < 0)
                return;
        cli_init(&s->cli, "jobsubmit", &s->opts);
        s->cli.quiet = true;
        s->submit.cli = &s->cli;
        s->submit.opts = &s->opts;
        s->rc = submit_build(&s->submit, &s->err);
        if (s->rc == 0)
                job_spec_encode(&s->submit.spec, &s->spec);
}

static void scene_done(struct scene *s)
{
        submit_done(&s->submit);
        cli_done(&s->cli);
        opts_done(&s->opts);
        buf_done(&s->script);
        buf_done(&s->spec);
}

#define WORD_COUNT(...) (int)ARRAY_LEN(((const char *[]){ __VA_ARGS__ }))
#define WORD_LIST(...)                                                                                       \
        (char *const *)(const char *[])                                                                      \
        {                                                                                                    \
                __VA_ARGS__                                                                                  \
        }
#define WORDS(...) WORD_COUNT(__VA_ARGS__), WORD_LIST(__VA_ARGS__)

/* Digests of entries are compared elsewhere: without them a description is readable. */
static void drop_digest(struct buf *spec)
{
        char *at = strstr(spec->bytes, ",\"entries_sha256\":\"");
        size_t n = strlen(",\"entries_sha256\":\"\"") + 64;

        if (at)
                memmove(at, at + n, strlen(at + n) + 1);
}

/* The description that these words give. */
#define GIVES(json, ...)                                                                                     \
        do {                                                                                                 \
                struct scene s_;                                                                             \
                scene_run(&s_, WORDS(__VA_ARGS__));                                                          \
                if (s_.rc == 0)                                                                              \
                        drop_digest(&s_.spec);                                                               \
                if (s_.rc < 0)                                                                               \
                        fprintf(stderr, "line %d: %s\n", __LINE__, s_.err.text);                             \
                CU_ASSERT_EQUAL(s_.rc, 0);                                                                   \
                if (s_.rc == 0 && strcmp(s_.spec.bytes, (json)) != 0)                                        \
                        fprintf(stderr, "line %d: %s\n", __LINE__, s_.spec.bytes);                           \
                CU_ASSERT(s_.rc == 0 && strcmp(s_.spec.bytes, (json)) == 0);                                 \
                scene_done(&s_);                                                                             \
        } while (0)

#define REFUSES(code_, part, ...)                                                                            \
        do {                                                                                                 \
                struct scene s_;                                                                             \
                scene_run(&s_, WORDS(__VA_ARGS__));                                                          \
                CU_ASSERT_EQUAL(s_.rc, -1);                                                                  \
                if (s_.err.code != (code_) || !strstr(s_.err.text, (part)))                                  \
                        fprintf(stderr, "line %d: %d %s\n", __LINE__, (int)s_.err.code, s_.err.text);        \
                CU_ASSERT_EQUAL(s_.err.code, (code_));                                                       \
                CU_ASSERT_PTR_NOT_NULL(strstr(s_.err.text, (part)));                                         \
                scene_done(&s_);                                                                             \
        } while (0)

static void a_command_is_passed_as_it_is(void)
{
        GIVES("{\"name\":\"echo\",\"type\":\"command\",\"args\":[\"echo\",\"a b\",\"-n\",\"\"]}", "echo",
              "a b", "-n", "");
        GIVES("{\"name\":\"true\",\"type\":\"command\",\"args\":[\"/bin/true\",\"-v\"]}", "--", "/bin/true",
              "-v");
        GIVES("{\"name\":\"x y\",\"type\":\"command\",\"args\":[\"true\"]}", "-n", "x y", "true");
}

static void other_types_check_their_arguments(void)
{
        GIVES("{\"name\":\"noop\",\"type\":\"noop\"}", "--type", "noop");
        GIVES("{\"name\":\"sleep\",\"type\":\"sleep\",\"args\":[\"0.5\"]}", "--type", "sleep", "0.5");
        GIVES("{\"name\":\"echo\",\"type\":\"echo\",\"args\":[\"a\",\"b\"]}", "--type", "echo", "a", "b");
        REFUSES(ERR_USAGE, "takes nothing", "--type", "noop", "x");
        REFUSES(ERR_USAGE, "no number of seconds", "--type", "sleep", "long");
        REFUSES(ERR_USAGE, "no number of seconds", "--type", "sleep", "1e3");
        REFUSES(ERR_USAGE, "did you mean sleep?", "--type", "slepe", "1");
        REFUSES(ERR_USAGE, "no command", "-n", "x");
        REFUSES(ERR_USAGE, "the command is empty", "");
}

static void each_plain_option_has_its_field(void)
{
        GIVES("{\"name\":\"t\",\"queue\":\"night\",\"type\":\"command\",\"args\":[\"x\"],\"comment\":\"why\","
              "\"tags\":[\"a=b\",\"c=d\"],\"cpus\":4,\"max_running\":7,\"priority\":-5,\"hold\":true,"
              "\"time_ms\":90000,\"grace_ms\":500,\"retries\":2,\"crash_limit\":3,\"at_most_once\":true,"
              "\"ok_codes\":[0,3],\"out_max\":1048576,\"outs\":[\"*.csv\"]}",
              "-n", "t", "--queue", "night", "--comment", "why", "--tag", "a=b", "--tag=c=d", "-c4",
              "--max-running", "7", "-p", "-5", "--hold", "-t", "1m30s", "--grace", "0.5", "--retries=2",
              "--crash-limit", "3", "--at-most-once", "--ok-codes", "0,3", "--out-max", "1M", "--out",
              "*.csv", "x");
        GIVES("{\"name\":\"x\",\"type\":\"command\",\"args\":[\"x\"],\"priority\":0}", "-p0", "x");
}

static void an_array_is_its_text(void)
{
        GIVES("{\"name\":\"x\",\"type\":\"command\",\"args\":[\"x\",\"{}\"],\"array\":[{\"lo\":1,\"hi\":10,"
              "\"step\":3}],"
              "\"is_array\":true,\"max_running\":2}",
              "-a", "1-10:3%2", "x", "{}");
        GIVES("{\"name\":\"x\",\"type\":\"command\",\"args\":[\"x\"],\"array\":[{\"lo\":0,\"hi\":3}],\"is_"
              "array\":true,"
              "\"max_running\":9}",
              "-a", "0-3%2", "--max-running", "9", "x");
        REFUSES(ERR_BAD_DATA, "--array: ", "-a", "1-", "x");
        REFUSES(ERR_BAD_DATA, "--array: ", "-a", "5-1", "x");
        REFUSES(ERR_BAD_DATA, "--array: ", "-a", "", "x");
        REFUSES(ERR_BAD_DATA, "--array: ", "-a", "1-20000000", "x");
}

static void lists_multiply_and_pair(void)
{
        struct scene s;
        struct buf chunk = { 0 };

        GIVES("{\"name\":\"x\",\"type\":\"command\",\"args\":[\"x\",\"{}\"],\"entries\":3,\"entries_per_"
              "chunk\":4096}",
              "x", "{}", ":::", "a", "b", "c");
        GIVES("{\"name\":\"x\",\"type\":\"command\",\"args\":[\"x\",\"{}\"],\"entries\":6,\"entries_per_"
              "chunk\":4096}",
              "--", "x", "{}", ":::", "a", "b", ":::", "1", "2", "3");
        scene_run(&s, WORDS("x", "{1}{2}{3}", ":::", "a", "b", ":::+", "A", "B", ":::", "1", "2"));
        CU_ASSERT_EQUAL_FATAL(s.rc, 0);
        CU_ASSERT_EQUAL(entry_list_read_chunk(&s.submit.entries, 100, &chunk, &s.err), 0);
        CU_ASSERT_EQUAL(chunk.n, 4 * (4 + 5));
        CU_ASSERT_EQUAL(memcmp(chunk.bytes,
                               "\0\0\0\5a\0A\0"
                               "1\0\0\0\5a\0A\0"
                               "2\0\0\0\5b\0B\0"
                               "1\0\0\0\5b\0B\0"
                               "2",
                               36),
                        0);
        buf_done(&chunk);
        scene_done(&s);
        GIVES("{\"name\":\"x\",\"type\":\"command\",\"args\":[\"x\",\":::\",\"{}\"],\"no_replace\":true}",
              "--no-replace", "x", ":::", "{}");
        REFUSES(ERR_USAGE, "no values after :::", "x", ":::");
        REFUSES(ERR_USAGE, "no values after :::", "x", ":::", "a", ":::");
        REFUSES(ERR_USAGE, "begin with :::", "x", ":::+", "a");
        REFUSES(ERR_BAD_DATA, ":::+ has 1 values", "x", ":::", "a", "b", ":::+", "c");
        REFUSES(ERR_USAGE, "exclude each other", "-a", "1-3", "x", ":::", "a");
        REFUSES(ERR_USAGE, "exclude each other", "-a", "1-3", "--each-line", "/dev/null", "x");
}

static char *write_file(const char *name, const char *text)
{
        static const char folder[] = "/tmp/jobmill-test-submit";
        char *path = xasprintf("%s.%d.%s", folder, (int)getpid(), name);
        FILE *file = fopen(path, "w");

        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        fputs(text, file);
        fclose(file);
        return path;
}

static void drop_file(char *path)
{
        unlink(path);
        xfree(path);
}

static void entries_come_from_lines_tables_and_json(void)
{
        char *lines = write_file("lines", "a\n\nb c\r\nlast");
        char *csv = write_file("csv", "name,n\n\"a, \"\"b\"\"\",1\r\nx,2\n");
        char *json = write_file("json", "{\"name\":\"a\",\"n\":1}\n{\"n\":[2,3],\"name\":\"\\u00e4\"}\n");
        char *bad = write_file("bad", "{\"a\":1}\n{\"b\":1}\n");

        GIVES("{\"name\":\"x\",\"type\":\"command\",\"args\":[\"x\",\"{}\"],\"entries\":4,\"entries_per_"
              "chunk\":4096}",
              "--each-line", lines, "x", "{}");
        GIVES("{\"name\":\"x\",\"type\":\"command\",\"args\":[\"x\",\"{n}\"],\"entries\":2,\"entries_per_"
              "chunk\":4096,"
              "\"columns\":[\"name\",\"n\"]}",
              "--each-csv", csv, "x", "{n}");
        GIVES("{\"name\":\"x\",\"type\":\"command\",\"args\":[\"x\",\"{n}\"],\"entries\":2,\"entries_per_"
              "chunk\":4096,"
              "\"columns\":[\"name\",\"n\"]}",
              "--each-json", json, "x", "{n}");
        REFUSES(ERR_BAD_DATA, "line 2: ", "--each-json", bad, "x");
        REFUSES(ERR_BAD_DATA, "has no entries", "--each-line", "/dev/null", "x");
        REFUSES(ERR_NOT_FOUND, "No such file", "--each-line", "/nonexistent", "x");
        drop_file(lines);
        drop_file(csv);
        drop_file(json);
        drop_file(bad);
}

static void the_environment_is_only_what_was_asked_for(void)
{
        setenv("JM_TEST", "v=1", 1);
        unsetenv("JM_NONE");
        GIVES("{\"name\":\"x\",\"type\":\"command\",\"args\":[\"x\"],\"env\":[\"A=1\",\"JM_TEST=v=1\",\"B=\"]"
              "}",
              "-e", "A=0", "-e", "JM_TEST", "-e", "B=", "-e", "A=1", "x");
        REFUSES(ERR_USAGE, "JM_NONE is not set here", "-e", "JM_NONE", "x");
        REFUSES(ERR_USAGE, "no name for a variable", "-e", "1A=x", "x");
        REFUSES(ERR_USAGE, "JOB_ names are the worker's", "-e", "JOB_ID=1", "x");
        REFUSES(ERR_USAGE, "no name for a variable", "-e", "=x", "x");
}

static void a_folder_is_made_absolute(void)
{
        struct scene s;
        char here[4096];

        CU_ASSERT_PTR_NOT_NULL_FATAL(getcwd(here, sizeof(here)));
        scene_run(&s, WORDS("--cwd", ".", "x"));
        CU_ASSERT_EQUAL(s.rc, 0);
        CU_ASSERT_STRING_EQUAL(s.submit.spec.cwd, here);
        scene_done(&s);
        scene_run(&s, WORDS("--cwd", "/not/here", "x"));
        CU_ASSERT_STRING_EQUAL(s.submit.spec.cwd, "/not/here");
        scene_done(&s);
        scene_run(&s, WORDS("--cwd", "not-here", "x"));
        CU_ASSERT_EQUAL(strncmp(s.submit.spec.cwd, here, strlen(here)), 0);
        CU_ASSERT_STRING_EQUAL(s.submit.spec.cwd + strlen(here), "/not-here");
        scene_done(&s);
}

static void inputs_carry_name_size_and_digest(void)
{
        char *a = write_file("in", "abc");
        char *with_name = xasprintf("%s:data.txt", a);
        struct scene s;

        scene_run(&s, WORDS("--in", with_name, "x"));
        CU_ASSERT_EQUAL_FATAL(s.rc, 0);
        CU_ASSERT_EQUAL_FATAL(s.submit.spec.n_inputs, 1);
        CU_ASSERT_STRING_EQUAL(s.submit.spec.inputs[0].name, "data.txt");
        CU_ASSERT_EQUAL(s.submit.spec.inputs[0].bytes, 3);
        CU_ASSERT_STRING_EQUAL(s.submit.spec.inputs[0].sha256,
                               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        scene_done(&s);
        REFUSES(ERR_USAGE, "two files are named", "--in", with_name, "--in", with_name, "x");
        REFUSES(ERR_NOT_FOUND, "No such file", "--in", "/nonexistent", "x");
        REFUSES(ERR_BAD_DATA, "not a regular file", "--in", "/tmp", "x");
        REFUSES(ERR_USAGE, "no file name", "--in", "/etc/passwd:..", "x");
        drop_file(a);
        xfree(with_name);
}

static void a_scripts_own_options_yield_to_the_command_line(void)
{
        char *script = write_file(
                "s.sh", "#!/bin/sh\n#JOB -n 'my job' --tag a=b\n# a remark\n#JOB -a 1-3%2 -t 1h # why\n\n"
                        "echo hi\n#JOB -n late\n");
        struct scene s;

        scene_run(&s, WORDS("-n", "mine", script, "arg"));
        CU_ASSERT_EQUAL_FATAL(s.rc, 0);
        CU_ASSERT(s.submit.spec.script);
        CU_ASSERT_STRING_EQUAL(s.submit.spec.name, "mine");
        CU_ASSERT_EQUAL(s.submit.spec.n_args, 1);
        CU_ASSERT_STRING_EQUAL(s.submit.spec.args[0], "arg");
        CU_ASSERT_EQUAL(s.submit.spec.time_ms, 3600000);
        CU_ASSERT_EQUAL(s.submit.spec.n_tags, 1);
        CU_ASSERT_EQUAL(s.submit.spec.array[0].hi, 3);
        CU_ASSERT_EQUAL(s.submit.inputs[0].mode, 0755);
        CU_ASSERT_EQUAL(s.late, 7);
        scene_done(&s);
        /* entries on the command line replace the script's array */
        scene_run(&s, WORDS(script, "{}", ":::", "x", "y"));
        CU_ASSERT_EQUAL_FATAL(s.rc, 0);
        CU_ASSERT_EQUAL(s.submit.spec.entries, 2);
        CU_ASSERT_EQUAL(s.submit.spec.n_array, 0);
        scene_done(&s);
        /* behind -- it is a program like any other */
        scene_run(&s, WORDS("--", script));
        CU_ASSERT_EQUAL_FATAL(s.rc, 0);
        CU_ASSERT_FALSE(s.submit.spec.script);
        scene_done(&s);
        drop_file(script);
}

static void a_wrong_line_in_a_script_is_named(void)
{
        char *unknown = write_file("u.sh", "#!/bin/sh\n#JOB --nmae x\n");
        char *word = write_file("w.sh", "#!/bin/sh\n\n#JOB -n x y\n");
        char *quote = write_file("q.sh", "#!/bin/sh\n#JOB -n 'x\n");

        REFUSES(ERR_USAGE, ".u.sh:2: #JOB: unknown option --nmae; did you mean --name?", unknown);
        REFUSES(ERR_USAGE, ".w.sh:3: #JOB: 'y' is no option", word);
        REFUSES(ERR_USAGE, ".q.sh:2: #JOB: a quote that is not closed", quote);
        drop_file(unknown);
        drop_file(word);
        drop_file(quote);
}

static void values_outside_their_limits_are_refused(void)
{
        char *long_name = xmalloc(300);

        memset(long_name, 'n', 299);
        long_name[299] = '\0';
        REFUSES(ERR_USAGE, "at most 255", "-n", long_name, "x");
        xfree(long_name);
        REFUSES(ERR_USAGE, "--cpus", "-c", "0", "x");
        REFUSES(ERR_USAGE, "--mem", "--mem", "4Q", "x");
        REFUSES(ERR_USAGE, "--gpus", "--gpus", "65", "x");
        REFUSES(ERR_USAGE, "is not of the form name=number", "--res", "licence", "x");
        REFUSES(ERR_USAGE, "are the same resource", "--res", "a=1", "--res", "a=2", "x");
        REFUSES(ERR_USAGE, "is no label", "--require", "=x", "x");
        REFUSES(ERR_USAGE, "is no label", "--avoid", "a=", "x");
        REFUSES(ERR_USAGE, "--priority", "-p", "101", "x");
        REFUSES(ERR_USAGE, "--time", "-t", "soon", "x");
        REFUSES(ERR_USAGE, "--queue: 'a b' is no name", "--queue", "a b", "x");
        REFUSES(ERR_USAGE, "is not k=v", "--tag", "x", "y");
        REFUSES(ERR_USAGE, "--ok-codes", "--ok-codes", "0,256", "x");
        REFUSES(ERR_USAGE, "--ok-codes", "--ok-codes", "1,", "x");
        REFUSES(ERR_USAGE, "goes with --wait", "--timeout", "5s", "x");
        REFUSES(ERR_BAD_DATA, "not valid UTF-8", "echo", "\xff");
        REFUSES(ERR_USAGE, "a dependency is on a whole job", "--after", "ok:3.4", "x");
        REFUSES(ERR_BAD_DATA, "is no selector", "--after", "every:3", "x");
        REFUSES(ERR_USAGE, "example: --dependency afterok:36:37", "--dependency", "aftersome:3", "x");
        REFUSES(ERR_USAGE, "and singleton; example", "--dependency", "singleton:3", "x");
        REFUSES(ERR_USAGE, "nothing else stands beside them; example", "--dependency", "afterok:3?singleton",
                "x");
        REFUSES(ERR_USAGE, "not for its start (after); example: --dependency afterany:36", "--dependency",
                "after:3", "x");
        REFUSES(ERR_USAGE, "and singleton; example", "--dependency", "afterok", "x");
        REFUSES(ERR_USAGE, "and singleton; example", "--dependency", "afterok:3,,afterok:4", "x");
}

static void other_entries_make_another_request(void)
{
        struct scene a, b, c;

        scene_run(&a, WORDS("x", ":::", "a", "b"));
        scene_run(&b, WORDS("x", ":::", "a", "c"));
        scene_run(&c, WORDS("x", ":::", "a", "b"));
        CU_ASSERT_EQUAL(strlen(a.submit.spec.entries_sha256), 64);
        CU_ASSERT_STRING_NOT_EQUAL(a.submit.spec.entries_sha256, b.submit.spec.entries_sha256);
        CU_ASSERT_STRING_EQUAL(a.submit.spec.entries_sha256, c.submit.spec.entries_sha256);
        scene_done(&a);
        scene_done(&b);
        scene_done(&c);
}

static void dependencies_name_their_condition(void)
{
        GIVES("{\"name\":\"x\",\"type\":\"command\",\"args\":[\"x\"],\"after\":[{\"when\":\"ok\",\"job\":3},"
              "{\"when\":\"any\",\"job\":4},{\"when\":\"any\",\"job\":5},{\"when\":\"notok\",\"job\":6}]}",
              "--after", "3", "--after", "any:4,5", "--after", "notok:6", "x");
}

static void a_key_is_made_up_unless_given(void)
{
        struct scene a, b;

        scene_run(&a, WORDS("x"));
        scene_run(&b, WORDS("x"));
        CU_ASSERT_EQUAL(strlen(a.submit.key), 32);
        CU_ASSERT_STRING_NOT_EQUAL(a.submit.key, b.submit.key);
        scene_done(&a);
        scene_done(&b);
        scene_run(&a, WORDS("--key", "k", "x"));
        CU_ASSERT_STRING_EQUAL(a.submit.key, "k");
        scene_done(&a);
}

UNIT_MAIN("submit_options", TEST(a_command_is_passed_as_it_is), TEST(other_types_check_their_arguments),
          TEST(each_plain_option_has_its_field), TEST(an_array_is_its_text), TEST(lists_multiply_and_pair),
          TEST(entries_come_from_lines_tables_and_json), TEST(the_environment_is_only_what_was_asked_for),
          TEST(a_folder_is_made_absolute), TEST(inputs_carry_name_size_and_digest),
          TEST(a_scripts_own_options_yield_to_the_command_line), TEST(a_wrong_line_in_a_script_is_named),
          TEST(values_outside_their_limits_are_refused), TEST(other_entries_make_another_request),
          TEST(dependencies_name_their_condition), TEST(a_key_is_made_up_unless_given))
