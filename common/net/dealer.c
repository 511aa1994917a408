/* The DEALER end of a connection: socket, CURVE, heartbeats, and a state read from the socket's monitor.
 *
 * This room uses libzmq itself, with a context per dealer, and not CZMQ's zsock on top of it: every command of a person
 * starts here, and loading libczmq (libsystemd, libgcrypt … with it) costs 2.2 ms of a start that should stay below 6.
 * The coordinator, which starts once, uses CZMQ.
 *
 * It must not decide what a lost connection means for work in hand: it counts connections, callers resend.
 *
 * Invariants:
 *  1. A message belongs to one connection. ZMQ_IMMEDIATE gives the socket a pipe only while it is connected, so nothing
 *     queued for a dead connection surprises a new one; senders see RETRY_LATER while there is none.
 *  2. With one endpoint libzmq reconnects with its back-off. With several, each failure moves to the next one with a
 *     new socket after a back-off of ours (the timer), which `dealer_fd` also covers.
 *  3. `fd` is an epoll descriptor that outlives every socket of this dealer. */
#include "net/dealer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <zmq.h>

#include "base/buf.h"
#include "base/secret_file.h"
#include "base/xalloc.h"

#define HEARTBEAT_IVL_MS 2000 /* a dead peer is noticed after three of them */
#define HEARTBEAT_TIMEOUT_MS 6000
#define HANDSHAKE_IVL_MS 5000 /* libzmq's default is 30 s: too long for somebody who waits */
#define CONNECT_TIMEOUT_MS 5000 /* a host that swallows SYNs */
#define RECONNECT_MS 100
#define RECONNECT_MAX_MS 2000
#define LINGER_MS 1000 /* time for the last message to leave when the dealer is freed */
#define QUEUE_MESSAGES 1000 /* each way; beyond, sends are refused and reads stop at the peer */
#define BAD_SERVER_STRIKES                                                                                   \
        3 /* one broken handshake may be a coordinator that died in it; three are a wrong key */

#define MONITOR_EVENTS                                                                                       \
        (ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_DISCONNECTED |                          \
         ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |                              \
         ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)

struct dealer {
        char *endpoints[PROFILE_ENDPOINTS_MAX];
        size_t n_endpoints;
        size_t at; /* the endpoint in use */
        char server_key[41];
        char public_key[41];
        char secret_key[41];
        enum msg_direction receive;

        void *context;
        void *socket;
        void *monitor;
        int fd;
        int timer_fd;
        unsigned failures; /* in a row, since the last connection; for the back-off between endpoints */
        unsigned strikes; /* broken handshakes in a row */
        bool struck; /* the attempt that is being given up ended in one */
        bool wants_out; /* the last send found no room: dealer_wait also waits for some */
        enum dealer_state state;
        uint64_t sockets; /* made so far */
        uint64_t connections;
        uint64_t last_id;
        struct buf scratch;
};

static int zmq_failed(struct err *err, const char *what)
{
        return err_set(err, ERR_INTERNAL, "%s: %s", what, zmq_strerror(errno));
}

static int set_int(void *socket, int option, int value, struct err *err)
{
        return zmq_setsockopt(socket, option, &value, sizeof(value)) == 0
                       ? 0
                       : zmq_failed(err, "set a socket option");
}

