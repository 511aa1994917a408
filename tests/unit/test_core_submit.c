/* Submission: ids, idempotency, uploads, limits, what is refused. */
#include "core_scene.h"

static void an_id_is_told_only_when_the_job_is_durable(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        struct rec_new_job job = { .key = "k", .n_key = 1, .spec = &spec };
        struct msg msg = { .kind = MSG_submit };

        msg.u.submit.jobs = &job;
        msg.u.submit.n_jobs = 1;
        scene_say(s, ALICE, ALICE, &msg);
        CU_ASSERT_EQUAL(s->n_said[ALICE], 0);
        scene_commit(s);
        CU_ASSERT_EQUAL(scene_answer_kind(s, ALICE), MSG_submitted);
        CU_ASSERT_EQUAL(s->n_jobs, 1);
        CU_ASSERT_STRING_EQUAL(s->last_event, "submit");
        CU_ASSERT_EQUAL(scene_status(s, 1, 1), TASK_STATUS_QUEUED);
        scene_free(s);
}

static void the_same_key_gives_the_same_job_also_when_that_is_over(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        uint64_t job = scene_submit_key(s, ALICE, "key", &spec);

        CU_ASSERT_EQUAL(scene_submit_key(s, ALICE, "key", &spec), job);
        CU_ASSERT_TRUE(s->last[ALICE]->u.submitted.jobs[0].existing);
        scene_cancel(s, ALICE, job, 0, 0);
        CU_ASSERT_EQUAL(core_numbers(s->core).jobs_unfinished, 0);
        CU_ASSERT_EQUAL(scene_submit_key(s, ALICE, "key", &spec), job);
        CU_ASSERT_EQUAL(s->n_jobs, 1);
        scene_free(s);
}

static void the_same_key_with_another_description_is_a_conflict(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        uint64_t job = scene_submit_key(s, ALICE, "key", &spec);

        spec.priority = 5;
        spec.has_priority = true;
        CU_ASSERT_EQUAL(scene_submit_key(s, ALICE, "key", &spec), 0);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_CONFLICT);
        scene_cancel(s, ALICE, job, 0, 0);
        CU_ASSERT_EQUAL(scene_submit_key(s, ALICE, "key", &spec), 0);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_CONFLICT);
        scene_free(s);
}

/* The key of a finished job: the jobs that were made in the hope that it is free vanish, all of them. */
static void a_message_with_one_key_that_is_taken_is_decided_anew(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec(), other = scene_spec();
        struct rec_new_job jobs[2] = { { .key = "new", .n_key = 3, .spec = &spec },
                                       { .key = "old", .n_key = 3, .spec = &spec } };
        struct msg msg = { .kind = MSG_submit };
        uint64_t old = scene_submit_key(s, ALICE, "old", &spec);

        scene_cancel(s, ALICE, old, 0, 0);
        msg.u.submit.jobs = jobs;
        msg.u.submit.n_jobs = 2;
        scene_ask(s, ALICE, &msg);
        CU_ASSERT_EQUAL_FATAL(scene_answer_kind(s, ALICE), MSG_submitted);
        CU_ASSERT_FALSE(s->last[ALICE]->u.submitted.jobs[0].existing);
        CU_ASSERT_TRUE(s->last[ALICE]->u.submitted.jobs[1].existing);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.submitted.jobs[1].job, old);
        CU_ASSERT_EQUAL(s->n_jobs, 2);
        CU_ASSERT_EQUAL(core_numbers(s->core).jobs_unfinished, 1);
        other.priority = 5;
        other.has_priority = true;
        jobs[0].key = "neu";
        jobs[1].spec = &other;
        scene_ask(s, ALICE, &msg);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_CONFLICT);
        CU_ASSERT_EQUAL(s->n_jobs, 2);
        CU_ASSERT_EQUAL(core_numbers(s->core).jobs_unfinished, 1);
        scene_free(s);
}

