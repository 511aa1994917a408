/* jobworker: runs tasks. The command line; everything else is app.c. */
#include <sched.h>
#include <string.h>

#include "app.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "exec/machine.h"
#include "exec/cache.h"

#define CONNECT_TIMEOUT_MS 10000
#define DURATION_MAX_MS INT64_C(31622400000) /* a year */

/* k or k=v, with something in it; k is a name. */
static int parse_label(const struct opt *opt, const char *text, int64_t *ret_number, struct err *err)
{
        size_t n_key = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

        (void)opt;
        (void)ret_number;
        if (!n_key || (text[n_key] && (text[n_key] != '=' || !text[n_key + 1])) || strlen(text) > 255 ||
            !utf8_valid(text, strlen(text)))
                return err_set(err, ERR_USAGE, "'%.80s' is no label, nor label=value", text);
        return 0;
}

static int parse_res(const struct opt *opt, const char *text, int64_t *ret_number, struct err *err)
{
        size_t n_name = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
        const char *digits = text + n_name + 1;

        (void)opt;
        (void)ret_number;
        if (!n_name || n_name > 64 || text[n_name] != '=' || !*digits || strlen(digits) > 15 ||
            digits[strspn(digits, "0123456789")])
                return err_set(err, ERR_USAGE, "'%s' is not of the form name=number", text);
        return 0;
}

static int parse_on_lost(const struct opt *opt, const char *text, int64_t *ret_number, struct err *err)
{
        (void)opt;
        if (!strcmp(text, "finish"))
                *ret_number = WON_LOST_FINISH;
        else if (!strcmp(text, "stop"))
                *ret_number = WON_LOST_STOP;
        else
                return err_set(err, ERR_USAGE, "'%s' is neither finish nor stop", text);
        return 0;
}

static const struct opt options[] = {
        { "profile", 0, opt_word, "FILE", "coordinator and key of this worker", .group = "Who",
          .example = "w1.profile" },
        { "slots", 0, opt_count, "N", "tasks at once, one cpu each (default: the cores it may use)",
          .group = "Room", .min = 1, .max = 4096, .example = "4" },
        { "mem", 0, opt_size, "SIZE",
          "memory for tasks that ask for some (default: the machine's, or what its control group allows)",
          .min = 1, .max = INT64_C(1) << 50, .example = "16G" },
        { "gpus", 0, opt_count, "N", "gpus for tasks (default: how many /dev/nvidia0 … there are)", .min = 0,
          .max = 64, .example = "2" },
        { "res", 0, parse_res, "NAME=N", "another resource that tasks use up with --res; may be given again",
          .many = true, .example = "licence=3" },
        { "label", 0, parse_label, "K[=V]", "what jobs can ask for with --require", .many = true,
          .example = "disk=ssd" },
        { "scratch", 0, opt_word, "DIR", "where tasks get their folders (default: below $TMPDIR or /tmp)",
          .example = "/var/tmp/jobs" },
        { "cache", 0, opt_size, "SIZE",
          "input files kept for further jobs of the same person (default: 4G; 0: none)",
          .max = INT64_C(1) << 50, .example = "4G" },
        { "task-user", 0, opt_word, "USER", "run tasks as this user (a worker started by root only)",
          .example = "nobody" },
        { "idle-exit", 0, opt_duration, "T", "end after so long without a task", .group = "Time", .min = 1,
          .max = DURATION_MAX_MS, .example = "10m" },
        { "life", 0, opt_duration, "T", "drain and end after this time", .min = 1, .max = DURATION_MAX_MS,
          .example = "8h" },
        { "drain-timeout", 0, opt_duration, "T", "while draining, stop tasks after this time (default: wait)",
          .min = 1, .max = DURATION_MAX_MS, .example = "5m" },
        { "connect-timeout", 0, opt_duration, "T", "give up when nobody has answered by then (default: 10s)",
          .min = 1, .max = DURATION_MAX_MS, .example = "30s" },
        { "on-lost", 0, parse_on_lost, "finish|stop",
          "tasks when no coordinator answers for the reconnect window (default: stop)", .example = "finish" },
        { "quiet", 'q', NULL, NULL, "log errors and warnings only", .group = "Log" },
        { "verbose", 'v', NULL, NULL, "log more", .group = NULL },
        { 0 },
};

