/* Hostile by assumption: whoever a task starts may connect a thousand times, say nothing, say garbage, or read nothing.
 *
 * 1. A connection holds at most one line; half a line has LINE_US to become a whole one.
 * 2. At most CONNECTIONS_MAX: a new one takes the place of the one that has been silent longest.
 * 3. A turn reads at most READ_MAX of one connection, so that one that never stops is not alone. */
#include "exec/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "proto/json_scan.h"

#define SOCKET_NAME "socket"
#define CONNECTIONS_MAX 256
#define LINE_US (5 * US_PER_S)
#define READ_MAX 2048
#define ACCEPTS_A_TURN 64
#define BACKLOG 1024 /* a thousand at once wait here, not in vain */
#define DEPTH_MAX 8 /* of a value */

struct connection {
        struct watch watch;
        struct timer timer;
        struct reporter *reporter;
        struct reporter_task task;
        bool known; /* task is one */
        struct buf in;
        struct connection *prev, *next; /* the one that has been silent longest first */
};

struct reporter {
        struct loop *loop;
        const struct scratch *scratch;
        struct reporter_host host;
        char *path;
        struct watch watch;
        struct connection *connections;
        size_t n;
        struct json_tokens tokens; /* of the line at hand */
};

static void connection_free(struct connection *connection)
{
        struct reporter *reporter = connection->reporter;

        loop_timer_clear(reporter->loop, &connection->timer);
        loop_remove(reporter->loop, &connection->watch);
        close(connection->watch.fd);
        DL_DELETE(reporter->connections, connection);
        reporter->n--;
        buf_done(&connection->in);
        free(connection);
}

/* ------------------------------------------------------------------ a line */
static bool is_key(const char *text, const struct json_token *key, const char *name)
{
        return key->end - key->at == strlen(name) && !memcmp(text + key->at, name, strlen(name));
}

static int take_number(const struct json_token *token, bool *ret_has, uint64_t *ret_n, struct err *err)
{
        if (token->kind != JSON_KIND_INTEGER || token->integer < 0)
                return err_set(err, ERR_BAD_FIELD, "done and total are whole numbers from 0 on");
        *ret_has = true;
        *ret_n = (uint64_t)token->integer;
        return 0;
}

/* [A-Za-z0-9][A-Za-z0-9._-]{0,63} */
static bool is_name(const char *name, size_t n)
{
        static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

        for (size_t i = 0; i < n; i++)
                if (!strchr(first, name[i]) && (i == 0 || !strchr("._-", name[i])))
                        return false;
        return n > 0 && n <= 64;
}

/* The text of token `at` with everything in it; a string with its quotes. */
static void span_of(const struct json_tokens *tokens, size_t at, const char *text, struct wvalue *value)
{
        const struct json_token *token = &tokens->list[at];
        bool quoted = token->kind == JSON_KIND_STRING;

        value->json = text + token->at - quoted;
        value->n_json = token->end - token->at + 2 * (size_t)quoted;
}

static int take_values(const char *text, const struct json_tokens *tokens, size_t at, struct wvalue *values,
                       struct wnews *news, struct err *err)
{
        const struct json_token *set = &tokens->list[at];

        if (set->kind != JSON_KIND_OBJECT)
                return err_set(err, ERR_BAD_FIELD, "set is an object of names and values");
        for (size_t member = at + 1; member < set->next; member = json_next(tokens->list, member + 1)) {
                const struct json_token *key = &tokens->list[member];
                struct wvalue value = { .name = text + key->at, .n_name = key->end - key->at };

                if (!is_name(value.name, value.n_name))
                        return err_set(err, ERR_BAD_FIELD,
                                       "a name has 1 to 64 letters, digits, dots, dashes, underscores, "
                                       "the first of them a letter or digit");
                if (news->n_values == WCORE_VALUES_MAX)
                        return err_set(err, ERR_TOO_LARGE, "more than %d values", WCORE_VALUES_MAX);
                span_of(tokens, member + 1, text, &value);
                values[news->n_values++] = value;
        }
        news->values = values;
        return 0;
}

int report_parse(const char *text, size_t n, struct json_tokens *tokens,
                 struct wvalue values[WCORE_VALUES_MAX], struct wnews *ret_news, struct err *err)
{
        struct wnews news = { 0 };

