/* The readers against a real MariaDB: every listing, what is shown to whom, pages, output and files, and that a
 * damaged envelope is an error with a name. */
#include "adapters/db.h"
#include "adapters/reader.h"
#include "crypt/envelope.h"
#include "tests/contract/scene.h"

#define ADMIN ((struct principal_id){ 3 })

struct desk { /* a scene with readers */
        struct scene s;
        struct reader *reader;
        struct msg *answers[64];
        size_t n_answers;
};

/* Three people: alice and bob see their own, the third sees everybody's jobs but opens only his own data. */
static void fill_people(struct scene *s)
{
        struct store_batch batch = { 0 };
        struct store_key key = { .key = 5, .principal = ALICE, .at_us = 1700000000000000 };

        add_person(&batch, ALICE, "alice", 2);
        add_person(&batch, BOB, "bob", 2);
        add_person(&batch, ADMIN, "root-of-all", 1);
        add_person(&batch, WORKER, "w9", 6);
        batch.last->u.member.principal = WORKER;
        for (struct store_op *op = batch.first; op; op = op->next)
                if (op->kind == STORE_PRINCIPAL && op->u.principal.principal.n == WORKER.n)
                        op->u.principal.is_worker = true;
        memset(key.public_key, 'k', 40);
        add(&batch, STORE_KEY)->u.key = key;
        add(&batch, STORE_VISIBLE);
        CU_ASSERT_TRUE(commit(s, &batch));
}

/* Job 1 of alice: 20 tasks, 1-10 succeeded with results and output, 11 failed in its second attempt, 12 running. Job 2
 * of bob. Job 3 of alice is still loading. Job 4 of alice: entries, an input, a file. */
static void fill_jobs(struct scene *s)
{
        struct store_batch batch = { 0 };
        struct store_attempt *attempt;
        struct store_task_end *end;
        struct store_event *event;
        char text[64];

        add_job(&batch, 1, ALICE, 20,
                "{\"type\":\"command\",\"name\":\"alpha\",\"args\":[\"true\"],\"tags\":[\"team=red\"],"
                "\"comment\":\"for \\\"you\\\"\","
                "\"is_array\":true,\"array\":[{\"lo\":1,\"hi\":20}]}");
        add_tasks(&batch, 1, ALICE, 1, 1, 20);
        add_end(&batch, 1, 1, 10, 10, 5);
        for (uint64_t i = 1; i <= 10; i++) {
                snprintf(text, sizeof(text), "{\"n\":%d}", (int)i);
                add_data(&batch, 1, ALICE, i, DATA_KIND_RESULT, 0, text);
                add_data(&batch, 1, ALICE, i, DATA_KIND_OUTPUT, 0, "first\n");
                add_data(&batch, 1, ALICE, i, DATA_KIND_OUTPUT, 1, "second\n")->part = STREAM_STDERR;
                add_data(&batch, 1, ALICE, i, DATA_KIND_OUTPUT, 2, "")->final = true;
        }
        attempt = &add(&batch, STORE_ATTEMPT)->u.attempt;
        *attempt = (struct store_attempt){ .job = { 1 },
                                           .index = 11,
                                           .attempt = 1,
                                           .status = TASK_STATUS_FAILED,
                                           .reason = TASK_REASON_EXIT_CODE,
                                           .exit_code = 9,
                                           .worker = WORKER,
                                           .started_us = 3,
                                           .ended_us = 4 };
        end = add_end(&batch, 1, 11, 11, 1, 6);
        end->status = TASK_STATUS_FAILED;
        end->reason = TASK_REASON_SIGNAL;
        end->exit_signal = 15;
        end->attempt = 2;
        add_data(&batch, 1, ALICE, 11, DATA_KIND_RESULT, 0, "{\"of\":\"attempt 1\"}");
        add_state(&batch, 1, 12, 12, TASK_STATUS_RUNNING, 7);
        add_data(&batch, 1, ALICE, 12, DATA_KIND_OUTPUT, 0, "so far\n");
        add(&batch, STORE_JOB_COUNTS)->u.counts = (struct job_state){ .job = { 1 },
                                                                      .status = TASK_STATUS_RUNNING,
                                                                      .succeeded = 10,
                                                                      .failed = 1,
                                                                      .running = 1,
                                                                      .queued = 8,
                                                                      .mark = 12,
                                                                      .materialised = 20,
                                                                      .started_us = 1700000000000001 };
        add_job(&batch, 2, BOB, 1, "{\"type\":\"noop\",\"name\":\"beta\"}");
        add_tasks(&batch, 2, BOB, 1, 1, 1);
        add_end(&batch, 2, 1, 1, 1, 8);
        add_data(&batch, 2, BOB, 1, DATA_KIND_RESULT, 0, "{\"bobs\":1}");
        add(&batch, STORE_JOB_COUNTS)->u.counts = (struct job_state){ .job = { 2 },
                                                                      .status = TASK_STATUS_SUCCEEDED,
                                                                      .succeeded = 1,
                                                                      .materialised = 1,
                                                                      .ended_us = 1700000000000002 };
        add_job(&batch, 3, ALICE, 1, "{\"type\":\"noop\",\"name\":\"alpha\"}")->loading = true;
        event = &add(&batch, STORE_EVENT)->u.event;
        *event = (struct store_event){ .at_us = 1700000000000003,
                                       .job = { 1 },
                                       .owner = ALICE,
                                       .kind = "submit",
                                       .actor = ALICE,
                                       .detail = xstrdup("20 tasks") };
        event = &add(&batch, STORE_EVENT)->u.event;
        *event = (struct store_event){ .at_us = 1700000000000004,
                                       .job = { 2 },
                                       .owner = BOB,
                                       .kind = "cancel",
                                       .has_index = true,
                                       .index = 1,
                                       .actor = BOB };
        event = &add(&batch, STORE_EVENT)->u.event;
        *event = (struct store_event){ .at_us = 1700000000000005, .kind = "start" };
        CU_ASSERT_TRUE(commit(s, &batch));
}

static struct shared_bytes *chunk_of_entries(size_t n)
{
        CLEANUP_BUF struct buf chunk = { 0 };

        for (size_t i = 1; i <= n; i++) {
                char text[32];
                int bytes = snprintf(text, sizeof(text), "in%zu%cout%zu", i, 0, i);

                entry_add(&chunk, text, (size_t)bytes);
        }
        return shared_bytes_new(chunk.bytes, chunk.n);
}

