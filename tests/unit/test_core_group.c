/* Subscriptions to several jobs at once. */
#include "core_scene.h"

static void watch_jobs(struct scene *s, uint32_t who, struct rec_watch_part *parts, size_t n, bool output)
{
        struct msg msg = { .kind = MSG_watch };

        msg.u.watch.parts = parts;
        msg.u.watch.n_parts = n;
        msg.u.watch.progress = msg.u.watch.has_progress = !output;
        msg.u.watch.output = msg.u.watch.has_output = output;
        scene_ask(s, who, &msg);
}

static struct rec_watch_part part_of(uint64_t from, uint64_t to)
{
        return (struct rec_watch_part){ .job = from, .has_job = true, .job_to = to, .has_job_to = true };
}

static const struct msg_event *heard(const struct scene *s, uint32_t who)
{
        CU_ASSERT_EQUAL_FATAL(scene_answer_kind(s, who), MSG_event);
        return &s->last[who]->u.event;
}

/* Three jobs of alice's, each one task, all granted. */
static uint64_t three_jobs(struct scene *s)
{
        uint64_t first = scene_array(s, ALICE, 1);

        CU_ASSERT_EQUAL(scene_array(s, ALICE, 1), first + 1);
        CU_ASSERT_EQUAL(scene_array(s, ALICE, 1), first + 2);
        scene_ready(s, 0, 3, 3);
        scene_commit(s);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 3);
        return first;
}

static void end_one(struct scene *s, const struct scene_grant *grant, enum end_status status)
{
        scene_end(s, grant, status, status == END_STATUS_FAILED);
}

/* One task's, not committed. */
static void say_end(struct scene *s, const struct scene_grant *grant, uint64_t index)
{
        struct scene_grant one = *grant;

        one.lo = one.hi = index;
        scene_say_end(s, &one, END_STATUS_SUCCEEDED, 0);
}

static void several_jobs_are_one_subscription_that_names_each_once(void)
{
        struct scene *s = scene_new();
        uint64_t first = three_jobs(s);
        struct rec_watch_part part = part_of(first, first + 2);
        unsigned said = s->n_said[ALICE];

        watch_jobs(s, ALICE, &part, 1, false);
        CU_ASSERT_EQUAL(s->n_said[ALICE], said + 1);
        CU_ASSERT_EQUAL(heard(s, ALICE)->open, 3);
        CU_ASSERT_EQUAL(heard(s, ALICE)->counts->tasks, 3);
        CU_ASSERT_FALSE(heard(s, ALICE)->has_job);
        scene_pass_ms(s, 300);
        end_one(s, &s->grants[1],
                END_STATUS_FAILED); /* counts are told at once, its end when it is durable */
        scene_pass_ms(s, 300);
        CU_ASSERT_EQUAL_FATAL(heard(s, ALICE)->n_ended, 1);
        CU_ASSERT_EQUAL(heard(s, ALICE)->ended[0].lo, s->grants[1].job);
        CU_ASSERT_EQUAL(heard(s, ALICE)->n_succeeded, 0);
        end_one(s, &s->grants[0], END_STATUS_SUCCEEDED);
        said = s->n_said[ALICE];
        CU_ASSERT_EQUAL(heard(s, ALICE)->n_succeeded, 0); /* too soon after the last event */
        end_one(s, &s->grants[2], END_STATUS_SUCCEEDED); /* the last one waits for nothing */
        CU_ASSERT_EQUAL(s->n_said[ALICE], said + 1);
        CU_ASSERT_EQUAL(heard(s, ALICE)->open, 0);
        CU_ASSERT_EQUAL(heard(s, ALICE)->n_ended, 0);
        CU_ASSERT_EQUAL(heard(s, ALICE)->counts->succeeded, 2);
        CU_ASSERT_EQUAL(heard(s, ALICE)->counts->failed, 1);
        CU_ASSERT_EQUAL_FATAL(heard(s, ALICE)->n_succeeded, 2);
        scene_pass_ms(s, 2000);
        CU_ASSERT_EQUAL(s->n_said[ALICE], said + 1);
        scene_free(s);
}

