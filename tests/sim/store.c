/* The store of the simulation: tables in memory with the rules of the real one. An operation that the real store would
 * refuse (a final row changed, a key twice, a row that is not there) fails the run. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

typedef unsigned long long ull;

struct sim_job *sim_store_job(const struct sim_store *store, uint64_t id)
{
        struct sim_job *job;

        HASH_FIND(hh, store->jobs, &id, sizeof(id), job);
        return job;
}

static struct sim_job *get(struct sim *sim, struct job_id id)
{
        struct sim_job *job = sim_store_job(&sim->store, id.n);

        if (!job)
                sim_fail(sim, "an operation on job %llu, which is not there", (ull)id.n);
        if (!job->touched) {
                job->touched = true;
                LL_PREPEND2(sim->store.touched, job, next_touched);
        }
        return job;
}

static struct sim_row *row_find(const struct sim_job *job, uint64_t index)
{
        struct sim_row *row;

        HASH_FIND(hh, job->rows, &index, sizeof(index), row);
        return row;
}

static struct sim_row *row_get(struct sim *sim, const struct sim_job *job, uint64_t index)
{
        struct sim_row *row = row_find(job, index);

        if (!row)
                sim_fail(sim, "task %llu.%llu has no row", (ull)job->id, (ull)index);
        return row;
}

static void job_free(struct sim_store *store, struct sim_job *job)
{
        struct sim_row *row, *next;
        struct sim_attempt *attempt, *next_attempt;

        HASH_ITER (hh, job->rows, row, next) {
                HASH_DELETE(hh, job->rows, row);
                free(row);
        }
        HASH_ITER (hh, job->attempts, attempt, next_attempt) {
                HASH_DELETE(hh, job->attempts, attempt);
                free(attempt);
        }
        for (uint32_t i = 0; i < job->n_chunks; i++)
                buf_done(&job->chunks[i]);
        free(job->chunks);
        indexes_done(&job->indexes);
        job_spec_free(job->row.spec);
        HASH_DELETE(hh, store->jobs, job);
        free(job);
}

void sim_store_free(struct sim_store *store)
{
        struct sim_job *job, *next;
        struct sim_data *data, *next_data;

        free(store->aborted);
        HASH_ITER (hh, store->jobs, job, next)
                job_free(store, job);
        HASH_ITER (hh, store->data, data, next_data) {
                HASH_DELETE(hh, store->data, data);
                free(data);
        }
}

bool sim_store_is_due(const struct sim_store *store)
{
        for (size_t i = 0; i < store->n_aborted; i++) {
                if (store->aborted[i].due)
                        return true;
        }
        return false;
}

bool sim_job_is_final(const struct sim_job *job)
{
        const struct job_state *s = &job->row.state;

        return !job->loading && s->held + s->waiting + s->queued + s->running == 0;
}

/* Is this position held by itself, as the description says? */
bool sim_store_holds(const struct sim_store *store, uint64_t id, uint32_t at)
{
        const struct sim_job *job = sim_store_job(store, id);
        const struct rec_job_spec *spec = job ? &job->row.spec->spec : NULL;

        for (size_t i = 0; spec && i < spec->n_holds; i++) {
                for (size_t r = 0; r < spec->holds[i].n_tasks; r++) {
                        if (at >= spec->holds[i].tasks[r].lo && at <= spec->holds[i].tasks[r].hi)
                                return true;
                }
        }
        return false;
}

static uint64_t count_held(const struct rec_job_spec *spec)
{
        uint64_t n = 0;

        for (size_t i = 0; i < spec->n_holds; i++) {
                for (size_t r = 0; r < spec->holds[i].n_tasks; r++)
                        n += spec->holds[i].tasks[r].hi - spec->holds[i].tasks[r].lo + 1;
        }
        return n;
}

/* What readers of rows are told is what the description says. */
static void check_holds(struct sim *sim, const struct store_job_spec *change)
{
        uint64_t n = 0;

        for (size_t i = 0; i < change->n_held; i++)
                n += (change->held[i].hi - change->held[i].lo) / change->held[i].step + 1;
        if (n != count_held(&change->spec->spec))
                sim_fail(sim, "job %llu: its rows of Holds and its description disagree", (ull)change->job.n);
}

