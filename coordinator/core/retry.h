/* What follows an attempt: the task's end, or another attempt. Policy only; nothing is changed here. */
#ifndef CORE_RETRY_H
#define CORE_RETRY_H

#include <stdbool.h>

#include "proto/msg.h"

struct decision {
        bool again; /* else the task ends with: */
        enum task_status status;
        enum task_reason reason;
};

/* The attempt ended by itself; tries counts it already. */
struct decision retry_after_end(const struct rec_job_spec *spec, const struct rec_task_end *end,
                                uint32_t tries);
/* The worker or its lease was lost; crashes counts it already. */
struct decision retry_after_crash(const struct rec_job_spec *spec, uint32_t crashes);

#endif