static void fill_data_job(struct scene *s)
{
        struct store_batch batch = { 0 };
        struct store_chunk *chunk;
        struct store_file *file;

        add_job(&batch, 4, ALICE, 3,
                "{\"type\":\"command\",\"name\":\"gamma\",\"args\":[\"cat\"],\"entries\":3,\"entries_per_"
                "chunk\":2,"
                "\"inputs\":[{\"name\":\"f\",\"bytes\":5,\"sha256\":"
                "\"0000000000000000000000000000000000000000000000000000000000000000\"}]}");
        add_tasks(&batch, 4, ALICE, 1, 1, 3);
        for (uint32_t i = 0; i < 2; i++) {
                chunk = &add(&batch, STORE_JOB_CHUNK)->u.chunk;
                *chunk = (struct store_chunk){ .job = { 4 }, .owner = ALICE, .seq = i };
                chunk->keep = chunk_of_entries(2 - i);
                chunk->bytes = chunk->keep->bytes;
                chunk->n_bytes = chunk->keep->n;
        }
        chunk = &add(&batch, STORE_JOB_CHUNK)->u.chunk;
        *chunk = (struct store_chunk){ .job = { 4 }, .owner = ALICE, .part = 1 };
        chunk->keep = shared_bytes_new("input", 5);
        chunk->bytes = chunk->keep->bytes;
        chunk->n_bytes = 5;
        add_end(&batch, 4, 1, 1, 1, 9);
        add_data(&batch, 4, ALICE, 1, DATA_KIND_FILE, 0, "the file")->final = true;
        file = &add(&batch, STORE_FILE)->u.file;
        *file = (struct store_file){ .job = { 4 },
                                     .owner = ALICE,
                                     .index = 1,
                                     .attempt = 1,
                                     .file = 1,
                                     .bytes = 8,
                                     .name = xstrdup("out.txt") };
        memset(file->sha256, 'b', 64);
        *(&add(&batch, STORE_REPORT)->u.report) = (struct store_report){ .job = { 4 },
                                                                         .owner = ALICE,
                                                                         .index = 1,
                                                                         .attempt = 1,
                                                                         .done = 3,
                                                                         .total = 10,
                                                                         .at_us = 1700000000000000,
                                                                         .values = xstrdup("{\"x\":1}") };
        *(&add(&batch, STORE_WORKER)->u.worker) = (struct store_worker){
                .worker = WORKER, .state = WORKER_DRAINING, .slots = 4, .busy = 1, .seen_us = 1700000000000000
        };
        CU_ASSERT_TRUE(commit(s, &batch));
}

