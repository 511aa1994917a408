/* Ends of tasks, gathered into `finished` messages: those of one lease that ended alike are one task_end, and a
 * batch is kept until the coordinator says that it is durable.
 *
 * 1. Status and reason of an end are decided here and nowhere else.
 * 2. A batch stays under the frame limits of the wire: what would not fit goes into the next one. One task always
 *    fits: exec keeps its result and inline output under WEND limits (see exec/run.c). */
#include "core/wstate.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/utf8.h"

#define FILE_HEADER_BYTES(name) (256 + 6 * strlen(name)) /* a control character is six in JSON */

struct verdict {
        enum end_status status;
        enum task_reason reason;
};

static bool code_is_ok(const struct rec_job_spec *spec, uint8_t code)
{
        if (code == 0)
                return true;
        for (size_t i = 0; i < spec->n_ok_codes; i++)
                if (spec->ok_codes[i] == code)
                        return true;
        return false;
}

static struct verdict judge_itself(const struct rec_job_spec *spec, const struct wend *end)
{
        /* It may have coped with the loss of a child. */
        if (end->oom && !(end->how == WEND_EXITED && code_is_ok(spec, end->code)))
                return (struct verdict){ END_STATUS_OOM, TASK_REASON_OOM };
        switch (end->how) {
        case WEND_FAILED:
                return (struct verdict){ END_STATUS_FAILED, end->reason };
        case WEND_SIGNALED:
                return (struct verdict){ END_STATUS_FAILED, end->reason ? end->reason : TASK_REASON_SIGNAL };
        case WEND_EXITED:
                if (end->reason)
                        return (struct verdict){ END_STATUS_FAILED, end->reason };
                if (code_is_ok(spec, end->code))
                        return (struct verdict){ END_STATUS_SUCCEEDED, TASK_REASON_NONE };
                return (struct verdict){ END_STATUS_FAILED, TASK_REASON_EXIT_CODE };
        }
        return (struct verdict){ END_STATUS_FAILED, TASK_REASON_LAUNCH };
}

static struct verdict judge(const struct wtask *task, const struct wend *end)
{
        switch (task->stop) {
        case WSTOP_CANCEL:
        case WSTOP_LEAVE: /* not returned: it has run, and may have said things under its attempt's number */
                return (struct verdict){ END_STATUS_CANCELLED, task->stop_reason };
        case WSTOP_LIMIT:
                return (struct verdict){ END_STATUS_TIMEOUT, TASK_REASON_TIME_LIMIT };
        case WSTOP_SILENT:
        case WSTOP_NONE:
                break;
        }
        return judge_itself(wtask_spec(task), end);
}

void batch_close(struct wcore *core)
{
        if (!core->open)
                return;
        DL_APPEND(core->closed, core->open);
        core->n_closed++;
        core->open = NULL;
}

void batch_free(struct wcore *core, struct wbatch *batch, struct weffects *out)
{
        if (batch != core->open) {
                DL_DELETE(core->closed, batch);
                core->n_closed--;
        }
        core->unrecorded_bytes -= batch->body.n;
        for (size_t i = 0; i < batch->n_ends; i++) {
                job_unref(core, batch->ends[i].job, out);
                free(batch->ends[i].runs);
        }
        for (size_t i = 0; i < batch->n_files; i++)
                free(batch->files[i].name);
        free(batch->ends);
        free(batch->chunks);
        free(batch->files);
        buf_done(&batch->body);
        free(batch);
}

struct wbatch *batch_find(struct wcore *core, uint64_t id)
{
        struct wbatch *batch;

        DL_FOREACH (core->closed, batch)
                if (batch->id == id)
                        return batch;
        return NULL;
}

/* The open batch, with room for so much more. */
static struct wbatch *batch_open(struct wcore *core, int64_t now_us, size_t header_bytes, size_t body_bytes,
                                 size_t n_chunks)
{
        struct wbatch *batch = core->open;

        if (batch && (batch->n_runs >= BATCH_TASKS_MAX || batch->n_chunks + n_chunks > BATCH_CHUNKS_MAX ||
                      batch->header_bytes + header_bytes > BATCH_HEADER_MAX ||
                      batch->body.n + body_bytes > MSG_BODY_MAX))
                batch_close(core);
        if (core->open)
                return core->open;
        batch = xcalloc(1, sizeof(*batch));
        batch->number = ++core->n_batches;
        batch->first_us = now_us;
        core->open = batch;
        core->open_due_us = INT64_MAX;
        return batch;
}

/* Are many more of the same job about to end? Then nobody waits for this end by itself. job NULL: somebody does. */
static bool has_company(const struct wcore *core, const struct wjob *job)
{
        return core->n_unstarted >= BULK_TASKS && (core->queue->job == job || core->queue->prev->job == job);
}

