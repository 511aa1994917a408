/* AES-256-GCM by EVP. Knows nothing of envelopes. A call to the library that cannot fail for sane arguments is an
 * invariant here: if it does fail, going on would mean writing plaintext or garbage. */
#include "crypt/gcm.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

void gcm_done(struct gcm *gcm)
{
        EVP_CIPHER_CTX_free(gcm->ctx);
        OPENSSL_cleanse(gcm, sizeof(*gcm));
}

/* Set key and nonce, the key only when it is another one than before. */
static EVP_CIPHER_CTX *ready(struct gcm *gcm, bool sealing, const uint8_t *key, const uint8_t *nonce)
{
        bool rekey = !gcm->keyed || gcm->sealing != sealing || memcmp(gcm->key, key, GCM_KEY_BYTES) != 0;

        if (!gcm->ctx) {
                gcm->ctx = EVP_CIPHER_CTX_new();
                BUG_ON(!gcm->ctx);
        }
        BUG_ON(EVP_CipherInit_ex(gcm->ctx, gcm->keyed ? NULL : EVP_aes_256_gcm(), NULL, rekey ? key : NULL,
                                 nonce, sealing) != 1);
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
        EVP_CIPHER_CTX *ctx = ready(gcm, true, key, nonce);
        uint8_t none[GCM_TAG_BYTES];
        int n;

        run(ctx, text, out);
        BUG_ON(EVP_CipherFinal_ex(ctx, none, &n) != 1);
        BUG_ON(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_BYTES, tag) != 1);
}

bool gcm_open(struct gcm *gcm, const uint8_t *key, const uint8_t *nonce, const struct gcm_text *text,
              uint8_t *out, const uint8_t tag[GCM_TAG_BYTES])
{
        EVP_CIPHER_CTX *ctx = ready(gcm, false, key, nonce);
        uint8_t want[GCM_TAG_BYTES];
        uint8_t none[GCM_TAG_BYTES];
        int n;

        memcpy(want, tag, sizeof(want));
        run(ctx, text, out);
        BUG_ON(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_BYTES, want) != 1);
        if (EVP_CipherFinal_ex(ctx, none, &n) == 1)
                return true;
        if (text->bytes)
                OPENSSL_cleanse(out, text->bytes);
        return false;
}
