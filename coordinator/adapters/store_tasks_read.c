/* Jobs and tasks out of their tables. An array's parts say which indexes its positions have; each part is one scan of
 * the clustered key. */
#include "adapters/store_tasks_read.h"

#include <string.h>

#include "adapters/store_internal.h"
#include "base/xalloc.h"
#include "core/indexes.h"

#define TASKS_MOST 10000000000ull /* the job was accepted: its limit is not ours to check again */

/* ------------------------------------------------------------------ one job */
static void read_state(const struct db_rows *rows, size_t at, struct job_state *state)
{
        state->status = (enum task_status)db_u64(rows, at);
        state->held = db_u64(rows, at + 1);
        state->waiting = db_u64(rows, at + 2);
        state->queued = db_u64(rows, at + 3);
        state->running = db_u64(rows, at + 4);
        state->succeeded = db_u64(rows, at + 5);
        state->failed = db_u64(rows, at + 6);
        state->timeout = db_u64(rows, at + 7);
        state->oom = db_u64(rows, at + 8);
        state->lost = db_u64(rows, at + 9);
        state->cancelled = db_u64(rows, at + 10);
        state->aborted = db_u64(rows, at + 11);
        state->mark = db_u64(rows, at + 12);
        state->low = db_u64(rows, at + 13);
        state->materialised = db_u64(rows, at + 14);
        state->started_us = db_i64(rows, at + 15);
        state->ended_us = db_i64(rows, at + 16);
        state->ending = (enum task_status)db_u64(rows, at + 17);
        state->ending_reason = (enum task_reason)db_u64(rows, at + 18);
        state->floor_epoch = db_u64(rows, at + 19);
}

static struct job_spec_box *open_spec(const struct db_rows *rows, struct store_keys *keys,
                                      struct sealer *sealer, const struct store_job_new *job, struct err *err)
{
        CLEANUP_BUF struct buf json = { 0 };
        struct seal_place place = { .kind = SEAL_JOB_SPEC, .owner = job->owner.n, .job = job->job.n };
        struct data_key key;
        size_t n_wrapped, n_spec;
        const char *wrapped = db_bytes(rows, 27, &n_wrapped), *spec = db_bytes(rows, 28, &n_spec);

        if (store_keys_unwrap(keys, job->job.n, wrapped, n_wrapped, &key, err) < 0 ||
            unseal(sealer, &key, &place, spec, n_spec, &json, err) < 0)
                return NULL;
        return job_spec_decode(json.bytes, json.n, err);
}

static int read_row(const struct db_rows *rows, struct store_keys *keys, struct sealer *sealer,
                    struct replay_job *replay, struct err *err)
{
        struct store_job_new *job = &replay->job;
        size_t n;
        const char *bytes;

        job->owner.n = (uint32_t)db_u64(rows, 0);
        bytes = db_bytes(rows, 1, &n);
        memcpy(job->key_hash, bytes, MIN(n, sizeof(job->key_hash)));
        bytes = db_bytes(rows, 2, &n);
        memcpy(job->digest, bytes, MIN(n, sizeof(job->digest)));
        job->tasks = db_u64(rows, 3);
        job->chunks = (uint32_t)db_u64(rows, 4);
        job->loading = db_u64(rows, 5);
        job->submitted_us = db_i64(rows, 6);
        job->state.job = job->job;
        read_state(rows, 7, &job->state);
        replay->chunks_stored = (uint32_t)db_u64(rows, 29);
        job->spec = open_spec(rows, keys, sealer, job, err);
        return job->spec ? 0 : -1;
}

int store_read_job(struct db *db, struct store_keys *keys, struct sealer *sealer, struct job_id job,
                   struct replay_job *ret_job, bool *ret_found, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        struct replay_job replay = { .job.job = job };
        int more;

        db_args_init(&args, "job:u");
        db_put_u64(&args, job.n);
        *ret_found = false;
        if (db_read(db, "job_whole", &args, &rows, err) < 0)
                return -1;
        more = db_next(&rows, err);
        if (more <= 0)
                return more;
        if (read_row(&rows, keys, sealer, &replay, err) < 0)
                return -1;
        *ret_job = replay;
        *ret_found = true;
        return 0;
}

