/* Chunks of entries in memory. A chunk is packed as crypt/envelope.h says: for each entry a big-endian 32-bit length,
 * then its values separated by NUL.
 *
 * Invariants: 1. opened chunks of all jobs hold at most ENTRIES_BYTES_MAX, but for the one just used. 2. a job waits for
 * at most one chunk that its next grant needs. */
#include "core/entries.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "core/queue.h"
#include "core/sweep.h"

/* Chunks are at most 1 MiB; so many of them keep a few dozen jobs going without asking the database again. */
#define ENTRIES_BYTES_MAX ((size_t)64 << 20)
#define TEXTS_BYTES_MAX ((size_t)192 * 1024) /* entries of one grant, as JSON */
#define ENTRY_BYTES_MAX ((size_t)384 * 1024) /* one entry, as JSON: it must fit a run message */

void entry_texts_free(struct entry_texts *texts)
{
        if (!texts)
                return;
        free((void *)texts->list);
        free(texts);
}

static size_t json_bytes(const uint8_t *text, size_t n)
{
        size_t bytes = 3;

        for (size_t i = 0; i < n; i++)
                bytes += text[i] < 0x20 || text[i] == 0x7f ? 6 : text[i] == '"' || text[i] == '\\' ? 2 : 1;
        return bytes;
}

