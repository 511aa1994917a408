/* The store against a real MariaDB: what each operation writes, that a batch is one transaction, and that the
 * compare-and-set of a result holds. What goes wrong on the way is in test_store_faults.c. */
#include "tests/contract/scene.h"

#define NOOP "{\"type\":\"noop\",\"name\":\"n\"}"
#define EQUAL_SQL(s, statement, value) CU_ASSERT_EQUAL(sql_int((s)->sql, statement), value)

/* One job of `tasks` tasks, durable. */
static void have_job(struct scene *s, uint64_t job, uint64_t tasks)
{
        struct store_batch batch = { 0 };

        add_job(&batch, job, ALICE, tasks, NOOP);
        add_tasks(&batch, job, ALICE, 1, 1, tasks);
        CU_ASSERT_TRUE(commit(s, &batch));
}

/* ------------------------------------------------------------------ jobs */
static void a_job_is_written_sealed_and_its_tasks_are_made(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };

        add_job(&batch, 7, ALICE, 40,
                "{\"type\":\"command\",\"name\":\"secret-name\",\"args\":[\"secret-arg\"],"
                "\"tags\":[\"k=secret-tag\"],\"comment\":\"secret-comment\",\"priority\":-3}");
        add_tasks(&batch, 7, ALICE, 1, 1, 40);
        CU_ASSERT_TRUE(commit(&s, &batch));
        EQUAL_SQL(&s,
                  "SELECT COUNT(*) FROM Jobs WHERE job_id=7 AND owner=1 AND priority=-3 AND queue='default'",
                  1);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE job_id=7 AND status=3 AND owner=1", 40);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Submissions WHERE owner=1 AND job_id=7", 1);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM JobTags WHERE job_id=7", 1);
        EQUAL_SQL(&s,
                  "SELECT COUNT(*) FROM Jobs, JobTags WHERE LOCATE('secret', CONCAT(name, comment, spec, "
                  "tag)) > 0",
                  0);
        scene_done(&s);
}

static void new_rows_follow_first_step_and_number(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };

        add_job(&batch, 1, ALICE, 45010, NOOP);
        add_tasks(&batch, 1, ALICE, 10, 5, 3); /* rows */
        add_tasks(&batch, 1, ALICE, 1000, 2, 45000); /* more than one sequence */
        CU_ASSERT_TRUE(commit(&s, &batch));
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE task_index IN (10, 15, 20)", 3);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE task_index >= 1000 AND task_index % 2 = 0", 45000);
        EQUAL_SQL(&s, "SELECT MAX(task_index) FROM Tasks", 1000 + 2 * 44999);
        scene_done(&s);
}

static struct store_chunk *add_chunk(struct store_batch *batch, uint64_t job, uint32_t part, uint32_t seq,
                                     const char *text)
{
        struct store_chunk *chunk = &add(batch, STORE_JOB_CHUNK)->u.chunk;

        chunk->job.n = job;
        chunk->owner = ALICE;
        chunk->part = part;
        chunk->seq = seq;
        chunk->keep = shared_bytes_new(text, strlen(text));
        chunk->bytes = chunk->keep->bytes;
        chunk->n_bytes = chunk->keep->n;
        return chunk;
}

static void a_loading_job_becomes_live_or_is_dropped_whole(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };

        add_job(&batch, 1, ALICE, 2, NOOP)->loading = true;
        add_job(&batch, 2, ALICE, 2, "{\"type\":\"noop\",\"tags\":[\"a=b\"]}")->loading = true;
        add_chunk(&batch, 1, 1, 0, "input");
        add_chunk(&batch, 1, 1, 0, "input"); /* comes again */
        add_chunk(&batch, 2, 1, 0, "input");
        add_tasks(&batch, 2, ALICE, 1, 1, 2);
        CU_ASSERT_TRUE(commit(&s, &batch));
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Jobs WHERE loading = 1", 2);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM JobData", 2);
        add(&batch, STORE_JOB_LIVE)->u.job.n = 1;
        add(&batch, STORE_JOB_DROP)->u.job.n = 2;
        CU_ASSERT_TRUE(commit(&s, &batch));
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Jobs WHERE job_id = 1 AND loading = 0", 1);
        EQUAL_SQL(&s,
                  "SELECT (SELECT COUNT(*) FROM Jobs WHERE job_id = 2) + (SELECT COUNT(*) FROM JobData WHERE "
                  "job_id = 2)"
                  " + (SELECT COUNT(*) FROM JobTags WHERE job_id = 2) + (SELECT COUNT(*) FROM Tasks WHERE "
                  "job_id = 2)"
                  " + (SELECT COUNT(*) FROM Submissions WHERE job_id = 2)",
                  0);
        scene_done(&s);
}

