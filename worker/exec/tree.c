/* Finding what a task started. Reading /proc is a race by nature, so killing goes on in rounds until nothing is found;
 * nothing is signalled that is not ours by descent, session or mark. */
#include "exec/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/xalloc.h"

#define ROUNDS_MAX 100 /* a fork bomb runs out of time before us: each round first stops what it finds */
#define ENVIRON_MAX ((size_t)4 << 20)

struct tree {
        int children_fd; /* /proc/self/task/<main>/children; -1: the kernel has none */
        long ticks_per_s;
};

struct proc {
        pid_t pid, parent, session;
        char state;
        uint64_t start_ticks;
        bool marked;
};
struct procs {
        struct proc *list;
        size_t n, cap;
};

struct tree *tree_new(void)
{
        struct tree *tree = xcalloc(1, sizeof(*tree));
        char path[64];

        snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)syscall(SYS_gettid));
        tree->children_fd = open(path, O_RDONLY | O_CLOEXEC);
        tree->ticks_per_s = sysconf(_SC_CLK_TCK);
        return tree;
}

void tree_free(struct tree *tree)
{
        if (!tree)
                return;
        if (tree->children_fd >= 0)
                close(tree->children_fd);
        free(tree);
}

/* ------------------------------------------------------------------ /proc */
static bool proc_read(pid_t pid, struct proc *ret_proc)
{
        char path[40], text[1024];
        const char *p;
        ssize_t n;
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        n = read(fd, text, sizeof(text) - 1);
        close(fd);
        if (n <= 0)
                return false;
        text[n] = '\0';
        p = strrchr(text, ')'); /* the name before may hold anything */
        if (!p)
                return false;
        *ret_proc = (struct proc){ .pid = pid };
        return sscanf(p + 1,
                      " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
                      &ret_proc->state, &ret_proc->parent, &ret_proc->session, &ret_proc->start_ticks) == 4;
}

static void procs_read(struct procs *procs)
{
        DIR *dir = opendir("/proc");
        struct dirent *entry;

        procs->n = 0;
        if (!dir)
                return;
        while ((entry = readdir(dir))) {
                pid_t pid = (pid_t)atoi(entry->d_name);

                if (pid <= 0)
                        continue;
                GROW(procs->list, procs->cap, procs->n + 1);
                if (proc_read(pid, procs->list + procs->n))
                        procs->n++;
        }
        closedir(dir);
}

/* The environment that it was started with, as far as it may be read. */
static void read_environ(pid_t pid, struct buf *text)
{
        char path[40];
        ssize_t n = 1;
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return;
        while (n > 0 && text->n < ENVIRON_MAX) {
                buf_reserve(text, 16384);
                n = read(fd, text->bytes + text->n, 16384);
                text->n += n > 0 ? (size_t)n : 0;
        }
        close(fd);
}

char *tree_dir_of(pid_t pid)
{
        static const char mark[] = "JOB_DIR=";
        CLEANUP_BUF struct buf text = { 0 };

        read_environ(pid, &text);
        buf_add_char(&text, '\0');
        for (size_t at = 0; at < text.n; at += strlen(text.bytes + at) + 1)
                if (strncmp(text.bytes + at, mark, strlen(mark)) == 0)
                        return xstrdup(text.bytes + at + strlen(mark));
        return NULL;
}

/* Does the environment that it was started with hold `JOB_DIR=` with this value, or, if below, one inside it? */
static bool has_mark(pid_t pid, const char *dir, bool below)
{
        CLEANUP_BUF struct buf want = { 0 }, text = { 0 };

        read_environ(pid, &text);
        buf_addf(&want, "JOB_DIR=%s%s", dir, below ? "/" : "");
        for (size_t at = 0; at < text.n;) {
                size_t len = strnlen(text.bytes + at, text.n - at);

                if (below ? len >= want.n && !memcmp(text.bytes + at, want.bytes, want.n)
                          : len == want.n && !memcmp(text.bytes + at, want.bytes, len))
                        return true;
                at += len + 1;
        }
        return false;
}

static bool works_below(pid_t pid, const char *folder)
{
        char path[40], dir[4096];
        size_t n_folder = strlen(folder);
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/cwd", (int)pid);
        n = readlink(path, dir, sizeof(dir));
        return n > (ssize_t)n_folder && !memcmp(dir, folder, n_folder) && dir[n_folder] == '/';
}

/* ------------------------------------------------------------------ a task's tree */
/* Mark everything that descends from what is marked; false when nothing new was found. */
static bool spread(struct procs *procs)
{
        bool more = false;

        for (size_t i = 0; i < procs->n; i++) {
                struct proc *child = procs->list + i;

                for (size_t k = 0; !child->marked && k < procs->n; k++)
                        if (procs->list[k].marked && procs->list[k].pid == child->parent)
                                child->marked = more = true;
        }
        return more;
}

static void mark_task(struct procs *procs, const struct tree_task *task)
{
        pid_t self = getpid();

        for (size_t i = 0; i < procs->n; i++) {
                struct proc *proc = procs->list + i;

                proc->marked = proc->pid == task->leader || proc->session == task->leader ||
                               (proc->parent == self && has_mark(proc->pid, task->dir, false));
        }
        while (spread(procs))
                ;
}

