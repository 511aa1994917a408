/* $JOB_RESULT: what a task left under that name is not trusted to be a file. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exec/run.h"
#include "proto/json_scan.h"

#define RESULT_MAX ((size_t)1 << 20)

static bool is_blank(char c)
{
        return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* The value alone: blanks around it are grammar, and would only be in the way in tables. */
static void trim(struct buf *text)
{
        size_t from = 0;

        while (text->n && is_blank(text->bytes[text->n - 1]))
                text->n--;
        while (from < text->n && is_blank(text->bytes[from]))
                from++;
        if (from) {
                struct buf rest = { 0 };

                buf_add(&rest, text->bytes + from, text->n - from);
                buf_done(text);
                *text = rest;
        }
}

static enum task_reason read_all(int fd, struct buf *text)
{
        struct stat st;
        ssize_t n;

        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return TASK_REASON_BAD_RESULT;
        if (st.st_size > (off_t)RESULT_MAX)
                return TASK_REASON_RESULT_TOO_LARGE;
        do {
                buf_reserve(text, 65536);
                n = read(fd, text->bytes + text->n, 65536);
                if (n > 0)
                        text->n += (size_t)n;
                if (text->n > RESULT_MAX)
                        return TASK_REASON_RESULT_TOO_LARGE;
        } while (n > 0);
        return n < 0 ? TASK_REASON_BAD_RESULT : TASK_REASON_NONE;
}

enum task_reason result_read(int at_fd, const char *path, struct buf *ret_text, bool *ret_has)
{
        int fd = openat(at_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        enum task_reason reason;
        struct err err;

        *ret_has = false;
        if (fd < 0)
                return errno == ENOENT ? TASK_REASON_NONE : TASK_REASON_BAD_RESULT;
        reason = read_all(fd, ret_text);
        close(fd);
        if (reason != TASK_REASON_NONE)
                return reason;
        if (json_check(ret_text->bytes ? ret_text->bytes : "", ret_text->n, &err) < 0)
                return TASK_REASON_BAD_RESULT;
        trim(ret_text);
        *ret_has = true;
        return TASK_REASON_NONE;
}
