/* Everything that a task started: found and signalled. The leader's process group gets signals at once; what left the
 * group is found in /proc, by descent, session, or the JOB_DIR in its environment.
 *
 * The worker is a subreaper: a process whose parent died becomes the worker's child. */
#ifndef EXEC_TREE_H
#define EXEC_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct tree;
struct tree *tree_new(void);
void tree_free(struct tree *tree);

struct tree_task {
        pid_t leader;
        const char *dir; /* the value of its JOB_DIR */
};

/* Which of our children are leaders of running tasks: the others were orphaned to us. */
typedef bool tree_is_leader_fn(void *arg, pid_t pid);

/* Send to the leader's group and to all its descendants, wherever they went. Walks /proc: for stops only. */
void tree_signal(const struct tree_task *task, int signal);

/* After a leader ended: true if all our children are leaders of running tasks (or of tasks that have just ended). Then no
 * task that has ended has left anything: whatever descended from it, in any group or session, would be our child by
 * now. One system call. False also where the kernel does not list children. */
bool tree_left_nothing(const struct tree *tree, tree_is_leader_fn *is_leader, void *arg);

/* After the leader ended and before it is waited for: kill what it left.
 * oldest_us: when the oldest of the other running tasks started (monotonic), -1 if there is none: an orphan that
 * carries no mark is killed when none of those can have started it. */
void tree_kill_left(struct tree *tree, const struct tree_task *task, int64_t oldest_us,
                    tree_is_leader_fn *is_leader, void *arg);

/* The JOB_DIR that a process was started with, for the caller to free; NULL: it has none, or nobody may see it. */
char *tree_dir_of(pid_t pid);

/* Kill every process whose JOB_DIR or working directory lies below `folder`: what a worker that died left behind.
 * Returns how many there were. */
unsigned tree_kill_below(const char *folder);

#endif
