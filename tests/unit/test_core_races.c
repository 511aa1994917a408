/* What happens while a batch is on its way, and claims that do not fit: nothing is said before its commit, nothing gets
 * stuck. */
#include "core_scene.h"

static void say_watch(struct scene *s, uint32_t who, uint64_t job, uint64_t lo, uint64_t hi)
{
        struct range range = { lo, hi };
        struct msg msg = { .kind = MSG_watch };

        msg.u.watch.job = job;
        msg.u.watch.has_job = true;
        msg.u.watch.ranges = &range;
        msg.u.watch.n_ranges = lo > 0 ? 1 : 0;
        scene_say(s, who, who, &msg);
}

static void say_end(struct scene *s, const struct scene_grant *grant, uint64_t index)
{
        struct scene_grant one = *grant;

        one.lo = one.hi = index;
        scene_say_end(s, &one, END_STATUS_SUCCEEDED, 0);
}

static bool is_done(const struct scene *s, uint32_t who)
{
        return scene_answer_kind(s, who) == MSG_event && s->last[who]->u.event.done;
}

static void an_end_is_told_and_forgotten_only_after_its_own_commit(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 2);
        struct scene_flight flight;

        scene_ready(s, 0, 2, 2);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 1);
        say_watch(s, ALICE, job, 1, 1);
        say_watch(s, BOB, job, 2, 2); /* may not: but a second one of alice may */
        scene_say(s, 50, ALICE,
                  &(struct msg){ .kind = MSG_watch, .u.watch = { .job = job, .has_job = true } });
        scene_commit(s);
        say_end(s, &s->grants[0], 1);
        flight = scene_take_off(s);
        say_end(s, &s->grants[0], 2);
        scene_land(s, &flight);
        CU_ASSERT_TRUE(is_done(s, ALICE));
        CU_ASSERT_FALSE(is_done(s, 50));
        CU_ASSERT_EQUAL(core_numbers(s->core).jobs_unfinished, 1);
        scene_commit(s);
        CU_ASSERT_TRUE(is_done(s, 50));
        CU_ASSERT_EQUAL(core_numbers(s->core).jobs_unfinished, 0);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_SUCCEEDED);
        CU_ASSERT_NOT_EQUAL(scene_job(s, job)->state.ended_us, 0);
        scene_free(s);
}

static void each_subscription_waits_for_the_commit_of_its_own_tasks(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 3);
        struct range second = { 2, 2 };
        struct msg msg = { .kind = MSG_watch };
        struct scene_flight flight;

        scene_ready(s, 0, 3, 3);
        say_watch(s, ALICE, job, 1, 1);
        msg.u.watch = (struct msg_watch){ .job = job, .has_job = true, .ranges = &second, .n_ranges = 1 };
        scene_say(s, 50, ALICE, &msg);
        scene_commit(s);
        say_end(s, &s->grants[0], 1);
        flight = scene_take_off(s);
        say_end(s, &s->grants[0], 2);
        scene_land(s, &flight);
        CU_ASSERT_TRUE(is_done(s, ALICE));
        CU_ASSERT_FALSE(is_done(s, 50));
        scene_commit(s);
        CU_ASSERT_TRUE(is_done(s, 50));
        scene_free(s);
}

static void a_retry_that_read_a_job_before_its_end_does_not_bring_it_back_half(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 2);
        struct msg retry = { .kind = MSG_retry };
        struct replay_tasks failed = { .job.n = job, .indexes = { 1, 1 }, .status = TASK_STATUS_FAILED };
        struct job_round round = { .job.n = job, .found = true, .tasks = &failed, .n_tasks = 1 };
        struct event event = { .kind = EVENT_ROUND, .u.round = &round };
        struct scene_grant one;

        scene_ready(s, 0, 2, 2);
        one = s->grants[0];
        one.hi = one.lo;
        scene_end(s, &one, END_STATUS_FAILED, 1);
        retry.u.retry.job = job;
        scene_say(s, ALICE, ALICE, &retry);
        CU_ASSERT_EQUAL_FATAL(s->n_loads, 1);
        round.replay.job = *scene_job(s, job);
        round.replay.job.spec = job_spec_dup(&scene_job(s, job)->spec->spec);
        one.lo = one.hi = 2;
        scene_end(s, &one, END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(core_numbers(s->core).jobs_unfinished, 0);
        scene_step(s, &event);
        job_spec_free(round.replay.job.spec);
        scene_commit(s);
        CU_ASSERT_EQUAL(core_numbers(s->core).jobs_unfinished, 0);
        CU_ASSERT_EQUAL_FATAL(s->n_loads, 2); /* it is read again */
        scene_read_round(s, job);
        CU_ASSERT_EQUAL_FATAL(scene_answer_kind(s, ALICE), MSG_changed);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.changed.count, 1);
        CU_ASSERT_EQUAL(core_numbers(s->core).jobs_unfinished, 1);
        scene_restart(s);
        CU_ASSERT_FALSE(s->stopped);
        scene_free(s);
}