static uint32_t length_at(const uint8_t *p)
{
        return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

int entries_check(const void *bytes, size_t n_bytes, uint64_t n, struct err *err)
{
        const uint8_t *p = bytes;
        size_t at = 0;

        for (uint64_t i = 0; i < n; i++) {
                uint32_t length;

                if (n_bytes - at < 4 || (length = length_at(p + at)) > n_bytes - at - 4)
                        return err_set(err, ERR_BAD_FIELD,
                                       "entries: a chunk holds fewer entries than announced");
                if (!utf8_valid(p + at + 4, length))
                        return err_set(err, ERR_BAD_FIELD, "entries: an entry is not valid UTF-8");
                if (json_bytes(p + at + 4, length) > ENTRY_BYTES_MAX)
                        return err_set(err, ERR_TOO_LARGE, "entries: an entry is too long");
                at += 4 + length;
        }
        if (at != n_bytes)
                return err_set(err, ERR_BAD_FIELD, "entries: a chunk holds more than its entries");
        return 0;
}

uint64_t entries_in_chunk(const struct rec_job_spec *spec, uint64_t no)
{
        uint64_t left = spec->entries - MIN(spec->entries, no * spec->entries_per_chunk);

        return MIN(left, spec->entries_per_chunk);
}

static struct entry_chunk *find(const struct job *job, uint64_t no)
{
        struct entry_chunk *chunk;

        DL_FOREACH (job->chunks, chunk) {
                if (chunk->no == no)
                        return chunk;
        }
        return NULL;
}

static void chunk_free(struct core *core, struct entry_chunk *chunk)
{
        DL_DELETE(chunk->job->chunks, chunk);
        if (!chunk->loading) {
                DL_DELETE2(core->entries_lru, chunk, lru_prev, lru_next);
                core->entries_bytes -= chunk->bytes->n;
                shared_bytes_unref(chunk->bytes);
                free(chunk->offsets);
        }
        free(chunk);
}

static struct entry_chunk *chunk_new(struct job *job, uint32_t no)
{
        struct entry_chunk *chunk = xcalloc(1, sizeof(*chunk));

        chunk->job = job;
        chunk->no = no;
        chunk->loading = true;
        DL_APPEND(job->chunks, chunk);
        return chunk;
}

static void load(struct core *core, struct job *job, uint32_t no)
{
        if (find(job, no))
                return;
        chunk_new(job, no);
        effects_load(core->out, job->id, no);
}

static uint32_t next_position(const struct lot *lot)
{
        const struct job *job = lot->job;
        const struct span *again = spans_first(&lot->again);

        if (!again && lot != &job->plain)
                return job->tasks;
        return again ? again->lo : spans_skip(&job->gone, job->cursor);
}

bool entries_are_loading(const struct lot *lot)
{
        const struct job *job = lot->job;
        const struct entry_chunk *chunk;
        uint32_t next;

        if (!job->spec->spec.has_entries)
                return false;
        next = next_position(lot);
        chunk = next < job->tasks ? find(job, next / job->spec->spec.entries_per_chunk) : NULL;
        return chunk && chunk->loading;
}

static void shrink(struct core *core, const struct entry_chunk *keep)
{
        struct entry_chunk *chunk, *next;

        DL_FOREACH_SAFE2(core->entries_lru, chunk, next, lru_next)
        {
                if (core->entries_bytes <= ENTRIES_BYTES_MAX)
                        return;
                if (chunk != keep)
                        chunk_free(core, chunk);
        }
}

void entries_put(struct core *core, struct job *job, uint32_t no, const uint8_t *bytes, size_t n_bytes)
{
        struct entry_chunk *chunk = find(job, no);
        uint64_t n = entries_in_chunk(&job->spec->spec, no);
        size_t at = 0;

        if (chunk && !chunk->loading)
                return;
        if (!bytes || entries_check(bytes, n_bytes, n, NULL) < 0) {
                /* Nobody can say what these tasks are; the job's remaining tasks cannot be run in good faith. */
                if (job->ending == 0)
                        sweep_job(core, job, TASK_STATUS_FAILED, TASK_REASON_BAD_INPUT);
                return;
        }
        if (!chunk)
                chunk = chunk_new(job, no);
        chunk->loading = false;
        chunk->bytes = shared_bytes_new(bytes, n_bytes);
        chunk->n = (uint32_t)n;
        chunk->offsets = xcalloc(n + 1, sizeof(*chunk->offsets));
        for (uint64_t i = 0; i < n; i++) {
                chunk->offsets[i] = (uint32_t)at;
                at += 4 + length_at(bytes + at);
        }
        chunk->offsets[n] = (uint32_t)at;
        core->entries_bytes += n_bytes;
        DL_APPEND2(core->entries_lru, chunk, lru_prev, lru_next);
        shrink(core, chunk);
        queue_consider(core, job);
}

static const uint8_t *entry(const struct entry_chunk *chunk, uint32_t k, size_t *ret_bytes)
{
        *ret_bytes = chunk->offsets[k + 1] - chunk->offsets[k] - 4;
        return chunk->bytes->bytes + chunk->offsets[k] + 4;
}

static size_t count_values(const uint8_t *text, size_t bytes)
{
        size_t n = 1;

        for (size_t i = 0; i < bytes; i++)
                n += text[i] == 0;
        return n;
}

/* How many entries from k on fit one grant, and what they need. */
static uint32_t measure(const struct entry_chunk *chunk, uint32_t k, uint32_t most, size_t *ret_values,
                        size_t *ret_raw, size_t *ret_json)
{
        uint32_t n = 0;

        *ret_raw = *ret_json = 0;
        for (; n < most && k + n < chunk->n; n++) {
                size_t bytes;
                const uint8_t *text = entry(chunk, k + n, &bytes);
                size_t values = count_values(text, bytes);
                size_t json = json_bytes(text, bytes);

                if (n == 0)
                        *ret_values = values;
                if (values != *ret_values || (n > 0 && *ret_json + json > TEXTS_BYTES_MAX))
                        break;
                *ret_raw += bytes + 1;
                *ret_json += json;
        }
        return n;
}

static struct entry_texts *copy_texts(const struct entry_chunk *chunk, uint32_t k, uint32_t n,
                                      size_t n_values, size_t raw)
{
        struct entry_texts *texts = xcalloc(1, sizeof(*texts));
        char *to;

        texts->n = n * n_values;
        texts->n_values = n_values;
        texts->list = xmalloc(texts->n * sizeof(char *) + raw);
        to = (char *)(texts->list + texts->n);
        for (uint32_t i = 0, at = 0; i < n; i++) {
                size_t bytes;
                const uint8_t *text = entry(chunk, k + i, &bytes);

                memcpy(to, text, bytes);
                to[bytes] = '\0';
                for (size_t v = 0; v < n_values; v++, at++) {
                        texts->list[at] = to;
                        to += strlen(to) + 1;
                }
        }
        return texts;
}

uint32_t entries_get(struct core *core, struct job *job, uint32_t lo, uint32_t n,
                     struct entry_texts **ret_texts)
{
        uint32_t per_chunk = (uint32_t)job->spec->spec.entries_per_chunk;
        uint32_t no = lo / per_chunk;
        struct entry_chunk *chunk = find(job, no);
        size_t n_values = 1, raw, json;

        if (!chunk || chunk->loading) {
                load(core, job, no);
                return 0;
        }
        DL_DELETE2(core->entries_lru, chunk, lru_prev, lru_next);
        DL_APPEND2(core->entries_lru, chunk, lru_prev, lru_next);
        n = measure(chunk, lo % per_chunk, n, &n_values, &raw, &json);
        *ret_texts = copy_texts(chunk, lo % per_chunk, n, n_values, raw);
        (*ret_texts)->bytes = json;
        if (entries_in_chunk(&job->spec->spec, no + 1) > 0)
                load(core, job, no + 1);
        /* The cursor has passed it, and it can be loaded again for tasks that come back. */
        if (lo % per_chunk + n == chunk->n)
                chunk_free(core, chunk);
        return n;
}

void entries_forget(struct core *core, struct job *job)
{
        struct entry_chunk *chunk, *next;

        DL_FOREACH_SAFE (job->chunks, chunk, next)
                chunk_free(core, chunk);
}
