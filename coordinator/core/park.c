/* Tasks that wait for something of their own.
 *
 * Invariants: 1. parked positions at or above the cursor are in job.gone: the cursor passes over them. 2. all of
 * job.parked is counted under job.parked_at, which is park_home; but what a person holds (PARK_HELD, job.keeps.n_held of them)
 * is counted as held. 3. what was let go stays in job.ripe until it lies below
 * the committed mark and its row exists; what has a row is in job.cool until that says queued. So a restart never takes
 * a task that was granted for one that waits. 4. of a job whose elements wait for those of another, whatever lies above the
 * mark waits: a restart parks it again without a look at ten million rows. Parked tasks of others lie below it. */
#include "core/park.h"

#include "core/job.h"
#include "core/keep.h"
#include "core/queue.h"
#include "core/rows.h"
#include "core/tasks.h"

enum task_status park_home(const struct job *job)
{
        return job->spec->spec.hold ? TASK_STATUS_HELD : TASK_STATUS_WAITING;
}

void park_rehome(struct core *core, struct job *job)
{
        enum task_status home = park_home(job);

        if (job->parked.count == 0 || job->parked_at == home)
                return;
        job_move(core, job, job->parked_at, home == TASK_STATUS_HELD ? TRIGGER_HOLD : TRIGGER_RELEASE, home,
                 job->parked.count - job->keeps.n_held);
        job->parked_at = home;
}

uint64_t park_count_free(const struct job *job, uint32_t lo, uint32_t hi)
{
        uint64_t n = lots_again_within(job, lo, hi) + spans_count_within(&job->cool, lo, hi) +
                     spans_count_within(&job->ripe, lo, hi);

        lo = MAX(lo, job->cursor);
        return hi < lo ? n : n + hi - lo + 1 - spans_count_within(&job->gone, lo, hi);
}

uint64_t park_count(const struct job *job, uint32_t lo, uint32_t hi, bool held)
{
        uint64_t n = 0;

        for (uint32_t at = spans_next(&job->parked, lo); at <= hi && at != UINT32_MAX;) {
                const struct span *run = spans_find(&job->parked, at);
                uint32_t end = MIN(hi, run->hi);

                if (((run->note & PARK_HELD) != 0) == held)
                        n += end - at + 1;
                at = spans_next(&job->parked, end + 1);
        }
        return n;
}

static void take_never_granted(struct job *job, uint32_t lo, uint32_t hi, bool remember, struct spans *into)
{
        uint32_t from = spans_skip(&job->gone, MAX(lo, job->cursor));

        while (from <= hi && from < job->tasks) {
                uint32_t next = spans_next(&job->gone, from);
                struct span span = { .lo = from, .hi = MIN(hi, MIN(job->tasks, next) - 1) };

                spans_add(into, span);
                if (remember)
                        spans_add(&job->gone, span);
                from = spans_skip(&job->gone, span.hi + 1);
        }
}

/* Rows that exist or are asked for say what holds; later ones will be made so. */
static void write_rows(struct core *core, struct job *job, const struct spans *which, enum task_status status,
                       enum task_reason reason, int64_t until_us)
{
        struct spans alike = { 0 };

        for (size_t i = which->head; i < which->n && which->list[i].lo < job->exist_asked; i++) {
                struct span run = which->list[i];
                const struct span *before = spans_first(&alike);

                if (before && (before->attempt != run.attempt || before->tries != run.tries ||
                               before->crashes != run.crashes)) {
                        tasks_write_state(core, job, &alike, status, reason, before, NULL)->started_us =
                                until_us;
                        spans_done(&alike);
                }
                run.hi = MIN(run.hi, job->exist_asked - 1);
                run.note = 0;
                spans_add(&alike, run);
        }
        if (alike.count > 0)
                tasks_write_state(core, job, &alike, status, reason, spans_first(&alike), NULL)->started_us =
                        until_us;
        spans_done(&alike);
}

