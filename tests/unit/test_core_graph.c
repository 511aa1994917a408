/* Tasks of one job that depend on each other. */
#include "core/graph.h"
#include "core/job.h"
#include "graph_scene.h"

/* The entries that the core asks for after a restart or a retry. */
static void read_entries(struct scene *s, uint64_t job, const char *const *parents, size_t n)
{
        CLEANUP_BUF struct buf body = { 0 };
        struct event event = { .kind = EVENT_ENTRIES };

        for (size_t i = 0; i < n; i++)
                graph_entry(&body, parents[i]);
        event.u.entries.job.n = job;
        event.u.entries.bytes = (const uint8_t *)body.bytes;
        event.u.entries.n_bytes = body.n;
        scene_step(s, &event);
        scene_commit(s);
}

static const struct scene_grant *grant_of(const struct scene *s, uint64_t job, uint64_t index)
{
        for (size_t i = s->n_grants; i-- > 0;) {
                if (s->grants[i].job == job && s->grants[i].lo <= index && s->grants[i].hi >= index)
                        return &s->grants[i];
        }
        return NULL;
}

static void end_uncommitted(struct scene *s, uint64_t job, uint64_t index, bool ok)
{
        const struct scene_grant *found = grant_of(s, job, index);
        struct scene_grant grant;

        CU_ASSERT_FATAL(found != NULL);
        grant = *found;
        grant.lo = grant.hi = index;
        scene_say_end(s, &grant, ok ? END_STATUS_SUCCEEDED : END_STATUS_FAILED, ok ? 0 : 3);
}

static void end(struct scene *s, uint64_t job, uint64_t index, bool ok)
{
        end_uncommitted(s, job, index, ok);
        scene_pass_ms(s, 1);
}

static const char *const diamond[] = { "", "1", "1", "2 3" };

static void a_child_starts_when_the_ends_of_all_parents_are_committed(void)
{
        struct scene *s = scene_new();
        uint64_t job = graph_submit(s, diamond, 4, scene_spec());

        CU_ASSERT_EQUAL(scene_job(s, job)->state.waiting, 3);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_QUEUED);
        CU_ASSERT_EQUAL(scene_status(s, job, 4), TASK_STATUS_WAITING);
        scene_ready(s, 0, 8, 8);
        CU_ASSERT_PTR_NOT_NULL(grant_of(s, job, 1));
        CU_ASSERT_PTR_NULL(grant_of(s, job, 2));
        end(s, job, 1, true);
        CU_ASSERT_PTR_NOT_NULL(grant_of(s, job, 2));
        end(s, job, 3, true);
        CU_ASSERT_PTR_NULL(grant_of(s, job, 4));
        end(s, job, 2, true);
        end(s, job, 4, true);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

static void one_commit_lies_between_the_end_of_a_parent_and_the_grant_of_a_child(void)
{
        struct scene *s = scene_new();
        uint64_t job = graph_submit(s, diamond, 4, scene_spec());

        scene_ready(s, 0, 8, 8);
        end_uncommitted(s, job, 1, true);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_QUEUED);
        CU_ASSERT_PTR_NULL(grant_of(s, job, 2));
        scene_commit_one(s);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_SUCCEEDED);
        CU_ASSERT_EQUAL(scene_status(s, job, 2), TASK_STATUS_QUEUED);
        CU_ASSERT_PTR_NOT_NULL(grant_of(s, job, 2));
        CU_ASSERT_PTR_NOT_NULL(grant_of(s, job, 3));
        scene_free(s);
}

