/* Submission: all jobs of a message in one transaction, or none. What is not in memory only the store knows: whether an
 * idempotency key was used by a finished job, what became of a job that ended and is waited for. Keys alone are claimed
 * by the very transaction that makes the jobs; otherwise the store is asked first. Then everything is decided at once,
 * and the answer leaves with the commit.
 *
 * Invariants: 1. nothing is written for a message that is refused. 2. a job's id is told only after its commit. 3. a
 * claimed job is JOB_NEW and in nobody's sight: no operation of a later batch names it. */
#include "core/submit.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/deps.h"
#include "core/entries.h"
#include "core/fit.h"
#include "core/graph.h"
#include "core/job.h"
#include "core/park.h"
#include "core/parents.h"
#include "core/pending.h"
#include "core/rows.h"
#include "core/secrets.h"
#include "core/sets.h"
#include "core/shape.h"
#include "core/spec.h"
#include "core/sweep.h"
#include "core/watch.h"
#include "core/when.h"

/* A description travels whole in a run message beside its tasks. */
#define SPEC_BYTES_MAX ((size_t)448 * 1024)

/* Who could run the job, were there room; with nobody, why not. `lack` holds the text. */
static void say_suitable(const struct core *core, const struct lot *lot, struct msg_submitted *submitted,
                         struct buf *lack)
{
        if (!lot)
                return;
        submitted->suitable_workers = fit_suitable(core, lot->needs);
        submitted->has_suitable_workers = true;
        if (submitted->suitable_workers == 0)
                fit_say_lack(core, lot->needs, lack);
        if (lack->n == 0)
                return;
        submitted->lack = lack->bytes;
        while (lack->n > 640) { /* whole clauses only; none is as long as this */
                lack->n = (size_t)(strrchr(lack->bytes, ',') - lack->bytes);
                lack->bytes[lack->n] = '\0';
        }
        submitted->n_lack = lack->n;
}

void submit_reply(struct core *core, const struct asker *asker, uint64_t job, uint64_t tasks, bool existing)
{
        struct rec_submitted_job one = { .job = job,
                                         .has_job = true,
                                         .tasks = tasks,
                                         .has_tasks = true,
                                         .existing = existing,
                                         .has_existing = existing };
        struct msg msg = { .kind = MSG_submitted, .re = asker->re };
        const struct job *found = job_find(core, job);
        CLEANUP_BUF struct buf lack = { 0 };

        msg.u.submitted.jobs = &one;
        msg.u.submitted.n_jobs = 1;
        say_suitable(core, shape_scarce(core, found), &msg.u.submitted, &lack);
        effects_send(core->out, asker->session, &msg, true);
}

void submit_reply_stored(struct core *core, const struct asker *asker, uint64_t upto)
{
        struct msg msg = { .kind = MSG_stored, .re = asker->re };

        msg.u.stored.upto = upto;
        msg.u.stored.has_upto = true;
        effects_send(core->out, asker->session, &msg, true);
}

/* ------------------------------------------------------------------ checks before anything is asked */

static int check_chunks(const struct rec_new_job *rec, size_t n_jobs, const uint8_t *bytes, size_t n_bytes,
                        size_t *at, struct err *err)
{
        uint64_t needed = spec_chunks(&rec->spec[0]);

        if (rec->n_chunks == 0 && needed > 0 && n_jobs > 1)
                return err_set(err, ERR_BAD_FIELD, "chunks: several jobs at once must be whole");
        if (rec->n_chunks > 0 && rec->n_chunks != needed)
                return err_set(err, ERR_BAD_FIELD, "chunks: %llu are needed", (unsigned long long)needed);
        if (needed > (1 << 24))
                return err_set(err, ERR_TOO_LARGE, "inputs: too large");
        for (size_t i = 0; i < rec->n_chunks; i++) {
                int64_t size = rec->chunks[i];

                if (size < 0 || (uint64_t)size > n_bytes - *at)
                        return err_set(err, ERR_BAD_FIELD, "chunks: more than the body");
                if (spec_check_chunk(rec->spec, i, bytes + *at, (size_t)size, err) < 0)
                        return -1;
                *at += (size_t)size;
        }
        return 0;
}

static int check_one(struct core *core, const struct rec_new_job *rec, struct err *err)
{
        CLEANUP_BUF struct buf text = { 0 };
        struct indexes indexes;

        if (spec_check(rec->spec, err) < 0 ||
            indexes_init(&indexes, rec->spec, core->settings.tasks_per_job_max, err) < 0)
                return -1;
        indexes_done(&indexes);
        job_spec_encode(rec->spec, &text);
        if (text.n > SPEC_BYTES_MAX)
                return err_set(err, ERR_TOO_LARGE,
                               "a job's description may have %zu bytes: pass long data as input",
                               SPEC_BYTES_MAX);
        return 0;
}