/* Sent again while the first is still on its way to the store, which knows the key or not. */
static void a_resend_waits_for_the_first_ones_claim(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        struct rec_new_job job = { .key = "old", .n_key = 3, .spec = &spec };
        struct msg msg = { .kind = MSG_submit };
        uint64_t old = scene_submit_key(s, ALICE, "old", &spec);

        scene_cancel(s, ALICE, old, 0, 0);
        msg.u.submit.jobs = &job;
        msg.u.submit.n_jobs = 1;
        scene_say(s, ALICE, ALICE, &msg);
        scene_say(s, ALICE + 50, ALICE, &msg);
        scene_commit(s);
        CU_ASSERT_EQUAL_FATAL(scene_answer_kind(s, ALICE), MSG_submitted);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.submitted.jobs[0].job, old);
        CU_ASSERT_EQUAL(s->last[ALICE + 50]->u.submitted.jobs[0].job, old);
        CU_ASSERT_EQUAL(s->n_jobs, 1);
        job.key = "new";
        scene_say(s, ALICE, ALICE, &msg);
        scene_say(s, ALICE + 50, ALICE, &msg);
        scene_commit(s);
        CU_ASSERT_FALSE(s->last[ALICE]->u.submitted.jobs[0].existing);
        CU_ASSERT_TRUE(s->last[ALICE + 50]->u.submitted.jobs[0].existing);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.submitted.jobs[0].job,
                        s->last[ALICE + 50]->u.submitted.jobs[0].job);
        CU_ASSERT_EQUAL(s->n_jobs, 2);
        scene_free(s);
}

static void keys_of_two_people_never_meet(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();

        CU_ASSERT_NOT_EQUAL(scene_submit_key(s, ALICE, "key", &spec), scene_submit_key(s, BOB, "key", &spec));
        scene_free(s);
}

static void who_may_not_submit_is_told_so_and_it_is_an_event(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();

        CU_ASSERT_EQUAL(scene_submit(s, OSCAR, &spec), 0);
        CU_ASSERT_EQUAL(scene_refusal(s, OSCAR), ERR_FORBIDDEN);
        CU_ASSERT_STRING_EQUAL(s->last_event, "refuse");
        CU_ASSERT_EQUAL(s->n_jobs, 0);
        scene_free(s);
}

static void put(struct scene *s, const char *key, uint64_t no, const char *bytes, size_t n)
{
        struct msg msg = { .kind = MSG_put };

        msg.u.put.key = key;
        msg.u.put.n_key = strlen(key);
        msg.u.put.no = no;
        msg.body = bytes;
        msg.body_bytes = n;
        scene_ask(s, ALICE, &msg);
}

static const char chunk0[] = "\0\0\0\1a\0\0\0\1b";
static const char chunk1[] = "\0\0\0\1c";

static void an_upload_is_acknowledged_chunk_by_chunk_and_lives_with_the_last(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();

        spec.entries = 3;
        spec.entries_per_chunk = 2;
        spec.has_entries = spec.has_entries_per_chunk = true;
        CU_ASSERT_EQUAL(scene_submit_key(s, ALICE, "up", &spec), 0);
        CU_ASSERT_EQUAL_FATAL(scene_answer_kind(s, ALICE), MSG_stored);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.stored.upto, 0);
        put(s, "up", 0, chunk0, 10);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.stored.upto, 1);
        put(s, "up", 0, chunk0, 10); /* sent again */
        CU_ASSERT_EQUAL(s->last[ALICE]->u.stored.upto, 1);
        scene_ready(s, 0, 2, 4);
        CU_ASSERT_EQUAL(s->n_grants, 0);
        put(s, "up", 1, chunk1, 5);
        CU_ASSERT_EQUAL(scene_answer_kind(s, ALICE), MSG_submitted);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 2); /* a grant does not reach over a chunk */
        CU_ASSERT_STRING_EQUAL(s->grants[0].entry, "a");
        CU_ASSERT_STRING_EQUAL(s->grants[1].entry, "c");
        scene_free(s);
}