static void the_newest_counts_of_a_batch_are_written(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };

        add_job(&batch, 1, ALICE, 10, NOOP);
        add(&batch, STORE_JOB_COUNTS)->u.counts =
                (struct job_state){ .job = { 1 }, .status = TASK_STATUS_RUNNING, .running = 1 };
        add(&batch, STORE_JOB_COUNTS)->u.counts = (struct job_state){ .job = { 1 },
                                                                      .status = TASK_STATUS_RUNNING,
                                                                      .running = 2,
                                                                      .mark = 5,
                                                                      .low = 3,
                                                                      .materialised = 10,
                                                                      .started_us = 11,
                                                                      .ending = TASK_STATUS_ABORTED,
                                                                      .ending_reason = TASK_REASON_MAX_FAILS,
                                                                      .floor_epoch = 6 };
        CU_ASSERT_TRUE(commit(&s, &batch));
        EQUAL_SQL(&s,
                  "SELECT COUNT(*) FROM Jobs WHERE running=2 AND mark=5 AND low=3 AND materialised=10 AND "
                  "started_us=11 "
                  "AND ending=11 AND ending_reason=18 AND floor_epoch=6",
                  1);
        add(&batch, STORE_JOB_COUNTS)->u.counts = (struct job_state){ .job = { 99 } }; /* no such job */
        CU_ASSERT_FALSE(commit(&s, &batch));
        CU_ASSERT_EQUAL(s.err.code, ERR_STALE);
        scene_done(&s);
}

static void new_jobs_of_a_batch_have_their_newest_counts(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };
        CLEANUP_BUF struct buf spec = { 0 };

        buf_add_str(&spec, "{\"type\":\"echo\",\"name\":\"n\",\"tags\":[\"a=b\"],\"args\":[\"0\"");
        for (int i = 0; i < 4000; i++)
                buf_addf(&spec, ",\"%d\"", i);
        buf_add_str(&spec, "]}");
        for (uint64_t job = 1; job <= 500; job++) { /* more than one packet carries */
                add_job(&batch, job, ALICE, 1, spec.bytes);
                add_tasks(&batch, job, ALICE, 1, 1, 1);
                if (job % 2)
                        add(&batch, STORE_JOB_COUNTS)->u.counts =
                                (struct job_state){ .job = { job },
                                                    .status = TASK_STATUS_QUEUED,
                                                    .queued = 1,
                                                    .mark = 1,
                                                    .materialised = 1 };
        }
        CU_ASSERT_TRUE(commit(&s, &batch));
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Jobs WHERE mark = 1 AND materialised = 1 AND job_id % 2 = 1",
                  250);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Jobs WHERE mark = 0 AND queued = 1 AND job_id % 2 = 0", 250);
        EQUAL_SQL(&s,
                  "SELECT COUNT(*) FROM Jobs j JOIN Submissions s USING (job_id) JOIN JobTags t USING "
                  "(job_id) JOIN Tasks k USING (job_id)",
                  500);
        scene_done(&s);
}

static void a_changed_description_is_sealed_again(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };
        struct store_op *op;
        char *before, *after;

        have_job(&s, 1, 1);
        before = sql_value(s.sql, "SELECT HEX(spec) FROM Jobs");
        op = add(&batch, STORE_JOB_SPEC);
        op->u.job_spec.job.n = 1;
        op->u.job_spec.owner = ALICE;
        op->u.job_spec.spec = spec_of("{\"type\":\"noop\",\"priority\":9,\"max_running\":4}");
        CU_ASSERT_TRUE(commit(&s, &batch));
        after = sql_value(s.sql, "SELECT HEX(spec) FROM Jobs WHERE priority=9 AND max_running=4");
        CU_ASSERT_TRUE(*after && strcmp(before, after) != 0);
        free(before);
        free(after);
        scene_done(&s);
}

static void change(struct store_batch *batch, const char *json, uint64_t held)
{
        struct store_op *op = add(batch, STORE_JOB_SPEC);

        op->u.job_spec.job.n = 1;
        op->u.job_spec.owner = ALICE;
        op->u.job_spec.spec = spec_of(json);
        op->u.job_spec.held = xcalloc(1, sizeof(struct store_held));
        op->u.job_spec.held[0] = (struct store_held){ held, held, 1 };
        op->u.job_spec.n_held = 1;
}

/* Also where a batch changes one job twice: what it holds is what the second one says. */
static void columns_follow_the_newest_description(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };
        char *before, *after;

        have_job(&s, 1, 9);
        before = sql_value(s.sql, "SELECT CONCAT(HEX(name_hash), HEX(name)) FROM Jobs");
        change(&batch, "{\"type\":\"noop\",\"name\":\"first\",\"queue\":\"one\"}", 3);
        change(&batch,
               "{\"type\":\"noop\",\"name\":\"second\",\"queue\":\"two\",\"cpus\":3,\"comment\":\"again\","
               "\"at_us\":77,\"start_by_delay_ms\":5}",
               4);
        CU_ASSERT_TRUE(commit(&s, &batch));
        EQUAL_SQL(&s,
                  "SELECT COUNT(*) FROM Jobs WHERE queue = 'two' AND cpus = 3 AND hold = 2 AND comment <> '' "
                  "AND "
                  "at_us = 77 AND start_by_us = submitted_us + 5000",
                  1);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Holds WHERE first_index = 4", 1);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Holds", 1);
        after = sql_value(s.sql, "SELECT CONCAT(HEX(name_hash), HEX(name)) FROM Jobs");
        CU_ASSERT_TRUE(strncmp(before, after, 32) != 0 && strcmp(before + 32, after + 32) != 0);
        free(before);
        free(after);
        scene_done(&s);
}

