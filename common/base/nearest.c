/* Nearness of words, for suggestions only: nothing is ever decided by it. */
#include "base/nearest.h"

#include <string.h>

#include "base/cleanup.h"

#define WORD_MAX 63 /* longer words are not typed by hand */

size_t word_distance(const char *a, const char *b)
{
        size_t na = strlen(a), nb = strlen(b);
        unsigned char rows[3][WORD_MAX + 1];
        unsigned char *before = rows[0], *above = rows[1], *row = rows[2];

        if (na > WORD_MAX || nb > WORD_MAX)
                return MAX(na, nb);
        for (size_t j = 0; j <= nb; j++)
                above[j] = (unsigned char)j;
        for (size_t i = 1; i <= na; i++) {
                unsigned char *oldest = before;

                row[0] = (unsigned char)i;
                for (size_t j = 1; j <= nb; j++) {
                        unsigned d = above[j - 1] + (a[i - 1] != b[j - 1]);

                        d = MIN(d, above[j] + 1U);
                        d = MIN(d, row[j - 1] + 1U);
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                                d = MIN(d, before[j - 2] + 1U);
                        row[j] = (unsigned char)d;
                }
                before = above;
                above = row;
                row = oldest;
        }
        return above[nb];
}

void nearest_offer(struct nearest *nearest, const char *word, const char *candidate)
{
        size_t n = strlen(word);
        size_t d = word_distance(word, candidate);

        /* The beginning of a longer word counts as near: `--at-most` for `--at-most-once`. */
        if (n >= 3 && strncmp(word, candidate, n) == 0)
                d = 1;
        if (!nearest->best || d < nearest->distance) {
                nearest->best = candidate;
                nearest->distance = d;
        }
}

const char *nearest_get(const struct nearest *nearest, const char *word)
{
        size_t n = strlen(word);
        size_t most = n <= 3 ? 1 : n <= 6 ? 2 : 3;

        return nearest->best && nearest->distance <= most ? nearest->best : NULL;
}
