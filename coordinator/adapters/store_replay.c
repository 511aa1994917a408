/* Everything that a coordinator needs to go on, read from the tables and handed over as events in the order of
 * event.h. Reads in one thread, before the store's own runs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/store_internal.h"
#include "adapters/store_tasks_read.h"
#include "base/xalloc.h"

struct replay {
        struct store *store;
        store_replay_fn *each;
        void *arg;
};

static void copy_text(char *to, size_t bytes, const char *from)
{
        size_t n = MIN(strlen(from), bytes - 1);

        memcpy(to, from, n);
        to[n] = '\0';
}

typedef int row_fn(const struct db_rows *rows, struct event *event, struct err *err);

/* Every row of a statement as one event. */
static int replay_rows(struct replay *replay, const char *statement, row_fn *fill, struct err *err)
{
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        int more;

        if (db_read(replay->store->db, statement, NULL, &rows, err) < 0)
                return -1;
        while ((more = db_next(&rows, err)) > 0) {
                struct event event = { 0 };

                if (fill(&rows, &event, err) < 0)
                        return -1;
                replay->each(replay->arg, &event);
        }
        return more;
}

static int fill_principal(const struct db_rows *rows, struct event *event, struct err *err)
{
        struct store_principal *principal = &event->u.principal;

        (void)err;
        event->kind = EVENT_REPLAY_PRINCIPAL;
        principal->principal.n = (uint32_t)db_u64(rows, 0);
        copy_text(principal->name, sizeof(principal->name), db_text(rows, 1));
        principal->is_worker = db_u64(rows, 2);
        principal->active = db_u64(rows, 3);
        principal->weight = (uint32_t)db_u64(rows, 4);
        principal->quota.jobs = db_u64(rows, 5);
        principal->quota.tasks = db_u64(rows, 6);
        principal->quota.running = db_u64(rows, 7);
        principal->at_us = db_i64(rows, 8);
        return 0;
}

static int fill_key(const struct db_rows *rows, struct event *event, struct err *err)
{
        struct store_key *key = &event->u.key;

        (void)err;
        event->kind = EVENT_REPLAY_KEY;
        key->key = db_u64(rows, 0);
        key->principal.n = (uint32_t)db_u64(rows, 1);
        key->is_worker = db_u64(rows, 2);
        key->revoked = db_u64(rows, 3);
        copy_text(key->public_key, sizeof(key->public_key), db_text(rows, 4));
        key->expires_us = db_i64(rows, 5);
        key->at_us = db_i64(rows, 6);
        return 0;
}

static int fill_role(const struct db_rows *rows, struct event *event, struct err *err)
{
        (void)err;
        event->kind = EVENT_REPLAY_ROLE;
        event->u.role.role = (uint32_t)db_u64(rows, 0);
        copy_text(event->u.role.name, sizeof(event->u.role.name), db_text(rows, 1));
        return 0;
}

static int fill_member(const struct db_rows *rows, struct event *event, struct err *err)
{
        (void)err;
        event->kind = EVENT_REPLAY_MEMBER;
        event->u.member.role = (uint32_t)db_u64(rows, 0);
        event->u.member.principal.n = (uint32_t)db_u64(rows, 1);
        return 0;
}

static int fill_grant(const struct db_rows *rows, struct event *event, struct err *err)
{
        int permission = permission_from_word(db_text(rows, 1));

        event->kind = EVENT_REPLAY_GRANT;
        if (permission < 0)
                return err_set(err, ERR_CONFIG,
                               "table Grants names a permission that this program does not know: %.40s",
                               db_text(rows, 1));
        event->u.grant.role = (uint32_t)db_u64(rows, 0);
        event->u.grant.permission = (enum permission)permission;
        event->u.grant.scope = (enum scope)db_u64(rows, 2);
        copy_text(event->u.grant.type, sizeof(event->u.grant.type), db_text(rows, 3));
        return 0;
}

static int fill_queue(const struct db_rows *rows, struct event *event, struct err *err)
{
        struct store_queue *queue = &event->u.queue;

        (void)err;
        event->kind = EVENT_REPLAY_QUEUE;
        queue->queue = (uint32_t)db_u64(rows, 0);
        copy_text(queue->name, sizeof(queue->name), db_text(rows, 1));
        queue->paused = db_u64(rows, 2);
        queue->max_running = db_u64(rows, 3);
        queue->weight = (uint32_t)db_u64(rows, 4);
        return 0;
}

/* Texts are borrowed from the row for the duration of the event. */
static int fill_worker(const struct db_rows *rows, struct event *event, struct err *err)
{
        struct store_worker *worker = &event->u.worker;

        (void)err;
        event->kind = EVENT_REPLAY_WORKER;
        worker->worker.n = (uint32_t)db_u64(rows, 0);
        worker->state = (enum worker_state)db_u64(rows, 1);
        worker->slots = (uint32_t)db_u64(rows, 2);
        worker->busy = (uint32_t)db_u64(rows, 3);
        worker->labels = (char *)db_text(rows, 4);
        worker->version = (char *)db_text(rows, 5);
        worker->host = (char *)db_text(rows, 6);
        worker->enforces = (char *)db_text(rows, 7);
        worker->seen_us = db_i64(rows, 8);
        return 0;
}

