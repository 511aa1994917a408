/* The core's own knowledge as rows of two columns. */
#include "core/why.h"

#include "base/clock.h"
#include "base/duration.h"
#include "core/backoff.h"
#include "core/each.h"
#include "core/entries.h"
#include "core/fit.h"
#include "core/graph.h"
#include "core/job.h"
#include "core/keep.h"
#include "core/lease.h"
#include "core/namesake.h"
#include "core/park.h"
#include "core/pending.h"
#include "core/queue.h"
#include "core/reserve.h"
#include "core/shape.h"
#include "core/sweep.h"
#include "core/worker.h"

typedef unsigned long long ull;

#define WHY_KEEPS_MAX 10 /* holds of single tasks that are named one by one */
#define WHY_LOTS_MAX 8 /* lots of one job that are explained one by one */

static void add(struct buf *rows, const char *reason, const struct buf *detail)
{
        reply_pair_add(rows, reason, detail->n > 0 ? detail->bytes : "");
}

static void add_n(struct buf *rows, const char *name, uint64_t n)
{
        CLEANUP_BUF struct buf text = { 0 };

        buf_add_u64(&text, n);
        add(rows, name, &text);
}

static void why_waits(const struct core *core, const struct job *job, struct buf *rows)
{
        for (size_t i = 0; job->waits && i < job->spec->spec.n_after; i++) {
                const struct job *on = job_find(core, job->waits[i].on.n);
                CLEANUP_BUF struct buf text = { 0 };

                if (job->waits[i].on.n == 0)
                        continue;
                buf_addf(&text, "%s of job %llu", after_when_word(job->waits[i].when),
                         (ull)job->waits[i].on.n);
                if (on)
                        buf_addf(&text, " (%llu of %u tasks done)", (ull)job_final(on), on->tasks);
                if (job->spec->spec.after_one && job->spec->spec.n_after > 1)
                        buf_addf(&text, "; one of %zu is enough", job->spec->spec.n_after);
                add(rows, "dependency", &text);
        }
}

static void why_each(const struct core *core, const struct job *job, struct buf *rows)
{
        CLEANUP_BUF struct buf text = { 0 };

        for (size_t k = 0; each_why_job(core, job, k, &text); k++) {
                if (text.n > 0)
                        add(rows, "dependency", &text);
                buf_clear(&text);
        }
}

static void why_namesake(const struct job *job, struct buf *rows)
{
        const struct job *before = namesake_before(job);
        CLEANUP_BUF struct buf text = { 0 };

        if (!before)
                return;
        buf_addf(&text, "job %llu of the same name is unfinished (%llu of %u tasks done)", (ull)before->id.n,
                 (ull)job_final(before), before->tasks);
        add(rows, "singleton", &text);
}

static void why_queue(const struct job *job, struct buf *rows)
{
        const struct queue *queue = job->queue;
        const struct rec_job_spec *spec = &job->spec->spec;
        CLEANUP_BUF struct buf text = { 0 };

        if (queue->paused) {
                buf_addf(&text, "queue %s is paused", queue->name);
                add(rows, "queue-paused", &text);
                buf_clear(&text);
        }
        if (queue->max_running != 0 && queue->granted >= queue->max_running) {
                buf_addf(&text, "queue %s runs at most %llu tasks", queue->name, (ull)queue->max_running);
                add(rows, "queue-limit", &text);
                buf_clear(&text);
        }
        if (owner_room(job->owner) == 0) {
                buf_addf(&text, "the quota of its owner is %llu tasks at once: %llu are out",
                         (ull)job->owner->quota.running, (ull)job->owner->granted);
                add(rows, "quota", &text);
                buf_clear(&text);
        }
        if (spec->has_max_running && spec->max_running > 0 && job->granted >= spec->max_running) {
                buf_addf(&text, "%llu of its tasks are out, at most %llu may be", (ull)job->granted,
                         (ull)spec->max_running);
                add(rows, "max-running", &text);
        }
}

static void why_no_worker(const struct core *core, const struct lot *lot, struct buf *rows)
{
        CLEANUP_BUF struct buf text = { 0 };
        CLEANUP_BUF struct buf lack = { 0 };

        fit_say_lack(core, lot->needs, &lack);
        if (core->n_active == 0)
                buf_add_str(&text, "no worker is connected that takes tasks");
        else
                buf_addf(&text, "none of %zu workers could ever run it", core->n_active);
        if (lack.n > 0)
                buf_addf(&text, ": %s", lack.bytes);
        add(rows, "no-worker", &text);
}