/* Less than half of what we may hold is left, and the coordinator was not asked for more since it last gave some. */
static bool must_ask(struct wcore *core, uint64_t in_hand)
{
        if (in_hand * 2 >= core->window || core->closed || core->asked_at_lease == core->n_leases_ever)
                return false;
        core->asked_at_lease = core->n_leases_ever;
        return true;
}

/* How long an end may wait for company, because a message and a commit for each short task would cost more than the task:
 * not at all when nothing else is in hand, when the window runs dry, or when tasks are so long that no other end is to be
 * expected meanwhile. */
static int64_t batch_patience(struct wcore *core, const struct wjob *job)
{
        uint64_t in_hand = core->unstarted_cpus + (core->config.slots - core->free_slots);
        int64_t wait_us = core->n_unstarted ? GATHER_BUSY_US : GATHER_THIN_US;

        if (!in_hand || core->average_run_us > wait_us * (int64_t)core->config.slots ||
            must_ask(core, in_hand))
                return 0;
        return has_company(core, job) ? GATHER_BULK_US : wait_us;
}

static void batch_set_due(struct wcore *core, int64_t now_us, const struct wjob *job)
{
        int64_t wait_us = batch_patience(core, job);

        core->open_due_us = MIN(core->open_due_us, wait_us ? core->open->first_us + wait_us : now_us);
}

static bool same_end(const struct out_end *a, const struct out_end *b)
{
        return a->lease == b->lease && a->status == b->status && a->reason == b->reason &&
               a->has_code == b->has_code && a->code == b->code && a->has_signal == b->has_signal &&
               a->signal == b->signal;
}

/* The task_end in the batch that a task ended like `want` joins. */
static size_t batch_end(struct wcore *core, struct wbatch *batch, struct wlease *lease,
                        const struct out_end *want)
{
        if (lease->batch_number == batch->number && same_end(&batch->ends[lease->batch_end], want))
                return lease->batch_end;
        /* A lease's tasks end in few ways, and lately: look back a little. */
        for (size_t back = 1; back <= MIN(batch->n_ends, (size_t)16); back++)
                if (same_end(&batch->ends[batch->n_ends - back], want))
                        return batch->n_ends - back;
        GROW(batch->ends, batch->cap_ends, batch->n_ends + 1);
        batch->ends[batch->n_ends] = *want;
        job_ref(core, want->job);
        batch->header_bytes += 256;
        lease->batch_number = batch->number;
        lease->batch_end = batch->n_ends;
        return batch->n_ends++;
}

static size_t batch_add(struct wcore *core, struct wbatch *batch, struct wlease *lease,
                        const struct out_end *want, struct ended_run run)
{
        size_t at = batch_end(core, batch, lease, want);
        struct out_end *end = batch->ends + at;

        GROW(end->runs, end->cap_runs, end->n_runs + 1);
        end->runs[end->n_runs++] = run;
        batch->n_runs++;
        batch->header_bytes += 80;
        core->n_ended += run.hi - run.lo + 1;
        return at;
}

static void batch_add_bytes(struct wcore *core, struct wbatch *batch, struct out_chunk chunk,
                            const void *bytes)
{
        GROW(batch->chunks, batch->cap_chunks, batch->n_chunks + 1);
        batch->chunks[batch->n_chunks++] = chunk;
        buf_add(&batch->body, bytes, chunk.bytes);
        batch->header_bytes += 128;
        core->unrecorded_bytes += chunk.bytes;
}

static struct out_end end_of_lease(const struct wlease *lease, struct verdict verdict)
{
        return (struct out_end){
                .job = lease->job,
                .lease = lease->serial,
                .nonce = lease->nonce,
                .epoch = lease->epoch,
                .attempt = lease->attempt,
                .status = verdict.status,
                .reason = verdict.reason,
        };
}

static void add_files(struct wbatch *batch, size_t at, uint64_t index, const struct wend *end)
{
        for (size_t i = 0; i < end->n_files; i++) {
                const struct wfile *file = end->files + i;
                struct out_file *out;

                GROW(batch->files, batch->cap_files, batch->n_files + 1);
                out = batch->files + batch->n_files++;
                *out = (struct out_file){
                        .end = at,
                        .index = index,
                        .file = file->file,
                        .name = xstrdup(file->name),
                        .bytes = file->bytes,
                };
                memcpy(out->sha256, file->sha256, sizeof(out->sha256));
                batch->header_bytes += FILE_HEADER_BYTES(file->name);
        }
}

