/* Writing jobs: their row, tags and chunks. What says something is sealed here, under a key made for the job. */
#include <string.h>

#include "adapters/store_writer.h"
#include "base/clock.h"
#include "base/xalloc.h"

static struct seal_place place_of(enum seal_kind kind, struct job_id job, struct principal_id owner)
{
        return (struct seal_place){ .kind = kind, .owner = owner.n, .job = job.n };
}

static int put_tags(struct store_writer *writer, struct db *db, struct job_id job, struct principal_id owner,
                    const struct rec_job_spec *spec, struct err *err)
{
        struct db_args *args = &writer->rows[ROWS_TAG];

        for (size_t i = 0; i < spec->n_tags; i++) {
                struct seal_place place = place_of(SEAL_TAG, job, owner);
                size_t n = strlen(spec->tags[i]);
                uint8_t hash[NAME_HASH_BYTES];

                place.part = (uint32_t)i;
                keyring_name_hash(writer->keyring, "tag", spec->tags[i], n, hash);
                db_put_u64(args, job.n);
                db_put_u64(args, i);
                db_put_u64(args, owner.n);
                db_put_bytes(args, hash, sizeof(hash));
                if (store_put_sealed(writer, db, ROWS_TAG, &place, spec->tags[i], n, err) < 0)
                        return -1;
        }
        return 0;
}

struct job_time {
        int64_t us; /* on the wall clock, or */
        bool is_delay; /* from the submission; 0 and no delay: none */
};

static struct job_time time_of(bool has_us, uint64_t us, bool has_delay, uint64_t delay_ms)
{
        if (has_us || !has_delay)
                return (struct job_time){ .us = has_us ? (int64_t)us : 0 };
        return (struct job_time){ .us = (int64_t)delay_ms * US_PER_MS, .is_delay = true };
}

static struct job_time at_of(const struct rec_job_spec *spec)
{
        return time_of(spec->has_at_us, spec->at_us, spec->has_at_delay_ms, spec->at_delay_ms);
}

static struct job_time start_by_of(const struct rec_job_spec *spec)
{
        return time_of(spec->has_start_by_us, spec->start_by_us, spec->has_start_by_delay_ms,
                       spec->start_by_delay_ms);
}

static void put_numbers(struct db_args *args, const struct store_job_new *job, const struct job_state *state)
{
        const struct rec_job_spec *spec = &job->spec->spec;
        struct job_time at = at_of(spec), start_by = start_by_of(spec);

        db_put_u64(args, job->job.n);
        db_put_u64(args, job->owner.n);
        db_put_str(args, spec->queue ? spec->queue : "default");
        db_put_u64(args, spec->type);
        db_put_u64(args, job->loading);
        db_put_u64(args, state->status);
        db_put_i64(args, spec->has_priority ? spec->priority : 0);
        db_put_u64(args, spec->has_cpus ? spec->cpus : 1);
        db_put_u64(args, spec->has_max_running ? spec->max_running : 0);
        db_put_u64(args, spec->hold);
        db_put_u64(args, job->tasks);
        db_put_u64(args, state->held);
        db_put_u64(args, state->waiting);
        db_put_u64(args, state->queued);
        db_put_u64(args, state->running);
        db_put_u64(args, state->succeeded);
        db_put_u64(args, state->failed);
        db_put_u64(args, state->timeout);
        db_put_u64(args, state->oom);
        db_put_u64(args, state->lost);
        db_put_u64(args, state->cancelled);
        db_put_u64(args, state->aborted);
        db_put_u64(args, state->mark);
        db_put_u64(args, state->low);
        db_put_u64(args, state->materialised);
        db_put_i64(args, job->submitted_us);
        db_put_i64(args, state->started_us);
        db_put_i64(args, state->ended_us);
        db_put_u64(args, state->ending);
        db_put_u64(args, state->ending_reason);
        db_put_u64(args, state->floor_epoch);
        db_put_u64(args, job->chunks);
        db_put_u64(args, spec->has_entries
                                 ? (spec->has_entries_per_chunk ? spec->entries_per_chunk : spec->entries)
                                 : 0);
        db_put_i64(args, at.us + (at.is_delay ? job->submitted_us : 0));
        db_put_i64(args, start_by.us + (start_by.is_delay ? job->submitted_us : 0));
}

