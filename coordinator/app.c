/* The loop. It carries things between the core and the adapters and owns no logic about jobs.
 *
 * One turn: wait; take what the store has committed (say it, hand its facts to the core), then messages, ended sessions,
 * readers' answers and time; hand the open batch to the store if it is idle.
 *
 * Invariants:
 *  1. Nothing of `open` or `flying` is said before the store has committed it, and never if that failed (finish_batch is
 *     the only caller of the sends of a batch).
 *  2. At most one batch is with the store. While it is, everything gathers in `open`: that is the group commit. With an
 *     idle store a batch leaves in the turn that made it, so a lone request waits for nobody.
 *  3. A turn is bounded: TURN_MESSAGES messages, then commits and timers have their turn. */
#include "coordinator/app.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "coordinator/app_internal.h"

#define TURN_MESSAGES 256
#define RETRY_SEND_MS 10 /* while a slow peer has messages waiting: ROUTER does not say when there is room */
#define EPOCH_CHECK_MS 2000 /* without work, look at least so often whether the epoch is still ours */
#define DRAIN_MS 5000
#define FRAMES_TELL_US US_PER_S /* who sends too many frames is named, at most so often */

/* --- the core's wishes --- */

static uint64_t next_random(struct app *app)
{
        if (!app->random_left) {
                /* 512 bytes: the system gives them whole and never with EINTR. */
                if (getrandom(app->random, sizeof(app->random), 0) != (ssize_t)sizeof(app->random))
                        bug_at(__FILE__, __LINE__, "no randomness");
                app->random_left = RANDOM_BLOCK;
        }
        return app->random[--app->random_left];
}

static void stop(struct app *app, int exit_code)
{
        app->stopping = true;
        app->exit_code = exit_code;
}

static void carry_out(struct app *app, struct effect *effect)
{
        switch (effect->kind) {
        case EFFECT_STORE:
                batch_add_op(&app->open, effect->u.store);
                break;
        case EFFECT_SEND_NOW:
                router_send(app->router, effect->u.send.to, &effect->u.send.header, effect->u.send.body);
                shared_bytes_unref(effect->u.send.body);
                break;
        case EFFECT_SEND_ON_COMMIT:
                batch_add_send(&app->open, effect);
                break;
        case EFFECT_FACT:
                batch_add_fact(&app->open, &effect->u.fact);
                break;
        case EFFECT_READ:
                reader_ask(app->reader, &effect->u.read);
                break;
        case EFFECT_LOAD:
                if (effect->u.load.ends)
                        reader_load_ends(app->reader, effect->u.load.job, effect->u.load.chunk);
                else if (effect->u.load.round)
                        reader_load_round(app->reader, effect->u.load.job);
                else
                        reader_load(app->reader, effect->u.load.job, effect->u.load.chunk);
                break;
        case EFFECT_KEY:
                zap_allow(router_zap(app->router), effect->u.key.public_key, effect->u.key.allowed);
                break;
        case EFFECT_STOP:
                log_error("stopping: why=\"%s\"", effect->u.stop.text);
                stop(app, err_exit_code(ERR_INTERNAL));
                break;
        }
}

static void carry_out_all(struct app *app)
{
        for (size_t i = 0; i < app->effects.n; i++)
                carry_out(app, &app->effects.list[i]);
        app->effects.n = 0; /* each was taken over above */
}

void app_step(struct app *app, struct event *event)
{
        event->wall_us = clock_wall_us();
        event->mono_us = clock_mono_us();
        event->random = next_random(app);
        core_step(app->core, event, &app->effects);
        carry_out_all(app);
}

/* --- commit, then speak --- */

static void finish_batch(struct app *app)
{
        struct batch *batch = &app->flying;

        for (size_t i = 0; i < batch->n_sends; i++)
                router_send(app->router, batch->sends[i].to, &batch->sends[i].header, batch->sends[i].body);
        for (size_t i = 0; i < batch->n_facts; i++) {
                struct event event = { .kind = EVENT_FACT };

                event.u.fact.fact = batch->facts[i];
                event.u.fact.answer = batch->facts[i].op ? batch->facts[i].op->answer : 0;
                app_step(app, &event);
        }
        batch_clear(batch);
}

