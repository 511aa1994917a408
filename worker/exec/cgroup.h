/* Control groups of this machine: where they are, and how to write to them. */
#ifndef EXEC_CGROUP_H
#define EXEC_CGROUP_H

#include <stdbool.h>

#define CGROUP_CPU_PERIOD_US 100000 /* the kernel's own default: long enough that a quota costs nothing */

/* Where a hierarchy is mounted whole: type cgroup2 (controller ""), or cgroup with this controller. NULL: nowhere.
 * Caller frees. */
char *cgroup_mount(const char *type, const char *controller);
char *cgroup_own_folder(const char *type,
                        const char *controller); /* of the group we are in; or NULL. Caller frees */
bool cgroup_write(const char *folder, const char *name, const char *text);
void cgroup_remove(const char *path); /* waits a little for killed processes to leave it */

#endif
