/* Changes to some of a job's tasks, chosen by number or by status, and what is written down about them. */
#include "core/job.h"
#include "core_scene.h"

static uint64_t changed(const struct scene *s, uint32_t who)
{
        return scene_answer_kind(s, who) == MSG_changed ? s->last[who]->u.changed.count : UINT64_MAX;
}

static void cancel_status(struct scene *s, uint64_t job, const char *status, bool dry_run)
{
        struct msg msg = { .kind = MSG_cancel };

        msg.u.cancel.job = job;
        msg.u.cancel.statuses = &status;
        msg.u.cancel.n_statuses = 1;
        msg.u.cancel.dry_run = dry_run;
        msg.u.cancel.reason = "enough";
        msg.u.cancel.n_reason = 6;
        scene_ask(s, ALICE, &msg);
}

static void cancelling_what_is_queued_leaves_what_runs(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 10);

        scene_ready(s, 0, 2, 2);
        scene_started(s, &s->grants[0]);
        cancel_status(s, job, "queued", true);
        CU_ASSERT_EQUAL(changed(s, ALICE), 8);
        cancel_status(s, job, "queued", false);
        CU_ASSERT_EQUAL(changed(s, ALICE), 8);
        CU_ASSERT_EQUAL(s->n_stops, 0);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_RUNNING);
        CU_ASSERT_EQUAL(scene_status(s, job, 10), TASK_STATUS_CANCELLED);
        CU_ASSERT_STRING_EQUAL(s->last_detail, "queued: enough");
        cancel_status(s, job, "held", false);
        CU_ASSERT_EQUAL(changed(s, ALICE), 0);
        scene_free(s);
}

static void cancelling_what_runs_leaves_what_is_queued(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 10);

        scene_ready(s, 0, 2, 2);
        scene_started(s, &s->grants[0]);
        cancel_status(s, job, "running", false);
        CU_ASSERT_EQUAL(changed(s, ALICE), 2);
        CU_ASSERT_EQUAL(s->n_stops, 1);
        CU_ASSERT_EQUAL(scene_status(s, job, 10), TASK_STATUS_QUEUED);
        scene_free(s);
}

/* What a worker may come back with is chosen by what its row says. */
static void after_a_restart_the_choice_is_the_same(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 3);

        scene_ready(s, 0, 2, 2);
        scene_started(s, &s->grants[0]);
        scene_restart(s);
        cancel_status(s, job, "queued", true);
        CU_ASSERT_EQUAL(changed(s, ALICE), 1);
        cancel_status(s, job, "running", true);
        CU_ASSERT_EQUAL(changed(s, ALICE), 2);
        cancel_status(s, job, "queued", false);
        CU_ASSERT_EQUAL(changed(s, ALICE), 1);
        scene_pass_ms(s, SCENE_LEASE_MS + 1000); /* then it is known that nobody runs it */
        CU_ASSERT_EQUAL(scene_status(s, job, 3), TASK_STATUS_CANCELLED);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_QUEUED);
        scene_free(s);
}

static void a_word_that_is_no_status_is_refused(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 3);

        cancel_status(s, job, "sleeping", false);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_BAD_FIELD);
        scene_free(s);
}

static void an_event_names_the_tasks_that_were_meant(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 10);

        scene_cancel(s, ALICE, job, 4, 4);
        CU_ASSERT_EQUAL(s->last_event_index, 4);
        CU_ASSERT_STRING_EQUAL(s->last_detail, "");
        scene_cancel(s, ALICE, job, 6, 9);
        CU_ASSERT_EQUAL(s->last_event_index, 0);
        CU_ASSERT_STRING_EQUAL(s->last_detail, "tasks 6-9");
        scene_free(s);
}

static void a_new_limit_is_told_to_who_runs_the_tasks_also_when_he_comes_back(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 4);
        struct msg msg = { .kind = MSG_set };

        scene_ready(s, 0, 2, 2);
        scene_started(s, &s->grants[0]);
        msg.u.set.job = job;
        msg.u.set.time_ms = 5000;
        msg.u.set.has_time_ms = true;
        msg.u.set.reason = "slow disk";
        msg.u.set.n_reason = 9;
        msg.u.set.dry_run = true;
        scene_ask(s, ALICE, &msg);
        CU_ASSERT_EQUAL(s->n_limits, 0);
        msg.u.set.dry_run = false;
        scene_ask(s, ALICE, &msg);
        CU_ASSERT_EQUAL(changed(s, ALICE), 4);
        CU_ASSERT_EQUAL(s->n_limits, 1);
        CU_ASSERT_EQUAL(s->limit_ms, 5000);
        CU_ASSERT_STRING_EQUAL(s->last_detail, "time=5s: slow disk");
        scene_ready_holding(s, 0, 2, 2, s->grants, 1, true);
        CU_ASSERT_EQUAL(s->n_limits, 2);
        scene_free(s);
}

static void retries_count_for_what_runs_too_and_stay_over_a_restart(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 2);
        struct msg msg = { .kind = MSG_set };

        scene_ready(s, 0, 2, 2);
        scene_started(s, &s->grants[0]);
        msg.u.set.job = job;
        msg.u.set.retries = 1;
        msg.u.set.has_retries = true;
        scene_ask(s, ALICE, &msg);
        CU_ASSERT_STRING_EQUAL(s->last_detail, "retries=1");
        s->grants[0].hi = s->grants[0].lo;
        scene_end(s, &s->grants[0], END_STATUS_FAILED, 1);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.failed, 0);
        scene_restart(s);
        CU_ASSERT_EQUAL(job_find(s->core, job)->spec->spec.retries, 1);
        scene_free(s);
}

UNIT_MAIN("core_change", TEST(retries_count_for_what_runs_too_and_stay_over_a_restart),
          TEST(cancelling_what_is_queued_leaves_what_runs), TEST(cancelling_what_runs_leaves_what_is_queued),
          TEST(after_a_restart_the_choice_is_the_same), TEST(a_word_that_is_no_status_is_refused),
          TEST(an_event_names_the_tasks_that_were_meant),
          TEST(a_new_limit_is_told_to_who_runs_the_tasks_also_when_he_comes_back))
