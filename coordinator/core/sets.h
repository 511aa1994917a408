/* Sets: more jobs than one message holds, submitted as one. Each message loads some of them (durable, but nobody sees
 * them); `submit-set` makes all of them live in one transaction. A set that stands still for as long as an upload may is
 * dropped, so that a client which died leaves nothing. */
#ifndef CORE_SETS_H
#define CORE_SETS_H

#include "core/reply.h"

void sets_init(struct core *core);
void sets_done(struct core *core); /* empty by now: its jobs are freed */
/* The job, which is loading, belongs to the owner's set of that name. */
void sets_add(struct core *core, struct job *job, const uint8_t set_hash[16]);
bool sets_has(const struct job *job, const uint8_t set_hash[16]);
bool sets_is_dropping(const struct core *core, struct principal_id owner, const uint8_t set_hash[16]);
void sets_touch(struct core *core, struct job_set *set); /* something of it has come */
void sets_forget(struct core *core, struct job *job); /* the job is being freed */
void sets_replay(struct core *core, struct job_id job, const uint8_t set_hash[16]);
void sets_on_commit(struct core *core, const struct asker *asker, struct event *event);
void sets_reply_loaded(struct core *core, const struct asker *asker, const struct rec_submitted_job *jobs,
                       size_t n);
void sets_tick(struct core *core);
int64_t sets_next_deadline_us(const struct core *core); /* -1: never */

#endif
