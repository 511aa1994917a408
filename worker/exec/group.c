/* Control groups. Everything here is an improvement over tree.c: what fails is left out, never an error.
 *
 * 1. A group that was killed is never used again: Linux 6.18 kills every process that is cloned into such a group from
 *    outside. So it is only killed when there is something in it, which most tasks do not leave. */
#include "exec/group.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#include "base/xalloc.h"
#include "exec/cgroup.h"

#define TASK_PIDS_MAX 4096 /* of one task, where groups can bound it: no honest batch task has more */
#define WORKER_PIDS_SPARE 2048 /* of all tasks together on v1: so many for each slot, and these */
#define TASK_PIDS_SHARE 1024

struct group {
        char name[24];
        int fd;
        int kill_fd;
        int procs_fd;
        int cpu_fd; /* -1: the kernel does not count */
        uint64_t cpu_us; /* when it was last asked for */
        bool asked; /* since it was taken */
        bool killed;
        struct group *prev, *next;
};
struct groups {
        char *folder; /* v2; NULL: none */
        int own_fd; /* cgroup.procs of our own: each clone into a group asks the kernel's inode of it, which stays so */
        struct group *free_list;
        struct group *dying; /* killed, to be removed once they are empty */
        uint64_t n_made;
        bool pids, memory, cpu;
        char *v1_own, *v1_folder; /* NULL: none */
};

/* ------------------------------------------------------------------ v2 */
static void kill_left_over(const char *folder)
{
        DIR *dir = opendir(folder);
        struct dirent *entry;

        while (dir && (entry = readdir(dir))) {
                CLEANUP_WITH(xfree) char *path = NULL;

                if (entry->d_name[0] != 'g')
                        continue;
                path = xasprintf("%s/%s", folder, entry->d_name);
                cgroup_write(path, "cgroup.kill", "1");
                cgroup_remove(path);
        }
        if (dir)
                closedir(dir);
}

static void open_v2(struct groups *groups, const char *id)
{
        CLEANUP_WITH(xfree) char *own = cgroup_own_folder("cgroup2", "");
        CLEANUP_WITH(xfree) char *probe = NULL, *own_procs = NULL;

        if (!own)
                return;
        groups->folder = xasprintf("%s/jobmill-%s", own, id);
        probe = xasprintf("%s/cgroup.kill", groups->folder);
        if ((mkdir(groups->folder, 0755) < 0 && errno != EEXIST) || access(probe, W_OK) < 0) {
                rmdir(groups->folder);
                xfree(STEAL(groups->folder));
                return;
        }
        kill_left_over(groups->folder);
        /* Possible only where our own group holds no process but through its children; else without. */
        cgroup_write(own, "cgroup.subtree_control", "+pids");
        groups->pids = cgroup_write(groups->folder, "cgroup.subtree_control", "+pids");
        cgroup_write(own, "cgroup.subtree_control", "+memory");
        groups->memory = cgroup_write(groups->folder, "cgroup.subtree_control", "+memory");
        cgroup_write(own, "cgroup.subtree_control", "+cpu");
        groups->cpu = cgroup_write(groups->folder, "cgroup.subtree_control", "+cpu");
        own_procs = xasprintf("%s/cgroup.procs", own);
        groups->own_fd = open(own_procs, O_RDONLY | O_CLOEXEC);
}

static struct group *group_new(struct groups *groups)
{
        struct group *group = xcalloc(1, sizeof(*group));
        CLEANUP_WITH(xfree) char *path = NULL, *kill_path = NULL, *procs_path = NULL, *cpu_path = NULL;
        char max[16];

