/* Grants, results, lost workers, restarts: the contract of leases. */
#include "core_scene.h"

static void a_result_is_recorded_once_and_answered_after_the_commit(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 3);
        unsigned said;

        scene_ready(s, 0, 4, 8);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 1);
        CU_ASSERT_EQUAL(s->grants[0].attempt, 1);
        CU_ASSERT_EQUAL(s->grants[0].hi - s->grants[0].lo, 2);
        said = s->n_said[100];
        scene_end(s, &s->grants[0], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(s->n_said[100], said + 1);
        CU_ASSERT_EQUAL(s->last[100]->kind, MSG_recorded);
        CU_ASSERT_FALSE(s->last[100]->u.recorded.has_already);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_SUCCEEDED);
        CU_ASSERT_TRUE(scene_job(s, job)->state.ended_us != 0);
        CU_ASSERT_EQUAL(core_numbers(s->core).jobs_unfinished, 0);
        for (int i = 0; i < 10; i++) {
                scene_end(s, &s->grants[0], END_STATUS_SUCCEEDED, 0);
                CU_ASSERT_EQUAL(s->last[100]->u.recorded.already, 3);
        }
        scene_free(s);
}

static void a_result_with_another_nonce_or_of_another_worker_is_stale(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 1);
        struct scene_grant forged;

        scene_ready(s, 0, 4, 8);
        scene_ready(s, 1, 4, 8);
        forged = s->grants[0];
        forged.nonce++;
        scene_end(s, &forged, END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(s->last[100]->u.recorded.stale, 1);
        forged = s->grants[0];
        forged.worker = 1;
        scene_end(s, &forged, END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(s->last[101]->u.recorded.stale, 1);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_QUEUED);
        scene_free(s);
}

static void an_ok_code_succeeds_and_another_fails_after_its_retries(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        int64_t ok = 3;
        uint64_t job;

        spec.ok_codes = &ok;
        spec.n_ok_codes = 1;
        spec.retries = 1;
        spec.has_retries = true;
        scene_ready(s, 0, 1, 1);
        job = scene_submit(s, ALICE, &spec);
        scene_end(s, &s->grants[0], END_STATUS_FAILED, 3);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_SUCCEEDED);
        job = scene_submit(s, ALICE, &spec);
        scene_end(s, &s->grants[1], END_STATUS_FAILED, 4);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_QUEUED);
        CU_ASSERT_EQUAL(s->n_attempts, 1);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 3);
        CU_ASSERT_EQUAL(s->grants[2].attempt, 2);
        scene_end(s, &s->grants[2], END_STATUS_FAILED, 4);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_FAILED);
        CU_ASSERT_EQUAL(scene_row(s, job, 1)->now.reason, TASK_REASON_EXIT_CODE);
        CU_ASSERT_EQUAL(scene_row(s, job, 1)->now.tries, 2);
        scene_free(s);
}

static void lost_worker_gives_its_tasks_back(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 1);

        scene_ready(s, 0, 1, 1);
        scene_started(s, &s->grants[0]);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_RUNNING);
        scene_pass_ms(s, SCENE_LEASE_MS - 1000);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_RUNNING);
        scene_pass_ms(s, 2000);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_QUEUED);
        CU_ASSERT_EQUAL(scene_row(s, job, 1)->now.crashes, 1);
        CU_ASSERT_STRING_EQUAL(s->last_event, "worker-lost");
        scene_ready(s, 1, 1, 1);
        CU_ASSERT_EQUAL(s->grants[1].attempt, 2);
        /* The first one comes back: its result is that of an old lease. */
        scene_ready_holding(s, 0, 1, 1, &s->grants[0], 1, true);
        CU_ASSERT_EQUAL(s->n_stops, 1);
        CU_ASSERT_EQUAL(s->stop_reason, TASK_REASON_WORKER_LOST);
        scene_end(s, &s->grants[0], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(s->last[100]->u.recorded.stale, 1);
        scene_end(s, &s->grants[1], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(scene_row(s, job, 1)->end_nonce, s->grants[1].nonce);
        scene_free(s);
}

static void heartbeats_keep_the_lease(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 1);

        scene_ready(s, 0, 1, 1);
        scene_started(s, &s->grants[0]);
        for (int i = 0; i < 10; i++) {
                scene_pass_ms(s, SCENE_LEASE_MS / 2);
                scene_beat(s, 0, 1);
                CU_ASSERT_EQUAL(s->last[100]->kind, MSG_alive);
        }
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_RUNNING);
        /* people see in v_workers that it is there, though nothing about it changed */
        CU_ASSERT_EQUAL(s->n_workers, 1);
        CU_ASSERT(s->wall_us - s->workers[0].seen_us < 90 * US_PER_S);
        scene_free(s);
}

