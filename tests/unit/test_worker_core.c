/* The worker's core: what it starts, how tasks end, what it gives back. */
#include "tests/unit/worker_core_scene.h"

static void it_starts_as_many_as_it_has_slots_and_the_next_when_one_ends(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wtask *first;

        scene_grant(&s, 1, COMMAND, 10, 12, "");
        CU_ASSERT_EQUAL_FATAL(count(&s, WEFFECT_START), 2);
        first = started(&s, 0);
        CU_ASSERT_EQUAL(first->index, 10);
        CU_ASSERT_EQUAL(started(&s, 1)->index, 11);
        end_task(&s, first, &ok);
        CU_ASSERT_EQUAL_FATAL(count(&s, WEFFECT_START), 1);
        CU_ASSERT_EQUAL(started(&s, 0)->index, 12);
        scene_end(&s);
}

static void a_wide_task_waits_for_its_slots_and_is_not_overtaken(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wtask *narrow;

        scene_grant(&s, 1, COMMAND, 1, 1, "");
        narrow = started(&s, 0);
        scene_grant(&s, 2, "{\"type\":\"command\",\"args\":[\"x\"],\"cpus\":2}", 1, 1, "");
        CU_ASSERT_EQUAL(count(&s, WEFFECT_START), 0);
        scene_grant(&s, 1, NULL, 2, 2, "");
        CU_ASSERT_EQUAL(count(&s, WEFFECT_START), 0);
        end_task(&s, narrow, &ok);
        CU_ASSERT_EQUAL_FATAL(count(&s, WEFFECT_START), 1);
        CU_ASSERT_EQUAL(started(&s, 0)->lease->job->id, 2);
        CU_ASSERT_EQUAL(wcore_numbers(s.core).free_slots, 0);
        scene_end(&s);
}

static void tasks_of_a_lease_that_end_alike_are_one_end(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wtask *a, *b, *c;
        struct msg *msg;

        scene_grant(&s, 1, COMMAND, 1, 3, "");
        a = started(&s, 0);
        b = started(&s, 1);
        s.now_us += 3000;
        end_task(&s, b, &(struct wend){ .how = WEND_EXITED, .cpu_us = 20 });
        c = started(&s, 0);
        s.now_us += 100;
        end_task(&s, a, &(struct wend){ .how = WEND_EXITED, .cpu_us = 10 });
        end_task(&s, c, &(struct wend){ .how = WEND_EXITED, .code = 4 });
        msg = said(&s, MSG_finished);
        CU_ASSERT_EQUAL_FATAL(msg->u.finished.n_ends, 2);
        CU_ASSERT_EQUAL(msg->u.finished.ends[0].status, END_STATUS_SUCCEEDED);
        CU_ASSERT_EQUAL(msg->u.finished.ends[0].n_ranges, 1);
        CU_ASSERT_EQUAL(msg->u.finished.ends[0].ranges[0].lo, 1);
        CU_ASSERT_EQUAL(msg->u.finished.ends[0].ranges[0].hi, 2);
        CU_ASSERT_EQUAL_FATAL(msg->u.finished.ends[0].n_cpu_us, 2);
        CU_ASSERT_EQUAL(msg->u.finished.ends[0].cpu_us[0], 10); /* in the order of indexes, not of ends */
        CU_ASSERT_EQUAL(msg->u.finished.ends[0].ago_us[1], 100);
        CU_ASSERT_EQUAL(msg->u.finished.ends[1].status, END_STATUS_FAILED);
        CU_ASSERT_EQUAL(msg->u.finished.ends[1].reason, TASK_REASON_EXIT_CODE);
        CU_ASSERT_EQUAL(msg->u.finished.ends[1].exit_code, 4);
        scene_end(&s);
}

static void ends_gather_while_there_is_work_and_go_at_once_when_there_is_none(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wtask *a, *b;

        scene_grant(&s, 1, COMMAND, 1, 3, "");
        a = started(&s, 0);
        b = started(&s, 1);
        end_task(&s, a, &ok);
        a = started(&s, 0);
        CU_ASSERT_PTR_NULL(said(&s, MSG_finished)); /* two run: it waits for company */
        pass(&s, 20 * MS);
        CU_ASSERT_PTR_NOT_NULL(said(&s, MSG_finished));
        end_task(&s, a, &ok);
        end_task(&s, b, &ok);
        CU_ASSERT_PTR_NOT_NULL(said(&s, MSG_finished));
        scene_end(&s);
}