        snprintf(group->name, sizeof(group->name), "g%llu", (unsigned long long)++groups->n_made);
        path = xasprintf("%s/%s", groups->folder, group->name);
        kill_path = xasprintf("%s/cgroup.kill", path);
        procs_path = xasprintf("%s/cgroup.procs", path);
        mkdir(path, 0755);
        group->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        group->kill_fd = open(kill_path, O_WRONLY | O_CLOEXEC);
        group->procs_fd = open(procs_path, O_RDONLY | O_CLOEXEC);
        cpu_path = xasprintf("%s/cpu.stat", path);
        group->cpu_fd = open(cpu_path, O_RDONLY | O_CLOEXEC);
        snprintf(max, sizeof(max), "%d", TASK_PIDS_MAX);
        if (groups->pids)
                cgroup_write(path, "pids.max", max);
        return group;
}

static char *path_of(const struct groups *groups, const struct group *group)
{
        return xasprintf("%s/%s", groups->folder, group->name);
}

static void group_free(struct group *group)
{
        if (group->fd >= 0)
                close(group->fd);
        if (group->kill_fd >= 0)
                close(group->kill_fd);
        if (group->procs_fd >= 0)
                close(group->procs_fd);
        if (group->cpu_fd >= 0)
                close(group->cpu_fd);
        free(group);
}

/* Those whose processes have gone by now. */
static void bury(struct groups *groups)
{
        struct group *group, *next;

        DL_FOREACH_SAFE (groups->dying, group, next) {
                CLEANUP_WITH(xfree) char *path = path_of(groups, group);

                if (rmdir(path) < 0 && errno == EBUSY)
                        continue;
                DL_DELETE(groups->dying, group);
                group_free(group);
        }
}

/* Of all processes that were ever in it, microseconds. */
static uint64_t cpu_us(const struct group *group)
{
        static const char first[] = "usage_usec ";
        static const size_t n_first = sizeof(first) - 1;
        char text[256];
        ssize_t n = group->cpu_fd >= 0 ? pread(group->cpu_fd, text, sizeof(text) - 1, 0) : 0;

        if (n <= 0)
                return 0;
        text[n] = '\0';
        return strncmp(text, first, n_first) ? 0 : strtoull(text + n_first, NULL, 10);
}

int64_t group_cpu_us(struct group *group)
{
        uint64_t before = group->cpu_us;

        group->cpu_us = cpu_us(group);
        group->asked = true;
        return group->cpu_us > before ? (int64_t)(group->cpu_us - before) : 0;
}

struct group *group_take(struct groups *groups)
{
        struct group *group = groups->free_list;

        if (!groups->folder)
                return NULL;
        if (groups->dying)
                bury(groups);
        if (group) {
                DL_DELETE(groups->free_list, group);
                if (!group->asked)
                        group->cpu_us = cpu_us(group);
                group->asked = false;
                return group;
        }
        group = group_new(groups);
        if (group->fd >= 0 && group->kill_fd >= 0 && group->procs_fd >= 0)
                return group;
        group->killed = true; /* of no use */
        group_give(groups, group);
        return NULL;
}

void group_give(struct groups *groups, struct group *group)
{
        if (group->killed)
                DL_APPEND(groups->dying, group);
        else
                DL_PREPEND(groups->free_list, group);
}

int group_fd(const struct group *group)
{
        return group->fd;
}

void group_kill(struct group *group)
{
        char pid[16];

        if (pread(group->procs_fd, pid, sizeof(pid), 0) == 0)
                return;
        group->killed = true;
        if (write(group->kill_fd, "1", 1) < 0)
                return; /* gone by somebody else's hand; tree.c looks as well */
}

bool group_limit_memory(const struct group *group, uint64_t bytes)
{
        static const char *const names[] = { "memory.swap.max", "memory.oom.group", "memory.max" };
        const char *values[ARRAY_LEN(names)] = { bytes > 0 ? "0" : "max", "1", "max" };
        char text[24];
        bool ok = false;

        snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);
        if (bytes > 0)
                values[2] = text;
        for (size_t i = 0; i < ARRAY_LEN(names);
             i++) { /* the last one counts; a kernel may lack the others */
                int fd = openat(group->fd, names[i], O_WRONLY | O_CLOEXEC);

                ok = fd >= 0 && write(fd, values[i], strlen(values[i])) > 0;
                if (fd >= 0)
                        close(fd);
        }
        return ok;
}

