/* Profiles: read strictly, written whole. Must not print or log: errors name the file, the line and the remedy. */
#include "net/profile.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/secret_file.h"
#include "base/xalloc.h"
#include "net/key_file.h"

struct seen { /* lines on which the names stood that may stand once */
        unsigned server_key, public_key, secret_key, sql_option_file;
};

/* Endpoints are what libzmq takes; only the forms that can work from another process are let in. */
static bool endpoint_ok(const char *text)
{
        const char *colon;

        if (!strncmp(text, "ipc://", 6))
                return text[6] != '\0';
        if (strncmp(text, "tcp://", 6) != 0)
                return false;
        colon = strrchr(text + 6, ':');
        if (!colon || colon == text + 6 || strspn(colon + 1, "0123456789") != strlen(colon + 1))
                return false;
        return colon[1] != '\0' && strlen(colon + 1) <= 5 && atoi(colon + 1) >= 1 && atoi(colon + 1) <= 65535;
}

static int take_endpoint(struct profile *profile, const struct conf *conf, const struct conf_line *line,
                         struct err *err)
{
        if (!endpoint_ok(line->value))
                return conf_refuse(conf, line, err, "not an endpoint; example: tcp://127.0.0.1:5555");
        if (profile->n_endpoints == PROFILE_ENDPOINTS_MAX)
                return conf_refuse(conf, line, err, "more than %d endpoints", PROFILE_ENDPOINTS_MAX);
        profile->endpoints[profile->n_endpoints++] = xstrdup(line->value);
        return 0;
}

static int take_line(struct profile *profile, struct seen *seen, const struct conf *conf,
                     const struct conf_line *line, struct err *err)
{
        if (!strcmp(line->name, "endpoint"))
                return take_endpoint(profile, conf, line, err);
        if (!strcmp(line->name, "server-key"))
                return key_from_line(conf, line, &seen->server_key, profile->server_key, err);
        if (!strcmp(line->name, "public-key"))
                return key_from_line(conf, line, &seen->public_key, profile->public_key, err);
        if (!strcmp(line->name, "secret-key"))
                return key_from_line(conf, line, &seen->secret_key, profile->secret_key, err);
        if (strcmp(line->name, "sql-option-file") != 0)
                return conf_refuse(conf, line, err, "unknown name in a profile");
        if (conf_once(conf, line, &seen->sql_option_file, err) < 0)
                return -1;
        if (line->value[0] != '/')
                return conf_refuse(conf, line, err, "must be an absolute path");
        profile->sql_option_file = xstrdup(line->value);
        return 0;
}

static int check_whole(const struct profile *profile, const struct seen *seen, struct err *err)
{
        struct key_pair pair;
        bool matches;
        const char *missing = !profile->n_endpoints ? "endpoint"
                              : !seen->server_key   ? "server-key"
                              : !seen->public_key   ? "public-key"
                              : !seen->secret_key   ? "secret-key"
                                                    : NULL;

        if (missing)
                return err_set(err, ERR_CONFIG, "%s: %s is missing", profile->path, missing);
        memcpy(pair.public_key, profile->public_key, sizeof(pair.public_key));
        memcpy(pair.secret_key, profile->secret_key, sizeof(pair.secret_key));
        matches = key_pair_matches(&pair);
        key_pair_done(&pair);
        if (!matches)
                return err_set(err, ERR_CONFIG, "%s: public-key does not belong to secret-key",
                               profile->path);
        return 0;
}

struct profile *profile_load(const char *path, struct err *err)
{
        CLEANUP_WITH(profile_free) struct profile *profile = xcalloc(1, sizeof(*profile));
        CLEANUP_CONF struct conf conf = { 0 };
        struct seen seen = { 0 };
        struct conf_line line;
        int more;

        profile->path = xstrdup(path);
        if (conf_open(&conf, path, CONF_SECRET, err) < 0) {
                err_wrap(err, "read profile");
                return NULL;
        }
        while ((more = conf_next(&conf, &line, err)) > 0)
                if (take_line(profile, &seen, &conf, &line, err) < 0)
                        break;
        if (more != 0 || check_whole(profile, &seen, err) < 0) {
                err_wrap(err, "read profile");
                return NULL;
        }
        return STEAL(profile);
}

int profile_save(const struct profile *profile, const char *path, struct err *err)
{
        struct buf text = { 0 };
        int rc;

        buf_addf(&text, "# A Jobmill profile. It holds a secret key: keep its mode at 0600.\n");
        for (size_t i = 0; i < profile->n_endpoints; i++)
                buf_addf(&text, "endpoint = %s\n", profile->endpoints[i]);
        buf_addf(&text, "server-key = %s\npublic-key = %s\nsecret-key = %s\n", profile->server_key,
                 profile->public_key, profile->secret_key);
        if (profile->sql_option_file)
                buf_addf(&text, "sql-option-file = %s\n", profile->sql_option_file);
        rc = secret_file_create(path, text.bytes, text.n, err);
        secret_wipe(text.bytes, text.n);
        buf_done(&text);
        return rc < 0 ? err_wrap(err, "write profile") : 0;
}

void profile_free(struct profile *profile)
{
        if (!profile)
                return;
        for (size_t i = 0; i < profile->n_endpoints; i++)
                free(profile->endpoints[i]);
        free(profile->path);
        free(profile->sql_option_file);
        secret_wipe(profile, sizeof(*profile));
        free(profile);
}

int profile_new_keys(char ret_public[41], char ret_secret[41], struct err *err)
{
        struct key_pair pair;

        if (key_pair_new(&pair, err) < 0)
                return -1;
        memcpy(ret_public, pair.public_key, sizeof(pair.public_key));
        memcpy(ret_secret, pair.secret_key, sizeof(pair.secret_key));
        key_pair_done(&pair);
        return 0;
}
