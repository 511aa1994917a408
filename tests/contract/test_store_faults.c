/* What goes wrong around the store: another coordinator, locks of others, connections that die at the worst moment, a
 * server that is killed, settings that break the promise, a schema that was left half-way. */
#include "adapters/db_internal.h"
#include "adapters/db_setup.h"
#include "adapters/sql_files.h"
#include "adapters/store_internal.h"
#include "tests/contract/through.h"
#include "tests/contract/scene.h"

#define NOOP "{\"type\":\"noop\",\"name\":\"n\"}"
#define EQUAL_SQL(s, statement, value) CU_ASSERT_EQUAL(sql_int((s)->sql, statement), value)

static void have_job(struct scene *s, uint64_t job, uint64_t tasks)
{
        struct store_batch batch = { 0 };

        add_job(&batch, job, ALICE, tasks, NOOP);
        add_tasks(&batch, job, ALICE, 1, 1, tasks);
        CU_ASSERT_TRUE(commit(s, &batch));
}

/* ------------------------------------------------------------------ the fence */
static void a_second_coordinator_fences_the_first(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 }, idle = { 0 };
        struct store *second;

        have_job(&s, 1, 10);
        CU_ASSERT_TRUE(commit(&s, &idle)); /* nothing to write, still the one */
        second = store_open(scene_config(&s), s.keyring, &s.err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(second);
        CU_ASSERT_EQUAL(store_epoch(second), store_epoch(s.store) + 1);
        CU_ASSERT_FALSE(commit(&s, &idle));
        CU_ASSERT_EQUAL(s.err.code, ERR_FENCED);
        add_end(&batch, 1, 1, 10, 1, 5);
        CU_ASSERT_FALSE(commit(&s, &batch));
        CU_ASSERT_EQUAL(s.err.code, ERR_FENCED);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=3", 10);
        store_free(second);
        scene_done(&s);
}

/* As a coordinator that was stopped in the middle of a transaction: the next one starts when the server has ended it. */
static void holds_the_epoch(struct scene *s, const char *statement)
{
        MYSQL *frozen = scene_connect(s->database);
        struct store *second;
        int64_t from;

        sql_do(frozen, "SET SESSION idle_transaction_timeout=2, autocommit=0");
        sql_do(frozen, statement);
        from = clock_mono_us();
        second = store_open(scene_config(s), s->keyring, &s->err);
        CU_ASSERT_PTR_NOT_NULL(second);
        CU_ASSERT_TRUE(clock_mono_us() - from > US_PER_S);
        CU_ASSERT_NOT_EQUAL(mysql_query(frozen, "COMMIT"), 0); /* it finds its connection gone */
        mysql_close(frozen);
        store_free(second);
}

static void a_predecessor_in_the_middle_of_a_transaction_holds_the_epoch(void)
{
        struct scene s = scene_opened();

        holds_the_epoch(&s, "SELECT epoch FROM Coordinator WHERE part=0 LOCK IN SHARE MODE");
        scene_done(&s);
}

static void a_predecessor_that_has_passed_the_fence_holds_the_epoch(void)
{
        struct scene s = scene_opened();

        holds_the_epoch(&s, "UPDATE Writers SET batch=batch+1000 WHERE writer=1");
        EQUAL_SQL(&s,
                  "SELECT COUNT(*) FROM Writers w JOIN Coordinator c ON w.epoch = c.epoch AND w.batch = 0",
                  1);
        scene_done(&s);
}

static void an_epoch_raised_by_hand_fences_too(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };

        have_job(&s, 1, 10);
        sql_do(s.sql, "UPDATE Coordinator SET epoch=epoch+1 WHERE part=0");
        add_end(&batch, 1, 1, 1, 1, 5);
        CU_ASSERT_FALSE(commit(&s, &batch));
        CU_ASSERT_EQUAL(s.err.code, ERR_FENCED);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=3", 10);
        scene_done(&s);
}

static void other_changes_of_the_coordinators_row_let_the_last_batch_be_found(void)
{
        struct scene s = scene_opened();

        have_job(&s, 1, 10);
        sql_do(s.sql, "UPDATE Coordinator SET started_us=started_us+1 WHERE part=0");
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Writers WHERE batch > 0", 1);
        scene_done(&s);
}

