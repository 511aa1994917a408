/* Subscriptions to events: who follows them hears that there are new ones, and reads from where he stopped. */
#ifndef CORE_NEWS_H
#define CORE_NEWS_H

#include "core/reply.h"

void news_on_watch(struct core *core, const struct asker *asker, const struct msg_watch *ask);
void news_committed(struct core *core, struct principal_id owner); /* events of his are there to be read */
void news_tick(struct core *core);
int64_t news_next_deadline(const struct core *core); /* absolute; -1: never */
void news_forget_session(struct core *core, struct session_id session);
void news_done_all(struct core *core);

#endif
