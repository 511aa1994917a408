/* The shell around every client command: profile, connection, messages. Decides nothing about jobs. */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/utf8.h"
#include "base/xalloc.h"

#define CONNECT_TIMEOUT_MS 10000
#define NOTE_BYTES 2048 /* longer ones are cut */
#define NOTES_KEPT 65536 /* bytes of notes that are known to have been said */

#define COMMON_ROWS                                                                                          \
        { .name = "profile",                                                                                 \
          .parse = opt_word,                                                                                 \
          .arg = "FILE",                                                                                     \
          .help = "where the coordinator is and who you are (else $JOBMILL_PROFILE, else "                   \
                  "~/.config/jobmill/profile)",                                                              \
          .group = "Common" },                                                                               \
                { .name = "connect-timeout",                                                                 \
                  .parse = opt_duration,                                                                     \
                  .arg = "T",                                                                                \
                  .help = "how long to try to reach the coordinator (default 10s)",                          \
                  .min = 1,                                                                                  \
                  .max = 86400000,                                                                           \
                  .example = "30s" },                                                                        \
                { .name = "json", .help = "print one JSON object" },                                         \
                { .name = "quiet", .letter = 'q', .help = "no notes on stderr" },                            \
                { .name = "verbose", .letter = 'v', .help = "say more on stderr" },                          \
        {                                                                                                    \
                .name = "no-color", .help = "no colours on a terminal"                                       \
        }

const struct opt cli_common_options[] = { COMMON_ROWS, { 0 } };
const struct opt cli_query_options[] = {
        COMMON_ROWS,
        { .name = "csv", .help = "print comma-separated values with a header line" },
        { 0 },
};

static bool has_option(const struct opts *opts, const char *name)
{
        for (const struct opt *opt = opts->program->common; opt && opt->name; opt++)
                if (strcmp(opt->name, name) == 0)
                        return opts_flag(opts, name);
        return false;
}

void cli_init(struct cli *cli, const char *program, const struct opts *opts)
{
        *cli = (struct cli){ .program = program, .opts = opts };
        if (has_option(opts, "csv"))
                cli->form = CLI_FORM_CSV;
        if (opts_flag(opts, "json"))
                cli->form = CLI_FORM_JSON;
        cli->quiet = opts_flag(opts, "quiet");
        cli->verbose = opts_flag(opts, "verbose");
        cli->escape = isatty(STDOUT_FILENO);
        cli->notes = xcalloc(1, sizeof(*cli->notes));
}

void cli_done(struct cli *cli)
{
        client_free(cli->client);
        profile_free(cli->profile);
        if (cli->notes)
                buf_done(cli->notes);
        xfree(cli->notes);
        cli->client = NULL;
        cli->profile = NULL;
        cli->notes = NULL;
}

/* --- profile and connection ----------------------------------------------------------------------------------- */
static char *profile_path(const struct cli *cli)
{
        const char *path = opts_text(cli->opts, "profile");
        const char *home = getenv("HOME");

        if (!path)
                path = getenv("JOBMILL_PROFILE");
        if (path && *path)
                return xstrdup(path);
        return home && *home ? xasprintf("%s/.config/jobmill/profile", home) : NULL;
}

int cli_profile(struct cli *cli, struct err *err)
{
        CLEANUP_WITH(xfree) char *path = profile_path(cli);
        bool named = opts_has(cli->opts, "profile") || getenv("JOBMILL_PROFILE");

        if (cli->profile)
                return 0;
        if (!path || (!named && access(path, F_OK) < 0 && errno == ENOENT))
                return err_set(err, ERR_CONFIG,
                               "no profile: give --profile FILE, set JOBMILL_PROFILE, or put one at "
                               "~/.config/jobmill/profile; an administrator makes it with: "
                               "jobctl user add NAME --role submitter --profile-out FILE");
        cli->profile = profile_load(path, err);
        if (!cli->profile)
                return err_wrap(err, "profile");
        cli_detail(cli, "profile %s, coordinator %s", cli->profile->path, cli->profile->endpoints[0]);
        return 0;
}

