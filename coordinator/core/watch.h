/* Subscriptions to jobs. */
#ifndef CORE_WATCH_H
#define CORE_WATCH_H

#include "core/reply.h"

#define WATCHES_PER_SESSION 1024 /* more are refused: RETRY_LATER */

void watch_on_watch(struct core *core, const struct asker *asker, struct msg **take_msg);
void watch_ended(struct core *core, struct job *job,
                 const struct spans *which); /* these are final, not committed */
void watch_committed(struct core *core, struct job *job,
                     uint64_t fact); /* the ends up to this fact are: who is through hears of it */
void watch_progress(struct core *core, struct job *job); /* counts changed */
void watch_output(struct core *core, struct job *job); /* output is committed */
void watch_tick(struct core *core);
void watch_forget_job(struct core *core, struct job *job);
void watch_forget_session(struct core *core, struct session_id session);

#endif