/* A restart takes for never granted what lies above the mark, and never looks at its row. ahead: not again for every task. */
static void raise_mark(struct core *core, struct job *job, uint32_t mark, uint32_t ahead)
{
        if (mark <= job->mark_asked)
                return;
        mark = (uint32_t)MIN((uint64_t)job->tasks, (uint64_t)mark + ahead);
        job->mark_asked = mark;
        job_set_dirty(core, job);
        if (job->phase == JOB_LIVE)
                effects_fact(core->out, (struct fact){ .kind = FACT_MARK, .job = job->id, .n = mark });
}

static void park_all(struct core *core, struct job *job, struct spans *taken, enum park why, int64_t until_us)
{
        enum task_status home = job_home(job);

        job->parked_at = park_home(job);
        if (home != job->parked_at)
                job_move(core, job, home, TRIGGER_WAIT, job->parked_at, taken->count);
        if (why != PARK_DEPENDENCY || !job->eaches)
                raise_mark(core, job, taken->list[taken->n - 1].hi + 1, 0);
        write_rows(core, job, taken, TASK_STATUS_WAITING,
                   why == PARK_DEPENDENCY ? TASK_REASON_DEPENDENCY : TASK_REASON_NONE, until_us);
        for (size_t i = taken->head; i < taken->n; i++) {
                taken->list[i].note = why;
                spans_add(&job->parked, taken->list[i]);
        }
}

void park_taken(struct core *core, struct job *job, struct spans *take, enum park why)
{
        if (take->count > 0)
                park_all(core, job, take, why, 0);
        spans_done(take);
        queue_consider(core, job);
}

static uint64_t park(struct core *core, struct job *job, const struct spans *which, enum park why,
                     int64_t until_us)
{
        struct spans taken = { 0 };
        uint64_t n;

        for (size_t i = which->head; i < which->n; i++)
                park_take_free(job, which->list[i].lo, which->list[i].hi, true, &taken);
        n = taken.count;
        if (n > 0)
                park_all(core, job, &taken, why, until_us);
        spans_done(&taken);
        if (n > 0)
                queue_consider(core, job);
        return n;
}

uint64_t park_tasks(struct core *core, struct job *job, const struct spans *which, enum park why)
{
        return park(core, job, which, why, 0);
}

uint64_t park_tasks_until(struct core *core, struct job *job, const struct spans *which, int64_t until_us)
{
        return park(core, job, which, PARK_TIME, until_us);
}

/* Those with this reason lose it: they go to `free`, or to `still` if they have another one. */
static void take_parked(struct job *job, const struct spans *which, enum park why, struct spans *free,
                        struct spans *still)
{
        uint32_t lost = why == PARK_HELD ? ~(PARK_HELD - 1u) : (uint32_t)why; /* and who holds it */
        struct spans taken = { 0 };

        for (size_t i = which->head; i < which->n; i++)
                spans_take(&job->parked, which->list[i].lo, which->list[i].hi, &taken);
        for (size_t i = taken.head; i < taken.n; i++) {
                struct span run = taken.list[i];

                if ((run.note & (uint32_t)why) == 0) {
                        spans_add(&job->parked, run);
                        continue;
                }
                run.note &= ~lost;
                spans_add(run.note == 0 ? free : still, run);
        }
        spans_done(&taken);
}

static void add_parked(struct job *job, const struct spans *from)
{
        for (size_t i = from->head; i < from->n; i++)
                spans_add(&job->parked, from->list[i]);
}

static void leave_parked(struct core *core, struct job *job, uint64_t n)
{
        enum task_status home = job_home(job);

        if (n > 0 && home != job->parked_at)
                job_move(core, job, job->parked_at, TRIGGER_MET, home, n);
}

static void leave_kept(struct core *core, struct job *job, enum task_status to, uint64_t n)
{
        job->keeps.n_held -= n;
        if (to != TASK_STATUS_HELD)
                job_move(core, job, TASK_STATUS_HELD, TRIGGER_RELEASE, to, n);
        if (n > 0)
                keep_changed(core, job);
}