static void an_upload_for_what_failed_is_aborted_though_a_restart_comes_between(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        struct rec_after after = { .when = AFTER_WHEN_OK, .has_when = true, .has_job = true };

        after.job = scene_array(s, ALICE, 1);
        scene_cancel(s, ALICE, after.job, 0, 0);
        spec.after = &after;
        spec.n_after = 1;
        spec.entries = 3;
        spec.entries_per_chunk = 2;
        spec.has_entries = spec.has_entries_per_chunk = true;
        scene_submit_key(s, ALICE, "up", &spec);
        scene_restart(s);
        put(s, "up", 0, chunk0, 10);
        put(s, "up", 1, chunk1, 5);
        CU_ASSERT_EQUAL_FATAL(scene_answer_kind(s, ALICE), MSG_submitted);
        CU_ASSERT_EQUAL(scene_job_status(s, s->last[ALICE]->u.submitted.jobs[0].job), TASK_STATUS_ABORTED);
        CU_ASSERT_EQUAL(core_numbers(s->core).jobs_unfinished, 0);
        scene_free(s);
}

static void a_chunk_that_is_not_what_was_announced_is_refused(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();

        spec.entries = 3;
        spec.entries_per_chunk = 2;
        spec.has_entries = spec.has_entries_per_chunk = true;
        scene_submit_key(s, ALICE, "up", &spec);
        put(s, "up", 0, chunk1, 5);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_BAD_FIELD);
        put(s, "up", 0, "\0\0\0\1a\0\0\0\1\xff", 10);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_BAD_FIELD);
        put(s, "other", 0, chunk0, 10);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_NOT_FOUND);
        scene_free(s);
}

static void an_upload_that_stops_is_dropped(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();

        spec.entries = 3;
        spec.entries_per_chunk = 2;
        spec.has_entries = spec.has_entries_per_chunk = true;
        scene_submit_key(s, ALICE, "up", &spec);
        scene_pass_ms(s, 61000);
        CU_ASSERT_EQUAL(core_numbers(s->core).jobs_unfinished, 0);
        scene_free(s);
}

static void bad_descriptions_are_refused_and_nothing_is_written(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        const char *env[] = { "JOB_ID=1" };
        struct rec_input input = { .name = "..", .n_name = 2, .sha256 = "", .n_sha256 = 64 };
        char hex[65] = { 0 };

        memset(hex, 'a', 64);
        input.sha256 = hex;
        spec.env = env;
        spec.n_env = 1;
        CU_ASSERT_EQUAL(scene_submit(s, ALICE, &spec), 0);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_BAD_FIELD);
        spec = scene_spec();
        spec.inputs = &input;
        spec.n_inputs = 1;
        CU_ASSERT_EQUAL(scene_submit(s, ALICE, &spec), 0);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_BAD_FIELD);
        spec = scene_spec();
        spec.type = TASK_TYPE_SLEEP;
        CU_ASSERT_EQUAL(scene_submit(s, ALICE, &spec), 0);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_BAD_FIELD);
        CU_ASSERT_EQUAL(scene_array(s, ALICE, 2000000), 0);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_TOO_LARGE);
        CU_ASSERT_EQUAL(s->n_jobs, 0);
        scene_free(s);
}

static void too_many_unfinished_jobs_are_refused_for_now(void)
{
        struct scene *s = scene_new();

        for (int i = 0; i < 20; i++)
                CU_ASSERT_NOT_EQUAL(scene_array(s, ALICE, 1), 0);
        CU_ASSERT_EQUAL(scene_array(s, ALICE, 1), 0);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_RETRY_LATER);
        scene_free(s);
}

