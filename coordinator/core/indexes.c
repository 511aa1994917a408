/* Positions and indexes. Invariants: parts[i].at is the sum of the n before it; no index occurs twice. */
#include "core/indexes.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

/* Parts that reach into each other are compared pair by pair; more pairs than this are refused, because the
 * comparison of 4096 interleaved parts would hold up everybody. */
#define PAIRS_MAX 65536

void ranges_done(struct ranges *ranges)
{
        free(ranges->list);
        memset(ranges, 0, sizeof(*ranges));
}

void ranges_add(struct ranges *ranges, uint64_t lo, uint64_t hi)
{
        if (ranges->n > 0 && ranges->list[ranges->n - 1].hi + 1 == lo) {
                ranges->list[ranges->n - 1].hi = hi;
                return;
        }
        GROW(ranges->list, ranges->cap, ranges->n + 1);
        ranges->list[ranges->n++] = (struct range){ lo, hi };
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
        while (b != 0) {
                uint64_t rest = a % b;

                a = b;
                b = rest;
        }
        return a;
}

/* Do two progressions share a number? They do where a common number below both ends solves the congruence; the
 * search walks the coarser one, at most step/gcd values of it. */
static bool share(const struct index_part *a, const struct index_part *b)
{
        uint64_t divisor = gcd(a->step, b->step);
        uint64_t from = MAX(a->lo, b->lo);
        uint64_t to = MIN(a->hi, b->hi);
        uint64_t first;

        if (from > to || (a->lo > b->lo ? a->lo - b->lo : b->lo - a->lo) % divisor != 0)
                return false;
        if (a->step < b->step) {
                const struct index_part *other = a;

                a = b;
                b = other;
        }
        first = a->lo + (from - a->lo + a->step - 1) / a->step * a->step;
        for (uint64_t k = 0; k < b->step / divisor && first <= to; k++, first += a->step) {
                if (first >= b->lo && (first - b->lo) % b->step == 0)
                        return true;
        }
        return false;
}

static int check_apart(struct indexes *indexes, struct err *err)
{
        unsigned pairs = 0;

        indexes->apart = true;
        for (size_t i = 1; i < indexes->n_parts; i++) {
                if (indexes->parts[i].lo <= indexes->parts[i - 1].hi)
                        indexes->apart = false;
        }
        for (size_t i = 1; !indexes->apart && i < indexes->n_parts; i++) {
                for (size_t j = 0; j < i; j++) {
                        if (++pairs > PAIRS_MAX)
                                return err_set(err, ERR_TOO_LARGE, "array: too many interleaved parts");
                        if (share(&indexes->parts[i], &indexes->parts[j]))
                                return err_set(err, ERR_BAD_FIELD, "array: parts overlap");
                }
        }
        return 0;
}

static int add_part(struct indexes *indexes, const struct rec_array_part *from, uint64_t most,
                    struct err *err)
{
        struct index_part *part = &indexes->parts[indexes->n_parts];

        part->lo = from->lo;
        part->step = from->has_step ? from->step : 1;
        if (from->hi < from->lo)
                return err_set(err, ERR_BAD_FIELD, "array: a range ends before it begins");
        part->n = (from->hi - from->lo) / part->step + 1;
        part->hi = part->lo + (part->n - 1) * part->step;
        part->at = indexes->n;
        if (part->n > most || indexes->n + part->n > most)
                return err_set(err, ERR_TOO_LARGE, "a job may have at most %llu tasks",
                               (unsigned long long)most);
        indexes->n += part->n;
        indexes->min = indexes->n_parts == 0 ? part->lo : MIN(indexes->min, part->lo);
        indexes->max = MAX(indexes->max, part->hi);
        indexes->n_parts++;
        return 0;
}

int indexes_init(struct indexes *indexes, const struct rec_job_spec *spec, uint64_t most, struct err *err)
{
        struct rec_array_part whole = { .lo = 1, .hi = spec->has_entries ? spec->entries : 1 };
        const struct rec_array_part *parts = spec->n_array > 0 ? spec->array : &whole;
        size_t n = MAX(spec->n_array, (size_t)1);
        int rc = 0;

        memset(indexes, 0, sizeof(*indexes));
        indexes->parts = xcalloc(n, sizeof(*indexes->parts));
        for (size_t i = 0; i < n && rc == 0; i++)
                rc = add_part(indexes, &parts[i], most, err);
        if (rc == 0)
                rc = check_apart(indexes, err);
        if (rc < 0)
                indexes_done(indexes);
        return rc;
}

void indexes_done(struct indexes *indexes)
{
        free(indexes->parts);
        memset(indexes, 0, sizeof(*indexes));
}

static size_t part_of(const struct indexes *indexes, uint32_t position)
{
        size_t lo = 0;
        size_t hi = indexes->n_parts;

        BUG_ON(position >= indexes->n);
        while (hi - lo > 1) {
                size_t mid = lo + (hi - lo) / 2;

                if (indexes->parts[mid].at <= position)
                        lo = mid;
                else
                        hi = mid;
        }
        return lo;
}

