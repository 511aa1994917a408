/* The ROUTER socket with its sessions.
 *
 * Must not decide what a message means or who may say it; it only knows connections.
 *
 * Invariants:
 *  1. A session is one connection: (routing id made by ROUTER, key). A peer that gave itself a routing id is told so and
 *     not served: such an id can pass from one peer to another while something waits for it.
 *  2. A session id is never used twice. A session is in `by_routing` and `by_id` until it is lost, in `by_fd` while its
 *     connection lives.
 *  3. `live` follows the monitor: the (one) I/O thread reports a connection before any message of it, and an end before the
 *     descriptor can become another connection's. The monitor is read before a new session is made, so a session whose
 *     connection has ended already is known to be closed from the start.
 *
 * Sending is router_out.c. */
#include "adapters/router.h"

#include <czmq.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "adapters/router_internal.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/xalloc.h"
#include "proto/msg.h"

#define HANDSHAKE_IVL_MS 5000
/* No ZMTP heartbeats of our own: libzmq searches all timers of all connections for each that it ends, with ten thousand
 * workers that was all its thread did. The kernel tells us of machines that are gone, leases of workers that are. */
#define KEEPALIVE_IDLE_S 15
#define KEEPALIVE_EVERY_S 5
#define KEEPALIVE_TIMES 4
#define LINGER_MS 1000
#define BACKLOG 4096 /* a whole fleet may come back in one second */
/* Messages a peer in libzmq's pipes, each way. A message is up to 2 MiB, so the product bounds what one peer can make us
 * hold: few, because what is beyond waits at the peer (in) or in its own queue here (out). */
#define PIPE_MESSAGES 64
#define ZAP_ENFORCE_DOMAIN 93 /* in libzmq 4.3, but the header shows it to draft builds only */
#define ROUTING_BYTES 5 /* 0 and four random-start counter bytes: what ROUTER makes */

void router_init_library(void)
{
        zsys_handler_set(NULL);
}

static int zmq_failed(struct err *err, const char *what)
{
        return err_set(err, ERR_INTERNAL, "%s: %s", what, zmq_strerror(errno));
}

static void set_options(zsock_t *socket, const struct key_pair *keys)
{
        zsock_set_router_mandatory(socket, 1); /* a send to nobody is an error, not silence */
        zsock_set_router_handover(socket, 0); /* nobody takes another's place */
        zsock_set_zap_domain(socket, ZAP_DOMAIN);
        zsock_set_curve_server(socket, 1);
        zsock_set_curve_publickey(socket, keys->public_key);
        zsock_set_curve_secretkey(socket, keys->secret_key);
        zsock_set_handshake_ivl(socket, HANDSHAKE_IVL_MS);
        zsock_set_tcp_keepalive(socket, 1);
        zsock_set_tcp_keepalive_idle(socket, KEEPALIVE_IDLE_S);
        zsock_set_tcp_keepalive_intvl(socket, KEEPALIVE_EVERY_S);
        zsock_set_tcp_keepalive_cnt(socket, KEEPALIVE_TIMES);
        zsock_set_maxmsgsize(socket, FRAME_MAX);
        zsock_set_sndhwm(socket, PIPE_MESSAGES);
        zsock_set_rcvhwm(socket, PIPE_MESSAGES);
        zsock_set_linger(socket, LINGER_MS);
        zsock_set_backlog(socket, BACKLOG);
        zsock_set_ipv6(socket, 1);
}

/* Without an answer by ZAP there shall be no connection. Set and read back through libzmq: CZMQ 4.2.1 as Debian builds
 * it has zsock_set_zap_enforce_domain, but as a function that does nothing. */
static int guard(void *handle, struct err *err)
{
        int on = 1, curve = 0;
        size_t bytes = sizeof(on);

        if (zmq_setsockopt(handle, ZAP_ENFORCE_DOMAIN, &on, sizeof(on)) != 0)
                return zmq_failed(err, "make the ZAP handler binding");
        on = 0;
        if (zmq_getsockopt(handle, ZAP_ENFORCE_DOMAIN, &on, &bytes) != 0 || on != 1 ||
            zmq_getsockopt(handle, ZMQ_CURVE_SERVER, &curve, &bytes) != 0 || curve != 1)
                return err_set(
                        err, ERR_INTERNAL,
                        "this libzmq does not guard the socket: ZAP_ENFORCE_DOMAIN or CURVE is missing");
        return 0;
}

static int descriptor_of(void *handle, int *ret_fd, struct err *err)
{
        size_t bytes = sizeof(*ret_fd);

        return zmq_getsockopt(handle, ZMQ_FD, ret_fd, &bytes) == 0
                       ? 0
                       : zmq_failed(err, "ask for a socket's descriptor");
}

