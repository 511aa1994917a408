/* Invariants: 1. a task whose output is complete and of its first attempt is in its job's `done`; one of a later attempt
 * stays a record, which is rare; 2. a record knows what was printed, so nothing is printed twice, whatever is asked for
 * again; 3. a request is in hand until its last `end`: the connection sends it again by itself. */
#include "cli/follow_output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/xalloc.h"
#include "cli/index_set.h"
#include "cli/listing.h"

#define INDEX_MAX 2147483647
#define SEQ_MAX UINT64_C(4294967295)
#define ASK_TASKS 1024 /* tasks of one request */

struct task_key {
        uint64_t job, index;
};
struct followed {
        struct logs_task task;
        struct task_key key;
        UT_hash_handle hh;
};
struct followed_job {
        uint64_t job; /* the key */
        struct index_set done;
        UT_hash_handle hh;
};

struct follow_output {
        struct cli cli;
        struct logs logs;
        const struct follow_parts *parts;
        struct followed *tasks;
        struct followed_job *jobs;
        struct rec_log_place places[ASK_TASKS]; /* the next request */
        size_t n_places;
        struct task_key open; /* with labels: the task whose line has not ended */
        bool has_open;
        bool attempt_seen; /* some task has had the attempt that is asked for */
        struct logs_task lacks; /* one that has not; job 0: none */
};

/* ------------------------------------------------------------------ tasks */
static struct followed *find(const struct follow_output *output, struct task_key key)
{
        struct followed *followed;

        HASH_FIND(hh, output->tasks, &key, sizeof(key), followed);
        return followed;
}

static struct followed *get(struct follow_output *output, struct task_key key)
{
        struct followed *followed = find(output, key);

        if (followed)
                return followed;
        followed = xcalloc(1, sizeof(*followed));
        followed->key = key;
        followed->task = (struct logs_task){ .job = key.job, .index = key.index };
        HASH_ADD(hh, output->tasks, key, sizeof(followed->key), followed);
        return followed;
}

static void forget(struct follow_output *output, struct followed *followed)
{
        HASH_DELETE(hh, output->tasks, followed);
        free(followed);
}

static struct followed_job *find_job(const struct follow_output *output, uint64_t id)
{
        struct followed_job *job;

        HASH_FIND(hh, output->jobs, &id, sizeof(id), job);
        return job;
}

static bool is_done(const struct follow_output *output, struct task_key key)
{
        const struct followed_job *job = find_job(output, key.job);

        return job && index_set_has(&job->done, key.index);
}

static void set_done(struct follow_output *output, struct followed *followed)
{
        struct task_key key = followed->key;
        struct followed_job *job = find_job(output, key.job);

        if (!job) {
                job = xcalloc(1, sizeof(*job));
                job->job = key.job;
                HASH_ADD(hh, output->jobs, job, sizeof(job->job), job);
        }
        index_set_add(&job->done, key.index);
        if (!followed->task.in_line)
                forget(output, followed);
}

/* With labels a line that has not ended is ended where another task's begins: labels say whose the rest is. */
static void close_line(struct follow_output *output, const struct task_key *next)
{
        struct followed *other;

        if (!output->has_open || (next && memcmp(&output->open, next, sizeof(*next)) == 0))
                return;
        (void)!fputc('\n', stdout);
        other = find(output, output->open);
        if (other)
                other->task.in_line = false;
        output->has_open = false;
}

static void note_line(struct follow_output *output, const struct followed *followed)
{
        output->has_open = output->logs.label && followed->task.in_line;
        output->open = followed->key;
}

static void note_attempts(struct follow_output *output, const struct logs_task *task)
{
        if (output->logs.attempt && task->attempts >= output->logs.attempt)
                output->attempt_seen = true;
        else if (output->lacks.job == 0 || task->attempts > output->lacks.attempts)
                output->lacks = *task;
}

static int on_chunk(struct follow_output *output, const struct msg *msg, struct err *err)
{
        struct followed *followed = get(output, (struct task_key){ msg->u.chunk.job, msg->u.chunk.index });

        close_line(output, &followed->key);
        if (logs_print(&output->logs, &followed->task, msg, err) < 0)
                return -1;
        note_line(output, followed);
        return 0;
}

/* A place to go on from, for the next request. */
static void add_place(struct follow_output *output, struct task_key key)
{
        const struct followed *followed = find(output, key);
        struct rec_log_place *place = &output->places[output->n_places++];

        *place = (struct rec_log_place){
                .job = key.job, .has_job = true, .index = key.index, .has_index = true
        };
        if (followed && followed->task.attempt) {
                place->attempt = followed->task.attempt;
                place->from = followed->task.next;
                place->has_attempt = place->has_from = true;
        } else if (is_done(output, key)) { /* only a newer attempt has something to say */
                place->attempt = 1;
                place->from = SEQ_MAX;
                place->has_attempt = place->has_from = true;
        }
}

