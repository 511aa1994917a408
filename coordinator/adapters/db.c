/* Opening a connection and what its errors mean.
 *
 * It must not reconnect by itself: a connection that ended has rolled back, and only the store knows what to do.
 * 1. The option file is ours alone (it may hold a password).
 * 2. Beyond this machine there is no connection without verified TLS. */
#include "adapters/db.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/db_internal.h"
#include "base/secret_file.h"
#include "base/xalloc.h"

#include <errmsg.h>
#include <mysqld_error.h>

#define CONNECT_TIMEOUT_S 10
#define OPTION_FILE_MAX ((size_t)1 << 20)

/* What the coordinator's account or the server's settings do not allow can only be put right by a person. */
static bool is_not_allowed(unsigned error)
{
        switch (error) {
        case ER_DBACCESS_DENIED_ERROR:
        case ER_TABLEACCESS_DENIED_ERROR:
        case ER_COLUMNACCESS_DENIED_ERROR:
        case ER_SPECIFIC_ACCESS_DENIED_ERROR:
        case ER_PROCACCESS_DENIED_ERROR:
        case ER_BINLOG_CREATE_ROUTINE_NEED_SUPER: /* names its remedy: log_bin_trust_function_creators */
                return true;
        default:
                return false;
        }
}

static int fail(struct db *db, unsigned error, const char *text, struct err *err, const char *what)
{
        enum err_code code;

        db->error = error;
        snprintf(db->error_text, sizeof(db->error_text), "%s", text);
        code = db_fate(db) != DB_FATE_BROKEN ? ERR_UNREACHABLE
               : is_not_allowed(error)       ? ERR_CONFIG
                                             : ERR_INTERNAL;
        return err_set(err, code, "%s: MariaDB %u: %.400s", what, error, db->error_text);
}

int db_fail(struct db *db, struct err *err, const char *what)
{
        return fail(db, mysql_errno(db->mysql), mysql_error(db->mysql), err, what);
}

int db_fail_stmt(struct db *db, MYSQL_STMT *stmt, struct err *err, const char *what)
{
        return fail(db, mysql_stmt_errno(stmt), mysql_stmt_error(stmt), err, what);
}

enum db_fate db_fate(const struct db *db)
{
        switch (db->error) {
        case ER_LOCK_WAIT_TIMEOUT:
        case ER_LOCK_DEADLOCK:
        case ER_CHECKREAD:
                return DB_FATE_AGAIN;
        case CR_CONNECTION_ERROR:
        case CR_CONN_HOST_ERROR:
        case CR_SERVER_GONE_ERROR:
        case CR_SERVER_LOST:
        case CR_SERVER_LOST_EXTENDED:
        case CR_COMMANDS_OUT_OF_SYNC: /* after a reply that never came whole */
        case ER_SERVER_SHUTDOWN:
        case ER_NORMAL_SHUTDOWN:
        case ER_CONNECTION_KILLED:
        case ER_NET_READ_ERROR:
        case ER_NET_READ_INTERRUPTED:
        case ER_NET_ERROR_ON_WRITE:
        case ER_NET_WRITE_INTERRUPTED:
        case ER_UNKNOWN_STMT_HANDLER: /* the statement died with its connection */
        /* A server that cannot write now, but may again: read-only, disk full, too many connections. */
        case ER_OPTION_PREVENTS_STATEMENT:
        case ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION:
        case ER_READ_ONLY_MODE:
        case ER_DISK_FULL:
        case ER_RECORD_FILE_FULL:
        case ER_ERROR_ON_WRITE:
        case ER_GET_ERRNO:
        case ER_CON_COUNT_ERROR:
        case ER_TOO_MANY_USER_CONNECTIONS:
        case ER_OUT_OF_RESOURCES:
                return DB_FATE_DOWN;
        default:
                return DB_FATE_BROKEN;
        }
}

unsigned db_errno(const struct db *db)
{
        return db->error;
}

const char *db_error_text(const struct db *db)
{
        return db->error_text;
}

static bool host_is_here(const char *host)
{
        return !host || !*host || strcmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 ||
               strcmp(host, "::1") == 0;
}

/* Does the option file name another machine? A look at the text, before the connector reads it: the password must
 * not travel before TLS stands. What an !include hides is caught after the connection stands. */
static bool names_other_host(char *text)
{
        char *save = NULL;
        bool other = false;

        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                char *value;

                while (isspace((unsigned char)*line))
                        line++;
                if (strncmp(line, "host", 4) != 0)
                        continue;
                for (value = line + 4; isspace((unsigned char)*value) || *value == '=';)
                        value++;
                value[strcspn(value, " \t\r#")] = '\0';
                other |= !host_is_here(value);
        }
        return other;
}

static int look_at_option_file(const char *path, bool *ret_remote, struct err *err)
{
        char *text = NULL;
        size_t n = 0;

        if (secret_file_read(path, OPTION_FILE_MAX, &text, &n, err) < 0)
                return err_wrap(err, "database-options");
        *ret_remote = names_other_host(text);
        secret_free(text, n);
        return 0;
}