/* ------------------------------------------------------------------ jobs */

static void job_new(struct sim *sim, const struct store_job_new *new)
{
        struct sim_job *job;

        for (job = sim->store.jobs; job; job = job->hh.next) {
                if (job->row.owner.n == new->owner.n && memcmp(job->row.key_hash, new->key_hash, 16) == 0)
                        sim_fail(sim, "two jobs for one idempotency key");
        }
        if (sim_store_job(&sim->store, new->job.n))
                sim_fail(sim, "job %llu twice", (ull) new->job.n);
        job = xcalloc(1, sizeof(*job));
        job->id = new->job.n;
        job->row = *new;
        job->row.spec = job_spec_dup(&new->spec->spec);
        job->loading = new->loading;
        if (indexes_init(&job->indexes, &job->row.spec->spec, 10000000, NULL) < 0)
                sim_fail(sim, "a stored array that is not sound");
        job->n_chunks = new->chunks;
        job->chunks = xcalloc(MAX(job->n_chunks, 1u), sizeof(*job->chunks));
        HASH_ADD(hh, sim->store.jobs, id, sizeof(job->id), job);
}

static void set_live(struct sim *sim, const struct store_set *set)
{
        uint64_t n = 0;

        for (struct sim_job *job = sim->store.jobs; job; job = job->hh.next) {
                if (!job->in_set || job->row.owner.n != set->owner.n ||
                    memcmp(job->set_hash, set->set_hash, 16) != 0)
                        continue;
                get(sim, (struct job_id){ job->id })->loading = false;
                job->in_set = false;
                n++;
        }
        if (n != set->n)
                sim_fail(sim, "a set of %llu jobs lives with %llu", (ull)set->n, (ull)n);
}

static void job_chunk(struct sim *sim, const struct store_chunk *chunk)
{
        struct sim_job *job = get(sim, chunk->job);

        if (chunk->no >= job->n_chunks || job->chunks[chunk->no].n > 0)
                sim_fail(sim, "chunk %u of job %llu twice or beyond", chunk->no, (ull)job->id);
        buf_add(&job->chunks[chunk->no], chunk->bytes, chunk->n_bytes);
}

static void tasks_new(struct sim *sim, const struct store_tasks_new *new)
{
        struct sim_job *job = get(sim, new->job);

        if (new->n > 20000)
                sim_fail(sim, "too many rows at once");
        for (uint64_t i = 0; i < new->n; i++) {
                struct sim_row *row = xcalloc(1, sizeof(*row));

                row->index = new->first + i *new->step;
                row->now.status = new->status;
                row->now.reason = new->reason;
                if (row_find(job, row->index))
                        sim_fail(sim, "task %llu.%llu has two rows", (ull)job->id, (ull)row->index);
                HASH_ADD(hh, job->rows, index, sizeof(row->index), row);
                job->n_status[new->status]++;
        }
}

static void change(struct sim_job *job, struct sim_row *row, enum task_status status)
{
        job->n_status[row->now.status]--;
        job->n_status[status]++;
        row->now.status = status;
        row->final = task_status_is_final(status);
}

static void task_state(struct sim *sim, const struct store_task_state *state)
{
        struct sim_job *job = get(sim, state->job);

        for (size_t r = 0; r < state->n_indexes; r++) {
                for (uint64_t i = state->indexes[r].lo; i <= state->indexes[r].hi; i++) {
                        struct sim_row *row = row_get(sim, job, i);

                        if (row->final)
                                sim_fail(sim, "task %llu.%llu is final and would change", (ull)job->id,
                                         (ull)i);
                        if (state->attempt < row->now.attempt && row->now.nonce == 0)
                                sim_fail(sim, "task %llu.%llu: its attempt goes back", (ull)job->id, (ull)i);
                        change(job, row, state->status);
                        row->now = *state;
                        row->now.indexes = NULL;
                }
        }
}

static bool came_from_worker(const struct store_task_end *end)
{
        return end->nonce != 0 && end->reason != TASK_REASON_CRASH_LIMIT &&
               (end->status == TASK_STATUS_SUCCEEDED || end->status == TASK_STATUS_FAILED ||
                end->status == TASK_STATUS_TIMEOUT || end->status == TASK_STATUS_OOM);
}

