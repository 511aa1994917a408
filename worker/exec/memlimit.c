/* One group of the v1 memory hierarchy a limited task, used again; or the v2 group that the task is in anyway; or a
 * number for setrlimit. */
#include "exec/memlimit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "base/xalloc.h"
#include "exec/cgroup.h"

struct memlimit {
        uint64_t bytes;
        char *path; /* of a v1 group; NULL: none */
        int procs_fd; /* -1: none */
        struct group *group; /* v2 */
        uint64_t kills; /* when it was taken */
        struct memlimit *prev, *next;
};
struct memlimits {
        bool v2;
        char *folder; /* v1; NULL: none */
        struct memlimit *free_list;
        uint64_t n_made;
};

/* ------------------------------------------------------------------ v1 */

static void remove_left_over(const char *folder)
{
        DIR *dir = opendir(folder);
        struct dirent *entry;

        while (dir && (entry = readdir(dir))) {
                CLEANUP_WITH(xfree) char *path = NULL;

                if (entry->d_name[0] != 'm' || strchr(entry->d_name, '.'))
                        continue;
                path = xasprintf("%s/%s", folder, entry->d_name);
                rmdir(path);
        }
        if (dir)
                closedir(dir);
}

static void open_v1(struct memlimits *limits, const char *id)
{
        CLEANUP_WITH(xfree) char *own = cgroup_own_folder("cgroup", "memory");
        CLEANUP_WITH(xfree) char *folder = NULL;
        CLEANUP_WITH(xfree) char *probe = NULL;

        if (!own)
                return;
        folder = xasprintf("%s/jobmill-%s", own, id);
        probe = xasprintf("%s/memory.limit_in_bytes", folder);
        if ((mkdir(folder, 0755) < 0 && errno != EEXIST) || access(probe, W_OK) < 0) {
                rmdir(folder);
                return;
        }
        cgroup_write(folder, "memory.use_hierarchy", "1");
        remove_left_over(folder);
        limits->folder = STEAL(folder);
}

static struct memlimit *v1_new(struct memlimits *limits)
{
        struct memlimit *limit = xcalloc(1, sizeof(*limit));
        CLEANUP_WITH(xfree) char *procs = NULL;

        limit->path = xasprintf("%s/m%llu", limits->folder, (unsigned long long)++limits->n_made);
        procs = xasprintf("%s/cgroup.procs", limit->path);
        mkdir(limit->path, 0755);
        limit->procs_fd = open(procs, O_WRONLY | O_CLOEXEC);
        return limit;
}

static void limit_free(struct memlimit *limit)
{
        if (limit->path)
                cgroup_remove(limit->path);
        if (limit->procs_fd >= 0)
                close(limit->procs_fd);
        free(limit->path);
        free(limit);
}

static bool v1_set(const struct memlimit *limit)
{
        char text[24];

        snprintf(text, sizeof(text), "%llu", (unsigned long long)limit->bytes);
        /* Of both one is never above the other, so either may have to be first; there may be no swap to be counted. */
        cgroup_write(limit->path, "memory.memsw.limit_in_bytes", "-1");
        if (!cgroup_write(limit->path, "memory.limit_in_bytes", text))
                return false;
        cgroup_write(limit->path, "memory.memsw.limit_in_bytes", text);
        return true;
}

static uint64_t v1_kills(const struct memlimit *limit)
{
        CLEANUP_WITH(xfree) char *path = xasprintf("%s/memory.oom_control", limit->path);
        FILE *file = fopen(path, "re");
        char line[64];
        unsigned long long n = 0;

        while (file && fgets(line, sizeof(line), file))
                if (sscanf(line, "oom_kill %llu", &n) == 1)
                        break;
        if (file)
                fclose(file);
        return n;
}

/* ------------------------------------------------------------------ all */

struct memlimits *memlimits_new(const char *id, struct groups *groups)
{
        struct memlimits *limits = xcalloc(1, sizeof(*limits));

        limits->v2 = groups_memory(groups);
        if (!limits->v2)
                open_v1(limits, id);
        return limits;
}

void memlimits_free(struct memlimits *limits)
{
        if (!limits)
                return;
        while (limits->free_list) {
                struct memlimit *limit = limits->free_list;

                DL_DELETE(limits->free_list, limit);
                limit_free(limit);
        }
        if (limits->folder)
                rmdir(limits->folder);
        free(limits->folder);
        free(limits);
}

const char *memlimits_word(const struct memlimits *limits)
{
        if (limits->v2)
                return "mem-cgroup2";
        return limits->folder ? "mem-cgroup1" : "mem-rlimit";
}

static struct memlimit *plain_new(void)
{
        struct memlimit *limit = xcalloc(1, sizeof(*limit));

        limit->procs_fd = -1;
        return limit;
}

struct memlimit *memlimit_take(struct memlimits *limits, struct group *group, uint64_t bytes)
{
        struct memlimit *limit = NULL;

        if (limits->v2 && group && group_limit_memory(group, bytes)) {
                limit = plain_new();
                limit->group = group;
                limit->kills = group_oom_kills(group);
        } else if (limits->folder) {
                limit = limits->free_list;
                if (limit)
                        DL_DELETE(limits->free_list, limit);
                else
                        limit = v1_new(limits);
                limit->bytes = bytes;
                if (limit->procs_fd < 0 || !v1_set(limit)) {
                        limit_free(limit);
                        limit = plain_new();
                } else {
                        limit->kills = v1_kills(limit);
                }
        } else {
                limit = plain_new();
        }
        limit->bytes = bytes;
        return limit;
}

void memlimit_give(struct memlimits *limits, struct memlimit *limit)
{
        if (limit->group)
                group_limit_memory(limit->group, 0);
        if (limit->path)
                DL_PREPEND(limits->free_list, limit);
        else
                limit_free(limit);
}

int memlimit_procs_fd(const struct memlimit *limit)
{
        return limit->procs_fd;
}

uint64_t memlimit_rlimit(const struct memlimit *limit)
{
        return limit->group || limit->path ? 0 : limit->bytes;
}

bool memlimit_met(const struct memlimit *limit, int64_t rss_kib)
{
        if (limit->group)
                return group_oom_kills(limit->group) > limit->kills;
        if (limit->path)
                return v1_kills(limit) > limit->kills;
        /* Nobody tells: a task that had nearly all of it and failed has met it. */
        return (uint64_t)rss_kib * 1024 >= limit->bytes / 10 * 9;
}
