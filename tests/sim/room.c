/* After every step: nobody is granted more than there is, what is counted is what is held, and a wide task that others
 * pass has not been passed for long; and nobody is granted more than his quota.
 *
 * A worker that is adopted may hold more than it has: it names what had ended when a crash forgot the end, beside what was
 * granted into the room of that. Until it has said the end again nothing more may be granted to it. */
#include "core/fit.h"
#include "core/queue.h"
#include "core/reserve.h"
#include "sim.h"

/* Reservations are few at a time, and each waits for tasks of up to some seconds; a reserved worker may be lost. */
#define PASSED_US_MAX (300 * US_PER_S)

static void add(struct sim_room *room, const struct lease *lease)
{
        room->mem += lease->needs->mem_bytes * lease->n_out;
        room->gpus += (uint64_t)lease->needs->gpus * lease->n_out;
        room->cpus += (uint64_t)lease->needs->cpus * lease->n_out;
        room->licences += lease->needs->n_res * lease->n_out;
}

static bool is_over(uint64_t all, uint64_t own, uint64_t own_before, uint64_t has)
{
        return all > has && (own > own_before || own == all);
}

static void check_worker(struct sim *sim, const struct worker *worker)
{
        const struct lease *lease;
        struct sim_room all = { 0 }, own = { 0 }; /* own: granted by this coordinator */
        struct sim_room *before = &sim->granted[worker->id % ARRAY_LEN(sim->granted)];

        DL_FOREACH2(worker->leases, lease, worker_next)
        {
                add(&all, lease);
                if (lease->epoch == sim->core->settings.epoch)
                        add(&own, lease);
        }
        if (all.cpus != worker->outstanding)
                sim_fail(sim, "worker %u: %llu cpus are out, %llu are counted", worker->id,
                         (unsigned long long)all.cpus, (unsigned long long)worker->outstanding);
        if (worker->reserved && (worker->reserved->reserved != worker || worker->hunger != FULL))
                sim_fail(sim, "worker %u: its reservation is not mutual, or it takes other work", worker->id);
        if (worker->kind && (all.mem != worker->held_mem || all.gpus != worker->held_gpus ||
                             all.licences != worker->held_res[0]))
                sim_fail(sim, "worker %u: what it holds is not what is counted", worker->id);
        if (worker->kind && (is_over(all.mem, own.mem, before->mem, worker->kind->mem_bytes) ||
                             is_over(all.gpus, own.gpus, before->gpus, worker->kind->gpus) ||
                             is_over(all.licences, own.licences, before->licences, worker->kind->res[0].n)))
                sim_fail(sim, "worker %u: more is granted than it has", worker->id);
        *before = own;
}

static void check_owner(struct sim *sim, const struct owner *owner)
{
        const struct job *job, *next;
        const struct lease *lease;
        uint64_t all = 0, own = 0, tasks = 0;

        HASH_ITER (hh, sim->core->jobs, job, next) {
                if (job->owner != owner)
                        continue;
                tasks += job->tasks;
                DL_FOREACH2(job->leases, lease, job_next)
                {
                        all += lease->n_out;
                        own += lease->epoch == sim->core->settings.epoch ? lease->n_out : 0;
                }
        }
        if (all != owner->granted || tasks != owner->tasks)
                sim_fail(sim, "owner %u: what is granted, or his tasks, are not what is counted", owner->id);
        if (owner->quota.running != 0 && own > owner->quota.running)
                sim_fail(sim, "owner %u: more is granted than his quota", owner->id);
        if (owner->shut != (owner->quota.running != 0 && all >= owner->quota.running))
                sim_fail(sim, "owner %u: shut without a reason, or not shut", owner->id);
}

/* With nothing on its way to the store, memory and store agree on all shares. */
void sim_check_shares(struct sim *sim)
{
        const struct owner *owner;
        const struct queue *queue;

        if (!sim->core || sim->in_flight || sim->open.n_ops > 0)
                return;
        for (owner = sim->core->owners; owner; owner = owner->hh.next) {
                if (owner->weight != sim->store.people[owner->id - 1].weight)
                        sim_fail(sim, "person %u: the weight is not the stored one", owner->id);
        }
        for (queue = sim->core->queues; queue; queue = queue->hh.next) {
                size_t i = 0;

                while (i < sim->store.n_queues && sim->store.queues[i].queue != queue->id)
                        i++;
                if (i == sim->store.n_queues || sim->store.queues[i].weight != queue->weight ||
                    sim->store.queues[i].max_running != queue->max_running)
                        sim_fail(sim, "queue %s: it is not as it is stored", queue->name);
        }
}

/* It is before all others that some kind of workers could run: whoever is served now passes it. */
static bool is_in_turn(const struct core *core, struct lot *lot)
{
        for (struct kind *kind = core->kinds; kind; kind = kind->hh.next) {
                if (kind->n > 0 && fit_able(kind, lot->needs) && queue_first(core, kind) == lot)
                        return true;
        }
        return false;
}

/* One lot at a time is watched, for as long as it is its turn and it gets nothing: those behind it wait rightly. */
static void check_passed(struct sim *sim)
{
        struct lot *lot, *first = NULL;
        struct job *job, *next;

        HASH_ITER (hh, sim->core->jobs, job, next) {
                DL_FOREACH (job->lots, lot) {
                        if (lot->blocked_us == 0 || sim->mono_us - lot->blocked_us <= PASSED_US_MAX ||
                            !is_in_turn(sim->core, lot))
                                continue;
                        if (!first || (job->id.n == sim->passed_job && lot->no == sim->passed_lot))
                                first = lot;
                }
        }
        if (!first || first->job->id.n != sim->passed_job || first->no != sim->passed_lot) {
                sim->passed_job = first ? first->job->id.n : 0;
                sim->passed_lot = first ? first->no : 0;
                sim->passed_since_us = sim->mono_us;
        }
        if (first && sim->mono_us - sim->passed_since_us > PASSED_US_MAX)
                sim_fail(sim, "job %llu: others have passed it for %lld s",
                         (unsigned long long)first->job->id.n,
                         (long long)((sim->mono_us - first->blocked_us) / US_PER_S));
}

void sim_check_room(struct sim *sim)
{
        const struct worker *worker, *next;
        const struct owner *owner, *next_owner;

        if (!sim->core)
                return;
        HASH_ITER (hh, sim->core->workers, worker, next)
                check_worker(sim, worker);
        HASH_ITER (hh, sim->core->owners, owner, next_owner)
                check_owner(sim, owner);
        if (!queue_is_in_order(sim->core)) /* whatever weights were changed */
                sim_fail(sim, "somebody who was served more comes before somebody who was served less");
        check_passed(sim);
}
