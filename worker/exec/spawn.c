/* vfork-like starting of a program.
 *
 * 1. Between clone and exec the child runs on its own small stack in our memory while our thread is stopped: it calls
 *    the kernel directly and changes nothing but *job.
 * 2. The process must have no signal handlers (the worker takes signals by signalfd); then nothing of ours can run in
 *    the child. What the worker blocks is unblocked just before exec.
 * 3. setresuid and the like go to the kernel: the C library would tell our other threads as well.
 * 4. A task's score for the kernel's choice when memory runs out is inherited: we raise ours to it, clone, and the child
 *    lowers ours again as its first act. Writing its own makes and removes a folder of /proc for that alone, a fifth of
 *    all that it does before exec. While it counts who has which score, memory is short, the child writes its own. */
#include "exec/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/xalloc.h"

#define STACK_BYTES ((size_t)64 << 10)
#define GUARD_BYTES ((size_t)4 << 10)
#define OOM_SCORE "500" /* tasks before the worker, the worker before the system */

struct score { /* of the out-of-memory killer, ours */
        int fd; /* -1: we cannot raise it and lower it again */
        char text[16]; /* as it was */
        size_t n;
};
struct spawner {
        char *stack;
        pid_t pid; /* ours */
        struct score score;
};

struct child_job {
        const struct spawn *what;
        pid_t parent;
        const struct score *lower; /* NULL: the child writes its own */
        bool lowered;
        enum spawn_step step;
        int error;
};

static bool score_raise(const struct score *score)
{
        return pwrite(score->fd, OOM_SCORE, sizeof(OOM_SCORE) - 1, 0) == (ssize_t)sizeof(OOM_SCORE) - 1;
}

static bool score_lower(const struct score *score)
{
        return pwrite(score->fd, score->text, score->n, 0) == (ssize_t)score->n;
}

static void score_close(struct score *score)
{
        if (score->fd >= 0)
                close(score->fd);
        score->fd = -1;
}

static void score_open(struct score *score)
{
        ssize_t n;

        score->fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
        if (score->fd < 0)
                return;
        n = pread(score->fd, score->text, sizeof(score->text) - 1, 0);
        score->n = n > 0 ? (size_t)n : 0;
        if (n > 0 && atoi(score->text) < atoi(OOM_SCORE) && score_raise(score) && score_lower(score))
                return;
        score_close(score);
}

struct spawner *spawner_new(struct err *err)
{
        struct spawner *spawner = xcalloc(1, sizeof(*spawner));
        char *stack = mmap(NULL, STACK_BYTES + GUARD_BYTES, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

        if (stack == MAP_FAILED || mprotect(stack, GUARD_BYTES, PROT_NONE) < 0) {
                err_set(err, ERR_INTERNAL, "stack of a child: %s", strerror(errno));
                free(spawner);
                return NULL;
        }
        spawner->stack = stack;
        spawner->pid = getpid();
        score_open(&spawner->score);
        return spawner;
}

void spawner_free(struct spawner *spawner)
{
        if (!spawner)
                return;
        score_close(&spawner->score);
        munmap(spawner->stack, STACK_BYTES + GUARD_BYTES);
        free(spawner);
}

#if defined(__SANITIZE_ADDRESS__)
#define ON_FOREIGN_STACK __attribute__((no_sanitize("address", "undefined")))
#else
#define ON_FOREIGN_STACK
#endif

ON_FOREIGN_STACK static void __attribute__((noreturn)) child_fail(struct child_job *job, enum spawn_step step)
{
        job->step = step;
        job->error = errno;
        syscall(SYS_exit, 127);
        __builtin_unreachable();
}

ON_FOREIGN_STACK static bool child_set_user(const struct spawn_user *user)
{
        return syscall(SYS_setgroups, user->n_groups, user->groups) == 0 &&
               syscall(SYS_setresgid, user->gid, user->gid, user->gid) == 0 &&
               syscall(SYS_setresuid, user->uid, user->uid, user->uid) == 0;
}

/* Only downwards without privilege: a failure is no reason not to run. */
ON_FOREIGN_STACK static void child_set_score(void)
{
        int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY, 0);

        if (fd < 0)
                return;
        syscall(SYS_write, fd, OOM_SCORE, sizeof(OOM_SCORE) - 1);
        syscall(SYS_close, fd);
}

ON_FOREIGN_STACK static bool child_set_up(struct child_job *job)
{
        const struct spawn *what = job->what;
        const struct score *lower = job->lower;
        sigset_t none;

        if (lower)
                job->lowered = syscall(SYS_pwrite64, lower->fd, lower->text, lower->n, 0) >= 0;
        if (syscall(SYS_setsid) < 0)
                return false;
        if (syscall(SYS_dup3, what->in_fd, 0, 0) < 0 || syscall(SYS_dup3, what->out_fd, 1, 0) < 0 ||
            syscall(SYS_dup3, what->err_fd, 2, 0) < 0)
                return false;
        /* A limit that cannot be set must not be thought to hold. */
        if ((what->join_mem_fd >= 0 && syscall(SYS_write, what->join_mem_fd, "0", 1) < 0) ||
            (what->join_cpu_fd >= 0 && syscall(SYS_write, what->join_cpu_fd, "0", 1) < 0))
                return false;
        /* Ours are all close-on-exec; this is for what a library may have forgotten. */
        syscall(SYS_close_range, 3, ~0U, 0);
        if (!lower)
                child_set_score();
        if (what->data_max > 0) {
                struct rlimit limit = { what->data_max, what->data_max };

                if (syscall(SYS_prlimit64, 0, RLIMIT_DATA, &limit, NULL) < 0)
                        return false;
        }
        if (what->user && !child_set_user(what->user))
                return false;
        /* After the change of user, which would clear it. A parent that died before cannot signal any more. */
        if (syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
                return false;
        if (syscall(SYS_getppid) != job->parent)
                syscall(SYS_exit, 127);
        sigemptyset(&none);
        return syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, _NSIG / 8) == 0;
}

