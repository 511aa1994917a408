/* Array text and ranges: the count is what counting one by one gives, print and parse are inverse. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "proto/array_text.h"

#define COUNT_MAX 200000 /* beyond, counting one by one takes too long here */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int by_value(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

static void check_count(const struct array_text *array)
{
        CLEANUP_WITH(xfree) uint64_t *all = NULL;
        uint64_t n = 0;

        if (array->tasks > COUNT_MAX)
                return;
        all = xcalloc(array->tasks, sizeof(*all));
        for (size_t i = 0; i < array->n_parts; i++)
                for (uint64_t x = array->parts[i].lo; x <= array->parts[i].hi;
                     x += array_part_step(&array->parts[i])) {
                        BUG_ON(n == array->tasks);
                        all[n++] = x;
                }
        BUG_ON(n != array->tasks);
        qsort(all, n, sizeof(*all), by_value);
        for (uint64_t i = 1; i < n; i++)
                BUG_ON(all[i] == all[i - 1]);
}

static void check_array(const char *text)
{
        struct array_text array = { 0 }, again = { 0 };
        CLEANUP_BUF struct buf once = { 0 };
        CLEANUP_BUF struct buf twice = { 0 };
        uint64_t tasks;

        if (array_text_parse(text, &array, NULL) < 0)
                return;
        BUG_ON(array_parts_check(array.parts, array.n_parts, &tasks, NULL) < 0 || tasks != array.tasks);
        check_count(&array);
        array_text_print(array.parts, array.n_parts, array.max_running, &once);
        BUG_ON(array_text_parse(once.bytes, &again, NULL) < 0 || again.tasks != array.tasks);
        array_text_print(again.parts, again.n_parts, again.max_running, &twice);
        BUG_ON(strcmp(once.bytes, twice.bytes) != 0);
        array_text_done(&array);
        array_text_done(&again);
}

static void check_ranges(const char *text)
{
        CLEANUP_WITH(xfree) struct range *ranges = NULL;
        size_t n;

        if (ranges_parse(text, 4096, &ranges, &n, NULL) < 0)
                return;
        BUG_ON(n == 0 || n > 4096);
        for (size_t i = 0; i < n; i++)
                BUG_ON(ranges[i].lo > ranges[i].hi || (i && ranges[i].lo <= ranges[i - 1].hi + 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        CLEANUP_WITH(xfree) char *text = xstrndup((const char *)data, size);

        check_array(text);
        check_ranges(text);
        return 0;
}
