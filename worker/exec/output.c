/* Output of a task, from pipe to chunk.
 *
 * 1. Chunks are numbered when they leave segments; the last of all is final, even if it is empty.
 * 2. Every segment holds whole characters (bytes that are no UTF-8 stay as they are), at most WCORE_CHUNK_MAX bytes.
 * 3. n_pending is bounded: beyond PENDING_MAX the pipes are not watched. */
#include "exec/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "base/xalloc.h"

#define READ_BYTES ((size_t)64 << 10)
#define PENDING_MAX ((size_t)192 << 10)
#define SEGMENTS_MAX 64 /* a task that alternates between the streams gets order among them only so fine */
#define DRAIN_READS 32 /* more than a pipe of the largest usual size holds */

static void flush(struct output *output, bool all);

/* ------------------------------------------------------------------ segments */
static struct segment *segment_with_room(struct output *output, enum stream stream)
{
        struct segment *last = output->segments ? output->segments->prev : NULL;

        if (last && last->stream == stream && last->n < WCORE_CHUNK_MAX - 3)
                return last;
        if (output->n_segments < SEGMENTS_MAX)
                return NULL;
        for (size_t i = 0; last && i < SEGMENTS_MAX; i++, last = last->prev)
                if (last->stream == stream)
                        return last->n < WCORE_CHUNK_MAX - 3 ? last : NULL;
        return NULL;
}

static void add_whole(struct output *output, enum stream stream, const char *bytes, size_t n)
{
        while (n) {
                struct segment *segment = segment_with_room(output, stream);
                size_t room, part;

                if (!segment) {
                        segment = xcalloc(1, sizeof(*segment));
                        segment->stream = stream;
                        DL_APPEND(output->segments, segment);
                        output->n_segments++;
                }
                room = WCORE_CHUNK_MAX - segment->n;
                part = n > room ? utf8_cut(bytes, room) : n;
                GROW(segment->bytes, segment->cap, segment->n + part);
                memcpy(segment->bytes + segment->n, bytes, part);
                segment->n += part;
                output->n_pending += part;
                bytes += part;
                n -= part;
        }
}

static void segment_drop(struct output *output, struct segment *segment)
{
        DL_DELETE(output->segments, segment);
        output->n_segments--;
        output->n_pending -= segment->n;
        free(segment->bytes);
        free(segment);
}

/* Bytes of a pipe: what was carried and these, up to the cap and up to the last whole character. */
static void add_read(struct output *output, struct outpipe *pipe, char *bytes, size_t n)
{
        size_t whole;

        if (output->n_kept >= output->max) {
                output->cut |= n > 0;
                return;
        }
        if (n > output->max - output->n_kept) {
                n = (size_t)(output->max - output->n_kept);
                output->cut = true;
        }
        output->n_kept += n;
        if (pipe->n_carry) { /* `bytes` has room in front for the carry */
                bytes -= pipe->n_carry;
                memcpy(bytes, pipe->carry, pipe->n_carry);
                n += pipe->n_carry;
        }
        whole = utf8_cut(bytes, n);
        pipe->n_carry = n - whole;
        memcpy(pipe->carry, bytes + whole, pipe->n_carry);
        if (whole && !output->n_pending && !output->ended)
                loop_timer_set(output->loop, &output->flush, clock_mono_us() + OUTPUT_OLD_US);
        add_whole(output, pipe->stream, bytes, whole);
}

/* ------------------------------------------------------------------ pipes */
static void arm(struct output *output, struct outpipe *pipe, bool armed)
{
        struct err err;

        if (pipe->armed == armed || pipe->watch.fd < 0)
                return;
        if (!armed)
                loop_remove(output->loop, &pipe->watch);
        else if (loop_add(output->loop, &pipe->watch, EPOLLIN, &err) < 0)
                return; /* no room in the kernel: read at the end */
        pipe->armed = armed;
}

static void pipe_close(struct output *output, struct outpipe *pipe)
{
        if (pipe->watch.fd < 0)
                return;
        arm(output, pipe, false);
        close(pipe->watch.fd);
        pipe->watch.fd = -1;
}

/* True if there may be more. */
static bool pipe_read(struct output *output, struct outpipe *pipe)
{
        static const size_t front = sizeof(pipe->carry);
        char bytes[READ_BYTES + sizeof(pipe->carry)];
        ssize_t n = read(pipe->watch.fd, bytes + front, READ_BYTES);

        if (n > 0) {
                add_read(output, pipe, bytes + front, (size_t)n);
                return true;
        }
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
                pipe_close(output, pipe);
        return false;
}

static void watch_while_room(struct output *output)
{
        bool room = output->n_pending < PENDING_MAX;

        for (size_t i = 0; i < 2; i++)
                arm(output, &output->pipes[i], room);
}

