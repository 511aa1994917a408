/* What happens before the loop, in an order that matters:
 *
 *   keys and key ring      a wrong one ends the start before anything is touched
 *   who else is there      a coordinator that answers at our address is left alone; one that is frozen is taken over from
 *   ROUTER and ZAP         the door exists and is shut
 *   the database           refused settings end the start; one that does not answer is waited for
 *   replay                 memory as the database has it; keys go to ZAP
 *   the proof              a random key is refused on this very socket
 *   listening              only now can anybody connect
 *
 * Must not serve anything itself. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "coordinator/app_internal.h"
#include "net/dealer.h"

#define DATABASE_RETRY_MS 1000
#define DATABASE_TELL_US (30 * US_PER_S) /* it does not answer: said at once and then so often */
#define KNOCK_MS 3000 /* a coordinator that works answers a knock within a few */
#define BIND_RETRY_MS 200

static int refuse(struct app *app, const struct err *err)
{
        log_error("cannot start: %s", err->text);
        app->exit_code = err_exit_code(err->code);
        return -1;
}

/* --- is somebody there? --- */

/* True if somebody listens at the address: a bind without listen fails then, and disturbs nobody. */
static bool address_in_use(const char *endpoint)
{
        struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST };
        const char *colon = strrchr(endpoint, ':');
        char host[128];
        struct addrinfo *list;
        bool used = false;
        int on = 1;

        snprintf(host, sizeof(host), "%.*s", (int)(colon - endpoint - 6), endpoint + 6);
        if (host[0] == '[')
                snprintf(host, sizeof(host), "%.*s", (int)(colon - endpoint - 8), endpoint + 7);
        if (getaddrinfo(!strcmp(host, "*") ? NULL : host, colon + 1, &hints, &list) != 0)
                return false; /* an interface's name: the bind itself will tell */
        for (struct addrinfo *at = list; at && !used; at = at->ai_next) {
                int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, 0);

                if (fd < 0)
                        continue;
                setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
                used = bind(fd, at->ai_addr, at->ai_addrlen) < 0 && errno == EADDRINUSE;
                close(fd);
        }
        freeaddrinfo(list);
        return used;
}

static void reachable_from_here(const char *endpoint, char *ret_endpoint, size_t cap)
{
        const char *colon = strrchr(endpoint, ':');

        if (!strncmp(endpoint, "tcp://*:", 8) || !strncmp(endpoint, "tcp://0.0.0.0:", 14) ||
            !strncmp(endpoint, "tcp://[::]:", 11))
                snprintf(ret_endpoint, cap, "tcp://127.0.0.1%s", colon);
        else
                snprintf(ret_endpoint, cap, "%s", endpoint);
}

static int look_at(struct app *app, const char *endpoint, struct err *err)
{
        enum dealer_state state;
        char near[160];

        if (!address_in_use(endpoint))
                return 0;
        reachable_from_here(endpoint, near, sizeof(near));
        if (router_knock(near, app->keys.public_key, &app->keys, KNOCK_MS, &state, err) < 0)
                return -1;
        switch (state) {
        case DEALER_UP:
        case DEALER_REFUSED:
                return err_set(err, ERR_RETRY_LATER, "another coordinator with these keys serves at %s",
                               endpoint);
        case DEALER_BAD_SERVER:
                return err_set(err, ERR_CONFIG,
                               "another program, or a coordinator with other keys, listens at %s", endpoint);
        case DEALER_CONNECTING:
                break;
        }
        log_warn("somebody holds the address but does not answer, taking over from it: endpoint=%s",
                 endpoint);
        return 0;
}

static int look_around(struct app *app, struct err *err)
{
        for (size_t i = 0; i < app->conf->n_listen; i++)
                if (look_at(app, app->conf->listen[i], err) < 0)
                        return -1;
        return 0;
}

/* --- the database --- */

/* 0: open; -1 with err; 1: told to end while waiting. */
static int open_store(struct app *app, struct err *err)
{
        int64_t tell_at_us = 0;

        for (;;) {
                app->store = store_open(&app->store_config, app->keyring, err);
                if (app->store)
                        return 0;
                if (err->code != ERR_UNREACHABLE)
                        return -1;
                if (clock_mono_us() >= tell_at_us) {
                        log_warn("waiting for the database: %s", err->text);
                        tell_at_us = clock_mono_us() + DATABASE_TELL_US;
                }
                if (app_pause(app, DATABASE_RETRY_MS))
                        return 1;
        }
}

static void on_replay(void *arg, struct event *event)
{
        struct app *app = arg;
        const struct coordinator_conf *conf = app->conf;

        if (event->kind == EVENT_REPLAY_DONE) {
                struct core_settings *settings = &event->u.settings;

                settings->lease_ms = conf->lease_ms;
                settings->reconnect_ms = conf->reconnect_ms;
                settings->heartbeat_ms = conf->heartbeat_ms;
                settings->tasks_per_job_max = conf->tasks_per_job;
                settings->unfinished_jobs_max = conf->unfinished_jobs;
                settings->upload_ms = (uint64_t)conf->upload_ms;
        }
        app_step(app, event);
}

static int replay(struct app *app, struct err *err)
{
        int64_t started_us = clock_mono_us();
        struct core_numbers numbers;

        app->reader = reader_start(&app->store_config, app->keyring, (unsigned)app->conf->readers, err);
        if (!app->reader || store_replay(app->store, on_replay, app, err) < 0 ||
            store_start(app->store, err) < 0)
                return -1;
        app->committed_us = clock_mono_us();
        numbers = core_numbers(app->core);
        log_info("replayed: epoch=%" PRIu64 " unfinished_jobs=%" PRIu64 " queued=%" PRIu64
                 " took_ms=%" PRId64,
                 store_epoch(app->store), numbers.jobs_unfinished, numbers.tasks_queued,
                 (clock_mono_us() - started_us) / US_PER_MS);
        return 0;
}

/* --- all of it --- */

static int open_door(struct app *app, struct err *err)
{
        if (app_load_keys(app->conf, &app->keys, &app->keyring, err) < 0 || look_around(app, err) < 0)
                return -1;
        app->router = router_new(&app->keys, err);
        if (!app->router)
                return -1;
        zap_allow(router_zap(app->router), app->keys.public_key,
                  true); /* so that look_at finds us, quietly */
        app->core = core_new();
        return 0;
}

int app_start(struct app *app)
{
        struct err err = { 0 };
        int rc;

        if (app->store_config.dev)
                log_warn("--dev: settings of the database that lose acknowledged work in a crash are "
                         "accepted");
        if (open_door(app, &err) < 0)
                return refuse(app, &err);
        rc = open_store(app, &err);
        if (rc > 0)
                return -1; /* exit_code is 0: it was asked to end */
        if (rc < 0 || replay(app, &err) < 0 || router_prove(app->router, &app->keys, &err) < 0)
                return refuse(app, &err);
        app_listen(app);
        return app->stopping ? -1 : 0;
}

void app_listen(struct app *app)
{
        struct err err = { 0 };

        while (app->n_bound < app->conf->n_listen) {
                const char *endpoint = app->conf->listen[app->n_bound];

                if (router_bind(app->router, endpoint, &err) < 0) {
                        if (err.code != ERR_RETRY_LATER) {
                                refuse(app, &err);
                                app->stopping = true;
                        }
                        app->bind_next_us = clock_mono_us() + BIND_RETRY_MS * US_PER_MS;
                        return; /* its holder is fenced by our epoch and will go */
                }
                log_info("listening: endpoint=%s", endpoint);
                app->n_bound++;
        }
        puts("ready");
        fflush(stdout);
}