/* ------------------------------------------------------------------ tasks */
static void ends_are_written_alike_as_ranges_and_as_rows(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };
        struct store_task_end *end;

        have_job(&s, 1, 100);
        add_end(&batch, 1, 1, 50, 1, 77); /* one range */
        add_end(&batch, 1, 51, 60, 10, 78); /* times of their own */
        end = add_end(&batch, 1, 61, 63, 1, 79); /* few alike */
        end->status = TASK_STATUS_FAILED;
        end->reason = TASK_REASON_EXIT_CODE;
        end->exit_code = 3;
        CU_ASSERT_TRUE(commit(&s, &batch));
        EQUAL_SQL(&s,
                  "SELECT COUNT(*) FROM Tasks WHERE task_index <= 50 AND status=5 AND nonce=77 AND "
                  "started_us=6000 AND "
                  "ended_us=7000 AND cpu_us=10 AND rss_kib=100 AND worker=9 AND attempt=1",
                  50);
        EQUAL_SQL(
                &s,
                "SELECT COUNT(*) FROM Tasks WHERE task_index BETWEEN 51 AND 60 AND status=5 AND nonce=78 AND "
                "started_us=6000+task_index-51 AND rss_kib=100+task_index-51",
                10);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=6 AND reason=1 AND exit_code=3 AND nonce=79",
                  3);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=3", 37);
        scene_done(&s);
}

static void a_final_task_is_never_written_again(void)
{
        struct scene s = scene_opened();
        static const struct {
                uint64_t lo, hi;
                size_t n;
        } TRIES[] = { { 1, 10, 1 }, { 10, 12, 3 }, { 10, 10, 1 }, { 1, 40, 1 } };

        have_job(&s, 1, 40);
        for (size_t i = 0; i < 1 + ARRAY_LEN(TRIES); i++) {
                struct store_batch batch = { 0 };

                if (i == 0) {
                        add_end(&batch, 1, 10, 10, 1, 5);
                        CU_ASSERT_TRUE(commit(&s, &batch));
                        continue;
                }
                add_end(&batch, 1, 20, 20, 1, 9); /* innocent, rolled back with the rest */
                add_end(&batch, 1, TRIES[i - 1].lo, TRIES[i - 1].hi, TRIES[i - 1].n, 6);
                CU_ASSERT_FALSE(commit(&s, &batch));
                CU_ASSERT_EQUAL(s.err.code, ERR_STALE);
        }
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=5 AND nonce=5", 1);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=3", 39);
        scene_done(&s);
}

static void the_end_of_a_task_without_a_row_is_stale(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };

        have_job(&s, 1, 3);
        add_end(&batch, 1, 4, 4, 1, 5);
        CU_ASSERT_FALSE(commit(&s, &batch));
        CU_ASSERT_EQUAL(s.err.code, ERR_STALE);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks", 3);
        scene_done(&s);
}

static void a_state_goes_to_unfinished_tasks_only(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };

        have_job(&s, 1, 40);
        add_state(&batch, 1, 1, 20, TASK_STATUS_RUNNING, 8);
        add_state(&batch, 1, 30, 30, TASK_STATUS_RUNNING, 9);
        CU_ASSERT_TRUE(commit(&s, &batch));
        EQUAL_SQL(&s,
                  "SELECT COUNT(*) FROM Tasks WHERE status=4 AND worker=9 AND started_us=5000 AND attempt=1",
                  21);
        add_state(&batch, 1, 30, 30, TASK_STATUS_QUEUED, 9)->crashes = 1;
        CU_ASSERT_TRUE(commit(&s, &batch));
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=3 AND crashes=1 AND worker=0 AND nonce=9", 1);
        add_end(&batch, 1, 30, 30, 1, 9);
        CU_ASSERT_TRUE(commit(&s, &batch));
        add_state(&batch, 1, 30, 30, TASK_STATUS_RUNNING, 10);
        CU_ASSERT_FALSE(commit(&s, &batch));
        CU_ASSERT_EQUAL(s.err.code, ERR_STALE);
        scene_done(&s);
}

static void operations_on_one_task_keep_their_order_within_a_batch(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };
        struct store_round *round;

        add_job(&batch, 1, ALICE, 30, NOOP);
        add_tasks(&batch, 1, ALICE, 1, 1, 10); /* as rows */
        add_tasks(&batch, 1, ALICE, 11, 1, 20); /* by the sequence */
        add_state(&batch, 1, 1, 1, TASK_STATUS_RUNNING, 5);
        add_end(&batch, 1, 1, 1, 1, 5)->status = TASK_STATUS_FAILED;
        round = &add(&batch, STORE_ROUND)->u.round;
        round->job.n = 1;
        round->indexes = ranges_of(&(struct range){ 1, 1 }, 1);
        round->n_indexes = 1;
        add_state(&batch, 1, 1, 1, TASK_STATUS_RUNNING, 6)->attempt = 2;
        add_end(&batch, 1, 1, 1, 1, 6)->attempt = 2;
        add_end(&batch, 1, 2, 30, 1, 7);
        CU_ASSERT_TRUE(commit(&s, &batch));
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE task_index=1 AND status=5 AND nonce=6 AND attempt=2",
                  1);
        EQUAL_SQL(&s,
                  "SELECT COUNT(*) FROM Attempts WHERE task_index=1 AND status=6 AND attempt=1 AND "
                  "started_us=6000",
                  1);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE task_index>1 AND status=5 AND nonce=7", 29);
        scene_done(&s);
}

