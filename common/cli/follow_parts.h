/* What is waited for: the jobs of a selection, each once, and which of them are over. */
#ifndef CLI_FOLLOW_PARTS_H
#define CLI_FOLLOW_PARTS_H

#include "cli/resolve.h"

#define FOLLOW_JOBS_MAX 16384 /* jobs, and ranges of tasks, of one subscription: a message takes no more */

struct follow_part {
        uint64_t job;
        struct range *ranges; /* owned; NULL: the whole job */
        size_t n_ranges;
        bool over;
        bool succeeded; /* every task of the job */
};
struct follow_parts {
        struct follow_part *list; /* by job, ascending */
        size_t n;
};

/* Several targets of one job become one. */
struct follow_parts follow_parts_of(const struct targets *targets);
void follow_parts_done(struct follow_parts *parts);
#define CLEANUP_PARTS __attribute__((cleanup(follow_parts_done)))

/* How many parts from `first` on fit one subscription. At least one. */
size_t follow_parts_fit(const struct follow_parts *parts, size_t first);
/* The first part whose job is at or above `job`. O(log n). */
size_t follow_parts_at(const struct follow_parts *parts, uint64_t job);
/* Whole jobs next to each other from `first` on, below `end`. */
size_t follow_parts_run(const struct follow_parts *parts, size_t first, size_t end);

#endif
