/* A run of bytes that may be large. */
#include "cli/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"

static int open_file(struct err *err)
{
        const char *folder = getenv("TMPDIR");
        CLEANUP_WITH(xfree)
        char *path = xasprintf("%s/jobsubmit.XXXXXX", folder && *folder ? folder : "/tmp");
        int fd = mkostemp(path, O_CLOEXEC);

        if (fd < 0)
                return err_set(err, ERR_INTERNAL, "temporary file %s: %s; set TMPDIR to a folder with room",
                               path, strerror(errno));
        unlink(path);
        return fd;
}

static int write_all(struct spool *spool, struct err *err)
{
        const char *p = spool->memory.bytes;
        size_t left = spool->memory.n;

        while (left > 0) {
                ssize_t n = write(spool->fd, p, left);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_set(err, ERR_INTERNAL,
                                       "temporary file: %s; set TMPDIR to a folder with room",
                                       strerror(errno));
                p += n;
                left -= (size_t)n;
        }
        spool->file_bytes += spool->memory.n;
        buf_clear(&spool->memory);
        return 0;
}

int spool_add(struct spool *spool, const void *bytes, size_t n, struct err *err)
{
        buf_add(&spool->memory, bytes, n);
        if (spool->memory.n <= SPOOL_MEMORY_BYTES)
                return 0;
        if (spool->fd < 0)
                spool->fd = open_file(err);
        return spool->fd < 0 ? -1 : write_all(spool, err);
}

uint64_t spool_bytes(const struct spool *spool)
{
        return spool->file_bytes + spool->memory.n;
}

int spool_read(struct spool *spool, uint64_t at, void *bytes, size_t n, struct err *err)
{
        char *to = bytes;

        BUG_ON(at + n > spool_bytes(spool));
        while (n > 0 && at < spool->file_bytes) {
                ssize_t got = pread(spool->fd, to, MIN(n, spool->file_bytes - at), (off_t)at);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got <= 0)
                        return err_set(err, ERR_INTERNAL, "temporary file: %s",
                                       got ? strerror(errno) : "cut short");
                to += got;
                at += (uint64_t)got;
                n -= (size_t)got;
        }
        if (n > 0)
                memcpy(to, spool->memory.bytes + (at - spool->file_bytes), n);
        return 0;
}

void spool_done(struct spool *spool)
{
        buf_done(&spool->memory);
        if (spool->fd >= 0)
                close(spool->fd);
        *spool = (struct spool)SPOOL_EMPTY;
}
