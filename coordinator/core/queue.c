/* Lanes, levels, buckets. A bucket holds the ready lots of one owner at one priority in one lane.
 *
 * Fair share is a virtual time per owner: what his tasks used, divided by his weight and the queue's. Among his own
 * queues the same is kept for each, by the queue's weight. Somebody who comes (back) starts at the time of whoever was
 * served last: absence earns nothing.
 *
 * Invariants: 1. a lot is in a bucket exactly if queue_consider found it ready. 2. no bucket or lane is empty. 3. a bucket
 * is in its level exactly if its owner is not shut. */
#include "core/queue.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "core/entries.h"
#include "core/fit.h"
#include "core/reserve.h"

#define LEVELS 201 /* priorities -100 … 100 */
#define FILL_LOOKS 512 /* lots that are looked at for one gap before a wide task: a few µs */

struct bucket {
        struct {
                struct lane *lane;
                struct owner *owner;
                size_t level;
        } key;
        struct heap lots;
        size_t place; /* in its level */
        struct bucket *next, *prev; /* of the owner */
        UT_hash_handle hh;
};

struct lane {
        struct {
                struct queue *queue;
                struct needs *needs;
        } key;
        struct heap levels[LEVELS]; /* of buckets, by the owner's virtual time */
        uint64_t used[(LEVELS + 63) / 64]; /* bit per level that is not empty; level 0 is priority 100 */
        unsigned n_buckets; /* also those of owners who are shut */
        unsigned n_entered; /* the others */
        UT_hash_handle hh;
};

static bool lot_before(const void *a, const void *b)
{
        const struct lot *x = a;
        const struct lot *y = b;

        return x->job != y->job ? x->job->id.n < y->job->id.n : x->no < y->no;
}

static bool bucket_before(const void *a, const void *b)
{
        const struct owner *x = ((const struct bucket *)a)->key.owner;
        const struct owner *y = ((const struct bucket *)b)->key.owner;

        return x->served != y->served ? x->served < y->served : x->id < y->id;
}

static unsigned level_of(const struct job *job)
{
        return (unsigned)(100 - job->spec->spec.priority);
}

static struct lane *lane_get(struct core *core, const struct lot *lot)
{
        struct lane *lane;
        struct lane key = { .key = { .queue = lot->job->queue, .needs = lot->needs } };

        HASH_FIND(hh, core->lanes, &key.key, sizeof(key.key), lane);
        if (lane)
                return lane;
        lane = xcalloc(1, sizeof(*lane));
        lane->key = key.key;
        for (unsigned i = 0; i < LEVELS; i++)
                heap_init(&lane->levels[i], bucket_before, offsetof(struct bucket, place));
        HASH_ADD(hh, core->lanes, key, sizeof(lane->key), lane);
        return lane;
}

static void lane_free(struct core *core, struct lane *lane)
{
        HASH_DELETE(hh, core->lanes, lane);
        for (unsigned i = 0; i < LEVELS; i++)
                heap_done(&lane->levels[i]);
        free(lane);
}

static void bucket_enter(struct core *core, struct bucket *bucket)
{
        struct lane *lane = bucket->key.lane;
        size_t level = bucket->key.level;

        if (lane->n_entered++ == 0)
                core->lane_changes++;
        lane->used[level / 64] |= UINT64_C(1) << (level % 64);
        heap_push(&lane->levels[level], bucket);
}

static void bucket_leave(struct bucket *bucket)
{
        struct lane *lane = bucket->key.lane;
        size_t level = bucket->key.level;

        lane->n_entered--;
        heap_remove(&lane->levels[level], bucket);
        if (lane->levels[level].n == 0)
                lane->used[level / 64] &= ~(UINT64_C(1) << (level % 64));
}

static struct bucket *bucket_get(struct core *core, struct lane *lane, struct owner *owner, unsigned level)
{
        struct bucket *bucket;
        struct bucket key = { .key = { .lane = lane, .owner = owner, .level = level } };

        HASH_FIND(hh, core->buckets, &key.key, sizeof(key.key), bucket);
        if (bucket)
                return bucket;
        bucket = xcalloc(1, sizeof(*bucket));
        bucket->key = key.key;
        heap_init(&bucket->lots, lot_before, offsetof(struct lot, ready_place));
        HASH_ADD(hh, core->buckets, key, sizeof(bucket->key), bucket);
        DL_APPEND(owner->buckets, bucket);
        lane->n_buckets++;
        if (!owner->shut)
                bucket_enter(core, bucket);
        return bucket;
}