/* What one request leaves open stays in places: those of which there is more. */
static void on_end(struct follow_output *output, const struct msg_end *end)
{
        struct task_key key = { end->job, end->index };
        struct followed *followed;

        if (is_done(output, key) && !find(output, key) && (!end->has_attempt || end->attempt == 1))
                return;
        followed = get(output, key);
        followed->task.attempts = end->attempts;
        note_attempts(output, &followed->task);
        if (end->has_attempt && end->attempt != followed->task.attempt) {
                followed->task.attempt = end->attempt;
                followed->task.next = 0;
        }
        if (end->has_next && end->next > followed->task.next)
                followed->task.next = end->next;
        if (end->more)
                add_place(output, key);
        else if (end->final && (followed->task.attempt <= 1 || output->logs.attempt))
                set_done(output, followed);
        else if (!end->has_attempt)
                forget(output, followed); /* it has not begun */
}

/* ------------------------------------------------------------------ asking */
static int ask_once(struct follow_output *output, struct err *err)
{
        struct rec_log_place places[ASK_TASKS];
        size_t n = output->n_places, named = 0;
        struct msg request = { .kind = MSG_tail };
        struct msg_tail *tail = &request.u.tail;

        memcpy(places, output->places, n * sizeof(*places));
        tail->tasks = places;
        tail->n_tasks = n;
        tail->attempt = output->logs.attempt;
        tail->has_attempt = output->logs.attempt != 0;
        tail->has_stream = output->logs.streams != LOGS_BOTH;
        if (tail->has_stream)
                tail->stream = output->logs.streams == LOGS_STDERR ? STREAM_STDERR : STREAM_STDOUT;
        output->n_places = 0;
        if (cli_connect(&output->cli, err) < 0 || client_send(output->cli.client, &request, err) < 0)
                return -1;
        for (;;) {
                bool again = false;
                CLEANUP_WITH(msg_free) struct msg *msg = client_next(output->cli.client, -1, &again, err);

                if (!msg)
                        return -1;
                if (again)
                        output->n_places = named =
                                0; /* everything of it comes once more; what was printed is known */
                if (msg->kind == MSG_chunk) {
                        if (on_chunk(output, msg, err) < 0)
                                return -1;
                } else if (msg->kind != MSG_end) {
                        return err_set(err, ERR_INTERNAL, "the coordinator answered tail with %s",
                                       msg_op(msg->kind));
                } else if (msg->u.end.has_index) {
                        named++;
                        on_end(output, &msg->u.end);
                } else {
                        for (; msg->u.end.more && named < n; named++)
                                output->places[output->n_places++] = places[named];
                        return 0;
                }
        }
}

static int ask_all(struct follow_output *output, struct err *err)
{
        while (output->n_places)
                if (ask_once(output, err) < 0)
                        return err_wrap(err, "recorded output");
        fflush(stdout);
        return 0;
}

/* The last lines of a task that is met for the first time; then it is followed from there. */
static int begin_with_tail(struct follow_output *output, struct task_key key, struct err *err)
{
        struct followed *followed = get(output, key);

        close_line(output, &key);
        if (logs_pull(&output->logs, &followed->task, err) < 0)
                return -1;
        note_line(output, followed);
        note_attempts(output, &followed->task);
        if (followed->task.final && followed->task.attempt <= 1)
                set_done(output, followed);
        return 0;
}

static int add_task(struct follow_output *output, struct task_key key, struct err *err)
{
        if (output->logs.tail && !is_done(output, key) && !find(output, key))
                return begin_with_tail(output, key, err);
        add_place(output, key);
        return output->n_places < ASK_TASKS ? 0 : ask_all(output, err);
}

int follow_output_some(struct follow_output *output, uint64_t job, const struct range *ranges, size_t n,
                       struct err *err)
{
        for (size_t i = 0; i < n; i++)
                for (uint64_t index = ranges[i].lo; index <= ranges[i].hi; index++)
                        if (add_task(output, (struct task_key){ job, index }, err) < 0)
                                return -1;
        return ask_all(output, err);
}

/* Asks for the tasks that a listing names. */
static int add_listed(struct follow_output *output, struct listing *listing, uint64_t *ret_n, struct err *err)
{
        int more;

        *ret_n = 0;
        while ((more = listing_next(listing, err)) > 0) {
                struct task_key key;

                ++*ret_n;
                if (listing_u64(listing, "job_id", &key.job, err) < 0 ||
                    listing_u64(listing, "task_index", &key.index, err) < 0 ||
                    (!is_done(output, key) && add_task(output, key, err) < 0))
                        return -1;
        }
        return more < 0 ? -1 : ask_all(output, err);
}

