/* Single tasks that a person holds, and whole jobs. */
#include "core/job.h"
#include "core/keep.h"
#include "core/park.h"
#include "core_scene.h"

static uint64_t granted(const struct scene *s, uint64_t job)
{
        uint64_t n = 0;

        for (size_t i = 0; i < s->n_grants; i++)
                n += s->grants[i].job == job ? s->grants[i].hi - s->grants[i].lo + 1 : 0;
        return n;
}

/* lo 0: the whole job. Returns the count of the answer, UINT64_MAX: refused. */
static uint64_t ask(struct scene *s, uint64_t job, bool held, uint64_t lo, uint64_t hi)
{
        struct range range = { lo, hi };
        struct msg msg = { .kind = held ? MSG_hold : MSG_release };

        if (held)
                msg.u.hold = (struct msg_hold){ .job = job,
                                                .ranges = &range,
                                                .n_ranges = lo > 0,
                                                .reason = "disk is full",
                                                .n_reason = 12 };
        else
                msg.u.release = (struct msg_release){ .job = job, .ranges = &range, .n_ranges = lo > 0 };
        scene_ask(s, ALICE, &msg);
        scene_pass_ms(s, 1);
        return scene_answer_kind(s, ALICE) == MSG_changed ? s->last[ALICE]->u.changed.count : UINT64_MAX;
}

static uint64_t hold(struct scene *s, uint64_t job, uint64_t lo, uint64_t hi)
{
        return ask(s, job, true, lo, hi);
}

static uint64_t release(struct scene *s, uint64_t job, uint64_t lo, uint64_t hi)
{
        return ask(s, job, false, lo, hi);
}

static bool is_held(struct scene *s, uint64_t job, uint64_t index)
{
        const struct job *memory = job_find(s->core, job);
        uint32_t at;
        const struct span *run =
                index_find(&memory->indexes, index, &at) ? spans_find(&memory->parked, at) : NULL;

        return run && (run->note & PARK_HELD) != 0;
}

static void park(struct scene *s, uint64_t job, uint32_t lo, uint32_t hi, bool put)
{
        struct effects effects = { 0 };
        struct spans which = { 0 };

        spans_add(&which, (struct span){ .lo = lo, .hi = hi });
        s->core->out = &effects;
        if (put)
                park_tasks(s->core, job_find(s->core, job), &which, PARK_DEPENDENCY);
        else
                park_release(s->core, job_find(s->core, job), &which, PARK_DEPENDENCY);
        s->core->out = NULL;
        spans_done(&which);
        scene_carry_out(s, &effects);
        scene_commit(s);
        scene_pass_ms(s, 1);
}

static const char *why(struct scene *s, uint64_t job, uint64_t index)
{
        struct msg msg = { .kind = MSG_why };

        msg.u.why = (struct msg_why){ .job = job, .index = index, .has_index = index > 0 };
        scene_ask(s, ALICE, &msg);
        return s->last[ALICE]->u.rows.rows;
}

/* ------------------------------------------------------------------ */

static void single_tasks_are_held_until_they_are_released(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 10);

        CU_ASSERT_EQUAL(hold(s, job, 3, 5), 3);
        CU_ASSERT_EQUAL(hold(s, job, 5, 6), 1);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 4);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.queued, 6);
        CU_ASSERT_TRUE(is_held(s, job, 4));
        scene_ready(s, 0, 20, 20);
        CU_ASSERT_EQUAL(granted(s, job), 6);
        CU_ASSERT_EQUAL(release(s, job, 4, 10), 3);
        CU_ASSERT_EQUAL(granted(s, job), 9);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 1);
        CU_ASSERT_EQUAL(release(s, job, 0, 0), 1); /* the whole job: all that is held */
        CU_ASSERT_EQUAL(granted(s, job), 10);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 0);
        scene_free(s);
}

static void what_is_held_stays_held_over_restarts(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 10);

        park(s, job, 2, 3, true);
        CU_ASSERT_EQUAL(hold(s, job, 1, 7), 7);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 7);
        CU_ASSERT_EQUAL(scene_status(s, job, 3),
                        TASK_STATUS_WAITING); /* its row: that it is held stands elsewhere */
        for (int i = 0; i < 2; i++) {
                scene_restart(s);
                CU_ASSERT_EQUAL(job_find(s->core, job)->keeps.n_held, 7);
                CU_ASSERT_EQUAL(job_find(s->core, job)->limbo.count, 0);
                CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 7);
        }
        scene_ready(s, 0, 20, 20);
        CU_ASSERT_EQUAL(granted(s, job), 3);
        CU_ASSERT_EQUAL(release(s, job, 1, 3), 3); /* one of them waits for a task as well */
        CU_ASSERT_EQUAL(granted(s, job), 5);
        CU_ASSERT_EQUAL(scene_status(s, job, 3), TASK_STATUS_WAITING);
        park(s, job, 2, 3, false);
        CU_ASSERT_EQUAL(granted(s, job), 6);
        CU_ASSERT_TRUE(is_held(s, job, 4)); /* what it waited for came, the person did not */
        CU_ASSERT_EQUAL(scene_status(s, job, 4), TASK_STATUS_QUEUED);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 4);
        scene_restart(s);
        CU_ASSERT_EQUAL(job_find(s->core, job)->keeps.n_held, 4);
        CU_ASSERT_EQUAL(release(s, job, 0, 0), 4);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 0);
        scene_free(s);
}

