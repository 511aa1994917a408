/* The coordinator put together: core, ROUTER, store and readers, and the loop that turns them. */
#ifndef COORDINATOR_APP_H
#define COORDINATOR_APP_H

#include <stdbool.h>

#include "coordinator/conf.h"

/* Serves until SIGTERM or SIGINT and returns the process's exit code: 0; 78 for a configuration, key or database setting
 * that is wrong; 75 if another coordinator serves at the same address; 70 if it had to stop (start it again).
 * Prints `ready` on stdout once it serves. Signals must be blocked by the caller before any thread starts. */
int app_run(const struct coordinator_conf *conf, bool dev);

/* Reads the files that the configuration names and says what is wrong with them; connects to nothing. */
int app_check(const struct coordinator_conf *conf, struct err *err) MUST_CHECK;

struct init_options {
        const char *admin;
        const char *profile_out;
        const char *endpoint; /* NULL: the first that the configuration listens on */
        bool sql; /* also a MariaDB account, with PROFILE_OUT.cnf */
};
/* First set-up: key file and key ring if missing, schema, the first administrator and his profile. What is there stays. */
int app_init(const struct coordinator_conf *conf, const struct init_options *options,
             struct err *err) MUST_CHECK;

#endif