static int check_message(struct core *core, const struct asker *asker, const struct event *event,
                         struct err *err)
{
        const struct msg *msg = event->u.message.msg;
        const struct msg_submit *submit = &msg->u.submit;
        const uint8_t(*hash)[16] = event->u.message.key_hash;
        size_t at = 0;

        for (size_t i = 0; i < submit->n_jobs; i++) {
                const struct rec_new_job *rec = &submit->jobs[i];
                const char *type = task_type_word(rec->spec->type);

                if (!access_allows(&core->access, asker->who, PERMISSION_JOB_SUBMIT, asker->who, type))
                        return err_set(err, ERR_FORBIDDEN, "you may not submit jobs of type %s", type);
                if (check_one(core, rec, err) < 0 ||
                    check_chunks(rec, submit->n_jobs, msg->body, msg->body_bytes, &at, err) < 0)
                        return -1;
                for (size_t j = 0; j < i; j++) {
                        if (memcmp(hash[i], hash[j], sizeof(*hash)) == 0)
                                return err_set(err, ERR_BAD_FIELD,
                                               "key: '%.80s' is that of two of these jobs", rec->key);
                }
        }
        if (at != msg->body_bytes)
                return err_set(err, ERR_BAD_FIELD, "body: more than the chunks");
        return 0;
}

/* ------------------------------------------------------------------ what is not in memory */

static void ask_key(struct core *core, struct pending *pending, const uint8_t hash[16])
{
        const struct job *job = job_find_key(core, pending->asker.who, hash);

        if (job && job->claimed) /* the answer comes after the one to that claim */
                pending_forget_key(pending, hash);
        else if (job || pending_key(pending, hash))
                return;
        pending_ask_key(core, pending, pending->asker.who, hash);
}

static void ask_missing(struct core *core, struct pending *pending)
{
        const struct msg_submit *submit = &pending->msg->u.submit;

        for (size_t i = 0; i < submit->n_jobs; i++) {
                const struct rec_job_spec *spec = submit->jobs[i].spec;

                ask_key(core, pending, pending->key_hash[i]);
                for (size_t k = 0; k < spec->n_after; k++) {
                        uint64_t on = spec->after[k].job;
                        const struct job *job = job_find(core, on);
                        bool visible = job && (job->phase == JOB_LIVE || job->phase == JOB_ENDED);

                        if (!visible && !pending_job(pending, on))
                                pending_ask_job(core, pending, on);
                }
                for (size_t k = 0; k < spec->n_secrets; k++)
                        if (!pending_secret(pending, spec->secrets[k]))
                                pending_ask_secret(core, pending, pending->asker.who, spec->secrets[k]);
        }
}

enum key_state { KEY_FREE, KEY_SAME, KEY_OTHER, KEY_ELSEWHERE };

static const uint8_t *set_of(const struct pending *pending)
{
        const struct msg_submit *submit = &pending->msg->u.submit;

        return submit->set ? pending->key_hash[submit->n_jobs] : NULL;
}

/* A job that is loading is found again only by who loads it in the same way. */
static bool is_loaded_alike(const struct job *job, const uint8_t *set_hash)
{
        if (job->phase != JOB_LOADING)
                return true;
        return set_hash ? sets_has(job, set_hash) : !job->set;
}

static enum key_state key_state(const struct core *core, struct pending *pending, size_t i, uint64_t *ret_job,
                                uint64_t *ret_tasks)
{
        const struct job *job = job_find_key(core, pending->asker.who, pending->key_hash[i]);
        const struct store_find_key *found = pending_key(pending, pending->key_hash[i]);
        const uint8_t *digest = job ? job->digest : found ? found->digest : NULL;

        BUG_ON(job && job->claimed);
        if (!job && (!found || found->job.n == 0))
                return KEY_FREE;
        *ret_job = job ? job->id.n : found->job.n;
        *ret_tasks = job ? job->tasks : found->tasks;
        if (memcmp(digest, pending->digest[i], 32) != 0)
                return KEY_OTHER;
        return job && !is_loaded_alike(job, set_of(pending)) ? KEY_ELSEWHERE : KEY_SAME;
}

/* ------------------------------------------------------------------ making the jobs */

void submit_write_chunk(struct core *core, struct job *job, uint32_t no, const uint8_t *bytes, size_t n_bytes,
                        struct shared_bytes *body)
{
        struct chunk_place place = spec_chunk(&job->spec->spec, no);
        struct store_chunk *chunk = &effects_store(core->out, STORE_JOB_CHUNK)->u.chunk;

