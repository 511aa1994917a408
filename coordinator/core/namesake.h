/* Jobs of one owner with the same name, for those of which one at a time may run (--singleton): such a job waits while an
 * older one of its name is unfinished. */
#ifndef CORE_NAMESAKE_H
#define CORE_NAMESAKE_H

#include "core/state.h"

struct namesakes { /* unfinished jobs of one owner and name */
        void *key;
        size_t key_bytes;
        struct job *jobs; /* the oldest first */
        UT_hash_handle hh;
};

void namesake_join(struct core *core, struct job *job); /* with the job */
void namesake_leave(struct core *core, struct job *job); /* it is over: the next one may go on */
/* Its description has another name. What was never granted waits for an older one of the new name, too. */
void namesake_rename(struct core *core, struct job *job);
/* The job has not started: if it is a singleton and not the oldest, it waits (job.n_waits). */
void namesake_wait(struct job *job);
void namesake_waits_no_more(struct job *job); /* it was granted already: n_waits is the caller's */
const struct job *namesake_before(const struct job *job); /* whom it waits for; NULL: nobody */

#endif
