/* What people do to jobs: cancel, hold, release, retry, set, signal; dependencies; subscriptions; why. */
#include "core_scene.h"

static uint64_t changed(const struct scene *s, uint32_t who)
{
        return scene_answer_kind(s, who) == MSG_changed ? s->last[who]->u.changed.count : UINT64_MAX;
}

static void hold(struct scene *s, uint32_t who, uint64_t job, bool held)
{
        struct msg msg = { .kind = held ? MSG_hold : MSG_release };

        if (held)
                msg.u.hold.job = job;
        else
                msg.u.release.job = job;
        scene_ask(s, who, &msg);
}

static void retry(struct scene *s, uint32_t who, uint64_t job, bool failed)
{
        struct msg msg = { .kind = MSG_retry };

        s->n_loads = 0;
        msg.u.retry.job = job;
        msg.u.retry.failed = msg.u.retry.has_failed = failed;
        scene_ask(s, who, &msg);
        if (s->n_loads == 0)
                return;
        CU_ASSERT_TRUE(s->load_is_round[0]);
        scene_read_round(s, job);
}

static void cancelling_queued_tasks_ends_them_with_the_commit(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 10);

        scene_cancel(s, ALICE, job, 3, 5);
        CU_ASSERT_EQUAL(changed(s, ALICE), 3);
        CU_ASSERT_EQUAL(scene_status(s, job, 2), TASK_STATUS_QUEUED);
        CU_ASSERT_EQUAL(scene_status(s, job, 3), TASK_STATUS_CANCELLED);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.cancelled, 3);
        scene_ready(s, 0, 1, 20);
        CU_ASSERT_EQUAL(s->grants[0].hi, 2); /* nobody is told of 3 to 5 */
        CU_ASSERT_EQUAL(s->grants[1].lo, 6);
        scene_cancel(s, ALICE, job, 3, 5);
        CU_ASSERT_EQUAL(changed(s, ALICE), 0);
        scene_free(s);
}

static void cancelling_a_running_task_asks_its_worker_also_after_a_restart(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 2);
        struct scene_grant grants[2];

        scene_ready(s, 0, 2, 2);
        scene_started(s, &s->grants[0]);
        scene_cancel(s, ALICE, job, 2, 2);
        CU_ASSERT_EQUAL(changed(s, ALICE), 1);
        CU_ASSERT_EQUAL(s->n_stops, 1);
        CU_ASSERT_EQUAL(s->stop_reason, TASK_REASON_CANCELLED);
        CU_ASSERT_EQUAL(scene_status(s, job, 2), TASK_STATUS_RUNNING);
        grants[0] = s->grants[0];
        scene_restart(s);
        scene_ready_holding(s, 0, 2, 2, grants, 1, true);
        CU_ASSERT_EQUAL(s->n_stops, 2);
        grants[0].lo = grants[0].hi = 2;
        scene_end(s, &grants[0], END_STATUS_CANCELLED, 0);
        CU_ASSERT_EQUAL(scene_status(s, job, 2), TASK_STATUS_CANCELLED);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_RUNNING);
        scene_free(s);
}

static void a_cancelled_task_whose_worker_is_lost_is_cancelled(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 1);

        scene_ready(s, 0, 1, 1);
        scene_started(s, &s->grants[0]);
        scene_cancel(s, ALICE, job, 0, 0);
        CU_ASSERT_EQUAL(s->n_stops, 1);
        scene_pass_ms(s, SCENE_LEASE_MS + 1000);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_CANCELLED);
        scene_free(s);
}

static void cancelling_a_large_job_is_acknowledged_at_once_and_survives_a_restart(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 3000);
        struct msg msg = { .kind = MSG_cancel };

        msg.u.cancel.job = job;
        scene_say(s, ALICE, ALICE, &msg);
        scene_commit(s);
        CU_ASSERT_EQUAL(changed(s, ALICE), 3000);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_CANCELLED);
        CU_ASSERT_EQUAL(core_numbers(s->core).jobs_unfinished, 0);
        scene_free(s);
}

static void a_foreign_job_and_none_are_answered_alike(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 1);
        char text[64];

        scene_cancel(s, BOB, 999, 0, 0);
        CU_ASSERT_EQUAL(scene_refusal(s, BOB), ERR_NOT_FOUND);
        strncpy(text, s->last[BOB]->u.refused.text, sizeof(text) - 1);
        scene_cancel(s, BOB, job, 0, 0);
        CU_ASSERT_EQUAL(scene_refusal(s, BOB), ERR_NOT_FOUND);
        CU_ASSERT_STRING_EQUAL(s->last[BOB]->u.refused.text, text);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_QUEUED);
        scene_cancel(s, OSCAR, job, 0, 0); /* an operator may */
        CU_ASSERT_EQUAL(changed(s, OSCAR), 1);
        scene_free(s);
}

