/* Orders to workers, queues that people make, and rights that end while somebody listens. */
#include "core_scene.h"

static void order(struct scene *s, enum worker_order state)
{
        struct msg msg = { .kind = MSG_worker_set };

        msg.u.worker_set =
                (struct msg_worker_set){ .worker = "w0", .n_worker = 2, .state = state, .has_state = true };
        scene_ask(s, OSCAR, &msg);
        CU_ASSERT_EQUAL(scene_answer_kind(s, OSCAR), MSG_changed);
}

static bool was_ordered(struct scene *s, enum worker_order state)
{
        return s->last[100] && s->last[100]->kind == MSG_order && s->last[100]->u.order.state == state;
}

static void a_stop_is_for_one_process(void)
{
        struct scene *s = scene_new();

        scene_ready(s, 0, 1, 1);
        order(s, WORKER_ORDER_STOP);
        CU_ASSERT_TRUE(was_ordered(s, WORKER_ORDER_STOP));
        scene_ready(s, 0, 1, 1); /* the same one, whose connection broke */
        CU_ASSERT_TRUE(was_ordered(s, WORKER_ORDER_STOP));
        CU_ASSERT_EQUAL(s->workers[0].state, WORKER_DRAINING);
        s->pid = 8;
        scene_ready(s, 0, 1, 1);
        CU_ASSERT_FALSE(was_ordered(s, WORKER_ORDER_STOP));
        CU_ASSERT_EQUAL(s->workers[0].state, WORKER_CONNECTED);
        scene_array(s, ALICE, 1);
        CU_ASSERT_EQUAL(s->n_grants, 1);
        scene_free(s);
}

static void a_drain_holds_for_the_key_until_resume(void)
{
        struct scene *s = scene_new();

        scene_ready(s, 0, 1, 1);
        order(s, WORKER_ORDER_DRAIN);
        s->pid = 8;
        scene_ready(s, 0, 1, 1);
        CU_ASSERT_TRUE(was_ordered(s, WORKER_ORDER_DRAIN));
        order(s, WORKER_ORDER_STOP);
        s->pid = 9;
        scene_ready(s, 0, 1, 1);
        CU_ASSERT_TRUE(was_ordered(s, WORKER_ORDER_DRAIN));
        order(s, WORKER_ORDER_RESUME);
        CU_ASSERT_EQUAL(s->workers[0].state, WORKER_CONNECTED);
        scene_free(s);
}

static void set_queue(struct scene *s, const char *name, bool pause)
{
        struct msg msg = { .kind = MSG_queue_set };

        msg.u.queue_set.queue = name;
        msg.u.queue_set.n_queue = strlen(name);
        msg.u.queue_set.paused = msg.u.queue_set.has_paused = pause;
        msg.u.queue_set.weight = pause ? 0 : 2;
        msg.u.queue_set.has_weight = !pause;
        scene_ask(s, OSCAR, &msg);
}

static uint64_t submit_to(struct scene *s, const char *queue)
{
        struct rec_job_spec spec = scene_spec();

        spec.queue = queue;
        spec.n_queue = strlen(queue);
        return scene_submit(s, ALICE, &spec);
}

static void only_a_queue_that_is_there_can_be_paused(void)
{
        struct scene *s = scene_new();

        set_queue(s, "night", true);
        CU_ASSERT_EQUAL(scene_refusal(s, OSCAR), ERR_NOT_FOUND);
        set_queue(s, "night", false);
        CU_ASSERT_EQUAL(scene_answer_kind(s, OSCAR), MSG_changed);
        set_queue(s, "night", true);
        CU_ASSERT_EQUAL(scene_answer_kind(s, OSCAR), MSG_changed);
        scene_free(s);
}

static void nobody_makes_queues_without_end(void)
{
        struct scene *s = scene_new();
        char name[16];

        CU_ASSERT_NOT_EQUAL(submit_to(s, "first"), 0);
        for (int i = 0; i < 1000; i++) {
                snprintf(name, sizeof(name), "q%d", i);
                set_queue(s, name, false);
        }
        CU_ASSERT_EQUAL(scene_refusal(s, OSCAR), ERR_RETRY_LATER);
        CU_ASSERT_EQUAL(submit_to(s, "one-more"), 0);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_RETRY_LATER);
        set_queue(s, "one-more", true);
        CU_ASSERT_EQUAL(scene_refusal(s, OSCAR), ERR_NOT_FOUND);
        CU_ASSERT_NOT_EQUAL(submit_to(s, "first"), 0);
        scene_free(s);
}

static void watch(struct scene *s, uint32_t who, uint64_t job)
{
        struct msg msg = { .kind = MSG_watch };

        msg.u.watch = (struct msg_watch){ .job = job, .has_job = true };
        scene_ask(s, who, &msg);
        CU_ASSERT_EQUAL(scene_answer_kind(s, who), MSG_event);
}

static void a_revoked_key_hears_no_more_after_a_tick(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 1);
        struct msg revoke = { .kind = MSG_key_revoke };

        watch(s, ALICE, job);
        watch(s, OSCAR, job);
        scene_pass_ms(s, 2000);
        CU_ASSERT_EQUAL(scene_answer_kind(s, ALICE), MSG_event);
        revoke.u.key_revoke = (struct msg_key_revoke){ .key = ALICE, .has_key = true };
        scene_ask(s, 4, &revoke);
        scene_pass_ms(s, 1000);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_UNAUTHENTICATED);
        CU_ASSERT_EQUAL(scene_answer_kind(s, OSCAR), MSG_event);
        scene_free(s);
}

static void nor_does_somebody_whose_role_was_taken(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 1);
        const char *gone[] = { "operator" };
        struct msg set = { .kind = MSG_user_set };

        watch(s, OSCAR, job);
        set.u.user_set =
                (struct msg_user_set){ .name = "oscar", .n_name = 5, .rm_roles = gone, .n_rm_roles = 1 };
        scene_ask(s, 4, &set);
        CU_ASSERT_EQUAL(scene_answer_kind(s, 4), MSG_changed);
        scene_pass_ms(s, 1000);
        CU_ASSERT_EQUAL(scene_refusal(s, OSCAR), ERR_FORBIDDEN);
        scene_free(s);
}

UNIT_MAIN("core_orders", TEST(a_stop_is_for_one_process), TEST(a_drain_holds_for_the_key_until_resume),
          TEST(only_a_queue_that_is_there_can_be_paused), TEST(nobody_makes_queues_without_end),
          TEST(a_revoked_key_hears_no_more_after_a_tick), TEST(nor_does_somebody_whose_role_was_taken))
