/* Listings: ask the coordinator for rows, page by page, and give them one at a time. */
#ifndef CLI_LISTING_H
#define CLI_LISTING_H

#include "cli/cli.h"
#include "proto/json_scan.h"

enum cell_kind { CELL_NULL, CELL_NUMBER, CELL_TEXT };
struct cell {
        enum cell_kind kind;
        const char *text; /* a number: its digits; NULL for CELL_NULL */
        size_t n;
};

struct listing {
        struct cli *cli;
        struct msg request; /* MSG_list or MSG_why, filled by the caller before the first listing_next */
        const char *const *columns; /* after the first listing_next */
        size_t n_columns;
        const struct cell *cells; /* of the current row: n_columns; borrowed until the next call */
        /* private */
        struct msg *page;
        struct msg *value; /* of the current row, fetched by itself for its length */
        struct json_tokens tokens;
        size_t at; /* token of the next row */
        struct cell *cell_list;
        struct buf text;
        bool asked;
};

/* A listing of `what`; fill listing.request.u.list further. */
struct listing listing_of(struct cli *cli, enum list_kind what);
void listing_done(struct listing *listing);
#define CLEANUP_LISTING __attribute__((cleanup(listing_done)))

/* 1: a row is in `cells`; 0: no more (columns are set even if there was none); -1: error. */
int listing_next(struct listing *listing, struct err *err) MUST_CHECK;

/* Column by name in the current row; a column that the listing lacks is INTERNAL: the coordinator is another version. */
int listing_cell(const struct listing *listing, const char *column, const struct cell **ret_cell,
                 struct err *err) MUST_CHECK;
int listing_u64(const struct listing *listing, const char *column, uint64_t *ret_n,
                struct err *err) MUST_CHECK;

#endif
