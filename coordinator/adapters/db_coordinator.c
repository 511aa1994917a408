/* The installation's own row: which keys belong to this database. */
#include <string.h>

#include "adapters/db_setup.h"

#define SECRET_HEX 64

static void secret_hex(const struct keyring *keyring, char out[SECRET_HEX + 1])
{
        static const char HEX[] = "0123456789abcdef";
        const uint8_t *secret = keyring_scope_secret(keyring);

        for (size_t i = 0; i < SECRET_HEX / 2; i++) {
                out[2 * i] = HEX[secret[i] >> 4];
                out[2 * i + 1] = HEX[secret[i] & 15];
        }
        out[SECRET_HEX] = '\0';
}

/* 1: there, and ours; 0: none. */
static int find_row(struct db *db, const struct keyring *keyring, struct err *err)
{
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        int more, found = 0;

        if (db_read(db, "setup_coordinator", NULL, &rows, err) < 0)
                return -1;
        while ((more = db_next(&rows, err)) > 0) {
                size_t n;
                const char *install = db_bytes(&rows, 1, &n);

                if (n != INSTALL_BYTES || memcmp(install, keyring_install(keyring), INSTALL_BYTES) != 0)
                        return err_set(err, ERR_CONFIG,
                                       "this database belongs to another key ring: name the one it was made "
                                       "with (keyring = FILE)");
                found = 1;
        }
        return more < 0 ? -1 : found;
}

static int put_row(struct db *db, const struct keyring *keyring, const char *secret, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        struct data_key key;
        uint8_t wrapped[WRAPPED_KEY_BYTES];

        if (data_key_new(keyring, 0, &key, wrapped, err) < 0)
                return -1;
        explicit_bzero(&key, sizeof(key));
        db_args_init(&args, "install:b wrapped_key:b scope_secret:b");
        db_put_bytes(&args, keyring_install(keyring), INSTALL_BYTES);
        db_put_bytes(&args, wrapped, sizeof(wrapped));
        db_put_str(&args, secret);
        return db_write(db, "setup_coordinator_put", &args, NULL, err);
}

static int put_secret(struct db *db, const char *secret, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };

        db_args_init(&args, "scope_secret:b");
        db_put_str(&args, secret);
        return db_write(db, "setup_scope_secret", &args, NULL, err);
}

int db_coordinator_row(struct db *db, const struct keyring *keyring, struct err *err)
{
        char secret[SECRET_HEX + 1];
        int found = find_row(db, keyring, err);

        if (found < 0)
                return -1;
        secret_hex(keyring, secret);
        if (found)
                return put_secret(db, secret, err);
        /* Another one may be making it in this moment: whoever comes second finds it, and looks whose it is. */
        if (put_row(db, keyring, secret, err) < 0)
                return -1;
        return find_row(db, keyring, err) < 0 ? -1 : 0;
}
