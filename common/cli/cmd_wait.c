/* jobctl wait: until everything selected has ended. */
#include "cli/command.h"
#include "cli/follow.h"

static const struct opt options[] = {
        { .name = "timeout",
          .parse = opt_duration,
          .arg = "T",
          .group = "Waiting",
          .min = 0,
          .max = 31622400000,
          .example = "5m",
          .help = "stop waiting after T with exit code 75; the jobs go on; 0: only look" },
        { .name = "exit-code", .help = "exit with the largest exit code of the tasks" },
        { .name = "progress", .help = "show counts on stderr" },
        { 0 },
};
static const char *const examples[] = {
        "jobctl wait last                 # exit code 0 if every task succeeded, else 1",
        "jobctl wait 36.[1-9] --timeout 5m",
        "jobctl wait @train --progress --exit-code",
        NULL,
};
static const char *const usage[] = { "SEL … [options]", NULL };
static const struct opt_program program = {
        .name = "jobctl wait",
        .purpose = "wait until jobs or tasks have ended",
        .examples = examples,
        .usage = usage,
        .options = options,
        .common = cli_query_options,
};

/* --json and --csv: the jobs that were waited for, as they are now. */
static int print_jobs(struct cli *cli, const struct targets *targets, int code)
{
        static const struct print print = { .schema = "jobctl.wait/1" };
        struct listing *listings = command_listings(cli, LIST_KIND_JOBS, targets);
        int failed = command_print(cli, &print, listings, targets->n);

        listings_free(listings, targets->n);
        return failed ? failed : code;
}

static int run(struct cli *cli)
{
        CLEANUP_PICKED struct picked_tasks picked = { 0 };
        const struct follow follow = {
                .cli = cli,
                .progress = opts_flag(cli->opts, "progress"),
                .exit_code = opts_flag(cli->opts, "exit-code"),
                .timeout_ms = opts_number(cli->opts, "timeout", -1),
        };
        struct err err = { 0 };
        int code;

        if (command_targets(cli, &picked, &err) < 0)
                return cli_fail(cli, &err);
        if (follow_targets(&follow, &picked.targets, &code, &err) == 0)
                return cli->form == CLI_FORM_TEXT ? code : print_jobs(cli, &picked.targets, code);
        return interrupted() ? follow_interrupted(cli, &picked.targets) : cli_fail(cli, &err);
}

const struct command command_wait = { "wait", &program, run };
