/* Graphs for tests of the core: their entries, and a submission of them. */
#ifndef TESTS_UNIT_GRAPH_SCENE_H
#define TESTS_UNIT_GRAPH_SCENE_H

#include "core_scene.h"

#define GRAPH_CHUNK 4096

/* A task of no command whose parents are these numbers, from 1. */
static inline void graph_entry(struct buf *chunk, const char *parents)
{
        uint32_t n = (uint32_t)strlen(parents) + 5;
        const char head[4] = { (char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n };

        buf_add(chunk, head, 4);
        buf_add(chunk, "t\0\1", 3);
        buf_add(chunk, parents, strlen(parents));
        buf_add(chunk, "\0\1", 2);
}

/* One task for each text of parents. */
static inline uint64_t graph_submit(struct scene *s, const char *const *parents, size_t n,
                                    struct rec_job_spec spec)
{
        CLEANUP_BUF struct buf body = { 0 };
        char key[32];
        struct rec_new_job job = { .key = key, .spec = &spec };
        struct msg msg = { .kind = MSG_submit };
        int64_t chunks[1];

        for (size_t i = 0; i < n; i++)
                graph_entry(&body, parents[i]);
        snprintf(key, sizeof(key), "g%llu", (unsigned long long)s->next_id);
        job.n_key = strlen(key);
        spec.entries = n;
        spec.entries_per_chunk = GRAPH_CHUNK;
        spec.has_entries = spec.has_entries_per_chunk = spec.has_edges = true;
        chunks[0] = (int64_t)body.n;
        job.chunks = chunks;
        job.n_chunks = 1;
        msg.u.submit.jobs = &job;
        msg.u.submit.n_jobs = 1;
        msg.body = body.bytes;
        msg.body_bytes = body.n;
        scene_ask(s, ALICE, &msg);
        return scene_answer_kind(s, ALICE) == MSG_submitted ? s->last[ALICE]->u.submitted.jobs[0].job : 0;
}

#endif
