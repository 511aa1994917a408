/* Sets of jobs that are submitted as one.
 *
 * Invariants: 1. a job of a set is loading, and not in core->uploads: the set's own time counts. 2. a set in memory has
 * at least one job. 3. the jobs of a set live by one batch, or none of them does. */
#include "core/sets.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "core/job.h"
#include "core/pending.h"
#include "core/submit.h"

#define DROP_A_TICK 200 /* jobs: some statements each, and a batch must stay short */

struct job_set {
        uint8_t key[20]; /* owner, hash of its name */
        struct job *jobs;
        uint64_t n;
        int64_t until_us; /* mono */
        bool dropping;
        size_t place;
        UT_hash_handle hh;
};

static bool set_before(const void *a, const void *b)
{
        return ((const struct job_set *)a)->until_us < ((const struct job_set *)b)->until_us;
}

void sets_init(struct core *core)
{
        heap_init(&core->sets_by_time, set_before, offsetof(struct job_set, place));
}

void sets_done(struct core *core)
{
        heap_done(&core->sets_by_time);
}

static void key_bytes(struct principal_id owner, const uint8_t set_hash[16], uint8_t out[20])
{
        memcpy(out, &owner.n, 4);
        memcpy(out + 4, set_hash, 16);
}

static struct job_set *find(const struct core *core, struct principal_id owner, const uint8_t set_hash[16])
{
        uint8_t key[20];
        struct job_set *set;

        key_bytes(owner, set_hash, key);
        HASH_FIND(hh, core->sets, key, sizeof(key), set);
        return set;
}

void sets_touch(struct core *core, struct job_set *set)
{
        if (set->dropping)
                return;
        set->until_us = core->mono_us + (int64_t)core->settings.upload_ms * US_PER_MS;
        heap_moved(&core->sets_by_time, set);
}

static void join(struct core *core, struct job *job, const uint8_t set_hash[16])
{
        struct job_set *set = find(core, job->owner_id, set_hash);

        if (!set) {
                set = xcalloc(1, sizeof(*set));
                key_bytes(job->owner_id, set_hash, set->key);
                HASH_ADD(hh, core->sets, key, sizeof(set->key), set);
                heap_push(&core->sets_by_time, set);
        }
        DL_APPEND2(set->jobs, job, set_prev, set_next);
        job->set = set;
        set->n++;
        sets_touch(core, set);
}

void sets_add(struct core *core, struct job *job, const uint8_t set_hash[16])
{
        struct store_set *row = &effects_store(core->out, STORE_SET_JOB)->u.set;

        row->owner = job->owner_id;
        row->job = job->id;
        memcpy(row->set_hash, set_hash, 16);
        join(core, job, set_hash);
}

void sets_replay(struct core *core, struct job_id id, const uint8_t set_hash[16])
{
        struct job *job = job_find(core, id.n);

        if (job && job->phase == JOB_LOADING && !job->set)
                join(core, job, set_hash);
}

bool sets_has(const struct job *job, const uint8_t set_hash[16])
{
        return job->set && memcmp(job->set->key + 4, set_hash, 16) == 0;
}

bool sets_is_dropping(const struct core *core, struct principal_id owner, const uint8_t set_hash[16])
{
        const struct job_set *set = find(core, owner, set_hash);

        return set && set->dropping;
}

void sets_forget(struct core *core, struct job *job)
{
        struct job_set *set = job->set;

        if (!set)
                return;
        DL_DELETE2(set->jobs, job, set_prev, set_next);
        job->set = NULL;
        if (--set->n > 0)
                return;
        heap_remove(&core->sets_by_time, set);
        HASH_DELETE(hh, core->sets, set);
        free(set);
}

static void start_dropping(struct core *core, struct job_set *set)
{
        set->dropping = true;
        set->until_us = core->mono_us;
        heap_moved(&core->sets_by_time, set);
}

void sets_tick(struct core *core)
{
        struct job_set *set;
        unsigned left = DROP_A_TICK;

        while (left > 0 && (set = heap_top(&core->sets_by_time)) && set->until_us <= core->mono_us) {
                uint64_t n = set->n;

                set->dropping = true;
                for (; n > 0 && left > 0; n--, left--) {
                        effects_store(core->out, STORE_JOB_DROP)->u.job = set->jobs->id;
                        job_free(core, set->jobs); /* the last one frees the set */
                }
        }
}

