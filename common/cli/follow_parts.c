/* A selection put in order. Nothing is asked of anybody here. */
#include "cli/follow_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

static int by_job(const void *a, const void *b)
{
        const struct target *x = a, *y = b;

        return x->job < y->job ? -1 : x->job > y->job;
}

static int by_low_end(const void *a, const void *b)
{
        const struct range *x = a, *y = b;

        return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* Ascending and apart, as messages want them. */
static size_t join_ranges(struct range *list, size_t n)
{
        size_t kept = 0;

        if (n)
                qsort(list, n, sizeof(*list), by_low_end);
        for (size_t i = 1; i < n; i++) {
                if (list[i].lo <= list[kept].hi + 1)
                        list[kept].hi = MAX(list[kept].hi, list[i].hi);
                else
                        list[++kept] = list[i];
        }
        return n ? kept + 1 : 0;
}

/* The targets list[0 … n) are of one job. */
static struct follow_part part_of(const struct target *list, size_t n)
{
        struct follow_part part = { .job = list->job };
        size_t n_ranges = 0;

        for (size_t i = 0; i < n; i++) {
                if (!list[i].ranges)
                        return part;
                n_ranges += list[i].n_ranges;
        }
        part.ranges = xcalloc(n_ranges, sizeof(*part.ranges));
        for (size_t i = 0; i < n; i++) {
                memcpy(part.ranges + part.n_ranges, list[i].ranges, list[i].n_ranges * sizeof(*part.ranges));
                part.n_ranges += list[i].n_ranges;
        }
        part.n_ranges = join_ranges(part.ranges, part.n_ranges);
        return part;
}

struct follow_parts follow_parts_of(const struct targets *targets)
{
        struct follow_parts parts = { 0 };
        CLEANUP_WITH(xfree) struct target *sorted = xcalloc(MAX(targets->n, 1), sizeof(*sorted));

        if (targets->n)
                memcpy(sorted, targets->list, targets->n * sizeof(*sorted));
        qsort(sorted, targets->n, sizeof(*sorted), by_job);
        parts.list = xcalloc(MAX(targets->n, 1), sizeof(*parts.list));
        for (size_t i = 0, next; i < targets->n; i = next) {
                for (next = i + 1; next < targets->n && sorted[next].job == sorted[i].job;)
                        next++;
                parts.list[parts.n++] = part_of(sorted + i, next - i);
        }
        return parts;
}

void follow_parts_done(struct follow_parts *parts)
{
        for (size_t i = 0; i < parts->n; i++)
                xfree(parts->list[i].ranges);
        xfree(parts->list);
        *parts = (struct follow_parts){ 0 };
}

size_t follow_parts_fit(const struct follow_parts *parts, size_t first)
{
        size_t n = 0, n_ranges = 0;

        while (first + n < parts->n && n < FOLLOW_JOBS_MAX) {
                n_ranges += parts->list[first + n].n_ranges;
                if (n > 0 && n_ranges > FOLLOW_JOBS_MAX)
                        break;
                n++;
        }
        return n;
}

size_t follow_parts_at(const struct follow_parts *parts, uint64_t job)
{
        size_t lo = 0, hi = parts->n;

        while (lo < hi) {
                size_t mid = (lo + hi) / 2;

                if (parts->list[mid].job < job)
                        lo = mid + 1;
                else
                        hi = mid;
        }
        return lo;
}

size_t follow_parts_run(const struct follow_parts *parts, size_t first, size_t end)
{
        size_t n = 1;

        if (parts->list[first].ranges)
                return 1;
        while (first + n < end && !parts->list[first + n].ranges &&
               parts->list[first + n].job == parts->list[first].job + n)
                n++;
        return n;
}
