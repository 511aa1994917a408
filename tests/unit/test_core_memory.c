/* More memory for the next attempt of a task that ran out of it. */
#include "core_scene.h"

#define GIB (UINT64_C(1) << 30)

/* 4G,x2,max=12G */
static uint64_t submit(struct scene *s, uint64_t n)
{
        struct rec_array_part part = { .lo = 1, .hi = n, .has_lo = true, .has_hi = true };
        struct rec_job_spec spec = scene_spec();

        spec.array = &part;
        spec.n_array = 1;
        spec.retries = 5;
        spec.has_retries = true;
        spec.mem = 4 * GIB;
        spec.has_mem = true;
        spec.mem_factor = 2000;
        spec.has_mem_factor = true;
        spec.mem_max = 12 * GIB;
        spec.has_mem_max = true;
        return scene_submit(s, ALICE, &spec);
}

static void ready(struct scene *s, unsigned worker, uint64_t gib)
{
        static const char *types[] = { "noop", "command" };
        struct msg msg = { .kind = MSG_ready };

        msg.u.ready = (struct msg_ready){ .slots = 8,
                                          .window = 8,
                                          .mem = gib * GIB,
                                          .has_mem = true,
                                          .types = types,
                                          .n_types = 2,
                                          .version = "1",
                                          .n_version = 1,
                                          .host = "host",
                                          .n_host = 4,
                                          .pid = 7 };
        scene_say_worker(s, worker, &msg);
        scene_commit(s);
}

static const struct scene_grant *newest(const struct scene *s)
{
        CU_ASSERT_FATAL(s->n_grants > 0);
        return &s->grants[s->n_grants - 1];
}

/* A grant need not repeat what the description says. */
static uint64_t mem_of(const struct scene_grant *grant)
{
        return grant->mem == 0 ? 4 * GIB : grant->mem;
}

static void the_next_attempt_after_oom_has_more_up_to_the_limit(void)
{
        static const uint64_t gib[] = { 4, 8, 12, 12 };
        struct scene *s = scene_new();

        ready(s, 0, 64);
        submit(s, 1);
        for (size_t i = 0; i < ARRAY_LEN(gib); i++) {
                CU_ASSERT_EQUAL(newest(s)->attempt, i + 1);
                CU_ASSERT_EQUAL(mem_of(newest(s)), gib[i] * GIB);
                scene_end(s, newest(s), END_STATUS_OOM, 0);
        }
        scene_free(s);
}

static void other_failures_change_nothing(void)
{
        struct scene *s = scene_new();

        ready(s, 0, 64);
        submit(s, 1);
        scene_end(s, newest(s), END_STATUS_FAILED, 1);
        CU_ASSERT_EQUAL(mem_of(newest(s)), 4 * GIB);
        scene_end(s, newest(s), END_STATUS_OOM, 0);
        CU_ASSERT_EQUAL(mem_of(newest(s)), 8 * GIB);
        scene_end(s, newest(s), END_STATUS_FAILED, 1);
        CU_ASSERT_EQUAL(newest(s)->attempt, 4);
        CU_ASSERT_EQUAL(mem_of(newest(s)), 8 * GIB);
        scene_free(s);
}

static void it_goes_where_that_much_is(void)
{
        struct scene *s = scene_new();

        ready(s, 0, 6);
        submit(s, 1);
        scene_end(s, newest(s), END_STATUS_OOM, 0);
        CU_ASSERT_EQUAL(s->n_grants, 1); /* 8G are nowhere */
        ready(s, 1, 16);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 2);
        CU_ASSERT_EQUAL(s->grants[1].worker, 1);
        scene_free(s);
}

static void a_restart_and_a_new_round_remember_it(void)
{
        struct scene *s = scene_new();
        struct msg msg = { .kind = MSG_retry };
        uint64_t job;

        ready(s, 0, 64);
        job = submit(s, 2);
        scene_end(s, newest(s), END_STATUS_OOM, 0); /* both */
        CU_ASSERT_EQUAL(mem_of(newest(s)), 8 * GIB);
        scene_restart(s);
        ready(s, 0, 64);
        scene_pass_ms(s, SCENE_LEASE_MS + 1000);
        ready(s, 0, 64);
        CU_ASSERT_EQUAL_FATAL(s->n_grants > 0, true);
        CU_ASSERT_EQUAL(mem_of(newest(s)), 8 * GIB);
        scene_cancel(s, ALICE, job, 0, 0);
        for (size_t n = s->n_grants, i = 0; i < n; i++)
                scene_end(s, &s->grants[i], END_STATUS_CANCELLED, 0);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_CANCELLED);
        msg.u.retry = (struct msg_retry){ .job = job, .has_job = true };
        scene_ask(s, ALICE, &msg);
        scene_read_round(s, job);
        ready(s, 0, 64);
        CU_ASSERT_EQUAL(mem_of(newest(s)), 8 * GIB);
        CU_ASSERT(newest(s)->attempt > 2);
        scene_free(s);
}

UNIT_MAIN("core_memory", TEST(the_next_attempt_after_oom_has_more_up_to_the_limit),
          TEST(other_failures_change_nothing), TEST(it_goes_where_that_much_is),
          TEST(a_restart_and_a_new_round_remember_it))
