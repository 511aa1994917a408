/* Scratch folders: made cheaply, removed without trusting anything that a task left in them.
 *
 * 1. A place that is handed out is empty, ours (or the tasks' user's), of mode 0700, and its result does not exist.
 *    While it is watched nobody has touched its folder, or the watch tells.
 * 2. The sweeper thread only touches names that it was given; it gives cleaned places back under the lock.
 * 3. At most BACKLOG_MAX names wait for it: beyond that, whoever fills the disk waits as well. */
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
#include <sys/statvfs.h>
#include <unistd.h>
#include <utlist.h>

#include "base/xalloc.h"
#include "exec/remove.h"
#include "exec/touched.h"

#define BACKLOG_MAX 256
#define CLEAN_MAX 64 /* places kept for later */

/* ------------------------------------------------------------------ the sweeper */
struct sweep {
        struct place place; /* to be cleaned, or */
        char *name; /* to be removed */
        struct sweep *prev, *next;
};
struct sweeper {
        int fd;
        const struct spawn_user *user;
        pthread_t thread;
        bool running;
        pthread_mutex_t lock;
        pthread_cond_t wake, done; /* something to do; something was done */
        struct sweep *waiting;
        unsigned n_todo; /* with the one in hand */
        bool ending;
        struct place clean[CLEAN_MAX];
        unsigned n_clean;
};

/* Is the folder as it was handed out, but for what may lie in it? */
static bool is_as_made(int fd, const struct spawn_user *user)
{
        uid_t uid = user ? user->uid : geteuid();
        struct stat st;

        return fstat(fd, &st) == 0 && st.st_uid == uid && (st.st_mode & 07777) == 0700;
}