static void swap_batches(struct app *app)
{
        struct batch filled = app->open;

        app->open = app->flying;
        app->flying = filled;
}

static void hand_over(struct app *app)
{
        swap_batches(app);
        app->flying.store.number = ++app->batch_number;
        app->committing = true;
        store_submit(app->store, &app->flying.store);
}

static void commit(struct app *app)
{
        while (!app->committing && !app->stopping) {
                if (core_dirty(app->core)) {
                        core_flush(app->core, &app->effects);
                        carry_out_all(app);
                }
                if (app->open.store.n_ops) {
                        hand_over(app);
                } else if (!batch_is_empty(&app->open)) {
                        swap_batches(app); /* it waited only for what is committed by now */
                        finish_batch(app);
                } else if (clock_mono_us() - app->committed_us > EPOCH_CHECK_MS * US_PER_MS) {
                        hand_over(app); /* empty: only looks whether another coordinator has taken over */
                } else {
                        return;
                }
        }
}

static void take_commit(struct app *app)
{
        struct store_batch *done = store_done(app->store);

        if (!done)
                return;
        app->committing = false;
        if (done->failed) {
                log_error("stopping, the work in hand could not be stored: why=\"%s\"", done->err.text);
                stop(app, err_exit_code(ERR_INTERNAL));
                return;
        }
        app->committed_us = clock_mono_us();
        finish_batch(app);
}

/* --- what comes in --- */

static struct msg *decode(enum msg_direction direction, const struct router_message *message,
                          uint64_t *ret_id, struct err *err)
{
        return msg_decode(direction, message->header, message->header_bytes, message->body,
                          message->body_bytes, ret_id, err);
}

/* A message of the other sort of peer is well formed but not for this key to say. */
static void tell_forbidden(enum msg_direction direction, const struct router_message *message,
                           struct err *err)
{
        enum msg_direction other = direction == MSG_C2S ? MSG_W2S : MSG_C2S;
        struct err ignored;
        uint64_t id;
        CLEANUP_WITH(msg_free) struct msg *msg = decode(other, message, &id, &ignored);

        if (msg)
                err_set(err, ERR_FORBIDDEN, "a %s key may not say %s",
                        direction == MSG_W2S ? "worker's" : "person's", msg_op(msg->kind));
}

static struct msg *decode_for_key(const struct app *app, const struct router_message *message,
                                  struct event *event)
{
        struct err *err = &event->u.message.err;
        int direction = core_direction_of(app->core, message->public_key, clock_wall_us());
        struct msg *msg;

        event->u.message.direction = direction < 0 ? MSG_C2S : (enum msg_direction)direction;
        msg = decode(event->u.message.direction, message, &event->u.message.id, err);
        if (direction < 0) {
                msg_free(msg);
                err_set(err, ERR_UNAUTHENTICATED, "this key is unknown, revoked or expired");
                return NULL;
        }
        if (!msg)
                tell_forbidden(event->u.message.direction, message, err);
        return msg;
}

static void on_message(struct app *app, const struct router_message *message)
{
        struct event event = { .kind = EVENT_MESSAGE };
        struct msg *msg = decode_for_key(app, message, &event);

        event.u.message.session = message->session;
        memcpy(event.u.message.public_key, message->public_key, sizeof(event.u.message.public_key));
        event.u.message.msg = msg;
        if (msg) {
                digests_of(&app->digests, msg);
                event.u.message.key_hash = (const uint8_t(*)[16])app->digests.key_hash;
                event.u.message.digest = (const uint8_t(*)[32])app->digests.digest;
                event.u.message.n_hashes = app->digests.n;
        } else {
                event.kind = EVENT_BAD_MESSAGE;
        }
        app->open.bytes += message->header_bytes + message->body_bytes;
        app_step(app, &event);
        msg_free(event.u.message.msg);
}

