/* jobsubmit: submits one job, and waits for it if asked. Prints the job's id on stdout and nothing else there, but for
 * the output that --watch asks for. */
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "cli/follow.h"
#include "cli/submit.h"

/* Options of the script first, then the command line, which therefore counts more. *ret_is_script: the first word is
 * a script; its text stays in *script. */
struct script { /* what its options point into */
        struct buf text;
        struct slurm_script slurm;
        size_t late;
};

static void script_done(struct script *script)
{
        buf_done(&script->text);
        buf_done(&script->slurm.ignored);
        json_texts_done(&script->slurm.texts);
}

static int parse(int n_words, char *const *words, struct opts *opts, struct submit *submit,
                 struct script *script, struct err *err)
{
        bool slurm;
        CLEANUP_OPTS struct opts line = { 0 };

        if (opt_parse(&submit_program, n_words, words, &line, err) < 0)
                return -1;
        if (!line.help && !line.version && !line.had_dashes && line.n_words && !opts_has(&line, "type"))
                submit->is_script = submit_is_script(line.words[0]);
        slurm = opts_has(&line, "compat") && opts_number(&line, "compat", 0) == COMPAT_SLURM;
        script->slurm.has_time = opts_has(&line, "time");
        if (slurm &&
            submit_slurm_options(submit->is_script ? line.words[0] : NULL, opts, &script->slurm, err) < 0)
                return -1;
        if (submit->is_script &&
            submit_script_options(line.words[0], opts, &script->text, &script->late, err) < 0)
                return -1;
        submit->n_script_values = opts->n_values;
        return opt_parse(&submit_program, n_words, words, opts, err);
}

static int print_id(const struct submit *submit, const struct submitted *submitted, struct err *err)
{
        CLEANUP_BUF struct buf out = { 0 };

        if (submit->cli->form == CLI_FORM_JSON) {
                buf_addf(&out,
                         "{\"schema\":\"jobsubmit/1\",\"job_id\":%" PRIu64 ",\"tasks\":%" PRIu64 ",\"key\":",
                         submitted->job, submitted->tasks);
                buf_add_json_str(&out, submit->key, strlen(submit->key));
                buf_addf(&out, ",\"existing\":%s}\n", submitted->existing ? "true" : "false");
        } else {
                buf_addf(&out, "%" PRIu64 "\n", submitted->job);
        }
        if (opts_flag(submit->opts, "watch")) {
                fwrite(out.bytes, 1, out.n, stderr);
                return 0;
        }
        if (cli_write(out.bytes, out.n, err) < 0)
                return -1;
        return fflush(stdout) == 0 ? 0 : err_set(err, ERR_INTERNAL, "write to stdout failed");
}

static void say_what_to_know(const struct submit *submit, const struct submitted *submitted)
{
        if (submitted->existing)
                cli_detail(submit->cli,
                           "this key was used before with the same job: nothing new was submitted");
        if (submitted->has_suitable && submitted->suitable_workers == 0)
                cli_note(submit->cli,
                         "no connected worker can run job %" PRIu64
                         " now%s%s; it is queued. Start one: jobworker --profile FILE (deploy/local scale N)",
                         submitted->job, *submitted->lack ? ": " : "", submitted->lack);
        cli_detail(submit->cli, "job %" PRIu64 ", %" PRIu64 " tasks, key %s", submitted->job,
                   submitted->tasks, submit->key);
}

static int wait_for(const struct submit *submit, const struct submitted *submitted)
{
        const struct logs logs = { .streams = LOGS_BOTH, .split = true };
        const struct follow follow = {
                .cli = submit->cli,
                .logs = opts_flag(submit->opts, "watch") ? &logs : NULL,
                .progress = opts_flag(submit->opts, "progress"),
                .exit_code = opts_flag(submit->opts, "exit-code"),
                .timeout_ms = opts_number(submit->opts, "timeout", -1),
                .watched = submitted->watched,
        };
        struct target target = { .job = submitted->job };
        struct targets targets = { .list = &target, .n = 1 };
        struct err err = { 0 };
        int code;

        signal(SIGPIPE,
               SIG_DFL); /* the id is told: a reader that has enough ends it quietly, and the job goes on */
        if (follow_targets(&follow, &targets, &code, &err) == 0)
                return cli_flush(submit->cli, code);
        return interrupted() ? follow_interrupted(submit->cli, &targets) : cli_fail(submit->cli, &err);
}

