/* Grants. A worker says by its window how much it wants to hold; it gets that much, those with free slots first.
 *
 * Ordinary grants are told at once and may be forgotten by a crash: the mark and the epoch make that safe. A task that
 * may run at most once is granted in two steps: its attempt is committed, then the worker hears of it.
 *
 * Invariants: 1. no position at or above min(mark, exist), committed, is granted. 2. a worker is in the hungry list of its
 * kind that its window says. 3. at the end of a step no draft is left. */
#include "core/place.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "core/entries.h"
#include "core/fit.h"
#include "core/job.h"
#include "core/lease.h"
#include "core/parents.h"
#include "core/queue.h"
#include "core/reserve.h"
#include "core/shape.h"
#include "core/rows.h"
#include "core/share.h"
#include "core/tasks.h"

/* A run message stays well below MSG_HEADER_MAX. */
#define RUN_BYTES_MAX ((size_t)512 * 1024)
#define RANGE_BYTES 26 /* [2147483646,2147483647], and its comma */

static enum hunger hunger_of(const struct worker *worker)
{
        if (!worker->kind || worker->reserved || worker->outstanding >= worker->window)
                return FULL;
        if (worker->outstanding < worker->slots)
                return IDLE;
        return worker->stuck ? FULL : WANTS_MORE;
}

static uint64_t idle_slots(const struct worker *worker)
{
        if (!worker->kind || worker->outstanding >= worker->slots || worker->outstanding >= worker->window)
                return 0;
        return worker->slots - worker->outstanding;
}

static void count_idle(struct core *core, struct worker *worker)
{
        core->idle_slots -= worker->idle_counted;
        worker->idle_counted = idle_slots(worker);
        core->idle_slots += worker->idle_counted;
}

static void kind_is_hungry(struct core *core, struct kind *kind, enum hunger hunger, bool hungry)
{
        struct kind **list = &core->hungry_kinds[hunger];

        if (hunger == IDLE && hungry)
                DL_APPEND2(*list, kind, idle_prev, idle_next);
        else if (hunger == IDLE)
                DL_DELETE2(*list, kind, idle_prev, idle_next);
        else if (hungry)
                DL_APPEND2(*list, kind, more_prev, more_next);
        else
                DL_DELETE2(*list, kind, more_prev, more_next);
}

static void set_hunger(struct core *core, struct worker *worker, enum hunger hunger)
{
        struct kind *kind = worker->kind;

        if (worker->hunger == hunger)
                return;
        if (worker->hunger != FULL) {
                DL_DELETE2(kind->hungry[worker->hunger], worker, hungry_prev, hungry_next);
                if (!kind->hungry[worker->hunger])
                        kind_is_hungry(core, kind, worker->hunger, false);
        }
        worker->hunger = hunger;
        if (hunger == FULL)
                return;
        if (!kind->hungry[hunger])
                kind_is_hungry(core, kind, hunger, true);
        DL_APPEND2(kind->hungry[hunger], worker, hungry_prev, hungry_next);
        fit_grown(worker);
}

static void leave_kind(struct core *core, struct worker *worker)
{
        struct kind *kind = worker->kind;

        if (!kind)
                return;
        reserve_forget_worker(core, worker); /* it may be hungry again after that */
        set_hunger(core, worker, FULL);
        worker->kind = NULL;
        count_idle(core, worker);
        kind->n--;
        core->n_active--;
}

void place_learn(struct core *core, struct worker *worker, const struct msg_ready *ready)
{
        struct kind *before = worker->able;

        leave_kind(core, worker);
        worker->able = kind_get(core, ready);
        kind_unref(core, before);
}

void place_worker(struct core *core, struct worker *worker)
{
        leave_kind(core, worker);
        if (worker->session.n == 0 || worker->state != WORKER_CONNECTED || worker->draining)
                return;
        worker->kind = worker->able;
        worker->kind->n++;
        core->n_active++;
        fit_recount(worker);
        place_window(core, worker);
}

void place_window(struct core *core, struct worker *worker)
{
        count_idle(core, worker);
        if (!worker->kind)
                return;
        set_hunger(core, worker, hunger_of(worker));
        fit_grown(worker);
}

void place_outstanding(struct core *core, struct worker *worker, const struct needs *needs, bool more)
{
        worker->outstanding += more ? needs->cpus : -(uint64_t)needs->cpus;
        fit_hold(worker, needs, more);
        count_idle(core, worker);
        if (!worker->kind)
                return;
        set_hunger(core, worker, hunger_of(worker));
        if (!more)
                fit_grown(worker);
}

