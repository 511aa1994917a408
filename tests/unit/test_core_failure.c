/* What follows when tasks fail: which ends are tried again, what each attempt leaves, when the rest is given up. */
#include "core_scene.h"

static struct scene_grant one_of(const struct scene_grant *grant, uint64_t index)
{
        struct scene_grant one = *grant;

        one.lo = one.hi = index;
        return one;
}

/* The newest grant of this task, for it alone. */
static struct scene_grant grant_of(const struct scene *s, uint64_t job, uint64_t index)
{
        for (size_t i = s->n_grants; i > 0; i--) {
                const struct scene_grant *grant = &s->grants[i - 1];

                if (grant->job == job && index >= grant->lo && index <= grant->hi)
                        return one_of(grant, index);
        }
        CU_FAIL_FATAL("never granted");
        return (struct scene_grant){ 0 };
}

static void end_task(struct scene *s, uint64_t job, uint64_t index, enum end_status status, uint64_t code)
{
        struct scene_grant grant = grant_of(s, job, index);

        scene_end(s, &grant, status, code);
}

/* An end as the worker of `grant` says it; cpu and memory for each of its tasks. */
static void end_with(struct scene *s, const struct scene_grant *grant, struct rec_task_end end,
                     int64_t *cpu_us, int64_t *rss_kib)
{
        struct range range = { grant->lo, grant->hi };
        int64_t us = 1000;
        struct msg msg = { .kind = MSG_finished };

        end.job = grant->job;
        end.nonce = grant->nonce;
        end.epoch = grant->epoch;
        end.attempt = grant->attempt;
        end.ranges = &range;
        end.n_ranges = 1;
        end.ago_us = end.ran_us = &us;
        end.n_ago_us = end.n_ran_us = 1;
        end.cpu_us = cpu_us;
        end.rss_kib = rss_kib;
        end.n_cpu_us = end.n_rss_kib = cpu_us ? grant->hi - grant->lo + 1 : 0;
        msg.u.finished = (struct msg_finished){ .window = 4, .ends = &end, .n_ends = 1 };
        scene_say_worker(s, grant->worker, &msg);
        scene_commit(s);
}

static void a_superseded_attempt_keeps_its_times_and_figures(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        struct rec_task_end end = { .status = END_STATUS_FAILED, .exit_code = 4, .has_exit_code = true };
        int64_t cpu_us[] = { 111, 222 }, rss_kib[] = { 1000, 2000 };

        spec.retries = 1;
        spec.has_retries = true;
        scene_ready(s, 0, 2, 2);
        scene_submit_array(s, ALICE, &spec, 2);
        end_with(s, &s->grants[0], end, cpu_us, rss_kib);
        CU_ASSERT_EQUAL_FATAL(s->n_attempts, 2);
        for (size_t i = 0; i < 2; i++) {
                CU_ASSERT_EQUAL(s->attempts[i].index, i + 1);
                CU_ASSERT_EQUAL(s->attempts[i].attempt, 1);
                CU_ASSERT_EQUAL(s->attempts[i].cpu_us, cpu_us[i]);
                CU_ASSERT_EQUAL(s->attempts[i].rss_kib, rss_kib[i]);
                CU_ASSERT_EQUAL(s->attempts[i].worker.n, 10);
                CU_ASSERT_EQUAL(s->attempts[i].status, TASK_STATUS_FAILED);
                CU_ASSERT_EQUAL(s->attempts[i].reason, TASK_REASON_EXIT_CODE);
                CU_ASSERT_EQUAL(s->attempts[i].exit_code, 4);
                CU_ASSERT_EQUAL(s->attempts[i].ended_us - s->attempts[i].started_us, 1000);
        }
        scene_free(s);
}

/* Is an attempt that ends so tried again by a job that lists `words`? */
static bool is_again(const char *const *words, size_t n_words, struct rec_task_end end)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        uint64_t job;
        bool again;

        spec.retries = 1;
        spec.has_retries = true;
        spec.retry_on = (const char **)(uintptr_t)words;
        spec.n_retry_on = n_words;
        scene_ready(s, 0, 1, 1);
        job = scene_submit(s, ALICE, &spec);
        CU_ASSERT_FATAL(job != 0);
        end_with(s, &s->grants[0], end, NULL, NULL);
        again = scene_status(s, job, 1) == TASK_STATUS_QUEUED;
        CU_ASSERT_EQUAL(again, s->n_grants == 2);
        scene_free(s);
        return again;
}

