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

/* ------------------------------------------------------------------ many requests */

/* One that is on its way: kept as it was encoded until its answer is there. */
struct slot {
        size_t k;
        uint64_t id; /* 0: the slot is free */
        uint64_t sent_on; /* the connection that it was sent on; 0: it is to be sent */
        int64_t not_before_us; /* mono; it was told to come again then */
        bool was_sent;
        struct buf header;
};

struct many {
        struct client *client;
        const struct client_many *ask;
        struct slot slots[CLIENT_WINDOW];
        size_t n_asked, n_taken; /* requests that were given a slot, and that left it */
        int64_t taken_us; /* mono; when the last one did */
};

static void many_free(struct many *many)
{
        if (!many)
                return;
        for (size_t i = 0; i < CLIENT_WINDOW; i++)
                buf_done(&many->slots[i].header);
        free(many);
}
DEFINE_CLEANUP(struct many, many_free)

static void fill_slots(struct many *many)
{
        for (size_t i = 0; i < CLIENT_WINDOW && many->n_asked < many->ask->n; i++) {
                struct slot *slot = &many->slots[i];
                struct msg *request;

                if (slot->id)
                        continue;
                slot->k = many->n_asked++;
                slot->id = dealer_next_id(many->client->dealer);
                slot->sent_on = 0;
                slot->not_before_us = 0;
                slot->was_sent = false;
                request = many->ask->ask(many->ask->arg, slot->k);
                request->id = slot->id;
                buf_clear(&slot->header);
                msg_encode(request, &slot->header);
        }
}

/* Everything that is due and that this connection has not seen. */
static int send_slots(struct many *many, struct err *err)
{
        struct client *client = many->client;
        uint64_t connection = dealer_connection(client->dealer);
        int64_t now_us = clock_mono_us();

        for (size_t i = 0; i < CLIENT_WINDOW; i++) {
                struct slot *slot = &many->slots[i];

                if (!slot->id || slot->sent_on == connection || slot->not_before_us > now_us)
                        continue;
                if (dealer_send_encoded(client->dealer, &slot->header, NULL, 0, err) < 0)
                        return err->code == ERR_RETRY_LATER ? 0 : -1;
                slot->sent_on = connection;
                slot->was_sent = true;
        }
        return 0;
}

static struct slot *slot_of(struct many *many, uint64_t id)
{
        for (size_t i = 0; id && i < CLIENT_WINDOW; i++)
                if (many->slots[i].id == id)
                        return &many->slots[i];
        return NULL; /* the answer to a copy that was sent before a connection broke, or of an earlier call */
}

static bool may_ask_again(const struct many *many)
{
        return left_ms(many->taken_us, many->client->patience_ms) != 0;
}

static void take_one(struct many *many, const struct msg *answer)
{
        struct slot *slot = slot_of(many, answer->re);
        struct err refusal = { 0 };

        if (!slot)
                return;
        if (answer->kind == MSG_refused && answer->u.refused.code == ERR_RETRY_LATER && may_ask_again(many)) {
                slot->sent_on = 0;
                slot->not_before_us =
                        clock_mono_us() +
                        (int64_t)MAX(answer->u.refused.retry_after_ms, UINT64_C(50)) * US_PER_MS;
                return;
        }
        if (answer->kind == MSG_refused)
                err_set(&refusal, answer->u.refused.code, "%s", answer->u.refused.text);
        many->ask->take(many->ask->arg, slot->k, answer->kind == MSG_refused ? NULL : answer, &refusal);
        slot->id = 0;
        many->n_taken++;
        many->taken_us = clock_mono_us();
}

static int take_answers(struct many *many, struct err *err)
{
        struct msg *answer;

        while ((answer = dealer_recv(many->client->dealer, err)) != NULL) {
                take_one(many, answer);
                msg_free(answer);
        }
        return err->code == ERR_OK ? 0 : err_wrap(err, "an answer of the coordinator");
}

/* Until the first one that is to come again may. */
static int next_wait_ms(const struct many *many)
{
        int64_t now_us = clock_mono_us(), least_us = -1;

        for (size_t i = 0; i < CLIENT_WINDOW; i++) {
                const struct slot *slot = &many->slots[i];
                int64_t wait_us = MAX(slot->not_before_us - now_us, INT64_C(0));

                if (slot->id && !slot->sent_on && slot->not_before_us && (least_us < 0 || wait_us < least_us))
                        least_us = wait_us;
        }
        return least_us < 0 ? -1 : (int)(least_us / US_PER_MS) + 1;
}

static int pass_time(struct many *many, struct err *err)
{
        struct client *client = many->client;
        int patience = client->down_since_us ? left_ms(client->down_since_us, client->patience_ms) : -1;
        int wait = next_wait_ms(many);

        if (patience >= 0 && (wait < 0 || patience < wait))
                wait = patience;
        if (dealer_wait(client->dealer, wait) < 0 && errno == EINTR)
                return err_set(err, ERR_RETRY_LATER, "interrupted");
        return 0;
}

static int run_many(struct many *many, struct err *err)
{
        bool ignored = false;

        many->client->id = 0; /* no single request is in hand */
        many->taken_us = clock_mono_us();
        while (many->n_taken < many->ask->n) {
                int up = pump(many->client, &ignored, err);

                fill_slots(many);
                if (up < 0 || (up > 0 && send_slots(many, err) < 0) || take_answers(many, err) < 0)
                        return -1;
                if (many->n_taken < many->n_asked && !dealer_pending(many->client->dealer) &&
                    pass_time(many, err) < 0)
                        return -1;
        }
        return 0;
}

int client_call_many(struct client *client, const struct client_many *ask, size_t *ret_unsure,
                     struct err *err)
{
        CLEANUP_WITH(many_free) struct many *many = xcalloc(1, sizeof(*many));
        int rc;

        many->client = client;
        many->ask = ask;
        rc = run_many(many, err);
        *ret_unsure = 0;
        for (size_t i = 0; i < CLIENT_WINDOW; i++)
                *ret_unsure += many->slots[i].id && many->slots[i].was_sent;
        return rc;
}
