/* The worker's life: slots, starting and stopping, time, drain. What messages do is in won.c, what ends become in
 * wend.c, what is said in wpull.c. */
#include "core/wstate.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define LEASE_UNTIL_TOLD_US (30 * US_PER_S)
#define RECONNECT_UNTIL_TOLD_US (900 * US_PER_S)
#define HEARTBEAT_UNTIL_TOLD_US (5 * US_PER_S)
#define GRACE_DEFAULT_MS 10000

/* ------------------------------------------------------------------ effects */
struct weffect *effect_add(struct weffects *out, enum weffect_kind kind)
{
        GROW(out->list, out->cap, out->n + 1);
        out->list[out->n] = (struct weffect){ .kind = kind };
        return &out->list[out->n++];
}

static void job_drop(struct wjob *job)
{
        job_spec_free(job->box);
        free(job->owner);
        free(job->install);
        free(job);
}

void weffects_clear(struct weffects *effects)
{
        for (size_t i = 0; i < effects->n; i++) {
                struct weffect *effect = effects->list + i;

                if (effect->kind == WEFFECT_INPUT || effect->kind == WEFFECT_PARENT)
                        msg_free(effect->u.input.msg);
                else if (effect->kind == WEFFECT_JOB_GONE)
                        job_drop(effect->u.input.job);
        }
        effects->n = 0;
}

void weffects_done(struct weffects *effects)
{
        weffects_clear(effects);
        free(effects->list);
        *effects = (struct weffects){ 0 };
}

/* fmt holds one %s or none; the core has no printf. */
static void say(struct weffect *effect, const char *fmt, const char *detail)
{
        size_t at = 0, max = sizeof(effect->u.say.text) - 1;

        for (const char *p = fmt; *p && at < max; p++) {
                if (p[0] != '%' || p[1] != 's') {
                        effect->u.say.text[at++] = *p;
                        continue;
                }
                p++;
                for (const char *d = detail; *d && at < max; d++)
                        effect->u.say.text[at++] = *d;
        }
        effect->u.say.text[at] = '\0';
}

void core_note(struct weffects *out, bool is_error, const char *fmt, const char *detail)
{
        struct weffect *effect = effect_add(out, WEFFECT_NOTE);

        effect->u.say.is_error = is_error;
        say(effect, fmt, detail);
}

void core_exit(struct wcore *core, struct weffects *out, int code, const char *text)
{
        struct weffect *effect;

        if (core->exited)
                return;
        core->exited = true;
        effect = effect_add(out, WEFFECT_EXIT);
        effect->u.say.code = code;
        effect->u.say.is_error = code != 0;
        say(effect, "%s", text);
}

/* ------------------------------------------------------------------ life */
struct wcore *wcore_new(const struct wcore_config *config, int64_t now_us)
{
        struct wcore *core = xcalloc(1, sizeof(*core));

        core->config = *config;
        core->born_us = core->idle_since_us = core->heard_us = core->last_end_us = now_us;
        core->lease_us = LEASE_UNTIL_TOLD_US;
        core->reconnect_us = RECONNECT_UNTIL_TOLD_US;
        core->heartbeat_us = HEARTBEAT_UNTIL_TOLD_US;
        core->limit_at_us = INT64_MAX;
        core->free_slots = config->slots;
        core->average_run_us = -1;
        core->window = config->slots * 2;
        return core;
}

void wcore_free(struct wcore *core)
{
        struct weffects out = { 0 };

        if (!core)
                return;
        report_free_all(core);
        while (core->running) {
                struct wtask *task = core->running;

                DL_DELETE(core->running, task);
                task->lease->n_running--;
                job_spec_free(task->own);
                free(task);
        }
        batch_close(core);
        while (core->closed)
                batch_free(core, core->closed, &out);
        while (core->leases)
                lease_free(core, core->leases, &out);
        while (core->stores)
                store_drop(core, core->stores);
        while (core->fetches)
                fetch_drop(core, core->fetches);
        weffects_done(&out);
        while (core->idle_jobs) {
                struct wjob *job = core->idle_jobs;

                DL_DELETE(core->idle_jobs, job);
                job_free(core, job);
        }
        arena_free(core);
        free(core);
}

