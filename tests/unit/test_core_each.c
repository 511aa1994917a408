/* Elements that wait for the elements of another job. */
#include "core/each.h"
#include "core/job.h"
#include "core_scene.h"

static uint64_t submit(struct scene *s, uint64_t lo, uint64_t hi, const struct rec_after *after,
                       size_t n_after)
{
        struct rec_array_part part = { .lo = lo, .hi = hi, .has_lo = true, .has_hi = true };
        struct rec_job_spec spec = scene_spec();

        spec.array = &part;
        spec.n_array = 1;
        spec.after = (struct rec_after *)(uintptr_t)after;
        spec.n_after = n_after;
        return scene_submit(s, ALICE, &spec);
}

static uint64_t each_of(struct scene *s, uint64_t on, uint64_t lo, uint64_t hi)
{
        struct rec_after after = { .when = AFTER_WHEN_EACH, .job = on };

        return submit(s, lo, hi, &after, 1);
}

/* The reader threads answer the newest question for the ends of this job. */
static void read_ends(struct scene *s, uint64_t job)
{
        uint32_t generation = 0;

        for (size_t i = 0; i < s->n_loads; i++) {
                if (s->loads[i].n == job && !s->load_is_round[i])
                        generation = s->load_chunk[i];
        }
        CU_ASSERT_FATAL(generation > 0);
        scene_read(s, job, true, generation);
}

static const struct scene_grant *grant_of(const struct scene *s, uint64_t job, uint64_t index)
{
        for (size_t i = s->n_grants; i-- > 0;) {
                if (s->grants[i].job == job && s->grants[i].lo <= index && s->grants[i].hi >= index)
                        return &s->grants[i];
        }
        return NULL;
}

static void end(struct scene *s, uint64_t job, uint64_t index, bool ok)
{
        const struct scene_grant *found = grant_of(s, job, index);
        struct scene_grant grant;

        CU_ASSERT_FATAL(found != NULL);
        grant = *found;
        grant.lo = grant.hi = index;
        scene_end(s, &grant, ok ? END_STATUS_SUCCEEDED : END_STATUS_FAILED, ok ? 0 : 3);
        scene_pass_ms(s, 1);
}

static void each_element_waits_for_its_own(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 3);
        uint64_t second = each_of(s, first, 2, 5);

        CU_ASSERT_EQUAL(scene_job(s, second)->state.waiting, 4);
        read_ends(s, first);
        CU_ASSERT_EQUAL(scene_job(s, second)->state.waiting, 2); /* 4 and 5 have nobody to wait for */
        scene_ready(s, 0, 16, 16);
        CU_ASSERT_PTR_NOT_NULL(grant_of(s, second, 4));
        CU_ASSERT_PTR_NOT_NULL(grant_of(s, second, 5));
        CU_ASSERT_PTR_NULL(grant_of(s, second, 2));
        end(s, first, 3, true);
        scene_beat(s, 0, 16); /* granted when its row says queued */
        CU_ASSERT_PTR_NOT_NULL(grant_of(s, second, 3));
        CU_ASSERT_PTR_NULL(grant_of(s, second, 2));
        end(s, first, 2, false);
        CU_ASSERT_EQUAL(scene_status(s, second, 2), TASK_STATUS_ABORTED);
        CU_ASSERT_EQUAL(scene_row(s, second, 2)->now.reason, TASK_REASON_DEPENDENCY);
        for (uint64_t i = 3; i <= 5; i++)
                end(s, second, i, true);
        CU_ASSERT_EQUAL(scene_job_status(s, second), TASK_STATUS_ABORTED);
        scene_free(s);
}

