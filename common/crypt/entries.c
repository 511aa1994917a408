/* Entries packed in chunks (envelope.h). Apart from the envelopes, because jobsubmit packs entries and seals nothing: it
 * then needs no cipher, and no time to load one. */
#include "crypt/bytes.h"
#include "crypt/envelope.h"

int entry_find(const void *chunk, size_t bytes, uint64_t k, const char **ret_text, size_t *ret_bytes)
{
        const uint8_t *at = chunk;
        size_t left = bytes;

        for (;;) {
                uint32_t n;

                if (left < 4)
                        return -1;
                n = get_be32(at);
                if (n > left - 4)
                        return -1;
                if (k-- == 0) {
                        *ret_text = (const char *)at + 4;
                        *ret_bytes = n;
                        return 0;
                }
                at += 4 + n;
                left -= 4 + n;
        }
}

void entry_add(struct buf *chunk, const void *text, size_t bytes)
{
        uint8_t length[4];

        BUG_ON(bytes > UINT32_MAX);
        put_be(length, bytes, 4);
        buf_add(chunk, length, sizeof(length));
        buf_add(chunk, text, bytes);
}
