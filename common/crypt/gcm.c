/* AES-256-GCM by EVP. Knows nothing of envelopes. A call to the library that cannot fail for sane arguments is an
 * invariant here: if it does fail, going on would mean writing plaintext or garbage. */
#include "crypt/gcm.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

void gcm_done(struct gcm *gcm)
{
        EVP_CIPHER_CTX_free(gcm->ctx);
        OPENSSL_cleanse(gcm, sizeof(*gcm));
}

/* Set nonce, the key only when it is another one than before, and the tag where it is known (one call: each costs a
 * look-up of its parameters by name). */
static EVP_CIPHER_CTX *ready(struct gcm *gcm, bool sealing, const uint8_t *key, const uint8_t *nonce,
                             uint8_t *tag)
{
        const OSSL_PARAM tag_param[] = {
                OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, GCM_TAG_BYTES), OSSL_PARAM_END
        };
        bool rekey = !gcm->keyed || gcm->sealing != sealing || memcmp(gcm->key, key, GCM_KEY_BYTES) != 0;

        if (!gcm->ctx) {
                gcm->ctx = EVP_CIPHER_CTX_new();
                BUG_ON(!gcm->ctx);
        }
        BUG_ON(EVP_CipherInit_ex2(gcm->ctx, gcm->keyed ? NULL : EVP_aes_256_gcm(), rekey ? key : NULL, nonce,
                                  sealing, tag ? tag_param : NULL) != 1);
        if (rekey)
                memcpy(gcm->key, key, GCM_KEY_BYTES);
        gcm->keyed = true;
        gcm->sealing = sealing;
        return gcm->ctx;
}

static void run(EVP_CIPHER_CTX *ctx, const struct gcm_text *text, uint8_t *out)
{
        int n;

        BUG_ON(text->bytes > GCM_TEXT_MAX || text->aad_bytes > GCM_TEXT_MAX);
        if (text->aad_bytes)
                BUG_ON(EVP_CipherUpdate(ctx, NULL, &n, text->aad, (int)text->aad_bytes) != 1);
        if (text->bytes)
                BUG_ON(EVP_CipherUpdate(ctx, out, &n, text->in, (int)text->bytes) != 1);
}

void gcm_seal(struct gcm *gcm, const uint8_t *key, const uint8_t *nonce, const struct gcm_text *text,
              uint8_t *out, uint8_t tag[GCM_TAG_BYTES])
{
        EVP_CIPHER_CTX *ctx = ready(gcm, true, key, nonce, NULL);
        OSSL_PARAM tag_param[] = { OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, GCM_TAG_BYTES),
                                   OSSL_PARAM_END };
        uint8_t none[GCM_TAG_BYTES];
        int n;

        run(ctx, text, out);
        BUG_ON(EVP_CipherFinal_ex(ctx, none, &n) != 1);
        BUG_ON(EVP_CIPHER_CTX_get_params(ctx, tag_param) != 1);
}

bool gcm_open(struct gcm *gcm, const uint8_t *key, const uint8_t *nonce, const struct gcm_text *text,
              uint8_t *out, const uint8_t tag[GCM_TAG_BYTES])
{
        uint8_t want[GCM_TAG_BYTES];
        uint8_t none[GCM_TAG_BYTES];
        EVP_CIPHER_CTX *ctx;
        int n;

        memcpy(want, tag, sizeof(want));
        ctx = ready(gcm, false, key, nonce, want);
        run(ctx, text, out);
        if (EVP_CipherFinal_ex(ctx, none, &n) == 1)
                return true;
        if (text->bytes)
                OPENSSL_cleanse(out, text->bytes);
        return false;
}
