/* The SQL that travels inside the coordinator: every file of sql/migrations, sql/queries and sql/views, made into C
 * by sql/embed.sh, sorted by name. */
#ifndef ADAPTERS_SQL_FILES_H
#define ADAPTERS_SQL_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct sql_file {
        const char *name; /* "migrations/0001_base.sql" */
        const char *text;
};
extern const struct sql_file sql_files[]; /* ends with a NULL name */

/* The text of the statement `-- name: <name>` in queries/, up to the next such line, or NULL. */
const char *sql_find(const char *name, size_t *ret_bytes);

/* Next statement of a file whose statements end with a line that is only ";;". *at moves on; false: no more.
 * Comment lines are kept (the server skips them); a statement of nothing but blanks and comments is skipped. */
bool sql_next(const char **at, struct buf *ret_statement);

/* Conditional blocks of a view file: lines between `-- if: udf` (or `-- if: no-udf`), `-- else` and `-- end` that do
 * not apply are left out. */
void sql_choose(const char *text, bool udf, struct buf *out);

/* `:name` in a statement becomes `?`; names are listed in the order in which they stand, separated by blanks.
 * Text in quotes and comments is left alone (comments are dropped). */
void sql_positional(const char *text, size_t bytes, struct buf *out, struct buf *names);

#endif
