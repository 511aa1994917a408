/* Who may connect: the ZAP handler, a thread of our own that libzmq asks at every handshake. It knows the set of keys
 * that the core lets in, in memory; whatever is not in the set, not CURVE or not well formed is refused. It also keeps
 * a bounded summary of refusals, so that a scan cannot fill the log. */
#ifndef ADAPTERS_ZAP_H
#define ADAPTERS_ZAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define ZAP_DOMAIN "jobmill"
#define ZAP_REFUSALS_MAX 64 /* keys told apart; further ones are counted together */
#define ZAP_REPEAT_US INT64_C(60000000) /* one key is told of at once, and then at most once in this time */

struct zap;

/* The handler is bound when this returns: sockets bound later are covered. One per process (libzmq has one place). */
struct zap *zap_new(struct err *err) MUST_CHECK;
void zap_free(struct zap *zap); /* after the sockets that it guards are closed */
DEFINE_CLEANUP(struct zap, zap_free)

void zap_allow(struct zap *zap, const char *public_key, bool allowed); /* in force when it returns */

struct zap_refusal {
        char public_key[41]; /* empty: keys beyond ZAP_REFUSALS_MAX, or none was shown */
        char address[64]; /* the last one it came from */
        uint64_t count; /* since it was told last */
};
int zap_fd(const struct zap *zap); /* eventfd: readable when there may be something to tell */
/* Takes what is due; at most max. Call it again within ZAP_REPEAT_US for the rest. */
size_t zap_refusals(struct zap *zap, int64_t mono_us, struct zap_refusal *ret_list, size_t max);

#endif
