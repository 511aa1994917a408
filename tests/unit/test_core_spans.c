/* Runs of positions and the map of positions to indexes, against a plain array of booleans. */
#include "core/heap.h"
#include "core/indexes.h"
#include "unit.h"

#include <stddef.h>
#include <string.h>

#define N 300

static unsigned next_random(unsigned *state)
{
        *state = *state * 1103515245u + 12345u;
        return *state >> 16;
}

static void check_same(const struct spans *spans, const bool *plain)
{
        uint64_t n = 0;

        for (uint32_t i = 0; i < N; i++) {
                CU_ASSERT_EQUAL(spans_find(spans, i) != NULL, plain[i]);
                n += plain[i];
        }
        CU_ASSERT_EQUAL(spans->count, n);
        for (size_t i = spans->head + 1; i < spans->n; i++)
                CU_ASSERT_TRUE(spans->list[i].lo > spans->list[i - 1].hi + 1);
}

static void spans_do_what_a_plain_array_does(void)
{
        unsigned state = 7;

        for (int round = 0; round < 200; round++) {
                struct spans spans = { 0 };
                bool plain[N] = { 0 };

                for (int k = 0; k < 60; k++) {
                        uint32_t lo = next_random(&state) % N;
                        uint32_t hi = lo + next_random(&state) % 8;

                        hi = hi < N ? hi : N - 1;
                        if (next_random(&state) % 3 == 0) {
                                struct spans taken = { 0 };

                                spans_take(&spans, lo, hi, &taken);
                                for (uint32_t i = lo; i <= hi; i++) {
                                        CU_ASSERT_EQUAL(spans_find(&taken, i) != NULL, plain[i]);
                                        plain[i] = false;
                                }
                                spans_done(&taken);
                        } else if (spans_count_within(&spans, lo, hi) == 0) {
                                spans_add(&spans, (struct span){ .lo = lo, .hi = hi });
                                memset(plain + lo, true, hi - lo + 1);
                        } else if (spans.count > 0) {
                                struct span popped = spans_pop(&spans, 3);

                                memset(plain + popped.lo, false, span_count(popped));
                        }
                        check_same(&spans, plain);
                }
                spans_done(&spans);
        }
}

static void skip_and_next_find_the_borders(void)
{
        struct spans spans = { 0 };

        spans_add(&spans, (struct span){ .lo = 5, .hi = 9 });
        spans_add(&spans, (struct span){ .lo = 20, .hi = 20 });
        CU_ASSERT_EQUAL(spans_skip(&spans, 4), 4);
        CU_ASSERT_EQUAL(spans_skip(&spans, 5), 10);
        CU_ASSERT_EQUAL(spans_next(&spans, 10), 20);
        CU_ASSERT_EQUAL(spans_next(&spans, 21), UINT32_MAX);
        spans_done(&spans);
}

static void runs_that_differ_are_kept_apart(void)
{
        struct spans spans = { 0 };

        spans_add(&spans, (struct span){ .lo = 0, .hi = 3, .attempt = 1 });
        spans_add(&spans, (struct span){ .lo = 4, .hi = 7, .attempt = 2 });
        CU_ASSERT_EQUAL(spans.n - spans.head, 2);
        CU_ASSERT_EQUAL(spans_find(&spans, 4)->attempt, 2);
        spans_done(&spans);
}

static void check_indexes(const struct rec_array_part *parts, size_t n)
{
        struct rec_job_spec spec = { .array = (struct rec_array_part *)(uintptr_t)parts, .n_array = n };
        struct indexes indexes;
        uint32_t at = 0, found;

        CU_ASSERT_EQUAL_FATAL(indexes_init(&indexes, &spec, 100000, NULL), 0);
        for (size_t p = 0; p < n; p++) {
                for (uint64_t i = parts[p].lo; i <= parts[p].hi;
                     i += parts[p].has_step ? parts[p].step : 1, at++) {
                        CU_ASSERT_EQUAL(index_of(&indexes, at), i);
                        CU_ASSERT_TRUE(index_find(&indexes, i, &found));
                        CU_ASSERT_EQUAL(found, at);
                }
        }
        CU_ASSERT_EQUAL(indexes.n, at);
        CU_ASSERT_FALSE(index_find(&indexes, 1000000, &found));
        indexes_done(&indexes);
}

static void positions_count_the_parts_in_order(void)
{
        static const struct rec_array_part plain[] = { { .lo = 1, .hi = 100 } };
        static const struct rec_array_part apart[] = { { .lo = 0, .hi = 0 },
                                                       { .lo = 5, .hi = 20, .step = 5, .has_step = true },
                                                       { .lo = 30, .hi = 33 } };
        static const struct rec_array_part woven[] = { { .lo = 1, .hi = 19, .step = 2, .has_step = true },
                                                       { .lo = 2, .hi = 22, .step = 4, .has_step = true } };

        check_indexes(plain, 1);
        check_indexes(apart, 3);
        check_indexes(woven, 2);
}

static void ranges_of_positions_and_back(void)
{
        struct rec_array_part parts[] = { { .lo = 1, .hi = 5 },
                                          { .lo = 6, .hi = 8 },
                                          { .lo = 10, .hi = 14, .step = 2, .has_step = true } };
        struct rec_job_spec spec = { .array = parts, .n_array = 3 };
        struct indexes indexes;
        struct ranges ranges = { 0 };
        struct spans spans = { 0 };

        CU_ASSERT_EQUAL_FATAL(indexes_init(&indexes, &spec, 100, NULL), 0);
        index_ranges(&indexes, 0, 10, &ranges);
        CU_ASSERT_EQUAL(ranges.n, 4); /* [1,8] [10,10] [12,12] [14,14] */
        CU_ASSERT_EQUAL(ranges.list[0].hi, 8);
        index_spans(&indexes, ranges.list, ranges.n, &spans);
        CU_ASSERT_EQUAL(spans.count, 11);
        CU_ASSERT_EQUAL(spans.n - spans.head, 1);
        ranges_done(&ranges);
        spans_done(&spans);
        indexes_done(&indexes);
}