static void nobody_hears_of_an_end_before_it_is_durable(void)
{
        struct scene *s = scene_new();
        uint64_t first = three_jobs(s);
        struct rec_watch_part part = part_of(first, first);
        unsigned said;

        watch_jobs(s, ALICE, &part, 1, false);
        scene_pass_ms(s, 300);
        said = s->n_said[ALICE];
        say_end(s, &s->grants[0], 1);
        CU_ASSERT_EQUAL(s->n_said[ALICE], said);
        scene_commit(s);
        CU_ASSERT_TRUE(s->n_said[ALICE] > said);
        CU_ASSERT_EQUAL(heard(s, ALICE)->n_succeeded, 1);
        scene_free(s);
}

/* What was recorded before the subscription can be read when its first event is heard. */
static void the_first_event_waits_for_what_is_not_committed_yet(void)
{
        struct scene *s = scene_new();
        uint64_t first = three_jobs(s);
        struct rec_watch_part part = part_of(first, first + 2);
        struct msg msg = { .kind = MSG_watch };
        unsigned said = s->n_said[ALICE];

        msg.u.watch.parts = &part;
        msg.u.watch.n_parts = 1;
        say_end(s, &s->grants[0], 1);
        scene_say(s, ALICE, ALICE, &msg);
        CU_ASSERT_EQUAL(s->n_said[ALICE], said);
        scene_commit(s);
        CU_ASSERT_EQUAL(s->n_said[ALICE], said + 1);
        CU_ASSERT_EQUAL(heard(s, ALICE)->n_succeeded, 1); /* so a look needs no second event */
        CU_ASSERT_EQUAL(heard(s, ALICE)->open, 2);
        scene_free(s);
}

static void jobs_that_are_over_and_jobs_of_others_are_the_readers_business(void)
{
        struct scene *s = scene_new();
        uint64_t first = three_jobs(s), foreign = scene_array(s, BOB, 1);
        struct rec_watch_part parts[] = { part_of(first, first + 2), part_of(foreign, foreign) };
        unsigned reads = s->n_reads;

        end_one(s, &s->grants[0], END_STATUS_SUCCEEDED);
        watch_jobs(s, ALICE, parts, 1, false);
        CU_ASSERT_EQUAL(s->n_reads, reads + 1);
        CU_ASSERT_EQUAL(heard(s, ALICE)->open, 2);
        watch_jobs(s, ALICE, parts + 1, 1, false);
        CU_ASSERT_EQUAL(s->n_reads, reads + 2);
        CU_ASSERT_EQUAL(scene_answer_kind(s, ALICE), MSG_NO_KIND);
        scene_free(s);
}

static void some_tasks_of_a_job_are_over_when_these_are(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 10);
        struct range range = { 3, 3 };
        struct rec_watch_part part = { .job = job, .has_job = true, .ranges = &range, .n_ranges = 1 };
        struct scene_grant *grant;

        scene_ready(s, 0, 10, 10);
        scene_commit(s);
        grant = &s->grants[0];
        watch_jobs(s, ALICE, &part, 1, false);
        scene_pass_ms(s, 300);
        say_end(s, grant, 1);
        scene_commit(s);
        CU_ASSERT_EQUAL(heard(s, ALICE)->open, 1);
        say_end(s, grant, 3);
        scene_commit(s);
        CU_ASSERT_EQUAL(heard(s, ALICE)->open, 0);
        CU_ASSERT_EQUAL_FATAL(heard(s, ALICE)->n_ended, 1);
        CU_ASSERT_EQUAL(heard(s, ALICE)->ended[0].lo, job);
        watch_jobs(s, ALICE, &part, 1, false); /* it has long ended: the first event says so */
        CU_ASSERT_EQUAL(heard(s, ALICE)->open, 0);
        CU_ASSERT_EQUAL(heard(s, ALICE)->n_ended, 1);
        scene_free(s);
}

static void a_new_subscription_takes_the_place_of_the_last_one_and_stop_ends_it(void)
{
        struct scene *s = scene_new();
        uint64_t first = three_jobs(s);
        struct rec_watch_part all = part_of(first, first + 2), last = part_of(first + 2, first + 2);
        struct msg stop = { .kind = MSG_watch };
        unsigned said;

        watch_jobs(s, ALICE, &all, 1, false);
        watch_jobs(s, ALICE, &last, 1, false);
        scene_pass_ms(s, 300);
        said = s->n_said[ALICE];
        end_one(s, &s->grants[0], END_STATUS_SUCCEEDED);
        CU_ASSERT_EQUAL(s->n_said[ALICE], said);
        stop.u.watch.parts = &last;
        stop.u.watch.n_parts = 1;
        stop.u.watch.stop = stop.u.watch.has_stop = true;
        scene_ask(s, ALICE, &stop);
        CU_ASSERT_EQUAL(scene_answer_kind(s, ALICE), MSG_changed);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.changed.count, 1);
        end_one(s, &s->grants[2], END_STATUS_SUCCEEDED);
        CU_ASSERT_EQUAL(scene_answer_kind(s, ALICE), MSG_changed);
        scene_free(s);
}