static void a_database_without_its_trigger_is_refused(void)
{
        struct scene s = scene_opened();
        struct store *second;

        sql_do(s.sql, "DROP TRIGGER epoch_fence");
        second = store_open(scene_config(&s), s.keyring, &s.err);
        CU_ASSERT_PTR_NULL(second);
        CU_ASSERT_EQUAL(s.err.code, ERR_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(s.err.text, "epoch_fence"));
        scene_done(&s);
}

/* ------------------------------------------------------------------ locks of others */
static void somebody_elses_row_lock_delays_a_batch_and_loses_nothing(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };
        struct pollfd fd;

        have_job(&s, 1, 10);
        sql_do(s.sql, "START TRANSACTION");
        sql_do(s.sql, "SELECT * FROM Tasks WHERE job_id=1 AND task_index=7 FOR UPDATE");
        add_state(&batch, 1, 1, 1, TASK_STATUS_RUNNING, 5);
        add_end(&batch, 1, 7, 7, 1, 6);
        give(&s, &batch);
        fd = (struct pollfd){ .fd = store_fd(s.store), .events = POLLIN };
        while (poll(&fd, 1, 6500) != 0) /* one lock wait time-out (5 s) and a new try */
                CU_ASSERT_PTR_NULL_FATAL(store_done(s.store));
        CU_ASSERT_TRUE(store_down_ms(s.store) > 1000);
        sql_do(s.sql, "COMMIT");
        CU_ASSERT_TRUE(take_back(&s, &batch));
        CU_ASSERT_EQUAL(store_down_ms(s.store), 0);
        store_batch_done(&batch);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status IN (4, 5)", 2);
        scene_done(&s);
}

static void a_deadlock_runs_the_whole_batch_again(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };
        MYSQL *watcher = scene_connect(s.database);

        have_job(&s, 1, 2000);
        sql_do(s.sql, "START TRANSACTION");
        /* More rows than the batch changes, so that the batch is the one to be rolled back. */
        sql_do(s.sql, "UPDATE Tasks SET cpu_us=1 WHERE job_id=1 AND task_index BETWEEN 1000 AND 2000");
        add_end(&batch, 1, 1, 20, 1, 5);
        add_end(&batch, 1, 1500, 1520, 1, 6);
        give(&s, &batch);
        /* The server refreshes that table only if nobody has looked for 0.1 s. */
        while (sql_int(watcher,
                       "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state='LOCK WAIT'") == 0)
                usleep(200000);
        sql_do(s.sql, "UPDATE Tasks SET cpu_us=2 WHERE job_id=1 AND task_index=5"); /* closes the circle */
        sql_do(s.sql, "COMMIT");
        CU_ASSERT_TRUE(take_back(&s, &batch));
        store_batch_done(&batch);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=5", 41);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=5 AND cpu_us=10", 41);
        mysql_close(watcher);
        scene_done(&s);
}

/* ------------------------------------------------------------------ the third outcome */
static void a_commit_without_an_answer_is_looked_up(void)
{
        static const enum proxy_cut CUTS[] = { CUT_BEFORE_COMMIT, CUT_AFTER_COMMIT };
        struct scene s = scene_new();
        struct proxy proxy = { 0 };
        char option_file[128];
        int expected = 0;

        open_through(&s, &proxy, option_file);
        have_job(&s, 1, 1000);
        for (uint64_t round = 0; round < 20; round++) {
                struct store_batch batch = { 0 };
                struct store_event *event;

                atomic_store(&proxy.cut, (int)CUTS[round % 2]);
                /* A range is a statement of its own before the COMMIT; ten rows and all are one with it. */
                add_end(&batch, 1, round * 10 + 1, round * 10 + 10, round % 3 ? 1 : 10, round + 1);
                event = &add(&batch, STORE_EVENT)->u.event; /* an INSERT that would show if it ran twice */
                *event = (struct store_event){ .at_us = (int64_t)round, .kind = "test" };
                CU_ASSERT_TRUE(commit(&s, &batch));
                CU_ASSERT_EQUAL(atomic_load(&proxy.cuts), ++expected);
        }
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=5 AND nonce=1 + FLOOR((task_index-1)/10)",
                  200);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Events", 20);
        EQUAL_SQL(&s, "SELECT COUNT(DISTINCT at_us) FROM Events", 20);
        scene_close(&s);
        proxy_end(&proxy);
        scene_done(&s);
}

