/* Rows in memory. */
#include "cli/rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

int rows_add(struct rows *rows, const struct cell *cells, size_t n_cells, struct err *err)
{
        struct cell *copy;

        if (rows->n == ROWS_MAX)
                return err_set(err, ERR_TOO_LARGE, "more than %d rows; select fewer, or ask by jobctl sql",
                               ROWS_MAX);
        copy = xmemdup(cells, MAX(n_cells, 1) * sizeof(*cells));
        for (size_t i = 0; i < n_cells; i++)
                if (copy[i].kind != CELL_NULL)
                        copy[i].text = xstrndup(copy[i].text, copy[i].n);
        GROW(rows->list, rows->cap, rows->n + 1);
        rows->list[rows->n++] = copy;
        rows->n_cells = n_cells;
        return 0;
}

struct order {
        size_t column;
        int sign;
};

static int compare_cells(const struct cell *a, const struct cell *b)
{
        double x, y;

        if (a->kind == CELL_NULL || b->kind == CELL_NULL)
                return (a->kind != CELL_NULL) - (b->kind != CELL_NULL);
        if (a->kind == CELL_TEXT || b->kind == CELL_TEXT)
                return strcmp(a->text, b->text);
        x = strtod(a->text, NULL);
        y = strtod(b->text, NULL);
        return (x > y) - (x < y);
}

static int compare_rows(const void *a, const void *b, void *order_)
{
        const struct order *order = order_;
        const struct cell *x = *(const struct cell *const *)a, *y = *(const struct cell *const *)b;

        int sign = order->sign * compare_cells(&x[order->column], &y[order->column]);

        return sign ? sign : compare_cells(&x[0], &y[0]);
}

void rows_sort(struct rows *rows, size_t column, bool falling)
{
        struct order order = { .column = column, .sign = falling ? -1 : 1 };

        if (rows->n)
                qsort_r(rows->list, rows->n, sizeof(*rows->list), compare_rows, &order);
}

void rows_done(struct rows *rows)
{
        for (size_t i = 0; i < rows->n; i++) {
                for (size_t k = 0; k < rows->n_cells; k++)
                        xfree((void *)rows->list[i][k].text);
                xfree(rows->list[i]);
        }
        xfree(rows->list);
        *rows = (struct rows){ 0 };
}
