/* The ROUTER adapter against real dealers in this process: who gets in, what becomes of odd frames, slow peers and
 * closed connections. */
#include "adapters/router.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "base/clock.h"
#include "net/dealer.h"
#include "tests/unit/unit.h"

#define WAIT_MS 5000 /* far more than anything here takes; a test that needs it has failed */

struct scene {
        struct router *router;
        struct key_pair keys;
        char endpoint[64];
        struct err err;
};

static struct scene scene_new(const char *name)
{
        struct scene scene = { 0 };

        router_init_library();
        CU_ASSERT_EQUAL_FATAL(key_pair_new(&scene.keys, &scene.err), 0);
        scene.router = router_new(&scene.keys, &scene.err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(scene.router);
        snprintf(scene.endpoint, sizeof(scene.endpoint), "ipc://@jobmill-test-%s-%d", name, (int)getpid());
        CU_ASSERT_EQUAL_FATAL(router_bind(scene.router, scene.endpoint, &scene.err), 0);
        return scene;
}

static void scene_done(struct scene *scene)
{
        router_free(scene->router);
}

static struct dealer *scene_dealer(struct scene *scene, bool allowed)
{
        struct profile profile = { .n_endpoints = 1, .endpoints = { scene->endpoint } };
        struct dealer *dealer;

        memcpy(profile.server_key, scene->keys.public_key, 41);
        CU_ASSERT_EQUAL(profile_new_keys(profile.public_key, profile.secret_key, &scene->err), 0);
        zap_allow(router_zap(scene->router), profile.public_key, allowed);
        dealer = dealer_new(&profile, MSG_S2W, &scene->err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(dealer);
        return dealer;
}

/* A socket of its own with a known key, for frames that our dealer would never send. */
static void *scene_raw(struct scene *scene, void *context, const char *routing_id)
{
        void *socket = zmq_socket(context, ZMQ_DEALER);
        struct key_pair keys;
        int zero = 0;

        CU_ASSERT_EQUAL(key_pair_new(&keys, &scene->err), 0);
        zap_allow(router_zap(scene->router), keys.public_key, true);
        zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof(zero));
        zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, scene->keys.public_key, 41);
        zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, keys.public_key, 41);
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys.secret_key, 41);
        if (routing_id)
                zmq_setsockopt(socket, ZMQ_ROUTING_ID, routing_id, strlen(routing_id));
        CU_ASSERT_EQUAL(zmq_connect(socket, scene->endpoint), 0);
        return socket;
}

static enum dealer_state settle(struct dealer *dealer)
{
        int64_t until_us = clock_mono_us() + WAIT_MS * US_PER_MS;
        enum dealer_state state;

        while ((state = dealer_state(dealer)) == DEALER_CONNECTING && clock_mono_us() < until_us)
                dealer_wait(dealer, WAIT_MS);
        return state;
}

static enum router_result scene_recv(struct scene *scene, struct router_message *message)
{
        int64_t until_us = clock_mono_us() + WAIT_MS * US_PER_MS;
        enum router_result result;

        while ((result = router_recv(scene->router, message)) == ROUTER_NOTHING &&
               clock_mono_us() < until_us) {
                zmq_pollitem_t item = { .socket = router_handle(scene->router), .events = ZMQ_POLLIN };

                zmq_poll(&item, 1, WAIT_MS);
        }
        return result;
}

static void say_heartbeat(struct dealer *dealer, struct scene *scene)
{
        struct msg msg = { .kind = MSG_heartbeat };

        msg.u.heartbeat.has_window = msg.u.heartbeat.has_running = true;
        CU_ASSERT_EQUAL(dealer_send(dealer, &msg, &scene->err), 0);
}

static void send_text(struct router *router, struct session_id to, size_t n)
{
        struct buf header = { 0 };

        buf_reserve(&header, n);
        memset(header.bytes, 'x', n);
        header.n = n;
        router_send(router, to, &header, NULL);
        CU_ASSERT_EQUAL(header.n, 0);
}

static void socket_proves_that_it_is_guarded(void)
{
        struct scene scene = scene_new("prove");

        CU_ASSERT_EQUAL(router_prove(scene.router, &scene.keys, &scene.err), 0);
        scene_done(&scene);
}

static void unknown_key_is_refused_and_told_of_once_a_minute(void)
{
        struct scene scene = scene_new("unknown");
        struct dealer *dealer = scene_dealer(&scene, false);
        struct zap_refusal refused[4];

        CU_ASSERT_EQUAL(settle(dealer), DEALER_REFUSED);
        CU_ASSERT_EQUAL(dealer_reopen(dealer, &scene.err), 0);
        CU_ASSERT_EQUAL(settle(dealer), DEALER_REFUSED);
        CU_ASSERT_EQUAL(zap_refusals(router_zap(scene.router), 1, refused, 4), 1);
        CU_ASSERT_EQUAL(refused[0].count, 2);
        CU_ASSERT_EQUAL(strlen(refused[0].public_key), 40);
        CU_ASSERT_EQUAL(dealer_reopen(dealer, &scene.err), 0);
        CU_ASSERT_EQUAL(settle(dealer), DEALER_REFUSED);
        CU_ASSERT_EQUAL(zap_refusals(router_zap(scene.router), 2, refused, 4), 0);
        CU_ASSERT_EQUAL(zap_refusals(router_zap(scene.router), 2 + ZAP_REPEAT_US, refused, 4), 1);
        dealer_free(dealer);
        scene_done(&scene);
}