static void desk_open(struct desk *desk)
{
        *desk = (struct desk){ .s = scene_new() };
        scene_open(&desk->s);
        fill_people(&desk->s);
        fill_jobs(&desk->s);
        fill_data_job(&desk->s);
        desk->reader = reader_start(scene_config(&desk->s), desk->s.keyring, 2, &desk->s.err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(desk->reader);
}

static void forget(struct desk *desk)
{
        for (size_t i = 0; i < desk->n_answers; i++)
                msg_free(desk->answers[i]);
        desk->n_answers = 0;
}

static void desk_done(struct desk *desk)
{
        forget(desk);
        reader_free(desk->reader);
        scene_done(&desk->s);
}

static struct reader_answer *wait_answer(struct desk *desk)
{
        struct pollfd poll_fd = { .fd = reader_fd(desk->reader), .events = POLLIN };
        struct reader_answer *answer;

        while (!(answer = reader_next(desk->reader)))
                CU_ASSERT_FATAL(poll(&poll_fd, 1, 60000) > 0);
        return answer;
}

static void hear(struct desk *desk, enum msg_direction direction)
{
        struct reader_answer *answer = wait_answer(desk);
        struct msg *msg;
        struct err err = { 0 };
        uint64_t id;

        msg = msg_decode(direction, answer->header.bytes, answer->header.n,
                         answer->body ? answer->body->bytes : NULL, answer->body ? answer->body->n : 0, &id,
                         &err);
        if (!msg)
                fprintf(stderr, "answer: %s: %.300s\n", err.text, answer->header.bytes);
        CU_ASSERT_PTR_NOT_NULL_FATAL(msg);
        CU_ASSERT_EQUAL(answer->to.n, 77);
        CU_ASSERT_EQUAL(msg->re, 5);
        desk->answers[desk->n_answers++] = msg;
        reader_answer_free(answer);
}

/* Asks in JSON, as a person would; returns the answer (the last one, where chunks come before `end`). */
static const struct msg *ask(struct desk *desk, struct principal_id who, const char *json)
{
        struct read_request *read = xcalloc(1, sizeof(*read));
        bool worker = strstr(json, "\"fetch\"") != NULL;
        struct err err = { 0 };
        uint64_t id;
        const struct msg *last;

        forget(desk);
        *read = (struct read_request){ .session = { 77 }, .re = 5, .who = who };
        read->msg = msg_decode(worker ? MSG_W2S : MSG_C2S, json, strlen(json), NULL, 0, &id, &err);
        if (!read->msg)
                fprintf(stderr, "question: %s\n", err.text);
        CU_ASSERT_PTR_NOT_NULL_FATAL(read->msg);
        read->watch_answer = read->msg->kind == MSG_watch;
        if (read->watch_answer &&
            read->msg->u.watch.n_parts > 0) { /* the core names those that are not in memory */
                read->n_jobs = read->msg->u.watch.n_parts;
                read->jobs = xcalloc(read->n_jobs, sizeof(*read->jobs));
                for (size_t i = 0; i < read->n_jobs; i++)
                        read->jobs[i] = read->msg->u.watch.parts[i].job;
        }
        if (worker) /* the core names the part that holds this content */
                read->part = (uint32_t)read->msg->u.fetch.input;
        reader_ask(desk->reader, &read);
        CU_ASSERT_PTR_NULL(read);
        do {
                hear(desk, worker ? MSG_S2W : MSG_S2C);
                last = desk->answers[desk->n_answers - 1];
        } while ((last->kind == MSG_chunk && strstr(json, "\"logs\"")) ||
                 (strstr(json, "\"tail\"") &&
                  (last->kind == MSG_chunk || (last->kind == MSG_end && last->u.end.has_index))));
        return last;
}

#define LIST(fields) "{\"v\":1,\"type\":\"DataRequest\",\"op\":\"list\",\"id\":5," fields "}"

static const char *rows(struct desk *desk, struct principal_id who, const char *json)
{
        const struct msg *answer = ask(desk, who, json);

        if (answer->kind == MSG_refused)
                fprintf(stderr, "refused: %s\n", answer->u.refused.text);
        CU_ASSERT_EQUAL_FATAL(answer->kind, MSG_rows);
        return answer->u.rows.rows;
}

static enum err_code refusal(struct desk *desk, struct principal_id who, const char *json)
{
        const struct msg *answer = ask(desk, who, json);

        return answer->kind == MSG_refused ? answer->u.refused.code : ERR_OK;
}

static char *columns(const struct desk *desk)
{
        const struct msg_rows *answer = &desk->answers[desk->n_answers - 1]->u.rows;
        struct buf text = { 0 };

        for (size_t i = 0; i < answer->n_columns; i++)
                buf_addf(&text, "%s%s", i ? "," : "", answer->columns[i]);
        return buf_steal(&text);
}

static void expect(struct desk *desk, struct principal_id who, const char *question, const char *names,
                   const char *wanted)
{
        const char *got = rows(desk, who, question);
        char *have = columns(desk);

        if (strcmp(got, wanted) != 0 || strcmp(have, names) != 0)
                fprintf(stderr, "%s\n  got  %s\n       %s\n  want %s\n       %s\n", question, have, got,
                        names, wanted);
        CU_ASSERT_STRING_EQUAL(got, wanted);
        CU_ASSERT_STRING_EQUAL(have, names);
        free(have);
}

/* ------------------------------------------------------------------ listings */
#define JOBS_COLUMNS                                                                                         \
        "job_id,name,owner,queue,status,priority,tasks,held,waiting,queued,running,succeeded,failed,"        \
        "cancelled,"                                                                                         \
        "aborted,submitted_at,started_at,ended_at,comment"
#define TASKS_COLUMNS                                                                                        \
        "job_id,task_index,task_id,job_name,owner,queue,task_type,status,reason,exit_code,exit_signal,"      \
        "attempt,worker,"                                                                                    \
        "submitted_at,started_at,ended_at,cpu_seconds,max_rss_bytes,entry,done,total"
#define ALPHA                                                                                                \
        "[1,\"alpha\",\"alice\",\"default\",\"running\",0,20,0,0,8,1,10,1,0,0,\"1970-01-01T00:00:01."        \
        "000001Z\","                                                                                         \
        "\"2023-11-14T22:13:20.000001Z\",null,\"for \\\"you\\\"\"]"

static void jobs_show_their_columns_and_open_what_is_sealed(void)
{
        struct desk d;

        desk_open(&d);
        expect(&d, ALICE, LIST("\"what\":\"jobs\",\"job\":1"), JOBS_COLUMNS, "[" ALPHA "]");
        CU_ASSERT_PTR_NOT_NULL(strstr(rows(&d, ALICE, LIST("\"what\":\"jobs\"")), ALPHA));
        CU_ASSERT_PTR_NULL(strstr(rows(&d, ALICE, LIST("\"what\":\"jobs\"")), "beta"));
        CU_ASSERT_PTR_NULL(strstr(rows(&d, ALICE, LIST("\"what\":\"jobs\"")), "[3,")); /* still loading */
        CU_ASSERT_STRING_EQUAL(rows(&d, ADMIN, LIST("\"what\":\"jobs\"")), "[]"); /* his own: none */
        CU_ASSERT_PTR_NOT_NULL(strstr(rows(&d, ADMIN, LIST("\"what\":\"jobs\",\"user\":\"all\"")), "beta"));
        CU_ASSERT_PTR_NULL(strstr(rows(&d, ADMIN, LIST("\"what\":\"jobs\",\"user\":\"bob\"")), "alpha"));
        CU_ASSERT_PTR_NOT_NULL(strstr(rows(&d, ADMIN, LIST("\"what\":\"jobs\",\"user\":\"bob\"")), "beta"));
        CU_ASSERT_STRING_EQUAL(rows(&d, ALICE, LIST("\"what\":\"jobs\",\"user\":\"bob\"")), "[]");
        CU_ASSERT_STRING_EQUAL(rows(&d, ALICE, LIST("\"what\":\"jobs\",\"statuses\":[\"running\"]")),
                               "[" ALPHA "]");
        CU_ASSERT_STRING_EQUAL(rows(&d, BOB, LIST("\"what\":\"jobs\",\"since_us\":1700000000000003")), "[]");
        CU_ASSERT_STRING_NOT_EQUAL(rows(&d, BOB, LIST("\"what\":\"jobs\",\"since_us\":1700000000000002")),
                                   "[]");
        desk_done(&d);
}

static void missing_and_foreign_jobs_are_refused_alike(void)
{
        static const char *const QUESTIONS[] = {
                LIST("\"what\":\"jobs\",\"job\":%d"),
                LIST("\"what\":\"tasks\",\"job\":%d"),
                LIST("\"what\":\"attempts\",\"job\":%d"),
                LIST("\"what\":\"results\",\"job\":%d"),
                LIST("\"what\":\"files\",\"job\":%d"),
                LIST("\"what\":\"spec\",\"job\":%d"),
                LIST("\"what\":\"exit\",\"job\":%d"),
                LIST("\"what\":\"events\",\"job\":%d"),
                LIST("\"what\":\"select\",\"job\":%d"),
                "{\"v\":1,\"type\":\"DataRequest\",\"op\":\"logs\",\"id\":5,\"job\":%d,\"index\":1}",
                "{\"v\":1,\"type\":\"DataRequest\",\"op\":\"get\",\"id\":5,\"job\":%d,\"index\":1,"
                "\"attempt\":1,\"file\":1,\"seq\":0}",
                "{\"v\":1,\"type\":\"TaskRequest\",\"op\":\"watch\",\"id\":5,\"job\":%d}",
        };
        static const int JOBS[] = { 2, 3, 99 }; /* bob's, one that is loading, none */
        struct desk d;

        desk_open(&d);
        for (size_t i = 0; i < ARRAY_LEN(QUESTIONS); i++)
                for (size_t k = 0; k < ARRAY_LEN(JOBS); k++) {
                        CLEANUP_WITH(xfree) char *question = NULL;
                        struct buf text = { 0 };
                        const char *at = strstr(QUESTIONS[i], "%d");

                        buf_add(&text, QUESTIONS[i], (size_t)(at - QUESTIONS[i]));
                        buf_addf(&text, "%d%s", JOBS[k], at + 2);
                        question = buf_steal(&text);
                        CU_ASSERT_EQUAL(refusal(&d, ALICE, question), ERR_NOT_FOUND);
                        CU_ASSERT_STRING_EQUAL(d.answers[0]->u.refused.text, "no such job");
                }
        desk_done(&d);
}

static void selectors_find_jobs_by_name_tag_and_age(void)
{
        struct desk d;

        desk_open(&d);
        expect(&d, ALICE, LIST("\"what\":\"select\""), "job_id", "[[1],[4]]");
        expect(&d, ALICE, LIST("\"what\":\"select\",\"name\":\"alpha\""), "job_id", "[[1]]");
        expect(&d, ALICE, LIST("\"what\":\"select\",\"name\":\"alph\""), "job_id", "[]");
        expect(&d, ALICE, LIST("\"what\":\"select\",\"tag\":\"team=red\""), "job_id", "[[1]]");
        expect(&d, ALICE, LIST("\"what\":\"select\",\"last\":0"), "job_id", "[[4]]");
        expect(&d, ALICE, LIST("\"what\":\"select\",\"last\":1"), "job_id", "[[1]]");
        expect(&d, ALICE, LIST("\"what\":\"select\",\"last\":2"), "job_id", "[]");
        expect(&d, ADMIN, LIST("\"what\":\"select\",\"last\":0"), "job_id", "[]");
        expect(&d, ADMIN, LIST("\"what\":\"select\",\"job\":1,\"job_to\":3"), "job_id", "[[1],[2]]");
        expect(&d, BOB, LIST("\"what\":\"select\",\"name\":\"alpha\""), "job_id", "[]");
        desk_done(&d);
}

static void tasks_are_shown_page_by_page(void)
{
        struct desk d;
        const struct msg_rows *answer;

        desk_open(&d);
        expect(&d, ALICE, LIST("\"what\":\"tasks\",\"job\":1,\"ranges\":[[10,12]]"), TASKS_COLUMNS,
               "[[1,10,\"1.10\",\"alpha\",\"alice\",\"default\",\"command\",\"succeeded\",null,0,null,1,"
               "\"w9\","
               "\"1970-01-01T00:00:01.000001Z\",\"1970-01-01T00:00:00.006009Z\",\"1970-01-01T00:00:00."
               "007009Z\",0.000019,111616,null,null,null],"
               "[1,11,\"1.11\",\"alpha\",\"alice\",\"default\",\"command\",\"failed\",\"signal\",null,15,2,"
               "\"w9\","
               "\"1970-01-01T00:00:01.000001Z\",\"1970-01-01T00:00:00.006000Z\",\"1970-01-01T00:00:00."
               "007000Z\",0.000010,102400,null,null,null],"
               "[1,12,\"1.12\",\"alpha\",\"alice\",\"default\",\"command\",\"running\",null,null,null,1,"
               "\"w9\","
               "\"1970-01-01T00:00:01.000001Z\",\"1970-01-01T00:00:00.005000Z\",null,null,null,null,null,"
               "null]]");
        CU_ASSERT_PTR_NOT_NULL(strstr(
                rows(&d, ALICE, LIST("\"what\":\"tasks\",\"job\":1,\"ranges\":[[2,2],[20,30]]")), "[1,20,"));
        CU_ASSERT_PTR_NULL(strstr(d.answers[0]->u.rows.rows, "[1,3,"));
        CU_ASSERT_PTR_NOT_NULL(strstr(
                rows(&d, ALICE, LIST("\"what\":\"tasks\",\"job\":1,\"statuses\":[\"failed\"]")), "[[1,11,"));
        rows(&d, ALICE, LIST("\"what\":\"tasks\",\"job\":1,\"limit\":8"));
        answer = &d.answers[0]->u.rows;
        CU_ASSERT_TRUE(answer->has_next && answer->next == 1 && answer->next_index == 8);
        rows(&d, ALICE, LIST("\"what\":\"tasks\",\"job\":1,\"limit\":8,\"from\":1,\"from_index\":16"));
        answer = &d.answers[0]->u.rows;
        CU_ASSERT_FALSE(answer->has_next);
        CU_ASSERT_EQUAL(strncmp(answer->rows, "[[1,17,", 7), 0);
        rows(&d, ALICE,
             LIST("\"what\":\"tasks\",\"job\":1,\"job_to\":4,\"limit\":8,\"from\":1,\"from_index\":19"));
        CU_ASSERT_EQUAL(strncmp(d.answers[0]->u.rows.rows, "[[1,20,", 7), 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(d.answers[0]->u.rows.rows, "[4,1,"));
        CU_ASSERT_PTR_NULL(strstr(d.answers[0]->u.rows.rows, "[2,1,")); /* bob's, in between */
        desk_done(&d);
}

static void entries_are_for_those_who_may_read_data(void)
{
        struct desk d;
        const char *text;

        desk_open(&d);
        text = rows(&d, ALICE, LIST("\"what\":\"tasks\",\"job\":4"));
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"in1 out1\",3,10]"));
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"in2 out2\",null,null]"));
        text = rows(&d, ADMIN, LIST("\"what\":\"tasks\",\"job\":4"));
        CU_ASSERT_PTR_NULL(strstr(text, "in1"));
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "[4,3,"));
        desk_done(&d);
}

