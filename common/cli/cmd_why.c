/* jobctl why: every reason why a job or task waits. */
#include "cli/command.h"

static const struct opt no_options[] = { { 0 } };
static const char *const examples[] = {
        "jobctl why last",
        "jobctl why 36.4",
        "jobctl why 36 --json",
        NULL,
};
static const char *const usage[] = { "ID[.N] [options]", NULL };
static const struct opt_program program = {
        .name = "jobctl why",
        .purpose = "say why a job or task does not run",
        .examples = examples,
        .usage = usage,
        .options = no_options,
        .common = cli_query_options,
};

static int run(struct cli *cli)
{
        static const struct print print = { .schema = "jobctl.why/1" };
        CLEANUP_PICKED struct picked_tasks picked = { 0 };
        CLEANUP_LISTING struct listing listing = { .cli = cli, .request = { .kind = MSG_why } };
        const struct target *target;
        struct err err = { 0 };

        if (command_targets(cli, &picked, &err) < 0)
                return cli_fail(cli, &err);
        target = &picked.targets.list[0];
        if (picked.targets.n != 1 || target->n_ranges > 1 ||
            (target->ranges && target->ranges[0].lo != target->ranges[0].hi)) {
                (void)err_set(&err, ERR_USAGE, "one job or one task at a time; example: jobctl why 36.4");
                return cli_fail(cli, &err);
        }
        listing.request.u.why.job = target->job;
        listing.request.u.why.has_job = true;
        if (target->ranges) {
                listing.request.u.why.index = target->ranges[0].lo;
                listing.request.u.why.has_index = true;
        }
        return command_print(cli, &print, &listing, 1);
}

const struct command command_why = { "why", &program, run };
