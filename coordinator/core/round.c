/* A new round. Finished tasks are not in memory, nor are finished jobs: the reader threads give the job as committed and
 * the groups of its tasks that ended without success. What is chosen is granted when the round is committed.
 *
 * One round a job at a time, and only while the job stands still: the tasks of a group cannot change between the reading and
 * the choice, because a final status is left only through here, and whatever ends tasks row by row (a sweep, such as that of
 * those who needed a task that failed) is through before they are read. What was read while one began is read again. So
 * nothing that was aborted because of a task stays so when that task has a new round. */
#include "core/round.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/comeback.h"
#include "core/deps.h"
#include "core/each.h"
#include "core/graph.h"
#include "core/job.h"
#include "core/keep.h"
#include "core/memory.h"
#include "core/queue.h"
#include "core/sweep.h"
#include "core/when.h"

#define READS_MAX 64 /* at once: each answer may be some megabytes */
#define ROUNDS_MAX 1024 /* with those that wait to be read */
#define READ_AGAIN_MAX 8 /* a job that never stands still: its person is told to come again */

struct round_wait {
        uint64_t job;
        struct asker asker;
        struct msg *msg;
        bool loading; /* it is being read; else it waits until that can be */
        unsigned n_reads;
        uint64_t n_swept; /* of the job, when it was asked to be read */
        struct round_wait *next, *prev;
};

/* The oldest of this job: if one is being read, it is that. */
static struct round_wait *find(const struct core *core, uint64_t job)
{
        struct round_wait *wait;

        DL_FOREACH (core->rounds, wait) {
                if (wait->job == job)
                        return wait;
        }
        return NULL;
}

static void stop_loading(struct core *core, struct round_wait *wait)
{
        core->n_rounds_read -= wait->loading;
        wait->loading = false;
}

static void wait_free(struct core *core, struct round_wait *wait)
{
        stop_loading(core, wait);
        DL_DELETE(core->rounds, wait);
        core->n_rounds--;
        msg_free(wait->msg);
        free(wait);
}

void round_done_all(struct core *core)
{
        while (core->rounds)
                wait_free(core, core->rounds);
}

/* Nothing of it is on its way to a final status, or back from one, or will be soon without anybody's doing. */
static bool stands_still(const struct core *core, uint64_t id)
{
        const struct job *job = job_find(core, id);
        bool over;

        if (!job)
                return !comeback_is_read(core, id);
        over = job->phase == JOB_ENDED || (job->ending != 0 && job->granted == 0 && job->limbo.count == 0);
        return !over && !job->round_out && !job->sweeping && job->sweep.count == 0 &&
               !comeback_is_read(core, id);
}

static void load(struct core *core, struct round_wait *wait)
{
        const struct job *job = job_find(core, wait->job);

        wait->loading = true;
        wait->n_reads++;
        wait->n_swept = job ? job->n_swept : 0;
        core->n_rounds_read++;
        effects_load_round(core->out, (struct job_id){ wait->job });
}

void round_go_on(struct core *core)
{
        struct round_wait *wait;

        if (core->draining || core->n_rounds_read == core->n_rounds)
                return;
        DL_FOREACH (core->rounds, wait) {
                if (core->n_rounds_read >= READS_MAX)
                        return;
                if (!wait->loading && find(core, wait->job) == wait && stands_still(core, wait->job))
                        load(core, wait);
        }
}

void round_ask(struct core *core, const struct asker *asker, struct msg **take_msg)
{
        struct round_wait *wait;

        if (core->n_rounds >= ROUNDS_MAX || core->degraded) {
                reply_retry_later(core, asker, "too many retries wait", 500);
                return;
        }
        wait = xcalloc(1, sizeof(*wait));
        wait->job = (*take_msg)->u.retry.job;
        wait->asker = *asker;
        wait->msg = STEAL(*take_msg);
        DL_APPEND(core->rounds, wait);
        core->n_rounds++;
        round_go_on(core);
}

static bool is_wanted(enum task_status status, const struct msg_retry *ask)
{
        uint32_t only = job_status_bits(ask->statuses, ask->n_statuses);
        bool failed = status == TASK_STATUS_FAILED || status == TASK_STATUS_TIMEOUT ||
                      status == TASK_STATUS_OOM || status == TASK_STATUS_LOST;

        if (ask->n_statuses > 0 && (only >> status & 1) == 0)
                return false;
        return failed || (!ask->failed && (status == TASK_STATUS_CANCELLED || status == TASK_STATUS_ABORTED));
}

/* It may have been read while its last tasks were still running, and have left memory since. */
bool round_is_over(const struct job_round *round)
{
        const struct store_job_new *row = &round->replay.job;
        const struct job_state *state = &row->state;

        return state->succeeded + state->failed + state->timeout + state->oom + state->lost +
                       state->cancelled + state->aborted ==
               row->tasks;
}