static void a_held_job_starts_nothing_until_it_is_released(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 4);

        hold(s, ALICE, job, true);
        CU_ASSERT_EQUAL(changed(s, ALICE), 4);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_HELD);
        scene_ready(s, 0, 4, 4);
        CU_ASSERT_EQUAL(s->n_grants, 0);
        scene_restart(s);
        scene_ready(s, 0, 4, 4);
        CU_ASSERT_EQUAL(s->n_grants, 0);
        hold(s, ALICE, job, false);
        CU_ASSERT_EQUAL(s->n_grants, 1);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_QUEUED);
        scene_free(s);
}

static void a_retry_opens_a_new_round_of_a_finished_job(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 2);
        struct scene_grant one;

        scene_ready(s, 0, 2, 2);
        one = s->grants[0];
        one.hi = 1;
        scene_end(s, &one, END_STATUS_FAILED, 1);
        one.lo = one.hi = 2;
        scene_end(s, &one, END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_FAILED);
        retry(s, BOB, job, false);
        CU_ASSERT_EQUAL(scene_refusal(s, BOB), ERR_NOT_FOUND);
        retry(s, ALICE, job, true);
        CU_ASSERT_EQUAL(changed(s, ALICE), 1);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.ended_us, 0);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 2);
        CU_ASSERT_EQUAL(s->grants[1].lo, 1);
        CU_ASSERT_EQUAL(s->grants[1].attempt, 2);
        scene_end(s, &s->grants[1], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_SUCCEEDED);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.succeeded, 2);
        retry(s, ALICE, job, false);
        CU_ASSERT_EQUAL(changed(s, ALICE), 0);
        scene_free(s);
}

static void max_running_bounds_what_is_out(void)
{
        struct scene *s = scene_new();
        struct rec_array_part part = { .lo = 1, .hi = 10 };
        struct rec_job_spec spec = scene_spec();
        struct msg msg = { .kind = MSG_set };
        uint64_t job;

        spec.array = &part;
        spec.n_array = 1;
        spec.max_running = 2;
        spec.has_max_running = true;
        job = scene_submit(s, ALICE, &spec);
        scene_ready(s, 0, 8, 8);
        CU_ASSERT_EQUAL(core_numbers(s->core).tasks_granted, 2);
        msg.u.set.job = job;
        msg.u.set.max_running = 5;
        msg.u.set.has_max_running = true;
        scene_ask(s, ALICE, &msg);
        CU_ASSERT_EQUAL(core_numbers(s->core).tasks_granted, 5);
        scene_free(s);
}

static void a_signal_goes_to_the_workers_that_have_the_tasks(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 3);
        struct range range = { 2, 3 };
        struct msg msg = { .kind = MSG_signal };

        scene_ready(s, 0, 3, 3);
        msg.u.signal.job = job;
        msg.u.signal.signal = 10;
        msg.u.signal.ranges = &range;
        msg.u.signal.n_ranges = 1;
        scene_ask(s, ALICE, &msg);
        CU_ASSERT_EQUAL(changed(s, ALICE), 2);
        CU_ASSERT_EQUAL(s->last[100]->kind, MSG_send_signal);
        scene_free(s);
}

/* ------------------------------------------------------------------ dependencies */

static uint64_t after(struct scene *s, uint32_t who, enum after_when when, uint64_t on)
{
        struct rec_after dependency = { .when = when, .job = on };
        struct rec_job_spec spec = scene_spec();

        spec.after = &dependency;
        spec.n_after = 1;
        return scene_submit(s, who, &spec);
}

static void a_dependant_waits_and_is_released_by_the_commit(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 1);
        uint64_t second = after(s, ALICE, AFTER_WHEN_OK, first);

        CU_ASSERT_EQUAL(scene_job_status(s, second), TASK_STATUS_WAITING);
        scene_ready(s, 0, 4, 4);
        CU_ASSERT_EQUAL(s->n_grants, 1);
        scene_end(s, &s->grants[0], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 2);
        CU_ASSERT_EQUAL(s->grants[1].job, second);
        scene_free(s);
}

