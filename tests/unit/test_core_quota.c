/* What a person may have at once. */
#include "core/state.h"
#include "core_scene.h"

static void set_quota(struct scene *s, const char *name, uint64_t jobs, uint64_t tasks, uint64_t running)
{
        struct msg msg = { .kind = MSG_quota_set };

        msg.u.quota_set = (struct msg_quota_set){ .name = name,
                                                  .n_name = strlen(name),
                                                  .max_jobs = jobs,
                                                  .has_max_jobs = true,
                                                  .max_tasks = tasks,
                                                  .has_max_tasks = true,
                                                  .max_running = running,
                                                  .has_max_running = true };
        scene_ask(s, 4, &msg);
        CU_ASSERT_EQUAL(scene_answer_kind(s, 4), MSG_changed);
}

static uint64_t granted(const struct scene *s, uint64_t job)
{
        uint64_t n = 0;

        for (size_t i = 0; i < s->n_grants; i++)
                if (s->grants[i].job == job)
                        n += s->grants[i].hi - s->grants[i].lo + 1;
        return n;
}

static void no_more_tasks_are_granted_than_may_be(void)
{
        struct scene *s = scene_new();
        uint64_t a, b, c;

        set_quota(s, "alice", 0, 0, 3);
        a = scene_array(s, ALICE, 10);
        b = scene_array(s, ALICE, 10); /* of another job, the same person */
        scene_ready(s, 0, 8, 8);
        CU_ASSERT_EQUAL(granted(s, a), 3);
        CU_ASSERT_EQUAL(granted(s, b), 0);
        c = scene_array(s, BOB, 5);
        CU_ASSERT_EQUAL(granted(s, c), 5); /* who is not limited has the rest */
        scene_end(s, &s->grants[0], END_STATUS_SUCCEEDED, 0);
        scene_beat(s, 0, 8);
        CU_ASSERT_EQUAL(granted(s, a), 3 + (s->grants[0].hi - s->grants[0].lo + 1));
        scene_free(s);
}

static void a_limit_that_is_lifted_lets_the_others_go(void)
{
        struct scene *s = scene_new();
        uint64_t job;

        set_quota(s, "alice", 0, 0, 1);
        job = scene_array(s, ALICE, 6);
        scene_ready(s, 0, 8, 8);
        CU_ASSERT_EQUAL(granted(s, job), 1);
        set_quota(s, "alice", 0, 0, 4);
        CU_ASSERT_EQUAL(granted(s, job), 4);
        set_quota(s, "alice", 0, 0, 2); /* what is out stays out */
        CU_ASSERT_EQUAL(granted(s, job), 4);
        set_quota(s, "alice", 0, 0, 0);
        CU_ASSERT_EQUAL(granted(s, job), 6);
        scene_free(s);
}

static void a_submission_beyond_it_is_sent_away(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        uint64_t first;

        set_quota(s, "alice", 2, 20, 0);
        first = scene_submit_key(s, ALICE, "one", &spec);
        CU_ASSERT_NOT_EQUAL(first, 0);
        scene_array(s, ALICE, 21);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_TOO_LARGE);
        scene_array(s, ALICE, 20);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_RETRY_LATER);
        scene_array(s, ALICE, 19);
        CU_ASSERT_EQUAL(scene_answer_kind(s, ALICE), MSG_submitted);
        scene_submit(s, ALICE, &spec);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_RETRY_LATER);
        CU_ASSERT_EQUAL(scene_submit_key(s, ALICE, "one", &spec), first); /* a resend is no new job */
        scene_cancel(s, ALICE, first, 1, 1);
        scene_submit(s, ALICE, &spec);
        CU_ASSERT_EQUAL(scene_answer_kind(s, ALICE), MSG_submitted);
        scene_free(s);
}

static void only_who_may_set_it_does(void)
{
        struct scene *s = scene_new();
        struct msg msg = { .kind = MSG_quota_set };

        msg.u.quota_set =
                (struct msg_quota_set){ .name = "bob", .n_name = 3, .max_jobs = 1, .has_max_jobs = true };
        scene_ask(s, ALICE, &msg);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_FORBIDDEN);
        msg.u.quota_set.name = "nobody";
        msg.u.quota_set.n_name = 6;
        scene_ask(s, 4, &msg);
        CU_ASSERT_EQUAL(scene_refusal(s, 4), ERR_NOT_FOUND);
        scene_free(s);
}

/* An owner is forgotten with his last unfinished job; what he was given is not. */
static void it_and_a_weight_outlive_his_jobs(void)
{
        struct scene *s = scene_new();
        struct msg set = { .kind = MSG_user_set };
        uint64_t job;

        set.u.user_set =
                (struct msg_user_set){ .name = "alice", .n_name = 5, .weight = 7, .has_weight = true };
        scene_ask(s, 4, &set);
        set_quota(s, "alice", 0, 0, 2);
        job = scene_array(s, ALICE, 4);
        CU_ASSERT_EQUAL(s->core->owners->weight, 7);
        scene_cancel(s, ALICE, job, 1, 4);
        CU_ASSERT_PTR_NULL(s->core->owners);
        job = scene_array(s, ALICE, 4);
        CU_ASSERT_EQUAL(s->core->owners->weight, 7);
        scene_ready(s, 0, 8, 8);
        CU_ASSERT_EQUAL(granted(s, job), 2);
        scene_free(s);
}

UNIT_MAIN("core_quota", TEST(no_more_tasks_are_granted_than_may_be),
          TEST(a_limit_that_is_lifted_lets_the_others_go), TEST(a_submission_beyond_it_is_sent_away),
          TEST(only_who_may_set_it_does), TEST(it_and_a_weight_outlive_his_jobs))
