/* Invariants: 1. a task whose output is complete and of its first attempt is in `done`, a set of ranges; one of a later
 * attempt stays a record, which is rare; 2. a record knows what was printed, so nothing is printed twice, whatever is
 * asked for again; 3. a request is in hand until its last `end`: the connection sends it again by itself. */
#include "cli/follow_output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/xalloc.h"
#include "cli/listing.h"

#define INDEX_MAX 2147483647
#define SEQ_MAX UINT64_C(4294967295)
#define ASK_TASKS 128 /* tasks of one request */

struct followed {
        struct logs_task task;
        uint64_t index; /* the key */
        UT_hash_handle hh;
};

struct follow_output {
        struct cli cli;
        struct logs logs;
        struct target target;
        struct followed *tasks;
        struct range *done; /* ascending, apart */
        size_t n_done, cap_done;
        struct rec_log_place places[ASK_TASKS]; /* the next request */
        size_t n_places;
        uint64_t open; /* with labels: the task whose line has not ended */
        bool has_open;
};

/* ------------------------------------------------------------------ what is complete */
/* The first range that ends at `index` or above. */
static size_t done_place(const struct follow_output *output, uint64_t index)
{
        size_t lo = 0, hi = output->n_done;

        while (lo < hi) {
                size_t mid = (lo + hi) / 2;

                if (output->done[mid].hi < index)
                        lo = mid + 1;
                else
                        hi = mid;
        }
        return lo;
}

static bool is_done(const struct follow_output *output, uint64_t index)
{
        size_t at = done_place(output, index);

        return at < output->n_done && output->done[at].lo <= index;
}

static void add_done(struct follow_output *output, uint64_t index)
{
        size_t at = done_place(output, index);
        struct range *list = output->done;
        bool joins_next = at < output->n_done && list[at].lo == index + 1;
        bool joins_last = at > 0 && list[at - 1].hi + 1 == index;

        if (at < output->n_done && list[at].lo <= index)
                return;
        if (joins_last && joins_next) {
                list[at - 1].hi = list[at].hi;
                output->n_done--;
                memmove(list + at, list + at + 1, (output->n_done - at) * sizeof(*list));
        } else if (joins_last) {
                list[at - 1].hi = index;
        } else if (joins_next) {
                list[at].lo = index;
        } else {
                GROW(output->done, output->cap_done, output->n_done + 1);
                list = output->done;
                memmove(list + at + 1, list + at, (output->n_done - at) * sizeof(*list));
                list[at] = (struct range){ index, index };
                output->n_done++;
        }
}

/* ------------------------------------------------------------------ tasks */
static struct followed *find(const struct follow_output *output, uint64_t index)
{
        struct followed *followed;

        HASH_FIND(hh, output->tasks, &index, sizeof(index), followed);
        return followed;
}

static struct followed *get(struct follow_output *output, uint64_t index)
{
        struct followed *followed = find(output, index);

        if (followed)
                return followed;
        followed = xcalloc(1, sizeof(*followed));
        followed->index = index;
        followed->task = (struct logs_task){ .job = output->target.job, .index = index };
        HASH_ADD(hh, output->tasks, index, sizeof(followed->index), followed);
        return followed;
}

static void forget(struct follow_output *output, struct followed *followed)
{
        HASH_DELETE(hh, output->tasks, followed);
        free(followed);
}

static void forget_all(struct follow_output *output)
{
        while (output->tasks)
                forget(output, output->tasks);
        output->n_done = output->n_places = 0;
        output->has_open = false;
}

/* With labels a line that has not ended is ended where another task's begins: labels say whose the rest is. */
static void close_line(struct follow_output *output, uint64_t index)
{
        struct followed *other =
                output->has_open && output->open != index ? find(output, output->open) : NULL;

        if (output->logs.label && output->has_open && output->open != index) {
                (void)!fputc('\n', stdout);
                if (other)
                        other->task.in_line = false;
                output->has_open = false;
        }
}

static int on_chunk(struct follow_output *output, const struct msg *msg, struct err *err)
{
        struct followed *followed = get(output, msg->u.chunk.index);

        close_line(output, followed->index);
        if (logs_print(&output->logs, &followed->task, msg, err) < 0)
                return -1;
        output->has_open = followed->task.in_line;
        output->open = followed->index;
        return 0;
}

/* A place to go on from, for the next request. */
static void add_place(struct follow_output *output, uint64_t index)
{
        const struct followed *followed = find(output, index);
        struct rec_log_place *place = &output->places[output->n_places++];

        *place = (struct rec_log_place){ .index = index, .has_index = true };
        if (followed && followed->task.attempt) {
                place->attempt = followed->task.attempt;
                place->from = followed->task.next;
                place->has_attempt = place->has_from = true;
        } else if (is_done(output, index)) { /* only a newer attempt has something to say */
                place->attempt = 1;
                place->from = SEQ_MAX;
                place->has_attempt = place->has_from = true;
        }
}

