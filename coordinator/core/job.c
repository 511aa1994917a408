/* Jobs in memory. The only writer of job.n[], the counts by status: every change goes through job_move, which knows
 * the edges of task_state.def.
 *
 * Invariants: 1. the sum of n[] is `tasks`. 2. granted_queued tasks of n[QUEUED] and all of n[RUNNING] are in leases;
 * every other task that is not final is at home (job_home), and home is one status for all of them; but parked ones are
 * counted under parked_at, or held. */
#include "core/job.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/abort.h"
#include "core/backoff.h"
#include "core/deps.h"
#include "core/each.h"
#include "core/entries.h"
#include "core/graph.h"
#include "core/keep.h"
#include "core/lease.h"
#include "core/namesake.h"
#include "core/park.h"
#include "core/place.h"
#include "core/queue.h"
#include "core/rows.h"
#include "core/sets.h"
#include "core/shape.h"
#include "core/watch.h"
#include "core/when.h"

static const struct edge {
        enum task_status from;
        enum trigger trigger;
        enum task_status to;
        const char *name;
} edges[] = {
#define EDGE(from, trigger, to)                                                                              \
        { TASK_STATUS_##from, TRIGGER_##trigger, TASK_STATUS_##to, #from " " #trigger " " #to },
#include "core/task_state.def"
#undef EDGE
};

uint64_t *job_edge_counters(void)
{
        return xcalloc(ARRAY_LEN(edges), sizeof(uint64_t));
}

uint64_t core_edge_hits(const struct core *core, size_t edge)
{
        return edge < ARRAY_LEN(edges) ? core->edge_hits[edge] : 0;
}

const char *core_edge_name(size_t edge)
{
        return edge < ARRAY_LEN(edges) ? edges[edge].name : NULL;
}

struct job *job_find(const struct core *core, uint64_t id)
{
        struct job *job;

        HASH_FIND(hh, core->jobs, &id, sizeof(id), job);
        return job;
}

static void key_bytes(struct principal_id owner, const uint8_t key_hash[16], uint8_t out[20])
{
        memcpy(out, &owner.n, 4);
        memcpy(out + 4, key_hash, 16);
}

struct job *job_find_key(const struct core *core, struct principal_id owner, const uint8_t key_hash[16])
{
        uint8_t key[20];
        struct job *job;

        key_bytes(owner, key_hash, key);
        HASH_FIND(hh_key, core->keys, key, sizeof(key), job);
        return job;
}

void job_set_key(struct core *core, struct job *job, const uint8_t key_hash[16])
{
        key_bytes(job->owner_id, key_hash, job->key);
        job->has_key = true;
        HASH_ADD(hh_key, core->keys, key, sizeof(job->key), job);
}

struct queue *job_queue_put(struct core *core, const struct store_queue *row)
{
        struct queue *queue;

        HASH_FIND(hh, core->queues, row->name, (unsigned)strlen(row->name), queue);
        if (!queue) {
                queue = xcalloc(1, sizeof(*queue));
                memcpy(queue->name, row->name, sizeof(queue->name));
                queue->id = row->queue;
                HASH_ADD(hh, core->queues, name, (unsigned)strlen(queue->name), queue);
        }
        core->lane_changes++;
        queue->paused = row->paused;
        queue->max_running = row->max_running;
        queue->weight = MAX(row->weight, 1u);
        return queue;
}

struct queue *job_queue_find(const struct core *core, const char *name)
{
        struct queue *queue;

        HASH_FIND(hh, core->queues, name, (unsigned)strlen(name), queue);
        return queue;
}

struct queue *job_queue(struct core *core, const char *name)
{
        struct store_queue row = { .weight = 1 };
        struct queue *queue, *next;

        queue = job_queue_find(core, name);
        if (queue)
                return queue;
        strncpy(row.name, name, sizeof(row.name) - 1);
        HASH_ITER (hh, core->queues, queue, next)
                row.queue = MAX(row.queue, queue->id);
        row.queue++;
        effects_store(core->out, STORE_QUEUE)->u.queue = row;
        return job_queue_put(core, &row);
}

bool job_queues_fit(const struct core *core, const struct msg_submit *submit)
{
        size_t room = QUEUES_MAX - MIN((size_t)HASH_CNT(hh, core->queues), (size_t)QUEUES_MAX);
        const char **new = xcalloc(room + 1, sizeof(*new));
        size_t n = 0;

        for (size_t i = 0; i < submit->n_jobs && n <= room; i++) {
                const char *name = submit->jobs[i].spec->queue;
                size_t k = 0;

                if (!name || job_queue_find(core, name))
                        continue;
                while (k < n && strcmp(new[k], name) != 0)
                        k++;
                if (k == n)
                        new[n++] = name;
        }
        free(new);
        return n <= room;
}

struct job *job_new(struct core *core, struct job_id id, struct principal_id owner,
                    struct job_spec_box **take_spec, struct indexes *take_indexes)
{
        struct job *job = xcalloc(1, sizeof(*job));
        const struct rec_job_spec *spec;

        job->id = id;
        job->owner_id = owner;
        job->spec = STEAL(*take_spec);
        job->indexes = *take_indexes;
        memset(take_indexes, 0, sizeof(*take_indexes));
        spec = &job->spec->spec;
        job->tasks = (uint32_t)job->indexes.n;
        job->queue = job_queue(core, spec->queue ? spec->queue : "default");
        job->owner = owner_ref(core, owner, job->tasks);
        job->account = owner_account(job->owner, job->queue);
        job->task_us = 1000; /* a first guess for what a task costs its owner */
        lot_init_plain(core, job);
        shape_attach(core, job);
        namesake_join(core, job);
        each_attach(core, job);
        HASH_ADD(hh, core->jobs, id.n, sizeof(job->id.n), job);
        if (id.n >= core->next_job)
                core->next_job = id.n + 1;
        return job;
}

static void job_unlink(struct core *core, struct job *job)
{
        queue_remove(core, job);
        rows_forget(core, job);
        heap_remove(&core->uploads, job);
        sets_forget(core, job);
        if (job->dirty) {
                struct job **at = &core->dirty;

                while (*at != job)
                        at = &(*at)->dirty_next;
                *at = job->dirty_next;
        }
        HASH_DELETE(hh, core->jobs, job);
        if (job->has_key)
                HASH_DELETE(hh_key, core->keys, job);
}

void job_free(struct core *core, struct job *job)
{
        struct lease *lease, *next_lease;
        struct ack *ack, *next_ack;
        struct thaw *thaw, *next_thaw;

        job_unlink(core, job);
        DL_FOREACH_SAFE2(job->leases, lease, next_lease, job_next)
        lease_free(core, lease);
        place_forget_job(core, job);
        namesake_leave(core, job);
        deps_forget(core, job);
        backoff_forget_job(core, job);
        when_forget(core, job);
        each_forget(core, job);
        graph_free(core, job);
        watch_forget_job(core, job);
        entries_forget(core, job);
        LL_FOREACH_SAFE (job->acks, ack, next_ack)
                free(ack);
        owner_unref(core, job->owner, job->tasks);
        LL_FOREACH_SAFE (job->thaws, thaw, next_thaw) {
                spans_done(&thaw->which);
                free(thaw);
        }
        lot_done_all(core, job);
        shape_free(job);
        spans_done(&job->cool);
        spans_done(&job->limbo);
        spans_done(&job->adopted);
        spans_done(&job->round);
        spans_done(&job->gone);
        spans_done(&job->bigger);
        spans_done(&job->parked);
        spans_done(&job->ripe);
        spans_done(&job->sweep);
        free(job->notes);
        keep_free(job);
        indexes_done(&job->indexes);
        job_spec_free(job->spec);
        free(job);
}

enum task_status job_home(const struct job *job)
{
        if (job->spec->spec.hold)
                return TASK_STATUS_HELD;
        return job->n_waits > 0 || job->too_early ? TASK_STATUS_WAITING : TASK_STATUS_QUEUED;
}

void job_move(struct core *core, struct job *job, enum task_status from, enum trigger trigger,
              enum task_status to, uint64_t n)
{
        size_t i = 0;

        if (n == 0)
                return;
        while (i < ARRAY_LEN(edges) &&
               (edges[i].from != from || edges[i].trigger != trigger || edges[i].to != to))
                i++;
        BUG_ON(i == ARRAY_LEN(edges));
        BUG_ON(job->n[from] < n);
        core->edge_hits[i] += n;
        job->n[from] -= n;
        job->n[to] += n;
        job_set_dirty(core, job);
}

void job_rehome(struct core *core, struct job *job)
{
        enum task_status home = job_home(job);
        enum trigger trigger = home == TASK_STATUS_HELD ? TRIGGER_HOLD : TRIGGER_RELEASE;

        for (int from = TASK_STATUS_HELD; from <= TASK_STATUS_QUEUED; from++) {
                uint64_t n = job->n[from] - (from == TASK_STATUS_QUEUED ? job->granted_queued : 0);

                if (from == (int)job->parked_at)
                        n -= job->parked.count - job->keeps.n_held;
                if (from == TASK_STATUS_HELD)
                        n -= job->keeps.n_held;
                if (from == (int)home || n == 0)
                        continue;
                if (from == TASK_STATUS_WAITING && home == TASK_STATUS_QUEUED)
                        trigger = TRIGGER_MET;
                if (from == TASK_STATUS_QUEUED && home == TASK_STATUS_WAITING)
                        trigger = TRIGGER_WAIT;
                job_move(core, job, (enum task_status)from, trigger, home, n);
        }
        park_rehome(core, job);
        queue_consider(core, job);
}

uint64_t job_final(const struct job *job)
{
        uint64_t n = 0;

        for (int status = TASK_STATUS_SUCCEEDED; status < STATUS_COUNT; status++)
                n += job->n[status];
        return n;
}

/* What was granted must have found its dependencies met: such a job does not wait again. A person may cancel tasks of a
 * job that still waits, and others may be aborted because of those, or of elements elsewhere: they say nothing. */
bool job_was_granted(const struct job *job)
{
        uint64_t unstarted = job->n[TASK_STATUS_CANCELLED] + job->n[TASK_STATUS_ABORTED];

        return job->ending != 0 || job->started_us != 0 || job_final(job) > unstarted;
}

uint32_t job_status_bits(const char *const *words, size_t n)
{
        uint32_t bits = 0;

        for (size_t i = 0; i < n; i++) {
                int status = task_status_from_word(words[i]);

                if (status >= 0)
                        bits |= UINT32_C(1) << status;
                if (status == TASK_STATUS_FAILED)
                        bits |= UINT32_C(1) << TASK_STATUS_TIMEOUT | UINT32_C(1) << TASK_STATUS_OOM |
                                UINT32_C(1) << TASK_STATUS_LOST;
        }
        return bits;
}

enum task_status job_status(const struct job *job)
{
        const uint64_t *n = job->n;

        if (n[TASK_STATUS_RUNNING] > 0)
                return TASK_STATUS_RUNNING;
        if (n[TASK_STATUS_QUEUED] > 0)
                return TASK_STATUS_QUEUED;
        if (n[TASK_STATUS_WAITING] > 0)
                return TASK_STATUS_WAITING;
        if (n[TASK_STATUS_HELD] > 0)
                return TASK_STATUS_HELD;
        if (n[TASK_STATUS_FAILED] + n[TASK_STATUS_TIMEOUT] + n[TASK_STATUS_OOM] + n[TASK_STATUS_LOST] > 0)
                return TASK_STATUS_FAILED;
        if (n[TASK_STATUS_ABORTED] > 0)
                return TASK_STATUS_ABORTED;
        return n[TASK_STATUS_CANCELLED] > 0 ? TASK_STATUS_CANCELLED : TASK_STATUS_SUCCEEDED;
}

/* Leases are granted in rising order, so the first one of the list bounds what may be unfinished; tasks that were
 * granted again come later in the list and are looked at too. Costs O(leases), so it is done once in many ends. */
static uint32_t lowest_open(const struct job *job)
{
        uint32_t low = spans_skip(&job->gone, job->cursor);
        const struct spans *sets[] = { &job->cool,  &job->limbo,  &job->sweep,
                                       &job->round, &job->parked, &job->ripe };
        const struct lease *lease;
        const struct lot *lot;

        DL_FOREACH2(job->leases, lease, job_next)
        low = MIN(low, lease->lo);
        DL_FOREACH (job->lots, lot) {
                if (spans_first(&lot->again))
                        low = MIN(low, spans_first(&lot->again)->lo);
        }
        for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
                if (spans_first(sets[i]))
                        low = MIN(low, spans_first(sets[i])->lo);
        }
        return low;
}

