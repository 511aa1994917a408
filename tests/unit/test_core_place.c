/* Placing: what workers have, what tasks need, and wide tasks among narrow ones. */
#include "core/fit.h"
#include "core/job.h"
#include "core/lease.h"
#include "core/queue.h"
#include "core/reserve.h"
#include "core/worker.h"
#include "core_scene.h"

/* What a worker offers beside its slots. */
struct offer {
        uint64_t slots, mem, gpus;
        const char *res, *label; /* NULL: none */
};

static void come_holding(struct scene *s, unsigned worker, const struct offer *offer,
                         const struct scene_grant *held, size_t n_held)
{
        static const char *types[] = { "noop" };
        const char *res[] = { offer->res }, *labels[] = { offer->label };
        struct rec_held_lease leases[4] = { 0 };
        struct range ranges[4];
        struct msg msg = { .kind = MSG_ready };

        for (size_t i = 0; i < n_held; i++) {
                ranges[i] = (struct range){ held[i].lo, held[i].hi };
                leases[i] = (struct rec_held_lease){ .job = held[i].job,
                                                     .ranges = &ranges[i],
                                                     .n_ranges = 1,
                                                     .epoch = held[i].epoch,
                                                     .attempt = held[i].attempt,
                                                     .nonce = held[i].nonce };
        }
        msg.u.ready = (struct msg_ready){ .slots = offer->slots,
                                          .window = offer->slots,
                                          .types = types,
                                          .n_types = 1,
                                          .version = "1",
                                          .n_version = 1,
                                          .host = "host",
                                          .n_host = 4,
                                          .pid = 7,
                                          .mem = offer->mem,
                                          .has_mem = offer->mem > 0,
                                          .gpus = offer->gpus,
                                          .has_gpus = offer->gpus > 0,
                                          .res = res,
                                          .n_res = offer->res != NULL,
                                          .labels = labels,
                                          .n_labels = offer->label != NULL,
                                          .held = leases,
                                          .n_held = n_held };
        scene_say_worker(s, worker, &msg);
        scene_commit(s);
}

static void come(struct scene *s, unsigned worker, const struct offer *offer)
{
        come_holding(s, worker, offer, NULL, 0);
}

/* A job of n tasks; fields of `spec` beside the array are the caller's. */
static uint64_t submit_n(struct scene *s, uint32_t who, uint64_t n, struct rec_job_spec spec)
{
        struct rec_array_part part = { .lo = 1, .hi = n, .has_lo = true, .has_hi = true };

        spec.array = &part;
        spec.n_array = 1;
        return scene_submit(s, who, &spec);
}

static struct rec_job_spec wide(uint64_t cpus)
{
        struct rec_job_spec spec = scene_spec();

        spec.cpus = cpus;
        spec.has_cpus = true;
        return spec;
}

static uint64_t granted(const struct scene *s, uint64_t job)
{
        uint64_t n = 0;

        for (size_t i = 0; i < s->n_grants; i++)
                n += s->grants[i].job == job ? s->grants[i].hi - s->grants[i].lo + 1 : 0;
        return n;
}

/* The oldest task still out of the grants from *at on ends. */
static void end_next(struct scene *s, size_t *at)
{
        CU_ASSERT_FATAL(*at < s->n_grants);
        scene_end(s, &s->grants[(*at)++], END_STATUS_SUCCEEDED, 0);
}

