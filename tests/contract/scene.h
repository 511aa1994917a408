/* A private MariaDB for one contract test program, and a fresh database for each test. Static functions only: every
 * test program includes this once. The server lies in its own folder under /tmp and is ended by process id. */
#ifndef TESTS_CONTRACT_SCENE_H
#define TESTS_CONTRACT_SCENE_H

#include <fcntl.h>
#include <inttypes.h>
#include <mysql.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/store.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "tests/unit/unit.h"

struct server {
        char dir[64], option_file[96], keyring_file[96];
};

static struct server the_server; /* one a program, ended by atexit, which takes no argument */

static inline int server_script(const char *what, const char *options)
{
        CLEANUP_BUF struct buf command = { 0 };

        buf_addf(&command, "bash tests/contract/server.sh %s %s %s", what, the_server.dir, options);
        return system(command.bytes);
}

static inline void server_end(void)
{
        CLEANUP_BUF struct buf command = { 0 };

        server_script("kill", "");
        buf_addf(&command, "rm -rf %s", the_server.dir);
        if (system(command.bytes) != 0)
                fprintf(stderr, "%s is left\n", the_server.dir);
}

static inline void server_begin(void)
{
        struct err err;

        if (*the_server.dir)
                return;
        snprintf(the_server.dir, sizeof(the_server.dir), "/tmp/jobmill-contract.XXXXXX");
        if (!mkdtemp(the_server.dir))
                exit(2);
        atexit(server_end);
        snprintf(the_server.option_file, sizeof(the_server.option_file), "%s/db.cnf", the_server.dir);
        snprintf(the_server.keyring_file, sizeof(the_server.keyring_file), "%s/keyring", the_server.dir);
        if (server_script("start", "") != 0 || keyring_create(the_server.keyring_file, &err) < 0)
                exit(2);
}

/* ------------------------------------------------------------------ a database of one's own */
struct scene {
        char database[32];
        struct keyring *keyring;
        struct store_config config;
        MYSQL *sql; /* the test's own eyes and hands */
        struct store *store;
        uint64_t batches;
        struct err err;
};