static void task_end(struct sim *sim, const struct store_task_end *end)
{
        struct sim_job *job = get(sim, end->job);
        uint64_t n = 0;

        for (size_t r = 0; r < end->n_indexes; r++) {
                for (uint64_t i = end->indexes[r].lo; i <= end->indexes[r].hi; i++, n++) {
                        struct sim_row *row = row_get(sim, job, i);
                        const struct sim_witness *witness = sim_witness(sim, job->id, i);

                        if (row->final)
                                sim_fail(sim, "task %llu.%llu ends twice", (ull)job->id, (ull)i);
                        if (came_from_worker(end) && witness->nonce != end->nonce)
                                sim_fail(
                                        sim,
                                        "task %llu.%llu: the recorded result is not that of the newest lease",
                                        (ull)job->id, (ull)i);
                        change(job, row, end->status);
                        row->now.attempt = end->attempt;
                        row->now.reason = end->reason;
                        row->end_nonce = end->nonce;
                        sim->n_ends++;
                }
        }
        if (n != end->n_tasks || (end->n_values != 1 && end->n_values != n))
                sim_fail(sim, "an end of %llu tasks names %llu", (ull)end->n_tasks, (ull)n);
}

static void attempt(struct sim *sim, const struct store_attempt *new)
{
        struct sim_job *job = get(sim, new->job);
        struct sim_attempt *row = xcalloc(1, sizeof(*row)), *old;

        row->key = new->index << 16 | new->attempt;
        HASH_FIND(hh, job->attempts, &row->key, sizeof(row->key), old);
        if (old)
                sim_fail(sim, "attempt %u of task %llu.%llu twice", new->attempt, (ull)job->id,
                         (ull) new->index);
        HASH_ADD(hh, job->attempts, key, sizeof(row->key), row);
        row_get(sim, job, new->index)->ooms += new->status == TASK_STATUS_OOM;
}

static void new_round(struct sim *sim, const struct store_round *round)
{
        struct sim_job *job = get(sim, round->job);

        for (size_t r = 0; r < round->n_indexes; r++) {
                for (uint64_t i = round->indexes[r].lo; i <= round->indexes[r].hi; i++) {
                        struct sim_row *row = row_get(sim, job, i);
                        uint32_t number = row->now.attempt;
                        struct store_attempt old = {
                                .job = round->job, .index = i, .attempt = number, .status = row->now.status
                        };
                        uint64_t key = i << 16 | number;
                        struct sim_attempt *known;

                        if (!row->final || row->now.status == TASK_STATUS_SUCCEEDED)
                                sim_fail(sim, "a new round for task %llu.%llu, which is not over",
                                         (ull)job->id, (ull)i);
                        HASH_FIND(hh, job->attempts, &key, sizeof(key), known);
                        if (number > 0 && !known)
                                attempt(sim, &old);
                        row->ended_before = true;
                        change(job, row, TASK_STATUS_QUEUED);
                        memset(&row->now, 0, sizeof(row->now));
                        row->now.status = TASK_STATUS_QUEUED;
                        row->now.attempt = number;
                        sim_witness(sim, job->id, i)->starts = 0; /* promises hold per round */
                        sim_witness(sim, job->id, i)->before = number;
                }
        }
}

/* ------------------------------------------------------------------ data */

static void data_key(char *out, size_t size, uint64_t job, uint64_t index, enum data_kind kind,
                     uint32_t number, uint32_t part, uint32_t seq)
{
        memset(out, 0, size);
        snprintf(out, size, "%llu/%llu/%d/%u/%u/%u", (ull)job, (ull)index, kind, number, part, seq);
}

const struct sim_data *sim_store_data(const struct sim_store *store, uint64_t job, uint64_t index,
                                      enum data_kind kind, uint32_t number, uint32_t part, uint32_t seq)
{
        struct sim_data *data;
        char key[96];

        data_key(key, sizeof(key), job, index, kind, number, part, seq);
        HASH_FIND(hh, store->data, key, sizeof(key), data);
        return data;
}

