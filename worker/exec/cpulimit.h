/* Limits of a task's processor time, for tasks that say how many cpus they take: it and all that it starts get no more of
 * each moment than so many cpus give, by a control group of v2 where that controller is ours, else of v1. Where there is
 * neither, a slot is counted and nothing holds a task to it. */
#ifndef EXEC_CPULIMIT_H
#define EXEC_CPULIMIT_H

#include "exec/group.h"

struct cpulimits;
struct cpulimit;

/* Never NULL. What an earlier worker of this id left is removed. `groups` may bring v2. */
struct cpulimits *cpulimits_new(const char *id, struct groups *groups);
void cpulimits_free(struct cpulimits *limits);
const char *cpulimits_word(const struct cpulimits *limits); /* "cpu-cgroup2", "cpu-cgroup1", or NULL */

/* A limit for one task; group: its v2 group, or NULL. Never NULL. */
struct cpulimit *cpulimit_take(struct cpulimits *limits, struct group *group, uint64_t cpus);
void cpulimit_give(struct cpulimits *limits, struct cpulimit *limit); /* nothing of the task is left */
int cpulimit_procs_fd(const struct cpulimit *limit); /* where its first process writes "0"; -1: nowhere */

#endif
