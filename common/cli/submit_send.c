/* Sending a job. Small ones travel in one message; of larger ones the chunks follow one by one, each acknowledged when
 * it is durable. The coordinator says which chunk it wants next, so that a submission that was cut off goes on where it
 * stopped.
 *
 * Chunks are numbered over the whole job: entries first, then the inputs in order, each cut at MSG_CHUNK_MAX. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "cli/submit.h"
#include "crypt/digest.h"

#define INLINE_CHUNKS_MAX 4096 /* of messages.def */

/* Gives the chunks in order, from any number on; a file is read from its start in any case, so that what was sent is
 * what was announced. */
struct chunks {
        struct submit *submit;
        uint64_t next; /* number of the chunk that comes next */
        uint64_t n_entry_chunks, n;
        size_t input;
        int fd; /* of `input`; -1: not open */
        uint64_t sent; /* bytes of `input` */
        struct digest *digest;
};

static uint64_t pieces(uint64_t n, uint64_t of)
{
        return (n + of - 1) / of;
}

/* A content that an earlier input has travels once. */
static bool travels(const struct submit *submit, size_t at)
{
        for (size_t i = 0; i < at; i++)
                if (submit->inputs[i].bytes == submit->inputs[at].bytes &&
                    strcmp(submit->inputs[i].sha256, submit->inputs[at].sha256) == 0)
                        return false;
        return submit->inputs[at].bytes > 0;
}

static struct chunks chunks_of(struct submit *submit)
{
        struct chunks chunks = { .submit = submit, .fd = -1 };

        if (submit->entries.n)
                chunks.n_entry_chunks = pieces(submit->entries.n, submit->spec.entries_per_chunk);
        chunks.n = chunks.n_entry_chunks;
        for (size_t i = 0; i < submit->n_inputs; i++)
                if (travels(submit, i))
                        chunks.n += pieces(submit->inputs[i].bytes, MSG_CHUNK_MAX);
        return chunks;
}

static void close_input(struct chunks *chunks)
{
        if (chunks->fd >= 0)
                close(chunks->fd);
        digest_free(chunks->digest);
        chunks->fd = -1;
        chunks->digest = NULL;
        chunks->sent = 0;
}

static void chunks_done(struct chunks *chunks)
{
        close_input(chunks);
}

static int changed(const struct submit_input *input, struct err *err)
{
        return err_set(err, ERR_BAD_DATA, "%s changed while it was being submitted; nothing was submitted",
                       input->path);
}

static int open_input(struct chunks *chunks, struct err *err)
{
        const struct submit_input *input = &chunks->submit->inputs[chunks->input];

        chunks->fd = open(input->path, O_RDONLY | O_CLOEXEC);
        if (chunks->fd < 0)
                return err_set(err, ERR_BAD_DATA, "%s: %s", input->path, strerror(errno));
        chunks->digest = digest_new();
        return 0;
}

static int read_input(struct chunks *chunks, size_t bytes, struct buf *out, struct err *err)
{
        size_t start = out->n;

        buf_reserve(out, bytes);
        while (out->n - start < bytes) {
                ssize_t n = read(chunks->fd, out->bytes + out->n, bytes - (out->n - start));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return changed(&chunks->submit->inputs[chunks->input], err);
                out->n += (size_t)n;
        }
        digest_add(chunks->digest, out->bytes + start, bytes);
        chunks->sent += bytes;
        return 0;
}

static int finish_input(struct chunks *chunks, struct err *err)
{
        const struct submit_input *input = &chunks->submit->inputs[chunks->input];
        char sha256[65];

        digest_hex(chunks->digest, sha256);
        close_input(chunks);
        chunks->input++;
        return strcmp(sha256, input->sha256) == 0 ? 0 : changed(input, err);
}

/* Append the next chunk. */
static int chunks_next(struct chunks *chunks, struct buf *out, struct err *err)
{
        struct submit *submit = chunks->submit;
        const struct submit_input *input;

        BUG_ON(chunks->next >= chunks->n);
        if (chunks->next++ < chunks->n_entry_chunks)
                return entry_list_read_chunk(&submit->entries, submit->spec.entries_per_chunk, out, err);
        while (!travels(submit, chunks->input))
                chunks->input++;
        input = &submit->inputs[chunks->input];
        if (chunks->fd < 0 && open_input(chunks, err) < 0)
                return -1;
        if (read_input(chunks, (size_t)MIN(MSG_CHUNK_MAX, input->bytes - chunks->sent), out, err) < 0)
                return -1;
        return chunks->sent == input->bytes ? finish_input(chunks, err) : 0;
}

static int chunks_seek(struct chunks *chunks, uint64_t to, struct err *err)
{
        if (to < chunks->next) {
                close_input(chunks);
                chunks->input = 0;
                chunks->next = 0;
                entry_list_rewind(&chunks->submit->entries);
        }
        while (chunks->next < to) {
                CLEANUP_BUF struct buf skipped = { 0 };

                if (chunks_next(chunks, &skipped, err) < 0)
                        return -1;
        }
        return 0;
}

/* --- talking --------------------------------------------------------------------------------------------------- */
uint64_t submit_total_bytes(const struct submit *submit)
{
        uint64_t n = submit->entries.n ? spool_bytes(&submit->entries.packed) : 0;

        for (size_t i = 0; i < submit->n_inputs; i++)
                n += travels(submit, i) ? submit->inputs[i].bytes : 0;
        return n;
}

/* May all its chunks ride in the message that submits it, in a body that has room for so many more bytes? */
bool submit_fits(struct submit *submit, size_t room)
{
        struct chunks chunks = chunks_of(submit);

        return chunks.n <= INLINE_CHUNKS_MAX && submit_total_bytes(submit) <= room;
}

