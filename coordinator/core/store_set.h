/* A part of store_op.h: sets of jobs that are loaded by several messages and live together. */
#ifndef CORE_STORE_SET_H
#define CORE_STORE_SET_H

#include <stdint.h>

#include "base/ids.h"

struct store_set {
        struct principal_id owner;
        uint8_t set_hash[16]; /* as key_hash, of the set's name */
        struct job_id job; /* SET_JOB */
        uint64_t n; /* SET_LIVE: jobs that it must have */
};

#endif
