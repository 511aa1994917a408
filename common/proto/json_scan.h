/* The strict JSON reader: one pass over the bytes, no recursion, no floating point, no hash table.
 *
 * It accepts the grammar of RFC 8259 and nothing else: no byte order mark, no bytes after the value, no control
 * characters in strings, valid UTF-8 only. What a message may hold is narrower still (json_scan).
 *
 * Why not a tree of json-c here (json_pretty has one, for people): it costs three to five times as much for the
 * messages of the hot path (bench_codec.c prints both), takes up to 264 bytes of memory for a byte of text, and lets
 * through doubled members, NaN, saturated integers and U+0000, so that every byte had to be checked here first
 * anyway. json-c judges this reader in tests/fuzz.
 */
#ifndef PROTO_JSON_SCAN_H
#define PROTO_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define JSON_INTEGER_MAX ((INT64_C(1) << 53) - 1)
#define JSON_TOKENS_MAX 400000 /* 4 arrays of 65536 numbers and more; bounds the tokens at 10 MiB */
#define JSON_MEMBERS_MAX 64 /* of one object */
#define JSON_KEY_MAX 64 /* bytes */

enum json_kind {
        JSON_KIND_NULL,
        JSON_KIND_FALSE,
        JSON_KIND_TRUE,
        JSON_KIND_INTEGER, /* digits only, within +-(2^53-1), not -0 */
        JSON_KIND_NUMBER, /* any other number */
        JSON_KIND_STRING,
        JSON_KIND_ARRAY,
        JSON_KIND_OBJECT, /* members are pairs of tokens: key (a string without escapes), value */
};

/* Values in the order of the text. A container is followed by what it holds; `next` is the token behind all that. */
struct json_token {
        uint32_t at; /* first byte; of a string: behind its quote */
        uint32_t end; /* behind the last byte; of a string: at its closing quote */
        union {
                int64_t integer;
                struct {
                        uint32_t n; /* elements or members */
                        uint32_t next;
                };
        };
        uint8_t kind;
        bool escaped; /* a string that holds escapes: json_unescape */
};

struct json_tokens {
        struct json_token *list;
        size_t n;
        size_t cap;
        size_t most; /* 0: JSON_TOKENS_MAX */
};
void json_tokens_done(struct json_tokens *tokens);

/* Read a message's text into tokens. Refuses beside bad grammar: nesting over depth_max, U+0000 in any form,
 * escapes that are half a surrogate pair (BAD_JSON); NaN and Infinity (BAD_FIELD); JSON_TOKENS_MAX, JSON_MEMBERS_MAX, JSON_KEY_MAX (TOO_LARGE).
 * Doubled members are found by whoever knows the object, or by json_no_doubles. The text of an error never holds
 * input. `bytes` < 2^32. Linear; the only memory is `tokens`, 24 bytes for each. */
int json_scan(const char *text, size_t bytes, size_t depth_max, struct json_tokens *tokens,
              struct err *err) MUST_CHECK;

/* No object at or below token `at` has a member twice: 0, else BAD_JSON. */
int json_no_doubles(const char *text, const struct json_tokens *tokens, size_t at,
                    struct err *err) MUST_CHECK;

/* The token behind token `at` and everything inside it. */
static inline size_t json_next(const struct json_token *list, size_t at)
{
        return list[at].kind >= JSON_KIND_ARRAY ? list[at].next : at + 1;
}

/* Write the string's bytes to `out`, which has room for end - at of them; returns how many they are. */
size_t json_unescape(const char *text, const struct json_token *string, char *out);

/* Is this one JSON value, as a task may leave it in $JOB_RESULT? Any nesting, any number, any escapes, members may
 * be doubled. BAD_JSON with the place otherwise. Linear; memory up to an eighth of `bytes`. */
int json_check(const char *text, size_t bytes, struct err *err) MUST_CHECK;

#endif
