/* Replay. A job comes back with its counts, its mark and its cursor at the mark (or where its rows end, if that is
 * lower: nothing without a row was granted); the tasks below that are not final go to limbo, where their workers may
 * claim them (adopt.c); those whose row says that they wait are parked again. Every task below the cursor that is not mentioned is final. */
#include "core/replay.h"

#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "core/abort.h"
#include "core/adopt.h"
#include "core/backoff.h"
#include "core/comeback.h"
#include "core/deps.h"
#include "core/each.h"
#include "core/graph.h"
#include "core/job.h"
#include "core/keep.h"
#include "core/memory.h"
#include "core/park.h"
#include "core/queue.h"
#include "core/spec.h"
#include "core/submit.h"
#include "core/sweep.h"
#include "core/when.h"

static void take_counts(struct job *job, const struct job_state *state)
{
        uint64_t final = 0;

        job->n[TASK_STATUS_SUCCEEDED] = state->succeeded;
        job->n[TASK_STATUS_FAILED] = state->failed;
        job->n[TASK_STATUS_TIMEOUT] = state->timeout;
        job->n[TASK_STATUS_OOM] = state->oom;
        job->n[TASK_STATUS_LOST] = state->lost;
        job->n[TASK_STATUS_CANCELLED] = state->cancelled;
        job->n[TASK_STATUS_ABORTED] = state->aborted;
        for (int status = TASK_STATUS_SUCCEEDED; status < STATUS_COUNT; status++)
                final += job->n[status];
        BUG_ON(final > job->tasks);
        job->n[TASK_STATUS_QUEUED] = job->tasks - final; /* running ones are moved as their rows come */
}

static bool is_empty_key(const uint8_t key_hash[16])
{
        static const uint8_t none[16];

        return memcmp(key_hash, none, sizeof(none)) == 0;
}

void replay_job(struct core *core, struct replay_job *replay)
{
        struct store_job_new *row = &replay->job;
        const struct job_state *state = &row->state;
        struct indexes indexes;
        CLEANUP_BUF struct buf text = { 0 };
        struct job *job;

        if (indexes_init(&indexes, &row->spec->spec, UINT32_MAX - 1, NULL) < 0) {
                effects_stop(core->out, ERR_BAD_DATA, "a stored job has an array that is not sound");
                return;
        }
        job_spec_encode(&row->spec->spec, &text);
        job = job_new(core, row->job, row->owner, &row->spec, &indexes);
        job->spec_bytes = text.n;
        if (!is_empty_key(row->key_hash) && !job_find_key(core, row->owner, row->key_hash))
                job_set_key(core, job, row->key_hash);
        memcpy(job->digest, row->digest, 32);
        job->submitted_us = row->submitted_us;
        job->started_us = state->started_us;
        job->chunks_total = row->chunks;
        job->chunks_asked = row->loading ? replay->chunks_stored : row->chunks;
        job->phase = row->loading ? JOB_LOADING : JOB_NEW;
        job->mark = job->mark_asked = (uint32_t)state->mark;
        job->low = (uint32_t)state->low;
        job->exist = job->exist_asked = (uint32_t)state->materialised;
        job->cursor = MIN(job->mark, job->exist);
        job->ending = state->ending;
        job->ending_reason = state->ending_reason;
        job->floor_epoch = state->floor_epoch;
        take_counts(job, state);
        graph_attach(job, job->cursor);
}

static uint32_t note_for(struct job *job, const struct replay_tasks *tasks)
{
        bool cancelled = tasks->reason == TASK_REASON_CANCELLED;

        if (tasks->status != TASK_STATUS_RUNNING && tasks->nonce == 0 && !cancelled)
                return 0;
        GROW(job->notes, job->cap_notes, job->n_notes + 1);
        job->notes[job->n_notes++] = (struct note){
                .worker = tasks->worker,
                .nonce = tasks->nonce,
                .started_us = tasks->started_us,
                .running = tasks->status == TASK_STATUS_RUNNING,
                .cancelled = cancelled,
        };
        return (uint32_t)job->n_notes;
}