/* ------------------------------------------------------------------ jobs */
static void each_tasks(void *arg, const struct replay_tasks *tasks)
{
        struct replay *replay = arg;
        struct event event = { .kind = EVENT_REPLAY_TASKS, .u.tasks = *tasks };

        replay->each(replay->arg, &event);
}

static int replay_job(struct replay *replay, struct job_id job, struct err *err)
{
        struct store *store = replay->store;
        struct event event = { .kind = EVENT_REPLAY_JOB };
        struct job_id id = job;
        struct store_positions positions = { 0 };
        CLEANUP_WITH(job_spec_free) struct job_spec_box *spec = NULL;
        bool found = false;

        if (store_read_job(store->db, store->writer.keys, store->writer.sealer, job, &event.u.job, &found,
                           err) < 0)
                return -1;
        if (!found)
                return err_set(err, ERR_CONFIG, "job %" PRIu64 " has no row in Submissions", job.n);
        positions.from = event.u.job.job.state.low;
        positions.to = event.u.job.job.state.mark;
        spec = job_spec_dup(&event.u.job.job.spec->spec); /* the core takes the other */
        if (spec->spec.has_edges) /* who waits for them must know how each ended */
                positions.from = 0;
        replay->each(replay->arg, &event);
        job_spec_free(event.u.job.job.spec); /* NULL if it did */
        return store_read_tasks(store->db, spec->spec.has_edges ? "replay_graph" : "replay_tasks", id,
                                &spec->spec, positions, each_tasks, replay, err);
}

static int fill_set(const struct db_rows *rows, struct event *event, struct err *err)
{
        size_t n;
        const char *hash = db_bytes(rows, 2, &n);

        (void)err;
        event->kind = EVENT_REPLAY_SET;
        event->u.set.job.n = db_u64(rows, 0);
        event->u.set.owner.n = (uint32_t)db_u64(rows, 1);
        memcpy(event->u.set.set_hash, hash, MIN(n, sizeof(event->u.set.set_hash)));
        return 0;
}

static int read_ids(struct replay *replay, uint64_t **ret_ids, size_t *ret_n, struct err *err)
{
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        size_t cap = 0;
        int more;

        if (db_read(replay->store->db, "replay_job_ids", NULL, &rows, err) < 0)
                return -1;
        while ((more = db_next(&rows, err)) > 0) {
                GROW(*ret_ids, cap, *ret_n + 1);
                (*ret_ids)[(*ret_n)++] = db_u64(&rows, 0);
        }
        return more;
}

static int replay_jobs(struct replay *replay, struct err *err)
{
        CLEANUP_WITH(xfree) uint64_t *ids = NULL;
        size_t n = 0;

        if (read_ids(replay, &ids, &n, err) < 0)
                return -1;
        for (size_t i = 0; i < n; i++)
                if (replay_job(replay, (struct job_id){ ids[i] }, err) < 0)
                        return err_wrap(err, "job %" PRIu64, ids[i]);
        return 0;
}

static int replay_done(struct replay *replay, struct err *err)
{
        struct event event = { .kind = EVENT_REPLAY_DONE };
        struct core_settings *settings = &event.u.settings;
        const uint8_t *install = keyring_install(replay->store->keyring);

        settings->epoch = replay->store->epoch;
        for (size_t i = 0; i < INSTALL_BYTES; i++)
                snprintf(settings->install + 2 * i, 3, "%02x", install[i]);
        if (db_number(replay->store->db, "replay_next_job", NULL, &settings->next_job, err) < 0)
                return -1;
        replay->each(replay->arg, &event);
        return 0;
}

int store_replay(struct store *store, store_replay_fn *each, void *arg, struct err *err)
{
        static const struct {
                const char *statement;
                row_fn *fill;
        } LISTS[] = {
                { "replay_principals", fill_principal }, { "replay_keys", fill_key },
                { "replay_roles", fill_role },           { "replay_members", fill_member },
                { "replay_grants", fill_grant },         { "replay_queues", fill_queue },
                { "replay_workers", fill_worker },
        };
        struct replay replay = { store, each, arg };

        for (size_t i = 0; i < ARRAY_LEN(LISTS); i++)
                if (replay_rows(&replay, LISTS[i].statement, LISTS[i].fill, err) < 0)
                        return err_wrap(err, "replay");
        if (replay_jobs(&replay, err) < 0 || replay_rows(&replay, "replay_sets", fill_set, err) < 0 ||
            replay_done(&replay, err) < 0)
                return err_wrap(err, "replay");
        return db_commit(store->db, err); /* ends the read view */
}