static void a_new_round_keeps_the_old_end_and_leaves_successes(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };
        struct store_round *round;

        have_job(&s, 1, 30);
        add_end(&batch, 1, 1, 20, 1, 5)->status = TASK_STATUS_TIMEOUT;
        add_end(&batch, 1, 21, 30, 1, 6);
        CU_ASSERT_TRUE(commit(&s, &batch));
        round = &add(&batch, STORE_ROUND)->u.round;
        round->job.n = 1;
        round->indexes = ranges_of(&(struct range){ 1, 20 }, 1);
        round->n_indexes = 1;
        CU_ASSERT_TRUE(commit(&s, &batch));
        EQUAL_SQL(&s,
                  "SELECT COUNT(*) FROM Tasks WHERE status=3 AND attempt=1 AND nonce=0 AND ended_us=0 AND "
                  "worker=0",
                  20);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=5", 10);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Attempts WHERE status=7 AND ended_us=7000", 20);
        scene_done(&s);
}

static void have_round(struct scene *s, uint64_t job, bool comes_back)
{
        struct store_batch batch = { 0 };
        struct store_round *round = &add(&batch, STORE_ROUND)->u.round;

        round->job.n = job;
        round->comes_back = comes_back;
        CU_ASSERT_TRUE(commit(s, &batch));
}

static void who_was_aborted_because_of_a_job_is_due_with_its_next_round(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };
        struct store_op *ask;

        for (uint64_t job = 2; job <= 4; job++) {
                add(&batch, STORE_ABORTED)->u.aborted = (struct store_aborted){ { job }, { 1 } };
                add(&batch, STORE_ABORTED)->u.aborted = (struct store_aborted){ { job }, { 1 } };
        }
        add(&batch, STORE_ABORTED)->u.aborted = (struct store_aborted){ { 5 }, { 9 } };
        CU_ASSERT_TRUE(commit(&s, &batch));
        have_round(&s, 1, false);
        have_round(&s, 3, true);
        add(&batch, STORE_ABORTED_DROP)->u.job.n = 4;
        CU_ASSERT_TRUE(commit(&s, &batch));
        ask = add(&batch, STORE_FIND_DUE);
        give(&s, &batch);
        CU_ASSERT_TRUE(take_back(&s, &batch));
        CU_ASSERT_EQUAL_FATAL(ask->u.find_due.n, 1);
        CU_ASSERT_EQUAL(ask->u.find_due.jobs[0].n, 2);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Aborted WHERE on_job=9 AND due=0", 1);
        store_batch_done(&batch);
        scene_done(&s);
}

/* ------------------------------------------------------------------ what tasks give */
static void data_files_events_and_workers_are_written_once_and_sealed(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };
        struct store_file *file;
        struct store_event *event;
        struct store_worker *worker;

        have_job(&s, 1, 2);
        for (int again = 0; again < 2; again++) { /* the second time nothing is doubled */
                add_data(&batch, 1, ALICE, 1, DATA_KIND_RESULT, 0, "{\"secret\":1}");
                add_data(&batch, 1, ALICE, 1, DATA_KIND_OUTPUT, 0, "secret out");
                add_data(&batch, 1, ALICE, 1, DATA_KIND_OUTPUT, 1, "")->final = true;
                add_data(&batch, 1, ALICE, 1, DATA_KIND_FILE, 0, "secret file")->final = true;
                file = &add(&batch, STORE_FILE)->u.file;
                *file = (struct store_file){
                        .job = { 1 }, .owner = ALICE, .index = 1, .attempt = 1, .file = 1, .bytes = 11
                };
                file->name = xstrdup("secret.txt");
                memset(file->sha256, 'a', 64);
                *(&add(&batch, STORE_REPORT)->u.report) =
                        (struct store_report){ .job = { 1 },
                                               .owner = ALICE,
                                               .index = 2,
                                               .attempt = 1,
                                               .done = 3 + again,
                                               .total = -1,
                                               .at_us = 7,
                                               .values = xstrdup("{\"secret\":2}") };
                worker = &add(&batch, STORE_WORKER)->u.worker;
                *worker = (struct store_worker){
                        .worker = WORKER, .state = WORKER_CONNECTED, .slots = 4, .seen_us = 5
                };
                if (!again)
                        worker->labels = xstrdup("gpu=\xc3\xa9");
                CU_ASSERT_TRUE(commit(&s, &batch));
        }
        event = &add(&batch, STORE_EVENT)->u.event;
        *event = (struct store_event){
                .at_us = 9, .job = { 1 }, .owner = ALICE, .kind = "cancel", .actor = ALICE
        };
        event->detail = xcalloc(1, 5001);
        memset(event->detail, 's', 5000); /* longer than the column: cut, not refused */
        CU_ASSERT_TRUE(commit(&s, &batch));
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Data", 4);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Data WHERE kind=2 AND final=1 AND seq=1 AND part=1", 1);
        EQUAL_SQL(&s,
                  "SELECT COUNT(*) FROM Reports WHERE done=4 AND total=-1 AND LOCATE('secret', payload)=0",
                  1);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Reports", 1);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Files WHERE bytes=11 AND LOCATE('secret', name)=0", 1);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Data WHERE LOCATE('secret', payload) > 0", 0);
        EQUAL_SQL(&s,
                  "SELECT COUNT(*) FROM Events WHERE kind='cancel' AND LENGTH(detail) > 1000 AND "
                  "LOCATE('sss', detail)=0",
                  1);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Workers WHERE worker=9 AND slots=4 AND labels='gpu=\xc3\xa9'", 1);
        scene_done(&s);
}

