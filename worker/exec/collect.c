/* Files of --out: found by globs below the task's working directory, sent as chunks, named in `finished`.
 *
 * 1. A pattern is matched folder by folder, each opened NOFOLLOW from the one before; nothing outside can be named.
 * 2. Only regular files are recorded. One that is named without wildcards and is none fails the task; among the
 *    matches of a wildcard such are passed over. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/utf8.h"
#include "crypt/digest.h"
#include "exec/run.h"

#define FILES_MAX 1000 /* of one task: their names must fit one message */
#define NAMES_BYTES_MAX ((size_t)100 << 10) /* JSON may make six of one */
#define FILE_CHUNK ((size_t)256 << 10)
#define DEPTH_MAX 64

struct found {
        char *name; /* as recorded: relative to the working directory */
};
struct collect {
        struct run *run;
        int top_fd;
        struct found *found;
        size_t n_found, cap_found, name_bytes;
        size_t at; /* the file that is being sent */
        int fd;
        uint32_t seq;
        uint64_t n_bytes;
        struct digest *digest;
        struct wfile *files;
        size_t n_files;
        bool bad;
};

static int by_name(const void *a, const void *b)
{
        return strcmp(((const struct found *)a)->name, ((const struct found *)b)->name);
}

/* ------------------------------------------------------------------ finding */
static void found_add(struct collect *collect, const char *name)
{
        if (collect->n_found == FILES_MAX || collect->name_bytes + strlen(name) > NAMES_BYTES_MAX ||
            strlen(name) > 4095 || !utf8_valid(name, strlen(name))) {
                collect->bad = true;
                return;
        }
        GROW(collect->found, collect->cap_found, collect->n_found + 1);
        collect->found[collect->n_found++].name = xstrdup(name);
        collect->name_bytes += strlen(name);
}

static bool has_wildcard(const char *s)
{
        return strpbrk(s, "*?[\\") != NULL;
}

static void found_regular(struct collect *collect, int fd, const char *name, const char *whole, bool named)
{
        struct stat st;

        if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
                found_add(collect, whole);
        else if (named)
                collect->bad = true;
}

static void match(struct collect *collect, int fd, const char *prefix, const char *pattern, bool named,
                  int depth);

static void descend(struct collect *collect, int fd, const char *prefix, const char *name, const char *rest,
                    bool named, int depth)
{
        CLEANUP_BUF struct buf whole = { 0 };
        int sub;

        buf_addf(&whole, "%s%s%s", prefix, *prefix ? "/" : "", name);
        if (!rest) {
                found_regular(collect, fd, name, whole.bytes, named);
                return;
        }
        sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (sub < 0) {
                collect->bad |= named;
                return;
        }
        match(collect, sub, whole.bytes, rest, named, depth + 1);
        close(sub);
}

static void match(struct collect *collect, int fd, const char *prefix, const char *pattern, bool named,
                  int depth)
{
        const char *slash = strchr(pattern, '/');
        CLEANUP_WITH(xfree)
        char *part = slash ? xstrndup(pattern, (size_t)(slash - pattern)) : xstrdup(pattern);
        const char *rest = slash ? slash + 1 : NULL;
        struct dirent *entry;
        DIR *dir;

        if (depth > DEPTH_MAX || !strcmp(part, "..")) {
                collect->bad = true;
                return;
        }
        if (!*part || !strcmp(part, ".")) { /* a//b, ./a */
                if (rest)
                        match(collect, fd, prefix, rest, named, depth + 1);
                else
                        collect->bad = true;
                return;
        }
        if (!has_wildcard(part)) {
                descend(collect, fd, prefix, part, rest, named, depth);
                return;
        }
        dir = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!dir)
                return;
        while (!collect->bad && (entry = readdir(dir)))
                if (fnmatch(part, entry->d_name, FNM_PERIOD) == 0 && strcmp(entry->d_name, ".") != 0 &&
                    strcmp(entry->d_name, "..") != 0)
                        descend(collect, fd, prefix, entry->d_name, rest, false, depth);
        closedir(dir);
}

static void drop_doubles(struct collect *collect)
{
        size_t n = 0;

        if (collect->n_found)
                qsort(collect->found, collect->n_found, sizeof(*collect->found), by_name);
        for (size_t i = 0; i < collect->n_found; i++)
                if (n && !strcmp(collect->found[n - 1].name, collect->found[i].name))
                        free(collect->found[i].name);
                else
                        collect->found[n++] = collect->found[i];
        collect->n_found = n;
}

