/* When tasks ran and what they used, out of what their worker said: one value for all of an end, or one each. */
#ifndef CORE_END_TIMES_H
#define CORE_END_TIMES_H

#include "core/state.h"

struct end_times {
        int64_t started_us, ended_us; /* wall */
        int64_t cpu_us, rss_kib; /* 0: not said */
};
/* Of the k-th task that the end names. */
struct end_times end_times_of(const struct core *core, const struct rec_task_end *said, uint64_t k);

#endif
