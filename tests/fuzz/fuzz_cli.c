/* What the commands read of other programs and people: tables of entries, the SQL client's rows, selectors. The first
 * byte chooses. Entries that were taken can be read back, and every chunk of them fits a message. */
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/entry_list.h"
#include "cli/replace.h"
#include "cli/selector.h"
#include "cli/sql_rows.h"
#include "crypt/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int read_fn(struct entry_list *entries, FILE *file, struct err *err);

static void check_list(struct entry_list *list)
{
        uint64_t per_chunk = entry_list_per_chunk(list), seen = 0;
        struct err err = { 0 };

        while (seen < list->n) {
                CLEANUP_BUF struct buf chunk = { 0 };
                uint64_t want = MIN(per_chunk, list->n - seen);
                const char *text;
                size_t n;

                BUG_ON(entry_list_read_chunk(list, per_chunk, &chunk, &err) < 0 || chunk.n > MSG_CHUNK_MAX);
                BUG_ON(entry_find(chunk.bytes, chunk.n, want - 1, &text, &n) < 0);
                BUG_ON(entry_find(chunk.bytes, chunk.n, want, &text, &n) == 0);
                seen += want;
        }
}

static void check_table(read_fn *read, FILE *file)
{
        struct entry_list list = ENTRY_LIST_EMPTY;
        struct err err = { 0 };

        if (read(&list, file, &err) == 0)
                check_list(&list);
        else
                BUG_ON(err.code != ERR_BAD_DATA || !*err.text);
        entry_list_done(&list);
}

static void check_rows(FILE *file)
{
        CLEANUP_SQL_ROWS struct sql_rows rows = { .in = file };
        struct err err = { 0 };

        while (sql_rows_next(&rows, &err) > 0)
                for (size_t i = 0; i < rows.n; i++)
                        BUG_ON(rows.cells[i].kind == CELL_TEXT &&
                               rows.cells[i].text[rows.cells[i].n] != '\0');
}

static void check_text(const uint8_t *data, size_t size)
{
        CLEANUP_WITH(xfree) char *text = xstrndup((const char *)data, size);
        const char *values[] = { "a", text }, *columns[] = { "name", "x" };
        const struct replace replace = { values, 2, columns, 2, 7 };
        struct selector selector;
        struct err err = { 0 };
        CLEANUP_BUF struct buf out = { 0 };

        replace_add(&replace, text, &out);
        if (selector_parse(text, &selector, &err) < 0)
                return;
        for (size_t i = 1; i < selector.n_ranges; i++)
                BUG_ON(selector.ranges[i - 1].hi + 1 >= selector.ranges[i].lo);
        selector_done(&selector);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static read_fn *const readers[] = { entry_list_from_lines, entry_list_from_csv,
                                            entry_list_from_json };
        FILE *file;

        if (size < 2)
                return 0;
        if (data[0] == '4') {
                check_text(data + 1, size - 1);
                return 0;
        }
        file = fmemopen((void *)(data + 1), size - 1, "r");
        if (data[0] >= '0' && data[0] <= '2')
                check_table(readers[data[0] - '0'], file);
        else
                check_rows(file);
        fclose(file);
        return 0;
}
