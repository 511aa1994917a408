/* Array text: what is accepted prints to a text that parses to the same; a small array has exactly the indexes that
 * walking its parts finds, none twice. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "proto/array_text.h"

#define SMALL 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void count_by_walking(const struct array_text *array)
{
        CLEANUP_WITH(xfree) unsigned char *seen = NULL;
        uint64_t count = 0;

        for (size_t i = 0; i < array->n_parts; i++)
                if (array->parts[i].hi >= SMALL)
                        return;
        seen = xcalloc(1, SMALL);
        for (size_t i = 0; i < array->n_parts; i++) {
                const struct rec_array_part *part = &array->parts[i];

                for (uint64_t index = part->lo; index <= part->hi; index += array_part_step(part)) {
                        if (seen[index]++)
                                abort();
                        count++;
                }
        }
        if (count != array->tasks)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
        CLEANUP_WITH(xfree) char *text = xstrndup((const char *)data, bytes);
        CLEANUP_BUF struct buf once = { 0 };
        CLEANUP_BUF struct buf twice = { 0 };
        struct array_text first = { 0 };
        struct array_text second = { 0 };
        struct err err = { 0 };

        if (array_text_parse(text, &first, &err) < 0)
                return 0;
        count_by_walking(&first);
        array_text_print(first.parts, first.n_parts, first.max_running, &once);
        if (array_text_parse(once.bytes, &second, &err) < 0)
                abort();
        array_text_print(second.parts, second.n_parts, second.max_running, &twice);
        if (first.tasks != second.tasks || strcmp(once.bytes, twice.bytes) != 0)
                abort();
        array_text_done(&first);
        array_text_done(&second);
        return 0;
}