struct collect *collect_new(struct run *run)
{
        const struct rec_job_spec *spec = wtask_spec(run->task);
        struct collect *collect;

        if (!spec->n_outs)
                return NULL;
        collect = xcalloc(1, sizeof(*collect));
        collect->run = run;
        collect->fd = -1;
        collect->digest = digest_new();
        collect->top_fd = open(spec->n_cwd ? spec->cwd : run->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (collect->top_fd < 0)
                collect->bad = true;
        for (size_t i = 0; i < spec->n_outs && collect->top_fd >= 0; i++)
                if (spec->outs[i][0] == '/')
                        collect->bad = true;
                else
                        match(collect, collect->top_fd, "", spec->outs[i], !has_wildcard(spec->outs[i]), 0);
        drop_doubles(collect);
        collect->files = xcalloc(collect->n_found + 1, sizeof(*collect->files));
        return collect;
}

void collect_free(struct collect *collect)
{
        if (!collect)
                return;
        for (size_t i = 0; i < collect->n_found; i++)
                free(collect->found[i].name);
        if (collect->fd >= 0)
                close(collect->fd);
        if (collect->top_fd >= 0)
                close(collect->top_fd);
        digest_free(collect->digest);
        free(collect->found);
        free(collect->files);
        free(collect);
}

/* ------------------------------------------------------------------ sending */
/* Open the file by its recorded name, folder by folder. */
static int open_found(struct collect *collect, const char *name)
{
        CLEANUP_WITH(xfree) char *copy = xstrdup(name);
        int at = collect->top_fd;
        char *part = copy;

        for (char *slash; (slash = strchr(part, '/')); part = slash + 1) {
                int sub;

                *slash = '\0';
                sub = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (at != collect->top_fd)
                        close(at);
                if (sub < 0)
                        return -1;
                at = sub;
        }
        collect->fd = openat(at, part, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (at != collect->top_fd)
                close(at);
        return collect->fd;
}

static void next_file(struct collect *collect)
{
        if (collect->fd >= 0)
                close(collect->fd);
        collect->fd = -1;
        collect->seq = 0;
        collect->n_bytes = 0;
        collect->at++;
}

static void file_sent(struct collect *collect)
{
        struct wfile *file = &collect->files[collect->n_files++];

        *file = (struct wfile){ .file = (uint32_t)collect->n_files,
                                .name = collect->found[collect->at].name,
                                .bytes = collect->n_bytes };
        digest_hex(collect->digest, file->sha256);
        next_file(collect);
}

/* One chunk of the current file. A full buffer that happens to be the file's end is followed by an empty final one. */
static void send_chunk(struct collect *collect)
{
        struct run *run = collect->run;
        CLEANUP_BUF struct buf bytes = { 0 };
        struct wchunk chunk = { .seq = collect->seq++ };
        ssize_t n = 1;

        buf_reserve(&bytes, FILE_CHUNK);
        while (bytes.n < FILE_CHUNK && n > 0) {
                n = read(collect->fd, bytes.bytes + bytes.n, FILE_CHUNK - bytes.n);
                bytes.n += n > 0 ? (size_t)n : 0;
        }
        if (n < 0)
                collect->bad = true;
        digest_add(collect->digest, bytes.bytes, bytes.n);
        collect->n_bytes += bytes.n;
        chunk.bytes = bytes.bytes;
        chunk.n_bytes = bytes.n;
        chunk.final = n <= 0;
        run->exec->host.store(run->exec->host.arg, run->task, &chunk, (uint32_t)collect->n_files + 1);
        if (chunk.final)
                file_sent(collect);
}

bool collect_step(struct collect *collect)
{
        struct run *run = collect->run;

        while (collect->at < collect->n_found) {
                if (!run->exec->host.may_store(run->exec->host.arg))
                        return false;
                if (collect->fd < 0 && open_found(collect, collect->found[collect->at].name) < 0) {
                        collect->bad = true;
                        next_file(collect);
                        continue;
                }
                send_chunk(collect);
        }
        run->end.files = collect->files;
        run->end.n_files = collect->n_files;
        if (collect->bad && run->end.reason == TASK_REASON_NONE)
                run->end.reason = TASK_REASON_OUTPUT_FILES;
        return true;
}
