/* Removing what a task left, without trusting any of it.
 *
 * 1. Nothing here follows a symbolic link or climbs out: every step is relative to an open folder and NOFOLLOW.
 * 2. Depth costs no stack and no descriptors: what lies deeper than DEPTH_MAX is moved up first. */
#include "exec/remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 16
#define PASSES_MAX 10000

struct remover {
        int top_fd;
        unsigned n_moved;
        bool moved;
};

static bool is_dots(const char *name)
{
        return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* An open folder, or -1. One that its owner closed to himself is opened up first. */
static int open_folder(int at_fd, const char *name)
{
        int fd = openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0 && errno == EACCES && fchmodat(at_fd, name, 0700, 0) == 0)
                fd = openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd;
}

static int remove_inside(struct remover *r, int fd, int depth);

/* A folder that is not empty: 0 gone, -1 it remains. */
static int remove_folder(struct remover *r, int fd, const char *name, int depth)
{
        int sub;

        if (depth >= DEPTH_MAX) {
                char moved[32];

                snprintf(moved, sizeof(moved), ".moved-%u", r->n_moved++);
                r->moved = true;
                return renameat(fd, name, r->top_fd, moved);
        }
        sub = open_folder(fd, name);
        if (sub < 0)
                return -1;
        if (remove_inside(r, sub, depth + 1) < 0)
                return -1;
        return unlinkat(fd, name, AT_REMOVEDIR);
}

/* Takes `fd`. 0: all of it gone; -1: something remains. */
static int remove_inside(struct remover *r, int fd, int depth)
{
        DIR *dir = fdopendir(fd);
        struct dirent *entry;
        int ret = 0;

        if (!dir) {
                close(fd);
                return -1;
        }
        fchmod(dirfd(dir), 0700);
        while ((entry = readdir(dir))) {
                if (is_dots(entry->d_name))
                        continue;
                if (unlinkat(dirfd(dir), entry->d_name, 0) == 0)
                        continue;
                if (errno == EISDIR && unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) < 0 &&
                    remove_folder(r, dirfd(dir), entry->d_name, depth) < 0)
                        ret = -1;
        }
        closedir(dir);
        return ret;
}

int remove_content(int folder_fd)
{
        struct remover r = { .top_fd = folder_fd };

        for (int pass = 0; pass < PASSES_MAX; pass++) {
                int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                r.moved = false;
                if (fd < 0)
                        return -1;
                if (remove_inside(&r, fd, 0) == 0 && !r.moved)
                        return 0;
                if (!r.moved)
                        return -1;
        }
        return -1;
}

int remove_tree(int at_fd, const char *name)
{
        int fd, ret;

        if (unlinkat(at_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                return 0;
        if (errno == ENOTDIR)
                return unlinkat(at_fd, name, 0);
        fd = open_folder(at_fd, name);
        if (fd < 0)
                return -1;
        ret = remove_content(fd);
        close(fd);
        return ret < 0 ? -1 : unlinkat(at_fd, name, AT_REMOVEDIR);
}
