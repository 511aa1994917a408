/* What tasks say of themselves, from the line on the socket to the message that goes out. */
#include <stdio.h>

#include "exec/report.h"
#include "tests/unit/unit.h"
#include "tests/unit/worker_scene.h"

#define MS US_PER_MS

static const struct wcore_config slots = {
        .slots = 500, .version = "1", .host = "h", .enforces = "", .pid = 1
};

static struct wtask *started(struct worker_scene *s, size_t n)
{
        for (size_t i = 0; i < s->effects.n; i++)
                if (s->effects.list[i].kind == WEFFECT_START && n-- == 0)
                        return s->effects.list[i].u.task.task;
        CU_FAIL_FATAL("it was not started");
        return NULL;
}

static struct msg *said(struct worker_scene *s, enum msg_kind kind)
{
        struct msg *msg;

        wcore_on_tick(s->core, s->now_us, scene_effects(s));
        while ((msg = scene_pull(s)))
                if (msg->kind == kind)
                        return msg;
        return NULL;
}

static int report_done(struct worker_scene *s, struct wtask *task, uint64_t done, uint64_t total)
{
        struct wnews news = { .has_done = true, .done = done, .has_total = total > 0, .total = total };
        struct err err;

        return wcore_report(s->core, s->now_us, task, &news, &err);
}

static int report_value(struct worker_scene *s, struct wtask *task, const char *name, const char *json)
{
        struct wvalue value = { name, json, strlen(name), strlen(json) };
        struct wnews news = { .values = &value, .n_values = 1 };
        struct err err;

        return wcore_report(s->core, s->now_us, task, &news, &err);
}

static struct worker_scene with_tasks(unsigned n)
{
        struct worker_scene s = scene_begin(&slots);

        scene_grant(&s, 7, "{\"type\":\"command\",\"args\":[\"x\"]}", 1, n, "");
        return s;
}

static void ten_thousand_reports_are_one_message_a_second(void)
{
        struct worker_scene s = with_tasks(1);
        struct wtask *task = started(&s, 0);
        struct msg *msg;

        CU_ASSERT_EQUAL(report_done(&s, task, 1, 10000), 0);
        msg = said(&s, MSG_progress);
        CU_ASSERT_PTR_NOT_NULL_FATAL(msg);
        CU_ASSERT_EQUAL(msg->u.progress.reports[0].done, 1); /* the first at once */
        for (uint64_t i = 2; i <= 10000; i++)
                CU_ASSERT_EQUAL(report_done(&s, task, i, 10000), 0);
        s.now_us += 999 * MS;
        CU_ASSERT_PTR_NULL(said(&s, MSG_progress));
        CU_ASSERT_EQUAL(wcore_next_deadline_us(s.core), s.now_us + 1 * MS);
        s.now_us += 1 * MS;
        msg = said(&s, MSG_progress);
        CU_ASSERT_PTR_NOT_NULL_FATAL(msg);
        CU_ASSERT_EQUAL(msg->u.progress.n_reports, 1);
        CU_ASSERT_EQUAL(msg->u.progress.reports[0].done, 10000);
        CU_ASSERT_EQUAL(msg->u.progress.reports[0].index, 1);
        CU_ASSERT_EQUAL(msg->u.progress.reports[0].job, 7);
        s.now_us += 2000 * MS;
        CU_ASSERT_PTR_NULL(said(&s, MSG_progress)); /* nothing new */
        scene_end(&s);
}

static void values_stay_until_they_are_named_again(void)
{
        struct worker_scene s = with_tasks(1);
        struct wtask *task = started(&s, 0);
        struct msg *msg;

        report_value(&s, task, "loss", "0.5");
        report_value(&s, task, "phase", "\"warm \\\" up\"");
        report_value(&s, task, "loss", "{\"x\":[1,2]}");
        report_done(&s, task, 3, 0);
        msg = said(&s, MSG_progress);
        CU_ASSERT_PTR_NOT_NULL_FATAL(msg);
        CU_ASSERT_STRING_EQUAL(msg->u.progress.reports[0].values,
                               "{\"phase\":\"warm \\\" up\",\"loss\":{\"x\":[1,2]}}");
        CU_ASSERT_TRUE(msg->u.progress.reports[0].has_done);
        CU_ASSERT_FALSE(msg->u.progress.reports[0].has_total);
        scene_end(&s);
}

static void more_than_fits_is_refused_and_changes_nothing(void)
{
        struct worker_scene s = with_tasks(1);
        struct wtask *task = started(&s, 0);
        char *large = xcalloc(1, 4001);
        char name[16];

        memset(large, '1', 4000);
        CU_ASSERT_EQUAL(report_value(&s, task, "a", "1"), 0);
        CU_ASSERT_EQUAL(report_value(&s, task, "b", large), -1);
        for (int i = 0; i < WCORE_VALUES_MAX - 1; i++) {
                snprintf(name, sizeof(name), "n%d", i);
                CU_ASSERT_EQUAL(report_value(&s, task, name, "1"), 0);
        }
        CU_ASSERT_EQUAL(report_value(&s, task, "toomany", "1"), -1);
        CU_ASSERT_EQUAL(report_value(&s, task, "a", "2"), 0); /* of one that is there */
        CU_ASSERT_PTR_NOT_NULL(strstr(said(&s, MSG_progress)->u.progress.reports[0].values, "\"a\":2}"));
        free(large);
        scene_end(&s);
}