static void put_data(struct sim *sim, const struct store_data *new)
{
        struct sim_data *data, *old;
        char text[64] = { 0 };

        get(sim, new->job);
        memcpy(text, new->bytes, MIN(new->n_bytes, sizeof(text) - 1));
        data = xcalloc(1, sizeof(*data));
        data_key(data->key, sizeof(data->key), new->job.n, new->index, new->kind, new->attempt, new->part,
                 new->seq);
        data->nonce = strtoull(text, NULL, 10);
        data->final = new->final;
        HASH_FIND(hh, sim->store.data, data->key, sizeof(data->key), old);
        if (old) { /* sent again; an attempt number that was given back may be used by another lease */
                HASH_DELETE(hh, sim->store.data, old);
                free(old);
        }
        HASH_ADD(hh, sim->store.data, key, sizeof(data->key), data);
}

/* Of a task that there is, and under an attempt that was granted: which one is the newest only the core knows. */
static void put_report(struct sim *sim, const struct store_report *new)
{
        const struct sim_job *job = get(sim, new->job);
        uint32_t at;

        if (!index_find(&job->indexes, new->index, &at) || new->attempt == 0 ||
            new->owner.n != job->row.owner.n)
                sim_fail(sim, "job %llu: a report of %llu that makes no sense", (ull)job->id,
                         (ull) new->index);
        sim->store.n_reports++;
}

/* ------------------------------------------------------------------ questions */

static void find_key(struct sim *sim, struct store_find_key *ask)
{
        for (const struct sim_job *job = sim->store.jobs; job; job = job->hh.next) {
                if (job->row.owner.n != ask->owner.n || memcmp(job->row.key_hash, ask->key_hash, 16) != 0)
                        continue;
                ask->job.n = job->id;
                memcpy(ask->digest, job->row.digest, 32);
                ask->tasks = job->row.tasks;
                ask->loading = job->loading;
        }
}

static void find_job(struct sim *sim, struct store_find_job *ask)
{
        const struct sim_job *job = sim_store_job(&sim->store, ask->job.n);

        if (!job || job->loading)
                return;
        ask->found = true;
        ask->owner = job->row.owner;
        ask->status = job->row.state.status;
        ask->type = job->row.spec->spec.type;
        ask->tasks = job->row.tasks;
}

static void put_aborted(struct sim *sim, const struct store_aborted *row)
{
        struct sim_store *store = &sim->store;
        size_t i = 0;

        while (i < store->n_aborted &&
               (store->aborted[i].job != row->job.n || store->aborted[i].on != row->on.n))
                i++;
        if (i < store->n_aborted) /* one that is due stays so */
                return;
        GROW(store->aborted, store->cap_aborted, store->n_aborted + 1);
        store->aborted[store->n_aborted++] = (struct sim_aborted){ .job = row->job.n, .on = row->on.n };
}

static void drop_aborted(struct sim_store *store, struct job_id job)
{
        for (size_t i = store->n_aborted; i > 0; i--) {
                if (store->aborted[i - 1].job == job.n)
                        store->aborted[i - 1] = store->aborted[--store->n_aborted];
        }
}

static void make_due(struct sim_store *store, struct job_id on)
{
        for (size_t i = 0; i < store->n_aborted; i++)
                store->aborted[i].due |= store->aborted[i].on == on.n;
}

static void find_due(const struct sim_store *store, struct store_find_due *ask)
{
        ask->n = 0;
        for (size_t i = 0; i < store->n_aborted && ask->n < DUE_MAX; i++) {
                size_t k = 0;

                while (k < ask->n && ask->jobs[k].n != store->aborted[i].job)
                        k++;
                if (store->aborted[i].due && k == ask->n)
                        ask->jobs[ask->n++].n = store->aborted[i].job;
        }
}

static int64_t was_ended(struct sim *sim, const struct store_was_ended *ask)
{
        const struct sim_job *job = sim_store_job(&sim->store, ask->job.n);
        const struct sim_row *row = job ? row_find(job, ask->index) : NULL;

        return row && row->final && row->end_nonce == ask->nonce;
}

static void put_worker(struct sim *sim, const struct store_worker *row)
{
        struct sim_store *store = &sim->store;
        size_t i = 0;

        while (i < store->n_workers && store->workers[i].worker.n != row->worker.n)
                i++;
        if (i == store->n_workers)
                store->n_workers++;
        store->workers[i] =
                (struct store_worker){ .worker = row->worker, .state = row->state, .slots = row->slots };
}

