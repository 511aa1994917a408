/* A part of store_op.h: bytes that jobs bring and tasks give. */
#ifndef CORE_STORE_BYTES_H
#define CORE_STORE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "proto/msg.h"

struct shared_bytes;

struct store_data { /* plaintext; the store seals it under the job's key before it leaves the process */
        struct job_id job;
        struct principal_id owner;
        uint64_t index;
        uint32_t attempt;
        enum data_kind kind;
        uint32_t part; /* output: enum stream; file: its number; result: 0 */
        uint32_t seq;
        bool final;
        int64_t recorded_us;
        const uint8_t *bytes; /* inside `keep`, or owned by it */
        size_t n_bytes;
        struct shared_bytes *keep; /* a reference on the message body */
};

struct store_chunk {
        struct job_id job;
        struct principal_id owner;
        uint32_t no;
        uint32_t part; /* 0: entries; 1…: input */
        uint32_t seq;
        const uint8_t *bytes;
        size_t n_bytes;
        struct shared_bytes *keep;
};

struct store_file {
        struct job_id job;
        struct principal_id owner;
        uint64_t index;
        uint32_t attempt;
        uint32_t file;
        char *name; /* owned; sealed by the store */
        uint64_t bytes;
        char sha256[65];
};

struct store_report {
        struct job_id job;
        struct principal_id owner;
        uint64_t index;
        uint32_t attempt;
        int64_t done, total; /* -1: not said */
        int64_t at_us;
        char *values; /* owned; JSON object, NULL: none; sealed by the store */
};

#endif
