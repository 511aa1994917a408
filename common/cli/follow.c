/* Waiting: one subscription for the whole selection, whatever its size (beyond FOLLOW_JOBS_MAX jobs one after the other: all
 * of them must end, so the order does not matter). Output comes over a second connection: follow_output.c.
 *
 * Invariant: the subscription is over when each of its jobs has been named; that holds over any number of reconnects, since
 * a job that has been named stays over. */
#include "cli/follow.h"

#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/xalloc.h"
#include "cli/follow_output.h"
#include "cli/listing.h"
#include "cli/progress.h"

#define ASK_AGAIN_MS 500 /* rare, and short for a person */

struct waiting {
        const struct follow *follow;
        struct follow_parts parts;
        size_t first, end; /* parts of the subscription in hand */
        size_t n_over; /* of all */
        struct rec_job_counts past, live; /* tasks of jobs that were over when it began, and of the others */
        struct rec_job_counts before; /* tasks of the subscriptions before */
        bool begun; /* its first event has come: what was there before has been printed */
        int64_t deadline_us; /* 0: none */
        struct follow_output *output; /* NULL: none is wanted */
        struct progress progress;
};

/* --- events ---------------------------------------------------------------------------------------------------- */
static int time_left(const struct waiting *waiting)
{
        int64_t left_ms;

        if (!waiting->deadline_us)
                return -1;
        left_ms = (waiting->deadline_us - clock_mono_us()) / US_PER_MS;
        return left_ms <= 0 ? 0 : (int)MIN(left_ms, INT_MAX);
}

static int time_is_up(const struct waiting *waiting, struct err *err)
{
        CLEANUP_BUF struct buf time = { 0 };
        size_t n = waiting->parts.n - waiting->n_over, open = 0;

        if (waiting->follow->timeout_ms > 0) {
                buf_add_str(&time, " within ");
                duration_print(waiting->follow->timeout_ms, &time);
        }
        while (open + 1 < waiting->parts.n && waiting->parts.list[open].over)
                open++;
        if (n <= 1)
                return err_set(err, ERR_RETRY_LATER, "job %" PRIu64 " has not ended%s; it goes on",
                               waiting->parts.list[open].job, time.n ? time.bytes : "");
        return err_set(err, ERR_RETRY_LATER,
                       "%zu of %zu jobs have not ended%s, the first of them %" PRIu64 "; they go on", n,
                       waiting->parts.n, time.n ? time.bytes : "", waiting->parts.list[open].job);
}

/* The next event of the subscription in hand. After a reconnect the client asks again by itself: *ret_again. */
static struct msg *next_event(struct waiting *waiting, bool *ret_again, struct err *err)
{
        int left = time_left(waiting);
        struct msg *msg = left == 0 ? NULL : client_next(waiting->follow->cli->client, left, ret_again, err);

        if (!msg && !interrupted() && time_left(waiting) == 0)
                (void)time_is_up(waiting, err);
        if (msg && msg->kind != MSG_event) {
                err_set(err, ERR_INTERNAL, "the coordinator answered watch with %s", msg_op(msg->kind));
                msg_free(msg);
                return NULL;
        }
        return msg;
}

static void begin_again(struct waiting *waiting)
{
        waiting->begun = false;
        waiting->live = (struct rec_job_counts){ 0 };
}

static int subscribe(struct waiting *waiting, struct err *err)
{
        const struct follow_parts *parts = &waiting->parts;
        size_t n = 0;
        CLEANUP_WITH(xfree)
        struct rec_watch_part *list = xcalloc(waiting->end - waiting->first, sizeof(*list));
        struct msg request = { .kind = MSG_watch };
        struct msg_watch *watch = &request.u.watch;

        for (size_t i = waiting->first, run; i < waiting->end; i += run) {
                run = follow_parts_run(parts, i, waiting->end);
                list[n++] = (struct rec_watch_part){ .job = parts->list[i].job,
                                                     .has_job = true,
                                                     .job_to = parts->list[i].job + run - 1,
                                                     .has_job_to = run > 1,
                                                     .ranges = parts->list[i].ranges,
                                                     .n_ranges = parts->list[i].n_ranges };
        }
        watch->parts = list;
        watch->n_parts = n;
        watch->progress = watch->has_progress = waiting->follow->progress;
        watch->output = watch->has_output = waiting->follow->logs != NULL;
        begin_again(waiting);
        return client_send(waiting->follow->cli->client, &request, err);
}

/* A coordinator that is overloaded or has lost its database says: later. A wait then waits. */
static bool may_ask_again(const struct waiting *waiting, const struct err *err)
{
        int left = time_left(waiting);

        if (err->code != ERR_RETRY_LATER || interrupted() || left == 0)
                return false;
        (void)poll(NULL, 0, left > 0 ? MIN(left, ASK_AGAIN_MS) : ASK_AGAIN_MS);
        return !interrupted();
}

