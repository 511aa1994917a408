/* Counts of one job, or of several together, while waiting: one line that is redrawn on a terminal, otherwise plain lines now and then. On stderr. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "cli/cli.h"

struct progress {
        const struct cli *cli;
        uint64_t job; /* 0: several */
        uint64_t jobs; /* how many */
        bool redraw; /* stderr is a terminal */
        bool drawn; /* there is a line to finish */
        int64_t printed_us; /* when the last plain line was printed */
        uint64_t last_ended; /* what it said */
};

void progress_init(struct progress *progress, const struct cli *cli, uint64_t job, uint64_t jobs);
/* over: how many of the jobs are. */
void progress_show(struct progress *progress, const struct rec_job_counts *counts, uint64_t over);
void progress_end(struct progress *progress);

#endif
