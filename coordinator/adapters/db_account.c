/* MariaDB accounts of people. Account statements take no bound values and commit by themselves, so this is the one
 * place where a value becomes SQL text, through add_account and add_hash, and it runs after the transaction that
 * wrote what is wanted: Principals.has_sql and sql_hash say what is still to be done, also after a crash between.
 *
 * An account that is not ours (another host part or password than the one wanted) is never touched. */
#include <stdlib.h>
#include <string.h>

#include "adapters/db_setup.h"
#include "base/xalloc.h"

#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define NAME_MAX_BYTES 64
#define HASH_BYTES 41 /* * and 40 hex digits */

/* 'name'@'%', only for a name in our grammar: no quote, no backslash, nothing to escape. */
static int add_account(struct buf *sql, const char *name, struct err *err)
{
        size_t n = strlen(name);

        if (n == 0 || n > NAME_MAX_BYTES || !strchr(NAME_CHARS, name[0]) ||
            strspn(name, NAME_CHARS "._-") != n)
                return err_set(err, ERR_INTERNAL, "not the name of an account");
        buf_addf(sql, "'%s'@'%%'", name);
        return 0;
}

static int add_hash(struct buf *sql, const char *hash, struct err *err)
{
        if (strlen(hash) != HASH_BYTES || hash[0] != '*' ||
            strspn(hash + 1, "0123456789ABCDEFabcdef") != HASH_BYTES - 1)
                return err_set(err, ERR_INTERNAL, "not a password hash");
        buf_addf(sql, "'%s'", hash);
        return 0;
}

struct account {
        uint64_t principal;
        uint64_t has_sql;
        char name[NAME_MAX_BYTES + 1];
        char hash[HASH_BYTES + 1];
};
struct accounts {
        struct account *list;
        size_t n, cap;
};
struct views {
        char (*list)[65];
        size_t n, cap;
};

static void copy_text(char *to, size_t bytes, const char *from)
{
        size_t n = MIN(strlen(from), bytes - 1);

        memcpy(to, from, n);
        to[n] = '\0';
}

static int read_accounts(struct db *db, bool everybody, struct accounts *out, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        int more;

        db_args_init(&args, "everybody:u");
        db_put_u64(&args, everybody);
        if (db_read(db, "accounts_pending", &args, &rows, err) < 0)
                return -1;
        while ((more = db_next(&rows, err)) > 0) {
                struct account *account;

                GROW(out->list, out->cap, out->n + 1);
                account = &out->list[out->n++];
                account->principal = db_u64(&rows, 0);
                copy_text(account->name, sizeof(account->name), db_text(&rows, 1));
                account->has_sql = db_u64(&rows, 2);
                copy_text(account->hash, sizeof(account->hash), db_text(&rows, 3));
        }
        return more;
}

static int read_views(struct db *db, struct views *out, struct err *err)
{
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        int more;

        if (db_read(db, "accounts_views", NULL, &rows, err) < 0)
                return -1;
        while ((more = db_next(&rows, err)) > 0) {
                const char *name = db_text(&rows, 0);

                if (strspn(name, NAME_CHARS "_") != strlen(name))
                        continue; /* none of ours */
                GROW(out->list, out->cap, out->n + 1);
                copy_text(out->list[out->n++], sizeof(out->list[0]), name);
        }
        return more;
}

static int settle(struct db *db, const struct account *account, bool has_sql, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };

        db_args_init(&args, "has_sql:u principal:u");
        db_put_u64(&args, has_sql);
        db_put_u64(&args, account->principal);
        return db_write(db, "accounts_settle", &args, NULL, err);
}

static int is_foreign(struct db *db, const struct account *account, uint64_t *ret_foreign, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };

        db_args_init(&args, "name:s sql_hash:s");
        db_put_str(&args, account->name);
        db_put_str(&args, account->hash);
        return db_number(db, "accounts_foreign", &args, ret_foreign, err);
}

static int drop_account(struct db *db, const struct account *account, struct err *err)
{
        CLEANUP_BUF struct buf sql = { 0 };

        buf_add_str(&sql, "DROP USER IF EXISTS ");
        if (add_account(&sql, account->name, err) < 0 || db_run(db, sql.bytes, err) < 0)
                return -1;
        return settle(db, account, false, err);
}

static int create_account(struct db *db, const struct account *account, struct err *err)
{
        CLEANUP_BUF struct buf sql = { 0 };

        buf_add_str(&sql, "CREATE USER IF NOT EXISTS ");
        if (add_account(&sql, account->name, err) < 0)
                return -1;
        buf_add_str(&sql, " IDENTIFIED VIA mysql_native_password USING ");
        if (add_hash(&sql, account->hash, err) < 0)
                return -1;
        /* Guard rails: one reader cannot take all connections, nor one statement the server. */
        buf_add_str(&sql, " WITH MAX_USER_CONNECTIONS 20 MAX_STATEMENT_TIME 300");
        return db_run(db, sql.bytes, err);
}

static int grant_views(struct db *db, const struct account *account, const struct views *views,
                       struct err *err)
{
        for (size_t i = 0; i < views->n; i++) {
                CLEANUP_BUF struct buf sql = { 0 };

                buf_addf(&sql, "GRANT SELECT ON `%s` TO ", views->list[i]);
                if (add_account(&sql, account->name, err) < 0 || db_run(db, sql.bytes, err) < 0)
                        return err_wrap(err, "open the views to %s", account->name);
        }
        return 0;
}

static int make_account(struct db *db, const struct account *account, const struct views *views,
                        struct err *err)
{
        if (*account->hash && create_account(db, account, err) < 0)
                return -1;
        return grant_views(db, account, views, err);
}

static int bring_about(struct db *db, const struct account *account, const struct views *views,
                       struct err *err)
{
        uint64_t foreign = 0;

        if (account->has_sql == 2)
                return drop_account(db, account, err);
        if (*account->hash && is_foreign(db, account, &foreign, err) < 0)
                return -1;
        if (foreign)
                return settle(db, account, false, err);
        if (make_account(db, account, views, err) < 0) {
                /* Without the right to make accounts there is none, and `jobctl user ls` says so. */
                return db_fate(db) == DB_FATE_BROKEN ? settle(db, account, false, err) : -1;
        }
        return settle(db, account, true, err);
}

int db_accounts(struct db *db, bool all_grants, struct err *err)
{
        struct accounts accounts = { 0 };
        struct views views = { 0 };
        int done = read_accounts(db, all_grants, &accounts, err);

        if (done == 0 && accounts.n)
                done = read_views(db, &views, err);
        for (size_t i = 0; i < accounts.n && done == 0; i++)
                done = bring_about(db, &accounts.list[i], &views, err);
        free(accounts.list);
        free(views.list);
        return done;
}
