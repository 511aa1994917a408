/* The small readers of text: durations, sizes and times read back what they print; escaping leaves nothing that could
 * move a cursor; a stream is never cut inside a character; configuration lines and entries stay in their bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/conf.h"
#include "base/duration.h"
#include "base/escape.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "crypt/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void try_numbers(const char *text)
{
        CLEANUP_BUF struct buf out = { 0 };
        struct err err = { 0 };
        uint64_t size = 0, size_again = 0;
        int64_t ms = 0, ms_again = 0, us = 0, us_again = 0;

        if (duration_parse(text, &ms, &err) == 0) {
                duration_print(ms, &out);
                if (duration_parse(out.bytes, &ms_again, &err) < 0 || ms != ms_again)
                        abort();
        }
        buf_clear(&out);
        if (size_parse(text, &size, &err) == 0) {
                size_print(size, &out);
                if (size_parse(out.bytes, &size_again, &err) < 0 || size != size_again)
                        abort();
        }
        buf_clear(&out);
        if (time_parse_us(text, &us, &err) == 0) {
                time_print_us(us, &out);
                if (time_parse_us(out.bytes, &us_again, &err) < 0 || us != us_again)
                        abort();
        }
}

static void try_escape(const char *data, size_t bytes)
{
        CLEANUP_BUF struct buf out = { 0 };

        escape_add_text(&out, data, bytes);
        for (size_t i = 0; i < out.n; i++)
                if ((unsigned char)out.bytes[i] < 0x20 || (unsigned char)out.bytes[i] == 0x7f)
                        abort();
        if (!utf8_valid(out.bytes, out.n))
                abort();
        buf_clear(&out);
        escape_add_csv(&out, data, bytes);
}

static void try_conf(const char *data, size_t bytes)
{
        CLEANUP_CONF struct conf conf = { 0 };
        struct conf_line line;
        struct err err = { 0 };

        conf_from_text(&conf, "fuzz", data, bytes);
        while (conf_next(&conf, &line, &err) > 0)
                if (strlen(line.name) > CONF_NAME_MAX || line.name[0] < 'a' || line.name[0] > 'z')
                        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
        CLEANUP_WITH(xfree) char *text = xstrndup((const char *)data, bytes);
        const char *entry = NULL;
        size_t entry_bytes = 0;
        size_t cut = utf8_cut(data, bytes);

        try_numbers(text);
        try_escape((const char *)data, bytes);
        try_conf((const char *)data, bytes);
        if (cut > bytes || cut + 3 < bytes || (utf8_valid(data, bytes) && cut != bytes))
                abort();
        for (uint64_t k = 0; entry_find(data, bytes, k, &entry, &entry_bytes) == 0; k++)
                if ((const uint8_t *)entry < data || (const uint8_t *)entry + entry_bytes > data + bytes)
                        abort();
        return 0;
}