static void what_a_task_said_last_goes_out_before_its_end(void)
{
        struct worker_scene s = with_tasks(150);
        struct wtask *tasks[150];
        struct msg *msg;
        size_t reports = 0;
        bool finished = false;

        for (unsigned i = 0; i < 150; i++)
                tasks[i] = started(&s, i);
        for (unsigned i = 0; i < 150; i++)
                report_done(&s, tasks[i], 1, 2);
        while (said(&s, MSG_progress))
                s.now_us += 200 * MS;
        for (unsigned i = 0; i < 150; i++) {
                report_done(&s, tasks[i], 2, 2);
                wcore_on_ended(s.core, s.now_us, tasks[i], &(struct wend){ .how = WEND_EXITED },
                               scene_effects(&s));
        }
        s.now_us += 10 * MS;
        wcore_on_tick(s.core, s.now_us, scene_effects(&s));
        while ((msg = scene_pull(&s))) {
                if (msg->kind == MSG_progress) {
                        CU_ASSERT_FALSE(finished);
                        reports += msg->u.progress.n_reports;
                }
                finished |= msg->kind == MSG_finished;
        }
        CU_ASSERT_TRUE(finished);
        CU_ASSERT_EQUAL(reports, 150);
        scene_end(&s);
}

static void a_new_connection_hears_all_again_and_a_lost_lease_says_nothing(void)
{
        struct worker_scene s = with_tasks(2);
        struct wtask *first = started(&s, 0), *second = started(&s, 1);
        struct msg *msg;

        report_done(&s, first, 1, 0);
        report_done(&s, second, 1, 0);
        CU_ASSERT_EQUAL(said(&s, MSG_progress)->u.progress.n_reports, 2);
        wcore_on_link(s.core, s.now_us, false, scene_effects(&s));
        first->stop = WSTOP_SILENT;
        wcore_on_ended(s.core, s.now_us, first, &(struct wend){ .how = WEND_EXITED }, scene_effects(&s));
        wcore_on_link(s.core, s.now_us, true, scene_effects(&s));
        CU_ASSERT_PTR_NOT_NULL(said(&s, MSG_ready));
        scene_resume(&s);
        msg = said(&s, MSG_progress);
        CU_ASSERT_PTR_NOT_NULL_FATAL(msg);
        CU_ASSERT_EQUAL(msg->u.progress.n_reports, 1);
        CU_ASSERT_EQUAL(msg->u.progress.reports[0].index, 2);
        scene_end(&s);
}

/* ------------------------------------------------------------------ lines */
static int parse(const char *text)
{
        struct wvalue values[WCORE_VALUES_MAX];
        struct json_tokens tokens = { 0 };
        struct wnews news;
        struct err err;
        int rc = report_parse(text, strlen(text), &tokens, values, &news, &err);

        json_tokens_done(&tokens);
        return rc == 0 ? (int)news.n_values : -(int)err.code;
}

static void lines_are_read_strictly(void)
{
        static const char *const wrong[] = {
                "",
                "x",
                "[]",
                "3",
                "{\"done\":-1}",
                "{\"done\":1.5}",
                "{\"done\":\"1\"}",
                "{\"total\":3}",
                "{\"done\":1,\"done\":2}",
                "{\"task\":1}",
                "{\"set\":3}",
                "{\"set\":{\"a b\":1}}",
                "{\"set\":{\"\":1}}",
                "{\"set\":{\".a\":1}}",
                "{\"set\":{\"a\":NaN}}",
                "{\"set\":{\"a\":1,\"a\":2}}",
                "{\"set\":{\"a\":\"\\u0000\"}}",
                "{\"done\":9007199254740993}",
                "{\"set\":{\"a\":[[[[[[[[[1]]]]]]]]]}}",
                "{\"done\":1} x",
                "{\"set\":{\"a\":\"\xff\"}}",
        };

        for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
                if (parse(wrong[i]) >= 0)
                        CU_FAIL_FATAL(wrong[i]);
        CU_ASSERT_EQUAL(parse("{}"), 0);
        CU_ASSERT_EQUAL(parse("{\"done\":0,\"total\":0}"), 0);
        CU_ASSERT_EQUAL(parse("{\"set\":{\"a\":1e-7,\"b.c-d_e\":null,\"f\":[{\"g\":true}]}}"), 3);
}

UNIT_MAIN("worker report", TEST(ten_thousand_reports_are_one_message_a_second),
          TEST(values_stay_until_they_are_named_again), TEST(more_than_fits_is_refused_and_changes_nothing),
          TEST(what_a_task_said_last_goes_out_before_its_end),
          TEST(a_new_connection_hears_all_again_and_a_lost_lease_says_nothing), TEST(lines_are_read_strictly))
