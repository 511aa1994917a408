/* Sets of task positions of one job, kept as ascending runs of tasks that are alike: tasks that go back to the
 * queue, tasks whose worker may come back, tasks that wait for their end to be written. A job of ten million queued
 * tasks is no span at all; what was never granted is only a cursor. */
#ifndef CORE_SPANS_H
#define CORE_SPANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
        uint32_t lo, hi; /* both positions belong to it */
        uint32_t note; /* number of a note about them (limbo.h); 0: none */
        uint16_t attempt; /* newest attempt granted so far */
        uint16_t tries, crashes; /* counted so far */
        uint16_t unused;
};

struct spans {
        struct span *
                list; /* list[head … n) are alive, ascending, apart; runs that are alike and adjacent are one */
        size_t head;
        size_t n;
        size_t cap;
        uint64_t count; /* positions */
};

void spans_done(struct spans *spans);
/* None of its positions may be in the set. O(log n) where it comes last, else O(n) to make room. */
void spans_add(struct spans *spans, struct span span);
const struct span *spans_find(const struct spans *spans, uint32_t position); /* the run it lies in, or NULL */
const struct span *spans_first(const struct spans *spans); /* NULL: empty */
struct span spans_pop(struct spans *spans,
                      uint32_t most); /* up to `most` positions from the front; not empty */
/* Move what lies within [lo, hi] to `into`. */
void spans_take(struct spans *spans, uint32_t lo, uint32_t hi, struct spans *into);
void spans_move(struct spans *from, struct spans *into); /* everything */
uint64_t spans_count_within(const struct spans *spans, uint32_t lo, uint32_t hi);
/* First position at or after `position` that is not in the set. O(log n). */
uint32_t spans_skip(const struct spans *spans, uint32_t position);
/* First position in the set at or after `position`; UINT32_MAX: none. */
uint32_t spans_next(const struct spans *spans, uint32_t position);

static inline uint32_t span_count(struct span span)
{
        return span.hi - span.lo + 1;
}

#endif
