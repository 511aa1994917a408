/* Decoding one object by its table. Inside of common/proto; nobody else includes this. */
#ifndef PROTO_MSG_DECODE_H
#define PROTO_MSG_DECODE_H

#include "proto/json_scan.h"
#include "proto/msg_fields.h"

struct decode { /* a text that json_scan has read */
        const char *text;
        const struct json_tokens *tokens;
        struct msg_arena *arena; /* takes whatever the struct will point to */
        struct err *err;
};

/* Members of the object that is token `at`, into `to` (zeroed by the caller). Names that are not the record's must be
 * among `others`, which somebody else decodes; others without fields: any name; NULL: none. */
int msg_decode_members(const struct decode *d, const struct record *record, size_t at, void *to,
                       const struct record *others) MUST_CHECK;
/* The value that is token `at`, as an object of that record; `name` is what errors call it. Zeroes `to`. */
int msg_decode_record(const struct decode *d, const struct record *record, size_t at, const char *name,
                      void *to) MUST_CHECK;

#endif