static void no_lease_ends_for_time_in_which_we_were_stopped(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 1);
        struct event event = { .kind = EVENT_TICK };

        scene_ready(s, 0, 1, 1);
        scene_started(s, &s->grants[0]);
        s->mono_us += 10 * SCENE_LEASE_MS * US_PER_MS;
        scene_step(s, &event);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_RUNNING);
        s->wall_us -= 365 * INT64_C(86400) * US_PER_S; /* nor for a wall clock that jumps */
        scene_pass_ms(s, SCENE_LEASE_MS - 1000);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_RUNNING);
        scene_pass_ms(s, 2000);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_QUEUED);
        scene_free(s);
}

static void a_task_that_takes_its_worker_down_each_time_fails_at_the_crash_limit(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 1);

        for (int i = 0; i < 5; i++) {
                CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_QUEUED);
                scene_ready(s, 0, 1, 1); /* it never says started: the crash is quicker */
                scene_pass_ms(s, SCENE_LEASE_MS + 1000);
        }
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_FAILED);
        CU_ASSERT_EQUAL(scene_row(s, job, 1)->now.reason, TASK_REASON_CRASH_LIMIT);
        scene_free(s);
}

static void tasks_behind_the_slots_of_a_lost_worker_do_not_count_crashes(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 10);

        scene_ready(s, 0, 2, 10);
        scene_pass_ms(s, SCENE_LEASE_MS + 1000);
        for (uint64_t i = 1; i <= 10; i++)
                CU_ASSERT_EQUAL(scene_row(s, job, i)->now.crashes, i <= 2);
        scene_free(s);
}

static void a_returned_task_keeps_its_attempt_number(void)
{
        struct scene *s = scene_new();

        scene_array(s, ALICE, 1);
        scene_ready(s, 0, 1, 1);
        scene_end(s, &s->grants[0], END_STATUS_RETURNED, 0);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 2);
        CU_ASSERT_EQUAL(s->grants[1].attempt, 1);
        CU_ASSERT_NOT_EQUAL(s->grants[1].nonce, s->grants[0].nonce);
        CU_ASSERT_EQUAL(s->n_attempts, 0);
        scene_free(s);
}

static void what_a_ready_worker_does_not_name_is_queued_again_at_once(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 2);
        struct event lost = { .kind = EVENT_SESSION_LOST, .u.session.n = 100 };

        scene_ready(s, 0, 1, 1);
        scene_step(s, &lost);
        scene_commit(s);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_QUEUED);
        scene_ready(s, 0, 1, 1);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 2);
        CU_ASSERT_EQUAL(s->grants[1].lo, 2);
        scene_ready(s, 1, 1, 1);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 3);
        CU_ASSERT_EQUAL(s->grants[2].lo, 1);
        CU_ASSERT_EQUAL(s->grants[2].attempt, 2);
        scene_free(s);
}

