/* Scratch folders: made cheaply, removed without trusting anything that a task left in them.
 *
 * 1. Nothing here follows a symbolic link or climbs out: every step is relative to an open folder and NOFOLLOW.
 * 2. Depth costs no stack and no descriptors: what lies deeper than DEPTH_MAX is moved up first.
 * 3. A removal that takes long is the sweeper thread's; the thread only touches names that it was given. */
#include "exec/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "base/xalloc.h"

#define DEPTH_MAX 16
#define BUDGET_INLINE 64 /* entries that the worker's own thread removes, about a millisecond */
#define PASSES_MAX 10000

/* ------------------------------------------------------------------ removing */
struct remover {
        int top_fd;
        long budget; /* entries; -1: no limit */
        unsigned n_moved;
        bool moved;
};

static bool is_dots(const char *name)
{
        return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
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
        sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (sub < 0 && errno == EACCES && fchmodat(fd, name, 0700, 0) == 0)
                sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (sub < 0)
                return -1;
        if (remove_inside(r, sub, depth + 1) < 0)
                return -1;
        return unlinkat(fd, name, AT_REMOVEDIR);
}

/* Takes `fd`. 0: all of it gone; -1: something remains, or the budget is used up. */
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
                if (!r->budget) {
                        ret = -1;
                        break;
                }
                if (r->budget > 0)
                        r->budget--;
                if (unlinkat(dirfd(dir), entry->d_name, 0) == 0)
                        continue;
                if (errno == EISDIR && unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) < 0 &&
                    remove_folder(r, dirfd(dir), entry->d_name, depth) < 0)
                        ret = -1;
        }
        closedir(dir);
        return ret;
}