        *chunk = (struct store_chunk){
                .job = job->id,
                .owner = job->owner_id,
                .no = no,
                .part = place.part,
                .seq = place.seq,
                .bytes = bytes,
                .n_bytes = n_bytes,
                .keep = shared_bytes_ref(body),
        };
        job->chunks_asked = no + 1;
        if (place.part == 0) {
                graph_put(core, job, no, bytes, n_bytes);
                entries_put(core, job, no, bytes, n_bytes);
        }
}

void submit_complete(struct core *core, struct job *job)
{
        job_begin(core, job);
        job->phase = JOB_NEW;
        job->mark_asked = MAX(job->mark_asked, (uint32_t)MIN(job->tasks, (uint32_t)MARK_STRIDE));
        if (job->tasks <= SMALL_JOB_TASKS)
                rows_write(core, job, 0, job->tasks);
        job_set_dirty(core, job);
        audit(core, "submit", job, job->owner_id, NULL);
        effects_fact(core->out, (struct fact){ .kind = FACT_JOB_DURABLE, .job = job->id });
}

static struct job_state *write_new(struct core *core, struct job *job, bool loading)
{
        struct store_job_new *row = &effects_store(core->out, STORE_JOB_NEW)->u.job_new;

        row->job = job->id;
        row->owner = job->owner_id;
        memcpy(row->key_hash, job->key + 4, 16);
        memcpy(row->digest, job->digest, 32);
        row->spec = job_spec_dup(&job->spec->spec);
        row->tasks = job->tasks;
        row->chunks = job->chunks_total;
        row->loading = loading;
        row->submitted_us = job->submitted_us;
        return &row->state;
}

static struct job *make_job(struct core *core, const struct pending *pending, size_t i)
{
        const struct rec_new_job *rec = &pending->msg->u.submit.jobs[i];
        struct job_spec_box *spec = job_spec_dup(rec->spec);
        CLEANUP_BUF struct buf text = { 0 };
        struct indexes indexes;
        struct job *job;

        BUG_ON(indexes_init(&indexes, &spec->spec, core->settings.tasks_per_job_max, NULL) < 0);
        job_spec_encode(rec->spec, &text);
        job = job_new(core, (struct job_id){ core->next_job }, pending->asker.who, &spec, &indexes);
        job_set_key(core, job, pending->key_hash[i]);
        memcpy(job->digest, pending->digest[i], 32);
        job->spec_bytes = text.n;
        job->submitted_us = core->wall_us;
        job->chunks_total = (uint32_t)spec_chunks(rec->spec);
        job->phase = JOB_LOADING;
        deps_attach(core, job);
        when_attach(core, job, true);
        job->n[job_home(job)] = job->tasks;
        graph_attach(job, 0);
        return job;
}

/* What it waits for and is over: the answer is known now. */
static void answer_deps(struct core *core, struct job *job, const struct pending *pending)
{
        const struct rec_job_spec *spec = &job->spec->spec;

        for (size_t k = 0; k < spec->n_after; k++) {
                const struct store_find_job *found = pending_job(pending, spec->after[k].job);

                if (!job_find(core, spec->after[k].job) && found)
                        deps_answer(core, job, k, found->found, found->status);
        }
}

/* Returns how far the body is used. */
static size_t load_job(struct core *core, struct job *job, const struct rec_new_job *rec,
                       struct shared_bytes *body, size_t at)
{
        for (size_t k = 0; k < rec->n_chunks; k++) {
                submit_write_chunk(core, job, (uint32_t)k, body->bytes + at, (size_t)rec->chunks[k], body);
                at += (size_t)rec->chunks[k];
        }
        if (job->chunks_asked == job->chunks_total && !job->set)
                submit_complete(core, job);
        else
                submit_start_upload(core, job);
        return at;
}

/* A job that was loaded before belongs to the set; one that lives does not. */
static void reply_loaded(struct core *core, const struct pending *pending, struct rec_submitted_job *jobs,
                         size_t n)
{
        for (size_t i = 0; i < n; i++) {
                const struct job *job = job_find(core, jobs[i].job);

                if (job && job->phase == JOB_LOADING)
                        jobs[i].existing = jobs[i].has_existing = false;
        }
        sets_reply_loaded(core, &pending->asker, jobs, n);
}