/* Every second, third, … index of one array in another: the same as one by one. */
static void positions_of_one_array_in_another(void)
{
        unsigned state = 5;

        for (int round = 0; round < 300; round++) {
                struct rec_array_part parts[2][2];
                struct rec_job_spec specs[2] = { { .array = parts[0], .n_array = 2 },
                                                 { .array = parts[1], .n_array = 2 } };
                struct indexes from, to;
                struct spans which = { 0 }, mapped = { 0 };
                uint64_t n = 0;
                uint32_t at;

                for (int k = 0; k < 2; k++) {
                        uint64_t lo = next_random(&state) % 6, last = lo + next_random(&state) % 30;

                        parts[k][0] = (struct rec_array_part){
                                .lo = lo, .hi = last, .step = 1 + next_random(&state) % 4, .has_step = true
                        };
                        parts[k][1] = (struct rec_array_part){ .lo = last + 1,
                                                               .hi = last + 1 + next_random(&state) % 30,
                                                               .step = 1 + next_random(&state) % 4,
                                                               .has_step = true };
                }
                CU_ASSERT_EQUAL_FATAL(indexes_init(&from, &specs[0], 1000, NULL), 0);
                CU_ASSERT_EQUAL_FATAL(indexes_init(&to, &specs[1], 1000, NULL), 0);
                for (uint32_t k = 0; k < from.n; k++) {
                        if (next_random(&state) % 4 > 0)
                                spans_add(&which, (struct span){ .lo = k, .hi = k });
                }
                index_map(&from, &which, &to, &mapped);
                for (uint32_t k = 0; k < from.n; k++) {
                        if (!spans_find(&which, k) || !index_find(&to, index_of(&from, k), &at))
                                continue;
                        CU_ASSERT_PTR_NOT_NULL(spans_find(&mapped, at));
                        n++;
                }
                CU_ASSERT_EQUAL(mapped.count, n);
                spans_done(&which);
                spans_done(&mapped);
                indexes_done(&from);
                indexes_done(&to);
        }
}

static int init(const struct rec_array_part *parts, size_t n, uint64_t most, enum err_code *ret_code)
{
        struct rec_job_spec spec = { .array = (struct rec_array_part *)(uintptr_t)parts, .n_array = n };
        struct indexes indexes;
        struct err err = { 0 };
        int rc = indexes_init(&indexes, &spec, most, &err);

        *ret_code = err.code;
        if (rc == 0)
                indexes_done(&indexes);
        return rc;
}

static void bad_arrays_are_refused_without_being_expanded(void)
{
        static const struct rec_array_part down[] = { { .lo = 5, .hi = 1 } };
        static const struct rec_array_part overlap[] = { { .lo = 1, .hi = 3 }, { .lo = 2, .hi = 4 } };
        static const struct rec_array_part meet[] = {
                { .lo = 0, .hi = 1000000000, .step = 3, .has_step = true },
                { .lo = 1, .hi = 1000000000, .step = 2, .has_step = true }
        };
        static const struct rec_array_part huge[] = { { .lo = 0, .hi = 2147483647 } };
        enum err_code code;

        CU_ASSERT_EQUAL(init(down, 1, 100, &code), -1);
        CU_ASSERT_EQUAL(code, ERR_BAD_FIELD);
        CU_ASSERT_EQUAL(init(overlap, 2, 100, &code), -1);
        CU_ASSERT_EQUAL(code, ERR_BAD_FIELD);
        CU_ASSERT_EQUAL(init(meet, 2, UINT32_MAX, &code), -1);
        CU_ASSERT_EQUAL(code, ERR_BAD_FIELD);
        CU_ASSERT_EQUAL(init(huge, 1, 10000000, &code), -1);
        CU_ASSERT_EQUAL(code, ERR_TOO_LARGE);
}

struct item {
        unsigned value;
        size_t place;
};

static bool item_before(const void *a, const void *b)
{
        return ((const struct item *)a)->value < ((const struct item *)b)->value;
}

static void a_heap_gives_the_least_whatever_moves(void)
{
        struct item items[64] = { 0 };
        struct heap heap;
        unsigned state = 3;

        heap_init(&heap, item_before, offsetof(struct item, place));
        for (int k = 0; k < 5000; k++) {
                struct item *item = &items[next_random(&state) % 64];
                const struct item *top;
                unsigned least = UINT32_MAX;

                if (!heap_has(&heap, item)) {
                        item->value = next_random(&state) % 1000;
                        heap_push(&heap, item);
                } else if (next_random(&state) % 2) {
                        item->value = next_random(&state) % 1000;
                        heap_moved(&heap, item);
                } else {
                        heap_remove(&heap, item);
                }
                for (int i = 0; i < 64; i++) {
                        if (heap_has(&heap, &items[i]) && items[i].value < least)
                                least = items[i].value;
                }
                top = heap_top(&heap);
                CU_ASSERT_TRUE(top ? top->value == least : least == UINT32_MAX);
        }
        heap_done(&heap);
}

UNIT_MAIN("core_spans", TEST(spans_do_what_a_plain_array_does), TEST(skip_and_next_find_the_borders),
          TEST(runs_that_differ_are_kept_apart), TEST(positions_count_the_parts_in_order),
          TEST(ranges_of_positions_and_back), TEST(positions_of_one_array_in_another),
          TEST(bad_arrays_are_refused_without_being_expanded), TEST(a_heap_gives_the_least_whatever_moves))