/* A job's name is what was given, else the word of its type: v_jobs.name is never empty. */
static const char *name_of(const struct rec_job_spec *spec)
{
        return spec->name ? spec->name : task_type_word(spec->type);
}

/* name_hash, name, comment */
static int put_names(struct store_writer *writer, struct db *db, enum store_rows rows, struct job_id job,
                     struct principal_id owner, const struct rec_job_spec *spec, struct err *err)
{
        struct db_args *args = &writer->rows[rows];
        struct seal_place name = place_of(SEAL_JOB_NAME, job, owner),
                          comment = place_of(SEAL_JOB_COMMENT, job, owner);
        uint8_t hash[NAME_HASH_BYTES];

        keyring_name_hash(writer->keyring, "name", name_of(spec), strlen(name_of(spec)), hash);
        db_put_bytes(args, hash, sizeof(hash));
        if (store_put_sealed(writer, db, rows, &name, name_of(spec), strlen(name_of(spec)), err) < 0)
                return -1;
        if (spec->comment)
                return store_put_sealed(writer, db, rows, &comment, spec->comment, strlen(spec->comment),
                                        err);
        db_put_bytes(args, "", 0);
        return 0;
}

static int put_spec(struct store_writer *writer, struct db *db, enum store_rows rows, struct job_id job,
                    struct principal_id owner, const struct rec_job_spec *spec, struct err *err)
{
        CLEANUP_BUF struct buf json = { 0 };
        struct seal_place whole = place_of(SEAL_JOB_SPEC, job, owner);

        job_spec_encode(spec, &json);
        return store_put_sealed(writer, db, rows, &whole, json.bytes, json.n, err);
}

int store_job_new(struct store_writer *writer, const struct store_job_new *job, struct err *err)
{
        struct store_slot *slot = store_slot(writer, job->job);
        struct data_key key;

        if (store_keys_make(writer->keys, job->job.n, &key, slot->wrapped, err) < 0)
                return -1;
        explicit_bzero(&key, sizeof(key));
        slot->fresh = job;
        slot->state = job->state;
        writer->n_fresh++;
        return 0;
}

int store_put_job(struct store_writer *writer, struct db *db, const struct store_slot *slot, struct err *err)
{
        const struct store_job_new *job = slot->fresh;
        const struct rec_job_spec *spec = &job->spec->spec;
        struct db_args *submission = &writer->rows[ROWS_SUBMISSION];

        db_put_u64(submission, job->owner.n);
        db_put_bytes(submission, job->key_hash, sizeof(job->key_hash));
        db_put_bytes(submission, job->digest, sizeof(job->digest));
        db_put_u64(submission, job->job.n);
        put_numbers(&writer->rows[ROWS_JOB], job, &slot->state);
        if (put_names(writer, db, ROWS_JOB, job->job, job->owner, spec, err) < 0)
                return -1;
        db_put_bytes(&writer->rows[ROWS_JOB], slot->wrapped, WRAPPED_KEY_BYTES);
        if (put_spec(writer, db, ROWS_JOB, job->job, job->owner, spec, err) < 0)
                return -1;
        return put_tags(writer, db, job->job, job->owner, spec, err);
}

int store_job_chunk(struct store_writer *writer, struct db *db, const struct store_chunk *chunk,
                    struct err *err)
{
        struct db_args *args = &writer->rows[ROWS_CHUNK];
        struct seal_place place = place_of(SEAL_JOB_CHUNK, chunk->job, chunk->owner);

        place.part = chunk->part;
        place.seq = chunk->seq;
        db_put_u64(args, chunk->job.n);
        db_put_u64(args, chunk->part);
        db_put_u64(args, chunk->seq);
        db_put_u64(args, chunk->owner.n);
        if (store_put_sealed(writer, db, ROWS_CHUNK, &place, chunk->bytes, chunk->n_bytes, err) < 0)
                return -1;
        return store_row_added(writer, db, ROWS_CHUNK, err);
}

static int run_for_job(struct store_writer *writer, struct db *db, const char *statement, struct job_id job,
                       uint64_t each, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };

        db_args_init(&args, "job:u");
        db_put_u64(&args, job.n);
        return store_write_now(writer, db, statement, &args, each, err);
}