static void a_killed_connection_runs_its_batch_again(void)
{
        struct scene s = scene_opened();

        have_job(&s, 1, 500);
        for (uint64_t i = 0; i < 20; i++) {
                struct store_batch batch = { 0 };
                char *id;

                for (uint64_t k = 1; k <= 25; k++)
                        add_end(&batch, 1, i * 25 + k, i * 25 + k, 1, i + 1);
                give(&s, &batch);
                id = sql_value(s.sql,
                               "SELECT id FROM information_schema.PROCESSLIST WHERE db='%s' AND "
                               "id<>CONNECTION_ID() LIMIT 1",
                               s.database);
                if (*id && mysql_query(s.sql, "DO 0") == 0) {
                        char kill[64];

                        snprintf(kill, sizeof(kill), "KILL %s", id);
                        mysql_query(s.sql, kill); /* it may be gone already */
                }
                free(id);
                CU_ASSERT_TRUE(take_back(&s, &batch));
                store_batch_done(&batch);
        }
        EQUAL_SQL(&s,
                  "SELECT COUNT(*) FROM Tasks WHERE status=5 AND nonce = 1 + FLOOR((task_index - 1) / 25)",
                  500);
        scene_done(&s);
}

static void a_killed_server_comes_back_with_everything_acknowledged(void)
{
        struct scene s = scene_opened();
        uint64_t acknowledged = 0;

        have_job(&s, 1, 3000);
        for (uint64_t i = 0; i < 3; i++) {
                struct store_batch before = { 0 }, during = { 0 };

                add_end(&before, 1, i * 100 + 1, i * 100 + 50, 1, i + 1);
                CU_ASSERT_TRUE(commit(&s, &before));
                acknowledged += 50;
                add_end(&during, 1, i * 100 + 51, i * 100 + 100, 50, i + 1);
                give(&s, &during);
                CU_ASSERT_EQUAL(server_script("kill", ""), 0);
                CU_ASSERT_EQUAL(server_script("start", ""), 0);
                CU_ASSERT_TRUE(take_back(&s, &during));
                store_batch_done(&during);
                acknowledged += 50;
                mysql_close(s.sql);
                s.sql = scene_connect(s.database);
                EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=5", (int64_t)acknowledged);
        }
        scene_done(&s);
}

static void a_store_that_ends_while_the_database_is_down_gives_the_batch_back(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };

        have_job(&s, 1, 10);
        CU_ASSERT_EQUAL(server_script("kill", ""), 0);
        add_end(&batch, 1, 1, 10, 1, 5);
        give(&s, &batch);
        while (store_down_ms(s.store) == 0)
                usleep(10000);
        scene_close(&s); /* must not hang */
        CU_ASSERT_TRUE(batch.failed);
        store_batch_done(&batch);
        CU_ASSERT_EQUAL(server_script("start", ""), 0);
        mysql_close(s.sql);
        s.sql = scene_connect(s.database);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Tasks WHERE status=3", 10);
        scene_done(&s);
}

/* ------------------------------------------------------------------ settings */
static void expect_refused(struct scene *s, const char *name)
{
        struct store *store = store_open(scene_config(s), s->keyring, &s->err);

        CU_ASSERT_PTR_NULL(store);
        CU_ASSERT_EQUAL(s->err.code, ERR_CONFIG);
        if (!strstr(s->err.text, name))
                fprintf(stderr, "        refused for another reason: %s\n", s->err.text);
        CU_ASSERT_PTR_NOT_NULL(strstr(s->err.text, name));
        store_free(store);
}

static void unsafe_settings_are_refused_by_name(void)
{
        static const struct {
                const char *spoil, *mend, *name;
        } CASES[] = {
                { "SET GLOBAL innodb_flush_log_at_trx_commit=2",
                  "SET GLOBAL innodb_flush_log_at_trx_commit=1", "innodb_flush_log_at_trx_commit = 2" },
                { "SET GLOBAL sql_mode=''", "SET GLOBAL sql_mode=DEFAULT", "sql_mode" },
                { "SET GLOBAL max_allowed_packet=1048576", "SET GLOBAL max_allowed_packet=67108864",
                  "max_allowed_packet" },
                { "CREATE USER ''@'localhost'", "DROP USER ''@'localhost'", "anonymous" },
                { "CREATE TABLE Extra (a INT) ENGINE=Aria", "DROP TABLE Extra",
                  "ALTER TABLE Extra ENGINE=InnoDB" },
        };
        struct scene s = scene_new();

        for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
                sql_do(s.sql, CASES[i].spoil);
                expect_refused(&s, CASES[i].name);
                sql_do(s.sql, CASES[i].mend);
        }
        scene_open(&s);
        scene_done(&s);
}

