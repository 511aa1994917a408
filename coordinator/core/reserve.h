/* Wide tasks. One that is first in order and finds no worker with enough room lets others pass for a while. Then a
 * worker is reserved: it drains towards the task, and takes only what will certainly be over before that. */
#ifndef CORE_RESERVE_H
#define CORE_RESERVE_H

#include "core/state.h"

#define RESERVE_AFTER_US                                                                                     \
        1000000 /* so long others may pass: longer than slots need to come together by chance */

/* The lot is first in order for workers that have room for others, not for it. True: one was reserved. */
bool reserve_blocked(struct core *core, struct lot *lot);
/* Give reserved workers what they were reserved for, if it fits by now, or what fits in before. */
void reserve_serve(struct core *core);
void reserve_forget_lot(struct core *core, struct lot *lot);
void reserve_forget_worker(struct core *core, struct worker *worker);

#endif
