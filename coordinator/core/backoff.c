/* Waits between attempts. In memory they run on the monotonic clock; the row of a task that waits holds their end on the
 * wall clock (started_us), from which a restart takes what is left of them.
 *
 * Invariants: 1. every position parked for its time is in a wait of its job with the attempt that it has. 2. a wait is
 * in the heap and in its job's list, or freed. */
#include "core/backoff.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "core/job.h"
#include "core/lease.h"
#include "core/park.h"

#define FACTOR_ONE 1000 /* backoff_factor is in thousandths */
#define LONGEST_MS INT64_C(86400000) /* where backoff_max_ms says nothing */
#define SPREAD 5 /* chance adds up to 1/5 of the wait: what failed together does not come back together */
#define PARTS 32 /* so many different waits for the tasks of one end, at most */

static bool due_before(const void *a, const void *b)
{
        return ((const struct backoff *)a)->due_us < ((const struct backoff *)b)->due_us;
}

void backoff_init(struct core *core)
{
        heap_init(&core->backoffs, due_before, offsetof(struct backoff, place));
}

void backoff_done(struct core *core)
{
        heap_done(&core->backoffs);
}

static int64_t longest_ms(const struct rec_job_spec *spec)
{
        int64_t first = (int64_t)spec->backoff_ms;

        return MAX(spec->has_backoff_max_ms ? (int64_t)spec->backoff_max_ms : LONGEST_MS, first);
}

int64_t backoff_us(const struct rec_job_spec *spec, uint32_t tries)
{
        int64_t most = longest_ms(spec) * US_PER_MS;
        int64_t us = (int64_t)spec->backoff_ms * US_PER_MS;

        for (uint32_t k = 1; k < tries && us < most && spec->has_backoff_factor; k++)
                us = us * (int64_t)spec->backoff_factor / FACTOR_ONE;
        return spec->has_backoff_ms ? MIN(us, most) : 0;
}

static void add(struct core *core, struct job *job, const struct span *runs, size_t n, int64_t due_us)
{
        struct backoff *wait = xcalloc(1, sizeof(*wait));

        wait->job = job;
        wait->due_us = due_us;
        for (size_t i = 0; i < n; i++)
                spans_add(&wait->which, runs[i]);
        DL_APPEND(job->backoffs, wait);
        heap_push(&core->backoffs, wait);
}

static void drop(struct core *core, struct backoff *wait)
{
        heap_remove(&core->backoffs, wait);
        DL_DELETE(wait->job->backoffs, wait);
        spans_done(&wait->which);
        free(wait);
}

/* One part of them, all with the same wait: parked, in memory and in their rows. */
static void start_part(struct core *core, struct job *job, struct spans *part, const struct span *counts)
{
        int64_t us = backoff_us(&job->spec->spec, counts->tries);
        int64_t most = longest_ms(&job->spec->spec) * US_PER_MS;

        us = MIN(us + (int64_t)(lease_draw(core) % (uint64_t)(us / SPREAD + 1)), MAX(most, us));
        for (size_t i = part->head; i < part->n; i++)
                part->list[i].attempt = counts->attempt;
        if (park_tasks_until(core, job, part, core->wall_us + us) > 0)
                add(core, job, part->list + part->head, part->n - part->head, core->mono_us + us);
}

void backoff_start(struct core *core, struct job *job, const struct spans *which, const struct span *counts)
{
        uint32_t most = (uint32_t)((which->count + PARTS - 1) / PARTS);
        struct spans part = { 0 };

        for (size_t i = which->head; i < which->n; i++) {
                uint32_t lo = which->list[i].lo;

                while (lo <= which->list[i].hi) {
                        uint32_t room = most - (uint32_t)part.count;
                        uint32_t hi = MIN(which->list[i].hi, lo + room - 1);

                        spans_add(&part, (struct span){ .lo = lo, .hi = hi });
                        lo = hi + 1;
                        if (part.count < most)
                                continue;
                        start_part(core, job, &part, counts);
                        spans_done(&part);
                }
        }
        if (part.count > 0)
                start_part(core, job, &part, counts);
        spans_done(&part);
}

bool backoff_is_over(const struct core *core, const struct replay_tasks *tasks)
{
        return tasks->reason != TASK_REASON_DEPENDENCY && tasks->started_us <= core->wall_us;
}

void backoff_replayed(struct core *core, struct job *job, const struct spans *which, uint32_t attempt,
                      int64_t until_us)
{
        int64_t left = MIN(until_us - core->wall_us, longest_ms(&job->spec->spec) * US_PER_MS);
        struct spans runs = { 0 };

        for (size_t i = which->head; i < which->n; i++)
                spans_add(&runs, (struct span){ .lo = which->list[i].lo,
                                                .hi = which->list[i].hi,
                                                .attempt = (uint16_t)attempt });
        add(core, job, runs.list + runs.head, runs.n - runs.head, core->mono_us + MAX(left, INT64_C(0)));
        spans_done(&runs);
}

void backoff_forget_job(struct core *core, struct job *job)
{
        while (job->backoffs)
                drop(core, job->backoffs);
}

/* Those that still wait for this: a task that was cancelled and retried since has a wait of its own, or none. */
static void collect(const struct backoff *wait, struct spans *out)
{
        for (size_t i = wait->which.head; i < wait->which.n; i++) {
                const struct span *run = &wait->which.list[i];
                uint32_t at = spans_next(&wait->job->parked, run->lo);

                while (at <= run->hi) {
                        const struct span *parked = spans_find(&wait->job->parked, at);
                        uint32_t hi = MIN(parked->hi, run->hi);

                        if (parked->attempt == run->attempt && (parked->note & PARK_TIME) != 0)
                                spans_add(out, (struct span){ .lo = at, .hi = hi });
                        at = spans_next(&wait->job->parked, hi + 1);
                }
        }
}

void backoff_tick(struct core *core)
{
        struct backoff *wait;

        while ((wait = heap_top(&core->backoffs)) && wait->due_us <= core->mono_us) {
                struct job *job = wait->job;
                struct spans which = { 0 };

                collect(wait, &which);
                drop(core, wait);
                park_release(core, job, &which, PARK_TIME);
                spans_done(&which);
        }
}

int64_t backoff_next_us(const struct core *core)
{
        const struct backoff *wait = heap_top(&core->backoffs);

        return wait ? wait->due_us : -1;
}

uint64_t backoff_count(const struct job *job)
{
        uint64_t n = 0;

        for (size_t i = job->parked.head; i < job->parked.n; i++)
                n += job->parked.list[i].note & PARK_TIME ? span_count(job->parked.list[i]) : 0;
        return n;
}

int64_t backoff_until_us(const struct job *job, uint32_t position)
{
        const struct span *parked = spans_find(&job->parked, position);
        const struct backoff *wait;

        DL_FOREACH (job->backoffs, wait) {
                const struct span *run = parked ? spans_find(&wait->which, position) : NULL;

                if (run && run->attempt == parked->attempt)
                        return wait->due_us;
        }
        return -1;
}
