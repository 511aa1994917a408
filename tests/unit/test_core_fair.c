/* Who is served: shares by weight, nobody behind a million, one of a name at a time. */
#include "core/job.h"
#include "core/queue.h"
#include "core_scene.h"

/* One worker runs what it is granted, from grant *at on, until n tasks more have ended; how many of each job did. */
static void serve(struct scene *s, size_t *at, uint64_t n, uint64_t a, uint64_t b, uint64_t *ret_a,
                  uint64_t *ret_b)
{
        uint64_t done = 0;

        *ret_a = *ret_b = 0;
        while (done < n) {
                const struct scene_grant *grant = &s->grants[*at];
                uint64_t tasks;

                CU_ASSERT_FATAL(*at < s->n_grants);
                tasks = grant->hi - grant->lo + 1;
                done += tasks;
                *ret_a += grant->job == a ? tasks : 0;
                *ret_b += grant->job == b ? tasks : 0;
                scene_end(s, grant, END_STATUS_SUCCEEDED, 0);
                (*at)++;
        }
}

static void set_weight(struct scene *s, const char *name, uint64_t weight)
{
        struct msg msg = { .kind = MSG_user_set };

        msg.u.user_set.name = name;
        msg.u.user_set.n_name = strlen(name);
        msg.u.user_set.weight = weight;
        msg.u.user_set.has_weight = true;
        scene_ask(s, 4, &msg);
        CU_ASSERT_EQUAL(scene_answer_kind(s, 4), MSG_changed);
}

static uint64_t in_queue(struct scene *s, uint32_t who, const char *queue, uint64_t n)
{
        struct rec_array_part part = { .lo = 1, .hi = n, .has_lo = true, .has_hi = true };
        struct rec_job_spec spec = scene_spec();

        spec.queue = queue;
        spec.n_queue = strlen(queue);
        spec.array = &part;
        spec.n_array = 1;
        return scene_submit(s, who, &spec);
}

static void two_people_three_to_one_share_the_starts_so(void)
{
        struct scene *s = scene_new();
        size_t at = 0;
        uint64_t alice = scene_array(s, ALICE, 400), bob, a, b;

        bob = scene_array(s, BOB, 400);
        set_weight(s, "alice", 3);
        scene_ready(s, 0, 1, 1);
        serve(s, &at, 200, alice, bob, &a, &b);
        CU_ASSERT_TRUE(a + b >= 200);
        CU_ASSERT_TRUE(a * 100 >= 70 * (a + b) && a * 100 <= 80 * (a + b));
        scene_free(s);
}

/* The weight is the person's: it does not matter whether jobs of theirs are there when it is set. */
static void a_weight_holds_for_jobs_that_come_later(void)
{
        struct scene *s = scene_new();
        size_t at = 0;
        uint64_t alice, bob, a, b;

        set_weight(s, "alice", 3);
        alice = scene_array(s, ALICE, 400);
        bob = scene_array(s, BOB, 400);
        scene_ready(s, 0, 1, 1);
        serve(s, &at, 200, alice, bob, &a, &b);
        CU_ASSERT_TRUE(a * 100 >= 70 * (a + b) && a * 100 <= 80 * (a + b));
        scene_free(s);
}

static void thousands_of_one_do_not_delay_ten_of_another(void)
{
        struct scene *s = scene_new();
        size_t at = 0;
        uint64_t alice = scene_array(s, ALICE, 3000), bob, a, b;

        scene_ready(s, 0, 1, 1);
        serve(s, &at, 30, alice, 0, &a, &b);
        bob = scene_array(s, BOB, 10);
        serve(s, &at, 30, alice, bob, &a, &b);
        CU_ASSERT_EQUAL(scene_job_status(s, bob), TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

static void queues_of_one_person_share_by_their_weights(void)
{
        struct scene *s = scene_new();
        struct msg msg = { .kind = MSG_queue_set };
        size_t at = 0;
        uint64_t heavy = in_queue(s, ALICE, "heavy", 300), light = in_queue(s, ALICE, "light", 300), a, b;

        msg.u.queue_set.queue = "heavy";
        msg.u.queue_set.n_queue = 5;
        msg.u.queue_set.weight = 3;
        msg.u.queue_set.has_weight = true;
        scene_ask(s, OSCAR, &msg);
        scene_ready(s, 0, 1, 1);
        serve(s, &at, 200, heavy, light, &a, &b);
        CU_ASSERT_TRUE(a + b >= 200);
        CU_ASSERT_TRUE(a * 100 >= 70 * (a + b) && a * 100 <= 80 * (a + b));
        scene_free(s);
}

static uint64_t singleton(struct scene *s, uint32_t who, const char *name)
{
        struct rec_job_spec spec = scene_spec();

        spec.name = name;
        spec.n_name = strlen(name);
        spec.singleton = spec.has_singleton = true;
        return scene_submit(s, who, &spec);
}

static void one_singleton_of_a_name_runs_at_a_time_also_after_a_restart(void)
{
        struct scene *s = scene_new();
        uint64_t jobs[5];

        jobs[0] = singleton(s, ALICE, "nightly");
        jobs[1] = singleton(s, ALICE, "nightly");
        jobs[2] = singleton(s, ALICE, "nightly");
        jobs[3] = singleton(s, ALICE, "other");
        jobs[4] = singleton(s, BOB, "nightly");
        CU_ASSERT_EQUAL(scene_job_status(s, jobs[1]), TASK_STATUS_WAITING);
        CU_ASSERT_EQUAL(scene_job_status(s, jobs[3]), TASK_STATUS_QUEUED);
        CU_ASSERT_EQUAL(scene_job_status(s, jobs[4]), TASK_STATUS_QUEUED);
        scene_cancel(s, ALICE, jobs[1], 0, 0); /* one that waits may go */
        CU_ASSERT_EQUAL(scene_job_status(s, jobs[2]), TASK_STATUS_WAITING);
        scene_restart(s);
        CU_ASSERT_EQUAL(scene_job_status(s, jobs[2]), TASK_STATUS_WAITING);
        scene_ready(s, 0, 8, 8);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 3);
        scene_end(s, &s->grants[0], END_STATUS_SUCCEEDED, 0);
        scene_end(s, &s->grants[1], END_STATUS_SUCCEEDED, 0);
        scene_end(s, &s->grants[2], END_STATUS_SUCCEEDED, 0);
        scene_commit(s);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 4);
        CU_ASSERT_EQUAL(s->grants[3].job, jobs[2]);
        scene_end(s, &s->grants[3], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(scene_job_status(s, jobs[2]), TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

/* The older one ends in the very batch that makes the singleton durable. */
static void a_singleton_submitted_as_the_older_one_ends_starts(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        uint64_t job;

        spec.name = "one";
        spec.n_name = 3;
        scene_submit(s, ALICE, &spec);
        scene_ready(s, 0, 1, 1);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 1);
        scene_say_end(s, &s->grants[0], END_STATUS_SUCCEEDED, 0);
        spec.singleton = spec.has_singleton = true;
        job = scene_submit(s, ALICE, &spec);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.waiting, 0);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 2);
        scene_started(s, &s->grants[1]);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_RUNNING);
        scene_free(s);
}

UNIT_MAIN("core_fair", TEST(two_people_three_to_one_share_the_starts_so),
          TEST(thousands_of_one_do_not_delay_ten_of_another), TEST(a_weight_holds_for_jobs_that_come_later),
          TEST(queues_of_one_person_share_by_their_weights),
          TEST(one_singleton_of_a_name_runs_at_a_time_also_after_a_restart),
          TEST(a_singleton_submitted_as_the_older_one_ends_starts))
