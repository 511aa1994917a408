/* jobctl cancel, hold, release, retry, signal, set: changes to jobs and tasks.
 *
 * What would change is counted first (dry_run) where a person should be asked, so that nothing large happens by a typing
 * mistake. Each job has a request of its own, and many are on their way at once: one that is refused stops no other. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/signame.h"
#include "base/xalloc.h"
#include "cli/command.h"
#include "cli/settings.h"

#define ASK_ABOVE 100 /* tasks */

#define WHOSE                                                                                                \
        { .name = "user",                                                                                    \
          .letter = 'u',                                                                                     \
          .parse = opt_name,                                                                                 \
          .arg = "USER",                                                                                     \
          .group = "Which",                                                                                  \
          .help = "only jobs of this person, or all: of everybody whose jobs you may see; without SEL: all " \
                  "of them" },                                                                               \
        {                                                                                                    \
                .name = "queue", .parse = opt_name, .arg = "QUEUE", .help = "only jobs of this queue"        \
        }
#define WHICH                                                                                                \
        WHOSE,                                                                                               \
        {                                                                                                    \
                .name = "status", .letter = 's', .parse = opt_word, .arg = "STATUS", .example = "queued",    \
                .help = "only tasks with this status; several with commas; Slurm's words count too"          \
        }
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

static const struct opt some_options[] = { WHICH, REASON, SAFETY, { 0 } };
static const struct opt reason_options[] = { WHOSE, REASON, SAFETY, { 0 } };
static const struct opt retry_options[] = {
        WHICH,
        { .name = "failed",
          .help = "only failed, timeout, oom and lost tasks, not cancelled or aborted ones" },
        REASON,
        SAFETY,
        { 0 },
};
static const struct opt signal_options[] = {
        WHOSE,
        REASON,
        { .name = "signal",
          .parse = opt_word,
          .arg = "NAME",
          .example = "USR1",
          .help = "which signal, by name or number (default: TERM)" },
        SAFETY,
        { 0 },
};

/* The request for one target, filled but for the target itself; words that are not selectors are taken from `words`. */
struct words_left {
        const char *const *list;
        size_t n;
};
struct filling {
        struct msg *request;
        struct words_left words;
        const char *statuses[STATUS_WORDS_MAX];
        size_t n_statuses;
        struct settings settings;
};
static void filling_done(struct filling *filling)
{
        settings_done(&filling->settings);
}

#define CLEANUP_FILLING __attribute__((cleanup(filling_done)))

typedef int fill_fn(struct cli *cli, struct filling *filling, struct err *err);

struct change {
        fill_fn *fill;
        const char *done; /* "cancelled" */
        bool takes_ranges;
        bool of_ended; /* concerns tasks that have ended */
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
                return PLACE_OF(request->u.hold, &request->u.hold.ranges, &request->u.hold.n_ranges);
        if (request->kind == MSG_release)
                return PLACE_OF(request->u.release, &request->u.release.ranges, &request->u.release.n_ranges);
        BUG_ON(request->kind != MSG_set);
        return PLACE_OF(request->u.set, NULL, NULL);
}

/* What the answers say. */
struct changed {
        uint64_t count; /* tasks, of all jobs */
        uint64_t *counts; /* of each target */
        bool *done; /* it was answered, and not refused */
        size_t n, n_done, n_refused;
        size_t first; /* of the targets that were refused, the first in order */
        struct err refusal; /* and why it was */
};

static void changed_done(struct changed *changed)
{
        xfree(changed->counts);
        xfree(changed->done);
        *changed = (struct changed){ 0 };
}

struct sending {
        struct cli *cli;
        struct msg *request;
        struct place place;
        const struct targets *targets;
        struct changed *changed;
};

static struct msg *ask_one(void *arg, size_t k)
{
        struct sending *sending = arg;
        const struct target *target = &sending->targets->list[k];

        *sending->place.job = target->job;
        *sending->place.has_job = true;
        if (sending->place.ranges) {
                *sending->place.ranges = (struct range *)target->ranges;
                *sending->place.n_ranges = target->n_ranges;
        }
        return sending->request;
}

static void take_one(void *arg, size_t k, const struct msg *answer, const struct err *refusal)
{
        struct sending *sending = arg;
        struct changed *changed = sending->changed;
        uint64_t job = sending->targets->list[k].job;
        struct err err = *refusal;

        if (answer && answer->kind == MSG_changed) {
                changed->done[k] = true;
                changed->counts[k] = answer->u.changed.count;
                changed->count += answer->u.changed.count;
                changed->n_done++;
                if (answer->u.changed.detail)
                        cli_note(sending->cli, "job %" PRIu64 ": %s", job, answer->u.changed.detail);
                return;
        }
        if (answer)
                err_set(&err, ERR_INTERNAL, "the coordinator answered %s with %s",
                        msg_op(sending->request->kind), msg_op(answer->kind));
        if (changed->n_refused++ == 0 || k < changed->first) {
                changed->first = k;
                changed->refusal = err;
                err_wrap(&changed->refusal, "job %" PRIu64, job);
        }
}

