/* Schema: numbered migrations, then views.
 *
 * MariaDB's DDL commits by itself, so a migration can be cut between any two statements. SchemaSteps says for each
 * version how many statements were begun and how many are done. begun > done on arrival means: statement `done` may
 * or may not have happened; only for that one "it is there already" is an answer and not an error. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mysqld_error.h>

#include "adapters/db_setup.h"
#include "adapters/sql_files.h"
#include "base/failpoint.h"

static const char *const OWN_TABLES[] = {
        "CREATE TABLE IF NOT EXISTS SchemaVersion (version INT UNSIGNED NOT NULL PRIMARY KEY, "
        "applied_at DATETIME(6) NOT NULL) ENGINE=InnoDB",
        "CREATE TABLE IF NOT EXISTS SchemaSteps (version INT UNSIGNED NOT NULL PRIMARY KEY, "
        "begun INT UNSIGNED NOT NULL, done INT UNSIGNED NOT NULL) ENGINE=InnoDB",
        "CREATE TABLE IF NOT EXISTS SchemaViews (part TINYINT UNSIGNED NOT NULL PRIMARY KEY, "
        "digest BIGINT UNSIGNED NOT NULL) ENGINE=InnoDB",
};

struct steps {
        uint64_t version, begun, done;
        bool unsure; /* statement `done` may have happened */
};

static int put_steps(struct db *db, const struct steps *steps, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };

        db_args_init(&args, "version:u begun:u done:u");
        db_put_u64(&args, steps->version);
        db_put_u64(&args, steps->begun);
        db_put_u64(&args, steps->done);
        return db_write(db, "setup_steps_put", &args, NULL, err);
}

static int get_steps(struct db *db, struct steps *steps, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        int more;

        db_args_init(&args, "version:u");
        db_put_u64(&args, steps->version);
        if (db_read(db, "setup_steps", &args, &rows, err) < 0)
                return -1;
        while ((more = db_next(&rows, err)) > 0) {
                steps->begun = db_u64(&rows, 0);
                steps->done = db_u64(&rows, 1);
        }
        steps->unsure = steps->begun > steps->done;
        return more;
}

static bool is_there_already(const struct db *db)
{
        switch (db_errno(db)) {
        case ER_TABLE_EXISTS_ERROR:
        case ER_DUP_FIELDNAME:
        case ER_DUP_KEYNAME:
        case ER_CANT_DROP_FIELD_OR_KEY:
        case ER_BAD_TABLE_ERROR:
        case ER_DUP_ENTRY: /* the statement and its note are one transaction unless it was DDL */
                return true;
        default:
                return false;
        }
}

static int run_step(struct db *db, struct steps *steps, const char *sql, struct err *err)
{
        struct err failure = { 0 };

        steps->begun = steps->done + 1;
        if (put_steps(db, steps, err) < 0 || db_run(db, "START TRANSACTION", err) < 0)
                return -1;
        FAILPOINT("coordinator.migrate.before_statement");
        if (db_run(db, sql, &failure) < 0 && !(steps->unsure && is_there_already(db))) {
                db_rollback(db);
                if (err)
                        *err = failure;
                return err_wrap(err, "migration %" PRIu64 ", statement %" PRIu64, steps->version,
                                steps->begun);
        }
        FAILPOINT("coordinator.migrate.after_statement");
        steps->done = steps->begun;
        steps->unsure = false;
        return put_steps(db, steps, err) < 0 ? -1 : db_run(db, "COMMIT", err);
}

static int note_version(struct db *db, uint64_t version, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };

        db_args_init(&args, "version:u");
        db_put_u64(&args, version);
        return db_write(db, "setup_version_put", &args, NULL, err);
}

/* 1: whole; 0: the limit was reached. */
static int apply(struct db *db, const struct sql_file *file, uint64_t version, size_t *limit, struct err *err)
{
        CLEANUP_BUF struct buf sql = { 0 };
        struct steps steps = { .version = version };
        const char *at = file->text;

        if (get_steps(db, &steps, err) < 0)
                return -1;
        for (uint64_t no = 0; sql_next(&at, &sql); no++) {
                if (no < steps.done)
                        continue;
                if (*limit == 0)
                        return 0;
                (*limit)--;
                if (run_step(db, &steps, sql.bytes, err) < 0)
                        return -1;
        }
        return note_version(db, version, err) < 0 ? -1 : 1;
}

