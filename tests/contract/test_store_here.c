/* Small batches on the coordinator's own thread (store_here.h): that they go that way, and that whatever can go wrong on it
 * ends as it does on the thread's. */
#include <signal.h>
#include <sys/epoll.h>

#include "adapters/db_internal.h"
#include "adapters/store_here.h"
#include "adapters/store_internal.h"
#include "tests/contract/proxy.h"
#include "tests/contract/scene.h"
#include "tests/contract/through.h"

#define FEW 3 /* ends of one batch; a shape is prepared by the first batch that has it */
#define EQUAL_SQL(s, statement, value) CU_ASSERT_EQUAL(sql_int((s)->sql, statement), value)

static void add_few(struct store_batch *batch, uint64_t first, uint64_t nonce)
{
        add_end(batch, 1, first, first + FEW - 1, FEW, nonce);
}

static void have_job(struct scene *s, uint64_t job, uint64_t tasks)
{
        struct store_batch batch = { 0 };

        add_job(&batch, job, ALICE, tasks, "{\"type\":\"noop\"}");
        add_tasks(&batch, job, ALICE, 1, 1, tasks);
        CU_ASSERT_TRUE(commit(s, &batch));
}

/* A store that has prepared that shape, and job 1 with room for more. */
static void warm(struct scene *s)
{
        struct store_batch batch = { 0 };

        add_few(&batch, 1, 1);
        CU_ASSERT_TRUE(commit(s, &batch));
}

static struct scene scene_warm(void)
{
        struct scene s = scene_opened();

        have_job(&s, 1, 500);
        warm(&s);
        return s;
}

static void give_here(struct scene *s, struct store_batch *batch)
{
        give(s, batch);
        CU_ASSERT_PTR_EQUAL(s->store->here, batch);
}

static bool commit_here(struct scene *s, struct store_batch *batch)
{
        bool done;

        give_here(s, batch);
        done = take_back(s, batch);
        store_batch_done(batch);
        return done;
}

static void small_batches_of_a_known_shape_need_no_thread(void)
{
        struct scene s = scene_warm();

        for (uint64_t i = 1; i < 20; i++) {
                struct store_batch batch = { 0 };

                add_few(&batch, 1 + i * FEW, i);
                CU_ASSERT_TRUE(commit_here(&s, &batch));
        }
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=5", 20 * FEW);
        EQUAL_SQL(&s, "SELECT batch FROM Writers", (int64_t)s.batches);
        scene_done(&s);
}

static void commit_by_thread(struct scene *s, struct store_batch *batch)
{
        give(s, batch);
        CU_ASSERT_PTR_NULL(s->store->here);
        CU_ASSERT_TRUE(take_back(s, batch));
        store_batch_done(batch);
}

static void others_go_to_the_thread(void)
{
        struct scene s = scene_warm();
        struct store_batch many = { 0 }, range = { 0 }, shape = { 0 }, question = { 0 }, large = { 0 };
        char text[5000];

        add_end(&many, 1, 101, 110, 10, 7);
        commit_by_thread(&s, &many);
        add_end(&range, 1, 111, 130, 1, 7);
        commit_by_thread(&s, &range);
        add_end(&shape, 1, 131, 132, 2, 7); /* two ends, for the first time */
        commit_by_thread(&s, &shape);
        add(&question, STORE_FIND_JOB)->u.find_job.job.n = 1;
        commit_by_thread(&s, &question);
        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        add_data(&large, 1, ALICE, 1, DATA_KIND_OUTPUT, 0, text);
        commit_by_thread(&s, &large);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=5", FEW + 32);
        scene_done(&s);
}

static void what_memory_and_database_see_differently_fails_here_too(void)
{
        struct scene s = scene_warm();
        struct store_batch batch = { 0 };

        add_few(&batch, 2, 9); /* two of them have ended */
        CU_ASSERT_FALSE(commit_here(&s, &batch));
        CU_ASSERT_EQUAL(s.err.code, ERR_STALE);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=5", FEW);
        scene_done(&s);
}

static void a_second_coordinator_fences_what_is_sent_here(void)
{
        struct scene s = scene_warm();
        struct store_batch batch = { 0 };
        struct store *second = store_open(scene_config(&s), s.keyring, &s.err);

        CU_ASSERT_PTR_NOT_NULL_FATAL(second);
        add_few(&batch, 11, 9);
        CU_ASSERT_FALSE(commit_here(&s, &batch));
        CU_ASSERT_EQUAL(s.err.code, ERR_FENCED);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=5", FEW);
        store_free(second);
        scene_done(&s);
}

/* As store_here_begin leaves it: nothing to watch any more, and a note of our own. */
static void pretend_it_came_at_once(struct scene *s)
{
        struct epoll_event unused = { 0 };
        struct pollfd fd = { .fd = s->store->watched, .events = POLLIN };

        if (fd.fd < 0)
                return; /* it did */
        CU_ASSERT_EQUAL(poll(&fd, 1, 60000), 1);
        CU_ASSERT_EQUAL(epoll_ctl(s->store->fd, EPOLL_CTL_DEL, s->store->watched, &unused), 0);
        s->store->watched = -1;
        store_wake(s->store);
}

