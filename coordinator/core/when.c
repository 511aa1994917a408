/* Times of jobs. `at` is the wall clock's alone: whoever sets the clock decides. start-by is final, so a clock that leaps
 * ahead must not make it pass: it has passed when the wall clock says so and as much time has gone by on the monotonic one
 * as there was left when the job was accepted, its start-by was set or the
 * coordinator started.
 *
 * Invariants: 1. a job is in core.ats exactly while it is too_early. 2. after its start-by nothing of a job starts for the
 * first time: what comes back unstarted is ended (when_abort_late). */
#include "core/when.h"

#include <stddef.h>

#include "base/clock.h"
#include "core/abort.h"
#include "core/job.h"
#include "core/lot.h"
#include "core/park.h"
#include "core/queue.h"
#include "core/reply.h"
#include "core/sweep.h"

#define LOOK_US US_PER_S /* a wall clock that was set is noticed so soon */

static bool at_before(const void *a, const void *b)
{
        return ((const struct job *)a)->at_us < ((const struct job *)b)->at_us;
}

static bool late_before(const void *a, const void *b)
{
        return ((const struct job *)a)->late_mono_us < ((const struct job *)b)->late_mono_us;
}

void when_init(struct core *core)
{
        heap_init(&core->ats, at_before, offsetof(struct job, at_place));
        heap_init(&core->start_bys, late_before, offsetof(struct job, late_place));
}

void when_done(struct core *core)
{
        heap_done(&core->ats);
        heap_done(&core->start_bys);
}

static int64_t time_of(bool has_us, uint64_t us, bool has_delay, uint64_t delay_ms, int64_t submitted_us)
{
        if (has_us)
                return (int64_t)us;
        return has_delay ? submitted_us + (int64_t)delay_ms * US_PER_MS : 0;
}

int64_t when_at_us(const struct rec_job_spec *spec, int64_t submitted_us)
{
        return time_of(spec->has_at_us, spec->at_us, spec->has_at_delay_ms, spec->at_delay_ms, submitted_us);
}

int64_t when_start_by_us(const struct rec_job_spec *spec, int64_t submitted_us)
{
        return time_of(spec->has_start_by_us, spec->start_by_us, spec->has_start_by_delay_ms,
                       spec->start_by_delay_ms, submitted_us);
}

void when_attach(struct core *core, struct job *job, bool fresh)
{
        const struct rec_job_spec *spec = &job->spec->spec;

        job->at_us = when_at_us(spec, job->submitted_us);
        job->start_by_us = when_start_by_us(spec, job->submitted_us);
        if ((fresh || spec->at_set) && job->at_us > core->wall_us) {
                job->too_early = true;
                heap_push(&core->ats, job);
        }
        if (job->start_by_us == 0)
                return;
        job->late_mono_us = core->mono_us + MAX(job->start_by_us - core->wall_us, INT64_C(0));
        heap_push(&core->start_bys, job);
}

void when_changed(struct core *core, struct job *job)
{
        bool early = job->too_early;

        when_forget(core, job);
        job->too_early = job->late = false;
        when_attach(core, job, early);
        if (job->too_early != early)
                job_rehome(core, job);
}

void when_forget(struct core *core, struct job *job)
{
        heap_remove(&core->ats, job);
        heap_remove(&core->start_bys, job);
}

static void met(struct core *core, struct job *job)
{
        job->too_early = false;
        heap_remove(&core->ats, job);
        job_rehome(core, job);
}

void when_was_met(struct core *core, struct job *job)
{
        if (job->too_early && !job->spec->spec.at_set)
                met(core, job);
}

bool when_new_round(struct core *core, struct job *job)
{
        struct rec_job_spec *spec = &job->spec->spec;

        if (job->start_by_us == 0 || (!job->late && job->start_by_us > core->wall_us))
                return false;
        spec->has_start_by_us = spec->has_start_by_delay_ms = false;
        spec->start_by_us = spec->start_by_delay_ms = 0;
        heap_remove(&core->start_bys, job);
        job->start_by_us = 0;
        job->late = false;
        return true;
}

/* ------------------------------------------------------------------ start-by has passed */

static const struct sweep_how late_end = { .status = TASK_STATUS_ABORTED,
                                           .reason = TASK_REASON_START_BY,
                                           .free = true,
                                           .parked = true,
                                           .held = true };

bool when_abort_late(struct core *core, struct job *job, const struct spans *which, const struct span *counts)
{
        if (!job->late || counts->tries > 0 || counts->crashes > 0)
                return false;
        return sweep_some(core, job, which, &late_end) > 0;
}

static void add_unstarted(const struct spans *from, struct spans *into)
{
        for (size_t i = from->head; i < from->n; i++) {
                if (from->list[i].tries == 0 && from->list[i].crashes == 0)
                        spans_add(into, (struct span){ .lo = from->list[i].lo, .hi = from->list[i].hi });
        }
}

/* Everything that was never granted (the sweep passes over what is ended already), and what came back unstarted. */
static void collect_unstarted(const struct job *job, struct spans *into)
{
        const struct lot *lot;

        DL_FOREACH (job->lots, lot)
                add_unstarted(&lot->again, into);
        add_unstarted(&job->cool, into);
        add_unstarted(&job->ripe, into);
        add_unstarted(&job->parked, into);
        for (uint32_t at = spans_skip(&job->gone, job->cursor); at < job->tasks;) {
                uint32_t next = MIN(spans_next(&job->gone, at), job->tasks);

                spans_add(into, (struct span){ .lo = at, .hi = next - 1 });
                at = spans_skip(&job->gone, next);
        }
}

static void abort_unstarted(struct core *core, struct job *job)
{
        struct spans which = { 0 };
        const struct lease *lease;

        job->late = true;
        if (job->ending != 0)
                return;
        collect_unstarted(job, &which);
        if (which.count > 0) {
                audit(core, "abort", job, (struct principal_id){ 0 }, "start-by");
                sweep_some(core, job, &which, &late_end);
        }
        spans_done(&which);
        DL_FOREACH2(job->leases, lease, job_next)
        abort_take_back(core, job, lease->worker);
        job_check_end(core, job);
}

/* ------------------------------------------------------------------ time */

static void look_at_late(struct core *core, struct job *job)
{
        heap_remove(&core->start_bys, job);
        if (job->phase == JOB_ENDED)
                return;
        if (job->phase == JOB_LIVE && job->start_by_us <= core->wall_us) {
                abort_unstarted(core, job);
                return;
        }
        job->late_mono_us = core->mono_us + MAX(job->start_by_us - core->wall_us, LOOK_US);
        heap_push(&core->start_bys, job);
}

void when_tick(struct core *core)
{
        struct job *job;

        while ((job = heap_top(&core->ats)) && job->at_us <= core->wall_us)
                met(core, job);
        while ((job = heap_top(&core->start_bys)) && job->late_mono_us <= core->mono_us)
                look_at_late(core, job);
}

int64_t when_next_us(const struct core *core)
{
        const struct job *at = heap_top(&core->ats);
        const struct job *late = heap_top(&core->start_bys);
        int64_t next = late ? late->late_mono_us : -1;

        if (at) {
                int64_t look = core->last_event_us + MIN(MAX(at->at_us - core->wall_us, INT64_C(0)), LOOK_US);

                next = next < 0 ? look : MIN(next, look);
        }
        return next;
}
