/* Turns store operations into bound statements inside the transaction that is open. Rows of a kind gather and go
 * out together; what must happen in order does. */
#ifndef ADAPTERS_STORE_WRITER_H
#define ADAPTERS_STORE_WRITER_H

#include "base/hash.h"
#include "adapters/db.h"
#include "adapters/store_keys.h"
#include "core/store_op.h"
#include "crypt/envelope.h"

enum store_rows {
#define STORE_ROWS(name, statement, spec, each) ROWS_##name,
#include "adapters/store_rows.def"
#undef STORE_ROWS
        ROWS_COUNT
};

/* A job that this batch has something to write of beside its tasks. */
struct store_slot {
        uint64_t job;
        struct job_state state; /* the newest */
        const struct store_job_new
                *fresh; /* its row is still to be made, with that state; NULL: it is there */
        uint8_t wrapped[WRAPPED_KEY_BYTES];
        UT_hash_handle hh;
};

/* A transaction that changes something begins with it, at the latest when the first of its rows is written: it locks the row
 * of Writers, gives up if the epoch in it has moved on, and notes the number of the batch. Who raises the epoch needs
 * that row, too (migration 0015). */
#define STORE_FENCE_MATCH 2 /* what writer_put counts for who may pass */
struct store_fence {
        uint64_t epoch, batch;
        bool passed;
};
/* FENCED: another coordinator has taken over. */
int store_fence_pass(struct store_fence *fence, struct db *db, struct err *err) MUST_CHECK;
int store_fence_check(const struct store_fence *fence, struct db *db,
                      struct err *err) MUST_CHECK; /* notes nothing */
void store_fence_args(const struct store_fence *fence, struct db_args *args); /* epoch:u batch:u, one row */

struct store_writer {
        struct store_fence fence; /* of the transaction that is open */
        const struct keyring *keyring;
        struct sealer *sealer;
        struct store_keys *keys;
        struct db_args rows[ROWS_COUNT];
        struct store_slot *slots; /* hash, in the order in which the jobs came */
        size_t n_fresh;
        struct store_changed *changed; /* jobs whose description is gathered and not yet written */
        struct store_span *ended; /* tasks whose end is gathered and not yet written */
        size_t n_ended, cap_ended;
};

void store_writer_init(struct store_writer *writer, const struct keyring *keyring);
void store_writer_done(struct store_writer *writer);
/* A transaction begins; what an earlier one had gathered is forgotten. */
void store_writer_begin(struct store_writer *writer, uint64_t epoch, uint64_t batch);

/* One operation. STALE: the database does not hold what the core believes. */
int store_write(struct store_writer *writer, struct db *db, struct store_op *op, struct err *err) MUST_CHECK;
/* Everything gathered; before COMMIT. */
int store_writer_flush(struct store_writer *writer, struct db *db, struct err *err) MUST_CHECK;
/* Nothing was written yet, and what was gathered is little: store_writer_commit may do all of it. */
int store_writer_is_small(struct store_writer *writer, struct db *db, bool *ret_small,
                          struct err *err) MUST_CHECK;
/* Fence, rows and COMMIT as one statement (db_whole). */
int store_writer_commit(struct store_writer *writer, struct db *db, struct err *err) MUST_CHECK;
bool store_writer_send(struct store_writer *writer,
                       struct db *db); /* the same as db_whole_send is to db_whole */
/* What the failure means that the connection keeps; err has it and is changed. */
void store_writer_explain(struct store_writer *writer, struct db *db, struct err *err);

/* ------------------------------------------------------------------ between the files of the writer */
#define ROWS_WEIGHT_MAX                                                                                      \
        ((size_t)4 << 20) /* of one packet: well under max_allowed_packet, which is 16 MiB at least */

/* Writes these rows and all that come before them, in the order of store_rows.def. */
int store_flush_upto(struct store_writer *writer, struct db *db, enum store_rows last,
                     struct err *err) MUST_CHECK;
/* After a row was added: writes when the packet is full. */
int store_row_added(struct store_writer *writer, struct db *db, enum store_rows rows,
                    struct err *err) MUST_CHECK;
