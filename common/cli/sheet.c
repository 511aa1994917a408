/* Rows on stdout in three forms. In a table every control character is escaped, terminal or not, so that a name can
 * neither move the cursor nor fake a line; CSV and JSON carry the exact text in their own escaping. */
#include "cli/sheet.h"

#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/xalloc.h"

#define PAGE_ROWS 1000 /* rows that a table measures together */
#define WIDTH_MAX 60 /* longer texts do not push the columns behind them apart */
#define FLUSH_BYTES 65536

struct sheet {
        const struct cli *cli;
        char **columns;
        size_t n_columns;
        size_t json_column; /* n_columns: none */
        struct buf out;
        bool failed; /* stdout took no more */
        uint64_t n_rows; /* printed */
        /* tables */
        char **page; /* cells of the rows measured so far, escaped */
        size_t n_page, cap_page;
        size_t *widths;
        bool *text_columns; /* some cell is no number: align left */
        bool had_header;
};

struct sheet *sheet_new(const struct cli *cli, const char *schema, const char *const *columns,
                        size_t n_columns, const char *json_column)
{
        struct sheet *sheet = xcalloc(1, sizeof(*sheet));

        sheet->cli = cli;
        sheet->n_columns = n_columns;
        sheet->json_column = n_columns;
        sheet->columns = xcalloc(MAX(n_columns, 1), sizeof(*sheet->columns));
        sheet->widths = xcalloc(MAX(n_columns, 1), sizeof(*sheet->widths));
        sheet->text_columns = xcalloc(MAX(n_columns, 1), sizeof(*sheet->text_columns));
        for (size_t i = 0; i < n_columns; i++) {
                sheet->columns[i] = xstrdup(columns[i]);
                if (json_column && strcmp(columns[i], json_column) == 0)
                        sheet->json_column = i;
        }
        if (cli->form == CLI_FORM_JSON)
                buf_addf(&sheet->out, "{\"schema\":\"%s\",\"rows\":[", schema);
        if (cli->form == CLI_FORM_CSV)
                for (size_t i = 0; i < n_columns; i++) {
                        escape_add_csv(&sheet->out, columns[i], strlen(columns[i]));
                        buf_add_char(&sheet->out, i + 1 < n_columns ? ',' : '\n');
                }
        return sheet;
}

static void clear_page(struct sheet *sheet)
{
        for (size_t i = 0; i < sheet->n_page; i++)
                xfree(sheet->page[i]);
        sheet->n_page = 0;
}

void sheet_free(struct sheet *sheet)
{
        if (!sheet)
                return;
        clear_page(sheet);
        for (size_t i = 0; i < sheet->n_columns; i++)
                xfree(sheet->columns[i]);
        xfree(sheet->columns);
        xfree(sheet->page);
        xfree(sheet->widths);
        xfree(sheet->text_columns);
        buf_done(&sheet->out);
        xfree(sheet);
}

static void write_out(struct sheet *sheet, size_t from)
{
        struct err err;

        if (sheet->out.n < from)
                return;
        if (!sheet->failed && cli_write(sheet->out.bytes, sheet->out.n, &err) < 0)
                sheet->failed = true;
        buf_clear(&sheet->out);
}

/* --- tables ---------------------------------------------------------------------------------------------------- */
static size_t columns_of(const char *text)
{
        size_t columns = 0;

        for (; *text; text++)
                columns += ((unsigned char)*text & 0xC0) != 0x80;
        return columns;
}

static void add_field(struct sheet *sheet, size_t column, const char *text)
{
        size_t taken = columns_of(text), width = sheet->widths[column];
        size_t pad = taken < width ? width - taken : 0;
        bool last = column + 1 == sheet->n_columns;

        if (column)
                buf_add_str(&sheet->out, "  ");
        if (!sheet->text_columns[column])
                for (size_t i = 0; i < pad; i++)
                        buf_add_char(&sheet->out, ' ');
        buf_add_str(&sheet->out, text);
        if (sheet->text_columns[column] && !last)
                for (size_t i = 0; i < pad; i++)
                        buf_add_char(&sheet->out, ' ');
        if (last)
                buf_add_char(&sheet->out, '\n');
}

