/* Array text: which indexes an array job has, as people write it, and the ranges of selectors.
 *
 *   parts  = part ("," part)*          part = lo | lo "-" hi | lo "-" hi ":" step
 *   array  = parts [ "%" max ]         max: at most so many tasks at once
 *
 * Indexes lie in 0 … 2^31-1. Nothing is ever expanded: all work is in the number of parts. Errors are BAD_DATA and name
 * the text, what is wrong with it and an example that works. */
#ifndef PROTO_ARRAY_TEXT_H
#define PROTO_ARRAY_TEXT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "proto/msg.h"

#define ARRAY_INDEX_MAX UINT64_C(2147483647)
#define ARRAY_TASKS_MAX UINT64_C(10000000) /* of one job */
#define ARRAY_PARTS_MAX 4096 /* as many as a message takes */

/* Parts in normal form: ascending by lo, no index in two of them, hi reached exactly, single indexes and plain runs that
 * touch put together, step absent (0) where it is 1. Parts with steps may interleave (1-9:2,2-10:2). */
struct array_text {
        struct rec_array_part *parts;
        size_t n_parts;
        uint64_t tasks; /* indexes in all parts */
        uint64_t max_running; /* behind %; 0: no limit */
};
/* Refuses beside bad grammar: hi below lo, step 0, an index that is in two parts, more than ARRAY_TASKS_MAX indexes. */
int array_text_parse(const char *text, struct array_text *ret_array, struct err *err) MUST_CHECK;
void array_text_done(struct array_text *array);
/* Append the text that parses to the same array. */
void array_text_print(const struct rec_array_part *parts, size_t n_parts, uint64_t max_running,
                      struct buf *out);

/* Are these parts, from a peer, ascending by lo, without an index in two, and how many indexes have they? BAD_FIELD;
 * TOO_LARGE for so many interleaved parts that telling them apart is work (more than 100,000 pairs). */
int array_parts_check(const struct rec_array_part *parts, size_t n_parts, uint64_t *ret_tasks,
                      struct err *err) MUST_CHECK;

/* The distance between the indexes of a part. */
static inline uint64_t array_part_step(const struct rec_array_part *part)
{
        return part->step ? part->step : 1;
}
static inline uint64_t array_part_tasks(const struct rec_array_part *part)
{
        return (part->hi - part->lo) / array_part_step(part) + 1;
}

/* Ranges as they stand in a selector between brackets (`1-9:2,20`; no %): sorted, disjoint, neighbours put together,
 * overlap allowed. More than `max` ranges, as a step makes them: BAD_DATA. The caller frees *ret_ranges. */
int ranges_parse(const char *text, size_t max, struct range **ret_ranges, size_t *ret_n,
                 struct err *err) MUST_CHECK;
/* Sort, and put together what overlaps or touches: the form that messages need. Returns the new number. */
size_t ranges_normalise(struct range *ranges, size_t n);
uint64_t ranges_count(const struct range *ranges, size_t n); /* of disjoint ranges */

#endif
