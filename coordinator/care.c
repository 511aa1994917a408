/* Housekeeping once a second: keys that were refused, the state of the database, what strangers throw at the port, memory.
 *
 * Must not delay a turn: everything here is bounded and cheap. */
#include <inttypes.h>
#include <malloc.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "coordinator/app_internal.h"

#define CARE_MS 1000 /* housekeeping: refused keys, the state of the database, counters */
#define DEGRADED_AFTER_MS 2000
#define TRIM_AFTER_SESSIONS 500

static void take_refusals(struct app *app)
{
        struct zap_refusal refused[ZAP_REFUSALS_MAX];
        size_t n = zap_refusals(router_zap(app->router), clock_mono_us(), refused, ARRAY_LEN(refused));

        for (size_t i = 0; i < n; i++) {
                struct event event = { .kind = EVENT_KEY_REFUSED };

                log_warn("connection refused: key=%.8s address=%s count=%" PRIu64,
                         refused[i].public_key[0] ? refused[i].public_key : "(many)", refused[i].address,
                         refused[i].count);
                memcpy(event.u.key_refused.public_key, refused[i].public_key, sizeof(refused[i].public_key));
                memcpy(event.u.key_refused.address, refused[i].address, sizeof(refused[i].address));
                event.u.key_refused.count = refused[i].count;
                app_step(app, &event);
        }
}

static void watch_database(struct app *app)
{
        int64_t down_ms = store_down_ms(app->store);
        bool degraded = down_ms > DEGRADED_AFTER_MS || app->open.bytes > OPEN_BYTES_SHED;
        struct event event = { .kind = EVENT_DEGRADED };

        if (degraded == app->degraded)
                return;
        app->degraded = degraded;
        event.u.degraded = degraded;
        if (degraded)
                log_warn("degraded, new work is sent away: database_down_ms=%" PRId64 " waiting_bytes=%zu",
                         down_ms, app->open.bytes);
        else
                log_info("database answers again");
        app_step(app, &event);
}

/* What strangers throw at the port is counted and told once in a while, never a line each. */
static void tell_odd_input(struct app *app)
{
        struct router_numbers now = router_numbers(app->router);

        if (now.bad_frames != app->told.bad_frames || now.bad_handshakes != app->told.bad_handshakes ||
            now.dropped != app->told.dropped)
                log_warn("odd input: bad_handshakes=%" PRIu64 " bad_frames=%" PRIu64
                         " messages_dropped=%" PRIu64,
                         now.bad_handshakes - app->told.bad_handshakes, now.bad_frames - app->told.bad_frames,
                         now.dropped - app->told.dropped);
        app->told = now;
}

/* libzmq holds some 40 KiB a connection, in small pieces: after a crowd has gone, the heap is full of holes. */
static void give_memory_back(struct app *app)
{
        if (app->ended_sessions < TRIM_AFTER_SESSIONS)
                return;
        app->ended_sessions = 0;
        malloc_trim(0);
}

void app_care(struct app *app)
{
        int64_t now_us = clock_mono_us();

        watch_database(app);
        if (app->n_bound < app->conf->n_listen && now_us >= app->bind_next_us)
                app_listen(app);
        if (now_us < app->care_next_us)
                return;
        app->care_next_us = now_us + CARE_MS * US_PER_MS;
        take_refusals(app);
        if (app->care_next_us / (60 * US_PER_S) != now_us / (60 * US_PER_S)) {
                tell_odd_input(app);
                give_memory_back(app);
        }
}
