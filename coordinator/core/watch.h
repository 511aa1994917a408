/* Subscriptions to jobs. */
#ifndef CORE_WATCH_H
#define CORE_WATCH_H

#include "core/reply.h"

#define WATCHES_PER_SESSION 1024 /* more are refused: RETRY_LATER */

void watch_on_watch(struct core *core, const struct asker *asker, struct msg **take_msg);
/* A subscription that begins with its job and the answer to its submission. False: there is none. */
bool watch_from_birth(struct core *core, const struct asker *asker, struct job *job);
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
void watch_done_all(struct core *core);
void watch_forget_session(struct core *core, struct session_id session);
/* Everything recorded before a subscription to output began is committed: its first event leaves. */
void watch_begin(struct core *core, struct job *job, struct session_id session);

/* For subscriptions to several jobs (group.h), whose watches these are too. */
struct client *client_find(const struct core *core, struct session_id session); /* may be NULL */
struct client *client_get(struct core *core, const struct asker *asker);
void client_unref(struct core *core, struct client *client);
/* The job, if it is in memory and the asker may see it and, where he wants that, its output; else NULL. */
struct job *watch_job(struct core *core, const struct asker *asker, uint64_t id, bool output);
struct watch *watch_new(struct core *core, const struct asker *asker, struct job *job,
                        const struct msg_watch *ask);
void watch_settle(struct core *core, struct watch *watch); /* it may have nothing to wait for */
bool watch_may(const struct core *core, const struct client *client, const struct watch *watch); /* still */
void watch_free(struct core *core, struct watch *watch); /* may free its client */
void watch_take_outputs(struct core *core, struct watch *watch, struct ranges *out);
/* Jobs that are not in memory: the readers answer. jobs: NULL for the one that the message names, else malloced, and taken. */
void watch_ask_reader(struct core *core, const struct asker *asker, struct msg **take_msg, uint64_t *jobs,
                      size_t n_jobs);

#endif