/* ------------------------------------------------------------------ people */
static void visible_rows_follow_roles_and_scopes(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };
        struct store_role *role;
        struct store_grant *grant;
        struct store_member *member;

        add_person(&batch, ALICE, "alice", 2); /* submitter: own */
        add_person(&batch, BOB, "bob", 5); /* auditor: job.read, event.read of any */
        add_person(&batch, (struct principal_id){ 3 }, "carol", 0);
        role = &add(&batch, STORE_ROLE)->u.role;
        role->role = 50;
        snprintf(role->name, sizeof(role->name), "team");
        grant = &add(&batch, STORE_GRANT)->u.grant;
        *grant = (struct store_grant){
                .role = 50, .permission = PERMISSION_DATA_READ, .scope = SCOPE_ROLE, .type = "*"
        };
        for (uint32_t who = 2; who <= 3; who++) {
                member = &add(&batch, STORE_MEMBER)->u.member;
                member->role = 50;
                member->principal.n = who;
        }
        add(&batch, STORE_VISIBLE);
        CU_ASSERT_TRUE(commit(&s, &batch));
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Visible WHERE principal=1 AND owner=1", 3);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Visible WHERE principal=1 AND owner<>1", 0);
        EQUAL_SQL(&s,
                  "SELECT GROUP_CONCAT(owner ORDER BY owner SEPARATOR '') FROM Visible WHERE principal=2 AND "
                  "what=1",
                  123);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Visible WHERE principal=2 AND what=3 AND owner=0", 1);
        EQUAL_SQL(&s, "SELECT GROUP_CONCAT(owner ORDER BY owner SEPARATOR '') FROM Visible WHERE principal=3",
                  23);
        *(&add(&batch, STORE_MEMBER)->u.member) = (struct store_member){ 50, { 3 }, true };
        *(&add(&batch, STORE_GRANT)->u.grant) = (struct store_grant){
                .role = 5, .permission = PERMISSION_JOB_READ, .scope = SCOPE_ANY, .type = "*", .removed = true
        };
        add(&batch, STORE_VISIBLE);
        CU_ASSERT_TRUE(commit(&s, &batch));
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Visible WHERE principal=3", 0);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Visible WHERE principal=2 AND what=1", 0);
        *(&add(&batch, STORE_ROLE)->u.role) = (struct store_role){ .role = 50, .removed = true };
        add(&batch, STORE_VISIBLE);
        CU_ASSERT_TRUE(commit(&s, &batch));
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Visible WHERE principal=2 AND what=2", 0);
        EQUAL_SQL(&s,
                  "SELECT (SELECT COUNT(*) FROM Members WHERE role=50) + (SELECT COUNT(*) FROM Grants WHERE "
                  "role=50)",
                  0);
        scene_done(&s);
}

static void a_key_is_revoked_once(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };
        struct store_key key = { .key = 4, .principal = ALICE, .at_us = 10 };

        memset(key.public_key, 'k', 40);
        add(&batch, STORE_KEY)->u.key = key;
        key.revoked = true;
        key.at_us = 20;
        add(&batch, STORE_KEY)->u.key = key;
        key.at_us = 30;
        add(&batch, STORE_KEY)->u.key = key;
        CU_ASSERT_TRUE(commit(&s, &batch));
        EQUAL_SQL(&s,
                  "SELECT COUNT(*) FROM Nodes WHERE key_id=4 AND revoked=1 AND made_us=10 AND revoked_us=20",
                  1);
        *(&add(&batch, STORE_QUEUE)->u.queue) =
                (struct store_queue){ .queue = 1, .name = "default", .paused = true, .weight = 3 };
        CU_ASSERT_TRUE(commit(&s, &batch));
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Queues WHERE name='default' AND paused=1 AND weight=3", 1);
        scene_done(&s);
}

#define HASH "*94BDCEBE19083CE2A1F959FD02F964C7AF4CFC29" /* of "test" */

static void an_account_is_made_with_the_views_alone_and_dropped(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };
        struct store_principal *dora;

        add_person(&batch, ALICE, "dora", 2);
        dora = &batch.first->u.principal;
        snprintf(dora->sql_hash, sizeof(dora->sql_hash), HASH);
        CU_ASSERT_TRUE(commit(&s, &batch));
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM mysql.global_priv WHERE User='dora' AND Host='%'", 1);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Principals WHERE name='dora' AND has_sql=1 AND sql_hash=''", 1);
        EQUAL_SQL(&s,
                  "SELECT COUNT(*) = (SELECT COUNT(*) FROM information_schema.VIEWS WHERE "
                  "table_schema=DATABASE() AND table_name LIKE 'v\\_%') "
                  "FROM information_schema.TABLE_PRIVILEGES WHERE grantee='''dora''@''%'''",
                  1);
        EQUAL_SQL(&s,
                  "SELECT COUNT(*) FROM information_schema.TABLE_PRIVILEGES WHERE grantee='''dora''@''%''' "
                  "AND privilege_type<>'SELECT'",
                  0);
        add_person(&batch, ALICE, "dora", 0);
        batch.first->u.principal.drop_sql = true;
        batch.first->u.principal.active = false;
        CU_ASSERT_TRUE(commit(&s, &batch));
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM mysql.global_priv WHERE User='dora'", 0);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Principals WHERE name='dora' AND has_sql=0 AND active=0", 1);
        scene_done(&s);
}