static int set_options(const struct dealer *dealer, struct err *err)
{
        static const struct {
                int option;
                int value;
        } options[] = {
                { ZMQ_IMMEDIATE, 1 },
                { ZMQ_IPV6, 1 },
                { ZMQ_LINGER, LINGER_MS },
                { ZMQ_SNDHWM, QUEUE_MESSAGES },
                { ZMQ_RCVHWM, QUEUE_MESSAGES },
                { ZMQ_HANDSHAKE_IVL, HANDSHAKE_IVL_MS },
                { ZMQ_HEARTBEAT_IVL, HEARTBEAT_IVL_MS },
                { ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS },
                { ZMQ_CONNECT_TIMEOUT, CONNECT_TIMEOUT_MS },
                { ZMQ_RECONNECT_IVL, RECONNECT_MS },
                { ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS },
        };
        int64_t frame_max = FRAME_MAX;

        for (size_t i = 0; i < ARRAY_LEN(options); i++)
                if (set_int(dealer->socket, options[i].option, options[i].value, err) < 0)
                        return -1;
        if (zmq_setsockopt(dealer->socket, ZMQ_MAXMSGSIZE, &frame_max, sizeof(frame_max)) != 0 ||
            zmq_setsockopt(dealer->socket, ZMQ_CURVE_SERVERKEY, dealer->server_key, 41) != 0 ||
            zmq_setsockopt(dealer->socket, ZMQ_CURVE_PUBLICKEY, dealer->public_key, 41) != 0 ||
            zmq_setsockopt(dealer->socket, ZMQ_CURVE_SECRETKEY, dealer->secret_key, 41) != 0)
                return zmq_failed(err, "set the keys of a connection");
        return 0;
}

static int descriptor_of(void *socket)
{
        size_t bytes = sizeof(int);
        int fd = -1;

        return zmq_getsockopt(socket, ZMQ_FD, &fd, &bytes) == 0 ? fd : -1;
}

static int watch_socket(const struct dealer *dealer, void *socket, struct err *err)
{
        struct epoll_event event = { .events = EPOLLIN };

        if (epoll_ctl(dealer->fd, EPOLL_CTL_ADD, descriptor_of(socket), &event) < 0)
                return err_set(err, ERR_INTERNAL, "watch a socket: %s", strerror(errno));
        return 0;
}

/* Out of the epoll set before it is closed: a closed descriptor's number may come back as another's. */
static void unwatch_and_close(const struct dealer *dealer, void *socket)
{
        struct epoll_event unused = { 0 };

        if (!socket)
                return;
        epoll_ctl(dealer->fd, EPOLL_CTL_DEL, descriptor_of(socket), &unused);
        zmq_close(socket);
}

static void close_socket(struct dealer *dealer)
{
        if (dealer->socket)
                zmq_socket_monitor(dealer->socket, NULL, 0);
        unwatch_and_close(dealer, dealer->monitor);
        unwatch_and_close(dealer, dealer->socket);
        dealer->monitor = dealer->socket = NULL;
}

static int open_socket(struct dealer *dealer, struct err *err)
{
        char where[48];

        /* Another name each time: libzmq frees the old one in a thread of its own, later. */
        snprintf(where, sizeof(where), "inproc://monitor-%" PRIu64, ++dealer->sockets);
        dealer->state = DEALER_CONNECTING;
        dealer->wants_out = false;
        dealer->socket = zmq_socket(dealer->context, ZMQ_DEALER);
        dealer->monitor = zmq_socket(dealer->context, ZMQ_PAIR);
        if (!dealer->socket || !dealer->monitor)
                return zmq_failed(err, "make a socket");
        /* The monitor first: no event of the connection may be missed. */
        if (set_options(dealer, err) < 0 || set_int(dealer->monitor, ZMQ_LINGER, 0, err) < 0)
                return -1;
        if (zmq_socket_monitor(dealer->socket, where, MONITOR_EVENTS) != 0 ||
            zmq_connect(dealer->monitor, where) != 0)
                return zmq_failed(err, "watch a connection");
        if (watch_socket(dealer, dealer->socket, err) < 0 || watch_socket(dealer, dealer->monitor, err) < 0)
                return -1;
        if (zmq_connect(dealer->socket, dealer->endpoints[dealer->at]) != 0)
                return err_set(err, ERR_CONFIG, "connect to %s: %s", dealer->endpoints[dealer->at],
                               zmq_strerror(errno));
        return 0;
}