static void add_chunks(struct wcore *core, struct wbatch *batch, size_t at, uint64_t index,
                       const struct wend *end)
{
        if (end->result)
                batch_add_bytes(core, batch,
                                (struct out_chunk){ .end = at,
                                                    .index = index,
                                                    .kind = DATA_KIND_RESULT,
                                                    .final = true,
                                                    .bytes = end->result_bytes },
                                end->result);
        for (size_t i = 0; i < end->n_chunks; i++) {
                const struct wchunk *chunk = end->chunks + i;

                batch_add_bytes(core, batch,
                                (struct out_chunk){ .end = at,
                                                    .index = index,
                                                    .kind = DATA_KIND_OUTPUT,
                                                    .stream = chunk->stream,
                                                    .seq = chunk->seq,
                                                    .final = chunk->final,
                                                    .bytes = chunk->n_bytes },
                                chunk->bytes);
        }
}

static void measure(const struct wend *end, size_t *ret_header, size_t *ret_body)
{
        *ret_header = 512 + end->n_chunks * 128;
        *ret_body = end->result_bytes;
        for (size_t i = 0; i < end->n_chunks; i++)
                *ret_body += end->chunks[i].n_bytes;
        for (size_t i = 0; i < end->n_files; i++)
                *ret_header += FILE_HEADER_BYTES(end->files[i].name);
}

void end_running(struct wcore *core, int64_t now_us, const struct wtask *task, const struct wend *end)
{
        struct verdict verdict = judge(task, end);
        struct out_end want = end_of_lease(task->lease, verdict);
        struct ended_run run = { task->index, task->index, now_us, MAX(now_us - task->started_us, INT64_C(0)),
                                 end->cpu_us, end->rss_kib };
        size_t header_bytes, body_bytes, at;
        struct wbatch *batch;

        want.has_code = end->how == WEND_EXITED;
        want.code = want.has_code ? end->code : 0;
        want.has_signal = end->how == WEND_SIGNALED;
        want.signal = want.has_signal ? end->signal : 0;
        measure(end, &header_bytes, &body_bytes);
        batch = batch_open(core, now_us, header_bytes, body_bytes, end->n_chunks + 1);
        at = batch_add(core, batch, task->lease, &want, run);
        add_chunks(core, batch, at, task->index, end);
        add_files(batch, at, task->index, end);
        batch_set_due(core, now_us, task->lease->job);
}

void end_unstarted(struct wcore *core, int64_t now_us, struct wlease *lease, struct range range,
                   enum end_status status, enum task_reason reason)
{
        struct out_end want = end_of_lease(lease, (struct verdict){ status, reason });

        batch_add(core, batch_open(core, now_us, 512, 0, 0), lease, &want,
                  (struct ended_run){ range.lo, range.hi, now_us, -1, 0, 0 });
        batch_set_due(core, now_us, NULL);
}

/* A whole output at once, cut where no character is. */
static void add_text(struct wcore *core, struct wbatch *batch, size_t at, uint64_t index,
                     const struct wchunk *text)
{
        const char *bytes = text->bytes;
        size_t from = 0;

        for (uint32_t seq = 0; from < text->n_bytes; seq++) {
                size_t rest = text->n_bytes - from;
                size_t n = rest > WCORE_CHUNK_MAX ? utf8_cut(bytes + from, WCORE_CHUNK_MAX) : rest;

                batch_add_bytes(core, batch,
                                (struct out_chunk){ .end = at,
                                                    .index = index,
                                                    .kind = DATA_KIND_OUTPUT,
                                                    .stream = text->stream,
                                                    .seq = seq,
                                                    .final = n == rest,
                                                    .bytes = n },
                                bytes + from);
                from += n;
        }
}

void end_group(struct wcore *core, int64_t now_us, struct wlease *lease, struct range range,
               const struct wend *end, const struct wchunk *outputs)
{
        struct out_end want = end_of_lease(lease, judge_itself(&lease->job->box->spec, end));

        want.has_code = end->how == WEND_EXITED;
        want.code = end->code;
        if (!outputs) {
                batch_add(core, batch_open(core, now_us, 512, 0, 0), lease, &want,
                          (struct ended_run){ range.lo, range.hi, now_us, 0, 0, 0 });
                batch_set_due(core, now_us, lease->job);
                return;
        }
        for (uint64_t index = range.lo; index <= range.hi; index++) {
                const struct wchunk *text = outputs + (index - range.lo);
                struct wbatch *batch = batch_open(core, now_us, 512, text->n_bytes,
                                                  text->n_bytes / (WCORE_CHUNK_MAX - 3) + 1);
                size_t at = batch_add(core, batch, lease, &want,
                                      (struct ended_run){ index, index, now_us, 0, 0, 0 });

                add_text(core, batch, at, index, text);
        }
        batch_set_due(core, now_us, lease->job);
}
