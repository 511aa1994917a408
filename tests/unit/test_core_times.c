/* Waits between attempts, jobs that start not before a time or not after one: over restarts and clocks that leap. */
#include "core_scene.h"

static struct rec_job_spec patient(uint64_t first_ms, uint64_t factor, uint64_t max_ms)
{
        struct rec_job_spec spec = scene_spec();

        spec.retries = 5;
        spec.has_retries = true;
        spec.backoff_ms = first_ms;
        spec.has_backoff_ms = true;
        spec.backoff_factor = factor;
        spec.has_backoff_factor = factor > 0;
        spec.backoff_max_ms = max_ms;
        spec.has_backoff_max_ms = max_ms > 0;
        return spec;
}

/* Fails the newest grant, which is of one task. */
static void fail_newest(struct scene *s)
{
        CU_ASSERT_FATAL(s->n_grants > 0);
        scene_end(s, &s->grants[s->n_grants - 1], END_STATUS_FAILED, 1);
}

/* Milliseconds until something more is granted, in steps of 50; -1: not within `most`. */
static int64_t until_granted(struct scene *s, int64_t most)
{
        size_t before = s->n_grants;

        for (int64_t ms = 0; ms <= most; ms += 50) {
                if (s->n_grants > before)
                        return ms;
                scene_pass_ms(s, 50);
                if (ms % 10000 == 0)
                        scene_beat(s, 0, 1);
        }
        return -1;
}

static const char *why(struct scene *s, uint64_t job, uint64_t index)
{
        struct msg msg = { .kind = MSG_why };

        msg.u.why = (struct msg_why){ .job = job, .has_job = true, .index = index, .has_index = index > 0 };
        scene_ask(s, ALICE, &msg);
        CU_ASSERT_EQUAL_FATAL(scene_answer_kind(s, ALICE), MSG_rows);
        return s->last[ALICE]->u.rows.rows;
}

static void waits_grow_up_to_their_limit_and_no_attempt_comes_early(void)
{
        static const int64_t least[] = { 1000, 2000, 3000, 3000 }, most[] = { 1250, 2450, 3050, 3050 };
        struct scene *s = scene_new();
        struct rec_job_spec spec = patient(1000, 2000, 3000);
        uint64_t job;

        scene_ready(s, 0, 1, 1);
        job = scene_submit(s, ALICE, &spec);
        for (size_t i = 0; i < ARRAY_LEN(least); i++) {
                int64_t ms;

                fail_newest(s);
                CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_WAITING);
                CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_WAITING);
                CU_ASSERT_PTR_NOT_NULL(strstr(why(s, job, 1), "the next one starts not before 20"));
                CU_ASSERT_EQUAL(s->n_attempts, i + 1);
                ms = until_granted(s, 10000);
                CU_ASSERT(ms >= least[i] && ms <= most[i]);
                CU_ASSERT_EQUAL(s->grants[s->n_grants - 1].attempt, i + 2);
        }
        scene_end(s, &s->grants[s->n_grants - 1], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

static void a_restart_keeps_what_is_left_of_a_wait(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = patient(60000, 0, 0);
        uint64_t job;
        int64_t ms;

        scene_ready(s, 0, 1, 1);
        job = scene_submit(s, ALICE, &spec);
        fail_newest(s);
        scene_pass_ms(s, 20000);
        scene_restart(s);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_WAITING);
        scene_ready(s, 0, 1, 1);
        ms = until_granted(s, 80000);
        CU_ASSERT(ms >= 39900 && ms <= 53000);
        CU_ASSERT_EQUAL(s->grants[0].attempt, 2);
        scene_free(s);
}

static void a_clock_that_leaps_neither_ends_nor_lengthens_a_wait(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = patient(60000, 0, 60000);
        int64_t ms;

        scene_ready(s, 0, 1, 1);
        scene_submit(s, ALICE, &spec);
        fail_newest(s);
        s->wall_us += 3600 * US_PER_S;
        CU_ASSERT_EQUAL(until_granted(s, 30000), -1);
        s->wall_us -= 2 * 3600 * US_PER_S;
        scene_restart(s);
        scene_ready(s, 0, 1, 1);
        ms = until_granted(s, 100000);
        CU_ASSERT(ms >= 0 && ms <= 60100);
        scene_free(s);
}

static void what_failed_together_does_not_come_back_together(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = patient(10000, 0, 0);
        size_t bursts = 0;

        scene_ready(s, 0, 200, 200);
        scene_submit_array(s, ALICE, &spec, 100);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 1);
        fail_newest(s);
        scene_beat(s, 0, 200);
        scene_pass_ms(s, 9950);
        CU_ASSERT_EQUAL(s->n_grants, 1);
        for (size_t before = s->n_grants, i = 0; i < 50; i++, before = s->n_grants) {
                scene_pass_ms(s, 50);
                bursts += s->n_grants > before;
        }
        CU_ASSERT(bursts >= 10);
        CU_ASSERT_EQUAL(core_numbers(s->core).tasks_granted, 100);
        scene_free(s);
}

