/* The worker's core: what it holds, starts, says and forgets. */
#include <stdio.h>

#include "tests/unit/unit.h"
#include "tests/unit/worker_scene.h"

#define MS INT64_C(1000)
#define COMMAND "{\"type\":\"command\",\"args\":[\"x\"]}"

static const struct wcore_config two_slots = {
        .slots = 2, .version = "1", .host = "h", .pid = 1, .ends_at_once = UINT32_C(1) << TASK_TYPE_NOOP
};
static const struct wend ok = { .how = WEND_EXITED };

/* The n-th effect of a kind after the last call; NULL: there are not so many. */
static const struct weffect *nth(const struct worker_scene *s, enum weffect_kind kind, size_t n)
{
        for (size_t i = 0; i < s->effects.n; i++)
                if (s->effects.list[i].kind == kind && !n--)
                        return &s->effects.list[i];
        return NULL;
}
static size_t count(const struct worker_scene *s, enum weffect_kind kind)
{
        size_t n = 0;

        while (nth(s, kind, n))
                n++;
        return n;
}
static struct wtask *started(const struct worker_scene *s, size_t n)
{
        const struct weffect *effect = nth(s, WEFFECT_START, n);

        return effect ? effect->u.task.task : NULL;
}
static void pass(struct worker_scene *s, int64_t us)
{
        s->now_us += us;
        wcore_on_tick(s->core, s->now_us, scene_effects(s));
}
static void end_task(struct worker_scene *s, struct wtask *task, const struct wend *end)
{
        wcore_on_ended(s->core, s->now_us, task, end, scene_effects(s));
}
/* The next message of this kind; others are read and passed over. NULL: it says no such thing now. */
static struct msg *said(struct worker_scene *s, enum msg_kind kind)
{
        struct msg *msg;

        while ((msg = scene_pull(s)))
                if (msg->kind == kind)
                        return msg;
        return NULL;
}

static void ready_comes_first_and_nothing_before_resume(void)
{
        struct wcore *core = wcore_new(&two_slots, 1000);
        struct worker_scene s = { .core = core, .now_us = 1000 };

        CU_ASSERT_PTR_NULL(scene_pull(&s));
        wcore_on_link(core, 1000, true, scene_effects(&s));
        CU_ASSERT_EQUAL_FATAL(scene_pull(&s)->kind, MSG_ready);
        CU_ASSERT_EQUAL(s.said->u.ready.slots, 2);
        CU_ASSERT_EQUAL(s.said->u.ready.n_types, 4);
        CU_ASSERT_EQUAL(s.said->u.ready.n_held, 0);
        CU_ASSERT_PTR_NULL(scene_pull(&s));
        scene_resume(&s);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_LIVE), 1);
        CU_ASSERT_STRING_EQUAL(wcore_worker_name(core), "w1");
        scene_end(&s);
}

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
        pass(&s, 45 * MS);
        msg = said(&s, MSG_started);
        CU_ASSERT_PTR_NOT_NULL_FATAL(msg);
        CU_ASSERT_EQUAL(msg->u.started.n_tasks, 1);
        CU_ASSERT_EQUAL(msg->u.started.tasks[0].ranges[0].lo, 2);
        CU_ASSERT_EQUAL(msg->u.started.tasks[0].ago_us, 55000);
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

static void result_and_output_ride_in_the_body_in_order(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wchunk chunks[] = { { STREAM_STDOUT, 0, false, "out", 3 },
                                   { STREAM_STDERR, 1, true, "err!", 4 } };
        struct wend end = {
                .how = WEND_EXITED, .result = "{}", .result_bytes = 2, .chunks = chunks, .n_chunks = 2
        };
        struct msg *msg;

        scene_grant(&s, 1, COMMAND, 1, 1, "");
        end_task(&s, started(&s, 0), &end);
        msg = said(&s, MSG_finished);
        CU_ASSERT_EQUAL_FATAL(msg->u.finished.n_chunks, 3);
        CU_ASSERT_EQUAL(msg->body_bytes, 9);
        CU_ASSERT_EQUAL(memcmp(msg->body, "{}outerr!", 9), 0);
        CU_ASSERT_EQUAL(msg->u.finished.chunks[0].kind, DATA_KIND_RESULT);
        CU_ASSERT_EQUAL(msg->u.finished.chunks[2].stream, STREAM_STDERR);
        CU_ASSERT_TRUE(msg->u.finished.chunks[2].final);
        scene_end(&s);
}

