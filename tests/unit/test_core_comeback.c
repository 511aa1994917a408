/* Dependants that were aborted come back with a new round of what they wait for. */
#include "core_scene.h"

static uint64_t after(struct scene *s, uint64_t first, uint64_t second)
{
        struct rec_after list[2] = {
                { .when = AFTER_WHEN_OK, .has_when = true, .job = first, .has_job = true },
                { .when = AFTER_WHEN_OK, .has_when = true, .job = second, .has_job = true }
        };
        struct rec_job_spec spec = scene_spec();

        spec.after = list;
        spec.n_after = second ? 2 : 1;
        return scene_submit(s, ALICE, &spec);
}

static void end_newest(struct scene *s, enum end_status status)
{
        CU_ASSERT_FATAL(s->n_grants > 0);
        scene_end(s, &s->grants[s->n_grants - 1], status, status == END_STATUS_FAILED);
}

/* A person retries it; every load is answered. */
static void retry(struct scene *s, uint64_t job)
{
        struct msg msg = { .kind = MSG_retry };

        s->n_loads = 0;
        msg.u.retry.job = job;
        scene_ask(s, ALICE, &msg);
        for (size_t i = 0; i < s->n_loads; i++)
                scene_read_round(s, s->loads[i].n);
}

static void a_retry_brings_back_whoever_was_aborted_because_of_it(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 1);
        uint64_t second = after(s, first, 0);
        uint64_t third = after(s, second, 0);

        scene_ready(s, 0, 1, 1);
        end_newest(s, END_STATUS_FAILED);
        CU_ASSERT_EQUAL(scene_job_status(s, third), TASK_STATUS_ABORTED);
        retry(s, first);
        CU_ASSERT_EQUAL(scene_job_status(s, second), TASK_STATUS_WAITING);
        CU_ASSERT_EQUAL(scene_job_status(s, third), TASK_STATUS_WAITING);
        CU_ASSERT_EQUAL(s->n_aborted, 0);
        for (int i = 0; i < 3; i++)
                end_newest(s, END_STATUS_SUCCEEDED);
        CU_ASSERT_EQUAL(scene_job_status(s, second), TASK_STATUS_SUCCEEDED);
        CU_ASSERT_EQUAL(scene_job_status(s, third), TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

static void another_dependency_that_failed_keeps_it_aborted_until_its_own_retry(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 1);
        uint64_t second = scene_array(s, ALICE, 1);
        uint64_t both = after(s, first, second);

        scene_ready(s, 0, 1, 1);
        end_newest(s, END_STATUS_FAILED);
        end_newest(s, END_STATUS_FAILED);
        CU_ASSERT_EQUAL(scene_job_status(s, both), TASK_STATUS_ABORTED);
        retry(s, first);
        CU_ASSERT_EQUAL(scene_job_status(s, both), TASK_STATUS_ABORTED);
        end_newest(s, END_STATUS_SUCCEEDED);
        retry(s, second);
        CU_ASSERT_EQUAL(scene_job_status(s, both), TASK_STATUS_WAITING);
        end_newest(s, END_STATUS_SUCCEEDED);
        end_newest(s, END_STATUS_SUCCEEDED);
        CU_ASSERT_EQUAL(scene_job_status(s, both), TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

static void a_coordinator_killed_in_between_goes_on(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 1);
        uint64_t second = after(s, first, 0);
        struct msg msg = { .kind = MSG_retry };

        scene_ready(s, 0, 1, 1);
        end_newest(s, END_STATUS_FAILED);
        msg.u.retry.job = first;
        scene_ask(s, ALICE, &msg);
        scene_read_round(s, first);
        CU_ASSERT_EQUAL(scene_job_status(s, second), TASK_STATUS_ABORTED);
        s->n_loads = 0;
        scene_restart(s);
        CU_ASSERT_EQUAL_FATAL(s->n_loads, 1);
        scene_read_round(s, s->loads[0].n);
        CU_ASSERT_EQUAL(scene_job_status(s, second), TASK_STATUS_WAITING);
        s->n_loads = 0;
        scene_restart(s);
        CU_ASSERT_EQUAL(s->n_loads, 0);
        CU_ASSERT_EQUAL(scene_job_status(s, second), TASK_STATUS_WAITING);
        scene_free(s);
}

static void what_a_person_cancelled_stays_cancelled(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 1);
        uint64_t second = after(s, first, 0);

        scene_cancel(s, ALICE, second, 0, 0);
        scene_ready(s, 0, 1, 1);
        end_newest(s, END_STATUS_FAILED);
        retry(s, first);
        CU_ASSERT_EQUAL(scene_job_status(s, second), TASK_STATUS_CANCELLED);
        scene_free(s);
}