/* The job comes back to memory, all its tasks final. wait: for all that it depends on; else for what is not over. */
static struct job *bring_back(struct core *core, struct job_round *round, bool wait)
{
        struct store_job_new *row = &round->replay.job;
        const struct job_state *state = &row->state;
        struct indexes indexes;
        CLEANUP_BUF struct buf text = { 0 };
        struct job *job;

        if (!row->spec || indexes_init(&indexes, &row->spec->spec, UINT32_MAX - 1, NULL) < 0)
                return NULL;
        job_spec_encode(&row->spec->spec, &text);
        job = job_new(core, row->job, row->owner, &row->spec, &indexes);
        job->spec_bytes = text.n;
        job->submitted_us = row->submitted_us;
        job->started_us = state->started_us;
        job->floor_epoch = core->settings.epoch;
        job->chunks_total = job->chunks_asked = row->chunks;
        job->cursor = job->mark = job->mark_asked = job->exist = job->exist_asked = job->low = job->tasks;
        job->n[TASK_STATUS_SUCCEEDED] = state->succeeded;
        job->n[TASK_STATUS_FAILED] = state->failed;
        job->n[TASK_STATUS_TIMEOUT] = state->timeout;
        job->n[TASK_STATUS_OOM] = state->oom;
        job->n[TASK_STATUS_LOST] = state->lost;
        job->n[TASK_STATUS_CANCELLED] = state->cancelled;
        job->n[TASK_STATUS_ABORTED] = state->aborted;
        job->phase = JOB_LIVE;
        when_attach(core, job, wait || state->started_us == 0);
        graph_attach(job, job->tasks);
        keep_replayed(core, job);
        if (wait)
                deps_attach(core, job);
        else if (state->started_us == 0)
                deps_attach_open(core, job);
        return job;
}

/* ask: NULL: those aborted for a dependency. */
static void choose(const struct msg_retry *ask, const struct indexes *indexes,
                   const struct replay_tasks *group, struct spans *out)
{
        struct spans asked = { 0 };
        struct spans named = { 0 };
        bool aborted = group->status == TASK_STATUS_ABORTED && group->reason == TASK_REASON_DEPENDENCY;

        if (ask ? !is_wanted(group->status, ask) : !aborted)
                return;
        index_spans(indexes, &group->indexes, 1, &named);
        if (!ask || ask->n_ranges == 0) {
                spans_move(&named, out);
        } else {
                index_spans(indexes, ask->ranges, ask->n_ranges, &asked);
                for (size_t i = asked.head; i < asked.n; i++)
                        spans_take(&named, asked.list[i].lo, asked.list[i].hi, out);
        }
        spans_done(&asked);
        spans_done(&named);
}

/* What it chooses of one group and job.round does not have yet. */
static void add_group(struct core *core, struct job *job, const struct msg_retry *ask,
                      const struct replay_tasks *group)
{
        struct spans chosen = { 0 };
        struct spans fresh = { 0 };

        choose(ask, &job->indexes, group, &chosen);
        for (size_t k = chosen.head; k < chosen.n; k++) {
                for (uint32_t at = spans_skip(&job->round, chosen.list[k].lo); at <= chosen.list[k].hi;) {
                        uint32_t end = MIN(chosen.list[k].hi, spans_next(&job->round, at) - 1);

                        spans_add(&fresh,
                                  (struct span){ .lo = at, .hi = end, .attempt = (uint16_t)group->attempt });
                        at = spans_skip(&job->round, end + 1);
                }
        }
        memory_replayed(core, job, &fresh, group->ooms + (group->status == TASK_STATUS_OOM));
        job_move(core, job, group->status, TRIGGER_ROUND, TASK_STATUS_QUEUED, fresh.count);
        spans_move(&fresh, &job->round);
        spans_done(&chosen);
}

static void mark_failed(struct job *job, const struct replay_tasks *group)
{
        struct spans named = { 0 };

        index_spans(&job->indexes, &group->indexes, 1, &named);
        graph_replayed(job, &named, true);
        spans_done(&named);
}