bool group_limit_cpu(const struct group *group, uint64_t cpus)
{
        char text[48];
        int fd = openat(group->fd, "cpu.max", O_WRONLY | O_CLOEXEC);
        bool ok;

        if (cpus > 0)
                snprintf(text, sizeof(text), "%llu %d", (unsigned long long)cpus * CGROUP_CPU_PERIOD_US,
                         CGROUP_CPU_PERIOD_US);
        else
                snprintf(text, sizeof(text), "max");
        ok = fd >= 0 && write(fd, text, strlen(text)) > 0;
        if (fd >= 0)
                close(fd);
        return ok;
}

uint64_t group_oom_kills(const struct group *group)
{
        int fd = openat(group->fd, "memory.events", O_RDONLY | O_CLOEXEC);
        char text[512];
        ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
        unsigned long long kills = 0;
        const char *line;

        if (fd >= 0)
                close(fd);
        text[MAX(n, (ssize_t)0)] = '\0';
        line = strstr(text, "oom_kill ");
        if (line)
                sscanf(line, "oom_kill %llu", &kills);
        return kills;
}

static void close_v2(struct groups *groups)
{
        struct group *group;

        if (!groups->folder)
                return;
        DL_CONCAT(groups->free_list, groups->dying);
        groups->dying = NULL;
        while ((group = groups->free_list)) {
                CLEANUP_WITH(xfree) char *path = path_of(groups, group);

                DL_DELETE(groups->free_list, group);
                cgroup_remove(path);
                group_free(group);
        }
        if (groups->own_fd >= 0)
                close(groups->own_fd);
        groups->own_fd = -1;
        rmdir(groups->folder);
        xfree(STEAL(groups->folder));
}

void groups_give_up(struct groups *groups)
{
        close_v2(groups);
        groups->pids = groups->memory = groups->cpu = false;
}

/* ------------------------------------------------------------------ v1 */
static bool join(const char *folder)
{
        char self[16];

        snprintf(self, sizeof(self), "%d", (int)getpid());
        return cgroup_write(folder, "cgroup.procs", self);
}

static void open_v1(struct groups *groups, const char *id, uint64_t slots)
{
        CLEANUP_WITH(xfree) char *own = cgroup_own_folder("cgroup", "pids");
        CLEANUP_WITH(xfree) char *folder = NULL;
        char max[32];

        if (!own)
                return;
        folder = xasprintf("%s/jobmill-%s", own, id);
        snprintf(max, sizeof(max), "%llu", (unsigned long long)(slots * TASK_PIDS_SHARE + WORKER_PIDS_SPARE));
        if (mkdir(folder, 0755) < 0 && errno != EEXIST)
                return;
        if (!cgroup_write(folder, "pids.max", max) || !join(folder)) {
                rmdir(folder);
                return;
        }
        groups->v1_own = STEAL(own);
        groups->v1_folder = STEAL(folder);
}

static void close_v1(struct groups *groups)
{
        if (!groups->v1_folder)
                return;
        if (join(groups->v1_own))
                cgroup_remove(groups->v1_folder);
        free(groups->v1_folder);
        free(groups->v1_own);
}

/* ------------------------------------------------------------------ life */
struct groups *groups_new(const char *id, uint64_t slots)
{
        struct groups *groups = xcalloc(1, sizeof(*groups));

        groups->own_fd = -1;
        open_v2(groups, id);
        if (!groups->pids)
                open_v1(groups, id, slots);
        return groups;
}

void groups_free(struct groups *groups)
{
        if (!groups)
                return;
        close_v2(groups);
        close_v1(groups);
        free(groups);
}

bool groups_kill(const struct groups *groups)
{
        return groups->folder != NULL;
}

bool groups_memory(const struct groups *groups)
{
        return groups->memory;
}

bool groups_cpu(const struct groups *groups)
{
        return groups->cpu;
}

bool groups_pids(const struct groups *groups)
{
        return groups->pids || groups->v1_folder;
}
