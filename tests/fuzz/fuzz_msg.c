/* The decoder, in each direction: whatever it accepts it writes back to a form that it reads as the same. The first
 * byte chooses the direction, the rest is the header; a message that announces a body gets one of that many bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "proto/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct msg *decode(enum msg_direction direction, const void *header, size_t header_bytes)
{
        static const size_t sizes[] = { 0, 1, 2, 5, 100, 4096 };
        struct err err = { 0 };
        uint64_t id = 0;

        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                CLEANUP_WITH(xfree) char *body = xcalloc(1, sizes[i] + 1);
                struct msg *msg = msg_decode(direction, header, header_bytes, sizes[i] ? body : NULL,
                                             sizes[i], &id, &err);

                if (msg)
                        return msg;
        }
        return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
        CLEANUP_BUF struct buf once = { 0 };
        CLEANUP_BUF struct buf twice = { 0 };
        enum msg_direction direction;
        struct msg *first;
        struct msg *second;

        if (bytes == 0)
                return 0;
        direction = (enum msg_direction)(data[0] % 4);
        first = decode(direction, data + 1, bytes - 1);
        if (!first)
                return 0;
        msg_encode(first, &once);
        second = decode(direction, once.bytes, once.n);
        if (!second)
                abort();
        msg_encode(second, &twice);
        if (once.n != twice.n || memcmp(once.bytes, twice.bytes, once.n) != 0)
                abort();
        msg_free(first);
        msg_free(second);
        return 0;
}
