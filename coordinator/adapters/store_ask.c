/* Questions: they read inside the batch's transaction and leave their answer in the operation. */
#include <string.h>

#include "adapters/secrets.h"
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

static void take_key(const struct db_rows *rows, struct store_find_key *find)
{
        size_t n;
        const char *digest = db_bytes(rows, 1, &n);

        find->job.n = db_u64(rows, 0);
        memcpy(find->digest, digest, MIN(n, sizeof(find->digest)));
        find->tasks = db_u64(rows, 2);
        find->loading = db_u64(rows, 3);
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
        while ((more = db_next(&rows, err)) > 0)
                take_key(&rows, find);
        return more;
}

static void put_question(struct buf *json, struct store_find_key *find)
{
        static const char HEX[] = "0123456789abcdef";

        buf_add_str(json, json->n ? ",[" : "[[");
        buf_add_u64(json, find->owner.n);
        buf_add_str(json, ",\"");
        for (size_t i = 0; i < sizeof(find->key_hash); i++) {
                buf_add_char(json, HEX[find->key_hash[i] >> 4]);
                buf_add_char(json, HEX[find->key_hash[i] & 15]);
        }
        buf_add_str(json, "\"]");
        find->job.n = 0;
}

int store_find_keys(struct store_writer *writer, struct db *db, struct store_op **op, struct err *err)
{
        struct store_op *first = *op, *at = first;
        CLEANUP_BUF struct buf json = { 0 };
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        uint64_t place = 1;
        int more;

        if (store_writer_flush(writer, db, err) < 0)
                return -1;
        if (!at->next || at->next->kind != STORE_FIND_KEY)
                return find_key(db, &at->u.find_key, err);
        put_question(&json, &at->u.find_key);
        while ((*op)->next && (*op)->next->kind == STORE_FIND_KEY) {
                *op = (*op)->next;
                put_question(&json, &(*op)->u.find_key);
        }
        buf_add_str(&json, "]");
        db_args_init(&args, "keys:s");
        db_put_bytes(&args, json.bytes, json.n);
        if (db_read(db, "find_keys", &args, &rows, err) < 0)
                return -1;
        while ((more = db_next(&rows, err)) > 0) {
                if (db_u64(&rows, 4) < place) { /* the join keeps their order; nothing promises it */
                        at = first;
                        place = 1;
                }
                for (; place < db_u64(&rows, 4); place++)
                        at = at->next;
                take_key(&rows, &at->u.find_key);
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

static int find_due(struct db *db, struct store_find_due *find, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        int more;

        db_args_init(&args, "n:u");
        db_put_u64(&args, ARRAY_LEN(find->jobs));
        find->n = 0;
        if (db_read(db, "find_due", &args, &rows, err) < 0)
                return -1;
        while ((more = db_next(&rows, err)) > 0 && find->n < ARRAY_LEN(find->jobs))
                find->jobs[find->n++].n = db_u64(&rows, 0);
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
        case STORE_FIND_SECRET:
                return store_find_secret(db, &op->u.find_secret, err);
        case STORE_FIND_ACCOUNT:
                return find_account(db, op, err);
        case STORE_FIND_DUE:
                return find_due(db, &op->u.find_due, err);
        default:
                BUG_ON(true);
        }
}
