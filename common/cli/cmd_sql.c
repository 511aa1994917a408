/* jobctl sql: the caller's own MariaDB account, by the stock client.
 *
 * For --csv and --json the client's --xml is converted. It names neither the types of columns nor the columns of an empty
 * result, so these are asked for in a second run of the same query that is limited to no rows. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "cli/command.h"
#include "cli/mariadb_client.h"
#include "cli/sheet.h"
#include "cli/sql_rows.h"
#include "proto/json_scan.h"

#define NO_ROWS "SET SESSION sql_select_limit=0;\n"
#define QUERY_MAX ((size_t)16 << 20)

extern const char schema_text[]; /* sql/views/schema.txt, made into a string by the Makefile */

/* --- columns ---------------------------------------------------------------------------------------------------- */
struct columns {
        struct buf names; /* each with its NUL */
        enum column_form { FORM_TEXT, FORM_NUMBER, FORM_TIME } * forms;
        size_t n, cap;
};

static void columns_done(struct columns *columns)
{
        buf_done(&columns->names);
        xfree(columns->forms);
}

static enum column_form form_of_type(const char *type)
{
        static const struct {
                const char *type;
                enum column_form form;
        } types[] = { { "TINY", FORM_NUMBER },   { "SHORT", FORM_NUMBER },    { "LONG", FORM_NUMBER },
                      { "INT24", FORM_NUMBER },  { "LONGLONG", FORM_NUMBER }, { "FLOAT", FORM_NUMBER },
                      { "DOUBLE", FORM_NUMBER }, { "DECIMAL", FORM_NUMBER },  { "NEWDECIMAL", FORM_NUMBER },
                      { "YEAR", FORM_NUMBER },   { "DATETIME", FORM_TIME },   { "TIMESTAMP", FORM_TIME } };
        size_t n = strcspn(type, " \n");

        for (size_t i = 0; i < ARRAY_LEN(types); i++)
                if (strlen(types[i].type) == n && memcmp(types[i].type, type, n) == 0)
                        return types[i].form;
        return FORM_TEXT;
}

/* Lines "Field   1:  `name`" and "Type:       LONG" in front of the (empty) table. */
static void take_line(struct columns *columns, char *line)
{
        if (strncmp(line, "Field ", 6) == 0) {
                char *name = strchr(line, '`'), *end = strrchr(line, '`');

                if (!name || end <= name)
                        return;
                buf_add(&columns->names, name + 1, (size_t)(end - name) - 1);
                buf_add_char(&columns->names, '\0');
                GROW(columns->forms, columns->cap, columns->n + 1);
                columns->forms[columns->n++] = FORM_TEXT;
        } else if (strncmp(line, "Type:", 5) == 0 && columns->n) {
                columns->forms[columns->n - 1] = form_of_type(line + 5 + strspn(line + 5, " "));
        }
}

static int ask_columns(struct cli *cli, const char *query, struct columns *columns, struct err *err)
{
        CLEANUP_WITH(xfree) char *limited = xasprintf(NO_ROWS "%s", query);
        struct mariadb_client client;
        char *line = NULL;
        size_t cap = 0;

        if (mariadb_client_start(&client, cli->profile->sql_option_file, "--table", "--column-type-info",
                                 limited, err) < 0)
                return -1;
        while (getline(&line, &cap, client.out) >= 0 && line[0] != '+')
                take_line(columns, line);
        while (getline(&line, &cap, client.out) >= 0) /* a query with its own LIMIT prints rows here */
                continue;
        free(line);
        return mariadb_client_end(&client, err);
}

/* --- CSV and JSON ----------------------------------------------------------------------------------------------- */
/* Digits as JSON has them: no leading zero, as a ZEROFILL column would give. */
static bool is_json_number(const struct cell *cell)
{
        const char *p = cell->text;
        struct err err;

        p += cell->n && *p == '-';
        return cell->n && isdigit((unsigned char)*p) && json_check(cell->text, cell->n, &err) == 0;
}

/* Bytes that are no UTF-8, of a binary column, as U+FFFD. */
static void make_text(struct cell *cell, struct buf *room)
{
        const char *p = cell->text, *end = p + cell->n;
        uint32_t code;

        while (p < end) {
                size_t n = utf8_decode(p, end, &code);

                if (n)
                        buf_add(room, p, n);
                else
                        buf_add_str(room, "\xEF\xBF\xBD");
                p += n ? n : 1;
        }
        cell->text = room->bytes;
        cell->n = room->n;
}

/* "2026-11-25 19:00:19.720840", which is UTC as in all views, as ISO 8601 has it. */
static void make_time(struct cell *cell, struct buf *room)
{
        buf_add(room, cell->text, cell->n);
        buf_add_char(room, 'Z');
        room->bytes[strlen("2026-11-25")] = 'T';
        cell->text = room->bytes;
        cell->n = room->n;
}

static bool is_time(const struct cell *cell)
{
        static const char shape[] = "dddd-dd-dd dd:dd:dd";

        for (size_t i = 0; shape[i]; i++)
                if (i >= cell->n ||
                    (shape[i] == 'd' ? !isdigit((unsigned char)cell->text[i]) : cell->text[i] != shape[i]))
                        return false;
        return true;
}

static void add_json_row(const struct sql_rows *rows, struct sheet *sheet, const struct columns *columns)
{
        struct buf *rooms = xcalloc(MAX(rows->n, 1), sizeof(*rooms));

        for (size_t i = 0; i < rows->n; i++) {
                struct cell *cell = &rows->cells[i];
                enum column_form form = i < columns->n ? columns->forms[i] : FORM_TEXT;

                if (cell->kind != CELL_TEXT)
                        continue;
                if (form == FORM_NUMBER && is_json_number(cell))
                        cell->kind = CELL_NUMBER;
                else if (form == FORM_TIME && is_time(cell))
                        make_time(cell, &rooms[i]);
                else if (!utf8_valid(cell->text, cell->n))
                        make_text(cell, &rooms[i]);
        }
        sheet_row(sheet, rows->cells);
        for (size_t i = 0; i < rows->n; i++)
                buf_done(&rooms[i]);
        xfree(rooms);
}

