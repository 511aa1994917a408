/* uthash with shorter chains: a table grows when one of its chains reaches seven elements instead of ten, which under coming
 * and going leaves about twice as many buckets as elements. In a table of ten thousands most of a search is reading lines
 * that lie in no cache (tests/bench/NOTES.md, 18). Include this, not uthash.h. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <uthash.h>

#undef HASH_BKT_CAPACITY_THRESH
#define HASH_BKT_CAPACITY_THRESH 7U

#endif