static void bucket_free(struct core *core, struct bucket *bucket)
{
        struct lane *lane = bucket->key.lane;

        if (!bucket->key.owner->shut)
                bucket_leave(bucket);
        DL_DELETE(bucket->key.owner->buckets, bucket);
        HASH_DELETE(hh, core->buckets, bucket);
        heap_done(&bucket->lots);
        free(bucket);
        if (--lane->n_buckets == 0)
                lane_free(core, lane);
}

void queue_owner_shut(struct core *core, struct owner *owner, bool shut)
{
        struct bucket *bucket;

        owner->shut = shut;
        DL_FOREACH (owner->buckets, bucket) {
                if (shut)
                        bucket_leave(bucket);
                else
                        bucket_enter(core, bucket);
        }
}

uint64_t queue_grantable(const struct lot *lot)
{
        const struct job *job = lot->job;
        uint64_t n = lot->again.count;

        if (lot == &job->plain) {
                uint32_t from = spans_skip(&job->gone, job->cursor);
                uint32_t to = MIN(job->mark, job->exist);

                n += from < to ? to - from : 0;
        }
        if (job->spec->spec.has_max_running && job->spec->spec.max_running > 0) {
                uint64_t most = job->spec->spec.max_running;

                n = job->granted >= most ? 0 : MIN(n, most - job->granted);
        }
        return n;
}

static bool is_ready(const struct lot *lot)
{
        const struct job *job = lot->job;

        return job->phase == JOB_LIVE && job->ending == 0 && job->n_waits == 0 && !job->too_early &&
               !job->spec->spec.hold && queue_grantable(lot) > 0 && !entries_are_loading(lot);
}

static void lot_remove(struct core *core, struct lot *lot)
{
        struct bucket *bucket = lot->bucket;

        if (!bucket)
                return;
        heap_remove(&bucket->lots, lot);
        lot->bucket = NULL;
        lot->blocked_us = 0;
        if (bucket->lots.n == 0)
                bucket_free(core, bucket);
}

static void consider(struct core *core, struct lot *lot)
{
        struct owner *owner = lot->job->owner;
        bool ready = is_ready(lot);

        if (!ready && lot->bucket)
                lot_remove(core, lot);
        if (!ready || lot->bucket)
                return;
        if (owner->served < core->served && !owner->buckets)
                owner->served = core->served;
        lot->bucket = bucket_get(core, lane_get(core, lot), owner, level_of(lot->job));
        heap_push(&lot->bucket->lots, lot);
}

void queue_consider(struct core *core, struct job *job)
{
        struct lot *lot;

        DL_FOREACH (job->lots, lot)
                consider(core, lot);
}

void queue_consider_lot(struct core *core, struct lot *lot)
{
        /* The limit is the job's: what one lot takes, the others lack. */
        if (lot->job->further_lots && lot->job->spec->spec.has_max_running)
                queue_consider(core, lot->job);
        else
                consider(core, lot);
}

void queue_remove(struct core *core, struct job *job)
{
        struct lot *lot;

        DL_FOREACH (job->lots, lot)
                lot_remove(core, lot);
}

bool queue_is_empty(const struct core *core)
{
        return !core->lanes;
}

bool queue_before(const struct lot *a, const struct lot *b)
{
        const struct job *x = a->job;
        const struct job *y = b->job;

        if (x->spec->spec.priority != y->spec->spec.priority)
                return x->spec->spec.priority > y->spec->spec.priority;
        if (x->owner->served != y->owner->served)
                return x->owner->served < y->owner->served;
        if (x->account != y->account && x->owner == y->owner && x->account->served != y->account->served)
                return x->account->served < y->account->served;
        return lot_before(a, b);
}

static struct lot *lane_first(const struct lane *lane)
{
        for (unsigned i = 0; i < ARRAY_LEN(lane->used); i++) {
                unsigned level;
                const struct bucket *bucket;

                if (lane->used[i] == 0)
                        continue;
                level = i * 64 + (unsigned)__builtin_ctzll(lane->used[i]);
                bucket = heap_top(&lane->levels[level]);
                return heap_top(&bucket->lots);
        }
        return NULL;
}

bool queue_is_in_order(const struct core *core)
{
        for (const struct lane *lane = core->lanes; lane; lane = lane->hh.next) {
                for (unsigned level = 0; level < LEVELS; level++) {
                        const struct heap *heap = &lane->levels[level];

                        for (size_t i = 1; i < heap->n; i++) {
                                if (bucket_before(heap->list[i], heap_top(heap)))
                                        return false;
                        }
                }
        }
        return true;
}

static bool is_open(const struct queue *queue)
{
        return !queue->paused && (queue->max_running == 0 || queue->granted < queue->max_running);
}

