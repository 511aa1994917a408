/* Requests and answers over a dealer, for commands: sends, waits for the answers with `re`, resends after a
 * reconnect (every request is idempotent), turns `refused` into an error. */
#ifndef NET_CLIENT_H
#define NET_CLIENT_H

#include "net/dealer.h"

struct client;

/* Waits for the handshake: UNREACHABLE after connect_timeout_ms, UNAUTHENTICATED, CONFIG (wrong server key). */
struct client *client_open(const struct profile *profile, int connect_timeout_ms, struct err *err) MUST_CHECK;
void client_free(struct client *client);
DEFINE_CLEANUP(struct client, client_free)

/* Send `request` and return its first answer; a `refused` becomes err. timeout_ms: -1 for ever (reconnects and
 * resends), else UNREACHABLE. EINTR by SIGINT or SIGTERM: NULL with RETRY_LATER and text "interrupted". */
struct msg *client_call(struct client *client, struct msg *request, int timeout_ms,
                        struct err *err) MUST_CHECK;
/* The next message whose re is that of the last client_call or client_send (streams: rows, chunk … end, event).
 * After a reconnect the request is sent again and *ret_resumed becomes true. */
struct msg *client_next(struct client *client, int timeout_ms, bool *ret_resumed, struct err *err) MUST_CHECK;
int client_send(struct client *client, struct msg *request, struct err *err) MUST_CHECK;
/* The request in hand was refused and went out only once: it changed nothing. After a resend a refusal speaks of the
 * second copy; what became of the first is open. */
bool client_was_refused(const struct client *client);
/* Many requests without a body that do not depend on each other: as many as CLIENT_WINDOW are on their way at a time, and the
 * coordinator makes one transaction of those that have come. */
#define CLIENT_WINDOW 256 /* well below what it keeps for one peer */
struct client_many {
        size_t n;
        struct msg *(*ask)(void *arg, size_t k); /* request k; borrowed until the next call */
        /* What became of request k, each once, in the order in which that is known: its answer, or why it was refused. */
        void (*take)(void *arg, size_t k, const struct msg *answer, const struct err *refusal);
        void *arg;
};
/* One that is told RETRY_LATER is asked again, until nothing at all was answered for the patience of a call. -1: the
 * connection was lost for good, or a signal came; *ret_unsure: so many were sent and not answered. */
int client_call_many(struct client *client, const struct client_many *many, size_t *ret_unsure,
                     struct err *err) MUST_CHECK;
/* How long a call may be without any connection before it fails with UNREACHABLE; commands set --connect-timeout,
 * waits set -1. */
void client_set_patience(struct client *client, int ms);

#endif
