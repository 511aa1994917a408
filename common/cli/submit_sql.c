/* --each-sql: the rows of a query as entries. It runs as the caller, by the same door as jobctl sql, and is kept with the
 * job as its origin. */
#include <string.h>

#include "base/xalloc.h"
#include "cli/mariadb_client.h"
#include "cli/sql_rows.h"
#include "cli/submit.h"

#define QUERY_BYTES_MAX 65536 /* of messages.def */

/* NULL is an empty text. */
static int add_row(struct submit *submit, const struct sql_rows *rows, struct buf *text, struct err *err)
{
        const char *values[ENTRY_VALUES_MAX];
        size_t at[ENTRY_VALUES_MAX];

        if (rows->n > ENTRY_VALUES_MAX)
                return err_set(err, ERR_BAD_DATA, "%zu columns, at most %d are allowed", rows->n,
                               ENTRY_VALUES_MAX);
        if (submit->entries.n == 0 && entry_list_columns(&submit->entries, rows->names, rows->n, err) < 0)
                return -1;
        buf_clear(text);
        for (size_t i = 0; i < rows->n; i++) {
                const struct cell *cell = &rows->cells[i];

                at[i] = text->n;
                if (cell->kind != CELL_NULL && memchr(cell->text, 0, cell->n))
                        return err_set(err, ERR_BAD_DATA, "column %s of row %llu holds a zero byte",
                                       rows->names[i], (unsigned long long)submit->entries.n + 1);
                if (cell->kind != CELL_NULL)
                        buf_add(text, cell->text, cell->n);
                buf_add_char(text, '\0');
        }
        for (size_t i = 0; i < rows->n; i++)
                values[i] = text->bytes + at[i];
        return entry_list_add(&submit->entries, values, rows->n, err);
}

static int read_rows(struct submit *submit, FILE *in, struct err *err)
{
        CLEANUP_SQL_ROWS struct sql_rows rows = { .in = in };
        CLEANUP_BUF struct buf text = { 0 };
        int more;

        while ((more = sql_rows_next(&rows, err)) > 0)
                if (add_row(submit, &rows, &text, err) < 0)
                        return -1;
        return more;
}

int submit_sql(struct submit *submit, const char *query, struct err *err)
{
        struct mariadb_client client;
        struct err end_err = { 0 };
        const char *file;
        int rc;

        if (cli_check_text("--each-sql", query, 1, QUERY_BYTES_MAX, err) < 0)
                return -1;
        file = mariadb_option_file(submit->cli, err);
        if (!file || mariadb_client_start(&client, file, "--xml", NULL, query, err) < 0)
                return -1;
        rc = read_rows(submit, client.out, err);
        if (mariadb_client_end(&client, &end_err) < 0 && (rc == 0 || end_err.code == ERR_BAD_DATA)) {
                *err = end_err; /* its own reason beats that the text broke off */
                return err_wrap(err, "--each-sql");
        }
        if (rc < 0)
                return err_wrap(err, "--each-sql");
        if (submit->entries.n == 0)
                return err_set(err, ERR_BAD_DATA,
                               "--each-sql: the query gives no rows: there is nothing to do");
        submit->spec.origin = query;
        submit->spec.n_origin = strlen(query);
        return 0;
}
