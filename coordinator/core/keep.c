/* The notes of holds, and their way into the description and back.
 *
 * Invariants: 1. runs of job.parked with PARK_HELD and all of job.keeps.coming name a keep in their note. 2. no position is in
 * both. 3. the description in memory is without them: it is what workers are told. */
#include "core/keep.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/job.h"
#include "core/park.h"

#define SPEC_BYTES_MAX 1000000 /* a description is read back as one frame of a MiB at most */
#define PIECE_BYTES 22 /* "[4294967295,4294967295]" and a comma, nearly always less */
#define KEEP_BYTES 160 /* the members of one, but for its reason */

uint32_t keep_note(uint32_t number)
{
        return (uint32_t)PARK_HELD | number << PARK_BITS;
}

const struct keep *keep_of(const struct job *job, uint32_t note)
{
        uint32_t number = note >> PARK_BITS;

        return number > 0 && number <= job->keeps.n ? &job->keeps.list[number - 1] : NULL;
}

static void clear(struct keep *keep)
{
        free(keep->by);
        free(keep->reason);
        memset(keep, 0, sizeof(*keep));
}

void keep_free(struct job *job)
{
        for (size_t i = 0; i < job->keeps.n; i++)
                clear(&job->keeps.list[i]);
        free(job->keeps.list);
        job->keeps.list = NULL;
        job->keeps.n = job->keeps.cap = 0;
        spans_done(&job->keeps.coming);
}

void keep_changed(struct core *core, struct job *job)
{
        job->keeps.changed = true;
        job_set_dirty(core, job);
}

/* ------------------------------------------------------------------ numbers */

static bool is_named(const struct job *job, const struct spans *runs, uint32_t number)
{
        (void)job;
        for (size_t i = runs->head; i < runs->n; i++) {
                if (runs->list[i].note >> PARK_BITS == number)
                        return true;
        }
        return false;
}

static bool is_used(const struct job *job, uint32_t number)
{
        return job->keeps.whole == number || is_named(job, &job->parked, number) ||
               is_named(job, &job->keeps.coming, number);
}

static uint32_t free_number(struct job *job)
{
        for (uint32_t number = 1; number <= job->keeps.n; number++) {
                if (!is_used(job, number)) {
                        clear(&job->keeps.list[number - 1]);
                        return number;
                }
        }
        if (job->keeps.n == KEEPS_MAX)
                return 0;
        GROW(job->keeps.list, job->keeps.cap, job->keeps.n + 1);
        job->keeps.list[job->keeps.n] = (struct keep){ 0 };
        return (uint32_t)++job->keeps.n;
}

uint32_t keep_new(const struct core *core, struct job *job, struct principal_id who, const char *reason)
{
        const struct person *person = access_find(&core->access, who);
        uint32_t number = free_number(job);

        if (number > 0)
                job->keeps.list[number - 1] =
                        (struct keep){ .by = xstrdup(person ? person->row.name : "somebody"),
                                       .reason = reason ? xstrdup(reason) : NULL,
                                       .at_us = core->wall_us };
        return number;
}

bool keep_fits(const struct job *job, uint64_t pieces)
{
        uint64_t bytes = job->spec_bytes + KEEP_BYTES;

        for (size_t i = job->parked.head; i < job->parked.n; i++)
                pieces += (job->parked.list[i].note & PARK_HELD) != 0;
        pieces += job->keeps.coming.n - job->keeps.coming.head;
        for (size_t i = 0; i < job->keeps.n; i++)
                bytes += KEEP_BYTES + (job->keeps.list[i].reason ? 2 * strlen(job->keeps.list[i].reason) : 0);
        return pieces <= KEEP_PIECES_MAX && bytes + pieces * PIECE_BYTES <= SPEC_BYTES_MAX;
}

/* ------------------------------------------------------------------ what is with workers */

