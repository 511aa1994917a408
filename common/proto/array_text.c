/* Array text to parts and back, counted and compared by arithmetic alone.
 *
 * 1. Bounds are checked before they are used: lo <= hi <= 2^31-1, 1 <= step, so that products stay below 2^62.
 * 2. The number of parts is bounded before memory is taken. */
#include "proto/array_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/xalloc.h"

#define PAIRS_MAX 100000 /* of parts whose spans overlap: 10 ms of arithmetic */

/* ------------------------------------------------------------------ reading */

struct reader {
        const char *text;
        const char *p;
        struct err *err;
};

/* The text as a whole is wrong. */
static int refuse(struct reader *r, const char *what)
{
        CLEANUP_BUF struct buf shown = { 0 };

        escape_add_short(&shown, r->text, strlen(r->text), 60);
        return err_set(r->err, ERR_BAD_DATA, "array text '%s': %s; an example that works: 1-100:2%%10",
                       shown.n ? shown.bytes : "", what);
}

/* It is wrong where the reader stands. */
static int wrong(struct reader *r, const char *what)
{
        char text[200];

        snprintf(text, sizeof(text), "%s at character %zu", what, (size_t)(r->p - r->text) + 1);
        return refuse(r, text);
}

static int read_number(struct reader *r, uint64_t max, uint64_t *ret_n)
{
        const char *from = r->p;
        uint64_t n = 0;

        while (*r->p >= '0' && *r->p <= '9') {
                n = n * 10 + (uint64_t)(*r->p - '0');
                if (n > max)
                        return wrong(r, "the number is too large");
                r->p++;
        }
        if (r->p == from)
                return wrong(r, "a number is missing");
        *ret_n = n;
        return 0;
}

static int read_part(struct reader *r, struct rec_array_part *ret_part)
{
        struct rec_array_part part = { 0 };
        uint64_t step = 1;

        if (read_number(r, ARRAY_INDEX_MAX, &part.lo) < 0)
                return -1;
        part.hi = part.lo;
        if (*r->p == '-') {
                r->p++;
                if (read_number(r, ARRAY_INDEX_MAX, &part.hi) < 0)
                        return -1;
                if (part.hi < part.lo)
                        return wrong(r, "the range ends before it begins");
                if (*r->p == ':') {
                        r->p++;
                        if (read_number(r, ARRAY_INDEX_MAX, &step) < 0)
                                return -1;
                        if (!step)
                                return wrong(r, "a step of 0 never ends");
                }
        }
        part.hi -= (part.hi - part.lo) % step; /* reached exactly */
        if (part.hi > part.lo && step > 1) {
                part.step = step;
                part.has_step = true;
        }
        *ret_part = part;
        return 0;
}

static int read_parts(struct reader *r, struct rec_array_part **ret_parts, size_t *ret_n)
{
        size_t cap = 0;

        *ret_parts = NULL;
        *ret_n = 0;
        for (;; r->p++) {
                if (*ret_n == ARRAY_PARTS_MAX)
                        return wrong(r, "there are more than 4096 parts");
                GROW(*ret_parts, cap, *ret_n + 1);
                if (read_part(r, &(*ret_parts)[*ret_n]) < 0)
                        return -1;
                (*ret_n)++;
                if (*r->p != ',')
                        return 0;
        }
}

/* ------------------------------------------------------------------ comparing */

static uint64_t gcd(uint64_t a, uint64_t b)
{
        while (b) {
                uint64_t rest = a % b;

                a = b;
                b = rest;
        }
        return a;
}

/* x with a * x = 1 modulo m; a and m have no common divisor, m > 1. */
static uint64_t inverse(uint64_t a, uint64_t m)
{
        int64_t r0 = (int64_t)m, r1 = (int64_t)(a % m);
        int64_t x0 = 0, x1 = 1;

        while (r1 > 1) {
                int64_t q = r0 / r1;
                int64_t r2 = r0 - q * r1;
                int64_t x2 = x0 - q * x1;

                r0 = r1;
                r1 = r2;
                x0 = x1;
                x1 = x2;
        }
        return (uint64_t)(x1 < 0 ? x1 + (int64_t)m : x1);
}

/* Have two parts an index in common? `a` begins no later than `b`. The common members of both sequences, if any,
 * repeat every lcm of the steps; the first at or above b->lo is b->lo + k * step_b with the least k that fits a. */
static bool parts_meet(const struct rec_array_part *a, const struct rec_array_part *b, uint64_t *ret_index)
{
        uint64_t step_a = array_part_step(a), step_b = array_part_step(b);
        uint64_t common = gcd(step_a, step_b);
        uint64_t gap =
                (step_a - (b->lo - a->lo) % step_a) % step_a; /* from b->lo up to the next member of a */
        uint64_t m = step_a / common;
        uint64_t k;

        if (gap % common)
                return false;
        k = m == 1 ? 0 : gap / common % m * inverse(step_b / common % m, m) % m;
        *ret_index = b->lo + k * step_b;
        return *ret_index <= MIN(a->hi, b->hi);
}

int array_parts_check(const struct rec_array_part *parts, size_t n_parts, uint64_t *ret_tasks,
                      struct err *err)
{
        uint64_t tasks = 0, index;
        size_t pairs = 0;