static int pack_inline(struct chunks *chunks, struct rec_new_job *job, struct buf *body, struct err *err)
{
        job->chunks = xcalloc(MAX(chunks->n, 1), sizeof(int64_t));
        while (chunks->next < chunks->n) {
                size_t before = body->n;

                if (chunks_next(chunks, body, err) < 0)
                        return -1;
                job->chunks[job->n_chunks++] = (int64_t)(body->n - before);
        }
        return 0;
}

int submit_pack(struct submit *submit, struct rec_new_job *ret_job, struct buf *body, struct err *err)
{
        struct chunks chunks = chunks_of(submit);
        struct rec_new_job job = { .key = submit->key, .n_key = strlen(submit->key), .spec = &submit->spec };
        int rc;

        entry_list_rewind(&submit->entries);
        rc = pack_inline(&chunks, &job, body, err);
        chunks_done(&chunks);
        if (rc == 0)
                *ret_job = job;
        else
                xfree(job.chunks);
        return rc;
}

static struct msg *say_submit(struct chunks *chunks, const char *set, bool *ret_unsure, struct err *err)
{
        struct submit *submit = chunks->submit;
        struct rec_new_job job = { .key = submit->key, .n_key = strlen(submit->key), .spec = &submit->spec };
        struct msg request = { .kind = MSG_submit };
        CLEANUP_BUF struct buf body = { 0 };
        struct msg *answer = NULL;
        int rc = 0;

        if (chunks->n && chunks->n <= INLINE_CHUNKS_MAX && submit_total_bytes(submit) <= MSG_BODY_MAX)
                rc = pack_inline(chunks, &job, &body, err);
        request.u.submit.jobs = &job;
        request.u.submit.n_jobs = 1;
        request.u.submit.set = set;
        request.u.submit.n_set = set ? strlen(set) : 0;
        request.u.submit.watch = request.u.submit.has_watch = submit->watch && !set;
        request.body = body.bytes;
        request.body_bytes = body.n;
        if (rc == 0 && cli_connect(submit->cli, err) == 0) {
                *ret_unsure = true;
                answer = client_call(submit->cli->client, &request, -1, err);
        }
        xfree(job.chunks);
        return answer;
}

static struct msg *say_put(struct chunks *chunks, uint64_t no, struct err *err)
{
        struct submit *submit = chunks->submit;
        struct msg request = { .kind = MSG_put };
        CLEANUP_BUF struct buf body = { 0 };

        if (no >= chunks->n) {
                err_set(err, ERR_INTERNAL, "the coordinator asks for chunk %llu of %llu",
                        (unsigned long long)no, (unsigned long long)chunks->n);
                return NULL;
        }
        if (chunks_seek(chunks, no, err) < 0 || chunks_next(chunks, &body, err) < 0)
                return NULL;
        request.u.put.key = submit->key;
        request.u.put.n_key = strlen(submit->key);
        request.u.put.no = no;
        request.u.put.has_no = true;
        request.body = body.bytes;
        request.body_bytes = body.n;
        return client_call(submit->cli->client, &request, -1, err);
}

int submit_take_answer(const struct msg *answer, size_t n, struct submitted *ret, struct err *err)
{
        bool loaded = answer->kind == MSG_loaded;
        const struct rec_submitted_job *jobs = loaded ? answer->u.loaded.jobs : answer->u.submitted.jobs;
        size_t n_jobs = loaded ? answer->u.loaded.n_jobs : answer->u.submitted.n_jobs;

        if (!loaded && answer->kind != MSG_submitted)
                return err_set(err, ERR_INTERNAL, "the coordinator answered submit with %s",
                               msg_op(answer->kind));
        if (n_jobs != n)
                return err_set(err, ERR_INTERNAL, "the coordinator acknowledged %zu jobs instead of %zu",
                               n_jobs, n);
        for (size_t i = 0; i < n; i++)
                ret[i] = (struct submitted){
                        .job = jobs[i].job,
                        .tasks = jobs[i].tasks,
                        .existing = jobs[i].existing,
                        .watched = !loaded && answer->u.submitted.watched,
                        .has_suitable = !loaded && answer->u.submitted.has_suitable_workers,
                        .suitable_workers = loaded ? 0 : answer->u.submitted.suitable_workers,
                };
        if (!loaded && answer->u.submitted.lack)
                snprintf(ret->lack, sizeof(ret->lack), "%s", answer->u.submitted.lack);
        return 0;
}

static int talk(struct chunks *chunks, const char *set, struct submitted *ret, bool *ret_unsure,
                struct err *err)
{
        CLEANUP_WITH(msg_free) struct msg *answer = say_submit(chunks, set, ret_unsure, err);
        uint64_t put = 0; /* chunks that were put; the coordinator may only ask for later ones */

        while (answer && answer->kind == MSG_stored) {
                uint64_t no = answer->u.stored.upto;

                if (put && no < put)
                        return err_set(err, ERR_INTERNAL, "the coordinator did not keep chunk %llu",
                                       (unsigned long long)no);
                msg_free(answer);
                answer = say_put(chunks, no, err);
                put = no + 1;
        }
        return answer ? submit_take_answer(answer, 1, ret, err) : -1;
}

int submit_send(struct submit *submit, const char *set, struct submitted *ret_submitted, bool *ret_unsure,
                struct err *err)
{
        struct chunks chunks = chunks_of(submit);
        int rc;

        entry_list_rewind(&submit->entries);
        rc = talk(&chunks, set, ret_submitted, ret_unsure, err);

        chunks_done(&chunks);
        return rc;
}
