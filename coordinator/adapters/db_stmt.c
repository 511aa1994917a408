/* Named statements: prepared once a connection, bound by name, run for one row of values or for many at once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/db_internal.h"
#include "adapters/sql_files.h"
#include "base/xalloc.h"

#define FIELD_FIRST_BYTES 256 /* room for a value before its real size is known */

void db_stmt_free(struct db_stmt *stmt)
{
        if (stmt->handle)
                mysql_stmt_close(stmt->handle);
        for (size_t i = 0; i < stmt->n_params; i++)
                free(stmt->params[i]);
        free(stmt);
}

static void take_names(struct db_stmt *stmt, const char *names)
{
        for (const char *at = names ? names : ""; *at;) {
                size_t n = strcspn(at, " ");

                BUG_ON(stmt->n_params == DB_PARAMS_MAX);
                stmt->params[stmt->n_params++] = xstrndup(at, n);
                at += n + 1;
        }
}

struct db_stmt *db_prepare(struct db *db, const char *name, struct err *err)
{
        CLEANUP_BUF struct buf sql = { 0 }, names = { 0 };
        struct db_stmt *stmt;
        const char *text;
        size_t bytes = 0;

        HASH_FIND_STR(db->statements, name, stmt);
        if (stmt)
                return stmt;
        text = sql_find(name, &bytes);
        if (!text)
                bug_at(__FILE__, __LINE__, name); /* every statement we name is in sql/queries */
        sql_positional(text, bytes, &sql, &names);
        stmt = xcalloc(1, sizeof(*stmt));
        snprintf(stmt->name, sizeof(stmt->name), "%s", name);
        take_names(stmt, names.bytes);
        stmt->handle = mysql_stmt_init(db->mysql);
        BUG_ON(!stmt->handle);
        if (mysql_stmt_prepare(stmt->handle, sql.bytes, sql.n) != 0) {
                db_fail_stmt(db, stmt->handle, err, name);
                db_stmt_free(stmt);
                return NULL;
        }
        BUG_ON(mysql_stmt_param_count(stmt->handle) != stmt->n_params);
        HASH_ADD_STR(db->statements, name, stmt);
        return stmt;
}

/* Which column of `args` each question mark takes. Names that do not meet are our own mistake. */
static void map_params(struct db_stmt *stmt, const struct db_args *args)
{
        bool used[DB_COLUMNS_MAX] = { 0 };

        if (stmt->mapped == args->spec)
                return;
        for (size_t i = 0; i < stmt->n_params; i++) {
                size_t column = 0;

                while (column < args->n_columns && strcmp(args->columns[column].name, stmt->params[i]) != 0)
                        column++;
                if (column == args->n_columns)
                        bug_at(__FILE__, __LINE__, stmt->name);
                stmt->columns[i] = column;
                used[column] = true;
        }
        for (size_t i = 0; i < args->n_columns; i++)
                if (!used[i] && args->spec[0] != '*')
                        bug_at(__FILE__, __LINE__, stmt->name);
        stmt->mapped = args->spec;
}

static void bind_column(MYSQL_BIND *bind, struct db_arg_column *column, bool many)
{
        bool number = column->type == 'u' || column->type == 'i';

        *bind = (MYSQL_BIND){ .buffer_type = number                ? MYSQL_TYPE_LONGLONG
                                             : column->type == 's' ? MYSQL_TYPE_STRING
                                                                   : MYSQL_TYPE_BLOB,
                              .is_unsigned = column->type == 'u',
                              .length = column->lengths,
                              .u.indicator = column->indicators };
        if (number)
                bind->buffer = column->numbers;
        else if (many)
                bind->buffer = column->pointers;
        else
                bind->buffer = (void *)column->pointers[0];
        if (!many) { /* outside array binding NULL is told by is_null */
                bind->u.indicator = NULL;
                bind->is_null = column->indicators[0] == STMT_INDICATOR_NULL ? &bind->is_null_value : NULL;
                bind->is_null_value = 1;
        }
}

static void resolve_pointers(struct db_args *args)
{
        for (size_t i = 0; i < args->n_columns; i++) {
                struct db_arg_column *column = &args->columns[i];

                if (column->type == 'u' || column->type == 'i')
                        continue;
                for (size_t row = 0; row < args->n_rows; row++)
                        column->pointers[row] =
                                args->bytes.bytes ? args->bytes.bytes + column->numbers[row] : "";
        }
}