static void a_waiting_job_with_a_cancelled_task_still_waits_after_a_restart(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 1);
        struct rec_after after = { .when = AFTER_WHEN_OK, .has_when = true, .job = first, .has_job = true };
        struct rec_array_part part = { .lo = 1, .hi = 3, .has_lo = true, .has_hi = true };
        struct rec_job_spec spec = scene_spec();
        uint64_t job;

        spec.after = &after;
        spec.n_after = 1;
        spec.array = &part;
        spec.n_array = 1;
        job = scene_submit(s, ALICE, &spec);
        CU_ASSERT_NOT_EQUAL_FATAL(job, 0);
        scene_cancel(s, ALICE, job, 2, 2);
        CU_ASSERT_EQUAL(scene_status(s, job, 2), TASK_STATUS_CANCELLED);
        scene_restart(s);
        CU_ASSERT_FALSE(s->stopped);
        scene_ready(s, 0, 4, 4);
        for (size_t i = 0; i < s->n_grants; i++)
                CU_ASSERT_EQUAL(s->grants[i].job, first);
        CU_ASSERT_EQUAL(s->n_grants, 1);
        scene_end(s, &s->grants[0], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(s->n_grants, 3);
        scene_free(s);
}

static void a_claim_that_cannot_be_adopted_takes_nothing_from_its_holder(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 1);
        struct scene_grant held, forged;

        scene_ready(s, 0, 1, 1);
        held = s->grants[0];
        scene_restart(s);
        scene_ready_holding(s, 0, 1, 1, &held, 1, true);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_RUNNING);
        forged = held;
        forged.nonce = 77;
        forged.epoch = 1000;
        scene_ready_holding(s, 1, 1, 1, &forged, 1, true);
        forged.nonce = 78;
        forged.epoch = s->epoch;
        forged.attempt = 9;
        scene_ready_holding(s, 1, 1, 1, &forged, 1, true);
        scene_end(s, &held, END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_SUCCEEDED);
        CU_ASSERT_EQUAL(core_numbers(s->core).jobs_unfinished, 0);
        scene_free(s);
}

static void a_row_does_not_name_an_adopted_lease_that_was_given_back(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 1);
        struct scene_grant grant;

        scene_ready(s, 0, 1, 1);
        grant = s->grants[0];
        scene_restart(s);
        scene_ready_holding(s, 0, 1, 1, &grant, 1, false);
        CU_ASSERT_EQUAL(scene_row(s, job, 1)->now.nonce, grant.nonce);
        scene_end(s, &grant, END_STATUS_RETURNED, 0);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 1);
        grant = s->grants[0];
        scene_restart(s);
        scene_ready_holding(s, 0, 1, 1, &grant, 1, true); /* it runs: nobody tells it to stop */
        CU_ASSERT_EQUAL(s->n_stops, 0);
        CU_ASSERT_EQUAL(s->n_grants, 0);
        scene_end(s, &grant, END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

static void absurd_run_times_overflow_nothing(void)
{
        struct scene *s = scene_new();
        struct range range = { 1, 4 };
        int64_t us = (INT64_C(1) << 53) - 1;
        struct rec_array_part part = { .lo = 1, .hi = 8, .has_lo = true, .has_hi = true };
        struct rec_job_spec spec = scene_spec();
        struct rec_task_end end = { .ranges = &range,
                                    .n_ranges = 1,
                                    .status = END_STATUS_SUCCEEDED,
                                    .ago_us = &us,
                                    .n_ago_us = 1,
                                    .ran_us = &us,
                                    .n_ran_us = 1,
                                    .attempt = 1 };
        struct msg msg = { .kind = MSG_finished };

        spec.array = &part;
        spec.n_array = 1;
        spec.cpus = 65536;
        spec.has_cpus = true;
        end.job = scene_submit(s, ALICE, &spec);
        scene_ready(s, 0, 65536, 4 * 65536);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 1);
        range.hi = s->grants[0].hi;
        end.nonce = s->grants[0].nonce;
        end.epoch = s->grants[0].epoch;
        msg.u.finished.window = 4 * 65536;
        msg.u.finished.ends = &end;
        msg.u.finished.n_ends = 1;
        scene_say_worker(s, 0, &msg);
        scene_commit(s);
        CU_ASSERT_EQUAL(s->last[100]->kind, MSG_recorded);
        CU_ASSERT_TRUE(s->n_grants >= 2);
        scene_free(s);
}