static void an_account_of_somebody_else_is_never_touched(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };
        char *before, *after;

        sql_do(s.sql, "CREATE USER eve@'%' IDENTIFIED BY 'hers'");
        before = sql_value(s.sql, "SELECT Priv FROM mysql.global_priv WHERE User='eve'");
        snprintf(add(&batch, STORE_FIND_ACCOUNT)->u.account, 65, "eve");
        snprintf(add(&batch, STORE_FIND_ACCOUNT)->u.account, 65, "nobody-has-it");
        give(&s, &batch);
        CU_ASSERT_TRUE(take_back(&s, &batch));
        CU_ASSERT_EQUAL(batch.first->answer, 1);
        CU_ASSERT_EQUAL(batch.last->answer, 0);
        store_batch_done(&batch);
        add_person(&batch, ALICE, "eve", 2); /* even if the core were to ask */
        snprintf(batch.first->u.principal.sql_hash, 42, HASH);
        CU_ASSERT_TRUE(commit(&s, &batch));
        after = sql_value(s.sql, "SELECT Priv FROM mysql.global_priv WHERE User='eve'");
        CU_ASSERT_STRING_EQUAL(before, after);
        EQUAL_SQL(&s,
                  "SELECT COUNT(*) FROM information_schema.TABLE_PRIVILEGES WHERE grantee LIKE '''eve''%'",
                  0);
        EQUAL_SQL(&s, "SELECT has_sql FROM Principals WHERE name='eve'", 0);
        free(before);
        free(after);
        sql_do(s.sql, "DROP USER eve@'%'");
        scene_done(&s);
}

/* ------------------------------------------------------------------ questions */
static void questions_are_answered_in_the_operation(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };
        struct store_op *key, *free_key, *job, *loading, *ended, *other;
        uint64_t seven = 7;

        add_job(&batch, 7, ALICE, 12, NOOP);
        add_tasks(&batch, 7, ALICE, 1, 1, 12);
        add_end(&batch, 7, 3, 3, 1, 55);
        add_job(&batch, 8, BOB, 1, NOOP)->loading = true;
        ended = add(&batch, STORE_WAS_ENDED); /* sees what stands before it in the batch */
        ended->u.was_ended = (struct store_was_ended){ { 7 }, 3, 55 };
        other = add(&batch, STORE_WAS_ENDED);
        other->u.was_ended = (struct store_was_ended){ { 7 }, 3, 56 };
        give(&s, &batch);
        CU_ASSERT_TRUE(take_back(&s, &batch));
        CU_ASSERT_EQUAL(ended->answer, 1);
        CU_ASSERT_EQUAL(other->answer, 0);
        store_batch_done(&batch);
        key = add(&batch, STORE_FIND_KEY);
        key->u.find_key.owner = ALICE;
        memcpy(key->u.find_key.key_hash, &seven, sizeof(seven));
        free_key = add(&batch, STORE_FIND_KEY); /* the same key is another person's own */
        free_key->u.find_key.owner = BOB;
        memcpy(free_key->u.find_key.key_hash, &seven, sizeof(seven));
        job = add(&batch, STORE_FIND_JOB);
        job->u.find_job.job.n = 7;
        loading = add(&batch, STORE_FIND_JOB);
        loading->u.find_job.job.n = 8;
        give(&s, &batch);
        CU_ASSERT_TRUE(take_back(&s, &batch));
        CU_ASSERT_EQUAL(key->u.find_key.job.n, 7);
        CU_ASSERT_EQUAL(key->u.find_key.tasks, 12);
        CU_ASSERT_EQUAL(key->u.find_key.digest[31], 7);
        CU_ASSERT_FALSE(key->u.find_key.loading);
        CU_ASSERT_EQUAL(free_key->u.find_key.job.n, 0);
        CU_ASSERT_TRUE(job->u.find_job.found);
        CU_ASSERT_EQUAL(job->u.find_job.owner.n, 1);
        CU_ASSERT_EQUAL(job->u.find_job.type, TASK_TYPE_NOOP);
        CU_ASSERT_FALSE(loading->u.find_job.found);
        store_batch_done(&batch);
        scene_done(&s);
}

static struct store_op *add_claim(struct store_batch *batch, uint64_t key, uint64_t first, uint64_t n)
{
        struct store_op *op = add(batch, STORE_FIND_KEY);

        op->u.find_key.owner = ALICE;
        memcpy(op->u.find_key.key_hash, &key, sizeof(key));
        op->u.find_key.claims.n = first;
        op->u.find_key.n_claims = n;
        return op;
}

static void add_claimed(struct store_batch *batch, uint64_t job, uint64_t key)
{
        struct store_job_new *made = add_job(batch, job, ALICE, 2, NOOP);

        memcpy(made->key_hash, &key, sizeof(key));
        add_tasks(batch, job, ALICE, 1, 1, 2);
        add(batch, STORE_JOB_COUNTS)->u.counts = (struct job_state){ .job = { job }, .queued = 2 };
}