static uint64_t begin(struct core *core, struct job *job, const struct msg_retry *ask,
                      const struct job_round *round)
{
        struct store_round *op;
        struct ranges ranges = { 0 };
        struct spans wanted = { 0 };
        uint64_t n;

        for (size_t i = 0; i < round->n_tasks; i++)
                add_group(core, job, ask, &round->tasks[i]);
        if (job->round.count == 0)
                return 0;
        for (size_t i = job->round.head; i < job->round.n; i++)
                spans_add(&wanted, job->round.list[i]);
        for (size_t i = 0; job->graph && i < round->n_tasks; i++) {
                mark_failed(job, &round->tasks[i]);
                add_group(core, job, NULL, &round->tasks[i]); /* they wait again, or are aborted again */
        }
        for (size_t i = job->round.head; i < job->round.n; i++)
                index_ranges(&job->indexes, job->round.list[i].lo, job->round.list[i].hi, &ranges);
        op = &effects_store(core->out, STORE_ROUND)->u.round;
        op->job = job->id;
        op->comes_back = !ask;
        op->indexes = ranges.list;
        op->n_indexes = ranges.n;
        job->round_out = true;
        job->low = MIN(job->low, spans_first(&job->round)->lo);
        job_rehome(core, job);
        job_set_dirty(core, job);
        effects_fact(core->out, (struct fact){ .kind = FACT_ROUND, .job = job->id });
        n = job->round.count;
        each_parent_round(core, job);
        if (job->graph)
                graph_round(core, job, &wanted);
        else if (job->eaches)
                each_round(core, job, ask != NULL);
        spans_done(&wanted);
        return n;
}

static uint64_t count(const struct job_round *round, const struct msg_retry *ask)
{
        struct indexes indexes;
        uint64_t n = 0;
        const struct job_spec_box *spec = round->replay.job.spec;

        if (!spec || indexes_init(&indexes, &spec->spec, UINT32_MAX - 1, NULL) < 0)
                return 0;
        for (size_t i = 0; i < round->n_tasks; i++) {
                struct spans chosen = { 0 };

                choose(ask, &indexes, &round->tasks[i], &chosen);
                n += chosen.count;
                spans_done(&chosen);
        }
        indexes_done(&indexes);
        return n;
}

static void apply(struct core *core, const struct round_wait *wait, struct job_round *round)
{
        struct job *job = job_find(core, wait->job);
        const struct msg_retry *ask = &wait->msg->u.retry;
        const struct chosen chosen = {
                .ranges = ask->ranges,
                .n_ranges = ask->n_ranges,
                .statuses = ask->statuses,
                .n_statuses = ask->n_statuses,
        };
        uint64_t n = count(round, ask);

        if (ask->dry_run || n == 0) {
                reply_changed(core, &wait->asker, n, NULL);
                return;
        }
        if ((job && job->ending != 0) ||
            (!job && HASH_CNT(hh, core->jobs) >= core->settings.unfinished_jobs_max)) {
                reply_retry_later(core, &wait->asker, "the job is just ending, or too many are unfinished",
                                  500);
                return;
        }
        if (!job)
                job = bring_back(core, round, false);
        if (!job) {
                reply_refused(core, &wait->asker, ERR_INTERNAL, "the stored job cannot be read");
                return;
        }
        audit_tasks(core, "retry", job, wait->asker.who, &chosen, ask->failed ? "failed" : NULL, ask->reason);
        if (when_new_round(core, job))
                job_write_spec(core, job);
        n = begin(core, job, ask, round);
        reply_changed(core, &wait->asker, n, NULL);
}

bool round_is_read(const struct core *core, uint64_t job)
{
        const struct round_wait *wait = find(core, job);

        return wait && wait->loading;
}

bool round_bring_dependant(struct core *core, struct job_round *round)
{
        struct principal_id nobody = { 0 };
        struct job *job = job_find(core, round->job.n);
        bool lives = job;

        if (count(round, NULL) == 0)
                return false;
        if (!lives)
                job = bring_back(core, round, true);
        if (!job)
                return false;
        audit(core, "retry", job, nobody, "what it was aborted for has a new round");
        begin(core, job, NULL, round);
        if (!lives)
                deps_ask(core, job);
        return true;
}

/* It may be of before something that has ended tasks since, or of before the job's own end. */
static bool is_old(const struct core *core, const struct round_wait *wait, const struct job_round *round)
{
        const struct job *job = job_find(core, wait->job);

        if (!job)
                return !round_is_over(round);
        return job->n_swept != wait->n_swept || !stands_still(core, wait->job);
}

void round_on_answer(struct core *core, struct job_round *round)
{
        struct round_wait *wait = find(core, round->job.n);

        if (!wait || !wait->loading)
                return;
        stop_loading(core, wait);
        if (!round->failed && round->found && is_old(core, wait, round)) {
                if (wait->n_reads < READ_AGAIN_MAX)
                        return;
                reply_retry_later(core, &wait->asker, "tasks of the job are ending just now", 1000);
        } else if (round->failed)
                reply_retry_later(core, &wait->asker, "the job cannot be read now", 2000);
        else if (!round->found)
                reply_not_found(core, &wait->asker);
        else
                apply(core, wait, round);
        wait_free(core, wait);
}

void round_committed(struct core *core, struct job *job)
{
        job->round_out = false;
        if (job->ending != 0)
                sweep_add(job, &job->round, job->ending, job->ending_reason);
        else
                lots_again_add(job, NULL, &job->round);
        each_parent_round_committed(core, job);
        each_ask(core, job);
        queue_consider(core, job);
        sweep_next(core, job);
}