/* Seals `plain` as the next value of these rows. */
int store_put_sealed(struct store_writer *writer, struct db *db, enum store_rows rows,
                     const struct seal_place *place, const void *plain, size_t bytes,
                     struct err *err) MUST_CHECK;
/* One row now; each: rows that must match, 0 not looked at. */
int store_write_now(struct store_writer *writer, struct db *db, const char *statement, struct db_args *args,
                    uint64_t each, struct err *err) MUST_CHECK;

int store_job_new(struct store_writer *writer, const struct store_job_new *job, struct err *err) MUST_CHECK;
int store_job_chunk(struct store_writer *writer, struct db *db, const struct store_chunk *chunk,
                    struct err *err) MUST_CHECK;
int store_job_live(struct store_writer *writer, struct db *db, struct job_id job, struct err *err) MUST_CHECK;
int store_set_job(struct store_writer *writer, struct db *db, const struct store_set *set,
                  struct err *err) MUST_CHECK;
int store_set_live(struct store_writer *writer, struct db *db, const struct store_set *set,
                   struct err *err) MUST_CHECK;
int store_job_drop(struct store_writer *writer, struct db *db, struct job_id job, struct err *err) MUST_CHECK;
int store_job_spec(struct store_writer *writer, struct db *db, const struct store_job_spec *change,
                   struct err *err) MUST_CHECK;
/* Is one, already? From now on one is. */
bool store_spec_gathered(struct store_writer *writer, struct job_id job);
/* A new job's rows, gathered from its slot. */
int store_put_job(struct store_writer *writer, struct db *db, const struct store_slot *slot,
                  struct err *err) MUST_CHECK;
struct store_slot *store_slot(struct store_writer *writer, struct job_id job); /* made if new */

int store_tasks_new(struct store_writer *writer, struct db *db, const struct store_tasks_new *tasks,
                    struct err *err) MUST_CHECK;
int store_task_state(struct store_writer *writer, struct db *db, const struct store_task_state *state,
                     struct err *err) MUST_CHECK;
int store_task_end(struct store_writer *writer, struct db *db, const struct store_task_end *end,
                   struct err *err) MUST_CHECK;
int store_attempt(struct store_writer *writer, struct db *db, const struct store_attempt *attempt,
                  struct err *err) MUST_CHECK;
int store_round(struct store_writer *writer, struct db *db, const struct store_round *round,
                struct err *err) MUST_CHECK;

int store_aborted(struct store_writer *writer, struct db *db, const struct store_op *op,
                  struct err *err) MUST_CHECK;

int store_data(struct store_writer *writer, struct db *db, const struct store_data *data,
               struct err *err) MUST_CHECK;
int store_report(struct store_writer *writer, struct db *db, const struct store_report *report,
                 struct err *err) MUST_CHECK;
int store_file(struct store_writer *writer, struct db *db, const struct store_file *file,
               struct err *err) MUST_CHECK;
int store_event(struct store_writer *writer, struct db *db, const struct store_event *event,
                struct err *err) MUST_CHECK;
int store_worker(struct store_writer *writer, struct db *db, const struct store_worker *worker,
                 struct err *err) MUST_CHECK;

int store_principal(struct db *db, const struct store_principal *principal, struct err *err) MUST_CHECK;
int store_key(struct db *db, const struct store_key *key, struct err *err) MUST_CHECK;
int store_role(struct db *db, const struct store_role *role, struct err *err) MUST_CHECK;
int store_member(struct db *db, const struct store_member *member, struct err *err) MUST_CHECK;
int store_grant(struct db *db, const struct store_grant *grant, struct err *err) MUST_CHECK;
int store_visible(struct db *db, struct err *err) MUST_CHECK;
int store_queue(struct db *db, const struct store_queue *queue, struct err *err) MUST_CHECK;

/* The questions for keys that begin with *op, as one statement; *op becomes the last of them. */
int store_find_keys(struct store_writer *writer, struct db *db, struct store_op **op,
                    struct err *err) MUST_CHECK;
int store_ask(struct db *db, struct store_op *op, struct err *err) MUST_CHECK; /* the questions */

#endif