/* Jobs 11 and 12 are one message, 13 and 14 one each; the keys of 12 and 14 are taken, the latter by 13. */
static void a_claim_makes_all_of_its_jobs_or_none(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };
        struct store_op *claims[5];

        claims[0] = add_claim(&batch, 101, 1, 1);
        add_claimed(&batch, 1, 101);
        give(&s, &batch);
        CU_ASSERT_TRUE(take_back(&s, &batch));
        CU_ASSERT_EQUAL(claims[0]->u.find_key.job.n, 0);
        store_batch_done(&batch);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Jobs JOIN Tasks USING (job_id) WHERE job_id = 1", 2);
        claims[1] = add_claim(&batch, 102, 11, 2);
        claims[2] = add_claim(&batch, 101, 11, 2);
        add_claimed(&batch, 11, 102);
        add_claimed(&batch, 12, 101);
        claims[3] = add_claim(&batch, 103, 13, 1);
        add_claimed(&batch, 13, 103);
        claims[4] = add_claim(&batch, 103, 14, 1);
        add_claimed(&batch, 14, 103);
        give(&s, &batch);
        CU_ASSERT_TRUE(take_back(&s, &batch));
        CU_ASSERT_EQUAL(claims[1]->u.find_key.job.n, 0);
        CU_ASSERT_EQUAL(claims[2]->u.find_key.job.n, 1);
        CU_ASSERT_EQUAL(claims[3]->u.find_key.job.n, 0);
        CU_ASSERT_EQUAL(claims[4]->u.find_key.job.n, 13);
        store_batch_done(&batch);
        EQUAL_SQL(&s, "SELECT SUM(job_id) FROM Jobs", 1 + 13);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks", 4);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Submissions", 2);
        scene_done(&s);
}

/* ------------------------------------------------------------------ replay */
struct heard {
        unsigned kinds[32];
        struct replay_job jobs[8];
        char names[8][64];
        size_t n_jobs;
        struct replay_tasks tasks[64];
        size_t n_tasks;
        struct core_settings settings;
};

static void hear(void *arg, struct event *event)
{
        struct heard *heard = arg;

        heard->kinds[event->kind]++;
        if (event->kind == EVENT_REPLAY_JOB) {
                snprintf(heard->names[heard->n_jobs], 64, "%s", event->u.job.job.spec->spec.name);
                heard->jobs[heard->n_jobs++] = event->u.job;
                if (heard->n_jobs % 2) { /* one job's description is taken over, the next one's is left */
                        job_spec_free(event->u.job.job.spec);
                        event->u.job.job.spec = NULL;
                }
        }
        if (event->kind == EVENT_REPLAY_TASKS)
                heard->tasks[heard->n_tasks++] = event->u.tasks;
        if (event->kind == EVENT_REPLAY_DONE)
                heard->settings = event->u.settings;
}

/* Opens the store again and listens, before its thread runs. */
static void replay(struct scene *s, struct heard *heard)
{
        scene_close(s);
        s->store = store_open(scene_config(s), s->keyring, &s->err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(s->store);
        CU_ASSERT_EQUAL(store_replay(s->store, hear, heard, &s->err), 0);
        CU_ASSERT_EQUAL(store_start(s->store, &s->err), 0);
        s->batches = 0;
}

static void replay_gives_back_what_the_core_had(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };
        struct heard heard = { 0 };
        struct store_key key = { .key = 3, .principal = ALICE, .revoked = true };

        memset(key.public_key, 'p', 40);
        add_person(&batch, ALICE, "alice", 2);
        add_person(&batch, BOB, "bob", 0);
        batch.last->u.principal.active = false;
        add(&batch, STORE_KEY)->u.key = key;
        add_job(&batch, 1, ALICE, 100,
                "{\"type\":\"noop\",\"name\":\"unfinished\",\"array\":[{\"lo\":1,\"hi\":100}]}");
        add_tasks(&batch, 1, ALICE, 1, 1, 100);
        add_end(&batch, 1, 1, 10, 1, 5);
        add_state(&batch, 1, 11, 20, TASK_STATUS_RUNNING, 6);
        add_state(&batch, 1, 25, 25, TASK_STATUS_QUEUED, 7)->tries = 2;
        add(&batch, STORE_JOB_COUNTS)->u.counts = (struct job_state){ .job = { 1 },
                                                                      .status = TASK_STATUS_RUNNING,
                                                                      .mark = 30,
                                                                      .low = 10,
                                                                      .materialised = 100,
                                                                      .succeeded = 10,
                                                                      .floor_epoch = 1 };
        add_job(&batch, 2, ALICE, 1, "{\"type\":\"noop\",\"name\":\"finished\"}");
        add(&batch, STORE_JOB_COUNTS)->u.counts =
                (struct job_state){ .job = { 2 }, .status = TASK_STATUS_SUCCEEDED, .ended_us = 9 };
        add_job(&batch, 3, ALICE, 1, "{\"type\":\"noop\",\"name\":\"loading\"}")->loading = true;
        batch.last->u.job_new.chunks = 4;
        add_chunk(&batch, 3, 0, 0, "a");
        add_chunk(&batch, 3, 0, 1, "b");
        CU_ASSERT_TRUE(commit(&s, &batch));
        replay(&s, &heard);
        CU_ASSERT_EQUAL(heard.kinds[EVENT_REPLAY_PRINCIPAL], 2);
        CU_ASSERT_EQUAL(heard.kinds[EVENT_REPLAY_KEY], 1);
        CU_ASSERT_EQUAL(heard.kinds[EVENT_REPLAY_ROLE], 6);
        CU_ASSERT_EQUAL(heard.kinds[EVENT_REPLAY_QUEUE], 1);
        CU_ASSERT_EQUAL_FATAL(heard.n_jobs, 2);
        CU_ASSERT_STRING_EQUAL(heard.names[0], "unfinished");
        CU_ASSERT_EQUAL(heard.jobs[0].job.state.mark, 30);
        CU_ASSERT_EQUAL(heard.jobs[0].job.state.floor_epoch, 1);
        CU_ASSERT_EQUAL(heard.jobs[0].job.state.succeeded, 10);
        CU_ASSERT_EQUAL(heard.jobs[0].job.digest[0], 1);
        CU_ASSERT_STRING_EQUAL(heard.names[1], "loading");
        CU_ASSERT_EQUAL(heard.jobs[1].chunks_stored, 2);
        /* 11-20 running, 21-24 granted and forgotten, 25 back in the queue, 26-30 granted and forgotten */
        CU_ASSERT_EQUAL_FATAL(heard.n_tasks, 4);
        CU_ASSERT_EQUAL(heard.tasks[0].indexes.lo, 11);
        CU_ASSERT_EQUAL(heard.tasks[0].indexes.hi, 20);
        CU_ASSERT_EQUAL(heard.tasks[0].nonce, 6);
        CU_ASSERT_EQUAL(heard.tasks[0].status, TASK_STATUS_RUNNING);
        CU_ASSERT_EQUAL(heard.tasks[1].indexes.hi, 24);
        CU_ASSERT_EQUAL(heard.tasks[2].tries, 2);
        CU_ASSERT_EQUAL(heard.tasks[3].indexes.hi, 30);
        CU_ASSERT_EQUAL(heard.settings.epoch, store_epoch(s.store));
        CU_ASSERT_EQUAL(heard.settings.next_job, 4);
        CU_ASSERT_EQUAL(strlen(heard.settings.install), 32);
        scene_done(&s);
}

