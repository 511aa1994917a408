/* Files that hold secrets. Checks are made on the open descriptor, never on the name, so that nothing can be
 * exchanged between the check and the reading. */
#include "base/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"

void secret_wipe(void *bytes, size_t n)
{
        if (n)
                explicit_bzero(bytes, n);
}

void secret_free(char *text, size_t n_bytes)
{
        if (!text)
                return;
        secret_wipe(text, n_bytes);
        free(text);
}

static void close_fd(int *fd)
{
        if (*fd >= 0)
                close(*fd);
}
#define CLEANUP_FD __attribute__((cleanup(close_fd)))

/* The folder that holds `path`, as a new string. */
static char *folder_of(const char *path)
{
        const char *slash = strrchr(path, '/');

        if (!slash)
                return xstrdup(".");
        return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

static int check_folder(const char *path, struct err *err)
{
        CLEANUP_WITH(xfree) char *folder = folder_of(path);
        struct stat st;

        if (stat(folder, &st) < 0)
                return err_set(err, ERR_CONFIG, "%s: %s", folder, strerror(errno));
        /* In a sticky folder others can add names but not touch ours. */
        if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
                return err_set(err, ERR_CONFIG, "%s: everybody may replace files in %s; run: chmod o-w %s",
                               path, folder, folder);
        return 0;
}

static int check_file(int fd, const char *path, struct stat *ret_st, struct err *err)
{
        if (fstat(fd, ret_st) < 0)
                return err_set(err, ERR_CONFIG, "%s: %s", path, strerror(errno));
        if (!S_ISREG(ret_st->st_mode))
                return err_set(err, ERR_CONFIG, "%s: not a regular file", path);
        if (ret_st->st_uid != geteuid() && ret_st->st_uid != 0)
                return err_set(err, ERR_CONFIG, "%s: belongs to user %u, not to user %u who wants to use it",
                               path, (unsigned)ret_st->st_uid, (unsigned)geteuid());
        if (ret_st->st_mode & (S_IRWXG | S_IRWXO))
                return err_set(err, ERR_CONFIG,
                               "%s: others may read or write it (mode %04o); run: chmod 600 %s", path,
                               (unsigned)(ret_st->st_mode & 07777), path);
        return check_folder(path, err);
}

/* Up to `max` bytes, until the end of the file; -1 and errno otherwise. */
static ssize_t read_all(int fd, char *into, size_t max)
{
        size_t n = 0;

        while (n < max) {
                ssize_t got = read(fd, into + n, max - n);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return -1;
                if (got == 0)
                        break;
                n += (size_t)got;
        }
        return (ssize_t)n;
}

int secret_file_read(const char *path, size_t max_bytes, char **ret_text, size_t *ret_bytes, struct err *err)
{
        /* O_NONBLOCK: a FIFO put there must not hold us until somebody writes into it. */
        CLEANUP_FD int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        struct stat st;
        char *text;
        ssize_t n;

        if (fd < 0 && errno == ELOOP)
                return err_set(err, ERR_CONFIG, "%s: is a symbolic link; name the file itself", path);
        if (fd < 0)
                return err_set(err, ERR_CONFIG, "%s: %s", path, strerror(errno));
        if (check_file(fd, path, &st, err) < 0)
                return -1;
        if ((uint64_t)st.st_size > max_bytes)
                return err_set(err, ERR_CONFIG, "%s: longer than %zu bytes", path, max_bytes);
        text = xmalloc(max_bytes + 2);
        n = read_all(fd, text, max_bytes + 1);
        if (n < 0 || (size_t)n > max_bytes) {
                int why = errno;

                secret_free(text, max_bytes + 2);
                if (n < 0)
                        return err_set(err, ERR_CONFIG, "%s: %s", path, strerror(why));
                return err_set(err, ERR_CONFIG, "%s: longer than %zu bytes", path, max_bytes);
        }
        text[n] = '\0';
        *ret_text = text;
        *ret_bytes = (size_t)n;
        return 0;
}

static int write_all(int fd, const char *from, size_t n)
{
        while (n > 0) {
                ssize_t put = write(fd, from, n);

                if (put < 0 && errno == EINTR)
                        continue;
                if (put < 0)
                        return -1;
                from += put;
                n -= (size_t)put;
        }
        return fsync(fd);
}

static int sync_folder(const char *path)
{
        CLEANUP_WITH(xfree) char *folder = folder_of(path);
        CLEANUP_FD int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        /* Some file systems know no fsync of a folder; there the name is as durable as it gets. */
        return fd < 0 ? -1 : fsync(fd) < 0 && errno != EINVAL ? -1 : 0;
}

int secret_file_create(const char *path, const void *text, size_t bytes, struct err *err)
{
        CLEANUP_WITH(xfree) char *draft = xasprintf("%s.XXXXXX", path);
        CLEANUP_FD int fd = mkostemp(draft, O_CLOEXEC); /* 0600, O_EXCL */
        bool made;
        int why;

        if (fd < 0)
                return err_set(err, ERR_CONFIG, "%s cannot be made: %s", path, strerror(errno));
        /* link() gives the finished file its name only if nobody has it: O_EXCL for content and name at once. */
        made = fchmod(fd, S_IRUSR | S_IWUSR) == 0 && write_all(fd, text, bytes) == 0 &&
               link(draft, path) == 0;
        why = errno;
        unlink(draft);
        if (!made)
                return err_set(err, ERR_CONFIG, "%s cannot be made: %s", path, strerror(why));
        if (sync_folder(path) < 0)
                return err_set(err, ERR_CONFIG, "%s: its folder cannot be written to disk: %s", path,
                               strerror(errno));
        return 0;
}
