/* Text helpers: escaping for terminals and CSV, cutting at characters, durations, sizes, times. */
#include <string.h>

#include "base/duration.h"
#include "base/escape.h"
#include "base/utf8.h"
#include "base/xalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_terminal(const char *text, size_t bytes)
{
        CLEANUP_BUF struct buf out = { 0 };
        uint32_t code;

        escape_add_text(&out, text, bytes);
        for (size_t at = 0; at < out.n;) {
                size_t n = utf8_decode(out.bytes + at, out.bytes + out.n, &code);

                BUG_ON(!n || code < 0x20 || (code >= 0x7f && code < 0xa0));
                BUG_ON((code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069));
                at += n;
        }
}

/* Reading the field back gives the text. */
static void check_csv(const char *text, size_t bytes)
{
        CLEANUP_BUF struct buf out = { 0 };
        CLEANUP_BUF struct buf back = { 0 };

        escape_add_csv(&out, text, bytes);
        if (!out.n || out.bytes[0] != '"') {
                BUG_ON(out.n != bytes || (bytes && memchr(text, '\n', bytes)));
                return;
        }
        for (size_t i = 1; i + 1 < out.n; i++) {
                buf_add_char(&back, out.bytes[i]);
                if (out.bytes[i] == '"')
                        BUG_ON(out.bytes[++i] != '"');
        }
        BUG_ON(back.n != bytes || memcmp(back.bytes, text, bytes) != 0);
}

/* Valid text cut into pieces stays valid in every piece. */
static void check_cut(const char *text, size_t bytes)
{
        size_t cut = utf8_cut(text, bytes);

        BUG_ON(cut > bytes || bytes - cut > 3);
        for (size_t n = 0; n <= bytes && utf8_valid(text, bytes); n++)
                BUG_ON(!utf8_valid(text, utf8_cut(text, n)));
}

static void check_values(const char *text)
{
        CLEANUP_BUF struct buf out = { 0 };
        uint64_t size_of, size_again;
        int64_t value, again;

        if (duration_parse(text, &value, NULL) == 0) {
                duration_print(value, &out);
                BUG_ON(value < 0 || duration_parse(out.bytes, &again, NULL) < 0 || again != value);
        }
        buf_clear(&out);
        if (size_parse(text, &size_of, NULL) == 0) {
                size_print(size_of, &out);
                BUG_ON(size_parse(out.bytes, &size_again, NULL) < 0 || size_again != size_of);
        }
        buf_clear(&out);
        if (time_parse_us(text, &value, NULL) == 0) {
                time_print_us(value, &out);
                BUG_ON(time_parse_us(out.bytes, &again, NULL) < 0 || again != value);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        CLEANUP_WITH(xfree) char *text = xstrndup((const char *)data, size);

        if (size > 2048)
                return 0;
        check_terminal(text, size);
        check_csv(text, size);
        check_cut(text, size);
        check_values(text);
        return 0;
}
