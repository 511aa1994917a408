/* jobctl logs: recorded output, the exact bytes. */
#include <inttypes.h>

#include "cli/command.h"
#include "cli/follow.h"
#include "cli/follow_output.h"

static const struct opt options[] = {
        { .name = "follow", .letter = 'f', .group = "What", .help = "go on until the jobs have ended" },
        { .name = "timeout",
          .parse = opt_duration,
          .arg = "T",
          .min = 0,
          .max = 31622400000,
          .example = "5m",
          .help = "with --follow: stop after T with exit code 75; the jobs go on" },
        { .name = "tail",
          .parse = opt_count,
          .arg = "N",
          .min = 1,
          .max = 1000000000,
          .example = "20",
          .help = "only the last N lines of each task" },
        { .name = "stderr", .help = "what was written to stderr" },
        { .name = "both", .help = "both streams, in the order in which they came" },
        { .name = "attempt",
          .parse = opt_count,
          .arg = "N",
          .min = 1,
          .max = 65535,
          .example = "1",
          .help = "of this attempt (default: the newest)" },
        { .name = "label", .help = "put the task's id in front of each line" },
        { 0 },
};
static const char *const examples[] = {
        "jobctl logs last                 # stdout of the newest job",
        "jobctl logs 36.4 --both --tail 20",
        "jobctl logs last -f --label      # as it comes, each line with its task",
        NULL,
};
static const char *const usage[] = { "SEL … [options]", NULL };
static const struct opt_program program = {
        .name = "jobctl logs",
        .purpose = "print recorded output",
        .examples = examples,
        .usage = usage,
        .options = options,
        .common = cli_common_options,
};

/* In the order of the selection. */
static int print_all(struct cli *cli, const struct logs *logs, const struct targets *targets, struct err *err)
{
        struct follow_output *output = follow_output_new(cli, logs, NULL, err);
        int rc = output ? 0 : -1;

        for (size_t i = 0; rc == 0 && i < targets->n; i++) {
                const struct target *target = &targets->list[i];
                const struct follow_part part = { .job = target->job,
                                                  .ranges = (struct range *)target->ranges,
                                                  .n_ranges = target->n_ranges };

                rc = follow_output_whole(output, &part, err);
                follow_output_forget(output, target->job);
        }
        if (rc == 0)
                rc = follow_output_end(output, err);
        follow_output_free(output);
        return rc;
}

static int follow(struct cli *cli, const struct logs *logs, const struct targets *targets)
{
        const struct follow follow = { .cli = cli,
                                       .logs = logs,
                                       .timeout_ms = opts_number(cli->opts, "timeout", -1) };
        struct err err = { 0 };
        int code;

        if (follow_targets(&follow, targets, &code, &err) == 0)
                return cli_flush(cli, 0);
        return interrupted() ? follow_interrupted(cli, targets) : cli_fail(cli, &err);
}

static int run(struct cli *cli)
{
        CLEANUP_PICKED struct picked_tasks picked = { 0 };
        struct logs logs = {
                .cli = cli,
                .streams = opts_flag(cli->opts, "both")     ? LOGS_BOTH
                           : opts_flag(cli->opts, "stderr") ? LOGS_STDERR
                                                            : LOGS_STDOUT,
                .label = opts_flag(cli->opts, "label"),
                .attempt = (uint64_t)opts_number(cli->opts, "attempt", 0),
                .tail = (uint64_t)opts_number(cli->opts, "tail", 0),
        };
        struct err err = { 0 };

        if (opts_flag(cli->opts, "both") && opts_flag(cli->opts, "stderr")) {
                (void)err_set(&err, ERR_USAGE, "--stderr and --both exclude each other");
                return cli_fail(cli, &err);
        }
        if (opts_has(cli->opts, "timeout") && !opts_flag(cli->opts, "follow")) {
                (void)err_set(&err, ERR_USAGE, "--timeout goes with --follow");
                return cli_fail(cli, &err);
        }
        if (cli->form == CLI_FORM_JSON) {
                (void)err_set(&err, ERR_USAGE,
                              "logs gives the bytes as they are; as JSON: jobctl sql --json "
                              "'SELECT task_index, seq, text FROM v_output WHERE job_id=…'");
                return cli_fail(cli, &err);
        }
        if (command_targets(cli, &picked, &err) < 0)
                return cli_fail(cli, &err);
        if (opts_flag(cli->opts, "follow"))
                return follow(cli, &logs, &picked.targets);
        return print_all(cli, &logs, &picked.targets, &err) < 0 ? cli_fail(cli, &err) : cli_flush(cli, 0);
}

const struct command command_logs = { "logs", &program, run };