static void of_a_batch_that_failed_nothing_was_granted(void)
{
        struct scene *s = scene_new();
        uint64_t job = graph_submit(s, diamond, 4, scene_spec());
        struct scene_grant held;

        scene_ready(s, 0, 8, 8);
        held = *grant_of(s, job, 1);
        end_uncommitted(s, job, 1, true);
        scene_drop_batch(s);
        CU_ASSERT_PTR_NULL(grant_of(s, job, 2));
        scene_restart(s);
        read_entries(s, job, diamond, 4);
        CU_ASSERT_EQUAL(scene_status(s, job, 2), TASK_STATUS_WAITING);
        scene_ready_holding(s, 0, 8, 8, &held, 1, true);
        CU_ASSERT_PTR_NULL(grant_of(s, job, 2));
        scene_end(s, &held, END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_PTR_NOT_NULL(grant_of(s, job, 2));
        scene_free(s);
}

static void what_a_failure_dooms_is_aborted_in_its_batch(void)
{
        /* 6 needs an end of 5, however it comes; 7 what is not doomed */
        static const char *const parents[] = { "", "1", "2", "3", "4", "a5", "6" };
        struct scene *s = scene_new();
        uint64_t job = graph_submit(s, parents, 7, scene_spec());

        scene_ready(s, 0, 8, 8);
        end_uncommitted(s, job, 1, false);
        scene_commit_one(s);
        for (uint64_t i = 2; i <= 5; i++)
                CU_ASSERT_EQUAL(scene_status(s, job, i), TASK_STATUS_ABORTED);
        CU_ASSERT_PTR_NOT_NULL(grant_of(s, job, 6));
        end(s, job, 6, true);
        end(s, job, 7, true);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_FAILED);
        scene_free(s);
}

static void a_failure_aborts_what_is_below_and_nothing_else(void)
{
        static const char *const parents[] = { "", "1", "2", "a3", "n1", "" };
        struct scene *s = scene_new();
        uint64_t job = graph_submit(s, parents, 6, scene_spec());

        scene_ready(s, 0, 8, 8);
        end(s, job, 1, false);
        CU_ASSERT_EQUAL(scene_status(s, job, 2), TASK_STATUS_ABORTED);
        CU_ASSERT_EQUAL(scene_row(s, job, 2)->now.reason, TASK_REASON_DEPENDENCY);
        CU_ASSERT_EQUAL(scene_status(s, job, 3), TASK_STATUS_ABORTED);
        read_entries(s, job, parents, 6); /* given away with the last of them */
        end(s, job, 4, true); /* any */
        end(s, job, 5, true); /* notok */
        end(s, job, 6, true);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_FAILED);
        scene_free(s);
}

static void with_on_dep_fail_run_everything_runs(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        uint64_t job;

        spec.on_dep_fail_run = spec.has_on_dep_fail_run = true;
        job = graph_submit(s, diamond, 4, spec);
        scene_ready(s, 0, 8, 8);
        end(s, job, 1, false);
        end(s, job, 2, false);
        end(s, job, 3, true);
        end(s, job, 4, true);
        scene_free(s);
}

static void a_restart_in_the_middle_goes_on_where_it_was(void)
{
        struct scene *s = scene_new();
        uint64_t job = graph_submit(s, diamond, 4, scene_spec());

        scene_ready(s, 0, 8, 8);
        end(s, job, 1, true);
        end(s, job, 2, true);
        scene_restart(s);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.waiting, 1);
        read_entries(s, job, diamond, 4);
        scene_ready(s, 0, 8, 8);
        scene_pass_ms(s, SCENE_LEASE_MS + 1000);
        scene_ready(s, 0, 8, 8);
        CU_ASSERT_PTR_NULL(grant_of(s, job, 4));
        end(s, job, 3, true);
        end(s, job, 4, true);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

static void a_failure_that_was_not_passed_on_is_after_a_restart(void)
{
        struct scene *s = scene_new();
        uint64_t job = graph_submit(s, diamond, 4, scene_spec());

        scene_ready(s, 0, 8, 8);
        end(s, job, 1, true);
        /* As if it had stopped between the commit of the end and that of what follows from it. */
        scene_row(s, job, 2)->now.status = TASK_STATUS_FAILED;
        scene_row(s, job, 2)->final = true;
        scene_job(s, job)->state.failed = 1;
        scene_job(s, job)->state.queued -= 1;
        scene_restart(s);
        read_entries(s, job, diamond, 4);
        CU_ASSERT_EQUAL(scene_status(s, job, 4), TASK_STATUS_ABORTED);
        scene_free(s);
}