static void a_message_of_an_unknown_session_is_asked_for_ready(void)
{
        struct scene *s = scene_new();
        struct scene_grant grant = {
                .worker = 2, .job = 1, .lo = 1, .hi = 1, .attempt = 1, .nonce = 5, .epoch = 1
        };

        scene_end(s, &grant, END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(s->last[102]->kind, MSG_resume);
        CU_ASSERT_TRUE(s->last[102]->u.resume.ready);
        scene_free(s);
}

static void after_a_restart_running_work_is_adopted_and_not_repeated(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 1);
        struct scene_grant grant;

        scene_ready(s, 0, 1, 1);
        grant = s->grants[0];
        scene_restart(s); /* the grant was never written */
        scene_ready(s, 1, 4, 4);
        CU_ASSERT_EQUAL(s->n_grants, 0); /* worker 0 is known and may come back */
        scene_ready_holding(s, 0, 1, 1, &grant, 1, true);
        CU_ASSERT_EQUAL(s->n_grants, 0);
        CU_ASSERT_EQUAL(s->n_stops, 0);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_RUNNING);
        scene_end(s, &grant, END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

static void after_a_restart_the_newest_lease_wins(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 1);
        struct scene_grant older, newer;

        scene_ready(s, 0, 1, 1);
        scene_ready(s, 1, 1, 1);
        older = newer = s->grants[0];
        newer.worker = 1;
        newer.attempt = 2;
        newer.nonce = 77;
        scene_restart(s);
        scene_ready_holding(s, 0, 1, 1, &older, 1, true);
        CU_ASSERT_EQUAL(s->n_stops, 0);
        scene_ready_holding(s, 1, 1, 1, &newer, 1, true);
        CU_ASSERT_EQUAL(s->n_stops, 1);
        CU_ASSERT_EQUAL(s->stop_reason, TASK_REASON_WORKER_LOST);
        scene_end(s, &older, END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_RUNNING);
        scene_end(s, &newer, END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(scene_row(s, job, 1)->end_nonce, 77);
        scene_free(s);
}

static void forgotten_grants_wait_one_lease_for_known_workers_and_no_longer(void)
{
        struct scene *s = scene_new();

        scene_array(s, ALICE, 1);
        scene_ready(s, 0, 1, 1);
        scene_ready(s, 1, 1, 1);
        scene_restart(s);
        scene_ready(s, 1, 1, 1);
        CU_ASSERT_EQUAL(s->n_grants, 0);
        for (int i = 0; i < 4; i++) {
                scene_pass_ms(s, SCENE_LEASE_MS / 4 + 500);
                scene_beat(s, 1, 1);
        }
        CU_ASSERT_EQUAL(s->n_grants, 1);
        scene_free(s);
}

static void forgotten_grants_are_granted_when_every_known_worker_has_spoken(void)
{
        struct scene *s = scene_new();

        scene_array(s, ALICE, 1);
        scene_ready(s, 0, 1, 1);
        scene_restart(s);
        CU_ASSERT_EQUAL(s->n_grants, 0);
        scene_ready(s, 0, 1, 1);
        CU_ASSERT_EQUAL(s->n_grants, 1);
        scene_free(s);
}

static struct rec_job_spec once(void)
{
        struct rec_job_spec spec = scene_spec();

        spec.at_most_once = spec.has_at_most_once = true;
        return spec;
}

static void at_most_once_hears_of_its_task_only_after_the_commit(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = once();
        uint64_t job = scene_submit(s, ALICE, &spec);
        static const char *types[] = { "noop" };
        struct msg ready = { .kind = MSG_ready };

        ready.u.ready = (struct msg_ready){ .slots = 1,
                                            .window = 1,
                                            .types = types,
                                            .n_types = 1,
                                            .version = "1",
                                            .n_version = 1,
                                            .host = "h",
                                            .n_host = 1,
                                            .pid = 1 };
        scene_say_worker(s, 0, &ready);
        CU_ASSERT_EQUAL(s->n_grants, 0);
        scene_commit(s);
        CU_ASSERT_EQUAL(s->n_grants, 1);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_RUNNING);
        scene_free(s);
}

static void at_most_once_ends_lost_where_nobody_can_know(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = once();
        uint64_t job = scene_submit(s, ALICE, &spec);

        scene_ready(s, 0, 1, 1);
        scene_pass_ms(s, SCENE_LEASE_MS + 1000);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_LOST);
        job = scene_submit(s, ALICE, &spec);
        scene_ready(s, 0, 1, 1);
        scene_restart(s);
        scene_pass_ms(s, SCENE_LEASE_MS + 1000);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_LOST);
        scene_free(s);
}

