/* Drives a running coordinator as one connected client, for run.sh:
 *
 *   drive_submit latency N     N no-op jobs of one task, one after the other, each until its end is known:
 *                              prints "p50_us p99_us"
 *   drive_submit single N M    N no-op jobs of one task, M in a message; prints the microseconds until all of them
 *                              were acknowledged
 *   drive_submit clients N C   N no-op jobs of one task by C clients at once, each one job after the other until it is
 *                              acknowledged: prints the microseconds until all of them were
 *   drive_submit busy N C      N no-op jobs of one task by C clients at once, each one job after the other until its end
 *                              is known: prints "jobs_a_second p50_us p99_us"
 *   drive_submit array N       one array of N no-op tasks: prints the microseconds until it was acknowledged, and its id
 *
 * The profile is $JOBMILL_PROFILE. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "net/client.h"

#define WAIT_MS 60000
#define KEY_BYTES 64

static void die(const struct err *err)
{
        fprintf(stderr, "drive_submit: %s\n", err->text);
        exit(err_exit_code(err->code));
}

/* A key that no other run has used. */
static void fill_key(char key[KEY_BYTES], uint64_t n)
{
        snprintf(key, KEY_BYTES, "drive-%" PRId64 "-%d-%" PRIu64, clock_wall_us(), (int)getpid(), n);
}

/* ret_watched: where it shall be a job whose end is told; whether it will be. NULL: it need not. */
static uint64_t submit(struct client *client, uint64_t first, size_t n_jobs, struct rec_array_part *array,
                       bool *ret_watched)
{
        struct rec_job_spec noop = {
                .type = TASK_TYPE_NOOP, .has_type = true, .array = array, .n_array = array ? 1 : 0
        };
        struct rec_new_job *jobs = xcalloc(n_jobs, sizeof(*jobs));
        char(*keys)[KEY_BYTES] = xcalloc(n_jobs, sizeof(*keys));
        struct msg request = { .kind = MSG_submit };
        struct err err = { 0 };
        struct msg *answer;
        uint64_t job;

        for (size_t i = 0; i < n_jobs; i++) {
                fill_key(keys[i], first + i);
                jobs[i] = (struct rec_new_job){ .key = keys[i], .n_key = strlen(keys[i]), .spec = &noop };
        }
        request.u.submit.jobs = jobs;
        request.u.submit.n_jobs = n_jobs;
        request.u.submit.watch = request.u.submit.has_watch = ret_watched != NULL;
        answer = client_call(client, &request, WAIT_MS, &err);
        if (!answer)
                die(&err);
        if (answer->kind != MSG_submitted) {
                fprintf(stderr, "drive_submit: answered by %s\n", msg_op(answer->kind));
                exit(70);
        }
        job = answer->u.submitted.jobs[0].job;
        if (ret_watched)
                *ret_watched = answer->u.submitted.watched;
        msg_free(answer);
        free(keys);
        free(jobs);
        return job;
}

static void await_end(struct client *client, uint64_t job, bool watched)
{
        struct msg request = { .kind = MSG_watch, .u.watch = { .job = job, .has_job = true } };
        struct err err = { 0 };
        bool resumed = false;
        bool done = false;
        struct msg *event = watched ? client_next(client, WAIT_MS, &resumed, &err)
                                    : client_call(client, &request, WAIT_MS, &err);

        for (;;) {
                if (!event)
                        die(&err);
                done = event->kind == MSG_event && event->u.event.done;
                msg_free(event);
                if (done)
                        return;
                event = client_next(client, WAIT_MS, &resumed, &err);
        }
}

static int by_value(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a;
        int64_t y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

static void one_by_one(struct client *client, int64_t *took_us, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                int64_t start_us = clock_mono_us();
                bool watched;
                uint64_t job = submit(client, i, 1, NULL, &watched);

                await_end(client, job, watched);
                took_us[i] = clock_mono_us() - start_us;
        }
}

