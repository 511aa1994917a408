/* A part of store_op.h: secrets of people. */
#ifndef CORE_STORE_SECRET_H
#define CORE_STORE_SECRET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ids.h"

struct shared_bytes;

struct store_secret {
        struct principal_id owner;
        char name[65];
        bool removed;
        int64_t at_us;
        struct shared_bytes *value; /* owned; NULL with removed. Wiped when freed */
};

struct store_find_secret {
        struct principal_id owner;
        char name[65];

        bool found;
        uint64_t count; /* of all that he has */
};

#endif