static void restart_server(struct scene *s, const char *options)
{
        mysql_close(s->sql);
        CU_ASSERT_EQUAL(server_script("stop", ""), 0);
        CU_ASSERT_EQUAL(server_script("start", options), 0);
        s->sql = scene_connect(s->database);
}

static void unsafe_settings_of_the_servers_start_are_refused_by_name(void)
{
        struct scene s = scene_new();

        restart_server(&s, "--log-bin --sync-binlog=0");
        expect_refused(&s, "sync_binlog = 0");
        sql_do(s.sql, "SET GLOBAL sync_binlog=1");
        restart_server(&s, "--skip-innodb-doublewrite");
        expect_refused(&s, "innodb_doublewrite = OFF");
        restart_server(&s, "--innodb-force-recovery=1");
        expect_refused(&s, "innodb_force_recovery");
        restart_server(&s, "--sync-binlog=0"); /* no binary log: nothing to sync */
        scene_open(&s);
        scene_close(&s);
        restart_server(&s, "");
        scene_done(&s);
}

static void dev_relaxes_durability_and_says_so(void)
{
        struct scene s = scene_new();
        struct store_config config = *scene_config(&s);

        sql_do(s.sql, "SET GLOBAL innodb_flush_log_at_trx_commit=0");
        config.dev = true;
        s.store = store_open(&config, s.keyring, &s.err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(s.store);
        CU_ASSERT_STRING_EQUAL(store_relaxed(s.store), "innodb_flush_log_at_trx_commit = 0");
        scene_close(&s);
        sql_do(s.sql, "SET GLOBAL innodb_flush_log_at_trx_commit=1");
        sql_do(s.sql, "SET GLOBAL sql_mode=''");
        s.store = store_open(&config, s.keyring, &s.err);
        CU_ASSERT_PTR_NULL(s.store); /* strictness is no matter of durability */
        sql_do(s.sql, "SET GLOBAL sql_mode=DEFAULT");
        scene_open(&s);
        CU_ASSERT_STRING_EQUAL(store_relaxed(s.store), "");
        scene_done(&s);
}

static void files_that_others_can_read_and_foreign_keys_are_refused(void)
{
        struct scene s = scene_opened();
        char other[128];
        struct keyring *keyring;
        struct store *store;

        scene_close(&s);
        chmod(the_server.option_file, 0644);
        expect_refused(&s, "chmod");
        chmod(the_server.option_file, 0600);
        snprintf(other, sizeof(other), "%s/other-ring", the_server.dir);
        CU_ASSERT_EQUAL(keyring_create(other, &s.err), 0);
        keyring = keyring_load(other, &s.err);
        store = store_open(scene_config(&s), keyring, &s.err);
        CU_ASSERT_PTR_NULL(store);
        CU_ASSERT_EQUAL(s.err.code, ERR_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(s.err.text, "key ring"));
        keyring_free(keyring);
        unlink(other);
        scene_done(&s);
}

static void nobody_there_is_not_a_mistake_in_the_configuration(void)
{
        struct scene s = scene_new();
        struct store_config config = *scene_config(&s);
        char path[128], socket[128];

        snprintf(path, sizeof(path), "%s/nobody.cnf", the_server.dir);
        snprintf(socket, sizeof(socket), "%s/nobody", the_server.dir);
        write_option_file(path, socket);
        config.option_file = path;
        CU_ASSERT_PTR_NULL(store_open(&config, s.keyring, &s.err));
        CU_ASSERT_EQUAL(s.err.code, ERR_UNREACHABLE);
        scene_done(&s);
}

static void another_host_is_spoken_to_with_verified_tls_only(void)
{
        struct scene s = scene_new();
        struct store_config config = *scene_config(&s);
        char path[128];
        FILE *file;

        /* A server without certificates on an address that is not loopback by name: TLS is demanded and not there. */
        restart_server(&s, "--skip-skip-networking --port=33963 --bind-address=127.0.0.2");
        snprintf(path, sizeof(path), "%s/tcp.cnf", the_server.dir);
        file = fopen(path, "we");
        fchmod(fileno(file), 0600);
        fprintf(file, "[jobmill]\nprotocol = tcp\nhost = 127.0.0.2\nport = 33963\nuser = jobmill\n");
        fclose(file);
        config.option_file = path;
        CU_ASSERT_PTR_NULL(store_open(&config, s.keyring, &s.err));
        CU_ASSERT_PTR_NOT_NULL(strstr(s.err.text, "SSL") ?: strstr(s.err.text, "TLS"));
        restart_server(&s, "");
        scene_done(&s);
}

static void an_account_without_rights_is_told_which_one_is_missing(void)
{
        struct scene s = scene_new();
        struct store_config config = *scene_config(&s);
        char path[128];
        FILE *file;

        sql_do(s.sql, "CREATE OR REPLACE USER poor@localhost");
        free(sql_value(s.sql, "GRANT ALL ON %s.* TO poor@localhost", s.database));
        snprintf(path, sizeof(path), "%s/poor.cnf", the_server.dir);
        file = fopen(path, "we");
        fchmod(fileno(file), 0600);
        fprintf(file, "[jobmill]\nsocket = %s/s\nuser = poor\n", the_server.dir);
        fclose(file);
        config.option_file = path;
        CU_ASSERT_PTR_NULL(store_open(&config, s.keyring, &s.err));
        CU_ASSERT_EQUAL(s.err.code, ERR_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(s.err.text, "grant the coordinator's account SELECT"));
        sql_do(s.sql, "GRANT SELECT ON mysql.global_priv TO poor@localhost");
        free(sql_value(s.sql, "REVOKE CREATE ON %s.* FROM poor@localhost", s.database));
        CU_ASSERT_PTR_NULL(store_open(&config, s.keyring, &s.err));
        CU_ASSERT_EQUAL(s.err.code, ERR_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(s.err.text, "CREATE command denied"));
        free(sql_value(s.sql, "GRANT CREATE ON %s.* TO poor@localhost", s.database));
        s.store = store_open(&config, s.keyring, &s.err); /* all that it takes, but for people's accounts */
        if (!s.store)
                fprintf(stderr, "        %s\n", s.err.text);
        CU_ASSERT_PTR_NOT_NULL(s.store);
        scene_close(&s);
        sql_do(s.sql, "DROP USER poor@localhost");
        scene_done(&s);
}

/* ------------------------------------------------------------------ schema */
static int64_t count_statements(void)
{
        CLEANUP_BUF struct buf sql = { 0 };
        int64_t n = 0;

        for (const struct sql_file *file = sql_files; file->name; file++) {
                const char *at = file->text;

                while (strncmp(file->name, "migrations/", 11) == 0 && sql_next(&at, &sql))
                        n++;
        }
        return n;
}

static struct db *admin_of(struct scene *s)
{
        struct db_target target = { the_server.option_file, s->database };
        struct db *db = db_open(&target, DB_ADMIN, &s->err);

        CU_ASSERT_PTR_NOT_NULL_FATAL(db);
        return db;
}

static void migrations_go_on_where_they_were_cut(void)
{
        struct scene whole = scene_opened();
        int64_t tables = sql_int(whole.sql, "SELECT COUNT(*) FROM information_schema.TABLES WHERE "
                                            "table_schema=DATABASE() AND table_type='BASE TABLE'");
        int64_t migrations = sql_int(whole.sql, "SELECT COUNT(*) FROM SchemaVersion");
        int64_t n = count_statements();

        CU_ASSERT_TRUE(n > 20);
        for (int64_t cut = 0; cut <= n; cut++) {
                struct scene s = scene_new();
                struct db *db = admin_of(&s);

                CU_ASSERT_EQUAL(db_migrate(db, (size_t)cut, &s.err), 0);
                if (cut > 0 && cut < n) { /* cut after the statement ran and before that was noted */
                        sql_do(s.sql, "UPDATE SchemaSteps SET done = done - 1");
                        if (cut + 4 >=
                            n) /* the last ones are INSERTs, which are noted in their own transaction */
                                sql_do(s.sql, "UPDATE SchemaSteps SET done = begun");
                }
                CU_ASSERT_EQUAL(db_migrate(db, SIZE_MAX, &s.err), 0);
                CU_ASSERT_EQUAL(db_migrate(db, SIZE_MAX, &s.err), 0);
                EQUAL_SQL(&s,
                          "SELECT COUNT(*) FROM information_schema.TABLES WHERE table_schema=DATABASE() AND "
                          "table_type='BASE TABLE'",
                          tables);
                EQUAL_SQL(&s, "SELECT COUNT(*) FROM Roles", 6);
                EQUAL_SQL(&s, "SELECT COUNT(*) FROM Queues", 1);
                EQUAL_SQL(&s, "SELECT COUNT(*) FROM SchemaVersion", migrations);
                db_close(db);
                scene_done(&s);
        }
        scene_done(&whole);
}

static void a_migration_that_fails_says_where_and_a_newer_schema_is_refused(void)
{
        struct scene s = scene_new();
        struct db *db = admin_of(&s);

        sql_do(s.sql,
               "CREATE TABLE Jobs (other INT) ENGINE=InnoDB"); /* not ours, and not because we were cut */
        CU_ASSERT_EQUAL(db_migrate(db, SIZE_MAX, &s.err), -1);
        CU_ASSERT_PTR_NOT_NULL(strstr(s.err.text, "migration 1, statement"));
        sql_do(s.sql, "DROP TABLE Jobs");
        CU_ASSERT_EQUAL(db_migrate(db, SIZE_MAX, &s.err), 0);
        sql_do(s.sql, "INSERT INTO SchemaVersion VALUES (9999, NOW(6))");
        expect_refused(&s, "schema version 9999");
        db_close(db);
        scene_done(&s);
}

struct start { /* one of several coordinators that start in the same moment */
        struct scene *scene;
        struct store *store;
        pthread_t thread;
};

static void *start_one(void *arg)
{
        struct start *start = arg;
        struct store_config config = { .option_file = the_server.option_file,
                                       .database = start->scene->database };
        struct err err;

        mysql_thread_init();
        start->store = store_open(&config, start->scene->keyring, &err);
        if (!start->store)
                fprintf(stderr, "        %s\n", err.text);
        mysql_thread_end();
        return NULL;
}

static void starts_at_once_make_one_schema_and_epochs_of_their_own(void)
{
        struct scene s = scene_new();
        struct start starts[4];
        uint64_t seen = 0;

        for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
                starts[i] = (struct start){ .scene = &s };
                CU_ASSERT_EQUAL(pthread_create(&starts[i].thread, NULL, start_one, &starts[i]), 0);
        }
        for (size_t i = 0; i < ARRAY_LEN(starts); i++)
                pthread_join(starts[i].thread, NULL);
        for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
                CU_ASSERT_PTR_NOT_NULL(starts[i].store);
                if (!starts[i].store)
                        continue;
                seen |= UINT64_C(1) << store_epoch(starts[i].store);
                store_free(starts[i].store);
        }
        CU_ASSERT_EQUAL(seen, 0x1e); /* 1, 2, 3 and 4 */
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Coordinator WHERE epoch = 4", 1);
        scene_done(&s);
}

