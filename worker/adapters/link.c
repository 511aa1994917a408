/* The line to the coordinator. It translates and never decides what a lost line means for tasks. */
#include "adapters/link.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"

#define REFUSED_BACK_OFF_US (1 * US_PER_S)
#define REFUSED_BACK_OFF_MAX_US (30 * US_PER_S)
#define FULL_WAIT_US (5 * US_PER_MS)

struct link {
        struct dealer *dealer;
        enum dealer_state told; /* what link_news said last */
        uint64_t connection;
        bool was_up;
        int64_t reopen_at_us; /* 0: no */
        int64_t back_off_us;
        int64_t full_until_us; /* 0: it takes messages */
};

struct link *link_new(const struct profile *profile, struct err *err)
{
        CLEANUP_WITH(link_free) struct link *link = xcalloc(1, sizeof(*link));

        link->dealer = dealer_new(profile, MSG_S2W, err);
        link->told = DEALER_CONNECTING;
        link->back_off_us = REFUSED_BACK_OFF_US;
        return link->dealer ? STEAL(link) : NULL;
}

void link_free(struct link *link)
{
        if (!link)
                return;
        dealer_free(link->dealer);
        free(link);
}

int link_fd(const struct link *link)
{
        return dealer_fd(link->dealer);
}

bool link_was_up(const struct link *link)
{
        return link->was_up;
}

/* libzmq never tries again after a refusal: a new socket does. */
static void reopen_if_due(struct link *link, int64_t now_us)
{
        struct err err;

        if (!link->reopen_at_us || now_us < link->reopen_at_us)
                return;
        link->reopen_at_us = 0;
        link->told = DEALER_CONNECTING;
        if (dealer_reopen(link->dealer, &err) < 0)
                link->reopen_at_us = now_us + link->back_off_us;
}

enum link_news link_news(struct link *link, int64_t now_us)
{
        enum dealer_state state, told = link->told;

        reopen_if_due(link, now_us);
        state = dealer_state(link->dealer);
        if (state == DEALER_UP && dealer_connection(link->dealer) != link->connection) {
                link->connection = dealer_connection(link->dealer);
                link->told = DEALER_UP;
                link->was_up = true;
                link->back_off_us = REFUSED_BACK_OFF_US;
                link->full_until_us = 0;
                return LINK_IS_UP;
        }
        if (state == told)
                return LINK_NO_NEWS;
        link->told = state;
        switch (state) {
        case DEALER_UP:
                return LINK_NO_NEWS;
        case DEALER_CONNECTING:
                return told == DEALER_UP ? LINK_IS_DOWN : LINK_NO_NEWS;
        case DEALER_REFUSED:
                link->reopen_at_us = now_us + link->back_off_us;
                link->back_off_us = MIN(link->back_off_us * 2, REFUSED_BACK_OFF_MAX_US);
                return LINK_REFUSED;
        case DEALER_BAD_SERVER:
                return LINK_WRONG_SERVER;
        }
        return LINK_NO_NEWS;
}

int64_t link_deadline_us(const struct link *link)
{
        int64_t at = INT64_MAX;

        if (link->reopen_at_us)
                at = link->reopen_at_us;
        if (link->full_until_us)
                at = MIN(at, link->full_until_us);
        return at == INT64_MAX ? -1 : at;
}

int link_send(struct link *link, struct msg *msg, int64_t now_us, struct err *err)
{
        if (now_us < link->full_until_us)
                return 0;
        link->full_until_us = 0;
        if (dealer_send(link->dealer, msg, err) == 0)
                return 1;
        if (err->code != ERR_RETRY_LATER)
                return -1;
        link->full_until_us = now_us + FULL_WAIT_US;
        return 0;
}

bool link_pending(const struct link *link)
{
        return dealer_pending(link->dealer);
}

struct msg *link_recv(struct link *link, struct err *err)
{
        return dealer_recv(link->dealer, err);
}