static void put_person(struct sim *sim, const struct store_principal *row)
{
        if (row->principal.n > ARRAY_LEN(sim->store.people))
                return; /* only the fuzz target makes so many, and it never starts again */
        if (row->principal.n == 0 || row->principal.n > sim->store.n_people + 1)
                sim_fail(sim, "principal %u is neither there nor the next one", row->principal.n);
        sim->store.n_people = MAX(sim->store.n_people, row->principal.n);
        sim->store.people[row->principal.n - 1] = *row;
}

static void put_queue(struct sim *sim, const struct store_queue *row)
{
        struct sim_store *store = &sim->store;
        size_t i = 0;

        while (i < store->n_queues && store->queues[i].queue != row->queue)
                i++;
        if (i == store->n_queues)
                store->n_queues++;
        store->queues[i] = *row;
}

/* All jobs of a claim are made or none: those of one whose key is taken are left out. */
static bool is_taken(const struct sim_store *store, const struct store_op *op)
{
        uint64_t job = store_op_job(op).n;

        for (size_t i = 0; job && i < store->n_taken; i++)
                if (job - store->taken[i].claims.n < store->taken[i].n_claims)
                        return true;
        return false;
}

static void note_taken(struct sim *sim, const struct store_find_key *ask)
{
        struct sim_store *store = &sim->store;

        if (!ask->n_claims || !ask->job.n)
                return;
        if (store->n_taken == ARRAY_LEN(store->taken))
                sim_fail(sim, "too many claims");
        store->taken[store->n_taken++] = *ask;
        sim->n_taken++;
}

bool sim_same_name(const struct rec_job_spec *a, const struct rec_job_spec *b)
{
        return strcmp(a->name ? a->name : "", b->name ? b->name : "") == 0;
}

void sim_store_apply(struct sim *sim, struct store_op *op)
{
        struct sim_job *job;

        if (is_taken(&sim->store, op))
                return;
        switch (op->kind) {
        case STORE_JOB_NEW:
                job_new(sim, &op->u.job_new);
                break;
        case STORE_JOB_CHUNK:
                job_chunk(sim, &op->u.chunk);
                break;
        case STORE_SET_JOB:
                get(sim, op->u.set.job)->in_set = true;
                memcpy(get(sim, op->u.set.job)->set_hash, op->u.set.set_hash, 16);
                break;
        case STORE_SET_LIVE:
                set_live(sim, &op->u.set);
                break;
        case STORE_JOB_LIVE:
                get(sim, op->u.job)->loading = false;
                break;
        case STORE_JOB_DROP:
                job = get(sim, op->u.job);
                LL_DELETE2(sim->store.touched, job, next_touched);
                job_free(&sim->store, job);
                break;
        case STORE_JOB_SPEC:
                job = get(sim, op->u.job_spec.job);
                check_holds(sim, &op->u.job_spec);
                job->renamed |= !sim_same_name(&job->row.spec->spec, &op->u.job_spec.spec->spec);
                job_spec_free(job->row.spec);
                job->row.spec = job_spec_dup(&op->u.job_spec.spec->spec);
                break;
        case STORE_JOB_COUNTS:
                get(sim, op->u.counts.job)->row.state = op->u.counts;
                break;
        case STORE_TASKS_NEW:
                tasks_new(sim, &op->u.tasks_new);
                break;
        case STORE_TASK_STATE:
                task_state(sim, &op->u.task_state);
                break;
        case STORE_TASK_END:
                task_end(sim, &op->u.task_end);
                break;
        case STORE_ATTEMPT:
                attempt(sim, &op->u.attempt);
                break;
        case STORE_ROUND:
                new_round(sim, &op->u.round);
                if (op->u.round.comes_back) {
                        drop_aborted(&sim->store, op->u.round.job);
                        sim->n_came_back++;
                }
                make_due(&sim->store, op->u.round.job);
                break;
        case STORE_ABORTED:
                put_aborted(sim, &op->u.aborted);
                break;
        case STORE_ABORTED_DROP:
                drop_aborted(&sim->store, op->u.job);
                break;
        case STORE_FIND_DUE:
                find_due(&sim->store, &op->u.find_due);
                break;
        case STORE_DATA:
                put_data(sim, &op->u.data);
                break;
        case STORE_REPORT:
                put_report(sim, &op->u.report);
                break;
        case STORE_EVENT:
                sim->store.n_events++;
                break;
        case STORE_WORKER:
                put_worker(sim, &op->u.worker);
                break;
        case STORE_PRINCIPAL:
                put_person(sim, &op->u.principal);
                break;
        case STORE_QUEUE:
                put_queue(sim, &op->u.queue);
                break;
        case STORE_WAS_ENDED:
                op->answer = was_ended(sim, &op->u.was_ended);
                break;
        case STORE_FIND_KEY:
                find_key(sim, &op->u.find_key);
                note_taken(sim, &op->u.find_key);
                break;
        case STORE_FIND_JOB:
                find_job(sim, &op->u.find_job);
                break;
        case STORE_FIND_ACCOUNT:
        case STORE_FIND_SECRET:
        case STORE_SECRET:
        case STORE_FILE:
        case STORE_KEY:
        case STORE_ROLE:
        case STORE_MEMBER:
        case STORE_GRANT:
        case STORE_VISIBLE:
                break;
        }
}