        if (n > REPORT_LINE_MAX)
                return err_set(err, ERR_TOO_LARGE, "a line has at most %d bytes", REPORT_LINE_MAX);
        if (json_scan(text, n, DEPTH_MAX, tokens, err) < 0 || json_no_doubles(text, tokens, 0, err) < 0)
                return -1;
        if (tokens->list[0].kind != JSON_KIND_OBJECT)
                return err_set(err, ERR_BAD_FIELD, "a line is one JSON object");
        for (size_t at = 1; at < tokens->list[0].next; at = json_next(tokens->list, at + 1)) {
                const struct json_token *key = &tokens->list[at], *value = key + 1;
                int rc;

                if (is_key(text, key, "done"))
                        rc = take_number(value, &news.has_done, &news.done, err);
                else if (is_key(text, key, "total"))
                        rc = take_number(value, &news.has_total, &news.total, err);
                else if (is_key(text, key, "set"))
                        rc = take_values(text, tokens, at + 1, values, &news, err);
                else
                        rc = err_set(err, ERR_BAD_FIELD, "members are done, total and set");
                if (rc < 0)
                        return -1;
        }
        if (news.has_total && !news.has_done)
                return err_set(err, ERR_BAD_FIELD, "total comes with done");
        *ret_news = news;
        return 0;
}

/* ------------------------------------------------------------------ connections */
/* False: it is gone. Whoever does not read answers is not waited for. */
static bool answer(struct connection *connection, const struct err *err)
{
        CLEANUP_BUF struct buf line = { 0 };

        if (err) {
                buf_add_str(&line, "{\"error\":");
                buf_add_json_str(&line, err->text, strlen(err->text));
                buf_add_str(&line, "}\n");
        } else {
                buf_add_str(&line, "{\"ok\":true}\n");
        }
        if (send(connection->watch.fd, line.bytes, line.n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)line.n)
                return true;
        connection_free(connection);
        return false;
}

static bool on_line(struct connection *connection, const char *text, size_t n)
{
        struct reporter *reporter = connection->reporter;
        struct wvalue values[WCORE_VALUES_MAX];
        struct wnews news;
        struct err err = { 0 };

        if (!connection->known)
                err_set(&err, ERR_NOT_FOUND, "this process belongs to no task that runs here");
        else if (report_parse(text, n, &reporter->tokens, values, &news, &err) == 0 &&
                 reporter->host.report(reporter->host.arg, &connection->task, &news, &err) == 0)
                return answer(connection, NULL);
        return answer(connection, &err);
}

static void refuse_line(struct connection *connection, const char *text)
{
        struct err err = { 0 };

        err_set(&err, ERR_TOO_LARGE, "%s", text);
        if (answer(connection, &err))
                connection_free(connection);
}

/* The whole lines of what has come; the rest stays. False: the connection is gone. */
static bool take_lines(struct connection *connection)
{
        size_t at = 0;
        const char *end;

        while ((end = memchr(connection->in.bytes + at, '\n', connection->in.n - at))) {
                size_t n = (size_t)(end - connection->in.bytes) - at;

                if (!on_line(connection, connection->in.bytes + at, n))
                        return false;
                at += n + 1;
        }
        if (at) {
                connection->in.n -= at;
                memmove(connection->in.bytes, connection->in.bytes + at, connection->in.n);
        }
        if (connection->in.n <= REPORT_LINE_MAX)
                return true;
        refuse_line(connection, "a line is too long");
        return false;
}

static void on_timer(struct timer *timer)
{
        struct connection *connection =
                (struct connection *)((char *)timer - offsetof(struct connection, timer));

        refuse_line(connection, "half a line, and no end of it for seconds");
}