static void what_ended_before_the_submission_counts(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 3);
        uint64_t second;

        scene_ready(s, 0, 16, 16);
        end(s, first, 1, true);
        end(s, first, 2, false);
        second = each_of(s, first, 1, 3); /* the other job runs */
        CU_ASSERT_EQUAL(scene_job(s, second)->state.waiting, 3);
        read_ends(s, first);
        CU_ASSERT_PTR_NOT_NULL(grant_of(s, second, 1));
        CU_ASSERT_EQUAL(scene_status(s, second, 2), TASK_STATUS_ABORTED);
        CU_ASSERT_EQUAL(scene_status(s, second, 3), TASK_STATUS_WAITING);
        end(s, first, 3, true);
        end(s, second, 3, true);
        second = each_of(s, first, 1, 3); /* it has left memory */
        read_ends(s, first);
        CU_ASSERT_EQUAL(scene_status(s, second, 2), TASK_STATUS_ABORTED);
        CU_ASSERT_PTR_NOT_NULL(grant_of(s, second, 3));
        scene_free(s);
}

static void a_read_that_fails_is_made_again(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 1);
        uint64_t second = each_of(s, first, 1, 2);
        struct job_round round = { .job.n = first, .ends = true, .failed = true };
        struct event event = { .kind = EVENT_ROUND, .u.round = &round };
        size_t n = s->n_loads;

        round.generation = s->load_chunk[n - 1];
        scene_step(s, &event);
        scene_pass_ms(s, 250);
        CU_ASSERT_EQUAL(s->n_loads, n + 1);
        read_ends(s, first);
        CU_ASSERT_EQUAL(scene_job(s, second)->state.waiting, 1);
        scene_free(s);
}

static void with_on_dep_fail_run_it_runs(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 1);
        struct rec_after after = { .when = AFTER_WHEN_EACH, .job = first };
        struct rec_job_spec spec = scene_spec();
        uint64_t second;

        spec.after = &after;
        spec.n_after = 1;
        spec.on_dep_fail_run = spec.has_on_dep_fail_run = true;
        second = scene_submit(s, ALICE, &spec); /* no array: its index is 1 */
        read_ends(s, first);
        scene_ready(s, 0, 4, 4);
        CU_ASSERT_PTR_NULL(grant_of(s, second, 1));
        end(s, first, 1, false);
        end(s, second, 1, true);
        CU_ASSERT_EQUAL(scene_job_status(s, second), TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

static void a_restart_finds_again_what_has_ended(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 4);
        uint64_t second = each_of(s, first, 1, 4);

        read_ends(s, first);
        scene_ready(s, 0, 4, 4);
        end(s, first, 1, true);
        end(s, first, 2, false);
        scene_restart(s);
        CU_ASSERT_EQUAL(scene_status(s, second, 2), TASK_STATUS_ABORTED);
        CU_ASSERT_EQUAL(scene_status(s, second, 3), TASK_STATUS_WAITING);
        s->n_grants = 0;
        s->n_loads = MIN(s->n_loads, ARRAY_LEN(s->loads));
        read_ends(s, first);
        CU_ASSERT_EQUAL(scene_job(s, second)->state.waiting, 2);
        scene_pass_ms(s, 60000); /* nobody comes back with anything */
        scene_ready(s, 0, 8, 8);
        CU_ASSERT_PTR_NOT_NULL(grant_of(s, second, 1));
        CU_ASSERT_PTR_NULL(grant_of(s, second, 3));
        end(s, first, 3, true);
        CU_ASSERT_PTR_NOT_NULL(grant_of(s, second, 3));
        scene_free(s);
}

static void two_such_dependencies_must_both_be_met(void)
{
        struct scene *s = scene_new();
        uint64_t one = scene_array(s, ALICE, 2);
        uint64_t two = scene_array(s, ALICE, 2);
        struct rec_after after[] = { { .when = AFTER_WHEN_EACH, .job = one },
                                     { .when = AFTER_WHEN_EACH, .job = two } };
        uint64_t both = submit(s, 1, 2, after, 2);

        read_ends(s, one);
        read_ends(s, two);
        scene_ready(s, 0, 8, 8);
        end(s, one, 1, true);
        CU_ASSERT_PTR_NULL(grant_of(s, both, 1));
        end(s, two, 1, true);
        CU_ASSERT_PTR_NOT_NULL(grant_of(s, both, 1));
        end(s, two, 2, false);
        CU_ASSERT_EQUAL(scene_status(s, both, 2), TASK_STATUS_ABORTED);
        scene_free(s);
}

