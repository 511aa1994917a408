/* One inotify instance; each watch tells one thing and is gone.
 *
 * 1. The kernel queues an event before the call that caused it returns. So when a process has ended, all that it did is
 *    in the queue, and the queue is read to its end before anything is answered.
 * 2. `fired` holds each watch that has told and was not asked for yet: at most one a folder. */
#include "exec/touched.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/xalloc.h"

#define EVENTS (IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF)

struct touched {
        int fd; /* -1: none, or it has lost events */
        int *fired;
        size_t n_fired, cap_fired;
};

struct touched *touched_new(void)
{
        struct touched *touched = xcalloc(1, sizeof(*touched));

        touched->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        return touched;
}

static void give_up(struct touched *touched)
{
        if (touched->fd >= 0)
                close(touched->fd);
        touched->fd = -1;
}

void touched_free(struct touched *touched)
{
        if (!touched)
                return;
        give_up(touched);
        free(touched->fired);
        free(touched);
}

int touched_watch(struct touched *touched, const char *path)
{
        if (touched->fd < 0)
                return -1;
        return inotify_add_watch(touched->fd, path, EVENTS | IN_ONESHOT | IN_ONLYDIR | IN_DONT_FOLLOW);
}

/* Where it is among those that have told; n_fired: nowhere. */
static size_t find(const struct touched *touched, int watch)
{
        size_t at = 0;

        while (at < touched->n_fired && touched->fired[at] != watch)
                at++;
        return at;
}

static void add(struct touched *touched, const struct inotify_event *event)
{
        if (event->mask & IN_Q_OVERFLOW) {
                give_up(touched);
                return;
        }
        if (find(touched, event->wd) < touched->n_fired)
                return; /* that it is gone now */
        GROW(touched->fired, touched->cap_fired, touched->n_fired + 1);
        touched->fired[touched->n_fired++] = event->wd;
}

static void read_all(struct touched *touched)
{
        _Alignas(struct inotify_event) char bytes[4096];
        ssize_t n;

        while (touched->fd >= 0 && (n = read(touched->fd, bytes, sizeof(bytes))) != 0) {
                if (n < 0 && errno == EAGAIN)
                        return;
                if (n < 0 && errno != EINTR)
                        give_up(touched);
                for (ssize_t at = 0; at < n;) {
                        const struct inotify_event *event = (const struct inotify_event *)(bytes + at);

                        add(touched, event);
                        at += (ssize_t)(sizeof(*event) + event->len);
                }
        }
}

static bool take_fired(struct touched *touched, int watch)
{
        size_t at = find(touched, watch);

        if (at == touched->n_fired)
                return false;
        touched->fired[at] = touched->fired[--touched->n_fired];
        return true;
}

bool touched_ask(struct touched *touched, int watch)
{
        if (watch < 0)
                return true;
        read_all(touched);
        return take_fired(touched, watch) || touched->fd < 0;
}

/* The kernel says that it is gone, too: that must not stay in the list. */
void touched_forget(struct touched *touched, int watch)
{
        if (watch < 0)
                return;
        if (touched->fd >= 0)
                inotify_rm_watch(touched->fd, watch);
        read_all(touched);
        take_fired(touched, watch);
}
