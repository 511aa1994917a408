/* A whole transaction as one statement: named statements of sql/queries in a row between BEGIN NOT ATOMIC and COMMIT.
 *
 * What would take a round trip each takes one together. The text is put together from our own statements, once for each
 * sequence of them, and prepared like any other; values are bound. An error, ours or the server's, ends the block before
 * its COMMIT. */
#include "adapters/db_whole.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "adapters/db_internal.h"
#include "adapters/sql_files.h"
#include "base/clock.h"
#include "base/xalloc.h"

/* Each sequence stays prepared as long as its connection; what batches hold makes a few dozen of them, and the longest take
 * the server 1 MB each. */
#define WHOLES_MAX 128
#define WHOLE_PARAMS_MAX 1280 /* forty rows of the widest statement but one, each value in two places */

static const char EMPTY[1];

struct place { /* where a question mark finds its value */
        uint16_t part, row, column;
};

struct db_whole {
        char *shape; /* its statements and how often each */
        MYSQL_STMT *handle;
        struct place *places;
        size_t n_places, cap_places;
        UT_hash_handle hh;
};

void db_wholes_free(struct db *db)
{
        struct db_whole *whole, *next;

        HASH_ITER (hh, db->wholes, whole, next) {
                HASH_DEL(db->wholes, whole);
                if (whole->handle)
                        mysql_stmt_close(whole->handle);
                free(whole->places);
                free(whole->shape);
                free(whole);
        }
}

bool db_whole_fits(const struct db_part *parts, size_t n)
{
        size_t rows = 0, values = 0, bytes = 0;

        for (size_t i = 0; i < n; i++) {
                rows += parts[i].args->n_rows;
                values += parts[i].args->n_rows * parts[i].args->n_columns;
                bytes += db_args_weight(parts[i].args);
        }
        return rows <= DB_WHOLE_ROWS_MAX && values <= WHOLE_PARAMS_MAX / 2 && bytes <= DB_WHOLE_BYTES_MAX;
}

static void name_shape(const struct db_part *parts, size_t n, struct buf *shape)
{
        for (size_t i = 0; i < n; i++)
                buf_addf(shape, "%s*%zu ", parts[i].statement, parts[i].args->n_rows);
}

static void add_places(struct db_whole *whole, const struct db_part *part, uint16_t number, uint16_t row,
                       const char *names)
{
        for (const char *at = names; *at;) {
                size_t n = strcspn(at, " "), column = 0;

                while (column < part->args->n_columns &&
                       (strlen(part->args->columns[column].name) != n ||
                        memcmp(part->args->columns[column].name, at, n) != 0))
                        column++;
                if (column == part->args->n_columns)
                        bug_at(__FILE__, __LINE__, part->statement);
                GROW(whole->places, whole->cap_places, whole->n_places + 1);
                whole->places[whole->n_places++] = (struct place){ number, row, (uint16_t)column };
                at += n + (at[n] == ' ');
        }
}

static void add_check(const struct db_part *part, bool first, struct buf *sql)
{
        if (part->match == DB_MATCH_ANY)
                return;
        buf_addf(sql, "IF ROW_COUNT() <> %llu THEN SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = %d, ",
                 (unsigned long long)part->match, first ? DB_ERROR_FIRST_MISMATCH : DB_ERROR_MISMATCH);
        buf_addf(sql, "MESSAGE_TEXT = '%s'; END IF;\n", part->statement);
}

static void write_text(struct db_whole *whole, const struct db_part *parts, size_t n, struct buf *sql)
{
        buf_add_str(sql, "BEGIN NOT ATOMIC\n");
        for (size_t i = 0; i < n; i++) {
                CLEANUP_BUF struct buf one = { 0 }, names = { 0 };
                size_t bytes = 0;
                const char *text = sql_find(parts[i].statement, &bytes);

                if (!text)
                        bug_at(__FILE__, __LINE__, parts[i].statement);
                sql_positional(text, bytes, &one, &names);
                for (size_t row = 0; row < parts[i].args->n_rows; row++) {
                        buf_add(sql, one.bytes, one.n);
                        buf_add_str(sql, ";\n");
                        add_check(&parts[i], i == 0, sql);
                        add_places(whole, &parts[i], (uint16_t)i, (uint16_t)row,
                                   names.bytes ? names.bytes : "");
                }
        }
        buf_add_str(sql, "COMMIT;\nEND");
}

static struct db_whole *find(const struct db *db, const struct buf *shape)
{
        struct db_whole *whole;

        HASH_FIND(hh, db->wholes, shape->bytes, shape->n, whole);
        return whole;
}

static struct db_whole *prepare(struct db *db, const struct db_part *parts, size_t n, struct err *err)
{
        CLEANUP_BUF struct buf shape = { 0 }, sql = { 0 };
        struct db_whole *whole;

