/* Administration: everything is in memory, so a change is decided at once and answered when committed. Nobody hands on
 * a right that he lacks, except with role.grant. Requests may be sent again: what holds already is not an error. */
#include "core/admin.h"

#include <string.h>

#include "core/job.h"
#include "core/pending.h"
#include "core/place.h"
#include "core/queue.h"
#include "core/worker.h"

static void copy(char *to, size_t size, const char *from)
{
        size_t n = MIN(strlen(from), size - 1);

        memcpy(to, from, n);
        to[n] = '\0';
}

static void done(struct core *core, const struct asker *asker, const char *kind, const char *what,
                 bool rights)
{
        if (rights)
                effects_store(core->out, STORE_VISIBLE);
        audit(core, kind, NULL, asker->who, what);
        reply_changed(core, asker, 1, NULL);
}

static void not_there(struct core *core, const struct asker *asker, const char *what, const char *name)
{
        CLEANUP_BUF struct buf text = { 0 };

        buf_addf(&text, "no %s %s", what, name);
        reply_refused(core, asker, ERR_NOT_FOUND, text.bytes);
}

/* ------------------------------------------------------------------ rows */

static void put_person(struct core *core, struct store_principal *row)
{
        row->at_us = core->wall_us;
        access_person(&core->access, row);
        effects_store(core->out, STORE_PRINCIPAL)->u.principal = *row;
}

static struct person *make_person(struct core *core, const char *name, bool is_worker, const char *sql_hash)
{
        struct person *person = access_find_name(&core->access, name);
        struct store_principal row = { .is_worker = is_worker, .active = true };

        row.principal.n = person ? person->row.principal.n : core->access.next_principal;
        copy(row.name, sizeof(row.name), name);
        if (sql_hash)
                copy(row.sql_hash, sizeof(row.sql_hash), sql_hash);
        put_person(core, &row);
        return access_find_name(&core->access, name);
}

static void put_key(struct core *core, const struct store_key *row)
{
        access_key(&core->access, row);
        effects_store(core->out, STORE_KEY)->u.key = *row;
        effects_key(core->out, row->public_key, !row->revoked);
}

static void make_key(struct core *core, const struct person *person, const char *public_key,
                     int64_t expires_us)
{
        struct store_key row = { .key = core->access.next_key,
                                 .principal = person->row.principal,
                                 .is_worker = person->row.is_worker,
                                 .expires_us = expires_us,
                                 .at_us = core->wall_us };

        copy(row.public_key, sizeof(row.public_key), public_key);
        put_key(core, &row);
}

static void revoke(struct core *core, struct key *key)
{
        struct store_key row = key->row;
        struct worker *worker = row.is_worker ? worker_find(core, row.principal.n) : NULL;

        if (row.revoked)
                return;
        row.revoked = true;
        row.at_us = core->wall_us;
        put_key(core, &row);
        if (worker)
                worker_lost(core, worker, "its key was revoked");
}

static void put_member(struct core *core, const struct role *role, const struct person *person, bool removed)
{
        struct store_member row = { .role = role->row.role,
                                    .principal = person->row.principal,
                                    .removed = removed };

        access_member(&core->access, &row);
        effects_store(core->out, STORE_MEMBER)->u.member = row;
}

/* ------------------------------------------------------------------ may he hand this on */

static bool may_give(const struct core *core, const struct asker *asker, const struct role *role)
{
        if (access_holds(&core->access, asker->who, PERMISSION_ROLE_GRANT, SCOPE_ANY, NULL))
                return true;
        for (size_t i = 0; i < role->n_grants; i++) {
                const struct store_grant *grant = &role->grants[i];

                if (!access_holds(&core->access, asker->who, grant->permission, grant->scope, grant->type))
                        return false;
        }
        return true;
}

static bool check_roles(struct core *core, const struct asker *asker, const char **names, size_t n,
                        bool giving)
{
        for (size_t i = 0; i < n; i++) {
                const struct role *role = access_find_role(&core->access, names[i]);

                if (!role) {
                        not_there(core, asker, "role", names[i]);
                        return false;
                }
                if (giving && !may_give(core, asker, role)) {
                        reply_refused(core, asker, ERR_FORBIDDEN, "this role has rights that you lack");
                        audit_refusal(core, asker->who, "giving a role with rights that the giver lacks");
                        return false;
                }
        }
        return true;
}

/* ------------------------------------------------------------------ people */

static void add_person(struct core *core, const struct asker *asker, const struct msg_user_add *ask)
{
        const struct person *person = make_person(core, ask->name, false, ask->sql_hash);

        for (size_t i = 0; i < ask->n_roles; i++)
                put_member(core, access_find_role(&core->access, ask->roles[i]), person, false);
        if (ask->public_key)
                make_key(core, person, ask->public_key, 0);
        done(core, asker, "user-add", ask->name, true);
}