static void a_retry_of_the_other_brings_the_element_back(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 2);
        uint64_t second = each_of(s, first, 1, 2);
        struct msg msg = { .kind = MSG_retry };

        read_ends(s, first);
        scene_ready(s, 0, 8, 8);
        end(s, first, 1, true);
        end(s, first, 2, false);
        end(s, second, 1, true);
        CU_ASSERT_EQUAL(scene_job_status(s, second), TASK_STATUS_ABORTED);
        msg.u.retry.job = first;
        msg.u.retry.has_job = true;
        scene_ask(s, ALICE, &msg);
        scene_read_round(s, first);
        scene_read_round(s, second);
        s->n_loads = MIN(s->n_loads, ARRAY_LEN(s->loads));
        CU_ASSERT_EQUAL(scene_status(s, second, 2), TASK_STATUS_WAITING);
        scene_beat(s, 0, 8);
        end(s, first, 2, true);
        scene_beat(s, 0, 8);
        CU_ASSERT_EQUAL(scene_job(s, second)->state.waiting, 0);
        CU_ASSERT_EQUAL(scene_status(s, second, 2), TASK_STATUS_QUEUED);
        scene_free(s);
}

static void a_million_elements_are_a_few_spans(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 1000000);
        uint64_t second = each_of(s, first, 1, 1000000);
        struct replay_tasks tasks[] = { { .indexes = { 7, 7 }, .status = TASK_STATUS_FAILED },
                                        { .indexes = { 500001, 900000 }, .status = TASK_STATUS_QUEUED } };
        struct job_round round = { .job.n = first, .ends = true, .found = true, .tasks = tasks };
        struct event event = { .kind = EVENT_ROUND, .u.round = &round };
        const struct job *job = job_find(s->core, second);

        CU_ASSERT_EQUAL(job->parked.count, 1000000);
        CU_ASSERT_EQUAL(job->parked.n - job->parked.head, 1);
        round.n_tasks = ARRAY_LEN(tasks);
        round.generation = s->load_chunk[s->n_loads - 1];
        round.replay.job = *scene_job(s, first);
        round.replay.job.spec = job_spec_dup(&scene_job(s, first)->spec->spec);
        round.replay.job.state.mark = round.replay.job.state.materialised = 900000;
        scene_step(s, &event);
        job_spec_free(round.replay.job.spec);
        CU_ASSERT_EQUAL(job->parked.count, 500000);
        CU_ASSERT_EQUAL(job->parked.n - job->parked.head, 1);
        CU_ASSERT_EQUAL(each_missing(job, 6), 0);
        CU_ASSERT_EQUAL(each_missing(job, 499999), 0);
        CU_ASSERT_EQUAL(each_missing(job, 500000), first);
        CU_ASSERT_EQUAL(each_missing(job, 999999), first);
        CU_ASSERT_TRUE(job->ripe.n - job->ripe.head <= 3);
        scene_free(s);
}

/* 1-1999999:2 and the same by fours: what is read of a million elements stays a run. */
static void so_are_a_million_of_a_step(void)
{
        struct scene *s = scene_new();
        struct rec_array_part part = { .lo = 1, .hi = 1999999, .step = 2, .has_lo = true, .has_hi = true };
        struct rec_job_spec spec = scene_spec();
        struct replay_tasks tasks[] = { { .indexes = { 1001, 1999999 }, .status = TASK_STATUS_QUEUED } };
        struct job_round round = { .ends = true, .found = true, .tasks = tasks, .n_tasks = 1 };
        struct event event = { .kind = EVENT_ROUND, .u.round = &round };
        struct rec_after after = { .when = AFTER_WHEN_EACH };
        const struct job *job;
        uint64_t first;

        part.has_step = true;
        spec.array = &part;
        spec.n_array = 1;
        first = scene_submit(s, ALICE, &spec);
        after.job = first;
        part.step = 4;
        spec.after = &after;
        spec.n_after = 1;
        job = job_find(s->core, scene_submit(s, ALICE, &spec));
        CU_ASSERT_EQUAL(job->parked.count, 500000);
        round.job.n = first;
        round.generation = s->load_chunk[s->n_loads - 1];
        round.replay.job = *scene_job(s, first);
        round.replay.job.spec = job_spec_dup(&scene_job(s, first)->spec->spec);
        round.replay.job.state.mark = round.replay.job.state.materialised = 1000000;
        scene_step(s, &event);
        job_spec_free(round.replay.job.spec);
        CU_ASSERT_EQUAL(job->parked.count, 499750);
        CU_ASSERT_EQUAL(job->parked.n - job->parked.head, 1);
        CU_ASSERT_EQUAL(each_missing(job, 249), 0);
        CU_ASSERT_EQUAL(each_missing(job, 250), first);
        scene_free(s);
}

