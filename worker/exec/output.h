/* What a task writes: two pipes, read as it comes, cut into chunks that never split a character.
 *
 * Little output stays here until the task ends and rides in `finished`. More, or older than OUTPUT_OLD_US, is stored
 * while the task runs, under the core's credit; without credit the pipes are not read and the task waits. What is over
 * the cap is read and thrown away, and said at the end. */
#ifndef EXEC_OUTPUT_H
#define EXEC_OUTPUT_H

#include "base/buf.h"
#include "core/wcore.h"
#include "exec/loop.h"

#define OUTPUT_OLD_US (100 * INT64_C(1000))
#define OUTPUT_INLINE_MAX ((size_t)64 << 10)

struct segment { /* bytes of one stream in a row */
        enum stream stream;
        char *bytes;
        size_t n, cap;
        struct segment *prev, *next;
};

struct output;
struct outpipe {
        struct watch watch; /* fd -1: closed */
        bool armed;
        struct output *output;
        enum stream stream;
        char carry[4]; /* the beginning of a character whose end has not come */
        size_t n_carry;
};

/* Where chunks go: the core's credit and store. */
struct output_sink {
        bool (*may_store)(void *arg);
        void (*store)(void *arg, struct output *output, const struct wchunk *chunk);
        void (*wait)(void *arg, struct output *output); /* wants output_on_credit when there is some */
        void (*at_end)(void *arg, struct output *output); /* both pipes are closed */
        void *arg;
};

struct output {
        struct loop *loop;
        const struct output_sink *sink;
        struct outpipe pipes[2];
        struct segment *segments; /* not given away yet */
        size_t n_segments, n_pending;
        uint32_t seq; /* of the next chunk */
        enum stream last_stream;
        uint64_t n_kept, max;
        bool cut, ended;
        struct timer flush;
        struct wchunk *chunks; /* output_finish: what rides in `finished` */
        size_t n_chunks;
};

/* Takes the two descriptors (readable ends, not blocking). */
void output_init(struct output *output, struct loop *loop, const struct output_sink *sink, int stdout_fd,
                 int stderr_fd, uint64_t max);
void output_done(struct output *output);
bool output_at_end(const struct output *output);
/* Read what is there now, without waiting; at most what a pipe holds. */
void output_drain(struct output *output);
void output_close(struct output *output);
/* There is credit again. */
void output_on_credit(struct output *output);
void output_say(struct output *output, const char *text, size_t n); /* on its stderr, of our own */
/* After output_close: the last pieces. False while more than inline_max is here and there is no credit: call again
 * after output_on_credit. Else output->chunks are to ride in `finished`. */
bool output_finish(struct output *output, size_t inline_max);

#endif
