/* The simulation: sim [--seed N] [--seeds COUNT] [--events M] [--large] [--verbose]
 *
 * Every step something random happens: a packet arrives, a batch commits, a worker or a client acts, time passes, or
 * something breaks. After the last event everything is healed and must come to its end; the invariants are checked
 * after every commit and once more then. A failing seed is printed and fails again. */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define HEALING_STEPS_MAX 30000000

uint64_t sim_random(struct sim *sim)
{
        uint64_t z = sim->random += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
}

uint64_t sim_below(struct sim *sim, uint64_t n)
{
        return sim_random(sim) % n;
}

bool sim_chance(struct sim *sim, unsigned percent)
{
        return sim_below(sim, 100) < percent;
}

void sim_fail(struct sim *sim, const char *fmt, ...)
{
        va_list args;

        fprintf(stderr, "sim: seed %llu, step %llu: ", (unsigned long long)sim->seed,
                (unsigned long long)sim->n_steps);
        va_start(args, fmt);
        vfprintf(stderr, fmt, args);
        va_end(args);
        fprintf(stderr, "\nsim: again: sim --seed %llu --events %llu%s\n", (unsigned long long)sim->seed,
                (unsigned long long)sim->max_steps, sim->large ? " --large" : "");
        exit(1);
}

struct sim_witness *sim_witness(struct sim *sim, uint64_t job, uint64_t index)
{
        struct sim_witness look = { .key = { job, index } };
        struct sim_witness *witness;

        HASH_FIND(hh, sim->witnesses, &look.key, sizeof(look.key), witness);
        if (!witness) {
                witness = xcalloc(1, sizeof(*witness));
                witness->key = look.key;
                HASH_ADD(hh, sim->witnesses, key, sizeof(witness->key), witness);
        }
        return witness;
}

/* ------------------------------------------------------------------ what can happen */

static void pass_time(struct sim *sim)
{
        struct event event = { .kind = EVENT_TICK };
        int64_t us = (int64_t)sim_below(sim, sim->healing ? 20000 : 4000);

        sim->mono_us += us;
        sim->wall_us += us;
        if (sim->core && core_next_deadline_us(sim->core) >= 0 &&
            core_next_deadline_us(sim->core) <= sim->mono_us)
                sim_shell_event(sim, &event);
}

static void answer_load(struct sim *sim)
{
        size_t i;

        if (sim->n_loads == 0 || !sim->core)
                return;
        i = sim_below(sim, sim->n_loads);
        sim_store_answer_load(sim, sim->loads[i].job, sim->loads[i].round, sim->loads[i].ends,
                              sim->loads[i].chunk);
        if (sim->n_loads > 0)
                sim->loads[i] = sim->loads[--sim->n_loads];
}

static void everybody_is_cut_off(struct sim *sim)
{
        for (unsigned i = 0; i < SIM_WORKERS; i++)
                sim_worker_disconnect(sim, &sim->workers[i]);
        for (unsigned i = 0; i < SIM_CLIENTS; i++)
                sim_client_disconnect(sim, &sim->clients[i]);
}

static void restart(struct sim *sim)
{
        sim_shell_crash(sim, sim_chance(sim, 50));
        everybody_is_cut_off(sim);
        sim->n_restarts++;
        sim_shell_start(sim);
}

static void break_something(struct sim *sim)
{
        struct sim_worker *worker = &sim->workers[sim_below(sim, SIM_WORKERS)];
        uint64_t dice = sim_below(sim, 100);
        int64_t gap = (int64_t)sim_below(sim, 90) * US_PER_S;

        if (dice < 12) {
                restart(sim);
        } else if (dice < 30) {
                sim_worker_crash(sim, worker);
        } else if (dice < 50) {
                sim_worker_disconnect(sim, worker);
        } else if (dice < 60) {
                worker->frozen = !worker->frozen;
        } else if (dice < 75) {
                sim_client_disconnect(sim, &sim->clients[sim_below(sim, SIM_CLIENTS)]);
        } else if (dice < 85) { /* the wall clock jumps */
                sim->wall_us += ((int64_t)sim_below(sim, 7200) - 3600) * US_PER_S;
        } else if (dice < 90) { /* the coordinator was stopped for a while */
                sim->mono_us += gap;
                sim->wall_us += gap;
        }
}

static void live(struct sim *sim)
{
        uint64_t dice = sim_below(sim, 100);

        if (dice < 45) {
                if (!sim_net_deliver(sim))
                        pass_time(sim);
        } else if (dice < 65) {
                sim_worker_step(sim, &sim->workers[sim_below(sim, SIM_WORKERS)]);
        } else if (dice < 70) {
                sim_client_step(sim, &sim->clients[sim_below(sim, SIM_CLIENTS)]);
        } else if (dice < 78) {
                sim_shell_hand_over(sim);
        } else if (dice < 86) {
                sim_shell_commit(sim);
        } else if (dice < 89) {
                answer_load(sim);
        } else {
                pass_time(sim);
        }
        if (sim_below(sim, 100) == 0)
                sim_shell_park(sim, sim->healing || sim_chance(sim, 50));
        if (!sim->healing && sim_below(sim, 700) == 0)
                break_something(sim);
        sim_check_shares(sim);
}

/* ------------------------------------------------------------------ healing */

