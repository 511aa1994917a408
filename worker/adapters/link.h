/* The worker's line to the coordinator: what `dealer` says, turned into up, down and out of the question. */
#ifndef ADAPTERS_LINK_H
#define ADAPTERS_LINK_H

#include "net/dealer.h"

enum link_news {
        LINK_NO_NEWS,
        LINK_IS_UP, /* a new connection: everything unanswered must be said again */
        LINK_IS_DOWN,
        LINK_REFUSED, /* the key is unknown, revoked or expired; tried again with back-off */
        LINK_WRONG_SERVER, /* the server's key is another one; libzmq tries on */
};

struct link;
struct link *link_new(const struct profile *profile, struct err *err) MUST_CHECK;
void link_free(struct link *link);
DEFINE_CLEANUP(struct link, link_free)
int link_fd(const struct link *link);
enum link_news link_news(struct link *link, int64_t now_us); /* call until LINK_NO_NEWS */
int64_t link_deadline_us(const struct link *link); /* when it wants link_news called; -1: not at all */
bool link_was_up(const struct link *link); /* ever */

/* 1 sent, 0 no room now (try again after link_deadline_us), -1 err. */
int link_send(struct link *link, struct msg *msg, int64_t now_us, struct err *err) MUST_CHECK;
bool link_pending(const struct link *link); /* something is there that link_fd may not tell any more */
/* As dealer_recv. */
struct msg *link_recv(struct link *link, struct err *err) MUST_CHECK;

#endif
