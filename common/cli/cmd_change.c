/* jobctl cancel, hold, release, retry, signal, set: changes to jobs and tasks.
 *
 * What would change is counted first (dry_run) where a person should be asked, so that nothing large happens by a typing
 * mistake. */
#include <ctype.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/duration.h"
#include "cli/command.h"

#define ASK_ABOVE 100 /* tasks */

#define SAFETY                                                                                               \
        { .name = "dry-run", .group = "Safety", .help = "only say how many tasks would change" },            \
        {                                                                                                    \
                .name = "yes", .letter = 'y', .help = "do not ask, also for more than 100 tasks"             \
        }
#define REASON                                                                                               \
        {                                                                                                    \
                .name = "reason", .parse = opt_word, .arg = "TEXT", .group = "Change",                       \
                .help = "a remark for the job's events"                                                      \
        }

static const struct opt reason_options[] = { REASON, SAFETY, { 0 } };
static const struct opt retry_options[] = {
        REASON,
        { .name = "failed",
          .help = "only failed, timeout, oom and lost tasks, not cancelled or aborted ones" },
        SAFETY,
        { 0 },
};
static const struct opt plain_options[] = { SAFETY, { 0 } };

/* The request for one target, filled but for the target itself. */
typedef int fill_fn(struct cli *cli, struct msg *request, struct err *err);

struct change {
        fill_fn *fill;
        const char *done; /* "cancelled" */
        bool takes_ranges;
        size_t n_own_words; /* words before the selectors, as the signal of `signal` */
};

/* The fields that all of these messages have, by kind. */
struct place {
        uint64_t *job;
        bool *has_job;
        struct range **ranges;
        size_t *n_ranges;
        bool *dry_run, *has_dry_run;
};

#define PLACE_OF(m, r, n)                                                                                    \
        (struct place)                                                                                       \
        {                                                                                                    \
                &(m).job, &(m).has_job, r, n, &(m).dry_run, &(m).has_dry_run                                 \
        }
static struct place place_of(struct msg *request)
{
        if (request->kind == MSG_cancel)
                return PLACE_OF(request->u.cancel, &request->u.cancel.ranges, &request->u.cancel.n_ranges);
        if (request->kind == MSG_retry)
                return PLACE_OF(request->u.retry, &request->u.retry.ranges, &request->u.retry.n_ranges);
        if (request->kind == MSG_signal)
                return PLACE_OF(request->u.signal, &request->u.signal.ranges, &request->u.signal.n_ranges);
        if (request->kind == MSG_hold)
                return PLACE_OF(request->u.hold, NULL, NULL);
        if (request->kind == MSG_release)
                return PLACE_OF(request->u.release, NULL, NULL);
        BUG_ON(request->kind != MSG_set);
        return PLACE_OF(request->u.set, NULL, NULL);
}

static int send_all(struct cli *cli, struct msg *request, const struct targets *targets, bool dry_run,
                    uint64_t *ret_count, struct err *err)
{
        struct place place = place_of(request);

        *ret_count = 0;
        *place.dry_run = *place.has_dry_run = dry_run;
        for (size_t i = 0; i < targets->n; i++) {
                CLEANUP_WITH(msg_free) struct msg *answer = NULL;

                *place.job = targets->list[i].job;
                *place.has_job = true;
                if (place.ranges) {
                        *place.ranges = (struct range *)targets->list[i].ranges;
                        *place.n_ranges = targets->list[i].n_ranges;
                }
                request->id = 0;
                answer = cli_call(cli, request, MSG_changed, err);
                if (!answer)
                        return err_wrap(err, "job %" PRIu64, targets->list[i].job);
                *ret_count += answer->u.changed.count;
        }
        return 0;
}

/* Only on a terminal; a script is taken at its word. */
static bool may_go_on(struct cli *cli, uint64_t count, const char *done)
{
        char answer[16] = "";

        if (count <= ASK_ABOVE || opts_flag(cli->opts, "yes") || !isatty(STDIN_FILENO))
                return true;
        fprintf(stderr, "%" PRIu64 " tasks would be %s. Go on? [y/N] ", count, done);
        return fgets(answer, sizeof(answer), stdin) &&
               (strcasecmp(answer, "y\n") == 0 || strcasecmp(answer, "yes\n") == 0);
}

static int print_count(struct cli *cli, const char *name, const char *done, uint64_t count, bool dry_run)
{
        if (cli->form == CLI_FORM_JSON)
                printf("{\"schema\":\"jobctl.%s/1\",\"changed\":%" PRIu64 ",\"dry_run\":%s}\n", name, count,
                       dry_run ? "true" : "false");
        else if (!cli->quiet || dry_run)
                printf("%" PRIu64 " task%s %s%s\n", count, count == 1 ? "" : "s", dry_run ? "would be " : "",
                       done);
        return cli_flush(cli, 0);
}