/* Statements and schema drift apart in one of two ways: one that does not prepare, one that nobody runs. */
static void every_statement_prepares_on_this_schema(void)
{
        struct scene s = scene_opened();
        struct db *db = admin_of(&s);
        unsigned n = 0;

        for (const struct sql_file *file = sql_files; file->name; file++) {
                if (strncmp(file->name, "queries/", 8) != 0)
                        continue;
                for (const char *at = file->text; (at = strstr(at, "-- name: ")); n++) {
                        char name[64];
                        struct db_stmt *stmt;

                        at += strlen("-- name: ");
                        snprintf(name, sizeof(name), "%.*s", (int)strcspn(at, "\n"), at);
                        stmt = db_prepare(db, name, &s.err);
                        if (!stmt)
                                fprintf(stderr, "        %s\n", s.err.text);
                        CU_ASSERT_PTR_NOT_NULL(stmt);
                }
        }
        CU_ASSERT_TRUE(n > 80);
        db_close(db);
        scene_done(&s);
}

static void views_are_made_again_only_when_their_text_changes(void)
{
        struct scene s = scene_opened();
        int64_t views =
                sql_int(s.sql, "SELECT COUNT(*) FROM information_schema.VIEWS WHERE table_schema=DATABASE()");

        CU_ASSERT_TRUE(views >= 10);
        scene_close(&s);
        sql_do(s.sql, "DROP VIEW v_jobs");
        scene_open(&s);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM information_schema.VIEWS WHERE table_schema=DATABASE()",
                  views - 1);
        scene_close(&s);
        sql_do(s.sql, "UPDATE SchemaViews SET digest = digest ^ 1"); /* as if another text had made them */
        scene_open(&s);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM information_schema.VIEWS WHERE table_schema=DATABASE()", views);
        scene_done(&s);
}

