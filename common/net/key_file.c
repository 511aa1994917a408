/* CURVE keys as text and the coordinator's key file. Generating and checking is libzmq's; this only reads and writes. */
#include "net/key_file.h"

#include <stdint.h>
#include <string.h>
#include <zmq.h>

#include "base/secret_file.h"
#include "base/buf.h"

int key_pair_new(struct key_pair *ret_pair, struct err *err)
{
        struct key_pair pair;

        if (zmq_curve_keypair(pair.public_key, pair.secret_key) != 0)
                return err_set(err, ERR_INTERNAL, "make a key pair: libzmq was built without CURVE");
        *ret_pair = pair;
        key_pair_done(&pair);
        return 0;
}

bool key_pair_matches(const struct key_pair *pair)
{
        char derived[KEY_TEXT_BYTES + 1];

        return zmq_curve_public(derived, pair->secret_key) == 0 && !strcmp(derived, pair->public_key);
}

void key_pair_done(struct key_pair *pair)
{
        secret_wipe(pair, sizeof(*pair));
}

int key_from_line(const struct conf *conf, const struct conf_line *line, unsigned *seen,
                  char ret_key[KEY_TEXT_BYTES + 1], struct err *err)
{
        uint8_t raw[32];

        if (conf_once(conf, line, seen, err) < 0)
                return -1;
        if (strlen(line->value) != KEY_TEXT_BYTES || !zmq_z85_decode(raw, line->value))
                return conf_refuse(conf, line, err, "not a key: 40 characters of Z85 are needed");
        secret_wipe(raw, sizeof(raw));
        memcpy(ret_key, line->value, KEY_TEXT_BYTES + 1);
        return 0;
}

static int read_pair(struct conf *conf, struct key_pair *pair, struct err *err)
{
        unsigned seen_public = 0, seen_secret = 0;
        struct conf_line line;
        int more;

        while ((more = conf_next(conf, &line, err)) > 0) {
                int rc;

                if (!strcmp(line.name, "public-key"))
                        rc = key_from_line(conf, &line, &seen_public, pair->public_key, err);
                else if (!strcmp(line.name, "secret-key"))
                        rc = key_from_line(conf, &line, &seen_secret, pair->secret_key, err);
                else
                        rc = conf_refuse(conf, &line, err,
                                         "unknown name; a key file has public-key and secret-key");
                if (rc < 0)
                        return -1;
        }
        if (more < 0)
                return -1;
        if (!seen_public || !seen_secret)
                return err_set(err, ERR_CONFIG, "%s: %s is missing", conf->path,
                               seen_public ? "secret-key" : "public-key");
        if (!key_pair_matches(pair))
                return err_set(err, ERR_CONFIG, "%s: public-key does not belong to secret-key", conf->path);
        return 0;
}

int key_file_load(const char *path, struct key_pair *ret_pair, struct err *err)
{
        CLEANUP_CONF struct conf conf = { 0 };
        struct key_pair pair = { 0 };

        if (conf_open(&conf, path, CONF_SECRET, err) < 0)
                return err_wrap(err, "read the coordinator's keys");
        if (read_pair(&conf, &pair, err) < 0) {
                key_pair_done(&pair);
                return err_wrap(err, "read the coordinator's keys");
        }
        *ret_pair = pair;
        key_pair_done(&pair);
        return 0;
}

int key_file_create(const char *path, struct err *err)
{
        struct key_pair pair;
        struct buf text = { 0 };
        int rc;

        if (key_pair_new(&pair, err) < 0)
                return -1;
        buf_addf(&text,
                 "# The coordinator's own key pair. Keep it secret: whoever has it is the coordinator.\n");
        buf_addf(&text, "public-key = %s\nsecret-key = %s\n", pair.public_key, pair.secret_key);
        rc = secret_file_create(path, text.bytes, text.n, err);
        key_pair_done(&pair);
        secret_wipe(text.bytes, text.n);
        buf_done(&text);
        return rc < 0 ? err_wrap(err, "make the coordinator's keys") : 0;
}
