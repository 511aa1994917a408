/* A profile: where the coordinator is and who we are. One file of mode 0600, lines `name = value`, `#` comments:
 *
 *   endpoint = tcp://127.0.0.1:5555      one or more, tried in order
 *   server-key = <Z85, 40>               the coordinator's public key
 *   public-key = <Z85, 40>
 *   secret-key = <Z85, 40>
 *   sql-option-file = /path/alice.cnf    optional: MariaDB option file of the person's SQL account
 *
 * Commands and workers use the same format. */
#ifndef NET_PROFILE_H
#define NET_PROFILE_H

#include <stddef.h>

#include "base/err.h"

#define PROFILE_ENDPOINTS_MAX 8
struct profile {
        char *path;
        char *endpoints[PROFILE_ENDPOINTS_MAX];
        size_t n_endpoints;
        char server_key[41];
        char public_key[41];
        char secret_key[41];
        char *sql_option_file; /* may be NULL */
};

/* Refuses what others can read ("run: chmod 600 FILE"), a symlink, another owner, unknown or doubled lines: CONFIG. */
struct profile *profile_load(const char *path, struct err *err) MUST_CHECK;
/* Writes a new file with mode 0600 from the start, never over an existing one. */
int profile_save(const struct profile *profile, const char *path, struct err *err) MUST_CHECK;
void profile_free(struct profile *profile); /* wipes the secret */
DEFINE_CLEANUP(struct profile, profile_free)
int profile_new_keys(char ret_public[41], char ret_secret[41], struct err *err) MUST_CHECK;

#endif
