/* Escaping for terminals, CSV and shells. */
#include "base/escape.h"

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

static bool is_hostile(uint32_t code)
{
        return (code >= 0x80 && code < 0xa0) || code == 0x61c || code == 0x200e || code == 0x200f ||
               (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

static void add_hex(struct buf *out, char letter, uint32_t value, int digits)
{
        buf_add_char(out, '\\');
        buf_add_char(out, letter);
        for (int i = digits - 1; i >= 0; i--)
                buf_add_char(out, "0123456789abcdef"[value >> 4 * i & 15]);
}

static void add_control(struct buf *out, unsigned char c)
{
        if (c == '\n')
                buf_add_str(out, "\\n");
        else if (c == '\t')
                buf_add_str(out, "\\t");
        else if (c == '\r')
                buf_add_str(out, "\\r");
        else
                add_hex(out, 'x', c, 2);
}

void escape_add_text(struct buf *out, const char *text, size_t bytes)
{
        const char *end = text + bytes;

        for (const char *p = text; p < end;) {
                uint32_t code;
                size_t n = utf8_decode(p, end, &code);

                if (!n) {
                        add_hex(out, 'x', (unsigned char)*p, 2);
                        p++;
                        continue;
                }
                if (code < 0x20 || code == 0x7f)
                        add_control(out, (unsigned char)code);
                else if (is_hostile(code))
                        add_hex(out, 'u', code, 4);
                else
                        buf_add(out, p, n);
                p += n;
        }
}

void escape_add_short(struct buf *out, const char *text, size_t bytes, size_t max_bytes)
{
        if (bytes <= max_bytes) {
                escape_add_text(out, text, bytes);
                return;
        }
        escape_add_text(out, text, utf8_cut(text, max_bytes));
        buf_add_str(out, "\xe2\x80\xa6");
}

void escape_add_csv(struct buf *out, const char *text, size_t bytes)
{
        bool quoted = false;

        for (size_t i = 0; i < bytes && !quoted; i++)
                quoted = text[i] == ',' || text[i] == '"' || text[i] == '\r' || text[i] == '\n';
        if (!quoted) {
                buf_add(out, text, bytes);
                return;
        }
        buf_add_char(out, '"');
        for (size_t i = 0; i < bytes; i++) {
                if (text[i] == '"')
                        buf_add_char(out, '"');
                buf_add_char(out, text[i]);
        }
        buf_add_char(out, '"');
}

void escape_add_shell(struct buf *out, const char *word)
{
        static const char plain[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+=./:,@%^";

        if (*word && strspn(word, plain) == strlen(word)) {
                buf_add_str(out, word);
                return;
        }
        buf_add_char(out, '\'');
        for (const char *p = word; *p; p++) {
                if (*p == '\'')
                        buf_add_str(out, "'\\''");
                else
                        buf_add_char(out, *p);
        }
        buf_add_char(out, '\'');
}
