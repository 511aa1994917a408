/* jobctl secret: values that tasks get as environment variables and that nothing shows. A value is never a word of a
 * command line, where every user of the machine could read it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/secret_file.h"
#include "base/xalloc.h"
#include "cli/command.h"
#include "cli/submit.h"

#define VALUE_BYTES_MAX 65536 /* of PROTOCOL.md */
#define NAME_BYTES_MAX 64

static int take_name(const struct cli *cli, const char **ret_name, size_t *ret_n, struct err *err)
{
        const char *name = cli->opts->words[0];
        size_t n = strlen(name);

        if (n > NAME_BYTES_MAX || !submit_is_env_name(name, n))
                return err_set(err, ERR_USAGE,
                               "'%.80s' is no name of a secret: letters, digits and _, not JOB_…; example: "
                               "API_TOKEN",
                               name);
        *ret_name = name;
        *ret_n = n;
        return 0;
}

/* A person who types is not shown what he types. */
static bool hide_typing(int fd, struct termios *before)
{
        struct termios quiet;

        if (!isatty(fd) || tcgetattr(fd, before) < 0)
                return false;
        quiet = *before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        fputs("value, then Enter and Ctrl-D: ", stderr);
        return tcsetattr(fd, TCSAFLUSH, &quiet) == 0;
}

static int read_value(int fd, char *value, size_t *ret_n, struct err *err)
{
        size_t at = 0;
        ssize_t n;

        while ((n = read(fd, value + at, VALUE_BYTES_MAX + 2 - at)) != 0) {
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_set(err, ERR_BAD_DATA, "the value: %s", strerror(errno));
                at += (size_t)n;
                if (at == VALUE_BYTES_MAX + 2)
                        break;
        }
        if (at && value[at - 1] == '\n')
                at--;
        if (at == 0 || at > VALUE_BYTES_MAX)
                return err_set(err, ERR_BAD_DATA, "a value has 1 to %d bytes", VALUE_BYTES_MAX);
        if (memchr(value, 0, at))
                return err_set(err, ERR_BAD_DATA,
                               "the value holds a zero byte, which no environment variable can; use: base64");
        *ret_n = at;
        return 0;
}

static int open_value(const struct cli *cli, struct err *err)
{
        const char *path = cli->opts->n_words > 1 ? cli->opts->words[1] : "-";
        int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_BAD_DATA, "%s: %s", path, strerror(errno));
        return fd;
}

static int send_value(struct cli *cli, struct msg *request)
{
        char *value = xmalloc(VALUE_BYTES_MAX + 2);
        struct termios before;
        struct err err = { 0 };
        int fd = open_value(cli, &err), code;
        bool hidden = fd >= 0 && hide_typing(fd, &before);
        int rc = fd < 0 ? -1 : read_value(fd, value, &request->body_bytes, &err);

        if (hidden) {
                tcsetattr(fd, TCSAFLUSH, &before);
                fputc('\n', stderr);
        }
        if (fd > STDIN_FILENO)
                close(fd);
        request->body = value;
        code = rc < 0 ? cli_fail(cli, &err) : command_change(cli, request, "secret kept");
        secret_wipe(value, VALUE_BYTES_MAX + 2);
        xfree(value);
        return code;
}

static int run_secret_add(struct cli *cli)
{
        struct msg request = { .kind = MSG_secret_set };
        struct err err = { 0 };

        if (command_words(cli, 1, 2, &err) < 0 ||
            take_name(cli, &request.u.secret_set.name, &request.u.secret_set.n_name, &err) < 0)
                return cli_fail(cli, &err);
        return send_value(cli, &request);
}

static int run_secret_set(struct cli *cli)
{
        return run_secret_add(cli);
}

static int run_secret_rm(struct cli *cli)
{
        struct msg request = { .kind = MSG_secret_rm };
        struct err err = { 0 };

        if (command_words(cli, 1, 1, &err) < 0 ||
            take_name(cli, &request.u.secret_rm.name, &request.u.secret_rm.n_name, &err) < 0)
                return cli_fail(cli, &err);
        return command_change(cli, &request, "secret removed");
}

static int run_secret_ls(struct cli *cli)
{
        static const struct print print = { .schema = "jobctl.secret/1" };
        CLEANUP_LISTING struct listing listing = { .cli = cli, .request = { .kind = MSG_list } };
        struct err err = { 0 };

        if (command_words(cli, 0, 0, &err) < 0)
                return cli_fail(cli, &err);
        listing.request.u.list.what = LIST_KIND_SECRETS;
        listing.request.u.list.has_what = true;
        return command_print(cli, &print, &listing, 1);
}

static const struct opt no_options[] = { { 0 } };

PROGRAM(secret_ls, "secret ls", "list the names of your secrets", no_options, cli_query_options, "[options]",
        "jobctl secret ls", "jobctl secret ls --json", "jobctl secret ls --csv");
PROGRAM(secret_add, "secret add",
        "keep a secret, or give one a new value; a newline at its end does not count", no_options,
        cli_common_options, "NAME [FILE]", "jobctl secret add API_TOKEN token.txt",
        "pass show api | jobctl secret add API_TOKEN   # from stdin",
        "jobsubmit --secret API_TOKEN -- sh -c 'curl -H \"Authorization: $API_TOKEN\" …'");
PROGRAM(secret_set, "secret set", "give a secret a new value, or keep one; the same as secret add",
        no_options, cli_common_options, "NAME [FILE]", "jobctl secret set API_TOKEN token.txt",
        "pass show api | jobctl secret set API_TOKEN   # from stdin", "jobctl secret ls");
PROGRAM(secret_rm, "secret rm", "remove a secret; tasks that name it cannot start any more", no_options,
        cli_common_options, "NAME", "jobctl secret rm API_TOKEN", "jobctl secret ls",
        "jobctl secret add API_TOKEN token.txt");
