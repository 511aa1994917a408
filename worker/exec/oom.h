/* Whether a task that SIGKILL ended was ended by the kernel for want of memory. The kernel counts such ends, of the whole
 * machine; it does not say whose they were. So only those of the last seconds are blamed, and each on one task. Pure. */
#ifndef EXEC_OOM_H
#define EXEC_OOM_H

#include <stdbool.h>
#include <stdint.h>

#define OOM_LOOK_US INT64_C(1000000) /* between two looks; an end is heard of within much less */

struct oom {
        uint64_t before; /* ends that are of no task in hand: older than one look, or blamed already */
        uint64_t newest; /* as of the last look */
};

/* `ends`: the kernel's counter, now. */
void oom_start(struct oom *oom, uint64_t ends); /* nothing ran before */
void oom_look(struct oom *oom, uint64_t ends); /* every OOM_LOOK_US while something runs */
bool oom_blame(struct oom *oom, uint64_t ends); /* a task died of SIGKILL that nobody here sent */

#endif