static void while_the_database_is_away_submissions_wait_outside(void)
{
        struct scene *s = scene_new();
        struct event event = { .kind = EVENT_DEGRADED, .u.degraded = true };

        scene_step(s, &event);
        CU_ASSERT_EQUAL(scene_array(s, ALICE, 1), 0);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_RETRY_LATER);
        CU_ASSERT_TRUE(s->last[ALICE]->u.refused.retry_after_ms > 0);
        scene_free(s);
}

static void the_answer_counts_workers_that_could_ever_run_it(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();

        scene_ready(s, 0, 2, 2);
        scene_ready(s, 1, 8, 8);
        spec.cpus = 4;
        spec.has_cpus = true;
        scene_submit(s, ALICE, &spec);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.submitted.suitable_workers, 1);
        spec.cpus = 16;
        scene_submit(s, ALICE, &spec);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.submitted.suitable_workers, 0);
        scene_free(s);
}

static void a_large_array_gets_its_rows_in_batches_and_starts_meanwhile(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 50000);

        CU_ASSERT_EQUAL(scene_job(s, job)->state.materialised, 50000);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.queued, 50000);
        CU_ASSERT_TRUE(scene_job(s, job)->state.mark < 50000);
        scene_ready(s, 0, 2, 4);
        CU_ASSERT_EQUAL(s->n_grants, 1);
        scene_free(s);
}

static void batches_of_rows_are_small_while_somebody_submits(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 50000);

        CU_ASSERT_EQUAL(scene_job(s, job)->state.materialised, 50000);
        CU_ASSERT_EQUAL(s->rows_most, 1000);
        s->batch_us = US_PER_S;
        job = scene_array(s, ALICE, 50000);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.materialised, 50000);
        CU_ASSERT_EQUAL(s->rows_most, 5000);
        scene_free(s);
}

/* --- sets --- */
static void load(struct scene *s, const char *set, const char *const *keys, size_t n)
{
        struct rec_job_spec spec = scene_spec();
        struct rec_new_job jobs[4];
        struct msg msg = { .kind = MSG_submit };

        for (size_t i = 0; i < n; i++)
                jobs[i] = (struct rec_new_job){ .key = keys[i], .n_key = strlen(keys[i]), .spec = &spec };
        msg.u.submit =
                (struct msg_submit){ .jobs = jobs, .n_jobs = n, .set = set, .n_set = set ? strlen(set) : 0 };
        scene_ask(s, ALICE, &msg);
}

static void end_set(struct scene *s, const char *set, uint64_t jobs, const char *key)
{
        struct msg msg = { .kind = MSG_submit_set };

        msg.u.submit_set = (struct msg_submit_set){ .set = set,
                                                    .n_set = strlen(set),
                                                    .jobs = jobs,
                                                    .has_jobs = true,
                                                    .key = key,
                                                    .n_key = strlen(key) };
        scene_ask(s, ALICE, &msg);
}

static const char *const abc[] = { "a", "b", "c" };

static void jobs_of_a_set_live_together_with_its_last_message(void)
{
        struct scene *s = scene_new();

        scene_ready(s, 0, 8, 8);
        load(s, "set", abc, 2);
        CU_ASSERT_EQUAL_FATAL(scene_answer_kind(s, ALICE), MSG_loaded);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.loaded.jobs[1].job, 2);
        load(s, "set", abc + 2, 1);
        CU_ASSERT_EQUAL(scene_answer_kind(s, ALICE), MSG_loaded);
        CU_ASSERT_EQUAL(s->n_grants, 0);
        CU_ASSERT_TRUE(scene_job(s, 1)->loading);
        CU_ASSERT_EQUAL(s->n_events, 1); /* the worker's */
        end_set(s, "set", 3, "c");
        CU_ASSERT_EQUAL_FATAL(scene_answer_kind(s, ALICE), MSG_submitted);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.submitted.jobs[0].job, 3);
        CU_ASSERT_EQUAL(s->n_set_jobs, 3);
        CU_ASSERT_EQUAL(s->n_grants, 3);
        end_set(s, "set", 3, "c"); /* sent again */
        CU_ASSERT_EQUAL(scene_answer_kind(s, ALICE), MSG_submitted);
        load(s, "set", abc, 2);
        CU_ASSERT_EQUAL_FATAL(scene_answer_kind(s, ALICE), MSG_loaded);
        CU_ASSERT_TRUE(s->last[ALICE]->u.loaded.jobs[0].existing);
        scene_free(s);
}