static void results_are_those_of_the_newest_attempt(void)
{
        struct desk d;

        desk_open(&d);
        expect(&d, ALICE, LIST("\"what\":\"results\",\"job\":1,\"ranges\":[[10,11]]"),
               "job_id,task_index,job_name,owner,status,entry,result,recorded_at",
               "[[1,10,\"alpha\",\"alice\",\"succeeded\",null,\"{\\\"n\\\":10}\",\"1970-01-01T00:00:00."
               "008000Z\"]]");
        rows(&d, ALICE, LIST("\"what\":\"results\",\"job\":1,\"limit\":4,\"from\":1,\"from_index\":3"));
        CU_ASSERT_EQUAL(d.answers[0]->u.rows.next_index, 7);
        CU_ASSERT_EQUAL(refusal(&d, ADMIN, LIST("\"what\":\"results\",\"job\":1")), ERR_NOT_FOUND);
        desk_done(&d);
}

#define GET(fields) "{\"v\":1,\"type\":\"DataRequest\",\"op\":\"get\",\"id\":5," fields "}"

static void long_results_fill_pages(void)
{
        struct desk d;
        struct store_batch batch = { 0 };
        char *big = xmalloc(600001);
        const struct msg_rows *answer;

        desk_open(&d);
        memset(big, '1', 600000);
        big[600000] = '\0';
        add_job(&batch, 5, ALICE, 2, "{\"type\":\"noop\",\"name\":\"big\"}");
        add_tasks(&batch, 5, ALICE, 1, 1, 2);
        add_end(&batch, 5, 1, 2, 1, 9);
        add_data(&batch, 5, ALICE, 1, DATA_KIND_RESULT, 0, big);
        add_data(&batch, 5, ALICE, 2, DATA_KIND_RESULT, 0, big);
        CU_ASSERT_TRUE(commit(&d.s, &batch));
        rows(&d, ALICE, LIST("\"what\":\"results\",\"job\":5"));
        answer = &d.answers[0]->u.rows;
        CU_ASSERT_TRUE(answer->has_next && answer->next_index == 1 && answer->n_rows > 600000);
        rows(&d, ALICE, LIST("\"what\":\"results\",\"job\":5,\"from\":5,\"from_index\":1"));
        answer = &d.answers[0]->u.rows;
        CU_ASSERT_TRUE(!answer->has_next && answer->n_rows > 600000);
        free(big);
        desk_done(&d);
}

