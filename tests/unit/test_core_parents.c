/* What a task may read of those that it waited for. */
#include "graph_scene.h"

static const char *const line[] = { "", "1", "1 2", "2", "4" }; /* 4 does not wait for 1 */

static uint64_t submit_line(struct scene *s)
{
        return graph_submit(s, line, ARRAY_LEN(line), scene_spec());
}

static struct scene_grant grant_of(const struct scene *s, uint64_t job, uint64_t index)
{
        struct scene_grant grant = { 0 };

        for (size_t i = 0; i < s->n_grants; i++)
                if (s->grants[i].job == job && s->grants[i].lo <= index && s->grants[i].hi >= index)
                        grant = s->grants[i];
        CU_ASSERT_EQUAL_FATAL(grant.job, job);
        grant.lo = grant.hi = index;
        return grant;
}

/* Ends well; with a result, or without. */
static void end(struct scene *s, const struct scene_grant *grant, const char *result)
{
        struct range range = { grant->lo, grant->hi };
        struct rec_task_end said = { .job = grant->job,
                                     .nonce = grant->nonce,
                                     .epoch = grant->epoch,
                                     .attempt = grant->attempt,
                                     .ranges = &range,
                                     .n_ranges = 1,
                                     .status = END_STATUS_SUCCEEDED };
        struct rec_task_chunk chunk = { .index = grant->lo, .kind = DATA_KIND_RESULT };
        struct msg msg = { .kind = MSG_finished };

        msg.u.finished.window = 8;
        msg.u.finished.ends = &said;
        msg.u.finished.n_ends = 1;
        if (result) {
                chunk.bytes = strlen(result);
                msg.u.finished.chunks = &chunk;
                msg.u.finished.n_chunks = 1;
                msg.body = result;
                msg.body_bytes = strlen(result);
        }
        scene_say_worker(s, 0, &msg);
        scene_commit(s);
}

/* What the worker is answered at once; MSG_NO_KIND: it is being read. */
static enum msg_kind fetch(struct scene *s, const struct scene_grant *grant, enum data_kind kind,
                           uint64_t stdin_index)
{
        struct msg msg = { .kind = MSG_fetch_parent };

        msg_free(s->last[100]);
        s->last[100] = NULL;
        msg.u.fetch_parent = (struct msg_fetch_parent){ .job = grant->job,
                                                        .nonce = grant->nonce,
                                                        .index = grant->lo,
                                                        .kind = kind,
                                                        .stdin_index = stdin_index,
                                                        .has_stdin_index = stdin_index > 0 };
        scene_say_worker(s, 0, &msg);
        return s->last[100] ? s->last[100]->kind : MSG_NO_KIND;
}

static void a_task_of_a_graph_reads_its_own_parents_alone(void)
{
        struct scene *s = scene_new();
        uint64_t job = submit_line(s);
        struct scene_grant grant;

        scene_ready(s, 0, 8, 8);
        grant = grant_of(s, job, 1);
        CU_ASSERT_FALSE(grant.parent_results);
        CU_ASSERT_EQUAL(fetch(s, &grant, DATA_KIND_RESULT, 0), MSG_worker_refused);
        end(s, &grant, "[1]");
        grant = grant_of(s, job, 2);
        CU_ASSERT_TRUE(grant.parent_results);
        CU_ASSERT_EQUAL(fetch(s, &grant, DATA_KIND_RESULT, 0), MSG_NO_KIND);
        CU_ASSERT_EQUAL_FATAL(s->n_parents, 1);
        CU_ASSERT(s->parents[0].job == job && s->parents[0].lo == 1 && s->parents[0].hi == 1);
        CU_ASSERT_EQUAL(s->reader.n, ALICE);
        end(s, &grant, NULL);
        grant = grant_of(s, job, 3);
        CU_ASSERT_TRUE(grant.parent_results);
        CU_ASSERT_EQUAL(fetch(s, &grant, DATA_KIND_OUTPUT, 2), MSG_NO_KIND);
        CU_ASSERT(s->n_parents == 1 && s->parents[0].lo == 2 && s->parents[0].hi == 2);
        grant = grant_of(s, job, 4);
        CU_ASSERT_EQUAL(fetch(s, &grant, DATA_KIND_OUTPUT, 1), MSG_worker_refused);
        CU_ASSERT_EQUAL(fetch(s, &grant, DATA_KIND_OUTPUT, 0), MSG_worker_refused);
        end(s, &grant, NULL);
        CU_ASSERT_FALSE(grant_of(s, job, 5).parent_results); /* its only parent left none */
        scene_free(s);
}