static void what_was_loaded_before_is_loaded_once(void)
{
        struct scene *s = scene_new();

        load(s, "set", abc, 2);
        load(s, "set", abc, 3);
        CU_ASSERT_EQUAL_FATAL(scene_answer_kind(s, ALICE), MSG_loaded);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.loaded.jobs[0].job, 1);
        CU_ASSERT_FALSE(s->last[ALICE]->u.loaded.jobs[0].existing);
        CU_ASSERT_EQUAL(s->n_jobs, 3);
        load(s, NULL, abc, 1); /* nobody may take a job out of the set */
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_CONFLICT);
        load(s, "another", abc, 1);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_CONFLICT);
        end_set(s, "set", 3, "x");
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_BAD_FIELD);
        end_set(s, "nobody's", 1, "x");
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_NOT_FOUND);
        end_set(s, "set", 3, "b");
        CU_ASSERT_EQUAL(scene_answer_kind(s, ALICE), MSG_submitted);
        scene_free(s);
}

static void a_set_that_stands_still_or_is_miscounted_is_dropped_whole(void)
{
        struct scene *s = scene_new();

        load(s, "set", abc, 2);
        scene_pass_ms(s, 40000);
        load(s, "set", abc + 2, 1);
        scene_pass_ms(s, 40000);
        CU_ASSERT_EQUAL(core_numbers(s->core).jobs_unfinished, 3); /* the last message counts */
        scene_pass_ms(s, 21000);
        CU_ASSERT_EQUAL(core_numbers(s->core).jobs_unfinished, 0);
        load(s, "more", abc, 3);
        end_set(s, "more", 2, "c");
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_CONFLICT);
        scene_pass_ms(s, 1000);
        CU_ASSERT_EQUAL(core_numbers(s->core).jobs_unfinished, 0);
        scene_free(s);
}

/* ------------------------------------------------------------------ and the wait for its end */

static void submit_watched(struct scene *s, uint32_t who, const char *key, uint64_t tasks)
{
        struct rec_array_part part = { .lo = 1, .hi = tasks, .has_lo = true, .has_hi = true };
        struct rec_job_spec spec = scene_spec();
        struct rec_new_job job = { .key = key, .n_key = strlen(key), .spec = &spec };
        struct msg msg = { .kind = MSG_submit };

        spec.array = &part;
        spec.n_array = 1;
        msg.u.submit.jobs = &job;
        msg.u.submit.n_jobs = 1;
        msg.u.submit.watch = msg.u.submit.has_watch = true;
        scene_ask(s, who, &msg);
}

static void a_submission_may_wait_for_the_end_of_its_job(void)
{
        struct scene *s = scene_new();
        uint64_t submission;

        submit_watched(s, ALICE, "key", 1);
        submission = s->next_id;
        CU_ASSERT_EQUAL(scene_answer_kind(s, ALICE), MSG_submitted);
        CU_ASSERT_TRUE(s->last[ALICE]->u.submitted.watched);
        scene_ready(s, 0, 1, 1);
        CU_ASSERT_EQUAL(s->n_said[ALICE], 1); /* not before its end */
        scene_say_end(s, &s->grants[0], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(s->n_said[ALICE], 1); /* nor before that is durable */
        scene_commit(s);
        CU_ASSERT_EQUAL(scene_answer_kind(s, ALICE), MSG_event);
        CU_ASSERT_EQUAL(s->last[ALICE]->re, submission);
        CU_ASSERT_TRUE(s->last[ALICE]->u.event.done);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.event.status, TASK_STATUS_SUCCEEDED);
        CU_ASSERT_EQUAL(s->n_said[ALICE], 2);
        scene_free(s);
}

