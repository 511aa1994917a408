/* A whole job is held by a word of its description. Single tasks are parked (park.h), as runs, however many they are; keep.h
 * writes them down with the description. What a worker has and has not started is asked back, and held when it comes; what
 * runs goes on. A release of the job lets everything of it go; a release of some tasks of a job that is held as a whole
 * turns that into holding the others one by one. */
#include "core/hold.h"

#include "core/abort.h"
#include "core/job.h"
#include "core/keep.h"
#include "core/lease.h"
#include "core/park.h"

struct order {
        struct chosen chosen;
        uint32_t statuses; /* a bit each; 0: all */
        bool held, dry_run;
        const char *reason;
};

/* What an order concerns, beside what is at home. */
struct out {
        uint64_t asked; /* with workers, not started: asked back */
        uint64_t running; /* left alone */
};

static bool wants(const struct order *order, enum task_status status)
{
        return order->statuses == 0 || (order->statuses >> status & 1) != 0;
}

static void write_down(struct core *core, const struct asker *asker, struct job *job,
                       const struct order *order)
{
        audit_tasks(core, order->held ? "hold" : "release", job, asker->who, &order->chosen, NULL,
                    order->reason);
}

static void answer(struct core *core, const struct asker *asker, uint64_t n, const struct out *out)
{
        CLEANUP_BUF struct buf text = { 0 };
        typedef unsigned long long ull;

        if (out->running > 0)
                buf_addf(&text, "%llu %s on", (ull)out->running,
                         out->running == 1 ? "task runs and goes" : "tasks run and go");
        if (out->asked > 0)
                buf_addf(&text, "%s%llu %s with workers: taken back unless started", text.n > 0 ? "; " : "",
                         (ull)out->asked, out->asked == 1 ? "task is" : "tasks are");
        reply_changed(core, asker, n, text.n > 0 ? text.bytes : NULL);
}

/* ------------------------------------------------------------------ what workers have */

/* Those of the lease that are meant and have not started. Never told: nobody has them yet. */
static void collect_lease(const struct job *job, const struct lease *lease, const struct spans *which,
                          struct out *out, struct spans *unstarted)
{
        for (uint32_t at = lease->lo; at < lease->lo + lease->n; at++) {
                if (!lease_has(lease, LEASE_OUT, at) || lease_has(lease, LEASE_CANCELLED, at) ||
                    !spans_find(which, at) || spans_find(&job->keeps.coming, at))
                        continue;
                if (lease_has(lease, LEASE_STARTED, at) && !lease->unsent)
                        out->running++;
                else
                        spans_add(unstarted, (struct span){ .lo = at, .hi = at });
        }
}

static void collect_limbo(const struct job *job, const struct spans *which, struct out *out,
                          struct spans *unstarted)
{
        for (size_t i = job->limbo.head; i < job->limbo.n; i++) {
                const struct span *run = &job->limbo.list[i];
                const struct note *note = run->note > 0 ? &job->notes[run->note - 1] : NULL;

                for (uint32_t at = spans_next(which, run->lo); at <= run->hi;) {
                        uint32_t end = MIN(run->hi, spans_find(which, at)->hi);

                        if (note && note->running)
                                out->running += end - at + 1;
                        else if (!note || !note->cancelled)
                                spans_add(unstarted, (struct span){ .lo = at, .hi = end });
                        at = spans_next(which, end + 1);
                }
        }
}

/* Asks workers to give back what they have not started. number: of the keep for what comes; 0: it comes home, and all
 * at home is held. Nothing is done with dry_run. */
static void ask_back(struct core *core, struct job *job, const struct spans *which, uint32_t number,
                     bool dry_run, struct out *out)
{
        struct spans limbo = { 0 };
        struct lease *lease, *next;

        collect_limbo(job, which, out, &limbo);
        out->asked += limbo.count;
        if (!dry_run && number > 0)
                keep_ask_back(core, job, &limbo, number);
        spans_done(&limbo);
        DL_FOREACH_SAFE2(job->leases, lease, next, job_next)
        {
                struct spans all = { 0 };
                struct worker *worker = lease->worker;
                bool unsent = lease->unsent;

                collect_lease(job, lease, which, out, &all);
                out->asked += all.count;
                if (all.count > 0 && !dry_run && number > 0)
                        keep_ask_back(core, job, &all, number);
                if (all.count > 0 && !dry_run && unsent)
                        lease_give_up(core, lease, &all, TASK_REASON_RETURNED);
                else if (all.count > 0 && !dry_run)
                        abort_take_back(core, job, worker);
                spans_done(&all);
        }
}

