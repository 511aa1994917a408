/* Short answers, and the audit. */
#ifndef CORE_REPLY_H
#define CORE_REPLY_H

#include "core/state.h"

/* Whom an answer goes to. */
struct asker {
        struct session_id session;
        uint64_t re;
        struct principal_id who;
        uint64_t key; /* its number; 0: unknown */
};

void reply_refused(struct core *core, const struct asker *asker, enum err_code code, const char *text);
void reply_retry_later(struct core *core, const struct asker *asker, const char *text, uint64_t after_ms);
void reply_not_found(struct core *core, const struct asker *asker); /* one text for missing and foreign */
void reply_changed(struct core *core, const struct asker *asker, uint64_t count,
                   const char *detail); /* on commit */
void reply_worker_refused(struct core *core, const struct asker *asker, enum err_code code, const char *text);
/* rows of two columns; n pairs of text. */
void reply_pairs(struct core *core, const struct asker *asker, const char *const columns[2],
                 const struct buf *json_rows);
void reply_pair_add(struct buf *json_rows, const char *name,
                    const char *value); /* "[" first, "]" last: by these */

/* A row of Events. job and detail may be NULL. */
void audit(struct core *core, const char *kind, const struct job *job, struct principal_id actor,
           const char *detail);
/* Which tasks of a job a person meant. */
struct chosen {
        const struct range *ranges; /* of indexes; none: all */
        size_t n_ranges;
        const char *const *statuses; /* words; none: all */
        size_t n_statuses;
};
/* A change to some tasks, or to all. The event's detail is what, which tasks, and the reason; what and reason may be NULL. */
void audit_tasks(struct core *core, const char *kind, const struct job *job, struct principal_id actor,
                 const struct chosen *chosen, const char *what, const char *reason);
/* Refusals are events too, at most one a second; the others are counted. */
void audit_refusal(struct core *core, struct principal_id actor, const char *detail);

#endif