static void replay_follows_the_parts_of_an_array(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };
        struct heard heard = { 0 };

        /* positions 0-4: 1-5; 5-9: 100,102,…,108; 10-14: 101,103,…,109 */
        add_job(&batch, 1, ALICE, 15,
                "{\"type\":\"noop\",\"name\":\"parts\",\"is_array\":true,\"array\":[{\"lo\":1,\"hi\":5},"
                "{\"lo\":100,\"hi\":108,\"step\":2},{\"lo\":101,\"hi\":109,\"step\":2}]}");
        add_tasks(&batch, 1, ALICE, 1, 1, 5);
        add_tasks(&batch, 1, ALICE, 100, 2, 5);
        add_tasks(&batch, 1, ALICE, 101, 2, 5);
        add(&batch, STORE_JOB_COUNTS)->u.counts = (struct job_state){
                .job = { 1 }, .status = TASK_STATUS_RUNNING, .low = 3, .mark = 12, .materialised = 15
        };
        CU_ASSERT_TRUE(commit(&s, &batch));
        replay(&s, &heard);
        CU_ASSERT_EQUAL_FATAL(heard.n_tasks, 8); /* 4-5, then 100, 102, …, then 101, 103 */
        CU_ASSERT_EQUAL(heard.tasks[0].indexes.lo, 4);
        CU_ASSERT_EQUAL(heard.tasks[0].indexes.hi, 5);
        CU_ASSERT_EQUAL(heard.tasks[1].indexes.lo, 100);
        CU_ASSERT_EQUAL(heard.tasks[5].indexes.hi, 108);
        CU_ASSERT_EQUAL(heard.tasks[6].indexes.lo, 101);
        CU_ASSERT_EQUAL(heard.tasks[7].indexes.lo, 103);
        scene_done(&s);
}

static void ten_thousand_operations_are_one_transaction(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };
        char *big = xmalloc(1 << 20);

        memset(big, 'x', (1 << 20) - 1);
        big[(1 << 20) - 1] = '\0';
        have_job(&s, 1, 10000);
        for (uint64_t i = 1; i <= 10000; i++)
                add_end(&batch, 1, i, i, 1, i);
        for (uint32_t i = 0; i < 40; i++) /* more than one packet could carry */
                add_data(&batch, 1, ALICE, 1, DATA_KIND_OUTPUT, i, big);
        CU_ASSERT_TRUE(commit(&s, &batch));
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=5 AND nonce=task_index", 10000);
        EQUAL_SQL(&s, "SELECT SUM(LENGTH(payload)) FROM Data", 40 * ((1 << 20) - 1 + 29));
        free(big);
        scene_done(&s);
}

UNIT_MAIN("store", TEST(a_job_is_written_sealed_and_its_tasks_are_made),
          TEST(new_rows_follow_first_step_and_number), TEST(a_loading_job_becomes_live_or_is_dropped_whole),
          TEST(the_newest_counts_of_a_batch_are_written), TEST(new_jobs_of_a_batch_have_their_newest_counts),
          TEST(a_changed_description_is_sealed_again), TEST(columns_follow_the_newest_description),
          TEST(ends_are_written_alike_as_ranges_and_as_rows), TEST(a_final_task_is_never_written_again),
          TEST(the_end_of_a_task_without_a_row_is_stale), TEST(a_state_goes_to_unfinished_tasks_only),
          TEST(operations_on_one_task_keep_their_order_within_a_batch),
          TEST(a_new_round_keeps_the_old_end_and_leaves_successes),
          TEST(who_was_aborted_because_of_a_job_is_due_with_its_next_round),
          TEST(data_files_events_and_workers_are_written_once_and_sealed),
          TEST(visible_rows_follow_roles_and_scopes), TEST(a_key_is_revoked_once),
          TEST(an_account_is_made_with_the_views_alone_and_dropped),
          TEST(an_account_of_somebody_else_is_never_touched), TEST(questions_are_answered_in_the_operation),
          TEST(a_claim_makes_all_of_its_jobs_or_none), TEST(replay_gives_back_what_the_core_had),
          TEST(replay_follows_the_parts_of_an_array), TEST(ten_thousand_operations_are_one_transaction))
