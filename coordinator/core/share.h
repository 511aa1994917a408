/* Work that waits behind a long task while others are idle is given back and goes to those. */
#ifndef CORE_SHARE_H
#define CORE_SHARE_H

#include "core/state.h"

/* Nothing can be granted any more: does somebody hold what an idle worker could start? O(workers), at most ten times a
 * second, and only while a slot is idle. */
void share_out(struct core *core);

#endif
