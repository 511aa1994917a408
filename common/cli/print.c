/* Listings on stdout: columns, order and number of rows as the person wants them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/command.h"
#include "cli/index_set.h"
#include "cli/rows.h"
#include "cli/sheet.h"

struct printer {
        struct cli *cli;
        const struct print *print;
        struct sheet *sheet;
        size_t *at; /* columns of the listing that are printed, in order */
        size_t n_at;
        struct cell *cells; /* room for one row */
        struct rows rows; /* kept for sorting or cutting */
        uint64_t n_rows; /* of the listing in hand */
        struct index_set seen; /* with print->once */
        bool keeps;
        uint64_t limit; /* 0: all */
};

/* An option that only some commands have. */
static const char *own_option(const struct cli *cli, const char *name)
{
        for (const struct opt *opt = cli->opts->program->options; opt && opt->name; opt++)
                if (strcmp(opt->name, name) == 0)
                        return opts_text(cli->opts, name);
        return NULL;
}

/* The heading says it in capitals: that spelling is as good. */
static int find_column(const struct listing *listing, const char *name, size_t n)
{
        for (size_t i = 0; i < listing->n_columns; i++)
                if (strlen(listing->columns[i]) == n && strncasecmp(listing->columns[i], name, n) == 0)
                        return (int)i;
        return -1;
}

static int unknown_column(const struct listing *listing, const char *name, size_t n, struct err *err)
{
        CLEANUP_BUF struct buf list = { 0 };

        for (size_t i = 0; i < listing->n_columns; i++)
                buf_addf(&list, " %s", listing->columns[i]);
        return err_set(err, ERR_USAGE, "there is no column '%.*s'; columns:%s", (int)MIN(n, 80U), name,
                       list.n ? list.bytes : "");
}

/* Comma-separated names; NULL: all. What the program itself asks for may be missing (another version of the
 * coordinator), what a person asks for may not. */
static int pick_columns(struct printer *printer, const struct listing *listing, const char *wanted,
                        bool strict, struct err *err)
{
        printer->at = xcalloc(listing->n_columns + 1, sizeof(*printer->at));
        printer->cells = xcalloc(listing->n_columns + 1, sizeof(*printer->cells));
        for (size_t i = 0; !wanted && i < listing->n_columns; i++)
                printer->at[printer->n_at++] = i;
        for (const char *p = wanted; p && *p;) {
                size_t n = strcspn(p, ",");
                int at = find_column(listing, p, n);

                if (at < 0 && strict)
                        return unknown_column(listing, p, n, err);
                if (at >= 0 && printer->n_at < listing->n_columns)
                        printer->at[printer->n_at++] = (size_t)at;
                p += n + (p[n] == ',');
        }
        return 0;
}

static int begin(struct printer *printer, const struct listing *listing, struct err *err)
{
        struct cli *cli = printer->cli;
        const char *asked = own_option(cli, "output");
        const char *usual = cli->form == CLI_FORM_TEXT ? printer->print->columns : NULL;
        const char **names;

        if (printer->sheet)
                return 0;
        if (pick_columns(printer, listing, asked ? asked : usual, asked != NULL, err) < 0)
                return -1;
        names = xcalloc(printer->n_at + 1, sizeof(*names));
        for (size_t i = 0; i < printer->n_at; i++)
                names[i] = listing->columns[printer->at[i]];
        printer->sheet = sheet_new(cli, printer->print->schema, names, printer->n_at, "result");
        xfree(names);
        return 0;
}

static void print_row(struct printer *printer, const struct cell *cells)
{
        for (size_t i = 0; i < printer->n_at; i++)
                printer->cells[i] = cells[printer->at[i]];
        sheet_row(printer->sheet, printer->cells);
}

/* Several selectors may name the same thing: it is one row. */
static int is_new(struct printer *printer, const struct listing *listing, bool *ret_new, struct err *err)
{
        uint64_t number;

        *ret_new = true;
        if (!printer->print->once)
                return 0;
        if (listing_u64(listing, printer->print->once, &number, err) < 0)
                return -1;
        *ret_new = !index_set_has(&printer->seen, number);
        index_set_add(&printer->seen, number);
        return 0;
}