static void an_answer_that_is_there_at_once_is_settled_too(void)
{
        struct scene s = scene_warm();

        for (uint64_t i = 0; i < 40; i++) {
                struct store_batch batch = { 0 };

                if (i == 20)
                        sql_do(s.sql, "UPDATE Coordinator SET epoch=epoch+1 WHERE part=0");
                add_few(&batch, 1 + (i + 1) * FEW, i + 1);
                give_here(&s, &batch);
                pretend_it_came_at_once(&s);
                CU_ASSERT_EQUAL(take_back(&s, &batch), i < 20);
                CU_ASSERT_EQUAL(batch.failed ? batch.err.code : ERR_FENCED, ERR_FENCED);
                store_batch_done(&batch);
        }
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=5", 21 * FEW);
        scene_done(&s);
}

static void a_lock_of_somebody_else_is_waited_for(void)
{
        struct scene s = scene_warm();
        struct store_batch batch = { 0 };

        sql_do(s.sql, "START TRANSACTION");
        sql_do(s.sql, "SELECT * FROM Tasks WHERE job_id=1 AND task_index=11 FOR UPDATE");
        add_few(&batch, 11, 9);
        give_here(&s, &batch);
        while (s.store->here) { /* until the lock wait time-out (5 s) hands it over */
                usleep(20000);
                CU_ASSERT_PTR_NULL_FATAL(store_done(s.store));
        }
        CU_ASSERT_TRUE(store_down_ms(s.store) > 1000);
        sql_do(s.sql, "COMMIT");
        CU_ASSERT_TRUE(take_back(&s, &batch));
        CU_ASSERT_EQUAL(store_down_ms(s.store), 0);
        store_batch_done(&batch);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=5", 2 * FEW);
        scene_done(&s);
}

/* One task with the key, and the question whether it is free. */
static struct store_op *add_submission(struct store_batch *batch, uint64_t job, uint64_t key)
{
        struct store_op *claim = add(batch, STORE_FIND_KEY);
        struct store_job_new *new;

        claim->u.find_key.owner = ALICE;
        memcpy(claim->u.find_key.key_hash, &key, sizeof(key));
        claim->u.find_key.claims.n = job;
        claim->u.find_key.n_claims = 1;
        new = add_job(batch, job, ALICE, 1, "{\"type\":\"noop\"}");
        memset(new->key_hash, 0, sizeof(new->key_hash));
        memcpy(new->key_hash, &key, sizeof(key));
        add_tasks(batch, job, ALICE, 1, 1, 1);
        return claim;
}

static void a_key_that_is_taken_is_looked_up_by_the_thread(void)
{
        struct scene s = scene_warm();
        struct store_batch first = { 0 }, second = { 0 }, taken = { 0 };
        struct store_op *claim;

        add_submission(&first, 11, 1011);
        CU_ASSERT_TRUE(commit(&s, &first));
        add_submission(&second, 12, 1012);
        CU_ASSERT_TRUE(commit_here(&s, &second));
        claim = add_submission(&taken, 13, 1011);
        give_here(&s, &taken);
        CU_ASSERT_TRUE(take_back(&s, &taken));
        CU_ASSERT_EQUAL(claim->u.find_key.job.n, 11);
        store_batch_done(&taken);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Jobs WHERE job_id IN (11, 12)", 2);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Jobs WHERE job_id = 13", 0);
        scene_done(&s);
}

/* 33 rows with the fence's, 24 operations: as often as clients that go in step have it, and not a statement for each table. */
static void what_eight_submit_at_once_is_one_statement(void)
{
        struct scene s = scene_warm();

        for (uint64_t round = 0; round < 2; round++) {
                struct store_batch batch = { 0 };

                for (uint64_t i = 1; i <= 8; i++)
                        add_submission(&batch, 10 + 8 * round + i, 1000 + 8 * round + i);
                if (round == 0)
                        commit_by_thread(&s, &batch);
                else
                        CU_ASSERT_TRUE(commit_here(&s, &batch));
        }
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Jobs WHERE job_id > 10", 16);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE job_id > 10", 16);
        scene_done(&s);
}