void core_greet(struct wcore *core, int64_t at_us)
{
        struct wbatch *batch;
        struct wstore *store;
        struct wfetch *fetch;

        core->session = SESSION_GREET;
        core->greet_at_us = at_us;
        DL_FOREACH (core->closed, batch)
                batch->sent = false;
        DL_FOREACH (core->stores, store)
                store->sent = false;
        DL_FOREACH (core->fetches, fetch)
                fetch->sent = false;
        report_all_again(core);
}

void wcore_on_link(struct wcore *core, int64_t now_us, bool up, struct weffects *out)
{
        (void)out;
        if (up)
                core_greet(core, now_us);
        else
                core->session = SESSION_DOWN;
}

/* ------------------------------------------------------------------ starting */
/* Is our claim to what we hold fresh enough to start more of it? Nobody else has it before one lease of silence. */
static bool claim_is_fresh(const struct wcore *core, int64_t now_us)
{
        return now_us - core->heard_us < core->lease_us / 3 * 2;
}

static void start_group(struct wcore *core, struct wlease *lease, struct weffects *out)
{
        struct range range;

        while (lease_take_first(core, lease, &range, UINT64_MAX >> 1)) {
                struct weffect *effect = effect_add(out, WEFFECT_GROUP);

                lease->n_running++; /* until wcore_on_group_ended */
                effect->u.group.lease = lease;
                effect->u.group.range = range;
        }
}

void core_set_limits(struct wcore *core, struct wtask *task)
{
        const struct rec_job_spec *spec = wtask_spec(task);

        if (!spec->has_time_ms)
                return;
        task->limit_at_us = task->started_us + (int64_t)spec->time_ms * US_PER_MS;
        core->limit_at_us = MIN(core->limit_at_us, task->limit_at_us);
        if (!spec->has_warn_signal)
                return;
        task->warn_at_us = MAX(task->limit_at_us - (int64_t)spec->warn_ms * US_PER_MS, task->started_us);
        core->limit_at_us = MIN(core->limit_at_us, task->warn_at_us);
}

static uint64_t free_gpus(const struct wcore *core)
{
        return core->config.gpus - (uint64_t)__builtin_popcountll(core->gpus_taken);
}

/* The lowest ones that are free. */
static uint64_t take_gpus(struct wcore *core, uint64_t n)
{
        uint64_t taken = 0;

        for (unsigned gpu = 0; gpu < 64 && n > 0; gpu++) {
                uint64_t bit = UINT64_C(1) << gpu;

                if (core->gpus_taken & bit)
                        continue;
                taken |= bit;
                n--;
        }
        core->gpus_taken |= taken;
        return taken;
}

static void start_task(struct wcore *core, int64_t now_us, struct wlease *lease, struct weffects *out)
{
        struct wtask *task = xcalloc(1, sizeof(*task));
        struct range range;

        BUG_ON(!lease_take_first(core, lease, &range, 1));
        task->lease = lease;
        task->index = range.lo;
        task->own = wlease_own_spec(lease, range.lo);
        task->started_us = now_us;
        task->cpus = lease->cpus;
        core->free_slots -= task->cpus;
        task->gpus = take_gpus(core, lease->gpus);
        lease->n_running++;
        core->n_running++;
        DL_APPEND(core->running, task);
        if (!core->unsaid)
                core->unsaid = task;
        core_set_limits(core, task);
        effect_add(out, WEFFECT_START)->u.task.task = task;
}

/* First come, first served: what a wide task waits for is not given away to narrow ones behind it. */
void core_dispatch(struct wcore *core, int64_t now_us, struct weffects *out)
{
        while (core->queue) {
                struct wlease *lease = core->queue;

                if (core->draining || core->paused || core->unrecorded_bytes > WCORE_UNRECORDED_BYTES_MAX ||
                    !claim_is_fresh(core, now_us))
                        return;
                if (core->config.ends_at_once >> lease->job->box->spec.type & 1)
                        start_group(core, lease, out);
                else if (lease->cpus <= core->free_slots && lease->gpus <= free_gpus(core))
                        start_task(core, now_us, lease, out);
                else
                        return;
        }
}