static void a_key_that_is_taken_is_not_waited_for(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        uint64_t job = scene_submit_key(s, ALICE, "key", &spec);

        submit_watched(s, ALICE, "twice", 1);
        CU_ASSERT_TRUE(s->last[ALICE]->u.submitted.watched);
        submit_watched(s, ALICE, "twice", 1); /* a resend: it is in memory */
        CU_ASSERT_TRUE(s->last[ALICE]->u.submitted.jobs[0].existing);
        CU_ASSERT_FALSE(s->last[ALICE]->u.submitted.watched);
        scene_ready(s, 0, 2, 2);
        CU_ASSERT_EQUAL(s->grants[0].job, job);
        scene_end(s, &s->grants[0], END_STATUS_SUCCEEDED, 0);
        scene_end(s, &s->grants[1], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(core_numbers(s->core).jobs_unfinished, 0);
        submit_watched(s, ALICE, "twice",
                       1); /* the store finds it: the claim fails, and what it had made with it */
        CU_ASSERT_EQUAL(scene_answer_kind(s, ALICE), MSG_submitted);
        CU_ASSERT_TRUE(s->last[ALICE]->u.submitted.jobs[0].existing);
        CU_ASSERT_FALSE(s->last[ALICE]->u.submitted.watched);
        CU_ASSERT_EQUAL(core_numbers(s->core).jobs_unfinished, 0);
        scene_free(s);
}

static void several_jobs_are_not_waited_for(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        struct rec_new_job jobs[] = { { .key = "a", .n_key = 1, .spec = &spec },
                                      { .key = "b", .n_key = 1, .spec = &spec } };
        struct msg msg = { .kind = MSG_submit };

        msg.u.submit.jobs = jobs;
        msg.u.submit.n_jobs = 2;
        msg.u.submit.watch = msg.u.submit.has_watch = true;
        scene_ask(s, ALICE, &msg);
        CU_ASSERT_EQUAL(scene_answer_kind(s, ALICE), MSG_submitted);
        CU_ASSERT_FALSE(s->last[ALICE]->u.submitted.watched);
        scene_free(s);
}

UNIT_MAIN("core_submit", TEST(a_submission_may_wait_for_the_end_of_its_job),
          TEST(a_key_that_is_taken_is_not_waited_for), TEST(several_jobs_are_not_waited_for),
          TEST(an_id_is_told_only_when_the_job_is_durable),
          TEST(the_same_key_gives_the_same_job_also_when_that_is_over),
          TEST(the_same_key_with_another_description_is_a_conflict),
          TEST(a_message_with_one_key_that_is_taken_is_decided_anew),
          TEST(a_resend_waits_for_the_first_ones_claim), TEST(keys_of_two_people_never_meet),
          TEST(who_may_not_submit_is_told_so_and_it_is_an_event),
          TEST(an_upload_is_acknowledged_chunk_by_chunk_and_lives_with_the_last),
          TEST(an_upload_for_what_failed_is_aborted_though_a_restart_comes_between),
          TEST(a_chunk_that_is_not_what_was_announced_is_refused), TEST(an_upload_that_stops_is_dropped),
          TEST(bad_descriptions_are_refused_and_nothing_is_written),
          TEST(too_many_unfinished_jobs_are_refused_for_now),
          TEST(while_the_database_is_away_submissions_wait_outside),
          TEST(the_answer_counts_workers_that_could_ever_run_it),
          TEST(a_large_array_gets_its_rows_in_batches_and_starts_meanwhile),
          TEST(batches_of_rows_are_small_while_somebody_submits),
          TEST(jobs_of_a_set_live_together_with_its_last_message),
          TEST(what_was_loaded_before_is_loaded_once),
          TEST(a_set_that_stands_still_or_is_miscounted_is_dropped_whole))