static void ends_of_a_bulk_wait_longer_unless_something_else_comes_next(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wtask *a, *b;

        scene_grant(&s, 1, COMMAND, 1, 100, "");
        a = started(&s, 0);
        b = started(&s, 1);
        end_task(&s, a, &ok);
        pass(&s, 20 * MS);
        CU_ASSERT_PTR_NULL(said(&s, MSG_finished));
        pass(&s, 5 * MS);
        CU_ASSERT_PTR_NOT_NULL(said(&s, MSG_finished));
        scene_hear(&s, "{\"v\":1,\"type\":\"TaskRequest\",\"op\":\"take-back\",\"id\":1,\"n\":3}", NULL, 0);
        pass(&s, 8 * MS);
        CU_ASSERT_PTR_NOT_NULL(said(&s, MSG_finished)); /* some worker waits for what is given back */
        scene_hear(&s, "{\"v\":1,\"type\":\"TaskRequest\",\"op\":\"take-back\",\"id\":1,\"n\":80}", NULL, 0);
        pass(&s, 8 * MS);
        CU_ASSERT_PTR_NOT_NULL(said(&s, MSG_finished));
        end_task(&s, b, &ok);
        pass(&s, 8 * MS);
        CU_ASSERT_PTR_NOT_NULL(said(&s, MSG_finished)); /* few are left */
        scene_end(&s);
}

static void a_window_that_runs_dry_asks_once_for_more(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wtask *next;
        struct msg *msg;

        scene_grant(&s, 1, COMMAND, 1, 60, "");
        for (int i = 0; i < 40; i++)
                end_task(&s, started(&s, 0), &ok); /* in no time: the window grows beyond what is in hand */
        msg = said(&s, MSG_finished);
        CU_ASSERT_PTR_NOT_NULL_FATAL(msg);
        end_task(&s, started(&s, 0), &ok);
        CU_ASSERT_PTR_NULL(said(&s, MSG_finished)); /* more may be on its way */
        next = started(&s, 0);
        scene_answer(&s, "TaskResponse", "recorded", msg->id);
        end_task(&s, next, &ok);
        next = started(&s, 0);
        CU_ASSERT_PTR_NULL(said(&s, MSG_finished)); /* it has none, so there is no hurry */
        scene_grant(&s, 1, NULL, 61, 62, "");
        end_task(&s, next, &ok);
        CU_ASSERT_PTR_NOT_NULL(said(&s, MSG_finished));
        scene_end(&s);
}

static void the_end_of_a_long_task_waits_for_no_company(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wtask *task;

        scene_grant(&s, 1, COMMAND, 1, 5, "");
        for (int i = 0; i < 2; i++) { /* the first says how long they are */
                task = started(&s, 0);
                s.now_us += 60 * MS;
                end_task(&s, task, &ok);
        }
        CU_ASSERT_PTR_NOT_NULL(said(&s, MSG_finished)); /* two run and one waits */
        scene_end(&s);
}

static void a_no_op_array_is_one_group_and_one_end(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        const struct weffect *group;
        struct msg *msg;

        scene_grant(&s, 1, "{\"type\":\"noop\"}", 1, 500, "");
        group = nth(&s, WEFFECT_GROUP, 0);
        CU_ASSERT_PTR_NOT_NULL_FATAL(group);
        CU_ASSERT_EQUAL(group->u.group.range.hi, 500);
        wcore_on_group_ended(s.core, s.now_us, group->u.group.lease, group->u.group.range, &ok, NULL,
                             scene_effects(&s));
        msg = said(&s, MSG_finished);
        CU_ASSERT_PTR_NOT_NULL_FATAL(msg);
        CU_ASSERT_EQUAL(msg->u.finished.n_ends, 1);
        CU_ASSERT_EQUAL(msg->u.finished.ends[0].ranges[0].hi, 500);
        CU_ASSERT_EQUAL(msg->u.finished.ends[0].n_ago_us, 1);
        CU_ASSERT(msg->u.finished.window > 4); /* it wants more of those */
        scene_end(&s);
}

static void the_window_follows_the_run_time(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wtask *task;

        for (uint64_t i = 0; i < 64; i++) { /* 1 ms each: 50 ms ahead on two slots are a hundred */
                scene_grant(&s, 1, i ? NULL : COMMAND, i, i, "");
                task = started(&s, 0);
                s.now_us += MS;
                end_task(&s, task, &ok);
        }
        CU_ASSERT(wcore_numbers(s.core).window > 80 && wcore_numbers(s.core).window <= 102);
        for (uint64_t i = 64; i < 128; i++) { /* a second each: none ahead */
                scene_grant(&s, 1, NULL, i, i, "");
                task = started(&s, 0);
                s.now_us += 1000 * MS;
                end_task(&s, task, &ok);
        }
        CU_ASSERT_EQUAL(wcore_numbers(s.core).window, 2);
        scene_end(&s);
}

