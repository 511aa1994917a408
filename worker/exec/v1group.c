/* Folders and a list. What fails is left out: nothing here is an error. */
#include "exec/v1group.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "base/xalloc.h"
#include "exec/cgroup.h"

#define PREFIX "task-" /* no file of the kernel begins so */

struct v1groups {
        char *folder;
        struct v1group *free_list;
        uint64_t n_made;
};

static void remove_left_over(const char *folder)
{
        DIR *dir = opendir(folder);
        struct dirent *entry;

        while (dir && (entry = readdir(dir))) {
                CLEANUP_WITH(xfree) char *path = NULL;

                if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0)
                        continue;
                path = xasprintf("%s/%s", folder, entry->d_name);
                rmdir(path);
        }
        if (dir)
                closedir(dir);
}

struct v1groups *v1groups_new(const char *controller, const char *id, const char *file)
{
        CLEANUP_WITH(xfree) char *own = cgroup_own_folder("cgroup", controller);
        CLEANUP_WITH(xfree) char *folder = NULL;
        CLEANUP_WITH(xfree) char *probe = NULL;
        struct v1groups *groups;

        if (!own)
                return NULL;
        folder = xasprintf("%s/jobmill-%s", own, id);
        probe = xasprintf("%s/%s", folder, file);
        if ((mkdir(folder, 0755) < 0 && errno != EEXIST) || access(probe, W_OK) < 0) {
                rmdir(folder);
                return NULL;
        }
        remove_left_over(folder);
        groups = xcalloc(1, sizeof(*groups));
        groups->folder = STEAL(folder);
        return groups;
}

void v1groups_free(struct v1groups *groups)
{
        if (!groups)
                return;
        while (groups->free_list) {
                struct v1group *group = groups->free_list;

                DL_DELETE(groups->free_list, group);
                v1group_remove(group);
        }
        rmdir(groups->folder);
        free(groups->folder);
        free(groups);
}

struct v1group *v1groups_take(struct v1groups *groups)
{
        struct v1group *group = groups->free_list;
        CLEANUP_WITH(xfree) char *procs = NULL;

        if (group) {
                DL_DELETE(groups->free_list, group);
                return group;
        }
        group = xcalloc(1, sizeof(*group));
        group->path = xasprintf("%s/" PREFIX "%" PRIu64, groups->folder, ++groups->n_made);
        procs = xasprintf("%s/cgroup.procs", group->path);
        mkdir(group->path, 0755);
        group->procs_fd = open(procs, O_WRONLY | O_CLOEXEC);
        if (group->procs_fd >= 0)
                return group;
        v1group_remove(group);
        return NULL;
}

void v1groups_give(struct v1groups *groups, struct v1group *group)
{
        DL_PREPEND(groups->free_list, group);
}

void v1group_remove(struct v1group *group)
{
        cgroup_remove(group->path);
        if (group->procs_fd >= 0)
                close(group->procs_fd);
        free(group->path);
        free(group);
}
