/* The proof that the door is shut, on the very socket that will serve: a key that nobody knows must be refused, one that
 * is allowed must come in. A CURVE server without a working ZAP handler lets in anybody, silently; so it is tried. */
#include "adapters/router_internal.h"

#include <czmq.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/dealer.h"

#define PROVE_MS 5000

int router_knock(const char *endpoint, const char *server_key, const struct key_pair *client, int wait_ms,
                 enum dealer_state *ret_state, struct err *err)
{
        struct profile profile = { .n_endpoints = 1, .endpoints = { (char *)endpoint } };
        int64_t until_us = clock_mono_us() + wait_ms * US_PER_MS;
        struct key_pair stranger = { 0 };
        enum dealer_state state;

        if (!client && key_pair_new(&stranger, err) < 0)
                return -1;
        memcpy(profile.server_key, server_key, sizeof(profile.server_key));
        memcpy(profile.public_key, client ? client->public_key : stranger.public_key,
               sizeof(profile.public_key));
        memcpy(profile.secret_key, client ? client->secret_key : stranger.secret_key,
               sizeof(profile.secret_key));

        CLEANUP_WITH(dealer_free) struct dealer *dealer = dealer_new(&profile, MSG_S2C, err);

        if (!dealer)
                return -1;
        while ((state = dealer_state(dealer)) == DEALER_CONNECTING && clock_mono_us() < until_us)
                if (dealer_wait(dealer, (int)((until_us - clock_mono_us()) / US_PER_MS) + 1) < 0 &&
                    errno != EINTR)
                        return err_set(err, ERR_INTERNAL, "wait for a connection: %s", strerror(errno));
        *ret_state = state;
        return 0;
}

static int prove_at(struct router *router, const char *endpoint, const struct key_pair *server,
                    struct err *err)
{
        enum dealer_state state;
        struct key_pair guest;
        int rc;

        if (router_knock(endpoint, server->public_key, NULL, PROVE_MS, &state, err) < 0)
                return -1;
        if (state != DEALER_REFUSED)
                return err_set(err, ERR_INTERNAL,
                               "a random key was not refused: the ZAP handler does not guard the socket");
        if (key_pair_new(&guest, err) < 0)
                return -1;
        zap_allow(router_zap(router), guest.public_key, true);
        rc = router_knock(endpoint, server->public_key, &guest, PROVE_MS, &state, err);
        zap_allow(router_zap(router), guest.public_key, false);
        key_pair_done(&guest);
        if (rc < 0)
                return -1;
        return state == DEALER_UP
                       ? 0
                       : err_set(err, ERR_INTERNAL, "an allowed key was refused: the ZAP handler is broken");
}

int router_prove(struct router *router, const struct key_pair *keys, struct err *err)
{
        struct zap_refusal ours[4];
        char endpoint[80];
        int rc;

        /* An abstract unix socket: no port is open while the door is being tried. */
        snprintf(endpoint, sizeof(endpoint), "ipc://@jobmill-prove-%d-%" PRIx64, (int)getpid(),
                 (uint64_t)clock_mono_us());
        if (router_bind(router, endpoint, err) < 0)
                return err_wrap(err, "prove the door");
        rc = prove_at(router, endpoint, keys, err);
        zsock_unbind(router_socket(router), "%s", endpoint);
        zap_refusals(router_zap(router), INT64_MAX / 2, ours, 4); /* the stranger was us */
        return rc < 0 ? err_wrap(err, "prove the door") : 0;
}