static void nobody_reads_for_a_lease_that_he_does_not_hold(void)
{
        struct scene *s = scene_new();
        uint64_t job = submit_line(s);
        struct scene_grant grant, other;

        scene_ready(s, 0, 8, 8);
        grant = grant_of(s, job, 1);
        end(s, &grant, "1");
        CU_ASSERT_EQUAL(fetch(s, &grant, DATA_KIND_RESULT, 0), MSG_stale);
        other = grant_of(s, job, 2);
        other.nonce++;
        CU_ASSERT_EQUAL(fetch(s, &other, DATA_KIND_RESULT, 0), MSG_stale);
        CU_ASSERT_EQUAL(s->n_reads, 0);
        scene_free(s);
}

static uint64_t follow(struct scene *s, uint32_t who, uint64_t on, uint64_t stdin_job)
{
        struct rec_after after = { .when = AFTER_WHEN_OK, .has_when = true, .job = on, .has_job = true };
        struct rec_job_spec spec = scene_spec();

        spec.type = TASK_TYPE_COMMAND;
        spec.args = (const char *[]){ "cat" };
        spec.n_args = 1;
        spec.after = &after;
        spec.n_after = 1;
        spec.stdin_job = stdin_job;
        spec.has_stdin_job = true;
        return scene_submit(s, who, &spec);
}

static void an_element_reads_the_one_of_its_index(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 2), job;
        struct rec_after after = { .when = AFTER_WHEN_EACH, .has_when = true, .job = first, .has_job = true };
        struct rec_array_part part = { .lo = 1, .hi = 2, .has_lo = true, .has_hi = true };
        struct rec_job_spec spec = scene_spec();
        struct scene_grant grant;

        spec.type = TASK_TYPE_COMMAND;
        spec.args = (const char *[]){ "cat" };
        spec.n_args = 1;
        spec.array = &part;
        spec.n_array = 1;
        spec.after = &after;
        spec.n_after = 1;
        job = scene_submit(s, ALICE, &spec);
        CU_ASSERT_NOT_EQUAL_FATAL(job, 0);
        CU_ASSERT_FATAL(s->n_loads > 0);
        scene_read(s, first, true, s->load_chunk[s->n_loads - 1]);
        scene_ready(s, 0, 8, 8);
        grant = grant_of(s, first, 2);
        end(s, &grant, "2");
        grant = grant_of(s, job, 2);
        CU_ASSERT_TRUE(grant.parent_results);
        CU_ASSERT_EQUAL(fetch(s, &grant, DATA_KIND_RESULT, 0), MSG_NO_KIND);
        CU_ASSERT(s->n_parents == 1 && s->parents[0].job == first && s->parents[0].lo == 2 &&
                  s->parents[0].hi == 2);
        scene_free(s);
}

static void a_job_reads_what_it_waits_for_and_may_open(void)
{
        struct scene *s = scene_new();
        uint64_t first = scene_array(s, ALICE, 2), job = follow(s, ALICE, first, first);
        struct scene_grant grant;

        CU_ASSERT_NOT_EQUAL_FATAL(job, 0);
        CU_ASSERT_EQUAL(follow(s, ALICE, first, first + 100), 0);
        CU_ASSERT_EQUAL(scene_refusal(s, ALICE), ERR_BAD_FIELD);
        CU_ASSERT_EQUAL(follow(s, BOB, first, first), 0);
        CU_ASSERT_EQUAL(scene_refusal(s, BOB), ERR_NOT_FOUND);
        scene_ready(s, 0, 8, 8);
        for (uint64_t i = 1; i <= 2; i++) {
                grant = grant_of(s, first, i);
                end(s, &grant, NULL);
        }
        grant = grant_of(s, job, 1);
        CU_ASSERT_TRUE(grant.parent_results); /* nobody remembers */
        CU_ASSERT_EQUAL(fetch(s, &grant, DATA_KIND_OUTPUT, 0), MSG_NO_KIND);
        CU_ASSERT(s->n_parents == 1 && s->parents[0].job == first && s->parents[0].hi == UINT32_MAX);
        CU_ASSERT_EQUAL(fetch(s, &grant, DATA_KIND_RESULT, 0), MSG_NO_KIND);
        CU_ASSERT(s->n_parents == 1 && s->parents[0].job == first);
        scene_free(s);
}

UNIT_MAIN("core_parents", TEST(a_task_of_a_graph_reads_its_own_parents_alone),
          TEST(nobody_reads_for_a_lease_that_he_does_not_hold), TEST(an_element_reads_the_one_of_its_index),
          TEST(a_job_reads_what_it_waits_for_and_may_open))
