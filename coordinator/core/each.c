/* Each dependency of this kind keeps the positions that still wait for it; what waits for none of them is let go. What
 * ended before the job began to wait is read from the rows of the other job, what ends later is heard of at its commit.
 *
 * Invariants: 1. a position in some `missing` set is parked, is being ended, or was taken away by a person. 2. a position
 * leaves a set for good, until a new round of its own. 3. an answer that may be of before the newest round of the job that
 * was read is dropped: it may name ends that are none any more. */
#include "core/each.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "core/indexes.h"
#include "core/job.h"
#include "core/park.h"
#include "core/round.h"
#include "core/sweep.h"

#define AGAIN_US (200 * US_PER_MS)

struct each {
        struct job *job;
        struct each_parent *parent;
        struct spans missing;
        bool known; /* what had ended before has been read */
        bool told; /* the store knows that tasks were aborted because of it */
        struct each *next, *prev; /* of the parent */
};

struct each_set {
        size_t n;
        struct spans wanted; /* a person's own choice: not aborted for what had failed before */
        struct each list[];
};

struct each_end { /* waits for its commit */
        uint64_t number;
        struct spans which; /* indexes, not positions: the other job may have left memory */
        bool ok;
        struct each_end *next;
};

struct each_parent {
        uint64_t id;
        uint32_t generation;
        bool again; /* a read of it failed */
        struct each *children;
        struct each_end *ends, *last_end;
        UT_hash_handle hh;
};

struct each_parents {
        struct each_parent *list; /* by id */
        uint32_t generation; /* the last that was given */
        uint64_t n_ends; /* each has a number of its own */
        int64_t again_at_us; /* mono; when to read again what could not be read; 0: nothing */
};

void each_init(struct core *core)
{
        core->each_parents = xcalloc(1, sizeof(*core->each_parents));
}

void each_done(struct core *core)
{
        BUG_ON(core->each_parents->list);
        free(core->each_parents);
}

static struct each_parent *find(const struct core *core, uint64_t id)
{
        struct each_parent *parent;

        HASH_FIND(hh, core->each_parents->list, &id, sizeof(id), parent);
        return parent;
}

static struct each_parent *get(struct core *core, uint64_t id)
{
        struct each_parent *parent = find(core, id);

        if (parent)
                return parent;
        parent = xcalloc(1, sizeof(*parent));
        parent->id = id;
        parent->generation = ++core->each_parents->generation;
        HASH_ADD(hh, core->each_parents->list, id, sizeof(parent->id), parent);
        return parent;
}

static void pop_end(struct each_parent *parent)
{
        struct each_end *end = parent->ends;

        parent->ends = end->next;
        spans_done(&end->which);
        free(end);
}

static void leave(struct core *core, struct each *each)
{
        struct each_parent *parent = each->parent;

        DL_DELETE(parent->children, each);
        spans_done(&each->missing);
        if (parent->children)
                return;
        while (parent->ends)
                pop_end(parent);
        HASH_DELETE(hh, core->each_parents->list, parent);
        free(parent);
}

void each_attach(struct core *core, struct job *job)
{
        const struct rec_job_spec *spec = &job->spec->spec;
        size_t n = 0;

        for (size_t k = 0; k < spec->n_after; k++)
                n += spec->after[k].when == AFTER_WHEN_EACH;
        if (n == 0)
                return;
        job->eaches = xcalloc(1, sizeof(*job->eaches) + n * sizeof(struct each));
        for (size_t k = 0; k < spec->n_after; k++) {
                struct each *each = &job->eaches->list[job->eaches->n];

                if (spec->after[k].when != AFTER_WHEN_EACH)
                        continue;
                each->job = job;
                each->parent = get(core, spec->after[k].job);
                DL_APPEND(each->parent->children, each);
                job->eaches->n++;
        }
}

void each_forget(struct core *core, struct job *job)
{
        for (size_t k = 0; job->eaches && k < job->eaches->n; k++)
                leave(core, &job->eaches->list[k]);
        if (job->eaches)
                spans_done(&job->eaches->wanted);
        free(job->eaches);
        job->eaches = NULL;
}

/* ------------------------------------------------------------------ who waits */

static void add_plain(struct spans *to, const struct spans *from)
{
        for (size_t i = from->head; i < from->n; i++)
                spans_add(to, (struct span){ .lo = from->list[i].lo, .hi = from->list[i].hi });
}