static void a_release_counts_when_it_is_committed(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 4);
        struct range one = { 2, 2 };
        struct msg msg = { .kind = MSG_release };

        hold(s, job, 1, 4);
        scene_ready(s, 0, 4, 4);
        CU_ASSERT_EQUAL(granted(s, job), 0);
        msg.u.release = (struct msg_release){ .job = job, .has_job = true, .ranges = &one, .n_ranges = 1 };
        scene_say(s, ALICE, ALICE, &msg);
        CU_ASSERT_EQUAL(granted(s, job), 0);
        scene_drop_batch(s); /* the process dies before its commit */
        scene_restart(s);
        CU_ASSERT_TRUE(is_held(s, job, 2));
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 4);
        CU_ASSERT_EQUAL(release(s, job, 2, 2), 1);
        scene_ready(s, 0, 4, 4);
        CU_ASSERT_EQUAL(granted(s, job), 1);
        scene_free(s);
}

static void a_task_in_back_off_keeps_its_wait_while_it_is_held(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        uint64_t job;
        int64_t until;

        spec.retries = 2;
        spec.backoff_ms = 60000;
        spec.has_retries = spec.has_backoff_ms = true;
        job = scene_submit(s, ALICE, &spec);
        scene_ready(s, 0, 1, 1);
        scene_end(s, &s->grants[0], END_STATUS_FAILED, 1);
        until = scene_row(s, job, 1)->now.started_us;
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_WAITING);
        CU_ASSERT_EQUAL(hold(s, job, 1, 1), 1);
        CU_ASSERT_TRUE(is_held(s, job, 1));
        CU_ASSERT_EQUAL(scene_row(s, job, 1)->now.started_us, until);
        CU_ASSERT_EQUAL(scene_row(s, job, 1)->now.attempt, 1);
        scene_restart(s);
        CU_ASSERT_EQUAL(release(s, job, 1, 1), 1);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.waiting, 1);
        CU_ASSERT_EQUAL(hold(s, job, 1, 1), 1);
        for (int i = 0; i < 8; i++)
                scene_pass_ms(s, 10000);
        scene_ready(s, 0, 1, 1);
        CU_ASSERT_EQUAL(granted(s, job), 0);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 1);
        CU_ASSERT_EQUAL(release(s, job, 1, 1), 1); /* its time has come meanwhile */
        CU_ASSERT_EQUAL(granted(s, job), 1);
        scene_free(s);
}

static void a_held_job_can_let_single_tasks_go(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 10);

        CU_ASSERT_EQUAL(hold(s, job, 9, 9), 1);
        CU_ASSERT_EQUAL(hold(s, job, 0, 0), 9);
        CU_ASSERT_EQUAL(hold(s, job, 2, 3), 0); /* all are held */
        CU_ASSERT_EQUAL(release(s, job, 4, 5), 2);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 8);
        scene_restart(s);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 8);
        scene_ready(s, 0, 20, 20);
        CU_ASSERT_EQUAL(granted(s, job), 2);
        CU_ASSERT_EQUAL(release(s, job, 0, 0), 8);
        CU_ASSERT_EQUAL(granted(s, job), 10);
        scene_free(s);
}

static void a_cancel_reaches_held_tasks_and_retry_brings_them_back(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 10);
        struct msg retry = { .kind = MSG_retry };
        const char *held = "held";
        struct msg cancel = { .kind = MSG_cancel };

        cancel.u.cancel = (struct msg_cancel){ .job = job, .statuses = &held, .n_statuses = 1 };
        hold(s, job, 2, 4);
        scene_ask(s, ALICE, &cancel);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.changed.count, 3);
        CU_ASSERT_EQUAL(scene_status(s, job, 3), TASK_STATUS_CANCELLED);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.cancelled, 3);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.queued, 7);
        s->n_loads = 0;
        retry.u.retry.job = job;
        scene_ask(s, ALICE, &retry);
        scene_read_round(s, job);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.queued, 10);
        scene_restart(s);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.queued, 10); /* nothing of the old hold is left */
        CU_ASSERT_EQUAL(hold(s, job, 1, 10), 10);
        scene_cancel(s, ALICE, job, 0, 0);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.cancelled, 10);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_CANCELLED);
        scene_free(s);
}

