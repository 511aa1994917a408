/* Single tasks that wait for something of their own. */
#include "core/job.h"
#include "core/park.h"
#include "core_scene.h"

static struct spans run(uint32_t lo, uint32_t hi)
{
        struct spans spans = { 0 };

        spans_add(&spans, (struct span){ .lo = lo, .hi = hi });
        return spans;
}

/* Positions lo … hi of a job, as a feature of the core would do it. */
static uint64_t park(struct scene *s, uint64_t job, uint32_t lo, uint32_t hi, enum park why)
{
        struct effects effects = { 0 };
        struct spans which = run(lo, hi);
        uint64_t n;

        s->core->out = &effects;
        if (why == PARK_TIME) /* for an hour, unless somebody releases them */
                n = park_tasks_until(s->core, job_find(s->core, job), &which, s->wall_us + 3600 * US_PER_S);
        else
                n = park_tasks(s->core, job_find(s->core, job), &which, why);
        s->core->out = NULL;
        spans_done(&which);
        scene_carry_out(s, &effects);
        scene_commit(s);
        return n;
}

static void release(struct scene *s, uint64_t job, uint32_t lo, uint32_t hi, enum park why)
{
        struct effects effects = { 0 };
        struct spans which = run(lo, hi);

        s->core->out = &effects;
        park_release(s->core, job_find(s->core, job), &which, why);
        s->core->out = NULL;
        spans_done(&which);
        scene_carry_out(s, &effects);
        scene_commit(s);
        scene_pass_ms(s, 1);
}

static uint64_t granted(const struct scene *s, uint64_t job)
{
        uint64_t n = 0;

        for (size_t i = 0; i < s->n_grants; i++)
                n += s->grants[i].job == job ? s->grants[i].hi - s->grants[i].lo + 1 : 0;
        return n;
}

static void parked_tasks_are_passed_over_and_said_to_wait(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 10);

        CU_ASSERT_EQUAL(park(s, job, 2, 4, PARK_DEPENDENCY), 3);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.waiting, 3);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.queued, 7);
        CU_ASSERT_EQUAL(scene_status(s, job, 4), TASK_STATUS_WAITING);
        CU_ASSERT_EQUAL(scene_row(s, job, 4)->now.reason, TASK_REASON_DEPENDENCY);
        CU_ASSERT_EQUAL(scene_status(s, job, 6), TASK_STATUS_QUEUED);
        scene_ready(s, 0, 20, 20);
        CU_ASSERT_EQUAL(granted(s, job), 7);
        release(s, job, 0, 9, PARK_TIME); /* somebody else's reason */
        CU_ASSERT_EQUAL(granted(s, job), 7);
        release(s, job, 3, 9, PARK_DEPENDENCY);
        CU_ASSERT_EQUAL(granted(s, job), 9);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.waiting, 1);
        CU_ASSERT_EQUAL(scene_status(s, job, 3), TASK_STATUS_WAITING);
        scene_free(s);
}

static void a_hold_takes_them_along_and_a_release_gives_each_its_own(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 10);
        struct msg hold = { .kind = MSG_hold }, free = { .kind = MSG_release };

        hold.u.hold.job = free.u.release.job = job;
        park(s, job, 0, 3, PARK_TIME);
        scene_ask(s, ALICE, &hold);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 10);
        park(s, job, 4, 4, PARK_TIME);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 10);
        release(s, job, 0, 0, PARK_TIME);
        scene_ask(s, ALICE, &free);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 0);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.waiting, 4);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.queued, 6);
        scene_free(s);
}

static void a_restart_parks_again_what_waited_and_nothing_of_it_is_limbo(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 10);

        park(s, job, 0, 9, PARK_DEPENDENCY);
        scene_restart(s);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.waiting, 10);
        CU_ASSERT_EQUAL(job_find(s->core, job)->parked.count, 10);
        CU_ASSERT_EQUAL(job_find(s->core, job)->limbo.count, 0);
        scene_ready(s, 0, 20, 20);
        CU_ASSERT_EQUAL(granted(s, job), 0);
        release(s, job, 5, 9, PARK_DEPENDENCY);
        CU_ASSERT_EQUAL(granted(s, job), 5);
        scene_free(s);
}

static void an_attempt_that_is_over_keeps_its_number_while_it_waits(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 1);

        scene_ready(s, 0, 1, 1);
        scene_beat(s, 0, 0);
        scene_end(s, &s->grants[0], END_STATUS_RETURNED, 0); /* window 4: granted again at once */
        scene_restart(s);
        scene_pass_ms(s, SCENE_LEASE_MS + 1000);
        CU_ASSERT_EQUAL(park(s, job, 0, 0, PARK_TIME), 1);
        scene_ready(s, 0, 1, 1);
        CU_ASSERT_EQUAL(granted(s, job), 0);
        scene_restart(s);
        CU_ASSERT_EQUAL(job_find(s->core, job)->parked.count, 1);
        scene_ready(s, 0, 1, 1);
        release(s, job, 0, 0, PARK_TIME);
        CU_ASSERT_EQUAL(granted(s, job), 1);
        scene_free(s);
}

static void cancelling_reaches_them(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 10);

        park(s, job, 2, 9, PARK_DEPENDENCY);
        scene_cancel(s, ALICE, job, 5, 6);
        CU_ASSERT_EQUAL(scene_status(s, job, 5), TASK_STATUS_CANCELLED);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.waiting, 6);
        scene_cancel(s, ALICE, job, 0, 0);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.cancelled, 10);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_CANCELLED);
        scene_free(s);
}

static void what_has_no_row_yet_is_granted_when_it_has_one(void)
{
        struct scene *s = scene_new();
        struct job *memory;
        uint64_t job = scene_array(s, ALICE, 3000);
        uint64_t rows = s->n_rows;

        memory = job_find(s->core, job);
        CU_ASSERT_EQUAL(memory->exist, 3000); /* the scene commits until nothing is open */
        CU_ASSERT_EQUAL(park(s, job, 100, 2999, PARK_TIME), 2900);
        CU_ASSERT_EQUAL(memory->mark, 3000);
        CU_ASSERT_EQUAL(memory->parked.n - memory->parked.head, 1);
        memory->exist = memory->exist_asked = 1500; /* as if the rest were on its way */
        release(s, job, 1490, 1509, PARK_TIME);
        CU_ASSERT_EQUAL(memory->plain.again.count, 10);
        CU_ASSERT_EQUAL(memory->ripe.count, 10);
        memory->exist = memory->exist_asked = 3000;
        park_ripen(memory);
        CU_ASSERT_EQUAL(memory->plain.again.count, 20);
        CU_ASSERT_TRUE(rows > 0);
        scene_free(s);
}

UNIT_MAIN("core_park", TEST(parked_tasks_are_passed_over_and_said_to_wait),
          TEST(a_hold_takes_them_along_and_a_release_gives_each_its_own),
          TEST(a_restart_parks_again_what_waited_and_nothing_of_it_is_limbo),
          TEST(an_attempt_that_is_over_keeps_its_number_while_it_waits), TEST(cancelling_reaches_them),
          TEST(what_has_no_row_yet_is_granted_when_it_has_one))