/* --- one of several is enough ------------------------------------------------------------------------------------- */
struct three {
        uint64_t first, second, either; /* either waits for one of the others */
};

/* The task of this job ends, whatever was granted since. */
static void end_of(struct scene *s, uint64_t job, enum end_status status)
{
        size_t i = s->n_grants;

        while (i > 0 && s->grants[i - 1].job != job)
                i--;
        CU_ASSERT_FATAL(i > 0);
        scene_end(s, &s->grants[i - 1], status, status == END_STATUS_FAILED);
}

static struct three either_of_two(struct scene *s)
{
        struct three jobs = { .first = scene_array(s, ALICE, 1), .second = scene_array(s, ALICE, 1) };
        struct rec_after list[2] = {
                { .when = AFTER_WHEN_OK, .has_when = true, .job = jobs.first, .has_job = true },
                { .when = AFTER_WHEN_OK, .has_when = true, .job = jobs.second, .has_job = true }
        };
        struct rec_job_spec spec = scene_spec();

        spec.after = list;
        spec.n_after = 2;
        spec.after_one = spec.has_after_one = true;
        jobs.either = scene_submit(s, ALICE, &spec);
        CU_ASSERT_EQUAL(scene_job_status(s, jobs.either), TASK_STATUS_WAITING);
        scene_ready(s, 0, 1, 1);
        return jobs;
}

static void the_first_that_is_met_lets_it_go(void)
{
        struct scene *s = scene_new();
        struct three jobs = either_of_two(s);

        end_of(s, jobs.first, END_STATUS_SUCCEEDED);
        end_of(s, jobs.second, END_STATUS_FAILED);
        CU_ASSERT_EQUAL(scene_job_status(s, jobs.second), TASK_STATUS_FAILED);
        end_of(s, jobs.either, END_STATUS_SUCCEEDED);
        CU_ASSERT_EQUAL(scene_job_status(s, jobs.either), TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

static void one_that_is_not_met_leaves_it_waiting_also_after_a_restart(void)
{
        struct scene *s = scene_new();
        struct three jobs = either_of_two(s);

        end_of(s, jobs.first, END_STATUS_FAILED);
        CU_ASSERT_EQUAL(scene_job_status(s, jobs.either), TASK_STATUS_WAITING);
        scene_restart(s);
        scene_commit(s);
        CU_ASSERT_EQUAL(scene_job_status(s, jobs.either), TASK_STATUS_WAITING);
        scene_pass_ms(s, 61000);
        scene_ready(s, 1, 1, 1);
        end_of(s, jobs.second, END_STATUS_SUCCEEDED);
        end_of(s, jobs.either, END_STATUS_SUCCEEDED);
        CU_ASSERT_EQUAL(scene_job_status(s, jobs.either), TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

static void a_retry_of_any_of_them_brings_it_back(void)
{
        struct scene *s = scene_new();
        struct three jobs = either_of_two(s);

        end_of(s, jobs.first, END_STATUS_FAILED);
        end_of(s, jobs.second, END_STATUS_FAILED);
        CU_ASSERT_EQUAL(scene_job_status(s, jobs.either), TASK_STATUS_ABORTED);
        retry(s, jobs.first);
        CU_ASSERT_EQUAL(scene_job_status(s, jobs.either), TASK_STATUS_WAITING);
        end_of(s, jobs.first, END_STATUS_SUCCEEDED);
        end_of(s, jobs.either, END_STATUS_SUCCEEDED);
        CU_ASSERT_EQUAL(scene_job_status(s, jobs.either), TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

static void one_that_is_tried_again_is_waited_for_again(void)
{
        struct scene *s = scene_new();
        struct three jobs = either_of_two(s);

        end_of(s, jobs.first, END_STATUS_FAILED);
        retry(s, jobs.first);
        end_of(s, jobs.second, END_STATUS_FAILED);
        CU_ASSERT_EQUAL(scene_job_status(s, jobs.either), TASK_STATUS_WAITING);
        end_of(s, jobs.first, END_STATUS_SUCCEEDED);
        end_of(s, jobs.either, END_STATUS_SUCCEEDED);
        CU_ASSERT_EQUAL(scene_job_status(s, jobs.either), TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

UNIT_MAIN("core_comeback", TEST(a_retry_brings_back_whoever_was_aborted_because_of_it),
          TEST(another_dependency_that_failed_keeps_it_aborted_until_its_own_retry),
          TEST(a_coordinator_killed_in_between_goes_on), TEST(what_a_person_cancelled_stays_cancelled),
          TEST(the_first_that_is_met_lets_it_go),
          TEST(one_that_is_not_met_leaves_it_waiting_also_after_a_restart),
          TEST(a_retry_of_any_of_them_brings_it_back), TEST(one_that_is_tried_again_is_waited_for_again))