static void set_options(MYSQL *mysql, const struct db_target *target, enum db_use use, bool remote)
{
        const unsigned timeout = CONNECT_TIMEOUT_S, patience = DB_WRITER_TIMEOUT_S;
        const my_bool yes = 1, no = 0;

        mysql_options(mysql, MYSQL_READ_DEFAULT_FILE, target->option_file);
        mysql_options(mysql, MYSQL_READ_DEFAULT_GROUP, "jobmill");
        mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
        mysql_options(mysql, MYSQL_OPT_RECONNECT, &no);
        mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &timeout);
        mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &no);
        if (use != DB_ADMIN) {
                mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &patience);
                mysql_options(mysql, MYSQL_OPT_WRITE_TIMEOUT, &patience);
        }
        if (use == DB_WRITER)
                mysql_options(mysql, MYSQL_OPT_NONBLOCK,
                              NULL); /* for db_whole_send; other calls wait as ever */
        if (remote) {
                mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
                mysql_optionsv(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
        }
}

/* Whatever the option file said in a way we did not see: no foreign host without TLS. */
static int check_channel(struct db *db, bool remote, struct err *err)
{
        const char *host = NULL;

        mariadb_get_infov(db->mysql, MARIADB_CONNECTION_HOST, &host); /* localhost for a unix socket */
        if (host_is_here(host) || (remote && mysql_get_ssl_cipher(db->mysql)))
                return 0;
        return err_set(
                err, ERR_CONFIG,
                "the database is on another host, but the option file's own [jobmill] group does not say so: "
                "write host = there, so that TLS can be enforced");
}

static int choose_database(struct db *db, const struct db_target *target, enum db_use use, struct err *err)
{
        char sql[160];

        /* The name goes into SQL text here and nowhere else. */
        if (!*target->database || strlen(target->database) > 64 ||
            strspn(target->database, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") !=
                    strlen(target->database))
                return err_set(err, ERR_CONFIG, "database: letters, digits and _ only");
        if (mysql_select_db(db->mysql, target->database) == 0)
                return 0;
        if (use != DB_ADMIN || mysql_errno(db->mysql) != ER_BAD_DB_ERROR)
                return db_fail(db, err, "choose the database");
        snprintf(sql, sizeof(sql),
                 "CREATE DATABASE IF NOT EXISTS `%s` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
                 target->database);
        if (db_run(db, sql, err) < 0)
                return -1;
        return mysql_select_db(db->mysql, target->database) == 0 ? 0
                                                                 : db_fail(db, err, "choose the database");
}

/* READ COMMITTED: no gap locks, so our writer never waits for people's reads or for a second coordinator longer than
 * for the rows themselves; what must hold across statements is locked by name (epoch, Writers). */
#define SET_ALL                                                                                              \
        "SET SESSION sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO',"        \
        "time_zone='+00:00', group_concat_max_len=1048576, idle_transaction_timeout=10"
static const char *const SESSION[] = {
        [DB_ADMIN] = SET_ALL ", lock_wait_timeout=60, innodb_lock_wait_timeout=5",
        [DB_WRITER] = SET_ALL ", autocommit=0, innodb_lock_wait_timeout=5, tx_isolation='READ-COMMITTED'",
        [DB_READER] = SET_ALL ", tx_isolation='READ-COMMITTED', tx_read_only=1, max_statement_time=30",
};

struct db *db_open(const struct db_target *target, enum db_use use, struct err *err)
{
        CLEANUP_WITH(db_close) struct db *db = xcalloc(1, sizeof(*db));
        bool remote = false;

        if (look_at_option_file(target->option_file, &remote, err) < 0)
                return NULL;
        db->mysql = mysql_init(NULL);
        BUG_ON(!db->mysql);
        set_options(db->mysql, target, use, remote);
        /* FOUND_ROWS: a compare-and-set counts the rows that it matched, not those that changed. */
        if (!mysql_real_connect(db->mysql, NULL, NULL, NULL, NULL, 0, NULL, CLIENT_FOUND_ROWS)) {
                db_fail(db, err, "connect to the database");
                if (err) /* a wrong password, too, can be put right while we wait */
                        err->code = ERR_UNREACHABLE;
                return NULL;
        }
        if (check_channel(db, remote, err) < 0 || choose_database(db, target, use, err) < 0 ||
            db_run(db, SESSION[use], err) < 0)
                return NULL;
        return STEAL(db);
}

void db_close(struct db *db)
{
        struct db_stmt *stmt, *tmp;

        if (!db)
                return;
        HASH_ITER (hh, db->statements, stmt, tmp) {
                HASH_DEL(db->statements, stmt);
                db_stmt_free(stmt);
        }
        db_wholes_free(db);
        mysql_close(db->mysql);
        free(db);
}

int db_run(struct db *db, const char *sql, struct err *err)
{
        MYSQL_RES *result;

        if (mysql_real_query(db->mysql, sql, strlen(sql)) != 0)
                return db_fail(db, err, "run a statement");
        result = mysql_store_result(db->mysql);
        mysql_free_result(result);
        return 0;
}

int db_commit(struct db *db, struct err *err)
{
        return mysql_real_query(db->mysql, "COMMIT", 6) == 0 ? 0 : db_fail(db, err, "commit");
}

void db_rollback(struct db *db)
{
        if (mysql_real_query(db->mysql, "ROLLBACK", 8) != 0)
                return; /* the connection is gone, and its transaction with it */
}
