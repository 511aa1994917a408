/* Lanes, levels, buckets. A bucket holds the ready jobs of one owner at one priority in one lane.
 *
 * Fair share is a virtual time per owner: what his tasks used, divided by the queue's weight. Somebody who comes (back)
 * starts at the time of whoever was served last: absence earns nothing.
 *
 * Invariants: 1. a job is in a bucket exactly if queue_consider found it ready. 2. no bucket, level or lane is empty. */
#include "core/queue.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "core/entries.h"

#define LEVELS 201 /* priorities -100 … 100 */

struct bucket {
        struct owner *owner;
        struct lane *lane;
        unsigned level;
        struct heap jobs;
        size_t place; /* in its level */
        struct bucket *next, *prev; /* of the owner */
};

struct lane {
        struct queue *queue;
        enum task_type type;
        uint32_t cpus;
        struct heap levels[LEVELS]; /* of buckets, by the owner's virtual time */
        uint64_t used[(LEVELS + 63) / 64]; /* bit per level that is not empty; level 0 is priority 100 */
        unsigned n_levels;
        struct lane *next, *prev;
};

static bool job_before(const void *a, const void *b)
{
        return ((const struct job *)a)->id.n < ((const struct job *)b)->id.n;
}

static bool bucket_before(const void *a, const void *b)
{
        const struct owner *x = ((const struct bucket *)a)->owner;
        const struct owner *y = ((const struct bucket *)b)->owner;

        return x->virtual_us != y->virtual_us ? x->virtual_us < y->virtual_us : x->id < y->id;
}

static unsigned level_of(const struct job *job)
{
        return (unsigned)(100 - job->spec->spec.priority);
}

static struct lane *lane_get(struct core *core, const struct job *job)
{
        struct lane *lane;

        DL_FOREACH (core->lanes, lane) {
                if (lane->queue == job->queue && lane->type == job->spec->spec.type &&
                    lane->cpus == job->cpus)
                        return lane;
        }
        lane = xcalloc(1, sizeof(*lane));
        lane->queue = job->queue;
        lane->type = job->spec->spec.type;
        lane->cpus = job->cpus;
        for (unsigned i = 0; i < LEVELS; i++)
                heap_init(&lane->levels[i], bucket_before, offsetof(struct bucket, place));
        DL_APPEND(core->lanes, lane);
        return lane;
}

static void lane_free(struct core *core, struct lane *lane)
{
        DL_DELETE(core->lanes, lane);
        for (unsigned i = 0; i < LEVELS; i++)
                heap_done(&lane->levels[i]);
        free(lane);
}

static struct bucket *bucket_get(struct lane *lane, struct owner *owner, unsigned level)
{
        struct bucket *bucket;

        DL_FOREACH (owner->buckets, bucket) {
                if (bucket->lane == lane && bucket->level == level)
                        return bucket;
        }
        bucket = xcalloc(1, sizeof(*bucket));
        bucket->owner = owner;
        bucket->lane = lane;
        bucket->level = level;
        heap_init(&bucket->jobs, job_before, offsetof(struct job, ready_place));
        DL_APPEND(owner->buckets, bucket);
        if (lane->levels[level].n == 0) {
                lane->used[level / 64] |= UINT64_C(1) << (level % 64);
                lane->n_levels++;
        }
        heap_push(&lane->levels[level], bucket);
        return bucket;
}

static void bucket_free(struct core *core, struct bucket *bucket)
{
        struct lane *lane = bucket->lane;

        heap_remove(&lane->levels[bucket->level], bucket);
        DL_DELETE(bucket->owner->buckets, bucket);
        if (lane->levels[bucket->level].n == 0) {
                lane->used[bucket->level / 64] &= ~(UINT64_C(1) << (bucket->level % 64));
                lane->n_levels--;
        }
        heap_done(&bucket->jobs);
        free(bucket);
        if (lane->n_levels == 0)
                lane_free(core, lane);
}

