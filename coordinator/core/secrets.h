/* Secrets of people: kept and removed here, named by jobs, given only to a worker that holds a lease of such a job. Values
 * pass through the core once, on their way to the store. */
#ifndef CORE_SECRETS_H
#define CORE_SECRETS_H

#include "core/pending.h"

#define SECRETS_MAX 1000 /* of one person */
#define SECRET_BYTES_MAX 65536 /* an environment variable is not longer than twice that */

/* Does the person lack a secret that the job names? Then he was told so. The store has answered for all of them. */
bool secrets_lack(struct core *core, const struct pending *pending, const struct rec_job_spec *spec);
void secrets_on_message(struct core *core, const struct asker *asker, struct msg **take_msg);

#endif