/* ------------------------------------------------------------------ the third outcome */
static void a_commit_without_an_answer_is_looked_up(void)
{
        static const enum proxy_cut CUTS[] = { CUT_BEFORE_COMMIT, CUT_AFTER_COMMIT };
        struct scene s = scene_new();
        struct proxy proxy = { 0 };
        char option_file[128];

        open_through(&s, &proxy, option_file);
        have_job(&s, 1, 500);
        for (uint64_t round = 0; round < 20; round++) {
                struct store_batch before = { 0 }, batch = { 0 };

                for (int i = 0; i < 2; i++) {
                        struct store_batch *one = i ? &batch : &before;

                        add_few(one, 1 + (2 * round + (uint64_t)i) * FEW, 1);
                        add(one, STORE_EVENT)->u.event =
                                (struct store_event){ .at_us = (int64_t)round * 2 + i, .kind = "test" };
                }
                CU_ASSERT_TRUE(commit(&s, &before)); /* prepares it on the new connection */
                atomic_store(&proxy.cut, (int)CUTS[round % 2]);
                CU_ASSERT_TRUE(commit_here(&s, &batch));
                CU_ASSERT_EQUAL(atomic_load(&proxy.cuts), (int)round + 1);
        }
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=5", 40 * FEW);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Events", 40);
        EQUAL_SQL(&s, "SELECT COUNT(DISTINCT at_us) FROM Events", 40);
        scene_close(&s);
        proxy_end(&proxy);
        scene_done(&s);
}

static void a_connection_that_died_before_is_made_anew(void)
{
        struct scene s = scene_warm();

        for (uint64_t i = 1; i < 6; i++) {
                struct store_batch batch = { 0 }, again = { 0 };
                char *id = sql_value(s.sql,
                                     "SELECT id FROM information_schema.PROCESSLIST WHERE db='%s' AND "
                                     "id<>CONNECTION_ID() LIMIT 1",
                                     s.database);

                free(sql_value(s.sql, "KILL %s", id));
                free(id);
                add_few(&batch, 1 + 2 * i * FEW, i);
                CU_ASSERT_TRUE(commit_here(&s, &batch));
                add_few(&again, 1 + (2 * i + 1) * FEW, i);
                CU_ASSERT_TRUE(commit(&s, &again));
        }
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=5", 11 * FEW);
        scene_done(&s);
}

static void a_killed_server_comes_back_with_everything_acknowledged(void)
{
        struct scene s = scene_warm();
        struct store_batch batch = { 0 };

        add_few(&batch, 11, 9);
        give_here(&s, &batch);
        CU_ASSERT_EQUAL(server_script("kill", ""), 0);
        CU_ASSERT_EQUAL(server_script("start", ""), 0);
        CU_ASSERT_TRUE(take_back(&s, &batch));
        store_batch_done(&batch);
        mysql_close(s.sql);
        s.sql = scene_connect(s.database);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=5", 2 * FEW);
        scene_done(&s);
}

/* ------------------------------------------------------------------ a server that stands still */
static void signal_server(int signal)
{
        char path[96];
        FILE *file;
        int pid = 0;

        snprintf(path, sizeof(path), "%s/server-pid", the_server.dir);
        file = fopen(path, "re");
        CU_ASSERT_TRUE_FATAL(file != NULL && fscanf(file, "%d", &pid) == 1);
        fclose(file);
        CU_ASSERT_EQUAL(kill(pid, signal), 0);
}

static void a_frozen_server_is_given_up_after_the_writers_patience(void)
{
        struct scene s = scene_warm();
        struct store_batch batch = { 0 };

        signal_server(SIGSTOP);
        add_few(&batch, 11, 9);
        give_here(&s, &batch);
        CU_ASSERT_PTR_NULL(store_done(s.store));
        CU_ASSERT_PTR_NOT_NULL(s.store->here); /* nobody waits, nobody gives up */
        s.store->db->sent_until_us = 0; /* a minute later */
        CU_ASSERT_PTR_NULL(store_done(s.store));
        CU_ASSERT_PTR_NULL(s.store->here);
        signal_server(SIGCONT);
        CU_ASSERT_TRUE(take_back(&s, &batch));
        store_batch_done(&batch);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=5", 2 * FEW);
        scene_done(&s);
}

static void a_store_that_ends_beside_a_frozen_server_gives_the_batch_back(void)
{
        struct scene s = scene_warm();
        struct store_batch batch = { 0 };

        signal_server(SIGSTOP);
        add_few(&batch, 11, 9);
        give_here(&s, &batch);
        scene_close(&s); /* must not hang */
        CU_ASSERT_TRUE(batch.failed);
        store_batch_done(&batch);
        signal_server(SIGCONT);
        scene_done(&s);
}

UNIT_MAIN("store_here", TEST(small_batches_of_a_known_shape_need_no_thread), TEST(others_go_to_the_thread),
          TEST(what_memory_and_database_see_differently_fails_here_too),
          TEST(a_second_coordinator_fences_what_is_sent_here),
          TEST(an_answer_that_is_there_at_once_is_settled_too), TEST(a_lock_of_somebody_else_is_waited_for),
          TEST(a_key_that_is_taken_is_looked_up_by_the_thread),
          TEST(what_eight_submit_at_once_is_one_statement), TEST(a_commit_without_an_answer_is_looked_up),
          TEST(a_connection_that_died_before_is_made_anew),
          TEST(a_killed_server_comes_back_with_everything_acknowledged),
          TEST(a_frozen_server_is_given_up_after_the_writers_patience),
          TEST(a_store_that_ends_beside_a_frozen_server_gives_the_batch_back))