static const char *const examples[] = {
        "jobworker --profile w1.profile",
        "jobworker --profile w1.profile --slots 8 --mem 32G --label disk=ssd",
        "jobworker --profile w1.profile --idle-exit 10m --life 8h",
        NULL,
};
static const char *const usage[] = { "--profile FILE [options]", NULL };

static const struct opt_program program = {
        .name = "jobworker",
        .purpose = "runs tasks of a Jobmill coordinator on this machine",
        .examples = examples,
        .usage = usage,
        .options = options,
        .notes = "SIGTERM: takes nothing new and ends when what runs is done; a second one stops it.\n"
                 "Prints `ready` on stdout once the coordinator knows it.\n"
                 "Exit codes: 0 drained, 64 usage, 69 no coordinator, 77 key refused, 78 profile or settings "
                 "wrong.",
};

static uint64_t cores(void)
{
        cpu_set_t set;

        if (sched_getaffinity(0, sizeof(set), &set) < 0)
                return 1;
        return (uint64_t)MAX(CPU_COUNT(&set), 1);
}

static int run(const struct opts *opts)
{
        CLEANUP_WITH(xfree) const char **labels = xcalloc(opts->n_values + 1, sizeof(*labels));
        CLEANUP_WITH(xfree) const char **res = xcalloc(opts->n_values + 1, sizeof(*res));
        struct app_config config = {
                .profile = opts_text(opts, "profile"),
                .slots = (uint64_t)opts_number(opts, "slots", (int64_t)cores()),
                .labels = labels,
                .mem_bytes = (uint64_t)opts_number(opts, "mem", (int64_t)machine_mem_bytes()),
                .gpus = (uint64_t)opts_number(opts, "gpus", machine_gpus()),
                .res = res,
                .cache_bytes = (uint64_t)opts_number(opts, "cache", CACHE_BYTES_DEFAULT),
                .scratch = opts_text(opts, "scratch"),
                .task_user = opts_text(opts, "task-user"),
                .on_lost = (enum won_lost)opts_number(opts, "on-lost", WON_LOST_STOP),
                .idle_exit_us = opts_number(opts, "idle-exit", 0) * US_PER_MS,
                .life_us = opts_number(opts, "life", 0) * US_PER_MS,
                .drain_timeout_us = opts_number(opts, "drain-timeout", 0) * US_PER_MS,
                .connect_timeout_us = opts_number(opts, "connect-timeout", CONNECT_TIMEOUT_MS) * US_PER_MS,
        };
        const struct opt_value *label;
        size_t at = 0;

        while ((label = opts_next(opts, "label", &at)) && config.n_labels < 256)
                labels[config.n_labels++] = label->text;
        at = 0;
        while ((label = opts_next(opts, "res", &at)) && config.n_res < 64)
                res[config.n_res++] = label->text;
        if (!config.profile) {
                fputs("jobworker: it needs --profile FILE, which `jobctl key add --worker NAME --out FILE` "
                      "makes\n"
                      "Try: jobworker --help\n",
                      stderr);
                return 64;
        }
        return app_run(&config);
}

int main(int argc, char **argv)
{
        CLEANUP_OPTS struct opts opts = { 0 };
        struct err err;

        log_init("jobworker", LOG_LEVEL_INFO);
        if (opt_parse(&program, argc - 1, argv + 1, &opts, &err) < 0 ||
            (!opts.help && !opts.version && opts.n_words &&
             err_set(&err, ERR_USAGE, "'%s' is not an option", opts.words[0]) < 0)) {
                fprintf(stderr, "jobworker: %s\nTry: jobworker --help\n", err.text);
                return 64;
        }
        if (opt_answer(&opts))
                return 0;
        if (opts_flag(&opts, "quiet"))
                log_init("jobworker", LOG_LEVEL_WARN);
        else if (opts_flag(&opts, "verbose"))
                log_init("jobworker", LOG_LEVEL_DEBUG);
        return run(&opts);
}
