/* Counts while waiting: one line that is redrawn on a terminal, otherwise plain lines now and then. On stderr. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "cli/cli.h"

struct progress {
        const struct cli *cli;
        bool redraw; /* stderr is a terminal */
        bool drawn; /* there is a line to finish */
        int64_t printed_us; /* when the last plain line was printed */
        uint64_t last_ended; /* what it said */
};

void progress_init(struct progress *progress, const struct cli *cli);
void progress_show(struct progress *progress, uint64_t job, const struct rec_job_counts *counts, bool last);
void progress_end(struct progress *progress);

#endif