/* ------------------------------------------------------------------ ends */
static void note_idle(struct wcore *core, int64_t now_us)
{
        if (!core->n_running && !core->n_unstarted)
                core->idle_since_us = now_us;
}

void wcore_on_ended(struct wcore *core, int64_t now_us, struct wtask *task, const struct wend *end,
                    struct weffects *out)
{
        struct wlease *lease = task->lease;

        if (core->unsaid == task)
                core->unsaid = task->next;
        DL_DELETE(core->running, task);
        core->n_running--;
        core->free_slots += task->cpus;
        core->gpus_taken &= ~task->gpus;
        lease->n_running--;
        report_task_ended(core, now_us, task, task->stop == WSTOP_SILENT);
        if (task->stop == WSTOP_SILENT)
                store_drop_task(core, lease->nonce, task->index);
        else
                end_running(core, now_us, task, end);
        if (task->stop == WSTOP_NONE)
                window_ended(core, now_us, now_us - task->started_us, 1);
        job_spec_free(task->own);
        free(task);
        lease_settle(core, lease, out);
        note_idle(core, now_us);
        core_dispatch(core, now_us, out);
}

void wcore_on_group_ended(struct wcore *core, int64_t now_us, struct wlease *lease, struct range range,
                          const struct wend *end, const struct wchunk *outputs, struct weffects *out)
{
        lease->n_running--;
        end_group(core, now_us, lease, range, end, outputs);
        window_ended(core, now_us, 1, range.hi - range.lo + 1);
        lease_settle(core, lease, out);
        note_idle(core, now_us);
}

/* ------------------------------------------------------------------ stopping */
void core_stop_task(struct wtask *task, enum wstop stop, enum task_reason reason, struct weffects *out)
{
        const struct rec_job_spec *spec = wtask_spec(task);
        struct weffect *effect;

        if (task->stop == WSTOP_NONE ||
            stop == WSTOP_SILENT) { /* the first cause counts, but for a lost lease */
                task->stop = stop;
                task->stop_reason = reason;
        }
        effect = effect_add(out, WEFFECT_STOP);
        effect->u.task.task = task;
        effect->u.task.grace_us =
                (int64_t)(spec->has_grace_ms ? spec->grace_ms : GRACE_DEFAULT_MS) * US_PER_MS;
}

void core_stop_all(struct wcore *core, int64_t now_us, enum wstop stop, enum task_reason reason,
                   struct weffects *out)
{
        struct wtask *task;

        core_give_back(core, now_us, 0, UINT64_MAX, out);
        DL_FOREACH (core->running, task)
                if (task->stop == WSTOP_NONE)
                        core_stop_task(task, stop, reason, out);
}

/* From the back of the queue: what would have started last. */
void core_give_back(struct wcore *core, int64_t now_us, uint64_t job, uint64_t n_tasks, struct weffects *out)
{
        struct wlease *lease = core->queue ? core->queue->prev : NULL;

        while (n_tasks && lease) {
                struct wlease *before = lease == core->queue ? NULL : lease->prev;
                struct range range;

                while (n_tasks && (job == 0 || lease->job->id == job) &&
                       lease_take_last(core, lease, &range, n_tasks)) {
                        n_tasks -= range.hi - range.lo + 1;
                        end_unstarted(core, now_us, lease, range, END_STATUS_RETURNED, TASK_REASON_RETURNED);
                }
                lease_settle(core, lease, out);
                lease = before;
        }
        note_idle(core, now_us);
}

void core_start_drain(struct wcore *core, int64_t now_us, struct weffects *out)
{
        if (core->draining)
                return;
        core->draining = true;
        core->drain_at_us = now_us;
        core->window = 0;
        core->heartbeat_at_us = now_us; /* says so */
        core_give_back(core, now_us, 0, UINT64_MAX, out);
}

static int64_t longest_grace_us(const struct wcore *core)
{
        struct wtask *task;
        int64_t longest = 0;

        DL_FOREACH (core->running, task) {
                const struct rec_job_spec *spec = wtask_spec(task);

                longest = MAX(longest, (int64_t)(spec->has_grace_ms ? spec->grace_ms : GRACE_DEFAULT_MS));
        }
        return longest * US_PER_MS;
}

