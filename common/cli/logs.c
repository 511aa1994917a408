/* Printing recorded output. The bytes are exactly those that the task wrote, but for labels that were asked for and a
 * terminal, where control characters are escaped (newline and tab stay). */
#include "cli/logs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/xalloc.h"

#define ASK_CHUNKS 16 /* 1 MiB at most: what one answer holds in flight */

static bool stays(char c)
{
        return c == '\n' || c == '\t';
}

static void add_escaped(struct buf *out, const char *bytes, size_t n)
{
        while (n > 0) {
                size_t plain = 0;

                while (plain < n && !stays(bytes[plain]))
                        plain++;
                escape_add_text(out, bytes, plain);
                if (plain < n)
                        buf_add_char(out, bytes[plain++]);
                bytes += plain;
                n -= plain;
        }
}

static void add_labelled(struct logs_task *task, struct buf *out, const char *bytes, size_t n, bool escape)
{
        while (n > 0) {
                const char *newline = memchr(bytes, '\n', n);
                size_t line = newline ? (size_t)(newline - bytes) + 1 : n;

                if (!task->in_line)
                        buf_addf(out, "%" PRIu64 ".%" PRIu64 ": ", task->job, task->index);
                if (escape)
                        add_escaped(out, bytes, line);
                else
                        buf_add(out, bytes, line);
                task->in_line = !newline;
                bytes += line;
                n -= line;
        }
}

static int write_to(FILE *stream, const char *bytes, size_t n, struct err *err)
{
        if (n && fwrite(bytes, 1, n, stream) != n)
                return err_set(err, ERR_INTERNAL, "write output: %s", strerror(errno));
        return 0;
}

static int print_bytes(const struct logs *logs, struct logs_task *task, FILE *stream, const char *bytes,
                       size_t n, struct err *err)
{
        bool escape = isatty(fileno(stream));
        CLEANUP_BUF struct buf out = { 0 };

        if (!logs->label && !escape)
                return write_to(stream, bytes, n, err);
        if (logs->label)
                add_labelled(task, &out, bytes, n, escape);
        else
                add_escaped(&out, bytes, n);
        return write_to(stream, out.bytes, out.n, err);
}

/* Where the last `lines` lines begin. */
static size_t tail_start(const struct buf *text, uint64_t lines)
{
        size_t at = text->n;

        if (at && text->bytes[at - 1] == '\n')
                at--;
        for (; at > 0; at--)
                if (text->bytes[at - 1] == '\n' && --lines == 0)
                        break;
        return at;
}

static int print_chunk(const struct logs *logs, struct logs_task *task, const struct msg *msg,
                       struct buf *tail, struct err *err)
{
        const struct msg_chunk *chunk = &msg->u.chunk;
        bool is_err = chunk->has_stream && chunk->stream == STREAM_STDERR;
        FILE *stream = logs->split && is_err ? stderr : stdout;

        if (!msg->body_bytes)
                return 0;
        if (tail) {
                buf_add(tail, msg->body, msg->body_bytes);
                return 0;
        }
        return print_bytes(logs, task, stream, msg->body, msg->body_bytes, err);
}

int logs_print(const struct logs *logs, struct logs_task *task, const struct msg *msg, struct err *err)
{
        const struct msg_chunk *chunk = &msg->u.chunk;

        if (chunk->has_attempt && chunk->attempt != task->attempt) {
                task->attempt = chunk->attempt;
                task->next = 0;
        }
        if (chunk->seq < task->next) /* sent again after a reconnect */
                return 0;
        task->next = chunk->seq + 1;
        return print_chunk(logs, task, msg, NULL, err);
}

static struct msg ask(const struct logs *logs, const struct logs_task *task)
{
        struct msg request = { .kind = MSG_logs };
        struct msg_logs *m = &request.u.logs;

        m->job = task->job;
        m->has_job = true;
        m->index = task->index;
        m->has_index = true;
        m->attempt = logs->attempt;
        m->has_attempt = logs->attempt != 0;
        m->stream = logs->streams == LOGS_STDERR ? STREAM_STDERR : STREAM_STDOUT;
        m->has_stream = logs->streams != LOGS_BOTH;
        if (!m->has_stream)
                m->stream = 0;
        m->from = task->next;
        m->has_from = task->next != 0;
        m->max = ASK_CHUNKS;
        m->has_max = true;
        return request;
}

/* One question: chunks up to `end`. *ret_again: there may be more right now. */
static int pull_once(const struct logs *logs, struct logs_task *task, struct buf *tail, bool *ret_again,
                     struct err *err)
{
        struct msg request = ask(logs, task);
        CLEANUP_WITH(msg_free) struct msg *msg = NULL;
        uint64_t chunks = 0;

        if (cli_connect(logs->cli, err) < 0 || client_send(logs->cli->client, &request, err) < 0)
                return -1;
        for (;;) {
                msg_free(msg);
                msg = client_next(logs->cli->client, -1, NULL, err);
                if (!msg)
                        return -1;
                if (msg->kind != MSG_chunk)
                        break;
                if (msg->u.chunk.seq < task->next) /* sent again after a reconnect */
                        continue;
                if (task->attempt && msg->u.chunk.has_attempt && msg->u.chunk.attempt != task->attempt)
                        continue; /* of an attempt that began meanwhile: asked for below, from its start */
                if (print_chunk(logs, task, msg, tail, err) < 0)
                        return -1;
                task->next = msg->u.chunk.seq + 1;
                chunks++;
        }
        if (msg->kind != MSG_end)
                return err_set(err, ERR_INTERNAL, "the coordinator answered logs with %s", msg_op(msg->kind));
        task->attempts = msg->u.end.attempts;
        *ret_again = chunks >= ASK_CHUNKS;
        if (msg->u.end.has_next && msg->u.end.next > task->next)
                task->next = msg->u.end.next;
        task->final = msg->u.end.final && !*ret_again;
        if (msg->u.end.has_attempt && task->attempt && msg->u.end.attempt != task->attempt) {
                task->next = 0;
                task->final = false;
                *ret_again = true;
        }
        if (msg->u.end.has_attempt)
                task->attempt = msg->u.end.attempt;
        return 0;
}

int logs_pull(const struct logs *logs, struct logs_task *task, struct err *err)
{
        CLEANUP_BUF struct buf tail = { 0 };
        bool again = true, first = task->next == 0 && task->attempt == 0;

        while (again)
                if (pull_once(logs, task, logs->tail && first ? &tail : NULL, &again, err) < 0)
                        return err_wrap(err, "output of %" PRIu64 ".%" PRIu64, task->job, task->index);
        if (tail.n) {
                size_t from = tail_start(&tail, logs->tail);

                return print_bytes(logs, task, stdout, tail.bytes + from, tail.n - from, err);
        }
        return 0;
}
