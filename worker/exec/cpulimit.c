/* The bandwidth control of the kernel's scheduler: a quota of so many periods in each period. */
#include "exec/cpulimit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "exec/cgroup.h"
#include "exec/v1group.h"

struct cpulimit {
        struct v1group *v1; /* NULL: none */
        struct group *group; /* v2; NULL: none */
};
struct cpulimits {
        bool v2;
        struct v1groups *v1; /* NULL: none */
};

struct cpulimits *cpulimits_new(const char *id, struct groups *groups)
{
        struct cpulimits *limits = xcalloc(1, sizeof(*limits));

        limits->v2 = groups_cpu(groups);
        if (!limits->v2)
                limits->v1 = v1groups_new("cpu", id, "cpu.cfs_quota_us");
        return limits;
}

void cpulimits_free(struct cpulimits *limits)
{
        if (!limits)
                return;
        v1groups_free(limits->v1);
        free(limits);
}

const char *cpulimits_word(const struct cpulimits *limits)
{
        if (limits->v2)
                return "cpu-cgroup2";
        return limits->v1 ? "cpu-cgroup1" : NULL;
}

static bool v1_set(const struct v1group *group, uint64_t cpus)
{
        char text[24];

        snprintf(text, sizeof(text), "%" PRIu64, cpus * CGROUP_CPU_PERIOD_US);
        return cgroup_write(group->path, "cpu.cfs_quota_us", text);
}

struct cpulimit *cpulimit_take(struct cpulimits *limits, struct group *group, uint64_t cpus)
{
        struct cpulimit *limit = xcalloc(1, sizeof(*limit));

        if (limits->v2 && group && group_limit_cpu(group, cpus)) {
                limit->group = group;
                return limit;
        }
        limit->v1 = limits->v1 ? v1groups_take(limits->v1) : NULL;
        if (limit->v1 && !v1_set(limit->v1, cpus))
                v1group_remove(STEAL(limit->v1));
        return limit;
}

void cpulimit_give(struct cpulimits *limits, struct cpulimit *limit)
{
        if (limit->group)
                group_limit_cpu(limit->group, 0);
        if (limit->v1)
                v1groups_give(limits->v1, limit->v1);
        free(limit);
}

int cpulimit_procs_fd(const struct cpulimit *limit)
{
        return limit->v1 ? limit->v1->procs_fd : -1;
}
