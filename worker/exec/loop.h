/* Descriptors and timers of the worker, one thread, on epoll. Callbacks may add and remove anything, themselves too. */
#ifndef EXEC_LOOP_H
#define EXEC_LOOP_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct watch {
        int fd;
        void (*ready)(struct watch *watch, uint32_t events); /* EPOLLIN … */
};

struct timer { /* zeroed: not set */
        int64_t at_us; /* monotonic */
        void (*due)(struct timer *timer);
        size_t place; /* in the heap, from 1; 0: not set */
};

struct loop;
struct loop *loop_new(struct err *err) MUST_CHECK;
void loop_free(struct loop *loop);
DEFINE_CLEANUP(struct loop, loop_free)

int loop_add(struct loop *loop, struct watch *watch, uint32_t events, struct err *err) MUST_CHECK;
/* Must be called before the descriptor is closed: a sibling between clone and exec may still hold it, and epoll
 * would go on telling about it. */
void loop_remove(struct loop *loop, struct watch *watch);

void loop_timer_set(struct loop *loop, struct timer *timer,
                    int64_t at_us); /* moves one that is set. O(log n) */
void loop_timer_clear(struct loop *loop, struct timer *timer);

/* Wait until something is ready, a timer is due or until_us has come (-1: no such limit), and run the callbacks. */
void loop_turn(struct loop *loop, int64_t until_us);

#endif
