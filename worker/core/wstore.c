/* Chunks that go out while a task runs (under a credit, so that memory stays bounded and the task is slowed down by
 * its pipe instead), and inputs that come in. */
#include "core/wstate.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

bool wcore_may_store(const struct wcore *core)
{
        return core->n_stores < WCORE_STORES_MAX && core->store_bytes < WCORE_STORE_BYTES_MAX;
}

void wcore_store(struct wcore *core, const struct wtask *task, const struct wchunk *chunk, uint32_t file)
{
        struct wstore *store = xcalloc(1, sizeof(*store) + chunk->n_bytes);

        BUG_ON(chunk->n_bytes > MSG_BODY_MAX);
        store->job = task->lease->job->id;
        store->nonce = task->lease->nonce;
        store->attempt = task->lease->attempt;
        store->index = task->index;
        store->file = file;
        store->stream = chunk->stream;
        store->seq = chunk->seq;
        store->final = chunk->final;
        store->n_bytes = chunk->n_bytes;
        if (chunk->n_bytes)
                memcpy(store->bytes, chunk->bytes, chunk->n_bytes);
        DL_APPEND(core->stores, store);
        core->n_stores++;
        core->store_bytes += store->n_bytes;
}

struct wstore *store_find(struct wcore *core, uint64_t id)
{
        struct wstore *store;

        DL_FOREACH (core->stores, store)
                if (store->id == id)
                        return store;
        return NULL;
}

void store_drop(struct wcore *core, struct wstore *store)
{
        DL_DELETE(core->stores, store);
        core->n_stores--;
        core->store_bytes -= store->n_bytes;
        free(store);
}

void store_drop_task(struct wcore *core, uint64_t nonce, uint64_t index)
{
        struct wstore *store, *next;

        DL_FOREACH_SAFE (core->stores, store, next)
                if (store->nonce == nonce && store->index == index)
                        store_drop(core, store);
}

/* Any lease of the job will do: it says that we may read its inputs. */
static const struct wtask *task_of_job(const struct wcore *core, const struct wjob *job)
{
        struct wtask *task;

        DL_FOREACH (core->running, task)
                if (task->lease->job == job && task->stop == WSTOP_NONE)
                        return task;
        return NULL;
}

int wcore_fetch(struct wcore *core, const struct wjob *job, uint64_t input, uint64_t seq)
{
        const struct wtask *task = task_of_job(core, job);
        struct wfetch *fetch;

        if (!task)
                return -1;
        fetch = xcalloc(1, sizeof(*fetch));
        fetch->job = job->id;
        fetch->nonce = task->lease->nonce;
        fetch->index = task->index;
        fetch->input = input;
        fetch->seq = seq;
        DL_APPEND(core->fetches, fetch);
        return 0;
}

void wcore_fetch_parent(struct wcore *core, const struct wtask *task, enum data_kind kind,
                        const struct wplace *at)
{
        const struct rec_job_spec *spec = wtask_spec(task);
        struct wfetch *fetch = xcalloc(1, sizeof(*fetch));

        fetch->job = task->lease->job->id;
        fetch->nonce = task->lease->nonce;
        fetch->index = task->index;
        fetch->of_parents = true;
        fetch->kind = kind;
        fetch->at = *at;
        fetch->has_stdin_index = task->own && spec->has_stdin_index;
        fetch->stdin_index = spec->stdin_index;
        DL_APPEND(core->fetches, fetch);
}

struct wfetch *fetch_next(struct wcore *core, int64_t now_us)
{
        struct wfetch *fetch;

        DL_FOREACH (core->fetches, fetch)
                if (!fetch->sent && fetch->not_before_us <= now_us)
                        return fetch;
        return NULL;
}

struct wfetch *fetch_find(struct wcore *core, uint64_t id)
{
        struct wfetch *fetch;

        DL_FOREACH (core->fetches, fetch)
                if (fetch->id == id)
                        return fetch;
        return NULL;
}

void fetch_drop(struct wcore *core, struct wfetch *fetch)
{
        DL_DELETE(core->fetches, fetch);
        free(fetch);
}
