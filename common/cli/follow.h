/* Waiting for jobs: one subscription for all of them, which outlives restarts of the coordinator. */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include "cli/logs.h"
#include "cli/resolve.h"

struct follow {
        struct cli *cli;
        const struct logs *logs; /* print output as it comes, with a connection of its own; NULL: do not */
        bool progress; /* counts on stderr */
        bool exit_code; /* ret_code is the largest exit code of the tasks */
        int64_t timeout_ms; /* -1: for ever; 0: look once, RETRY_LATER if one has not ended */
        bool watched; /* the one target's submission was the last request of cli's client, and has begun it */
};

/* Wait until all targets are final. *ret_code: 0 if every task succeeded, else 1, or the largest exit code.
 * RETRY_LATER when the time is up; after Ctrl-C interrupted() is true and the error is not meant to be printed. */
int follow_targets(const struct follow *follow, const struct targets *targets, int *ret_code,
                   struct err *err) MUST_CHECK;
/* "job 36 goes on; to cancel it: jobctl cancel 36", for the end after Ctrl-C; returns 130. */
int follow_interrupted(const struct cli *cli, const struct targets *targets);

#endif