int64_t sets_next_deadline_us(const struct core *core)
{
        const struct job_set *set = heap_top(&core->sets_by_time);

        return set ? set->until_us : -1;
}

/* ------------------------------------------------------------------ all of it at once */

void sets_reply_loaded(struct core *core, const struct asker *asker, const struct rec_submitted_job *jobs,
                       size_t n)
{
        struct msg msg = { .kind = MSG_loaded, .re = asker->re };

        msg.u.loaded.jobs = (struct rec_submitted_job *)(uintptr_t)jobs;
        msg.u.loaded.n_jobs = n;
        effects_send(core->out, asker->session, &msg, true);
}

/* The set is not in memory: it lives already, or was dropped. */
static void answer_gone(struct core *core, struct pending *pending)
{
        const struct store_find_key *found = pending_key(pending, pending->key_hash[0]);

        if (found && found->job.n != 0 && !found->loading)
                submit_reply(core, &pending->asker, found->job.n, found->tasks, true);
        else
                reply_refused(core, &pending->asker, ERR_NOT_FOUND,
                              "no such set is being submitted: submit all of it again");
}

static void on_gone(struct core *core, const struct asker *asker, const uint8_t key_hash[16])
{
        const struct job *job = job_find_key(core, asker->who, key_hash);
        struct pending *pending;

        if (job && job->phase != JOB_LOADING) {
                submit_reply(core, asker, job->id.n, job->tasks, true);
                return;
        }
        pending = pending_new(core, asker, NULL, answer_gone);
        pending->key_hash = xmemdup(key_hash, sizeof(*pending->key_hash));
        pending_ask_key(core, pending, asker->who, pending->key_hash[0]);
}

static bool is_whole(const struct job_set *set)
{
        const struct job *job;

        DL_FOREACH2(set->jobs, job, set_next)
        if (job->chunks_asked < job->chunks_total)
                return false;
        return true;
}

static void commit(struct core *core, const struct asker *asker, struct job_set *set, const struct job *told)
{
        struct store_set *row = &effects_store(core->out, STORE_SET_LIVE)->u.set;
        uint64_t n = set->n;

        row->owner = asker->who;
        row->n = n;
        memcpy(row->set_hash, set->key + 4, 16);
        for (; n > 0; n--) {
                struct job *job = set->jobs;

                sets_forget(core, job); /* frees the set with its last job */
                submit_complete(core, job);
        }
        submit_reply(core, asker, told->id.n, told->tasks, false);
}

void sets_on_commit(struct core *core, const struct asker *asker, struct event *event)
{
        const struct msg_submit_set *msg = &event->u.message.msg->u.submit_set;
        struct job_set *set;
        const struct job *told;

        if (!access_has_some(&core->access, asker->who, PERMISSION_JOB_SUBMIT)) {
                reply_refused(core, asker, ERR_FORBIDDEN, "you may not submit jobs");
                return;
        }
        if (core->degraded || core->draining || pending_full(core) || event->u.message.n_hashes != 2) {
                reply_retry_later(core, asker,
                                  "not now: the database does not answer, or too much waits for it", 2000);
                return;
        }
        set = find(core, asker->who, event->u.message.key_hash[0]);
        if (!set || set->dropping) {
                on_gone(core, asker, event->u.message.key_hash[1]);
                return;
        }
        told = job_find_key(core, asker->who, event->u.message.key_hash[1]);
        if (!told || told->set != set) {
                reply_refused(core, asker, ERR_BAD_FIELD, "key: no job of this set has it");
        } else if (!is_whole(set)) {
                reply_refused(core, asker, ERR_BAD_FIELD, "a job of the set lacks chunks");
        } else if (set->n != msg->jobs) {
                start_dropping(core, set);
                reply_refused(core, asker, ERR_CONFLICT,
                              "the set holds other jobs than were announced: it is dropped, submit it again");
        } else {
                commit(core, asker, set, told);
        }
}
