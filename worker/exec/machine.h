/* What this machine has: the defaults of what a worker offers. */
#ifndef EXEC_MACHINE_H
#define EXEC_MACHINE_H

#include <stdint.h>

uint64_t machine_mem_bytes(void); /* its memory, or less where a control group above us allows less */
int64_t machine_gpus(void); /* /dev/nvidia0, /dev/nvidia1, … */

#endif
