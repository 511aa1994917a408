/* UTF-8: one decoder, and what is built on it. */
#include "base/utf8.h"

/* Bytes that the lead byte announces, and the least code point that may be written with so many; 0: no lead. */
static size_t announced(unsigned char lead)
{
        if (lead < 0x80)
                return 1;
        if (lead < 0xc2) /* a continuation, or an overlong form of ASCII */
                return 0;
        if (lead < 0xe0)
                return 2;
        if (lead < 0xf0)
                return 3;
        return lead < 0xf5 ? 4 : 0;
}

size_t utf8_decode(const char *p, const char *end, uint32_t *ret_code)
{
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        static const unsigned char lead_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
        const unsigned char *u = (const unsigned char *)p;
        size_t n;
        uint32_t code;

        if (p >= end)
                return 0;
        n = announced(u[0]);
        if (!n || (size_t)(end - p) < n)
                return 0;
        code = u[0] & lead_bits[n];
        for (size_t i = 1; i < n; i++) {
                if ((u[i] & 0xc0) != 0x80)
                        return 0;
                code = code << 6 | (u[i] & 0x3f);
        }
        if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
                return 0;
        *ret_code = code;
        return n;
}

size_t utf8_encode(uint32_t code, char out[4])
{
        if (code < 0x80) {
                out[0] = (char)code;
                return 1;
        }
        if (code < 0x800) {
                out[0] = (char)(0xc0 | code >> 6);
                out[1] = (char)(0x80 | (code & 0x3f));
                return 2;
        }
        if (code < 0x10000) {
                out[0] = (char)(0xe0 | code >> 12);
                out[1] = (char)(0x80 | (code >> 6 & 0x3f));
                out[2] = (char)(0x80 | (code & 0x3f));
                return 3;
        }
        out[0] = (char)(0xf0 | code >> 18);
        out[1] = (char)(0x80 | (code >> 12 & 0x3f));
        out[2] = (char)(0x80 | (code >> 6 & 0x3f));
        out[3] = (char)(0x80 | (code & 0x3f));
        return 4;
}

bool utf8_valid(const void *text, size_t bytes)
{
        const char *p = text;
        const char *end = bytes ? p + bytes : p; /* nothing may be NULL */

        while (p < end) {
                uint32_t code;
                size_t n = (unsigned char)*p < 0x80 ? 1 : utf8_decode(p, end, &code);

                if (!n)
                        return false;
                p += n;
        }
        return true;
}

size_t utf8_cut(const void *text, size_t bytes)
{
        const unsigned char *u = text;

        /* Look back for a lead byte that announces more than is there. */
        for (size_t back = 1; back <= 3 && back <= bytes; back++) {
                unsigned char c = u[bytes - back];

                if ((c & 0xc0) == 0x80)
                        continue;
                return announced(c) > back ? bytes - back : bytes;
        }
        return bytes;
}
