/* What the worker says, built when the socket can take it, so that nothing is encoded twice and times are fresh.
 *
 * Order: ready before all else; chunks of output before the `finished` that counts on them; bye last. */
#include "core/wstate.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct arena_block {
        struct arena_block *next;
        size_t n, cap;
        _Alignas(16) unsigned char bytes[];
};

void *arena_get(struct wcore *core, size_t bytes)
{
        struct arena_block *block = core->arena;
        void *p;

        bytes = (bytes + 15) & ~(size_t)15;
        if (!block || block->cap - block->n < bytes) {
                size_t cap = MAX(bytes, (size_t)65536);

                block = xmalloc(sizeof(*block) + cap);
                block->next = core->arena;
                block->n = 0;
                block->cap = cap;
                core->arena = block;
        }
        p = block->bytes + block->n;
        block->n += bytes;
        memset(p, 0, bytes);
        return p;
}

void arena_reset(struct wcore *core)
{
        while (core->arena && core->arena->next) {
                struct arena_block *block = core->arena;

                core->arena = block->next;
                free(block);
        }
        if (core->arena)
                core->arena->n = 0;
}

void arena_free(struct wcore *core)
{
        arena_reset(core);
        free(core->arena);
        core->arena = NULL;
}

/* ------------------------------------------------------------------ ready */
#define HELD_EACH_MAX 2000

struct held {
        struct rec_held_lease *list;
        size_t n, cap;
};

/* Leases are many, the list is built in malloc memory first. */
static void held_add(struct wcore *core, struct held *held, const struct wjob *job, uint64_t epoch,
                     uint32_t attempt, uint64_t nonce, const struct range *ranges, size_t n_ranges,
                     int64_t started_ago_us)
{
        struct rec_held_lease *h;

        GROW(held->list, held->cap, held->n + 1);
        h = held->list + held->n++;
        *h = (struct rec_held_lease){ .job = job->id, .epoch = epoch, .attempt = attempt, .nonce = nonce };
        h->has_job = h->has_epoch = h->has_attempt = h->has_nonce = true;
        h->ranges = arena_get(core, n_ranges * sizeof(*ranges));
        memcpy(h->ranges, ranges, n_ranges * sizeof(*ranges));
        h->n_ranges = n_ranges;
        h->has_started_ago_us = started_ago_us >= 0;
        h->started_ago_us = h->has_started_ago_us ? (uint64_t)started_ago_us : 0;
}

/* Ranges of runs that are sorted, adjacent ones joined; returns how many. */
static size_t join_runs(const struct ended_run *runs, size_t n_runs, struct range *ranges)
{
        size_t n = 0;

        for (size_t i = 0; i < n_runs; i++)
                if (n && ranges[n - 1].hi + 1 == runs[i].lo)
                        ranges[n - 1].hi = runs[i].hi;
                else
                        ranges[n++] = (struct range){ runs[i].lo, runs[i].hi };
        return n;
}

