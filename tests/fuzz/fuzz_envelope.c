/* Envelopes: random bytes never open, sealed ones open at their place with exactly their bytes and, with any bit changed
 * or at any other place, not at all. Entries of a chunk are never read beyond it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "crypt/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct scene {
        struct keyring *keyring;
        struct sealer *sealer;
        struct data_key key;
};

static const struct scene *scene_get(void)
{
        static struct scene scene; /* libFuzzer calls one function for ever */
        char folder[] = "/tmp/fuzz_envelope.XXXXXX";
        char path[100];
        uint8_t wrapped[WRAPPED_KEY_BYTES];

        if (scene.keyring)
                return &scene;
        BUG_ON(!mkdtemp(folder));
        snprintf(path, sizeof(path), "%s/keyring", folder);
        BUG_ON(keyring_create(path, NULL) < 0);
        scene.keyring = keyring_load(path, NULL);
        BUG_ON(!scene.keyring || data_key_new(scene.keyring, 7, &scene.key, wrapped, NULL) < 0);
        scene.sealer = sealer_new(scene.keyring);
        unlink(path);
        rmdir(folder);
        return &scene;
}

static void check_random(const struct scene *scene, const struct seal_place *place, const uint8_t *data,
                         size_t size)
{
        CLEANUP_BUF struct buf out = { 0 };

        BUG_ON(unseal(scene->sealer, &scene->key, place, data, size, &out, NULL) == 0);
        BUG_ON(out.n != 0);
}

static void check_sealed(const struct scene *scene, struct seal_place place, const uint8_t *data, size_t size)
{
        CLEANUP_BUF struct buf sealed = { 0 };
        CLEANUP_BUF struct buf out = { 0 };
        size_t bit;

        BUG_ON(seal(scene->sealer, &scene->key, &place, data, size, &sealed, NULL) < 0);
        BUG_ON(unseal(scene->sealer, &scene->key, &place, sealed.bytes, sealed.n, &out, NULL) < 0);
        BUG_ON(out.n != size || (size && memcmp(out.bytes, data, size) != 0));
        buf_clear(&out);
        bit = (size ? data[0] * 131 + data[size - 1] : 5) % (sealed.n * 8);
        sealed.bytes[bit / 8] ^= (char)(1 << bit % 8);
        BUG_ON(unseal(scene->sealer, &scene->key, &place, sealed.bytes, sealed.n, &out, NULL) == 0 || out.n);
        sealed.bytes[bit / 8] ^= (char)(1 << bit % 8);
        BUG_ON(unseal(scene->sealer, &scene->key, &place, sealed.bytes, sealed.n - 1, &out, NULL) == 0 ||
               out.n);
        place.index++;
        BUG_ON(unseal(scene->sealer, &scene->key, &place, sealed.bytes, sealed.n, &out, NULL) == 0 || out.n);
}

static void check_entries(const uint8_t *data, size_t size)
{
        CLEANUP_WITH(xfree) uint8_t *chunk = xmemdup(data, size);
        const char *text;
        size_t n, sum = 0;

        for (uint64_t k = 0; k < 64 && entry_find(chunk, size, k, &text, &n) == 0; k++) {
                BUG_ON(n > size || text < (const char *)chunk || text + n > (const char *)chunk + size);
                for (size_t i = 0; i < n; i++)
                        sum += (unsigned char)text[i];
        }
        BUG_ON(sum > size * 64 * 255);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const struct scene *scene = scene_get();
        struct seal_place place = { .kind = SEAL_RESULT, .owner = 1, .job = 7, .index = 3, .attempt = 1 };

        check_random(scene, &place, data, size);
        check_sealed(scene, place, data, size);
        check_entries(data, size);
        return 0;
}