static void why_slots(const struct core *core, struct lot *lot, struct buf *rows)
{
        CLEANUP_BUF struct buf text = { 0 };
        uint64_t suitable = fit_suitable(core, lot->needs);
        const struct lot *first = NULL;

        if (suitable == 0) {
                why_no_worker(core, lot, rows);
                return;
        }
        if (!lot->bucket) /* nothing of it could be granted: another row says why */
                return;
        for (struct kind *kind = core->kinds; kind; kind = kind->hh.next) {
                const struct lot *next = kind->n > 0 ? queue_first(core, kind) : NULL;

                if (next && (!first || queue_before(next, first)))
                        first = next;
        }
        buf_addf(&text, "%llu suitable %s, none has room now", (ull)suitable,
                 suitable == 1 ? "worker" : "workers");
        if (first && first->job != lot->job && queue_before(first, lot))
                buf_addf(&text, "; job %llu is served before", (ull)first->job->id.n);
        if (lot->reserved)
                buf_addf(&text, "; worker %s drains for it", worker_name(core, lot->reserved));
        else if (lot->blocked_us != 0)
                buf_addf(&text, "; others pass it for %lld s at most",
                         (long long)(MAX(lot->blocked_us + RESERVE_AFTER_US - core->mono_us, INT64_C(0)) /
                                     US_PER_S));
        add(rows, "slots", &text);
}

/* Each lot of which something waits; most jobs have one. */
static void why_lots(const struct core *core, const struct job *job, struct buf *rows)
{
        unsigned left = WHY_LOTS_MAX;
        struct lot *lot;

        DL_FOREACH (job->lots, lot) {
                if ((lot->bucket || (lot == &job->plain && shape_has_plain(job))) && left > 0) {
                        why_slots(core, lot, rows);
                        left--;
                }
        }
}

static void why_system(const struct core *core, const struct job *job, struct buf *rows)
{
        CLEANUP_BUF struct buf text = { 0 };

        if (job->limbo.count > 0) {
                buf_addf(&text,
                         "%llu tasks granted before the restart: their workers have %lld s to come back",
                         (ull)job->limbo.count,
                         (long long)(MAX(core->limbo_until_us - core->mono_us, INT64_C(0)) / US_PER_S));
                add(rows, "restart", &text);
                buf_clear(&text);
        }
        if (job->sweep.count > 0) {
                buf_addf(&text, "%llu tasks are being ended", (ull)job->sweep.count);
                add(rows, task_status_word(sweep_status(spans_first(&job->sweep))), &text);
                buf_clear(&text);
        }
        if (core->draining) {
                buf_add_str(&text, "the coordinator is about to stop");
                add(rows, "draining", &text);
                buf_clear(&text);
        }
        if (entries_are_loading(&job->plain)) {
                buf_add_str(&text, "its next entries are being read");
                add(rows, "entries", &text);
        }
}

/* "2026-11-25T17:30:00.000000Z (in 29m59s)" */
static void add_time(const struct core *core, int64_t at_us, struct buf *text)
{
        time_print_us(at_us, text);
        buf_add_str(text, " (in ");
        duration_print(MAX(at_us - core->wall_us, INT64_C(0)) / US_PER_S * 1000, text);
        buf_add_char(text, ')');
}

static void why_times(const struct core *core, const struct job *job, struct buf *rows)
{
        CLEANUP_BUF struct buf text = { 0 };

        if (job->too_early) {
                buf_add_str(&text, "nothing starts before ");
                add_time(core, job->at_us, &text);
                add(rows, "time", &text);
                buf_clear(&text);
        }
        if (job->start_by_us != 0 && !job->late) {
                buf_add_str(&text, "what has not started is aborted at ");
                add_time(core, job->start_by_us, &text);
                add(rows, "start-by", &text);
                buf_clear(&text);
        }
        if (job->backoffs) {
                uint64_t n = backoff_count(job);

                buf_addf(&text, "%llu %s", (ull)n,
                         n == 1 ? "task waits for its next attempt" : "tasks wait for their next attempt");
                add(rows, "back-off", &text);
        }
}

/* "by admin since 2026-11-25T17:30:00.000000Z (disk is full)" */
static void add_keep(const struct keep *keep, struct buf *text)
{
        if (!keep) {
                buf_add_str(text, "since it was submitted");
                return;
        }
        buf_addf(text, "by %s since ", keep->by);
        time_print_us(keep->at_us, text);
        if (keep->reason)
                buf_addf(text, " (%s)", keep->reason);
}