static int bind_and_execute(struct db *db, struct db_stmt *stmt, struct db_args *args, struct err *err)
{
        MYSQL_BIND binds[DB_PARAMS_MAX];
        unsigned rows = args && args->n_rows > 1 ? (unsigned)args->n_rows : 0;

        if (args) {
                BUG_ON(args->at != 0 || args->n_rows == 0);
                map_params(stmt, args);
                resolve_pointers(args);
        }
        mysql_stmt_attr_set(stmt->handle, STMT_ATTR_ARRAY_SIZE, &rows);
        for (size_t i = 0; i < stmt->n_params; i++)
                bind_column(&binds[i], &args->columns[stmt->columns[i]], rows > 0);
        if (stmt->n_params && mysql_stmt_bind_param(stmt->handle, binds) != 0)
                return db_fail_stmt(db, stmt->handle, err, stmt->name);
        if (mysql_stmt_execute(stmt->handle) != 0)
                return db_fail_stmt(db, stmt->handle, err, stmt->name);
        return 0;
}

static struct db_stmt *find_or_prepare(struct db *db, const char *statement, struct err *err)
{
        if (db)
                return db_prepare(db, statement, err);
        err_set(err, ERR_RETRY_LATER, "%s: not without the database", statement);
        return NULL;
}

int db_write(struct db *db, const char *statement, struct db_args *args, uint64_t *ret_rows, struct err *err)
{
        struct db_stmt *stmt = find_or_prepare(db, statement, err);

        if (!stmt || bind_and_execute(db, stmt, args, err) < 0)
                return -1;
        if (ret_rows)
                *ret_rows = mysql_stmt_affected_rows(stmt->handle);
        return 0;
}

/* ------------------------------------------------------------------ answers */
static enum db_kind kind_of(const MYSQL_FIELD *field)
{
        bool binary = field->charsetnr == 63;

        switch ((int)field->type) { /* the connector's enum has members that no server sends */
        case MYSQL_TYPE_TINY:
        case MYSQL_TYPE_SHORT:
        case MYSQL_TYPE_LONG:
        case MYSQL_TYPE_INT24:
        case MYSQL_TYPE_LONGLONG:
                return DB_INTEGER;
        case MYSQL_TYPE_DECIMAL:
        case MYSQL_TYPE_NEWDECIMAL:
        case MYSQL_TYPE_FLOAT:
        case MYSQL_TYPE_DOUBLE:
                return DB_NUMBER;
        case MYSQL_TYPE_DATETIME:
        case MYSQL_TYPE_TIMESTAMP:
                return DB_TEXT;
        default:
                return binary ? DB_BYTES : DB_TEXT;
        }
}

static void bind_field(MYSQL_BIND *bind, struct db_field *field)
{
        *bind = (MYSQL_BIND){ .length = &field->length,
                              .is_null = &field->is_null,
                              .error = &field->truncated };
        if (field->kind == DB_INTEGER) {
                bind->buffer_type = MYSQL_TYPE_LONGLONG;
                bind->buffer = &field->number;
                bind->is_unsigned = field->is_unsigned;
        } else {
                bind->buffer_type = field->kind == DB_BYTES ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING;
                bind->buffer = field->bytes;
                bind->buffer_length = field->cap - 1;
        }
}

static void describe(struct db_rows *rows, MYSQL_STMT *handle)
{
        MYSQL_RES *meta = mysql_stmt_result_metadata(handle);
        MYSQL_BIND *binds;

        BUG_ON(!meta); /* only statements that answer are read */
        rows->n_columns = mysql_num_fields(meta);
        rows->fields = xcalloc(rows->n_columns, sizeof(*rows->fields));
        rows->binds = binds = xcalloc(rows->n_columns, sizeof(*binds));
        for (size_t i = 0; i < rows->n_columns; i++) {
                const MYSQL_FIELD *from = mysql_fetch_field_direct(meta, (unsigned)i);
                struct db_field *field = &rows->fields[i];

                snprintf(field->name, sizeof(field->name), "%s", from->name);
                field->kind = kind_of(from);
                field->is_unsigned = (from->flags & UNSIGNED_FLAG) != 0;
                field->cap = FIELD_FIRST_BYTES;
                field->bytes = xmalloc(field->cap);
                bind_field(&binds[i], field);
        }
        mysql_free_result(meta);
}