/* ------------------------------------------------------------------ what workers have */

/* Of nine tasks a worker with one slot has four; the first of them runs. */
static struct scene *scene_ahead(uint64_t *ret_job)
{
        struct scene *s = scene_new();
        struct scene_grant first;

        *ret_job = scene_array(s, ALICE, 9);
        scene_ready(s, 0, 1, 4);
        CU_ASSERT_EQUAL_FATAL(granted(s, *ret_job), 4);
        first = s->grants[0];
        first.hi = first.lo;
        scene_started(s, &first);
        return s;
}

static void give_back(struct scene *s, uint64_t lo, uint64_t hi)
{
        struct scene_grant part = s->grants[0];

        part.lo = lo;
        part.hi = hi;
        scene_end(s, &part, END_STATUS_RETURNED, 0);
}

static void what_a_worker_has_not_started_is_taken_back_and_held(void)
{
        uint64_t job;
        struct scene *s = scene_ahead(&job);

        CU_ASSERT_EQUAL(hold(s, job, 1, 9), 8); /* one runs */
        CU_ASSERT_PTR_NOT_NULL(strstr(s->last[ALICE]->u.changed.detail, "1 task runs and goes on"));
        CU_ASSERT_PTR_NOT_NULL(strstr(s->last[ALICE]->u.changed.detail, "3 tasks are with workers"));
        CU_ASSERT_EQUAL(s->n_take_backs, 1);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 5);
        CU_ASSERT_EQUAL(hold(s, job, 1, 9), 0); /* asked for already */
        give_back(s, 2, 4);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 8);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.running, 1);
        CU_ASSERT_EQUAL(granted(s, job), 4); /* and nothing is granted again */
        scene_restart(s);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 8);
        scene_ready(s, 0, 4, 4);
        CU_ASSERT_EQUAL(release(s, job, 2, 2), 1);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 7);
        scene_free(s);
}

static void what_started_meanwhile_runs_and_is_not_held_after_it(void)
{
        uint64_t job;
        struct scene *s = scene_ahead(&job);
        struct scene_grant second = s->grants[0];

        second.lo = second.hi = 2;
        CU_ASSERT_EQUAL(hold(s, job, 2, 3), 2);
        scene_started(s, &second);
        give_back(s, 3, 4); /* of the other, which nobody held, it may start at once */
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 1);
        CU_ASSERT_TRUE(is_held(s, job, 3));
        CU_ASSERT_EQUAL(job_find(s->core, job)->keeps.coming.count, 0);
        scene_end(s, &second, END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(scene_status(s, job, 2), TASK_STATUS_SUCCEEDED);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 1);
        scene_free(s);
}

static void a_lost_worker_gives_back_too(void)
{
        uint64_t job;
        struct scene *s = scene_ahead(&job);

        CU_ASSERT_EQUAL(hold(s, job, 3, 4), 2);
        scene_restart(s); /* what was asked back is still asked back */
        CU_ASSERT_EQUAL(job_find(s->core, job)->keeps.coming.count, 2);
        scene_pass_ms(s, SCENE_LEASE_MS + 1000);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 2);
        CU_ASSERT_TRUE(is_held(s, job, 3) && is_held(s, job, 4));
        scene_ready(s, 1, 20, 20);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 2);
        CU_ASSERT_EQUAL(release(s, job, 0, 0), 2);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 0);
        scene_free(s);
}

static void holding_the_whole_job_takes_back_as_well(void)
{
        uint64_t job;
        struct scene *s = scene_ahead(&job);

        CU_ASSERT_EQUAL(hold(s, job, 0, 0), 8);
        CU_ASSERT_EQUAL(s->n_take_backs, 1);
        give_back(s, 2, 4);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 8);
        CU_ASSERT_EQUAL(granted(s, job), 4);
        CU_ASSERT_EQUAL(release(s, job, 4, 9), 6); /* 2 and 3 stay held, one by one */
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 2);
        scene_restart(s);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 2);
        scene_free(s);
}

static void only_what_has_the_status_is_held(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 10);
        const char *waiting = "waiting";
        struct msg msg = { .kind = MSG_hold };

        park(s, job, 2, 4, true);
        msg.u.hold = (struct msg_hold){ .job = job, .statuses = &waiting, .n_statuses = 1 };
        scene_ask(s, ALICE, &msg);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.changed.count, 3);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 3);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.queued, 7);
        scene_free(s);
}