int cli_connect_timeout_ms(const struct cli *cli)
{
        return (int)opts_number(cli->opts, "connect-timeout", CONNECT_TIMEOUT_MS);
}

int cli_connect(struct cli *cli, struct err *err)
{
        if (cli->client)
                return 0;
        if (cli_profile(cli, err) < 0)
                return -1;
        cli->client = client_open(cli->profile, cli_connect_timeout_ms(cli), err);
        if (!cli->client)
                return -1;
        client_set_patience(cli->client, cli_connect_timeout_ms(cli));
        return 0;
}

struct msg *cli_call(struct cli *cli, struct msg *request, enum msg_kind expect, struct err *err)
{
        CLEANUP_WITH(msg_free) struct msg *answer = NULL;

        if (cli_connect(cli, err) < 0)
                return NULL;
        answer = client_call(cli->client, request, -1, err);
        if (!answer)
                return NULL;
        if (answer->kind != expect) {
                err_set(err, ERR_INTERNAL, "the coordinator answered %s with %s", msg_op(request->kind),
                        msg_op(answer->kind));
                return NULL;
        }
        return STEAL(answer);
}

/* --- messages and output -------------------------------------------------------------------------------------- */
static void say(const char *program, const char *text)
{
        CLEANUP_BUF struct buf line = { 0 };

        buf_addf(&line, "%s: ", program);
        escape_add_text(&line, text, strlen(text));
        buf_add_char(&line, '\n');
        fflush(stdout);
        fwrite(line.bytes, 1, line.n, stderr);
}

int cli_fail_early(const char *program, const struct err *err)
{
        say(program, err->text);
        return err_exit_code(err->code);
}

int cli_fail(const struct cli *cli, const struct err *err)
{
        return cli_fail_early(cli->program, err);
}

void cli_note(const struct cli *cli, const char *fmt, ...)
{
        char text[NOTE_BYTES];
        CLEANUP_BUF struct buf line = { 0 };
        va_list args;

        if (cli->quiet)
                return;
        va_start(args, fmt);
        vsnprintf(text, sizeof(text), fmt, args);
        va_end(args);
        buf_addf(&line, "%s\n", text);
        if (cli->notes && cli->notes->n > 0 && strstr(cli->notes->bytes, line.bytes))
                return;
        if (cli->notes && cli->notes->n < NOTES_KEPT)
                buf_add(cli->notes, line.bytes, line.n);
        say(cli->program, text);
}

void cli_detail(const struct cli *cli, const char *fmt, ...)
{
        char text[NOTE_BYTES];
        va_list args;

        if (!cli->verbose)
                return;
        va_start(args, fmt);
        vsnprintf(text, sizeof(text), fmt, args);
        va_end(args);
        say(cli->program, text);
}

int cli_check_text(const char *what, const char *text, size_t least, size_t most, struct err *err)
{
        size_t n = strlen(text);

        if (!utf8_valid(text, n))
                return err_set(err, ERR_BAD_DATA, "%s is not valid UTF-8", what);
        if (n < least)
                return err_set(err, ERR_USAGE, "%s is empty", what);
        if (n > most)
                return err_set(err, ERR_USAGE, "%s has %zu bytes, at most %zu are allowed", what, n, most);
        return 0;
}

void cli_add_text(const struct cli *cli, struct buf *out, const char *text, size_t n)
{
        if (cli->escape)
                escape_add_text(out, text, n);
        else
                buf_add(out, text, n);
}

int cli_write(const void *bytes, size_t n, struct err *err)
{
        if (n && fwrite(bytes, 1, n, stdout) != n)
                return err_set(err, ERR_INTERNAL, "write to stdout: %s", strerror(errno));
        return 0;
}

int cli_flush(const struct cli *cli, int exit_code)
{
        if (fflush(stdout) == 0 && !ferror(stdout))
                return exit_code;
        if (errno != EPIPE)
                cli_note(cli, "write to stdout: %s", strerror(errno));
        return exit_code ? exit_code : err_exit_code(ERR_INTERNAL);
}

int cli_exit(int exit_code)
{
        interrupt_end();
        fflush(NULL);
#ifndef __SANITIZE_ADDRESS__
        _exit(exit_code);
#endif
        return exit_code;
}