static int pick_targets(struct cli *cli, const struct change *change, struct picked_tasks *picked,
                        struct err *err)
{
        const struct opts *opts = cli->opts;

        if (opts->n_words <= change->n_own_words)
                return err_set(err, ERR_USAGE, "which jobs? %s %s", opts->program->name,
                               opts->program->usage[0]);
        if (selectors_parse(opts->words + change->n_own_words, opts->n_words - change->n_own_words,
                            &picked->selectors, err) < 0 ||
            targets_resolve(cli, &picked->selectors, &picked->targets, err) < 0)
                return -1;
        for (size_t i = 0; i < picked->targets.n && !change->takes_ranges; i++)
                if (picked->targets.list[i].ranges)
                        return err_set(err, ERR_USAGE, "%s works on whole jobs, not on single tasks",
                                       opts->program->name);
        return 0;
}

static int change_run(struct cli *cli, const struct change *change)
{
        CLEANUP_PICKED struct picked_tasks picked = { 0 };
        bool dry_run = opts_flag(cli->opts, "dry-run");
        const char *name = cli->opts->program->name + strlen("jobctl ");
        struct msg request = { 0 };
        struct err err = { 0 };
        uint64_t count = 0;

        if (change->fill(cli, &request, &err) < 0 || pick_targets(cli, change, &picked, &err) < 0)
                return cli_fail(cli, &err);
        if (dry_run || (!opts_flag(cli->opts, "yes") && isatty(STDIN_FILENO))) {
                if (send_all(cli, &request, &picked.targets, true, &count, &err) < 0)
                        return cli_fail(cli, &err);
                if (dry_run)
                        return print_count(cli, name, change->done, count, true);
                if (!may_go_on(cli, count, change->done))
                        return err_exit_code(ERR_USAGE);
        }
        if (send_all(cli, &request, &picked.targets, false, &count, &err) < 0)
                return cli_fail(cli, &err);
        return print_count(cli, name, change->done, count, false);
}

/* --- the messages ---------------------------------------------------------------------------------------------- */
static int reason_of(struct cli *cli, const char **ret_reason, size_t *ret_n, struct err *err)
{
        const char *reason = opts_text(cli->opts, "reason");

        if (!reason)
                return 0;
        *ret_reason = reason;
        *ret_n = strlen(reason);
        return cli_check_text("--reason", reason, 1, 1024, err);
}

static int fill_cancel(struct cli *cli, struct msg *request, struct err *err)
{
        request->kind = MSG_cancel;
        return reason_of(cli, &request->u.cancel.reason, &request->u.cancel.n_reason, err);
}

static int fill_hold(struct cli *cli, struct msg *request, struct err *err)
{
        request->kind = MSG_hold;
        return reason_of(cli, &request->u.hold.reason, &request->u.hold.n_reason, err);
}

static int fill_release(struct cli *cli, struct msg *request, struct err *err)
{
        request->kind = MSG_release;
        return reason_of(cli, &request->u.release.reason, &request->u.release.n_reason, err);
}

static int fill_retry(struct cli *cli, struct msg *request, struct err *err)
{
        request->kind = MSG_retry;
        request->u.retry.failed = request->u.retry.has_failed = opts_flag(cli->opts, "failed");
        return reason_of(cli, &request->u.retry.reason, &request->u.retry.n_reason, err);
}

/* "TERM", "SIGTERM", "15" */
static int fill_signal(struct cli *cli, struct msg *request, struct err *err)
{
        const char *word = cli->opts->n_words ? cli->opts->words[0] : "";
        const char *name = strncasecmp(word, "SIG", 3) == 0 ? word + 3 : word;
        char *end;
        long number = strtol(word, &end, 10);

        request->kind = MSG_signal;
        request->u.signal.has_signal = true;
        if (isdigit((unsigned char)*word) && !*end && number >= 1 && number <= 64) {
                request->u.signal.signal = (uint64_t)number;
                return 0;
        }
        for (int i = 1; i < NSIG && i <= 64; i++) {
                const char *abbreviation = sigabbrev_np(i);

                if (abbreviation && strcasecmp(abbreviation, name) == 0) {
                        request->u.signal.signal = (uint64_t)i;
                        return 0;
                }
        }
        return err_set(err, ERR_USAGE, "'%.40s' is no signal; example: jobctl signal USR1 36", word);
}

