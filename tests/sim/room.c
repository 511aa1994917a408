/* After every step: nobody holds more than there is, what is counted is what is held, and a wide task that others pass
 * has not been passed for long. */
#include "core/fit.h"
#include "core/reserve.h"
#include "sim.h"

/* Reservations are few at a time, and each waits for tasks of up to some seconds; a reserved worker may be lost. */
#define PASSED_US_MAX (900 * US_PER_S)

static void check_worker(struct sim *sim, const struct worker *worker)
{
        const struct lease *lease;
        uint64_t mem = 0, gpus = 0, cpus = 0, licences = 0;

        DL_FOREACH2(worker->leases, lease, worker_next)
        {
                mem += lease->lot->needs->mem_bytes * lease->n_out;
                gpus += (uint64_t)lease->lot->needs->gpus * lease->n_out;
                cpus += (uint64_t)lease->lot->needs->cpus * lease->n_out;
                licences += lease->lot->needs->n_res * lease->n_out;
        }
        if (cpus != worker->outstanding)
                sim_fail(sim, "worker %u: %llu cpus are out, %llu are counted", worker->id,
                         (unsigned long long)cpus, (unsigned long long)worker->outstanding);
        if (worker->reserved && (worker->reserved->reserved != worker || worker->hunger != FULL))
                sim_fail(sim, "worker %u: its reservation is not mutual, or it takes other work", worker->id);
        if (!worker->kind)
                return;
        if (mem != worker->held_mem || gpus != worker->held_gpus || licences != worker->held_res[0])
                sim_fail(sim, "worker %u: what it holds is not what is counted", worker->id);
        if (mem > worker->kind->mem_bytes || gpus > worker->kind->gpus || licences > worker->kind->res[0].n)
                sim_fail(sim, "worker %u: more is out than it has", worker->id);
}

void sim_check_room(struct sim *sim)
{
        const struct worker *worker, *next;
        const struct job *job, *next_job;

        if (!sim->core)
                return;
        HASH_ITER (hh, sim->core->workers, worker, next)
                check_worker(sim, worker);
        HASH_ITER (hh, sim->core->jobs, job, next_job) {
                const struct lot *lot;

                DL_FOREACH (job->lots, lot) {
                        if (lot->blocked_us != 0 && sim->mono_us - lot->blocked_us > PASSED_US_MAX)
                                sim_fail(sim, "job %llu: others have passed it for %lld s",
                                         (unsigned long long)job->id.n,
                                         (long long)((sim->mono_us - lot->blocked_us) / US_PER_S));
                }
        }
}
