/* Envelopes. Invariants:
 * 1. No nonce is used twice: 12 random bytes each, drawn in blocks; a block does not survive into a forked child.
 * 2. Plaintext reaches the caller only after its tag was verified; the room it stood in is wiped otherwise.
 * 3. An envelope opens only at the place (kind, owner, job, …, install) it was sealed for. */
#include "crypt/envelope.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/xalloc.h"
#include "crypt/bytes.h"
#include "crypt/gcm.h"

#define AAD_BYTES 62
#define NONCES 340 /* what fits one page; RAND_bytes costs 0.6 µs however few it draws */

/* In a mapping of its own that the kernel clears in a forked child: `left` is 0 there, and the child draws anew. */
struct nonces {
        size_t left;
        uint8_t bytes[NONCES * GCM_NONCE_BYTES];
};

struct sealer {
        uint8_t install[INSTALL_BYTES];
        struct gcm seal;
        struct gcm open;
        struct nonces *nonces; /* NULL until the first value is sealed: readers never need it */
};

struct sealer *sealer_new(const struct keyring *keyring)
{
        struct sealer *sealer = xcalloc(1, sizeof(*sealer));

        memcpy(sealer->install, keyring_install(keyring), INSTALL_BYTES);
        return sealer;
}

void sealer_free(struct sealer *sealer)
{
        if (!sealer)
                return;
        gcm_done(&sealer->seal);
        gcm_done(&sealer->open);
        if (sealer->nonces)
                munmap(sealer->nonces, sizeof(struct nonces));
        OPENSSL_cleanse(sealer, sizeof(*sealer));
        free(sealer);
}

static const char *kind_word(enum seal_kind kind)
{
        switch (kind) {
#define SEAL_KIND(name, number, uses, table_column)                                                          \
        case SEAL_##name:                                                                                    \
                return table_column;
#include "crypt/seal_kinds.def"
#undef SEAL_KIND
        }
        return "a kind that there is not";
}

static void place_aad(const struct sealer *sealer, const struct seal_place *place, uint8_t aad[AAD_BYTES])
{
        uint8_t *at = aad;

        memcpy(at, "JM1", 3);
        at = put_be(at + 3, place->kind, 1);
        memcpy(at, sealer->install, INSTALL_BYTES);
        at = put_be(at + INSTALL_BYTES, place->owner, 4);
        at = put_be(at, place->job, 8);
        at = put_be(at, place->index, 8);
        at = put_be(at, place->attempt, 4);
        at = put_be(at, place->part, 4);
        at = put_be(at, place->seq, 8);
        at = put_be(at, place->final, 1);
        put_be(at, 0, 5);
}

static struct nonces *nonces_new(void)
{
        void *page =
                mmap(NULL, sizeof(struct nonces), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        BUG_ON(page == MAP_FAILED || madvise(page, sizeof(struct nonces), MADV_WIPEONFORK) < 0);
        return page;
}

/* The next unused nonce, borrowed until the call after it; NULL without randomness. */
static const uint8_t *next_nonce(struct sealer *sealer)
{
        struct nonces *nonces = sealer->nonces;

        if (!nonces)
                nonces = sealer->nonces = nonces_new();
        if (nonces->left == 0) {
                if (RAND_bytes(nonces->bytes, sizeof(nonces->bytes)) != 1)
                        return NULL;
                nonces->left = NONCES;
        }
        nonces->left--;
        return nonces->bytes + nonces->left * GCM_NONCE_BYTES;
}

int seal(struct sealer *sealer, const struct data_key *key, const struct seal_place *place, const void *plain,
         size_t bytes, struct buf *out, struct err *err)
{
        const uint8_t *nonce = next_nonce(sealer);
        uint8_t aad[AAD_BYTES];
        uint8_t *at;

        if (!nonce)
                return err_set(err, ERR_INTERNAL, "the system gives no random bytes");
        place_aad(sealer, place, aad);
        buf_reserve(out, bytes + ENVELOPE_OVERHEAD);
        at = (uint8_t *)out->bytes + out->n;
        *at++ = ENVELOPE_VERSION;
        memcpy(at, nonce, GCM_NONCE_BYTES);
        at += GCM_NONCE_BYTES;
        gcm_seal(&sealer->seal, key->bytes, nonce,
                 &(struct gcm_text){ .aad = aad, .aad_bytes = sizeof(aad), .in = plain, .bytes = bytes }, at,
                 at + bytes);
        out->n += bytes + ENVELOPE_OVERHEAD;
        out->bytes[out->n] = '\0';
        return 0;
}

static int corrupt(const struct seal_place *place, const char *why, struct err *err)
{
        return err_set(err, ERR_BAD_DATA,
                       "DATA_CORRUPT: %s of job %" PRIu64 " task %" PRIu64 " attempt %" PRIu32
                       " part %" PRIu32 " seq %" PRIu64 " %s",
                       kind_word(place->kind), place->job, place->index, place->attempt, place->part,
                       place->seq, why);
}

int unseal(struct sealer *sealer, const struct data_key *key, const struct seal_place *place,
           const void *envelope, size_t bytes, struct buf *out, struct err *err)
{
        const uint8_t *at = envelope;
        uint8_t aad[AAD_BYTES];
        size_t plain_bytes;

        if (bytes < ENVELOPE_OVERHEAD || bytes - ENVELOPE_OVERHEAD > GCM_TEXT_MAX ||
            at[0] != ENVELOPE_VERSION)
                return corrupt(place, "is no envelope", err);
        plain_bytes = bytes - ENVELOPE_OVERHEAD;
        place_aad(sealer, place, aad);
        buf_reserve(out, plain_bytes);
        if (!gcm_open(&sealer->open, key->bytes, at + 1,
                      &(struct gcm_text){ .aad = aad,
                                          .aad_bytes = sizeof(aad),
                                          .in = at + 1 + GCM_NONCE_BYTES,
                                          .bytes = plain_bytes },
                      (uint8_t *)out->bytes + out->n, at + 1 + GCM_NONCE_BYTES + plain_bytes)) {
                out->bytes[out->n] = '\0';
                return corrupt(place, "was damaged or moved", err);
        }
        out->n += plain_bytes;
        out->bytes[out->n] = '\0';
        return 0;
}
