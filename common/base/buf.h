/* A growable run of bytes. `bytes` is always followed by a NUL that is not counted, so that text can be used as
 * a string. Zero-initialised is empty. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct buf {
        char *bytes;
        size_t n;
        size_t cap;
};

void buf_done(struct buf *buf); /* frees; the buf is empty and usable again */
void buf_clear(struct buf *buf);
void buf_reserve(struct buf *buf, size_t more);
void buf_add(struct buf *buf, const void *bytes, size_t n);
void buf_add_str(struct buf *buf, const char *s);
void buf_add_char(struct buf *buf, char c);
void buf_add_u64(struct buf *buf, uint64_t n); /* decimal; a hot path avoids printf */
void buf_add_i64(struct buf *buf, int64_t n);
void buf_addf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* As a JSON string with its quotes; the text must be valid UTF-8. Controls and DEL are escaped. */
void buf_add_json_str(struct buf *buf, const char *s, size_t n);
char *buf_steal(struct buf *buf); /* never NULL; the caller frees */

#define CLEANUP_BUF __attribute__((cleanup(buf_done)))

#endif