/* ------------------------------------------------------------------ telling the worker */

static bool spec_is_known(const struct core *core, const struct worker *worker, const struct job *job)
{
        struct spec_known *known;
        struct spec_known key = { .key = { .job = job->id.n, .worker = worker->id } };

        if (worker->known && worker->known->job == job) /* the newest: most often the one that is meant */
                return true;
        HASH_FIND(hh, core->known, &key.key, sizeof(key.key), known);
        return known != NULL;
}

static void spec_now_known(struct core *core, struct worker *worker, struct job *job)
{
        struct spec_known *known = xcalloc(1, sizeof(*known));

        known->key.job = job->id.n;
        known->key.worker = worker->id;
        known->job = job;
        known->worker = worker;
        HASH_ADD(hh, core->known, key, sizeof(known->key), known);
        DL_APPEND(job->known, known);
        DL_PREPEND2(worker->known, known, prev_of_worker, next_of_worker);
}

static void forget_known(struct core *core, struct spec_known *known)
{
        HASH_DELETE(hh, core->known, known);
        DL_DELETE(known->job->known, known);
        DL_DELETE2(known->worker->known, known, prev_of_worker, next_of_worker);
        free(known);
}

void place_spec_changed(struct core *core, struct job *job)
{
        struct spec_known *known, *next;

        DL_FOREACH_SAFE (job->known, known, next)
                forget_known(core, known);
}

void place_forget_job(struct core *core, struct job *job)
{
        place_spec_changed(core, job);
}

void place_forget_worker(struct core *core, struct worker *worker)
{
        struct spec_known *known, *next;

        DL_FOREACH_SAFE2(worker->known, known, next, next_of_worker)
        forget_known(core, known);
}

void place_forget_lease(struct core *core, struct lease *lease)
{
        struct worker *worker = lease->worker;

        (void)core;
        for (size_t i = 0; i < worker->n_draft; i++) {
                if (worker->draft[i] == lease)
                        worker->draft[i] = NULL;
        }
}

static void fill_spec(const struct core *core, struct job *job, struct rec_run_spec *spec)
{
        const struct person *owner = access_find(&core->access, job->owner_id);

        *spec = (struct rec_run_spec){
                .job = job->id.n,
                .spec = shape_told_spec(job),
                .tasks = job->tasks,
                .index_min = job->indexes.min,
                .index_max = job->indexes.max,
                .owner = owner ? owner->row.name : "?",
                .install = core->settings.install,
                .has_job = true,
                .has_tasks = true,
                .has_index_min = true,
                .has_index_max = true,
        };
        spec->n_owner = strlen(spec->owner);
        spec->n_install = strlen(spec->install);
}

/* What these tasks need, where it is not what the description says. A number that is not 0 is sent, so the others stay 0. */
static void fill_needs(const struct lease *lease, struct rec_grant *grant)
{
        const struct needs *said = lease->job->plain.needs;
        const struct needs *needs = lease->needs;

        if (needs->cpus != said->cpus)
                grant->cpus = needs->cpus;
        if (needs->mem_bytes != said->mem_bytes)
                grant->mem = needs->mem_bytes;
        if (needs->gpus != said->gpus) {
                grant->gpus = needs->gpus;
                grant->has_gpus = true;
        }
}

static void fill_grant(const struct lease *lease, struct rec_grant *grant)
{
        struct ranges ranges = { 0 };

        for (uint32_t at = lease->lo; lease->n_out < lease->n && at < lease->lo + lease->n; at++) {
                if (lease_has(lease, LEASE_OUT, at))
                        index_ranges(&lease->job->indexes, at, at, &ranges);
        }
        if (lease->n_out == lease->n)
                index_ranges(&lease->job->indexes, lease->lo, lease->lo + lease->n - 1, &ranges);
        *grant = (struct rec_grant){
                .job = lease->job->id.n,
                .ranges = ranges.list,
                .n_ranges = ranges.n,
                .attempt = lease->attempt,
                .nonce = lease->nonce,
                .has_job = true,
                .has_attempt = true,
                .has_nonce = true,
        };
        fill_needs(lease, grant);
        grant->parent_results = grant->has_parent_results =
                parents_may_have_results(lease->job, lease->lo, lease->n);
        if (!lease->texts)
                return;
        grant->entries = lease->texts->list;
        grant->n_entries = lease->texts->n;
        grant->n_values = lease->texts->n_values;
        grant->has_n_values = true;
}