/* Short before it is escaped, and twice as long then; a row that fits follows it. */
static void a_result_that_no_row_can_carry_is_named_and_fetched(void)
{
        struct desk d;
        struct store_batch batch = { 0 };
        size_t n = (size_t)1 << 20;
        char *huge = xmalloc(n + 1);
        const struct msg *msg;
        const char *text;

        desk_open(&d);
        memset(huge, '"', n);
        huge[n] = '\0';
        add_job(&batch, 5, ALICE, 2, "{\"type\":\"noop\",\"name\":\"big\"}");
        add_tasks(&batch, 5, ALICE, 1, 1, 2);
        add_end(&batch, 5, 1, 2, 1, 9);
        add_data(&batch, 5, ALICE, 1, DATA_KIND_RESULT, 0, huge);
        add_data(&batch, 5, ALICE, 2, DATA_KIND_RESULT, 0, "2");
        CU_ASSERT_TRUE(commit(&d.s, &batch));
        text = rows(&d, ALICE, LIST("\"what\":\"results\",\"job\":5"));
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "null,[1],\""));
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "null,\"2\",\""));
        CU_ASSERT_FALSE(d.answers[0]->u.rows.has_next);
        msg = ask(&d, ALICE, GET("\"job\":5,\"index\":1,\"attempt\":1,\"file\":0,\"seq\":0"));
        CU_ASSERT_TRUE(msg->kind == MSG_chunk && msg->u.chunk.final && msg->body_bytes == n &&
                       memcmp(msg->body, huge, n) == 0);
        msg = ask(&d, ALICE, GET("\"job\":5,\"index\":1,\"attempt\":1,\"file\":0,\"seq\":1"));
        CU_ASSERT_TRUE(msg->kind == MSG_end && msg->u.end.final);
        CU_ASSERT_EQUAL(refusal(&d, ALICE, GET("\"job\":5,\"index\":1,\"attempt\":2,\"file\":0,\"seq\":0")),
                        ERR_NOT_FOUND);
        CU_ASSERT_EQUAL(refusal(&d, BOB, GET("\"job\":5,\"index\":1,\"attempt\":1,\"file\":0,\"seq\":0")),
                        ERR_NOT_FOUND);
        CU_ASSERT_EQUAL(refusal(&d, ADMIN, GET("\"job\":5,\"index\":1,\"attempt\":1,\"file\":0,\"seq\":0")),
                        ERR_NOT_FOUND);
        free(huge);
        desk_done(&d);
}

static void the_other_listings_show_what_they_promise(void)
{
        struct desk d;

        desk_open(&d);
        expect(&d, ALICE, LIST("\"what\":\"attempts\",\"job\":1,\"ranges\":[[11,11]]"),
               "job_id,task_index,attempt,status,reason,exit_code,exit_signal,worker,started_at,ended_at,cpu_"
               "seconds,max_rss_bytes",
               "[[1,11,1,\"failed\",\"exit-code\",9,null,\"w9\",\"1970-01-01T00:00:00.000003Z\",\"1970-01-"
               "01T00:00:00.000004Z\",0.000000,null],"
               "[1,11,2,\"failed\",\"signal\",null,15,\"w9\",\"1970-01-01T00:00:00.006000Z\",\"1970-01-01T00:"
               "00:00.007000Z\",0.000010,102400]]");
        rows(&d, ALICE, LIST("\"what\":\"attempts\",\"job\":1,\"limit\":11"));
        CU_ASSERT_EQUAL(d.answers[0]->u.rows.next_index, 11 * 65536 + 1);
        CU_ASSERT_EQUAL(
                strncmp(rows(&d, ALICE,
                             LIST("\"what\":\"attempts\",\"job\":1,\"from\":1,\"from_index\":720897")),
                        "[[1,11,2,", 9),
                0);
        expect(&d, ALICE, LIST("\"what\":\"files\",\"job\":4"),
               "job_id,task_index,attempt,file,name,bytes,sha256",
               "[[4,1,1,1,\"out.txt\",8,\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"]"
               "]");
        expect(&d, ALICE, LIST("\"what\":\"files\",\"job\":4,\"from\":1"),
               "job_id,task_index,attempt,file,name,bytes,sha256", "[]");
        expect(&d, ALICE, LIST("\"what\":\"progress\",\"job\":4"),
               "job_id,task_index,attempt,done,total,at,report",
               "[[4,1,1,3,10,\"2023-11-14T22:13:20.000000Z\",\"{\\\"x\\\":1}\"]]");
        expect(&d, ALICE, LIST("\"what\":\"progress\",\"job\":4,\"statuses\":[\"running\"]"),
               "job_id,task_index,attempt,done,total,at,report", "[]");
        expect(&d, BOB, LIST("\"what\":\"spec\",\"job\":2"), "job_id,owner,submitted_at,spec",
               "[[2,\"bob\",\"1970-01-01T00:00:01.000002Z\",\"{\\\"name\\\":\\\"beta\\\",\\\"type\\\":"
               "\\\"noop\\\"}\"]]");
        expect(&d, ALICE, LIST("\"what\":\"exit\",\"job\":1"),
               "exit_code,tasks,unfinished,succeeded,failed,timeout,oom,lost,cancelled,aborted",
               "[[143,20,9,10,1,0,0,0,0,0]]");
        expect(&d, ALICE, LIST("\"what\":\"exit\",\"job\":1,\"ranges\":[[1,5]]"),
               "exit_code,tasks,unfinished,succeeded,failed,timeout,oom,lost,cancelled,aborted",
               "[[0,5,0,5,0,0,0,0,0,0]]");
        expect(&d, ALICE, LIST("\"what\":\"workers\""),
               "worker,state,slots,slots_busy,labels,version,seen_at,host,enforces,offers",
               "[[\"w9\",\"draining\",4,1,\"\",\"\",\"2023-11-14T22:13:20.000000Z\",\"\",\"\",\"\"]]");
        expect(&d, ALICE, LIST("\"what\":\"queues\""),
               "queue,paused,max_running,weight,jobs,held,waiting,queued,running",
               "[[\"default\",0,null,1,2,0,0,11,1]]");
        expect(&d, ADMIN, LIST("\"what\":\"users\",\"name\":\"alice\""), "name,roles,active,weight,sql",
               "[[\"alice\",\"submitter\",1,1,0]]");
        CU_ASSERT_PTR_NULL(
                strstr(rows(&d, ADMIN, LIST("\"what\":\"users\"")), "w9")); /* workers are no people */
        expect(&d, ADMIN, LIST("\"what\":\"keys\""), "key_id,name,kind,public_key,status,expires_at,made_at",
               "[[5,\"alice\",\"client\",\"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\",\"active\",null,\"2023-"
               "11-14T22:13:20.000000Z\"]]");
        expect(&d, ADMIN, LIST("\"what\":\"roles\",\"name\":\"reader\""), "role,permission,scope,type",
               "[[\"reader\",\"data.read\",\"role\",\"*\"],[\"reader\",\"event.read\",\"role\",\"*\"],["
               "\"reader\",\"job.read\",\"role\",\"*\"]]");
        expect(&d, ADMIN, LIST("\"what\":\"roles\",\"name\":\"reader\",\"from\":2"),
               "role,permission,scope,type", "[[\"reader\",\"job.read\",\"role\",\"*\"]]");
        desk_done(&d);
}

