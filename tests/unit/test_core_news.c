/* Subscriptions: which tasks have new output, and that there are new events. */
#include "core_scene.h"

static void say_output(struct scene *s, const struct scene_grant *grant, uint64_t index, uint64_t seq)
{
        struct msg msg = { .kind = MSG_store };

        msg.u.store = (struct msg_store){ .job = grant->job,
                                          .nonce = grant->nonce,
                                          .attempt = grant->attempt,
                                          .index = index,
                                          .kind = DATA_KIND_OUTPUT,
                                          .stream = STREAM_STDOUT,
                                          .has_stream = true,
                                          .seq = seq };
        msg.body = "line\n";
        msg.body_bytes = 5;
        scene_say_worker(s, grant->worker, &msg);
}

static void watch_output_of(struct scene *s, uint32_t who, uint64_t job, struct range *ranges, size_t n)
{
        struct msg msg = { .kind = MSG_watch };

        msg.u.watch.job = job;
        msg.u.watch.has_job = true;
        msg.u.watch.output = msg.u.watch.has_output = true;
        msg.u.watch.ranges = ranges;
        msg.u.watch.n_ranges = n;
        scene_ask(s, who, &msg);
}

static void a_follower_hears_which_tasks_have_output_and_not_too_often(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 1000);
        unsigned said;

        scene_ready(s, 0, 300, 300);
        watch_output_of(s, ALICE, job, NULL, 0);
        scene_pass_ms(s, 200);
        say_output(s, &s->grants[0], 3, 0);
        said = s->n_said[ALICE];
        scene_commit(s);
        CU_ASSERT_EQUAL(s->n_said[ALICE], said + 1);
        CU_ASSERT_EQUAL_FATAL(s->last[ALICE]->u.event.n_outputs, 1);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.event.outputs[0].lo, 3);
        for (uint64_t index = 300; index >= 1; index--) {
                say_output(s, &s->grants[0], index, 1);
                scene_commit(s);
        }
        CU_ASSERT_EQUAL(s->n_said[ALICE], said + 1);
        scene_pass_ms(s, 200);
        CU_ASSERT_EQUAL(s->n_said[ALICE], said + 2);
        CU_ASSERT_EQUAL_FATAL(s->last[ALICE]->u.event.n_outputs, 1);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.event.outputs[0].lo, 1);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.event.outputs[0].hi, 300);
        scene_free(s);
}

static void a_follower_of_some_tasks_hears_of_those_alone(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 10);
        struct range some = { 2, 3 };
        unsigned said;

        scene_ready(s, 0, 10, 10);
        watch_output_of(s, ALICE, job, &some, 1);
        scene_pass_ms(s, 200);
        said = s->n_said[ALICE];
        say_output(s, &s->grants[0], 4, 0);
        scene_commit(s);
        CU_ASSERT_EQUAL(s->n_said[ALICE], said);
        say_output(s, &s->grants[0], 2, 0);
        scene_commit(s);
        CU_ASSERT_EQUAL(s->n_said[ALICE], said + 1);
        scene_free(s);
}

/* The output that rides with a task's end is told of at the latest with done. */
static void the_last_output_is_told_before_done(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 1);
        struct range range = { 1, 1 };
        struct rec_task_chunk chunk = { .index = 1,
                                        .kind = DATA_KIND_OUTPUT,
                                        .stream = STREAM_STDOUT,
                                        .has_stream = true,
                                        .final = true,
                                        .has_final = true,
                                        .bytes = 5 };
        struct rec_task_end end = {
                .job = job, .ranges = &range, .n_ranges = 1, .status = END_STATUS_SUCCEEDED
        };
        struct msg msg = { .kind = MSG_finished };

        scene_ready(s, 0, 1, 1);
        watch_output_of(s, ALICE, job, NULL, 0);
        say_output(s, &s->grants[0], 1, 0); /* told at once; what follows gathers */
        scene_commit(s);
        chunk.seq = 1;
        chunk.has_seq = true;
        end.nonce = s->grants[0].nonce;
        end.epoch = s->grants[0].epoch;
        end.attempt = s->grants[0].attempt;
        msg.u.finished.ends = &end;
        msg.u.finished.n_ends = 1;
        msg.u.finished.chunks = &chunk;
        msg.u.finished.n_chunks = 1;
        msg.body = "last\n";
        msg.body_bytes = 5;
        scene_say_worker(s, 0, &msg);
        scene_commit(s);
        CU_ASSERT_TRUE(s->last[ALICE]->u.event.done);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.event.n_outputs, 1);
        scene_free(s);
}