static struct sheet *empty_sheet(struct cli *cli, const struct columns *columns)
{
        CLEANUP_WITH(xfree) const char **names = xcalloc(MAX(columns->n, 1), sizeof(*names));
        const char *p = columns->names.bytes;

        for (size_t i = 0; i < columns->n; i++, p += strlen(p) + 1)
                names[i] = p;
        return sheet_new(cli, "jobctl.sql/1", names, columns->n, NULL);
}

static int print_rows(struct cli *cli, const char *query, struct columns *columns, struct err *err)
{
        bool json = cli->form == CLI_FORM_JSON;
        CLEANUP_WITH(sheet_free) struct sheet *sheet = NULL;
        CLEANUP_SQL_ROWS struct sql_rows rows = { 0 };
        struct mariadb_client client;
        struct err end_err;
        int more;

        if (mariadb_client_start(&client, cli->profile->sql_option_file, "--xml", NULL, query, err) < 0)
                return -1;
        rows.in = client.out;
        while ((more = sql_rows_next(&rows, err)) > 0) {
                if (!sheet)
                        sheet = sheet_new(cli, "jobctl.sql/1", rows.names, rows.n, NULL);
                if (json)
                        add_json_row(&rows, sheet, columns);
                else
                        sheet_row(sheet, rows.cells);
        }
        if (mariadb_client_end(&client, &end_err) < 0) { /* its own reason beats that the text broke off */
                *err = end_err;
                return -1;
        }
        if (more < 0)
                return -1;
        if (!sheet && !json && ask_columns(cli, query, columns, err) < 0)
                return -1;
        if (!sheet)
                sheet = empty_sheet(cli, columns);
        return sheet_end(sheet, err);
}

static int print_converted(struct cli *cli, const char *query, struct err *err)
{
        struct columns columns = { 0 };
        int rc = 0;

        if (cli->form == CLI_FORM_JSON)
                rc = ask_columns(cli, query, &columns, err);
        if (rc == 0)
                rc = print_rows(cli, query, &columns, err);
        columns_done(&columns);
        return rc;
}

/* --- as the client prints it ------------------------------------------------------------------------------------ */
static int print_plain(struct cli *cli, const char *query, struct err *err)
{
        struct mariadb_client client;
        char *line = NULL;
        size_t cap = 0;
        ssize_t n;
        int rc = 0;

        if (mariadb_client_start(&client, cli->profile->sql_option_file, cli->escape ? "--table" : "--batch",
                                 NULL, query, err) < 0)
                return -1;
        while (rc == 0 && (n = getline(&line, &cap, client.out)) > 0) {
                CLEANUP_BUF struct buf out = { 0 };
                bool newline = line[n - 1] == '\n';

                cli_add_text(cli, &out, line, (size_t)n - newline);
                if (newline)
                        buf_add_char(&out, '\n');
                rc = cli_write(out.bytes, out.n, err);
        }
        free(line);
        return mariadb_client_end(&client, rc < 0 ? NULL : err) < 0 ? -1 : rc;
}

static int read_query(struct buf *query, struct err *err)
{
        char block[65536];
        size_t n;

        while ((n = fread(block, 1, sizeof(block), stdin)) > 0) {
                buf_add(query, block, n);
                if (query->n > QUERY_MAX)
                        return err_set(err, ERR_TOO_LARGE, "the query on stdin is larger than 16 MiB");
        }
        return query->n ? 0 : err_set(err, ERR_USAGE, "no query; example: jobctl sql 'SELECT * FROM v_jobs'");
}

static int run_query(struct cli *cli, struct err *err)
{
        CLEANUP_BUF struct buf text = { 0 };
        const char *query = cli->opts->n_words ? cli->opts->words[0] : NULL;

        if (query && !query[strspn(query, " \t\n")])
                return err_set(err, ERR_USAGE,
                               "the query is empty; example: jobctl sql 'SELECT * FROM v_jobs'");
        if (!mariadb_option_file(cli, err))
                return -1;
        if (!query && cli->form == CLI_FORM_TEXT)
                return mariadb_client_become(cli->profile->sql_option_file, err);
        if (!query && read_query(&text, err) < 0)
                return -1;
        if (cli->form == CLI_FORM_TEXT)
                return print_plain(cli, query, err);
        return print_converted(cli, query ? query : text.bytes, err);
}

static int run_sql(struct cli *cli)
{
        struct err err = { 0 };

        if (opts_flag(cli->opts, "schema")) {
                fputs(schema_text, stdout);
                return cli_flush(cli, 0);
        }
        if (command_words(cli, 0, 1, &err) < 0 || run_query(cli, &err) < 0)
                return cli_fail(cli, &err);
        return cli_flush(cli, 0);
}

static const struct opt options[] = {
        { .name = "schema", .group = "Query", .help = "print what the views and their columns mean" },
        { 0 },
};
PROGRAM(sql, "sql", "ask the database, as yourself, read only", options, cli_query_options,
        "['SELECT …'] [options]", "jobctl sql 'SELECT task_index, result FROM v_results WHERE job_id=5'",
        "jobctl sql --csv 'SELECT * FROM v_jobs' > jobs.csv",
        "jobctl sql --schema      # the views and their columns",
        "jobctl sql               # the mariadb client, connected");