static void write_queued(struct core *core, struct job *job, const struct spans *which)
{
        write_rows(core, job, which, TASK_STATUS_QUEUED, TASK_REASON_NONE, 0);
}

uint64_t park_release(struct core *core, struct job *job, const struct spans *which, enum park why)
{
        struct spans free = { 0 }, still = { 0 }, written = { 0 };
        uint64_t n;

        BUG_ON(why == PARK_HELD);
        take_parked(job, which, why, &free, &still);
        n = free.count + still.count;
        leave_parked(core, job, free.count);
        write_queued(core, job, &still); /* what a person alone holds is stored as queued */
        if (still.count > 0)
                raise_mark(core, job, still.list[still.n - 1].hi + 1, MARK_STRIDE);
        add_parked(job, &still);
        spans_done(&still);
        if (free.count == 0)
                return n;
        raise_mark(core, job, free.list[free.n - 1].hi + 1, MARK_STRIDE);
        write_queued(core, job, &free);
        if (job->exist_asked > 0)
                spans_take(&free, 0, job->exist_asked - 1, &written);
        spans_move(&free, &job->ripe);
        if (written.count > 0)
                tasks_cool(core, job, &written, false);
        park_ripen(job);
        queue_consider(core, job);
        return n;
}

uint64_t park_let_go(struct core *core, struct job *job, const struct spans *which)
{
        struct spans free = { 0 }, still = { 0 };
        uint64_t n;

        take_parked(job, which, PARK_HELD, &free, &still);
        n = free.count + still.count;
        job->parked_at = park_home(job);
        leave_kept(core, job, job_home(job), free.count);
        leave_kept(core, job, job->parked_at, still.count);
        add_parked(job, &still);
        spans_done(&still);
        if (free.count > 0)
                tasks_cool(core, job, &free, true);
        return n;
}

/* Those that wait for something of their own already. */
static uint64_t hold_parked(struct core *core, struct job *job, const struct spans *which, uint32_t note)
{
        struct spans taken = { 0 };
        uint64_t n = 0;

        for (size_t i = which->head; i < which->n; i++)
                spans_take(&job->parked, which->list[i].lo, which->list[i].hi, &taken);
        for (size_t i = taken.head; i < taken.n; i++) {
                struct span run = taken.list[i];

                if ((run.note & PARK_HELD) == 0) {
                        run.note |= note;
                        n += span_count(run);
                }
                spans_add(&job->parked, run);
        }
        spans_done(&taken);
        if (job->parked_at != TASK_STATUS_HELD)
                job_move(core, job, job->parked_at, TRIGGER_HOLD, TASK_STATUS_HELD, n);
        return n;
}

uint64_t park_hold_waiting(struct core *core, struct job *job, const struct spans *which, uint32_t number)
{
        uint64_t n = hold_parked(core, job, which, keep_note(number));

        job->keeps.n_held += n;
        if (n > 0)
                keep_changed(core, job);
        return n;
}

uint64_t park_hold_free(struct core *core, struct job *job, const struct spans *which, uint32_t number)
{
        struct spans taken = { 0 };
        uint64_t n;

        for (size_t i = which->head; i < which->n; i++)
                park_take_free(job, which->list[i].lo, which->list[i].hi, true, &taken);
        n = taken.count;
        if (n > 0 && job_home(job) != TASK_STATUS_HELD)
                job_move(core, job, job_home(job), TRIGGER_HOLD, TASK_STATUS_HELD, n);
        for (size_t i = taken.head; i < taken.n; i++) {
                taken.list[i].note = keep_note(number);
                spans_add(&job->parked, taken.list[i]);
        }
        spans_done(&taken);
        job->keeps.n_held += n;
        if (n == 0)
                return 0;
        keep_changed(core, job);
        rows_mark(core, job); /* the cursor passes over them, perhaps beyond the mark */
        queue_consider(core, job);
        return n;
}