        name_shape(parts, n, &shape);
        whole = find(db, &shape);
        if (whole)
                return whole;
        if (HASH_COUNT(db->wholes) >= WHOLES_MAX)
                db_wholes_free(db);
        whole = xcalloc(1, sizeof(*whole));
        write_text(whole, parts, n, &sql);
        whole->shape = buf_steal(&shape);
        HASH_ADD_KEYPTR(hh, db->wholes, whole->shape, strlen(whole->shape), whole);
        whole->handle = mysql_stmt_init(db->mysql);
        BUG_ON(!whole->handle || whole->n_places > WHOLE_PARAMS_MAX);
        if (mysql_stmt_prepare(whole->handle, sql.bytes, sql.n) != 0) {
                db_fail_stmt(db, whole->handle, err, whole->shape);
                db_wholes_free(db);
                return NULL;
        }
        BUG_ON(mysql_stmt_param_count(whole->handle) != whole->n_places);
        return whole;
}

static void bind_value(MYSQL_BIND *bind, struct db_args *args, const struct place *place)
{
        struct db_arg_column *column = &args->columns[place->column];
        bool number = column->type == 'u' || column->type == 'i';

        *bind = (MYSQL_BIND){ .buffer_type = number                ? MYSQL_TYPE_LONGLONG
                                             : column->type == 's' ? MYSQL_TYPE_STRING
                                                                   : MYSQL_TYPE_BLOB,
                              .is_unsigned = column->type == 'u' };
        if (number) {
                bind->buffer = &column->numbers[place->row];
        } else {
                bind->buffer =
                        args->bytes.bytes ? args->bytes.bytes + column->numbers[place->row] : (char *)EMPTY;
                bind->length = &column->lengths[place->row];
        }
        if (column->indicators[place->row] == STMT_INDICATOR_NULL) {
                bind->is_null_value = 1;
                bind->is_null = &bind->is_null_value;
        }
}

static void bind_values(const struct db_whole *whole, const struct db_part *parts, MYSQL_BIND *binds)
{
        for (size_t i = 0; i < whole->n_places; i++) {
                const struct place *place = &whole->places[i];

                bind_value(&binds[i], parts[place->part].args, place);
        }
}

int db_whole(struct db *db, const struct db_part *parts, size_t n, struct err *err)
{
        MYSQL_BIND binds[WHOLE_PARAMS_MAX];
        struct db_whole *whole = prepare(db, parts, n, err);

        if (!whole)
                return -1;
        bind_values(whole, parts, binds);
        if (mysql_stmt_bind_param(whole->handle, binds) != 0 || mysql_stmt_execute(whole->handle) != 0)
                return db_fail_stmt(db, whole->handle, err, whole->shape);
        return 0;
}

/* ------------------------------------------------------------------ without waiting */
bool db_whole_send(struct db *db, const struct db_part *parts, size_t n)
{
        MYSQL_BIND binds[WHOLE_PARAMS_MAX];
        CLEANUP_BUF struct buf shape = { 0 };
        struct db_whole *whole;

        BUG_ON(db->sent);
        name_shape(parts, n, &shape);
        whole = find(db, &shape);
        if (!whole)
                return false;
        bind_values(whole, parts, binds);
        if (mysql_stmt_bind_param(whole->handle, binds) != 0)
                return false;
        db->sent = whole;
        db->sent_until_us = clock_mono_us() + DB_WRITER_TIMEOUT_S * US_PER_S;
        db->waits_for = mysql_stmt_execute_start(&db->sent_failed, whole->handle);
        return true;
}

int db_whole_fd(const struct db *db)
{
        return db->waits_for ? (int)mysql_get_socket(db->mysql) : -1;
}

short db_whole_events(const struct db *db)
{
        return db->waits_for & MYSQL_WAIT_WRITE ? POLLIN | POLLOUT : POLLIN;
}

/* To go on without an answer does no harm: the connector finds none and waits again. */
static void go_on(struct db *db, int events)
{
        if (db->waits_for)
                db->waits_for = mysql_stmt_execute_cont(&db->sent_failed, db->sent->handle, events);
}

bool db_whole_has_news(const struct db *db)
{
        struct pollfd fd = { .fd = db_whole_fd(db), .events = db_whole_events(db) };

        return !db->waits_for || clock_mono_us() > db->sent_until_us || poll(&fd, 1, 0) > 0;
}

bool db_whole_over(struct db *db)
{
        bool late = clock_mono_us() > db->sent_until_us;

        go_on(db, late ? MYSQL_WAIT_TIMEOUT : db->waits_for & ~MYSQL_WAIT_TIMEOUT);
        return !db->waits_for;
}

int db_whole_result(struct db *db, struct err *err)
{
        struct db_whole *whole = db->sent;

        BUG_ON(db->waits_for);
        db->sent = NULL;
        return db->sent_failed ? db_fail_stmt(db, whole->handle, err, whole->shape) : 0;
}

void db_whole_abandon(struct db *db)
{
        if (db->waits_for)
                shutdown(db_whole_fd(db), SHUT_RDWR);
        go_on(db, MYSQL_WAIT_READ); /* which finds the end */
        BUG_ON(db->waits_for);
        db->sent = NULL;
}