static void follow_events(struct scene *s, uint32_t who)
{
        struct msg msg = { .kind = MSG_watch };

        msg.u.watch.events = msg.u.watch.has_events = true;
        scene_ask(s, who, &msg);
}

static void who_follows_events_is_woken_by_those_that_he_may_see(void)
{
        struct scene *s = scene_new();
        unsigned said;
        uint64_t job = scene_array(s, ALICE, 2);

        follow_events(s, ALICE);
        CU_ASSERT_EQUAL(scene_answer_kind(s, ALICE), MSG_event);
        CU_ASSERT_TRUE(s->last[ALICE]->u.event.events);
        CU_ASSERT_FALSE(s->last[ALICE]->u.event.has_job);
        scene_pass_ms(s, 300);
        said = s->n_said[ALICE];
        scene_array(s, BOB, 1);
        scene_pass_ms(s, 300);
        CU_ASSERT_EQUAL(s->n_said[ALICE], said);
        scene_cancel(s, OSCAR, job, 1, 1);
        scene_cancel(s, OSCAR, job, 2, 2);
        CU_ASSERT_EQUAL(s->n_said[ALICE], said + 1); /* the first at once, the second a little later */
        scene_pass_ms(s, 300);
        CU_ASSERT_EQUAL(s->n_said[ALICE], said + 2);
        CU_ASSERT_TRUE(s->last[ALICE]->u.event.events);
        scene_free(s);
}

/* An event that was on its way to the database when somebody began to follow wakes nobody: the first note comes after it. */
static void the_first_note_waits_for_what_is_not_committed_yet(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 1);
        struct msg cancel = { .kind = MSG_cancel }, follow = { .kind = MSG_watch };
        unsigned said = s->n_said[ALICE];
        size_t events = s->n_events;

        cancel.u.cancel = (struct msg_cancel){ .job = job, .has_job = true };
        follow.u.watch.events = follow.u.watch.has_events = true;
        scene_say(s, ALICE, ALICE, &cancel);
        scene_say(s, ALICE, ALICE, &follow);
        CU_ASSERT_EQUAL(s->n_events, events);
        CU_ASSERT_EQUAL(s->n_said[ALICE], said);
        scene_commit(s);
        CU_ASSERT_TRUE(s->n_events > events);
        CU_ASSERT_EQUAL(s->n_said[ALICE], said + 2); /* changed, and the note */
        CU_ASSERT_TRUE(scene_answer_kind(s, ALICE) == MSG_event && s->last[ALICE]->u.event.events);
        scene_free(s);
}

/* The same for output: what is recorded before the subscription is found with its first event. */
static void a_follower_of_output_hears_nothing_before_what_is_recorded_is_committed(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 10);
        struct msg msg = { .kind = MSG_watch };
        unsigned said;

        scene_ready(s, 0, 10, 10);
        say_output(s, &s->grants[0], 3, 0);
        msg.u.watch.job = job;
        msg.u.watch.has_job = true;
        msg.u.watch.output = msg.u.watch.has_output = true;
        said = s->n_said[ALICE];
        scene_say(s, ALICE, ALICE, &msg);
        CU_ASSERT_EQUAL(s->n_said[ALICE], said);
        scene_commit(s);
        CU_ASSERT_EQUAL(s->n_said[ALICE], said + 1);
        scene_free(s);
}

static void a_watch_is_of_a_job_or_of_events(void)
{
        struct scene *s = scene_new();
        struct msg msg = { .kind = MSG_watch };

        scene_ask(s, ALICE, &msg);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_BAD_FIELD);
        msg.u.watch.job = scene_array(s, ALICE, 1);
        msg.u.watch.has_job = msg.u.watch.events = msg.u.watch.has_events = true;
        scene_ask(s, ALICE, &msg);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_BAD_FIELD);
        scene_free(s);
}

UNIT_MAIN("core_news", TEST(a_follower_hears_which_tasks_have_output_and_not_too_often),
          TEST(a_follower_of_some_tasks_hears_of_those_alone), TEST(the_last_output_is_told_before_done),
          TEST(who_follows_events_is_woken_by_those_that_he_may_see),
          TEST(the_first_note_waits_for_what_is_not_committed_yet),
          TEST(a_follower_of_output_hears_nothing_before_what_is_recorded_is_committed),
          TEST(a_watch_is_of_a_job_or_of_events))
