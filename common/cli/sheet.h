/* Rows on stdout: a table for people, CSV, or one JSON object {"schema":"…","rows":[…]}. Streams: a table measures
 * its columns page by page, CSV and JSON hold one row. */
#ifndef CLI_SHEET_H
#define CLI_SHEET_H

#include "cli/listing.h"

struct sheet;

/* `schema`: "jobctl.ls/1". `columns`: what is printed, in order; names are copied. json_column: its text is JSON and
 * goes into JSON output as a value; NULL for none. */
struct sheet *sheet_new(const struct cli *cli, const char *schema, const char *const *columns,
                        size_t n_columns, const char *json_column);
void sheet_free(struct sheet *sheet);
DEFINE_CLEANUP(struct sheet, sheet_free)

void sheet_row(struct sheet *sheet, const struct cell *cells); /* n_columns of them; copied */
int sheet_end(struct sheet *sheet, struct err *err) MUST_CHECK; /* what is left, and the end of the object */

/* Cells as JSON and CSV, for output that is no sheet. */
void cell_add_json(struct buf *out, const struct cell *cell, bool is_json);
void cell_add_csv(struct buf *out, const struct cell *cell);

#endif
