/* The worker, wired: link, core, exec and task types around one loop. */
#ifndef WORKER_APP_H
#define WORKER_APP_H

#include "core/wcore.h"

struct app_config {
        const char *profile; /* path */
        uint64_t slots;
        const char **labels;
        size_t n_labels;
        uint64_t mem_bytes, gpus;
        const char **res; /* name=N */
        size_t n_res;
        uint64_t cache_bytes; /* of input files kept for further jobs */
        const char *scratch; /* NULL: a folder below $TMPDIR */
        const char *task_user; /* NULL: run tasks as we are */
        enum won_lost on_lost;
        int64_t idle_exit_us, life_us, drain_timeout_us; /* 0: never */
        int64_t connect_timeout_us;
};

/* Runs until drained. The exit code; what there is to say has been said. */
int app_run(const struct app_config *config);

#endif
