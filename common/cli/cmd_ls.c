/* jobctl ls: jobs. */
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "cli/command.h"

#define RECENT_US (24 * 3600 * US_PER_S)

static const struct opt options[] = {
        { .name = "status",
          .letter = 's',
          .parse = opt_word,
          .arg = "STATUS",
          .group = "Which jobs",
          .example = "failed",
          .help = "only with this status; several with commas; Slurm's words (PENDING, PD, CD …) count too" },
        { .name = "user",
          .letter = 'u',
          .parse = opt_name,
          .arg = "USER",
          .help = "jobs of this person, or all: of everybody whose jobs you may see" },
        { .name = "queue", .parse = opt_name, .arg = "QUEUE", .help = "only of this queue" },
        { .name = "since",
          .parse = opt_word,
          .arg = "T",
          .help = "submitted since then (a time, or a duration ago); without it: unfinished, or of the last "
                  "24 hours" },
        OPTIONS_OF_ROWS("v_jobs", "job_id,status", "-submitted_at",
                        "at most N rows: the newest, or the first after --sort"),
        { 0 },
};
static const char *const examples[] = {
        "jobctl ls                     # your jobs: unfinished, or of the last 24 hours",
        "jobctl ls -s failed --since 7d",
        "jobctl ls tag:project=hull -o job_id,name,status,failed --sort -failed",
        NULL,
};
static const char *const usage[] = { "[SEL …] [options]", NULL };
static const struct opt_program program = {
        .name = "jobctl ls",
        .purpose = "list jobs",
        .examples = examples,
        .usage = usage,
        .options = options,
        .common = cli_query_options,
};

static int filters(struct cli *cli, struct listing *listing, const char **statuses, struct err *err)
{
        struct msg_list *list = &listing->request.u.list;
        const char *since = opts_text(cli->opts, "since");

        if (opts_has(cli->opts, "status")) {
                if (command_statuses(opts_text(cli->opts, "status"), statuses, &list->n_statuses, err) < 0)
                        return err_wrap(err, "--status");
                list->statuses = statuses;
        }
        if ((list->user = opts_text(cli->opts, "user")))
                list->n_user = strlen(list->user);
        if ((list->queue = opts_text(cli->opts, "queue")))
                list->n_queue = strlen(list->queue);
        if (since) {
                if (command_since(since, &list->since_us, err) < 0)
                        return err_wrap(err, "--since");
                list->has_since_us = true;
        }
        return 0;
}

/* `last` means one job, which the listing of jobs does not count back to. */
static int resolve_last(struct cli *cli, struct selectors *selectors, struct err *err)
{
        for (size_t i = 0; i < selectors->n; i++) {
                struct selector *selector = &selectors->list[i];
                struct selectors one = { .list = selector, .n = 1 };
                CLEANUP_TARGETS struct targets targets = { 0 };

                if (selector->kind != SELECTOR_LAST)
                        continue;
                if (targets_resolve(cli, &one, &targets, err) < 0)
                        return -1;
                selector->kind = SELECTOR_JOB;
                selector->job = selector->job_to = targets.list[0].job;
        }
        return 0;
}

static int fill(struct cli *cli, struct listing *listings, size_t n, const struct selectors *selectors,
                const char **statuses, struct err *err)
{
        for (size_t i = 0; i < n; i++) {
                listings[i] = listing_of(cli, LIST_KIND_JOBS);
                if (selectors->n)
                        listing_select(&listings[i].request, &selectors->list[i]);
                if (filters(cli, &listings[i], statuses, err) < 0)
                        return -1;
        }
        if (n && !selectors->n && !listings[0].request.u.list.has_since_us) {
                listings[0].request.u.list.since_us = (uint64_t)(clock_wall_us() - RECENT_US);
                listings[0].request.u.list.has_since_us = true;
        }
        return 0;
}

static int run(struct cli *cli)
{
        struct print print = {
                .schema = "jobctl.ls/1",
                .columns = "job_id,name,owner,status,tasks,queued,running,succeeded,failed,submitted_at",
                .newest = true,
        };
        CLEANUP_SELECTORS struct selectors selectors = { 0 };
        const char *statuses[STATUS_WORDS_MAX];
        struct listing *listings;
        struct err err = { 0 };
        size_t n;
        int code;

        if (selectors_parse(cli->opts->words, cli->opts->n_words, &selectors, &err) < 0 ||
            resolve_last(cli, &selectors, &err) < 0)
                return cli_fail(cli, &err);
        print.once = selectors.n > 1 ? "job_id" : NULL;
        n = cli->opts->n_words ? selectors.n : 1; /* an empty stdin is no job, not all of them */
        listings = xcalloc(MAX(n, 1), sizeof(*listings));
        if (fill(cli, listings, n, &selectors, statuses, &err) < 0)
                code = cli_fail(cli, &err);
        else
                code = command_print(cli, &print, listings, n);
        listings_free(listings, n);
        return code;
}

const struct command command_ls = { "ls", &program, run };