static struct rec_task_end exited(uint64_t code)
{
        return (struct rec_task_end){ .status = END_STATUS_FAILED, .exit_code = code, .has_exit_code = true };
}

static struct rec_task_end killed(uint64_t signal)
{
        return (struct rec_task_end){ .status = END_STATUS_FAILED,
                                      .exit_signal = signal,
                                      .has_exit_signal = true };
}

static struct rec_task_end failed_for(enum task_reason reason)
{
        return (struct rec_task_end){ .status = END_STATUS_FAILED, .reason = reason, .has_reason = true };
}

static void only_ends_that_are_listed_are_tried_again(void)
{
        static const char *const codes[] = { "75", "137" }, *const signal[] = { "signal" },
                                 *const timeout[] = { "timeout" }, *const code_124[] = { "124" },
                                 *const oom[] = { "oom" }, *const launch[] = { "launch", "bad-result" };
        struct rec_task_end time_up = { .status = END_STATUS_TIMEOUT,
                                        .exit_signal = 15,
                                        .has_exit_signal = true };
        struct rec_task_end no_memory = { .status = END_STATUS_OOM,
                                          .exit_signal = 9,
                                          .has_exit_signal = true };

        CU_ASSERT_TRUE(is_again(NULL, 0, exited(1)));
        CU_ASSERT_TRUE(is_again(codes, 2, exited(75)));
        CU_ASSERT_TRUE(is_again(codes, 2, exited(137)));
        CU_ASSERT_TRUE(is_again(codes, 2, killed(9)));
        CU_ASSERT_FALSE(is_again(codes, 2, exited(1)));
        CU_ASSERT_FALSE(is_again(codes, 2, killed(11)));
        CU_ASSERT_TRUE(is_again(signal, 1, killed(11)));
        CU_ASSERT_FALSE(is_again(signal, 1, exited(75)));
        CU_ASSERT_FALSE(is_again(signal, 1, time_up)); /* the signal was ours */
        CU_ASSERT_FALSE(is_again(signal, 1, no_memory));
        CU_ASSERT_TRUE(is_again(timeout, 1, time_up));
        CU_ASSERT_FALSE(is_again(timeout, 1, no_memory));
        CU_ASSERT_TRUE(is_again(code_124, 1, time_up));
        CU_ASSERT_TRUE(is_again(oom, 1, no_memory));
        CU_ASSERT_TRUE(is_again(codes, 2, no_memory));
        CU_ASSERT_TRUE(is_again(launch, 2, failed_for(TASK_REASON_LAUNCH)));
        CU_ASSERT_TRUE(is_again(launch, 2, failed_for(TASK_REASON_BAD_RESULT)));
        CU_ASSERT_FALSE(is_again(launch, 2, failed_for(TASK_REASON_NO_SPACE)));
}

static void a_word_that_is_none_is_refused(void)
{
        static const char *const bad[] = { "",     "0",           "256",       "007",    "1000",
                                           "exit", "worker-lost", "cancelled", "SIGKILL" };
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();

        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                spec.retry_on = (const char **)(uintptr_t)&bad[i];
                spec.n_retry_on = 1;
                CU_ASSERT_EQUAL(scene_submit(s, ALICE, &spec), 0);
                CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_BAD_FIELD);
        }
        scene_free(s);
}

/* 10 tasks with max_fails 1 on a worker that was told of them all; 1 has started, 2 and 3 fail. */
static uint64_t too_many_fail(struct scene *s)
{
        struct rec_job_spec spec = scene_spec();
        struct scene_grant one;
        uint64_t job;

        spec.max_fails = 1;
        spec.has_max_fails = true;
        spec.retries = 3;
        spec.has_retries = true;
        spec.retry_on = (const char *[]){ "9" };
        spec.n_retry_on = 1;
        scene_ready(s, 0, 1, 8);
        job = scene_submit_array(s, ALICE, &spec, 10);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 1);
        one = one_of(&s->grants[0], 1);
        scene_started(s, &one);
        one = one_of(&s->grants[0], 2);
        scene_end(s, &one, END_STATUS_FAILED, 4);
        CU_ASSERT_EQUAL(s->n_take_backs, 0);
        one = one_of(&s->grants[0], 3);
        scene_end(s, &one, END_STATUS_FAILED, 4);
        CU_ASSERT_STRING_EQUAL(s->last_event, "abort");
        CU_ASSERT_EQUAL(s->n_take_backs, 1);
        CU_ASSERT_EQUAL(s->n_stops, 0);
        return job;
}

