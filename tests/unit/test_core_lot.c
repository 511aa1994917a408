/* Needs and lots: equal needs are one, and tasks of one job that need different things are placed apart. */
#include "core/lot.h"

#include "core/job.h"
#include "core/lease.h"
#include "core/queue.h"
#include "core_scene.h"

static void equal_needs_are_one_object_whatever_the_order_of_their_lists(void)
{
        struct core *core = core_new();
        const char *a[] = { "disk", "zone=1", "disk" };
        const char *b[] = { "zone=1", "disk" };
        struct needs like = { .type = TASK_TYPE_NOOP, .cpus = 2, .require = a, .n_require = 3 };
        struct needs *one, *two, *other;

        one = needs_get(core, &like);
        like.require = b;
        like.n_require = 2;
        two = needs_get(core, &like);
        CU_ASSERT_PTR_EQUAL(one, two);
        CU_ASSERT_EQUAL(two->n_require, 2);
        CU_ASSERT_STRING_EQUAL(two->require[1], "zone=1");
        like.avoid = like.require; /* the same words mean something else there */
        like.n_avoid = like.n_require;
        like.n_require = 0;
        other = needs_get(core, &like);
        CU_ASSERT_PTR_NOT_EQUAL(one, other);
        needs_unref(core, one);
        needs_unref(core, two);
        needs_unref(core, other);
        CU_ASSERT_PTR_NULL(core->needs);
        core_free(core);
}

static void tasks_of_a_job_that_need_more_wait_for_a_worker_that_has_it(void)
{
        struct scene *s = scene_new();
        uint64_t id = scene_array(s, ALICE, 4);
        struct job *job = job_find(s->core, id);
        struct needs like = { .type = TASK_TYPE_NOOP, .cpus = 4 };
        struct needs *wide = needs_get(s->core, &like);
        struct lot *lot = lot_get(s->core, job, 0, wide);

        CU_ASSERT_PTR_EQUAL(lot_get(s->core, job, 0, wide), lot);
        CU_ASSERT_PTR_EQUAL(lot_get(s->core, job, 0, job->plain.needs), &job->plain);
        needs_unref(s->core, wide);
        job->cursor = 1; /* the first task was granted before, and comes back needing more */
        spans_add(&lot->again, (struct span){ .lo = 0, .hi = 0, .attempt = 1 });
        queue_consider(s->core, job);
        scene_ready(s, 0, 3, 3);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 1);
        CU_ASSERT_EQUAL(s->grants[0].lo, 2);
        CU_ASSERT_EQUAL(s->grants[0].hi, 4);
        scene_ready(s, 1, 4, 4);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 2);
        CU_ASSERT_EQUAL(s->grants[1].lo, 1);
        CU_ASSERT_EQUAL(s->grants[1].attempt, 2);
        CU_ASSERT_EQUAL(s->grants[1].worker, 1);
        CU_ASSERT_PTR_EQUAL(lease_find(s->core, s->grants[1].nonce)->lot, lot);
        /* Given back, it waits in its own lot: the other worker stays without it. */
        scene_end(s, &s->grants[0], END_STATUS_SUCCEEDED, 0);
        scene_end(s, &s->grants[1], END_STATUS_RETURNED, 0);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 3);
        CU_ASSERT_EQUAL(s->grants[2].worker, 1);
        scene_end(s, &s->grants[2], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(scene_job_status(s, id), TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

static void one_limit_of_a_job_holds_for_all_its_lots(void)
{
        struct scene *s = scene_new();
        struct rec_array_part part = { .lo = 1, .hi = 4, .has_lo = true, .has_hi = true };
        struct rec_job_spec spec = scene_spec();
        struct needs like = { .type = TASK_TYPE_NOOP, .cpus = 2 };
        struct needs *needs;
        struct job *job;

        spec.array = &part;
        spec.n_array = 1;
        spec.max_running = 1;
        spec.has_max_running = true;
        job = job_find(s->core, scene_submit(s, ALICE, &spec));
        needs = needs_get(s->core, &like);
        job->cursor = 2;
        spans_add(&lot_get(s->core, job, 0, needs)->again, (struct span){ .lo = 0, .hi = 1 });
        needs_unref(s->core, needs);
        queue_consider(s->core, job);
        scene_ready(s, 0, 8, 8);
        for (size_t done = 0; done < 4; done++) {
                CU_ASSERT_EQUAL_FATAL(s->n_grants, done + 1);
                CU_ASSERT_EQUAL(s->grants[done].lo, s->grants[done].hi);
                scene_end(s, &s->grants[done], END_STATUS_SUCCEEDED, 0);
        }
        scene_free(s);
}

UNIT_MAIN("core_lot", TEST(equal_needs_are_one_object_whatever_the_order_of_their_lists),
          TEST(tasks_of_a_job_that_need_more_wait_for_a_worker_that_has_it),
          TEST(one_limit_of_a_job_holds_for_all_its_lots))
