/* The store by itself: whole life cycles of no-op tasks against a private MariaDB (durable settings), by batch size
 * and by shape. Rows are made on the server, ends are written as ranges, as rows with times of their own, with a
 * `running` in between, or with a sealed result each. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapters/store.h"
#include "base/clock.h"
#include "base/xalloc.h"

#define TASKS 200000
#define LEASE 500 /* tasks of one grant */

enum shape { SHAPE_RANGES, SHAPE_ROWS, SHAPE_RUNNING, SHAPE_RESULTS, SHAPE_SINGLES };
static const char *const SHAPES[] = { "ranges", "rows", "running", "results", "jobs_of_one" };

struct bench {
        char dir[64], option_file[96], keyring_file[96];
        struct keyring *keyring;
        struct store *store;
        uint64_t batches, jobs;
};

static void script(const struct bench *bench, const char *what)
{
        char command[160];

        snprintf(command, sizeof(command),
                 "SERVER_POOL=1G SERVER_LOG=512M bash tests/contract/server.sh %s %s", what, bench->dir);
        if (system(command) != 0)
                exit(70);
}

static void check(int done, const struct err *err)
{
        if (done < 0) {
                fprintf(stderr, "bench_store: %s\n", err->text);
                exit(70);
        }
}

static void begin(struct bench *bench)
{
        struct store_config config;
        struct err err;

        snprintf(bench->dir, sizeof(bench->dir), "/tmp/jobmill-bench.XXXXXX");
        if (!mkdtemp(bench->dir))
                exit(70);
        snprintf(bench->option_file, sizeof(bench->option_file), "%s/db.cnf", bench->dir);
        snprintf(bench->keyring_file, sizeof(bench->keyring_file), "%s/keyring", bench->dir);
        script(bench, "start");
        check(keyring_create(bench->keyring_file, &err), &err);
        bench->keyring = keyring_load(bench->keyring_file, &err);
        check(bench->keyring ? 0 : -1, &err);
        config = (struct store_config){ bench->option_file, "bench", false };
        bench->store = store_open(&config, bench->keyring, &err);
        check(bench->store ? 0 : -1, &err);
        check(store_start(bench->store, &err), &err);
}

static void end(struct bench *bench)
{
        char command[160];

        store_free(bench->store);
        keyring_free(bench->keyring);
        script(bench, "kill");
        snprintf(command, sizeof(command), "rm -rf %s", bench->dir);
        if (system(command) != 0)
                exit(70);
}

static struct store_op *add(struct store_batch *batch, enum store_op_kind kind)
{
        struct store_op *op = store_op_new(kind);

        if (batch->last)
                batch->last->next = op;
        else
                batch->first = op;
        batch->last = op;
        return op;
}

/* Hands a batch over, as soon as the one before is done: the store works while the next is being made. */
static void wait_for(struct bench *bench)
{
        struct pollfd fd = { .fd = store_fd(bench->store), .events = POLLIN };
        struct store_batch *done;

        while (store_busy(bench->store)) {
                done = store_done(bench->store);
                if (!done) {
                        poll(&fd, 1, 1000);
                        continue;
                }
                check(done->failed ? -1 : 0, &done->err);
                store_batch_done(done);
                free(done);
        }
}

static void hand_over(struct bench *bench, struct store_batch *batch)
{
        struct store_batch *copy = xmemdup(batch, sizeof(*batch));

        wait_for(bench);
        copy->number = ++bench->batches;
        store_submit(bench->store, copy);
        *batch = (struct store_batch){ 0 };
}

static void add_job(struct bench *bench, struct store_batch *batch, uint64_t tasks)
{
        struct store_job_new *job = &add(batch, STORE_JOB_NEW)->u.job_new;
        static const char SPEC[] = "{\"type\":\"noop\"}";
        struct err err;

        job->job.n = ++bench->jobs;
        job->owner.n = 1;
        memcpy(job->key_hash, &job->job.n, sizeof(job->job.n));
        job->spec = job_spec_decode(SPEC, strlen(SPEC), &err);
        check(job->spec ? 0 : -1, &err);
        job->tasks = tasks;
        job->submitted_us = 1;
        job->state = (struct job_state){ .job = job->job, .status = TASK_STATUS_QUEUED, .queued = tasks };
}