static void on_readable(struct watch *watch, uint32_t events)
{
        struct connection *connection =
                (struct connection *)((char *)watch - offsetof(struct connection, watch));
        struct reporter *reporter = connection->reporter;
        ssize_t got;

        (void)events;
        buf_reserve(&connection->in, READ_MAX);
        got = recv(watch->fd, connection->in.bytes + connection->in.n, READ_MAX, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (got <= 0) {
                if (connection->in.n == 0 || on_line(connection, connection->in.bytes, connection->in.n))
                        connection_free(connection);
                return;
        }
        connection->in.n += (size_t)got;
        DL_DELETE(reporter->connections, connection);
        DL_APPEND(reporter->connections, connection);
        if (!take_lines(connection))
                return;
        if (connection->in.n == 0)
                loop_timer_clear(reporter->loop, &connection->timer);
        else if (!connection->timer.place)
                loop_timer_set(reporter->loop, &connection->timer, clock_mono_us() + LINE_US);
}

static bool may_speak(const struct reporter *reporter, const struct ucred *peer)
{
        uid_t user = reporter->scratch->user ? reporter->scratch->user->uid : geteuid();

        return peer->uid == user || peer->uid == 0;
}

static void add_connection(struct reporter *reporter, int fd)
{
        struct connection *connection;
        struct ucred peer = { 0 };
        socklen_t n = sizeof(peer);
        struct err err;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0 || !may_speak(reporter, &peer)) {
                close(fd);
                return;
        }
        if (reporter->n == CONNECTIONS_MAX)
                connection_free(reporter->connections);
        connection = xcalloc(1, sizeof(*connection));
        connection->reporter = reporter;
        connection->watch = (struct watch){ .fd = fd, .ready = on_readable };
        connection->timer.due = on_timer;
        connection->known = reporter->host.find(reporter->host.arg, peer.pid, &connection->task);
        DL_APPEND(reporter->connections, connection);
        reporter->n++;
        if (loop_add(reporter->loop, &connection->watch, EPOLLIN, &err) < 0)
                connection_free(connection);
}

static void on_acceptable(struct watch *watch, uint32_t events)
{
        struct reporter *reporter = (struct reporter *)((char *)watch - offsetof(struct reporter, watch));

        (void)events;
        for (int i = 0; i < ACCEPTS_A_TURN; i++) {
                int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (fd >= 0) {
                        add_connection(reporter, fd);
                } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                        if (!reporter->connections)
                                return;
                        connection_free(reporter->connections); /* room for the next try */
                } else if (errno != EINTR && errno != ECONNABORTED) {
                        return;
                }
        }
}

/* ------------------------------------------------------------------ life */
/* By the folder's descriptor: an address has room for 107 bytes, a path for more. */
static int bind_in(int fd, const struct scratch *scratch)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" SOCKET_NAME, scratch->fd);
        unlinkat(scratch->fd, SOCKET_NAME, 0);
        if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
            fchmodat(scratch->fd, SOCKET_NAME, 0600, 0) < 0)
                return -1;
        return scratch->user ? fchownat(scratch->fd, SOCKET_NAME, scratch->user->uid, scratch->user->gid,
                                        AT_SYMLINK_NOFOLLOW)
                             : 0;
}

struct reporter *reporter_new(struct loop *loop, const struct scratch *scratch,
                              const struct reporter_host *host, struct err *err)
{
        struct reporter *reporter = xcalloc(1, sizeof(*reporter));
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        reporter->loop = loop;
        reporter->scratch = scratch;
        reporter->host = *host;
        reporter->path = xasprintf("%s/" SOCKET_NAME, scratch->path);
        reporter->watch = (struct watch){ .fd = fd, .ready = on_acceptable };
        if (fd < 0 || bind_in(fd, scratch) < 0 || listen(fd, BACKLOG) < 0) {
                err_set(err, ERR_CONFIG, "%s: %s", reporter->path, strerror(errno));
        } else if (loop_add(loop, &reporter->watch, EPOLLIN, err) == 0) {
                return reporter;
        }
        reporter_free(reporter);
        return NULL;
}

void reporter_free(struct reporter *reporter)
{
        if (!reporter)
                return;
        while (reporter->connections)
                connection_free(reporter->connections);
        if (reporter->watch.fd >= 0) {
                loop_remove(reporter->loop, &reporter->watch);
                close(reporter->watch.fd);
        }
        unlinkat(reporter->scratch->fd, SOCKET_NAME, 0);
        json_tokens_done(&reporter->tokens);
        free(reporter->path);
        free(reporter);
}

const char *reporter_path(const struct reporter *reporter)
{
        return reporter->path;
}
