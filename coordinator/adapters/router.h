/* The ROUTER socket: every connection of clients and workers. It gives each connection a session id of ours, says whose
 * key it is with every message, and sends without ever waiting: one slow peer has a bounded queue of its own and loses
 * its session when that is full; nobody else notices.
 *
 * Not thread safe: the coordinator's thread only. */
#ifndef ADAPTERS_ROUTER_H
#define ADAPTERS_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/zap.h"
#include "base/buf.h"
#include "base/ids.h"
#include "core/store_op.h"
#include "net/dealer.h"
#include "net/key_file.h"

struct router;

#define ROUTER_PENDING_MAX 4096 /* messages waiting for one slow peer */
#define ROUTER_PENDING_BYTES                                                                                 \
        ((size_t)16 * 1024 * 1024) /* and their bytes; beyond either its session is lost */

/* Once per process, before anything of CZMQ: signal handling stays ours. */
void router_init_library(void);

/* ZAP is running and the socket guarded when this returns; nobody can connect before router_bind. */
struct router *router_new(const struct key_pair *keys, struct err *err) MUST_CHECK;
void router_free(struct router *router); /* what was sent leaves first, for at most a second */
DEFINE_CLEANUP(struct router, router_free)

/* Proves on this very socket that a random key is refused and an allowed one let in: INTERNAL if not. ~10 ms. */
int router_prove(struct router *router, const struct key_pair *keys, struct err *err) MUST_CHECK;
/* What becomes of a connection to `endpoint` within wait_ms, as net/dealer.h names it: UP, REFUSED (a coordinator with that
 * key works there), BAD_SERVER, or still CONNECTING. client: NULL for a key that nobody knows. */
int router_knock(const char *endpoint, const char *server_key, const struct key_pair *client, int wait_ms,
                 enum dealer_state *ret_state, struct err *err) MUST_CHECK;
/* RETRY_LATER: the address is in use. */
int router_bind(struct router *router, const char *endpoint, struct err *err) MUST_CHECK;
struct zap *router_zap(struct router *router);

enum router_result { ROUTER_NOTHING, ROUTER_MESSAGE, ROUTER_BAD_FRAMES };
struct router_message {
        struct session_id session;
        char public_key[41];
        const void *header; /* header and body are borrowed until the next router_recv */
        size_t header_bytes;
        const void *body; /* NULL: none */
        size_t body_bytes;
        unsigned frames; /* after the routing id; BAD_FRAMES: not 1 or 2, or an empty header, or self_named */
        bool self_named; /* the peer gave itself a routing id */
};
/* The next message of anybody; NOTHING: none now. */
enum router_result router_recv(struct router *router, struct router_message *ret_message);
/* A session that has ended (connection closed, or given up as too slow), one a call; false: none now. */
bool router_lost(struct router *router, struct session_id *ret_session);
bool router_has_lost(const struct router *router); /* router_lost may have one without new word of an end */

/* Takes the header's bytes (it is empty afterwards); copies the body. A session that is gone: dropped. */
void router_send(struct router *router, struct session_id to, struct buf *take_header,
                 const struct shared_bytes *body);
/* Tries again what waits for slow peers. True: something still waits, call again within some 10 ms. */
bool router_flush(struct router *router);

/* For the loop: descriptors that become readable when a message or the end of a connection comes. Both must be drained then
 * (router_recv, router_lost). What came while something was sent may have been told already: before sleeping, ask. */
int router_fd(const struct router *router);
int router_monitor_fd(const struct router *router);
bool router_has_message(struct router *router);

/* libzmq's handles, for tests. */
void *router_handle(struct router *router);
void *router_monitor(struct router *router);

struct router_numbers {
        uint64_t sessions, received, sent, dropped, bad_frames, bad_handshakes;
};
struct router_numbers router_numbers(const struct router *router);

#endif