static void key_taken_away_cannot_connect_again(void)
{
        struct scene scene = scene_new("revoked");
        struct dealer *dealer = scene_dealer(&scene, true);
        struct router_message message;
        char key[41];

        CU_ASSERT_EQUAL(settle(dealer), DEALER_UP);
        say_heartbeat(dealer, &scene);
        CU_ASSERT_EQUAL_FATAL(scene_recv(&scene, &message), ROUTER_MESSAGE);
        memcpy(key, message.public_key, sizeof(key));
        zap_allow(router_zap(scene.router), key, false);
        CU_ASSERT_EQUAL(dealer_reopen(dealer, &scene.err), 0);
        CU_ASSERT_EQUAL(settle(dealer), DEALER_REFUSED);
        dealer_free(dealer);
        scene_done(&scene);
}

static void answer_reaches_the_session_that_asked(void)
{
        struct scene scene = scene_new("answer");
        struct dealer *a = scene_dealer(&scene, true), *b = scene_dealer(&scene, true);
        struct msg alive = { .kind = MSG_alive };
        struct router_message first, second;
        struct buf header = { 0 };
        struct msg *got;

        CU_ASSERT_EQUAL(settle(a), DEALER_UP);
        CU_ASSERT_EQUAL(settle(b), DEALER_UP);
        say_heartbeat(a, &scene);
        CU_ASSERT_EQUAL_FATAL(scene_recv(&scene, &first), ROUTER_MESSAGE);
        say_heartbeat(b, &scene);
        CU_ASSERT_EQUAL_FATAL(scene_recv(&scene, &second), ROUTER_MESSAGE);
        CU_ASSERT_NOT_EQUAL(first.session.n, second.session.n);
        CU_ASSERT_STRING_NOT_EQUAL(first.public_key, second.public_key);
        alive.id = 1;
        alive.re = 77;
        msg_encode(&alive, &header);
        router_send(scene.router, second.session, &header, NULL);
        CU_ASSERT_EQUAL(dealer_wait(b, WAIT_MS), 1);
        got = dealer_recv(b, &scene.err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(got);
        CU_ASSERT_EQUAL(got->re, 77);
        msg_free(got);
        CU_ASSERT_PTR_NULL(dealer_recv(a, &scene.err));
        CU_ASSERT_EQUAL(scene.err.code, ERR_OK);
        dealer_free(a);
        dealer_free(b);
        scene_done(&scene);
}

static void last_words_are_read_before_the_session_is_lost(void)
{
        struct scene scene = scene_new("bye");
        struct dealer *dealer = scene_dealer(&scene, true);
        struct msg bye = { .kind = MSG_bye };
        struct session_id lost = { 0 };
        struct router_message message;
        int64_t until_us = clock_mono_us() + WAIT_MS * US_PER_MS;

        CU_ASSERT_EQUAL(settle(dealer), DEALER_UP);
        CU_ASSERT_EQUAL(dealer_send(dealer, &bye, &scene.err), 0);
        dealer_free(dealer); /* at once: the message must leave nevertheless */
        CU_ASSERT_EQUAL_FATAL(scene_recv(&scene, &message), ROUTER_MESSAGE);
        CU_ASSERT_PTR_NOT_NULL(memmem(message.header, message.header_bytes, "bye", 3));
        while (!router_lost(scene.router, &lost) && clock_mono_us() < until_us) {
                zmq_pollitem_t item = { .socket = router_monitor(scene.router), .events = ZMQ_POLLIN };
                struct router_message none;

                zmq_poll(&item, 1, 10);
                CU_ASSERT_EQUAL(router_recv(scene.router, &none), ROUTER_NOTHING);
        }
        CU_ASSERT_EQUAL(lost.n, message.session.n);
        CU_ASSERT_EQUAL(router_numbers(scene.router).sessions, 0);
        send_text(scene.router, lost, 100); /* nobody there: dropped, no harm */
        scene_done(&scene);
}

static void messages_of_other_shapes_are_bad_frames(void)
{
        static const struct {
                const char *frames[5];
                unsigned n;
        } shapes[] = { { { "" }, 1 },
                       { { "", "{}" }, 2 },
                       { { "{}", "body", "more" }, 3 },
                       { { "", "", "", "", "" }, 5 } };
        struct scene scene = scene_new("frames");
        void *context = zmq_ctx_new();
        void *socket = scene_raw(&scene, context, NULL);
        struct router_message message;

        for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
                for (unsigned j = 0; j < shapes[i].n; j++)
                        zmq_send(socket, shapes[i].frames[j], strlen(shapes[i].frames[j]),
                                 j + 1 < shapes[i].n ? ZMQ_SNDMORE : 0);
                CU_ASSERT_EQUAL(scene_recv(&scene, &message), ROUTER_BAD_FRAMES);
                CU_ASSERT_EQUAL(message.frames, shapes[i].n);
        }
        for (int j = 0; j < 1000; j++)
                zmq_send(socket, "x", 1, j < 999 ? ZMQ_SNDMORE : 0);
        CU_ASSERT_EQUAL(scene_recv(&scene, &message), ROUTER_BAD_FRAMES);
        CU_ASSERT_EQUAL(message.frames, 1000);
        zmq_send(socket, "{}", 2, 0); /* and the next good one is served */
        CU_ASSERT_EQUAL(scene_recv(&scene, &message), ROUTER_MESSAGE);
        CU_ASSERT_EQUAL(router_numbers(scene.router).bad_frames, 5);
        zmq_close(socket);
        zmq_ctx_term(context);
        scene_done(&scene);
}

