/* The key ring and the data keys that it wraps. Secrets live in one allocation that is wiped when it ends; nothing
 * here prints a key or puts one into an error.
 *
 * A wrapped data key is version 1 | key id 4 | nonce 12 | sealed key 32 | tag 16, big-endian, with associated data
 * "JMK1" key id:4 install:16 job:8: it opens only for its own job in its own installation. */
#include "crypt/keyring.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/conf.h"
#include "base/secret_file.h"
#include "base/xalloc.h"
#include "crypt/bytes.h"
#include "crypt/gcm.h"

#define KEKS_MAX 64 /* a rotation leaves two; more than a few means that rewrapping never finished */
#define SECRET_BYTES 32
#define WRAP_VERSION 1
#define WRAP_AAD_BYTES (4 + 4 + INSTALL_BYTES + 8)

struct kek {
        uint32_t id;
        uint8_t bytes[KEK_BYTES];
};

struct keyring {
        uint8_t install[INSTALL_BYTES];
        uint8_t scope[SECRET_BYTES];
        uint8_t hash[SECRET_BYTES];
        struct kek keks[KEKS_MAX];
        size_t n_keks; /* the last is active */
};

struct seen { /* line of each name that may stand once */
        unsigned install, scope, hash;
};

static int take_hex(const struct conf *conf, const struct conf_line *line, unsigned *seen, uint8_t *into,
                    size_t bytes, struct err *err)
{
        if (conf_once(conf, line, seen, err) < 0)
                return -1;
        if (!hex_read(line->value, strlen(line->value), into, bytes))
                return conf_refuse(conf, line, err, "needs %zu hexadecimal digits", 2 * bytes);
        return 0;
}

static const struct kek *find_kek(const struct keyring *keyring, uint32_t id)
{
        for (size_t i = 0; i < keyring->n_keks; i++)
                if (keyring->keks[i].id == id)
                        return &keyring->keks[i];
        return NULL;
}

/* `<id> <64 hex>` */
static int take_kek(struct keyring *keyring, const struct conf *conf, const struct conf_line *line,
                    struct err *err)
{
        size_t n_digits = strspn(line->value, "0123456789");
        const char *hex = line->value + n_digits + strspn(line->value + n_digits, " \t");
        unsigned long id = strtoul(line->value, NULL, 10);
        struct kek *kek = &keyring->keks[keyring->n_keks];

        if (n_digits == 0 || n_digits > 9 || id == 0 || hex == line->value + n_digits)
                return conf_refuse(conf, line, err, "needs a number and %d hexadecimal digits",
                                   2 * KEK_BYTES);
        if (keyring->n_keks == KEKS_MAX)
                return conf_refuse(conf, line, err, "more than %d keys", KEKS_MAX);
        if (find_kek(keyring, (uint32_t)id))
                return conf_refuse(conf, line, err, "key %lu stands twice", id);
        if (!hex_read(hex, strlen(hex), kek->bytes, KEK_BYTES))
                return conf_refuse(conf, line, err, "needs %d hexadecimal digits after the number",
                                   2 * KEK_BYTES);
        kek->id = (uint32_t)id;
        keyring->n_keks++;
        return 0;
}

static int take_line(struct keyring *keyring, struct seen *seen, const struct conf *conf,
                     const struct conf_line *line, struct err *err)
{
        if (!strcmp(line->name, "install"))
                return take_hex(conf, line, &seen->install, keyring->install, INSTALL_BYTES, err);
        if (!strcmp(line->name, "scope"))
                return take_hex(conf, line, &seen->scope, keyring->scope, SECRET_BYTES, err);
        if (!strcmp(line->name, "hash"))
                return take_hex(conf, line, &seen->hash, keyring->hash, SECRET_BYTES, err);
        if (!strcmp(line->name, "key"))
                return take_kek(keyring, conf, line, err);
        return conf_refuse(conf, line, err, "a key ring has only install, key, scope and hash");
}

struct keyring *keyring_load(const char *path, struct err *err)
{
        CLEANUP_WITH(keyring_free) struct keyring *keyring = xcalloc(1, sizeof(*keyring));
        CLEANUP_CONF struct conf conf = { 0 };
        struct seen seen = { 0 };
        struct conf_line line;
        int more;

        if (conf_open(&conf, path, CONF_SECRET, err) < 0) {
                err_wrap(err, "key ring");
                return NULL;
        }
        while ((more = conf_next(&conf, &line, err)) > 0)
                if (take_line(keyring, &seen, &conf, &line, err) < 0)
                        return NULL;
        if (more < 0)
                return NULL;
        if (!seen.install || !seen.scope || !seen.hash || !keyring->n_keks) {
                err_set(err, ERR_CONFIG, "%s: no %s line: this key ring is not whole", path,
                        !seen.install ? "install"
                        : !seen.scope ? "scope"
                        : !seen.hash  ? "hash"
                                      : "key");
                return NULL;
        }
        return STEAL(keyring);
}

static int add_random(struct buf *text, const char *name, size_t bytes, struct err *err)
{
        uint8_t random[SECRET_BYTES];
        char hex[2 * SECRET_BYTES + 1];

        if (RAND_bytes(random, (int)bytes) != 1)
                return err_set(err, ERR_INTERNAL, "the system gives no random bytes");
        hex_write(random, bytes, hex);
        buf_addf(text, "%s%s\n", name, hex);
        OPENSSL_cleanse(random, sizeof(random));
        OPENSSL_cleanse(hex, sizeof(hex));
        return 0;
}