static int open_monitor(struct router *router, struct err *err)
{
        char where[64];
        int events = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL;
        zsock_t *monitor;

        /* Another name each time: libzmq frees the one of a socket before later than that socket. */
        snprintf(where, sizeof(where), "inproc://router-monitor-%" PRId64, clock_mono_us());
        if (zmq_socket_monitor(router->handle, where, events) != 0)
                return zmq_failed(err, "watch connections");
        monitor = zsock_new(ZMQ_PAIR);
        router->monitor = monitor;
        if (!monitor || zsock_connect(monitor, "%s", where) != 0)
                return zmq_failed(err, "watch connections");
        return descriptor_of(router_monitor(router), &router->monitor_fd, err);
}

struct router *router_new(const struct key_pair *keys, struct err *err)
{
        CLEANUP_WITH(router_free) struct router *router = xcalloc(1, sizeof(*router));

        zmq_msg_init(&router->header);
        zmq_msg_init(&router->body);
        router->zap = zap_new(err);
        if (!router->zap)
                return NULL;
        router->socket = zsock_new(ZMQ_ROUTER);
        if (!router->socket) {
                zmq_failed(err, "make the ROUTER socket");
                return NULL;
        }
        router->handle = zsock_resolve(router->socket);
        set_options(router->socket, keys);
        if (guard(router->handle, err) < 0)
                return NULL;
        if (open_monitor(router, err) < 0 || descriptor_of(router->handle, &router->fd, err) < 0)
                return NULL;
        return STEAL(router);
}

static void session_free(struct router *router, struct session *session)
{
        router_drop_pending(router, session);
        if (session->closed)
                LL_DELETE2(router->closed, session, next_closed);
        if (session->fd >= 0)
                HASH_DELETE(by_fd, router->by_fd, session);
        HASH_DELETE(by_routing, router->by_routing, session);
        HASH_DELETE(by_id, router->by_id, session);
        free(session);
}

void router_session_lose(struct router *router, struct session *session)
{
        if (router->lost_at == router->n_lost)
                router->lost_at = router->n_lost = 0;
        GROW(router->lost, router->lost_cap, router->n_lost + 1);
        router->lost[router->n_lost++] = session->id;
        session_free(router, session);
}

void router_free(struct router *router)
{
        struct session *session, *next;

        if (!router)
                return;
        HASH_ITER (by_id, router->by_id, session, next) {
                session_free(router, session);
        }
        zmq_msg_close(&router->header);
        zmq_msg_close(&router->body);
        if (router->handle)
                zmq_socket_monitor(router->handle, NULL, 0);
        zsock_destroy((zsock_t **)&router->monitor);
        zsock_destroy(&router->socket);
        zap_free(router->zap);
        free(router->lost);
        free(router->live);
        free(router);
}

int router_bind(struct router *router, const char *endpoint, struct err *err)
{
        if (zsock_bind(router->socket, "%s", endpoint) >= 0)
                return 0;
        return err_set(err, errno == EADDRINUSE ? ERR_RETRY_LATER : ERR_CONFIG, "listen on %s: %s", endpoint,
                       zmq_strerror(errno));
}

int router_fd(const struct router *router)
{
        return router->fd;
}

int router_monitor_fd(const struct router *router)
{
        return router->monitor_fd;
}

bool router_has_message(struct router *router)
{
        int events = 0;
        size_t bytes = sizeof(events);

        return zmq_getsockopt(router->handle, ZMQ_EVENTS, &events, &bytes) == 0 && (events & ZMQ_POLLIN);
}

struct zap *router_zap(struct router *router)
{
        return router->zap;
}

void *router_socket(struct router *router)
{
        return router->socket;
}

void *router_handle(struct router *router)
{
        return router->handle;
}

void *router_monitor(struct router *router)
{
        return zsock_resolve(router->monitor);
}

struct router_numbers router_numbers(const struct router *router)
{
        struct router_numbers numbers = router->numbers;

        numbers.sessions = HASH_CNT(by_id, router->by_id);
        return numbers;
}

/* --- connections that end --- */

static void session_close(struct router *router, struct session *session)
{
        session->fd = -1;
        session->closed = true;
        LL_PREPEND2(router->closed, session, next_closed);
}

static void on_disconnected(struct router *router, int fd)
{
        struct session *session;

        HASH_FIND(by_fd, router->by_fd, &fd, sizeof(fd), session);
        if (!session)
                return; /* it has said nothing yet */
        HASH_DELETE(by_fd, router->by_fd, session);
        session_close(router, session);
}

static void set_live(struct router *router, uint32_t fd, bool live)
{
        size_t was = router->live_cap;

        GROW(router->live, router->live_cap, (size_t)fd + 1);
        for (size_t i = was; i < router->live_cap; i++)
                router->live[i] = false;
        router->live[fd] = live;
}

static void read_monitor(struct router *router)
{
        void *monitor = router_monitor(router);
        struct {
                uint16_t event;
                uint32_t value;
        } __attribute__((packed)) frame;
        char where[256];

        while (zmq_recv(monitor, &frame, sizeof(frame), ZMQ_DONTWAIT) == (int)sizeof(frame)) {
                if (zmq_recv(monitor, where, sizeof(where), ZMQ_DONTWAIT) < 0)
                        break;
                if (frame.event == ZMQ_EVENT_ACCEPTED || frame.event == ZMQ_EVENT_DISCONNECTED)
                        set_live(router, frame.value, frame.event == ZMQ_EVENT_ACCEPTED);
                else
                        router->numbers.bad_handshakes++;
                if (frame.event == ZMQ_EVENT_DISCONNECTED)
                        on_disconnected(router, (int)frame.value);
        }
}