uint64_t keep_ask_back(struct core *core, struct job *job, const struct spans *which, uint32_t number)
{
        uint64_t n = 0;

        for (size_t i = which->head; i < which->n; i++) {
                for (uint32_t at = spans_skip(&job->keeps.coming, which->list[i].lo);
                     at <= which->list[i].hi;) {
                        uint32_t end = MIN(which->list[i].hi, spans_next(&job->keeps.coming, at) - 1);

                        spans_add(&job->keeps.coming,
                                  (struct span){ .lo = at, .hi = end, .note = keep_note(number) });
                        n += end - at + 1;
                        at = spans_skip(&job->keeps.coming, end + 1);
                }
        }
        if (n > 0)
                keep_changed(core, job);
        return n;
}

uint64_t keep_forget(struct core *core, struct job *job, uint32_t lo, uint32_t hi)
{
        struct spans gone = { 0 };
        uint64_t n;

        if (job->keeps.coming.count == 0)
                return 0;
        spans_take(&job->keeps.coming, lo, hi, &gone);
        n = gone.count;
        spans_done(&gone);
        if (n > 0)
                keep_changed(core, job);
        return n;
}

void keep_let_one_run(struct core *core, struct job *job, uint32_t position)
{
        keep_forget(core, job, position, position);
}

void keep_let_run(struct core *core, struct job *job, const struct spans *which)
{
        for (size_t i = which->head; i < which->n && job->keeps.coming.count > 0; i++)
                keep_forget(core, job, which->list[i].lo, which->list[i].hi);
}

void keep_came_back(struct core *core, struct job *job, const struct spans *which)
{
        struct spans mine = { 0 };

        for (size_t i = which->head; i < which->n && job->keeps.coming.count > 0; i++)
                spans_take(&job->keeps.coming, which->list[i].lo, which->list[i].hi, &mine);
        while (mine.count > 0) {
                struct span run = spans_pop(&mine, UINT32_MAX);
                uint32_t number = run.note >> PARK_BITS;
                struct spans one = { 0 };

                run.note = 0;
                spans_add(&one, run);
                park_hold(core, job, &one, number);
                spans_done(&one);
        }
        spans_done(&mine);
}

/* ------------------------------------------------------------------ into the description */

/* The runs with this number; those beyond the last that finds room make that one longer. This happens only where ends of
 * tasks have cut runs into pieces, and what has ended is not held, whatever is said of it. */
static void add_runs(const struct spans *runs, uint32_t number, size_t *room, struct ranges *out)
{
        for (size_t i = runs->head; i < runs->n; i++) {
                const struct span *run = &runs->list[i];
                size_t before = out->n;

                if ((run->note & PARK_HELD) == 0 || run->note >> PARK_BITS != number)
                        continue;
                if (*room > 0 || before == 0)
                        ranges_add(out, run->lo, run->hi);
                else
                        out->list[before - 1].hi = run->hi;
                *room -= out->n > before && *room > 0 ? 1 : 0;
        }
}

static void add_held(const struct indexes *indexes, const struct ranges *ranges, struct store_held **list,
                     size_t *n, size_t *cap)
{
        for (size_t r = 0; r < ranges->n; r++) {
                for (size_t i = 0; i < indexes->n_parts; i++) {
                        const struct index_part *part = &indexes->parts[i];
                        uint64_t from = MAX(part->at, ranges->list[r].lo);
                        uint64_t to = MIN(part->at + part->n - 1, ranges->list[r].hi);

                        if (from > to)
                                continue;
                        GROW(*list, *cap, *n + 1);
                        (*list)[(*n)++] =
                                (struct store_held){ .lo = part->lo + (from - part->at) * part->step,
                                                     .hi = part->lo + (to - part->at) * part->step,
                                                     .step = part->step };
                }
        }
}

struct job_spec_box *keep_dup_spec(struct job *job, struct store_held **ret_held, size_t *ret_n)
{
        struct rec_job_spec *spec = &job->spec->spec;
        struct rec_hold_note *list = xcalloc(job->keeps.n + 1, sizeof(*list));
        struct ranges *ranges = xcalloc(2 * job->keeps.n + 1, sizeof(*ranges));
        size_t room = KEEP_PIECES_MAX, cap = 0, n = 0;
        struct job_spec_box *copy;

