/* First set-up. It may be stopped anywhere and run again: files come before the rows that name them, and what is there is
 * used, never replaced. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/name.h"
#include "base/xalloc.h"
#include "coordinator/app_internal.h"
#include "crypt/keyring.h"
#include "crypt/sql_login.h"
#include "net/key_file.h"
#include "net/profile.h"

static bool is_there(const char *path)
{
        return access(path, F_OK) == 0;
}

/* The key file and the key ring, made if they are missing. */
static int make_keys(const struct coordinator_conf *conf, struct key_pair *ret_keys,
                     struct keyring **ret_keyring, struct err *err)
{
        if (!is_there(conf->key_file) && key_file_create(conf->key_file, err) < 0)
                return -1;
        if (!is_there(conf->keyring) && keyring_create(conf->keyring, err) < 0)
                return -1;
        return app_load_keys(conf, ret_keys, ret_keyring, err);
}

static int must_exist(const struct coordinator_conf *conf, const char *path, struct err *err)
{
        if (is_there(path))
                return 0;
        return err_set(err, ERR_CONFIG,
                       "%s is missing; to make it: jobcoordinator --config %s --init --admin NAME "
                       "--profile-out FILE",
                       path, conf->path);
}

int app_load_keys(const struct coordinator_conf *conf, struct key_pair *ret_keys,
                  struct keyring **ret_keyring, struct err *err)
{
        if (must_exist(conf, conf->key_file, err) < 0 || must_exist(conf, conf->keyring, err) < 0 ||
            key_file_load(conf->key_file, ret_keys, err) < 0)
                return -1;
        *ret_keyring = keyring_load(conf->keyring, err);
        return *ret_keyring ? 0 : -1;
}

int app_check(const struct coordinator_conf *conf, struct err *err)
{
        CLEANUP_WITH(keyring_free) struct keyring *keyring = NULL;
        CLEANUP_WITH(xfree) char *where = NULL;
        struct key_pair keys = { 0 };

        if (app_load_keys(conf, &keys, &keyring, err) < 0)
                return -1;
        key_pair_done(&keys);
        return sql_server_read(conf->database_options, "jobmill", &where, err);
}

/* The option file beside the profile; *ret_path is absolute, as a profile needs it. */
static int make_login(const struct coordinator_conf *conf, const struct init_options *options,
                      char **ret_path, char ret_hash[SQL_HASH_BYTES + 1], struct err *err)
{
        CLEANUP_WITH(xfree) char *path = xasprintf("%s.cnf", options->profile_out);
        CLEANUP_WITH(xfree) char *where = NULL;

        if (is_there(path)) {
                if (sql_login_hash(path, ret_hash, err) < 0)
                        return -1;
        } else {
                if (sql_server_read(conf->database_options, "jobmill", &where, err) < 0 ||
                    sql_login_create(path, options->admin, where, ret_hash, err) < 0)
                        return -1;
        }
        *ret_path = realpath(path, NULL);
        return *ret_path ? 0 : err_set(err, ERR_CONFIG, "%s: cannot be found again", path);
}

static const char *choose_endpoint(const struct coordinator_conf *conf, const struct init_options *options,
                                   char *text, size_t cap)
{
        const char *listen = conf->listen[0];

        if (options->endpoint)
                return options->endpoint;
        if (strncmp(listen, "tcp://*:", 8) && strncmp(listen, "tcp://0.0.0.0:", 14))
                return listen;
        snprintf(text, cap, "tcp://127.0.0.1%s", strrchr(listen, ':'));
        return text;
}

/* A profile that is there is used; else it is made now: *ret_made. */
static int make_profile(const struct coordinator_conf *conf, const struct init_options *options,
                        const struct key_pair *keys, const char *option_file, char ret_public[41],
                        bool *ret_made, struct err *err)
{
        struct profile profile = { .n_endpoints = 1, .sql_option_file = (char *)option_file };
        char endpoint[64];
        int rc;

        *ret_made = false;
        if (is_there(options->profile_out)) {
                CLEANUP_WITH(profile_free) struct profile *old = profile_load(options->profile_out, err);

                if (!old)
                        return -1;
                memcpy(ret_public, old->public_key, sizeof(old->public_key));
                return 0;
        }
        profile.endpoints[0] = (char *)choose_endpoint(conf, options, endpoint, sizeof(endpoint));
        memcpy(profile.server_key, keys->public_key, sizeof(profile.server_key));
        if (profile_new_keys(profile.public_key, profile.secret_key, err) < 0)
                return -1;
        memcpy(ret_public, profile.public_key, sizeof(profile.public_key));
        rc = profile_save(&profile, options->profile_out, err);
        *ret_made = rc == 0;
        return rc;
}

/* An administrator whose profile is elsewhere: the files made just now are of no use. */
static int take_files_back(const struct init_options *options, struct err *err)
{
        CLEANUP_WITH(xfree) char *option_file = xasprintf("%s.cnf", options->profile_out);

        unlink(options->profile_out);
        if (options->sql)
                unlink(option_file);
        return err_set(
                err, ERR_CONFLICT,
                "an administrator exists already, with another profile than %s; use that one, or let another "
                "administrator run: jobctl key add --user %s --out FILE",
                options->profile_out, options->admin);
}

int app_init(const struct coordinator_conf *conf, const struct init_options *options, struct err *err)
{
        struct store_config config = { .option_file = conf->database_options, .database = conf->database };
        CLEANUP_WITH(keyring_free) struct keyring *keyring = NULL;
        CLEANUP_WITH(xfree) char *option_file = NULL;
        char hash[SQL_HASH_BYTES + 1] = "", public_key[41];
        bool made_profile, made_admin;
        struct key_pair keys = { 0 };
        int rc;

        if (!name_is_valid(options->admin, strlen(options->admin)) || strlen(options->admin) > 64)
                return err_set(err, ERR_USAGE, "--admin: '%s' is no name: letters, digits, . _ - only",
                               options->admin);
        if (make_keys(conf, &keys, &keyring, err) < 0)
                return -1;
        if (options->sql && make_login(conf, options, &option_file, hash, err) < 0)
                return -1;
        rc = make_profile(conf, options, &keys, option_file, public_key, &made_profile, err);
        key_pair_done(&keys);
        if (rc < 0 || store_init(&config, keyring, options->admin, public_key, options->sql ? hash : NULL,
                                 &made_admin, err) < 0)
                return -1;
        return made_profile && !made_admin ? take_files_back(options, err) : 0;
}