void job_state_fill(const struct job *job, struct job_state *state)
{
        const uint64_t *n = job->n;

        *state = (struct job_state){
                .job = job->id,
                .status = job_status(job),
                .held = n[TASK_STATUS_HELD],
                .waiting = n[TASK_STATUS_WAITING],
                .queued = n[TASK_STATUS_QUEUED],
                .running = n[TASK_STATUS_RUNNING],
                .succeeded = n[TASK_STATUS_SUCCEEDED],
                .failed = n[TASK_STATUS_FAILED],
                .timeout = n[TASK_STATUS_TIMEOUT],
                .oom = n[TASK_STATUS_OOM],
                .lost = n[TASK_STATUS_LOST],
                .cancelled = n[TASK_STATUS_CANCELLED],
                .aborted = n[TASK_STATUS_ABORTED],
                .mark = job->mark_asked,
                .low = job->low,
                .materialised = job->exist_asked,
                .started_us = job->started_us,
                .ended_us = job->ended_us,
                .ending = job->ending,
                .ending_reason = job->ending_reason,
                .floor_epoch = job->floor_epoch,
        };
}

void job_counts_fill(const struct job *job, struct rec_job_counts *counts)
{
        const uint64_t *n = job->n;

        *counts = (struct rec_job_counts){
                .tasks = job->tasks,
                .held = n[TASK_STATUS_HELD],
                .waiting = n[TASK_STATUS_WAITING],
                .queued = n[TASK_STATUS_QUEUED],
                .running = n[TASK_STATUS_RUNNING],
                .succeeded = n[TASK_STATUS_SUCCEEDED],
                .failed = n[TASK_STATUS_FAILED] + n[TASK_STATUS_TIMEOUT] + n[TASK_STATUS_OOM] +
                          n[TASK_STATUS_LOST],
                .cancelled = n[TASK_STATUS_CANCELLED],
                .aborted = n[TASK_STATUS_ABORTED],
                .has_tasks = true,
                .has_held = true,
                .has_waiting = true,
                .has_queued = true,
                .has_running = true,
                .has_succeeded = true,
                .has_failed = true,
                .has_cancelled = true,
                .has_aborted = true,
        };
}