static void what_is_not_recorded_is_named_and_sent_again_on_a_new_connection(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wtask *a;
        struct msg *msg;
        uint64_t id;

        scene_grant(&s, 1, COMMAND, 1, 4, "");
        a = started(&s, 0);
        end_task(&s, a, &ok);
        pass(&s, 20 * MS);
        msg = said(&s, MSG_finished);
        CU_ASSERT_PTR_NOT_NULL_FATAL(msg);
        id = msg->id;
        wcore_on_link(s.core, s.now_us, false, scene_effects(&s));
        CU_ASSERT_PTR_NULL(scene_pull(&s));
        wcore_on_link(s.core, s.now_us, true, scene_effects(&s));
        msg = scene_pull(&s);
        CU_ASSERT_EQUAL_FATAL(msg->kind, MSG_ready);
        CU_ASSERT_EQUAL(msg->u.ready.n_held, 4); /* one unstarted, two that run, one ended */
        CU_ASSERT_FALSE(msg->u.ready.held[0].has_started_ago_us);
        CU_ASSERT_TRUE(msg->u.ready.held[3].has_started_ago_us);
        scene_resume(&s);
        msg = said(&s, MSG_finished);
        CU_ASSERT_PTR_NOT_NULL_FATAL(msg);
        CU_ASSERT_EQUAL(msg->id, id);
        scene_answer(&s, "TaskResponse", "recorded", id);
        CU_ASSERT_EQUAL(wcore_numbers(s.core).unrecorded_batches, 0);
        scene_answer(&s, "TaskResponse", "recorded", id); /* twice is fine */
        scene_end(&s);
}

static void ready_fits_its_frame_however_much_is_held(void)
{
        struct wcore_config config = two_slots;
        struct worker_scene s;
        uint64_t n = 0;

        config.slots = 4096;
        s = scene_begin(&config);
        for (uint64_t i = 0; i < 8192; i++) /* every lease one task, the numbers as long as they get */
                scene_grant(&s, 9007199254740991, i ? NULL : COMMAND, 2 * i, 2 * i, "");
        CU_ASSERT_EQUAL(wcore_numbers(s.core).running, 4096);
        wcore_on_link(s.core, s.now_us, true, scene_effects(&s));
        CU_ASSERT_EQUAL_FATAL(scene_pull(&s)->kind, MSG_ready);
        CU_ASSERT(s.header.n < MSG_HEADER_MAX);
        for (size_t i = 0; i < s.said->u.ready.n_held; i++)
                for (size_t k = 0; k < s.said->u.ready.held[i].n_ranges; k++)
                        n += s.said->u.ready.held[i].ranges[k].hi - s.said->u.ready.held[i].ranges[k].lo + 1;
        CU_ASSERT_EQUAL(n, 8192);
        scene_end(&s);
}

