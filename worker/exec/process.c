/* The worker's own process. */
#include "exec/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/xalloc.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Whoever started us may have left signals ignored, and tasks would inherit that. By system call, because make and
 * others that use posix_spawn leave two ignored of which the C library says that they are not there. */
static void stop_ignoring(void)
{
        for (int sig = 1; sig < NSIG; sig++) {
                struct { /* as the kernel has it */
                        void *handler;
                        unsigned long rest[7];
                } action = { 0 }, standard = { 0 };

                if (syscall(SYS_rt_sigaction, sig, NULL, &action, NSIG / 8) == 0 &&
                    action.handler == (void *)SIG_IGN)
                        syscall(SYS_rt_sigaction, sig, &standard, NULL, NSIG / 8);
        }
}

int process_signals(struct err *err)
{
        static const int ours[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };
        sigset_t set;
        int fd;

        stop_ignoring();
        sigemptyset(&set);
        for (size_t i = 0; i < ARRAY_LEN(ours); i++)
                sigaddset(&set, ours[i]);
        fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
        sigaddset(&set, SIGPIPE); /* writers look at EPIPE */
        if (fd < 0 || sigprocmask(SIG_SETMASK, &set, NULL) < 0)
                return err_set(err, ERR_INTERNAL, "signals: %s", strerror(errno));
        return fd;
}

int process_harden(struct err *err)
{
        struct rlimit no_core = { 0, 0 };
        int fd;

        do { /* 0-2: a pipe that got such a number would be overwritten in the child */
                fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        } while (fd >= 0 && fd <= 2);
        if (fd >= 0)
                close(fd);
        umask(022);
        getrlimit(RLIMIT_CORE, &no_core);
        no_core.rlim_cur = 0;
        setrlimit(RLIMIT_CORE, &no_core);
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return err_set(err, ERR_INTERNAL, "no_new_privs: %s", strerror(errno));
        return 0;
}

static struct spawn_user *user_of(const struct passwd *pw)
{
        struct spawn_user *user = xcalloc(1, sizeof(*user));
        int n = 64;

        user->uid = pw->pw_uid;
        user->gid = pw->pw_gid;
        user->groups = xcalloc((size_t)n, sizeof(*user->groups));
        if (getgrouplist(pw->pw_name, pw->pw_gid, user->groups, &n) < 0) {
                user->groups = xrealloc(user->groups, (size_t)n * sizeof(*user->groups));
                if (getgrouplist(pw->pw_name, pw->pw_gid, user->groups, &n) < 0)
                        n = 0;
        }
        user->n_groups = (size_t)n;
        return user;
}

int process_user(const char *name, struct spawn_user **ret_user, struct err *err)
{
        const struct passwd *pw;

        if (!name)
                return 0;
        pw = getpwnam(name);
        if (!pw)
                return err_set(err, ERR_CONFIG, "--task-user: there is no user %s here", name);
        if (pw->pw_uid == geteuid())
                return 0;
        if (geteuid() != 0)
                return err_set(err, ERR_CONFIG,
                               "--task-user: only a worker started by root can run tasks as %s", name);
        *ret_user = user_of(pw);
        return 0;
}

void process_user_free(struct spawn_user *user)
{
        if (!user)
                return;
        free(user->groups);
        free(user);
}

void process_env(const struct spawn_user *user, struct env_base *ret_env)
{
        uid_t uid = user ? user->uid : geteuid();
        const struct passwd *pw = getpwuid(uid);
        const char *path = getenv("PATH");

        *ret_env = (struct env_base){
                .path = xstrdup(path && *path ? path : PATH_DEFAULT),
                .home = xstrdup(pw ? pw->pw_dir : "/"),
                .user = pw ? xstrdup(pw->pw_name)
                           : xasprintf("%u", (unsigned)uid), /* a container's bare number */
                .worker = "",
        };
}

void process_env_done(struct env_base *env)
{
        free((char *)env->path);
        free((char *)env->home);
        free((char *)env->user);
}
