/* Big-endian numbers and hexadecimal digits, as they stand in envelopes and in the key ring. */
#ifndef CRYPT_BYTES_H
#define CRYPT_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline uint8_t *put_be(uint8_t *at, uint64_t n, unsigned bytes)
{
        for (unsigned i = 0; i < bytes; i++)
                at[i] = (uint8_t)(n >> (8 * (bytes - 1 - i)));
        return at + bytes;
}

static inline uint32_t get_be32(const uint8_t *at)
{
        return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Exactly `bytes` bytes from 2 * bytes digits; the rest of the text is the caller's. */
static inline bool hex_read(const char *digits, size_t n_digits, uint8_t *into, size_t bytes)
{
        if (n_digits != 2 * bytes)
                return false;
        for (size_t i = 0; i < bytes; i++) {
                int high = hex_digit(digits[2 * i]);
                int low = hex_digit(digits[2 * i + 1]);

                if (high < 0 || low < 0)
                        return false;
                into[i] = (uint8_t)(high << 4 | low);
        }
        return true;
}

static inline void hex_write(const uint8_t *bytes, size_t n, char *into) /* 2 * n digits and a NUL */
{
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < n; i++) {
                into[2 * i] = digits[bytes[i] >> 4];
                into[2 * i + 1] = digits[bytes[i] & 15];
        }
        into[2 * n] = '\0';
}

#endif
