/* Allocation that cannot fail. The only place that decides what running out of memory means: the process stops
 * at once, because a half-built state is worse than a restart and a replay. */
#include "base/xalloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *check(void *p)
{
        if (!p) {
                fputs("out of memory\n", stderr);
                abort();
        }
        return p;
}

void *xmalloc(size_t bytes)
{
        return check(malloc(bytes ? bytes : 1));
}

void *xcalloc(size_t n, size_t bytes)
{
        return check(calloc(n ? n : 1, bytes ? bytes : 1));
}

void *xrealloc(void *p, size_t bytes)
{
        return check(realloc(p, bytes ? bytes : 1));
}

void *xmemdup(const void *p, size_t bytes)
{
        void *copy = xmalloc(bytes);

        if (bytes)
                memcpy(copy, p, bytes);
        return copy;
}

char *xstrdup(const char *s)
{
        return xmemdup(s, strlen(s) + 1);
}

char *xstrndup(const char *s, size_t bytes)
{
        char *copy = xmalloc(bytes + 1);

        if (bytes)
                memcpy(copy, s, bytes);
        copy[bytes] = '\0';
        return copy;
}

char *xasprintf(const char *fmt, ...)
{
        va_list args;
        char *text;

        va_start(args, fmt);
        if (vasprintf(&text, fmt, args) < 0)
                text = NULL;
        va_end(args);
        return check(text);
}

void xfree(void *p)
{
        free(p);
}
