/* jobctl report: a task says of itself how far it is, through its worker's socket. No profile, no coordinator: whoever
 * speaks is known to the worker by his process. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "cli/command.h"
#include "proto/json_scan.h"

#define ANSWER_S 10 /* of a worker that is alive: a moment */
#define ANSWER_MAX 4096
#define VALUE_DEPTH 8

static const struct opt no_options[] = { { 0 } };

/* ------------------------------------------------------------------ what is said */
static int take_count(const char *text, size_t n, uint64_t *ret_n, struct err *err)
{
        uint64_t number = 0;

        for (size_t i = 0; i < n; i++) {
                number = number * 10 + (uint64_t)(text[i] - '0');
                if (text[i] < '0' || text[i] > '9' || number > ID_MAX)
                        n = 0;
        }
        if (n == 0)
                return err_set(err, ERR_USAGE, "'%.60s' is no progress; examples: 3/10  45%%  120", text);
        *ret_n = number;
        return 0;
}

/* "3/10", "45%", "120" */
static int add_progress(struct buf *line, const char *text, struct err *err)
{
        size_t n = strcspn(text, "/%");
        uint64_t done, total = 100;
        bool has_total = text[n] != '\0';

        if (take_count(text, n, &done, err) < 0)
                return -1;
        if (text[n] == '%' && text[n + 1])
                return take_count("", 0, &done, err);
        if (text[n] == '/' && take_count(text + n + 1, strlen(text + n + 1), &total, err) < 0)
                return -1;
        buf_addf(line, "{\"done\":%llu", (unsigned long long)done);
        if (has_total)
                buf_addf(line, ",\"total\":%llu", (unsigned long long)total);
        buf_add_str(line, "}\n");
        return 0;
}

static bool is_json(const char *text)
{
        struct json_tokens tokens = { 0 };
        struct err err;
        bool yes = json_scan(text, strlen(text), VALUE_DEPTH, &tokens, &err) == 0;

        json_tokens_done(&tokens);
        return yes && !strpbrk(text, "\r\n");
}

/* loss=0.3, phase=warm-up: a value that is JSON counts as such, everything else is text. */
static int add_value(struct buf *line, const char *word, struct err *err)
{
        const char *equals = strchr(word, '=');

        if (!equals || equals == word)
                return err_set(err, ERR_USAGE,
                               "'%.60s' is no NAME=VALUE; example: jobctl report set loss=0.3", word);
        if (cli_check_text("a value", word, 1, 4096, err) < 0)
                return -1;
        buf_add_json_str(line, word, (size_t)(equals - word));
        buf_add_char(line, ':');
        if (is_json(equals + 1))
                buf_add_str(line, equals + 1);
        else
                buf_add_json_str(line, equals + 1, strlen(equals + 1));
        return 0;
}

/* ------------------------------------------------------------------ the socket */
/* A path that is too long for an address is reached through its folder. */
static int connect_to(const char *path, int *ret_folder, struct err *err)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const struct timeval patience = { .tv_sec = ANSWER_S };
        const char *slash = strrchr(path, '/');

        if (fd < 0)
                return err_set(err, ERR_INTERNAL, "socket: %s", strerror(errno));
        if (strlen(path) < sizeof(address.sun_path)) {
                strcpy(address.sun_path, path);
        } else if (slash) {
                CLEANUP_WITH(xfree) char *folder = xstrndup(path, (size_t)(slash - path));

                *ret_folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
                snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%.40s", *ret_folder,
                         slash + 1);
        }
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
                return fd;
        err_set(err, ERR_UNREACHABLE, "the worker does not answer at %s: %s", path, strerror(errno));
        close(fd);
        return -1;
}

static int read_answer(int fd, struct buf *answer, struct err *err)
{
        while (answer->n < ANSWER_MAX && (!answer->n || answer->bytes[answer->n - 1] != '\n')) {
                char part[512];
                ssize_t n = recv(fd, part, sizeof(part), 0);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return err_set(err, ERR_UNREACHABLE, "the worker gave no answer");
                buf_add(answer, part, (size_t)n);
        }
        return 0;
}

/* {"ok":true} or {"error":"a sentence"} */
static int judge(const struct buf *answer, struct err *err)
{
        struct json_tokens tokens = { 0 };
        const struct json_token *value;
        int rc = json_scan(answer->bytes, answer->n - 1, 2, &tokens, err);

        if (rc == 0 && tokens.n == 3 && tokens.list[2].kind == JSON_KIND_STRING) {
                CLEANUP_WITH(xfree) char *text = NULL;
                size_t n;

                value = &tokens.list[2];
                text = xcalloc(1, value->end - value->at + 1);
                n = json_unescape(answer->bytes, value, text);
                rc = err_set(err, ERR_BAD_DATA, "%.*s", (int)n, text);
        }
        json_tokens_done(&tokens);
        return rc;
}

static int say(const struct buf *line, struct err *err)
{
        CLEANUP_BUF struct buf answer = { 0 };
        const char *path = getenv("JOB_SOCKET");
        int folder = -1, fd, rc;

        if (!path || !*path)
                return err_set(err, ERR_USAGE,
                               "JOB_SOCKET is not set: jobctl report is for use inside a running task");
        fd = connect_to(path, &folder, err);
        if (folder >= 0)
                close(folder);
        if (fd < 0)
                return -1;
        if (send(fd, line->bytes, line->n, MSG_NOSIGNAL) != (ssize_t)line->n)
                rc = err_set(err, ERR_UNREACHABLE, "the worker does not listen: %s", strerror(errno));
        else
                rc = read_answer(fd, &answer, err);
        close(fd);
        return rc < 0 ? -1 : judge(&answer, err);
}

/* ------------------------------------------------------------------ commands */
static int run_report_progress(struct cli *cli)
{
        CLEANUP_BUF struct buf line = { 0 };
        struct err err = { 0 };

        if (command_words(cli, 1, 1, &err) < 0 || add_progress(&line, cli->opts->words[0], &err) < 0 ||
            say(&line, &err) < 0)
                return cli_fail(cli, &err);
        return 0;
}

static int run_report_set(struct cli *cli)
{
        CLEANUP_BUF struct buf line = { 0 };
        struct err err = { 0 };

        if (command_words(cli, 1, 64, &err) < 0)
                return cli_fail(cli, &err);
        for (size_t i = 0; i < cli->opts->n_words; i++) {
                buf_add_str(&line, i ? "," : "{\"set\":{");
                if (add_value(&line, cli->opts->words[i], &err) < 0)
                        return cli_fail(cli, &err);
        }
        buf_add_str(&line, "}}\n");
        if (say(&line, &err) < 0)
                return cli_fail(cli, &err);
        return 0;
}

PROGRAM(report_progress, "report progress", "inside a task: say how far it is", no_options,
        cli_common_options, "DONE[/TOTAL]|N%", "jobctl report progress 3/10", "jobctl report progress 45%",
        "jobctl report progress 120     # of nobody knows how many");
PROGRAM(report_set, "report set", "inside a task: name values of it that can be seen while it runs",
        no_options, cli_common_options, "NAME=VALUE …", "jobctl report set loss=0.3",
        "jobctl report set epoch=4 phase=warm-up", "jobctl report set 'best={\"loss\":0.21,\"epoch\":3}'");