static void a_job_cancelled_while_it_waited_waits_again_in_its_next_round(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 1);
        struct rec_after after = { .when = AFTER_WHEN_OK, .has_when = true, .job = first, .has_job = true };
        struct rec_job_spec spec = scene_spec();
        struct msg retry = { .kind = MSG_retry };
        struct replay_tasks cancelled = { .indexes = { 1, 1 }, .status = TASK_STATUS_CANCELLED };
        struct job_round round = { .found = true, .tasks = &cancelled, .n_tasks = 1 };
        struct event event = { .kind = EVENT_ROUND, .u.round = &round };
        uint64_t job;

        spec.after = &after;
        spec.n_after = 1;
        job = scene_submit(s, ALICE, &spec);
        scene_cancel(s, ALICE, job, 0, 0);
        CU_ASSERT_EQUAL_FATAL(scene_job_status(s, job), TASK_STATUS_CANCELLED);
        retry.u.retry.job = job;
        scene_ask(s, ALICE, &retry);
        round.job.n = cancelled.job.n = job;
        round.replay.job = *scene_job(s, job);
        round.replay.job.spec = job_spec_dup(&scene_job(s, job)->spec->spec);
        scene_step(s, &event);
        job_spec_free(round.replay.job.spec);
        scene_commit(s);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_WAITING);
        scene_ready(s, 0, 4, 4);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 1);
        CU_ASSERT_EQUAL(s->grants[0].job, first);
        scene_end(s, &s->grants[0], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 2);
        scene_end(s, &s->grants[1], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

static void what_no_column_holds_is_refused_or_cut(void)
{
        struct scene *s = scene_new();
        struct range range = { 1, 1 };
        int64_t rss = (INT64_C(1) << 53) - 1;
        struct rec_task_end end = { .ranges = &range,
                                    .n_ranges = 1,
                                    .status = END_STATUS_SUCCEEDED,
                                    .rss_kib = &rss,
                                    .n_rss_kib = 1 };
        struct rec_task_file file = { .index = 1, .file = 1, .name = "f", .n_name = 1, .n_sha256 = 64 };
        struct msg msg = { .kind = MSG_finished };
        const struct store_op *op;

        end.job = scene_array(s, ALICE, 1);
        scene_ready(s, 0, 1, 1);
        end.nonce = s->grants[0].nonce;
        end.epoch = s->grants[0].epoch;
        end.attempt = 1;
        msg.u.finished =
                (struct msg_finished){ .window = 1, .ends = &end, .n_ends = 1, .files = &file, .n_files = 1 };
        file.sha256 = "\xc3\xa4"
                      "62characters..................................................";
        CU_ASSERT_EQUAL_FATAL(strlen(file.sha256), 64);
        scene_say_worker(s, 0, &msg);
        CU_ASSERT_EQUAL(s->last[100]->kind, MSG_worker_refused);
        file.sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        scene_say_worker(s, 0, &msg);
        for (op = s->ops; op && op->kind != STORE_TASK_END; op = op->next)
                ;
        CU_ASSERT_PTR_NOT_NULL_FATAL(op);
        CU_ASSERT_EQUAL(op->u.task_end.rss_kib[0], UINT32_MAX);
        scene_commit(s);
        CU_ASSERT_EQUAL(s->last[100]->kind, MSG_recorded);
        scene_free(s);
}

UNIT_MAIN("core_races", TEST(an_end_is_told_and_forgotten_only_after_its_own_commit),
          TEST(each_subscription_waits_for_the_commit_of_its_own_tasks),
          TEST(a_retry_that_read_a_job_before_its_end_does_not_bring_it_back_half),
          TEST(a_waiting_job_with_a_cancelled_task_still_waits_after_a_restart),
          TEST(a_claim_that_cannot_be_adopted_takes_nothing_from_its_holder),
          TEST(a_row_does_not_name_an_adopted_lease_that_was_given_back),
          TEST(absurd_run_times_overflow_nothing),
          TEST(a_job_cancelled_while_it_waited_waits_again_in_its_next_round),
          TEST(what_no_column_holds_is_refused_or_cut))
