/* What the coordinator's messages do. They are input: what does not fit what we hold changes nothing. */
#include "core/wstate.h"

#include <string.h>
#include <stdlib.h>
#include <utlist.h>

/* ------------------------------------------------------------------ run */
static uint64_t count_tasks(const struct rec_grant *grant)
{
        uint64_t n = 0;

        for (size_t i = 0; i < grant->n_ranges; i++) {
                if (grant->ranges[i].hi > INT32_MAX)
                        return 0;
                n += grant->ranges[i].hi - grant->ranges[i].lo + 1;
        }
        return n;
}

static bool grant_makes_sense(const struct wjob *job, const struct rec_grant *grant)
{
        uint64_t n = count_tasks(grant);
        uint64_t n_values = grant->has_n_values ? grant->n_values : 1;

        if (!n || n > 1000000)
                return false;
        if (job->box->spec.has_entries)
                return grant->n_entries == n * n_values;
        return !grant->n_entries;
}

static void take_specs(struct wcore *core, const struct msg_run *run)
{
        for (size_t i = 0; i < run->n_specs; i++)
                job_add(core, run->specs + i);
}

static void on_run(struct wcore *core, int64_t now_us, struct msg **take_msg, struct weffects *out)
{
        const struct msg_run *run = &(*take_msg)->u.run;
        struct wgrants *keep = xcalloc(1, sizeof(*keep));
        bool again = false;

        keep->refs = 1;
        keep->msg = STEAL(*take_msg);
        take_specs(core, run);
        for (size_t i = 0; i < run->n_grants; i++) {
                const struct rec_grant *grant = run->grants + i;
                struct wjob *job = job_find(core, grant->job);

                if (lease_find(core, grant->nonce))
                        continue; /* said twice */
                if (!job || !grant_makes_sense(job, grant)) {
                        again = true;
                        continue;
                }
                lease_add(core, now_us, job, run->epoch, grant, keep);
        }
        grants_unref(keep);
        if (again) { /* ready does not name what we could not take, so it is granted anew, with its description */
                core_note(out, true, "was granted tasks that it cannot make out; asks again", "");
                core_greet(core, now_us + BACK_OFF_US);
        }
        if (core->draining || core->paused)
                core_give_back(core, now_us, 0, UINT64_MAX, out);
        core_dispatch(core, now_us, out);
}

/* ------------------------------------------------------------------ stop, signal, limits, take-back, order */
static bool in_ranges(const struct rec_lease_tasks *tasks, uint64_t index)
{
        for (size_t i = 0; i < tasks->n_ranges; i++)
                if (index >= tasks->ranges[i].lo && index <= tasks->ranges[i].hi)
                        return true;
        return false;
}

static void stop_lease(struct wcore *core, int64_t now_us, const struct rec_lease_tasks *tasks,
                       enum task_reason reason, struct weffects *out)
{
        struct wlease *lease = lease_find(core, tasks->nonce);
        bool silent = reason == TASK_REASON_WORKER_LOST;
        struct wtask *task;
        struct range range;

        if (!lease || lease->job->id != tasks->job)
                return;
        for (size_t i = 0; i < tasks->n_ranges; i++)
                while (lease_take_inside(core, lease, tasks->ranges + i, &range))
                        if (!silent)
                                end_unstarted(core, now_us, lease, range, END_STATUS_CANCELLED, reason);
        DL_FOREACH (core->running, task)
                if (task->lease == lease && in_ranges(tasks, task->index))
                        core_stop_task(task, silent ? WSTOP_SILENT : WSTOP_CANCEL, reason, out);
        lease_settle(core, lease, out);
}

static void on_stop(struct wcore *core, int64_t now_us, const struct msg_stop *stop, struct weffects *out)
{
        for (size_t i = 0; i < stop->n_tasks; i++)
                stop_lease(core, now_us, stop->tasks + i, stop->reason, out);
        core_dispatch(core, now_us, out);
}

static void on_signal(struct wcore *core, const struct msg_send_signal *signal, struct weffects *out)
{
        for (size_t i = 0; i < signal->n_tasks; i++) {
                const struct rec_lease_tasks *tasks = signal->tasks + i;
                struct wlease *lease = lease_find(core, tasks->nonce);
                struct wtask *task;

                DL_FOREACH (core->running, task) {
                        struct weffect *effect;

                        if (!lease || task->lease != lease || !in_ranges(tasks, task->index))
                                continue;
                        effect = effect_add(out, WEFFECT_SIGNAL);
                        effect->u.task.task = task;
                        effect->u.task.signal = (int)signal->signal;
                }
        }
}

/* The first limit or a new one, counted from each task's start; what has run longer ends with the next tick. */
static void on_limits(struct wcore *core, const struct msg_limits *limits)
{
        for (size_t i = 0; i < limits->n_jobs; i++) {
                struct wjob *job = job_find(core, limits->jobs[i].job);
                struct wtask *task;

                if (!job)
                        continue;
                job->box->spec.time_ms = limits->jobs[i].time_ms;
                job->box->spec.has_time_ms = true;
                DL_FOREACH (core->running, task) {
                        int64_t at_us = task->started_us + (int64_t)limits->jobs[i].time_ms * US_PER_MS;

                        if (task->lease->job == job &&
                            task->limit_at_us != at_us) /* else it was warned already */
                                core_set_limits(core, task);
                }
        }
}