static bool is_dots(const char *name)
{
        return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static void result_folder(const struct place *place, char *ret_name, size_t n)
{
        snprintf(ret_name, n, "%s.r", place->name);
}

/* Clean and as made, so that it can be used again. */
static bool clean_place(const struct sweeper *sweeper, const struct place *place)
{
        char results[PLACE_NAME_BYTES + 8];
        int fd = openat(sweeper->fd, place->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        bool ok = fd >= 0 && is_as_made(fd, sweeper->user) && remove_content(fd) == 0;

        if (fd >= 0)
                close(fd);
        if (!ok || !sweeper->user)
                return ok && remove_tree(sweeper->fd, place->result) == 0;
        result_folder(place, results, sizeof(results));
        fd = openat(sweeper->fd, results, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        ok = fd >= 0 && is_as_made(fd, sweeper->user) && remove_content(fd) == 0;
        if (fd >= 0)
                close(fd);
        return ok;
}

static void remove_place(const struct sweeper *sweeper, const struct place *place)
{
        char results[PLACE_NAME_BYTES + 8];

        result_folder(place, results, sizeof(results));
        if (remove_tree(sweeper->fd, place->name) < 0 ||
            remove_tree(sweeper->fd, sweeper->user ? results : place->result) < 0)
                fprintf(stderr, "jobworker: cannot remove %s in the scratch folder\n", place->name);
}

/* True if the place may be used again. */
static bool sweep_one(const struct sweeper *sweeper, const struct sweep *sweep)
{
        if (sweep->name) {
                if (remove_tree(sweeper->fd, sweep->name) < 0)
                        fprintf(stderr, "jobworker: cannot remove %s in the scratch folder\n", sweep->name);
                return false;
        }
        if (clean_place(sweeper, &sweep->place))
                return true;
        remove_place(sweeper, &sweep->place);
        return false;
}

static void *sweeper_main(void *arg)
{
        struct sweeper *sweeper = arg;

        pthread_mutex_lock(&sweeper->lock);
        while (sweeper->waiting || !sweeper->ending) {
                struct sweep *sweep = sweeper->waiting;
                bool clean;

                if (!sweep) {
                        pthread_cond_wait(&sweeper->wake, &sweeper->lock);
                        continue;
                }
                DL_DELETE(sweeper->waiting, sweep);
                clean = sweeper->n_clean < CLEAN_MAX && !sweeper->ending;
                pthread_mutex_unlock(&sweeper->lock);
                if (clean || sweep->name)
                        clean = sweep_one(sweeper, sweep);
                else
                        remove_place(sweeper, &sweep->place);
                pthread_mutex_lock(&sweeper->lock);
                if (clean && sweeper->n_clean < CLEAN_MAX)
                        sweeper->clean[sweeper->n_clean++] = sweep->place;
                else if (clean)
                        remove_place(sweeper, &sweep->place);
                sweeper->n_todo--;
                pthread_cond_signal(&sweeper->done);
                free(sweep->name);
                free(sweep);
        }
        pthread_mutex_unlock(&sweeper->lock);
        return NULL;
}

static struct sweeper *sweeper_new(int fd, const struct spawn_user *user)
{
        struct sweeper *sweeper = xcalloc(1, sizeof(*sweeper));

        pthread_mutex_init(&sweeper->lock, NULL);
        pthread_cond_init(&sweeper->wake, NULL);
        pthread_cond_init(&sweeper->done, NULL);
        sweeper->fd = fd;
        sweeper->user = user;
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
        for (unsigned i = 0; i < sweeper->n_clean; i++)
                remove_place(sweeper, &sweeper->clean[i]);
        pthread_cond_destroy(&sweeper->wake);
        pthread_cond_destroy(&sweeper->done);
        pthread_mutex_destroy(&sweeper->lock);
        free(sweeper);
}

static void sweeper_take(struct sweeper *sweeper, const struct place *place, const char *name)
{
        struct sweep *sweep = xcalloc(1, sizeof(*sweep));

        if (place)
                sweep->place = *place;
        else
                sweep->name = xstrdup(name);
        pthread_mutex_lock(&sweeper->lock);
        if (!sweeper->running)
                sweeper->running = pthread_create(&sweeper->thread, NULL, sweeper_main, sweeper) == 0;
        while (sweeper->running && sweeper->n_todo >= BACKLOG_MAX)
                pthread_cond_wait(&sweeper->done, &sweeper->lock);
        DL_APPEND(sweeper->waiting, sweep);
        sweeper->n_todo++;
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
        scratch->sweeper = sweeper_new(scratch->fd, user);
        scratch->touched = touched_new();
        return STEAL(scratch);
}

void scratch_free(struct scratch *scratch)
{
        if (!scratch)
                return;
        if (scratch->sweeper)
                sweeper_free(scratch->sweeper);
        touched_free(scratch->touched);
        if (scratch->fd >= 0) {
                rmdir(scratch->path);
                close(scratch->fd);
        }
        free(scratch->path);
        free(scratch);
}

/* Done before anything is handed out: names would be made anew otherwise while the thread removes them. */
void scratch_sweep(struct scratch *scratch)
{
        int fd = openat(scratch->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;

        if (!dir)
                return;
        while ((entry = readdir(dir))) {
                CLEANUP_WITH(xfree) char *gone = NULL;

                if (is_dots(entry->d_name) || !strncmp(entry->d_name, "gone-", 5))
                        continue;
                gone = xasprintf("gone-%d-%llu", (int)getpid(), (unsigned long long)scratch->n_named++);
                if (renameat(scratch->fd, entry->d_name, scratch->fd, gone) == 0)
                        scratch_remove(scratch, gone);
        }
        rewinddir(dir);
        while ((entry = readdir(dir))) /* those of an earlier sweep that did not come to its end */
                if (!strncmp(entry->d_name, "gone-", 5))
                        scratch_remove(scratch, entry->d_name);
        closedir(dir);
}

/* ------------------------------------------------------------------ places */
static int chown_to_user(const struct scratch *scratch, const char *name)
{
        if (!scratch->user)
                return 0;
        return fchownat(scratch->fd, name, scratch->user->uid, scratch->user->gid, AT_SYMLINK_NOFOLLOW);
}

static int make_place(struct scratch *scratch, struct place *place)
{
        char results[PLACE_NAME_BYTES + 8];

        place->watch = -1;
        snprintf(place->name, sizeof(place->name), "t%llu", (unsigned long long)++scratch->n_named);
        snprintf(place->result, sizeof(place->result), "%s%s", place->name,
                 scratch->user ? ".r/result" : ".json");
        if (mkdirat(scratch->fd, place->name, 0700) < 0 || chown_to_user(scratch, place->name) < 0)
                return errno;
        if (!scratch->user)
                return 0;
        result_folder(place, results, sizeof(results));
        return mkdirat(scratch->fd, results, 0700) < 0 || chown_to_user(scratch, results) < 0 ? errno : 0;
}

static uint64_t inode_of(const struct scratch *scratch, const char *name)
{
        struct stat st;

        return fstatat(scratch->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
}

/* Beside its result a task's user could leave more in the folder of results, so only places of our own are watched. */
static void watch_place(struct scratch *scratch, struct place *place)
{
        CLEANUP_WITH(xfree) char *path = NULL;

        if (place->watch >= 0 || scratch->user)
                return;
        path = xasprintf("%s/%s", scratch->path, place->name);
        place->watch = touched_watch(scratch->touched, path);
        place->inode = inode_of(scratch, place->name);
}

static void unwatch_place(struct scratch *scratch, struct place *place)
{
        touched_forget(scratch->touched, place->watch);
        place->watch = -1;
}

/* As it was when the watch began: nobody touched the folder, and the name is still its own. */
static bool watch_says_clean(struct scratch *scratch, struct place *place)
{
        if (touched_ask(scratch->touched, place->watch)) {
                place->watch = -1;
                return false;
        }
        if (inode_of(scratch, place->name) == place->inode)
                return true;
        unwatch_place(scratch, place); /* somebody keeps the old one open: its end was not told */
        return false;
}

static bool is_nearly_full(int fd)
{
        struct statvfs fs;

        return fstatvfs(fd, &fs) == 0 &&
               (fs.f_bavail < fs.f_blocks / 10 || (fs.f_files && fs.f_favail < fs.f_files / 10));
}

/* Without the C library's stream, which takes 32 KiB and asks again what the descriptor is. */
static bool is_empty(int fd)
{
        _Alignas(struct dirent64) char bytes[1024];
        ssize_t n;

        while ((n = getdents64(fd, bytes, sizeof(bytes))) > 0)
                for (ssize_t at = 0; at < n;) {
                        const struct dirent64 *entry = (const struct dirent64 *)(bytes + at);

                        if (!is_dots(entry->d_name))
                                return false;
                        at += entry->d_reclen;
                }
        return n == 0;
}

/* As it was handed out: the common case, without a write to the file system. */
static bool is_untouched(const struct scratch *scratch, const struct place *place)
{
        int fd = openat(scratch->fd, place->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        bool untouched = fd >= 0 && is_as_made(fd, scratch->user) && is_empty(fd);

        if (fd >= 0)
                close(fd);
        return untouched;
}

/* False: somebody was in it since it was cleaned. */
static bool is_still_clean(struct scratch *scratch, struct place *place)
{
        if (place->watch >= 0 || scratch->user)
                return true;
        watch_place(scratch, place);
        if (is_untouched(scratch, place))
                return true;
        unwatch_place(scratch, place);
        sweeper_take(scratch->sweeper, place, NULL);
        return false;
}

int scratch_take(struct scratch *scratch, struct place *ret_place)
{
        struct sweeper *sweeper = scratch->sweeper;
        bool found = false;
        int error;

        pthread_mutex_lock(&sweeper->lock);
        /* What earlier tasks left must not be what this one finds no room for. */
        if (sweeper->n_todo && is_nearly_full(scratch->fd))
                while (sweeper->n_todo)
                        pthread_cond_wait(&sweeper->done, &sweeper->lock);
        if (sweeper->n_clean) {
                *ret_place = sweeper->clean[--sweeper->n_clean];
                found = true;
        }
        pthread_mutex_unlock(&sweeper->lock);
        if (found && is_still_clean(scratch, ret_place))
                return 0;
        error = make_place(scratch, ret_place);
        if (!error)
                watch_place(scratch, ret_place);
        return error;
}

void scratch_give(struct scratch *scratch, const struct place *given, bool has_result)
{
        struct sweeper *sweeper = scratch->sweeper;
        struct place place = *given;
        bool kept = false;

        if (!has_result && !scratch->user &&
            (watch_says_clean(scratch, &place) || is_untouched(scratch, &place))) {
                pthread_mutex_lock(&sweeper->lock);
                kept = sweeper->n_clean < CLEAN_MAX;
                if (kept)
                        sweeper->clean[sweeper->n_clean++] = place;
                pthread_mutex_unlock(&sweeper->lock);
        }
        if (kept)
                return;
        unwatch_place(scratch, &place);
        sweeper_take(sweeper, &place, NULL);
}

int scratch_make(struct scratch *scratch, const char *name)
{
        return mkdirat(scratch->fd, name, 0700) < 0 ? errno : 0;
}

void scratch_remove(struct scratch *scratch, const char *name)
{
        sweeper_take(scratch->sweeper, NULL, name);
}