static void add_end(struct store_batch *batch, uint64_t job, uint64_t lo, uint64_t n, size_t n_values)
{
        struct store_task_end *end = &add(batch, STORE_TASK_END)->u.task_end;
        struct range range = { lo, lo + n - 1 };

        end->job.n = job;
        end->indexes = xmemdup(&range, sizeof(range));
        end->n_indexes = 1;
        end->n_tasks = n;
        end->status = TASK_STATUS_SUCCEEDED;
        end->attempt = 1;
        end->worker.n = 7;
        end->nonce = lo;
        store_task_end_values(end, n_values);
        for (size_t i = 0; i < n_values; i++)
                end->rss_kib[i] = 1000;
}

static void add_running(struct store_batch *batch, uint64_t job, uint64_t lo, uint64_t n)
{
        struct store_task_state *state = &add(batch, STORE_TASK_STATE)->u.task_state;
        struct range range = { lo, lo + n - 1 };

        state->job.n = job;
        state->indexes = xmemdup(&range, sizeof(range));
        state->n_indexes = 1;
        state->status = TASK_STATUS_RUNNING;
        state->attempt = 1;
        state->worker.n = 7;
        state->nonce = lo;
        state->started_us = 1;
}

static void add_results(struct store_batch *batch, uint64_t job, uint64_t lo, uint64_t n)
{
        static const char RESULT[] =
                "{\"loss\":0.12345,\"epoch\":17,\"name\":\"a result of about a hundred bytes, as people "
                "write them\"}";

        for (uint64_t index = lo; index < lo + n; index++) {
                struct store_data *data = &add(batch, STORE_DATA)->u.data;

                data->job.n = job;
                data->owner.n = 1;
                data->index = index;
                data->attempt = 1;
                data->kind = DATA_KIND_RESULT;
                data->keep = shared_bytes_new(RESULT, strlen(RESULT));
                data->bytes = data->keep->bytes;
                data->n_bytes = data->keep->n;
        }
}

static void add_lease(struct store_batch *batch, enum shape shape, uint64_t job, uint64_t lo)
{
        if (shape == SHAPE_RUNNING)
                add_running(batch, job, lo, LEASE);
        if (shape == SHAPE_RESULTS)
                add_results(batch, job, lo, LEASE);
        add_end(batch, job, lo, LEASE, shape == SHAPE_RANGES ? 1 : LEASE);
}

/* One array: rows in chunks, ends behind them. */
static void run_array(struct bench *bench, enum shape shape, uint64_t per_batch)
{
        struct store_batch batch = { 0 };
        uint64_t made = 0, job;

        add_job(bench, &batch, TASKS);
        job = bench->jobs;
        for (uint64_t at = 0; at < TASKS; at += per_batch) {
                if (made <= at) {
                        add(&batch, STORE_TASKS_NEW)->u.tasks_new = (struct store_tasks_new){
                                { job }, { 1 }, made + 1, 1, 20000, TASK_STATUS_QUEUED, TASK_REASON_NONE
                        };
                        made += 20000;
                }
                for (uint64_t lo = at; lo < at + per_batch; lo += LEASE)
                        add_lease(&batch, shape, job, lo + 1);
                add(&batch, STORE_JOB_COUNTS)->u.counts = (struct job_state){ .job = { job },
                                                                              .status = TASK_STATUS_RUNNING,
                                                                              .succeeded = at + per_batch };
                hand_over(bench, &batch);
        }
        wait_for(bench);
}

/* Jobs of one task: submitted in one batch, ended in the next. */
static void run_singles(struct bench *bench, uint64_t per_batch)
{
        struct store_batch batch = { 0 };

        for (uint64_t at = 0; at < TASKS / 10; at += per_batch) {
                uint64_t first = bench->jobs + 1;

                for (uint64_t i = 0; i < per_batch; i++) {
                        add_job(bench, &batch, 1);
                        add(&batch, STORE_TASKS_NEW)->u.tasks_new =
                                (struct store_tasks_new){ { bench->jobs },    { 1 },           1, 1, 1,
                                                          TASK_STATUS_QUEUED, TASK_REASON_NONE };
                }
                hand_over(bench, &batch);
                for (uint64_t i = 0; i < per_batch; i++) {
                        add_end(&batch, first + i, 1, 1, 1);
                        add(&batch, STORE_JOB_COUNTS)->u.counts =
                                (struct job_state){ .job = { first + i },
                                                    .status = TASK_STATUS_SUCCEEDED,
                                                    .succeeded = 1,
                                                    .ended_us = 2 };
                }
                hand_over(bench, &batch);
        }
        wait_for(bench);
}

