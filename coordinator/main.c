/* jobcoordinator: options, configuration, and what of the three things that it can do is wanted. */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/opt.h"
#include "coordinator/app.h"
#include "coordinator/conf.h"

static const char *const examples[] = {
        "jobcoordinator --config /etc/jobmill/coordinator.conf",
        "jobcoordinator --config /etc/jobmill/coordinator.conf --check-config",
        "jobcoordinator --config coordinator.conf --init --admin alice --profile-out alice.profile --sql",
        "jobcoordinator --sample-config > coordinator.conf",
        NULL,
};
static const char *const usage[] = { "--config FILE [options]", NULL };
static const struct opt options[] = {
        { .name = "config",
          .letter = 'c',
          .parse = opt_word,
          .arg = "FILE",
          .help = "the configuration",
          .group = "Options" },
        { .name = "check-config",
          .help = "only read the configuration and the files it names, and say what is wrong" },
        { .name = "dev", .help = "accept a database that may lose acknowledged work in a crash" },
        { .name = "verbose", .letter = 'v', .help = "log more" },
        { .name = "sample-config", .help = "print a configuration with every name, its meaning and default" },
        { .name = "init",
          .help = "make keys, schema and the first administrator; what is there stays",
          .group = "Set-up" },
        { .name = "admin", .parse = opt_word, .arg = "NAME", .help = "the first administrator's name" },
        { .name = "profile-out", .parse = opt_word, .arg = "FILE", .help = "where his profile goes" },
        { .name = "sql", .help = "also make a MariaDB account of that name; its option file is FILE.cnf" },
        { .name = "endpoint",
          .parse = opt_word,
          .arg = "ENDPOINT",
          .help = "what the profile connects to (default: the first that is listened on)" },
        { 0 },
};
static const struct opt_program program = {
        .name = "jobcoordinator",
        .purpose = "owns the queue and the database of a Jobmill installation",
        .examples = examples,
        .usage = usage,
        .options = options,
        .notes = "Prints `ready` on stdout once it serves; logs to stderr. SIGTERM: ends after what is "
                 "acknowledged is done.\n"
                 "Exit codes: 0 ended as asked, 75 another coordinator serves here, 78 configuration, keys "
                 "or database\n"
                 "settings are wrong, 70 it had to stop and wants to be started again.",
};

static int fail(const struct err *err)
{
        fprintf(stderr, "jobcoordinator: %s\n", err->text);
        return err_exit_code(err->code);
}

static int run_init(const struct coordinator_conf *conf, const struct opts *opts, struct err *err)
{
        struct init_options init = {
                .admin = opts_text(opts, "admin"),
                .profile_out = opts_text(opts, "profile-out"),
                .endpoint = opts_text(opts, "endpoint"),
                .sql = opts_flag(opts, "sql"),
        };

        if (!init.admin || !init.profile_out)
                return err_set(err, ERR_USAGE, "--init needs --admin NAME and --profile-out FILE");
        return app_init(conf, &init, err);
}

/* Ours are taken by signalfd; threads that libraries start inherit the mask. A broken pipe is an error of a write. */
static void prepare_process(void)
{
        struct rlimit files;
        sigset_t signals;

        /* Blocks of this size go back to the system when they are freed. glibc's own threshold grows with what it sees, and
         * one peer's flood of 1 MiB frames would stay in our memory for ever. */
        mallopt(M_MMAP_THRESHOLD, 256 * 1024);
        mallopt(M_TRIM_THRESHOLD, 4 * 1024 * 1024);
        signal(SIGPIPE, SIG_IGN);
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        pthread_sigmask(SIG_BLOCK, &signals, NULL);
        if (getrlimit(RLIMIT_NOFILE, &files) == 0) { /* a connection each */
                files.rlim_cur = files.rlim_max;
                setrlimit(RLIMIT_NOFILE, &files);
        }
}

static int run(const struct opts *opts)
{
        struct err err = { 0 };
        CLEANUP_WITH(coordinator_conf_free) struct coordinator_conf *conf = NULL;
        const char *path = opts_text(opts, "config");

        if (opts->n_words) {
                err_set(&err, ERR_USAGE, "'%s' is not expected; see --help", opts->words[0]);
                return fail(&err);
        }
        if (!path) {
                err_set(&err, ERR_USAGE, "--config FILE is needed; --sample-config prints one");
                return fail(&err);
        }
        conf = coordinator_conf_load(path, &err);
        if (!conf)
                return fail(&err);
        if (opts_flag(opts, "check-config"))
                return app_check(conf, &err) < 0 ? fail(&err) : 0;
        if (opts_flag(opts, "init"))
                return run_init(conf, opts, &err) < 0 ? fail(&err) : 0;
        prepare_process();
        return app_run(conf, opts_flag(opts, "dev"));
}

int main(int argc, char **argv)
{
        CLEANUP_OPTS struct opts opts = { 0 };
        struct err err = { 0 };

        if (opt_parse(&program, argc - 1, argv + 1, &opts, &err) < 0)
                return fail(&err);
        if (opt_answer(&opts))
                return 0;
        if (opts_flag(&opts, "sample-config")) {
                CLEANUP_BUF struct buf sample = { 0 };

                coordinator_conf_sample(&sample);
                fputs(sample.bytes, stdout);
                return 0;
        }
        log_init("jobcoordinator", opts_flag(&opts, "verbose") ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
        return run(&opts);
}