uint64_t queue_grantable(const struct job *job)
{
        uint32_t from = spans_skip(&job->gone, job->cursor);
        uint32_t to = MIN(job->mark, job->exist);
        uint64_t n = job->again.count + (from < to ? to - from : 0);

        if (job->spec->spec.has_max_running && job->spec->spec.max_running > 0) {
                uint64_t most = job->spec->spec.max_running;

                n = job->granted >= most ? 0 : MIN(n, most - job->granted);
        }
        return n;
}

static bool is_ready(const struct job *job)
{
        return job->phase == JOB_LIVE && job->ending == 0 && job->n_waits == 0 && !job->spec->spec.hold &&
               queue_grantable(job) > 0 && !entries_are_loading(job);
}

void queue_consider(struct core *core, struct job *job)
{
        bool ready = is_ready(job);

        if (!ready && job->bucket)
                queue_remove(core, job);
        if (!ready || job->bucket)
                return;
        if (job->owner->virtual_us < core->virtual_us && !job->owner->buckets)
                job->owner->virtual_us = core->virtual_us;
        job->bucket = bucket_get(lane_get(core, job), job->owner, level_of(job));
        heap_push(&job->bucket->jobs, job);
}

void queue_remove(struct core *core, struct job *job)
{
        struct bucket *bucket = job->bucket;

        if (!bucket)
                return;
        heap_remove(&bucket->jobs, job);
        job->bucket = NULL;
        if (bucket->jobs.n == 0)
                bucket_free(core, bucket);
}

bool queue_is_empty(const struct core *core)
{
        return !core->lanes;
}

bool queue_before(const struct job *a, const struct job *b)
{
        if (a->spec->spec.priority != b->spec->spec.priority)
                return a->spec->spec.priority > b->spec->spec.priority;
        if (a->owner->virtual_us != b->owner->virtual_us)
                return a->owner->virtual_us < b->owner->virtual_us;
        return a->id.n < b->id.n;
}

static struct job *lane_first(const struct lane *lane)
{
        for (unsigned i = 0; i < ARRAY_LEN(lane->used); i++) {
                unsigned level;
                const struct bucket *bucket;

                if (lane->used[i] == 0)
                        continue;
                level = i * 64 + (unsigned)__builtin_ctzll(lane->used[i]);
                bucket = heap_top(&lane->levels[level]);
                return heap_top(&bucket->jobs);
        }
        return NULL;
}

struct job *queue_pick(const struct core *core, const struct kind *kind)
{
        struct job *best = NULL;
        const struct lane *lane;

        DL_FOREACH (core->lanes, lane) {
                struct job *job;

                if (lane->cpus > kind->slots || !(kind->types >> lane->type & 1) || lane->queue->paused ||
                    (lane->queue->max_running != 0 && lane->queue->granted >= lane->queue->max_running))
                        continue;
                job = lane_first(lane);
                if (!best || queue_before(job, best))
                        best = job;
        }
        return best;
}

/* Past this nobody's time goes: workers say how long their tasks ran. */
#define VIRTUAL_US_MAX (INT64_MAX / 4)

void queue_charge(struct core *core, struct job *job, int64_t us, uint64_t cpus)
{
        struct owner *owner = job->owner;
        struct bucket *bucket;
        int64_t cpu_us;

        if (__builtin_mul_overflow(us, (int64_t)cpus, &cpu_us))
                cpu_us = us < 0 ? -VIRTUAL_US_MAX : VIRTUAL_US_MAX;
        cpu_us = MAX(-VIRTUAL_US_MAX, MIN(cpu_us, VIRTUAL_US_MAX));
        if (cpu_us > 0 && owner->virtual_us > core->virtual_us)
                core->virtual_us = owner->virtual_us;
        owner->virtual_us += cpu_us / (int64_t)job->queue->weight;
        owner->virtual_us = MAX(-VIRTUAL_US_MAX, MIN(owner->virtual_us, VIRTUAL_US_MAX));
        DL_FOREACH (owner->buckets, bucket)
                heap_moved(&bucket->lane->levels[bucket->level], bucket);
}
