/* Tasks that wait behind a long one go to whoever is idle. */
#include "core_scene.h"

static void start_first(struct scene *s)
{
        struct scene_grant first = s->grants[0];

        first.hi = first.lo;
        scene_started(s, &first);
}

/* w0 holds four tasks of which one runs, since long. */
static struct scene *scene_behind(uint64_t *ret_job)
{
        struct scene *s = scene_new();

        *ret_job = scene_array(s, ALICE, 4);
        scene_ready(s, 0, 1, 4);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 1);
        CU_ASSERT_EQUAL_FATAL(s->grants[0].hi - s->grants[0].lo + 1, 4);
        start_first(s);
        scene_pass_ms(s, 1000);
        CU_ASSERT_EQUAL(s->n_take_backs, 0);
        return s;
}

static void return_tasks(struct scene *s, uint64_t lo, uint64_t hi)
{
        struct scene_grant part = s->grants[0];

        part.lo = lo;
        part.hi = hi;
        scene_end(s, &part, END_STATUS_RETURNED, 0);
}

static void half_of_what_waits_goes_to_an_idle_worker(void)
{
        uint64_t job;
        struct scene *s = scene_behind(&job);

        scene_ready(s, 1, 1, 4);
        CU_ASSERT_EQUAL_FATAL(s->n_take_backs, 1);
        CU_ASSERT_EQUAL_FATAL(s->last[100]->kind, MSG_take_back);
        CU_ASSERT_EQUAL(s->last[100]->u.take_back.n, 2);
        CU_ASSERT_EQUAL(s->last[100]->u.take_back.job, job);
        return_tasks(s, 3, 4);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 3); /* one for its slot, one ahead */
        for (int i = 1; i < 3; i++) {
                CU_ASSERT_EQUAL(s->grants[i].worker, 1);
                CU_ASSERT_EQUAL(s->grants[i].lo, 2u + i);
        }
        CU_ASSERT_EQUAL(scene_job(s, job)->state.running, 1);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.queued, 3);
        scene_free(s);
}

static void it_is_asked_again_only_after_a_while(void)
{
        uint64_t job;
        struct scene *s = scene_behind(&job);

        scene_ready(s, 1, 1, 4);
        scene_pass_ms(s, 100);
        scene_pass_ms(s, 100);
        CU_ASSERT_EQUAL(s->n_take_backs, 1);
        scene_pass_ms(s, 1000);
        CU_ASSERT_EQUAL(s->n_take_backs, 2);
        scene_free(s);
}

static void what_was_granted_just_now_stays(void)
{
        struct scene *s = scene_new();

        scene_array(s, ALICE, 4);
        scene_ready(s, 0, 1, 4);
        scene_ready(s, 1, 1, 4);
        CU_ASSERT_EQUAL(s->n_take_backs, 0);
        scene_free(s);
}

static void nothing_moves_that_could_not_start(void)
{
        uint64_t job;
        struct scene *s = scene_behind(&job);
        struct msg pause = { .kind = MSG_queue_set };

        pause.u.queue_set = (struct msg_queue_set){
                .queue = "default", .n_queue = 7, .paused = true, .has_paused = true
        };
        scene_ask(s, OSCAR, &pause);
        scene_ready(s, 1, 1, 4);
        scene_pass_ms(s, 2000);
        CU_ASSERT_EQUAL(s->n_take_backs, 0);
        scene_free(s);
}

static void a_worker_too_small_takes_nothing(void)
{
        struct scene *s = scene_new();
        struct rec_array_part part = { .lo = 1, .hi = 4, .has_lo = true, .has_hi = true };
        struct rec_job_spec spec = scene_spec();

        spec.array = &part;
        spec.n_array = 1;
        spec.cpus = 2;
        spec.has_cpus = true;
        scene_submit(s, ALICE, &spec);
        scene_ready(s, 0, 2, 8);
        start_first(s);
        scene_pass_ms(s, 1000);
        scene_ready(s, 1, 1, 4);
        scene_pass_ms(s, 2000);
        CU_ASSERT_EQUAL(s->n_take_backs, 0);
        scene_ready(s, 2, 2, 2);
        scene_pass_ms(s, 100);
        CU_ASSERT_EQUAL(s->n_take_backs, 1);
        scene_free(s);
}

UNIT_MAIN("core_share", TEST(half_of_what_waits_goes_to_an_idle_worker),
          TEST(it_is_asked_again_only_after_a_while), TEST(what_was_granted_just_now_stays),
          TEST(nothing_moves_that_could_not_start), TEST(a_worker_too_small_takes_nothing))
