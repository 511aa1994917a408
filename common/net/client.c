/* Requests and answers for commands. One request is in hand at a time: it is kept as it was encoded, so that it can be
 * sent again, unchanged and with the same id, on every new connection until the caller asks something else.
 *
 * Must not sleep longer than the caller allows, and must not print. */
#include "net/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/xalloc.h"

struct client {
        struct dealer *dealer;
        int patience_ms; /* -1: for ever */
        int64_t down_since_us; /* 0: connected */
        uint64_t id; /* of the request in hand; 0: none yet */
        uint64_t sent_on; /* the connection that it was sent on; 0: not sent */
        bool resent; /* it was sent on more than one */
        bool refused; /* its answer was `refused` */
        struct buf header;
        struct buf body;
};

static int not_connected(struct client *client, struct err *err)
{
        const char *endpoint = dealer_endpoint(client->dealer);

        enum dealer_state state = dealer_state(client->dealer);

        if (state == DEALER_BAD_SERVER && dealer_connection(client->dealer) > 0)
                state = DEALER_CONNECTING;
        switch (state) {
        case DEALER_REFUSED:
                return err_set(err, ERR_UNAUTHENTICATED,
                               "the coordinator at %s refuses this key: it is unknown, revoked or "
                               "expired; ask an administrator for a new profile",
                               endpoint);
        case DEALER_BAD_SERVER:
                return err_set(err, ERR_CONFIG,
                               "what answers at %s does not have the server-key of this profile", endpoint);
        case DEALER_CONNECTING:
        case DEALER_UP:
                break;
        }
        return err_set(err, ERR_UNREACHABLE, "no coordinator answers at %s; is it running?", endpoint);
}

/* Milliseconds left until `since` + limit; -1: no limit. */
static int left_ms(int64_t since_us, int limit_ms)
{
        int64_t left;

        if (limit_ms < 0)
                return -1;
        left = (since_us - clock_mono_us()) / US_PER_MS + limit_ms;
        return left > 0 ? (int)left : 0;
}

/* Looks at the connection, sends the request in hand if this connection has not seen it. 1: on the way; 0: not yet. */
static int pump(struct client *client, bool *resumed, struct err *err)
{
        enum dealer_state state = dealer_state(client->dealer);
        uint64_t connection = dealer_connection(client->dealer);

        /* Who was connected before knows that the key is right: what breaks handshakes now is something between, that accepts
         * connections while the coordinator is away. */
        if (state == DEALER_REFUSED || (state == DEALER_BAD_SERVER && connection == 0))
                return not_connected(client, err);
        if (state != DEALER_UP) {
                if (!client->down_since_us)
                        client->down_since_us = clock_mono_us();
                if (left_ms(client->down_since_us, client->patience_ms) == 0)
                        return not_connected(client, err);
                return 0;
        }
        client->down_since_us = 0;
        if (!client->id || client->sent_on == connection)
                return 1;
        if (dealer_send_encoded(client->dealer, &client->header, client->body.bytes, client->body.n, err) < 0)
                return err->code == ERR_RETRY_LATER ? 0 : -1;
        if (client->sent_on)
                *resumed = client->resent = true;
        client->sent_on = connection;
        return 1;
}

/* Sleep until something may have changed. -1: interrupted, or the caller's time is up. */
static int rest(struct client *client, int64_t since_us, int timeout_ms, struct err *err)
{
        int left = left_ms(since_us, timeout_ms);
        int patience = client->down_since_us ? left_ms(client->down_since_us, client->patience_ms) : -1;

        if (left == 0)
                return err_set(err, ERR_UNREACHABLE, "the coordinator at %s did not answer within %d ms",
                               dealer_endpoint(client->dealer), timeout_ms);
        if (patience >= 0 && (left < 0 || patience < left))
                left = patience;
        if (dealer_wait(client->dealer, left) < 0 && errno == EINTR)
                return err_set(err, ERR_RETRY_LATER, "interrupted");
        return 0;
}

struct client *client_open(const struct profile *profile, int connect_timeout_ms, struct err *err)
{
        CLEANUP_WITH(client_free) struct client *client = xcalloc(1, sizeof(*client));
        int64_t since_us = clock_mono_us();
        bool resumed = false;
        int rc;

        client->patience_ms = connect_timeout_ms;
        client->dealer = dealer_new(profile, MSG_S2C, err);
        if (!client->dealer)
                return NULL;
        while ((rc = pump(client, &resumed, err)) == 0)
                if (rest(client, since_us, -1, err) < 0)
                        return NULL;
        return rc < 0 ? NULL : STEAL(client);
}

void client_free(struct client *client)
{
        if (!client)
                return;
        dealer_free(client->dealer);
        buf_done(&client->header);
        buf_done(&client->body);
        free(client);
}

void client_set_patience(struct client *client, int ms)
{
        client->patience_ms = ms;
}

int client_send(struct client *client, struct msg *request, struct err *err)
{
        bool resumed = false;

        request->id = client->id = dealer_next_id(client->dealer);
        client->sent_on = 0;
        client->resent = client->refused = false;
        buf_clear(&client->header);
        buf_clear(&client->body);
        msg_encode(request, &client->header);
        buf_add(&client->body, request->body, request->body_bytes);
        return pump(client, &resumed, err) < 0 ? -1 : 0;
}

static struct msg *take_answer(struct client *client, struct msg *msg, struct err *err)
{
        if (msg->kind != MSG_refused)
                return msg;
        client->refused = true;
        err_set(err, msg->u.refused.code, "%s", msg->u.refused.text);
        msg_free(msg);
        return NULL;
}

struct msg *client_next(struct client *client, int timeout_ms, bool *ret_resumed, struct err *err)
{
        int64_t since_us = clock_mono_us();
        bool resumed = false;
        struct msg *msg;

        for (;;) {
                if (pump(client, &resumed, err) < 0)
                        return NULL;
                while ((msg = dealer_recv(client->dealer, err)) != NULL) {
                        if (msg->re == client->id)
                                break;
                        msg_free(msg); /* of an earlier request */
                }
                if (msg || err->code != ERR_OK)
                        break;
                if (rest(client, since_us, timeout_ms, err) < 0)
                        return NULL;
        }
        if (ret_resumed)
                *ret_resumed = resumed;
        if (!msg) {
                err_wrap(err, "an answer of the coordinator");
                return NULL;
        }
        return take_answer(client, msg, err);
}

struct msg *client_call(struct client *client, struct msg *request, int timeout_ms, struct err *err)
{
        if (client_send(client, request, err) < 0)
                return NULL;
        return client_next(client, timeout_ms, NULL, err);
}

bool client_was_refused(const struct client *client)
{
        return client->refused && !client->resent;
}
