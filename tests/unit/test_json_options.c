/* One job's options as a JSON object (cli/json_options.h), against jobsubmit's own table. */
#include <string.h>

#include "cli/json_options.h"
#include "cli/submit.h"
#include "unit.h"

struct scene {
        struct json_tokens tokens;
        struct json_texts texts;
        struct opts opts;
        struct err err;
        int rc;
};

static const char *const own[] = { "command", NULL };

static void scene_read(struct scene *s, const char *text)
{
        struct json_object object = { .text = text, .path = "line 3", .own = own };
        size_t at;

        *s = (struct scene){ .opts = { .program = &submit_program } };
        CU_ASSERT_EQUAL_FATAL(json_scan(text, strlen(text), 8, &s->tokens, &s->err), 0);
        object.list = s->tokens.list;
        s->rc = json_options(&object, &s->opts, &s->texts, &s->err);
        at = json_object_find(&object, "command");
        if (s->rc == 0 && at)
                s->rc = json_words(&object, "command", at, &s->opts, &s->texts, &s->err);
}

static void scene_done(struct scene *s)
{
        json_tokens_done(&s->tokens);
        json_texts_done(&s->texts);
        opts_done(&s->opts);
}

static void refused(const char *text, const char *message)
{
        struct scene s;

        scene_read(&s, text);
        CU_ASSERT_EQUAL(s.rc, -1);
        CU_ASSERT_EQUAL(s.err.code, ERR_BAD_DATA);
        CU_ASSERT_STRING_EQUAL(s.err.text, message);
        scene_done(&s);
}

static void values_are_as_on_the_command_line_or_native(void)
{
        struct scene s;
        size_t at = 0;

        scene_read(&s, "{\"name\":\"a\\u00e9\",\"max_running\":8,\"time\":\"1h\",\"hold\":true,\"at_most_"
                       "once\":false,"
                       "\"ok_codes\":[0,3],\"tag\":[\"a=1\",\"b=2\"],\"env\":{\"LANG\":\"C\",\"N\":7},"
                       "\"queue\":null,"
                       "\"priority\":-5,\"command\":[\"echo\",\"\",\"x y\"]}");
        CU_ASSERT_EQUAL_FATAL(s.rc, 0);
        CU_ASSERT_STRING_EQUAL(opts_text(&s.opts, "name"), "a\xc3\xa9");
        CU_ASSERT_EQUAL(opts_number(&s.opts, "max-running", 0), 8);
        CU_ASSERT_EQUAL(opts_number(&s.opts, "time", 0), 3600000);
        CU_ASSERT_EQUAL(opts_number(&s.opts, "priority", 0), -5);
        CU_ASSERT_TRUE(opts_flag(&s.opts, "hold"));
        CU_ASSERT_FALSE(opts_flag(&s.opts, "at-most-once"));
        CU_ASSERT_STRING_EQUAL(opts_text(&s.opts, "ok-codes"), "0,3");
        CU_ASSERT_STRING_EQUAL(opts_next(&s.opts, "tag", &at)->text, "a=1");
        CU_ASSERT_STRING_EQUAL(opts_next(&s.opts, "tag", &at)->text, "b=2");
        at = 0;
        CU_ASSERT_STRING_EQUAL(opts_next(&s.opts, "env", &at)->text, "LANG=C");
        CU_ASSERT_STRING_EQUAL(opts_next(&s.opts, "env", &at)->text, "N=7");
        CU_ASSERT_FALSE(opts_has(&s.opts, "queue"));
        CU_ASSERT_EQUAL_FATAL(s.opts.n_words, 3);
        CU_ASSERT_STRING_EQUAL(s.opts.words[1], "");
        CU_ASSERT_STRING_EQUAL(s.opts.words[2], "x y");
        scene_done(&s);
}

static void what_is_wrong_is_named_with_its_path_and_an_example(void)
{
        refused("{\"comand\":[\"a\"]}", "line 3: unknown key \"comand\"; did you mean \"command\"?");
        refused("{\"max_runing\":3}", "line 3: unknown key \"max_runing\"; did you mean \"max_running\"?");
        refused("{\"max-running\":3}", "line 3: unknown key \"max-running\"; did you mean \"max_running\"?");
        refused("{\"zebra\":3}",
                "line 3: unknown key \"zebra\"; keys are the long options of jobsubmit with _ for -");
        refused("{\"cpus\":0}", "line 3: cpus: '0' is not within 1 … 65536; example: \"cpus\": \"4\"");
        refused("{\"hold\":\"yes\"}", "line 3: hold: true or false is wanted; example: \"hold\": true");
        refused("{\"cpus\":{\"n\":4}}",
                "line 3: cpus: an object has no meaning here; example: \"cpus\": \"4\"");
        refused("{\"ok_codes\":[]}", "line 3: ok_codes: the list is empty; example: \"ok_codes\": \"0,3\"");
        refused("{\"tag\":[[\"a=1\"]]}",
                "line 3: tag: a string or a number is wanted; example: \"tag\": \"project=hull\"");
        refused("{\"wait\":true}",
                "line 3: \"wait\" is for the whole command: give --wait to jobsubmit itself");
        refused("{\"command\":\"echo hi\"}",
                "line 3: command: a list of words is wanted; example: \"command\": [\"echo\", \"hello\"]");
        refused("{\"command\":[\"sleep\",5]}",
                "line 3: command: every word is a string; example: \"command\": [\"sleep\", \"5\"]");
}

UNIT_MAIN("json_options", TEST(values_are_as_on_the_command_line_or_native),
          TEST(what_is_wrong_is_named_with_its_path_and_an_example))