static void the_first_administrator_is_made_once(void)
{
        struct scene s = scene_new();
        bool made = false;
        const char *key = "0123456789012345678901234567890123456789";

        CU_ASSERT_EQUAL(store_init(scene_config(&s), s.keyring, "boss", key, NULL, &made, &s.err), 0);
        CU_ASSERT_TRUE(made);
        EQUAL_SQL(&s,
                  "SELECT COUNT(*) FROM Principals p JOIN Members m USING (principal) JOIN Nodes n USING "
                  "(principal) WHERE name='boss' AND role=1",
                  1);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Events WHERE kind='user-add'", 1);
        EQUAL_SQL(&s, "SELECT COUNT(*) > 0 FROM Visible", 1);
        scene_open(&s);
        CU_ASSERT_EQUAL(store_init(scene_config(&s), s.keyring, "other", key, NULL, &made, &s.err), 0);
        CU_ASSERT_FALSE(made);
        EQUAL_SQL(&s, "SELECT COUNT(*) FROM Principals", 1);
        have_job(&s, 1, 1); /* the running coordinator was not fenced by it */
        sql_do(s.sql, "DELETE FROM Members");
        CU_ASSERT_EQUAL(store_init(scene_config(&s), s.keyring, "jobmill", key,
                                   "*94BDCEBE19083CE2A1F959FD02F964C7AF4CFC29", &made, &s.err),
                        -1);
        CU_ASSERT_EQUAL(s.err.code, ERR_CONFLICT); /* the coordinator's own account */
        scene_done(&s);
}