void job_write_spec(struct core *core, struct job *job)
{
        struct store_op *op = effects_store(core->out, STORE_JOB_SPEC);

        op->u.job_spec.job = job->id;
        op->u.job_spec.owner = job->owner_id;
        op->u.job_spec.spec = keep_dup_spec(job, &op->u.job_spec.held, &op->u.job_spec.n_held);
        job_set_dirty(core, job);
}

void job_set_dirty(struct core *core, struct job *job)
{
        if (job->dirty || job->phase == JOB_LOADING)
                return;
        job->dirty = true;
        job->dirty_next = core->dirty;
        core->dirty = job;
}

static void write_counts(struct core *core, struct job *job)
{
        struct job_state state;

        memset(&state, 0, sizeof(state));
        job_state_fill(job, &state);
        if (memcmp(&state, &job->written, sizeof(state)) == 0)
                return;
        job->written = state;
        effects_store(core->out, STORE_JOB_COUNTS)->u.counts = state;
}

void job_flush(struct core *core)
{
        struct job *job;

        while ((job = core->dirty)) {
                core->dirty = job->dirty_next;
                job->dirty = false;
                if (job->ends_since_low > 4096 + 4 * job->granted || job->phase == JOB_ENDED) {
                        job->low = lowest_open(job);
                        job->ends_since_low = 0;
                }
                if (job->keeps.changed)
                        job_write_spec(core, job);
                write_counts(core, job);
                watch_progress(core, job);
        }
}

uint64_t job_end_fact(struct core *core, struct job *job)
{
        effects_fact(core->out,
                     (struct fact){ .kind = FACT_TASKS_ENDED, .job = job->id, .n = ++core->n_end_facts });
        return core->n_end_facts;
}

void job_check_end(struct core *core, struct job *job)
{
        abort_if_too_many_failed(core, job);
        if (job->phase != JOB_LIVE || job_final(job) < job->tasks)
                return;
        BUG_ON(job->granted > 0);
        job->phase = JOB_ENDED;
        job->ended_us = core->wall_us;
        queue_remove(core, job);
        job_set_dirty(core, job);
        job->end_fact = job_end_fact(core, job);
}

void job_begin(struct core *core, struct job *job)
{
        graph_begin(core, job);
        each_begin(core, job);
}

void job_live(struct core *core, struct job *job)
{
        job->phase = JOB_LIVE;
        rows_want(core, job);
        rows_mark(
                core,
                job); /* a restart may find the cursor at the mark: nothing would be granted, so nothing ask */
        each_ask(core, job);
        queue_consider(core, job);
}
