/* jobctl results: what tasks left in $JOB_RESULT. */
#include "cli/command.h"

static const struct opt options[] = {
        OPTIONS_OF_ROWS("v_results", "task_index,result", "-task_index", "at most N rows"),
        { 0 },
};
static const char *const examples[] = {
        "jobctl results last",
        "jobctl results 36.[1-9] --csv -o task_index,result",
        "jobctl results @train --json",
        NULL,
};
static const char *const usage[] = { "SEL … [options]", NULL };
static const struct opt_program program = {
        .name = "jobctl results",
        .purpose = "print the results that tasks recorded",
        .examples = examples,
        .usage = usage,
        .options = options,
        .common = cli_query_options,
        .notes = "In --json a result is a JSON value, everywhere else its text.",
};

static int run(struct cli *cli)
{
        static const struct print print = { .schema = "jobctl.results/1",
                                            .columns = "job_id,task_index,status,entry,result" };
        CLEANUP_PICKED struct picked_tasks picked = { 0 };
        struct listing *listings;
        struct err err = { 0 };
        int code;

        if (command_targets(cli, &picked, &err) < 0)
                return cli_fail(cli, &err);
        listings = command_listings(cli, LIST_KIND_RESULTS, &picked.targets);
        code = command_print(cli, &print, listings, picked.targets.n);
        listings_free(listings, picked.targets.n);
        return code;
}

const struct command command_results = { "results", &program, run };