static void a_dependant_whose_condition_fails_is_aborted_and_its_dependants_too(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 1);
        uint64_t second = after(s, ALICE, AFTER_WHEN_OK, first);
        uint64_t third = after(s, ALICE, AFTER_WHEN_OK, second);
        uint64_t any = after(s, ALICE, AFTER_WHEN_ANY, second);
        uint64_t notok = after(s, ALICE, AFTER_WHEN_NOTOK, first);

        scene_cancel(s, ALICE, first, 0, 0);
        CU_ASSERT_EQUAL(scene_job_status(s, second), TASK_STATUS_ABORTED);
        CU_ASSERT_EQUAL(scene_row(s, second, 1)->now.reason, TASK_REASON_DEPENDENCY);
        CU_ASSERT_EQUAL(scene_job_status(s, third), TASK_STATUS_ABORTED);
        CU_ASSERT_EQUAL(scene_job_status(s, any), TASK_STATUS_QUEUED);
        CU_ASSERT_EQUAL(scene_job_status(s, notok), TASK_STATUS_QUEUED);
        scene_free(s);
}

/* Its many tasks take many commits; what it waited for fails before they are through. */
static void a_dependency_that_fails_while_the_job_is_being_cancelled_changes_nothing(void)
{
        struct scene *s = scene_new();
        uint64_t first, second;
        struct rec_after dependency = { .when = AFTER_WHEN_OK };
        struct rec_job_spec spec = scene_spec();
        struct msg cancel = { .kind = MSG_cancel };

        s->rows_a_sweep = 1;
        scene_restart(s);
        first = scene_array(s, ALICE, 1);
        dependency.job = first;
        spec.after = &dependency;
        spec.n_after = 1;
        second = scene_submit_array(s, ALICE, &spec, 9);
        scene_ready(s, 0, 1, 1);
        cancel.u.cancel.job = second;
        scene_say(s, ALICE, ALICE, &cancel);
        scene_commit_one(s);
        scene_say_end(s, &s->grants[0], END_STATUS_FAILED, 1);
        scene_commit(s);
        CU_ASSERT_EQUAL(scene_job_status(s, first), TASK_STATUS_FAILED);
        CU_ASSERT_EQUAL(scene_job(s, second)->state.cancelled, 9);
        scene_free(s);
}

static void a_dependency_on_a_finished_job_is_answered_from_the_store(void)
{
        struct scene *s = scene_new();

        s->ended[0] = (struct store_find_job){
                .job.n = 500, .found = true, .owner.n = ALICE, .status = TASK_STATUS_FAILED
        };
        s->n_ended = 1;
        CU_ASSERT_EQUAL(scene_job_status(s, after(s, ALICE, AFTER_WHEN_NOTOK, 500)), TASK_STATUS_QUEUED);
        CU_ASSERT_EQUAL(scene_job_status(s, after(s, ALICE, AFTER_WHEN_OK, 500)), TASK_STATUS_ABORTED);
        CU_ASSERT_EQUAL(after(s, BOB, AFTER_WHEN_ANY, 500), 0);
        CU_ASSERT_EQUAL(scene_refusal(s, BOB), ERR_NOT_FOUND);
        CU_ASSERT_EQUAL(after(s, ALICE, AFTER_WHEN_ANY, 501), 0);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_NOT_FOUND);
        scene_free(s);
}

static void waiting_jobs_still_wait_after_a_restart(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 1);
        uint64_t second = after(s, ALICE, AFTER_WHEN_OK, first);

        scene_restart(s);
        CU_ASSERT_EQUAL(scene_job_status(s, second), TASK_STATUS_WAITING);
        scene_ready(s, 0, 4, 4);
        scene_end(s, &s->grants[0], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 2);
        CU_ASSERT_EQUAL(s->grants[1].job, second);
        scene_free(s);
}

/* ------------------------------------------------------------------ subscriptions, why */

static void watch(struct scene *s, uint32_t who, uint64_t job, uint64_t lo, uint64_t hi)
{
        struct range range = { lo, hi };
        struct msg msg = { .kind = MSG_watch };

        msg.u.watch.job = job;
        msg.u.watch.has_job = true;
        msg.u.watch.ranges = &range;
        msg.u.watch.n_ranges = lo > 0 ? 1 : 0;
        scene_ask(s, who, &msg);
}