static void work_fetched_ahead_of_long_tasks_is_given_back(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wtask *task;
        struct msg *msg;

        for (uint64_t i = 0; i < 16; i++) {
                scene_grant(&s, 1, i ? NULL : COMMAND, i, i, "");
                task = started(&s, 0);
                s.now_us += MS;
                end_task(&s, task, &ok);
        }
        while ((msg = said(&s, MSG_finished)))
                scene_answer(&s, "TaskResponse", "recorded", msg->id);
        scene_grant(&s, 2, COMMAND, 1, 40, "");
        CU_ASSERT_EQUAL(wcore_numbers(s.core).unstarted, 38);
        pass(&s, 150 * MS);
        CU_ASSERT_EQUAL(wcore_numbers(s.core).unstarted, 38);
        pass(&s, 100 * MS);
        CU_ASSERT_EQUAL(wcore_numbers(s.core).unstarted, 0);
        pass(&s, 10 * MS);
        msg = said(&s, MSG_finished);
        CU_ASSERT_PTR_NOT_NULL_FATAL(msg);
        CU_ASSERT_EQUAL(msg->u.finished.ends[0].status, END_STATUS_RETURNED);
        CU_ASSERT_EQUAL(msg->u.finished.ends[0].ranges[0].lo, 3);
        CU_ASSERT_EQUAL(msg->u.finished.ends[0].ranges[0].hi, 40);
        CU_ASSERT_EQUAL(msg->u.finished.ends[0].n_ran_us, 0); /* never started */
        scene_end(&s);
}

static void a_long_task_says_started_once_and_a_short_one_never(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wtask *brief;
        struct msg *msg;

        scene_grant(&s, 1, COMMAND, 1, 2, "");
        brief = started(&s, 0);
        s.now_us += 10 * MS;
        end_task(&s, brief, &ok);
        CU_ASSERT_PTR_NULL(said(&s, MSG_started));
        pass(&s, 95 * MS);
        msg = said(&s, MSG_started);
        CU_ASSERT_PTR_NOT_NULL_FATAL(msg);
        CU_ASSERT_EQUAL(msg->u.started.n_tasks, 1);
        CU_ASSERT_EQUAL(msg->u.started.tasks[0].ranges[0].lo, 2);
        CU_ASSERT_EQUAL(msg->u.started.tasks[0].ago_us, 105000);
        pass(&s, 45 * MS);
        CU_ASSERT_PTR_NULL(said(&s, MSG_started));
        scene_end(&s);
}

static void time_that_is_up_stops_a_task_and_ends_it_timeout(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wtask *task;
        struct msg *msg;

        scene_grant(&s, 1, "{\"type\":\"command\",\"args\":[\"x\"],\"time_ms\":200,\"grace_ms\":30}", 1, 1,
                    "");
        task = started(&s, 0);
        pass(&s, 199 * MS);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_STOP), 0);
        CU_ASSERT_PTR_NOT_NULL(said(&s, MSG_started));
        CU_ASSERT_EQUAL(wcore_next_deadline_us(s.core), s.now_us + 1 * MS);
        pass(&s, 1 * MS);
        CU_ASSERT_EQUAL_FATAL(count(&s, WEFFECT_STOP), 1);
        CU_ASSERT_EQUAL(nth(&s, WEFFECT_STOP, 0)->u.task.grace_us, 30 * MS);
        end_task(&s, task, &(struct wend){ .how = WEND_SIGNALED, .signal = 15 });
        msg = said(&s, MSG_finished);
        CU_ASSERT_EQUAL(msg->u.finished.ends[0].status, END_STATUS_TIMEOUT);
        CU_ASSERT_EQUAL(msg->u.finished.ends[0].reason, TASK_REASON_TIME_LIMIT);
        CU_ASSERT_EQUAL(msg->u.finished.ends[0].exit_signal, 15);
        scene_end(&s);
}