static int set_one(struct msg_set *set, const char *word, struct err *err)
{
        const char *value = strchr(word, '=') + 1;
        size_t n = (size_t)(value - word) - 1;
        int64_t number;

        if (n == 8 && memcmp(word, "priority", 8) == 0) {
                const struct opt opt = { .min = -100, .max = 100 };

                set->has_priority = true;
                return opt_integer(&opt, value, &set->priority, err);
        }
        if (n == 11 && memcmp(word, "max-running", 11) == 0) {
                const struct opt opt = { .min = 0, .max = 10000000 };

                if (opt_count(&opt, value, &number, err) < 0)
                        return -1;
                set->max_running = (uint64_t)number;
                set->has_max_running = true;
                return 0;
        }
        if (n == 4 && memcmp(word, "time", 4) == 0) {
                const struct opt opt = { .min = 1, .max = 31622400000 };

                if (opt_duration(&opt, value, &number, err) < 0)
                        return -1;
                set->time_ms = (uint64_t)number;
                set->has_time_ms = true;
                return 0;
        }
        return err_set(err, ERR_USAGE, "there is no such setting; settings: priority, max-running, time");
}

static int run_cancel(struct cli *cli)
{
        static const struct change change = { fill_cancel, "cancelled", true, 0 };

        return change_run(cli, &change);
}

static int run_hold(struct cli *cli)
{
        static const struct change change = { fill_hold, "held", false, 0 };

        return change_run(cli, &change);
}

static int run_release(struct cli *cli)
{
        static const struct change change = { fill_release, "released", false, 0 };

        return change_run(cli, &change);
}

static int run_retry(struct cli *cli)
{
        static const struct change change = { fill_retry, "queued again", true, 0 };

        return change_run(cli, &change);
}

static int run_signal(struct cli *cli)
{
        static const struct change change = { fill_signal, "signalled", true, 1 };

        return change_run(cli, &change);
}

/* Settings and selectors may stand in any order: a word with = that is no tag is a setting. */
static bool is_setting(const char *word)
{
        return strchr(word, '=') && word[0] != '@' && strncmp(word, "tag:", 4) != 0;
}

static int run_set(struct cli *cli)
{
        CLEANUP_PICKED struct picked_tasks picked = { 0 };
        struct msg request = { .kind = MSG_set };
        bool dry_run = opts_flag(cli->opts, "dry-run");
        size_t settings = 0;
        struct err err = { 0 };
        uint64_t count;

        for (size_t i = 0; i < cli->opts->n_words; i++) {
                const char *word = cli->opts->words[i];

                if (is_setting(word)) {
                        settings++;
                        if (set_one(&request.u.set, word, &err) < 0) {
                                (void)err_wrap(&err, "%.80s", word);
                                return cli_fail(cli, &err);
                        }
                } else if (selectors_parse(&word, 1, &picked.selectors, &err) < 0) {
                        return cli_fail(cli, &err);
                }
        }
        if (!settings || !picked.selectors.n) {
                (void)err_set(&err, ERR_USAGE, "%s: jobctl set %s", settings ? "which jobs?" : "set what?",
                              cli->opts->program->usage[0]);
                return cli_fail(cli, &err);
        }
        for (size_t i = 0; i < picked.selectors.n; i++)
                if (picked.selectors.list[i].ranges) {
                        (void)err_set(&err, ERR_USAGE, "jobctl set works on whole jobs, not on single tasks");
                        return cli_fail(cli, &err);
                }
        if (targets_resolve(cli, &picked.selectors, &picked.targets, &err) < 0 ||
            send_all(cli, &request, &picked.targets, dry_run, &count, &err) < 0)
                return cli_fail(cli, &err);
        return print_count(cli, "set", "changed", count, dry_run);
}

PROGRAM(cancel, "cancel", "end jobs or tasks", reason_options, cli_common_options, "SEL … [options]",
        "jobctl cancel last", "jobctl cancel 36.[1-9] --reason 'wrong input'",
        "jobctl cancel tag:project=hull --dry-run");
PROGRAM(hold, "hold", "keep queued tasks from starting", reason_options, cli_common_options,
        "SEL … [options]", "jobctl hold 36", "jobctl hold @train --reason 'disk is full'",
        "jobctl hold all --yes");
PROGRAM(release, "release", "let held jobs start", reason_options, cli_common_options, "SEL … [options]",
        "jobctl release 36", "jobctl release @train", "jobctl release all --yes");
PROGRAM(retry, "retry", "queue tasks again that did not succeed", retry_options, cli_common_options,
        "SEL … [options]", "jobctl retry last --failed", "jobctl retry 36.4", "jobctl retry 36 --dry-run");
PROGRAM(signal, "signal", "send a signal to running tasks", plain_options, cli_common_options,
        "SIGNAL SEL … [options]", "jobctl signal USR1 36", "jobctl signal TERM 36.4",
        "jobctl signal 10 @train");
PROGRAM(set, "set", "change unfinished jobs", plain_options, cli_common_options,
        "SEL … priority=N max-running=N time=T", "jobctl set 36 priority=10", "jobctl set last max-running=4",
        "jobctl set @train time=2h");