static void retry(struct scene *s, uint64_t job)
{
        struct msg msg = { .kind = MSG_retry };

        msg.u.retry.job = job;
        scene_ask(s, ALICE, &msg);
}

/* 3 of the first is left, so that both jobs live when 2 is retried. */
static void an_element_comes_back_while_its_job_goes_on(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 3);
        uint64_t second = each_of(s, first, 1, 3);

        read_ends(s, first);
        scene_ready(s, 0, 8, 8);
        end(s, first, 1, true);
        end(s, first, 2, false);
        CU_ASSERT_EQUAL(scene_status(s, second, 2), TASK_STATUS_ABORTED);
        CU_ASSERT_EQUAL(s->n_aborted, 1);
        retry(s, first);
        scene_read_round(s, first);
        CU_ASSERT_EQUAL_FATAL(s->loads[s->n_loads - 1].n, second);
        CU_ASSERT_TRUE(s->load_is_round[s->n_loads - 1]);
        scene_read_round(s, second);
        CU_ASSERT_EQUAL(scene_status(s, second, 2), TASK_STATUS_WAITING);
        CU_ASSERT_EQUAL(s->n_aborted, 0);
        read_ends(s, first);
        end(s, first, 2, false); /* again: the store must hear of it again */
        CU_ASSERT_EQUAL(scene_status(s, second, 2), TASK_STATUS_ABORTED);
        CU_ASSERT_EQUAL(s->n_aborted, 1);
        scene_free(s);
}

/* An element ends between the reading of its job and the answer: its row in Aborted must not be lost. */
static void what_is_aborted_meanwhile_comes_back_too(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 4);
        uint64_t second = each_of(s, first, 1, 4);
        struct replay_tasks one = { .indexes = { 2, 2 },
                                    .status = TASK_STATUS_ABORTED,
                                    .reason = TASK_REASON_DEPENDENCY };
        struct job_round round = { .job.n = second, .found = true, .tasks = &one, .n_tasks = 1 };
        struct event event = { .kind = EVENT_ROUND, .u.round = &round };

        read_ends(s, first);
        scene_ready(s, 0, 8, 8);
        end(s, first, 2, false);
        retry(s, first);
        scene_read_round(s, first);
        round.replay.job = *scene_job(s, second);
        round.replay.job.spec = job_spec_dup(&scene_job(s, second)->spec->spec);
        end(s, first, 3, false);
        CU_ASSERT_EQUAL(scene_status(s, second, 3), TASK_STATUS_ABORTED);
        scene_step(s, &event);
        scene_commit(s);
        job_spec_free(round.replay.job.spec);
        CU_ASSERT_EQUAL(scene_status(s, second, 2), TASK_STATUS_ABORTED);
        CU_ASSERT_EQUAL(s->n_aborted, 1);
        scene_pass_ms(s, 300);
        scene_read_round(s, second);
        CU_ASSERT_EQUAL(scene_status(s, second, 2), TASK_STATUS_WAITING);
        CU_ASSERT_EQUAL(scene_status(s, second, 3), TASK_STATUS_WAITING);
        scene_free(s);
}