static void print_header(struct sheet *sheet)
{
        sheet->had_header = true;
        if (sheet->cli->quiet)
                return;
        for (size_t i = 0; i < sheet->n_columns; i++) {
                CLEANUP_WITH(xfree) char *upper = xstrdup(sheet->columns[i]);

                for (char *p = upper; *p; p++)
                        if (*p >= 'a' && *p <= 'z')
                                *p = (char)(*p - 'a' + 'A');
                add_field(sheet, i, upper);
        }
}

static void print_page(struct sheet *sheet)
{
        if (!sheet->had_header && !sheet->cli->quiet)
                for (size_t i = 0; i < sheet->n_columns; i++)
                        sheet->widths[i] = MAX(sheet->widths[i], strlen(sheet->columns[i]));
        if (!sheet->had_header)
                print_header(sheet);
        for (size_t i = 0; i < sheet->n_page; i++)
                add_field(sheet, i % sheet->n_columns, sheet->page[i]);
        clear_page(sheet);
        write_out(sheet, 0);
}

static void table_row(struct sheet *sheet, const struct cell *cells)
{
        for (size_t i = 0; i < sheet->n_columns; i++) {
                struct buf text = { 0 };

                if (cells[i].kind == CELL_NULL)
                        buf_add_char(&text, '-');
                else
                        escape_add_text(&text, cells[i].text, cells[i].n);
                if (cells[i].kind == CELL_TEXT)
                        sheet->text_columns[i] = true;
                sheet->widths[i] =
                        MAX(sheet->widths[i], MIN(columns_of(text.bytes ? text.bytes : ""), WIDTH_MAX));
                GROW(sheet->page, sheet->cap_page, sheet->n_page + 1);
                sheet->page[sheet->n_page++] = buf_steal(&text);
        }
        if (sheet->n_page >= PAGE_ROWS * sheet->n_columns)
                print_page(sheet);
}

/* --- CSV and JSON ---------------------------------------------------------------------------------------------- */
void cell_add_json(struct buf *out, const struct cell *cell, bool is_json)
{
        if (cell->kind == CELL_NULL)
                buf_add_str(out, "null");
        else if (cell->kind == CELL_NUMBER || is_json)
                buf_add(out, cell->text, cell->n);
        else
                buf_add_json_str(out, cell->text, cell->n);
}

void cell_add_csv(struct buf *out, const struct cell *cell)
{
        if (cell->kind != CELL_NULL)
                escape_add_csv(out, cell->text, cell->n);
}

static void csv_row(struct sheet *sheet, const struct cell *cells)
{
        for (size_t i = 0; i < sheet->n_columns; i++) {
                if (i)
                        buf_add_char(&sheet->out, ',');
                cell_add_csv(&sheet->out, &cells[i]);
        }
        buf_add_char(&sheet->out, '\n');
}

static void json_row(struct sheet *sheet, const struct cell *cells)
{
        buf_add_str(&sheet->out, sheet->n_rows ? ",\n{" : "\n{");
        for (size_t i = 0; i < sheet->n_columns; i++) {
                if (i)
                        buf_add_char(&sheet->out, ',');
                buf_add_json_str(&sheet->out, sheet->columns[i], strlen(sheet->columns[i]));
                buf_add_char(&sheet->out, ':');
                cell_add_json(&sheet->out, &cells[i], i == sheet->json_column);
        }
        buf_add_char(&sheet->out, '}');
}

void sheet_row(struct sheet *sheet, const struct cell *cells)
{
        switch (sheet->cli->form) {
        case CLI_FORM_TEXT:
                table_row(sheet, cells);
                break;
        case CLI_FORM_CSV:
                csv_row(sheet, cells);
                break;
        case CLI_FORM_JSON:
                json_row(sheet, cells);
                break;
        }
        sheet->n_rows++;
        write_out(sheet, FLUSH_BYTES);
}

int sheet_end(struct sheet *sheet, struct err *err)
{
        if (sheet->cli->form == CLI_FORM_TEXT)
                print_page(sheet);
        if (sheet->cli->form == CLI_FORM_JSON)
                buf_add_str(&sheet->out, "]}\n");
        write_out(sheet, 0);
        return sheet->failed ? err_set(err, ERR_INTERNAL, "write to stdout failed") : 0;
}