/* ------------------------------------------------------------------ the whole job */

static void set_hold(struct core *core, struct job *job, bool held, uint32_t number)
{
        struct rec_job_spec *spec = &job->spec->spec;

        spec->hold = held;
        spec->has_hold = true;
        job->keeps.whole = number;
        job_rehome(core, job);
        keep_changed(core, job);
}

static void all_of(const struct job *job, struct spans *out)
{
        spans_add(out, (struct span){ .lo = 0, .hi = job->tasks - 1 });
}

static void hold_whole(struct core *core, const struct asker *asker, struct job *job,
                       const struct order *order)
{
        uint64_t n = job->tasks - job_final(job) - job->granted - job->keeps.n_held - job->limbo.count;
        struct spans all = { 0 };
        struct out out = { 0 };
        uint32_t number = 0;

        if (job->spec->spec.hold) {
                reply_changed(core, asker, 0, NULL);
                return;
        }
        if (!order->dry_run && keep_fits(job, 1))
                number = keep_new(core, job, asker->who, order->reason); /* 0: held all the same */
        if (!order->dry_run)
                set_hold(core, job, true, number);
        all_of(job, &all);
        ask_back(core, job, &all, 0, order->dry_run, &out);
        spans_done(&all);
        if (!order->dry_run)
                write_down(core, asker, job, order);
        answer(core, asker, n + out.asked, &out);
}

static void release_whole(struct core *core, const struct asker *asker, struct job *job,
                          const struct order *order)
{
        bool is_held = job->spec->spec.hold;
        uint64_t n = is_held ? job->tasks - job_final(job) - job->granted : job->keeps.n_held;
        struct out none = { 0 };
        struct spans all = { 0 };

        n += is_held ? 0 : job->keeps.coming.count;
        if ((n > 0 || is_held) && !order->dry_run) {
                all_of(job, &all);
                set_hold(core, job, false, 0);
                park_let_go(core, job, &all);
                keep_forget(core, job, 0, job->tasks - 1);
                write_down(core, asker, job, order);
                spans_done(&all);
        }
        answer(core, asker, n, &none);
}

/* ------------------------------------------------------------------ some of its tasks */

static uint64_t count_free(const struct job *job, const struct spans *which)
{
        uint64_t n = 0;

        for (size_t i = which->head; i < which->n; i++)
                n += park_count_free(job, which->list[i].lo, which->list[i].hi);
        return n;
}

static uint64_t count_parked(const struct job *job, const struct spans *which, bool held)
{
        uint64_t n = 0;

        for (size_t i = which->head; i < which->n; i++)
                n += park_count(job, which->list[i].lo, which->list[i].hi, held);
        return n;
}

static uint64_t count_coming(const struct job *job, const struct spans *which)
{
        uint64_t n = 0;

        for (size_t i = which->head; i < which->n; i++)
                n += spans_count_within(&job->keeps.coming, which->list[i].lo, which->list[i].hi);
        return n;
}

/* Who holds them has a number, or it is refused here. Each run may cut one that is there in two. */
static uint32_t number_for(struct core *core, const struct asker *asker, struct job *job,
                           const struct spans *which, const struct order *order)
{
        uint64_t pieces = 2 * (which->n - which->head) + 1 + (job->parked.n - job->parked.head);
        uint32_t number = keep_fits(job, pieces) ? keep_new(core, job, asker->who, order->reason) : 0;

        if (number == 0)
                reply_refused(
                        core, asker, ERR_TOO_LARGE,
                        "too many separate pieces of this job are held: hold larger ranges or the whole job");
        return number;
}

