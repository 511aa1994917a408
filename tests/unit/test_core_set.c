/* What a person changes of a job: all of it or nothing, at once and over a restart, and what runs goes on. */
#include "core_scene.h"

static uint64_t array(struct scene *s, struct rec_job_spec spec, uint64_t n)
{
        return scene_submit_array(s, ALICE, &spec, n);
}

static struct msg change_of(uint64_t job)
{
        struct msg msg = { .kind = MSG_set };

        msg.u.set.job = job;
        msg.u.set.has_job = true;
        return msg;
}

/* Tasks that it concerns, or -1: refused. */
static int64_t set(struct scene *s, struct msg *msg)
{
        scene_ask(s, ALICE, msg);
        return scene_answer_kind(s, ALICE) == MSG_changed ? (int64_t)s->last[ALICE]->u.changed.count : -1;
}

static int64_t set_at(struct scene *s, uint64_t job, uint64_t delay_ms)
{
        struct msg msg = change_of(job);

        msg.u.set.at_delay_ms = delay_ms;
        msg.u.set.has_at_delay_ms = true;
        return set(s, &msg);
}

static const struct scene_grant *newest(const struct scene *s)
{
        CU_ASSERT_FATAL(s->n_grants > 0);
        return &s->grants[s->n_grants - 1];
}

/* What a take-back brings. */
static void give_back(struct scene *s, const struct scene_grant *grant, uint64_t lo, uint64_t hi)
{
        struct scene_grant part = *grant;

        part.lo = lo;
        part.hi = hi;
        scene_end(s, &part, END_STATUS_RETURNED, 0);
}

static uint64_t waiting(struct scene *s, uint64_t job)
{
        return scene_job(s, job)->state.waiting;
}

/* ------------------------------------------------------------------ times */

static void what_has_not_started_waits_until_the_new_time(void)
{
        struct scene *s = scene_new();
        uint64_t job = array(s, scene_spec(), 6);
        struct scene_grant first;

        scene_ready(s, 0, 4, 4);
        first = *newest(s);
        CU_ASSERT_EQUAL_FATAL(first.hi - first.lo + 1, 4);
        first.hi = first.lo;
        scene_started(s, &first);
        CU_ASSERT_EQUAL(set_at(s, job, 60000), 6);
        CU_ASSERT_EQUAL(s->n_take_backs, 1);
        give_back(s, newest(s), 2, 4);
        CU_ASSERT_EQUAL(waiting(s, job), 5);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.running, 1);
        scene_end(s, &first, END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(s->n_grants, 1); /* its slot is free, and nothing of the job is granted */
        CU_ASSERT_EQUAL(scene_job(s, job)->state.succeeded, 1);
        scene_pass_ms(s, 20000);
        scene_beat(s, 0, 4);
        scene_pass_ms(s, 20000);
        scene_beat(s, 0, 4);
        CU_ASSERT_EQUAL(s->n_grants, 1);
        scene_pass_ms(s, 21000);
        CU_ASSERT_TRUE(s->n_grants > 1);
        scene_free(s);
}