static void a_warning_comes_before_the_time_limit_once(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wtask *task;

        scene_grant(&s, 1,
                    "{\"type\":\"command\",\"args\":[\"x\"],\"time_ms\":200,\"warn_signal\":10,"
                    "\"warn_ms\":50}",
                    1, 1, "");
        task = started(&s, 0);
        pass(&s, 149 * MS);
        said(&s, MSG_started);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_SIGNAL), 0);
        CU_ASSERT_EQUAL(wcore_next_deadline_us(s.core), s.now_us + 1 * MS);
        pass(&s, 1 * MS);
        CU_ASSERT_EQUAL_FATAL(count(&s, WEFFECT_SIGNAL), 1);
        CU_ASSERT_EQUAL(nth(&s, WEFFECT_SIGNAL, 0)->u.task.signal, 10);
        CU_ASSERT_PTR_EQUAL(nth(&s, WEFFECT_SIGNAL, 0)->u.task.task, task);
        CU_ASSERT_EQUAL(wcore_next_deadline_us(s.core), s.now_us + 50 * MS);
        pass(&s, 49 * MS);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_SIGNAL), 0);
        pass(&s, 1 * MS);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_STOP), 1);
        end_task(&s, task, &(struct wend){ .how = WEND_EXITED, .code = 0 });
        CU_ASSERT_EQUAL(said(&s, MSG_finished)->u.finished.ends[0].status, END_STATUS_TIMEOUT);
        scene_end(&s);
}

/* Longer than the limit itself, as `jobctl set time=` may make it: at once. */
static void a_warning_that_is_due_at_the_start_comes_then(void)
{
        struct worker_scene s = scene_begin(&two_slots);

        scene_grant(&s, 1,
                    "{\"type\":\"command\",\"args\":[\"x\"],\"time_ms\":200,\"warn_signal\":10,"
                    "\"warn_ms\":300}",
                    1, 1, "");
        pass(&s, 0);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_SIGNAL), 1);
        scene_end(&s);
}

static void take_back_of_one_job_leaves_the_others(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct msg *msg;

        scene_grant(&s, 1, COMMAND, 1, 4, "");
        scene_grant(&s, 2, COMMAND, 1, 3, "");
        scene_grant(&s, 1, NULL, 8, 9, "");
        CU_ASSERT_EQUAL(wcore_numbers(s.core).unstarted, 7);
        scene_hear(&s,
                   "{\"v\":1,\"type\":\"TaskRequest\",\"op\":\"take-back\",\"id\":2,\"n\":1000,\"job\":1}",
                   NULL, 0);
        CU_ASSERT_EQUAL(wcore_numbers(s.core).unstarted, 3);
        CU_ASSERT_EQUAL(wcore_numbers(s.core).running, 2);
        pass(&s, 10 * MS);
        msg = said(&s, MSG_finished);
        CU_ASSERT_PTR_NOT_NULL_FATAL(msg);
        CU_ASSERT_EQUAL_FATAL(msg->u.finished.n_ends, 2);
        for (size_t i = 0; i < 2; i++) {
                CU_ASSERT_EQUAL(msg->u.finished.ends[i].job, 1);
                CU_ASSERT_EQUAL(msg->u.finished.ends[i].status, END_STATUS_RETURNED);
        }
        scene_end(&s);
}

/* What runs, or was granted before, takes what it was granted with. */
static void more_cpus_hold_for_what_is_granted_later(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wtask *a, *b;

        scene_grant(&s, 1, COMMAND, 1, 3, "");
        a = started(&s, 0);
        b = started(&s, 1);
        scene_grant(&s, 1, "{\"type\":\"command\",\"args\":[\"x\"],\"cpus\":2}", 4, 4, "");
        end_task(&s, a, &ok);
        CU_ASSERT_EQUAL_FATAL(count(&s, WEFFECT_START), 1);
        a = started(&s, 0);
        CU_ASSERT_EQUAL(a->index, 3);
        end_task(&s, b, &ok);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_START), 0);
        end_task(&s, a, &ok);
        CU_ASSERT_EQUAL_FATAL(count(&s, WEFFECT_START), 1);
        CU_ASSERT_EQUAL(started(&s, 0)->index, 4);
        CU_ASSERT_EQUAL(wcore_numbers(s.core).free_slots, 0);
        CU_ASSERT_EQUAL(wcore_numbers(s.core).unstarted, 0);
        scene_end(&s);
}

static void a_description_that_was_changed_holds_for_what_starts_later(void)
{
        struct worker_scene s = scene_begin(&two_slots);

        scene_grant(&s, 1, "{\"type\":\"command\",\"args\":[\"x\"],\"time_ms\":100}", 1, 1, "");
        scene_grant(&s, 1, "{\"type\":\"command\",\"args\":[\"x\"],\"time_ms\":900}", 2, 2, "");
        CU_ASSERT_EQUAL(wtask_spec(started(&s, 0))->time_ms, 900);
        scene_grant(&s, 1, "{\"type\":\"noop\"}", 3, 3, ""); /* nonsense: a command it remains */
        CU_ASSERT_EQUAL(count(&s, WEFFECT_GROUP), 0);
        pass(&s, 100 * MS);
        CU_ASSERT_EQUAL_FATAL(count(&s, WEFFECT_STOP), 1);
        CU_ASSERT_EQUAL(nth(&s, WEFFECT_STOP, 0)->u.task.task->index, 1);
        scene_end(&s);
}