static inline MYSQL *scene_connect(const char *database)
{
        MYSQL *sql = mysql_init(NULL);

        mysql_options(sql, MYSQL_READ_DEFAULT_FILE, the_server.option_file);
        mysql_options(sql, MYSQL_READ_DEFAULT_GROUP, "jobmill");
        mysql_options(sql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
        CU_ASSERT_PTR_NOT_NULL_FATAL(mysql_real_connect(sql, NULL, NULL, NULL, database, 0, NULL, 0));
        return sql;
}

/* Runs a statement; the first value of the answer as text ("" if there is none). The caller frees. */
static inline char *sql_value(MYSQL *sql, const char *fmt, ...)
{
        CLEANUP_BUF struct buf text = { 0 };
        char *value;
        MYSQL_RES *result;
        MYSQL_ROW row;
        va_list list;
        char *statement = NULL;

        va_start(list, fmt);
        if (vasprintf(&statement, fmt, list) < 0)
                abort();
        va_end(list);
        if (mysql_query(sql, statement) != 0) {
                fprintf(stderr, "%s: %s\n", statement, mysql_error(sql));
                CU_FAIL("a statement of the test failed");
        }
        free(statement);
        result = mysql_store_result(sql);
        row = result ? mysql_fetch_row(result) : NULL;
        value = xstrdup(row && row[0] ? row[0] : "");
        mysql_free_result(result);
        return value;
}

static inline int64_t sql_int(MYSQL *sql, const char *statement)
{
        char *value = sql_value(sql, "%s", statement);
        int64_t n = strtoll(value, NULL, 10);

        free(value);
        return n;
}

static inline void sql_do(MYSQL *sql, const char *statement)
{
        free(sql_value(sql, "%s", statement));
}

static inline struct scene scene_new(void)
{
        static unsigned count; /* names of databases within this program */
        struct scene s = { 0 };
        MYSQL *sql;

        server_begin();
        snprintf(s.database, sizeof(s.database), "t%u", ++count);
        s.keyring = keyring_load(the_server.keyring_file, &s.err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(s.keyring);
        sql = scene_connect(NULL);
        free(sql_value(sql, "CREATE DATABASE %s CHARACTER SET latin1", s.database));
        mysql_close(sql);
        s.sql = scene_connect(s.database);
        return s;
}

/* The config borrows the scene's memory: made when the scene lies where it will stay. */
static inline const struct store_config *scene_config(struct scene *s)
{
        s->config = (struct store_config){ .option_file = the_server.option_file, .database = s->database };
        return &s->config;
}

static inline void scene_open(struct scene *s)
{
        s->store = store_open(scene_config(s), s->keyring, &s->err);
        if (!s->store)
                fprintf(stderr, "store_open: %s\n", s->err.text);
        CU_ASSERT_PTR_NOT_NULL_FATAL(s->store);
        s->batches = 0;
        CU_ASSERT_EQUAL(store_start(s->store, &s->err), 0);
}

static inline void scene_close(struct scene *s)
{
        store_free(s->store);
        s->store = NULL;
}

static inline struct scene scene_opened(void)
{
        struct scene s = scene_new();

        scene_open(&s);
        return s;
}

static inline void scene_done(struct scene *s)
{
        scene_close(s);
        free(sql_value(s->sql, "DROP DATABASE %s", s->database));
        mysql_close(s->sql);
        keyring_free(s->keyring);
}

/* ------------------------------------------------------------------ batches */
static inline struct store_op *add(struct store_batch *batch, enum store_op_kind kind)
{
        struct store_op *op = store_op_new(kind);

        if (batch->last)
                batch->last->next = op;
        else
                batch->first = op;
        batch->last = op;
        batch->n_ops++;
        return op;
}

static inline void give(struct scene *s, struct store_batch *batch)
{
        batch->number = ++s->batches;
        store_submit(s->store, batch);
}

/* Waits until the batch comes back; true if it was committed. */
static inline bool take_back(struct scene *s, struct store_batch *batch)
{
        struct pollfd poll_fd = { .fd = store_fd(s->store), .events = POLLIN };
        struct store_batch *done = NULL;

        while (!done) {
                CU_ASSERT_FATAL(poll(&poll_fd, 1, 120000) > 0);
                done = store_done(s->store);
        }
        CU_ASSERT_PTR_EQUAL(done, batch);
        s->err = batch->err;
        return !batch->failed;
}

/* The whole way; the batch's ops are freed. */
static inline bool commit(struct scene *s, struct store_batch *batch)
{
        bool done;

        give(s, batch);
        done = take_back(s, batch);
        if (!done)
                fprintf(stderr, "        (batch: %s)\n", s->err.text);
        store_batch_done(batch);
        return done;
}

/* ------------------------------------------------------------------ ops that many tests need */
#define ALICE ((struct principal_id){ 1 })
#define BOB ((struct principal_id){ 2 })
#define WORKER ((struct principal_id){ 9 })

static inline void add_person(struct store_batch *batch, struct principal_id who, const char *name,
                              uint32_t role)
{
        struct store_principal *principal = &add(batch, STORE_PRINCIPAL)->u.principal;
        struct store_member *member;

        principal->principal = who;
        snprintf(principal->name, sizeof(principal->name), "%s", name);
        principal->active = true;
        principal->at_us = 1;
        if (!role)
                return;
        member = &add(batch, STORE_MEMBER)->u.member;
        member->role = role;
        member->principal = who;
}

static inline struct job_spec_box *spec_of(const char *json)
{
        struct err err = { 0 };
        struct job_spec_box *spec = job_spec_decode(json, strlen(json), &err);

        if (!spec)
                fprintf(stderr, "spec: %s\n", err.text);
        CU_ASSERT_PTR_NOT_NULL_FATAL(spec);
        return spec;
}

static inline struct store_job_new *add_job(struct store_batch *batch, uint64_t job,
                                            struct principal_id owner, uint64_t tasks, const char *spec)
{
        struct store_job_new *new = &add(batch, STORE_JOB_NEW)->u.job_new;

        new->job.n = job;
        new->owner = owner;
        memcpy(new->key_hash, &job, sizeof(job));
        memset(new->digest, (int)(job & 0xff), sizeof(new->digest));
        new->spec = spec_of(spec);
        new->tasks = tasks;
        new->submitted_us = 1000000 + (int64_t)job;
        new->state = (struct job_state){ .job = new->job, .status = TASK_STATUS_QUEUED, .queued = tasks };
        return new;
}

static inline void add_tasks(struct store_batch *batch, uint64_t job, struct principal_id owner,
                             uint64_t first, uint64_t step, uint64_t n)
{
        add(batch, STORE_TASKS_NEW)->u.tasks_new = (struct store_tasks_new){
                { job }, owner, first, step, n, TASK_STATUS_QUEUED, TASK_REASON_NONE
        };
}

static inline struct range *ranges_of(const struct range *list, size_t n)
{
        return xmemdup(list, n * sizeof(*list));
}

static inline struct store_task_state *add_state(struct store_batch *batch, uint64_t job, uint64_t lo,
                                                 uint64_t hi, enum task_status status, uint64_t nonce)
{
        struct store_task_state *state = &add(batch, STORE_TASK_STATE)->u.task_state;

        state->job.n = job;
        state->indexes = ranges_of(&(struct range){ lo, hi }, 1);
        state->n_indexes = 1;
        state->status = status;
        state->attempt = 1;
        state->nonce = nonce;
        state->worker = status == TASK_STATUS_RUNNING ? WORKER : (struct principal_id){ 0 };
        state->started_us = status == TASK_STATUS_RUNNING ? 5000 : 0;
        return state;
}

static inline struct store_task_end *add_end(struct store_batch *batch, uint64_t job, uint64_t lo,
                                             uint64_t hi, size_t n_values, uint64_t nonce)
{
        struct store_task_end *end = &add(batch, STORE_TASK_END)->u.task_end;

        end->job.n = job;
        end->indexes = ranges_of(&(struct range){ lo, hi }, 1);
        end->n_indexes = 1;
        end->n_tasks = hi - lo + 1;
        end->status = TASK_STATUS_SUCCEEDED;
        end->attempt = 1;
        end->worker = WORKER;
        end->nonce = nonce;
        store_task_end_values(end, n_values);
        for (size_t i = 0; i < n_values; i++) {
                end->started_us[i] = 6000 + (int64_t)i;
                end->ended_us[i] = 7000 + (int64_t)i;
                end->cpu_us[i] = 10 + (int64_t)i;
                end->rss_kib[i] = 100 + (int64_t)i;
        }
        return end;
}

static inline struct store_data *add_data(struct store_batch *batch, uint64_t job, struct principal_id owner,
                                          uint64_t index, enum data_kind kind, uint32_t seq, const char *text)
{
        struct store_data *data = &add(batch, STORE_DATA)->u.data;

        data->job.n = job;
        data->owner = owner;
        data->index = index;
        data->attempt = 1;
        data->kind = kind;
        data->part = kind == DATA_KIND_OUTPUT ? STREAM_STDOUT : kind == DATA_KIND_FILE;
        data->seq = seq;
        data->recorded_us = 8000;
        data->keep = shared_bytes_new(text, strlen(text));
        data->bytes = data->keep->bytes;
        data->n_bytes = data->keep->n;
        return data;
}

#endif