bool queue_may_start(const struct lot *lot)
{
        return lot->bucket && is_open(lot->job->queue) && !lot->job->owner->shut;
}

struct pick queue_pick(struct core *core, struct kind *kind, enum hunger hunger)
{
        struct pick pick = { 0 };

        for (struct lane *lane = core->lanes; lane; lane = lane->hh.next) {
                struct worker *worker;
                struct lot *lot;

                if (!is_open(lane->key.queue) || !fit_able(kind, lane->key.needs))
                        continue;
                lot = lane_first(lane);
                if (!lot || (pick.lot && !queue_before(lot, pick.lot)))
                        continue;
                worker = fit_find(core, kind, lane->key.needs, hunger);
                if (worker) {
                        pick.lot = lot;
                        pick.worker = worker;
                } else if (!lot->reserved && (!pick.blocked || queue_before(lot, pick.blocked))) {
                        pick.blocked = lot;
                }
        }
        if (pick.blocked && pick.lot && queue_before(pick.lot, pick.blocked))
                pick.blocked = NULL;
        return pick;
}

/* One search among the lots of all lanes: what fits in before something else, the first in order of those looked at. */
struct search {
        struct worker *worker;
        int64_t limit_us;
        unsigned left; /* lots still to be looked at */
        struct lot *best;
};

static void look_at(struct search *search, const struct bucket *bucket)
{
        for (size_t i = 0; i < bucket->lots.n && search->left > 0; i++) {
                struct lot *lot = bucket->lots.list[i];
                const struct rec_job_spec *spec = &lot->job->spec->spec;

                search->left--;
                if (lot != search->worker->reserved && spec->has_time_ms &&
                    (int64_t)spec->time_ms * US_PER_MS <= search->limit_us &&
                    (!search->best || queue_before(lot, search->best)))
                        search->best = lot;
        }
}

struct lot *queue_pick_within(struct core *core, struct worker *worker, int64_t limit_us)
{
        struct search search = { .worker = worker, .limit_us = limit_us, .left = FILL_LOOKS };

        for (struct lane *lane = core->lanes; lane; lane = lane->hh.next) {
                if (!is_open(lane->key.queue) || worker->outstanding >= worker->slots ||
                    !fit_able(worker->kind, lane->key.needs) || fit_room(worker, lane->key.needs, 1) == 0)
                        continue;
                for (unsigned level = 0; level < LEVELS && search.left > 0; level++) {
                        const struct heap *heap = &lane->levels[level];

                        for (size_t i = 0; i < heap->n && search.left > 0; i++)
                                look_at(&search, heap->list[i]);
                }
        }
        return search.best;
}

struct lot *queue_first(const struct core *core, struct kind *kind)
{
        struct lot *best = NULL;

        for (struct lane *lane = core->lanes; lane; lane = lane->hh.next) {
                struct lot *lot = lane_first(lane);

                if (lot && is_open(lane->key.queue) && fit_able(kind, lane->key.needs) &&
                    (!best || queue_before(lot, best)))
                        best = lot;
        }
        return best;
}

/* Past these nobody's time goes: workers say how long their tasks ran. SCALE: shares of heavy weights keep their digits. */
#define SCALE 1024
#define CHARGE_US_MAX (INT64_C(1) << 50)
#define SERVED_MAX (INT64_MAX / 4)

static int64_t served_more(int64_t served, int64_t cpu_us, uint64_t weight)
{
        served += cpu_us * SCALE / (int64_t)weight;
        return MAX(-SERVED_MAX, MIN(served, SERVED_MAX));
}

void queue_charge(struct core *core, struct job *job, int64_t us, uint64_t cpus)
{
        struct owner *owner = job->owner;
        struct account *account = job->account;
        struct bucket *bucket;
        int64_t cpu_us;

        if (__builtin_mul_overflow(us, (int64_t)cpus, &cpu_us))
                cpu_us = us < 0 ? -CHARGE_US_MAX : CHARGE_US_MAX;
        cpu_us = MAX(-CHARGE_US_MAX, MIN(cpu_us, CHARGE_US_MAX));
        if (cpu_us > 0 && owner->served > core->served)
                core->served = owner->served;
        if (cpu_us > 0 && account->served > owner->account_served)
                owner->account_served = account->served;
        owner->served = served_more(owner->served, cpu_us, (uint64_t)job->queue->weight * owner->weight);
        account->served = served_more(account->served, cpu_us, job->queue->weight);
        if (owner->shut)
                return; /* its buckets take their places when they come back */
        DL_FOREACH (owner->buckets, bucket)
                heap_moved(&bucket->key.lane->levels[bucket->key.level], bucket);
}