static bool check_person(struct core *core, const struct asker *asker, const struct msg_user_add *ask)
{
        const struct person *person = access_find_name(&core->access, ask->name);
        const struct key *key = ask->public_key ? access_find_public(&core->access, ask->public_key) : NULL;

        if (person && person->row.active && key && key->row.principal.n == person->row.principal.n) {
                reply_changed(core, asker, 0, "done before");
                return false;
        }
        if (key)
                reply_refused(core, asker, ERR_BAD_FIELD, "this key is known already");
        else if (person && (person->row.active || person->row.is_worker))
                reply_refused(core, asker, ERR_BAD_FIELD,
                              "there is a person or a worker of this name; one more key: jobctl key add");
        else
                return check_roles(core, asker, ask->roles, ask->n_roles, true);
        return false;
}

static void user_add_answer(struct core *core, struct pending *pending)
{
        const struct msg_user_add *ask = &pending->msg->u.user_add;

        if (pending->account)
                reply_refused(core, &pending->asker, ERR_BAD_FIELD,
                              "a MariaDB account of this name exists, or is the server's own");
        else if (check_person(core, &pending->asker, ask))
                add_person(core, &pending->asker, ask);
}

static void user_add(struct core *core, const struct asker *asker, struct msg **take_msg)
{
        const struct msg_user_add *ask = &(*take_msg)->u.user_add;

        if (!check_person(core, asker, ask))
                return;
        if (!ask->sql_hash) {
                add_person(core, asker, ask);
        } else {
                const char *name = ask->name;
                struct pending *pending = pending_new(core, asker, take_msg, user_add_answer);

                pending_ask_account(core, pending, name);
        }
}

static struct person *find_person(struct core *core, const struct asker *asker, const char *name)
{
        struct person *person = access_find_name(&core->access, name);

        if (person && person->row.active)
                return person;
        not_there(core, asker, "person", name);
        return NULL;
}

static void user_rm(struct core *core, const struct asker *asker, const struct msg *msg)
{
        struct person *person = find_person(core, asker, msg->u.user_rm.name);
        struct store_principal row;
        struct key *key, *next;

        if (!person)
                return;
        if (person->row.principal.n == asker->who.n) {
                reply_refused(core, asker, ERR_BAD_FIELD, "nobody removes himself");
                return;
        }
        HASH_ITER (hh, core->access.keys, key, next) {
                if (key->row.principal.n == person->row.principal.n)
                        revoke(core, key);
        }
        while (person->n_roles > 0) {
                struct store_member member = { .role = person->roles[0],
                                               .principal = person->row.principal,
                                               .removed = true };

                access_member(&core->access, &member);
                effects_store(core->out, STORE_MEMBER)->u.member = member;
        }
        row = person->row;
        row.active = false;
        row.drop_sql = true;
        row.sql_hash[0] = '\0';
        put_person(core, &row);
        done(core, asker, "user-rm", row.name, true);
}

static void user_set(struct core *core, const struct asker *asker, const struct msg *msg)
{
        const struct msg_user_set *ask = &msg->u.user_set;
        struct person *person = find_person(core, asker, ask->name);

        if (!person || !check_roles(core, asker, ask->add_roles, ask->n_add_roles, true) ||
            !check_roles(core, asker, ask->rm_roles, ask->n_rm_roles, false))
                return;
        for (size_t i = 0; i < ask->n_add_roles; i++)
                put_member(core, access_find_role(&core->access, ask->add_roles[i]), person, false);
        for (size_t i = 0; i < ask->n_rm_roles; i++)
                put_member(core, access_find_role(&core->access, ask->rm_roles[i]), person, true);
        if (ask->has_weight) {
                struct store_principal row = person->row;

                row.weight = (uint32_t)ask->weight;
                row.sql_hash[0] = '\0'; /* the account stays as it is */
                put_person(core, &row);
                owner_weight(core, row.principal, row.weight);
        }
        done(core, asker, "user-set", ask->name, true);
}

static void quota_set(struct core *core, const struct asker *asker, const struct msg *msg)
{
        const struct msg_quota_set *ask = &msg->u.quota_set;
        const struct person *person = find_person(core, asker, ask->name);
        struct store_principal row;

        if (!person)
                return;
        row = person->row;
        row.sql_hash[0] = '\0'; /* the account stays as it is */
        if (ask->has_max_jobs)
                row.quota.jobs = ask->max_jobs;
        if (ask->has_max_tasks)
                row.quota.tasks = ask->max_tasks;
        if (ask->has_max_running)
                row.quota.running = ask->max_running;
        put_person(core, &row);
        owner_quota(core, row.principal, &row.quota);
        done(core, asker, "quota-set", ask->name, false);
}

