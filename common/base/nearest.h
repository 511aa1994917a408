/* "Did you mean …?": how far apart two words are, for messages about unknown options, commands and words. */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

/* Single-character insertions, deletions, changes and swaps of neighbours between `a` and `b`; words longer than
 * 63 bytes are as far apart as they are long. O(|a| · |b|). */
size_t word_distance(const char *a, const char *b);

/* Remembers the nearest candidate; start with {0}. */
struct nearest {
        const char *best; /* borrowed; NULL: none offered */
        size_t distance;
};
void nearest_offer(struct nearest *nearest, const char *word, const char *candidate);
/* The best candidate if it is near enough to be what was meant, else NULL. */
const char *nearest_get(const struct nearest *nearest, const char *word);

#endif