static void check_aborted(struct scene *s, uint64_t job, uint64_t lo, uint64_t hi)
{
        for (uint64_t i = lo; i <= hi; i++) {
                CU_ASSERT_EQUAL(scene_status(s, job, i), TASK_STATUS_ABORTED);
                CU_ASSERT_EQUAL(scene_row(s, job, i)->now.reason, TASK_REASON_MAX_FAILS);
        }
}

static void too_many_failures_abort_the_rest_and_what_runs_goes_on(void)
{
        struct scene *s = scene_new();
        uint64_t job = too_many_fail(s);
        struct scene_grant rest = s->grants[0];
        struct scene_grant one = one_of(&rest, 1);

        check_aborted(s, job, 9, 10);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_RUNNING);
        rest.lo = 4;
        rest.hi = 8;
        scene_end(s, &rest, END_STATUS_RETURNED, 0);
        check_aborted(s, job, 4, 10);
        /* It would be tried again, were its job not over. */
        scene_end(s, &one, END_STATUS_FAILED, 9);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_FAILED);
        CU_ASSERT_EQUAL(s->n_grants, 1);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_FAILED);
        CU_ASSERT_TRUE(scene_job(s, job)->state.ended_us != 0);
        scene_free(s);
}

static void what_runs_in_an_aborted_job_survives_a_restart(void)
{
        struct scene *s = scene_new();
        uint64_t job = too_many_fail(s);
        struct scene_grant held[2] = { one_of(&s->grants[0], 1), s->grants[0] };

        held[1].lo = 4;
        held[1].hi = 8;
        s->n_take_backs = 0;
        scene_restart(s);
        scene_ready_holding(s, 0, 1, 8, held, 1, true);
        CU_ASSERT_EQUAL(s->n_stops, 0);
        CU_ASSERT_EQUAL(s->n_take_backs, 1);
        check_aborted(s, job, 4, 10);
        scene_end(s, &held[0], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_SUCCEEDED);
        CU_ASSERT_TRUE(scene_job(s, job)->state.ended_us != 0);
        scene_free(s);
}

static void an_aborted_job_can_be_cancelled(void)
{
        struct scene *s = scene_new();
        uint64_t job = too_many_fail(s);
        struct scene_grant one = one_of(&s->grants[0], 1);

        scene_cancel(s, ALICE, job, 0, 0);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.changed.count, 6); /* 1 runs, 4 … 8 are with the worker */
        CU_ASSERT_EQUAL(s->n_stops, 1);
        scene_end(s, &one, END_STATUS_CANCELLED, 0);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_CANCELLED);
        check_aborted(s, job, 9, 10);
        scene_free(s);
}

static void max_fails_may_be_a_part_of_the_tasks(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        uint64_t job;

        spec.max_fails_percent = 20;
        spec.has_max_fails_percent = true;
        scene_ready(s, 0, 1, 1);
        job = scene_submit_array(s, ALICE, &spec, 10);
        for (uint64_t i = 1; i <= 3; i++) {
                CU_ASSERT_EQUAL(scene_status(s, job, 10), TASK_STATUS_QUEUED);
                end_task(s, job, i, END_STATUS_FAILED, 1);
        }
        check_aborted(s, job, 10, 10); /* the worker has not given back the others */
        CU_ASSERT_EQUAL(s->n_take_backs, 1);
        scene_free(s);
}

static void no_failure_is_allowed_with_max_fails_0(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        uint64_t job;

        spec.has_max_fails = true;
        scene_ready(s, 0, 1, 1);
        job = scene_submit_array(s, ALICE, &spec, 9);
        end_task(s, job, 1, END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(scene_status(s, job, 9), TASK_STATUS_QUEUED);
        end_task(s, job, 2, END_STATUS_OOM, 0);
        check_aborted(s, job, 9, 9);
        scene_free(s);
}

UNIT_MAIN("core_failure", TEST(a_superseded_attempt_keeps_its_times_and_figures),
          TEST(only_ends_that_are_listed_are_tried_again), TEST(a_word_that_is_none_is_refused),
          TEST(too_many_failures_abort_the_rest_and_what_runs_goes_on),
          TEST(what_runs_in_an_aborted_job_survives_a_restart), TEST(an_aborted_job_can_be_cancelled),
          TEST(max_fails_may_be_a_part_of_the_tasks), TEST(no_failure_is_allowed_with_max_fails_0))