/* ------------------------------------------------------------------ keys */

static void key_add(struct core *core, const struct asker *asker, const struct msg *msg)
{
        const struct msg_key_add *ask = &msg->u.key_add;
        const struct key *known = access_find_public(&core->access, ask->public_key);
        const struct person *person = access_find_name(&core->access, ask->name);
        const struct role *role = access_find_role(&core->access, "worker");

        if (known && person && known->row.principal.n == person->row.principal.n && !known->row.revoked) {
                reply_changed(core, asker, 0, "done before");
                return;
        }
        if (known) {
                reply_refused(core, asker, ERR_BAD_FIELD, "this key is known already");
                return;
        }
        if (!ask->worker && (!person || !person->row.active)) {
                not_there(core, asker, "person", ask->name);
                return;
        }
        if (person && person->row.is_worker != ask->worker) {
                reply_refused(core, asker, ERR_BAD_FIELD,
                              ask->worker ? "this name is a person's" : "this name is a worker's");
                return;
        }
        if (ask->worker && (!person || !person->row.active)) {
                person = make_person(core, ask->name, true, NULL);
                if (role)
                        put_member(core, role, person, false);
        }
        make_key(core, person, ask->public_key, ask->has_expires_us ? (int64_t)ask->expires_us : 0);
        done(core, asker, "key-add", ask->name, true);
}

static void key_revoke(struct core *core, const struct asker *asker, const struct msg *msg)
{
        struct key *key = access_find_key(&core->access, msg->u.key_revoke.key);
        const struct person *person = key ? access_find(&core->access, key->row.principal) : NULL;

        if (!key) {
                reply_refused(core, asker, ERR_NOT_FOUND, "no such key");
                return;
        }
        revoke(core, key);
        done(core, asker, "key-revoke", person ? person->row.name : NULL, false);
}

/* ------------------------------------------------------------------ roles */

static void role_add(struct core *core, const struct asker *asker, const struct msg *msg)
{
        struct store_role row = { .role = core->access.next_role };

        if (access_find_role(&core->access, msg->u.role_add.role)) {
                reply_changed(core, asker, 0, "done before");
                return;
        }
        copy(row.name, sizeof(row.name), msg->u.role_add.role);
        access_role(&core->access, &row);
        effects_store(core->out, STORE_ROLE)->u.role = row;
        done(core, asker, "role-add", row.name, false);
}

static void role_rm(struct core *core, const struct asker *asker, const struct msg *msg)
{
        const struct role *role = access_find_role(&core->access, msg->u.role_rm.role);
        struct store_role row;

        if (!role) {
                not_there(core, asker, "role", msg->u.role_rm.role);
                return;
        }
        if (strcmp(role->row.name, "admin") == 0 || strcmp(role->row.name, "worker") == 0) {
                reply_refused(core, asker, ERR_BAD_FIELD,
                              "without this role nobody could administer or work");
                return;
        }
        row = role->row;
        row.removed = true;
        access_role(&core->access, &row);
        effects_store(core->out, STORE_ROLE)->u.role = row;
        done(core, asker, "role-rm", row.name, true);
}

static bool scope_makes_sense(enum permission permission, enum scope scope)
{
        static const char *const scopes[] = {
#define PERMISSION(name, word, scopes, meaning) scopes,
#include "proto/permissions.def"
#undef PERMISSION
        };

        return strchr(scopes[permission], scope == SCOPE_OWN ? 'O' : scope == SCOPE_ROLE ? 'R' : 'A') != NULL;
}

static void role_grant(struct core *core, const struct asker *asker, const struct msg *msg)
{
        const struct msg_role_grant *ask = &msg->u.role_grant;
        const struct role *role = access_find_role(&core->access, ask->role);
        struct store_grant row = { .permission = ask->permission,
                                   .scope = ask->scope,
                                   .removed = ask->take_away };
        CLEANUP_BUF struct buf text = { 0 };

        copy(row.type, sizeof(row.type), ask->task_type ? ask->task_type : "*");
        if (!role) {
                not_there(core, asker, "role", ask->role);
                return;
        }
        if (!scope_makes_sense(ask->permission, ask->scope) || ask->permission == PERMISSION_WORKER_RUN ||
            (ask->task_type && task_type_from_word(ask->task_type) < 0)) {
                reply_refused(core, asker, ERR_BAD_FIELD,
                              "no such right: scope or task type does not fit it");
                return;
        }
        if (!ask->take_away &&
            !access_holds(&core->access, asker->who, PERMISSION_ROLE_GRANT, SCOPE_ANY, NULL) &&
            !access_holds(&core->access, asker->who, ask->permission, ask->scope, row.type)) {
                reply_refused(core, asker, ERR_FORBIDDEN, "you lack this right, so you cannot grant it");
                audit_refusal(core, asker->who, "granting a right that the giver lacks");
                return;
        }
        row.role = role->row.role;
        access_grant(&core->access, &row);
        effects_store(core->out, STORE_GRANT)->u.grant = row;
        buf_addf(&text, "%s %s %s %s", role->row.name, permission_word(row.permission), scope_word(row.scope),
                 row.type);
        done(core, asker, ask->take_away ? "role-ungrant" : "role-grant", text.bytes, true);
}