uint64_t index_of(const struct indexes *indexes, uint32_t position)
{
        const struct index_part *part = &indexes->parts[part_of(indexes, position)];

        return part->lo + (position - part->at) * part->step;
}

static bool find_in(const struct index_part *part, uint64_t index, uint32_t *ret_position)
{
        if (index < part->lo || index > part->hi || (index - part->lo) % part->step != 0)
                return false;
        *ret_position = (uint32_t)(part->at + (index - part->lo) / part->step);
        return true;
}

/* The first part that ends at or after `index`; parts must be apart. */
static size_t part_at(const struct indexes *indexes, uint64_t index)
{
        size_t lo = 0;
        size_t hi = indexes->n_parts;

        while (lo < hi) {
                size_t mid = lo + (hi - lo) / 2;

                if (indexes->parts[mid].hi < index)
                        lo = mid + 1;
                else
                        hi = mid;
        }
        return lo;
}

bool index_find(const struct indexes *indexes, uint64_t index, uint32_t *ret_position)
{
        if (indexes->apart) {
                size_t at = part_at(indexes, index);

                return at < indexes->n_parts && find_in(&indexes->parts[at], index, ret_position);
        }
        for (size_t i = 0; i < indexes->n_parts; i++) {
                if (find_in(&indexes->parts[i], index, ret_position))
                        return true;
        }
        return false;
}

uint64_t index_run(const struct indexes *indexes, uint32_t position)
{
        const struct index_part *part;

        if (indexes->apart)
                return indexes->n - position;
        part = &indexes->parts[part_of(indexes, position)];
        return part->at + part->n - position;
}

void index_ranges(const struct indexes *indexes, uint32_t lo, uint32_t hi, struct ranges *out)
{
        for (size_t i = part_of(indexes, lo); i < indexes->n_parts && indexes->parts[i].at <= hi; i++) {
                const struct index_part *part = &indexes->parts[i];
                uint64_t from = MAX(part->at, lo) - part->at;
                uint64_t to = MIN(part->at + part->n - 1, hi) - part->at;

                if (part->step == 1) {
                        ranges_add(out, part->lo + from, part->lo + to);
                        continue;
                }
                for (uint64_t k = from; k <= to; k++)
                        ranges_add(out, part->lo + k * part->step, part->lo + k * part->step);
        }
}

static void part_spans(const struct index_part *part, const struct range *range, struct spans *out)
{
        uint64_t from = MAX(range->lo, part->lo);
        uint64_t to = MIN(range->hi, part->hi);

        if (from > to)
                return;
        from = (from - part->lo + part->step - 1) / part->step;
        to = (to - part->lo) / part->step;
        if (from <= to)
                spans_add(out, (struct span){ .lo = (uint32_t)(part->at + from),
                                              .hi = (uint32_t)(part->at + to) });
}

void index_spans(const struct indexes *indexes, const struct range *list, size_t n, struct spans *out)
{
        for (size_t k = 0; k < n; k++) {
                size_t i = indexes->apart ? part_at(indexes, list[k].lo) : 0;

                for (; i < indexes->n_parts; i++) {
                        if (indexes->apart && indexes->parts[i].lo > list[k].hi)
                                break;
                        part_spans(&indexes->parts[i], &list[k], out);
                }
        }
}

/* Of the indexes lo, lo + step, … hi those that this part has. */
static void map_part(const struct index_part *part, struct range range, uint64_t step, struct spans *out)
{
        uint64_t from = MAX(range.lo, part->lo);

        if (part->step % step == 0) {
                if (part->lo % step == range.lo % step)
                        part_spans(part, &range, out);
                return;
        }
        from = part->lo + (from - part->lo + part->step - 1) / part->step * part->step;
        for (; from <= MIN(range.hi, part->hi); from += part->step) {
                if ((from - range.lo) % step == 0)
                        part_spans(part, &(struct range){ from, from }, out);
        }
}

static void map_range(const struct indexes *to, struct range range, uint64_t step, struct spans *out)
{
        for (size_t i = to->apart ? part_at(to, range.lo) : 0; i < to->n_parts; i++) {
                if (to->apart && to->parts[i].lo > range.hi)
                        break;
                map_part(&to->parts[i], range, range.lo == range.hi ? 1 : step, out);
        }
}

void index_map(const struct indexes *from, const struct spans *which, const struct indexes *to,
               struct spans *out)
{
        for (size_t k = which->head; k < which->n; k++) {
                const struct span *run = &which->list[k];

                for (size_t i = part_of(from, run->lo); i < from->n_parts && from->parts[i].at <= run->hi;
                     i++) {
                        const struct index_part *part = &from->parts[i];
                        uint64_t lo = MAX(part->at, run->lo) - part->at;
                        uint64_t hi = MIN(part->at + part->n - 1, run->hi) - part->at;

                        map_range(to,
                                  (struct range){ part->lo + lo * part->step, part->lo + hi * part->step },
                                  part->step, out);
                }
        }
}
