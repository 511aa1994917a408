/* Ranges by bisection. */
#include "cli/index_set.h"

#include <string.h>

#include "base/xalloc.h"

/* The first range that ends at `index` or above. */
static size_t place_of(const struct index_set *set, uint64_t index)
{
        size_t lo = 0, hi = set->n;

        while (lo < hi) {
                size_t mid = (lo + hi) / 2;

                if (set->list[mid].hi < index)
                        lo = mid + 1;
                else
                        hi = mid;
        }
        return lo;
}

bool index_set_has(const struct index_set *set, uint64_t index)
{
        size_t at = place_of(set, index);

        return at < set->n && set->list[at].lo <= index;
}

void index_set_add(struct index_set *set, uint64_t index)
{
        size_t at = place_of(set, index);
        struct range *list = set->list;
        bool joins_next = at < set->n && list[at].lo == index + 1;
        bool joins_last = at > 0 && list[at - 1].hi + 1 == index;

        if (at < set->n && list[at].lo <= index)
                return;
        if (joins_last && joins_next) {
                list[at - 1].hi = list[at].hi;
                set->n--;
                memmove(list + at, list + at + 1, (set->n - at) * sizeof(*list));
        } else if (joins_last) {
                list[at - 1].hi = index;
        } else if (joins_next) {
                list[at].lo = index;
        } else {
                GROW(set->list, set->cap, set->n + 1);
                list = set->list;
                memmove(list + at + 1, list + at, (set->n - at) * sizeof(*list));
                list[at] = (struct range){ index, index };
                set->n++;
        }
}

void index_set_done(struct index_set *set)
{
        xfree(set->list);
        *set = (struct index_set){ 0 };
}
