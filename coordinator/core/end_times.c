/* Workers count back from the sending of their message; a value that makes no sense counts as none. */
#include "core/end_times.h"

static int64_t value(const int64_t *list, size_t n, uint64_t k)
{
        return n == 0 ? 0 : MAX(list[n == 1 ? 0 : k], INT64_C(0));
}

struct end_times end_times_of(const struct core *core, const struct rec_task_end *said, uint64_t k)
{
        struct end_times times = { .ended_us = core->wall_us - value(said->ago_us, said->n_ago_us, k) };

        times.started_us = times.ended_us - value(said->ran_us, said->n_ran_us, k);
        times.cpu_us = value(said->cpu_us, said->n_cpu_us, k);
        times.rss_kib = MIN(value(said->rss_kib, said->n_rss_kib, k), (int64_t)UINT32_MAX);
        return times;
}
