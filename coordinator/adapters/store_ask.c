/* Questions: they read inside the batch's transaction and leave their answer in the operation. */
#include <string.h>

#include "adapters/store_writer.h"

static int was_ended(struct db *db, struct store_op *op, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        uint64_t n = 0;

        db_args_init(&args, "job:u index:u nonce:u");
        db_put_u64(&args, op->u.was_ended.job.n);
        db_put_u64(&args, op->u.was_ended.index);
        db_put_u64(&args, op->u.was_ended.nonce);
        if (db_number(db, "task_was_ended", &args, &n, err) < 0)
                return -1;
        op->answer = n > 0;
        return 0;
}

static int find_key(struct db *db, struct store_find_key *find, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        int more;

        db_args_init(&args, "owner:u key_hash:b");
        db_put_u64(&args, find->owner.n);
        db_put_bytes(&args, find->key_hash, sizeof(find->key_hash));
        find->job.n = 0;
        if (db_read(db, "find_key", &args, &rows, err) < 0)
                return -1;
        while ((more = db_next(&rows, err)) > 0) {
                size_t n;
                const char *digest = db_bytes(&rows, 1, &n);

                find->job.n = db_u64(&rows, 0);
                memcpy(find->digest, digest, MIN(n, sizeof(find->digest)));
                find->tasks = db_u64(&rows, 2);
                find->loading = db_u64(&rows, 3);
        }
        return more;
}

static int find_job(struct db *db, struct store_find_job *find, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        int more;

        db_args_init(&args, "job:u");
        db_put_u64(&args, find->job.n);
        find->found = false;
        if (db_read(db, "find_job", &args, &rows, err) < 0)
                return -1;
        while ((more = db_next(&rows, err)) > 0) {
                find->found = true;
                find->owner.n = (uint32_t)db_u64(&rows, 0);
                find->status = (enum task_status)db_u64(&rows, 1);
                find->type = (enum task_type)db_u64(&rows, 2);
                find->tasks = db_u64(&rows, 3);
        }
        return more;
}

static int find_account(struct db *db, struct store_op *op, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        uint64_t n = 0;

        db_args_init(&args, "name:s");
        db_put_str(&args, op->u.account);
        if (db_number(db, "find_account", &args, &n, err) < 0)
                return -1;
        op->answer = n > 0;
        return 0;
}

int store_ask(struct db *db, struct store_op *op, struct err *err)
{
        switch ((int)op->kind) { /* the questions among the kinds; store_write names them all */
        case STORE_WAS_ENDED:
                return was_ended(db, op, err);
        case STORE_FIND_KEY:
                return find_key(db, &op->u.find_key, err);
        case STORE_FIND_JOB:
                return find_job(db, &op->u.find_job, err);
        case STORE_FIND_ACCOUNT:
                return find_account(db, op, err);
        default:
                BUG_ON(true);
        }
}
