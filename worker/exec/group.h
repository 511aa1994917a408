/* Control groups, where the machine lets us make them: a task starts in one, and one write ends all that is in it,
 * whatever it did to hide. Where it does not, tree.h alone does the work.
 *
 * v2: a folder below our own group with one group a running task, used again; `pids` too if that controller is ours.
 * v1 with a writable `pids` hierarchy: one group for the worker and all its tasks, so that a fork bomb stops before the
 * machine does. */
#ifndef EXEC_GROUP_H
#define EXEC_GROUP_H

#include <stdbool.h>
#include <stdint.h>

struct groups;
struct group;

/* Never NULL; without any group where none can be made. What an earlier worker of this id left in its groups is killed.
 * id: of the worker; slots: how many tasks at once. */
struct groups *groups_new(const char *id, uint64_t slots);
void groups_free(struct groups *groups); /* removes them */

/* A group without processes, or NULL where there are none. */
struct group *group_take(struct groups *groups);
void group_give(struct groups *groups, struct group *group);
int group_fd(const struct group *group); /* of its folder, to start a process in */
void group_kill(struct group *group); /* all that is in it. Two system calls; one where there is nothing */
void groups_give_up(struct groups *groups); /* the kernel would not start processes in them */

/* Processor time of all that ran in it since it was taken, or since the last time this was asked; 0: not known. Whoever
 * gives a group back that something ran in asks when that is over: the next one to take it need not. */
int64_t group_cpu_us(struct group *group);
/* With groups_memory: all of it together may use so much; 0: no limit. False: it could not be set. */
bool group_limit_memory(const struct group *group, uint64_t bytes);
/* With groups_cpu: all of it together may use so many cpus' time; 0: no limit. False: it could not be set. */
bool group_limit_cpu(const struct group *group, uint64_t cpus);
uint64_t group_oom_kills(const struct group *group); /* ever */

bool groups_memory(const struct groups *groups); /* memory can be bounded */
bool groups_cpu(const struct groups *groups); /* processor time can be bounded */
bool groups_kill(const struct groups *groups); /* kill by group is there */
bool groups_pids(const struct groups *groups); /* the number of processes is bounded */

#endif