/* ------------------------------------------------------------------ workers, queues */

static void worker_set(struct core *core, const struct asker *asker, const struct msg *msg)
{
        const struct msg_worker_set *ask = &msg->u.worker_set;
        const struct person *person = access_find_name(&core->access, ask->worker);
        CLEANUP_BUF struct buf text = { 0 };

        if (!person || !person->row.is_worker) {
                not_there(core, asker, "worker", ask->worker);
                return;
        }
        worker_order(core, worker_get(core, person->row.principal), ask->state);
        buf_addf(&text, "%s %s", ask->worker, worker_order_word(ask->state));
        done(core, asker, "worker-set", text.bytes, false);
}

static void queue_set(struct core *core, const struct asker *asker, const struct msg *msg)
{
        const struct msg_queue_set *ask = &msg->u.queue_set;
        struct queue *queue = job_queue_find(core, ask->queue);
        bool makes = ask->has_max_running || ask->has_weight;
        struct store_queue row;

        if (!queue && !makes) {
                not_there(core, asker, "queue", ask->queue);
                return;
        }
        if (!queue && HASH_CNT(hh, core->queues) >= QUEUES_MAX) {
                reply_retry_later(core, asker, "there are 1,000 queues already: jobctl queue ls shows them",
                                  5000);
                return;
        }
        queue = job_queue(core, ask->queue);
        row = (struct store_queue){ .queue = queue->id,
                                    .paused = queue->paused,
                                    .max_running = queue->max_running,
                                    .weight = queue->weight };

        copy(row.name, sizeof(row.name), queue->name);
        if (ask->has_paused)
                row.paused = ask->paused;
        if (ask->has_max_running)
                row.max_running = ask->max_running;
        if (ask->has_weight)
                row.weight = (uint32_t)ask->weight;
        job_queue_put(core, &row);
        effects_store(core->out, STORE_QUEUE)->u.queue = row;
        done(core, asker, "queue-set", row.name, false);
}

/* ------------------------------------------------------------------ which */

static void dispatch(struct core *core, const struct asker *asker, struct msg **take_msg)
{
        const struct msg *msg = *take_msg;

        if (msg->kind == MSG_user_add)
                user_add(core, asker, take_msg);
        else if (msg->kind == MSG_user_rm)
                user_rm(core, asker, msg);
        else if (msg->kind == MSG_user_set)
                user_set(core, asker, msg);
        else if (msg->kind == MSG_quota_set)
                quota_set(core, asker, msg);
        else if (msg->kind == MSG_key_add)
                key_add(core, asker, msg);
        else if (msg->kind == MSG_key_revoke)
                key_revoke(core, asker, msg);
        else if (msg->kind == MSG_role_add)
                role_add(core, asker, msg);
        else if (msg->kind == MSG_role_rm)
                role_rm(core, asker, msg);
        else if (msg->kind == MSG_role_grant)
                role_grant(core, asker, msg);
        else if (msg->kind == MSG_worker_set)
                worker_set(core, asker, msg);
        else if (msg->kind == MSG_queue_set)
                queue_set(core, asker, msg);
        else
                reply_refused(core, asker, ERR_BAD_FIELD, "nothing that a person asks");
}

/* role.grant alone opens role-grant too: it is the right to hand on any right. */
void admin_on_message(struct core *core, const struct asker *asker, struct msg **take_msg)
{
        enum permission needed = msg_permission((*take_msg)->kind);
        bool allowed = access_holds(&core->access, asker->who, needed, SCOPE_ANY, NULL);

        if ((*take_msg)->kind == MSG_role_grant)
                allowed |= access_holds(&core->access, asker->who, PERMISSION_ROLE_GRANT, SCOPE_ANY, NULL);
        if (!allowed) {
                CLEANUP_BUF struct buf text = { 0 };

                buf_addf(&text, "you need the right %s", permission_word(needed));
                audit_refusal(core, asker->who, text.bytes);
                reply_refused(core, asker, ERR_FORBIDDEN, text.bytes);
        } else if (core->degraded || core->draining || pending_full(core)) {
                reply_retry_later(core, asker, "not now: the database does not answer", 2000);
        } else {
                dispatch(core, asker, take_msg);
        }
}
