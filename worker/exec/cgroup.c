/* Reads what the kernel says of its control groups. What fails is left out: nothing here is an error. */
#include "exec/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/xalloc.h"

#define GONE_TRIES 50 /* of 2 ms: killed processes leave their group when they are scheduled */

bool cgroup_write(const char *folder, const char *name, const char *text)
{
        CLEANUP_WITH(xfree) char *path = xasprintf("%s/%s", folder, name);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

        if (fd >= 0)
                close(fd);
        return ok;
}

void cgroup_remove(const char *path)
{
        for (int i = 0; i < GONE_TRIES && rmdir(path) < 0 && errno == EBUSY; i++)
                nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
}

/* Is it one of the words between the commas? The empty word is in the empty list alone. */
static bool names(const char *list, const char *word)
{
        for (;;) {
                size_t length = strcspn(list, ",");

                if (length == strlen(word) && !memcmp(list, word, length))
                        return true;
                if (!list[length])
                        return false;
                list += length + 1;
        }
}

/* Our own group in the hierarchy with this controller ("" for v2), as /proc/self/cgroup tells it; caller frees. */
static char *own_path(const char *controller)
{
        FILE *file = fopen("/proc/self/cgroup", "re");
        char line[4096];
        char *found = NULL;

        while (file && !found && fgets(line, sizeof(line), file)) {
                char *controllers = strchr(line, ':');
                char *path = controllers ? strchr(controllers + 1, ':') : NULL;

                if (!path)
                        continue;
                *path++ = '\0';
                path[strcspn(path, "\n")] = '\0';
                if (names(controllers + 1, controller) && !strstr(path, "/.."))
                        found = xstrdup(strcmp(path, "/") ? path : "");
        }
        if (file)
                fclose(file);
        return found;
}

char *cgroup_mount(const char *type, const char *controller)
{
        FILE *file = fopen("/proc/self/mountinfo", "re");
        char line[4096];
        char *found = NULL;

        while (file && !found && fgets(line, sizeof(line), file)) {
                char root[1024], point[1024], kind[64], options[512];
                const char *rest = strstr(line, " - ");

                if (!rest || sscanf(line, "%*s %*s %*s %1023s %1023s", root, point) != 2 ||
                    sscanf(rest, " - %63s %*s %511s", kind, options) != 2 || strcmp(root, "/") != 0 ||
                    strcmp(kind, type) != 0 || strchr(point, '\\') ||
                    (*controller && !names(options, controller)))
                        continue;
                found = xstrdup(point);
        }
        if (file)
                fclose(file);
        return found;
}

char *cgroup_own_folder(const char *type, const char *controller)
{
        CLEANUP_WITH(xfree) char *mount = cgroup_mount(type, controller);
        CLEANUP_WITH(xfree) char *own = own_path(controller);

        return mount && own ? xasprintf("%s%s", mount, own) : NULL;
}