static void memory_gpus_and_other_resources_are_never_given_twice(void)
{
        struct scene *s = scene_new();
        struct offer offer = { .slots = 8, .mem = 10, .gpus = 2, .res = "licence=3" };
        struct rec_job_spec mem = scene_spec(), gpu = scene_spec(), res = scene_spec();
        const char *two[] = { "licence=2" };
        uint64_t jobs[3];

        mem.mem = 4;
        mem.has_mem = true;
        gpu.gpus = 1;
        gpu.has_gpus = true;
        res.res = two;
        res.n_res = 1;
        jobs[0] = submit_n(s, ALICE, 5, mem);
        jobs[1] = submit_n(s, ALICE, 5, gpu);
        jobs[2] = submit_n(s, ALICE, 5, res);
        come(s, 0, &offer);
        CU_ASSERT_EQUAL(granted(s, jobs[0]), 2);
        CU_ASSERT_EQUAL(granted(s, jobs[1]), 2);
        CU_ASSERT_EQUAL(granted(s, jobs[2]), 1);
        for (size_t at = 0; at < s->n_grants; at++)
                end_next(s, &(size_t){ at });
        for (int i = 0; i < 3; i++) {
                CU_ASSERT_EQUAL(granted(s, jobs[i]), 5);
                CU_ASSERT_EQUAL(scene_job_status(s, jobs[i]), TASK_STATUS_SUCCEEDED);
        }
        scene_free(s);
}

static void labels_are_asked_for_and_avoided(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec ssd = scene_spec(), any = scene_spec(), without = scene_spec();
        const char *with[] = { "disk=ssd" }, *name[] = { "disk" };
        uint64_t jobs[3];

        ssd.require = with;
        any.require = name;
        without.avoid = with;
        ssd.n_require = any.n_require = without.n_avoid = 1;
        jobs[0] = submit_n(s, ALICE, 2, ssd);
        jobs[1] = submit_n(s, ALICE, 2, any);
        jobs[2] = submit_n(s, ALICE, 2, without);
        come(s, 0, &(struct offer){ .slots = 9 });
        CU_ASSERT_EQUAL(granted(s, jobs[0]) + granted(s, jobs[1]), 0);
        CU_ASSERT_EQUAL(granted(s, jobs[2]), 2);
        come(s, 1, &(struct offer){ .slots = 9, .label = "disk=hdd" });
        CU_ASSERT_EQUAL(granted(s, jobs[0]), 0);
        CU_ASSERT_EQUAL(granted(s, jobs[1]), 2);
        come(s, 2, &(struct offer){ .slots = 9, .label = "disk=ssd" });
        CU_ASSERT_EQUAL(granted(s, jobs[0]), 2);
        scene_free(s);
}

static void what_nobody_could_run_is_said_with_numbers(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = wide(4);
        const char *label[] = { "disk=ssd" };

        come(s, 0, &(struct offer){ .slots = 2, .label = "disk=ssd" });
        come(s, 1, &(struct offer){ .slots = 8 });
        spec.require = label;
        spec.n_require = 1;
        submit_n(s, ALICE, 1, spec);
        CU_ASSERT_EQUAL(s->last[ALICE]->u.submitted.suitable_workers, 0);
        CU_ASSERT_STRING_EQUAL(s->last[ALICE]->u.submitted.lack,
                               "1 of 2 have fewer than 4 slots, 1 of 2 lack label disk=ssd");
        scene_free(s);
}

/* Narrow tasks without end, of the same owner or of somebody else, and one wide task among them. */
static void narrow_tasks_never_starve_a_wide_one(void)
{
        for (uint32_t other = ALICE; other <= BOB; other++) {
                struct scene *s = scene_new();
                uint64_t narrow, job;
                size_t at = 0;

                come(s, 0, &(struct offer){ .slots = 4 });
                come(s, 1, &(struct offer){ .slots = 4 });
                narrow = submit_n(s, other, 400, scene_spec());
                job = submit_n(s, ALICE, 1, wide(4));
                /* One ends every 100 ms, each time another worker's: four free slots never come together. */
                for (int i = 0; i < 60 && granted(s, job) == 0; i++) {
                        scene_pass_ms(s, 100);
                        end_next(s, &at);
                }
                CU_ASSERT_EQUAL(granted(s, job), other == BOB ? 1 : 0);
                /* Behind her own older job, the wide one waits for its turn; then it is the same. */
                while (granted(s, job) == 0 && at < s->n_grants) {
                        scene_pass_ms(s, 100);
                        end_next(s, &at);
                }
                CU_ASSERT_EQUAL(granted(s, job), 1);
                CU_ASSERT_TRUE(other == ALICE || granted(s, narrow) < 100);
                scene_free(s);
        }
}