static void a_restart_keeps_the_new_time_of_a_job_that_has_run(void)
{
        struct scene *s = scene_new();
        uint64_t job = array(s, scene_spec(), 3);

        scene_ready(s, 0, 1, 1);
        scene_end(s, newest(s), END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(set_at(s, job, 50000), 2);
        give_back(s, newest(s), 2, 2);
        scene_restart(s);
        scene_ready(s, 0, 1, 1);
        CU_ASSERT_EQUAL(s->n_grants, 0);
        CU_ASSERT_EQUAL(waiting(s, job), 2);
        CU_ASSERT_EQUAL(set_at(s, job, 0), 2);
        CU_ASSERT_EQUAL(s->n_grants, 1);
        CU_ASSERT_EQUAL(waiting(s, job), 0);
        scene_free(s);
}

/* Its worker kept what it had: that has been started, and counts. */
static void what_ran_before_a_restart_is_taken_over_before_the_time(void)
{
        struct scene *s = scene_new();
        uint64_t job = array(s, scene_spec(), 3);
        struct scene_grant held;

        scene_ready(s, 0, 1, 1);
        held = *newest(s);
        CU_ASSERT_EQUAL(set_at(s, job, 50000), 3);
        scene_restart(s);
        scene_ready_holding(s, 0, 1, 1, &held, 1, true);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.running, 1);
        CU_ASSERT_EQUAL(waiting(s, job), 2);
        scene_end(s, &held, END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(s->n_grants, 0);
        scene_free(s);
}

static void a_start_by_that_is_set_aborts_and_one_that_is_taken_away_does_not(void)
{
        struct scene *s = scene_new();
        uint64_t a = array(s, scene_spec(), 2), b = array(s, scene_spec(), 2);
        struct msg msg = change_of(a);

        msg.u.set.start_by_delay_ms = 5000;
        msg.u.set.has_start_by_delay_ms = true;
        CU_ASSERT_EQUAL(set(s, &msg), 2);
        msg.u.set.job = b;
        CU_ASSERT_EQUAL(set(s, &msg), 2);
        msg = change_of(b);
        msg.u.set.has_start_by_us = true;
        CU_ASSERT_EQUAL(set(s, &msg), 2);
        CU_ASSERT_STRING_EQUAL(s->last_detail, "start-by=none");
        scene_pass_ms(s, 6000);
        CU_ASSERT_EQUAL(scene_job_status(s, a), TASK_STATUS_ABORTED);
        CU_ASSERT_EQUAL(scene_job_status(s, b), TASK_STATUS_QUEUED);
        scene_free(s);
}

/* ------------------------------------------------------------------ all or nothing */

static void one_wrong_setting_and_none_holds(void)
{
        struct scene *s = scene_new();
        uint64_t job = array(s, scene_spec(), 2);
        struct msg msg = change_of(job);
        size_t events = s->n_events;

        msg.u.set.priority = 7;
        msg.u.set.has_priority = true;
        msg.u.set.queue = "nowhere";
        msg.u.set.n_queue = 7;
        CU_ASSERT_EQUAL(set(s, &msg), -1);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_NOT_FOUND);
        msg.u.set.queue = NULL;
        msg.u.set.at_delay_ms = 9000;
        msg.u.set.start_by_delay_ms = 8000;
        CU_ASSERT_EQUAL(set(s, &msg), -1);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_BAD_FIELD);
        msg.u.set.at_delay_ms = 0;
        msg.u.set.start_by_delay_ms = 0;
        msg.u.set.dry_run = true;
        CU_ASSERT_EQUAL(set(s, &msg), 2);
        CU_ASSERT_EQUAL(scene_job(s, job)->spec->spec.priority, 0);
        CU_ASSERT_EQUAL(s->n_events, events);
        msg.u.set.dry_run = false;
        msg.u.set.comment = "second try";
        msg.u.set.n_comment = 10;
        msg.u.set.reason = "urgent";
        msg.u.set.n_reason = 6;
        CU_ASSERT_EQUAL(set(s, &msg), 2);
        CU_ASSERT_EQUAL(scene_job(s, job)->spec->spec.priority, 7);
        CU_ASSERT_STRING_EQUAL(scene_job(s, job)->spec->spec.comment, "second try");
        CU_ASSERT_STRING_EQUAL(s->last_detail, "comment='second try' priority=7: urgent");
        scene_free(s);
}

static void what_has_ended_does_not_change(void)
{
        struct scene *s = scene_new();
        uint64_t job = array(s, scene_spec(), 1);
        struct msg msg = change_of(job);

        scene_ready(s, 0, 1, 1);
        scene_end(s, newest(s), END_STATUS_SUCCEEDED, 0);
        msg.u.set.priority = 7;
        msg.u.set.has_priority = true;
        s->ended[s->n_ended++] = (struct store_find_job){
                .job.n = job, .found = true, .owner.n = ALICE, .status = TASK_STATUS_SUCCEEDED, .tasks = 1
        };
        CU_ASSERT_EQUAL(set(s, &msg), 0);
        CU_ASSERT_EQUAL(scene_job(s, job)->spec->spec.priority, 0);
        scene_free(s);
}

/* ------------------------------------------------------------------ queue and name */

static void limit_queue(struct scene *s, const char *name, uint64_t most)
{
        struct msg msg = { .kind = MSG_queue_set };

        msg.u.queue_set = (struct msg_queue_set){
                .queue = name, .n_queue = strlen(name), .max_running = most, .has_max_running = true
        };
        scene_ask(s, OSCAR, &msg);
        CU_ASSERT_EQUAL(scene_answer_kind(s, OSCAR), MSG_changed);
}

static int64_t move_to(struct scene *s, uint64_t job, const char *name)
{
        struct msg msg = change_of(job);

        msg.u.set.queue = name;
        msg.u.set.n_queue = strlen(name);
        return set(s, &msg);
}