static void peer_that_names_itself_is_not_served(void)
{
        struct scene scene = scene_new("named");
        void *context = zmq_ctx_new();
        void *socket = scene_raw(&scene, context, "admin");
        struct router_message message;

        zmq_send(socket, "{}", 2, 0);
        CU_ASSERT_EQUAL(scene_recv(&scene, &message), ROUTER_BAD_FRAMES);
        CU_ASSERT_TRUE(message.self_named);
        zmq_close(socket);
        zmq_ctx_term(context);
        scene_done(&scene);
}

static void slow_peer_loses_its_session_and_others_are_served(void)
{
        struct scene scene = scene_new("slow");
        void *context = zmq_ctx_new();
        void *slow = scene_raw(&scene, context, NULL);
        struct dealer *quick = scene_dealer(&scene, true);
        struct router_message slow_message, quick_message;
        struct session_id lost = { 0 };
        int64_t started_us;
        int sent = 0;

        zmq_send(slow, "{}", 2, 0);
        CU_ASSERT_EQUAL_FATAL(scene_recv(&scene, &slow_message), ROUTER_MESSAGE);
        CU_ASSERT_EQUAL(settle(quick), DEALER_UP);
        say_heartbeat(quick, &scene);
        CU_ASSERT_EQUAL_FATAL(scene_recv(&scene, &quick_message), ROUTER_MESSAGE);
        started_us = clock_mono_us();
        /* 64 KiB each, never read: pipes fill, then its own queue, then it is given up. */
        while (sent < 100000 && !router_lost(scene.router, &lost)) {
                struct router_message none;

                send_text(scene.router, slow_message.session, 65536);
                sent++;
                if (router_recv(scene.router, &none) != ROUTER_NOTHING)
                        CU_FAIL("nobody said anything");
        }
        CU_ASSERT_EQUAL(lost.n, slow_message.session.n);
        CU_ASSERT_TRUE(clock_mono_us() - started_us < WAIT_MS * US_PER_MS);
        say_heartbeat(quick, &scene);
        CU_ASSERT_EQUAL(scene_recv(&scene, &quick_message), ROUTER_MESSAGE);
        CU_ASSERT_FALSE(router_flush(scene.router));
        dealer_free(quick);
        zmq_close(slow);
        zmq_ctx_term(context);
        scene_done(&scene);
}

static void queued_messages_arrive_in_order_once_the_peer_reads(void)
{
        struct scene scene = scene_new("order");
        void *context = zmq_ctx_new();
        void *peer = scene_raw(&scene, context, NULL);
        int64_t until_us = clock_mono_us() + 2 * WAIT_MS * US_PER_MS;
        struct router_message message;
        size_t n = 400, at = 0;

        zmq_send(peer, "{}", 2, 0);
        CU_ASSERT_EQUAL_FATAL(scene_recv(&scene, &message), ROUTER_MESSAGE);
        for (size_t i = 0; i < n; i++)
                send_text(scene.router, message.session, 10000 + i);
        CU_ASSERT_TRUE(router_flush(scene.router));
        while (at < n && clock_mono_us() < until_us) {
                zmq_pollitem_t item = { .socket = peer, .events = ZMQ_POLLIN };
                static char bytes[20000];

                router_flush(scene.router);
                zmq_poll(&item, 1, 10);
                if (item.revents) {
                        CU_ASSERT_EQUAL(zmq_recv(peer, bytes, sizeof(bytes), 0), (int)(10000 + at));
                        at++;
                }
        }
        CU_ASSERT_EQUAL(at, n);
        CU_ASSERT_FALSE(router_flush(scene.router));
        zmq_close(peer);
        zmq_ctx_term(context);
        scene_done(&scene);
}

UNIT_MAIN("router", TEST(socket_proves_that_it_is_guarded),
          TEST(unknown_key_is_refused_and_told_of_once_a_minute), TEST(key_taken_away_cannot_connect_again),
          TEST(answer_reaches_the_session_that_asked), TEST(last_words_are_read_before_the_session_is_lost),
          TEST(messages_of_other_shapes_are_bad_frames), TEST(peer_that_names_itself_is_not_served),
          TEST(slow_peer_loses_its_session_and_others_are_served),
          TEST(queued_messages_arrive_in_order_once_the_peer_reads))
