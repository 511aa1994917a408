/* Rows of values for a statement, kept column by column: the form in which the connector sends many at once. */
#include <stdlib.h>
#include <string.h>

#include "adapters/db_internal.h"
#include "base/xalloc.h"

static const char *parse_column(struct db_arg_column *column, const char *spec)
{
        size_t n = strcspn(spec, ":");

        BUG_ON(n == 0 || n >= sizeof(column->name) || spec[n] != ':');
        memcpy(column->name, spec, n);
        column->name[n] = '\0';
        column->type = spec[n + 1];
        BUG_ON(!strchr("uisb", column->type));
        spec += n + 2;
        return spec + strspn(spec, " ");
}

void db_args_init(struct db_args *args, const char *spec)
{
        *args = (struct db_args){ .spec = spec };
        spec += strncmp(spec, "* ", 2) == 0 ? 2 : 0;
        while (*spec) {
                BUG_ON(args->n_columns == DB_COLUMNS_MAX);
                spec = parse_column(&args->columns[args->n_columns++], spec);
        }
}

void db_args_done(struct db_args *args)
{
        for (size_t i = 0; i < args->n_columns; i++) {
                free(args->columns[i].numbers);
                free(args->columns[i].lengths);
                free(args->columns[i].indicators);
                free(args->columns[i].pointers);
        }
        buf_done(&args->bytes);
        *args = (struct db_args){ 0 };
}

void db_args_clear(struct db_args *args)
{
        args->n_rows = 0;
        args->at = 0;
        buf_clear(&args->bytes);
}

static bool is_number(const struct db_arg_column *column)
{
        return column->type == 'u' || column->type == 'i';
}

static void grow(struct db_args *args)
{
        args->cap_rows = args->cap_rows ? args->cap_rows * 2 : 16;
        for (size_t i = 0; i < args->n_columns; i++) {
                struct db_arg_column *column = &args->columns[i];

                column->numbers = xrealloc(column->numbers, args->cap_rows * sizeof(*column->numbers));
                column->indicators = xrealloc(column->indicators, args->cap_rows);
                if (is_number(column))
                        continue;
                column->lengths = xrealloc(column->lengths, args->cap_rows * sizeof(*column->lengths));
                column->pointers = xrealloc(column->pointers, args->cap_rows * sizeof(*column->pointers));
        }
}

/* The cell that comes next. */
static inline struct db_arg_column *next_cell(struct db_args *args, size_t *ret_row)
{
        struct db_arg_column *column = &args->columns[args->at];

        if (args->n_rows == args->cap_rows)
                grow(args);
        *ret_row = args->n_rows;
        column->indicators[args->n_rows] = STMT_INDICATOR_NONE;
        if (++args->at == args->n_columns) {
                args->at = 0;
                args->n_rows++;
        }
        return column;
}

void db_put_u64(struct db_args *args, uint64_t value)
{
        size_t row;
        struct db_arg_column *column = next_cell(args, &row);

        BUG_ON(column->type != 'u');
        column->numbers[row] = (int64_t)value;
}

void db_put_i64(struct db_args *args, int64_t value)
{
        size_t row;
        struct db_arg_column *column = next_cell(args, &row);

        BUG_ON(column->type != 'i');
        column->numbers[row] = value;
}

size_t db_put_begin(struct db_args *args)
{
        return args->bytes.n;
}

void db_put_end(struct db_args *args, size_t begun)
{
        size_t row;
        struct db_arg_column *column = next_cell(args, &row);

        BUG_ON(column->type != 'b' && column->type != 's');
        column->numbers[row] = (int64_t)begun;
        column->lengths[row] = args->bytes.n - begun;
}

void db_put_bytes(struct db_args *args, const void *bytes, size_t n)
{
        size_t begun = db_put_begin(args);

        buf_add(&args->bytes, bytes, n);
        db_put_end(args, begun);
}

void db_put_str(struct db_args *args, const char *text)
{
        db_put_bytes(args, text, strlen(text));
}

void db_put_null(struct db_args *args)
{
        size_t row;
        struct db_arg_column *column = next_cell(args, &row);

        column->numbers[row] = 0;
        if (!is_number(column))
                column->lengths[row] = 0;
        column->indicators[row] = STMT_INDICATOR_NULL;
}

size_t db_args_weight(const struct db_args *args)
{
        return args->bytes.n + args->n_rows * args->n_columns * 9;
}