/* After a commit the counts of every job fit its rows: nobody may ever see them disagree. */
void sim_store_check_counts(struct sim *sim)
{
        struct sim_job *job;

        while ((job = sim->store.touched)) {
                const struct job_state *s = &job->row.state;
                const uint64_t said[12] = { [TASK_STATUS_RUNNING] = s->running,
                                            [TASK_STATUS_SUCCEEDED] = s->succeeded,
                                            [TASK_STATUS_FAILED] = s->failed,
                                            [TASK_STATUS_TIMEOUT] = s->timeout,
                                            [TASK_STATUS_OOM] = s->oom,
                                            [TASK_STATUS_LOST] = s->lost,
                                            [TASK_STATUS_CANCELLED] = s->cancelled,
                                            [TASK_STATUS_ABORTED] = s->aborted };
                uint64_t sum = s->held + s->waiting + s->queued;

                sim->store.touched = job->next_touched;
                job->touched = false;
                if (job->loading)
                        continue;
                if (job->n_status[TASK_STATUS_WAITING] > sum) /* some of them may be about to be ended */
                        sim_fail(sim, "job %llu: more rows wait than can", (ull)job->id);
                if (!job->row.spec->spec.hold && s->held != count_held(&job->row.spec->spec))
                        sim_fail(sim, "job %llu: %llu tasks are said to be held, %llu are", (ull)job->id,
                                 (ull)s->held, (ull)count_held(&job->row.spec->spec));
                for (int status = TASK_STATUS_RUNNING; status < 12; status++) {
                        sum += said[status];
                        if (said[status] != job->n_status[status])
                                sim_fail(sim, "job %llu: %llu tasks are said to be %s, %llu rows are",
                                         (ull)job->id, (ull)said[status],
                                         task_status_word((enum task_status)status),
                                         (ull)job->n_status[status]);
                }
                if (sum != job->row.tasks)
                        sim_fail(sim, "job %llu: its counts do not sum up", (ull)job->id);
                if (sim_job_is_final(job) != (s->ended_us != 0))
                        sim_fail(sim, "job %llu: its end and its counts disagree", (ull)job->id);
        }
}

/* ------------------------------------------------------------------ back to the core */

static bool alike(const struct sim_row *a, const struct sim_row *b)
{
        const struct store_task_state *x = &a->now, *y = &b->now;

        return x->status == y->status && x->reason == y->reason && x->attempt == y->attempt &&
               x->tries == y->tries && x->crashes == y->crashes && x->worker.n == y->worker.n &&
               x->nonce == y->nonce && x->started_us == y->started_us && a->ooms == b->ooms;
}

static void fill_tasks(const struct sim_job *job, const struct sim_row *row, uint64_t lo, uint64_t hi,
                       struct replay_tasks *out)
{
        *out = (struct replay_tasks){ .job.n = job->id,
                                      .indexes = { lo, hi },
                                      .status = row->now.status,
                                      .reason = row->now.reason,
                                      .attempt = row->now.attempt,
                                      .tries = row->now.tries,
                                      .crashes = row->now.crashes,
                                      .ooms = row->ooms,
                                      .worker = row->now.worker,
                                      .nonce = row->now.nonce,
                                      .started_us = row->now.started_us };
}

