/* Data keys of jobs, unwrapped, for the thread that seals or opens. Bounded; the oldest go first. */
#ifndef ADAPTERS_STORE_KEYS_H
#define ADAPTERS_STORE_KEYS_H

#include "adapters/db.h"
#include "crypt/keyring.h"

struct store_keys;

#define STORE_KEYS_MAX 65536 /* 5 MiB; a job beyond costs one look-up when it speaks again */

struct store_keys *store_keys_new(const struct keyring *keyring);
void store_keys_free(struct store_keys *keys); /* wipes */
DEFINE_CLEANUP(struct store_keys, store_keys_free)

/* A new key for this job, in place of any that was known (a transaction that is run again). */
int store_keys_make(struct store_keys *keys, uint64_t job, struct data_key *ret_key,
                    uint8_t ret_wrapped[WRAPPED_KEY_BYTES], struct err *err) MUST_CHECK;
/* Known, or read from the database; job 0: the installation's. NOT_FOUND: no such job. */
int store_keys_get(struct store_keys *keys, struct db *db, uint64_t job, struct data_key *ret_key,
                   struct err *err) MUST_CHECK;
/* The same when the wrapped key is at hand. */
int store_keys_unwrap(struct store_keys *keys, uint64_t job, const void *wrapped, size_t bytes,
                      struct data_key *ret_key, struct err *err) MUST_CHECK;

#endif
