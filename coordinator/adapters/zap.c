/* The ZAP handler (https://rfc.zeromq.org/spec/27): a CZMQ actor with a REP socket at libzmq's fixed place.
 *
 * CZMQ's own zauth is not used: it writes metadata of certificates into 512 bytes and asserts on odd input, and it
 * reads keys from files, which would be a second truth beside the database.
 *
 * Must not decide about rights: a key in the set may talk, the core looks at it again with every message.
 *
 * Invariants:
 *  1. `keys` and `refusals` are touched under `lock` only; the lock is never held over a call that can block.
 *  2. Every request is answered; what cannot be read is answered with 400. */
#include "adapters/zap.h"

#include <czmq.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/xalloc.h"

#define ZAP_ENDPOINT "inproc://zeromq.zap.01"
#define KEY_BYTES 32
#define V4_IN_V6 "::ffff:" /* how a socket for both shows an IPv4 address; nobody writes it so */

struct known_key {
        char text[41];
        UT_hash_handle hh;
};

struct refusal {
        struct zap_refusal sum;
        int64_t due_us; /* not told before this */
        UT_hash_handle hh;
};

struct zap {
        zsock_t *handler; /* bound before the actor starts, used by it alone from then on */
        zactor_t *actor;
        int fd;
        pthread_mutex_t lock;
        struct known_key *keys;
        struct refusal *refusals; /* by key */
        struct zap_refusal rest; /* of keys that found no place */
};

/* A request in the order of the protocol; all frames but the key are short text. */
struct request {
        char version[8];
        zframe_t *sequence;
        char address[64];
        char mechanism[16];
        char key[41]; /* empty: not CURVE, or no key */
};

static void take_text(zmsg_t *msg, char *ret_text, size_t cap)
{
        zframe_t *frame = zmsg_pop(msg);
        size_t n = frame ? MIN(zframe_size(frame), cap - 1) : 0;

        if (n)
                memcpy(ret_text, zframe_data(frame), n);
        ret_text[n] = '\0';
        zframe_destroy(&frame);
}

static void read_request(zmsg_t *msg, struct request *request)
{
        char ignored[4];
        zframe_t *key;

        take_text(msg, request->version, sizeof(request->version));
        request->sequence = zmsg_pop(msg);
        take_text(msg, ignored, sizeof(ignored)); /* domain: we have one */
        take_text(msg, request->address, sizeof(request->address));
        if (!strncmp(request->address, V4_IN_V6, strlen(V4_IN_V6)))
                memmove(request->address, request->address + strlen(V4_IN_V6),
                        strlen(request->address) - strlen(V4_IN_V6) + 1);
        take_text(msg, ignored, sizeof(ignored)); /* routing id of our own socket */
        take_text(msg, request->mechanism, sizeof(request->mechanism));
        key = zmsg_pop(msg);
        request->key[0] = '\0';
        if (!strcmp(request->mechanism, "CURVE") && key && zframe_size(key) == KEY_BYTES)
                zmq_z85_encode(request->key, zframe_data(key), KEY_BYTES);
        zframe_destroy(&key);
}

/* Under the lock. */
static void note_refusal(struct zap *zap, const struct request *request)
{
        struct zap_refusal *sum = &zap->rest;
        struct refusal *refusal;

        HASH_FIND_STR(zap->refusals, request->key, refusal);
        if (!refusal && HASH_COUNT(zap->refusals) < ZAP_REFUSALS_MAX) {
                refusal = xcalloc(1, sizeof(*refusal));
                memcpy(refusal->sum.public_key, request->key, sizeof(request->key));
                HASH_ADD_STR(zap->refusals, sum.public_key, refusal);
        }
        if (refusal)
                sum = &refusal->sum;
        sum->count++;
        memcpy(sum->address, request->address, sizeof(sum->address));
}

static bool is_allowed(struct zap *zap, const struct request *request)
{
        static const uint64_t one = 1;
        struct known_key *known;

        pthread_mutex_lock(&zap->lock);
        HASH_FIND_STR(zap->keys, request->key, known);
        if (!known)
                note_refusal(zap, request);
        pthread_mutex_unlock(&zap->lock);
        if (!known && write(zap->fd, &one, sizeof(one)) < 0)
                return false; /* the counter is full: it is readable anyway */
        return known != NULL;
}