int store_job_live(struct store_writer *writer, struct db *db, struct job_id job, struct err *err)
{
        if (store_flush_upto(writer, db, ROWS_CHUNK, err) < 0)
                return -1;
        return run_for_job(writer, db, "job_live", job, 1, err);
}

int store_set_job(struct store_writer *writer, struct db *db, const struct store_set *set, struct err *err)
{
        struct db_args *args = &writer->rows[ROWS_SET_JOB];

        db_put_u64(args, set->job.n);
        db_put_u64(args, set->owner.n);
        db_put_bytes(args, set->set_hash, sizeof(set->set_hash));
        return store_row_added(writer, db, ROWS_SET_JOB, err);
}

int store_set_live(struct store_writer *writer, struct db *db, const struct store_set *set, struct err *err)
{
        static const char *const PARTS[] = { "set_live", "set_done" };

        if (store_flush_upto(writer, db, ROWS_CHUNK, err) < 0)
                return -1;
        for (size_t i = 0; i < ARRAY_LEN(PARTS); i++) {
                CLEANUP_DB_ARGS struct db_args args = { 0 };

                db_args_init(&args, "owner:u set_hash:b");
                db_put_u64(&args, set->owner.n);
                db_put_bytes(&args, set->set_hash, sizeof(set->set_hash));
                if (store_write_now(writer, db, PARTS[i], &args, set->n, err) < 0)
                        return -1;
        }
        return 0;
}

int store_job_drop(struct store_writer *writer, struct db *db, struct job_id job, struct err *err)
{
        static const char *const PARTS[] = { "job_drop_tasks", "job_drop_data", "job_drop_tags",
                                             "job_drop_set", "job_drop_submission" };

        if (store_writer_flush(writer, db, err) < 0)
                return -1;
        for (size_t i = 0; i < ARRAY_LEN(PARTS); i++)
                if (run_for_job(writer, db, PARTS[i], job, 0, err) < 0)
                        return -1;
        return run_for_job(writer, db, "job_drop", job, 1, err);
}

/* Which single tasks are held, in place of what was there. */
static int put_holds(struct store_writer *writer, struct db *db, const struct store_job_spec *change,
                     struct err *err)
{
        struct db_args *args = &writer->rows[ROWS_HOLD_PUT];

        db_put_u64(&writer->rows[ROWS_HOLDS_DROP], change->job.n);
        for (size_t i = 0; i < change->n_held; i++) {
                db_put_u64(args, change->job.n);
                db_put_u64(args, change->held[i].lo);
                db_put_u64(args, change->held[i].hi);
                db_put_u64(args, change->held[i].step);
        }
        return store_row_added(writer, db, ROWS_HOLD_PUT, err);
}

int store_job_spec(struct store_writer *writer, struct db *db, const struct store_job_spec *change,
                   struct err *err)
{
        struct db_args *args = &writer->rows[ROWS_SPEC];
        const struct rec_job_spec *spec = &change->spec->spec;
        struct job_time at = at_of(spec), start_by = start_by_of(spec);

        /* What an earlier change of this job holds must not be written behind this one's drop. */
        if (store_spec_gathered(writer, change->job)) {
                if (store_flush_upto(writer, db, ROWS_HOLD_PUT, err) < 0)
                        return -1;
                store_spec_gathered(writer, change->job);
        }
        db_put_u64(args, change->job.n);
        db_put_str(args, spec->queue ? spec->queue : "default");
        db_put_i64(args, spec->has_priority ? spec->priority : 0);
        db_put_u64(args, spec->has_cpus ? spec->cpus : 1);
        db_put_u64(args, spec->has_max_running ? spec->max_running : 0);
        db_put_u64(args, spec->hold ? 1 : change->n_held > 0 ? 2 : 0);
        db_put_i64(args, at.us);
        db_put_u64(args, at.is_delay);
        db_put_i64(args, start_by.us);
        db_put_u64(args, start_by.is_delay);
        if (put_names(writer, db, ROWS_SPEC, change->job, change->owner, spec, err) < 0 ||
            put_spec(writer, db, ROWS_SPEC, change->job, change->owner, spec, err) < 0 ||
            put_holds(writer, db, change, err) < 0)
                return -1;
        return store_row_added(writer, db, ROWS_SPEC, err);
}
