/* A job that was aborted because another one failed waits again when that one has a new round. */
#ifndef CORE_COMEBACK_H
#define CORE_COMEBACK_H

#include "core/state.h"

/* A round is committed, or the core is live: who is due? */
void comeback_ask(struct core *core);
void comeback_on_due(struct core *core, const struct store_find_due *due);
bool comeback_is_read(const struct core *core, uint64_t job);
/* False: it was not asked here. */
bool comeback_on_answer(struct core *core, struct job_round *round);
void comeback_tick(struct core *core);

#endif