        for (size_t i = 0; i < n_parts; i++) {
                if (parts[i].hi < parts[i].lo || parts[i].hi > ARRAY_INDEX_MAX)
                        return err_set(err, ERR_BAD_FIELD,
                                       "part %zu of the array: hi is below lo or above 2^31-1", i + 1);
                if (i && parts[i].lo < parts[i - 1].lo)
                        return err_set(err, ERR_BAD_FIELD,
                                       "part %zu of the array begins below the one before it", i + 1);
                tasks += array_part_tasks(&parts[i]);
        }
        for (size_t i = 0; i < n_parts; i++)
                for (size_t k = i + 1; k < n_parts && parts[k].lo <= parts[i].hi; k++) {
                        if (++pairs > PAIRS_MAX)
                                return err_set(err, ERR_TOO_LARGE,
                                               "too many parts of the array lie across each other");
                        if (parts_meet(&parts[i], &parts[k], &index))
                                return err_set(err, ERR_BAD_FIELD,
                                               "index %" PRIu64 " is in two parts of the array", index);
                }
        *ret_tasks = tasks;
        return 0;
}

/* ------------------------------------------------------------------ normal form */

static int by_lo(const void *a, const void *b)
{
        const struct rec_array_part *x = a, *y = b;

        return (x->lo > y->lo) - (x->lo < y->lo);
}

/* Plain runs that touch become one. Parts are ascending and disjoint. */
static size_t join_runs(struct rec_array_part *parts, size_t n)
{
        size_t kept = 0;

        for (size_t i = 0; i < n; i++) {
                struct rec_array_part *last = kept ? &parts[kept - 1] : NULL;

                if (last && array_part_step(last) == 1 && array_part_step(&parts[i]) == 1 &&
                    parts[i].lo == last->hi + 1)
                        last->hi = parts[i].hi;
                else
                        parts[kept++] = parts[i];
        }
        return kept;
}

int array_text_parse(const char *text, struct array_text *ret_array, struct err *err)
{
        struct reader r = { text, text, err };
        __attribute__((cleanup(array_text_done))) struct array_text array = { 0 };
        struct err why;

        if (read_parts(&r, &array.parts, &array.n_parts) < 0)
                return -1;
        if (*r.p == '%') {
                r.p++;
                if (read_number(&r, ARRAY_TASKS_MAX, &array.max_running) < 0)
                        return -1;
                if (!array.max_running)
                        return refuse(&r, "with a limit of 0 nothing would ever run");
        }
        if (*r.p)
                return wrong(&r, "there is something that belongs to no range");
        qsort(array.parts, array.n_parts, sizeof(*array.parts), by_lo);
        if (array_parts_check(array.parts, array.n_parts, &array.tasks, &why) < 0)
                return refuse(&r, why.text);
        if (array.tasks > ARRAY_TASKS_MAX)
                return refuse(&r, "a job has at most 10000000 tasks");
        array.n_parts = join_runs(array.parts, array.n_parts);
        *ret_array = array;
        array = (struct array_text){ 0 };
        return 0;
}

void array_text_done(struct array_text *array)
{
        free(array->parts);
        *array = (struct array_text){ 0 };
}

void array_text_print(const struct rec_array_part *parts, size_t n_parts, uint64_t max_running,
                      struct buf *out)
{
        for (size_t i = 0; i < n_parts; i++) {
                if (i)
                        buf_add_char(out, ',');
                buf_add_u64(out, parts[i].lo);
                if (parts[i].hi > parts[i].lo) {
                        buf_add_char(out, '-');
                        buf_add_u64(out, parts[i].hi);
                }
                if (array_part_step(&parts[i]) > 1) {
                        buf_add_char(out, ':');
                        buf_add_u64(out, parts[i].step);
                }
        }
        if (max_running) {
                buf_add_char(out, '%');
                buf_add_u64(out, max_running);
        }
}

/* ------------------------------------------------------------------ ranges */

static int range_by_lo(const void *a, const void *b)
{
        const struct range *x = a, *y = b;

        return (x->lo > y->lo) - (x->lo < y->lo);
}

size_t ranges_normalise(struct range *ranges, size_t n)
{
        size_t kept = 0;

        if (n > 1)
                qsort(ranges, n, sizeof(*ranges), range_by_lo);
        for (size_t i = 0; i < n; i++) {
                if (kept && ranges[i].lo <= ranges[kept - 1].hi + 1)
                        ranges[kept - 1].hi = MAX(ranges[kept - 1].hi, ranges[i].hi);
                else
                        ranges[kept++] = ranges[i];
        }
        return kept;
}

uint64_t ranges_count(const struct range *ranges, size_t n)
{
        uint64_t count = 0;

        for (size_t i = 0; i < n; i++)
                count += ranges[i].hi - ranges[i].lo + 1;
        return count;
}

int ranges_parse(const char *text, size_t max, struct range **ret_ranges, size_t *ret_n, struct err *err)
{
        struct reader r = { text, text, err };
        CLEANUP_WITH(xfree) struct rec_array_part *parts = NULL;
        CLEANUP_WITH(xfree) struct range *ranges = NULL;
        size_t n_parts, n = 0, cap = 0;

        if (read_parts(&r, &parts, &n_parts) < 0)
                return -1;
        if (*r.p)
                return wrong(&r, "there is something that belongs to no range");
        for (size_t i = 0; i < n_parts; i++) {
                uint64_t step = array_part_step(&parts[i]);
                uint64_t width = step == 1 ? parts[i].hi - parts[i].lo : 0;

                if (n + (step == 1 ? 1 : array_part_tasks(&parts[i])) > max)
                        return refuse(&r, "the text makes too many separate ranges");
                for (uint64_t lo = parts[i].lo; lo <= parts[i].hi; lo += width + step) {
                        GROW(ranges, cap, n + 1);
                        ranges[n++] = (struct range){ lo, lo + width };
                }
        }
        *ret_n = ranges_normalise(ranges, n);
        *ret_ranges = STEAL(ranges);
        return 0;
}