static void on_bad_frames(struct app *app, const struct router_message *message)
{
        struct event event = { .kind = EVENT_BAD_MESSAGE };

        if (message->frames > 2 && clock_mono_us() >= app->frames_told_us) {
                log_warn("message of too many frames: key=%.8s frames=%u", message->public_key,
                         message->frames);
                app->frames_told_us = clock_mono_us() + FRAMES_TELL_US;
        }
        event.u.message.session = message->session;
        memcpy(event.u.message.public_key, message->public_key, sizeof(event.u.message.public_key));
        event.u.message.direction =
                core_direction_of(app->core, message->public_key, clock_wall_us()) == MSG_W2S ? MSG_W2S
                                                                                              : MSG_C2S;
        if (message->self_named)
                err_set(&event.u.message.err, ERR_BAD_FRAME, "a peer must not give itself a routing id");
        else
                err_set(&event.u.message.err, ERR_BAD_FRAME,
                        "%u frames%s; a message has a header and at most one body", message->frames,
                        message->header_bytes ? "" : ", the first empty");
        app_step(app, &event);
}

static void take_messages(struct app *app)
{
        struct router_message message;

        for (unsigned n = 0; n < TURN_MESSAGES && app->open.bytes < OPEN_BYTES_MAX && !app->stopping; n++) {
                switch (router_recv(app->router, &message)) {
                case ROUTER_NOTHING:
                        return;
                case ROUTER_MESSAGE:
                        on_message(app, &message);
                        break;
                case ROUTER_BAD_FRAMES:
                        on_bad_frames(app, &message);
                        break;
                }
        }
}

static void take_lost_sessions(struct app *app)
{
        struct event event = { .kind = EVENT_SESSION_LOST };

        while (router_lost(app->router, &event.u.session)) {
                app->ended_sessions++;
                app_step(app, &event);
        }
}

static void take_answers(struct app *app)
{
        struct reader_answer *answer;

        while ((answer = reader_next(app->reader)) != NULL) {
                struct event event = { .kind = EVENT_ENTRIES };

                if (answer->round) {
                        event.kind = EVENT_ROUND;
                        event.u.round = answer->round;
                        app_step(app, &event);
                } else if (answer->is_entries) {
                        event.u.entries.job = answer->job;
                        event.u.entries.chunk = answer->chunk;
                        event.u.entries.bytes = answer->failed ? NULL : (const uint8_t *)answer->bytes.bytes;
                        event.u.entries.n_bytes = answer->bytes.n;
                        app_step(app, &event);
                } else {
                        router_send(app->router, answer->to, &answer->header, answer->body);
                }
                reader_answer_free(answer);
        }
}

