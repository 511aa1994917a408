/* A worker is given more than it can run at once, so that it never waits for us. When one of its tasks takes long, the
 * others wait behind it, perhaps beside an idle worker. Then half of them are taken back (the worker gives those that it
 * would start last), are queued again and granted to whoever is idle; the next half a little later. Until it has ended
 * something it gets nothing ahead.
 *
 * What was granted a moment ago is left alone: it is on its way, or about to start. */
#include "core/share.h"

#include "base/clock.h"
#include "core/fit.h"
#include "core/lease.h"
#include "core/place.h"

#define EVERY_US (100 * US_PER_MS)
#define WAITED_US (400 * US_PER_MS) /* longer than what a worker asks for ahead takes to run */
#define LEASES_LOOKED_AT 8 /* of a worker, the newest: those wait longest */

static bool somebody_idle_fits(struct core *core, struct needs *needs)
{
        for (struct kind *kind = core->hungry_kinds[IDLE]; kind; kind = kind->idle_next) {
                if (fit_able(kind, needs) && fit_find(core, kind, needs, IDLE))
                        return true;
        }
        return false;
}

static bool has_unstarted(const struct lease *lease)
{
        for (uint32_t at = lease->lo; at < lease->lo + lease->n; at++) {
                if (lease_has(lease, LEASE_OUT, at) && !lease_has(lease, LEASE_STARTED, at) &&
                    !lease_has(lease, LEASE_CANCELLED, at))
                        return true;
        }
        return false;
}

/* Given back it could be granted at once: otherwise it stays where it is. */
static bool is_free_to_go(struct core *core, const struct lease *lease)
{
        const struct job *job = lease->job;

        return core->mono_us - lease->born_us >= WAITED_US && job->phase == JOB_LIVE && job->ending == 0 &&
               !job->spec->spec.hold && !job->too_early && !job->queue->paused &&
               somebody_idle_fits(core, lease->needs) && has_unstarted(lease);
}

static const struct lease *find_waiting(struct core *core, const struct worker *worker)
{
        const struct lease *lease = worker->leases ? worker->leases->worker_prev : NULL; /* the newest */

        for (int i = 0; lease && i < LEASES_LOOKED_AT; i++) {
                if (is_free_to_go(core, lease))
                        return lease;
                lease = lease == worker->leases ? NULL : lease->worker_prev;
        }
        return NULL;
}

static void take_back(struct core *core, struct worker *worker, const struct lease *lease)
{
        uint64_t waiting = (worker->outstanding - worker->slots) / lease->needs->cpus;
        struct msg msg = { .kind = MSG_take_back };

        worker->shared_us = core->mono_us;
        worker->stuck = true;
        place_window(core, worker);
        msg.u.take_back = (struct msg_take_back){ .n = MAX((waiting + 1) / 2, UINT64_C(1)),
                                                  .job = lease->job->id.n,
                                                  .has_n = true,
                                                  .has_job = true };
        effects_send(core->out, worker->session, &msg, false);
}

void share_out(struct core *core)
{
        struct worker *worker;

        if (core->idle_slots == 0 || core->mono_us < core->share_at_us)
                return;
        core->share_at_us = core->mono_us + EVERY_US;
        for (worker = core->workers; worker; worker = worker->hh.next) {
                const struct lease *lease;

                if (!worker->kind || worker->outstanding <= worker->slots ||
                    core->mono_us - worker->shared_us < WAITED_US)
                        continue;
                lease = find_waiting(core, worker);
                if (lease)
                        take_back(core, worker, lease);
        }
}