static void set_over(struct waiting *waiting, const struct range *ranges, size_t n, bool succeeded)
{
        struct follow_parts *parts = &waiting->parts;

        for (size_t i = 0; i < n; i++)
                for (size_t at = follow_parts_at(parts, ranges[i].lo);
                     at < parts->n && parts->list[at].job <= ranges[i].hi; at++) {
                        waiting->n_over += !parts->list[at].over;
                        parts->list[at].over = true;
                        parts->list[at].succeeded = succeeded;
                        if (waiting->output)
                                follow_output_forget(waiting->output, parts->list[at].job);
                }
}

static int print_over(struct waiting *waiting, const struct range *ranges, size_t n, struct err *err)
{
        const struct follow_parts *parts = &waiting->parts;

        for (size_t i = 0; i < n; i++) {
                size_t from = follow_parts_at(parts, ranges[i].lo);
                size_t to = follow_parts_at(parts, ranges[i].hi + 1);

                if (follow_output_all(waiting->output, from, to, err) < 0)
                        return -1;
        }
        return 0;
}

/* What was recorded before the subscription began is named by nobody: it is looked for, with the first event. So is the
 * output of jobs that were over. */
static int print_output(struct waiting *waiting, const struct msg_event *event, struct err *err)
{
        if (event->past)
                return print_over(waiting, event->succeeded, event->n_succeeded, err) < 0
                               ? -1
                               : print_over(waiting, event->ended, event->n_ended, err);
        if (!waiting->begun)
                return follow_output_all(waiting->output, waiting->first, waiting->end, err);
        for (size_t i = 0; i < event->n_job_outputs; i++)
                if (follow_output_some(waiting->output, event->job_outputs[i].job,
                                       event->job_outputs[i].ranges, event->job_outputs[i].n_ranges, err) < 0)
                        return -1;
        return 0;
}

static void add_counts(struct rec_job_counts *sum, const struct rec_job_counts *more)
{
        sum->tasks += more->tasks;
        sum->held += more->held;
        sum->waiting += more->waiting;
        sum->queued += more->queued;
        sum->running += more->running;
        sum->succeeded += more->succeeded;
        sum->failed += more->failed;
        sum->cancelled += more->cancelled;
        sum->aborted += more->aborted;
}

static struct rec_job_counts counts_now(const struct waiting *waiting)
{
        struct rec_job_counts counts = waiting->before;

        add_counts(&counts, &waiting->past);
        add_counts(&counts, &waiting->live);
        return counts;
}

static int on_event(struct waiting *waiting, const struct msg_event *event, struct err *err)
{
        struct rec_job_counts counts;

        if (waiting->output && print_output(waiting, event, err) < 0)
                return -1;
        if (event->counts && event->past)
                waiting->past = *event->counts;
        else if (event->counts)
                waiting->live = *event->counts;
        if (!event->past)
                waiting->begun = true;
        set_over(waiting, event->succeeded, event->n_succeeded, true);
        set_over(waiting, event->ended, event->n_ended, false);
        counts = counts_now(waiting);
        if (waiting->follow->progress)
                progress_show(&waiting->progress, &counts, waiting->n_over);
        return 0;
}

/* The subscription that its submission has begun. 1: the job is over; 0: something broke it off, subscribe. */
static int wait_watched(struct waiting *waiting, struct err *err)
{
        const uint64_t job = waiting->parts.list[0].job;

        for (;;) {
                int left = time_left(waiting);
                CLEANUP_WITH(msg_free)
                struct msg *msg =
                        left == 0 ? NULL : client_next(waiting->follow->cli->client, left, NULL, err);

                if (!msg && !interrupted() && time_left(waiting) == 0)
                        return time_is_up(waiting, err);
                if (!msg)
                        return interrupted() ? -1 : 0;
                if (msg->kind != MSG_event)
                        return 0;
                if (!msg->u.event.done)
                        continue;
                set_over(waiting, &(struct range){ job, job }, 1,
                         msg->u.event.status == TASK_STATUS_SUCCEEDED);
                return 1;
        }
}

/* Until each of the parts first … end is over. */
static int wait_some(struct waiting *waiting, struct err *err)
{
        size_t open = 0;
        int over = waiting->follow->watched ? wait_watched(waiting, err) : 0;

        if (over != 0)
                return MIN(over, 0);
        waiting->past = (struct rec_job_counts){ 0 };
        if (subscribe(waiting, err) < 0)
                return -1;
        while (waiting->n_over < waiting->end) {
                bool again = false;
                CLEANUP_WITH(msg_free) struct msg *msg = next_event(waiting, &again, err);

                if (!msg && may_ask_again(waiting, err)) {
                        if (subscribe(waiting, err) < 0)
                                return -1;
                        continue;
                }
                if (!msg)
                        return -1;
                if (again) /* `past` stays: jobs that were over still are, and may be the only ones that count */
                        begin_again(waiting);
                if (on_event(waiting, &msg->u.event, err) < 0)
                        return -1;
                if (msg->u.event.has_open)
                        open = msg->u.event.open;
                if (waiting->follow->timeout_ms == 0 && waiting->begun &&
                    waiting->n_over + open >= waiting->end && open > 0) /* nobody else is about to be named */
                        return time_is_up(waiting, err);
        }
        waiting->before = counts_now(waiting);
        return 0;
}

