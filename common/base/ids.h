/* Ids are distinct types, so that one kind cannot be passed for another. 0 is "none" for all of them. */
#ifndef BASE_IDS_H
#define BASE_IDS_H

#include <stdint.h>

/* Numbers on the wire stay below 2^53, so that every JSON reader keeps them exactly. */
#define ID_MAX ((UINT64_C(1) << 53) - 1)

struct job_id {
        uint64_t n;
};
struct principal_id { /* a person, a service or a worker */
        uint32_t n;
};
struct session_id { /* one connection, named by the router adapter; never reused within a process */
        uint64_t n;
};

#endif