static int open_watching(struct dealer *dealer, struct err *err)
{
        struct epoll_event event = { .events = EPOLLIN };

        dealer->fd = epoll_create1(EPOLL_CLOEXEC);
        dealer->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        if (dealer->fd < 0 || dealer->timer_fd < 0 ||
            epoll_ctl(dealer->fd, EPOLL_CTL_ADD, dealer->timer_fd, &event) < 0)
                return err_set(err, ERR_INTERNAL, "watch a connection: %s", strerror(errno));
        dealer->context = zmq_ctx_new();
        return dealer->context ? 0 : zmq_failed(err, "start libzmq");
}

struct dealer *dealer_new(const struct profile *profile, enum msg_direction receive, struct err *err)
{
        CLEANUP_WITH(dealer_free) struct dealer *dealer = xcalloc(1, sizeof(*dealer));

        dealer->fd = dealer->timer_fd = -1;
        dealer->receive = receive;
        dealer->n_endpoints = profile->n_endpoints;
        for (size_t i = 0; i < profile->n_endpoints; i++)
                dealer->endpoints[i] = xstrdup(profile->endpoints[i]);
        memcpy(dealer->server_key, profile->server_key, sizeof(dealer->server_key));
        memcpy(dealer->public_key, profile->public_key, sizeof(dealer->public_key));
        memcpy(dealer->secret_key, profile->secret_key, sizeof(dealer->secret_key));
        if (open_watching(dealer, err) < 0 || open_socket(dealer, err) < 0)
                return NULL;
        return STEAL(dealer);
}

void dealer_free(struct dealer *dealer)
{
        if (!dealer)
                return;
        if (dealer->context) {
                close_socket(dealer);
                while (zmq_ctx_term(dealer->context) != 0 && errno == EINTR)
                        continue; /* what was sent leaves first, for at most LINGER_MS */
        }
        if (dealer->fd >= 0)
                close(dealer->fd);
        if (dealer->timer_fd >= 0)
                close(dealer->timer_fd);
        for (size_t i = 0; i < dealer->n_endpoints; i++)
                free(dealer->endpoints[i]);
        secret_wipe(dealer->secret_key, sizeof(dealer->secret_key));
        buf_done(&dealer->scratch);
        free(dealer);
}

static void arm_timer(const struct dealer *dealer, unsigned ms)
{
        struct itimerspec when = { .it_value = { .tv_sec = ms / 1000,
                                                 .tv_nsec = (long)(ms % 1000) * 1000000 } };

        timerfd_settime(dealer->timer_fd, 0, &when, NULL);
}

int dealer_reopen(struct dealer *dealer, struct err *err)
{
        arm_timer(dealer, 0);
        close_socket(dealer);
        dealer->at = (dealer->at + 1) % dealer->n_endpoints;
        return open_socket(dealer, err);
}

int dealer_fd(const struct dealer *dealer)
{
        return dealer->fd;
}

/* Jittered, so that a fleet does not come back in one instant. */
static unsigned back_off_ms(unsigned failures)
{
        unsigned base = failures < 6 ? RECONNECT_MS << failures : RECONNECT_MAX_MS;
        uint32_t random = 0;

        base = MIN(base, (unsigned)RECONNECT_MAX_MS);
        if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
                random = (uint32_t)getpid(); /* only the spread suffers */
        return base / 2 + random % (base / 2);
}

/* A connection could not be made or was lost. One endpoint: libzmq tries again. Several: the next is ours to try, at
 * once within the first round. */
static void on_failure(struct dealer *dealer)
{
        if (dealer->n_endpoints == 1)
                return;
        dealer->failures++;
        arm_timer(dealer, dealer->failures < dealer->n_endpoints
                                  ? 1
                                  : back_off_ms(dealer->failures / (unsigned)dealer->n_endpoints - 1));
}

