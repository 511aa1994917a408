/* The tasks of a job have positions 0 … n-1; people see indexes. The parts of an array map one to the other. */
#ifndef CORE_INDEXES_H
#define CORE_INDEXES_H

#include "base/err.h"
#include "core/spans.h"
#include "proto/msg.h"

struct index_part {
        uint64_t lo, hi, step;
        uint64_t at; /* position of lo */
        uint64_t n;
};
struct indexes {
        struct index_part *parts;
        size_t n_parts;
        uint64_t n; /* tasks */
        bool apart; /* indexes rise with positions; else some parts lie within the reach of others */
        uint64_t min, max;
};

/* Ranges under construction; ascending input, neighbours are joined. */
struct ranges {
        struct range *list;
        size_t n;
        size_t cap;
};
void ranges_done(struct ranges *ranges);
void ranges_add(struct ranges *ranges, uint64_t lo, uint64_t hi);

/* BAD_FIELD: parts that overlap or are upside down; TOO_LARGE: over `most` tasks. Nothing is expanded. */
int indexes_init(struct indexes *indexes, const struct rec_job_spec *spec, uint64_t most,
                 struct err *err) MUST_CHECK;
void indexes_done(struct indexes *indexes);
uint64_t index_of(const struct indexes *indexes, uint32_t position);
/* False if no task of the job has this index. O(log parts), or O(parts) where they interleave. */
bool index_find(const struct indexes *indexes, uint64_t index, uint32_t *ret_position);
/* How many positions from `position` on can be named by ascending ranges. */
uint64_t index_run(const struct indexes *indexes, uint32_t position);
/* The indexes of positions lo … hi, appended. */
void index_ranges(const struct indexes *indexes, uint32_t lo, uint32_t hi, struct ranges *out);
/* The positions whose index lies within the ranges, as spans without attributes. */
void index_spans(const struct indexes *indexes, const struct range *list, size_t n, struct spans *out);
/* The positions of `to` whose index is that of one of these positions of `from`. Where the steps of one divide those of the
 * other, a run stays a run. */
void index_map(const struct indexes *from, const struct spans *which, const struct indexes *to,
               struct spans *out);

#endif