void replay_tasks(struct core *core, const struct replay_tasks *tasks)
{
        struct job *job = job_find(core, tasks->job.n);
        struct spans named = { 0 };
        struct spans below = { 0 };

        if (!job)
                return;
        index_spans(&job->indexes, &tasks->indexes, 1, &named);
        if (job->cursor > 0)
                spans_take(&named, 0, job->cursor - 1, &below);
        graph_replayed(job, &below, task_status_is_final(tasks->status));
        if (task_status_is_final(tasks->status))
                spans_done(&below);
        memory_replayed(core, job, &below, tasks->ooms);
        if (tasks->status == TASK_STATUS_WAITING && !backoff_is_over(core, tasks)) {
                bool dependency = tasks->reason == TASK_REASON_DEPENDENCY;

                for (size_t i = below.head; i < below.n; i++) {
                        below.list[i].attempt = (uint16_t)tasks->attempt;
                        below.list[i].tries = (uint16_t)tasks->tries;
                        below.list[i].crashes = (uint16_t)tasks->crashes;
                        park_replayed(job, &below.list[i], dependency);
                }
                if (!dependency && below.count > 0)
                        backoff_replayed(core, job, &below, tasks->attempt, tasks->started_us);
        } else if (below.count > 0) {
                uint32_t note = note_for(job, tasks);

                for (size_t i = below.head; i < below.n; i++) {
                        spans_add(&job->limbo, (struct span){
                                                       .lo = below.list[i].lo,
                                                       .hi = below.list[i].hi,
                                                       .note = note,
                                                       .attempt = (uint16_t)tasks->attempt,
                                                       .tries = (uint16_t)tasks->tries,
                                                       .crashes = (uint16_t)tasks->crashes,
                                               });
                }
                if (tasks->status == TASK_STATUS_RUNNING) {
                        BUG_ON(job->n[TASK_STATUS_QUEUED] < below.count);
                        job->n[TASK_STATUS_QUEUED] -= below.count;
                        job->n[TASK_STATUS_RUNNING] += below.count;
                }
        }
        spans_done(&below);
        spans_done(&named);
}

/* ------------------------------------------------------------------ all of it is there */

static void settle_home(struct core *core, struct job *job)
{
        enum task_status home;
        uint64_t n;

        when_attach(core, job, !job_was_granted(job));
        if (!job_was_granted(job)) {
                deps_attach(core, job);
                deps_ask(core, job);
        } else if (job->ending == TASK_STATUS_ABORTED && !abort_is_on(job)) {
                job->n_waits = 1; /* for what never came: it stays waiting while its tasks are ended */
        }
        home = job_home(job);
        n = job->n[TASK_STATUS_QUEUED] - job->parked.count;
        job->n[TASK_STATUS_QUEUED] -= n;
        job->n[home] += n;
        park_settle(job);
}

static void revive(struct core *core, struct job *job)
{
        uint64_t not_final = job->limbo.count + job->parked.count + (job->tasks - job->cursor);

        if (job->phase == JOB_LOADING) {
                settle_home(core, job);
                submit_resume_upload(core, job, job->chunks_asked);
                if (job->ending != 0) /* what it waits for had failed when it was submitted */
                        sweep_job(core, job, job->ending, job->ending_reason);
                return;
        }
        if (not_final != job->tasks - job_final(job)) {
                effects_stop(
                        core->out, ERR_BAD_DATA,
                        "the counts of a stored job do not fit its tasks: jobctl server doctor tells which");
                return;
        }
        if ((job->graph || job->eaches) && job->ending == 0)
                park_rest(job);
        settle_home(core, job);
        keep_replayed(core, job);
        if (job->limbo.count > 0)
                core->limbo_until_us = core->mono_us + core->settings.lease_ms * US_PER_MS;
        job_live(core, job);
        graph_load(core, job);
        each_replayed(job);
        if (job->ending != 0)
                sweep_job(core, job, job->ending, job->ending_reason);
        job_check_end(core, job);
}

void replay_finish(struct core *core, const struct core_settings *settings)
{
        struct job *job, *next;

        core->settings = *settings;
        core->next_job = MAX(core->next_job, settings->next_job);
        core->live = true;
        core->last_event_us = core->mono_us;
        HASH_ITER (hh, core->jobs, job, next)
                revive(core, job);
        each_ask_all(core);
        comeback_ask(core);
        when_tick(core);
        adopt_check(core);
}