static void take_back_gives_the_last_unstarted_ones(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct msg *msg;

        scene_grant(&s, 1, COMMAND, 1, 10, "");
        scene_hear(&s, "{\"v\":1,\"type\":\"TaskRequest\",\"op\":\"take-back\",\"id\":1,\"n\":3}", NULL, 0);
        pass(&s, 20 * MS);
        msg = said(&s, MSG_finished);
        CU_ASSERT_EQUAL(msg->u.finished.ends[0].status, END_STATUS_RETURNED);
        CU_ASSERT_EQUAL(msg->u.finished.ends[0].ranges[0].lo, 8);
        CU_ASSERT_EQUAL(msg->u.finished.ends[0].ranges[0].hi, 10);
        CU_ASSERT_EQUAL(wcore_numbers(s.core).unstarted, 5);
        scene_end(&s);
}

static void a_grant_whose_entries_do_not_fit_its_tasks_is_not_taken(void)
{
        static const char spec[] = "{\"type\":\"command\",\"args\":[\"{}\"],\"entries\":3}";
        struct worker_scene s = scene_begin(&two_slots);

        scene_grant(&s, 1, spec, 1, 3, "");
        CU_ASSERT_EQUAL(wcore_numbers(s.core).leases, 0);
        scene_grant(&s, 1, spec, 1, 3, ",\"entries\":[\"a\",\"b\",\"c\"]");
        CU_ASSERT_EQUAL(wcore_numbers(s.core).leases, 0); /* it has asked again and waits for resume */
        pass(&s, 1100 * MS);
        CU_ASSERT_EQUAL(scene_pull(&s)->kind, MSG_ready);
        scene_resume(&s);
        scene_grant(&s, 1, spec, 1, 3, ",\"entries\":[\"a\",\"b\",\"c\"]");
        CU_ASSERT_EQUAL_FATAL(count(&s, WEFFECT_START), 2);
        CU_ASSERT_STRING_EQUAL(wlease_entry(started(&s, 1)->lease, 2).values[0], "b");
        CU_ASSERT_STRING_EQUAL(wlease_entry(started(&s, 1)->lease, 3).values[0], "c");
        CU_ASSERT_EQUAL(wlease_entry(started(&s, 1)->lease, 4).n, 0);
        scene_end(&s);
}

static void the_first_tasks_that_turn_out_long_keep_nothing_waiting_behind_them(void)
{
        struct worker_scene s = scene_begin(&two_slots);

        scene_grant(&s, 1, COMMAND, 1, 4, "");
        CU_ASSERT_EQUAL(wcore_numbers(s.core).unstarted, 2);
        pass(&s, 250 * MS);
        CU_ASSERT_EQUAL(wcore_numbers(s.core).unstarted, 0);
        scene_end(&s);
}

UNIT_MAIN("worker core", TEST(it_starts_as_many_as_it_has_slots_and_the_next_when_one_ends),
          TEST(a_wide_task_waits_for_its_slots_and_is_not_overtaken),
          TEST(tasks_of_a_lease_that_end_alike_are_one_end),
          TEST(ends_gather_while_there_is_work_and_go_at_once_when_there_is_none),
          TEST(ends_of_a_bulk_wait_longer_unless_something_else_comes_next),
          TEST(a_window_that_runs_dry_asks_once_for_more), TEST(the_end_of_a_long_task_waits_for_no_company),
          TEST(a_no_op_array_is_one_group_and_one_end), TEST(the_window_follows_the_run_time),
          TEST(work_fetched_ahead_of_long_tasks_is_given_back),
          TEST(a_long_task_says_started_once_and_a_short_one_never),
          TEST(time_that_is_up_stops_a_task_and_ends_it_timeout),
          TEST(a_warning_comes_before_the_time_limit_once),
          TEST(a_warning_that_is_due_at_the_start_comes_then), TEST(take_back_of_one_job_leaves_the_others),
          TEST(a_description_that_was_changed_holds_for_what_starts_later),
          TEST(more_cpus_hold_for_what_is_granted_later), TEST(take_back_gives_the_last_unstarted_ones),
          TEST(a_grant_whose_entries_do_not_fit_its_tasks_is_not_taken),
          TEST(the_first_tasks_that_turn_out_long_keep_nothing_waiting_behind_them))