static int take_listing(struct printer *printer, struct listing *listing, struct err *err)
{
        int more = listing_next(listing, err);

        printer->n_rows = 0;
        if (more < 0 || begin(printer, listing, err) < 0)
                return -1;
        for (; more > 0; more = listing_next(listing, err)) {
                bool fresh;

                printer->n_rows++;
                if (is_new(printer, listing, &fresh, err) < 0)
                        return -1;
                if (!fresh)
                        continue;
                if (!printer->keeps)
                        print_row(printer, listing->cells);
                else if (rows_add(&printer->rows, listing->cells, listing->n_columns, err) < 0)
                        return -1;
        }
        return more;
}

static int sort_rows(struct printer *printer, const struct listing *listing, struct err *err)
{
        const char *asked = own_option(printer->cli, "sort"), *sort = asked ? asked : printer->print->order;
        bool falling = sort && sort[0] == '-';
        int at;

        if (!sort)
                return 0;
        at = find_column(listing, sort + falling, strlen(sort + falling));
        if (at < 0)
                return unknown_column(listing, sort + falling, strlen(sort + falling), err);
        rows_sort(&printer->rows, (size_t)at, falling);
        return 0;
}

static void print_kept(struct printer *printer)
{
        size_t n = printer->rows.n, from = 0;

        if (printer->limit && printer->limit < n) {
                if (printer->print->newest && !own_option(printer->cli, "sort"))
                        from = n - (size_t)printer->limit;
                n = from + (size_t)printer->limit;
        }
        for (size_t i = from; i < n; i++)
                print_row(printer, printer->rows.list[i]);
}

/* Who named single tasks is told when there are none; a filter by status may well let nothing through. */
static int check_found(const struct printer *printer, const struct listing *listing, struct err *err)
{
        const struct msg_list *asked = &listing->request.u.list;

        if (printer->n_rows > 0 || listing->request.kind != MSG_list)
                return 0;
        if (printer->print->missing)
                return err_set(err, ERR_NOT_FOUND, "%s", printer->print->missing);
        if (printer->print->needs_tasks && asked->n_ranges > 0 && asked->n_statuses == 0)
                return err_set(err, ERR_NOT_FOUND, "no such task in job %" PRIu64, asked->job);
        return 0;
}

/* Nothing was asked for (no selector on stdin): no rows, and no columns but those that a person named. */
static void begin_without(struct printer *printer)
{
        const char *asked = own_option(printer->cli, "output");
        CLEANUP_WITH(xfree) char *words = xstrdup(asked ? asked : "");
        CLEANUP_WITH(xfree) const char **names = xcalloc(strlen(words) + 1, sizeof(*names));
        char *save = NULL;
        size_t n = 0;

        for (char *word = strtok_r(words, ",", &save); word; word = strtok_r(NULL, ",", &save))
                names[n++] = word;
        printer->sheet = sheet_new(printer->cli, printer->print->schema, names, n, NULL);
}

static int print_all(struct printer *printer, struct listing *listings, size_t n, struct err *err)
{
        if (n == 0) {
                begin_without(printer);
                return sheet_end(printer->sheet, err);
        }
        for (size_t i = 0; i < n; i++)
                if (take_listing(printer, &listings[i], err) < 0 ||
                    check_found(printer, &listings[i], err) < 0)
                        return -1;
        if (printer->keeps) {
                if (sort_rows(printer, &listings[n - 1], err) < 0)
                        return -1;
                print_kept(printer);
        }
        return sheet_end(printer->sheet, err);
}

int command_print(struct cli *cli, const struct print *print, struct listing *listings, size_t n)
{
        struct printer printer = { .cli = cli, .print = print };
        struct err err = { 0 };
        int rc;

        if (own_option(cli, "limit"))
                printer.limit = (uint64_t)opts_number(cli->opts, "limit", 0);
        printer.keeps = printer.limit || own_option(cli, "sort") || print->order;
        rc = print_all(&printer, listings, n, &err);
        sheet_free(printer.sheet);
        rows_done(&printer.rows);
        index_set_done(&printer.seen);
        xfree(printer.at);
        xfree(printer.cells);
        return rc < 0 ? cli_fail(cli, &err) : cli_flush(cli, 0);
}
