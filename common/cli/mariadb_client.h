/* The stock `mariadb` client as a child process: the commands link no database library. */
#ifndef CLI_MARIADB_CLIENT_H
#define CLI_MARIADB_CLIENT_H

#include <stdio.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define MARIADB_DATABASE "jobmill"

struct cli;
/* The caller's own option file, as his profile names it; NULL: CONFIG, and whom to ask. It holds a password, so one that
 * others can read is refused. */
const char *mariadb_option_file(struct cli *cli, struct err *err) MUST_CHECK;

struct mariadb_client {
        FILE *out; /* what it prints */
        pid_t pid;
        int complaints; /* a file without a name that takes its stderr */
};

/* Run `query` with the account of option_file; `mode` is one option such as --xml, `more` another one or NULL. The
 * session is read only. */
int mariadb_client_start(struct mariadb_client *client, const char *option_file, const char *mode,
                         const char *more, const char *query, struct err *err) MUST_CHECK;
/* Wait for its end. An SQL error is BAD_DATA with MariaDB's text; no connection UNREACHABLE; no right FORBIDDEN. */
int mariadb_client_end(struct mariadb_client *client, struct err *err) MUST_CHECK;
/* Become the interactive client; returns only if that is impossible. */
int mariadb_client_become(const char *option_file, struct err *err);

#endif