/* 0 gone, -1 not (yet). */
static int remove_tree(int at_fd, const char *name, long budget)
{
        struct remover r = { .top_fd = -1, .budget = budget };
        int ret = -1;

        if (unlinkat(at_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                return 0;
        if (errno == ENOTDIR)
                return unlinkat(at_fd, name, 0);
        r.top_fd = openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (r.top_fd < 0 && errno == EACCES && fchmodat(at_fd, name, 0700, 0) == 0)
                r.top_fd = openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (r.top_fd < 0)
                return -1;
        for (int pass = 0; pass < PASSES_MAX && ret < 0; pass++) {
                int fd = openat(r.top_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                r.moved = false;
                if (fd < 0 || (remove_inside(&r, fd, 0) < 0 && !r.moved))
                        break;
                ret = unlinkat(at_fd, name, AT_REMOVEDIR);
        }
        close(r.top_fd);
        return ret;
}

/* ------------------------------------------------------------------ the sweeper */
struct sweep {
        char *name;
        struct sweep *prev, *next;
};
struct sweeper {
        pthread_t thread;
        bool running;
        pthread_mutex_t lock;
        pthread_cond_t wake;
        struct sweep *todo;
        bool ending;
        int fd;
        uint64_t n_named;
};

static void *sweeper_main(void *arg)
{
        struct sweeper *sweeper = arg;

        pthread_mutex_lock(&sweeper->lock);
        while (sweeper->todo || !sweeper->ending) {
                struct sweep *sweep = sweeper->todo;

                if (!sweep) {
                        pthread_cond_wait(&sweeper->wake, &sweeper->lock);
                        continue;
                }
                DL_DELETE(sweeper->todo, sweep);
                pthread_mutex_unlock(&sweeper->lock);
                if (remove_tree(sweeper->fd, sweep->name, -1) < 0)
                        fprintf(stderr, "cannot remove %s in the scratch folder\n", sweep->name);
                free(sweep->name);
                free(sweep);
                pthread_mutex_lock(&sweeper->lock);
        }
        pthread_mutex_unlock(&sweeper->lock);
        return NULL;
}

static struct sweeper *sweeper_new(int fd)
{
        struct sweeper *sweeper = xcalloc(1, sizeof(*sweeper));

        pthread_mutex_init(&sweeper->lock, NULL);
        pthread_cond_init(&sweeper->wake, NULL);
        sweeper->fd = fd;
        return sweeper;
}

static void sweeper_free(struct sweeper *sweeper)
{
        if (sweeper->running) {
                pthread_mutex_lock(&sweeper->lock);
                sweeper->ending = true;
                pthread_cond_signal(&sweeper->wake);
                pthread_mutex_unlock(&sweeper->lock);
                pthread_join(sweeper->thread, NULL);
        }
        pthread_cond_destroy(&sweeper->wake);
        pthread_mutex_destroy(&sweeper->lock);
        free(sweeper);
}

/* The name is free again at once: what is to be removed gets another one first. */
static void sweeper_take(struct sweeper *sweeper, const char *name)
{
        struct sweep *sweep = xcalloc(1, sizeof(*sweep));

        sweep->name = xasprintf(".gone-%d-%llu", (int)getpid(), (unsigned long long)sweeper->n_named++);
        if (renameat(sweeper->fd, name, sweeper->fd, sweep->name) < 0) {
                free(sweep->name);
                sweep->name = xstrdup(name);
        }
        pthread_mutex_lock(&sweeper->lock);
        DL_APPEND(sweeper->todo, sweep);
        if (!sweeper->running)
                sweeper->running = pthread_create(&sweeper->thread, NULL, sweeper_main, sweeper) == 0;
        pthread_cond_signal(&sweeper->wake);
        pthread_mutex_unlock(&sweeper->lock);
}

/* ------------------------------------------------------------------ the folder */
static int open_own_folder(const char *path, mode_t mode, struct err *err)
{
        struct stat st;
        int fd;

        if (mkdir(path, mode) < 0 && errno != EEXIST)
                return err_set(err, ERR_CONFIG, "scratch folder %s: %s", path, strerror(errno));
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0) {
                if (fd >= 0)
                        close(fd);
                return err_set(err, ERR_CONFIG, "scratch folder %s: %s", path, strerror(errno));
        }
        return fd;
}

/* A folder that others could have made in /tmp before us must be ours. */
static int check_ours(int fd, const char *path, struct err *err)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return err_set(err, ERR_CONFIG, "scratch folder %s: %s", path, strerror(errno));
        if (st.st_uid != geteuid() || (st.st_mode & 022))
                return err_set(err, ERR_CONFIG,
                               "scratch folder %s must belong to the worker and nobody else may write "
                               "there; run: chmod 755 %s, or name another one with --scratch",
                               path, path);
        return 0;
}

static char *make_base(const char *base, struct err *err)
{
        const char *tmp = getenv("TMPDIR");
        char *path, *real;
        int fd;

        path = base ? xstrdup(base)
                    : xasprintf("%s/jobmill-%u", tmp && *tmp == '/' ? tmp : "/tmp", (unsigned)geteuid());
        fd = open_own_folder(path, 0711, err);
        if (fd < 0 || (!base && check_ours(fd, path, err) < 0)) {
                if (fd >= 0)
                        close(fd);
                free(path);
                return NULL;
        }
        close(fd);
        real = realpath(path, NULL);
        if (!real)
                err_set(err, ERR_CONFIG, "scratch folder %s: %s", path, strerror(errno));
        free(path);
        return real;
}

struct scratch *scratch_open(const char *base, const char *id, const struct spawn_user *user, struct err *err)
{
        CLEANUP_WITH(scratch_free) struct scratch *scratch = xcalloc(1, sizeof(*scratch));
        char *real = make_base(base, err);

        scratch->fd = -1;
        if (!real)
                return NULL;
        scratch->path = xasprintf("%s/%s", real, id);
        free(real);
        scratch->user = user;
        scratch->fd = open_own_folder(scratch->path, 0711, err);
        if (scratch->fd < 0 || check_ours(scratch->fd, scratch->path, err) < 0)
                return NULL;
        if (flock(scratch->fd, LOCK_EX | LOCK_NB) < 0) {
                close(scratch->fd);
                scratch->fd = -1; /* it is the other's: not removed */
                err_set(err, ERR_CONFIG,
                        "another worker with this key already uses %s: give each worker a key of its "
                        "own, or another --scratch",
                        scratch->path);
                return NULL;
        }
        scratch->sweeper = sweeper_new(scratch->fd);
        return STEAL(scratch);
}

void scratch_free(struct scratch *scratch)
{
        if (!scratch)
                return;
        if (scratch->sweeper)
                sweeper_free(scratch->sweeper);
        if (scratch->fd >= 0) {
                rmdir(scratch->path);
                close(scratch->fd);
        }
        free(scratch->path);
        free(scratch);
}

void scratch_sweep(struct scratch *scratch)
{
        DIR *dir = fdopendir(openat(scratch->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        struct dirent *entry;

        if (!dir)
                return;
        while ((entry = readdir(dir)))
                if (!is_dots(entry->d_name))
                        sweeper_take(scratch->sweeper, entry->d_name);
        closedir(dir);
}

int scratch_make(struct scratch *scratch, const char *name, bool for_task)
{
        if (mkdirat(scratch->fd, name, 0700) < 0)
                return errno;
        if (for_task && scratch->user &&
            fchownat(scratch->fd, name, scratch->user->uid, scratch->user->gid, AT_SYMLINK_NOFOLLOW) < 0)
                return errno;
        return 0;
}

void scratch_remove(struct scratch *scratch, const char *name)
{
        if (remove_tree(scratch->fd, name, BUDGET_INLINE) < 0)
                sweeper_take(scratch->sweeper, name);
}
