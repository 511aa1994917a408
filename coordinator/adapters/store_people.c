/* Writing people, keys, roles, grants and queues: rare, one statement each, in the order in which they come. */
#include "adapters/store_writer.h"

int store_principal(struct db *db, const struct store_principal *principal, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };

        db_args_init(&args, "principal:u name:s is_worker:u active:u weight:u max_jobs:u max_tasks:u "
                            "max_running:u sql_hash:s drop_sql:u at_us:i");
        db_put_u64(&args, principal->principal.n);
        db_put_str(&args, principal->name);
        db_put_u64(&args, principal->is_worker);
        db_put_u64(&args, principal->active);
        db_put_u64(&args, MAX(principal->weight, 1u));
        db_put_u64(&args, principal->quota.jobs);
        db_put_u64(&args, principal->quota.tasks);
        db_put_u64(&args, principal->quota.running);
        db_put_str(&args, principal->sql_hash);
        db_put_u64(&args, principal->drop_sql);
        db_put_i64(&args, principal->at_us);
        return db_write(db, "principal", &args, NULL, err);
}

int store_key(struct db *db, const struct store_key *key, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };

        db_args_init(&args, "key:u principal:u is_worker:u public_key:s revoked:u expires_us:i at_us:i");
        db_put_u64(&args, key->key);
        db_put_u64(&args, key->principal.n);
        db_put_u64(&args, key->is_worker);
        db_put_str(&args, key->public_key);
        db_put_u64(&args, key->revoked);
        db_put_i64(&args, key->expires_us);
        db_put_i64(&args, key->at_us);
        return db_write(db, "key", &args, NULL, err);
}

static int remove_role(struct db *db, uint32_t role, struct err *err)
{
        static const char *const PARTS[] = { "role_rm_members", "role_rm_grants", "role_rm" };

        for (size_t i = 0; i < ARRAY_LEN(PARTS); i++) {
                CLEANUP_DB_ARGS struct db_args args = { 0 };

                db_args_init(&args, "role:u");
                db_put_u64(&args, role);
                if (db_write(db, PARTS[i], &args, NULL, err) < 0)
                        return -1;
        }
        return 0;
}

int store_role(struct db *db, const struct store_role *role, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };

        if (role->removed)
                return remove_role(db, role->role, err);
        db_args_init(&args, "role:u name:s");
        db_put_u64(&args, role->role);
        db_put_str(&args, role->name);
        return db_write(db, "role", &args, NULL, err);
}

int store_member(struct db *db, const struct store_member *member, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };

        db_args_init(&args, "role:u principal:u");
        db_put_u64(&args, member->role);
        db_put_u64(&args, member->principal.n);
        return db_write(db, member->removed ? "member_rm" : "member", &args, NULL, err);
}

int store_grant(struct db *db, const struct store_grant *grant, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };

        db_args_init(&args, "role:u permission:s scope:u type:s");
        db_put_u64(&args, grant->role);
        db_put_str(&args, permission_word(grant->permission));
        db_put_u64(&args, grant->scope);
        db_put_str(&args, grant->type);
        return db_write(db, grant->removed ? "grant_rm" : "grant", &args, NULL, err);
}

int store_visible(struct db *db, struct err *err)
{
        if (db_write(db, "visible_clear", NULL, NULL, err) < 0)
                return -1;
        return db_write(db, "visible_fill", NULL, NULL, err);
}

int store_queue(struct db *db, const struct store_queue *queue, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };

        db_args_init(&args, "queue:u name:s paused:u max_running:u weight:u");
        db_put_u64(&args, queue->queue);
        db_put_str(&args, queue->name);
        db_put_u64(&args, queue->paused);
        db_put_u64(&args, queue->max_running);
        db_put_u64(&args, queue->weight);
        return db_write(db, "queue", &args, NULL, err);
}
