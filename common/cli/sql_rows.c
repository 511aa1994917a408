/* A reader for what `mariadb --xml` writes, which is simpler than XML: tags <row>, <field name="…">text</field>, <field
 * name="…" xsi:nil="true" />, and the four escapes &lt; &gt; &amp; &quot;. */
#include "cli/sql_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define VALUE_MAX ((size_t)256 << 20) /* larger than any value that the server sends */

static int bad(struct err *err)
{
        return err_set(err, ERR_INTERNAL, "the mariadb client printed something unknown");
}

/* Bytes up to `stop`, which is taken away; false at the end of the text. */
static bool read_until(struct sql_rows *rows, int stop, struct buf *out)
{
        int c;

        while ((c = getc_unlocked(rows->in)) != EOF && c != stop)
                if (out && out->n < VALUE_MAX)
                        buf_add_char(out, (char)c);
        return c == stop;
}

static char unescape_one(const char *at, size_t *ret_n)
{
        static const struct {
                const char *text;
                char c;
        } escapes[] = { { "&lt;", '<' }, { "&gt;", '>' }, { "&amp;", '&' }, { "&quot;", '"' } };

        for (size_t i = 0; i < ARRAY_LEN(escapes); i++)
                if (strncmp(at, escapes[i].text, strlen(escapes[i].text)) == 0) {
                        *ret_n = strlen(escapes[i].text);
                        return escapes[i].c;
                }
        *ret_n = 1;
        return *at;
}

/* Append `n` bytes from offset `from` of text, unescaped, over themselves. */
static size_t unescape(char *text, size_t n)
{
        size_t to = 0;

        for (size_t from = 0, used; from < n; from += used)
                text[to++] = unescape_one(text + from, &used);
        return to;
}

static int take_field(struct sql_rows *rows, struct err *err)
{
        static const char start[] = "field name=\"";
        char *name = rows->tag.bytes + strlen(start);
        char *end = strchr(name, '"');
        size_t from, i = rows->n;

        if (!end)
                return bad(err);
        if (i == rows->cap) {
                rows->cap = MAX(16, rows->cap * 2);
                rows->name_at = xrealloc(rows->name_at, rows->cap * sizeof(size_t));
                rows->text_at = xrealloc(rows->text_at, rows->cap * sizeof(size_t));
                rows->text_n = xrealloc(rows->text_n, rows->cap * sizeof(size_t));
                rows->null = xrealloc(rows->null, rows->cap * sizeof(bool));
        }
        rows->name_at[i] = rows->text.n;
        buf_add(&rows->text, name, unescape(name, (size_t)(end - name)));
        buf_add_char(&rows->text, '\0');
        rows->null[i] = strstr(end + 1, "xsi:nil=\"true\"") != NULL;
        from = rows->text.n;
        if (!rows->null[i]) {
                if (!read_until(rows, '<', &rows->text) || !read_until(rows, '>', NULL))
                        return bad(err);
                rows->text.n =
                        from +
                        (rows->text.n > from ? unescape(rows->text.bytes + from, rows->text.n - from) : 0);
        }
        rows->text_at[i] = from;
        rows->text_n[i] = rows->text.n - from;
        buf_add_char(&rows->text, '\0');
        rows->n++;
        return 0;
}

static int finish_row(struct sql_rows *rows)
{
        rows->cells = xrealloc(rows->cells, MAX(rows->n, 1) * sizeof(*rows->cells));
        rows->names = xrealloc(rows->names, MAX(rows->n, 1) * sizeof(*rows->names));
        for (size_t i = 0; i < rows->n; i++) {
                rows->names[i] = rows->text.bytes + rows->name_at[i];
                rows->cells[i] = (struct cell){ .kind = rows->null[i] ? CELL_NULL : CELL_TEXT,
                                                .text = rows->text.bytes + rows->text_at[i],
                                                .n = rows->text_n[i] };
        }
        return 1;
}

static bool is_tag(const struct sql_rows *rows, const char *start)
{
        return strncmp(rows->tag.n ? rows->tag.bytes : "", start, strlen(start)) == 0;
}

int sql_rows_next(struct sql_rows *rows, struct err *err)
{
        buf_clear(&rows->text);
        rows->n = 0;
        for (;;) {
                if (!read_until(rows, '<', NULL))
                        return 0;
                buf_clear(&rows->tag);
                if (!read_until(rows, '>', &rows->tag))
                        return bad(err);
                if (is_tag(rows, "resultset ") && ++rows->sets > 1)
                        return err_set(err, ERR_BAD_DATA,
                                       "more than one query; rows are taken of one at a time");
                if (is_tag(rows, "field name=\"") && take_field(rows, err) < 0)
                        return -1;
                if (is_tag(rows, "/row"))
                        return finish_row(rows);
        }
}

void sql_rows_done(struct sql_rows *rows)
{
        buf_done(&rows->text);
        buf_done(&rows->tag);
        xfree(rows->cells);
        xfree(rows->names);
        xfree(rows->name_at);
        xfree(rows->text_at);
        xfree(rows->text_n);
        xfree(rows->null);
}