static int run_order(const void *a, const void *b)
{
        const struct ended_run *x = a, *y = b;

        return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* Tasks that ended alike are one record: the message must fit its frame however many they are. */
static void held_batch(struct wcore *core, struct held *held, const struct wbatch *batch, int64_t now_us)
{
        for (size_t i = 0; batch && i < batch->n_ends; i++) {
                struct out_end *end = batch->ends + i;
                struct range *ranges = arena_get(core, end->n_runs * sizeof(*ranges));
                int64_t ago = -1;

                qsort(end->runs, end->n_runs, sizeof(*end->runs), run_order);
                for (size_t k = 0; k < end->n_runs; k++)
                        if (end->runs[k].ran_us >= 0)
                                ago = MAX(ago, now_us - end->runs[k].ended_us + end->runs[k].ran_us);
                held_add(core, held, end->job, end->epoch, end->attempt, end->nonce, ranges,
                         join_runs(end->runs, end->n_runs, ranges), ago);
        }
}

static int task_order(const void *a, const void *b)
{
        const struct wtask *x = *(struct wtask *const *)a, *y = *(struct wtask *const *)b;

        if (x->lease->nonce != y->lease->nonce)
                return x->lease->nonce < y->lease->nonce ? -1 : 1;
        return x->index < y->index ? -1 : x->index > y->index;
}

/* One record a task, so that each keeps its own start; so many that they would not fit are one a lease, with the
 * oldest start. */
static void held_running(struct wcore *core, struct held *held, int64_t now_us)
{
        struct wtask **tasks = arena_get(core, core->n_running * sizeof(struct wtask *));
        struct range *all = arena_get(core, core->n_running * sizeof(*all));
        bool join = core->n_running > HELD_EACH_MAX;
        struct wtask *task;
        size_t n = 0;

        DL_FOREACH (core->running, task)
                if (task->stop != WSTOP_SILENT)
                        tasks[n++] = task;
        if (n)
                qsort(tasks, n, sizeof(struct wtask *), task_order);
        for (size_t i = 0, next; i < n; i = next) {
                const struct wlease *lease = tasks[i]->lease;
                struct range *ranges = all + i; /* a record has no more ranges than tasks */
                int64_t ago = -1;
                size_t n_ranges = 0;

                for (next = i; next < n && tasks[next]->lease == lease && (join || next == i); next++) {
                        uint64_t index = tasks[next]->index;

                        ago = MAX(ago, now_us - tasks[next]->started_us);
                        if (n_ranges && ranges[n_ranges - 1].hi + 1 == index)
                                ranges[n_ranges - 1].hi = index;
                        else
                                ranges[n_ranges++] = (struct range){ index, index };
                }
                held_add(core, held, lease->job, lease->epoch, lease->attempt, lease->nonce, ranges, n_ranges,
                         ago);
        }
}

static void held_all(struct wcore *core, struct held *held, int64_t now_us)
{
        struct wlease *lease;
        struct wbatch *batch;

        DL_FOREACH (core->queue, lease)
                held_add(core, held, lease->job, lease->epoch, lease->attempt, lease->nonce, lease->left,
                         lease->n_left, -1);
        held_running(core, held, now_us);
        DL_FOREACH (core->closed, batch)
                held_batch(core, held, batch, now_us);
        held_batch(core, held, core->open, now_us);
}

static void build_ready(struct wcore *core, int64_t now_us, struct msg *msg)
{
        static const char *const types[] = {
#define TASK_TYPE(name, number, word, least, most, what) word,
#include "proto/task_types.def"
#undef TASK_TYPE
        };
        struct msg_ready *ready = &msg->u.ready;
        const struct wcore_config *config = &core->config;
        struct held held = { 0 };

        held_all(core, &held, now_us);
        msg->kind = MSG_ready;
        *ready = (struct msg_ready){
                .slots = config->slots,
                .has_slots = true,
                .window = core->window,
                .has_window = true,
                .labels = (const char **)config->labels,
                .n_labels = config->n_labels,
                .mem = config->mem_bytes,
                .has_mem = config->mem_bytes > 0,
                .gpus = config->gpus,
                .has_gpus = config->gpus > 0,
                .res = (const char **)config->res,
                .n_res = config->n_res,
                .types = (const char **)types,
                .n_types = ARRAY_LEN(types),
                .version = config->version,
                .n_version = strlen(config->version),
                .host = config->host,
                .n_host = strlen(config->host),
                .pid = config->pid,
                .has_pid = true,
                .enforces = config->enforces,
                .n_enforces = config->enforces ? strlen(config->enforces) : 0,
                .has_draining = core->draining,
                .draining = core->draining,
                .n_held = held.n,
        };
        ready->held = arena_get(core, held.n * sizeof(*held.list));
        if (held.n)
                memcpy(ready->held, held.list, held.n * sizeof(*held.list));
        free(held.list);
}

/* ------------------------------------------------------------------ finished */
#define VALUES_MAX 4096 /* per-task numbers of one end; a larger group shares its first task's */

struct columns { /* per-task values, with what tells whether they are all alike */
        int64_t *values[4];
        bool alike[4];
};

static void fill_columns(struct columns *columns, const struct out_end *end, int64_t now_us, uint64_t n,
                         bool each)
{
        size_t at = 0;

        for (size_t c = 0; c < 4; c++)
                columns->alike[c] = true;
        for (size_t i = 0; i < end->n_runs; i++) {
                const struct ended_run *run = end->runs + i;
                int64_t row[4] = { MAX(now_us - run->ended_us, INT64_C(0)), run->ran_us, run->cpu_us,
                                   run->rss_kib };

                for (uint64_t k = run->lo; k <= run->hi && at < n; k++, at++) {
                        for (size_t c = 0; c < 4; c++) {
                                columns->values[c][at] = row[c];
                                columns->alike[c] &= row[c] == columns->values[c][0];
                        }
                        if (!each)
                                return;
                }
        }
}

static void build_end(struct wcore *core, struct out_end *end, int64_t now_us, struct rec_task_end *rec)
{
        struct columns columns;
        uint64_t n = 0;
        size_t n_values;

        qsort(end->runs, end->n_runs, sizeof(*end->runs), run_order);
        *rec = (struct rec_task_end){ .job = end->job->id,
                                      .nonce = end->nonce,
                                      .epoch = end->epoch,
                                      .attempt = end->attempt,
                                      .status = end->status,
                                      .reason = end->reason,
                                      .has_reason = end->reason != TASK_REASON_NONE,
                                      .exit_code = end->code,
                                      .has_exit_code = end->has_code,
                                      .exit_signal = end->signal,
                                      .has_exit_signal = end->has_signal };
        rec->has_job = rec->has_nonce = rec->has_epoch = rec->has_attempt = rec->has_status = true;
        rec->ranges = arena_get(core, end->n_runs * sizeof(*rec->ranges));
        for (size_t i = 0; i < end->n_runs; i++)
                n += end->runs[i].hi - end->runs[i].lo + 1;
        rec->n_ranges = join_runs(end->runs, end->n_runs, rec->ranges);
        n_values = n > VALUES_MAX || end->n_runs == 1 ? 1 : (size_t)n;
        for (size_t c = 0; c < 4; c++)
                columns.values[c] = arena_get(core, n_values * sizeof(int64_t));
        fill_columns(&columns, end, now_us, n_values, n_values > 1);
        if (columns.values[1][0] < 0) /* never started: only when it was given up */
                columns.alike[1] = columns.alike[2] = columns.alike[3] = true;
        rec->ago_us = columns.values[0];
        rec->n_ago_us = columns.alike[0] ? 1 : n_values;
        rec->ran_us = columns.values[1];
        rec->n_ran_us = columns.values[1][0] < 0 ? 0 : columns.alike[1] ? 1 : n_values;
        rec->cpu_us = columns.values[2];
        rec->n_cpu_us = columns.alike[2] ? columns.values[2][0] != 0 : n_values;
        rec->rss_kib = columns.values[3];
        rec->n_rss_kib = columns.alike[3] ? columns.values[3][0] != 0 : n_values;
}

static void build_chunks(struct wcore *core, const struct wbatch *batch, struct msg_finished *finished)
{
        finished->n_chunks = batch->n_chunks;
        finished->chunks = arena_get(core, batch->n_chunks * sizeof(*finished->chunks));
        for (size_t i = 0; i < batch->n_chunks; i++) {
                const struct out_chunk *chunk = batch->chunks + i;
                bool output = chunk->kind == DATA_KIND_OUTPUT;

                finished->chunks[i] = (struct rec_task_chunk){ .end = chunk->end,
                                                               .has_end = true,
                                                               .index = chunk->index,
                                                               .has_index = true,
                                                               .kind = chunk->kind,
                                                               .has_kind = true,
                                                               .stream = chunk->stream,
                                                               .has_stream = output,
                                                               .seq = chunk->seq,
                                                               .has_seq = output,
                                                               .final = chunk->final,
                                                               .has_final = chunk->final,
                                                               .bytes = chunk->bytes,
                                                               .has_bytes = true };
        }
}

static void build_files(struct wcore *core, const struct wbatch *batch, struct msg_finished *finished)
{
        finished->n_files = batch->n_files;
        finished->files = arena_get(core, batch->n_files * sizeof(*finished->files));
        for (size_t i = 0; i < batch->n_files; i++) {
                const struct out_file *file = batch->files + i;

                finished->files[i] = (struct rec_task_file){ .end = file->end,
                                                             .has_end = true,
                                                             .index = file->index,
                                                             .has_index = true,
                                                             .file = file->file,
                                                             .has_file = true,
                                                             .name = file->name,
                                                             .n_name = strlen(file->name),
                                                             .bytes = file->bytes,
                                                             .has_bytes = true,
                                                             .sha256 = file->sha256,
                                                             .n_sha256 = 64 };
        }
}

static void build_finished(struct wcore *core, int64_t now_us, struct wbatch *batch, struct msg *msg)
{
        struct msg_finished *finished = &msg->u.finished;

        msg->kind = MSG_finished;
        msg->id = batch->id;
        msg->body = batch->body.n ? batch->body.bytes : NULL;
        msg->body_bytes = batch->body.n;
        *finished =
                (struct msg_finished){ .window = core->window, .has_window = true, .n_ends = batch->n_ends };
        finished->ends = arena_get(core, batch->n_ends * sizeof(*finished->ends));
        for (size_t i = 0; i < batch->n_ends; i++)
                build_end(core, batch->ends + i, now_us, finished->ends + i);
        build_chunks(core, batch, finished);
        build_files(core, batch, finished);
}

/* ------------------------------------------------------------------ the others */
static void build_store(const struct wstore *store, struct msg *msg)
{
        msg->kind = MSG_store;
        msg->id = store->id;
        msg->body = store->n_bytes ? store->bytes : NULL;
        msg->body_bytes = store->n_bytes;
        msg->u.store = (struct msg_store){ .job = store->job,
                                           .has_job = true,
                                           .nonce = store->nonce,
                                           .has_nonce = true,
                                           .attempt = store->attempt,
                                           .has_attempt = true,
                                           .index = store->index,
                                           .has_index = true,
                                           .kind = store->file ? DATA_KIND_FILE : DATA_KIND_OUTPUT,
                                           .has_kind = true,
                                           .stream = store->stream,
                                           .has_stream = !store->file,
                                           .file = store->file,
                                           .has_file = store->file != 0,
                                           .seq = store->seq,
                                           .has_seq = true,
                                           .final = store->final,
                                           .has_final = store->final };
}

static void build_fetch_parent(const struct wfetch *fetch, struct msg *msg)
{
        bool onward = fetch->at.index > 0 || fetch->at.attempt > 0;

        msg->kind = MSG_fetch_parent;
        msg->id = fetch->id;
        msg->u.fetch_parent = (struct msg_fetch_parent){ .job = fetch->job,
                                                         .has_job = true,
                                                         .nonce = fetch->nonce,
                                                         .has_nonce = true,
                                                         .index = fetch->index,
                                                         .has_index = true,
                                                         .kind = fetch->kind,
                                                         .has_kind = true,
                                                         .at_index = fetch->at.index,
                                                         .has_at_index = onward,
                                                         .at_attempt = fetch->at.attempt,
                                                         .has_at_attempt = onward,
                                                         .at_seq = fetch->at.seq,
                                                         .has_at_seq = onward };
        if (fetch->kind != DATA_KIND_OUTPUT || !fetch->has_stdin_index)
                return;
        msg->u.fetch_parent.stdin_index = fetch->stdin_index;
        msg->u.fetch_parent.has_stdin_index = true;
}

static void build_fetch(const struct wfetch *fetch, struct msg *msg)
{
        if (fetch->of_parents) {
                build_fetch_parent(fetch, msg);
                return;
        }
        msg->kind = MSG_fetch;
        msg->id = fetch->id;
        msg->u.fetch = (struct msg_fetch){ .job = fetch->job,
                                           .has_job = true,
                                           .nonce = fetch->nonce,
                                           .has_nonce = true,
                                           .index = fetch->index,
                                           .has_index = true,
                                           .input = fetch->input,
                                           .has_input = true,
                                           .seq = fetch->seq,
                                           .has_seq = true };
}

static bool build_started(struct wcore *core, int64_t now_us, struct msg *msg)
{
        struct msg_started *started = &msg->u.started;
        struct wtask *task;
        size_t n = 0;

        for (task = core->unsaid;
             task && n < BATCH_TASKS_MAX && now_us - task->started_us >= STARTED_AFTER_US; task = task->next)
                n++;
        if (!n)
                return false;
        msg->kind = MSG_started;
        *started = (struct msg_started){ .tasks = arena_get(core, n * sizeof(*started->tasks)) };
        for (task = core->unsaid; started->n_tasks < n; task = task->next) {
                struct rec_lease_tasks *rec = started->tasks + started->n_tasks++;

                rec->job = task->lease->job->id;
                rec->nonce = task->lease->nonce;
                rec->ranges = arena_get(core, sizeof(*rec->ranges));
                rec->ranges[0] = (struct range){ task->index, task->index };
                rec->n_ranges = 1;
                rec->ago_us = (uint64_t)(now_us - task->started_us);
                rec->has_job = rec->has_nonce = rec->has_ago_us = true;
        }
        return true;
}

static struct wbatch *next_batch(struct wcore *core, int64_t now_us)
{
        struct wbatch *batch;

        if (core->open && core->open_due_us <= now_us)
                batch_close(core);
        DL_FOREACH (core->closed, batch)
                if (!batch->sent && batch->not_before_us <= now_us)
                        return batch;
        return NULL;
}

static bool may_say_bye(const struct wcore *core)
{
        return core->draining && !core->said_bye && !core->n_running && !core->n_unstarted && !core->open &&
               !core->closed && !core->n_stores;
}

static bool pull_live(struct wcore *core, int64_t now_us, struct msg *msg)
{
        struct wstore *store;
        struct wfetch *fetch;
        struct wbatch *batch;

        DL_FOREACH (core->stores, store)
                if (!store->sent) {
                        build_store(store, msg);
                        return true;
                }
        fetch = fetch_next(core, now_us);
        if (fetch) {
                build_fetch(fetch, msg);
                return true;
        }
        if (report_pull(core, now_us, msg))
                return true;
        batch = next_batch(core, now_us);
        core->pulled = batch;
        if (batch) {
                build_finished(core, now_us, batch, msg);
                return true;
        }
        if (build_started(core, now_us, msg))
                return true;
        if (may_say_bye(core)) {
                msg->kind = MSG_bye;
                return true;
        }
        if (now_us < core->heartbeat_at_us)
                return false;
        msg->kind = MSG_heartbeat;
        msg->u.heartbeat = (struct msg_heartbeat){
                .window = core->window, .has_window = true, .running = core->n_running, .has_running = true
        };
        return true;
}

bool wcore_pull(struct wcore *core, int64_t now_us, struct msg *msg)
{
        arena_reset(core);
        memset(msg, 0, offsetof(struct msg, u));
        switch (core->session) {
        case SESSION_DOWN:
        case SESSION_GREETED:
                return false;
        case SESSION_GREET:
                if (now_us < core->greet_at_us)
                        return false;
                build_ready(core, now_us, msg);
                return true;
        case SESSION_LIVE:
                return pull_live(core, now_us, msg);
        }
        return false;
}

static void sent_started(struct wcore *core, const struct msg *msg)
{
        for (size_t i = 0; i < msg->u.started.n_tasks && core->unsaid; i++) {
                core->unsaid->said = true;
                core->unsaid = core->unsaid->next;
        }
}

/* The first unsent one is what was pulled: pulls are not remembered, they are the same until something is sent. */
void wcore_sent(struct wcore *core, int64_t now_us, const struct msg *msg)
{
        struct wstore *store;
        struct wfetch *fetch;

        if (msg->kind == MSG_ready) {
                core->session = SESSION_GREETED;
                core->ready_id = msg->id;
                for (; core->unsaid; core->unsaid = core->unsaid->next)
                        core->unsaid->said = true; /* ready named them as started */
                core->greet_at_us = now_us + HELLO_AGAIN_US;
        } else if (msg->kind == MSG_store) {
                DL_SEARCH_SCALAR(core->stores, store, sent, false);
                store->sent = true;
                store->id = msg->id;
        } else if (msg->kind == MSG_fetch || msg->kind == MSG_fetch_parent) {
                fetch = fetch_next(core, now_us);
                fetch->sent = true;
                fetch->id = msg->id;
        } else if (msg->kind == MSG_finished) {
                core->pulled->sent = true;
                core->pulled->id = msg->id;
                core->heartbeat_at_us = MAX(core->heartbeat_at_us, now_us + core->heartbeat_us);
        } else if (msg->kind == MSG_progress) {
                report_sent(core, now_us);
        } else if (msg->kind == MSG_started) {
                sent_started(core, msg);
        } else if (msg->kind == MSG_heartbeat) {
                core->heartbeat_at_us = now_us + core->heartbeat_us;
        } else if (msg->kind == MSG_bye) {
                core->said_bye = true;
        }
}