static void take_signals(struct app *app)
{
        struct signalfd_siginfo info;

        while (read(app->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
                struct event event = { .kind = EVENT_DRAIN };

                if (app->draining || app->n_bound < app->conf->n_listen) {
                        stop(app, 0); /* the second one, or nothing was promised yet */
                        continue;
                }
                log_info("draining: signal=%s", info.ssi_signo == SIGINT ? "INT" : "TERM");
                app->draining = true;
                app->drain_until_us = clock_mono_us() + DRAIN_MS * US_PER_MS;
                app_step(app, &event);
        }
}

static void take_time(struct app *app)
{
        int64_t deadline_us = core_next_deadline_us(app->core);
        struct event event = { .kind = EVENT_TICK };

        if (deadline_us >= 0 && clock_mono_us() >= deadline_us)
                app_step(app, &event);
}

/* --- the loop --- */

struct input { /* what there is to be taken */
        bool signals, messages, ends, answers;
};

static int sleep_ms(struct app *app, bool something_waits)
{
        int64_t now_us = clock_mono_us();
        int64_t deadline_us = core_next_deadline_us(app->core);
        int64_t until_us = app->care_next_us;

        if (deadline_us >= 0 && deadline_us < until_us)
                until_us = deadline_us;
        if (app->n_bound < app->conf->n_listen && app->bind_next_us < until_us)
                until_us = app->bind_next_us;
        if (something_waits && now_us + RETRY_SEND_MS * US_PER_MS < until_us)
                until_us = now_us + RETRY_SEND_MS * US_PER_MS;
        return until_us <= now_us ? 0 : (int)((until_us - now_us + US_PER_MS - 1) / US_PER_MS);
}

/* Only what has something is looked at afterwards: a look is a call of the system or two, and a lone task is four turns. */
static struct input wait_for_input(struct app *app)
{
        enum { SIGNAL, STORE, READER, ZAP, MONITOR, ROUTER };
        struct pollfd fds[] = {
                [SIGNAL] = { .fd = app->signal_fd, .events = POLLIN },
                [STORE] = { .fd = store_fd(app->store), .events = POLLIN },
                [READER] = { .fd = reader_fd(app->reader), .events = POLLIN },
                [ZAP] = { .fd = zap_fd(router_zap(app->router)), .events = POLLIN },
                [MONITOR] = { .fd = router_monitor_fd(app->router), .events = POLLIN },
                [ROUTER] = { .fd = router_fd(app->router), .events = POLLIN },
        };
        bool reads = app->open.bytes < OPEN_BYTES_MAX;
        bool waits = router_flush(app->router); /* it sends: before the look at what has come */
        bool come = reads && router_has_message(app->router);

        if (poll(fds, ARRAY_LEN(fds) - !reads, come ? 0 : sleep_ms(app, waits)) < 0)
                return (struct input){ .messages = come };
        if (fds[ZAP].revents)
                app->care_next_us = 0; /* a key was refused: tell it now */
        return (struct input){
                .signals = fds[SIGNAL].revents,
                .answers = fds[READER].revents,
                .ends = fds[MONITOR].revents,
                .messages =
                        come || fds[ROUTER].revents || fds[MONITOR].revents, /* what was said before an end */
        };
}

static bool drained(const struct app *app)
{
        if (!app->draining)
                return false;
        return (!app->committing && batch_is_empty(&app->open)) || clock_mono_us() >= app->drain_until_us;
}

static void serve(struct app *app)
{
        while (!app->stopping && !drained(app)) {
                struct input input = wait_for_input(app);

                if (input.signals)
                        take_signals(app);
                take_commit(app);
                if (input.messages)
                        take_messages(app);
                if (input.ends || router_has_lost(app->router))
                        take_lost_sessions(app);
                if (input.answers)
                        take_answers(app);
                take_time(app);
                app_care(app);
                commit(app);
        }
        if (drained(app))
                log_info("stopped: unfinished_jobs=%" PRIu64, core_numbers(app->core).jobs_unfinished);
}

bool app_pause(struct app *app, int ms)
{
        struct pollfd item = { .fd = app->signal_fd, .events = POLLIN };

        return poll(&item, 1, ms) > 0;
}

static void app_done(struct app *app)
{
        /* Threads first: they may still hold a batch or an answer. The ROUTER last, what was said leaves with it. */
        reader_free(app->reader);
        store_free(app->store);
        batch_done(&app->open);
        batch_done(&app->flying);
        effects_done(&app->effects);
        core_free(app->core);
        router_free(app->router);
        keyring_free(app->keyring);
        key_pair_done(&app->keys);
        digests_done(&app->digests);
        if (app->signal_fd >= 0)
                close(app->signal_fd);
}

int app_run(const struct coordinator_conf *conf, bool dev)
{
        struct app app = { .conf = conf, .signal_fd = -1 };
        sigset_t signals;
        int exit_code;

        app.store_config = (struct store_config){ .option_file = conf->database_options,
                                                  .database = conf->database,
                                                  .dev = dev };
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        app.signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
        router_init_library();
        if (app_start(&app) == 0)
                serve(&app);
        exit_code = app.exit_code;
        app_done(&app);
        return exit_code;
}
