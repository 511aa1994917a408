/* Reservations.
 *
 * Invariants: 1. lot.reserved and worker.reserved point at each other, or are NULL. 2. a reserved worker is in no hungry
 * list: only reserve_serve gives it anything. So what it runs only ends, and the task it is kept for fits in the end. */
#include "core/reserve.h"

#include "base/clock.h"
#include "core/fit.h"
#include "core/place.h"
#include "core/queue.h"

#define RESERVED_PART 4 /* of the workers one in so many drains at a time: the others go on with what fits */
#define GRACE_DEFAULT_MS 10000

static void drop(struct core *core, struct lot *lot)
{
        struct worker *worker = lot->reserved;

        DL_DELETE2(core->reservations, lot, reserved_prev, reserved_next);
        core->n_reservations--;
        lot->reserved = NULL;
        worker->reserved = NULL;
        if (worker->kind)
                place_window(core, worker);
}

void reserve_forget_lot(struct core *core, struct lot *lot)
{
        if (lot->reserved)
                drop(core, lot);
}

void reserve_forget_worker(struct core *core, struct worker *worker)
{
        if (worker->reserved)
                drop(core, worker->reserved);
}

/* How much of what the task needs is missing, in thousandths of each need. */
static uint64_t missing(const struct worker *worker, const struct needs *needs)
{
        const struct kind *kind = worker->kind;
        uint64_t free_slots = worker->slots - MIN((uint64_t)worker->slots, worker->outstanding);
        uint64_t free_mem = kind->mem_bytes - MIN(worker->held_mem, kind->mem_bytes);
        uint64_t free_gpus = kind->gpus - MIN(worker->held_gpus, kind->gpus);
        uint64_t n = 0;

        if (free_slots < needs->cpus)
                n += (needs->cpus - free_slots) * 1000 / needs->cpus;
        if (free_mem < needs->mem_bytes)
                n += (uint64_t)((double)(needs->mem_bytes - free_mem) * 1000 / (double)needs->mem_bytes);
        if (free_gpus < needs->gpus)
                n += (needs->gpus - free_gpus) * 1000 / needs->gpus;
        return n;
}

/* The one that has least to drain. O(workers), but only when a reservation is made. */
static struct worker *choose(const struct core *core, struct lot *lot)
{
        struct worker *worker, *next, *best = NULL;
        uint64_t least = UINT64_MAX;

        HASH_ITER (hh, core->workers, worker, next) {
                uint64_t n;

                if (!worker->kind || worker->reserved || worker->window < lot->needs->cpus ||
                    !fit_able(worker->kind, lot->needs))
                        continue;
                n = missing(worker, lot->needs);
                if (n < least) {
                        least = n;
                        best = worker;
                }
        }
        return best;
}

bool reserve_blocked(struct core *core, struct lot *lot)
{
        struct worker *worker;

        if (lot->blocked_us == 0)
                lot->blocked_us = core->mono_us;
        if (lot->reserved || core->mono_us - lot->blocked_us < RESERVE_AFTER_US ||
            core->n_reservations >= MAX(core->n_active / RESERVED_PART, (size_t)1))
                return false;
        worker = choose(core, lot);
        if (!worker)
                return false;
        lot->reserved = worker;
        worker->reserved = lot;
        DL_APPEND2(core->reservations, lot, reserved_prev, reserved_next);
        core->n_reservations++;
        place_window(core, worker);
        return true;
}

/* When everything that the worker holds is over at the latest, wall; 0: nobody can know. */
static int64_t over_us(const struct core *core, const struct worker *worker)
{
        const struct lease *lease;
        int64_t over = core->wall_us;

        if (worker->outstanding > worker->slots)
                return 0; /* some of it waits for the rest */
        DL_FOREACH2(worker->leases, lease, worker_next)
        {
                const struct rec_job_spec *spec = &lease->job->spec->spec;
                int64_t from =
                        lease->n_out == 1 && lease->started_us != 0 ? lease->started_us : core->wall_us;

                if (!spec->has_time_ms)
                        return 0;
                over = MAX(over, from + (int64_t)spec->time_ms * US_PER_MS);
        }
        return over;
}

/* What is certainly over before the reserved task can start anyway. */
static void fill_in(struct core *core, struct worker *worker)
{
        for (;;) {
                int64_t over = over_us(core, worker);
                struct lot *lot =
                        over > core->wall_us ? queue_pick_within(core, worker, over - core->wall_us) : NULL;

                if (!lot)
                        return;
                place_give(core, worker, lot, 1);
        }
}

void reserve_serve(struct core *core)
{
        struct lot *lot, *next;

        DL_FOREACH_SAFE2(core->reservations, lot, next, reserved_next)
        {
                struct worker *worker = lot->reserved;

                if (!queue_may_start(lot)) {
                        drop(core, lot);
                } else if (fit_room(worker, lot->needs, 1) > 0) {
                        drop(core, lot);
                        place_give(core, worker, lot, 1);
                } else {
                        fill_in(core, worker);
                }
        }
}
