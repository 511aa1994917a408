/* Rows kept in memory, for output that must be sorted or cut before it is printed. */
#ifndef CLI_ROWS_H
#define CLI_ROWS_H

#include "cli/listing.h"

#define ROWS_MAX 2000000 /* a listing that is longer is for SQL */

struct rows {
        struct cell **list; /* each n_cells cells whose text is owned */
        size_t n, cap, n_cells;
};

int rows_add(struct rows *rows, const struct cell *cells, size_t n_cells, struct err *err) MUST_CHECK;
void rows_sort(
        struct rows *rows, size_t column,
        bool falling); /* numbers by value, texts by bytes, NULL first; what is alike by the first column */
void rows_done(struct rows *rows);
#define CLEANUP_ROWS __attribute__((cleanup(rows_done)))

#endif
