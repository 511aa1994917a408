/* A growable run of bytes. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

void buf_done(struct buf *buf)
{
        free(buf->bytes);
        *buf = (struct buf){ 0 };
}

void buf_clear(struct buf *buf)
{
        buf->n = 0;
        if (buf->bytes)
                buf->bytes[0] = '\0';
}

void buf_reserve(struct buf *buf, size_t more)
{
        GROW(buf->bytes, buf->cap, buf->n + more + 1);
}

/* The codec writes a message in thousands of small pieces: the common case makes no call. */
static inline void room(struct buf *buf, size_t more)
{
        if (buf->cap - buf->n <= more)
                buf_reserve(buf, more);
}

void buf_add(struct buf *buf, const void *bytes, size_t n)
{
        room(buf, n);
        if (n)
                memcpy(buf->bytes + buf->n, bytes, n);
        buf->n += n;
        buf->bytes[buf->n] = '\0';
}

void buf_add_str(struct buf *buf, const char *s)
{
        buf_add(buf, s, strlen(s));
}

void buf_add_char(struct buf *buf, char c)
{
        room(buf, 1);
        buf->bytes[buf->n++] = c;
        buf->bytes[buf->n] = '\0';
}

void buf_add_u64(struct buf *buf, uint64_t n)
{
        char digits[24];
        size_t at = sizeof(digits);

        do
                digits[--at] = (char)('0' + n % 10);
        while (n /= 10);
        buf_add(buf, digits + at, sizeof(digits) - at);
}

void buf_add_i64(struct buf *buf, int64_t n)
{
        if (n < 0) {
                buf_add_char(buf, '-');
                buf_add_u64(buf, (uint64_t)0 - (uint64_t)n);
        } else {
                buf_add_u64(buf, (uint64_t)n);
        }
}

void buf_addf(struct buf *buf, const char *fmt, ...)
{
        va_list args, again;
        int n;

        va_start(args, fmt);
        va_copy(again, args);
        n = vsnprintf(NULL, 0, fmt, args);
        va_end(args);
        if (n > 0) {
                buf_reserve(buf, (size_t)n);
                vsnprintf(buf->bytes + buf->n, (size_t)n + 1, fmt, again);
                buf->n += (size_t)n;
        }
        va_end(again);
}

void buf_add_json_str(struct buf *buf, const char *s, size_t n)
{
        static const char hex[] = "0123456789abcdef";
        size_t plain = 0;

        buf_add_char(buf, '"');
        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)s[i];

                if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
                        continue;
                buf_add(buf, s + plain, i - plain);
                plain = i + 1;
                if (c == '"' || c == '\\')
                        buf_add(buf, (char[]){ '\\', (char)c }, 2);
                else if (c == '\n')
                        buf_add(buf, "\\n", 2);
                else if (c == '\t')
                        buf_add(buf, "\\t", 2);
                else
                        buf_add(buf, (char[]){ '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] }, 6);
        }
        buf_add(buf, s + plain, n - plain);
        buf_add_char(buf, '"');
}

char *buf_steal(struct buf *buf)
{
        char *bytes = buf->bytes ? buf->bytes : xstrdup("");

        *buf = (struct buf){ 0 };
        return bytes;
}
