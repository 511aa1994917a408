/* One group of the v1 memory hierarchy a limited task, used again; or the v2 group that the task is in anyway; or a
 * number for setrlimit. */
#include "exec/memlimit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "exec/cgroup.h"
#include "exec/v1group.h"

struct memlimit {
        uint64_t bytes;
        struct v1group *v1; /* NULL: none */
        struct group *group; /* v2; NULL: none */
        uint64_t kills; /* when it was taken */
};
struct memlimits {
        bool v2;
        struct v1groups *v1; /* NULL: none */
};

/* ------------------------------------------------------------------ v1 */

static bool v1_set(const struct v1group *group, uint64_t bytes)
{
        char text[24];

        snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);
        /* Of both one is never above the other, so either may have to be first; there may be no swap to be counted. */
        cgroup_write(group->path, "memory.memsw.limit_in_bytes", "-1");
        if (!cgroup_write(group->path, "memory.limit_in_bytes", text))
                return false;
        cgroup_write(group->path, "memory.memsw.limit_in_bytes", text);
        return true;
}

static uint64_t v1_kills(const struct v1group *group)
{
        CLEANUP_WITH(xfree) char *path = xasprintf("%s/memory.oom_control", group->path);
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
                limits->v1 = v1groups_new("memory", id, "memory.limit_in_bytes");
        return limits;
}

void memlimits_free(struct memlimits *limits)
{
        if (!limits)
                return;
        v1groups_free(limits->v1);
        free(limits);
}

const char *memlimits_word(const struct memlimits *limits)
{
        if (limits->v2)
                return "mem-cgroup2";
        return limits->v1 ? "mem-cgroup1" : "mem-rlimit";
}

struct memlimit *memlimit_take(struct memlimits *limits, struct group *group, uint64_t bytes)
{
        struct memlimit *limit = xcalloc(1, sizeof(*limit));

        limit->bytes = bytes;
        if (limits->v2 && group && group_limit_memory(group, bytes)) {
                limit->group = group;
                limit->kills = group_oom_kills(group);
                return limit;
        }
        limit->v1 = limits->v1 ? v1groups_take(limits->v1) : NULL;
        if (limit->v1 && !v1_set(limit->v1, bytes))
                v1group_remove(STEAL(limit->v1));
        if (limit->v1)
                limit->kills = v1_kills(limit->v1);
        return limit;
}

void memlimit_give(struct memlimits *limits, struct memlimit *limit)
{
        if (limit->group)
                group_limit_memory(limit->group, 0);
        if (limit->v1)
                v1groups_give(limits->v1, limit->v1);
        free(limit);
}

int memlimit_procs_fd(const struct memlimit *limit)
{
        return limit->v1 ? limit->v1->procs_fd : -1;
}

uint64_t memlimit_rlimit(const struct memlimit *limit)
{
        return limit->group || limit->v1 ? 0 : limit->bytes;
}

bool memlimit_met(const struct memlimit *limit, int64_t rss_kib)
{
        if (limit->group)
                return group_oom_kills(limit->group) > limit->kills;
        if (limit->v1)
                return v1_kills(limit->v1) > limit->kills;
        /* Nobody tells: a task that had nearly all of it and failed has met it. */
        return (uint64_t)rss_kib * 1024 >= limit->bytes / 10 * 9;
}