static void take_all(struct spans *from, const struct spans *which, struct spans *into)
{
        for (size_t i = which->head; i < which->n; i++)
                spans_take(from, which->list[i].lo, which->list[i].hi, into);
}

static void wait_for_all(struct job *job, const struct spans *which)
{
        for (size_t k = 0; k < job->eaches->n; k++) {
                struct spans before = { 0 };

                take_all(&job->eaches->list[k].missing, which, &before);
                add_plain(&job->eaches->list[k].missing, which);
                spans_done(&before);
        }
}

void each_begin(struct core *core, struct job *job)
{
        struct spans all = { 0 };

        if (!job->eaches || job->tasks == 0 || job->ending != 0)
                return;
        spans_add(&all, (struct span){ .lo = 0, .hi = job->tasks - 1 });
        park_tasks(core, job, &all, PARK_DEPENDENCY);
        wait_for_all(job, &all);
        spans_done(&all);
}

void each_replayed(struct job *job)
{
        struct spans parked = { 0 };

        if (!job->eaches || job->ending != 0)
                return;
        for (size_t i = job->parked.head; i < job->parked.n; i++) {
                const struct span *run = &job->parked.list[i];

                if ((run->note & PARK_DEPENDENCY) != 0)
                        spans_add(&parked, (struct span){ .lo = run->lo, .hi = run->hi });
        }
        wait_for_all(job, &parked);
        spans_done(&parked);
}

static void ask(struct core *core, const struct each_parent *parent)
{
        effects_load_ends(core->out, (struct job_id){ parent->id }, parent->generation);
}

void each_ask(struct core *core, struct job *job)
{
        if (!job->eaches || job->ending != 0)
                return;
        for (size_t k = 0; k < job->eaches->n; k++) {
                if (job->eaches->list[k].missing.count > 0)
                        ask(core, job->eaches->list[k].parent);
        }
}

void each_ask_all(struct core *core)
{
        struct each_parent *parent, *next;

        HASH_ITER (hh, core->each_parents->list, parent, next) {
                const struct each *each = parent->children;

                while (each && each->missing.count == 0)
                        each = each->next;
                if (each)
                        ask(core, parent);
        }
}

void each_tick(struct core *core)
{
        struct each_parent *parent, *next;

        if (core->each_parents->again_at_us == 0 || core->mono_us < core->each_parents->again_at_us)
                return;
        core->each_parents->again_at_us = 0;
        HASH_ITER (hh, core->each_parents->list, parent, next) {
                if (!parent->again)
                        continue;
                parent->again = false;
                ask(core, parent);
        }
}

int64_t each_next_us(const struct core *core)
{
        return core->each_parents->again_at_us != 0 ? core->each_parents->again_at_us : -1;
}

/* ------------------------------------------------------------------ who may go */

/* Of `now`, what the k-th dependency does not keep waiting. */
static void drop_missing(const struct each *each, struct spans *now)
{
        struct spans left = { 0 };

        for (size_t i = now->head; i < now->n; i++) {
                uint32_t hi = now->list[i].hi;
                uint32_t at = spans_skip(&each->missing, now->list[i].lo);

                while (at <= hi) {
                        uint32_t end = MIN(hi, spans_next(&each->missing, at) - 1);

                        spans_add(&left, (struct span){ .lo = at, .hi = end });
                        at = spans_skip(&each->missing, end + 1);
                }
        }
        spans_done(now);
        *now = left;
}

static void let_go(struct core *core, struct each *each, struct spans *never, struct spans *now)
{
        static const struct sweep_how abort = {
                .status = TASK_STATUS_ABORTED, .reason = TASK_REASON_DEPENDENCY, .parked = true, .held = true
        };
        struct job *job = each->job;

        for (size_t k = 0; k < job->eaches->n && now->count > 0; k++)
                drop_missing(&job->eaches->list[k], now);
        if (never->count > 0 && sweep_some(core, job, never, &abort) > 0 && !each->told) {
                each->told = true;
                effects_store(core->out, STORE_ABORTED)->u.aborted =
                        (struct store_aborted){ job->id, { each->parent->id } };
        }
        if (now->count > 0)
                park_release(core, job, now, PARK_DEPENDENCY);
        spans_done(never);
        spans_done(now);
}

static bool hears(const struct each *each)
{
        return each->job->phase == JOB_LIVE && each->job->ending == 0 && each->missing.count > 0;
}