typedef void group_fn(struct sim *sim, const struct sim_job *job, const struct sim_row *row, uint64_t lo,
                      uint64_t hi, void *arg);

/* Groups of neighbouring indexes that are alike, among rows below position `end` that are final or are not. */
static void each_group(struct sim *sim, const struct sim_job *job, uint64_t end, bool final, bool all,
                       group_fn *each, void *arg)
{
        const struct sim_row *first = NULL;
        uint64_t last = 0;

        for (uint32_t at = 0; at < end; at++) {
                const struct sim_row *row = row_get(sim, job, index_of(&job->indexes, at));
                bool wanted = (all || row->final == final) && row->now.status != TASK_STATUS_SUCCEEDED;

                if (first && wanted && alike(first, row) && row->index == last + 1) {
                        last = row->index;
                        continue;
                }
                if (first)
                        each(sim, job, first, first->index, last, arg);
                first = wanted ? row : NULL;
                last = row->index;
        }
        if (first)
                each(sim, job, first, first->index, last, arg);
}

static void replay_group(struct sim *sim, const struct sim_job *job, const struct sim_row *row, uint64_t lo,
                         uint64_t hi, void *arg)
{
        struct event event = { .kind = EVENT_REPLAY_TASKS };

        (void)arg;
        fill_tasks(job, row, lo, hi, &event.u.tasks);
        sim_shell_event(sim, &event);
}

static void replay_one(struct sim *sim, const struct sim_job *job)
{
        bool graph = job->row.spec->spec.has_edges;
        struct event event = { .kind = EVENT_REPLAY_JOB };

        event.u.job.job = job->row;
        event.u.job.job.loading = job->loading;
        event.u.job.job.spec = job_spec_dup(&job->row.spec->spec);
        while (event.u.job.chunks_stored < job->n_chunks && job->chunks[event.u.job.chunks_stored].n > 0)
                event.u.job.chunks_stored++;
        sim_shell_event(sim, &event);
        job_spec_free(event.u.job.job.spec);
        if (!job->loading)
                each_group(sim, job, MIN(job->row.state.mark, job->row.state.materialised), false, graph,
                           replay_group, NULL);
}

static void replay_people(struct sim *sim)
{
        const struct sim_store *store = &sim->store;
        struct event event;

        for (size_t i = 0; i < store->n_people; i++) {
                event = (struct event){ .kind = EVENT_REPLAY_PRINCIPAL };
                event.u.principal = store->people[i];
                sim_shell_event(sim, &event);
        }
        for (size_t i = 0; i < store->n_keys; i++) {
                event = (struct event){ .kind = EVENT_REPLAY_KEY };
                event.u.key = store->keys[i];
                sim_shell_event(sim, &event);
        }
        for (uint32_t role = 1; role <= 2; role++) {
                event = (struct event){ .kind = EVENT_REPLAY_ROLE };
                event.u.role.role = role;
                strcpy(event.u.role.name, role == 1 ? "person" : "worker");
                sim_shell_event(sim, &event);
        }
        for (size_t i = 0; i < store->n_people; i++) {
                event = (struct event){ .kind = EVENT_REPLAY_MEMBER };
                event.u.member.role = store->people[i].is_worker ? 2 : 1;
                event.u.member.principal = store->people[i].principal;
                sim_shell_event(sim, &event);
        }
        for (int permission = PERMISSION_JOB_SUBMIT; permission <= PERMISSION_WORKER_RUN; permission++) {
                event = (struct event){ .kind = EVENT_REPLAY_GRANT };
                event.u.grant.role = permission == PERMISSION_WORKER_RUN ? 2 : 1;
                event.u.grant.permission = (enum permission)permission;
                event.u.grant.scope = SCOPE_ANY;
                strcpy(event.u.grant.type, "*");
                sim_shell_event(sim, &event);
        }
}

