/* Chunks of a job that did not fit its submission. Each is acknowledged when durable; the job lives when the last is. An
 * upload that stops is dropped: its job was never acknowledged. */
#include "core/submit.h"

#include <stddef.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "core/job.h"
#include "core/pending.h"
#include "core/sets.h"
#include "core/spec.h"

static bool upload_before(const void *a, const void *b)
{
        return ((const struct job *)a)->upload_until_us < ((const struct job *)b)->upload_until_us;
}

void submit_init(struct core *core)
{
        heap_init(&core->uploads, upload_before, offsetof(struct job, upload_place));
}

void submit_start_upload(struct core *core, struct job *job)
{
        job->phase = JOB_LOADING;
        if (job->set) {
                sets_touch(core, job->set);
                return;
        }
        job->upload_until_us = core->mono_us + (int64_t)core->settings.upload_ms * US_PER_MS;
        if (heap_has(&core->uploads, job))
                heap_moved(&core->uploads, job);
        else
                heap_push(&core->uploads, job);
}

void submit_resume_upload(struct core *core, struct job *job, uint32_t chunks_stored)
{
        job->chunks_asked = chunks_stored;
        submit_start_upload(core, job);
}

void submit_tick(struct core *core)
{
        struct job *job;

        while ((job = heap_top(&core->uploads)) && job->upload_until_us <= core->mono_us) {
                effects_store(core->out, STORE_JOB_DROP)->u.job = job->id;
                job_free(core, job);
        }
}

/* How far the upload of a job is that does not live with its last chunk, or lacks some. */
static void reply_state(struct core *core, const struct asker *asker, const struct job *job)
{
        struct rec_submitted_job one = {
                .job = job->id.n, .has_job = true, .tasks = job->tasks, .has_tasks = true
        };

        if (job->chunks_asked < job->chunks_total)
                submit_reply_stored(core, asker, job->chunks_asked);
        else
                sets_reply_loaded(core, asker, &one, 1);
}

static void put(struct core *core, const struct asker *asker, struct job *job, const struct msg *msg)
{
        struct shared_bytes *body;
        struct err err = { 0 };
        uint64_t no = msg->u.put.no;

        if (no != job->chunks_asked) {
                reply_state(core, asker, job);
                return;
        }
        if (spec_check_chunk(&job->spec->spec, no, msg->body, msg->body_bytes, &err) < 0) {
                reply_refused(core, asker, err.code, err.text);
                return;
        }
        body = shared_bytes_new(msg->body, msg->body_bytes);
        submit_write_chunk(core, job, (uint32_t)no, body->bytes, body->n, body);
        shared_bytes_unref(body);
        if (job->chunks_asked < job->chunks_total || job->set) {
                submit_start_upload(core, job);
                reply_state(core, asker, job);
                return;
        }
        heap_remove(&core->uploads, job);
        effects_store(core->out, STORE_JOB_LIVE)->u.job = job->id;
        submit_complete(core, job);
        submit_reply(core, asker, job->id.n, job->tasks, false);
}

/* The job of this key is over or was never begun. */
static void answer_put(struct core *core, struct pending *pending)
{
        const struct store_find_key *found = pending_key(pending, pending->key_hash[0]);

        if (found && found->job.n != 0 && !found->loading)
                submit_reply(core, &pending->asker, found->job.n, found->tasks, true);
        else
                reply_refused(core, &pending->asker, ERR_NOT_FOUND, "no upload with this key: submit again");
}

void submit_on_put(struct core *core, const struct asker *asker, struct event *event)
{
        struct job *job;
        struct pending *pending;

        if (!access_has_some(&core->access, asker->who, PERMISSION_JOB_SUBMIT)) {
                reply_refused(core, asker, ERR_FORBIDDEN, "you may not submit jobs");
                return;
        }
        if (core->degraded || core->draining || pending_full(core) || event->u.message.n_hashes != 1) {
                reply_retry_later(core, asker,
                                  "not now: the database does not answer, or too much waits for it", 2000);
                return;
        }
        job = job_find_key(core, asker->who, event->u.message.key_hash[0]);
        if (job && job->claimed)
                job = NULL;
        if (job && job->phase == JOB_LOADING) {
                put(core, asker, job, event->u.message.msg);
                return;
        }
        if (job) {
                submit_reply(core, asker, job->id.n, job->tasks, true);
                return;
        }
        pending = pending_new(core, asker, NULL, answer_put);
        pending->key_hash = xmemdup(event->u.message.key_hash, sizeof(*pending->key_hash));
        pending_ask_key(core, pending, asker->who, pending->key_hash[0]);
}