/* What libzmq 4.3.4 says, as seen: a refusal by ZAP is HANDSHAKE_FAILED_AUTH, DISCONNECTED and then silence; every other
 * failure ends with exactly one CONNECT_RETRIED, after HANDSHAKE_FAILED_* if there was a TCP connection. */
static void on_monitor(struct dealer *dealer, uint16_t event, uint32_t value)
{
        switch (event) {
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
                dealer->state = DEALER_UP;
                dealer->connections++;
                dealer->failures = dealer->strikes = 0;
                dealer->struck = false;
                arm_timer(dealer, 0);
                break;
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
                dealer->state = DEALER_REFUSED;
                break;
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
                /* Closed on us: the other side could not open what we sealed for its key. Another errno is a time-out:
                 * a peer that says nothing (frozen, or no coordinator at all) is as good as unreachable. */
                if (event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL && value != EPIPE && value != ECONNRESET)
                        break;
                dealer->struck = true;
                if (++dealer->strikes >= BAD_SERVER_STRIKES)
                        dealer->state = DEALER_BAD_SERVER;
                break;
        case ZMQ_EVENT_DISCONNECTED:
                if (dealer->state == DEALER_UP)
                        dealer->state = DEALER_CONNECTING;
                break;
        case ZMQ_EVENT_CONNECT_RETRIED:
                if (!dealer->struck) {
                        dealer->strikes = 0;
                        dealer->state = DEALER_CONNECTING;
                }
                dealer->struck = false;
                on_failure(dealer);
                break;
        default: /* CONNECTED: the handshake decides */
                break;
        }
}

static void read_monitor(struct dealer *dealer)
{
        struct {
                uint16_t event;
                uint32_t value;
        } __attribute__((packed)) frame;
        char where[256];

        while (zmq_recv(dealer->monitor, &frame, sizeof(frame), ZMQ_DONTWAIT) == (int)sizeof(frame)) {
                if (zmq_recv(dealer->monitor, where, sizeof(where), ZMQ_DONTWAIT) < 0)
                        break;
                on_monitor(dealer, frame.event, frame.value);
        }
}

static void read_timer(struct dealer *dealer)
{
        struct err ignored;
        uint64_t times;

        if (read(dealer->timer_fd, &times, sizeof(times)) != (ssize_t)sizeof(times))
                return;
        if (dealer_reopen(dealer, &ignored) < 0)
                on_failure(dealer); /* an endpoint that cannot even be tried: the next one, later */
}

enum dealer_state dealer_state(struct dealer *dealer)
{
        if (dealer->monitor)
                read_monitor(dealer);
        read_timer(dealer);
        return dealer->state;
}

uint64_t dealer_connection(const struct dealer *dealer)
{
        return dealer->connections;
}

const char *dealer_endpoint(const struct dealer *dealer)
{
        return dealer->endpoints[dealer->at];
}

uint64_t dealer_next_id(struct dealer *dealer)
{
        return ++dealer->last_id;
}

static int ready_events(void *socket)
{
        int events = 0;
        size_t bytes = sizeof(events);

        return socket && zmq_getsockopt(socket, ZMQ_EVENTS, &events, &bytes) == 0 ? events : 0;
}

bool dealer_pending(const struct dealer *dealer)
{
        return (ready_events(dealer->socket) | ready_events(dealer->monitor)) & ZMQ_POLLIN;
}

/* libzmq looks at what its I/O thread has to say only now and then while sending; asking for the events makes it look. */
static int send_frame(struct dealer *dealer, const void *bytes, size_t n, int flags)
{
        if (zmq_send(dealer->socket, bytes, n, flags | ZMQ_DONTWAIT) >= 0)
                return 0;
        if (errno != EAGAIN || !(ready_events(dealer->socket) & ZMQ_POLLOUT))
                return -1;
        return zmq_send(dealer->socket, bytes, n, flags | ZMQ_DONTWAIT) >= 0 ? 0 : -1;
}