static void take_indexes(struct each *each, const struct spans *indexes, struct spans *into)
{
        struct spans named = { 0 };

        for (size_t i = indexes->head; i < indexes->n; i++) {
                struct range range = { indexes->list[i].lo, indexes->list[i].hi };

                index_spans(&each->job->indexes, &range, 1, &named);
        }
        take_all(&each->missing, &named, into);
        spans_done(&named);
}

static void add_indexes(const struct job *on, const struct spans *which, struct spans *out)
{
        struct ranges ranges = { 0 };

        for (size_t i = which->head; i < which->n; i++)
                index_ranges(&on->indexes, which->list[i].lo, which->list[i].hi, &ranges);
        for (size_t i = 0; i < ranges.n; i++)
                spans_add(out, (struct span){ .lo = (uint32_t)ranges.list[i].lo,
                                              .hi = (uint32_t)ranges.list[i].hi });
        ranges_done(&ranges);
}

void each_ended(struct core *core, const struct job *on, const struct spans *which, enum task_status status)
{
        struct each_parent *parent = core->each_parents->list ? find(core, on->id.n) : NULL;
        struct each_end *end;

        if (!parent)
                return;
        end = xcalloc(1, sizeof(*end));
        end->number = ++core->each_parents->n_ends;
        end->ok = status == TASK_STATUS_SUCCEEDED;
        add_indexes(on, which, &end->which);
        if (parent->ends)
                parent->last_end->next = end;
        else
                parent->ends = end;
        parent->last_end = end;
        effects_fact(core->out, (struct fact){ .kind = FACT_EACH, .job = on->id, .n = end->number });
}

void each_committed(struct core *core, uint64_t on, uint64_t number)
{
        struct each_parent *parent = find(core, on);

        for (; parent && parent->ends && parent->ends->number <= number; pop_end(parent)) {
                const struct each_end *end = parent->ends;
                struct each *each;

                DL_FOREACH (parent->children, each) {
                        struct spans ended = { 0 }, none = { 0 };

                        if (!hears(each))
                                continue; /* its own question comes after this commit */
                        take_indexes(each, &end->which, &ended);
                        if (end->ok || each->job->spec->spec.on_dep_fail_run)
                                let_go(core, each, &none, &ended);
                        else
                                let_go(core, each, &ended, &none);
                }
        }
}

/* ------------------------------------------------------------------ what the store knows */

/* Positions of a job as read: which have not ended, which ended badly. All others have succeeded. */
struct as_read {
        bool found;
        struct indexes indexes;
        struct spans open, failed;
};

static void sort_out(const struct job_round *answer, struct as_read *out)
{
        const struct job_state *state = &answer->replay.job.state;
        uint32_t n = (uint32_t)out->indexes.n;
        uint32_t cursor = state->ended_us != 0 ? n : (uint32_t)MIN(state->mark, state->materialised);

        for (size_t i = 0; i < answer->n_tasks; i++) {
                bool final = task_status_is_final(answer->tasks[i].status);
                struct spans named = { 0 };

                index_spans(&out->indexes, &answer->tasks[i].indexes, 1, &named);
                if (cursor > 0)
                        spans_take(&named, 0, cursor - 1, final ? &out->failed : &out->open);
                spans_done(&named);
        }
        if (cursor < n)
                spans_add(&out->open, (struct span){ .lo = cursor, .hi = n - 1 });
}

/* Those of the job's that wait for these positions of the other. */
static void take_alike(struct each *each, const struct as_read *read, const struct spans *which,
                       struct spans *into)
{
        struct spans named = { 0 };

        index_map(&read->indexes, which, &each->job->indexes, &named);
        take_all(&each->missing, &named, into);
        spans_done(&named);
}

static void apply(struct core *core, struct each *each, const struct as_read *read)
{
        struct spans open = { 0 }, never = { 0 }, now = { 0 };

        each->known = true;
        if (!read->found) {
                spans_move(&each->missing, &never);
                let_go(core, each, &never, &now);
                return;
        }
        take_alike(each, read, &read->open, &open);
        take_alike(each, read, &read->failed, &never);
        spans_move(&each->missing, &now);
        if (each->job->spec->spec.on_dep_fail_run)
                spans_move(&never, &now);
        else
                take_all(&never, &each->job->eaches->wanted, &now);
        spans_move(&open, &each->missing);
        let_go(core, each, &never, &now);
}

