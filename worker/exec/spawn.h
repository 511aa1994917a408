/* Start one program: own session and process group, its descriptors 0-2 and no others, no privileges to gain, death
 * with its parent. The cheapest call there is: the child borrows our memory until it is another program, so nothing is
 * copied however large we are, and a failure is known at once. */
#ifndef EXEC_SPAWN_H
#define EXEC_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct spawn_user { /* whose tasks: --task-user */
        uid_t uid;
        gid_t gid;
        gid_t *groups;
        size_t n_groups;
};

struct spawn {
        const char *file; /* what is executed; NULL: argv[0], searched in `path` if it has no slash */
        const char *path; /* like $PATH */
        char *const *argv;
        char *const *envp;
        const char *dir; /* its working directory */
        int in_fd, out_fd, err_fd; /* >= 3 */
        const struct spawn_user *user; /* NULL: as we are */
        int join_mem_fd, join_cpu_fd; /* cgroup.procs of v1 groups that it joins; -1: none */
        bool memory_is_plenty; /* nobody runs out of it within the next moment: see spawn.c, 4 */
        uint64_t data_max; /* RLIMIT_DATA; 0: as it is */
        const char *sh; /* NULL, or what runs `file` if it is a script without #! */
};

enum spawn_step { SPAWN_STARTED, SPAWN_CLONE, SPAWN_SETUP, SPAWN_DIR, SPAWN_EXEC };

struct spawner; /* the child's stack; one at a time */
struct spawner *spawner_new(struct err *err) MUST_CHECK;
void spawner_free(struct spawner *spawner);
DEFINE_CLEANUP(struct spawner, spawner_free)

/* The process, or -1 with the step that failed and its errno. A process that failed is waited for already.
 * cgroup_fd: a cgroup v2 folder that it starts in, or -1. */
pid_t spawn_start(struct spawner *spawner, const struct spawn *what, int cgroup_fd, enum spawn_step *ret_step,
                  int *ret_errno);

#endif
