/* Looked up once, when the worker starts. */
#include "exec/machine.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "exec/cgroup.h"

static uint64_t limit_in(const char *folder, const char *file)
{
        CLEANUP_WITH(xfree) char *path = xasprintf("%s/%s", folder, file);
        FILE *f = fopen(path, "re");
        unsigned long long n = 0;

        if (!f)
                return UINT64_MAX;
        if (fscanf(f, "%llu", &n) != 1) /* "max" */
                n = UINT64_MAX;
        fclose(f);
        return n;
}

/* The least limit of our own group and those above it. */
static uint64_t least_limit(const char *type, const char *controller, const char *file)
{
        CLEANUP_WITH(xfree) char *mount = cgroup_mount(type, controller);
        CLEANUP_WITH(xfree) char *folder = cgroup_own_folder(type, controller);
        uint64_t least = UINT64_MAX;

        while (mount && folder && strlen(folder) > strlen(mount)) {
                least = MIN(least, limit_in(folder, file));
                *strrchr(folder, '/') = '\0';
        }
        return mount ? MIN(least, limit_in(mount, file)) : least;
}

uint64_t machine_mem_bytes(void)
{
        uint64_t bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGE_SIZE);

        bytes = MIN(bytes, least_limit("cgroup2", "", "memory.max"));
        return MIN(bytes, least_limit("cgroup", "memory", "memory.limit_in_bytes"));
}

int64_t machine_gpus(void)
{
        int64_t n = 0;

        while (n < 64) {
                char path[32];

                snprintf(path, sizeof(path), "/dev/nvidia%lld", (long long)n);
                if (access(path, F_OK) < 0)
                        break;
                n++;
        }
        return n;
}
