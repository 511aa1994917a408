/* The SHA-256 values that the core needs with a submission: it has no cryptography of its own. */
#ifndef ADAPTERS_DIGESTS_H
#define ADAPTERS_DIGESTS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/msg.h"

struct digests { /* reusable; zero-initialised is empty */
        uint8_t (*key_hash)[16]; /* first half of SHA-256 of the idempotency key */
        uint8_t (*digest)[32]; /* SHA-256 of the encoded description */
        size_t n, cap;
        struct buf scratch;
};

/* Fills *digests for `submit` (one of each a job) and `put` (one key_hash); n is 0 for any other message. */
void digests_of(struct digests *digests, const struct msg *msg);
void digests_done(struct digests *digests);

#endif