        *ret_held = NULL;
        *ret_n = 0;
        for (uint32_t number = 1; number <= job->keeps.n; number++) {
                const struct keep *keep = &job->keeps.list[number - 1];
                struct ranges *held = &ranges[2 * (number - 1)], *coming = held + 1;

                if (!keep->by || !is_used(job, number))
                        continue;
                add_runs(&job->parked, number, &room, held);
                add_runs(&job->keeps.coming, number, &room, coming);
                add_held(&job->indexes, held, ret_held, ret_n, &cap);
                list[n++] = (struct rec_hold_note){ .by = keep->by,
                                                    .n_by = strlen(keep->by),
                                                    .at_us = (uint64_t)keep->at_us,
                                                    .has_at_us = true,
                                                    .reason = keep->reason,
                                                    .n_reason = keep->reason ? strlen(keep->reason) : 0,
                                                    .whole = job->keeps.whole == number,
                                                    .has_whole = job->keeps.whole == number,
                                                    .tasks = held->list,
                                                    .n_tasks = held->n,
                                                    .coming = coming->list,
                                                    .n_coming = coming->n };
        }
        spec->holds = list;
        spec->n_holds = n;
        copy = job_spec_dup(spec);
        spec->holds = NULL;
        spec->n_holds = 0;
        for (size_t i = 0; i < 2 * job->keeps.n; i++)
                ranges_done(&ranges[i]);
        free(ranges);
        free(list);
        job->keeps.changed = false;
        return copy;
}

/* ------------------------------------------------------------------ and back */

static void take_ranges(const struct job *job, const struct range *list, size_t n, struct spans *out)
{
        for (size_t i = 0; i < n; i++) {
                if (list[i].lo < job->tasks)
                        spans_add(out, (struct span){ .lo = (uint32_t)list[i].lo,
                                                      .hi = (uint32_t)MIN(list[i].hi, job->tasks - 1) });
        }
}

/* Those of which a worker may still come with a lease. */
static void still_out(const struct job *job, const struct spans *which, struct spans *out)
{
        for (size_t i = which->head; i < which->n; i++) {
                uint32_t at = spans_next(&job->limbo, which->list[i].lo);

                while (at <= which->list[i].hi) {
                        uint32_t end = MIN(which->list[i].hi, spans_find(&job->limbo, at)->hi);

                        spans_add(out, (struct span){ .lo = at, .hi = end });
                        at = spans_next(&job->limbo, end + 1);
                }
        }
}

static void replay_one(struct core *core, struct job *job, const struct rec_hold_note *kept)
{
        uint32_t number = free_number(job);
        struct spans held = { 0 }, coming = { 0 }, out = { 0 };

        if (number == 0)
                return;
        job->keeps.list[number - 1] = (struct keep){ .by = xstrdup(kept->by),
                                                     .reason = kept->reason ? xstrdup(kept->reason) : NULL,
                                                     .at_us = (int64_t)kept->at_us };
        if (kept->whole)
                job->keeps.whole = number;
        take_ranges(job, kept->tasks, kept->n_tasks, &held);
        take_ranges(job, kept->coming, kept->n_coming, &coming);
        park_leave_limbo(job, &held);
        park_hold(core, job, &held, number);
        park_hold(core, job, &coming, number);
        still_out(job, &held, &out);
        still_out(job, &coming, &out);
        keep_ask_back(core, job, &out, number);
        spans_done(&out);
        spans_done(&held);
        spans_done(&coming);
}

void keep_replayed(struct core *core, struct job *job)
{
        struct rec_job_spec *spec = &job->spec->spec;

        for (size_t i = 0; i < spec->n_holds; i++)
                replay_one(core, job, &spec->holds[i]);
        spec->holds = NULL;
        spec->n_holds = 0;
        job->keeps.changed = false;
}
