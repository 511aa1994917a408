/* Numbers of the whole system, for `jobctl stats` and `jobctl top`. */
#ifndef CLI_STATS_H
#define CLI_STATS_H

#include "cli/cli.h"

struct stats {
        int64_t at_us; /* mono; when they were asked for */
        uint64_t workers, slots, slots_busy;
        uint64_t jobs, held, waiting, queued, running; /* unfinished jobs, and their tasks */
        uint64_t grants, ends; /* since the coordinator's start */
        uint64_t waiting_p50_ms,
                waiting_p95_ms; /* from submission to grant, lately; 0: nothing was granted */
        bool database_ok;
};
int stats_ask(struct cli *cli, struct stats *ret_stats, struct err *err) MUST_CHECK;
/* Per second between two of them. A coordinator that was started anew counts from 0: then nothing is said. */
double stats_rate(uint64_t before, uint64_t after, const struct stats *a, const struct stats *b);

#endif
