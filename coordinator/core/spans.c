/* Ascending runs in a vector; the front is eaten by moving `head`. */
#include "core/spans.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/xalloc.h"

void spans_done(struct spans *spans)
{
        free(spans->list);
        memset(spans, 0, sizeof(*spans));
}

/* The first run that ends at or after `position`. */
static size_t lower(const struct spans *spans, uint32_t position)
{
        size_t lo = spans->head;
        size_t hi = spans->n;

        while (lo < hi) {
                size_t mid = lo + (hi - lo) / 2;

                if (spans->list[mid].hi < position)
                        lo = mid + 1;
                else
                        hi = mid;
        }
        return lo;
}

static bool alike(const struct span *a, const struct span *b)
{
        return a->note == b->note && a->attempt == b->attempt && a->tries == b->tries &&
               a->crashes == b->crashes;
}

/* Whichever part is shorter moves: what is taken out in about ascending order costs little, however many runs there are. */
static size_t make_room(struct spans *spans, size_t at)
{
        if (spans->head == spans->n)
                spans->head = spans->n = at = 0;
        if (spans->head > 0 && at - spans->head < spans->n - at) {
                spans->head--;
                memmove(&spans->list[spans->head], &spans->list[spans->head + 1],
                        (--at - spans->head) * sizeof(*spans->list));
                return at;
        }
        if (spans->n == spans->cap && spans->head > spans->n / 2) { /* what was eaten is room enough */
                memmove(spans->list, &spans->list[spans->head],
                        (spans->n - spans->head) * sizeof(*spans->list));
                at -= spans->head;
                spans->n -= spans->head;
                spans->head = 0;
        }
        GROW(spans->list, spans->cap, spans->n + 1);
        memmove(&spans->list[at + 1], &spans->list[at], (spans->n - at) * sizeof(*spans->list));
        spans->n++;
        return at;
}

static void erase(struct spans *spans, size_t at)
{
        if (at - spans->head < spans->n - at) {
                memmove(&spans->list[spans->head + 1], &spans->list[spans->head],
                        (at - spans->head) * sizeof(*spans->list));
                spans->head++;
                return;
        }
        memmove(&spans->list[at], &spans->list[at + 1], (spans->n - at - 1) * sizeof(*spans->list));
        spans->n--;
}

void spans_add(struct spans *spans, struct span span)
{
        size_t at = spans->n;

        if (spans->head < spans->n && spans->list[spans->n - 1].hi >= span.lo)
                at = lower(spans, span.lo);
        BUG_ON(span.hi < span.lo || (at < spans->n && spans->list[at].lo <= span.hi));
        spans->count += span_count(span);
        if (at > spans->head) {
                struct span *before = &spans->list[at - 1];

                if (before->hi + 1 == span.lo && alike(before, &span)) {
                        before->hi = span.hi;
                        if (at < spans->n && spans->list[at].lo == span.hi + 1 &&
                            alike(before, &spans->list[at])) {
                                before->hi = spans->list[at].hi;
                                erase(spans, at);
                        }
                        return;
                }
        }
        if (at < spans->n && spans->list[at].lo == span.hi + 1 && alike(&spans->list[at], &span)) {
                spans->list[at].lo = span.lo;
                return;
        }
        at = make_room(spans, at);
        spans->list[at] = span;
}

const struct span *spans_find(const struct spans *spans, uint32_t position)
{
        size_t at = lower(spans, position);

        return at < spans->n && spans->list[at].lo <= position ? &spans->list[at] : NULL;
}

const struct span *spans_first(const struct spans *spans)
{
        return spans->head < spans->n ? &spans->list[spans->head] : NULL;
}

struct span spans_pop(struct spans *spans, uint32_t most)
{
        struct span *first = &spans->list[spans->head];
        struct span taken = *first;

        BUG_ON(spans->head == spans->n || most == 0);
        if (span_count(taken) > most) {
                taken.hi = taken.lo + most - 1;
                first->lo = taken.hi + 1;
        } else {
                spans->head++;
        }
        spans->count -= span_count(taken);
        return taken;
}

void spans_take(struct spans *spans, uint32_t lo, uint32_t hi, struct spans *into)
{
        size_t at;

        while ((at = lower(spans, lo)) < spans->n && spans->list[at].lo <= hi) {
                struct span run = spans->list[at];
                struct span part = run;

                part.lo = MAX(run.lo, lo);
                part.hi = MIN(run.hi, hi);
                if (part.lo > run.lo && part.hi < run.hi) {
                        at = make_room(spans, at);
                        spans->list[at] = run;
                        spans->list[at].hi = part.lo - 1;
                        spans->list[at + 1].lo = part.hi + 1;
                } else if (part.lo > run.lo) {
                        spans->list[at].hi = part.lo - 1;
                } else if (part.hi < run.hi) {
                        spans->list[at].lo = part.hi + 1;
                } else {
                        erase(spans, at);
                }
                spans->count -= span_count(part);
                spans_add(into, part);
        }
}

void spans_move(struct spans *from, struct spans *into)
{
        for (size_t i = from->head; i < from->n; i++)
                spans_add(into, from->list[i]);
        spans_done(from);
}

uint64_t spans_count_within(const struct spans *spans, uint32_t lo, uint32_t hi)
{
        uint64_t count = 0;

        for (size_t at = lower(spans, lo); at < spans->n && spans->list[at].lo <= hi; at++)
                count += MIN(spans->list[at].hi, hi) - MAX(spans->list[at].lo, lo) + 1;
        return count;
}

uint32_t spans_skip(const struct spans *spans, uint32_t position)
{
        for (size_t at = lower(spans, position); at < spans->n && spans->list[at].lo <= position; at++)
                position = spans->list[at].hi + 1;
        return position;
}

uint32_t spans_next(const struct spans *spans, uint32_t position)
{
        size_t at = lower(spans, position);

        if (at == spans->n)
                return UINT32_MAX;
        return MAX(spans->list[at].lo, position);
}
