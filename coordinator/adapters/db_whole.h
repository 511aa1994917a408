/* A whole transaction in one round trip: statements in a row, and COMMIT. */
#ifndef ADAPTERS_DB_WHOLE_H
#define ADAPTERS_DB_WHOLE_H

#include "adapters/db.h"

#define DB_WHOLE_ROWS_MAX 40 /* beyond, many rows in a statement of their own are the better bargain */
#define DB_WHOLE_BYTES_MAX ((size_t)256 << 10)

#define DB_MATCH_ANY UINT64_MAX

struct db_part { /* one statement, run for each row of args */
        const char *statement;
        struct db_args *args;
        uint64_t match; /* rows that it must count for each, or DB_MATCH_ANY */
};
/* db_errno of a transaction that ended itself because a statement counted wrong; the text names it. */
#define DB_ERROR_MISMATCH 30001
#define DB_ERROR_FIRST_MISMATCH 30002 /* the first part did */

struct db_whole;

bool db_whole_fits(const struct db_part *parts, size_t n);
/* The parts in order, then COMMIT. They fit. After a failure it may be open or over: roll back; and unless the server
 * said why, or said it of its COMMIT, it may have happened. */
int db_whole(struct db *db, const struct db_part *parts, size_t n, struct err *err) MUST_CHECK;

/* The same without waiting. False: it would have to be prepared first, nothing was done. True: it is on its way, and until
 * db_whole_over says so nothing else may be asked of this connection; the values need not stay. */
bool db_whole_send(struct db *db, const struct db_part *parts, size_t n);
int db_whole_fd(const struct db *db); /* has one of these: look again; -1: it is over already */
short db_whole_events(const struct db *db); /* POLLIN, perhaps POLLOUT */
bool db_whole_has_news(const struct db *db); /* db_whole_over may be true */
/* An answer, an error or, after the writer's time-out, none. */
bool db_whole_over(struct db *db);
int db_whole_result(struct db *db, struct err *err) MUST_CHECK; /* as db_whole; once it is over */
void db_whole_abandon(struct db *db); /* what is on its way, and the connection with it */

#endif