#define EVENTS_COLUMNS "event_id,at,job_id,task_index,kind,actor,detail"
static void events_go_on_by_number_and_stay_with_their_owner(void)
{
        struct desk d;

        desk_open(&d);
        expect(&d, ALICE, LIST("\"what\":\"events\""), EVENTS_COLUMNS,
               "[[1,\"2023-11-14T22:13:20.000003Z\",1,null,\"submit\",\"alice\",\"20 tasks\"]]");
        expect(&d, ADMIN, LIST("\"what\":\"events\",\"from\":1"), EVENTS_COLUMNS,
               "[[2,\"2023-11-14T22:13:20.000004Z\",2,1,\"cancel\",\"bob\",null],[3,\"2023-11-14T22:13:20."
               "000005Z\",null,null,\"start\",null,null]]");
        expect(&d, BOB, LIST("\"what\":\"events\",\"job\":2"), EVENTS_COLUMNS,
               "[[2,\"2023-11-14T22:13:20.000004Z\",2,1,\"cancel\",\"bob\",null]]");
        desk_done(&d);
}

/* ------------------------------------------------------------------ bytes */
#define LOGS(fields) "{\"v\":1,\"type\":\"DataRequest\",\"op\":\"logs\",\"id\":5," fields "}"

static bool chunk_is(const struct msg *msg, uint64_t seq, const char *text)
{
        return msg->kind == MSG_chunk && msg->u.chunk.seq == seq && msg->body_bytes == strlen(text) &&
               memcmp(msg->body_bytes ? msg->body : "", text, msg->body_bytes) == 0;
}

static void output_comes_in_order_and_says_when_it_is_over(void)
{
        struct desk d;
        const struct msg *end;

        desk_open(&d);
        end = ask(&d, ALICE, LOGS("\"job\":1,\"index\":1"));
        CU_ASSERT_EQUAL_FATAL(d.n_answers, 4);
        CU_ASSERT_TRUE(chunk_is(d.answers[0], 0, "first\n") && chunk_is(d.answers[1], 1, "second\n") &&
                       chunk_is(d.answers[2], 2, ""));
        CU_ASSERT_TRUE(d.answers[1]->u.chunk.stream == STREAM_STDERR && d.answers[2]->u.chunk.final);
        CU_ASSERT_TRUE(end->u.end.final && end->u.end.next == 3 && end->u.end.attempt == 1);
        ask(&d, ALICE, LOGS("\"job\":1,\"index\":1,\"stream\":\"stderr\""));
        CU_ASSERT_TRUE(d.n_answers == 2 && chunk_is(d.answers[0], 1, "second\n"));
        end = ask(&d, ALICE, LOGS("\"job\":1,\"index\":1,\"max\":2"));
        CU_ASSERT_TRUE(d.n_answers == 3 && !end->u.end.final && end->u.end.next == 2);
        end = ask(&d, ALICE, LOGS("\"job\":1,\"index\":12")); /* still running */
        CU_ASSERT_TRUE(d.n_answers == 2 && !end->u.end.final && end->u.end.next == 1);
        end = ask(&d, ALICE, LOGS("\"job\":1,\"index\":20")); /* not begun */
        CU_ASSERT_TRUE(d.n_answers == 1 && !end->u.end.final && !end->u.end.has_attempt);
        CU_ASSERT_EQUAL(refusal(&d, ALICE, LOGS("\"job\":1,\"index\":21")), ERR_NOT_FOUND);
        CU_ASSERT_EQUAL(refusal(&d, ADMIN, LOGS("\"job\":1,\"index\":1")),
                        ERR_NOT_FOUND); /* sees the job, not its data */
        desk_done(&d);
}

#define TAIL(fields) "{\"v\":1,\"type\":\"DataRequest\",\"op\":\"tail\",\"id\":5," fields "}"

static bool end_is(const struct msg *msg, uint64_t index, uint64_t next, bool more, bool final)
{
        return msg->kind == MSG_end && msg->u.end.index == index && msg->u.end.next == next &&
               msg->u.end.more == more && msg->u.end.final == final;
}

static void output_of_many_tasks_comes_place_by_place(void)
{
        struct desk d;

        desk_open(&d);
        ask(&d, ALICE,
            TAIL("\"job\":1,\"tasks\":[{\"index\":20},{\"index\":1,\"attempt\":1,\"from\":1},{\"index\":12}"
                 "]"));
        CU_ASSERT_EQUAL_FATAL(d.n_answers, 7);
        CU_ASSERT_TRUE(end_is(d.answers[0], 20, 0, false, false) && !d.answers[0]->u.end.has_attempts);
        CU_ASSERT_TRUE(chunk_is(d.answers[1], 1, "second\n") && chunk_is(d.answers[2], 2, ""));
        CU_ASSERT_TRUE(end_is(d.answers[3], 1, 3, false, true) && d.answers[3]->u.end.job == 1);
        CU_ASSERT_TRUE(d.answers[4]->kind == MSG_chunk && end_is(d.answers[5], 12, 1, false, false));
        CU_ASSERT_TRUE(d.answers[6]->kind == MSG_end && !d.answers[6]->u.end.has_index);
        /* The share of chunks is used up in the middle of a place: there is more of that one; the next is not looked at. */
        ask(&d, ALICE, TAIL("\"tasks\":[{\"job\":1,\"index\":1},{\"job\":1,\"index\":12}],\"max\":2"));
        CU_ASSERT_EQUAL_FATAL(d.n_answers, 4);
        CU_ASSERT_TRUE(end_is(d.answers[2], 1, 2, true, false) && d.answers[3]->u.end.more);
        /* What is asked from a place that counts in another attempt is read from its start. */
        ask(&d, ALICE,
            TAIL("\"job\":1,\"tasks\":[{\"index\":1,\"attempt\":7,\"from\":2}],\"stream\":\"stdout\""));
        CU_ASSERT_TRUE(d.n_answers == 4 && chunk_is(d.answers[0], 0, "first\n"));
        /* An attempt that is not there has no output, and the answer says how many there are. */
        ask(&d, ALICE, TAIL("\"job\":1,\"tasks\":[{\"index\":1}],\"attempt\":9"));
        CU_ASSERT_TRUE(d.n_answers == 2 && d.answers[0]->u.end.attempts == 1);
        CU_ASSERT_EQUAL(refusal(&d, ALICE, TAIL("\"job\":1,\"tasks\":[{\"index\":1},{\"index\":21}]")),
                        ERR_NOT_FOUND);
        CU_ASSERT_EQUAL(refusal(&d, ADMIN, TAIL("\"job\":1,\"tasks\":[{\"index\":1}]")), ERR_NOT_FOUND);
        CU_ASSERT_EQUAL(refusal(&d, ALICE, TAIL("\"tasks\":[{\"index\":1}]")), ERR_BAD_FIELD);
        desk_done(&d);
}