static void on_order(struct wcore *core, int64_t now_us, enum worker_order order, struct weffects *out)
{
        switch (order) {
        case WORKER_ORDER_DRAIN:
                core_note(out, false, "pauses: told to drain", "");
                core->paused = true;
                core_give_back(core, now_us, 0, UINT64_MAX, out);
                break;
        case WORKER_ORDER_RESUME:
                core_note(out, false, "goes on: told to resume", "");
                core->paused = false;
                break;
        case WORKER_ORDER_STOP:
                core_note(out, false, "drains: told to stop", "");
                core_start_drain(core, now_us, out);
                break;
        }
        window_update(core, now_us);
        core->heartbeat_at_us = now_us; /* says the new window */
        core_dispatch(core, now_us, out);
}

/* ------------------------------------------------------------------ answers */
static void on_resume(struct wcore *core, int64_t now_us, const struct msg_resume *resume,
                      struct weffects *out)
{
        core->lease_us = (int64_t)resume->lease_ms * US_PER_MS;
        core->reconnect_us = (int64_t)resume->reconnect_ms * US_PER_MS;
        core->heartbeat_us = (int64_t)resume->heartbeat_ms * US_PER_MS;
        memcpy(core->worker, resume->worker, MIN(resume->n_worker, sizeof(core->worker) - 1));
        core->worker[MIN(resume->n_worker, sizeof(core->worker) - 1)] = '\0';
        core->refusals = 0;
        if (resume->has_ready && resume->ready) {
                core_greet(core, now_us);
                return;
        }
        core->session = SESSION_LIVE;
        core->was_live = true;
        core->heartbeat_at_us = now_us + core->heartbeat_us;
        effect_add(out, WEFFECT_LIVE);
        core_dispatch(core, now_us, out);
}

/* Work of the lease behind a `store` or `fetch` that is no longer current: end it and say nothing. */
static void drop_lease(struct wcore *core, uint64_t nonce, uint64_t index, struct weffects *out)
{
        struct wtask *task;

        DL_FOREACH (core->running, task)
                if (task->lease->nonce == nonce && task->index == index)
                        core_stop_task(task, WSTOP_SILENT, TASK_REASON_WORKER_LOST, out);
}

static void on_stale(struct wcore *core, uint64_t re, struct weffects *out)
{
        struct wbatch *batch = batch_find(core, re);
        struct wstore *store = store_find(core, re);
        struct wfetch *fetch = fetch_find(core, re);

        if (batch) {
                batch_free(core, batch, out);
        } else if (store) {
                drop_lease(core, store->nonce, store->index, out);
                store_drop(core, store);
                effect_add(out, WEFFECT_CREDIT);
        } else if (fetch) {
                if (!fetch->of_parents)
                        effect_add(out, WEFFECT_INPUT)->u.input.job = job_find(core, fetch->job);
                drop_lease(core, fetch->nonce, fetch->index, out);
                fetch_drop(core, fetch);
        }
}

/* The answer to a question of one task, which may have ended meanwhile. */
static void tell_task(struct wcore *core, struct wfetch *fetch, struct msg **take_msg, struct weffects *out)
{
        struct wtask *task;

        DL_FOREACH (core->running, task) {
                struct weffect *effect;

                if (task->lease->nonce != fetch->nonce || task->index != fetch->index)
                        continue;
                effect = effect_add(out, WEFFECT_PARENT);
                effect->u.input.task = task;
                effect->u.input.msg = take_msg ? STEAL(*take_msg) : NULL;
                break;
        }
        fetch_drop(core, fetch);
}

static void on_parent(struct wcore *core, struct msg **take_msg, struct weffects *out)
{
        struct wfetch *fetch = fetch_find(core, (*take_msg)->re);

        if (fetch && fetch->of_parents && fetch->kind == (*take_msg)->u.parent_chunk.kind)
                tell_task(core, fetch, take_msg, out);
}

static void on_recorded(struct wcore *core, uint64_t re, struct weffects *out)
{
        struct wbatch *batch = batch_find(core, re);

        if (batch)
                batch_free(core, batch, out);
}

static void on_kept(struct wcore *core, uint64_t re, struct weffects *out)
{
        struct wstore *store = store_find(core, re);

        if (!store)
                return;
        store_drop(core, store);
        effect_add(out, WEFFECT_CREDIT);
}

static void on_input(struct wcore *core, struct msg **take_msg, struct weffects *out)
{
        struct wfetch *fetch = fetch_find(core, (*take_msg)->re);
        struct msg_input_chunk *chunk = &(*take_msg)->u.input_chunk;
        struct weffect *effect;

        if (!fetch || fetch->of_parents || fetch->job != chunk->job || fetch->input != chunk->input ||
            fetch->seq != chunk->seq)
                return;
        effect = effect_add(out, WEFFECT_INPUT);
        effect->u.input.job = job_find(core, fetch->job);
        effect->u.input.msg = STEAL(*take_msg);
        fetch_drop(core, fetch);
}