void sim_store_replay(struct sim *sim)
{
        struct sim_store *store = &sim->store;
        struct event event;

        replay_people(sim);
        for (size_t i = 0; i < store->n_queues; i++) {
                event = (struct event){ .kind = EVENT_REPLAY_QUEUE };
                event.u.queue = store->queues[i];
                sim_shell_event(sim, &event);
        }
        for (size_t i = 0; i < store->n_workers; i++) {
                event = (struct event){ .kind = EVENT_REPLAY_WORKER };
                event.u.worker = store->workers[i];
                if (event.u.worker.state == WORKER_CONNECTED || event.u.worker.state == WORKER_DRAINING)
                        sim_shell_event(sim, &event);
        }
        for (const struct sim_job *job = store->jobs; job; job = job->hh.next) {
                if (job->loading || !sim_job_is_final(job))
                        replay_one(sim, job);
        }
        for (const struct sim_job *job = store->jobs; job; job = job->hh.next) {
                if (!job->in_set)
                        continue;
                event = (struct event){ .kind = EVENT_REPLAY_SET };
                event.u.set = (struct store_set){ .job.n = job->id, .owner = job->row.owner };
                memcpy(event.u.set.set_hash, job->set_hash, 16);
                sim_shell_event(sim, &event);
        }
}

struct round_arg {
        struct replay_tasks *list;
        size_t n, cap;
};

static void round_group(struct sim *sim, const struct sim_job *job, const struct sim_row *row, uint64_t lo,
                        uint64_t hi, void *arg)
{
        struct round_arg *round = arg;

        (void)sim;
        GROW(round->list, round->cap, round->n + 1);
        fill_tasks(job, row, lo, hi, &round->list[round->n++]);
}

void sim_store_answer_load(struct sim *sim, struct job_id id, bool round, bool ends, uint32_t chunk)
{
        const struct sim_job *job = sim_store_job(&sim->store, id.n);
        struct round_arg arg = { 0 };
        struct job_round answer = { .job = id, .ends = ends, .generation = ends ? chunk : 0 };
        struct event event = { .kind = round || ends ? EVENT_ROUND : EVENT_ENTRIES };

        if (!round && !ends) {
                event.u.entries.job = id;
                event.u.entries.chunk = chunk;
                event.u.entries.bytes = job ? (const uint8_t *)job->chunks[chunk].bytes : NULL;
                event.u.entries.n_bytes = job ? job->chunks[chunk].n : 0;
                if (sim_below(sim, 10) == 0)
                        event.u.entries.bytes = NULL; /* damaged */
                sim_shell_event(sim, &event);
                return;
        }
        if (ends && sim_below(sim, 10) == 0) {
                answer.failed = true;
        } else if (job && !job->loading) {
                answer.found = true;
                answer.replay.job = job->row;
                answer.replay.job.spec = job_spec_dup(&job->row.spec->spec);
                each_group(sim, job, MIN(job->row.tasks, job->row.state.materialised), true, ends,
                           round_group, &arg);
                answer.tasks = arg.list;
                answer.n_tasks = arg.n;
        }
        event.u.round = &answer;
        sim_shell_event(sim, &event);
        job_spec_free(answer.replay.job.spec);
        free(arg.list);
}

static void add_person(struct sim_store *store, const char *name, bool is_worker, const char *public_key)
{
        struct store_principal *person = &store->people[store->n_people++];
        struct store_key *key = &store->keys[store->n_keys++];

        person->principal.n = (uint32_t)store->n_people;
        strcpy(person->name, name);
        person->is_worker = is_worker;
        person->active = true;
        person->weight = (uint32_t)store->n_people;
        key->key = store->n_keys;
        key->principal = person->principal;
        key->is_worker = is_worker;
        strcpy(key->public_key, public_key);
}

void sim_store_setup(struct sim *sim)
{
        struct store_queue queue = { .queue = 1, .name = "default", .weight = 1 };
        char name[32];

        for (unsigned i = 0; i < SIM_CLIENTS; i++) {
                snprintf(name, sizeof(name), "person%u", i);
                add_person(&sim->store, name, false, sim->clients[i].public_key);
                if (i == 0)
                        sim->store.people[sim->store.n_people - 1].quota.running = SIM_QUOTA;
        }
        for (unsigned i = 0; i < SIM_WORKERS; i++) {
                snprintf(name, sizeof(name), "worker%u", i);
                add_person(&sim->store, name, true, sim->workers[i].public_key);
        }
        put_queue(sim, &queue);
}