/* Neighbours are one listing. */
static int add_run(struct follow_output *output, const struct follow_part *part, size_t n, struct err *err)
{
        static const char *const started[] = { "running", "succeeded", "failed",    "timeout",
                                               "oom",     "lost",      "cancelled", "aborted" };
        CLEANUP_LISTING struct listing listing = listing_of(&output->cli, LIST_KIND_TASKS);
        const struct followed_job *job = find_job(output, part->job);
        struct range rest = { .lo = 0, .hi = INDEX_MAX };
        struct msg_list *list = &listing.request.u.list;
        uint64_t n_tasks;

        if (n == 1 && job && job->done.list[0].lo <= 1)
                rest.lo = job->done.list[0].hi + 1;
        list->job = part->job;
        list->job_to = part->job + n - 1;
        list->has_job = list->has_job_to = true;
        list->statuses = (const char **)started;
        list->n_statuses = ARRAY_LEN(started);
        list->ranges = part->ranges ? part->ranges : &rest;
        list->n_ranges = part->ranges ? part->n_ranges : 1;
        return add_listed(output, &listing, &n_tasks, err);
}

int follow_output_all(struct follow_output *output, size_t first, size_t end, struct err *err)
{
        const struct follow_parts *parts = output->parts;

        for (size_t i = first, n; i < end; i += n) {
                n = 1;
                if (parts->list[i].over)
                        continue;
                n = follow_parts_run(parts, i, end);
                for (size_t k = 1; k < n; k++)
                        if (parts->list[i + k].over)
                                n = k;
                if (add_run(output, &parts->list[i], n, err) < 0)
                        return -1;
        }
        return 0;
}

int follow_output_whole(struct follow_output *output, const struct follow_part *part, struct err *err)
{
        CLEANUP_LISTING struct listing listing = listing_of(&output->cli, LIST_KIND_TASKS);
        struct msg_list *list = &listing.request.u.list;
        uint64_t n_tasks;

        list->job = part->job;
        list->has_job = true;
        list->ranges = part->ranges;
        list->n_ranges = part->n_ranges;
        if (add_listed(output, &listing, &n_tasks, err) < 0)
                return -1;
        return n_tasks ? 0 : err_set(err, ERR_NOT_FOUND, "no such task in job %" PRIu64, part->job);
}

void follow_output_forget(struct follow_output *output, uint64_t id)
{
        struct followed_job *job = find_job(output, id);

        if (!job)
                return;
        HASH_DELETE(hh, output->jobs, job);
        index_set_done(&job->done);
        free(job);
}

/* ------------------------------------------------------------------ life */
struct follow_output *follow_output_new(const struct cli *cli, const struct logs *logs,
                                        const struct follow_parts *parts, struct err *err)
{
        struct follow_output *output = xcalloc(1, sizeof(*output));

        output->cli = *cli;
        output->cli.profile = NULL;
        output->cli.client = NULL;
        output->cli.notes = NULL;
        output->parts = parts;
        output->logs = *logs;
        output->logs.cli = &output->cli;
        if (cli_connect(&output->cli, err) < 0) {
                follow_output_free(output);
                return NULL;
        }
        if (parts)
                client_set_patience(output->cli.client, -1);
        return output;
}

void follow_output_free(struct follow_output *output)
{
        if (!output)
                return;
        while (output->tasks)
                forget(output, output->tasks);
        while (output->jobs)
                follow_output_forget(output, output->jobs->job);
        cli_done(&output->cli);
        free(output);
}

int follow_output_end(struct follow_output *output, struct err *err)
{
        const struct logs_task *lacks = &output->lacks;

        close_line(output, NULL);
        fflush(stdout);
        if (!output->logs.attempt || output->attempt_seen)
                return 0;
        if (lacks->attempts == 0)
                return err_set(err, ERR_NOT_FOUND, "there is no attempt %" PRIu64 ": none has begun",
                               output->logs.attempt);
        if (lacks->attempts == 1)
                return err_set(err, ERR_NOT_FOUND,
                               "there is no attempt %" PRIu64 ": task %" PRIu64 ".%" PRIu64
                               " has had attempt 1 alone",
                               output->logs.attempt, lacks->job, lacks->index);
        return err_set(err, ERR_NOT_FOUND,
                       "there is no attempt %" PRIu64 ": task %" PRIu64 ".%" PRIu64
                       " has had attempts 1 to %" PRIu64,
                       output->logs.attempt, lacks->job, lacks->index, lacks->attempts);
}
