/* The first administrator. Written like everything else, as operations of one batch, so that the fence, the audit
 * event and the account are the same as for anybody who comes later. */
#include <stdio.h>
#include <string.h>

#include "adapters/store_internal.h"
#include "base/clock.h"
#include "base/xalloc.h"

#define ADMIN_ROLE 1 /* 0001_base.sql */

struct first {
        const char *name, *public_key, *sql_hash;
        uint64_t principal, key;
        int64_t at_us;
};

static struct store_op *add_op(struct store_batch *batch, enum store_op_kind kind)
{
        struct store_op *op = store_op_new(kind);

        if (batch->last)
                batch->last->next = op;
        else
                batch->first = op;
        batch->last = op;
        batch->n_ops++;
        return op;
}

static void fill(struct store_batch *batch, const struct first *first)
{
        struct store_principal *principal = &add_op(batch, STORE_PRINCIPAL)->u.principal;
        struct store_key *key = &add_op(batch, STORE_KEY)->u.key;
        struct store_member *member = &add_op(batch, STORE_MEMBER)->u.member;
        struct store_event *event;

        principal->principal.n = (uint32_t)first->principal;
        snprintf(principal->name, sizeof(principal->name), "%s", first->name);
        principal->active = true;
        snprintf(principal->sql_hash, sizeof(principal->sql_hash), "%s",
                 first->sql_hash ? first->sql_hash : "");
        principal->at_us = first->at_us;
        key->key = first->key;
        key->principal = principal->principal;
        snprintf(key->public_key, sizeof(key->public_key), "%s", first->public_key);
        key->at_us = first->at_us;
        member->role = ADMIN_ROLE;
        member->principal = principal->principal;
        add_op(batch, STORE_VISIBLE);
        event = &add_op(batch, STORE_EVENT)->u.event;
        event->at_us = first->at_us;
        event->owner = principal->principal;
        snprintf(event->kind, sizeof(event->kind), "user-add");
        event->detail = xasprintf("%s, the first administrator", first->name);
}

static int next_ids(struct db *db, struct first *first, struct err *err)
{
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        int more;

        if (db_read(db, "init_next", NULL, &rows, err) < 0)
                return -1;
        while ((more = db_next(&rows, err)) > 0) {
                first->principal = db_u64(&rows, 0);
                first->key = db_u64(&rows, 1);
        }
        return more;
}

static int make_admin(const struct store_config *config, const struct keyring *keyring, struct first *first,
                      struct err *err)
{
        CLEANUP_WITH(store_free) struct store *store = store_open(config, keyring, err);
        struct store_batch batch = { .number = 1 };
        int done = -1;

        if (!store || next_ids(store->db, first, err) < 0)
                return -1;
        fill(&batch, first);
        if (store_run(store, &batch, false))
                done = 0;
        else if (err)
                *err = batch.err;
        store_batch_done(&batch);
        return done;
}

/* An account that exists already is never taken over. */
static int check_account(struct db *db, const char *name, struct err *err)
{
        struct store_op op = { .kind = STORE_FIND_ACCOUNT };

        snprintf(op.u.account, sizeof(op.u.account), "%s", name);
        if (store_ask(db, &op, err) < 0)
                return -1;
        return op.answer ? err_set(err, ERR_CONFLICT,
                                   "a MariaDB account named %s exists already, or the coordinator's account "
                                   "has no "
                                   "CREATE USER right: choose another name or leave --sql out",
                                   name)
                         : 0;
}

int store_init(const struct store_config *config, const struct keyring *keyring, const char *admin,
               const char *public_key, const char *sql_hash, bool *ret_made, struct err *err)
{
        CLEANUP_BUF struct buf relaxed = { 0 };
        CLEANUP_WITH(db_close) struct db *db = store_prepare(config, keyring, &relaxed, err);
        struct first first = { .name = admin, .public_key = public_key, .sql_hash = sql_hash };
        uint64_t have = 0;

        if (!db || db_number(db, "setup_has_admin", NULL, &have, err) < 0)
                return -1;
        if (!have) {
                if (sql_hash && check_account(db, admin, err) < 0)
                        return -1;
                first.at_us = clock_wall_us();
                if (make_admin(config, keyring, &first, err) < 0)
                        return err_wrap(err, "make the first administrator");
        }
        *ret_made = !have;
        return 0;
}