/* One run message for what was drafted for this worker. */
static void tell(struct core *core, struct worker *worker)
{
        struct rec_grant few[FEW], *grants = few;
        struct rec_run_spec few_specs[FEW], *specs = few_specs;
        struct msg msg = { .kind = MSG_run };
        size_t n = 0;
        size_t n_specs = 0;

        if (worker->n_draft > FEW) {
                grants = xcalloc(worker->n_draft, sizeof(*grants));
                specs = xcalloc(worker->n_draft, sizeof(*specs));
        }
        for (size_t i = 0; i < worker->n_draft; i++) {
                struct lease *lease = worker->draft[i];

                if (!lease)
                        continue;
                if (!spec_is_known(core, worker, lease->job)) {
                        fill_spec(core, lease->job, &specs[n_specs++]);
                        spec_now_known(core, worker, lease->job);
                }
                fill_grant(lease, &grants[n++]);
        }
        msg.u.run = (struct msg_run){ .epoch = core->settings.epoch,
                                      .has_epoch = true,
                                      .specs = specs,
                                      .n_specs = n_specs,
                                      .grants = grants,
                                      .n_grants = n };
        if (n > 0)
                effects_send(core->out, worker->session, &msg, false);
        for (size_t i = 0; i < worker->n_draft; i++) {
                if (!worker->draft[i])
                        continue;
                worker->draft[i]->told_in = worker->session;
                entry_texts_free(worker->draft[i]->texts);
                worker->draft[i]->texts = NULL;
        }
        for (size_t i = 0; i < n; i++)
                free(grants[i].ranges);
        if (grants != few) {
                free(grants);
                free(specs);
        }
        worker->n_draft = worker->draft_bytes = 0;
}

static size_t told_bytes(const struct core *core, const struct worker *worker, const struct lease *lease)
{
        size_t bytes =
                200 + RANGE_BYTES * (lease->job->indexes.n_parts > 1 || lease->job->indexes.parts[0].step > 1
                                             ? lease->n
                                             : 1);

        if (lease->texts)
                bytes += lease->texts->bytes;
        if (!spec_is_known(core, worker, lease->job))
                bytes += lease->job->spec_bytes + 400;
        return bytes;
}

static void draft(struct core *core, struct lease *lease)
{
        struct worker *worker = lease->worker;
        size_t bytes = told_bytes(core, worker, lease);

        if (worker->n_draft > 0 && (worker->draft_bytes + bytes > RUN_BYTES_MAX || worker->n_draft >= 512)) {
                tell(core, worker);
                bytes = told_bytes(core, worker, lease);
        } else if (worker->n_draft == 0) {
                worker->draft_next = core->drafts;
                core->drafts = worker;
        }
        GROW(worker->draft, worker->cap_draft, worker->n_draft + 1);
        worker->draft[worker->n_draft++] = lease;
        worker->draft_bytes += bytes;
}

static void tell_all(struct core *core)
{
        while (core->drafts) {
                struct worker *worker = core->drafts;

                core->drafts = worker->draft_next;
                if (worker->n_draft > 0)
                        tell(core, worker);
        }
}

/* ------------------------------------------------------------------ granting */

/* Tasks of one lease: alike, neighbours, at most `most`. Taken out of what waits. */
static struct span take_tasks(struct core *core, struct lot *lot, uint32_t most,
                              struct entry_texts **ret_texts)
{
        struct job *job = lot->job;
        struct span span = { 0 };
        uint32_t to = MIN(job->mark, job->exist);
        bool again = lot->again.count > 0;

        if (again) {
                span = *spans_first(&lot->again);
        } else {
                job->cursor = spans_skip(&job->gone, job->cursor);
                span.lo = job->cursor;
                span.hi = MIN(to, spans_next(&job->gone, job->cursor)) - 1;
        }
        most = (uint32_t)MIN((uint64_t)most, index_run(&job->indexes, span.lo));
        most = MIN(most, span_count(span));
        if (job->spec->spec.has_entries)
                most = entries_get(core, job, span.lo, most, ret_texts);
        if (most == 0)
                return (struct span){ .lo = 1, .hi = 0 };
        if (again)
                return spans_pop(&lot->again, most);
        span.hi = span.lo + most - 1;
        job->cursor = span.hi + 1;
        rows_mark(core, job);
        return span;
}

static void grant_once(struct core *core, struct lease *lease)
{
        struct spans all = { 0 };

        lease->unsent = true;
        spans_add(&all, (struct span){ .lo = lease->lo, .hi = lease->lo + lease->n - 1 });
        lease_started(core, lease, &all, core->wall_us);
        spans_done(&all);
        effects_fact(core->out,
                     (struct fact){ .kind = FACT_ATTEMPT_GRANTED, .job = lease->job->id, .n = lease->nonce });
}

