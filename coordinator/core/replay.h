/* From the store's rows to the core's memory, before life begins. */
#ifndef CORE_REPLAY_H
#define CORE_REPLAY_H

#include "core/state.h"

void replay_job(struct core *core, struct replay_job *replay);
void replay_tasks(struct core *core, const struct replay_tasks *tasks);
void replay_finish(struct core *core, const struct core_settings *settings);

#endif
