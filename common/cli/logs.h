/* Recorded output of tasks, printed. */
#ifndef CLI_LOGS_H
#define CLI_LOGS_H

#include "cli/cli.h"

enum logs_streams { LOGS_STDOUT, LOGS_STDERR, LOGS_BOTH };

struct logs {
        struct cli *cli;
        enum logs_streams streams;
        bool split; /* BOTH: what was stderr goes to stderr */
        bool label; /* "36.4: " in front of each line */
        uint64_t attempt; /* 0: the newest */
        uint64_t tail; /* only the last lines; 0: all */
};

struct logs_task { /* how far one task's output was printed; starts with job and index */
        uint64_t job, index;
        uint64_t attempt; /* that `next` belongs to; 0: not known yet */
        uint64_t attempts; /* how many it has had, as far as is known */
        uint64_t next; /* seq of the first chunk that was not printed */
        bool final; /* there will be no more */
        bool in_line; /* the last line printed has not ended */
};

/* Print one chunk of a task, unless it was printed before. */
int logs_print(const struct logs *logs, struct logs_task *task, const struct msg *msg,
               struct err *err) MUST_CHECK;
/* Print what was recorded since the last call. */
int logs_pull(const struct logs *logs, struct logs_task *task, struct err *err) MUST_CHECK;

#endif
