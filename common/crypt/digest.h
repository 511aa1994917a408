/* SHA-256 of bytes that come piece by piece: names the content of input and output files. */
#ifndef CRYPT_DIGEST_H
#define CRYPT_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define DIGEST_BYTES 32
#define DIGEST_HEX_BYTES 64

struct digest;
struct digest *digest_new(void);
void digest_free(struct digest *digest);
DEFINE_CLEANUP(struct digest, digest_free)

void digest_add(struct digest *digest, const void *bytes, size_t n);
/* The digest of everything added; afterwards the digest is that of nothing again. */
void digest_get(struct digest *digest, uint8_t ret_digest[DIGEST_BYTES]);
void digest_hex(struct digest *digest, char ret_hex[DIGEST_HEX_BYTES + 1]); /* lower case, with a NUL */

#endif