static void files_and_inputs_are_given_by_pieces(void)
{
        struct desk d;
        const struct msg *msg;

        desk_open(&d);
        msg = ask(&d, ALICE,
                  "{\"v\":1,\"type\":\"DataRequest\",\"op\":\"get\",\"id\":5,\"job\":4,\"index\":1,"
                  "\"attempt\":1,\"file\":1,\"seq\":0}");
        CU_ASSERT_TRUE(chunk_is(msg, 0, "the file") && msg->u.chunk.final);
        msg = ask(&d, ALICE,
                  "{\"v\":1,\"type\":\"DataRequest\",\"op\":\"get\",\"id\":5,\"job\":4,\"index\":1,"
                  "\"attempt\":1,\"file\":1,\"seq\":1}");
        CU_ASSERT_TRUE(msg->kind == MSG_end && msg->u.end.final);
        msg = ask(&d, WORKER,
                  "{\"v\":1,\"type\":\"DataRequest\",\"op\":\"fetch\",\"id\":5,\"job\":4,\"nonce\":9,"
                  "\"index\":1,\"input\":1,\"seq\":0}");
        CU_ASSERT_TRUE(msg->kind == MSG_input_chunk && msg->body_bytes == 5 && msg->u.input_chunk.final);
        msg = ask(&d, WORKER,
                  "{\"v\":1,\"type\":\"DataRequest\",\"op\":\"fetch\",\"id\":5,\"job\":4,\"nonce\":9,"
                  "\"index\":1,\"input\":2,\"seq\":0}");
        CU_ASSERT_TRUE(msg->kind == MSG_worker_refused && msg->u.worker_refused.code == ERR_NOT_FOUND);
        desk_done(&d);
}

#define WATCH(fields) "{\"v\":1,\"type\":\"TaskRequest\",\"op\":\"watch\",\"id\":5," fields "}"

/* A description that no message can carry is shown with the beginnings of its lists. */
static void a_description_that_is_too_long_is_cut_and_says_so(void)
{
        struct desk d;
        struct store_batch batch = { 0 };
        CLEANUP_BUF struct buf spec = { 0 };
        const char *got;

        desk_open(&d);
        buf_add_str(&spec, "{\"type\":\"command\",\"name\":\"long\",\"args\":[\"a\"");
        for (unsigned i = 0; i < 60000; i++)
                buf_add_str(&spec, ",\"\\\"\\\"\\\"\\\"\"");
        buf_add_str(&spec, "]}");
        add_job(&batch, 50, ALICE, 1, spec.bytes);
        CU_ASSERT_TRUE(commit(&d.s, &batch));
        got = rows(&d, ALICE, LIST("\"what\":\"spec\",\"job\":50"));
        CU_ASSERT_PTR_NOT_NULL(strstr(got, "cut\\\":\\\"args: the first "));
        CU_ASSERT_PTR_NOT_NULL(strstr(got, " of 60001"));
        CU_ASSERT_PTR_NOT_NULL(strstr(got, "alice"));
        desk_done(&d);
}

static void a_watch_on_a_finished_job_is_answered_from_its_row(void)
{
        struct desk d;
        const struct msg *msg;

        desk_open(&d);
        msg = ask(&d, BOB, "{\"v\":1,\"type\":\"TaskRequest\",\"op\":\"watch\",\"id\":5,\"job\":2}");
        CU_ASSERT_TRUE(msg->kind == MSG_event && msg->u.event.done &&
                       msg->u.event.status == TASK_STATUS_SUCCEEDED);
        CU_ASSERT_TRUE(msg->u.event.counts && msg->u.event.counts->succeeded == 1);
        /* It is not over, so it must be coming back: whoever asks again finds it in memory. */
        CU_ASSERT_EQUAL(refusal(&d, ALICE, WATCH("\"job\":1")), ERR_RETRY_LATER);
        desk_done(&d);
}

static void a_watch_on_several_finished_jobs_is_one_answer(void)
{
        struct desk d;
        const struct msg *msg;

        desk_open(&d);
        msg = ask(&d, BOB, WATCH("\"parts\":[{\"job\":2}]"));
        CU_ASSERT_TRUE_FATAL(msg->kind == MSG_event && msg->u.event.past && !msg->u.event.has_job);
        CU_ASSERT_TRUE_FATAL(msg->u.event.n_succeeded == 1 && msg->u.event.n_ended == 0);
        CU_ASSERT_TRUE(msg->u.event.succeeded[0].lo == 2 && msg->u.event.succeeded[0].hi == 2);
        CU_ASSERT_TRUE(msg->u.event.counts && msg->u.event.counts->succeeded == 1);
        CU_ASSERT_EQUAL(refusal(&d, ALICE, WATCH("\"parts\":[{\"job\":1}]")), ERR_RETRY_LATER);
        /* One that is missing or foreign is an answer for all. */
        CU_ASSERT_EQUAL(refusal(&d, BOB, WATCH("\"parts\":[{\"job\":1},{\"job\":2}]")), ERR_NOT_FOUND);
        CU_ASSERT_EQUAL(refusal(&d, BOB, WATCH("\"parts\":[{\"job\":2},{\"job\":999}]")), ERR_NOT_FOUND);
        desk_done(&d);
}

static void loads_give_entries_and_rounds(void)
{
        struct desk d;
        struct reader_answer *answer;
        const char *text;
        size_t n;

        desk_open(&d);
        reader_load(d.reader, (struct job_id){ 4 }, 0);
        answer = wait_answer(&d);
        CU_ASSERT_TRUE(answer->is_entries && !answer->failed && answer->job.n == 4 && answer->chunk == 0);
        CU_ASSERT_EQUAL(entry_find(answer->bytes.bytes, answer->bytes.n, 1, &text, &n), 0);
        CU_ASSERT_TRUE(n == 8 && memcmp(text, "in2\0out2", 8) == 0);
        reader_answer_free(answer);
        reader_load(d.reader, (struct job_id){ 4 }, 9);
        answer = wait_answer(&d);
        CU_ASSERT_TRUE(answer->is_entries && answer->failed);
        reader_answer_free(answer);
        reader_load_round(d.reader, (struct job_id){ 1 });
        answer = wait_answer(&d);
        CU_ASSERT_TRUE(answer->round && answer->round->found && !answer->round->failed);
        CU_ASSERT_EQUAL(answer->round->replay.job.tasks, 20);
        CU_ASSERT_EQUAL_FATAL(answer->round->n_tasks, 1);
        CU_ASSERT_TRUE(answer->round->tasks[0].indexes.lo == 11 && answer->round->tasks[0].attempt == 2);
        reader_answer_free(answer);
        reader_load_round(d.reader, (struct job_id){ 99 });
        answer = wait_answer(&d);
        CU_ASSERT_TRUE(answer->round && !answer->round->found && !answer->round->failed);
        reader_answer_free(answer);
        desk_done(&d);
}

