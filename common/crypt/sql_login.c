/* Logins for MariaDB. Reads and writes option files in the simple form that we write ourselves: `name=value` lines under
 * [group]; !include lines are not followed. Must not talk to a server. */
#include "crypt/sql_login.h"

#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/secret_file.h"
#include "base/xalloc.h"

#define OPTION_FILE_MAX 65536
#define PASSWORD_RANDOM_BYTES 24

static void add_hex(struct buf *out, const uint8_t *bytes, size_t n, const char *digits)
{
        for (size_t i = 0; i < n; i++) {
                buf_add_char(out, digits[bytes[i] >> 4]);
                buf_add_char(out, digits[bytes[i] & 15]);
        }
}

/* What the server stores: SHA1(SHA1(password)), which is no secret worth the name, but its form. */
static void hash_password(const char *password, size_t n, char ret_hash[SQL_HASH_BYTES + 1])
{
        uint8_t once[SHA_DIGEST_LENGTH], twice[SHA_DIGEST_LENGTH];
        struct buf text = { 0 };

        SHA1((const uint8_t *)password, n, once);
        SHA1(once, sizeof(once), twice);
        buf_add_char(&text, '*');
        add_hex(&text, twice, sizeof(twice), "0123456789ABCDEF");
        memcpy(ret_hash, text.bytes, SQL_HASH_BYTES + 1);
        buf_done(&text);
}

/* The next line of `*at` without blanks at its ends, cut out in place; NULL at the end. */
static char *next_line(char **at)
{
        char *line = *at + strspn(*at, " \t\r\n");
        size_t n = strcspn(line, "\n");

        if (!*line)
                return NULL;
        *at = line + n + (line[n] != '\0');
        while (n && strchr(" \t\r", line[n - 1]))
                n--;
        line[n] = '\0';
        return line;
}

/* Option names may be written with _ or -. */
static bool is_name(const char *line, size_t n, const char *name)
{
        if (strlen(name) != n)
                return false;
        for (size_t i = 0; i < n; i++)
                if ((line[i] == '_' ? '-' : line[i]) != name[i])
                        return false;
        return true;
}

static bool says_where(const char *line)
{
        static const char *const names[] = { "socket", "host",   "port",       "protocol",
                                             "ssl",    "ssl-ca", "ssl-capath", "ssl-verify-server-cert" };
        size_t n = strcspn(line, "= \t");

        for (size_t i = 0; i < ARRAY_LEN(names); i++)
                if (is_name(line, n, names[i]))
                        return true;
        return false;
}

int sql_server_read(const char *option_file, const char *group, char **ret_where, struct err *err)
{
        struct buf where = { 0 };
        bool inside = false;
        char *text, *at, *line;
        size_t n;

        if (secret_file_read(option_file, OPTION_FILE_MAX, &text, &n, err) < 0)
                return err_wrap(err, "read where the database is");
        at = text;
        while ((line = next_line(&at)) != NULL) {
                size_t length = strlen(line);

                if (line[0] == '[')
                        inside = length == strlen(group) + 2 && !strncmp(line + 1, group, strlen(group)) &&
                                 line[length - 1] == ']';
                else if (inside && says_where(line))
                        buf_addf(&where, "%s\n", line);
        }
        secret_free(text, n);
        *ret_where = buf_steal(&where);
        return 0;
}

int sql_login_create(const char *path, const char *user, const char *where, char ret_hash[SQL_HASH_BYTES + 1],
                     struct err *err)
{
        uint8_t random[PASSWORD_RANDOM_BYTES];
        struct buf password = { 0 }, text = { 0 };
        int rc;

        if (RAND_bytes(random, sizeof(random)) != 1)
                return err_set(err, ERR_INTERNAL, "the system has no randomness");
        add_hex(&password, random, sizeof(random), "0123456789abcdef");
        buf_addf(&text,
                 "# A MariaDB login made by Jobmill. It holds a password: keep its mode at "
                 "0600.\n[client]\nuser=%s\n"
                 "password=%s\n%s",
                 user, password.bytes, where);
        hash_password(password.bytes, password.n, ret_hash);
        rc = secret_file_create(path, text.bytes, text.n, err);
        secret_wipe(random, sizeof(random));
        secret_wipe(password.bytes, password.n);
        secret_wipe(text.bytes, text.n);
        buf_done(&password);
        buf_done(&text);
        return rc < 0 ? err_wrap(err, "write the option file of the SQL account") : 0;
}

int sql_login_hash(const char *path, char ret_hash[SQL_HASH_BYTES + 1], struct err *err)
{
        char *text, *at, *line;
        bool found = false;
        size_t n;

        if (secret_file_read(path, OPTION_FILE_MAX, &text, &n, err) < 0)
                return err_wrap(err, "read the option file of the SQL account");
        at = text;
        while (!found && (line = next_line(&at)) != NULL)
                if (!strncmp(line, "password=", 9)) {
                        hash_password(line + 9, strlen(line + 9), ret_hash);
                        found = true;
                }
        secret_free(text, n);
        return found ? 0 : err_set(err, ERR_CONFIG, "%s: there is no password in it", path);
}
