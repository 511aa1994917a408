/* The worker's core: what it says, says again, and hears. */
#include "tests/unit/worker_core_scene.h"

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

static void what_parents_left_is_asked_for_until_it_can_be_had(void)
{
        struct worker_scene s = scene_begin(&two_slots);
        const struct wplace begin = { 0 }, onward = { 5, 1, 9 };
        char json[240];
        struct wtask *task;
        struct msg *msg;

        scene_grant(&s, 1, COMMAND, 1, 1, "");
        task = started(&s, 0);
        wcore_fetch_parent(s.core, task, DATA_KIND_RESULT, &begin);
        msg = said(&s, MSG_fetch_parent);
        CU_ASSERT_PTR_NOT_NULL_FATAL(msg);
        CU_ASSERT_FALSE(msg->u.fetch_parent.has_at_index);
        snprintf(json, sizeof(json),
                 "{\"v\":1,\"type\":\"TaskResponse\",\"op\":\"refused\",\"id\":1,\"re\":%llu,"
                 "\"code\":\"RETRY_LATER\",\"text\":\"\"}",
                 (unsigned long long)msg->id);
        scene_hear(&s, json, NULL, 0);
        CU_ASSERT_PTR_NULL(said(&s, MSG_fetch_parent));
        pass(&s, 250 * MS);
        msg = said(&s, MSG_fetch_parent);
        CU_ASSERT_PTR_NOT_NULL_FATAL(msg);
        snprintf(json, sizeof(json),
                 "{\"v\":1,\"type\":\"DataResponse\",\"op\":\"parent-chunk\",\"re\":%llu,\"job\":1,\"index\":"
                 "1,"
                 "\"kind\":\"result\",\"final\":true}",
                 (unsigned long long)msg->id);
        scene_hear(&s, json, NULL, 0);
        CU_ASSERT_EQUAL_FATAL(count(&s, WEFFECT_PARENT), 1);
        CU_ASSERT_PTR_EQUAL(nth(&s, WEFFECT_PARENT, 0)->u.input.task, task);
        wcore_fetch_parent(s.core, task, DATA_KIND_OUTPUT, &onward);
        msg = said(&s, MSG_fetch_parent);
        CU_ASSERT_PTR_NOT_NULL_FATAL(msg);
        CU_ASSERT_EQUAL(msg->u.fetch_parent.at_seq, 9);
        hear_refused(&s, msg->id);
        CU_ASSERT_EQUAL_FATAL(count(&s, WEFFECT_PARENT), 1);
        CU_ASSERT_PTR_NULL(nth(&s, WEFFECT_PARENT, 0)->u.input.msg);
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

UNIT_MAIN("worker said", TEST(ready_comes_first_and_nothing_before_resume),
          TEST(result_and_output_ride_in_the_body_in_order),
          TEST(what_is_not_recorded_is_named_and_sent_again_on_a_new_connection),
          TEST(ready_fits_its_frame_however_much_is_held), TEST(resume_that_asks_for_ready_gets_it),
          TEST(tasks_without_their_description_are_asked_for_again),
          TEST(stores_stop_at_the_credit_and_come_before_finished),
          TEST(a_stale_store_stops_its_task_silently), TEST(an_input_that_cannot_be_had_fails_its_task_aloud),
          TEST(what_parents_left_is_asked_for_until_it_can_be_had),
          TEST(what_is_refused_is_named_no_more_and_so_runs_again), TEST(it_beats_at_the_coordinators_pace),
          TEST(once_all_is_said_no_deadline_lies_in_the_past))