static void answer_request(struct zap *zap)
{
        zmsg_t *msg = zmsg_recv(zap->handler);
        struct request request = { 0 };
        zmsg_t *answer;
        bool allowed;

        if (!msg)
                return;
        read_request(msg, &request);
        zmsg_destroy(&msg);
        allowed = !strcmp(request.version, "1.0") && request.key[0] && is_allowed(zap, &request);
        answer = zmsg_new();
        zmsg_addstr(answer, "1.0");
        if (request.sequence)
                zmsg_append(answer, &request.sequence);
        else
                zmsg_addstr(answer, "");
        zmsg_addstr(answer, allowed ? "200" : "400");
        zmsg_addstr(answer, allowed ? "OK" : "no access");
        zmsg_addstr(answer, allowed ? request.key : ""); /* the user id: what every message will carry */
        zmsg_addmem(answer, "", 0);
        if (zmsg_send(&answer, zap->handler) != 0)
                zmsg_destroy(&answer); /* nobody waits any more */
}

static void run(zsock_t *pipe, void *arg)
{
        struct zap *zap = arg;
        zpoller_t *poller = zpoller_new(pipe, zap->handler, NULL);

        pthread_setname_np(pthread_self(), "zap");
        zsock_signal(pipe, 0);
        for (;;) {
                void *which = zpoller_wait(poller, -1);

                if (which == pipe || zpoller_terminated(poller))
                        break; /* the only command there is: $TERM */
                if (which)
                        answer_request(zap);
        }
        zpoller_destroy(&poller);
}

struct zap *zap_new(struct err *err)
{
        CLEANUP_WITH(zap_free) struct zap *zap = xcalloc(1, sizeof(*zap));

        pthread_mutex_init(&zap->lock, NULL);
        zap->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        zap->handler = zsock_new(ZMQ_REP);
        if (zap->fd < 0 || !zap->handler || zsock_bind(zap->handler, ZAP_ENDPOINT) < 0) {
                err_set(err, ERR_INTERNAL, "start the ZAP handler: %s", zmq_strerror(errno));
                return NULL;
        }
        zap->actor = zactor_new(run, zap);
        if (!zap->actor) {
                err_set(err, ERR_INTERNAL, "start the ZAP handler's thread: %s", zmq_strerror(errno));
                return NULL;
        }
        return STEAL(zap);
}

void zap_free(struct zap *zap)
{
        struct known_key *known, *next_known;
        struct refusal *refusal, *next_refusal;

        if (!zap)
                return;
        zactor_destroy(&zap->actor);
        if (zap->handler)
                zsock_unbind(zap->handler,
                             ZAP_ENDPOINT); /* now, not when libzmq's reaper comes by: the place is free */
        zsock_destroy(&zap->handler);
        HASH_ITER (hh, zap->keys, known, next_known) {
                HASH_DEL(zap->keys, known);
                free(known);
        }
        HASH_ITER (hh, zap->refusals, refusal, next_refusal) {
                HASH_DEL(zap->refusals, refusal);
                free(refusal);
        }
        if (zap->fd >= 0)
                close(zap->fd);
        pthread_mutex_destroy(&zap->lock);
        free(zap);
}

void zap_allow(struct zap *zap, const char *public_key, bool allowed)
{
        struct known_key *known;

        pthread_mutex_lock(&zap->lock);
        HASH_FIND_STR(zap->keys, public_key, known);
        if (allowed && !known) {
                known = xcalloc(1, sizeof(*known));
                memcpy(known->text, public_key, strnlen(public_key, sizeof(known->text) - 1));
                HASH_ADD_STR(zap->keys, text, known);
        } else if (!allowed && known) {
                HASH_DEL(zap->keys, known);
                free(known);
        }
        pthread_mutex_unlock(&zap->lock);
}

int zap_fd(const struct zap *zap)
{
        return zap->fd;
}

size_t zap_refusals(struct zap *zap, int64_t mono_us, struct zap_refusal *ret_list, size_t max)
{
        struct refusal *refusal, *next;
        uint64_t times;
        size_t n = 0;

        if (read(zap->fd, &times, sizeof(times)) < 0)
                times = 0; /* only a wake-up; the list tells */
        pthread_mutex_lock(&zap->lock);
        HASH_ITER (hh, zap->refusals, refusal, next) {
                if (mono_us < refusal->due_us || n == max)
                        continue;
                if (refusal->sum.count) {
                        ret_list[n++] = refusal->sum;
                        refusal->sum.count = 0;
                        refusal->due_us = mono_us + ZAP_REPEAT_US;
                } else { /* quiet for a whole period: its place is free */
                        HASH_DEL(zap->refusals, refusal);
                        free(refusal);
                }
        }
        if (zap->rest.count && n < max) {
                ret_list[n++] = zap->rest;
                zap->rest = (struct zap_refusal){ 0 };
        }
        pthread_mutex_unlock(&zap->lock);
        return n;
}