int db_read(struct db *db, const char *statement, struct db_args *args, struct db_rows *rows, struct err *err)
{
        struct db_stmt *stmt = find_or_prepare(db, statement, err);

        *rows = (struct db_rows){ .db = db };
        if (!stmt)
                return -1;
        if (bind_and_execute(db, stmt, args, err) < 0)
                return -1;
        rows->stmt = stmt->handle;
        describe(rows, stmt->handle);
        if (mysql_stmt_bind_result(stmt->handle, rows->binds) != 0)
                return db_fail_stmt(db, stmt->handle, err, statement);
        return 0;
}

int db_keep(struct db_rows *rows, struct err *err)
{
        return mysql_stmt_store_result(rows->stmt) == 0
                       ? 0
                       : db_fail_stmt(rows->db, rows->stmt, err, "fetch the rows");
}

/* A value that did not fit: room for it, then the column alone. */
static int fetch_long(struct db_rows *rows, size_t i, struct err *err)
{
        struct db_field *field = &rows->fields[i];
        MYSQL_BIND *binds = rows->binds;

        field->cap = field->length + 1;
        field->bytes = xrealloc(field->bytes, field->cap);
        bind_field(&binds[i], field);
        if (mysql_stmt_fetch_column(rows->stmt, &binds[i], (unsigned)i, 0) != 0)
                return db_fail_stmt(rows->db, rows->stmt, err, "fetch a column");
        return 0;
}

/* Larger places are made known with the next row, not before: binding touches the lengths of this one (libmariadb 3.3.19
 * sets them to 0). */
static int bind_grown(struct db_rows *rows, struct err *err)
{
        bool grown = rows->grown;

        rows->grown = false;
        return grown && mysql_stmt_bind_result(rows->stmt, rows->binds) != 0
                       ? db_fail_stmt(rows->db, rows->stmt, err, "fetch a row")
                       : 0;
}

int db_next(struct db_rows *rows, struct err *err)
{
        int code;

        if (bind_grown(rows, err) < 0)
                return -1;
        code = mysql_stmt_fetch(rows->stmt);
        if (code == MYSQL_NO_DATA)
                return 0;
        if (code != 0 && code != MYSQL_DATA_TRUNCATED)
                return db_fail_stmt(rows->db, rows->stmt, err, "fetch a row");
        for (size_t i = 0; i < rows->n_columns; i++) {
                struct db_field *field = &rows->fields[i];

                if (field->kind == DB_INTEGER || field->is_null)
                        continue;
                if (field->length >= field->cap) {
                        if (fetch_long(rows, i, err) < 0)
                                return -1;
                        rows->grown = true;
                }
                field->bytes[field->length] = '\0';
        }
        return 1;
}

void db_rows_done(struct db_rows *rows)
{
        if (rows->stmt)
                mysql_stmt_free_result(rows->stmt);
        for (size_t i = 0; i < rows->n_columns; i++)
                free(rows->fields[i].bytes);
        free(rows->fields);
        free(rows->binds);
        *rows = (struct db_rows){ 0 };
}

uint64_t db_u64(const struct db_rows *rows, size_t column)
{
        return (uint64_t)db_i64(rows, column);
}

int64_t db_i64(const struct db_rows *rows, size_t column)
{
        const struct db_field *field = &rows->fields[column];

        BUG_ON(field->kind != DB_INTEGER && field->kind != DB_NUMBER);
        if (field->is_null)
                return 0;
        return field->kind == DB_INTEGER ? field->number : strtoll(field->bytes, NULL, 10);
}

bool db_is_null(const struct db_rows *rows, size_t column)
{
        return rows->fields[column].is_null;
}

const char *db_bytes(const struct db_rows *rows, size_t column, size_t *ret_n)
{
        const struct db_field *field = &rows->fields[column];

        BUG_ON(field->kind == DB_INTEGER);
        *ret_n = field->is_null ? 0 : field->length;
        return field->is_null ? "" : field->bytes;
}

const char *db_text(const struct db_rows *rows, size_t column)
{
        size_t n;

        return db_bytes(rows, column, &n);
}

int db_number(struct db *db, const char *statement, struct db_args *args, uint64_t *ret_number,
              struct err *err)
{
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        int more;

        if (db_read(db, statement, args, &rows, err) < 0)
                return -1;
        more = db_next(&rows, err);
        if (more < 0)
                return -1;
        *ret_number = more ? db_u64(&rows, 0) : 0;
        while (more > 0)
                more = db_next(&rows, err);
        return more;
}
