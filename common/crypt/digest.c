/* SHA-256 by libcrypto's plain functions. EVP would bring all of the library's providers into a program that only hashes,
 * and jobsubmit, which runs once for every job, is linked without the shared library for the time that loading it takes.
 * Hashing cannot fail for sane arguments; a library that says otherwise is broken: BUG. */
#define OPENSSL_API_COMPAT 10100 /* these functions are not deprecated there */

#include "crypt/digest.h"

#include <openssl/sha.h>

#include "base/err.h"
#include "base/xalloc.h"

struct digest {
        SHA256_CTX ctx;
};

static void begin(struct digest *digest)
{
        BUG_ON(SHA256_Init(&digest->ctx) != 1);
}

struct digest *digest_new(void)
{
        struct digest *digest = xcalloc(1, sizeof(*digest));

        begin(digest);
        return digest;
}

void digest_free(struct digest *digest)
{
        xfree(digest);
}

void digest_add(struct digest *digest, const void *bytes, size_t n)
{
        BUG_ON(SHA256_Update(&digest->ctx, bytes, n) != 1);
}

void digest_get(struct digest *digest, uint8_t ret_digest[DIGEST_BYTES])
{
        BUG_ON(SHA256_Final(ret_digest, &digest->ctx) != 1);
        begin(digest);
}

void digest_hex(struct digest *digest, char ret_hex[DIGEST_HEX_BYTES + 1])
{
        static const char digits[] = "0123456789abcdef";
        uint8_t bytes[DIGEST_BYTES];

        digest_get(digest, bytes);
        for (size_t i = 0; i < DIGEST_BYTES; i++) {
                ret_hex[2 * i] = digits[bytes[i] >> 4];
                ret_hex[2 * i + 1] = digits[bytes[i] & 15];
        }
        ret_hex[DIGEST_HEX_BYTES] = '\0';
}
