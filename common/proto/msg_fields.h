/* The tables behind the codec, made from messages.def. Inside of common/proto; nobody else includes this. */
#ifndef PROTO_MSG_FIELDS_H
#define PROTO_MSG_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/msg.h"

#define MSG_STRS_ELEMENT_MAX 131072 /* bytes of one string in an array of strings: what execve takes as one */

enum field_kind {
        FIELD_KIND_U64,
        FIELD_KIND_I64,
        FIELD_KIND_BOOL,
        FIELD_KIND_STR,
        FIELD_KIND_NAME,
        FIELD_KIND_STRS,
        FIELD_KIND_INTS,
        FIELD_KIND_RANGES,
        FIELD_KIND_JSON,
        FIELD_KIND_ENUM,
        FIELD_KIND_REC,
        FIELD_KIND_RECS,
};

struct word_set {
        const char *(*word_of)(int number);
        int (*number_of)(const char *word); /* -1: not a word of it */
};

struct field {
        const char *name;
        const char *prefix; /* ,"name": */
        uint8_t n_name;
        uint8_t kind;
        bool required;
        uint16_t at; /* offset of the value in its struct */
        uint16_t mate; /* offset of has_name or n_name; REC: unused */
        int64_t min;
        int64_t max;
        const struct record *record; /* REC, RECS */
        const struct word_set *words; /* ENUM */
};

struct record {
        const struct field *fields;
        size_t n_fields; /* at most 64: one bit each while decoding */
        size_t bytes; /* of its struct */
};

struct kind_info {
        const char *type;
        const char *op;
        enum msg_direction direction;
        enum permission permission;
        struct record record;
};
const struct kind_info *msg_kind_info(enum msg_kind kind);
const struct record *msg_job_spec_record(void);
bool msg_may_have_body(enum msg_kind kind);

/* Memory of a decoded message: freed as one. The message itself lies in it. */
struct msg_arena *msg_arena_new(size_t expected_bytes);
void *msg_arena_alloc(struct msg_arena *arena, size_t bytes); /* aligned, not zeroed */
void msg_arena_free(struct msg_arena *arena);

/* Rules between fields, that a table cannot say. `what` is the decoded struct of the kind. */
int msg_check(const struct msg *msg, struct err *err) MUST_CHECK;
int job_spec_check(const struct rec_job_spec *spec, struct err *err) MUST_CHECK;

#endif
