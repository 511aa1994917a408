/* The worker's core: stops, drains, silence, the end. */
#include "tests/unit/worker_core_scene.h"

static void a_lost_lease_is_stopped_and_nothing_is_said(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wtask *task;

        scene_grant(&s, 1, COMMAND, 1, 3, "");
        task = started(&s, 0);
        scene_hear(&s,
                   "{\"v\":1,\"type\":\"TaskRequest\",\"op\":\"stop\",\"id\":1,\"reason\":\"worker-lost\","
                   "\"tasks\":"
                   "[{\"job\":1,\"nonce\":1,\"ranges\":[[1,1],[3,3]]}]}",
                   NULL, 0);
        CU_ASSERT_EQUAL_FATAL(count(&s, WEFFECT_STOP), 1);
        CU_ASSERT_PTR_EQUAL(nth(&s, WEFFECT_STOP, 0)->u.task.task, task);
        CU_ASSERT_EQUAL(wcore_numbers(s.core).unstarted, 0);
        end_task(&s, task, &(struct wend){ .how = WEND_SIGNALED, .signal = 9 });
        pass(&s, 100 * MS);
        CU_ASSERT_PTR_NULL(said(&s, MSG_finished));
        scene_end(&s);
}

static void cancelled_tasks_end_cancelled_started_or_not(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wtask *task;
        struct msg *msg;

        scene_grant(&s, 1, COMMAND, 1, 5, "");
        task = started(&s, 0);
        scene_hear(&s,
                   "{\"v\":1,\"type\":\"TaskRequest\",\"op\":\"stop\",\"id\":1,\"reason\":\"cancelled\","
                   "\"tasks\":"
                   "[{\"job\":1,\"nonce\":1,\"ranges\":[[1,1],[4,4]]}]}",
                   NULL, 0);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_STOP), 1);
        end_task(&s, task,
                 &ok); /* it ended well while it was told to stop: a person cancelled it all the same */
        pass(&s, 100 * MS);
        msg = said(&s, MSG_finished);
        CU_ASSERT_PTR_NOT_NULL_FATAL(msg);
        CU_ASSERT_EQUAL_FATAL(msg->u.finished.n_ends, 2);
        CU_ASSERT_EQUAL(msg->u.finished.ends[0].status, END_STATUS_CANCELLED);
        CU_ASSERT_EQUAL(msg->u.finished.ends[0].ranges[0].lo, 4);
        CU_ASSERT_EQUAL(msg->u.finished.ends[1].status, END_STATUS_CANCELLED);
        CU_ASSERT_EQUAL(wcore_numbers(s.core).unstarted, 1); /* 3 runs, 5 is left */
        scene_end(&s);
}

static void a_stop_for_another_job_under_the_same_nonce_does_nothing(void)
{
        struct worker_scene s = scene_begin(&two_slots);

        scene_grant(&s, 1, COMMAND, 1, 5, "");
        scene_hear(
                &s,
                "{\"v\":1,\"type\":\"TaskRequest\",\"op\":\"stop\",\"id\":1,\"reason\":\"cancelled\","
                "\"tasks\":"
                "[{\"job\":2,\"nonce\":1,\"ranges\":[[1,5]]},{\"job\":1,\"nonce\":77,\"ranges\":[[1,5]]}]}",
                NULL, 0);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_STOP), 0);
        CU_ASSERT_EQUAL(wcore_numbers(s.core).unstarted, 3);
        scene_end(&s);
}

static void draining_gives_back_waits_for_what_runs_says_bye_and_ends_0(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wtask *task;
        struct msg *msg;

        scene_grant(&s, 1, COMMAND, 1, 1, "");
        task = started(&s, 0);
        wcore_on_drain(s.core, s.now_us, scene_effects(&s));
        scene_grant(&s, 1, NULL, 2, 2, ""); /* crossed our word */
        CU_ASSERT_EQUAL(count(&s, WEFFECT_START), 0);
        CU_ASSERT_PTR_NULL(said(&s, MSG_bye));
        end_task(&s, task, &ok);
        pass(&s, 20 * MS);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_EXIT), 0);
        while ((msg = scene_pull(&s)) && msg->kind != MSG_bye)
                if (msg->kind == MSG_finished)
                        scene_answer(&s, "TaskResponse", "recorded", msg->id);
        CU_ASSERT_PTR_NOT_NULL_FATAL(msg);
        CU_ASSERT_EQUAL(msg->kind, MSG_bye);
        pass(&s, 1);
        CU_ASSERT_EQUAL_FATAL(count(&s, WEFFECT_EXIT), 1);
        CU_ASSERT_EQUAL(nth(&s, WEFFECT_EXIT, 0)->u.say.code, 0);
        scene_end(&s);
}