static void what_runs_counts_in_the_queue_it_is_moved_to(void)
{
        struct scene *s = scene_new();
        uint64_t a, b;

        limit_queue(s, "one", 1);
        a = array(s, scene_spec(), 2);
        scene_ready(s, 0, 8, 1);
        CU_ASSERT_EQUAL(core_numbers(s->core).tasks_granted, 1);
        CU_ASSERT_EQUAL(move_to(s, a, "one"), 2);
        scene_beat(s, 0, 8);
        CU_ASSERT_EQUAL(core_numbers(s->core).tasks_granted, 1); /* the queue is full with what runs */
        b = array(s, scene_spec(), 1);
        CU_ASSERT_EQUAL(newest(s)->job, b); /* the other one is not */
        CU_ASSERT_EQUAL(move_to(s, a, "default"), 2);
        CU_ASSERT_EQUAL(core_numbers(s->core).tasks_granted, 3);
        CU_ASSERT_STRING_EQUAL(scene_job(s, a)->spec->spec.queue, "default");
        scene_free(s);
}

static void a_singleton_waits_for_its_new_name_and_its_old_one_goes_on(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        uint64_t first, second, third, other;
        struct msg msg;

        spec.name = "one";
        spec.n_name = 3;
        spec.singleton = spec.has_singleton = true;
        first = array(s, spec, 1);
        second = array(s, spec, 1);
        third = array(s, spec, 1);
        spec.name = "two";
        other = array(s, spec, 1);
        CU_ASSERT_EQUAL(scene_job_status(s, first), TASK_STATUS_QUEUED);
        CU_ASSERT_EQUAL(scene_job_status(s, second), TASK_STATUS_WAITING);
        CU_ASSERT_EQUAL(scene_job_status(s, other), TASK_STATUS_QUEUED);
        msg = change_of(first);
        msg.u.set.name = "one"; /* as it is */
        msg.u.set.n_name = 3;
        CU_ASSERT_EQUAL(set(s, &msg), 1);
        CU_ASSERT_EQUAL(scene_job_status(s, second), TASK_STATUS_WAITING);
        msg.u.set.name = "three";
        msg.u.set.n_name = 5;
        CU_ASSERT_EQUAL(set(s, &msg), 1);
        CU_ASSERT_EQUAL(scene_job_status(s, second), TASK_STATUS_QUEUED);
        CU_ASSERT_EQUAL(scene_job_status(s, third), TASK_STATUS_WAITING);
        msg.u.set.job = other;
        CU_ASSERT_EQUAL(set(s, &msg), 1);
        CU_ASSERT_EQUAL(scene_job_status(s, other), TASK_STATUS_WAITING);
        scene_restart(s);
        CU_ASSERT_EQUAL(scene_job_status(s, first), TASK_STATUS_QUEUED);
        CU_ASSERT_EQUAL(scene_job_status(s, other), TASK_STATUS_WAITING);
        scene_free(s);
}

/* ------------------------------------------------------------------ what tasks need */

static int64_t set_cpus(struct scene *s, uint64_t job, uint64_t cpus)
{
        struct msg msg = change_of(job);

        msg.u.set.cpus = cpus;
        msg.u.set.has_cpus = true;
        return set(s, &msg);
}