static void retry(struct scene *s, uint64_t job)
{
        struct msg msg = { .kind = MSG_retry };
        struct event event = { .kind = EVENT_ROUND };
        struct job_round round = { .job.n = job, .found = true };
        struct replay_tasks tasks[64];

        msg.u.retry.job = job;
        msg.u.retry.failed = msg.u.retry.has_failed = true;
        scene_ask(s, ALICE, &msg);
        round.replay.job = *scene_job(s, job);
        round.replay.job.spec = job_spec_dup(&scene_job(s, job)->spec->spec);
        for (size_t i = 0; i < s->n_rows; i++) {
                const struct scene_row *row = &s->rows[i];

                if (row->job == job && row->final && row->now.status != TASK_STATUS_SUCCEEDED)
                        tasks[round.n_tasks++] = (struct replay_tasks){ .job.n = job,
                                                                        .indexes = { row->index, row->index },
                                                                        .status = row->now.status,
                                                                        .reason = row->now.reason,
                                                                        .attempt = row->now.attempt };
        }
        round.tasks = tasks;
        event.u.round = &round;
        scene_step(s, &event);
        job_spec_free(round.replay.job.spec);
        scene_commit(s);
}

static void a_retry_brings_back_what_was_aborted_below(void)
{
        struct scene *s = scene_new();
        uint64_t job = graph_submit(s, diamond, 4, scene_spec());

        scene_ready(s, 0, 8, 8);
        end(s, job, 1, true);
        end(s, job, 2, false);
        end(s, job, 3, true);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_FAILED);
        retry(s, job); /* it has left memory */
        CU_ASSERT_EQUAL(scene_status(s, job, 4), TASK_STATUS_WAITING);
        read_entries(s, job, diamond, 4);
        CU_ASSERT_EQUAL(scene_status(s, job, 2), TASK_STATUS_QUEUED);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.waiting, 1);
        scene_beat(s, 0, 8);
        CU_ASSERT_EQUAL(grant_of(s, job, 2)->attempt, 2);
        end(s, job, 2, true);
        end(s, job, 4, true);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

static void a_circle_is_aborted_as_a_whole(void)
{
        static const char *const parents[] = { "", "3", "2" };
        struct scene *s = scene_new();
        uint64_t job = graph_submit(s, parents, 3, scene_spec());

        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_ABORTED);
        scene_free(s);
}

static void why_names_the_parents_that_are_missing(void)
{
        struct scene *s = scene_new();
        uint64_t job = graph_submit(s, diamond, 4, scene_spec());
        struct msg msg = { .kind = MSG_why };

        msg.u.why.job = job;
        msg.u.why.index = 4;
        msg.u.why.has_index = true;
        scene_ask(s, ALICE, &msg);
        CU_ASSERT_PTR_NOT_NULL(strstr(s->last[ALICE]->u.rows.rows, "2 of its 2 parents"));
        CU_ASSERT_PTR_NOT_NULL(strstr(s->last[ALICE]->u.rows.rows, ".2 "));
        scene_free(s);
}

/* Four tasks without parents: 1 and 3 are wide and have two attempts, 2 is the description's, 4 takes code 3 as good. */
static const char *const apart[] = { "", "", "", "" };

static struct rec_job_spec shaped(struct rec_shape shapes[2])
{
        static struct range first[] = { { 1, 1 }, { 3, 3 } }, second[] = { { 4, 4 } };
        static int64_t codes[] = { 3 };
        struct rec_job_spec spec = scene_spec();

        shapes[0] = (struct rec_shape){
                .tasks = first, .n_tasks = 2, .cpus = 3, .has_cpus = true, .retries = 1, .has_retries = true
        };
        shapes[1] = (struct rec_shape){ .tasks = second, .n_tasks = 1, .ok_codes = codes, .n_ok_codes = 1 };
        spec.shapes = shapes;
        spec.n_shapes = 2;
        return spec;
}

static void a_task_of_a_shape_is_granted_what_its_shape_says(void)
{
        struct rec_shape shapes[2];
        struct scene *s = scene_new();
        uint64_t job = graph_submit(s, apart, 4, shaped(shapes));

        scene_ready(s, 0, 5, 5);
        CU_ASSERT_PTR_NOT_NULL_FATAL(grant_of(s, job, 1));
        CU_ASSERT_EQUAL(grant_of(s, job, 1)->cpus, 3);
        CU_ASSERT_PTR_NULL(grant_of(s, job, 3)); /* six cpus are more than there are */
        CU_ASSERT_PTR_NOT_NULL_FATAL(grant_of(s, job, 2));
        CU_ASSERT_EQUAL(grant_of(s, job, 2)->cpus, 0);
        CU_ASSERT_PTR_NOT_NULL(grant_of(s, job, 4));
        scene_free(s);
}