void each_on_answer(struct core *core, struct job_round *answer)
{
        struct each_parent *parent = find(core, answer->job.n);
        const struct job *on = job_find(core, answer->job.n);
        const struct job_spec_box *spec = answer->replay.job.spec;
        struct as_read read = { .found = answer->found };
        struct each *each;

        if (!parent || parent->generation != answer->generation || (on && on->round_out))
                return; /* it is of before a round, whose commit asks again */
        if (answer->failed ||
            (answer->found && indexes_init(&read.indexes, &spec->spec, UINT32_MAX - 1, NULL) < 0)) {
                parent->again = true;
                core->each_parents->again_at_us = core->mono_us + AGAIN_US;
                return;
        }
        if (answer->found)
                sort_out(answer, &read);
        DL_FOREACH (parent->children, each) {
                if (hears(each))
                        apply(core, each, &read);
        }
        indexes_done(&read.indexes);
        spans_done(&read.open);
        spans_done(&read.failed);
}

/* ------------------------------------------------------------------ new rounds */

void each_round(struct core *core, struct job *job, bool person)
{
        struct spans again = { 0 }, before = { 0 };

        add_plain(&again, &job->round);
        park_taken(core, job, &job->round, PARK_DEPENDENCY);
        wait_for_all(job, &again);
        take_all(&job->eaches->wanted, &again, &before);
        if (person)
                add_plain(&job->eaches->wanted, &again);
        else
                each_untold(job);
        spans_done(&again);
        spans_done(&before);
}

void each_untold(struct job *job)
{
        for (size_t k = 0; job->eaches && k < job->eaches->n; k++)
                job->eaches->list[k].told = false;
}

bool each_may_come_back(const struct job *job)
{
        return job->eaches && job->phase == JOB_LIVE && job->ending == 0 && job->sweep.count == 0 &&
               !job->sweeping && !job->round_out;
}

void each_parent_round(struct core *core, const struct job *on)
{
        struct each_parent *parent = find(core, on->id.n);
        struct spans again = { 0 };

        if (!parent)
                return;
        parent->generation = ++core->each_parents->generation;
        /* It was read as ended; its end may be committed and not told yet. */
        add_indexes(on, &on->round, &again);
        for (struct each_end *end = parent->ends; end; end = end->next) {
                struct spans taken = { 0 };

                take_all(&end->which, &again, &taken);
                spans_done(&taken);
        }
        spans_done(&again);
}

void each_parent_round_committed(struct core *core, const struct job *on)
{
        struct each_parent *parent = find(core, on->id.n);

        if (!parent)
                return;
        parent->generation = ++core->each_parents->generation; /* what was read meanwhile may be of before */
        ask(core, parent);
}

/* ------------------------------------------------------------------ for people */

static const struct each *first_missing(const struct job *job, uint32_t at)
{
        for (size_t k = 0; job->eaches && k < job->eaches->n; k++) {
                if (spans_find(&job->eaches->list[k].missing, at))
                        return &job->eaches->list[k];
        }
        return NULL;
}

uint64_t each_missing(const struct job *job, uint32_t at)
{
        const struct each *each = first_missing(job, at);

        return each ? each->parent->id : 0;
}

static void add_progress(const struct core *core, uint64_t id, struct buf *out)
{
        const struct job *on = job_find(core, id);

        if (on)
                buf_addf(out, " (%llu of %u tasks of that job have)", (unsigned long long)job_final(on),
                         on->tasks);
}

void each_why(const struct core *core, const struct job *job, uint32_t at, struct buf *out)
{
        const struct each *each = first_missing(job, at);
        unsigned long long id = each->parent->id;

        if (!each->known) {
                buf_addf(out, "what has ended of job %llu is being read", id);
                return;
        }
        buf_addf(out, "task %llu.%llu has not ended", id, (unsigned long long)index_of(&job->indexes, at));
        add_progress(core, id, out);
}

bool each_why_job(const struct core *core, const struct job *job, size_t k, struct buf *out)
{
        const struct each *each = job->eaches && k < job->eaches->n ? &job->eaches->list[k] : NULL;

        if (!each)
                return false;
        if (each->missing.count == 0)
                return true;
        buf_addf(out, "%llu %s for %s of job %llu", (unsigned long long)each->missing.count,
                 each->missing.count == 1 ? "task waits" : "tasks wait",
                 each->missing.count == 1 ? "its own" : "their own", (unsigned long long)each->parent->id);
        if (each->known)
                add_progress(core, each->parent->id, out);
        return true;
}