static void print_percentiles(int64_t *took_us, size_t n)
{
        qsort(took_us, n, sizeof(*took_us), by_value);
        printf("%" PRId64 " %" PRId64 "\n", took_us[n / 2], took_us[n * 99 / 100]);
}

static void measure_latency(struct client *client, size_t n)
{
        int64_t *took_us = xcalloc(n, sizeof(*took_us));

        one_by_one(client, took_us, n);
        print_percentiles(took_us, n);
        free(took_us);
}

static void measure_single(struct client *client, size_t n, size_t per_message)
{
        int64_t start_us = clock_mono_us();

        for (size_t done = 0; done < n; done += per_message)
                submit(client, done, n - done < per_message ? n - done : per_message, NULL, NULL);
        printf("%" PRId64 "\n", clock_mono_us() - start_us);
}

/* What a client of its own process does. took_us: its n places, or NULL where the end is not waited for. */
static void be_client(const struct profile *profile, int64_t *took_us, size_t n)
{
        struct err err = { 0 };
        struct client *client = client_open(profile, 10000, &err);

        if (!client)
                die(&err);
        if (took_us)
                one_by_one(client, took_us, n);
        for (size_t i = 0; i < n && !took_us; i++)
                submit(client, i, 1, NULL, NULL);
        client_free(client);
}

/* Returns how long it took, microseconds. */
static int64_t run_clients(const struct profile *profile, int64_t *took_us, size_t n, size_t n_clients)
{
        int64_t start_us = clock_mono_us();
        size_t each = n / n_clients;
        int status;

        for (size_t c = 0; c < n_clients; c++) {
                if (fork() == 0) {
                        be_client(profile, took_us ? took_us + c * each : NULL, each);
                        _exit(0);
                }
        }
        while (wait(&status) > 0) {
                if (status != 0)
                        exit(70);
        }
        return clock_mono_us() - start_us;
}

static void measure_busy(const struct profile *profile, size_t n, size_t n_clients)
{
        size_t done = n / n_clients * n_clients;
        size_t bytes = done * sizeof(int64_t);
        int64_t *took_us = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        int64_t us;

        if (done == 0 || took_us == MAP_FAILED) {
                fprintf(stderr, "drive_submit: fewer jobs than clients\n");
                exit(64);
        }
        us = run_clients(profile, took_us, n, n_clients);
        printf("%.0f ", (double)done * 1e6 / (double)us);
        print_percentiles(took_us, done);
        munmap(took_us, bytes);
}

static void measure_array(struct client *client, size_t n)
{
        struct rec_array_part part = { .lo = 1, .has_lo = true, .hi = n, .has_hi = true };
        int64_t start_us = clock_mono_us();
        uint64_t job = submit(client, 0, 1, &part, NULL);

        printf("%" PRId64 " %" PRIu64 "\n", clock_mono_us() - start_us, job);
}

int main(int argc, char **argv)
{
        const char *path = getenv("JOBMILL_PROFILE");
        struct err err = { 0 };
        size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
        size_t per_message = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
        struct profile *profile;
        struct client *client;

        if (!path || n == 0 || per_message == 0) {
                fprintf(stderr, "usage: JOBMILL_PROFILE=FILE drive_submit latency N | single N PER_MESSAGE | "
                                "clients N CLIENTS | busy N CLIENTS | array N\n");
                return 64;
        }
        profile = profile_load(path, &err);
        if (profile && (strcmp(argv[1], "clients") == 0 || strcmp(argv[1], "busy") == 0)) {
                if (strcmp(argv[1], "busy") == 0)
                        measure_busy(profile, n, per_message);
                else
                        printf("%" PRId64 "\n", run_clients(profile, NULL, n, per_message));
                profile_free(profile);
                return 0;
        }
        client = profile ? client_open(profile, 10000, &err) : NULL;
        if (!client)
                die(&err);
        if (strcmp(argv[1], "latency") == 0)
                measure_latency(client, n);
        else if (strcmp(argv[1], "array") == 0)
                measure_array(client, n);
        else
                measure_single(client, n, per_message);
        client_free(client);
        profile_free(profile);
        return 0;
}