static void at_most_once_survives_a_restart_with_its_worker(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = once();
        uint64_t job = scene_submit(s, ALICE, &spec);
        struct scene_grant grant;

        scene_ready(s, 0, 1, 1);
        grant = s->grants[0];
        scene_restart(s);
        scene_ready_holding(s, 0, 1, 1, &grant, 1, true);
        scene_end(s, &grant, END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

static void malformed_results_are_refused_as_a_whole(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 2);
        struct range range = { 1, 2 };
        int64_t values[3] = { 1, 2, 3 };
        struct rec_task_end end = { .job = job,
                                    .ranges = &range,
                                    .n_ranges = 1,
                                    .status = END_STATUS_SUCCEEDED,
                                    .ago_us = values,
                                    .n_ago_us = 3 };
        struct rec_task_chunk chunk = { .index = 9, .kind = DATA_KIND_RESULT, .bytes = 2 };
        struct msg msg = { .kind = MSG_finished };

        scene_ready(s, 0, 2, 2);
        end.nonce = s->grants[0].nonce;
        end.epoch = s->grants[0].epoch;
        end.attempt = 1;
        msg.u.finished.ends = &end;
        msg.u.finished.n_ends = 1;
        scene_say_worker(s, 0, &msg);
        CU_ASSERT_EQUAL(s->last[100]->kind, MSG_worker_refused);
        end.n_ago_us = 2;
        msg.u.finished.chunks = &chunk;
        msg.u.finished.n_chunks = 1;
        msg.body = "{}";
        msg.body_bytes = 2;
        scene_say_worker(s, 0, &msg);
        CU_ASSERT_EQUAL(s->last[100]->kind, MSG_worker_refused);
        CU_ASSERT_EQUAL(s->last[100]->u.worker_refused.code, ERR_BAD_FIELD);
        scene_commit(s);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_QUEUED);
        chunk.index = 2;
        scene_say_worker(s, 0, &msg);
        scene_commit(s);
        CU_ASSERT_EQUAL(s->n_data, 1);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

static void output_is_kept_only_for_a_lease_that_is_held(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 1);
        struct msg msg = { .kind = MSG_store };

        scene_ready(s, 0, 1, 1);
        msg.u.store = (struct msg_store){ .job = job,
                                          .nonce = s->grants[0].nonce,
                                          .attempt = 1,
                                          .index = 1,
                                          .kind = DATA_KIND_OUTPUT,
                                          .stream = STREAM_STDOUT,
                                          .has_stream = true };
        msg.body = "x";
        msg.body_bytes = 1;
        scene_say_worker(s, 0, &msg);
        CU_ASSERT_NOT_EQUAL(s->last[100]->kind, MSG_kept);
        scene_commit(s);
        CU_ASSERT_EQUAL(s->last[100]->kind, MSG_kept);
        CU_ASSERT_EQUAL(s->n_data, 1);
        msg.u.store.nonce++;
        scene_say_worker(s, 0, &msg);
        CU_ASSERT_EQUAL(s->last[100]->kind, MSG_stale);
        scene_free(s);
}

UNIT_MAIN("core_lease", TEST(a_result_is_recorded_once_and_answered_after_the_commit),
          TEST(a_result_with_another_nonce_or_of_another_worker_is_stale),
          TEST(an_ok_code_succeeds_and_another_fails_after_its_retries),
          TEST(lost_worker_gives_its_tasks_back), TEST(heartbeats_keep_the_lease),
          TEST(no_lease_ends_for_time_in_which_we_were_stopped),
          TEST(a_task_that_takes_its_worker_down_each_time_fails_at_the_crash_limit),
          TEST(tasks_behind_the_slots_of_a_lost_worker_do_not_count_crashes),
          TEST(a_returned_task_keeps_its_attempt_number),
          TEST(what_a_ready_worker_does_not_name_is_queued_again_at_once),
          TEST(a_message_of_an_unknown_session_is_asked_for_ready),
          TEST(after_a_restart_running_work_is_adopted_and_not_repeated),
          TEST(after_a_restart_the_newest_lease_wins),
          TEST(forgotten_grants_wait_one_lease_for_known_workers_and_no_longer),
          TEST(forgotten_grants_are_granted_when_every_known_worker_has_spoken),
          TEST(at_most_once_hears_of_its_task_only_after_the_commit),
          TEST(at_most_once_ends_lost_where_nobody_can_know),
          TEST(at_most_once_survives_a_restart_with_its_worker),
          TEST(malformed_results_are_refused_as_a_whole), TEST(output_is_kept_only_for_a_lease_that_is_held))