static bool is_quiet(struct sim *sim)
{
        const struct sim_job *job;

        for (unsigned i = 0; i < SIM_CLIENTS; i++) {
                if (sim->clients[i].request != 0)
                        return false;
                for (size_t k = 0; k < sim->clients[i].n; k++) {
                        const struct sim_submission *one = sim->clients[i].list[k];

                        if (one->job == 0 && one->in_set && sim->clients[i].set.n == 0)
                                continue; /* its client died over the set */
                        if (one->job == 0 || one->held || ((one->watched || one->grouped) && !one->told_done))
                                return false;
                }
        }
        for (job = sim->store.jobs; job; job = job->hh.next) {
                if (job->loading || !sim_job_is_final(job))
                        return false;
        }
        return !sim->in_flight && sim->open.n_ops == 0 && !sim_store_is_due(&sim->store);
}

static void heal(struct sim *sim)
{
        uint64_t end = sim->n_steps + HEALING_STEPS_MAX;

        sim->healing = true;
        for (unsigned i = 0; i < SIM_WORKERS; i++) {
                sim->workers[i].frozen = false;
                sim->workers[i].wakes_us = MIN(sim->workers[i].wakes_us, sim->mono_us + US_PER_S);
        }
        while (sim->n_steps % 1024 != 0 || !is_quiet(sim)) {
                if (++sim->n_steps > end)
                        sim_check_end(sim);
                live(sim);
        }
        sim_check_end(sim);
}

static void done(struct sim *sim)
{
        struct sim_witness *witness, *next;

        sim_shell_crash(sim, false);
        everybody_is_cut_off(sim);
        for (unsigned i = 0; i < SIM_WORKERS; i++)
                sim_worker_done(&sim->workers[i]);
        for (unsigned i = 0; i < SIM_CLIENTS; i++)
                sim_client_done(&sim->clients[i]);
        HASH_ITER (hh, sim->witnesses, witness, next) {
                HASH_DELETE(hh, sim->witnesses, witness);
                free(witness);
        }
        sim_store_free(&sim->store);
}

static void run(struct sim *sim, uint64_t seed)
{
        sim->seed = seed;
        sim->random = seed * UINT64_C(0x2545f4914f6cdd1d) + 1;
        sim->mono_us = 1000 * US_PER_S;
        sim->wall_us = INT64_C(1700000000) * US_PER_S;
        for (unsigned i = 0; i < SIM_WORKERS; i++)
                sim_worker_init(sim, &sim->workers[i], i);
        for (unsigned i = 0; i < SIM_CLIENTS; i++)
                sim_client_init(sim, &sim->clients[i], i);
        sim_store_setup(sim);
        sim_shell_start(sim);
        while (sim->n_steps < sim->max_steps) {
                sim->n_steps++;
                live(sim);
        }
        heal(sim);
        if (sim->store.n_reports == 0 && sim->max_steps >= 100000)
                sim_fail(sim, "no task's report was ever stored");
        if (sim->n_fetched == 0 && sim->max_steps >= 100000)
                sim_fail(sim, "nobody ever asked for what its parents left");
        if (sim->verbose)
                printf("seed %llu: %llu steps, %u jobs, %llu ends, %llu commits, %llu restarts, %llu claims "
                       "taken, %llu jobs came back\n",
                       (unsigned long long)seed, (unsigned long long)sim->n_steps,
                       HASH_COUNT(sim->store.jobs), (unsigned long long)sim->n_ends,
                       (unsigned long long)sim->store.n_commits, (unsigned long long)sim->n_restarts,
                       (unsigned long long)sim->n_taken, (unsigned long long)sim->n_came_back);
        done(sim);
}

/* Edges that no seed of this run took; a long run must take all of them. */
static int report_edges(const uint64_t *hits)
{
        int missing = 0;

        for (size_t i = 0; core_edge_name(i); i++) {
                if (hits[i] > 0)
                        continue;
                printf("sim: edge never taken: %s\n", core_edge_name(i));
                missing++;
        }
        return missing;
}

static uint64_t number(int argc, char **argv, int *at)
{
        if (*at + 1 >= argc) {
                fprintf(stderr, "sim: %s needs a number\n", argv[*at]);
                exit(64);
        }
        return strtoull(argv[++*at], NULL, 10);
}

int main(int argc, char **argv)
{
        uint64_t seed = 1, seeds = 10, events = 100000, hits[128] = { 0 }, taken = 0, came_back = 0;
        bool large = false, verbose = false;

        for (int i = 1; i < argc; i++) {
                if (strcmp(argv[i], "--seed") == 0) {
                        seed = number(argc, argv, &i);
                        seeds = 1;
                } else if (strcmp(argv[i], "--seeds") == 0) {
                        seeds = number(argc, argv, &i);
                } else if (strcmp(argv[i], "--events") == 0) {
                        events = number(argc, argv, &i);
                } else if (strcmp(argv[i], "--large") == 0) {
                        large = true;
                } else if (strcmp(argv[i], "--verbose") == 0) {
                        verbose = true;
                } else {
                        fprintf(stderr,
                                "usage: sim [--seed N] [--seeds COUNT] [--events M] [--large] [--verbose]\n");
                        return 64;
                }
        }
        for (uint64_t k = 0; k < seeds; k++) {
                struct sim *sim = xcalloc(1, sizeof(*sim));

                sim->max_steps = events;
                sim->large = large;
                sim->verbose = verbose;
                run(sim, seed + k);
                for (size_t i = 0; i < ARRAY_LEN(hits); i++)
                        hits[i] += sim->edge_hits[i];
                taken += sim->n_taken;
                came_back += sim->n_came_back;
                free(sim);
        }
        if (taken == 0)
                printf("sim: no claim of a key that is taken\n");
        if (came_back == 0)
                printf("sim: no aborted job came back\n");
        if ((report_edges(hits) > 0 || taken == 0 || came_back == 0) && seeds >= 10 && events >= 100000)
                return 1;
        printf("sim: %llu seeds of %llu events: every invariant held\n", (unsigned long long)seeds,
               (unsigned long long)events);
        return 0;
}
