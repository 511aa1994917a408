/* What the codec costs a task, for the two messages of the hot path, at the size that a busy worker sends. Beside
 * it the time json-c takes to build and drop a tree of the same text: the reason for a reader of our own. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/xalloc.h"
#include "proto/msg.h"

#define TASKS 512
#define ROUNDS 400

/* Processor time of this thread: what else the machine does is none of the codec's cost. */
static int64_t cpu_us(void)
{
        struct timespec t;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void print_line(const char *name, int64_t us)
{
        printf("{\"name\":\"%s\",\"value\":%.1f,\"unit\":\"ns/task\"}\n", name,
               (double)us * 1000.0 / (double)TASKS / (double)ROUNDS);
}

static void measure(const char *name, const struct msg *msg)
{
        CLEANUP_BUF struct buf text = { 0 };
        char line[64];
        int64_t from = cpu_us();

        for (int i = 0; i < ROUNDS; i++) {
                buf_clear(&text);
                msg_encode(msg, &text);
        }
        snprintf(line, sizeof(line), "codec_%s_encode", name);
        print_line(line, cpu_us() - from);

        from = cpu_us();
        for (int i = 0; i < ROUNDS; i++) {
                struct err err;
                uint64_t id;
                CLEANUP_WITH(msg_free)
                struct msg *back = msg_decode(msg_direction(msg->kind), text.bytes, text.n, msg->body,
                                              msg->body_bytes, &id, &err);

                BUG_ON(!back);
        }
        snprintf(line, sizeof(line), "codec_%s_decode", name);
        print_line(line, cpu_us() - from);

        from = cpu_us();
        for (int i = 0; i < ROUNDS; i++) {
                json_object *tree = json_tokener_parse(text.bytes);

                BUG_ON(!tree);
                json_object_put(tree);
        }
        snprintf(line, sizeof(line), "json_c_%s_tree", name);
        print_line(line, cpu_us() - from);
}

/* No-op tasks of one array: one lease, one range, times of each task. */
static void measure_finished(bool results)
{
        int64_t ago[TASKS], ran[TASKS];
        struct range range = { 1, TASKS };
        struct rec_task_chunk chunks[TASKS];
        struct rec_task_end end = { .job = 17,
                                    .nonce = UINT64_C(5123456789012345),
                                    .epoch = 12,
                                    .attempt = 1,
                                    .ranges = &range,
                                    .n_ranges = 1,
                                    .status = END_STATUS_SUCCEEDED,
                                    .exit_code = 0,
                                    .has_exit_code = true,
                                    .ago_us = ago,
                                    .n_ago_us = TASKS,
                                    .ran_us = ran,
                                    .n_ran_us = TASKS };
        char *body = xcalloc(TASKS, 8);
        struct msg msg = { .kind = MSG_finished,
                           .id = 100000,
                           .u.finished = { .window = 4000, .ends = &end, .n_ends = 1 } };

        for (int i = 0; i < TASKS; i++) {
                ago[i] = 4000 - i;
                ran[i] = 1 + i % 3;
                chunks[i] = (struct rec_task_chunk){ .index = (uint64_t)i + 1,
                                                     .kind = DATA_KIND_RESULT,
                                                     .bytes = 8 };
        }
        if (results) {
                msg.body = body;
                msg.body_bytes = (size_t)TASKS * 8;
                msg.u.finished.chunks = chunks;
                msg.u.finished.n_chunks = TASKS;
        }
        measure(results ? "finished_with_results" : "finished", &msg);
        free(body);
}

static void measure_run(bool entries)
{
        struct range range = { 1, TASKS };
        const char *values[TASKS];
        struct rec_grant grant = {
                .job = 17, .ranges = &range, .n_ranges = 1, .attempt = 1, .nonce = 5123456789
        };
        struct msg msg = { .kind = MSG_run, .u.run = { .epoch = 12, .grants = &grant, .n_grants = 1 } };

        for (int i = 0; i < TASKS; i++)
                values[i] = "/srv/pictures/2026/summer/img_1234.png";
        if (entries) {
                grant.entries = values;
                grant.n_entries = TASKS;
        }
        measure(entries ? "run_with_entries" : "run", &msg);
}

int main(void)
{
        measure_finished(false);
        measure_finished(true);
        measure_run(false);
        measure_run(true);
        return 0;
}