/* Who holds single tasks: a row for each of the first few, and one for all. */
static void why_kept(const struct job *job, struct buf *rows)
{
        CLEANUP_BUF struct buf text = { 0 };
        unsigned left = WHY_KEEPS_MAX;

        for (uint32_t number = 1; number <= job->keeps.n && left > 0; number++) {
                uint64_t n = 0;

                for (size_t i = job->parked.head; i < job->parked.n; i++) {
                        const struct span *run = &job->parked.list[i];

                        if ((run->note & PARK_HELD) != 0 && run->note >> PARK_BITS == number)
                                n += span_count(*run);
                }
                if (n == 0)
                        continue;
                left--;
                buf_addf(&text, "%llu %s held ", (ull)n, n == 1 ? "task is" : "tasks are");
                add_keep(&job->keeps.list[number - 1], &text);
                add(rows, "held", &text);
                buf_clear(&text);
        }
        buf_addf(&text, "%llu in all: jobctl release %llu lets all go on", (ull)job->keeps.n_held,
                 (ull)job->id.n);
        add(rows, "held", &text);
}

static void why_job(const struct core *core, const struct job *job, struct buf *rows)
{
        CLEANUP_BUF struct buf text = { 0 };
        uint64_t kept = job->spec->spec.hold ? 0 : job->keeps.n_held;
        uint64_t waiting = job->tasks - job_final(job) - job->granted - kept;

        if (job->granted > 0) {
                buf_addf(&text, "%llu tasks are with workers, %llu of them running", (ull)job->granted,
                         (ull)job->n[TASK_STATUS_RUNNING]);
                add(rows, "granted", &text);
                buf_clear(&text);
        }
        if (kept > 0)
                why_kept(job, rows);
        if (waiting == 0)
                return;
        buf_addf(&text, "%llu %s", (ull)waiting, waiting == 1 ? "task waits" : "tasks wait");
        add(rows, task_status_word(job->parked.count == waiting ? job->parked_at : job_home(job)), &text);
        buf_clear(&text);
        if (job->spec->spec.hold) {
                buf_add_str(&text, "all of it is held ");
                add_keep(keep_of(job, keep_note(job->keeps.whole)), &text);
                buf_addf(&text, ": jobctl release %llu lets it go on", (ull)job->id.n);
                add(rows, "held", &text);
        }
        why_waits(core, job, rows);
        why_each(core, job, rows);
        why_namesake(job, rows);
        why_times(core, job, rows);
        why_queue(job, rows);
        why_system(core, job, rows);
        if (job_home(job) == TASK_STATUS_QUEUED && job->ending == 0)
                why_lots(core, job, rows);
}

static void why_lease(const struct core *core, const struct lease *lease, uint32_t at, struct buf *rows)
{
        const struct job *job = lease->job;
        CLEANUP_BUF struct buf text = { 0 };

        buf_addf(&text, "%s worker %s, attempt %u",
                 lease_has(lease, LEASE_STARTED, at) ? "runs on" : "granted to",
                 worker_name(core, lease->worker), lease->attempt);
        if (spans_find(&job->keeps.coming, at) && !lease_has(lease, LEASE_STARTED, at)) {
                buf_add_str(&text, "; asked back, held ");
                add_keep(keep_of(job, spans_find(&job->keeps.coming, at)->note), &text);
        }
        add(rows, lease_has(lease, LEASE_STARTED, at) ? "running" : "granted", &text);
}

static void why_parked(const struct core *core, const struct job *job, const struct span *run, uint32_t at,
                       struct buf *rows)
{
        CLEANUP_BUF struct buf text = { 0 };

        if ((run->note & PARK_HELD) != 0) {
                buf_add_str(&text, "held ");
                add_keep(keep_of(job, run->note), &text);
                buf_addf(&text, ": jobctl release %llu.%llu lets it go on", (ull)job->id.n,
                         (ull)index_of(&job->indexes, at));
                add(rows, "held", &text);
                buf_clear(&text);
        }
        if ((run->note & PARK_DEPENDENCY) != 0) {
                if (job->graph)
                        graph_why(job, at, &text);
                else if (each_missing(job, at) != 0)
                        each_why(core, job, at, &text);
                else
                        buf_add_str(&text, "waits for a task that it depends on");
                add(rows, "dependency", &text);
        } else if ((run->note & PARK_TIME) != 0) {
                buf_addf(&text, "attempt %u is over, the next one starts not before ", run->attempt);
                add_time(core, backoff_until_us(job, at) - core->mono_us + core->wall_us, &text);
                add(rows, "back-off", &text);
        }
}