static void reply_all(struct core *core, const struct pending *pending, struct rec_submitted_job *jobs,
                      size_t n, bool on_commit)
{
        struct msg msg = { .kind = MSG_submitted, .re = pending->asker.re };
        const struct job *last = job_find(core, jobs[n - 1].job);
        CLEANUP_BUF struct buf lack = { 0 };

        if (n == 1 && last && last->phase == JOB_LOADING && last->chunks_asked < last->chunks_total) {
                submit_reply_stored(core, &pending->asker, last->chunks_asked);
                return;
        }
        if (set_of(pending)) {
                reply_loaded(core, pending, jobs, n);
                return;
        }
        msg.u.submitted.jobs = (struct rec_submitted_job *)(uintptr_t)jobs;
        msg.u.submitted.n_jobs = n;
        msg.u.submitted.watched = msg.u.submitted.has_watched = pending->watched;
        say_suitable(core, shape_scarce(core, last), &msg.u.submitted, &lack);
        effects_send(core->out, pending->asker.session, &msg, on_commit);
}

static void make_all(struct core *core, const struct pending *pending, struct rec_submitted_job *told)
{
        const struct msg_submit *submit = &pending->msg->u.submit;
        struct shared_bytes *body = shared_bytes_new(pending->msg->body, pending->msg->body_bytes);
        const uint8_t *set = set_of(pending);
        size_t at = 0;

        for (size_t i = 0; i < submit->n_jobs; i++) {
                struct job_state *state;
                struct job *job;

                if (told[i].existing) {
                        for (size_t k = 0; k < submit->jobs[i].n_chunks; k++)
                                at += (size_t)submit->jobs[i].chunks[k];
                        continue;
                }
                job = make_job(core, pending, i);
                job->claimed = pending->n_claims > 0;
                told[i].job = job->id.n;
                told[i].tasks = job->tasks;
                answer_deps(core, job, pending);
                state = write_new(core, job, set || submit->jobs[i].n_chunks < job->chunks_total);
                if (set)
                        sets_add(core, job, set);
                at = load_job(core, job, &submit->jobs[i], body, at);
                memset(&job->written, 0, sizeof(job->written));
                job_state_fill(job, &job->written);
                *state = job->written;
        }
        shared_bytes_unref(body);
}

/* ------------------------------------------------------------------ a claim */

/* A lone submission would wait for two commits if it asked first. So jobs whose keys nobody in memory knows are made at once
 * and the keys claimed: the store makes all of them or none (store_op.h, find_key), and only its answer brings them to
 * life. Where more than a key is to be asked, or an upload begins, the question comes first. */
static bool can_claim(const struct core *core, const struct pending *pending)
{
        const struct msg_submit *submit = &pending->msg->u.submit;

        if (pending->n_keys > 0 || pending->n_jobs > 0 || submit->set)
                return false; /* the store has answered, or a set is loaded */
        for (size_t i = 0; i < submit->n_jobs; i++) {
                const struct rec_new_job *rec = &submit->jobs[i];
                const struct job *job = job_find_key(core, pending->asker.who, pending->key_hash[i]);

                if ((job && job->claimed) || rec->spec->n_after > 0 || rec->spec->n_secrets > 0 ||
                    rec->n_chunks < spec_chunks(rec->spec))
                        return false;
        }
        return true;
}

static void unmake(struct core *core, const struct pending *pending)
{
        for (uint64_t i = 0; i < pending->n_claims; i++)
                job_free(core, job_find(core, pending->claims.n + i));
}

static void decide(struct core *core, struct pending *pending);

static void on_claim(struct core *core, struct pending *pending)
{
        bool taken = false;

        for (size_t i = 0; i < pending->n_keys; i++)
                taken |= pending->keys[i].job.n != 0;
        if (taken) {
                unmake(core, pending);
                pending->n_claims = 0;
                pending->watched = false;
                pending->go_on = decide;
                decide(core, pending);
                return;
        }
        for (uint64_t i = 0; i < pending->n_claims; i++)
                job_find(core, pending->claims.n + i)->claimed = false;
        reply_all(core, pending, pending->told, pending->msg->u.submit.n_jobs, false); /* it is committed */
}

static void claim(struct core *core, struct pending *pending, struct rec_submitted_job **take_told,
                  uint64_t fresh)
{
        pending->go_on = on_claim;
        pending->told = STEAL(*take_told);
        pending->claims.n = core->next_job;
        pending->n_claims = fresh;
        for (size_t i = 0; i < pending->msg->u.submit.n_jobs; i++)
                if (!pending->told[i].existing)
                        pending_claim_key(core, pending, pending->asker.who, pending->key_hash[i]);
        make_all(core, pending, pending->told);
        /* Now, while the session is certainly there; where the claim fails the watch goes with the job. */
        if (pending->msg->u.submit.watch && pending->msg->u.submit.n_jobs == 1)
                pending->watched = watch_from_birth(core, &pending->asker, job_find(core, pending->claims.n));
}