static void a_task_that_waits_can_be_cancelled_and_retried(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = patient(60000, 0, 0);
        struct msg msg = { .kind = MSG_hold };
        uint64_t job;

        scene_ready(s, 0, 1, 1);
        job = scene_submit_array(s, ALICE, &spec, 2);
        scene_end(s, &s->grants[0], END_STATUS_FAILED, 1);
        scene_cancel(s, ALICE, job, 1, 1);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_CANCELLED);
        scene_end(s, &s->grants[1], END_STATUS_FAILED, 1);
        CU_ASSERT_EQUAL(scene_status(s, job, 2), TASK_STATUS_WAITING);
        msg.u.hold = (struct msg_hold){ .job = job, .has_job = true };
        scene_ask(s, ALICE, &msg);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_HELD);
        CU_ASSERT_EQUAL(until_granted(s, 80000), -1);
        msg = (struct msg){ .kind = MSG_release };
        msg.u.release = (struct msg_release){ .job = job, .has_job = true };
        scene_ask(s, ALICE, &msg);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 3);
        CU_ASSERT_EQUAL(s->grants[2].attempt, 2);
        scene_free(s);
}

static void a_worker_that_goes_makes_nobody_wait(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = patient(60000, 0, 0);
        uint64_t job;

        scene_ready(s, 0, 1, 1);
        job = scene_submit(s, ALICE, &spec);
        scene_started(s, &s->grants[0]);
        scene_ready(s, 0, 1, 1); /* names nothing: a new process */
        scene_pass_ms(s, SCENE_LEASE_MS + 1000);
        scene_ready(s, 1, 1, 1);
        CU_ASSERT_EQUAL(scene_row(s, job, 1)->now.crashes, 1);
        CU_ASSERT_EQUAL(s->n_grants, 2);
        scene_free(s);
}

static void a_job_waits_for_its_time_also_over_a_restart(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        uint64_t job;
        int64_t ms;

        spec.at_delay_ms = 60000;
        spec.has_at_delay_ms = true;
        scene_ready(s, 0, 1, 1);
        job = scene_submit(s, ALICE, &spec);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_WAITING);
        CU_ASSERT_PTR_NOT_NULL(strstr(why(s, job, 0), "nothing starts before 2023-11-14T22:14:20"));
        scene_pass_ms(s, 20000);
        scene_restart(s);
        scene_ready(s, 0, 1, 1);
        CU_ASSERT_EQUAL(s->n_grants, 0);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_WAITING);
        ms = until_granted(s, 60000);
        CU_ASSERT(ms >= 39900 && ms <= 40100);
        scene_end(s, &s->grants[0], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

static void at_is_a_time_of_the_wall_clock(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();

        spec.at_us = (uint64_t)(s->wall_us + 3600 * US_PER_S);
        spec.has_at_us = true;
        scene_ready(s, 0, 1, 1);
        scene_submit(s, ALICE, &spec);
        CU_ASSERT(core_next_deadline_us(s->core) <= s->mono_us + US_PER_S);
        s->wall_us += 3600 * US_PER_S;
        scene_pass_ms(s, 1000);
        CU_ASSERT_EQUAL(s->n_grants, 1);
        spec.at_us = (uint64_t)(s->wall_us - US_PER_S); /* over: at once */
        scene_ready(s, 1, 1, 1);
        scene_submit(s, ALICE, &spec);
        CU_ASSERT_EQUAL(s->n_grants, 2);
        scene_free(s);
}

static void what_has_not_started_in_time_is_aborted_and_the_rest_goes_on(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = patient(20000, 0, 0);
        struct scene_grant one;
        uint64_t job;

        spec.start_by_delay_ms = 10000;
        spec.has_start_by_delay_ms = true;
        scene_ready(s, 0, 1, 4);
        job = scene_submit_array(s, ALICE, &spec, 10);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 1);
        one = s->grants[0];
        one.hi = one.lo;
        scene_started(s, &one);
        one.lo = one.hi = 2;
        scene_end(s, &one, END_STATUS_FAILED, 1); /* has started: waits for its next attempt */
        CU_ASSERT_PTR_NOT_NULL(
                strstr(why(s, job, 0), "what has not started is aborted at 2023-11-14T22:13:30"));
        scene_pass_ms(s, 9000);
        CU_ASSERT_EQUAL(scene_status(s, job, 10), TASK_STATUS_QUEUED);
        scene_pass_ms(s, 2000);
        CU_ASSERT_EQUAL(scene_status(s, job, 10), TASK_STATUS_ABORTED);
        CU_ASSERT_EQUAL(scene_row(s, job, 10)->now.reason, TASK_REASON_START_BY);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_RUNNING);
        CU_ASSERT_EQUAL(scene_status(s, job, 2), TASK_STATUS_WAITING);
        CU_ASSERT_EQUAL(s->n_take_backs, 1);
        one.lo = 3;
        one.hi = 4;
        scene_end(s, &one, END_STATUS_RETURNED, 0);
        CU_ASSERT_EQUAL(scene_status(s, job, 3), TASK_STATUS_ABORTED);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 2); /* of 5, when 2 was over */
        scene_end(s, &s->grants[1], END_STATUS_RETURNED, 0);
        one.lo = one.hi = 1;
        scene_end(s, &one, END_STATUS_SUCCEEDED, 0);
        CU_ASSERT(until_granted(s, 30000) >= 0);
        CU_ASSERT_EQUAL(s->grants[s->n_grants - 1].lo, 2);
        scene_end(s, &s->grants[s->n_grants - 1], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_ABORTED);
        CU_ASSERT_TRUE(scene_job(s, job)->state.ended_us != 0);
        scene_free(s);
}

