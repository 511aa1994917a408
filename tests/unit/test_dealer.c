/* The dealer and the client against a ROUTER in this process: what they say about a connection that is refused, wrong,
 * missing or lost, and that a request survives a reconnect. */
#include "net/client.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "adapters/router.h"
#include "base/clock.h"
#include "tests/unit/unit.h"

#define WAIT_MS 5000

struct scene {
        struct router *router;
        struct key_pair keys;
        struct profile profile;
        char endpoint[64];
        struct err err;
};

static void scene_listen(struct scene *scene)
{
        scene->router = router_new(&scene->keys, &scene->err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(scene->router);
        zap_allow(router_zap(scene->router), scene->profile.public_key, true);
        CU_ASSERT_EQUAL_FATAL(router_bind(scene->router, scene->endpoint, &scene->err), 0);
}

static struct scene scene_new(const char *name)
{
        struct scene scene = { 0 };

        router_init_library();
        CU_ASSERT_EQUAL_FATAL(key_pair_new(&scene.keys, &scene.err), 0);
        snprintf(scene.endpoint, sizeof(scene.endpoint), "ipc:///tmp/jobmill-test-%s-%d", name,
                 (int)getpid());
        memcpy(scene.profile.server_key, scene.keys.public_key, 41);
        CU_ASSERT_EQUAL(profile_new_keys(scene.profile.public_key, scene.profile.secret_key, &scene.err), 0);
        scene.profile.n_endpoints = 1;
        return scene;
}

static void scene_done(struct scene *scene)
{
        router_free(scene->router);
        unlink(scene->endpoint + 6);
}

static enum dealer_state until(struct dealer *dealer, enum dealer_state wanted)
{
        int64_t until_us = clock_mono_us() + WAIT_MS * US_PER_MS;
        enum dealer_state state;

        while ((state = dealer_state(dealer)) != wanted && clock_mono_us() < until_us)
                dealer_wait(dealer, 100);
        return state;
}

/* Reads one message at the ROUTER; the session and the request's id. */
static bool router_reads_within(struct scene *scene, int ms, struct session_id *ret_session, uint64_t *ret_id)
{
        int64_t until_us = clock_mono_us() + ms * US_PER_MS;

        while (clock_mono_us() < until_us) {
                zmq_pollitem_t item = { .socket = router_handle(scene->router), .events = ZMQ_POLLIN };
                struct router_message message;

                if (router_recv(scene->router, &message) == ROUTER_MESSAGE) {
                        struct msg *msg = msg_decode(MSG_C2S, message.header, message.header_bytes,
                                                     message.body, message.body_bytes, ret_id, &scene->err);

                        CU_ASSERT_PTR_NOT_NULL(msg);
                        msg_free(msg);
                        *ret_session = message.session;
                        return true;
                }
                zmq_poll(&item, 1, MIN(ms, 100));
        }
        return false;
}

static bool router_reads(struct scene *scene, struct session_id *ret_session, uint64_t *ret_id)
{
        return router_reads_within(scene, WAIT_MS, ret_session, ret_id);
}

static void router_says(struct scene *scene, struct session_id to, struct msg *msg)
{
        struct buf header = { 0 };

        msg->id = 1;
        msg_encode(msg, &header);
        router_send(scene->router, to, &header, NULL);
}

static void unknown_key_is_refused_and_may_be_tried_again(void)
{
        struct scene scene = scene_new("refused");
        struct dealer *dealer;

        scene.profile.endpoints[0] = scene.endpoint;
        scene_listen(&scene);
        zap_allow(router_zap(scene.router), scene.profile.public_key, false);
        dealer = dealer_new(&scene.profile, MSG_S2C, &scene.err);
        CU_ASSERT_EQUAL(until(dealer, DEALER_REFUSED), DEALER_REFUSED);
        zap_allow(router_zap(scene.router), scene.profile.public_key, true);
        CU_ASSERT_EQUAL(dealer_reopen(dealer, &scene.err), 0);
        CU_ASSERT_EQUAL(until(dealer, DEALER_UP), DEALER_UP);
        CU_ASSERT_EQUAL(dealer_connection(dealer), 1);
        dealer_free(dealer);
        scene_done(&scene);
}

static void wrong_server_key_is_told_from_silence(void)
{
        struct scene scene = scene_new("wrong");
        struct key_pair other;
        struct client *client;

        scene.profile.endpoints[0] = scene.endpoint;
        scene_listen(&scene);
        CU_ASSERT_EQUAL(key_pair_new(&other, &scene.err), 0);
        memcpy(scene.profile.server_key, other.public_key, 41);
        client = client_open(&scene.profile, WAIT_MS, &scene.err);
        CU_ASSERT_PTR_NULL(client);
        CU_ASSERT_EQUAL(scene.err.code, ERR_CONFIG);
        CU_ASSERT_EQUAL(err_exit_code(scene.err.code), 78);
        scene_done(&scene);
}

static void nobody_there_is_unreachable_after_the_time_given(void)
{
        struct scene scene = scene_new("nobody");
        int64_t started_us = clock_mono_us();
        struct client *client;

        scene.profile.endpoints[0] = scene.endpoint;
        client = client_open(&scene.profile, 300, &scene.err);
        CU_ASSERT_PTR_NULL(client);
        CU_ASSERT_EQUAL(scene.err.code, ERR_UNREACHABLE);
        CU_ASSERT_TRUE(clock_mono_us() - started_us >= 290 * US_PER_MS);
        CU_ASSERT_TRUE(clock_mono_us() - started_us < WAIT_MS * US_PER_MS);
        scene_done(&scene);
}

static void second_endpoint_is_tried_when_the_first_fails(void)
{
        struct scene scene = scene_new("second");
        struct dealer *dealer;

        scene.profile.endpoints[0] = (char *)"ipc:///tmp/jobmill-test-nobody-at-all";
        scene.profile.endpoints[1] = scene.endpoint;
        scene.profile.n_endpoints = 2;
        scene_listen(&scene);
        dealer = dealer_new(&scene.profile, MSG_S2C, &scene.err);
        CU_ASSERT_EQUAL(until(dealer, DEALER_UP), DEALER_UP);
        CU_ASSERT_STRING_EQUAL(dealer_endpoint(dealer), scene.endpoint);
        dealer_free(dealer);
        scene_done(&scene);
}

static void message_over_the_limit_is_refused_before_it_is_sent(void)
{
        struct scene scene = scene_new("large");
        struct buf header = { 0 };
        struct dealer *dealer;

        scene.profile.endpoints[0] = scene.endpoint;
        scene_listen(&scene);
        dealer = dealer_new(&scene.profile, MSG_S2C, &scene.err);
        CU_ASSERT_EQUAL(until(dealer, DEALER_UP), DEALER_UP);
        buf_reserve(&header, MSG_HEADER_MAX + 1);
        memset(header.bytes, ' ', MSG_HEADER_MAX + 1);
        header.n = MSG_HEADER_MAX + 1;
        CU_ASSERT_EQUAL(dealer_send_encoded(dealer, &header, NULL, 0, &scene.err), -1);
        CU_ASSERT_EQUAL(scene.err.code, ERR_TOO_LARGE);
        header.n = 2;
        CU_ASSERT_EQUAL(dealer_send_encoded(dealer, &header, header.bytes, MSG_BODY_MAX + 1, &scene.err), -1);
        CU_ASSERT_EQUAL(scene.err.code, ERR_TOO_LARGE);
        CU_ASSERT_EQUAL(dealer_state(dealer), DEALER_UP);
        buf_done(&header);
        dealer_free(dealer);
        scene_done(&scene);
}

static void nothing_is_taken_for_a_connection_that_is_not_there(void)
{
        struct scene scene = scene_new("early");
        struct msg msg = { .kind = MSG_status };
        struct dealer *dealer;

        scene.profile.endpoints[0] = scene.endpoint;
        dealer = dealer_new(&scene.profile, MSG_S2C, &scene.err);
        CU_ASSERT_EQUAL(dealer_send(dealer, &msg, &scene.err), -1);
        CU_ASSERT_EQUAL(scene.err.code, ERR_RETRY_LATER);
        dealer_free(dealer);
        scene_done(&scene);
}

/* The descriptor tells of a message once, and a send may be what it tells: who sleeps on it asks. */
static void a_message_that_came_before_a_send_is_still_pending_after_it(void)
{
        struct scene scene = scene_new("pending");
        struct msg ask = { .kind = MSG_status }, answer = { .kind = MSG_changed };
        int64_t until_us = clock_mono_us() + WAIT_MS * US_PER_MS;
        struct session_id session;
        struct dealer *dealer;
        uint64_t id;

        scene.profile.endpoints[0] = scene.endpoint;
        scene_listen(&scene);
        dealer = dealer_new(&scene.profile, MSG_S2C, &scene.err);
        CU_ASSERT_EQUAL(until(dealer, DEALER_UP), DEALER_UP);
        CU_ASSERT_EQUAL(dealer_send(dealer, &ask, &scene.err), 0);
        CU_ASSERT_FALSE(dealer_pending(dealer));
        CU_ASSERT_TRUE_FATAL(router_reads(&scene, &session, &id));
        router_says(&scene, session, &answer);
        while (!dealer_pending(dealer) && clock_mono_us() < until_us)
                zmq_poll(NULL, 0, 1);
        ask.id = 0;
        CU_ASSERT_EQUAL(dealer_send(dealer, &ask, &scene.err), 0);
        CU_ASSERT_TRUE(dealer_pending(dealer));
        msg_free(dealer_recv(dealer, &scene.err));
        CU_ASSERT_FALSE(dealer_pending(dealer));
        dealer_free(dealer);
        scene_done(&scene);
}

/* A coordinator in a thread: reads the request, goes away without an answer, comes back, answers the request that was
 * sent again. */
struct restart {
        struct scene *scene;
        uint64_t first_id, second_id;
        bool ok;
};

static void *restart_between(void *arg)
{
        struct restart *restart = arg;
        struct scene *scene = restart->scene;
        struct msg changed = { .kind = MSG_changed };
        struct session_id session;

        restart->ok = router_reads(scene, &session, &restart->first_id);
        router_free(scene->router);
        scene_listen(scene);
        restart->ok = restart->ok && router_reads(scene, &session, &restart->second_id);
        changed.re = restart->second_id;
        changed.u.changed.count = 7;
        changed.u.changed.has_count = true;
        router_says(scene, session, &changed);
        return NULL;
}

static void request_is_sent_again_after_a_restart(void)
{
        struct scene scene = scene_new("restart");
        struct restart restart = { .scene = &scene };
        struct msg request = { .kind = MSG_status };
        struct client *client;
        struct msg *answer;
        pthread_t thread;

        scene.profile.endpoints[0] = scene.endpoint;
        scene_listen(&scene);
        client = client_open(&scene.profile, WAIT_MS, &scene.err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(client);
        CU_ASSERT_EQUAL(pthread_create(&thread, NULL, restart_between, &restart), 0);
        answer = client_call(client, &request, 2 * WAIT_MS, &scene.err);
        pthread_join(thread, NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
        CU_ASSERT_EQUAL(answer->u.changed.count, 7);
        CU_ASSERT_TRUE(restart.ok);
        CU_ASSERT_EQUAL(restart.first_id, restart.second_id);
        msg_free(answer);
        client_free(client);
        scene_done(&scene);
}

/* Something else at the address for a while: accepts and closes, as a forwarded port does whose target is down. */
static void *door_slams_between(void *arg)
{
        struct restart *restart = arg;
        struct scene *scene = restart->scene;
        struct msg changed = { .kind = MSG_changed };
        struct key_pair others, own = scene->keys;
        struct session_id session;

        restart->ok =
                router_reads(scene, &session, &restart->first_id) && key_pair_new(&others, &scene->err) == 0;
        router_free(scene->router);
        scene->keys = others; /* nobody can open what the client seals: every handshake breaks */
        scene_listen(scene);
        usleep(1500000); /* more than three tries */
        router_free(scene->router);
        scene->keys = own;
        scene_listen(scene);
        restart->ok = restart->ok && router_reads(scene, &session, &restart->second_id);
        changed.re = restart->second_id;
        changed.u.changed.has_count = true;
        router_says(scene, session, &changed);
        return NULL;
}

static void broken_handshakes_after_a_good_one_are_outlived(void)
{
        struct scene scene = scene_new("slam");
        struct restart restart = { .scene = &scene };
        struct msg request = { .kind = MSG_status };
        struct client *client;
        struct msg *answer;
        pthread_t thread;

        scene.profile.endpoints[0] = scene.endpoint;
        scene_listen(&scene);
        client = client_open(&scene.profile, 2 * WAIT_MS, &scene.err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(client);
        CU_ASSERT_EQUAL(pthread_create(&thread, NULL, door_slams_between, &restart), 0);
        answer = client_call(client, &request, 2 * WAIT_MS, &scene.err);
        pthread_join(thread, NULL);
        if (!answer)
                printf("\n  %s\n", scene.err.text);
        CU_ASSERT_PTR_NOT_NULL(answer);
        CU_ASSERT_TRUE(restart.ok);
        msg_free(answer);
        client_free(client);
        scene_done(&scene);
}

static void *refuse_one(void *arg)
{
        struct restart *restart = arg;
        struct msg refused = { .kind = MSG_refused };
        struct session_id session;

        restart->ok = router_reads(restart->scene, &session, &restart->first_id);
        refused.re = restart->first_id;
        refused.u.refused.code = ERR_NOT_FOUND;
        refused.u.refused.has_code = true;
        refused.u.refused.text = "no such job";
        refused.u.refused.n_text = strlen("no such job");
        router_says(restart->scene, session, &refused);
        return NULL;
}

static void refusal_becomes_an_error_with_its_code(void)
{
        struct scene scene = scene_new("refusal");
        struct restart restart = { .scene = &scene };
        struct msg request = { .kind = MSG_status };
        struct client *client;
        pthread_t thread;

        scene.profile.endpoints[0] = scene.endpoint;
        scene_listen(&scene);
        client = client_open(&scene.profile, WAIT_MS, &scene.err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(client);
        CU_ASSERT_EQUAL(pthread_create(&thread, NULL, refuse_one, &restart), 0);
        CU_ASSERT_PTR_NULL(client_call(client, &request, WAIT_MS, &scene.err));
        pthread_join(thread, NULL);
        CU_ASSERT_EQUAL(scene.err.code, ERR_NOT_FOUND);
        CU_ASSERT_STRING_EQUAL(scene.err.text, "no such job");
        client_free(client);
        scene_done(&scene);
}

#define MANY 600

/* A coordinator that sends every seventh request away once, does not know the fifth, and goes away in the middle. */
struct answering {
        struct scene *scene;
        bool done; /* atomic: the client has all answers */
        bool was_restarted;
};

static void *answer_many(void *arg)
{
        struct answering *answering = arg;
        bool sent_away[MANY + 1] = { false };
        unsigned n = 0;

        while (!__atomic_load_n(&answering->done, __ATOMIC_SEQ_CST)) {
                struct msg msg = { .kind = MSG_changed };
                struct session_id session;

                router_flush(answering->scene->router); /* what the client had no room for */
                if (!router_reads_within(answering->scene, 50, &session, &msg.re) || msg.re > MANY)
                        continue;
                if (++n == MANY / 2) {
                        answering->was_restarted = true;
                        router_free(answering->scene->router);
                        scene_listen(answering->scene);
                        continue;
                }
                msg.u.changed.count = msg.re;
                msg.u.changed.has_count = true;
                if (msg.re == 5 || (msg.re % 7 == 0 && !sent_away[msg.re])) {
                        msg.kind = MSG_refused;
                        msg.u.refused =
                                (struct msg_refused){ .code = msg.re == 5 ? ERR_NOT_FOUND : ERR_RETRY_LATER,
                                                      .has_code = true,
                                                      .text = "no",
                                                      .n_text = 2 };
                }
                sent_away[msg.re] = true;
                router_says(answering->scene, session, &msg);
        }
        return NULL;
}

struct heard {
        struct msg request;
        unsigned times[MANY];
        uint64_t sum;
        size_t n_refused;
};

static struct msg *ask_one(void *arg, size_t k UNUSED)
{
        return &((struct heard *)arg)->request;
}

static void hear_one(void *arg, size_t k, const struct msg *answer, const struct err *refusal)
{
        struct heard *heard = arg;

        heard->times[k]++;
        heard->sum += answer ? answer->u.changed.count : 0;
        heard->n_refused += !answer && refusal->code == ERR_NOT_FOUND;
}

static void many_requests_are_each_answered_once_whatever_comes_between(void)
{
        struct scene scene = scene_new("many");
        struct answering answering = { .scene = &scene };
        struct heard heard = { .request = { .kind = MSG_status } };
        const struct client_many many = { MANY, ask_one, hear_one, &heard };
        struct client *client;
        struct err err = { 0 };
        pthread_t thread;
        size_t unsure = 1;

        scene.profile.endpoints[0] = scene.endpoint;
        scene_listen(&scene);
        client = client_open(&scene.profile, WAIT_MS, &scene.err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(client);
        CU_ASSERT_EQUAL(pthread_create(&thread, NULL, answer_many, &answering), 0);
        CU_ASSERT_EQUAL(client_call_many(client, &many, &unsure, &err), 0);
        __atomic_store_n(&answering.done, true, __ATOMIC_SEQ_CST);
        pthread_join(thread, NULL);
        CU_ASSERT_TRUE(answering.was_restarted);
        CU_ASSERT_EQUAL(unsure, 0);
        CU_ASSERT_EQUAL(heard.n_refused, 1);
        CU_ASSERT_EQUAL(heard.sum, MANY * (MANY + 1) / 2 - 5);
        for (size_t k = 0; k < MANY; k++)
                CU_ASSERT_EQUAL(heard.times[k], 1);
        client_free(client);
        scene_done(&scene);
}

static void many_requests_that_nobody_answers_are_counted(void)
{
        struct scene scene = scene_new("deaf");
        struct heard heard = { .request = { .kind = MSG_status } };
        const struct client_many many = { MANY, ask_one, hear_one, &heard };
        struct client *client;
        size_t unsure = 0;

        scene.profile.endpoints[0] = scene.endpoint;
        scene_listen(&scene);
        client = client_open(&scene.profile, WAIT_MS, &scene.err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(client);
        client_set_patience(client, 200);
        router_free(scene.router);
        scene.router = NULL;
        CU_ASSERT_EQUAL(client_call_many(client, &many, &unsure, &scene.err), -1);
        CU_ASSERT_EQUAL(scene.err.code, ERR_UNREACHABLE);
        CU_ASSERT_TRUE(unsure <= CLIENT_WINDOW);
        CU_ASSERT_EQUAL(heard.sum, 0);
        client_free(client);
        scene_done(&scene);
}

static void answer_that_does_not_come_ends_with_the_time_given(void)
{
        struct scene scene = scene_new("silent");
        struct msg request = { .kind = MSG_status };
        struct client *client;

        scene.profile.endpoints[0] = scene.endpoint;
        scene_listen(&scene);
        client = client_open(&scene.profile, WAIT_MS, &scene.err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(client);
        CU_ASSERT_PTR_NULL(client_call(client, &request, 50, &scene.err));
        CU_ASSERT_EQUAL(scene.err.code, ERR_UNREACHABLE);
        client_free(client);
        scene_done(&scene);
}

UNIT_MAIN("dealer", TEST(unknown_key_is_refused_and_may_be_tried_again),
          TEST(wrong_server_key_is_told_from_silence), TEST(nobody_there_is_unreachable_after_the_time_given),
          TEST(second_endpoint_is_tried_when_the_first_fails),
          TEST(message_over_the_limit_is_refused_before_it_is_sent),
          TEST(nothing_is_taken_for_a_connection_that_is_not_there),
          TEST(a_message_that_came_before_a_send_is_still_pending_after_it),
          TEST(request_is_sent_again_after_a_restart), TEST(broken_handshakes_after_a_good_one_are_outlived),
          TEST(refusal_becomes_an_error_with_its_code),
          TEST(many_requests_are_each_answered_once_whatever_comes_between),
          TEST(many_requests_that_nobody_answers_are_counted),
          TEST(answer_that_does_not_come_ends_with_the_time_given))