/* A question that is answered between the start of the other's new round and its commit tells of the round before. */
static void an_answer_of_before_a_round_is_dropped(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 2);
        uint64_t second;
        struct job_round round = { .job.n = first, .found = true };
        struct replay_tasks failed = { .indexes = { 1, 1 }, .status = TASK_STATUS_FAILED };
        struct event event = { .kind = EVENT_ROUND, .u.round = &round };
        struct msg msg = { .kind = MSG_retry };

        scene_ready(s, 0, 8, 8);
        end(s, first, 1, false);
        second = each_of(s, first, 1, 2);
        msg.u.retry.job = first;
        scene_ask(s, ALICE, &msg);
        round.tasks = &failed;
        round.n_tasks = 1;
        round.replay.job = *scene_job(s, first);
        round.replay.job.spec = job_spec_dup(&scene_job(s, first)->spec->spec);
        scene_step(s, &event); /* the round has begun */
        round.ends = true;
        for (uint32_t k = 0; k < 10; k++) {
                round.generation = k;
                scene_step(s, &event);
        }
        CU_ASSERT_EQUAL(scene_status(s, second, 1), TASK_STATUS_WAITING);
        scene_commit(s);
        job_spec_free(round.replay.job.spec);
        read_ends(s, first);
        CU_ASSERT_EQUAL(scene_status(s, second, 1), TASK_STATUS_WAITING);
        scene_free(s);
}

/* The readers see a commit before the core does: the end that it tells of then is of the round before. */
static void an_end_that_is_told_after_its_retry_aborts_nobody(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 2);
        uint64_t second = each_of(s, first, 1, 2);
        struct msg msg = { .kind = MSG_retry };
        struct scene_flight flight;
        struct scene_grant one;

        read_ends(s, first);
        scene_ready(s, 0, 8, 8);
        one = *grant_of(s, first, 1);
        one.hi = 1;
        scene_say_end(s, &one, END_STATUS_FAILED, 3);
        flight = scene_take_off(s);
        msg.u.retry.job = first;
        scene_say(s, ALICE, ALICE, &msg);
        scene_say_read(s, first, false, 0);
        scene_land(s, &flight);
        scene_commit(s);
        CU_ASSERT_EQUAL(scene_status(s, second, 1), TASK_STATUS_WAITING);
        read_ends(s, first);
        scene_beat(s, 0, 8);
        end(s, first, 1, true);
        scene_beat(s, 0, 8);
        CU_ASSERT_PTR_NOT_NULL(grant_of(s, second, 1));
        scene_free(s);
}

static const char *why(struct scene *s, uint64_t job, uint64_t index)
{
        struct msg msg = { .kind = MSG_why };

        msg.u.why.job = job;
        msg.u.why.index = index;
        msg.u.why.has_index = index > 0;
        scene_ask(s, ALICE, &msg);
        return s->last[ALICE]->u.rows.rows;
}

static void why_names_the_element_that_is_missing(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 3);
        uint64_t second = each_of(s, first, 1, 3);
        char text[128];

        CU_ASSERT_PTR_NOT_NULL(strstr(why(s, second, 2), "what has ended of job 1 is being read"));
        read_ends(s, first);
        scene_ready(s, 0, 1, 1);
        end(s, first, 1, true);
        snprintf(text, sizeof(text), "task %llu.2 has not ended (1 of 3 tasks of that job have)",
                 (unsigned long long)first);
        CU_ASSERT_PTR_NOT_NULL(strstr(why(s, second, 2), text));
        snprintf(text, sizeof(text), "2 tasks wait for their own of job %llu (1 of 3 tasks of that job have)",
                 (unsigned long long)first);
        CU_ASSERT_PTR_NOT_NULL(strstr(why(s, second, 0), text));
        scene_free(s);
}

UNIT_MAIN("core_each", TEST(each_element_waits_for_its_own), TEST(what_ended_before_the_submission_counts),
          TEST(a_read_that_fails_is_made_again), TEST(with_on_dep_fail_run_it_runs),
          TEST(a_restart_finds_again_what_has_ended), TEST(two_such_dependencies_must_both_be_met),
          TEST(a_retry_of_the_other_brings_the_element_back), TEST(a_million_elements_are_a_few_spans),
          TEST(so_are_a_million_of_a_step), TEST(an_element_comes_back_while_its_job_goes_on),
          TEST(what_is_aborted_meanwhile_comes_back_too), TEST(an_answer_of_before_a_round_is_dropped),
          TEST(an_end_that_is_told_after_its_retry_aborts_nobody),
          TEST(why_names_the_element_that_is_missing))