static void what_was_stopped_with_its_worker_has_started(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        uint64_t job;

        spec.start_by_delay_ms = 5000;
        spec.has_start_by_delay_ms = true;
        scene_ready(s, 0, 1, 1);
        job = scene_submit(s, ALICE, &spec);
        scene_started(s, &s->grants[0]);
        scene_pass_ms(s, 6000);
        scene_end(s, &s->grants[0], END_STATUS_CANCELLED, 0); /* by its worker, which leaves */
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_QUEUED);
        CU_ASSERT_EQUAL(s->n_grants, 2);
        scene_free(s);
}

static void a_leap_of_the_clock_aborts_nothing(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        uint64_t job;

        spec.start_by_us = (uint64_t)(s->wall_us + 60 * US_PER_S);
        spec.has_start_by_us = true;
        job = scene_submit(s, ALICE, &spec);
        s->wall_us += 3600 * US_PER_S;
        scene_pass_ms(s, 30000);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_QUEUED);
        s->wall_us -= 3600 * US_PER_S; /* set right again */
        scene_pass_ms(s, 29000);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_QUEUED);
        scene_pass_ms(s, 2000);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_ABORTED);
        scene_free(s);
}

static void a_start_by_that_passes_while_nobody_looks_counts(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        uint64_t job;

        spec.start_by_delay_ms = 5000;
        spec.has_start_by_delay_ms = true;
        job = scene_submit_array(s, ALICE, &spec, 3);
        s->mono_us += 60 * US_PER_S;
        s->wall_us += 60 * US_PER_S;
        scene_restart(s);
        scene_ready(s, 0, 4, 4);
        scene_pass_ms(s, 100);
        CU_ASSERT_EQUAL(s->n_grants, 0);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_ABORTED);
        spec = scene_spec();
        spec.start_by_us = (uint64_t)s->wall_us - 1; /* over when it is submitted */
        spec.has_start_by_us = true;
        job = scene_submit_array(s, ALICE, &spec, 3);
        CU_ASSERT_EQUAL(s->n_grants, 0);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_ABORTED);
        scene_free(s);
}

static void a_new_round_forgets_a_start_by_that_has_passed(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        struct msg msg = { .kind = MSG_retry };
        uint64_t job;

        spec.start_by_delay_ms = 5000;
        spec.has_start_by_delay_ms = true;
        job = scene_submit(s, ALICE, &spec);
        scene_pass_ms(s, 6000);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_ABORTED);
        msg.u.retry = (struct msg_retry){ .job = job, .has_job = true };
        scene_ask(s, ALICE, &msg);
        scene_read_round(s, job);
        scene_restart(s);
        scene_pass_ms(s, 1000);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_QUEUED);
        scene_ready(s, 0, 1, 1);
        CU_ASSERT_EQUAL(s->n_grants, 1);
        scene_free(s);
}

static void times_and_delays_that_do_not_fit_are_refused(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();

        spec.at_us = spec.at_delay_ms = 1;
        spec.has_at_us = spec.has_at_delay_ms = true;
        CU_ASSERT_EQUAL(scene_submit(s, ALICE, &spec), 0);
        spec = scene_spec();
        spec.backoff_factor = 2000;
        spec.has_backoff_factor = true;
        CU_ASSERT_EQUAL(scene_submit(s, ALICE, &spec), 0);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_BAD_FIELD);
        scene_free(s);
}

UNIT_MAIN("core_times", TEST(waits_grow_up_to_their_limit_and_no_attempt_comes_early),
          TEST(a_restart_keeps_what_is_left_of_a_wait),
          TEST(a_clock_that_leaps_neither_ends_nor_lengthens_a_wait),
          TEST(what_failed_together_does_not_come_back_together),
          TEST(a_task_that_waits_can_be_cancelled_and_retried), TEST(a_worker_that_goes_makes_nobody_wait),
          TEST(a_job_waits_for_its_time_also_over_a_restart), TEST(at_is_a_time_of_the_wall_clock),
          TEST(what_has_not_started_in_time_is_aborted_and_the_rest_goes_on),
          TEST(what_was_stopped_with_its_worker_has_started), TEST(a_leap_of_the_clock_aborts_nothing),
          TEST(a_start_by_that_passes_while_nobody_looks_counts),
          TEST(a_new_round_forgets_a_start_by_that_has_passed),
          TEST(times_and_delays_that_do_not_fit_are_refused))