static void force(struct wcore *core, int64_t now_us, struct weffects *out)
{
        if (core->forced)
                return;
        core->forced = true;
        core->forced_at_us = now_us + longest_grace_us(core) + FORCED_EXIT_US;
        core_stop_all(core, now_us, WSTOP_LEAVE, TASK_REASON_STOPPED, out);
}

void wcore_on_drain(struct wcore *core, int64_t now_us, struct weffects *out)
{
        if (core->draining)
                force(core, now_us, out);
        core_start_drain(core, now_us, out);
}

/* ------------------------------------------------------------------ time */
static void sooner(int64_t *at, int64_t other)
{
        *at = MIN(*at, other);
}

static void warn(struct wtask *task, struct weffects *out)
{
        struct weffect *effect = effect_add(out, WEFFECT_SIGNAL);

        effect->u.task.task = task;
        effect->u.task.signal = (int)wtask_spec(task)->warn_signal;
        task->warn_at_us = 0;
}

static void tick_limits(struct wcore *core, int64_t now_us, struct weffects *out)
{
        struct wtask *task;

        if (now_us < core->limit_at_us)
                return;
        core->limit_at_us = INT64_MAX;
        DL_FOREACH (core->running, task) {
                if (!task->limit_at_us || task->stop != WSTOP_NONE)
                        continue;
                if (task->limit_at_us <= now_us) {
                        core_stop_task(task, WSTOP_LIMIT, TASK_REASON_TIME_LIMIT, out);
                        continue;
                }
                if (task->warn_at_us && task->warn_at_us <= now_us)
                        warn(task, out);
                sooner(&core->limit_at_us, task->warn_at_us ? task->warn_at_us : task->limit_at_us);
        }
}

static bool nothing_in_hand(const struct wcore *core)
{
        return !core->n_running && !core->n_unstarted && !core->open && !core->closed && !core->n_stores;
}

/* Draining ends with bye, or without it where nobody listens. */
static void tick_drain(struct wcore *core, int64_t now_us, struct weffects *out)
{
        if (!core->draining)
                return;
        if (core->config.drain_timeout_us && now_us >= core->drain_at_us + core->config.drain_timeout_us)
                force(core, now_us, out);
        if (nothing_in_hand(core) && (core->said_bye || core->session != SESSION_LIVE))
                core_exit(core, out, 0, "drained");
        else if (core->forced && !core->n_running &&
                 (core->session == SESSION_DOWN || now_us >= core->forced_at_us))
                core_exit(core, out, 69, "the coordinator could not be told how the last tasks ended");
}

static void tick_life(struct wcore *core, int64_t now_us, struct weffects *out)
{
        const struct wcore_config *config = &core->config;

        if (core->draining)
                return;
        if (config->life_us && now_us >= core->born_us + config->life_us) {
                core_note(out, false, "drains: its --life is over", "");
                core_start_drain(core, now_us, out);
        } else if (config->idle_exit_us && nothing_in_hand(core) &&
                   now_us >= core->idle_since_us + config->idle_exit_us) {
                core_note(out, false, "drains: idle for --idle-exit", "");
                core_start_drain(core, now_us, out);
        }
}

/* Nobody has answered for the whole reconnect window: what runs here has long been granted to others. */
static void tick_contact(struct wcore *core, int64_t now_us, struct weffects *out)
{
        if (core->session == SESSION_GREETED && now_us >= core->greet_at_us)
                core_greet(core, now_us);
        else if (core->session == SESSION_LIVE && now_us - core->heard_us > core->lease_us)
                core_greet(core, now_us);
        if (core->gave_up || now_us - core->heard_us < core->reconnect_us)
                return;
        core->gave_up = true;
        if (core->config.on_lost == WON_LOST_FINISH)
                return;
        core_note(out, true, "stops its tasks: no coordinator for the whole reconnect window", "");
        core_stop_all(core, now_us, WSTOP_LEAVE, TASK_REASON_STOPPED, out);
}