bool router_has_lost(const struct router *router)
{
        return router->closed || router->lost_at < router->n_lost;
}

bool router_lost(struct router *router, struct session_id *ret_session)
{
        read_monitor(router);
        /* What a peer said before it went is still served: its session ends when nothing more can come from it. */
        while (router->drained && router->closed)
                router_session_lose(router, router->closed);
        if (router->lost_at == router->n_lost)
                return false;
        *ret_session = router->lost[router->lost_at++];
        return true;
}

/* --- in --- */

static struct session *session_new(struct router *router, zmq_msg_t *id, const char *key, const char *fd)
{
        size_t n = zmq_msg_size(id);
        struct session *session = xcalloc(1, sizeof(*session) + n);
        struct session *other;

        session->id.n = ++router->last_id;
        session->n_routing = n;
        memcpy(session->routing, zmq_msg_data(id), n);
        session->self_named = n != ROUTING_BYTES || session->routing[0] != 0;
        session->fd = fd ? atoi(fd) : -1;
        memcpy(session->public_key, key, strnlen(key, sizeof(session->public_key) - 1));
        read_monitor(router);
        HASH_ADD(by_routing, router->by_routing, routing, n, session);
        HASH_ADD(by_id, router->by_id, id, sizeof(session->id), session);
        if (session->fd < 0 || (size_t)session->fd >= router->live_cap || !router->live[session->fd]) {
                session_close(router, session); /* gone already; what it said is served */
                return session;
        }
        HASH_FIND(by_fd, router->by_fd, &session->fd, sizeof(session->fd), other);
        if (other) /* it spoke after its end, and its descriptor is this one's now */
                on_disconnected(router, session->fd);
        HASH_ADD(by_fd, router->by_fd, fd, sizeof(session->fd), session);
        return session;
}

/* The session of the frame's connection. NULL: no key was shown, which ZAP does not let happen. */
static struct session *session_of(struct router *router, zmq_msg_t *id, zmq_msg_t *header)
{
        const char *key = zmq_msg_gets(header, "User-Id");
        struct session *session;

        if (!key || strlen(key) != KEY_TEXT_BYTES)
                return NULL;
        HASH_FIND(by_routing, router->by_routing, zmq_msg_data(id), zmq_msg_size(id), session);
        if (session && strcmp(session->public_key, key) != 0) {
                router_session_lose(router,
                                    session); /* another peer behind the same id: never the same session */
                session = NULL;
        }
        return session ? session : session_new(router, id, key, zmq_msg_gets(header, "__fd"));
}

/* Reads one whole message: routing id, header, perhaps a body. Further frames are only counted. 0: nothing there. */
static unsigned read_frames(struct router *router, zmq_msg_t *id)
{
        unsigned n = 0;
        bool more;

        zmq_msg_close(&router->header);
        zmq_msg_close(&router->body);
        zmq_msg_init(&router->header);
        zmq_msg_init(&router->body);
        do {
                zmq_msg_t extra;
                zmq_msg_t *frame = n == 0 ? id : n == 1 ? &router->header : n == 2 ? &router->body : &extra;

                if (n > 2)
                        zmq_msg_init(&extra);
                if (zmq_msg_recv(frame, router->handle, ZMQ_DONTWAIT) < 0)
                        return 0;
                more = zmq_msg_more(frame);
                if (n++ > 2)
                        zmq_msg_close(&extra);
        } while (more);
        return n;
}

static enum router_result hand_out(struct router *router, const struct session *session, unsigned n,
                                   struct router_message *message)
{
        *message = (struct router_message){
                .session = session->id,
                .header = zmq_msg_data(&router->header),
                .header_bytes = zmq_msg_size(&router->header),
                .body = n > 2 ? zmq_msg_data(&router->body) : NULL,
                .body_bytes = n > 2 ? zmq_msg_size(&router->body) : 0,
                .frames = n - 1,
                .self_named = session->self_named,
        };
        memcpy(message->public_key, session->public_key, sizeof(message->public_key));
        if (n <= 3 && message->header_bytes && !session->self_named)
                return ROUTER_MESSAGE;
        router->numbers.bad_frames++;
        return ROUTER_BAD_FRAMES;
}

enum router_result router_recv(struct router *router, struct router_message *ret_message)
{
        for (;;) {
                struct session *session;
                unsigned n;
                zmq_msg_t id;

                zmq_msg_init(&id);
                n = read_frames(router, &id);
                router->drained = n == 0;
                session = n > 1 ? session_of(router, &id, &router->header) : NULL;
                zmq_msg_close(&id);
                if (!n)
                        return ROUTER_NOTHING;
                if (!session) {
                        router->numbers.bad_frames++;
                        continue;
                }
                router->numbers.received++;
                return hand_out(router, session, n, ret_message);
        }
}