static void resume_that_asks_for_ready_gets_it(void)
{
        struct worker_scene s = scene_begin(&two_slots);

        scene_grant(&s, 1, COMMAND, 1, 1, "");
        scene_hear(&s,
                   "{\"v\":1,\"type\":\"TaskResponse\",\"op\":\"resume\",\"id\":1,\"epoch\":2,\"ready\":true,"
                   "\"worker\":\"w1\",\"lease_ms\":30000,\"reconnect_ms\":900000,\"heartbeat_ms\":5000,"
                   "\"install\":\"test\"}",
                   NULL, 0);
        CU_ASSERT_EQUAL_FATAL(scene_pull(&s)->kind, MSG_ready);
        CU_ASSERT_EQUAL(s.said->u.ready.n_held, 1);
        CU_ASSERT_EQUAL(s.said->u.ready.held[0].epoch, 1);
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

static void tasks_without_their_description_are_asked_for_again(void)
{
        struct worker_scene s = scene_begin(&two_slots);

        scene_grant(&s, 9, NULL, 1, 1, "");
        CU_ASSERT_EQUAL(count(&s, WEFFECT_START), 0);
        pass(&s, 1100 * MS);
        CU_ASSERT_EQUAL_FATAL(scene_pull(&s)->kind, MSG_ready);
        CU_ASSERT_EQUAL(s.said->u.ready.n_held, 0);
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

static void stores_stop_at_the_credit_and_come_before_finished(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wchunk chunk = { STREAM_STDOUT, 0, false, "x", 1 };
        struct wtask *task;
        struct msg *msg;
        uint64_t first;

        scene_grant(&s, 1, COMMAND, 1, 1, "");
        task = started(&s, 0);
        for (chunk.seq = 0; wcore_may_store(s.core); chunk.seq++)
                wcore_store(s.core, task, &chunk, 0);
        CU_ASSERT_EQUAL(chunk.seq, WCORE_STORES_MAX);
        end_task(&s, task, &ok);
        msg = scene_pull(&s);
        CU_ASSERT_EQUAL_FATAL(msg->kind, MSG_store);
        first = msg->id;
        for (uint32_t i = 1; i < WCORE_STORES_MAX; i++) {
                msg = scene_pull(&s);
                CU_ASSERT_EQUAL_FATAL(msg->kind, MSG_store);
                CU_ASSERT_EQUAL(msg->u.store.seq, i);
        }
        CU_ASSERT_EQUAL(scene_pull(&s)->kind, MSG_finished);
        scene_answer(&s, "DataResponse", "stored", first);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_CREDIT), 1);
        CU_ASSERT_TRUE(wcore_may_store(s.core));
        scene_end(&s);
}

static void a_stale_store_stops_its_task_silently(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wchunk chunk = { STREAM_STDOUT, 0, false, "x", 1 };
        struct wtask *task;
        struct msg *msg;

        scene_grant(&s, 1, COMMAND, 1, 1, "");
        task = started(&s, 0);
        wcore_store(s.core, task, &chunk, 0);
        msg = scene_pull(&s);
        scene_answer(&s, "TaskResponse", "stale", msg->id);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_STOP), 1);
        CU_ASSERT_EQUAL(task->stop, WSTOP_SILENT);
        end_task(&s, task, &ok);
        pass(&s, 20 * MS);
        CU_ASSERT_PTR_NULL(said(&s, MSG_finished));
        scene_end(&s);
}

static void hear_refused(struct worker_scene *s, uint64_t re)
{
        char json[200];

        snprintf(json, sizeof(json),
                 "{\"v\":1,\"type\":\"TaskResponse\",\"op\":\"refused\",\"id\":1,\"re\":%llu,"
                 "\"code\":\"BAD_FIELD\",\"text\":\"no\"}",
                 (unsigned long long)re);
        scene_hear(s, json, NULL, 0);
}

static void an_input_that_cannot_be_had_fails_its_task_aloud(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wtask *task;

        scene_grant(&s, 1, COMMAND, 1, 1, "");
        task = started(&s, 0);
        CU_ASSERT_EQUAL(wcore_fetch(s.core, task->lease->job, 1, 0), 0);
        hear_refused(&s, scene_pull(&s)->id);
        CU_ASSERT_EQUAL(count(&s, WEFFECT_STOP), 0);
        CU_ASSERT_EQUAL_FATAL(count(&s, WEFFECT_INPUT), 1);
        CU_ASSERT(nth(&s, WEFFECT_INPUT, 0)->u.input.refused);
        end_task(&s, task, &ok);
        pass(&s, 20 * MS);
        CU_ASSERT_PTR_NOT_NULL(said(&s, MSG_finished));
        scene_end(&s);
}