/* When to look whether too much waits: long after it came, after the last end and after the last look. */
static int64_t ahead_deadline(const struct wcore *core)
{
        return MAX(MAX(core->queue->came_us, core->last_end_us), core->ahead_at_us) + GIVE_BACK_AFTER_US;
}

/* Work that was fetched ahead of tasks that turned out to be long: others could have it. */
static void tick_ahead(struct wcore *core, int64_t now_us, struct weffects *out)
{
        uint64_t busy = core->config.slots - core->free_slots;
        uint64_t allowed;

        if (!core->queue || core->session != SESSION_LIVE ||
            now_us - core->queue->came_us < GIVE_BACK_AFTER_US ||
            now_us - core->last_end_us < GIVE_BACK_AFTER_US)
                return;
        window_update(core, now_us);
        allowed = core->window > busy ? core->window - busy : 0;
        if (core->unstarted_cpus > allowed)
                core_give_back(core, now_us, 0, MIN(core->unstarted_cpus - allowed, core->n_unstarted), out);
}

void wcore_on_tick(struct wcore *core, int64_t now_us, struct weffects *out)
{
        tick_limits(core, now_us, out);
        tick_contact(core, now_us, out);
        tick_life(core, now_us, out);
        tick_ahead(core, now_us, out);
        tick_drain(core, now_us, out);
        core_dispatch(core, now_us, out);
}

static int64_t batches_deadline(const struct wcore *core)
{
        const struct wbatch *batch;
        const struct wfetch *fetch;
        int64_t at = core->open ? core->open_due_us : INT64_MAX;

        DL_FOREACH (core->closed, batch)
                if (!batch->sent)
                        sooner(&at, batch->not_before_us);
        DL_FOREACH (core->fetches, fetch)
                if (!fetch->sent)
                        sooner(&at, fetch->not_before_us);
        return at;
}

int64_t wcore_next_deadline_us(const struct wcore *core)
{
        const struct wcore_config *config = &core->config;
        int64_t at = core->limit_at_us;

        if (!core->gave_up)
                sooner(&at, core->heard_us + core->reconnect_us);
        switch (core->session) {
        case SESSION_DOWN:
                break;
        case SESSION_GREET:
        case SESSION_GREETED:
                sooner(&at, core->greet_at_us);
                break;
        case SESSION_LIVE:
                sooner(&at, batches_deadline(core));
                sooner(&at, core->heartbeat_at_us);
                sooner(&at, report_deadline(core));
                sooner(&at, core->heard_us + core->lease_us + 1);
                if (core->unsaid)
                        sooner(&at, core->unsaid->started_us + STARTED_AFTER_US);
                if (core->queue && !core->free_slots)
                        sooner(&at, ahead_deadline(core));
                break;
        }
        if (core->draining) {
                if (config->drain_timeout_us && !core->forced)
                        sooner(&at, core->drain_at_us + config->drain_timeout_us);
                if (core->forced && !core->n_running)
                        sooner(&at, core->session == SESSION_DOWN ? 0 : core->forced_at_us);
                if (nothing_in_hand(core) && (core->said_bye || core->session != SESSION_LIVE))
                        at = 0;
        } else {
                if (config->life_us)
                        sooner(&at, core->born_us + config->life_us);
                if (config->idle_exit_us && nothing_in_hand(core))
                        sooner(&at, core->idle_since_us + config->idle_exit_us);
        }
        return at == INT64_MAX ? -1 : at;
}

/* ------------------------------------------------------------------ looking in */
struct wcore_numbers wcore_numbers(const struct wcore *core)
{
        return (struct wcore_numbers){
                .leases = HASH_COUNT(core->leases),
                .unstarted = core->n_unstarted,
                .running = core->n_running,
                .free_slots = core->free_slots,
                .window = core->window,
                .unrecorded_batches = core->n_closed + (core->open ? 1 : 0),
                .unrecorded_bytes = core->unrecorded_bytes,
                .ended = core->n_ended,
                .jobs = HASH_COUNT(core->jobs),
                .live = core->session == SESSION_LIVE,
                .draining = core->draining,
        };
}

const char *wcore_worker_name(const struct wcore *core)
{
        return core->worker;
}