uint64_t park_hold(struct core *core, struct job *job, const struct spans *which, uint32_t number)
{
        uint64_t n = park_hold_waiting(core, job, which, number);

        return n + park_hold_free(core, job, which, number);
}

void park_leave_limbo(struct job *job, const struct spans *which)
{
        struct spans taken = { 0 }, again = { 0 };

        for (size_t i = which->head; i < which->n; i++)
                spans_take(&job->limbo, which->list[i].lo, which->list[i].hi, &taken);
        for (size_t i = taken.head; i < taken.n; i++)
                spans_add(taken.list[i].note == 0 ? &again : &job->limbo, taken.list[i]);
        lots_again_add(job, NULL, &again);
        spans_done(&taken);
}

void park_thawed(struct job *job, const struct thaw *thaw, struct spans *from)
{
        uint32_t upto = MIN(job->mark, job->exist);
        struct spans never = { 0 }, ripe = { 0 };

        if (thaw->was_held && !job->graph && !job->eaches && job->cursor < job->tasks)
                spans_take(from, job->cursor, job->tasks - 1, &never);
        while (never.count > 0) {
                struct span run = spans_pop(&never, UINT32_MAX);

                spans_take(&job->gone, run.lo, run.hi, &ripe);
        }
        spans_done(&ripe);
        spans_done(&never);
        if (upto < job->tasks)
                spans_take(from, upto, job->tasks - 1, &ripe);
        spans_move(&ripe, &job->ripe);
        lots_again_add(job, thaw->lot, from);
}

void park_ripen(struct job *job)
{
        uint32_t upto = MIN(job->mark, job->exist);
        struct spans ripe = { 0 };

        if (upto > 0 && job->ripe.count > 0)
                spans_take(&job->ripe, 0, upto - 1, &ripe);
        lots_again_add(job, NULL, &ripe);
}

void park_replayed(struct job *job, const struct span *run, bool dependency)
{
        struct span parked = *run;

        parked.note = dependency ? PARK_DEPENDENCY : PARK_TIME;
        spans_add(&job->parked, parked);
}

void park_rest(struct job *job)
{
        struct span rest = { .lo = job->cursor, .hi = job->tasks - 1 };

        if (job->cursor == job->tasks)
                return;
        spans_add(&job->gone, rest);
        park_replayed(job, &rest, true);
}

void park_settle(struct job *job)
{
        job->parked_at = park_home(job);
        job->n[TASK_STATUS_QUEUED] -= job->parked.count;
        job->n[job->parked_at] += job->parked.count;
}

void park_take_free(struct job *job, uint32_t lo, uint32_t hi, bool remember, struct spans *into)
{
        lots_again_take(job, lo, hi, into);
        spans_take(&job->cool, lo, hi, into);
        spans_take(&job->ripe, lo, hi, into);
        take_never_granted(job, lo, hi, remember, into);
}

static void take_some(struct core *core, struct job *job, uint32_t lo, uint32_t hi, bool held,
                      struct spans *into)
{
        struct spans taken = { 0 };
        struct spans mine = { 0 };

        spans_take(&job->parked, lo, hi, &taken);
        for (size_t i = taken.head; i < taken.n; i++) {
                struct span run = taken.list[i];

                if (((run.note & PARK_HELD) != 0) == held)
                        spans_add(&mine, run);
                else
                        spans_add(&job->parked, run);
        }
        if (held)
                leave_kept(core, job, job_home(job), mine.count);
        else
                leave_parked(core, job, mine.count);
        spans_move(&mine, into);
        spans_done(&taken);
}

void park_take_waiting(struct core *core, struct job *job, uint32_t lo, uint32_t hi, struct spans *into)
{
        take_some(core, job, lo, hi, false, into);
}

void park_take_held(struct core *core, struct job *job, uint32_t lo, uint32_t hi, struct spans *into)
{
        take_some(core, job, lo, hi, true, into);
}