/* -1: it came to an end before all were answered; what is known is in *changed all the same. */
static int send_all(struct cli *cli, struct msg *request, const struct targets *targets, bool dry_run,
                    struct changed *changed, size_t *ret_unsure, struct err *err)
{
        struct sending sending = { cli, request, place_of(request), targets, changed };
        const struct client_many many = { targets->n, ask_one, take_one, &sending };

        changed_done(changed);
        changed->n = targets->n;
        changed->counts = xcalloc(targets->n + 1, sizeof(*changed->counts));
        changed->done = xcalloc(targets->n + 1, sizeof(*changed->done));
        *sending.place.dry_run = *sending.place.has_dry_run = dry_run;
        *ret_unsure = 0;
        if (targets->n == 0)
                return 0;
        return cli_connect(cli, err) < 0 ? -1 : client_call_many(cli->client, &many, ret_unsure, err);
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

static void print_rows(struct cli *cli, const struct targets *targets, const struct changed *changed)
{
        const char *comma = "";

        for (size_t k = 0; k < changed->n; k++) {
                if (!changed->done[k])
                        continue;
                if (cli->form == CLI_FORM_CSV)
                        printf("%" PRIu64 ",%" PRIu64 "\n", targets->list[k].job, changed->counts[k]);
                else
                        printf("%s\n{\"job_id\":%" PRIu64 ",\"changed\":%" PRIu64 "}", comma,
                               targets->list[k].job, changed->counts[k]);
                comma = ",";
        }
}

static void print_changed(struct cli *cli, const char *done, const struct targets *targets,
                          const struct changed *changed, bool dry_run)
{
        uint64_t count = changed->count;

        if (cli->form == CLI_FORM_JSON) {
                printf("{\"schema\":\"jobctl.%s/1\",\"changed\":%" PRIu64 ",\"dry_run\":%s,\"rows\":[",
                       cli->opts->program->name + strlen("jobctl "), count, dry_run ? "true" : "false");
                print_rows(cli, targets, changed);
                printf("]}\n");
        } else if (cli->form == CLI_FORM_CSV) {
                printf("job_id,changed\n");
                print_rows(cli, targets, changed);
        } else if (!cli->quiet || dry_run) {
                printf("%" PRIu64 " task%s %s%s\n", count, count == 1 ? "" : "s", dry_run ? "would be " : "",
                       done);
        }
}

/* All were answered: the count, and what was refused. */
static int report(struct cli *cli, const char *done, const struct targets *targets,
                  const struct changed *changed, bool dry_run)
{
        int code = 0;

        if (changed->n_refused == 0 || changed->n > 1)
                print_changed(cli, done, targets, changed, dry_run);
        if (changed->n_refused > 0) {
                code = cli_fail(cli, &changed->refusal);
                if (changed->n_refused > 1)
                        cli_note(cli, "%zu more of the %zu jobs were refused", changed->n_refused - 1,
                                 changed->n);
        }
        return cli_flush(cli, code);
}

/* It came to an end half-way: what was done is said, and what may have been. */
static int report_part(struct cli *cli, const char *done, const struct targets *targets,
                       const struct changed *changed, bool dry_run, size_t unsure, const struct err *err)
{
        size_t asked = changed->n_done + changed->n_refused + unsure;
        int code = interrupted() ? 130 : err_exit_code(err->code);

        if (changed->n_done > 0)
                print_changed(cli, done, targets, changed, dry_run);
        if (!interrupted())
                cli_fail(cli, err);
        if (changed->n > 1 || interrupted())
                cli_note(cli,
                         "%s %zu of %zu jobs done (%" PRIu64
                         " tasks %s%s), %zu asked without an answer, %zu not asked",
                         interrupted() ? "interrupted:" : "of these", changed->n_done, changed->n,
                         changed->count, dry_run ? "would be " : "", done, unsure, changed->n - asked);
        return cli_flush(cli, code);
}

static int pick_targets(struct cli *cli, const struct change *change, const struct filling *filling,
                        struct picked_tasks *picked, struct err *err)
{
        const struct opts *opts = cli->opts;
        const struct target_filter filter = {
                .user = opts_text(opts, "user"),
                .queue = opts_text(opts, "queue"),
                .unfinished = !change->of_ended,
        };
        static const char *const all[] = { "all" };
        struct words_left words = filling->words;

