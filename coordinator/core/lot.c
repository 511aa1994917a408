/* Lots of a job.
 *
 * Invariants: 1. no two lots of a job have the same shape and needs. 2. a position is in `again` of one lot at most. */
#include "core/lot.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "core/lease.h"
#include "core/memory.h"
#include "core/reserve.h"
#include "core/shape.h"
#include "core/state.h"

void lot_init_plain(struct core *core, struct job *job)
{
        struct lot *lot = &job->plain;

        lot->job = job;
        lot->needs = needs_of(core, &job->spec->spec);
        DL_APPEND(job->lots, lot);
}

void lot_done_all(struct core *core, struct job *job)
{
        struct lot *lot, *next;

        DL_FOREACH_SAFE (job->lots, lot, next) {
                reserve_forget_lot(core, lot);
                spans_done(&lot->again);
                needs_unref(core, lot->needs);
                if (lot == &job->plain)
                        continue;
                HASH_DELETE(hh, job->further_lots, lot);
                DL_DELETE(job->lots, lot);
                free(lot);
        }
}

struct lot *lot_get(struct core *core, struct job *job, uint32_t shape, struct needs *needs)
{
        const struct lot_key key = { .needs = needs, .shape = shape };
        struct lot *lot;

        (void)core;
        if (job->plain.needs == needs && shape == 0)
                return &job->plain;
        HASH_FIND(hh, job->further_lots, &key, sizeof(key), lot);
        if (lot)
                return lot;
        lot = xcalloc(1, sizeof(*lot));
        lot->job = job;
        lot->needs = needs_ref(needs);
        lot->shape = shape;
        lot->key = key;
        lot->no = (uint32_t)HASH_COUNT(job->further_lots) + 1;
        HASH_ADD(hh, job->further_lots, key, sizeof(lot->key), lot);
        DL_APPEND(job->lots, lot);
        return lot;
}

static uint32_t first_out(const struct lease *lease)
{
        uint32_t at = lease->lo;

        while (!lease_has(lease, LEASE_OUT, at) && at < lease->lo + lease->n - 1)
                at++;
        return at;
}

void lots_needs_changed(struct core *core, struct job *job)
{
        struct needs *before = job->plain.needs;
        struct spans all = { 0 };
        struct lease *lease;
        struct thaw *thaw;
        struct lot *lot;

        job->plain.needs = needs_of(core, &job->spec->spec);
        needs_unref(core, before);
        shape_needs_changed(core, job);
        memory_needs_changed(core, job);
        DL_FOREACH (job->lots, lot) {
                reserve_forget_lot(core, lot);
                spans_move(&lot->again, &all);
        }
        lots_again_add(job, NULL, &all);
        LL_FOREACH (job->thaws, thaw)
                thaw->lot = NULL;
        DL_FOREACH2(job->leases, lease, job_next)
        lease->lot = lot_of(job, first_out(lease));
}

struct lot *lot_of(struct job *job, uint32_t position)
{
        const struct span *bigger = spans_find(&job->bigger, position);
        struct lot *lot = bigger ? &job->plain : shape_lot(job, shape_of(job, position));

        if (bigger && bigger->note > 0)
                DL_SEARCH_SCALAR(job->lots, lot, no, bigger->note);
        return lot;
}

void lots_again_add(struct job *job, struct lot *lot, struct spans *from)
{
        if (!lot && !job->further_lots)
                lot = &job->plain;
        if (lot) {
                spans_move(from, &lot->again);
                return;
        }
        while (from->count > 0) {
                struct span one = spans_pop(from, 1);

                spans_add(&lot_of(job, one.lo)->again, one);
        }
        spans_done(from);
}

uint64_t lots_again_within(const struct job *job, uint32_t lo, uint32_t hi)
{
        const struct lot *lot;
        uint64_t n = 0;

        DL_FOREACH (job->lots, lot)
                n += spans_count_within(&lot->again, lo, hi);
        return n;
}

const struct span *lots_again_find(const struct job *job, uint32_t position)
{
        const struct lot *lot;
        const struct span *span = NULL;

        DL_FOREACH (job->lots, lot) {
                span = spans_find(&lot->again, position);
                if (span)
                        break;
        }
        return span;
}

void lots_again_take(struct job *job, uint32_t lo, uint32_t hi, struct spans *into)
{
        struct lot *lot;

        DL_FOREACH (job->lots, lot)
                spans_take(&lot->again, lo, hi, into);
}