static bool code_means_later(enum err_code code)
{
        return code == ERR_RETRY_LATER || code == ERR_RATE || code == ERR_UNREACHABLE;
}

static bool code_means_no(enum err_code code, bool of_ready)
{
        return code == ERR_UNAUTHENTICATED || (code == ERR_FORBIDDEN && of_ready);
}

/* Refused as a worker altogether. One that had been known may only be meeting a restart, so it tries a few times. */
static void on_not_allowed(struct wcore *core, int64_t now_us, bool of_ready, const char *text,
                           struct weffects *out)
{
        if (!of_ready) {
                if (core->session == SESSION_LIVE)
                        core_greet(core, now_us);
                return;
        }
        core->refusals++;
        if (!core->was_live || core->refusals >= REFUSALS_MAX) {
                core_note(out, true, "the coordinator refuses this worker: %s", text);
                core_stop_all(core, now_us, WSTOP_LEAVE, TASK_REASON_STOPPED, out);
                core_exit(core, out, 77, text);
                return;
        }
        core_greet(core, now_us + HELLO_AGAIN_US);
}

/* An input that cannot be had fails its tasks. What we said of others is lost: `ready` does not name them any more, so
 * that they run again instead of being waited for. */
static void on_refused_for_good(struct wcore *core, int64_t now_us, uint64_t re, struct weffects *out)
{
        struct wfetch *fetch = fetch_find(core, re);
        bool known = batch_find(core, re) || store_find(core, re);

        if (fetch && fetch->of_parents) {
                tell_task(core, fetch, NULL, out);
                return;
        }
        if (fetch) {
                struct weffect *effect = effect_add(out, WEFFECT_INPUT);

                effect->u.input.job = job_find(core, fetch->job);
                effect->u.input.refused = true;
                fetch_drop(core, fetch);
                return;
        }
        on_stale(core, re, out);
        if (known)
                core_greet(core, now_us + BACK_OFF_US);
}

static void on_refused(struct wcore *core, int64_t now_us, uint64_t re,
                       const struct msg_worker_refused *refused, struct weffects *out)
{
        struct wbatch *batch = batch_find(core, re);
        struct wstore *store = store_find(core, re);
        struct wfetch *fetch = fetch_find(core, re);

        bool of_ready = re == core->ready_id && core->session == SESSION_GREETED;

        if (code_means_no(refused->code, of_ready)) {
                on_not_allowed(core, now_us, of_ready, refused->text, out);
        } else if (of_ready) {
                if (!core->was_live && !code_means_later(refused->code))
                        core_exit(core, out, 78, refused->text);
                core_greet(core, now_us + BACK_OFF_US);
        } else if (code_means_later(refused->code)) {
                if (batch) {
                        batch->sent = false;
                        batch->not_before_us = now_us + BACK_OFF_US;
                }
                if (store)
                        store->sent = false;
                if (fetch) {
                        fetch->sent = false;
                        fetch->not_before_us = now_us + FETCH_AGAIN_US;
                }
        } else {
                core_note(out, true, "the coordinator refused a message: %s", refused->text);
                on_refused_for_good(core, now_us, re, out);
        }
}

void wcore_on_message(struct wcore *core, int64_t now_us, struct msg **take_msg, struct weffects *out)
{
        struct msg *msg = *take_msg;

        if (msg->kind != MSG_worker_refused) {
                core->heard_us = now_us;
                core->gave_up = false;
        }
        /* Not a switch: the kinds of other directions never reach us (the decoder refuses them). */
        if (msg->kind == MSG_run && core->session == SESSION_LIVE)
                on_run(core, now_us, take_msg, out);
        else if (msg->kind == MSG_stop)
                on_stop(core, now_us, &msg->u.stop, out);
        else if (msg->kind == MSG_send_signal)
                on_signal(core, &msg->u.send_signal, out);
        else if (msg->kind == MSG_take_back)
                core_give_back(core, now_us, msg->u.take_back.job, msg->u.take_back.n, out);
        else if (msg->kind == MSG_limits)
                on_limits(core, &msg->u.limits);
        else if (msg->kind == MSG_order)
                on_order(core, now_us, msg->u.order.state, out);
        else if (msg->kind == MSG_recorded)
                on_recorded(core, msg->re, out);
        else if (msg->kind == MSG_stale)
                on_stale(core, msg->re, out);
        else if (msg->kind == MSG_resume)
                on_resume(core, now_us, &msg->u.resume, out);
        else if (msg->kind == MSG_input_chunk)
                on_input(core, take_msg, out);
        else if (msg->kind == MSG_parent_chunk)
                on_parent(core, take_msg, out);
        else if (msg->kind == MSG_kept)
                on_kept(core, msg->re, out);
        else if (msg->kind == MSG_worker_refused)
                on_refused(core, now_us, msg->re, &msg->u.worker_refused, out);
}
