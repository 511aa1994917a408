/* One connection to MariaDB: opening it safely, named statements with bound values, and what an error means for the
 * transaction. Not thread safe: every thread has its own. Nothing here decides anything about jobs.
 *
 * Values never become SQL text: statements are the named ones of sql/queries, `:name` there is a bound value. */
#ifndef ADAPTERS_DB_H
#define ADAPTERS_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct db;

struct db_target {
        const char *option_file; /* mode 0600; group [jobmill] */
        const char *database; /* [A-Za-z0-9_]+ */
};

enum db_use {
        DB_ADMIN, /* set-up: autocommit, patient, makes the database if it is missing */
        DB_WRITER, /* transactions: autocommit off, READ COMMITTED, an idle one is ended by the server */
        DB_READER, /* read only, every statement bounded in time */
};

/* What a failed statement means for the transaction it was in. In every case the caller rolls back. */
enum db_fate {
        DB_FATE_AGAIN, /* deadlock or lock wait: run the whole transaction again */
        DB_FATE_DOWN, /* no connection, or a server that cannot write now: try until it can */
        DB_FATE_BROKEN, /* trying again would not help */
};

/* Times out after 10 s. UNREACHABLE: nobody there, or to be tried again; CONFIG: the option file or the server's
 * settings are wrong. TCP to another host: TLS is enforced and the certificate verified. */
struct db *db_open(const struct db_target *target, enum db_use use, struct err *err) MUST_CHECK;
void db_close(struct db *db); /* NULL is fine */
DEFINE_CLEANUP(struct db, db_close)

enum db_fate db_fate(const struct db *db); /* of the last failure */
unsigned db_errno(const struct db *db); /* MariaDB's number of the last failure */
const char *db_error_text(const struct db *db);

/* A failed statement is UNREACHABLE where trying again may help, CONFIG where the account lacks a right, else INTERNAL.
 *
 * Text without values, of our own (set-up, COMMIT). A result is thrown away. */
int db_run(struct db *db, const char *sql, struct err *err) MUST_CHECK;
int db_commit(struct db *db, struct err *err) MUST_CHECK;
void db_rollback(struct db *db); /* cannot fail in a way that matters: an ended connection has rolled back */

/* ------------------------------------------------------------------ values of a statement */
#define DB_COLUMNS_MAX 48

/* Rows of values for one statement, column by column. `spec` names them in the order in which the code fills them:
 * "job:u index:u name:s payload:b"; u unsigned, i signed, s text, b bytes. The statement may use a name several
 * times, and must use each at least once; a spec that begins with "* " offers more than every statement uses. */
struct db_args {
        const char *spec;
        size_t n_columns;
        struct db_arg_column {
                char name[24];
                char type;
                int64_t *numbers; /* u, i: the value; s, b: where it starts in `bytes` */
                char *indicators;
                unsigned long *lengths; /* s, b */
                const char **pointers; /* s, b: made when the statement runs */
        } columns[DB_COLUMNS_MAX];
        size_t n_rows, cap_rows;
        size_t at; /* column that comes next */
        struct buf bytes;
};
void db_args_init(struct db_args *args, const char *spec);
void db_args_done(struct db_args *args);
void db_args_clear(struct db_args *args);
/* Fill row by row in the order of `spec`; a row is there when its last column is. */
void db_put_u64(struct db_args *args, uint64_t value);
void db_put_i64(struct db_args *args, int64_t value);
void db_put_bytes(struct db_args *args, const void *bytes, size_t n);
void db_put_str(struct db_args *args, const char *text);
void db_put_null(struct db_args *args);
/* Bytes that are written straight into args->bytes: begin, append to args->bytes, end. */
size_t db_put_begin(struct db_args *args);
void db_put_end(struct db_args *args, size_t begun);
size_t db_args_weight(const struct db_args *args); /* about the bytes of the packet */
#define CLEANUP_DB_ARGS __attribute__((cleanup(db_args_done)))

/* db NULL, here and in db_read: RETRY_LATER. So what only gathers rows can be done without the database, as far as it goes.
 *
 * All rows in one round trip (array-bound). *ret_rows (may be NULL): rows matched, as the statement counts them. */
int db_write(struct db *db, const char *statement, struct db_args *args, uint64_t *ret_rows,
             struct err *err) MUST_CHECK;

/* ------------------------------------------------------------------ rows of an answer */
enum db_kind { DB_INTEGER, DB_NUMBER, DB_TEXT, DB_BYTES };

struct db_rows {
        struct db *db;
        void *stmt; /* MYSQL_STMT; borrowed */
        size_t n_columns;
        struct db_field {
                char name[64];
                enum db_kind kind;
                bool is_unsigned;
                int64_t number;
                char is_null;
                char truncated;
                unsigned long length;
                char *bytes;
                size_t cap;
        } * fields;
        void *binds; /* MYSQL_BIND[n_columns] */
        bool grown; /* a place has moved: bind again before the next row */
};
/* args: one row of values, or NULL. The rows are streamed: read them all or db_rows_done before the next statement. */
int db_read(struct db *db, const char *statement, struct db_args *args, struct db_rows *rows,
            struct err *err) MUST_CHECK;
/* Fetches all rows into memory first, so that other statements may run between them. Right after db_read. */
int db_keep(struct db_rows *rows, struct err *err) MUST_CHECK;
int db_next(struct db_rows *rows, struct err *err) MUST_CHECK; /* 1 a row, 0 the end, -1 */
void db_rows_done(struct db_rows *rows);
#define CLEANUP_DB_ROWS __attribute__((cleanup(db_rows_done)))
uint64_t db_u64(const struct db_rows *rows, size_t column); /* 0 for NULL */
int64_t db_i64(const struct db_rows *rows, size_t column);
bool db_is_null(const struct db_rows *rows, size_t column);
/* Borrowed until the next db_next; followed by a NUL. */
const char *db_bytes(const struct db_rows *rows, size_t column, size_t *ret_n);
const char *db_text(const struct db_rows *rows, size_t column);

/* One number from a statement that gives one row of one column; NULL and no row: 0. */
int db_number(struct db *db, const char *statement, struct db_args *args, uint64_t *ret_number,
              struct err *err) MUST_CHECK;

#endif
