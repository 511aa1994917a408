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

static struct chunks chunks_of(struct submit *submit)
{
        struct chunks chunks = { .submit = submit, .fd = -1 };

        if (submit->entries.n)
                chunks.n_entry_chunks = pieces(submit->entries.n, submit->spec.entries_per_chunk);
        chunks.n = chunks.n_entry_chunks;
        for (size_t i = 0; i < submit->n_inputs; i++)
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
        while (submit->inputs[chunks->input].bytes == 0)
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
static uint64_t total_bytes(const struct submit *submit)
{
        uint64_t n = submit->entries.n ? spool_bytes(&submit->entries.packed) : 0;

        for (size_t i = 0; i < submit->n_inputs; i++)
                n += submit->inputs[i].bytes;
        return n;
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

static struct msg *say_submit(struct chunks *chunks, bool *ret_unsure, struct err *err)
{
        struct submit *submit = chunks->submit;
        struct rec_new_job job = { .key = submit->key, .n_key = strlen(submit->key), .spec = &submit->spec };
        struct msg request = { .kind = MSG_submit };
        CLEANUP_BUF struct buf body = { 0 };
        struct msg *answer = NULL;
        int rc = 0;

        if (chunks->n && chunks->n <= INLINE_CHUNKS_MAX && total_bytes(submit) <= MSG_BODY_MAX)
                rc = pack_inline(chunks, &job, &body, err);
        request.u.submit.jobs = &job;
        request.u.submit.n_jobs = 1;
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

static int take_submitted(const struct msg_submitted *answer, struct submitted *ret, struct err *err)
{
        if (answer->n_jobs != 1)
                return err_set(err, ERR_INTERNAL, "the coordinator acknowledged %zu jobs instead of one",
                               answer->n_jobs);
        *ret = (struct submitted){
                .job = answer->jobs[0].job,
                .tasks = answer->jobs[0].tasks,
                .existing = answer->jobs[0].existing,
                .has_suitable = answer->has_suitable_workers,
                .suitable_workers = answer->suitable_workers,
        };
        if (answer->lack)
                snprintf(ret->lack, sizeof(ret->lack), "%s", answer->lack);
        return 0;
}

static int talk(struct chunks *chunks, struct submitted *ret, bool *ret_unsure, struct err *err)
{
        CLEANUP_WITH(msg_free) struct msg *answer = say_submit(chunks, ret_unsure, err);
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
        if (!answer)
                return -1;
        if (answer->kind != MSG_submitted)
                return err_set(err, ERR_INTERNAL, "the coordinator answered submit with %s",
                               msg_op(answer->kind));
        return take_submitted(&answer->u.submitted, ret, err);
}

int submit_send(struct submit *submit, struct submitted *ret_submitted, bool *ret_unsure, struct err *err)
{
        struct chunks chunks = chunks_of(submit);
        int rc = talk(&chunks, ret_submitted, ret_unsure, err);

        chunks_done(&chunks);
        return rc;
}