        if (words.n == 0 && (filter.user || filter.queue))
                words = (struct words_left){ all, 1 };
        if (words.n == 0)
                return err_set(err, ERR_USAGE, "which jobs? %s %s", opts->program->name,
                               opts->program->usage[0]);
        if (selectors_parse(words.list, words.n, &picked->selectors, err) < 0 ||
            targets_resolve_some(cli, &picked->selectors, &filter, &picked->targets, err) < 0)
                return -1;
        for (size_t i = 0; i < picked->targets.n && !change->takes_ranges; i++)
                if (picked->targets.list[i].ranges)
                        return err_set(err, ERR_USAGE, "%s works on whole jobs, not on single tasks",
                                       opts->program->name);
        return 0;
}

static int carry_out(struct cli *cli, const struct change *change, struct msg *request,
                     const struct targets *targets, struct changed *changed)
{
        bool dry_run = opts_flag(cli->opts, "dry-run");
        struct err err = { 0 };
        size_t unsure;

        if (dry_run || (!opts_flag(cli->opts, "yes") && isatty(STDIN_FILENO))) {
                if (send_all(cli, request, targets, true, changed, &unsure, &err) < 0)
                        return report_part(cli, change->done, targets, changed, true, unsure, &err);
                if (dry_run || changed->n_done == 0)
                        return report(cli, change->done, targets, changed, true);
                if (!may_go_on(cli, changed->count, change->done))
                        return err_exit_code(ERR_USAGE);
        }
        if (targets->n > 1)
                interrupt_catch();
        if (send_all(cli, request, targets, false, changed, &unsure, &err) < 0)
                return report_part(cli, change->done, targets, changed, false, unsure, &err);
        return report(cli, change->done, targets, changed, false);
}

static int change_run(struct cli *cli, const struct change *change)
{
        CLEANUP_PICKED struct picked_tasks picked = { 0 };
        struct msg request = { 0 };
        CLEANUP_FILLING struct filling filling = { .request = &request,
                                                   .words = { cli->opts->words, cli->opts->n_words },
                                                   .settings = SETTINGS_EMPTY };
        __attribute__((cleanup(changed_done))) struct changed changed = { 0 };
        struct err err = { 0 };

        if (change->fill(cli, &filling, &err) < 0 || pick_targets(cli, change, &filling, &picked, &err) < 0)
                return cli_fail(cli, &err);
        return carry_out(cli, change, &request, &picked.targets, &changed);
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

/* Words of --status for the messages that choose among the tasks of a job. */
static int statuses_of(struct cli *cli, struct filling *filling, const char *const **ret_words, size_t *ret_n,
                       struct err *err)
{
        const char *text = opts_text(cli->opts, "status");

        if (!text)
                return 0;
        if (command_statuses(text, filling->statuses, &filling->n_statuses, err) < 0)
                return err_wrap(err, "--status");
        *ret_words = filling->statuses;
        *ret_n = filling->n_statuses;
        return 0;
}

static int fill_cancel(struct cli *cli, struct filling *filling, struct err *err)
{
        struct msg_cancel *cancel = &filling->request->u.cancel;

        filling->request->kind = MSG_cancel;
        if (statuses_of(cli, filling, (const char *const **)&cancel->statuses, &cancel->n_statuses, err) < 0)
                return -1;
        return reason_of(cli, &cancel->reason, &cancel->n_reason, err);
}

static int fill_hold(struct cli *cli, struct filling *filling, struct err *err)
{
        struct msg_hold *hold = &filling->request->u.hold;

        filling->request->kind = MSG_hold;
        if (statuses_of(cli, filling, (const char *const **)&hold->statuses, &hold->n_statuses, err) < 0)
                return -1;
        return reason_of(cli, &hold->reason, &hold->n_reason, err);
}

static int fill_release(struct cli *cli, struct filling *filling, struct err *err)
{
        struct msg_release *release = &filling->request->u.release;

        filling->request->kind = MSG_release;
        if (statuses_of(cli, filling, (const char *const **)&release->statuses, &release->n_statuses, err) <
            0)
                return -1;
        return reason_of(cli, &release->reason, &release->n_reason, err);
}

static int fill_retry(struct cli *cli, struct filling *filling, struct err *err)
{
        struct msg_retry *retry = &filling->request->u.retry;

        filling->request->kind = MSG_retry;
        retry->failed = retry->has_failed = opts_flag(cli->opts, "failed");
        if (statuses_of(cli, filling, (const char *const **)&retry->statuses, &retry->n_statuses, err) < 0)
                return -1;
        return reason_of(cli, &retry->reason, &retry->n_reason, err);
}

static bool is_signal(const char *word)
{
        return !isdigit((unsigned char)word[0]) && signame_parse(word);
}

/* The signal is --signal, or a name in front of the selectors, as kill has it, or behind them: no selector is spelled like
 * one, but a number is a job. */
static int fill_signal(struct cli *cli, struct filling *filling, struct err *err)
{
        struct msg_signal *signal = &filling->request->u.signal;
        const char *word = opts_text(cli->opts, "signal");
        struct words_left *words = &filling->words;

        if (!word && words->n > 0 && is_signal(words->list[0])) {
                word = words->list[0];
                words->list++;
                words->n--;
        } else if (!word && words->n > 1 && is_signal(words->list[words->n - 1])) {
                word = words->list[--words->n];
        }
        filling->request->kind = MSG_signal;
        signal->signal = (uint64_t)signame_parse(word ? word : "TERM");
        signal->has_signal = true;
        if (!signal->signal)
                return err_set(err, ERR_USAGE,
                               "--signal: '%.40s' is no signal; example: jobctl signal 36 --signal USR1",
                               word);
        return reason_of(cli, &signal->reason, &signal->n_reason, err);
}

static int run_cancel(struct cli *cli)
{
        static const struct change change = { fill_cancel, "cancelled", true, false };

        return change_run(cli, &change);
}

static int run_hold(struct cli *cli)
{
        static const struct change change = { fill_hold, "held", true, false };

        return change_run(cli, &change);
}

static int run_release(struct cli *cli)
{
        static const struct change change = { fill_release, "released", true, false };

        return change_run(cli, &change);
}

static int run_retry(struct cli *cli)
{
        static const struct change change = { fill_retry, "queued again", true, true };

        return change_run(cli, &change);
}

static int run_signal(struct cli *cli)
{
        static const struct change change = { fill_signal, "signalled", true, false };

        return change_run(cli, &change);
}

/* Settings and selectors may stand in any order. */
static int fill_set(struct cli *cli, struct filling *filling, struct err *err)
{
        struct msg_set *set = &filling->request->u.set;
        const char **words = cli->opts->words; /* ours: selectors move to the front */
        size_t n = 0;

        filling->request->kind = MSG_set;
        for (size_t i = 0; i < cli->opts->n_words; i++) {
                if (!settings_is_one(words[i]))
                        words[n++] = words[i];
                else if (settings_add(&filling->settings, words[i], set, err) < 0)
                        return -1;
        }
        filling->words.n = n;
        if (settings_fill(&filling->settings, cli, set, err) < 0)
                return -1;
        return reason_of(cli, &set->reason, &set->n_reason, err);
}

static int run_set(struct cli *cli)
{
        static const struct change change = { fill_set, "changed", false, false };

        return change_run(cli, &change);
}

PROGRAM(cancel, "cancel", "end jobs or tasks", some_options, cli_query_options, "SEL … [options]",
        "jobctl cancel last", "jobctl cancel 36.[1-9] --reason 'wrong input'",
        "jobctl cancel tag:project=hull --status queued --dry-run");
PROGRAM(hold, "hold", "keep tasks that have not started from starting", some_options, cli_query_options,
        "SEL … [options]", "jobctl hold 36", "jobctl hold 36.[4-9] --reason 'disk is full'",
        "jobctl hold all --queue night --yes");
PROGRAM(release, "release", "let held jobs and tasks start", some_options, cli_query_options,
        "SEL … [options]", "jobctl release 36", "jobctl release 36.4", "jobctl release all --yes");
PROGRAM(retry, "retry", "queue tasks again that did not succeed", retry_options, cli_query_options,
        "SEL … [options]", "jobctl retry last --failed", "jobctl retry 36.4",
        "jobctl retry 36 --status timeout --dry-run");
PROGRAM(signal, "signal", "send a signal to running tasks", signal_options, cli_query_options,
        "SEL … [--signal NAME] [options]", "jobctl signal 36 --signal USR1", "jobctl signal 36.4",
        "jobctl signal USR2 @train    # as kill has it");

static const char *const set_examples[] = {
        "jobctl set 36 priority=10 queue=night",
        "jobctl set last max-running=4 retries=3 backoff=5s,x2,max=10m",
        "jobctl set @train time=2h at=18:30     # what runs has the new limit, what waits goes on waiting",
        NULL,
};
static const char *const set_usage[] = { "SEL … KEY=VALUE … [options]", NULL };
static const struct opt_program set_program = {
        .name = "jobctl set",
        .purpose = "change unfinished jobs",
        .examples = set_examples,
        .usage = set_usage,
        .options = reason_options,
        .common = cli_query_options,
        .notes = settings_help,
};
const struct command command_set = { "set", &set_program, run_set };
