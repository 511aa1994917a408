/* For app.c, care.c, start.c and init.c only: the coordinator's parts. */
#ifndef COORDINATOR_APP_INTERNAL_H
#define COORDINATOR_APP_INTERNAL_H

#include "adapters/digests.h"
#include "adapters/reader.h"
#include "adapters/router.h"
#include "adapters/store.h"
#include "coordinator/app.h"
#include "coordinator/batch.h"
#include "core/core.h"
#include "crypt/keyring.h"

/* What gathers while the database does not answer. Workers hold back by themselves (credit); beyond the first figure new
 * submissions are sent away, beyond the second nothing more is read. */
#define OPEN_BYTES_SHED ((size_t)64 << 20)
#define OPEN_BYTES_MAX ((size_t)512 << 20)

#define RANDOM_BLOCK 64 /* numbers fetched from the system at once */

struct app {
        const struct coordinator_conf *conf;
        struct store_config store_config;
        struct key_pair keys;
        struct keyring *keyring;
        struct core *core;
        struct router *router;
        struct store *store;
        struct reader *reader;
        int signal_fd;

        struct effects effects; /* of the step in hand */
        struct batch open; /* gathering */
        struct batch flying; /* with the store while `committing` */
        bool committing;
        uint64_t batch_number;
        int64_t committed_us; /* when the epoch was last known to be ours */

        size_t n_bound; /* endpoints that listen */
        int64_t bind_next_us;
        bool degraded;
        bool draining;
        int64_t drain_until_us;
        bool stopping;
        int exit_code;

        int64_t care_next_us;
        struct router_numbers told;
        int64_t frames_told_us;
        unsigned ended_sessions; /* since memory was given back */
        struct digests digests;
        uint64_t random[RANDOM_BLOCK];
        size_t random_left;
};

/* One event into the core; what it wants done is carried out. Fills in the time and the random number. */
void app_step(struct app *app, struct event *event);
/* Sleeps up to ms or until a signal; true: somebody wants us to end. */
bool app_pause(struct app *app, int ms);

/* The key pair and the key ring that the configuration names; errors say how to make them. */
int app_load_keys(const struct coordinator_conf *conf, struct key_pair *ret_keys,
                  struct keyring **ret_keyring, struct err *err) MUST_CHECK;
/* Once a turn: looks after what is due (care.c). */
void app_care(struct app *app);
/* Everything before the loop. 0: go on; -1: end with app->exit_code, the reason is logged. */
int app_start(struct app *app) MUST_CHECK;
/* Tries to listen on what does not listen yet; prints `ready` when all do. */
void app_listen(struct app *app);

#endif