static void a_watcher_hears_done_after_the_commit(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 1);
        struct range range = { 1, 1 };
        struct rec_task_end end = {
                .job = job, .ranges = &range, .n_ranges = 1, .status = END_STATUS_SUCCEEDED, .attempt = 1
        };
        struct msg msg = { .kind = MSG_finished };

        watch(s, ALICE, job, 0, 0);
        CU_ASSERT_EQUAL(scene_answer_kind(s, ALICE), MSG_event);
        scene_ready(s, 0, 1, 1);
        end.nonce = s->grants[0].nonce;
        end.epoch = s->grants[0].epoch;
        msg.u.finished.ends = &end;
        msg.u.finished.n_ends = 1;
        scene_say_worker(s, 0, &msg);
        CU_ASSERT_FALSE(s->last[ALICE]->u.event.done);
        scene_commit(s);
        CU_ASSERT_TRUE(s->last[ALICE]->u.event.done);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.event.status, TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

static void a_watcher_of_some_tasks_hears_when_those_are_over(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 10);

        watch(s, ALICE, job, 3, 4);
        scene_cancel(s, OSCAR, job, 3, 3);
        CU_ASSERT_FALSE(s->last[ALICE]->u.event.done);
        scene_cancel(s, OSCAR, job, 4, 8);
        CU_ASSERT_TRUE(s->last[ALICE]->u.event.done);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.event.status, TASK_STATUS_QUEUED);
        watch(s, ALICE, job, 4, 4); /* over already */
        CU_ASSERT_TRUE(s->last[ALICE]->u.event.done);
        scene_free(s);
}

static void who_may_not_see_a_job_is_sent_to_the_readers_as_for_one_that_is_over(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 1);

        watch(s, BOB, job, 0, 0);
        CU_ASSERT_EQUAL(s->n_reads, 1);
        watch(s, BOB, 999, 0, 0);
        CU_ASSERT_EQUAL(s->n_reads, 2);
        CU_ASSERT_EQUAL(s->n_said[BOB], 0);
        scene_free(s);
}

static bool why_says(struct scene *s, uint32_t who, uint64_t job, const char *word)
{
        struct msg msg = { .kind = MSG_why };

        msg.u.why.job = job;
        scene_ask(s, who, &msg);
        return scene_answer_kind(s, who) == MSG_rows && strstr(s->last[who]->u.rows.rows, word) != NULL;
}

static void why_names_each_reason(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 64);
        uint64_t second = after(s, ALICE, AFTER_WHEN_OK, job);
        struct msg pause = { .kind = MSG_queue_set };

        CU_ASSERT_TRUE(why_says(s, ALICE, job, "no-worker"));
        CU_ASSERT_TRUE(why_says(s, ALICE, second, "(0 of 64 tasks done)"));
        hold(s, ALICE, job, true);
        CU_ASSERT_TRUE(why_says(s, ALICE, job, "held"));
        pause.u.queue_set.queue = "default";
        pause.u.queue_set.n_queue = 7;
        pause.u.queue_set.paused = pause.u.queue_set.has_paused = true;
        scene_ask(s, OSCAR, &pause);
        CU_ASSERT_TRUE(why_says(s, ALICE, job, "queue-paused"));
        CU_ASSERT_FALSE(why_says(s, BOB, job, "held"));
        CU_ASSERT_EQUAL(scene_refusal(s, BOB), ERR_NOT_FOUND);
        scene_free(s);
}

UNIT_MAIN("core_act", TEST(cancelling_queued_tasks_ends_them_with_the_commit),
          TEST(cancelling_a_running_task_asks_its_worker_also_after_a_restart),
          TEST(a_cancelled_task_whose_worker_is_lost_is_cancelled),
          TEST(cancelling_a_large_job_is_acknowledged_at_once_and_survives_a_restart),
          TEST(a_foreign_job_and_none_are_answered_alike),
          TEST(a_held_job_starts_nothing_until_it_is_released),
          TEST(a_retry_opens_a_new_round_of_a_finished_job), TEST(max_running_bounds_what_is_out),
          TEST(a_signal_goes_to_the_workers_that_have_the_tasks),
          TEST(a_dependant_waits_and_is_released_by_the_commit),
          TEST(a_dependant_whose_condition_fails_is_aborted_and_its_dependants_too),
          TEST(a_dependency_that_fails_while_the_job_is_being_cancelled_changes_nothing),
          TEST(a_dependency_on_a_finished_job_is_answered_from_the_store),
          TEST(waiting_jobs_still_wait_after_a_restart), TEST(a_watcher_hears_done_after_the_commit),
          TEST(a_watcher_of_some_tasks_hears_when_those_are_over),
          TEST(who_may_not_see_a_job_is_sent_to_the_readers_as_for_one_that_is_over),
          TEST(why_names_each_reason))