static void on_ready(struct watch *watch, uint32_t events)
{
        struct outpipe *pipe = (struct outpipe *)watch; /* its first member */
        struct output *output = pipe->output;

        (void)events;
        pipe_read(output, pipe);
        if (output->n_pending >= OUTPUT_INLINE_MAX)
                flush(output, false);
        watch_while_room(output);
        if (output_at_end(output))
                output->sink->at_end(output->sink->arg, output);
}

static void on_flush_due(struct timer *timer)
{
        struct output *output = (struct output *)((char *)timer - offsetof(struct output, flush));

        flush(output, true);
        watch_while_room(output);
}

void output_init(struct output *output, struct loop *loop, const struct output_sink *sink, int stdout_fd,
                 int stderr_fd, uint64_t max)
{
        *output = (struct output){ .loop = loop, .sink = sink, .max = max, .flush.due = on_flush_due };
        for (size_t i = 0; i < 2; i++)
                output->pipes[i] = (struct outpipe){
                        .watch = { .fd = i ? stderr_fd : stdout_fd, .ready = on_ready },
                        .output = output,
                        .stream = i ? STREAM_STDERR : STREAM_STDOUT,
                };
        watch_while_room(output);
}

void output_done(struct output *output)
{
        output_close(output);
        loop_timer_clear(output->loop, &output->flush);
        while (output->segments)
                segment_drop(output, output->segments);
        free(output->chunks);
}

bool output_at_end(const struct output *output)
{
        return output->pipes[0].watch.fd < 0 && output->pipes[1].watch.fd < 0;
}

void output_drain(struct output *output)
{
        for (size_t i = 0; i < 2; i++) {
                struct outpipe *pipe = &output->pipes[i];

                for (int k = 0; k < DRAIN_READS && pipe->watch.fd >= 0; k++)
                        if (!pipe_read(output, pipe))
                                break;
        }
}

void output_close(struct output *output)
{
        for (size_t i = 0; i < 2; i++)
                pipe_close(output, &output->pipes[i]);
}

/* ------------------------------------------------------------------ chunks */
static struct wchunk next_chunk(struct output *output, const struct segment *segment, bool final)
{
        output->last_stream = segment->stream;
        return (struct wchunk){ .stream = segment->stream,
                                .seq = output->seq++,
                                .final = final,
                                .bytes = segment->bytes,
                                .n_bytes = segment->n };
}

/* Store what is here as far as the credit goes; not all: keep the last segment, which may grow. */
static void flush(struct output *output, bool all)
{
        while (output->segments && (all || output->segments->next) &&
               output->sink->may_store(output->sink->arg)) {
                struct segment *segment = output->segments;
                bool final = output->ended && !segment->next;
                struct wchunk chunk = next_chunk(output, segment, final);

                output->sink->store(output->sink->arg, output, &chunk);
                segment_drop(output, segment);
        }
        if (output->segments && !output->ended && !output->flush.place)
                loop_timer_set(output->loop, &output->flush, clock_mono_us() + OUTPUT_OLD_US);
        if (output->n_pending >= OUTPUT_INLINE_MAX)
                output->sink->wait(output->sink->arg, output);
}

void output_on_credit(struct output *output)
{
        if (output->n_pending >= OUTPUT_INLINE_MAX)
                flush(output, false);
        watch_while_room(output);
}

/* The streams have ended: carried bytes are no character any more, and what was cut is said. */
static void end_streams(struct output *output)
{
        output->ended = true;
        loop_timer_clear(output->loop, &output->flush);
        for (size_t i = 0; i < 2; i++) {
                add_whole(output, output->pipes[i].stream, output->pipes[i].carry, output->pipes[i].n_carry);
                output->pipes[i].n_carry = 0;
        }
        if (output->cut) {
                CLEANUP_BUF struct buf text = { 0 };

                buf_add_str(&text, "[jobmill: output cut at ");
                buf_add_u64(&text, output->max);
                buf_add_str(&text, " bytes]\n");
                add_whole(output, STREAM_STDERR, text.bytes, text.n);
        }
}

void output_say(struct output *output, const char *text, size_t n)
{
        add_whole(output, STREAM_STDERR, text, n);
}

bool output_finish(struct output *output, size_t inline_max)
{
        size_t at = 0;
        struct segment *segment;

        if (!output->ended)
                end_streams(output);
        if (output->n_pending > inline_max) {
                flush(output, true);
                if (output->segments)
                        return false;
                return true; /* the last one went as final */
        }
        if (!output->segments && !output->seq)
                return true; /* no output, no chunks */
        output->chunks = xcalloc(output->n_segments + 1, sizeof(*output->chunks));
        DL_FOREACH (output->segments, segment)
                output->chunks[at++] = next_chunk(output, segment, !segment->next);
        if (!at) /* everything was stored before it could be known to be the last */
                output->chunks[at++] =
                        (struct wchunk){ .stream = output->last_stream, .seq = output->seq++, .final = true };
        output->n_chunks = at;
        return true;
}
