/* Durations, sizes and times as people write and read them. Parsers accept the whole text or nothing; their errors
 * (BAD_DATA) name the text, what is wrong and examples that work. Nothing overflows: what does not fit is an error. */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* `30s 5m 2h 1d`, sums of them in falling order (`1d12h`), `500ms`, `HH:MM:SS` (hours may exceed 24), or plain
 * seconds. The last number may have a fraction (`0.5`, `1.5h`), kept to milliseconds. */
int duration_parse(const char *text, int64_t *ret_ms, struct err *err) MUST_CHECK;
/* The form that duration_parse reads back to the same: `1d2h3m4.005s`; `0s`. Negative ones with a minus. */
void duration_print(int64_t ms, struct buf *out);

/* Bytes: digits with K M G T (of 1024; either case) or nothing behind; a fraction is allowed before a unit. */
int size_parse(const char *text, uint64_t *ret_bytes, struct err *err) MUST_CHECK;
/* The largest unit that keeps it exact (`16M`, `1025`). */
void size_print(uint64_t bytes, struct buf *out);
/* For eyes: at most four characters, rounded: `1023`, `1.5K`, `16M`. */
void size_print_short(uint64_t bytes, struct buf *out);

/* Microseconds since 1970 as ISO 8601 UTC with all six digits: `2026-11-22T12:15:20.000000Z`. */
void time_print_us(int64_t us, struct buf *out);
/* `YYYY-MM-DD` with optional `THH:MM[:SS[.ffffff]]` (a blank may stand for T) and optional `Z`: always UTC. Years 1970
 * to 9999; days that do not exist are refused. */
int time_parse_us(const char *text, int64_t *ret_us, struct err *err) MUST_CHECK;

#endif
