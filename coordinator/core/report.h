/* What running tasks say of themselves: how far they are, and values that they name. */
#ifndef CORE_REPORT_H
#define CORE_REPORT_H

#include "core/reply.h"

void report_on_progress(struct core *core, struct worker *worker, const struct msg *msg);
/* These tasks have ended: what they said last joins the batch that holds their ends. */
void report_ended(struct core *core, const struct job *job, const struct spans *which);
void report_tick(struct core *core);
int64_t report_next_deadline(const struct core *core); /* absolute; -1: never */
void report_done_all(struct core *core);

#endif
