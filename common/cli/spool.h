/* Bytes that are written once and read back: in memory while they are few, else in a file without a name in
 * $TMPDIR, which disappears with the process. */
#ifndef CLI_SPOOL_H
#define CLI_SPOOL_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SPOOL_MEMORY_BYTES ((size_t)4 << 20) /* four chunks: most inputs never touch the disk */

struct spool { /* zero-initialised with fd = -1 is empty: SPOOL_EMPTY */
        struct buf memory; /* all of it, or what is not in the file yet */
        int fd;
        uint64_t file_bytes;
};
#define SPOOL_EMPTY                                                                                          \
        {                                                                                                    \
                .fd = -1                                                                                     \
        }

int spool_add(struct spool *spool, const void *bytes, size_t n, struct err *err) MUST_CHECK;
uint64_t spool_bytes(const struct spool *spool);
/* Exactly n bytes from `at` on. */
int spool_read(struct spool *spool, uint64_t at, void *bytes, size_t n, struct err *err) MUST_CHECK;
void spool_done(struct spool *spool);

#endif