static void a_shape_says_how_often_and_what_is_good(void)
{
        struct rec_shape shapes[2];
        struct scene *s = scene_new();
        uint64_t job = graph_submit(s, apart, 4, shaped(shapes));

        scene_ready(s, 0, 8, 8);
        end(s, job, 1, false);
        end(s, job, 2, false);
        end(s, job, 4, false);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_QUEUED);
        scene_beat(s, 0, 8);
        read_entries(s, job, apart, 4);
        scene_beat(s, 0, 8);
        CU_ASSERT_EQUAL(grant_of(s, job, 1)->attempt, 2);
        CU_ASSERT_EQUAL(grant_of(s, job, 1)->cpus, 3);
        CU_ASSERT_EQUAL(scene_status(s, job, 2), TASK_STATUS_FAILED);
        CU_ASSERT_EQUAL(scene_status(s, job, 4), TASK_STATUS_SUCCEEDED);
        end(s, job, 1, false);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_FAILED);
        scene_free(s);
}

static void shapes_hold_after_a_restart_before_the_edges_are_read(void)
{
        struct rec_shape shapes[2];
        struct scene *s = scene_new();
        uint64_t job = graph_submit(s, apart, 4, shaped(shapes));
        struct scene_grant held;

        scene_ready(s, 0, 8, 8);
        CU_ASSERT_PTR_NOT_NULL_FATAL(grant_of(s, job, 1));
        held = *grant_of(s, job, 1);
        scene_restart(s);
        scene_ready_holding(s, 0, 8, 8, &held, 1, true);
        scene_end(s, &held, END_STATUS_FAILED, 3);
        scene_pass_ms(s, 1);
        CU_ASSERT_EQUAL(scene_status(s, job, 1), TASK_STATUS_QUEUED);
        read_entries(s, job, apart, 4);
        scene_ready(s, 0, 8, 8);
        CU_ASSERT_PTR_NOT_NULL_FATAL(grant_of(s, job, 1));
        CU_ASSERT_EQUAL(grant_of(s, job, 1)->attempt, 2);
        CU_ASSERT_EQUAL(grant_of(s, job, 1)->cpus, 3);
        scene_free(s);
}

static void shapes_of_what_is_not_there_are_refused(void)
{
        struct rec_shape shapes[2];
        struct range twice = { 2, 3 }, beyond = { 4, 5 };
        struct rec_job_spec spec = shaped(shapes);
        struct scene *s = scene_new();

        shapes[1].tasks = &twice;
        CU_ASSERT_EQUAL(graph_submit(s, apart, 4, spec), 0);
        shapes[1].tasks = &beyond;
        CU_ASSERT_EQUAL(graph_submit(s, apart, 4, spec), 0);
        CU_ASSERT_EQUAL(scene_submit(s, ALICE, &spec), 0);
        scene_free(s);
}

