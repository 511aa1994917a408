/* A graph as large as they come: what it costs is counted, not timed. */
#include "core/spec.h"
#include "graph_scene.h"

#define MANY 100000
#define EDGES_EACH 5
#define A_CHUNK 4096
#define WINDOW 256

/* Of task t (from 0): five of the tasks before it, near and far. */
static uint32_t parent_of(uint32_t t, uint32_t k)
{
        static const uint32_t back[EDGES_EACH] = { 1, 3, 97, 1009, 50021 };

        return t >= back[k] ? t - back[k] : (t * 7 + k) % t;
}

static void add_entry(struct buf *chunk, uint32_t t)
{
        char parents[80] = "";
        size_t n = 0;

        for (uint32_t k = 0; t > 0 && k < EDGES_EACH; k++)
                n += (size_t)snprintf(parents + n, sizeof(parents) - n, "%s%u", k ? " " : "",
                                      parent_of(t, k) + 1);
        graph_entry(chunk, parents);
}

static void make_chunk(struct buf *chunk, uint32_t no)
{
        buf_clear(chunk);
        for (uint32_t t = no * A_CHUNK; t < MANY && t < (no + 1) * A_CHUNK; t++)
                add_entry(chunk, t);
}

static uint64_t submit(struct scene *s)
{
        CLEANUP_BUF struct buf chunk = { 0 };
        struct rec_job_spec spec = scene_spec();
        struct rec_new_job job = { .key = "many", .n_key = 4, .spec = &spec };
        struct msg msg = { .kind = MSG_submit };

        spec.entries = MANY;
        spec.entries_per_chunk = A_CHUNK;
        spec.has_entries = spec.has_entries_per_chunk = spec.has_edges = true;
        msg.u.submit.jobs = &job;
        msg.u.submit.n_jobs = 1;
        scene_ask(s, ALICE, &msg);
        for (uint32_t no = 0; no * A_CHUNK < MANY; no++) {
                struct msg put = { .kind = MSG_put };

                make_chunk(&chunk, no);
                put.u.put.key = "many";
                put.u.put.n_key = 4;
                put.u.put.no = no;
                put.body = chunk.bytes;
                put.body_bytes = chunk.n;
                scene_ask(s, ALICE, &put);
        }
        return scene_answer_kind(s, ALICE) == MSG_submitted ? s->last[ALICE]->u.submitted.jobs[0].job : 0;
}

/* Entries that the core had given away. */
static void answer_loads(struct scene *s)
{
        CLEANUP_BUF struct buf chunk = { 0 };

        while (s->n_loads > 0) {
                struct event event = { .kind = EVENT_ENTRIES };
                size_t n = --s->n_loads;

                make_chunk(&chunk, s->load_chunk[n]);
                event.u.entries.job = s->loads[n];
                event.u.entries.chunk = s->load_chunk[n];
                event.u.entries.bytes = (const uint8_t *)chunk.bytes;
                event.u.entries.n_bytes = chunk.n;
                scene_step(s, &event);
        }
}

/* Everything that is granted ends, until nothing is; failing: those at multiples of that position, 0: none. */
static uint64_t run_all(struct scene *s, bool *ended, uint32_t failing)
{
        uint64_t n_ended = 0;

        for (;;) {
                struct scene_grant grants[SCENE_GRANTS];
                size_t n = s->n_grants;

                memcpy(grants, s->grants, n * sizeof(*grants));
                s->n_grants = 0;
                for (size_t i = 0; i < n; i++) {
                        uint32_t t = (uint32_t)grants[i].lo - 1;

                        CU_ASSERT_EQUAL_FATAL(grants[i].lo, grants[i].hi);
                        CU_ASSERT_FALSE_FATAL(ended[t]);
                        for (uint32_t k = 0; t > 0 && k < EDGES_EACH; k++)
                                CU_ASSERT_TRUE_FATAL(ended[parent_of(t, k)]);
                }
                for (size_t i = 0; i < n; i++) {
                        uint32_t t = (uint32_t)grants[i].lo - 1;
                        bool bad = failing > 0 && t % failing == failing - 1;

                        scene_say_end(s, &grants[i], bad ? END_STATUS_FAILED : END_STATUS_SUCCEEDED, bad);
                        ended[t] = true;
                        n_ended++;
                }
                scene_commit(s);
                answer_loads(s);
                scene_commit(s);
                if (n == 0 && s->n_grants == 0)
                        return n_ended;
        }
}

static void a_hundred_thousand_tasks_with_half_a_million_edges_run_in_order(void)
{
        struct scene *s = scene_new();
        bool *ended = xcalloc(MANY, sizeof(*ended));
        uint64_t events, job;

        s->blind = true;
        job = submit(s);
        CU_ASSERT_NOT_EQUAL_FATAL(job, 0);
        answer_loads(s);
        scene_commit(s);
        events = core_numbers(s->core).events;
        scene_ready(s, 0, WINDOW, WINDOW);
        CU_ASSERT_EQUAL(run_all(s, ended, 0), MANY);
        /* A message and a fact for each task, and what loads its entry: nothing that grows with the edges. */
        CU_ASSERT(core_numbers(s->core).events - events < UINT64_C(4) * MANY);
        CU_ASSERT_EQUAL(core_numbers(s->core).jobs_unfinished, 0);
        free(ended);
        scene_free(s);
}

static void what_a_first_failure_dooms_costs_some_steps_and_not_one_a_task(void)
{
        struct scene *s = scene_new();
        bool *ended = xcalloc(MANY, sizeof(*ended));
        uint64_t events;

        s->blind = true;
        CU_ASSERT_NOT_EQUAL_FATAL(submit(s), 0);
        answer_loads(s);
        scene_commit(s);
        scene_ready(s, 0, WINDOW, WINDOW);
        events = core_numbers(s->core).events;
        CU_ASSERT_EQUAL(run_all(s, ended, 1), 1);
        CU_ASSERT(core_numbers(s->core).events - events < 1000);
        CU_ASSERT_EQUAL(core_numbers(s->core).jobs_unfinished, 0);
        free(ended);
        scene_free(s);
}

UNIT_MAIN("core_many", TEST(a_hundred_thousand_tasks_with_half_a_million_edges_run_in_order),
          TEST(what_a_first_failure_dooms_costs_some_steps_and_not_one_a_task))
