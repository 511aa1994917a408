/* A set of numbers that mostly fills up without gaps: ranges, ascending and apart. */
#ifndef CLI_INDEX_SET_H
#define CLI_INDEX_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/msg.h"

struct index_set {
        struct range *list;
        size_t n, cap;
};
bool index_set_has(const struct index_set *set, uint64_t index); /* O(log ranges) */
void index_set_add(struct index_set *set, uint64_t index); /* O(ranges) where it joins none */
void index_set_done(struct index_set *set);

#endif
