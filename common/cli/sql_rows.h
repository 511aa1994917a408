/* The mariadb client's --xml, the one form of its output that tells NULL from the text NULL, as cells. */
#ifndef CLI_SQL_ROWS_H
#define CLI_SQL_ROWS_H

#include <stdio.h>

#include "cli/listing.h"

struct sql_rows {
        FILE *in;
        struct cell *cells; /* of the current row, n of them; borrowed until the next call */
        const char **names; /* of its columns */
        size_t n;
        /* private */
        struct buf text, tag;
        size_t *name_at, *text_at, *text_n;
        bool *null;
        size_t cap;
        unsigned sets; /* result sets so far */
};

/* 1: a row; 0: no more; -1: the text is not what the client writes, or there is a second result. */
int sql_rows_next(struct sql_rows *rows, struct err *err) MUST_CHECK;
void sql_rows_done(struct sql_rows *rows);
#define CLEANUP_SQL_ROWS __attribute__((cleanup(sql_rows_done)))

#endif