void tree_signal(const struct tree_task *task, int signal)
{
        struct procs procs = { 0 };

        kill(-task->leader, signal);
        procs_read(&procs);
        mark_task(&procs, task);
        for (size_t i = 0; i < procs.n; i++)
                if (procs.list[i].marked && procs.list[i].pid != task->leader && procs.list[i].state != 'Z' &&
                    getpgid(procs.list[i].pid) != task->leader)
                        kill(procs.list[i].pid, signal);
        free(procs.list);
}

/* Kill `pid` and what descends from it, until nothing of it is left alive. */
static void kill_branch(pid_t pid)
{
        struct procs procs = { 0 };
        bool alive = true;

        for (int round = 0; alive && round < ROUNDS_MAX; round++) {
                procs_read(&procs);
                for (size_t i = 0; i < procs.n; i++)
                        procs.list[i].marked = procs.list[i].pid == pid;
                while (spread(&procs))
                        ;
                for (size_t i = 0; i < procs.n; i++)
                        if (procs.list[i].marked)
                                kill(procs.list[i].pid, SIGSTOP); /* so that it makes no more while we look */
                alive = false;
                for (size_t i = 0; i < procs.n; i++) {
                        if (!procs.list[i].marked || procs.list[i].state == 'Z')
                                continue;
                        alive |= procs.list[i].pid != pid;
                        kill(procs.list[i].pid, SIGKILL);
                }
        }
        free(procs.list);
}

static int64_t started_us(const struct tree *tree, const struct proc *proc)
{
        struct timespec boot, mono;
        int64_t boot_us, mono_us;

        clock_gettime(CLOCK_BOOTTIME, &boot);
        clock_gettime(CLOCK_MONOTONIC, &mono);
        boot_us = (int64_t)boot.tv_sec * US_PER_S + boot.tv_nsec / 1000;
        mono_us = (int64_t)mono.tv_sec * US_PER_S + mono.tv_nsec / 1000;
        return (int64_t)(proc->start_ticks * (uint64_t)US_PER_S / (uint64_t)tree->ticks_per_s) -
               (boot_us - mono_us);
}

static bool belongs(const struct tree *tree, const struct proc *orphan, const struct tree_task *task,
                    int64_t oldest_us)
{
        if (orphan->session == task->leader || has_mark(orphan->pid, task->dir, false))
                return true;
        /* A tick of doubt: /proc counts in hundredths of a second. */
        return oldest_us < 0 || started_us(tree, orphan) + US_PER_S / tree->ticks_per_s < oldest_us;
}

static size_t read_children(const struct tree *tree, struct buf *text)
{
        ssize_t n;

        buf_clear(text);
        if (tree->children_fd < 0)
                return 0;
        do { /* a short read is the end */
                buf_reserve(text, 2048);
                n = pread(tree->children_fd, text->bytes + text->n, 2048, (off_t)text->n);
                text->n += n > 0 ? (size_t)n : 0;
        } while (n == 2048);
        buf_add(text, "", 0);
        return text->n;
}

bool tree_left_nothing(const struct tree *tree, tree_is_leader_fn *is_leader, void *arg)
{
        CLEANUP_BUF struct buf text = { 0 };
        const char *p;
        char *end;

        if (!read_children(tree, &text))
                return false;
        for (p = text.bytes; *p; p = end + strspn(end, " "))
                if (!is_leader(arg, (pid_t)strtol(p, &end, 10)))
                        return false;
        return true;
}

/* One look at our children: kills orphans of the task; false when there were none. */
static bool kill_orphans(struct tree *tree, const struct tree_task *task, int64_t oldest_us,
                         tree_is_leader_fn *is_leader, void *arg)
{
        CLEANUP_BUF struct buf text = { 0 };
        bool found = false;
        char *p, *end;

        if (!read_children(tree, &text))
                return false;
        for (p = text.bytes; *p; p = end) {
                pid_t pid = (pid_t)strtol(p, &end, 10);
                struct proc proc;

                if (end == p)
                        break;
                if (pid <= 0 || is_leader(arg, pid) || !proc_read(pid, &proc) || proc.state == 'Z' ||
                    !belongs(tree, &proc, task, oldest_us))
                        continue;
                kill_branch(pid);
                found = true;
        }
        return found;
}

void tree_kill_left(struct tree *tree, const struct tree_task *task, int64_t oldest_us,
                    tree_is_leader_fn *is_leader, void *arg)
{
        kill(-task->leader, SIGKILL); /* the leader is a zombie still, so the group is its */
        for (int round = 0; round < ROUNDS_MAX; round++)
                if (!kill_orphans(tree, task, oldest_us, is_leader, arg))
                        return;
}

unsigned tree_kill_below(const char *folder)
{
        struct procs procs = { 0 };
        unsigned n_killed = 0;
        bool found = true;

        for (int round = 0; found && round < ROUNDS_MAX; round++) {
                found = false;
                procs_read(&procs);
                for (size_t i = 0; i < procs.n; i++) {
                        struct proc *proc = procs.list + i;

                        if (proc->pid == getpid() || proc->pid == 1 || proc->state == 'Z' ||
                            (!has_mark(proc->pid, folder, true) &&
                             !(proc->parent == 1 &&
                               works_below(proc->pid, folder)))) /* not a person's shell */
                                continue;
                        found = true;
                        n_killed++;
                        kill(proc->pid, SIGKILL);
                }
                if (found) /* they die when they are scheduled */
                        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
        }
        free(procs.list);
        return n_killed;
}