static void output_of_many_jobs_is_named_together_also_of_those_that_end(void)
{
        struct scene *s = scene_new();
        uint64_t first = three_jobs(s);
        struct rec_watch_part part = part_of(first, first + 2);
        struct msg store = { .kind = MSG_store, .body = "line\n", .body_bytes = 5 };

        watch_jobs(s, ALICE, &part, 1, true);
        for (unsigned i = 0; i < 2; i++) {
                store.u.store = (struct msg_store){ .job = s->grants[i].job,
                                                    .nonce = s->grants[i].nonce,
                                                    .attempt = s->grants[i].attempt,
                                                    .index = 1,
                                                    .kind = DATA_KIND_OUTPUT,
                                                    .stream = STREAM_STDOUT,
                                                    .has_stream = true };
                scene_say_worker(s, 0, &store);
        }
        scene_commit(s);
        end_one(s, &s->grants[0], END_STATUS_SUCCEEDED);
        scene_pass_ms(s, 300);
        CU_ASSERT_EQUAL_FATAL(heard(s, ALICE)->n_job_outputs, 2);
        CU_ASSERT_EQUAL(heard(s, ALICE)->job_outputs[0].job, s->grants[0].job);
        CU_ASSERT_EQUAL(heard(s, ALICE)->job_outputs[0].ranges[0].lo, 1);
        CU_ASSERT_EQUAL(heard(s, ALICE)->job_outputs[1].job, s->grants[1].job);
        CU_ASSERT_EQUAL(heard(s, ALICE)->n_succeeded, 1);
        scene_free(s);
}

static void jobs_come_in_order_each_once_and_not_too_many(void)
{
        struct scene *s = scene_new();
        uint64_t first = three_jobs(s);
        struct rec_watch_part twice[] = { part_of(first, first + 1), part_of(first + 1, first + 2) };
        struct rec_watch_part many = part_of(1, 20000), down = part_of(first + 1, first);

        watch_jobs(s, ALICE, twice, 2, false);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_BAD_FIELD);
        watch_jobs(s, ALICE, &down, 1, false);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_BAD_FIELD);
        watch_jobs(s, ALICE, &many, 1, false);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_TOO_LARGE);
        scene_free(s);
}

static void who_loses_the_right_to_one_of_them_hears_no_more(void)
{
        struct scene *s = scene_new();
        uint64_t first = three_jobs(s);
        const char *gone[] = { "operator" };
        struct rec_watch_part part = part_of(first, first + 2);
        struct msg set = { .kind = MSG_user_set };
        unsigned said;

        watch_jobs(s, OSCAR, &part, 1, false);
        CU_ASSERT_EQUAL(heard(s, OSCAR)->open, 3);
        set.u.user_set =
                (struct msg_user_set){ .name = "oscar", .n_name = 5, .rm_roles = gone, .n_rm_roles = 1 };
        scene_ask(s, 4, &set);
        scene_pass_ms(s, 1000);
        CU_ASSERT_EQUAL(scene_refusal(s, OSCAR), ERR_FORBIDDEN);
        said = s->n_said[OSCAR];
        end_one(s, &s->grants[0], END_STATUS_SUCCEEDED);
        CU_ASSERT_EQUAL(s->n_said[OSCAR], said);
        scene_free(s);
}

UNIT_MAIN("core_group", TEST(several_jobs_are_one_subscription_that_names_each_once),
          TEST(nobody_hears_of_an_end_before_it_is_durable),
          TEST(the_first_event_waits_for_what_is_not_committed_yet),
          TEST(jobs_that_are_over_and_jobs_of_others_are_the_readers_business),
          TEST(some_tasks_of_a_job_are_over_when_these_are),
          TEST(a_new_subscription_takes_the_place_of_the_last_one_and_stop_ends_it),
          TEST(output_of_many_jobs_is_named_together_also_of_those_that_end),
          TEST(jobs_come_in_order_each_once_and_not_too_many),
          TEST(who_loses_the_right_to_one_of_them_hears_no_more))
