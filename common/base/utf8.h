/* UTF-8 as Unicode defines it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decode the character at `p`, which ends before `end`: its bytes (1-4) and the code point, or 0 when there is no
 * whole valid character. U+0000 is a character of one byte. */
size_t utf8_decode(const char *p, const char *end, uint32_t *ret_code);

/* Append the UTF-8 form of `code` (a valid scalar value) to out: its bytes, 1-4. */
size_t utf8_encode(uint32_t code, char out[4]);

/* True if all of it is valid. `text` may hold U+0000. */
bool utf8_valid(const void *text, size_t bytes);

/* Where to cut a stream so that no character is cut in two: the largest n <= bytes such that the last characters
 * before n are whole. A tail that cannot become a character by more bytes is not held back (what is no UTF-8 stays
 * as it is, only its place in the chunks is free). Never less than bytes - 3. */
size_t utf8_cut(const void *text, size_t bytes);

#endif