static void why_task(const struct core *core, const struct job *job, uint32_t at, struct buf *rows)
{
        CLEANUP_BUF struct buf text = { 0 };
        const struct span *cool = spans_find(&job->cool, at);
        const struct span *again = cool ? cool : lots_again_find(job, at);
        const struct lease *lease;

        DL_FOREACH2(job->leases, lease, job_next)
        {
                if (lease_has(lease, LEASE_OUT, at)) {
                        why_lease(core, lease, at, rows);
                        return;
                }
        }
        if (again) {
                buf_addf(&text, "attempt %u is over, another follows", again->attempt);
                add(rows, "again", &text);
        } else if (spans_find(&job->parked, at)) {
                why_parked(core, job, spans_find(&job->parked, at), at, rows);
        } else if (!spans_find(&job->limbo, at) && !spans_find(&job->sweep, at) &&
                   !spans_find(&job->round, at) && !spans_find(&job->ripe, at) &&
                   (at < job->cursor || spans_find(&job->gone, at))) {
                buf_add_str(&text, "the task is finished");
                add(rows, "finished", &text);
                return;
        }
        why_job(core, job, rows);
}

static void answer_rows(struct core *core, const struct asker *asker, const struct buf *rows)
{
        static const char *const columns[2] = { "reason", "detail" };

        reply_pairs(core, asker, columns, rows);
}

static void explain(struct core *core, const struct asker *asker, const struct job *job,
                    const struct msg_why *ask)
{
        CLEANUP_BUF struct buf rows = { 0 };
        uint32_t at;

        if (!ask->has_index) {
                why_job(core, job, &rows);
        } else if (index_find(&job->indexes, ask->index, &at)) {
                why_task(core, job, at, &rows);
        } else {
                reply_not_found(core, asker);
                return;
        }
        answer_rows(core, asker, &rows);
}

static bool may_see(const struct core *core, const struct asker *asker, struct principal_id owner)
{
        return access_allows(&core->access, asker->who, PERMISSION_JOB_READ, owner, NULL);
}

static void answer(struct core *core, struct pending *pending)
{
        const struct msg_why *ask = &pending->msg->u.why;
        const struct job *job = job_find(core, ask->job);
        const struct store_find_job *found = pending_job(pending, ask->job);
        CLEANUP_BUF struct buf rows = { 0 };

        if (job && job->phase == JOB_LIVE && may_see(core, &pending->asker, job->owner_id)) {
                explain(core, &pending->asker, job, ask);
        } else if (found && found->found && may_see(core, &pending->asker, found->owner)) {
                reply_pair_add(&rows, "finished", task_status_word(found->status));
                answer_rows(core, &pending->asker, &rows);
        } else {
                reply_not_found(core, &pending->asker);
        }
}

void why_on_why(struct core *core, const struct asker *asker, struct msg **take_msg)
{
        uint64_t id = (*take_msg)->u.why.job;
        const struct job *job = job_find(core, id);
        struct pending *pending;

        if (job && job->phase == JOB_LIVE && may_see(core, asker, job->owner_id)) {
                explain(core, asker, job, &(*take_msg)->u.why);
                return;
        }
        if (pending_full(core)) {
                reply_retry_later(core, asker, "too much waits for the database", 2000);
                return;
        }
        pending = pending_new(core, asker, take_msg, answer);
        pending_ask_job(core, pending, id);
}

void why_on_status(struct core *core, const struct asker *asker)
{
        static const char *const columns[2] = { "name", "value" };
        struct core_numbers numbers = core_numbers(core);
        CLEANUP_BUF struct buf rows = { 0 };

        reply_pair_add(&rows, "install", core->settings.install);
        reply_pair_add(&rows, "version", JOBMILL_VERSION);
        reply_pair_add(&rows, "database", core->degraded ? "does not answer" : "ok");
        add_n(&rows, "epoch", core->settings.epoch);
        add_n(&rows, "workers", numbers.workers);
        add_n(&rows, "sessions", numbers.sessions);
        add_n(&rows, "jobs_unfinished", numbers.jobs_unfinished);
        add_n(&rows, "tasks_granted", numbers.tasks_granted);
        add_n(&rows, "tasks_queued", numbers.tasks_queued);
        add_n(&rows, "events", numbers.events);
        add_n(&rows, "grants", numbers.grants);
        add_n(&rows, "ends", numbers.ends);
        add_n(&rows, "waiting_p50_ms", numbers.waiting_p50_ms);
        add_n(&rows, "waiting_p95_ms", numbers.waiting_p95_ms);
        add_n(&rows, "questions", core->n_pendings);
        reply_pairs(core, asker, columns, &rows);
}