static void what_has_not_started_takes_more_cpus_and_what_runs_goes_on(void)
{
        struct scene *s = scene_new();
        uint64_t job = array(s, scene_spec(), 4);
        struct scene_grant first;

        scene_ready(s, 0, 4, 2);
        CU_ASSERT_EQUAL(core_numbers(s->core).tasks_granted, 2);
        first = *newest(s);
        first.hi = first.lo;
        scene_started(s, &first);
        CU_ASSERT_EQUAL(set_cpus(s, job, 3), 4);
        CU_ASSERT_EQUAL(s->n_take_backs, 1);
        give_back(s, &s->grants[0], 2, 2);
        CU_ASSERT_EQUAL(core_numbers(s->core).tasks_granted, 2);
        scene_beat(s, 0, 4);
        CU_ASSERT_EQUAL(core_numbers(s->core).tasks_granted, 2); /* 1 and 3 cpus of 4 */
        scene_end(s, &first, END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(core_numbers(s->core).tasks_granted, 1); /* 3 of 4 are taken */
        scene_free(s);
}

static void needs_that_nobody_meets_are_said(void)
{
        struct scene *s = scene_new();
        uint64_t job = array(s, scene_spec(), 1);

        scene_ready(s, 0, 4, 0);
        CU_ASSERT_EQUAL(set_cpus(s, job, 5), 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(s->last[ALICE]->u.changed.detail);
        CU_ASSERT_PTR_NOT_NULL(strstr(s->last[ALICE]->u.changed.detail, "could ever run it"));
        CU_ASSERT_EQUAL(set_cpus(s, job, 4), 1);
        CU_ASSERT_PTR_NULL(s->last[ALICE]->u.changed.detail);
        scene_free(s);
}

static void memory_that_grows_grows_from_what_was_set(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        struct msg msg;
        static const char *types[] = { "noop" };
        struct msg ready = { .kind = MSG_ready };

        ready.u.ready = (struct msg_ready){ .slots = 1,
                                            .window = 1,
                                            .mem = 100,
                                            .has_mem = true,
                                            .types = types,
                                            .n_types = 1,
                                            .version = "1",
                                            .n_version = 1,
                                            .host = "host",
                                            .n_host = 4,
                                            .pid = 7 };
        spec.mem = 4;
        spec.mem_factor = 2000;
        spec.retries = 5;
        spec.has_mem = spec.has_mem_factor = spec.has_retries = true;
        msg = change_of(array(s, spec, 1));
        scene_say_worker(s, 0, &ready);
        scene_commit(s);
        scene_end(s, newest(s), END_STATUS_OOM, 0);
        CU_ASSERT_EQUAL(newest(s)->mem, 8);
        msg.u.set.mem = 10;
        msg.u.set.mem_factor = 3000;
        msg.u.set.has_mem = msg.u.set.has_mem_factor = true;
        CU_ASSERT_EQUAL(set(s, &msg), 1);
        give_back(s, newest(s), 1, 1);
        CU_ASSERT_EQUAL(newest(s)->mem, 30); /* it has run out once */
        scene_end(s, newest(s), END_STATUS_OOM, 0);
        CU_ASSERT_EQUAL(newest(s)->mem, 90);
        scene_free(s);
}

/* ------------------------------------------------------------------ failure */

static void max_fails_below_what_has_failed_aborts_the_rest(void)
{
        struct scene *s = scene_new();
        uint64_t job = array(s, scene_spec(), 12);
        struct msg msg = change_of(job);

        scene_ready(s, 0, 2, 2);
        CU_ASSERT_EQUAL_FATAL(newest(s)->hi - newest(s)->lo + 1, 2);
        scene_end(s, newest(s), END_STATUS_FAILED, 1);
        msg.u.set.max_fails = 2;
        msg.u.set.has_max_fails = true;
        CU_ASSERT_EQUAL(set(s, &msg), 10);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.aborted, 0);
        msg.u.set.max_fails = 1;
        CU_ASSERT_EQUAL(set(s, &msg), 10);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.aborted, 10 - core_numbers(s->core).tasks_granted);
        scene_free(s);
}

static void how_an_attempt_ends_is_judged_by_what_holds_then(void)
{
        struct scene *s = scene_new();
        uint64_t job = array(s, scene_spec(), 2);
        int64_t codes[] = { 3 };
        const char *words[] = { "4" };
        struct msg msg = change_of(job);

        scene_ready(s, 0, 1, 1);
        msg.u.set.ok_codes = codes;
        msg.u.set.n_ok_codes = 1;
        msg.u.set.retry_on = words;
        msg.u.set.n_retry_on = 1;
        msg.u.set.retries = 2;
        msg.u.set.backoff_ms = 3000;
        CU_ASSERT_EQUAL(set(s, &msg), 2);
        CU_ASSERT_STRING_EQUAL(s->last_detail, "retries=2 backoff=3s retry-on=4 ok-codes=3");
        scene_end(s, newest(s), END_STATUS_FAILED, 3);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.succeeded, 1);
        scene_end(s, newest(s), END_STATUS_FAILED, 4);
        CU_ASSERT_EQUAL(waiting(s, job), 1); /* for its next attempt */
        scene_pass_ms(s, 4000);
        scene_end(s, newest(s), END_STATUS_FAILED, 5);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.failed, 1);
        scene_free(s);
}

UNIT_MAIN("core_set", TEST(what_has_not_started_waits_until_the_new_time),
          TEST(a_restart_keeps_the_new_time_of_a_job_that_has_run),
          TEST(what_ran_before_a_restart_is_taken_over_before_the_time),
          TEST(a_start_by_that_is_set_aborts_and_one_that_is_taken_away_does_not),
          TEST(one_wrong_setting_and_none_holds), TEST(what_has_ended_does_not_change),
          TEST(what_runs_counts_in_the_queue_it_is_moved_to),
          TEST(a_singleton_waits_for_its_new_name_and_its_old_one_goes_on),
          TEST(what_has_not_started_takes_more_cpus_and_what_runs_goes_on),
          TEST(needs_that_nobody_meets_are_said), TEST(memory_that_grows_grows_from_what_was_set),
          TEST(max_fails_below_what_has_failed_aborts_the_rest),
          TEST(how_an_attempt_ends_is_judged_by_what_holds_then))