/* What one request leaves open stays in places: those of which there is more. */
static void on_end(struct follow_output *output, const struct msg_end *end)
{
        struct followed *followed;

        if (is_done(output, end->index) && !find(output, end->index) &&
            (!end->has_attempt || end->attempt == 1))
                return;
        followed = get(output, end->index);
        if (end->has_attempt && end->attempt != followed->task.attempt) {
                followed->task.attempt = end->attempt;
                followed->task.next = 0;
        }
        if (end->has_next && end->next > followed->task.next)
                followed->task.next = end->next;
        if (end->more) {
                add_place(output, end->index);
        } else if (end->final && (followed->task.attempt <= 1 || output->logs.attempt)) {
                add_done(output, end->index);
                if (!followed->task.in_line)
                        forget(output, followed);
        } else if (!end->has_attempt) {
                forget(output, followed); /* it has not begun */
        }
}

/* ------------------------------------------------------------------ asking */
static int ask_once(struct follow_output *output, struct err *err)
{
        struct rec_log_place places[ASK_TASKS];
        struct msg request = { .kind = MSG_tail };
        struct msg_tail *tail = &request.u.tail;

        memcpy(places, output->places, output->n_places * sizeof(*places));
        tail->job = output->target.job;
        tail->has_job = true;
        tail->tasks = places;
        tail->n_tasks = output->n_places;
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
                        output->n_places =
                                0; /* everything of it comes once more; what was printed is known */
                if (msg->kind == MSG_chunk) {
                        if (on_chunk(output, msg, err) < 0)
                                return -1;
                } else if (msg->kind != MSG_end) {
                        return err_set(err, ERR_INTERNAL, "the coordinator answered tail with %s",
                                       msg_op(msg->kind));
                } else if (!msg->u.end.has_index) {
                        return 0;
                } else {
                        on_end(output, &msg->u.end);
                }
        }
}

static int ask_all(struct follow_output *output, struct err *err)
{
        while (output->n_places)
                if (ask_once(output, err) < 0)
                        return err_wrap(err, "output of job %" PRIu64, output->target.job);
        fflush(stdout);
        return 0;
}

/* The last lines of a task that is met for the first time; then it is followed from there. */
static int begin_with_tail(struct follow_output *output, uint64_t index, struct err *err)
{
        struct followed *followed = get(output, index);

        close_line(output, index);
        if (logs_pull(&output->logs, &followed->task, err) < 0)
                return -1;
        output->has_open = followed->task.in_line;
        output->open = index;
        if (followed->task.final && followed->task.attempt <= 1) {
                add_done(output, index);
                if (!followed->task.in_line)
                        forget(output, followed);
        }
        return 0;
}

static int add_task(struct follow_output *output, uint64_t index, struct err *err)
{
        if (output->logs.tail && !is_done(output, index) && !find(output, index))
                return begin_with_tail(output, index, err);
        add_place(output, index);
        return output->n_places < ASK_TASKS ? 0 : ask_all(output, err);
}

int follow_output_some(struct follow_output *output, const struct range *ranges, size_t n, struct err *err)
{
        for (size_t i = 0; i < n; i++)
                for (uint64_t index = ranges[i].lo; index <= ranges[i].hi; index++)
                        if (add_task(output, index, err) < 0)
                                return -1;
        return ask_all(output, err);
}

int follow_output_all(struct follow_output *output, struct err *err)
{
        static const char *const started[] = { "running", "succeeded", "failed",    "timeout",
                                               "oom",     "lost",      "cancelled", "aborted" };
        CLEANUP_LISTING struct listing listing = listing_of(&output->cli, LIST_KIND_TASKS);
        const struct target *target = &output->target;
        struct range rest = { .lo = 0, .hi = INDEX_MAX };
        struct msg_list *list = &listing.request.u.list;
        int more;

        if (output->n_done && output->done[0].lo <= 1)
                rest.lo = output->done[0].hi + 1;
        list->job = target->job;
        list->has_job = true;
        list->statuses = (const char **)started;
        list->n_statuses = ARRAY_LEN(started);
        list->ranges = target->ranges ? (struct range *)target->ranges : &rest;
        list->n_ranges = target->ranges ? target->n_ranges : 1;
        while ((more = listing_next(&listing, err)) > 0) {
                uint64_t index;

                if (listing_u64(&listing, "task_index", &index, err) < 0 ||
                    (!is_done(output, index) && add_task(output, index, err) < 0))
                        return -1;
        }
        return more < 0 ? -1 : ask_all(output, err);
}

/* ------------------------------------------------------------------ life */
struct follow_output *follow_output_new(const struct cli *cli, const struct logs *logs, struct err *err)
{
        struct follow_output *output = xcalloc(1, sizeof(*output));

        output->cli = *cli;
        output->cli.profile = NULL;
        output->cli.client = NULL;
        output->logs = *logs;
        output->logs.cli = &output->cli;
        if (cli_connect(&output->cli, err) < 0) {
                follow_output_free(output);
                return NULL;
        }
        client_set_patience(output->cli.client, -1);
        return output;
}

void follow_output_free(struct follow_output *output)
{
        if (!output)
                return;
        forget_all(output);
        cli_done(&output->cli);
        xfree(output->done);
        free(output);
}

void follow_output_begin(struct follow_output *output, const struct target *target)
{
        forget_all(output);
        output->target = *target;
}
