/* jobctl tasks: the tasks of jobs. */
#include "cli/command.h"

static const struct opt options[] = {
        { .name = "status",
          .letter = 's',
          .parse = opt_word,
          .arg = "STATUS",
          .group = "Which tasks",
          .example = "failed",
          .help = "only with this status; several with commas; Slurm's words count too" },
        { .name = "attempts", .help = "one row for each attempt, not only the newest" },
        OPTIONS_OF_ROWS("v_tasks", "task_id,status,exit_code", "-cpu_seconds", "at most N rows"),
        { 0 },
};
static const char *const examples[] = {
        "jobctl tasks last",
        "jobctl tasks 36 -s failed -o task_id,exit_code,worker",
        "jobctl tasks @train --sort -max_rss_bytes -n 10 --csv",
        NULL,
};
static const char *const usage[] = { "SEL … [options]", NULL };
static const struct opt_program program = {
        .name = "jobctl tasks",
        .purpose = "list the tasks of jobs",
        .examples = examples,
        .usage = usage,
        .options = options,
        .common = cli_query_options,
};

static int run(struct cli *cli)
{
        static const struct print task_print = {
                .schema = "jobctl.tasks/1",
                .columns = "task_id,status,reason,exit_code,exit_signal,attempt,worker,started_at,ended_at,"
                           "done,total,entry",
                .needs_tasks = true,
        };
        static const struct print attempt_print = { .schema = "jobctl.attempts/1" };
        CLEANUP_PICKED struct picked_tasks picked = { 0 };
        const char *statuses[STATUS_WORDS_MAX];
        struct listing *listings;
        bool attempts = opts_flag(cli->opts, "attempts");
        struct err err = { 0 };
        size_t n = 0;
        int code;

        if (command_targets(cli, &picked, &err) < 0)
                return cli_fail(cli, &err);
        if (opts_has(cli->opts, "status") &&
            command_statuses(opts_text(cli->opts, "status"), statuses, &n, &err) < 0)
                return cli_fail(cli, &err);
        listings = command_listings(cli, attempts ? LIST_KIND_ATTEMPTS : LIST_KIND_TASKS, &picked.targets);
        for (size_t i = 0; i < picked.targets.n; i++) {
                listings[i].request.u.list.statuses = statuses;
                listings[i].request.u.list.n_statuses = n;
        }
        code = command_print(cli, attempts ? &attempt_print : &task_print, listings, picked.targets.n);
        listings_free(listings, picked.targets.n);
        return code;
}

const struct command command_tasks = { "tasks", &program, run };
