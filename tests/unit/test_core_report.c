/* What running tasks say of themselves, on its way through the core to the store. */
#include "core_scene.h"

static void say(struct scene *s, const struct scene_grant *grant, uint64_t index, uint64_t done,
                const char *values)
{
        struct rec_task_report report = { .job = grant->job,
                                          .nonce = grant->nonce,
                                          .index = index,
                                          .done = done,
                                          .has_done = true,
                                          .total = 10,
                                          .has_total = true,
                                          .values = values,
                                          .n_values = values ? strlen(values) : 0 };
        struct msg msg = { .kind = MSG_progress };

        msg.u.progress.reports = &report;
        msg.u.progress.n_reports = 1;
        scene_say_worker(s, grant->worker, &msg);
}

static void the_first_report_is_stored_at_once_and_the_newest_of_many_later(void)
{
        struct scene *s = scene_new();

        scene_array(s, ALICE, 2);
        scene_ready(s, 0, 2, 2);
        say(s, &s->grants[0], 1, 1, "{\"loss\":0.5}");
        scene_commit(s);
        CU_ASSERT_EQUAL(s->n_reports, 1);
        CU_ASSERT_EQUAL(s->report.done, 1);
        CU_ASSERT_EQUAL(s->report.total, 10);
        CU_ASSERT_STRING_EQUAL(s->report_values, "{\"loss\":0.5}");
        for (uint64_t i = 2; i <= 1000; i++)
                say(s, &s->grants[0], 1, i, NULL);
        scene_commit(s);
        CU_ASSERT_EQUAL(s->n_reports, 1);
        scene_pass_ms(s, 600);
        CU_ASSERT_EQUAL(s->n_reports, 2);
        CU_ASSERT_EQUAL(s->report.done, 1000);
        CU_ASSERT_STRING_EQUAL(s->report_values, "");
        scene_free(s);
}

static void the_last_report_is_in_the_batch_of_the_end(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 2);
        struct scene_grant one;

        scene_ready(s, 0, 2, 2);
        one = s->grants[0];
        one.lo = one.hi = 2;
        say(s, &one, 2, 1, NULL);
        scene_commit(s);
        say(s, &one, 2, 9, NULL);
        scene_end(s, &one, END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(scene_status(s, job, 2), TASK_STATUS_SUCCEEDED);
        CU_ASSERT_EQUAL(s->n_reports, 2);
        CU_ASSERT_EQUAL(s->report.done, 9);
        CU_ASSERT_EQUAL(s->report.index, 2);
        scene_free(s);
}

static void nobody_reports_for_a_task_that_he_does_not_run(void)
{
        struct scene *s = scene_new();
        struct scene_grant foreign, over;

        scene_array(s, ALICE, 2);
        scene_ready(s, 0, 2, 2);
        foreign = s->grants[0];
        foreign.worker = 1;
        scene_ready(s, 1, 2, 2);
        say(s, &foreign, 1, 1, NULL); /* another's lease */
        foreign.worker = 0;
        say(s, &foreign, 77, 1, NULL); /* no such task */
        foreign.nonce++;
        say(s, &foreign, 1, 1, NULL); /* no such lease */
        over = s->grants[0];
        scene_end(s, &over, END_STATUS_SUCCEEDED, 0);
        say(s, &over, 1, 1, NULL); /* it has ended */
        scene_pass_ms(s, 600);
        CU_ASSERT_EQUAL(s->n_reports, 0);
        scene_free(s);
}

static void while_the_database_is_away_reports_wait_and_the_newest_counts(void)
{
        struct scene *s = scene_new();
        struct event degraded = { .kind = EVENT_DEGRADED, .u.degraded = true };

        scene_array(s, ALICE, 1);
        scene_ready(s, 0, 1, 1);
        scene_step(s, &degraded);
        say(s, &s->grants[0], 1, 1, NULL);
        say(s, &s->grants[0], 1, 2, NULL);
        scene_pass_ms(s, 2000);
        CU_ASSERT_EQUAL(s->n_reports, 0);
        degraded = (struct event){ .kind = EVENT_DEGRADED };
        scene_step(s, &degraded);
        scene_pass_ms(s, 1000);
        CU_ASSERT_EQUAL(s->n_reports, 1);
        CU_ASSERT_EQUAL(s->report.done, 2);
        scene_free(s);
}

UNIT_MAIN("core_report", TEST(the_first_report_is_stored_at_once_and_the_newest_of_many_later),
          TEST(the_last_report_is_in_the_batch_of_the_end),
          TEST(nobody_reports_for_a_task_that_he_does_not_run),
          TEST(while_the_database_is_away_reports_wait_and_the_newest_counts))