static bool grant(struct core *core, struct worker *worker, struct lot *lot, uint32_t most)
{
        struct job *job = lot->job;
        struct entry_texts *texts = NULL;
        struct span span = take_tasks(core, lot, MIN(most, (uint32_t)LEASE_TASKS_MAX), &texts);
        struct lease *lease;

        if (span.lo > span.hi) {
                queue_consider_lot(core, lot);
                return false;
        }
        lease = lease_new(core, lot, worker, span.lo, span_count(span), lease_nonce(core));
        lease->attempt = (uint16_t)(span.attempt + 1);
        lease->tries = span.tries;
        lease->crashes = span.crashes;
        lease->texts = texts;
        for (uint32_t at = span.lo; at <= span.hi; at++)
                lease_add(core, lease, at);
        core->n_grants += span_count(span);
        if (span.attempt == 0)
                pace_add(&core->pace, core->mono_us, core->wall_us - job->submitted_us, span_count(span));
        queue_charge(core, job, job->task_us, (uint64_t)lot->needs->cpus * span_count(span));
        if (job->spec->spec.at_most_once)
                grant_once(core, lease);
        else
                draft(core, lease);
        queue_consider_lot(core, lot);
        return true;
}

static uint32_t fair_share(const struct core *core, const struct worker *worker, const struct lot *lot)
{
        const struct queue *queue = lot->job->queue;
        uint64_t waiting = queue_grantable(lot);
        uint32_t cpus = lot->needs->cpus;
        uint64_t n = fit_room(worker, lot->needs, LEASE_TASKS_MAX);

        /* Where there is hardly enough for every free slot, nobody gets more than his slots first. */
        if (worker->outstanding < worker->slots && waiting * cpus < 4 * core->idle_slots)
                n = MIN(n, (worker->slots - worker->outstanding + cpus - 1) / cpus);
        if (queue->max_running != 0)
                waiting = MIN(waiting, queue->max_running - queue->granted);
        waiting = MIN(waiting, owner_room(lot->job->owner));
        return (uint32_t)MIN(n, waiting);
}

void place_give(struct core *core, struct worker *worker, struct lot *lot, uint32_t most)
{
        enum hunger hunger = worker->hunger;

        lot->blocked_us = 0;
        grant(core, worker, lot, MIN(most, fair_share(core, worker, lot)));
        /* The head of the list goes to its end by being fed, or leaves it. */
        if (worker->hunger == hunger && hunger != FULL) {
                set_hunger(core, worker, FULL);
                set_hunger(core, worker, hunger_of(worker));
        }
}

static struct kind *next_kind(const struct kind *kind, enum hunger hunger)
{
        return hunger == IDLE ? kind->idle_next : kind->more_next;
}

static bool place_one(struct core *core, enum hunger hunger)
{
        struct pick best = { 0 };

        for (struct kind *kind = core->hungry_kinds[hunger]; kind; kind = next_kind(kind, hunger)) {
                struct pick pick;

                if (kind->nothing_at[hunger] == core->lane_changes)
                        continue;
                pick = queue_pick(core, kind, hunger);
                if (hunger == IDLE && pick.blocked && reserve_blocked(core, pick.blocked))
                        return true; /* a worker less: look again */
                if (!pick.lot)
                        kind->nothing_at[hunger] = core->lane_changes;
                else if (!best.lot || queue_before(pick.lot, best.lot))
                        best = pick;
        }
        if (!best.lot)
                return false;
        place_give(core, best.worker, best.lot, LEASE_TASKS_MAX);
        return true;
}

void place_all(struct core *core)
{
        if (core->live && !core->draining) {
                reserve_serve(core);
                while (!queue_is_empty(core) && place_one(core, IDLE))
                        ;
                while (!queue_is_empty(core) && place_one(core, WANTS_MORE))
                        ;
                share_out(core);
        }
        tell_all(core);
}

void place_attempt_durable(struct core *core, uint64_t nonce)
{
        struct lease *lease = lease_find(core, nonce);

        if (!lease || !lease->unsent)
                return;
        if (lease->worker->session.n == 0 || core->draining || lease->job->ending != 0 || lease->job->late ||
            lease->job->too_early) {
                struct spans all = { 0 };

                lease_collect(lease, &all);
                lease_give_up(core, lease, &all, TASK_REASON_WORKER_LOST);
                spans_done(&all);
                return;
        }
        lease->unsent = false;
        draft(core, lease);
}