static void why_says_who_holds_it_since_when_and_why(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 10);

        hold(s, job, 4, 5);
        CU_ASSERT_PTR_NOT_NULL(strstr(why(s, job, 4), "held by alice since "));
        CU_ASSERT_PTR_NOT_NULL(strstr(why(s, job, 4), "(disk is full)"));
        scene_restart(s);
        CU_ASSERT_PTR_NOT_NULL(strstr(why(s, job, 5), "held by alice since "));
        CU_ASSERT_PTR_NOT_NULL(strstr(why(s, job, 0), "2 tasks are held by alice"));
        hold(s, job, 0, 0);
        scene_restart(s);
        CU_ASSERT_PTR_NOT_NULL(strstr(why(s, job, 0), "all of it is held by alice"));
        scene_free(s);
}

/* ------------------------------------------------------------------ large ones */

static uint64_t can_be_granted(const struct job *job)
{
        return job->plain.again.count + job->tasks - job->cursor -
               spans_count_within(&job->gone, job->cursor, job->tasks) + job->limbo.count;
}

static void a_large_part_is_held_as_one_run_and_the_rest_goes_on_behind_it(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 100000);
        struct job *memory = job_find(s->core, job);

        CU_ASSERT_EQUAL(hold(s, job, 11, 99000), 98990);
        CU_ASSERT_EQUAL(memory->parked.n - memory->parked.head, 1);
        CU_ASSERT_EQUAL(memory->mark, 32768);
        scene_ready(s, 0, 20, 2000);
        CU_ASSERT_EQUAL(granted(s, job), 1010); /* 10 before, 1000 behind, for which the mark was raised */
        CU_ASSERT_EQUAL(release(s, job, 11, 99000), 98990);
        CU_ASSERT_EQUAL(granted(s, job), 2000);
        CU_ASSERT_EQUAL(granted(s, job) + can_be_granted(memory), 100000);
        scene_free(s);
}

static void what_is_held_and_was_never_reached_is_not_limbo_after_a_restart(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 3000);

        CU_ASSERT_EQUAL(hold(s, job, 11, 2900), 2890);
        scene_restart(s);
        CU_ASSERT_FALSE(s->stopped);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 2890);
        CU_ASSERT_EQUAL(job_find(s->core, job)->keeps.n_held, 2890);
        CU_ASSERT_EQUAL(release(s, job, 11, 2900), 2890);
        scene_pass_ms(s, SCENE_LEASE_MS + 1000);
        CU_ASSERT_EQUAL(can_be_granted(job_find(s->core, job)), 3000);
        scene_free(s);
}

static void too_many_pieces_are_refused_and_nothing_is_held(void)
{
        struct scene *s = scene_new();
        uint64_t job = scene_array(s, ALICE, 4000);
        struct range *ranges = xcalloc(2000, sizeof(*ranges));
        struct msg msg = { .kind = MSG_hold };

        for (uint64_t i = 0; i < 2000; i++)
                ranges[i] = (struct range){ 1 + 2 * i, 1 + 2 * i };
        msg.u.hold = (struct msg_hold){ .job = job, .ranges = ranges, .n_ranges = 1000 };
        scene_ask(s, ALICE, &msg);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.changed.count, 1000);
        msg.u.hold.n_ranges = 2000;
        scene_ask(s, ALICE, &msg);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_TOO_LARGE);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 1000);
        scene_restart(s);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.held, 1000);
        free(ranges);
        scene_free(s);
}

UNIT_MAIN("core_hold", TEST(single_tasks_are_held_until_they_are_released),
          TEST(what_is_held_stays_held_over_restarts), TEST(a_release_counts_when_it_is_committed),
          TEST(a_task_in_back_off_keeps_its_wait_while_it_is_held), TEST(a_held_job_can_let_single_tasks_go),
          TEST(a_cancel_reaches_held_tasks_and_retry_brings_them_back),
          TEST(what_a_worker_has_not_started_is_taken_back_and_held),
          TEST(what_started_meanwhile_runs_and_is_not_held_after_it), TEST(a_lost_worker_gives_back_too),
          TEST(holding_the_whole_job_takes_back_as_well), TEST(only_what_has_the_status_is_held),
          TEST(why_says_who_holds_it_since_when_and_why),
          TEST(a_large_part_is_held_as_one_run_and_the_rest_goes_on_behind_it),
          TEST(what_is_held_and_was_never_reached_is_not_limbo_after_a_restart),
          TEST(too_many_pieces_are_refused_and_nothing_is_held))
