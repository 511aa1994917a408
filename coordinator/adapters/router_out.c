/* Sending without ever waiting. ROUTER_MANDATORY makes a missing peer an error, DONTWAIT a full pipe another: what finds no
 * room waits in its session's own bounded queue, and router_flush tries again.
 *
 * Invariant: messages of one session keep their order; while some wait, new ones queue behind them. */
#include "adapters/router_internal.h"

#include <czmq.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/xalloc.h"

#define SMALL_BYTES 512 /* below, copying is cheaper than handing memory to the I/O thread */

static void pending_free(struct pending *pending)
{
        zmq_msg_close(&pending->header);
        zmq_msg_close(&pending->body);
        free(pending);
}

void router_drop_pending(struct router *router, struct session *session)
{
        struct pending *pending, *next;

        if (!session->pending)
                return;
        LL_FOREACH_SAFE (session->pending, pending, next) {
                router->numbers.dropped++;
                pending_free(pending);
        }
        session->pending = NULL;
        session->n_pending = session->pending_bytes = 0;
        LL_DELETE2(router->waiting, session, next_waiting);
}

static void free_bytes(void *bytes, void *hint UNUSED)
{
        free(bytes);
}

static void fill(zmq_msg_t *frame, const void *bytes, size_t n)
{
        zmq_msg_init_size(frame, n);
        if (n)
                memcpy(zmq_msg_data(frame), bytes, n);
}

static void fill_header(zmq_msg_t *frame, struct buf *take)
{
        if (take->n < SMALL_BYTES) {
                fill(frame, take->bytes, take->n);
                buf_done(take);
        } else {
                zmq_msg_init_data(frame, take->bytes, take->n, free_bytes, NULL);
                *take = (struct buf){ 0 };
        }
}

/* 1: it is on its way; 0: no room now; -1: the peer is gone. Frames that went are empty afterwards. */
static int try_send(struct router *router, const struct session *session, zmq_msg_t *header, zmq_msg_t *body,
                    bool has_body)
{
        if (zmq_send(router->handle, session->routing, session->n_routing, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0)
                return errno == EAGAIN ? 0 : -1;
        /* The first frame found the peer with room; what follows goes the same way or is dropped with it. */
        if (zmq_msg_send(header, router->handle, ZMQ_DONTWAIT | (has_body ? ZMQ_SNDMORE : 0)) < 0)
                return -1;
        if (has_body && zmq_msg_send(body, router->handle, ZMQ_DONTWAIT) < 0)
                return -1;
        router->numbers.sent++;
        return 1;
}

static void queue(struct router *router, struct session *session, zmq_msg_t *header, zmq_msg_t *body,
                  bool has_body)
{
        struct pending *pending;
        size_t bytes = zmq_msg_size(header) + zmq_msg_size(body);

        if (session->n_pending >= ROUTER_PENDING_MAX ||
            session->pending_bytes + bytes > ROUTER_PENDING_BYTES) {
                router->numbers.dropped++;
                router_session_lose(router, session);
                return;
        }
        pending = xcalloc(1, sizeof(*pending));
        zmq_msg_init(&pending->header);
        zmq_msg_init(&pending->body);
        zmq_msg_move(&pending->header, header);
        zmq_msg_move(&pending->body, body);
        pending->has_body = has_body;
        pending->bytes = bytes;
        if (!session->pending)
                LL_PREPEND2(router->waiting, session, next_waiting);
        DL_APPEND(session->pending, pending);
        session->n_pending++;
        session->pending_bytes += bytes;
}

void router_send(struct router *router, struct session_id to, struct buf *take_header,
                 const struct shared_bytes *body)
{
        struct session *session;
        zmq_msg_t header_frame, body_frame;
        int went = 0;

        HASH_FIND(by_id, router->by_id, &to, sizeof(to), session);
        if (!session) {
                router->numbers.dropped++;
                buf_done(take_header);
                return;
        }
        fill_header(&header_frame, take_header);
        fill(&body_frame, body ? body->bytes : NULL, body ? body->n : 0);
        if (!session->pending)
                went = try_send(router, session, &header_frame, &body_frame, body != NULL);
        if (went < 0)
                router_session_lose(router, session);
        else if (went == 0)
                queue(router, session, &header_frame, &body_frame, body != NULL);
        zmq_msg_close(&header_frame);
        zmq_msg_close(&body_frame);
}

/* True: it has nothing waiting any more, or is gone. */
static bool flush_session(struct router *router, struct session *session)
{
        while (session->pending) {
                struct pending *first = session->pending;
                int went = try_send(router, session, &first->header, &first->body, first->has_body);

                if (went < 0) {
                        router_session_lose(router, session);
                        return true;
                }
                if (went == 0)
                        return false;
                DL_DELETE(session->pending, first);
                session->n_pending--;
                session->pending_bytes -= first->bytes;
                pending_free(first);
        }
        LL_DELETE2(router->waiting, session, next_waiting);
        return true;
}

bool router_flush(struct router *router)
{
        struct session *session, *next;

        for (session = router->waiting; session; session = next) {
                next = session->next_waiting;
                flush_session(router, session);
        }
        return router->waiting != NULL;
}
