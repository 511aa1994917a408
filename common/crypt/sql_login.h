/* A person's MariaDB login: a random password, its hash for the server, and the option file for --defaults-file. The
 * password itself only ever exists in that file. */
#ifndef CRYPT_SQL_LOGIN_H
#define CRYPT_SQL_LOGIN_H

#include "base/err.h"

#define SQL_HASH_BYTES 41 /* '*' and 40 hex digits: the form of mysql_native_password */

/* Lines of an option file that say where the server is and how to talk to it (socket, host, port, protocol, ssl-*), from
 * its group [group]; *ret_where is for sql_login_create, the caller frees it. CONFIG if the file cannot be read. */
int sql_server_read(const char *option_file, const char *group, char **ret_where, struct err *err) MUST_CHECK;
/* A new login: writes `path` (mode 0600, never over an existing file) and gives the hash. */
int sql_login_create(const char *path, const char *user, const char *where, char ret_hash[SQL_HASH_BYTES + 1],
                     struct err *err) MUST_CHECK;
/* The hash of the login that a file made by sql_login_create holds. */
int sql_login_hash(const char *path, char ret_hash[SQL_HASH_BYTES + 1], struct err *err) MUST_CHECK;

#endif
