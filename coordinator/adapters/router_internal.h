/* For the files of the router only: sessions and what waits for them. */
#ifndef ADAPTERS_ROUTER_INTERNAL_H
#define ADAPTERS_ROUTER_INTERNAL_H

#include "base/hash.h"
#include "adapters/router.h"

#include <czmq.h>

struct pending {
        struct pending *prev, *next;
        zmq_msg_t header;
        zmq_msg_t body;
        bool has_body;
        size_t bytes;
};

struct session {
        struct session_id id;
        int fd; /* -1: unknown or closed */
        char public_key[41];
        bool closed; /* its connection has ended; lost once everything it said has been read */
        struct pending *pending;
        size_t n_pending, pending_bytes;
        struct session *next_waiting; /* of those with something pending */
        struct session *next_closed;
        UT_hash_handle by_routing, by_id, by_fd;
        bool self_named;
        size_t n_routing;
        uint8_t routing[];
};

struct router {
        struct zap *zap;
        zsock_t *socket;
        void *handle; /* the same, as libzmq sees it */
        void *monitor; /* libzmq's, paired with the socket's events */
        int fd, monitor_fd; /* ZMQ_FD of both */
        struct session *by_routing, *by_id, *by_fd;
        struct session *waiting;
        struct session *closed;
        bool *live; /* by descriptor: a connection was accepted and has not ended */
        size_t live_cap;
        struct session_id *lost; /* ring of ids not told yet: lost[lost_at … n_lost) */
        size_t lost_at, n_lost, lost_cap;
        uint64_t last_id;
        zmq_msg_t header, body; /* of the message given last */
        bool drained; /* the last router_recv found nothing */
        struct router_numbers numbers;
};

void *router_socket(struct router *router); /* the zsock_t */
/* The session ends now: it is forgotten, what waits for it dropped, and router_lost tells. */
void router_session_lose(struct router *router, struct session *session);
void router_drop_pending(struct router *router, struct session *session);

#endif