static void hold_some(struct core *core, const struct asker *asker, struct job *job,
                      const struct spans *which, const struct order *order)
{
        bool free = wants(order, job_home(job));
        bool waiting = wants(order, park_home(job));
        uint64_t n = (free ? count_free(job, which) : 0) + (waiting ? count_parked(job, which, false) : 0);
        struct out out = { 0 };
        uint32_t number;

        if (job->spec->spec.hold) {
                reply_changed(core, asker, 0, NULL);
                return;
        }
        if (wants(order, TASK_STATUS_QUEUED))
                ask_back(core, job, which, 0, true, &out);
        n += out.asked;
        if (n == 0 || order->dry_run) {
                answer(core, asker, n, &out);
                return;
        }
        number = number_for(core, asker, job, which, order);
        if (number == 0)
                return;
        if (free)
                park_hold_free(core, job, which, number);
        if (waiting)
                park_hold_waiting(core, job, which, number);
        out = (struct out){ 0 };
        if (wants(order, TASK_STATUS_QUEUED))
                ask_back(core, job, which, number, false, &out);
        write_down(core, asker, job, order);
        answer(core, asker, n, &out);
}

/* From now on all its tasks are held one by one, for the reason for which it was. */
static bool take_apart(struct core *core, const struct asker *asker, struct job *job,
                       const struct spans *which, const struct order *order)
{
        uint32_t number = job->keeps.whole;
        struct spans all = { 0 };
        struct out out = { 0 };

        if (number == 0)
                number = number_for(core, asker, job, which, order);
        if (number == 0)
                return false;
        all_of(job, &all);
        set_hold(core, job, false, 0);
        park_hold(core, job, &all, number);
        ask_back(core, job, &all, number, false, &out);
        spans_done(&all);
        return true;
}

static void release_some(struct core *core, const struct asker *asker, struct job *job,
                         const struct spans *which, const struct order *order)
{
        bool is_held = job->spec->spec.hold;
        uint64_t n = count_parked(job, which, true) + (is_held ? 0 : count_coming(job, which));
        struct out none = { 0 };

        n += is_held ? count_free(job, which) + count_parked(job, which, false) : 0;
        if (!wants(order, TASK_STATUS_HELD))
                n = 0;
        if (n == 0 || order->dry_run) {
                answer(core, asker, n, &none);
                return;
        }
        if (!keep_fits(job, 2 * (which->n - which->head) + 1)) {
                reply_refused(core, asker, ERR_TOO_LARGE,
                              "too many separate pieces of this job would be held: release larger ranges");
                return;
        }
        if (is_held && !take_apart(core, asker, job, which, order))
                return;
        park_let_go(core, job, which);
        for (size_t i = which->head; i < which->n; i++)
                keep_forget(core, job, which->list[i].lo, which->list[i].hi);
        write_down(core, asker, job, order);
        answer(core, asker, n, &none);
}

static void carry_out(struct core *core, const struct asker *asker, struct job *job,
                      const struct order *order)
{
        struct spans which = { 0 };

        if (order->chosen.n_ranges > 0)
                index_spans(&job->indexes, order->chosen.ranges, order->chosen.n_ranges, &which);
        else
                all_of(job, &which);
        if (job->ending != 0 || which.count == 0)
                reply_changed(core, asker, 0, NULL);
        else if (order->chosen.n_ranges > 0 || order->statuses != 0)
                (order->held ? hold_some : release_some)(core, asker, job, &which, order);
        else
                (order->held ? hold_whole : release_whole)(core, asker, job, order);
        spans_done(&which);
}

void hold_tasks(struct core *core, const struct asker *asker, struct job *job, const struct msg_hold *ask)
{
        const struct order order = { .chosen = { .ranges = ask->ranges,
                                                 .n_ranges = ask->n_ranges,
                                                 .statuses = ask->statuses,
                                                 .n_statuses = ask->n_statuses },
                                     .statuses = job_status_bits(ask->statuses, ask->n_statuses),
                                     .held = true,
                                     .dry_run = ask->dry_run,
                                     .reason = ask->reason };

        carry_out(core, asker, job, &order);
}

void hold_release(struct core *core, const struct asker *asker, struct job *job,
                  const struct msg_release *ask)
{
        const struct order order = { .chosen = { .ranges = ask->ranges,
                                                 .n_ranges = ask->n_ranges,
                                                 .statuses = ask->statuses,
                                                 .n_statuses = ask->n_statuses },
                                     .statuses = job_status_bits(ask->statuses, ask->n_statuses),
                                     .dry_run = ask->dry_run,
                                     .reason = ask->reason };

        carry_out(core, asker, job, &order);
}
