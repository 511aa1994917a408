/* Counting how often a crash point was passed, and crashing where the environment says. Test builds only: the one
 * place with a counter at file scope, because a crash point has no argument to carry it. */
#include "base/failpoint.h"

#ifdef JOBMILL_FAILPOINTS

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POINTS_MAX 64 /* names in the whole program; more would only not be counted */

struct passed {
        const char *name;
        unsigned times;
};
static struct passed points[POINTS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void write_name(const char *name)
{
        const char *path = getenv("JOBMILL_FAILPOINT_LOG");
        char line[128];
        int fd, n;

        if (!path)
                return;
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        n = snprintf(line, sizeof(line), "%s\n", name);
        if (fd >= 0 && write(fd, line, (size_t)n) != n)
                perror(path);
        if (fd >= 0)
                close(fd);
}

static unsigned count(const char *name)
{
        unsigned times = 0;

        pthread_mutex_lock(&lock);
        for (size_t i = 0; i < POINTS_MAX; i++) {
                if (points[i].name && strcmp(points[i].name, name) != 0)
                        continue;
                points[i].name = name;
                times = ++points[i].times;
                break;
        }
        pthread_mutex_unlock(&lock);
        return times;
}

/* Is `name:kill9@times` among the comma-separated wishes? */
static bool is_wished(const char *wishes, const char *name, unsigned times)
{
        char wish[160];
        int n = snprintf(wish, sizeof(wish), "%s:kill9@%u", name, times);

        for (const char *at = wishes; *at; at += strcspn(at, ","), at += *at == ',')
                if (strcspn(at, ",") == (size_t)n && strncmp(at, wish, (size_t)n) == 0)
                        return true;
        return false;
}

/* Whoever is started again with the same environment lives on. */
static bool may_crash(void)
{
        const char *path = getenv("JOBMILL_FAILPOINT_ONCE");
        int fd = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;

        if (fd >= 0)
                close(fd);
        return !path || fd >= 0;
}

void failpoint_hit(const char *name)
{
        const char *wishes = getenv("JOBMILL_FAILPOINT");
        unsigned times = count(name);

        if (times == 1)
                write_name(name);
        if (wishes && is_wished(wishes, name, times) && may_crash())
                raise(SIGKILL);
}

#else
typedef int failpoint_is_off; /* a file must declare something */
#endif