/* The readers see a commit before the core does: a retry waits until it has heard of it. */
static void a_retry_waits_for_an_end_that_is_not_told_yet(void)
{
        static const char *const parents[] = { "", "1", "" };
        struct scene *s = scene_new();
        uint64_t job = graph_submit(s, parents, ARRAY_LEN(parents), scene_spec());
        struct msg msg = { .kind = MSG_retry };
        struct scene_flight flight;
        struct scene_grant one;

        scene_ready(s, 0, 8, 8);
        one = *grant_of(s, job, 1);
        one.lo = one.hi = 1;
        scene_say_end(s, &one, END_STATUS_FAILED, 3);
        flight = scene_take_off(s);
        msg.u.retry.job = job;
        scene_say(s, ALICE, ALICE, &msg);
        CU_ASSERT_EQUAL(s->n_loads, 0);
        scene_land(s, &flight);
        CU_ASSERT_EQUAL(s->n_loads, 1);
        scene_read_round(s, job);
        CU_ASSERT_EQUAL(scene_status(s, job, 2), TASK_STATUS_WAITING);
        read_entries(s, job, parents, ARRAY_LEN(parents));
        end(s, job, 1, true);
        read_entries(s, job, parents, ARRAY_LEN(parents));
        end(s, job, 2, true);
        CU_ASSERT_EQUAL(scene_status(s, job, 2), TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

static struct scene *scene_with_slow_sweeps(void)
{
        struct scene *s = scene_new();

        s->rows_a_sweep = 1;
        scene_restart(s);
        return s;
}

static uint64_t count(struct scene *s, uint64_t job, enum task_status status)
{
        uint64_t n = 0;

        for (size_t i = 0; i < s->n_rows; i++)
                n += s->rows[i].job == job && s->rows[i].now.status == status;
        return n;
}

static void ask_retry(struct scene *s, uint64_t job)
{
        struct msg msg = { .kind = MSG_retry };

        msg.u.retry.job = job;
        scene_say(s, ALICE, ALICE, &msg);
}

static const char *const fan[] = { "", "1", "1", "2", "3", "" };

static void a_retry_in_the_middle_of_a_cascade_leaves_nobody_aborted(void)
{
        struct scene *s = scene_with_slow_sweeps();
        uint64_t job = graph_submit(s, fan, ARRAY_LEN(fan), scene_spec());

        scene_ready(s, 0, 8, 8);
        end_uncommitted(s, job, 1, false);
        scene_commit_one(s);
        CU_ASSERT_EQUAL(count(s, job, TASK_STATUS_ABORTED), 1);
        ask_retry(s, job);
        for (int i = 0; i < 3; i++) {
                CU_ASSERT_EQUAL(s->n_loads, 0);
                scene_commit_one(s);
        }
        CU_ASSERT_EQUAL(count(s, job, TASK_STATUS_ABORTED), 4);
        CU_ASSERT_EQUAL_FATAL(s->n_loads, 1);
        scene_read_round(s, job);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.changed.count, 5);
        read_entries(s, job, fan, ARRAY_LEN(fan));
        CU_ASSERT_EQUAL(count(s, job, TASK_STATUS_WAITING), 4);
        for (uint64_t index = 1; index <= ARRAY_LEN(fan); index++)
                end(s, job, index, true);
        CU_ASSERT_EQUAL(scene_job_status(s, job), TASK_STATUS_SUCCEEDED);
        scene_free(s);
}

static void what_a_cascade_overtook_is_read_again(void)
{
        static const char *const two[] = { "", "", "2", "2", "" };
        struct scene *s = scene_with_slow_sweeps();
        uint64_t job = graph_submit(s, two, ARRAY_LEN(two), scene_spec());

        scene_ready(s, 0, 8, 8);
        end(s, job, 1, false);
        ask_retry(s, job);
        CU_ASSERT_EQUAL_FATAL(s->n_loads, 1);
        end_uncommitted(s, job, 2, false);
        scene_commit_one(s);
        CU_ASSERT_EQUAL(count(s, job, TASK_STATUS_ABORTED), 1);
        scene_say_read(s, job, false, 0); /* with 2 and 3, without 4 */
        CU_ASSERT_EQUAL(s->n_loads, 1);
        scene_commit(s);
        CU_ASSERT_EQUAL(count(s, job, TASK_STATUS_ABORTED), 2);
        CU_ASSERT_EQUAL_FATAL(s->n_loads, 2);
        scene_read_round(s, job);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.changed.count, 4);
        read_entries(s, job, two, ARRAY_LEN(two));
        CU_ASSERT_EQUAL(count(s, job, TASK_STATUS_ABORTED), 0);
        CU_ASSERT_EQUAL(count(s, job, TASK_STATUS_WAITING), 2);
        scene_free(s);
}

static void a_job_that_never_stands_still_is_told_so(void)
{
        static const char *const pairs[] = { "",  "",  "",  "",  "",  "",  "",  "",  "",  "",
                                             "1", "2", "3", "4", "5", "6", "7", "8", "9", "10" };
        struct scene *s = scene_with_slow_sweeps();
        uint64_t job = graph_submit(s, pairs, ARRAY_LEN(pairs), scene_spec());

        scene_ready(s, 0, 10, 10);
        end(s, job, 1, false);
        ask_retry(s, job);
        for (uint64_t index = 2; index <= 9; index++) {
                CU_ASSERT_EQUAL(scene_answer_kind(s, ALICE), MSG_submitted);
                end(s, job, index, false);
                scene_say_read(s, job, false, 0);
                s->n_loads = 0;
        }
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_RETRY_LATER);
        scene_free(s);
}

