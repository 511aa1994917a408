/* Sealed values: AES-256-GCM. An envelope is
 *
 *   version 1 byte (1) | nonce 12 bytes, random | ciphertext | tag 16 bytes
 *
 * and opens only at the place it was sealed for. Associated data, big-endian, 62 bytes:
 *   "JM1" kind:1 install:16 owner:4 job:8 index:8 attempt:4 part:4 seq:8 final:1 zero:5
 * Fields that a kind does not use are 0 (SEAL_KIND below). */
#ifndef CRYPT_ENVELOPE_H
#define CRYPT_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "crypt/keyring.h"

#define ENVELOPE_VERSION 1
#define ENVELOPE_OVERHEAD 29

enum seal_kind {
#define SEAL_KIND(name, number, uses, table_column) SEAL_##name = number,
#include "crypt/seal_kinds.def"
#undef SEAL_KIND
};

struct seal_place {
        enum seal_kind kind;
        uint32_t owner;
        uint64_t job;
        uint64_t index;
        uint32_t attempt;
        uint32_t part;
        uint64_t seq;
        bool final;
};

/* Keeps cipher contexts and a block of random bytes; one per thread. */
struct sealer;
struct sealer *sealer_new(const struct keyring *keyring);
void sealer_free(struct sealer *sealer);
DEFINE_CLEANUP(struct sealer, sealer_free)

/* Append the envelope of `plain` to `out`. Fails only if the system has no randomness: INTERNAL. */
int seal(struct sealer *sealer, const struct data_key *key, const struct seal_place *place, const void *plain,
         size_t bytes, struct buf *out, struct err *err) MUST_CHECK;
/* Append the plaintext to `out`, only after the tag is verified. A damaged or moved envelope: BAD_DATA, text
 * "DATA_CORRUPT: <kind> of job J task I …", nothing appended.
 * The linker knows it by another name, because the SQL function unseal is in the same library. */
int unseal(struct sealer *sealer, const struct data_key *key, const struct seal_place *place,
           const void *envelope, size_t bytes, struct buf *out,
           struct err *err) __asm__("envelope_unseal") MUST_CHECK;

/* Entries of a job, packed in chunks: for each entry a big-endian 32-bit length, then its values separated by NUL.
 * Find entry k (from 0): 0 and the borrowed bytes, or -1 if the chunk is malformed or has fewer. */
int entry_find(const void *chunk, size_t bytes, uint64_t k, const char **ret_text, size_t *ret_bytes);
/* How much of an entry is for people: a value that begins with a byte 1, and all behind it, is not (a graph's edges). */
static inline size_t entry_shown(const char *text, size_t n)
{
        for (size_t i = 0; i + 1 < n; i++)
                if (text[i] == '\0' && text[i + 1] == 1)
                        return i;
        return n;
}
void entry_add(struct buf *chunk, const void *text, size_t bytes);

#endif
