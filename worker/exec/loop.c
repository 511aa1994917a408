/* epoll and a heap of timers. */
#include "exec/loop.h"

#include <errno.h>
#include <string.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"

#define EVENTS_A_TURN 64

struct loop {
        int epoll_fd;
        struct epoll_event events[EVENTS_A_TURN]; /* of this turn; data.ptr NULL: removed meanwhile */
        int n_events;
        struct timer **heap; /* heap[0] is unused: children of i are 2i and 2i + 1 */
        size_t n_heap, cap_heap;
};

struct loop *loop_new(struct err *err)
{
        struct loop *loop = xcalloc(1, sizeof(*loop));

        loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (loop->epoll_fd < 0) {
                err_set(err, ERR_INTERNAL, "epoll: %s", strerror(errno));
                free(loop);
                return NULL;
        }
        return loop;
}

void loop_free(struct loop *loop)
{
        if (!loop)
                return;
        close(loop->epoll_fd);
        free(loop->heap);
        free(loop);
}

int loop_add(struct loop *loop, struct watch *watch, uint32_t events, struct err *err)
{
        struct epoll_event event = { .events = events, .data.ptr = watch };

        if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) < 0)
                return err_set(err, ERR_INTERNAL, "watch a descriptor: %s", strerror(errno));
        return 0;
}

void loop_remove(struct loop *loop, struct watch *watch)
{
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
        for (int i = 0; i < loop->n_events; i++)
                if (loop->events[i].data.ptr == watch)
                        loop->events[i].data.ptr = NULL;
}

static void put(struct loop *loop, size_t at, struct timer *timer)
{
        loop->heap[at] = timer;
        timer->place = at;
}

static void sift(struct loop *loop, size_t at, struct timer *timer)
{
        for (; at > 1 && loop->heap[at / 2]->at_us > timer->at_us; at /= 2)
                put(loop, at, loop->heap[at / 2]);
        for (;;) {
                size_t child = at * 2;

                if (child > loop->n_heap)
                        break;
                if (child < loop->n_heap && loop->heap[child + 1]->at_us < loop->heap[child]->at_us)
                        child++;
                if (loop->heap[child]->at_us >= timer->at_us)
                        break;
                put(loop, at, loop->heap[child]);
                at = child;
        }
        put(loop, at, timer);
}

void loop_timer_set(struct loop *loop, struct timer *timer, int64_t at_us)
{
        timer->at_us = at_us;
        if (!timer->place) {
                GROW(loop->heap, loop->cap_heap, loop->n_heap + 2);
                timer->place = ++loop->n_heap;
        }
        sift(loop, timer->place, timer);
}

void loop_timer_clear(struct loop *loop, struct timer *timer)
{
        size_t at = timer->place;
        struct timer *last;

        if (!at)
                return;
        timer->place = 0;
        last = loop->heap[loop->n_heap--];
        if (last != timer)
                sift(loop, at, last);
}

static void run_timers(struct loop *loop)
{
        int64_t now_us = loop->n_heap ? clock_mono_us() : 0;

        while (loop->n_heap && loop->heap[1]->at_us <= now_us) {
                struct timer *timer = loop->heap[1];

                loop_timer_clear(loop, timer);
                timer->due(timer);
        }
}

static int timeout_ms(const struct loop *loop, int64_t until_us)
{
        int64_t at_us = until_us < 0 ? INT64_MAX : until_us;
        int64_t wait_us;

        if (loop->n_heap)
                at_us = MIN(at_us, loop->heap[1]->at_us);
        if (at_us == INT64_MAX)
                return -1;
        wait_us = at_us - clock_mono_us();
        if (wait_us <= 0)
                return 0;
        return (int)MIN((wait_us + US_PER_MS - 1) / US_PER_MS, INT64_C(3600000)); /* up: never early */
}

void loop_turn(struct loop *loop, int64_t until_us)
{
        int n = epoll_wait(loop->epoll_fd, loop->events, EVENTS_A_TURN, timeout_ms(loop, until_us));

        loop->n_events = MAX(n, 0);
        for (int i = 0; i < loop->n_events; i++) {
                struct watch *watch = loop->events[i].data.ptr;

                if (watch)
                        watch->ready(watch, loop->events[i].events);
        }
        loop->n_events = 0;
        run_timers(loop);
}