static uint64_t version_of(const struct sql_file *file)
{
        const char *name = strchr(file->name, '/');

        return strncmp(file->name, "migrations/", 11) == 0 && name ? strtoull(name + 1, NULL, 10) : 0;
}

static int apply_missing(struct db *db, size_t limit, struct err *err)
{
        uint64_t have = 0, newest = 0;
        int done = 1;

        for (size_t i = 0; i < ARRAY_LEN(OWN_TABLES); i++)
                if (db_run(db, OWN_TABLES[i], err) < 0)
                        return -1;
        if (db_number(db, "setup_version", NULL, &have, err) < 0)
                return -1;
        for (const struct sql_file *file = sql_files; file->name; file++)
                newest = MAX(newest, version_of(file));
        if (have > newest)
                return err_set(err, ERR_CONFIG,
                               "the database has schema version %" PRIu64 ", this program knows %" PRIu64
                               ": start the newer program",
                               have, newest);
        for (const struct sql_file *file = sql_files; file->name && done > 0; file++)
                if (version_of(file) > have)
                        done = apply(db, file, version_of(file), &limit, err);
        return done < 0 ? -1 : 0;
}

static int lock_schema(struct db *db, struct err *err)
{
        uint64_t locked = 0;

        if (db_number(db, "setup_lock", NULL, &locked, err) < 0)
                return -1;
        return locked ? 0 : err_set(err, ERR_UNREACHABLE, "another coordinator is changing the schema");
}

static int unlock_schema(struct db *db, struct err *err)
{
        uint64_t unlocked;

        return db_number(db, "setup_unlock", NULL, &unlocked, err);
}

int db_migrate(struct db *db, size_t limit, struct err *err)
{
        struct err ignored;
        int done;

        if (lock_schema(db, err) < 0)
                return -1;
        done = apply_missing(db, limit, err);
        if (unlock_schema(db, &ignored) < 0)
                return done; /* the lock ends with the connection anyhow */
        return done;
}

/* ------------------------------------------------------------------ views */
/* Does the server have all of our functions? Whoever owns it installs them (sql/udf/install.sql); without them the
 * views leave sealed values sealed. */
static int find_udf(struct db *db, bool *ret_there, struct err *err)
{
        if (db_run(db, "DO seal_scope('', ''), scoped('', 1, 1), scoped_text('', 1, '')", err) < 0)
                return db_fate(db) == DB_FATE_BROKEN ? 0 : -1;
        *ret_there = true;
        return 0;
}

/* FNV-1a: tells texts apart, nothing more. */
static uint64_t digest_more(uint64_t digest, const char *text)
{
        for (; *text; text++)
                digest = (digest ^ (unsigned char)*text) * 1099511628211u;
        return digest;
}

static int run_file(struct db *db, const struct sql_file *file, bool udf, struct err *err)
{
        CLEANUP_BUF struct buf text = { 0 }, sql = { 0 };
        const char *at;

        sql_choose(file->text, udf, &text);
        at = text.bytes;
        while (sql_next(&at, &sql))
                if (db_run(db, sql.bytes, err) < 0)
                        return err_wrap(err, "%s", file->name);
        return 0;
}

static int put_digest(struct db *db, uint64_t digest, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };

        db_args_init(&args, "digest:u");
        db_put_u64(&args, digest);
        return db_write(db, "setup_views_put", &args, NULL, err);
}

static int make_views(struct db *db, struct err *err)
{
        uint64_t have = 0, want = 14695981039346656037u;
        bool udf = false;

        if (find_udf(db, &udf, err) < 0 || db_number(db, "setup_views_digest", NULL, &have, err) < 0)
                return -1;
        want = digest_more(want, udf ? "with" : "without");
        for (const struct sql_file *file = sql_files; file->name; file++)
                if (strncmp(file->name, "views/", 6) == 0)
                        want = digest_more(digest_more(want, file->name), file->text);
        if (have == want)
                return 0;
        for (const struct sql_file *file = sql_files; file->name; file++)
                if (strncmp(file->name, "views/", 6) == 0 && run_file(db, file, udf, err) < 0)
                        return -1;
        return db_accounts(db, true, err) < 0 ? -1 : put_digest(db, want, err);
}

int db_views(struct db *db, struct err *err)
{
        struct err ignored;
        int done;

        if (lock_schema(db, err) < 0)
                return -1;
        done = make_views(db, err);
        if (unlock_schema(db, &ignored) < 0)
                return done;
        return done;
}