/* ------------------------------------------------------------------ the decision */

/* Fills in what exists already. Returns how many jobs are to be made; -1: it is refused. */
static int64_t sort_out(struct core *core, struct pending *pending, struct rec_submitted_job *told)
{
        const struct msg_submit *submit = &pending->msg->u.submit;
        int64_t fresh = 0;

        for (size_t i = 0; i < submit->n_jobs; i++) {
                const struct rec_job_spec *spec = submit->jobs[i].spec;
                enum key_state state = key_state(core, pending, i, &told[i].job, &told[i].tasks);

                if (state == KEY_OTHER) {
                        reply_refused(core, &pending->asker, ERR_CONFLICT,
                                      "the idempotency key was used with another request");
                        return -1;
                }
                if (state == KEY_ELSEWHERE) {
                        reply_refused(core, &pending->asker, ERR_CONFLICT,
                                      "the idempotency key is in use by a submission that is not whole yet");
                        return -1;
                }
                told[i].has_job = told[i].has_tasks = true;
                told[i].existing = told[i].has_existing = state == KEY_SAME;
                fresh += state == KEY_FREE;
                if (state == KEY_FREE && secrets_lack(core, pending, spec))
                        return -1;
                if (state == KEY_FREE && !parents_may_follow(core, pending, spec)) {
                        reply_not_found(core, &pending->asker);
                        return -1;
                }
        }
        if (fresh > 0 && !job_queues_fit(core, submit)) {
                reply_retry_later(core, &pending->asker,
                                  "no such queue, and there are 1,000 already: jobctl queue ls shows them",
                                  5000);
                return -1;
        }
        if (fresh > 0 && HASH_CNT(hh, core->jobs) + (uint64_t)fresh > core->settings.unfinished_jobs_max) {
                reply_retry_later(core, &pending->asker, "too many unfinished jobs", 5000);
                return -1;
        }
        if (fresh > 0 && !owner_allows(core, &pending->asker, submit, told))
                return -1;
        return fresh;
}

static void decide(struct core *core, struct pending *pending)
{
        size_t n = pending->msg->u.submit.n_jobs;
        bool claims = can_claim(core, pending);
        struct rec_submitted_job *told;
        int64_t fresh;

        if (!claims)
                ask_missing(core, pending);
        if (pending->n_open > 0)
                return;
        told = xcalloc(n, sizeof(*told));
        fresh = sort_out(core, pending, told);
        if (fresh > 0 && claims) {
                claim(core, pending, &told, (uint64_t)fresh);
        } else if (fresh >= 0) {
                make_all(core, pending, told);
                reply_all(core, pending, told, n, true);
        }
        free(told);
}

void submit_on_submit(struct core *core, const struct asker *asker, struct event *event)
{
        struct msg *msg = event->u.message.msg;
        size_t n = msg->u.submit.n_jobs, n_hashes = n + (msg->u.submit.set != NULL);
        struct pending *pending;
        struct err err = { 0 };

        if (event->u.message.n_hashes != n_hashes) {
                reply_refused(core, asker, ERR_INTERNAL, "digests are missing");
                return;
        }
        if (check_message(core, asker, event, &err) < 0) {
                if (err.code == ERR_FORBIDDEN)
                        audit_refusal(core, asker->who, err.text);
                reply_refused(core, asker, err.code, err.text);
                return;
        }
        if (core->degraded || core->draining || pending_full(core)) {
                reply_retry_later(core, asker,
                                  "not now: the database does not answer, or too much waits for it", 2000);
                return;
        }
        if (msg->u.submit.set && sets_is_dropping(core, asker->who, event->u.message.key_hash[n])) {
                reply_retry_later(core, asker, "the set is being dropped", 1000);
                return;
        }
        pending = pending_new(core, asker, &event->u.message.msg, decide);
        pending->key_hash = xmemdup(event->u.message.key_hash, n_hashes * sizeof(*pending->key_hash));
        pending->digest = xmemdup(event->u.message.digest, n * sizeof(*pending->digest));
        pending_check(core, pending);
}

void submit_durable(struct core *core, struct job *job)
{
        if (job->phase != JOB_NEW)
                return;
        job->mark = job->mark_asked;
        job->exist = job->exist_asked;
        park_ripen(job);
        job_live(core, job);
        when_tick(core); /* before anything of it is granted: its start-by may have passed */
        graph_live(core, job);
        sweep_next(core, job);
        job_check_end(core, job);
}