/* Its children are aborted, though nothing of the job was ever granted: that is no reason not to wait any more. */
static void a_waiting_graph_with_a_cancelled_task_still_waits_after_a_restart(void)
{
        static const char *const parents[] = { "", "1", "" };
        struct scene *s = scene_new();
        struct rec_after after = { .when = AFTER_WHEN_OK, .has_when = true, .has_job = true };
        struct rec_job_spec spec = scene_spec();
        uint64_t job;

        after.job = scene_array(s, ALICE, 1);
        spec.after = &after;
        spec.n_after = 1;
        job = graph_submit(s, parents, ARRAY_LEN(parents), spec);
        scene_cancel(s, ALICE, job, 1, 1);
        CU_ASSERT_EQUAL(scene_status(s, job, 2), TASK_STATUS_ABORTED);
        scene_restart(s);
        read_entries(s, job, parents, ARRAY_LEN(parents));
        scene_ready(s, 0, 4, 4);
        CU_ASSERT_EQUAL(s->n_grants, 1);
        CU_ASSERT_EQUAL(s->grants[0].job, after.job);
        scene_free(s);
}

static void read_example(const char *path, struct buf *out)
{
        FILE *file = fopen(path, "rb");
        char part[4096];
        size_t n;

        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        while ((n = fread(part, 1, sizeof(part), file)) > 0)
                buf_add(out, part, n);
        fclose(file);
}

/* fetch; left and right, wide ones; tell, or sorry if both fail; clean. */
static void the_recorded_example_runs_as_it_says(void)
{
        struct scene *s = scene_new();
        CLEANUP_BUF struct buf header = { 0 }, body = { 0 };
        CLEANUP_WITH(msg_free) struct msg *msg = NULL;
        uint64_t id, job;

        read_example("common/proto/examples/submit-graph.json", &header);
        read_example("common/proto/examples/submit-graph.body", &body);
        msg = msg_decode(MSG_C2S, header.bytes, header.n, body.bytes, body.n, &id, NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(msg);
        msg->u.submit.jobs[0].spec->type = TASK_TYPE_NOOP; /* what workers of a scene run */
        msg->u.submit.jobs[0].spec->shapes[0].mem = 0; /* ... and they have none to give */
        msg->u.submit.jobs[0].spec->shapes[0].has_mem = false;
        scene_ask(s, ALICE, msg);
        CU_ASSERT_EQUAL_FATAL(scene_answer_kind(s, ALICE), MSG_submitted);
        job = s->last[ALICE]->u.submitted.jobs[0].job;
        CU_ASSERT_EQUAL(scene_job(s, job)->state.waiting, 5);
        scene_ready(s, 0, 8, 8);
        end(s, job, 1, true);
        CU_ASSERT_EQUAL(grant_of(s, job, 2)->cpus, 4);
        end(s, job, 2, true);
        CU_ASSERT_EQUAL(scene_status(s, job, 5), TASK_STATUS_ABORTED);
        end(s, job, 3, true);
        end(s, job, 4, true);
        end(s, job, 6, true);
        CU_ASSERT_EQUAL(scene_job(s, job)->state.succeeded, 5);
        scene_free(s);
}

UNIT_MAIN("core_graph", TEST(a_child_starts_when_the_ends_of_all_parents_are_committed),
          TEST(one_commit_lies_between_the_end_of_a_parent_and_the_grant_of_a_child),
          TEST(of_a_batch_that_failed_nothing_was_granted),
          TEST(what_a_failure_dooms_is_aborted_in_its_batch),
          TEST(a_failure_aborts_what_is_below_and_nothing_else), TEST(with_on_dep_fail_run_everything_runs),
          TEST(a_restart_in_the_middle_goes_on_where_it_was),
          TEST(a_failure_that_was_not_passed_on_is_after_a_restart),
          TEST(a_retry_brings_back_what_was_aborted_below), TEST(a_circle_is_aborted_as_a_whole),
          TEST(why_names_the_parents_that_are_missing),
          TEST(a_task_of_a_shape_is_granted_what_its_shape_says),
          TEST(a_shape_says_how_often_and_what_is_good),
          TEST(shapes_hold_after_a_restart_before_the_edges_are_read),
          TEST(shapes_of_what_is_not_there_are_refused), TEST(a_retry_waits_for_an_end_that_is_not_told_yet),
          TEST(a_retry_in_the_middle_of_a_cascade_leaves_nobody_aborted),
          TEST(what_a_cascade_overtook_is_read_again), TEST(a_job_that_never_stands_still_is_told_so),
          TEST(a_waiting_graph_with_a_cancelled_task_still_waits_after_a_restart),
          TEST(the_recorded_example_runs_as_it_says))
