/* What the files of the db module share. */
#ifndef ADAPTERS_DB_INTERNAL_H
#define ADAPTERS_DB_INTERNAL_H

#include <mysql.h>

#include "base/hash.h"
#include "adapters/db.h"

/* A frozen server counts as lost after this; the longest statement of ours takes 2 s. */
#define DB_WRITER_TIMEOUT_S 60
#define DB_PARAMS_MAX 128 /* question marks of one statement: a name may stand several times */

struct db_stmt { /* prepared once a connection */
        char name[64];
        MYSQL_STMT *handle;
        char *params[DB_PARAMS_MAX]; /* names, in the order of the question marks */
        size_t n_params;
        const char *mapped; /* spec that `columns` holds for */
        size_t columns[DB_PARAMS_MAX];
        UT_hash_handle hh;
};

struct db_whole;

struct db {
        MYSQL *mysql;
        struct db_stmt *statements;
        struct db_whole *wholes;
        struct db_whole *sent; /* on its way (db_whole_send); NULL: none */
        int waits_for; /* MYSQL_WAIT_… of what is; 0: it is over */
        int sent_failed;
        int64_t sent_until_us;
        unsigned error;
        char error_text[512];
};

/* Keeps number and text of the failure, and makes an err of it. */
int db_fail(struct db *db, struct err *err, const char *what);
int db_fail_stmt(struct db *db, MYSQL_STMT *stmt, struct err *err, const char *what);
struct db_stmt *db_prepare(struct db *db, const char *name, struct err *err) MUST_CHECK;
void db_stmt_free(struct db_stmt *stmt);
void db_wholes_free(struct db *db); /* all of them */

#endif
