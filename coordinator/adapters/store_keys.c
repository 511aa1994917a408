/* A cache of unwrapped data keys, in the order in which they came (uthash keeps it). */
#include "adapters/store_keys.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/xalloc.h"

struct slot {
        uint64_t job;
        struct data_key key;
        UT_hash_handle hh;
};
struct store_keys {
        const struct keyring *keyring;
        struct slot *slots;
};

struct store_keys *store_keys_new(const struct keyring *keyring)
{
        struct store_keys *keys = xcalloc(1, sizeof(*keys));

        keys->keyring = keyring;
        return keys;
}

static void drop(struct store_keys *keys, struct slot *slot)
{
        HASH_DEL(keys->slots, slot);
        explicit_bzero(slot, sizeof(*slot));
        free(slot);
}

void store_keys_free(struct store_keys *keys)
{
        if (!keys)
                return;
        while (keys->slots)
                drop(keys, keys->slots);
        free(keys);
}

static void keep(struct store_keys *keys, uint64_t job, const struct data_key *key)
{
        struct slot *slot;

        HASH_FIND(hh, keys->slots, &job, sizeof(job), slot);
        if (slot) {
                slot->key = *key;
                return;
        }
        if (HASH_COUNT(keys->slots) >= STORE_KEYS_MAX)
                drop(keys, keys->slots);
        slot = xcalloc(1, sizeof(*slot));
        slot->job = job;
        slot->key = *key;
        HASH_ADD(hh, keys->slots, job, sizeof(slot->job), slot);
}

int store_keys_make(struct store_keys *keys, uint64_t job, struct data_key *ret_key,
                    uint8_t ret_wrapped[WRAPPED_KEY_BYTES], struct err *err)
{
        if (data_key_new(keys->keyring, job, ret_key, ret_wrapped, err) < 0)
                return -1;
        keep(keys, job, ret_key);
        return 0;
}

int store_keys_unwrap(struct store_keys *keys, uint64_t job, const void *wrapped, size_t bytes,
                      struct data_key *ret_key, struct err *err)
{
        const struct slot *slot;

        HASH_FIND(hh, keys->slots, &job, sizeof(job), slot);
        if (slot) {
                *ret_key = slot->key;
                return 0;
        }
        if (data_key_unwrap(keys->keyring, job, wrapped, bytes, ret_key, err) < 0)
                return -1;
        keep(keys, job, ret_key);
        return 0;
}

static int read_key(struct store_keys *keys, struct db *db, uint64_t job, struct data_key *ret_key,
                    struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        int more;

        db_args_init(&args, "job:u");
        db_put_u64(&args, job);
        if (db_read(db, job ? "job_wrapped_key" : "install_wrapped_key", job ? &args : NULL, &rows, err) < 0)
                return -1;
        while ((more = db_next(&rows, err)) > 0) {
                size_t n;
                const char *wrapped = db_bytes(&rows, 0, &n);

                return store_keys_unwrap(keys, job, wrapped, n, ret_key, err);
        }
        return more < 0 ? -1 : err_set(err, ERR_NOT_FOUND, "no job %" PRIu64, job);
}

int store_keys_get(struct store_keys *keys, struct db *db, uint64_t job, struct data_key *ret_key,
                   struct err *err)
{
        const struct slot *slot;

        HASH_FIND(hh, keys->slots, &job, sizeof(job), slot);
        if (!slot)
                return read_key(keys, db, job, ret_key, err);
        *ret_key = slot->key;
        return 0;
}
