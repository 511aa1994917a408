/* A subscription to several jobs at once: one session has at most one, and a new one takes the place of the old one. Each
 * of its jobs that is not over is a watch like any other; what they have to say goes together. */
#ifndef CORE_GROUP_H
#define CORE_GROUP_H

#include "core/reply.h"

#define GROUP_JOBS_MAX 16384 /* so that an event can name each of them: a megabyte of header */

void group_on_watch(struct core *core, const struct asker *asker, struct msg **take_msg);
void group_begin(struct core *core, struct session_id session); /* what came before it is committed */
void group_note(struct core *core, const struct watch *watch); /* counts, or output, of one of its jobs */
void group_ended(struct core *core, struct watch *watch); /* ... which is over, durably; frees the watch */
void group_tick(struct core *core, struct client *client); /* what is due */
void group_check_rights(struct core *core, struct client *client, bool speaks); /* speaks: its key is good */
void group_free(struct core *core, struct client *client); /* with its watches; may free the client */

#endif
