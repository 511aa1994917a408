/* Allocation that cannot fail: out of memory stops the process, here and nowhere else. */
#ifndef BASE_XALLOC_H
#define BASE_XALLOC_H

#include <stddef.h>

#include "base/cleanup.h"

void *xmalloc(size_t bytes);
void *xcalloc(size_t n, size_t bytes); /* zeroed; overflow of n * bytes stops too */
void *xrealloc(void *p, size_t bytes);
void *xmemdup(const void *p, size_t bytes);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t bytes);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);
void xfree(void *p); /* free, as a function for CLEANUP_WITH */

static inline void xfree_cleanup(void *p)
{
        xfree(*(void **)p);
}

/* Grow an array of *cap elements so that `need` fit; doubles, so pushes cost O(1). */
#define GROW(array, cap, need)                                                                               \
        do {                                                                                                 \
                if ((size_t)(need) > (cap)) {                                                                \
                        (cap) = MAX((size_t)(need), (cap) ? 2 * (cap) : (size_t)8);                          \
                        (array) = xrealloc((array), (cap) * sizeof(*(array)));                               \
                }                                                                                            \
        } while (0)

#endif
