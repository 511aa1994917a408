/* Limits of a task's memory, for tasks that say how much they need. With control groups of the kernel the limit holds for
 * the task and all that it starts, and its breach is told apart from other ends: v2 where the memory controller is ours,
 * else v1. Without, each process is bounded by a resource limit, and allocations fail. */
#ifndef EXEC_MEMLIMIT_H
#define EXEC_MEMLIMIT_H

#include "exec/group.h"

struct memlimits;
struct memlimit;

/* Never NULL. What an earlier worker of this id left is removed. `groups` may bring v2. */
struct memlimits *memlimits_new(const char *id, struct groups *groups);
void memlimits_free(struct memlimits *limits);
const char *memlimits_word(const struct memlimits *limits); /* "mem-cgroup2", "mem-cgroup1", "mem-rlimit" */

/* A limit for one task; group: its v2 group, or NULL. */
struct memlimit *memlimit_take(struct memlimits *limits, struct group *group, uint64_t bytes);
void memlimit_give(struct memlimits *limits, struct memlimit *limit); /* nothing of the task is left */
/* What its first process does before it is the task: */
int memlimit_procs_fd(const struct memlimit *limit); /* writes "0" here; -1: no */
uint64_t memlimit_rlimit(const struct memlimit *limit); /* bounds its own data to so much; 0: no */
/* Did the task meet its limit? rss_kib: the largest resident size that was seen of one process. */
bool memlimit_met(const struct memlimit *limit, int64_t rss_kib);

#endif