int dealer_send_encoded(struct dealer *dealer, const struct buf *header, const void *body, size_t body_bytes,
                        struct err *err)
{
        /* A larger frame would make the coordinator close the connection without a word. */
        if (header->n > MSG_HEADER_MAX)
                return err_set(err, ERR_TOO_LARGE, "a message of %zu bytes; the limit is %zu", header->n,
                               MSG_HEADER_MAX);
        if (body_bytes > MSG_BODY_MAX)
                return err_set(err, ERR_TOO_LARGE, "a body of %zu bytes; the limit is %zu", body_bytes,
                               MSG_BODY_MAX);
        if (!dealer->socket)
                return err_set(err, ERR_RETRY_LATER, "not connected");
        if (send_frame(dealer, header->bytes, header->n, body_bytes ? ZMQ_SNDMORE : 0) < 0) {
                dealer->wants_out = errno == EAGAIN;
                if (errno != EAGAIN)
                        return zmq_failed(err, "send");
                return err_set(err, ERR_RETRY_LATER,
                               dealer->state == DEALER_UP ? "the queue to the coordinator is full"
                                                          : "not connected");
        }
        /* The second frame goes where the first went; if that connection died between the two, libzmq drops both. */
        if (body_bytes && send_frame(dealer, body, body_bytes, 0) < 0)
                return zmq_failed(err, "send a body");
        dealer->wants_out = false;
        return 0;
}

int dealer_send(struct dealer *dealer, struct msg *msg, struct err *err)
{
        if (!msg->id)
                msg->id = dealer_next_id(dealer);
        buf_clear(&dealer->scratch);
        msg_encode(msg, &dealer->scratch);
        return dealer_send_encoded(dealer, &dealer->scratch, msg->body, msg->body_bytes, err);
}

struct msg *dealer_recv(struct dealer *dealer, struct err *err)
{
        zmq_msg_t frames[2];
        struct msg *msg = NULL;
        unsigned n = 0;
        bool more = true;

        err->code = ERR_OK;
        if (!dealer->socket)
                return NULL;
        while (more) {
                zmq_msg_t extra;
                zmq_msg_t *frame = n < 2 ? &frames[n] : &extra;

                zmq_msg_init(frame);
                if (zmq_msg_recv(frame, dealer->socket, ZMQ_DONTWAIT) < 0) {
                        zmq_msg_close(frame); /* only the first can be missing: messages arrive whole */
                        return NULL;
                }
                more = zmq_msg_more(frame);
                if (n++ >= 2)
                        zmq_msg_close(&extra);
        }
        if (n > 2) {
                err_set(err, ERR_BAD_FRAME, "a message of %u frames", n);
        } else {
                uint64_t id;

                msg = msg_decode(dealer->receive, zmq_msg_data(&frames[0]), zmq_msg_size(&frames[0]),
                                 n == 2 ? zmq_msg_data(&frames[1]) : NULL,
                                 n == 2 ? zmq_msg_size(&frames[1]) : 0, &id, err);
        }
        for (unsigned i = 0; i < MIN(n, 2); i++)
                zmq_msg_close(&frames[i]);
        return msg;
}

int dealer_wait(struct dealer *dealer, int timeout_ms)
{
        zmq_pollitem_t items[] = {
                { .socket = dealer->socket,
                  .fd = -1,
                  .events = (short)(ZMQ_POLLIN | (dealer->wants_out ? ZMQ_POLLOUT : 0)) },
                { .socket = dealer->monitor, .fd = -1, .events = ZMQ_POLLIN },
                { .fd = dealer->timer_fd, .events = ZMQ_POLLIN },
        };
        int n = zmq_poll(items, (int)ARRAY_LEN(items), timeout_ms);

        if (n < 0)
                return -1;
        if (items[0].revents & ZMQ_POLLOUT)
                dealer->wants_out = false;
        return n > 0;
}