/* Microseconds of processor that the server has used: says more than the clock on a machine that does other things. */
static double server_cpu_us(const struct bench *bench)
{
        char path[96];
        long pid = 0;
        unsigned long user = 0, sys = 0;
        FILE *file;

        snprintf(path, sizeof(path), "%s/server-pid", bench->dir);
        file = fopen(path, "re");
        if (!file || fscanf(file, "%ld", &pid) != 1)
                exit(70);
        fclose(file);
        snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
        file = fopen(path, "re");
        if (!file || fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                            &sys) != 2)
                exit(70);
        fclose(file);
        return (double)(user + sys) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

static void measure(struct bench *bench, enum shape shape, uint64_t per_batch)
{
        int64_t from = clock_mono_us(), us;
        double tasks = shape == SHAPE_SINGLES ? TASKS / 10.0 : TASKS, cpu_us = server_cpu_us(bench);

        if (shape == SHAPE_SINGLES)
                run_singles(bench, per_batch);
        else
                run_array(bench, shape, per_batch);
        us = clock_mono_us() - from;
        printf("{\"name\":\"store_%s_%d\",\"value\":%.0f,\"unit\":\"tasks/s\"}\n", SHAPES[shape],
               (int)per_batch, tasks * 1e6 / (double)us);
        printf("{\"name\":\"store_%s_%d_cpu\",\"value\":%.2f,\"unit\":\"us/task in the server\"}\n",
               SHAPES[shape], (int)per_batch, (server_cpu_us(bench) - cpu_us) / tasks);
        fflush(stdout);
}

/* A batch of one small change, over and over: what one durable commit costs. */
static void measure_commit(struct bench *bench)
{
        int64_t from = clock_mono_us();
        enum { COMMITS = 2000 };

        for (int i = 0; i < COMMITS; i++) {
                struct store_batch batch = { 0 };

                add(&batch, STORE_JOB_COUNTS)->u.counts = (struct job_state){ .job = { 1 },
                                                                              .status = TASK_STATUS_SUCCEEDED,
                                                                              .mark = (uint64_t)i };
                hand_over(bench, &batch);
                wait_for(bench);
        }
        printf("{\"name\":\"store_commit\",\"value\":%.0f,\"unit\":\"us\"}\n",
               (double)(clock_mono_us() - from) / COMMITS);
}

/* bench_store SHAPE SIZE: one measurement, at the batch size of the whole system. */
static int measure_one(const char *shape, const char *size)
{
        struct bench bench = { 0 };
        size_t i = 0;

        while (i < ARRAY_LEN(SHAPES) && strcmp(SHAPES[i], shape) != 0)
                i++;
        if (i == ARRAY_LEN(SHAPES) || atoi(size) < 1) {
                fprintf(stderr, "usage: bench_store [ranges|rows|running|results|jobs_of_one SIZE]\n");
                return 64;
        }
        begin(&bench);
        measure(&bench, (enum shape)i, strtoull(size, NULL, 10));
        end(&bench);
        return 0;
}

int main(int argc, char **argv)
{
        static const uint64_t SIZES[] = { 500, 1000, 5000 };
        struct bench bench = { 0 };

        if (argc == 3)
                return measure_one(argv[1], argv[2]);
        begin(&bench);
        for (size_t i = 0; i < ARRAY_LEN(SIZES); i++)
                for (enum shape shape = SHAPE_RANGES; shape <= SHAPE_RESULTS; shape++)
                        measure(&bench, shape, SIZES[i]);
        measure(&bench, SHAPE_SINGLES, 1000);
        measure_commit(&bench);
        end(&bench);
        return 0;
}