int keyring_create(const char *path, struct err *err)
{
        CLEANUP_BUF struct buf text = { 0 };
        int made;

        buf_reserve(&text, 1024); /* so that no copy of half of it stays behind in freed memory */
        buf_add_str(&text,
                    "# The keys of a Jobmill installation. Without this file nothing that was stored can be\n"
                    "# read again: keep a copy in a safe place, apart from the copies of the database.\n");
        if (add_random(&text, "install = ", INSTALL_BYTES, err) < 0 ||
            add_random(&text, "key = 1 ", KEK_BYTES, err) < 0 ||
            add_random(&text, "scope = ", SECRET_BYTES, err) < 0 ||
            add_random(&text, "hash = ", SECRET_BYTES, err) < 0)
                made = -1;
        else
                made = secret_file_create(path, text.bytes, text.n, err);
        secret_wipe(text.bytes, text.n);
        return made < 0 ? err_wrap(err, "key ring") : 0;
}

void keyring_free(struct keyring *keyring)
{
        if (!keyring)
                return;
        OPENSSL_cleanse(keyring, sizeof(*keyring));
        free(keyring);
}

const uint8_t *keyring_install(const struct keyring *keyring)
{
        return keyring->install;
}

const uint8_t *keyring_scope_secret(const struct keyring *keyring)
{
        return keyring->scope;
}

void keyring_name_hash(const struct keyring *keyring, const char *label, const void *text, size_t bytes,
                       uint8_t ret_hash[NAME_HASH_BYTES])
{
        CLEANUP_BUF struct buf labelled = { 0 };
        uint8_t mac[EVP_MAX_MD_SIZE];
        unsigned n;

        buf_add(&labelled, label, strlen(label) + 1);
        buf_add(&labelled, text, bytes);
        BUG_ON(!HMAC(EVP_sha256(), keyring->hash, SECRET_BYTES, (const uint8_t *)labelled.bytes, labelled.n,
                     mac, &n));
        memcpy(ret_hash, mac, NAME_HASH_BYTES);
}

static void wrap_aad(const struct keyring *keyring, uint32_t kek, uint64_t job, uint8_t aad[WRAP_AAD_BYTES])
{
        uint8_t *at = aad;

        memcpy(at, "JMK1", 4);
        at = put_be(at + 4, kek, 4);
        memcpy(at, keyring->install, INSTALL_BYTES);
        put_be(at + INSTALL_BYTES, job, 8);
}

int data_key_new(const struct keyring *keyring, uint64_t job, struct data_key *ret_key,
                 uint8_t ret_wrapped[WRAPPED_KEY_BYTES], struct err *err)
{
        const struct kek *kek = &keyring->keks[keyring->n_keks - 1];
        CLEANUP_GCM struct gcm gcm = { 0 };
        uint8_t aad[WRAP_AAD_BYTES];
        uint8_t *nonce = ret_wrapped + 5;
        uint8_t *sealed = nonce + GCM_NONCE_BYTES;

        if (RAND_priv_bytes(ret_key->bytes, DATA_KEY_BYTES) != 1 || RAND_bytes(nonce, GCM_NONCE_BYTES) != 1)
                return err_set(err, ERR_INTERNAL, "the system gives no random bytes");
        ret_wrapped[0] = WRAP_VERSION;
        put_be(ret_wrapped + 1, kek->id, 4);
        wrap_aad(keyring, kek->id, job, aad);
        gcm_seal(
                &gcm, kek->bytes, nonce,
                &(struct gcm_text){
                        .aad = aad, .aad_bytes = sizeof(aad), .in = ret_key->bytes, .bytes = DATA_KEY_BYTES },
                sealed, sealed + DATA_KEY_BYTES);
        return 0;
}

int data_key_unwrap(const struct keyring *keyring, uint64_t job, const void *wrapped, size_t bytes,
                    struct data_key *ret_key, struct err *err)
{
        const uint8_t *at = wrapped;
        const uint8_t *nonce = at + 5;
        const uint8_t *sealed = nonce + GCM_NONCE_BYTES;
        CLEANUP_GCM struct gcm gcm = { 0 };
        uint8_t aad[WRAP_AAD_BYTES];
        const struct kek *kek;
        struct data_key key;

        if (bytes != WRAPPED_KEY_BYTES || at[0] != WRAP_VERSION)
                return err_set(err, ERR_BAD_DATA, "DATA_CORRUPT: the wrapped key of job %" PRIu64 " is none",
                               job);
        kek = find_kek(keyring, get_be32(at + 1));
        if (!kek)
                return err_set(err, ERR_BAD_DATA,
                               "DATA_CORRUPT: key %u of job %" PRIu64 " is not in the key ring",
                               (unsigned)get_be32(at + 1), job);
        wrap_aad(keyring, kek->id, job, aad);
        if (!gcm_open(&gcm, kek->bytes, nonce,
                      &(struct gcm_text){
                              .aad = aad, .aad_bytes = sizeof(aad), .in = sealed, .bytes = DATA_KEY_BYTES },
                      key.bytes, sealed + DATA_KEY_BYTES))
                return err_set(err, ERR_BAD_DATA,
                               "DATA_CORRUPT: the wrapped key of job %" PRIu64 " does not open", job);
        *ret_key = key;
        OPENSSL_cleanse(&key, sizeof(key));
        return 0;
}
