/* SHA-256 by EVP. Hashing cannot fail for sane arguments; a library that says otherwise is broken: BUG. */
#include "crypt/digest.h"

#include <openssl/evp.h>

#include "base/err.h"
#include "base/xalloc.h"

struct digest {
        EVP_MD_CTX *ctx;
};

static void begin(struct digest *digest)
{
        BUG_ON(EVP_DigestInit_ex(digest->ctx, EVP_sha256(), NULL) != 1);
}

struct digest *digest_new(void)
{
        struct digest *digest = xcalloc(1, sizeof(*digest));

        digest->ctx = EVP_MD_CTX_new();
        BUG_ON(!digest->ctx);
        begin(digest);
        return digest;
}

void digest_free(struct digest *digest)
{
        if (!digest)
                return;
        EVP_MD_CTX_free(digest->ctx);
        xfree(digest);
}

void digest_add(struct digest *digest, const void *bytes, size_t n)
{
        BUG_ON(EVP_DigestUpdate(digest->ctx, bytes, n) != 1);
}

void digest_get(struct digest *digest, uint8_t ret_digest[DIGEST_BYTES])
{
        BUG_ON(EVP_DigestFinal_ex(digest->ctx, ret_digest, NULL) != 1);
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
