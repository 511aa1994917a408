/* One DEALER connection with CURVE to a coordinator: what commands and workers share. Messages in, messages out,
 * and what the socket's monitor says about the connection. Not thread safe; never blocks but in dealer_wait. */
#ifndef NET_DEALER_H
#define NET_DEALER_H

#include <stdint.h>

#include "net/profile.h"
#include "proto/msg.h"

struct dealer;

/* ZMQ_MAXMSGSIZE of both ends: libzmq compares it with what CURVE has made of a frame, some 33 bytes more. */
#define FRAME_MAX ((int)MAX(MSG_HEADER_MAX, MSG_BODY_MAX) + 256)

enum dealer_state {
        DEALER_CONNECTING, /* no TCP connection yet, or trying again with back-off */
        DEALER_UP, /* handshake done */
        DEALER_REFUSED, /* ZAP said no: 77. libzmq gives up: dealer_reopen tries again */
        DEALER_BAD_SERVER, /* handshake failed without detail: the server's key is another one: 78 */
};

/* `receive` is MSG_S2C for clients, MSG_S2W for workers. */
struct dealer *dealer_new(const struct profile *profile, enum msg_direction receive,
                          struct err *err) MUST_CHECK;
void dealer_free(struct dealer *dealer);
DEFINE_CLEANUP(struct dealer, dealer_free)
int dealer_reopen(struct dealer *dealer, struct err *err) MUST_CHECK;

/* Descriptor that becomes readable when dealer_recv or the state may have something new (edge-triggered like
 * ZMQ_FD: drain both before sleeping on it, and if anything was sent since, ask dealer_pending: a send may take the
 * descriptor's word without a word to us). */
int dealer_fd(const struct dealer *dealer);
bool dealer_pending(const struct dealer *dealer); /* a message or news of the connection is there */
enum dealer_state dealer_state(struct dealer *dealer); /* looks at the monitor first */
uint64_t dealer_connection(const struct dealer *dealer); /* counts handshakes: a change means reconnected */

/* Gives msg->id if it is 0 (1, 2, …). RETRY_LATER when the socket's queue is full: keep it and try again. */
int dealer_send(struct dealer *dealer, struct msg *msg, struct err *err) MUST_CHECK;
/* The same for a message that is encoded already (its id is in the header); for who keeps it to send it again. */
int dealer_send_encoded(struct dealer *dealer, const struct buf *header, const void *body, size_t body_bytes,
                        struct err *err) MUST_CHECK;
/* A number for the next message, for who encodes it himself: 1, 2, … */
uint64_t dealer_next_id(struct dealer *dealer);
const char *
dealer_endpoint(const struct dealer *dealer); /* the one in use now; borrowed until dealer_reopen */
/* The next message, or NULL with err->code OK when there is none now, or NULL with BAD_* for one that was dropped. */
struct msg *dealer_recv(struct dealer *dealer, struct err *err) MUST_CHECK;
/* Sleep until something may be there; timeout_ms -1: for ever. 1 something, 0 time is up, -1 a signal (EINTR). */
int dealer_wait(struct dealer *dealer, int timeout_ms);

#endif
