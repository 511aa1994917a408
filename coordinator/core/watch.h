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
/* Output of this task is recorded; somebody may want to know when that is committed. */
void watch_note_output(struct core *core, struct job *job, uint64_t index);
/* The same for what a `finished` brings. Before its ends count, so that nobody hears `done` before he hears of it. */
void watch_note_finished(struct core *core, const struct worker *worker, const struct msg_finished *finished);
void watch_output(struct core *core, struct job *job, uint32_t index); /* it is */
void watch_tick(struct core *core);
void watch_forget_job(struct core *core, struct job *job);
void watch_forget_session(struct core *core, struct session_id session);

#endif