/* Nobody heard whether the job exists: the key makes trying again safe. */
static int fail_unsure(const struct submit *submit, const struct err *err)
{
        bool later = err->code == ERR_RETRY_LATER && !client_was_refused(submit->cli->client);
        bool open = interrupted() || err->code == ERR_UNREACHABLE || later;
        int code = interrupted() ? EXIT_INTERRUPTED : cli_fail(submit->cli, err);

        if (open)
                fprintf(stderr,
                        "%s: it is not known whether the job was submitted; to have it exactly once, run the "
                        "same "
                        "command again with --key %s\n",
                        submit->cli->program, submit->key);
        return code;
}

static int submit_and_wait(struct submit *submit)
{
        struct submitted submitted;
        struct err err = { 0 };
        bool unsure = false;

        if (submit_build(submit, &err) < 0)
                return cli_fail(submit->cli, &err);
        if (opts_flag(submit->opts, "dry-run"))
                return submit_show(submit, &err) < 0 ? cli_fail(submit->cli, &err)
                                                     : cli_flush(submit->cli, 0);
        submit->watch = opts_flag(submit->opts, "wait") && !opts_flag(submit->opts, "watch") &&
                        !opts_flag(submit->opts, "progress") && opts_number(submit->opts, "timeout", -1) != 0;
        interrupt_catch();
        if (submit_send(submit, NULL, &submitted, &unsure, &err) < 0) {
                if (unsure)
                        return fail_unsure(submit, &err);
                return interrupted() ? EXIT_INTERRUPTED : cli_fail(submit->cli, &err);
        }
        say_what_to_know(submit, &submitted);
        if (print_id(submit, &submitted, &err) < 0) {
                (void)err_wrap(&err, "job %" PRIu64 " was submitted, but its id could not be printed",
                               submitted.job);
                return cli_fail(submit->cli, &err);
        }
        if (opts_flag(submit->opts, "wait") || opts_flag(submit->opts, "watch"))
                return wait_for(submit, &submitted);
        return 0;
}

static void say_of_script(const struct cli *cli, const struct script *script)
{
        const char *p = script->slurm.ignored.n ? script->slurm.ignored.bytes : "";

        if (script->late)
                cli_note(
                        cli,
                        "%s:%zu: #JOB counts only in the comments at the script's head; this line is ignored",
                        cli->opts->words[0], script->late);
        for (size_t n; *p; p += n + 1) {
                n = strcspn(p, "\n");
                cli_note(cli, "#SBATCH %.*s", (int)n, p);
        }
}

int main(int argc, char **argv)
{
        CLEANUP_OPTS struct opts opts = { 0 };
        __attribute__((cleanup(script_done))) struct script script = { 0 };
        CLEANUP_CLI struct cli cli = { 0 };
        struct submit submit = SUBMIT_EMPTY;
        struct err err = { 0 };
        int code;

        signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of the write, with a message and a code */
        if (parse(argc - 1, argv + 1, &opts, &submit, &script, &err) < 0)
                return cli_fail_early("jobsubmit", &err);
        if (opt_answer(&opts))
                return 0;
        cli_init(&cli, "jobsubmit", &opts);
        say_of_script(&cli, &script);
        if (submit_slurm_partition(&cli, &opts, &script.slurm.texts, &err) < 0)
                return cli_exit(cli_fail(&cli, &err));
        submit.cli = &cli;
        submit.opts = &opts;
        if (opts_has(&opts, "from") && opts_has(&opts, "file")) {
                err_set(&err, ERR_USAGE, "--from and --file exclude each other: one command, one of them");
                code = cli_fail(&cli, &err);
        } else if (opts_has(&opts, "from"))
                code = submit_from(&cli, &opts);
        else
                code = submit_and_wait(&submit);
        submit_done(&submit);
        return cli_exit(code);
}