ON_FOREIGN_STACK static void child_exec(const struct spawn *what, const char *file)
{
        syscall(SYS_execve, file, what->argv, what->envp);
        if (errno == ENOEXEC && what->sh) {
                /* A script without #!: its interpreter gets the file and the same arguments. argv[-1] is ours:
                 * spawn_start keeps a free place there when `sh` is set. */
                char **argv = (char **)what->argv - 1;

                argv[0] = (char *)what->sh;
                argv[1] = (char *)file;
                syscall(SYS_execve, what->sh, argv, what->envp);
        }
}

/* As execvp: the first file that can be executed; EACCES if there was one that cannot. */
ON_FOREIGN_STACK static void child_search(const struct spawn *what)
{
        const char *name = what->argv[0];
        size_t n_name = strlen(name);
        const char *from = what->path;
        int error = ENOENT;
        char file[PATH_MAX];

        while (n_name) {
                const char *to = from;
                size_t n;

                while (*to && *to != ':')
                        to++;
                n = (size_t)(to - from);
                if (n + n_name + 2 <= sizeof(file)) {
                        memcpy(file, from, n);
                        file[n] = '/';
                        memcpy(file + n + (n > 0), name, n_name + 1);
                        child_exec(what, file);
                        if (errno == EACCES)
                                error = EACCES;
                        else if (errno != ENOENT && errno != ENOTDIR)
                                return;
                }
                if (!*to)
                        break;
                from = to + 1;
        }
        errno = error;
}

ON_FOREIGN_STACK static int child_main(void *arg)
{
        struct child_job *job = arg;
        const struct spawn *what = job->what;

        if (!child_set_up(job))
                child_fail(job, SPAWN_SETUP);
        if (syscall(SYS_chdir, what->dir) < 0)
                child_fail(job, SPAWN_DIR);
        if (what->file)
                child_exec(what, what->file);
        else if (strchr(what->argv[0], '/'))
                child_exec(what, what->argv[0]);
        else
                child_search(what);
        child_fail(job, SPAWN_EXEC);
}

/* The child of clone3 with a stack of its own returns from the call on that stack, so the call and what follows it in
 * the child are one piece of assembly; the C library exports no such thing. */
#if defined(__x86_64__) && defined(SYS_clone3) && defined(CLONE_INTO_CGROUP)
static __attribute__((naked)) long clone3_call(UNUSED struct clone_args *args, UNUSED size_t bytes,
                                               UNUSED int (*child)(void *), UNUSED void *arg)
{
        __asm__("mov %rdx, %r8\n\t" /* the kernel leaves r8 and r9 alone */
                "mov %rcx, %r9\n\t"
                "mov $435, %eax\n\t"
                "syscall\n\t"
                "test %rax, %rax\n\t"
                "jnz 1f\n\t"
                "xor %ebp, %ebp\n\t"
                "mov %r9, %rdi\n\t"
                "call *%r8\n\t"
                "ud2\n"
                "1:\n\t"
                "ret");
}

static pid_t clone_into(struct spawner *spawner, struct child_job *job, int cgroup_fd)
{
        struct clone_args args = { .flags = CLONE_VM | CLONE_VFORK | CLONE_INTO_CGROUP,
                                   .exit_signal = SIGCHLD,
                                   .stack = (uint64_t)(uintptr_t)(spawner->stack + GUARD_BYTES),
                                   .stack_size = STACK_BYTES,
                                   .cgroup = (uint64_t)cgroup_fd };
        long ret = clone3_call(&args, sizeof(args), child_main, job);

        if (ret >= 0)
                return (pid_t)ret;
        errno = (int)-ret;
        return -1;
}
#else
static pid_t clone_into(struct spawner *spawner, struct child_job *job, int cgroup_fd)
{
        (void)spawner;
        (void)job;
        (void)cgroup_fd;
        errno = ENOSYS;
        return -1;
}
#endif

pid_t spawn_start(struct spawner *spawner, const struct spawn *what, int cgroup_fd, enum spawn_step *ret_step,
                  int *ret_errno)
{
        struct child_job job = { .what = what, .parent = spawner->pid, .step = SPAWN_STARTED };
        pid_t pid;

        if (what->memory_is_plenty && spawner->score.fd >= 0 && score_raise(&spawner->score))
                job.lower = &spawner->score;
        if (cgroup_fd >= 0)
                pid = clone_into(spawner, &job, cgroup_fd);
        else
                pid = clone(child_main, spawner->stack + GUARD_BYTES + STACK_BYTES,
                            CLONE_VM | CLONE_VFORK | SIGCHLD, &job);
        *ret_errno = errno;
        if (job.lower && !job.lowered && !score_lower(job.lower))
                score_close(&spawner->score); /* whatever has changed: not once more */
        if (pid < 0) {
                *ret_step = SPAWN_CLONE;
                return -1;
        }
        if (job.step == SPAWN_STARTED)
                return pid;
        *ret_step = job.step;
        *ret_errno = job.error;
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        return -1;
}
