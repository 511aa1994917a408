/* Waiting. One job after the other: all of them must end, so the order does not matter, and a job that ended meanwhile
 * answers at once. Output comes over a second connection: follow_output.c. */
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

static int time_is_up(const struct waiting *waiting, const struct target *target, struct err *err)
{
        CLEANUP_BUF struct buf time = { 0 };

        if (waiting->follow->timeout_ms == 0)
                return err_set(err, ERR_RETRY_LATER, "job %" PRIu64 " has not ended; it goes on",
                               target->job);
        duration_print(waiting->follow->timeout_ms, &time);
        return err_set(err, ERR_RETRY_LATER, "job %" PRIu64 " has not ended within %s; it goes on",
                       target->job, time.bytes);
}

/* The next event of the subscription in hand. After a reconnect the client asks again by itself: *ret_again. */
static struct msg *next_event(struct waiting *waiting, const struct target *target, bool *ret_again,
                              struct err *err)
{
        int left = time_left(waiting);
        struct msg *msg = left == 0 ? NULL : client_next(waiting->follow->cli->client, left, ret_again, err);

        if (!msg && !interrupted() && time_left(waiting) == 0)
                (void)time_is_up(waiting, target, err);
        if (msg && msg->kind != MSG_event) {
                err_set(err, ERR_INTERNAL, "the coordinator answered watch with %s", msg_op(msg->kind));
                msg_free(msg);
                return NULL;
        }
        return msg;
}

static int subscribe(struct waiting *waiting, const struct target *target, struct err *err)
{
        struct msg request = { .kind = MSG_watch };
        struct msg_watch *watch = &request.u.watch;

        watch->job = target->job;
        watch->has_job = true;
        watch->ranges = (struct range *)target->ranges;
        watch->n_ranges = target->n_ranges;
        watch->progress = watch->has_progress = waiting->follow->progress;
        watch->output = watch->has_output = waiting->follow->logs != NULL;
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

/* What was recorded before this subscription began is told by nobody: it is looked for. So is the output of a job that
 * was over when it was asked for. */
static int print_output(struct waiting *waiting, const struct msg_event *event, bool all, struct err *err)
{
        if (all)
                return follow_output_all(waiting->output, err);
        return follow_output_some(waiting->output, event->outputs, event->n_outputs, err);
}

/* Until the event that says done, which the caller frees. */
static struct msg *wait_one(struct waiting *waiting, const struct target *target, struct err *err)
{
        CLEANUP_WITH(msg_free) struct msg *msg = NULL;
        bool begun = false;

        if (subscribe(waiting, target, err) < 0)
                return NULL;
        for (;;) {
                bool again = false;

                msg_free(msg);
                msg = next_event(waiting, target, &again, err);
                if (!msg && may_ask_again(waiting, err)) {
                        if (subscribe(waiting, target, err) < 0)
                                return NULL;
                        begun = false;
                        continue;
                }
                if (!msg)
                        return NULL;
                if (waiting->follow->progress && msg->u.event.counts)
                        progress_show(&waiting->progress, target->job, msg->u.event.counts,
                                      msg->u.event.done);
                if (waiting->output && print_output(waiting, &msg->u.event, !begun || again, err) < 0)
                        return NULL;
                begun = true;
                if (msg->u.event.done)
                        return STEAL(msg);
                if (waiting->follow->timeout_ms == 0) {
                        (void)time_is_up(waiting, target, err);
                        return NULL;
                }
        }
}

/* --- how it ended ---------------------------------------------------------------------------------------------- */
/* Asks for the ends of the selection: for --exit-code, and where only some tasks of a job were meant. */
static int ask_exit(struct waiting *waiting, const struct target *target, int *ret_code, struct err *err)
{
        CLEANUP_LISTING struct listing listing = listing_of(waiting->follow->cli, LIST_KIND_EXIT);
        uint64_t code, succeeded, tasks;
        int more;

        listing.request.u.list.job = target->job;
        listing.request.u.list.has_job = true;
        listing.request.u.list.ranges = (struct range *)target->ranges;
        listing.request.u.list.n_ranges = target->n_ranges;
        more = listing_next(&listing, err);
        if (more <= 0)
                return more < 0 ? -1
                                : err_set(err, ERR_NOT_FOUND, "no such task in job %" PRIu64, target->job);
        if (listing_u64(&listing, "exit_code", &code, err) < 0 ||
            listing_u64(&listing, "tasks", &tasks, err) < 0 ||
            listing_u64(&listing, "succeeded", &succeeded, err) < 0)
                return -1;
        if (tasks == 0)
                return err_set(err, ERR_NOT_FOUND, "no such task in job %" PRIu64, target->job);
        *ret_code = waiting->follow->exit_code ? (int)code : succeeded == tasks ? 0 : 1;
        return 0;
}

static int how_it_ended(struct waiting *waiting, const struct target *target, const struct msg_event *event,
                        int *ret_code, struct err *err)
{
        if (waiting->follow->exit_code || target->ranges)
                return ask_exit(waiting, target, ret_code, err);
        if (event->counts)
                *ret_code = event->counts->succeeded == event->counts->tasks ? 0 : 1;
        else
                *ret_code = event->status == TASK_STATUS_SUCCEEDED ? 0 : 1;
        return 0;
}

static int wait_all(struct waiting *waiting, const struct targets *targets, int *ret_code, struct err *err)
{
        *ret_code = 0;
        for (size_t i = 0; i < targets->n; i++) {
                CLEANUP_WITH(msg_free) struct msg *done = NULL;
                int code = 1;

                if (waiting->output)
                        follow_output_begin(waiting->output, &targets->list[i]);
                done = wait_one(waiting, &targets->list[i], err);
                if (!done || how_it_ended(waiting, &targets->list[i], &done->u.event, &code, err) < 0)
                        return -1;
                *ret_code = MAX(*ret_code, code);
        }
        return 0;
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
        progress_init(&waiting.progress, follow->cli);
        if (follow->logs) {
                waiting.output = follow_output_new(follow->cli, follow->logs, err);
                rc = waiting.output ? 0 : -1;
        }
        if (rc == 0)
                rc = wait_all(&waiting, targets, ret_code, err);
        progress_end(&waiting.progress);
        if (rc == 0 && *ret_code != 0)
                say_not_all(follow->cli, targets);
        follow_output_free(waiting.output);
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