/* --- how it ended ---------------------------------------------------------------------------------------------- */
/* Asks for the ends of n jobs next to each other: for --exit-code, and where only some tasks of a job were meant. */
static int ask_exit(struct waiting *waiting, const struct follow_part *part, size_t n, int *ret_code,
                    struct err *err)
{
        CLEANUP_LISTING struct listing listing = listing_of(waiting->follow->cli, LIST_KIND_EXIT);
        struct msg_list *list = &listing.request.u.list;
        uint64_t code, succeeded, tasks;
        int more;

        list->job = part->job;
        list->job_to = part->job + n - 1;
        list->has_job = list->has_job_to = true;
        list->ranges = part->ranges;
        list->n_ranges = part->n_ranges;
        more = listing_next(&listing, err);
        if (more <= 0)
                return more < 0 ? -1 : err_set(err, ERR_NOT_FOUND, "no such task in job %" PRIu64, part->job);
        if (listing_u64(&listing, "exit_code", &code, err) < 0 ||
            listing_u64(&listing, "tasks", &tasks, err) < 0 ||
            listing_u64(&listing, "succeeded", &succeeded, err) < 0)
                return -1;
        if (tasks == 0)
                return err_set(err, ERR_NOT_FOUND, "no such task in job %" PRIu64, part->job);
        *ret_code = waiting->follow->exit_code ? (int)code : succeeded == tasks ? 0 : 1;
        return 0;
}

/* Jobs of which every task succeeded are 0 without a question, but for tasks that may not be there. */
static int how_it_ended(struct waiting *waiting, int *ret_code, struct err *err)
{
        const struct follow_parts *parts = &waiting->parts;

        *ret_code = 0;
        for (size_t i = 0, n; i < parts->n; i += n) {
                const struct follow_part *part = &parts->list[i];
                int code = part->succeeded ? 0 : 1;

                n = 1;
                if (!part->succeeded && !part->ranges && waiting->follow->exit_code)
                        while (n < follow_parts_run(parts, i, parts->n) && !parts->list[i + n].succeeded)
                                n++;
                if ((part->ranges || (!part->succeeded && waiting->follow->exit_code)) &&
                    ask_exit(waiting, part, n, &code, err) < 0)
                        return -1;
                *ret_code = MAX(*ret_code, code);
        }
        return 0;
}

static int wait_all(struct waiting *waiting, int *ret_code, struct err *err)
{
        while (waiting->end < waiting->parts.n) {
                waiting->first = waiting->end;
                waiting->end += follow_parts_fit(&waiting->parts, waiting->first);
                if (wait_some(waiting, err) < 0)
                        return -1;
        }
        return how_it_ended(waiting, ret_code, err);
}

static void say_not_all(const struct cli *cli, const struct targets *targets)
{
        if (targets->n == 1)
                cli_note(cli,
                         "not every task of job %" PRIu64 " succeeded; jobctl tasks %" PRIu64 " says why",
                         targets->list[0].job, targets->list[0].job);
        else
                cli_note(cli, "not every task succeeded; jobctl tasks ID says why");
}

int follow_targets(const struct follow *follow, const struct targets *targets, int *ret_code, struct err *err)
{
        struct waiting waiting = { .follow = follow };
        int rc = 0;

        interrupt_catch();
        if (follow->timeout_ms >= 0) /* a look needs an answer, and gets the time of one */
                waiting.deadline_us =
                        clock_mono_us() +
                        (follow->timeout_ms > 0 ? follow->timeout_ms : cli_connect_timeout_ms(follow->cli)) *
                                US_PER_MS;
        if (cli_connect(follow->cli, err) < 0)
                return -1;
        client_set_patience(follow->cli->client, -1);
        waiting.parts = follow_parts_of(targets);
        progress_init(&waiting.progress, follow->cli, waiting.parts.n == 1 ? waiting.parts.list[0].job : 0,
                      waiting.parts.n);
        if (follow->logs) {
                waiting.output = follow_output_new(follow->cli, follow->logs, &waiting.parts, err);
                rc = waiting.output ? 0 : -1;
        }
        if (rc == 0)
                rc = wait_all(&waiting, ret_code, err);
        progress_end(&waiting.progress);
        if (rc == 0 && waiting.output)
                rc = follow_output_end(waiting.output, err);
        if (rc == 0 && *ret_code != 0)
                say_not_all(follow->cli, targets);
        follow_output_free(waiting.output);
        follow_parts_done(&waiting.parts);
        return rc;
}

int follow_interrupted(const struct cli *cli, const struct targets *targets)
{
        if (targets->n == 1)
                cli_note(cli, "interrupted; job %" PRIu64 " goes on; to cancel it: jobctl cancel %" PRIu64,
                         targets->list[0].job, targets->list[0].job);
        else
                cli_note(cli, "interrupted; the jobs go on; to cancel them: jobctl cancel ID…");
        return EXIT_INTERRUPTED;
}
