/* Groups of one controller of the first cgroup version: a folder below our own group of that hierarchy, in it one group a
 * limited task, used again. */
#ifndef EXEC_V1GROUP_H
#define EXEC_V1GROUP_H

#include <stdbool.h>

#include "base/cleanup.h"

struct v1groups;
struct v1group {
        char *path;
        int procs_fd; /* the process that writes "0" here is in it */
        struct v1group *prev, *next;
};

/* NULL: this machine has no such hierarchy, or we may not write to it. What an earlier worker of this id left is removed.
 * file: one that a group must have, and that we must be able to write. */
struct v1groups *v1groups_new(const char *controller, const char *id, const char *file);
void v1groups_free(struct v1groups *groups); /* removes them; NULL is fine */

struct v1group *v1groups_take(struct v1groups *groups); /* or NULL: none could be made */
void v1groups_give(struct v1groups *groups, struct v1group *group); /* nothing is in it any more */
void v1group_remove(struct v1group *group); /* instead of giving it back: it is of no use */

#endif
