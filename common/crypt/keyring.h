/* The key ring: the keys that never enter the database. One file, mode 0600, `name = value` lines:
 *
 *   install = <32 hex>        names this installation; part of every envelope's associated data
 *   key = <id> <64 hex>       a key-encryption key; several while a rotation runs; the last one is active
 *   scope = <64 hex>          secret with which the SQL door authenticates scopes
 *   hash = <64 hex>           secret of the keyed hashes of names and tags
 *
 * The coordinator and the server-side functions read the same file. */
#ifndef CRYPT_KEYRING_H
#define CRYPT_KEYRING_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define KEK_BYTES 32
#define DATA_KEY_BYTES 32
#define INSTALL_BYTES 16
#define WRAPPED_KEY_BYTES 65 /* version 1, key id 4, nonce 12, sealed key 32, tag 16 */
#define NAME_HASH_BYTES 16

struct keyring;
struct data_key {
        uint8_t bytes[DATA_KEY_BYTES];
};

/* Refuses a file that others can read (names the chmod), a symlink, unknown or doubled lines: CONFIG. */
struct keyring *keyring_load(const char *path, struct err *err) MUST_CHECK;
int keyring_create(const char *path, struct err *err) MUST_CHECK; /* new random file; refuses to overwrite */
void keyring_free(struct keyring *keyring); /* wipes */
DEFINE_CLEANUP(struct keyring, keyring_free)

const uint8_t *keyring_install(const struct keyring *keyring); /* INSTALL_BYTES */
const uint8_t *keyring_scope_secret(const struct keyring *keyring); /* 32 bytes */

/* HMAC-SHA256 of `text` under the hash secret, cut to 16 bytes, with a label that keeps names and tags apart. */
void keyring_name_hash(const struct keyring *keyring, const char *label, const void *text, size_t bytes,
                       uint8_t ret_hash[NAME_HASH_BYTES]);

/* A job's data key, wrapped (AES-256-GCM) by the active key-encryption key; bound to install and job. */
int data_key_new(const struct keyring *keyring, uint64_t job, struct data_key *ret_key,
                 uint8_t ret_wrapped[WRAPPED_KEY_BYTES], struct err *err) MUST_CHECK;
int data_key_unwrap(const struct keyring *keyring, uint64_t job, const void *wrapped, size_t bytes,
                    struct data_key *ret_key, struct err *err) MUST_CHECK;

#endif