static void what_is_refused_is_named_no_more_and_so_runs_again(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        struct wchunk chunk = { STREAM_STDOUT, 0, false, "x", 1 };
        struct wtask *task;
        struct msg *ready;

        scene_grant(&s, 1, COMMAND, 1, 1, "");
        task = started(&s, 0);
        wcore_store(s.core, task, &chunk, 0);
        hear_refused(&s, scene_pull(&s)->id);
        CU_ASSERT_EQUAL(task->stop, WSTOP_SILENT);
        end_task(&s, task, &ok);
        pass(&s, 5000 * MS);
        ready = said(&s, MSG_ready);
        CU_ASSERT_PTR_NOT_NULL_FATAL(ready);
        CU_ASSERT_EQUAL(ready->u.ready.n_held, 0);
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

static void it_beats_at_the_coordinators_pace(void)
{
        struct worker_scene s = scene_begin(&two_slots);

        pass(&s, 4999 * MS);
        CU_ASSERT_PTR_NULL(scene_pull(&s));
        pass(&s, 1 * MS);
        CU_ASSERT_EQUAL_FATAL(scene_pull(&s)->kind, MSG_heartbeat);
        CU_ASSERT_EQUAL(s.said->u.heartbeat.window, 4);
        CU_ASSERT_PTR_NULL(scene_pull(&s));
        scene_end(&s);
}

static void once_all_is_said_no_deadline_lies_in_the_past(void)
{
        struct wcore_config config = two_slots;
        struct worker_scene s;

        config.idle_exit_us = 3600000 * MS;
        config.drain_timeout_us = 10000 * MS;
        s = scene_begin(&config);
        scene_grant(&s, 1, "{\"type\":\"command\",\"args\":[\"x\"],\"time_ms\":400}", 1, 4, "");
        for (int i = 0; i < 4000; i++) {
                int64_t deadline;

                pass(&s, 13 * MS);
                for (struct msg *msg; (msg = scene_pull(&s));)
                        if (msg->kind == MSG_ready && i % 3)
                                scene_resume(&s);
                deadline = wcore_next_deadline_us(s.core);
                CU_ASSERT_FATAL(deadline == -1 || deadline > s.now_us);
                if (i == 2000)
                        wcore_on_drain(s.core, s.now_us, scene_effects(&s));
                if (i == 3000)
                        wcore_on_link(s.core, s.now_us, false, scene_effects(&s));
        }
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

/* Every kind of call in any order, from a seed: nothing is lost, nothing is said twice, slots add up. */
static void random_life_loses_no_task(void)
{
        for (unsigned seed = 1; seed <= 60; seed++) {
                struct worker_scene s = scene_begin(&two_slots);
                struct wtask *running[8] = { 0 };
                uint64_t granted = 0, ended = 0;
                unsigned random = seed;

                for (int step = 0; step < 400 || ended < granted; step++) {
                        struct wcore_numbers n;
                        struct msg *msg;
                        bool calm = step >= 400;

                        random = random * 1103515245u + 12345u;
                        switch (calm ? 3 + step % 3 : (int)(random >> 16) % 8) {
                        case 0:
                        case 1:
                                if (wcore_numbers(s.core).live) {
                                        uint64_t n_tasks = 1 + (random >> 20) % 5;

                                        scene_grant(&s, 1, COMMAND, granted, granted + n_tasks - 1, "");
                                        granted += n_tasks;
                                }
                                break;
                        case 2:
                                wcore_on_link(s.core, s.now_us, random >> 30 & 1, scene_effects(&s));
                                break;
                        case 3:
                                pass(&s, 1 + (random >> 18) % (60 * MS));
                                break;
                        case 4:
                                if (calm && !wcore_numbers(s.core).live)
                                        wcore_on_link(s.core, s.now_us, true, scene_effects(&s));
                                scene_effects(&s);
                                for (size_t i = 0; i < 8; i++)
                                        if (running[i]) {
                                                struct wtask *task = running[i];

                                                running[i] = NULL;
                                                end_task(&s, task, &ok);
                                                break;
                                        }
                                break;
                        default:
                                scene_effects(&s);
                                if (!(msg = scene_pull(&s)))
                                        break;
                                if (msg->kind == MSG_ready) {
                                        scene_resume(&s);
                                } else if (msg->kind == MSG_finished && (calm || (random >> 29 & 1))) {
                                        for (size_t i = 0; i < msg->u.finished.n_ends; i++)
                                                for (size_t k = 0; k < msg->u.finished.ends[i].n_ranges; k++)
                                                        ended += msg->u.finished.ends[i].ranges[k].hi -
                                                                 msg->u.finished.ends[i].ranges[k].lo + 1;
                                        scene_answer(&s, "TaskResponse", "recorded", msg->id);
                                }
                        }
                        for (size_t k = 0; started(&s, k); k++)
                                for (size_t i = 0; i < 8; i++)
                                        if (!running[i]) {
                                                running[i] = started(&s, k);
                                                break;
                                        }
                        scene_effects(&s);
                        n = wcore_numbers(s.core);
                        CU_ASSERT_EQUAL_FATAL(n.running + n.free_slots, 2);
                        /* Unrecorded at the end of the wild part: only a new connection brings them again. */
                        if (step == 400) {
                                wcore_on_link(s.core, s.now_us, true, scene_effects(&s));
                        }
                        CU_ASSERT_FATAL(step < 20000);
                }
                CU_ASSERT_EQUAL(ended, granted);
                CU_ASSERT_EQUAL(wcore_numbers(s.core).leases, 0);
                CU_ASSERT_EQUAL(wcore_numbers(s.core).unrecorded_batches, 0);
                scene_end(&s);
        }
}

/* ------------------------------------------------------------------ hostile */
struct hostile {
        struct worker_scene s;
        struct wtask *running[8];
        unsigned random;
};

static unsigned draw(struct hostile *h, unsigned below)
{
        h->random = h->random * 1103515245u + 12345u;
        return (h->random >> 12) % below;
}

/* What an app does with effects; tasks end later, in any order. */
static void carry_out(struct hostile *h)
{
        for (size_t i = 0; i < h->s.effects.n; i++) {
                struct weffect effect = h->s.effects.list[i];

                if (effect.kind == WEFFECT_START) {
                        size_t at = 0;

                        while (h->running[at])
                                at++;
                        h->running[at] = effect.u.task.task;
                } else if (effect.kind == WEFFECT_GROUP) {
                        wcore_on_group_ended(h->s.core, h->s.now_us, effect.u.group.lease,
                                             effect.u.group.range, &ok, NULL, &h->s.effects);
                } else if (effect.kind == WEFFECT_STOP || effect.kind == WEFFECT_SIGNAL) {
                        CU_ASSERT_FATAL(effect.u.task.task->lease->attempt > 0); /* it lives */
                }
        }
        weffects_clear(&h->s.effects);
}

static void add_lease_tasks(struct hostile *h, struct buf *json)
{
        unsigned lo = draw(h, 12);

        buf_addf(json,
                 "[{\"job\":%u,\"nonce\":%u,\"ranges\":[[%u,%u]]},{\"job\":1,\"nonce\":%u,\"ranges\":[[0,%u]]"
                 "}]",
                 1 + draw(h, 3), 1 + draw(h, 9), lo, lo + draw(h, 5), 1 + draw(h, 9), draw(h, 9));
}

static void hostile_message(struct hostile *h)
{
        static const char *const answers[][2] = { { "TaskResponse", "recorded" },
                                                  { "TaskResponse", "stale" },
                                                  { "DataResponse", "stored" },
                                                  { "TaskResponse", "heartbeat" } };
        static const char *const orders[] = { "drain", "resume", "resume", "resume" };
        static const char *const codes[] = { "RETRY_LATER", "BAD_FIELD", "STALE", "FORBIDDEN" };
        static const char *const types[] = { "noop", "command", "sleep" };
        CLEANUP_BUF struct buf json = { 0 };
        unsigned lo = draw(h, 12), job = 1 + draw(h, 3), what = draw(h, 14);

        if (what < 4) {
                scene_answer(&h->s, answers[what][0], answers[what][1],
                             1 + draw(h, (unsigned)h->s.last_id + 2));
                return;
        }
        buf_add_str(&json, "{\"v\":1,\"id\":1,");
        if (what == 4) {
                buf_addf(&json, "\"type\":\"TaskRequest\",\"op\":\"stop\",\"reason\":\"%s\",\"tasks\":",
                         draw(h, 2) ? "cancelled" : "worker-lost");
                add_lease_tasks(h, &json);
        } else if (what == 5) {
                buf_add_str(&json, "\"type\":\"TaskRequest\",\"op\":\"signal\",\"signal\":10,\"tasks\":");
                add_lease_tasks(h, &json);
        } else if (what == 6) {
                buf_addf(&json, "\"type\":\"TaskRequest\",\"op\":\"take-back\",\"n\":%u", 1 + draw(h, 9));
        } else if (what == 7) {
                buf_addf(&json, "\"type\":\"TaskRequest\",\"op\":\"order\",\"state\":\"%s\"",
                         orders[draw(h, 4)]);
        } else if (what == 8) {
                buf_addf(&json,
                         "\"type\":\"TaskResponse\",\"op\":\"refused\",\"re\":%u,\"code\":\"%s\",\"text\":"
                         "\"x\"",
                         1 + draw(h, (unsigned)h->s.last_id + 2), codes[draw(h, 4)]);
        } else if (what == 9) {
                scene_resume(&h->s);
                return;
        } else {
                buf_add_str(&json, "\"type\":\"TaskRequest\",\"op\":\"run\",\"epoch\":1,");
                if (draw(h, 3))
                        buf_addf(&json,
                                 "\"specs\":[{\"job\":%u,\"spec\":{\"type\":\"%s\",\"args\":[\"1\"],\"cpus\":"
                                 "%u},\"tasks\":20,"
                                 "\"index_min\":0,\"index_max\":20,\"owner\":\"a\",\"install\":\"t\"}],",
                                 job, types[draw(h, 8) ? job - 1 : draw(h, 3)], 1 + draw(h, 3));
                buf_addf(&json,
                         "\"grants\":[{\"job\":%u,\"ranges\":[[%u,%u],[30,31]],\"attempt\":1,\"nonce\":%u}]",
                         job, lo, lo + draw(h, 5), 1 + draw(h, 9));
        }
        buf_add_char(&json, '}');
        scene_hear(&h->s, json.bytes, NULL, 0);
}

static void a_hostile_coordinator_cannot_break_it(void)
{
        for (unsigned seed = 1; seed <= 150; seed++) {
                struct hostile h = { .s = scene_begin(&two_slots), .random = seed };
                struct wchunk chunk = { STREAM_STDOUT, 0, false, "x", 1 };

                for (int step = 0; step < 600; step++) {
                        unsigned at = draw(&h, 2);
                        struct wcore_numbers n;

                        switch (draw(&h, 8)) {
                        case 0:
                                if (h.running[at]) {
                                        struct wtask *task = h.running[at];

                                        h.running[at] = NULL;
                                        end_task(&h.s, task, &ok);
                                }
                                break;
                        case 1:
                                pass(&h.s, draw(&h, 400) * MS);
                                break;
                        case 2:
                                wcore_on_link(h.s.core, h.s.now_us, draw(&h, 8) > 0, scene_effects(&h.s));
                                break;
                        case 3:
                                if (h.running[at] && wcore_may_store(h.s.core))
                                        wcore_store(h.s.core, h.running[at], &chunk, 0);
                                if (h.running[at])
                                        CU_ASSERT(wcore_fetch(h.s.core, h.running[at]->lease->job, 1, 0) <=
                                                  0);
                                break;
                        case 4:
                                while (scene_pull(&h.s))
                                        continue;
                                break;
                        default:
                                hostile_message(&h);
                        }
                        carry_out(&h);
                        n = wcore_numbers(h.s.core);
                        CU_ASSERT_FATAL(n.free_slots <= 2 && n.running <= 2);
                        CU_ASSERT_FATAL(n.window <= WCORE_WINDOW_MAX);
                }
                scene_end(&h.s);
        }
}

UNIT_MAIN("worker core", TEST(ready_comes_first_and_nothing_before_resume),
          TEST(it_starts_as_many_as_it_has_slots_and_the_next_when_one_ends),
          TEST(a_wide_task_waits_for_its_slots_and_is_not_overtaken),
          TEST(tasks_of_a_lease_that_end_alike_are_one_end),
          TEST(ends_gather_while_there_is_work_and_go_at_once_when_there_is_none),
          TEST(a_no_op_array_is_one_group_and_one_end), TEST(the_window_follows_the_run_time),
          TEST(work_fetched_ahead_of_long_tasks_is_given_back),
          TEST(a_long_task_says_started_once_and_a_short_one_never),
          TEST(time_that_is_up_stops_a_task_and_ends_it_timeout),
          TEST(a_warning_comes_before_the_time_limit_once),
          TEST(a_warning_that_is_due_at_the_start_comes_then), TEST(take_back_of_one_job_leaves_the_others),
          TEST(result_and_output_ride_in_the_body_in_order),
          TEST(what_is_not_recorded_is_named_and_sent_again_on_a_new_connection),
          TEST(resume_that_asks_for_ready_gets_it), TEST(ready_fits_its_frame_however_much_is_held),
          TEST(a_lost_lease_is_stopped_and_nothing_is_said),
          TEST(a_description_that_was_changed_holds_for_what_starts_later),
          TEST(cancelled_tasks_end_cancelled_started_or_not),
          TEST(a_stop_for_another_job_under_the_same_nonce_does_nothing),
          TEST(take_back_gives_the_last_unstarted_ones),
          TEST(draining_gives_back_waits_for_what_runs_says_bye_and_ends_0),
          TEST(a_second_signal_stops_what_runs_and_gives_it_back),
          TEST(the_drain_timeout_stops_what_runs_too), TEST(idle_exit_counts_from_the_last_task),
          TEST(silence_for_a_lease_starts_nothing_new_and_for_the_window_stops_all),
          TEST(on_lost_finish_lets_tasks_run), TEST(tasks_without_their_description_are_asked_for_again),
          TEST(a_grant_whose_entries_do_not_fit_its_tasks_is_not_taken),
          TEST(stores_stop_at_the_credit_and_come_before_finished),
          TEST(a_stale_store_stops_its_task_silently), TEST(an_input_that_cannot_be_had_fails_its_task_aloud),
          TEST(what_is_refused_is_named_no_more_and_so_runs_again), TEST(ready_that_is_refused_ends_77_or_78),
          TEST(it_beats_at_the_coordinators_pace), TEST(once_all_is_said_no_deadline_lies_in_the_past),
          TEST(the_first_tasks_that_turn_out_long_keep_nothing_waiting_behind_them),
          TEST(random_life_loses_no_task), TEST(a_hostile_coordinator_cannot_break_it))