static void a_second_signal_stops_what_runs_and_gives_it_back(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wtask *task;
        struct msg *msg;

        scene_grant(&s, 1, COMMAND, 1, 1, "");
        task = started(&s, 0);
        wcore_on_drain(s.core, s.now_us, scene_effects(&s));
        CU_ASSERT_EQUAL(count(&s, WEFFECT_STOP), 0);
        wcore_on_drain(s.core, s.now_us, scene_effects(&s));
        CU_ASSERT_EQUAL(count(&s, WEFFECT_STOP), 1);
        end_task(&s, task, &(struct wend){ .how = WEND_SIGNALED, .signal = 15 });
        msg = said(&s, MSG_finished);
        CU_ASSERT_PTR_NOT_NULL_FATAL(msg);
        CU_ASSERT_EQUAL(msg->u.finished.ends[0].status, END_STATUS_CANCELLED);
        CU_ASSERT_EQUAL(msg->u.finished.ends[0].reason, TASK_REASON_STOPPED);
        scene_end(&s);
}

static void the_drain_timeout_stops_what_runs_too(void)
{
        struct wcore_config config = two_slots;
        struct worker_scene s;

        config.drain_timeout_us = 1000 * MS;
        s = scene_begin(&config);
        scene_grant(&s, 1, COMMAND, 1, 1, "");
        wcore_on_drain(s.core, s.now_us, scene_effects(&s));
        pass(&s, 999 * MS);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_STOP), 0);
        pass(&s, 1 * MS);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_STOP), 1);
        scene_end(&s);
}

static void idle_exit_counts_from_the_last_task(void)
{
        struct wcore_config config = two_slots;
        struct worker_scene s;
        struct wtask *task;

        config.idle_exit_us = 1000 * MS;
        s = scene_begin(&config);
        pass(&s, 900 * MS);
        scene_grant(&s, 1, COMMAND, 1, 1, "");
        task = started(&s, 0);
        pass(&s, 5000 * MS);
        CU_ASSERT_FALSE(wcore_numbers(s.core).draining);
        end_task(&s, task, &ok);
        scene_answer(&s, "TaskResponse", "recorded", said(&s, MSG_finished)->id);
        pass(&s, 999 * MS);
        CU_ASSERT_FALSE(wcore_numbers(s.core).draining);
        pass(&s, 1 * MS);
        CU_ASSERT_TRUE(wcore_numbers(s.core).draining);
        CU_ASSERT_PTR_NOT_NULL(said(&s, MSG_bye));
        scene_end(&s);
}

static void silence_for_a_lease_starts_nothing_new_and_for_the_window_stops_all(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wtask *task;

        scene_grant(&s, 1, COMMAND, 1, 3, "");
        task = started(&s, 0);
        wcore_on_link(s.core, s.now_us, false, scene_effects(&s));
        pass(&s, 25000 * MS);
        end_task(&s, task, &ok);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_START), 0); /* index 3 may be somebody else's soon */
        pass(&s, 874000 * MS);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_STOP), 0);
        pass(&s, 1000 * MS);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_STOP), 1);
        scene_end(&s);
}

static void on_lost_finish_lets_tasks_run(void)
{
        struct wcore_config config = two_slots;
        struct worker_scene s;

        config.on_lost = WON_LOST_FINISH;
        s = scene_begin(&config);
        scene_grant(&s, 1, COMMAND, 1, 1, "");
        wcore_on_link(s.core, s.now_us, false, scene_effects(&s));
        pass(&s, 901000 * MS);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_STOP), 0);
        CU_ASSERT_EQUAL(wcore_numbers(s.core).running, 1);
        scene_end(&s);
}

static void ready_that_is_refused_ends_77_or_78(void)
{
        static const char *const codes[] = { "FORBIDDEN", "BAD_FIELD" };
        static const int exits[] = { 77, 78 };

        for (size_t i = 0; i < 2; i++) {
                struct worker_scene s = { .core = wcore_new(&two_slots, 1000), .now_us = 1000 };
                char json[200];

                wcore_on_link(s.core, s.now_us, true, scene_effects(&s));
                scene_pull(&s);
                snprintf(json, sizeof(json),
                         "{\"v\":1,\"type\":\"TaskResponse\",\"op\":\"refused\",\"id\":1,\"re\":1,"
                         "\"code\":\"%s\",\"text\":\"no\"}",
                         codes[i]);
                scene_hear(&s, json, NULL, 0);
                CU_ASSERT_EQUAL_FATAL(count(&s, WEFFECT_EXIT), 1);
                CU_ASSERT_EQUAL(nth(&s, WEFFECT_EXIT, 0)->u.say.code, exits[i]);
                scene_end(&s);
        }
}

UNIT_MAIN("worker life", TEST(a_lost_lease_is_stopped_and_nothing_is_said),
          TEST(cancelled_tasks_end_cancelled_started_or_not),
          TEST(a_stop_for_another_job_under_the_same_nonce_does_nothing),
          TEST(draining_gives_back_waits_for_what_runs_says_bye_and_ends_0),
          TEST(a_second_signal_stops_what_runs_and_gives_it_back),
          TEST(the_drain_timeout_stops_what_runs_too), TEST(idle_exit_counts_from_the_last_task),
          TEST(silence_for_a_lease_starts_nothing_new_and_for_the_window_stops_all),
          TEST(on_lost_finish_lets_tasks_run), TEST(ready_that_is_refused_ends_77_or_78))