/* ------------------------------------------------------------------ what must not pass */
static void a_damaged_or_moved_envelope_is_refused_by_name(void)
{
        static const struct {
                const char *spoil, *question, *names;
        } CASES[] = {
                { "UPDATE Jobs SET name = CONCAT(LEFT(name, 20), CHAR(ASCII(SUBSTR(name, 21, 1)) ^ 1), "
                  "SUBSTR(name, 22)) WHERE job_id=1",
                  LIST("\"what\":\"jobs\",\"job\":1"), "DATA_CORRUPT" },
                { "UPDATE Data SET payload = (SELECT payload FROM (SELECT payload FROM Data WHERE job_id=1 "
                  "AND task_index=2 AND kind=1) x) "
                  "WHERE job_id=1 AND task_index=1 AND kind=1",
                  LIST("\"what\":\"results\",\"job\":1"), "DATA_CORRUPT" },
                { "UPDATE Data SET payload = LEFT(payload, 10) WHERE job_id=1 AND task_index=1 AND kind=2 "
                  "AND seq=0",
                  LOGS("\"job\":1,\"index\":1"), "DATA_CORRUPT" },
                { "UPDATE Jobs SET wrapped_key = REVERSE(wrapped_key) WHERE job_id=4",
                  LIST("\"what\":\"jobs\",\"job\":4"), "" },
        };

        for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
                struct desk d;

                desk_open(&d);
                sql_do(d.s.sql, CASES[i].spoil);
                CU_ASSERT_STRING_EQUAL(err_word(refusal(&d, ALICE, CASES[i].question)),
                                       err_word(ERR_BAD_DATA));
                CU_ASSERT_PTR_NOT_NULL(strstr(d.answers[d.n_answers - 1]->u.refused.text, CASES[i].names));
                desk_done(&d);
        }
}

static void a_readers_connection_cannot_write(void)
{
        struct desk d;
        struct db_target target;
        struct db *db;

        desk_open(&d);
        target = (struct db_target){ the_server.option_file, d.s.database };
        db = db_open(&target, DB_READER, &d.s.err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(db);
        CU_ASSERT_EQUAL(db_run(db, "SELECT COUNT(*) FROM Jobs", &d.s.err), 0);
        CU_ASSERT_EQUAL(db_run(db, "UPDATE Jobs SET priority = 5", &d.s.err), -1);
        CU_ASSERT_EQUAL(db_run(db, "DELETE FROM Events", &d.s.err), -1);
        CU_ASSERT_EQUAL(db_run(db, "CREATE TABLE x (a INT)", &d.s.err), -1);
        db_close(db);
        desk_done(&d);
}

static void readers_survive_a_lost_connection(void)
{
        struct desk d;

        desk_open(&d);
        expect(&d, ALICE, LIST("\"what\":\"select\""), "job_id", "[[1],[4]]");
        for (int i = 0; i < 4; i++) {
                char *id = sql_value(
                        d.s.sql,
                        "SELECT id FROM information_schema.PROCESSLIST WHERE db='%s' AND id<>CONNECTION_ID() "
                        "ORDER BY id DESC LIMIT 1",
                        d.s.database);

                if (*id)
                        free(sql_value(d.s.sql, "KILL %s", id));
                free(id);
                expect(&d, ALICE, LIST("\"what\":\"select\""), "job_id", "[[1],[4]]");
        }
        desk_done(&d);
}

static void a_full_queue_sheds_questions_at_once(void)
{
        struct desk d;
        size_t refused = 0, asked = READER_QUEUE_MAX + 50;

        desk_open(&d);
        sql_do(d.s.sql, "LOCK TABLES Jobs WRITE, Visible WRITE, Principals WRITE, JobTags WRITE");
        for (size_t i = 0; i < asked; i++) {
                struct read_request *read = xcalloc(1, sizeof(*read));
                const char *json = LIST("\"what\":\"select\"");
                struct err err;
                uint64_t id;

                *read = (struct read_request){ .session = { 77 }, .re = 5, .who = ALICE };
                read->msg = msg_decode(MSG_C2S, json, strlen(json), NULL, 0, &id, &err);
                reader_ask(d.reader, &read);
        }
        sql_do(d.s.sql, "UNLOCK TABLES");
        for (size_t i = 0; i < asked; i++) {
                forget(&d);
                hear(&d, MSG_S2C);
                if (d.answers[0]->kind == MSG_refused) {
                        CU_ASSERT_EQUAL(d.answers[0]->u.refused.code, ERR_RETRY_LATER);
                        refused++;
                }
        }
        CU_ASSERT_TRUE(refused >= 48 && refused <= 50); /* two were in the readers' hands */
        desk_done(&d);
}

UNIT_MAIN("reader", TEST(jobs_show_their_columns_and_open_what_is_sealed),
          TEST(missing_and_foreign_jobs_are_refused_alike), TEST(selectors_find_jobs_by_name_tag_and_age),
          TEST(tasks_are_shown_page_by_page), TEST(entries_are_for_those_who_may_read_data),
          TEST(results_are_those_of_the_newest_attempt), TEST(long_results_fill_pages),
          TEST(a_result_that_no_row_can_carry_is_named_and_fetched),
          TEST(the_other_listings_show_what_they_promise),
          TEST(events_go_on_by_number_and_stay_with_their_owner),
          TEST(output_comes_in_order_and_says_when_it_is_over), TEST(files_and_inputs_are_given_by_pieces),
          TEST(a_watch_on_a_finished_job_is_answered_from_its_row),
          TEST(a_watch_on_several_finished_jobs_is_one_answer),
          TEST(a_description_that_is_too_long_is_cut_and_says_so),
          TEST(output_of_many_tasks_comes_place_by_place), TEST(loads_give_entries_and_rounds),
          TEST(a_damaged_or_moved_envelope_is_refused_by_name), TEST(a_readers_connection_cannot_write),
          TEST(readers_survive_a_lost_connection), TEST(a_full_queue_sheds_questions_at_once))