static void one_worker_drains_for_it_the_others_go_on(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec spec = wide(2);
        uint64_t narrow, job;
        struct job *found;
        struct worker *kept;

        spec.priority = 10;
        spec.has_priority = true;
        narrow = submit_n(s, BOB, 100, scene_spec());
        come(s, 0, &(struct offer){ .slots = 2 });
        come(s, 1, &(struct offer){ .slots = 2 });
        CU_ASSERT_EQUAL(granted(s, narrow), 4);
        job = submit_n(s, ALICE, 1, spec);
        found = job_find(s->core, job);
        scene_end(s, &s->grants[0], END_STATUS_SUCCEEDED,
                  0); /* both tasks of the first worker, if in one lease */
        if (granted(s, job) == 0) {
                scene_pass_ms(s, RESERVE_AFTER_US / 1000 + 1);
                scene_end(s, &s->grants[1], END_STATUS_SUCCEEDED, 0);
                CU_ASSERT_PTR_NOT_NULL_FATAL(found->plain.reserved);
                kept = found->plain.reserved;
                CU_ASSERT_PTR_EQUAL(kept->reserved, &found->plain);
                CU_ASSERT_EQUAL(s->core->n_reservations, 1);
        }
        for (size_t at = 2; at < s->n_grants && granted(s, job) == 0; at++)
                scene_end(s, &s->grants[at], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(granted(s, job), 1);
        CU_ASSERT_EQUAL(s->core->n_reservations, 0);
        scene_free(s);
}

static void what_is_over_in_time_fills_the_gap_and_nothing_else_does(void)
{
        struct scene *s = scene_new();
        struct rec_job_spec first = scene_spec(), quick = scene_spec(), slow = scene_spec(), spec = wide(4);
        uint64_t ids[4];

        first.time_ms = 60000;
        quick.time_ms = 20000;
        slow.time_ms = 120000;
        first.has_time_ms = quick.has_time_ms = slow.has_time_ms = true;
        spec.priority = 10;
        spec.has_priority = true;
        ids[0] = submit_n(s, ALICE, 2, first);
        come(s, 0, &(struct offer){ .slots = 4 });
        CU_ASSERT_EQUAL(granted(s, ids[0]), 2);
        ids[1] = submit_n(s, ALICE, 1, spec);
        CU_ASSERT_EQUAL(granted(s, ids[1]), 0);
        scene_pass_ms(s, RESERVE_AFTER_US / 1000 + 1);
        ids[2] = submit_n(s, BOB, 3, slow);
        CU_ASSERT_EQUAL(s->core->n_reservations, 1);
        CU_ASSERT_EQUAL(granted(s, ids[2]), 0);
        ids[3] = submit_n(s, BOB, 3, quick);
        CU_ASSERT_EQUAL(granted(s, ids[3]), 2); /* both free slots */
        CU_ASSERT_EQUAL(granted(s, ids[2]), 0);
        for (size_t at = 0; at < s->n_grants && granted(s, ids[1]) == 0; at++)
                scene_end(s, &s->grants[at], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(granted(s, ids[1]), 1);
        CU_ASSERT_EQUAL(granted(s, ids[2]), 0);
        scene_free(s);
}

static void a_reservation_ends_with_its_job_or_its_worker(void)
{
        struct scene *s = scene_new();
        uint64_t narrow, job;

        come(s, 0, &(struct offer){ .slots = 2 });
        narrow = submit_n(s, ALICE, 2, scene_spec());
        job = submit_n(s, BOB, 2, wide(2));
        scene_end(s,
                  &(struct scene_grant){ .worker = 0,
                                         .job = narrow,
                                         .lo = 1,
                                         .hi = 1,
                                         .attempt = s->grants[0].attempt,
                                         .nonce = s->grants[0].nonce,
                                         .epoch = s->grants[0].epoch },
                  END_STATUS_SUCCEEDED, 0);
        scene_pass_ms(s, RESERVE_AFTER_US / 1000 + 1);
        submit_n(s, ALICE, 1, scene_spec()); /* looks again */
        CU_ASSERT_EQUAL(s->core->n_reservations, 1);
        scene_cancel(s, BOB, job, 0, 0);
        CU_ASSERT_EQUAL(s->core->n_reservations, 0);
        CU_ASSERT_EQUAL(granted(s, narrow + 2), 1); /* the slot is for others again */
        scene_free(s);
}

static void a_reserved_worker_that_is_cut_off_gets_nothing_more(void)
{
        struct scene *s = scene_new();
        struct event lost = { .kind = EVENT_SESSION_LOST, .u.session.n = 100 };
        uint64_t narrow, job;
        size_t n;

        come(s, 0, &(struct offer){ .slots = 4 });
        narrow = submit_n(s, ALICE, 1, scene_spec());
        job = submit_n(s, BOB, 1, wide(4));
        CU_ASSERT_EQUAL(granted(s, narrow), 1);
        scene_pass_ms(s, RESERVE_AFTER_US / 1000 + 1);
        submit_n(s, ALICE, 2, scene_spec()); /* looks again */
        CU_ASSERT_EQUAL_FATAL(s->core->n_reservations, 1);
        n = s->n_grants;
        scene_step(s, &lost);
        scene_commit(s);
        CU_ASSERT_EQUAL(s->core->n_reservations, 0);
        CU_ASSERT_EQUAL(s->core->idle_slots, 0);
        CU_ASSERT_PTR_NULL(s->core->hungry_kinds[IDLE]);
        CU_ASSERT_EQUAL(s->n_grants, n);
        CU_ASSERT_EQUAL(granted(s, job), 0);
        scene_free(s);
}

/* Its end was not committed when the coordinator was killed; the room had been given to another task at once. */
static void what_a_restart_brings_back_to_life_counts_until_it_ends_again(void)
{
        static const struct offer offer = { .slots = 4, .gpus = 1 };
        struct scene *s = scene_new();
        struct rec_job_spec spec = scene_spec();
        struct scene_grant held[2];
        uint64_t job;

        spec.gpus = 1;
        spec.has_gpus = true;
        job = submit_n(s, ALICE, 3, spec);
        come(s, 0, &offer);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 1);
        held[0] = s->grants[0];
        scene_say_end(s, &held[0], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL_FATAL(s->n_grants, 2);
        held[1] = s->grants[1];
        scene_restart(s);
        come_holding(s, 0, &offer, held, 2);
        CU_ASSERT_EQUAL(s->n_grants, 0);
        scene_end(s, &held[0], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(s->n_grants, 0);
        scene_end(s, &held[1], END_STATUS_SUCCEEDED, 0);
        CU_ASSERT_EQUAL(granted(s, job), 1);
        scene_free(s);
}

UNIT_MAIN("core_place", TEST(memory_gpus_and_other_resources_are_never_given_twice),
          TEST(labels_are_asked_for_and_avoided), TEST(what_nobody_could_run_is_said_with_numbers),
          TEST(narrow_tasks_never_starve_a_wide_one), TEST(one_worker_drains_for_it_the_others_go_on),
          TEST(what_is_over_in_time_fills_the_gap_and_nothing_else_does),
          TEST(a_reservation_ends_with_its_job_or_its_worker),
          TEST(a_reserved_worker_that_is_cut_off_gets_nothing_more),
          TEST(what_a_restart_brings_back_to_life_counts_until_it_ends_again))