/* ------------------------------------------------------------------ its tasks */
struct gather {
        struct replay_tasks tasks; /* the run that is growing; n_indexes 0: none */
        bool any;
        uint64_t step; /* between neighbours; 1 where other parts lie between those of one */
        store_tasks_fn *each;
        void *arg;
};

static bool alike(const struct replay_tasks *a, const struct replay_tasks *b)
{
        return a->status == b->status && a->reason == b->reason && a->attempt == b->attempt &&
               a->tries == b->tries && a->crashes == b->crashes && a->worker.n == b->worker.n &&
               a->nonce == b->nonce && a->started_us == b->started_us && a->ooms == b->ooms;
}

static void gather_end(struct gather *gather)
{
        if (gather->any)
                gather->each(gather->arg, &gather->tasks);
        gather->any = false;
}

static void gather_row(struct gather *gather, const struct replay_tasks *row)
{
        if (gather->any && gather->tasks.indexes.hi + gather->step == row->indexes.lo &&
            alike(&gather->tasks, row)) {
                gather->tasks.indexes.hi = row->indexes.hi;
                return;
        }
        gather_end(gather);
        gather->tasks = *row;
        gather->any = true;
}

static struct replay_tasks row_of(const struct db_rows *rows, struct job_id job)
{
        return (struct replay_tasks){
                .job = job,
                .indexes = { db_u64(rows, 0), db_u64(rows, 0) },
                .status = (enum task_status)db_u64(rows, 1),
                .reason = (enum task_reason)db_u64(rows, 2),
                .attempt = (uint32_t)db_u64(rows, 3),
                .tries = (uint32_t)db_u64(rows, 4),
                .crashes = (uint32_t)db_u64(rows, 5),
                .worker.n = (uint32_t)db_u64(rows, 6),
                .nonce = db_u64(rows, 7),
                .started_us = db_i64(rows, 8),
                .ooms = (uint32_t)db_u64(rows, 9),
        };
}

/* The part's positions from … to - 1; indexes between its steps belong to other parts. */
static int read_part(struct db *db, const char *statement, struct job_id job, const struct index_part *part,
                     struct store_positions within, struct gather *gather, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        uint64_t from = MAX(within.from, part->at), to = MIN(within.to, part->at + part->n);
        int more;

        if (from >= to)
                return 0;
        db_args_init(&args, "job:u lo:u hi:u");
        db_put_u64(&args, job.n);
        db_put_u64(&args, part->lo + (from - part->at) * part->step);
        db_put_u64(&args, part->lo + (to - 1 - part->at) * part->step);
        if (db_read(db, statement, &args, &rows, err) < 0)
                return -1;
        while ((more = db_next(&rows, err)) > 0) {
                struct replay_tasks row = row_of(&rows, job);

                if ((row.indexes.lo - part->lo) % part->step == 0)
                        gather_row(gather, &row);
        }
        return more;
}

int store_read_tasks(struct db *db, const char *statement, struct job_id job, const struct rec_job_spec *spec,
                     struct store_positions positions, store_tasks_fn *each, void *arg, struct err *err)
{
        struct gather gather = { .each = each, .arg = arg };
        struct indexes indexes = { 0 };
        int done = indexes_init(&indexes, spec, TASKS_MOST, err);

        for (size_t i = 0; i < indexes.n_parts && done == 0; i++) {
                gather.step = indexes.apart ? indexes.parts[i].step : 1;
                done = read_part(db, statement, job, &indexes.parts[i], positions, &gather, err);
        }
        gather_end(&gather);
        indexes_done(&indexes);
        return done;
}