UNIT_MAIN("store_faults", TEST(a_second_coordinator_fences_the_first),
          TEST(a_predecessor_in_the_middle_of_a_transaction_holds_the_epoch),
          TEST(a_predecessor_that_has_passed_the_fence_holds_the_epoch),
          TEST(an_epoch_raised_by_hand_fences_too),
          TEST(other_changes_of_the_coordinators_row_let_the_last_batch_be_found),
          TEST(a_database_without_its_trigger_is_refused),
          TEST(somebody_elses_row_lock_delays_a_batch_and_loses_nothing),
          TEST(a_deadlock_runs_the_whole_batch_again), TEST(a_commit_without_an_answer_is_looked_up),
          TEST(a_killed_connection_runs_its_batch_again),
          TEST(a_killed_server_comes_back_with_everything_acknowledged),
          TEST(a_store_that_ends_while_the_database_is_down_gives_the_batch_back),
          TEST(unsafe_settings_are_refused_by_name),
          TEST(unsafe_settings_of_the_servers_start_are_refused_by_name),
          TEST(dev_relaxes_durability_and_says_so),
          TEST(files_that_others_can_read_and_foreign_keys_are_refused),
          TEST(nobody_there_is_not_a_mistake_in_the_configuration),
          TEST(another_host_is_spoken_to_with_verified_tls_only),
          TEST(an_account_without_rights_is_told_which_one_is_missing),
          TEST(migrations_go_on_where_they_were_cut),
          TEST(a_migration_that_fails_says_where_and_a_newer_schema_is_refused),
          TEST(starts_at_once_make_one_schema_and_epochs_of_their_own),
          TEST(every_statement_prepares_on_this_schema),
          TEST(views_are_made_again_only_when_their_text_changes), TEST(the_first_administrator_is_made_once))
