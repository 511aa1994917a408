/* A worker: starts what it is granted, in order, on its slots; says started, finished, returned; keeps what is not
 * acknowledged and says it again; crashes, freezes, loses its connection. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

static void send(struct sim *sim, struct sim_worker *worker, struct msg *msg)
{
        CLEANUP_BUF struct buf header = { 0 };

        msg->id = ++worker->next_id;
        msg_encode(msg, &header);
        sim_net_send(sim, true, worker->session, &header, msg->body, msg->body_bytes);
}

/* Kept until it is answered. */
static uint64_t send_kept(struct sim *sim, struct sim_worker *worker, struct msg *msg)
{
        struct sim_unacked *kept = xcalloc(1, sizeof(*kept));

        msg->id = kept->id = ++worker->next_id;
        msg_encode(msg, &kept->header);
        buf_add(&kept->body, msg->body, msg->body_bytes);
        DL_APPEND(worker->unacked, kept);
        sim_net_send(sim, true, worker->session, &kept->header, kept->body.bytes, kept->body.n);
        if (sim_below(sim, 20) == 0) /* sent twice */
                sim_net_send(sim, true, worker->session, &kept->header, kept->body.bytes, kept->body.n);
        return kept->id;
}

static bool acknowledge(struct sim_worker *worker, uint64_t id)
{
        struct sim_unacked *kept;

        DL_FOREACH (worker->unacked, kept) {
                if (kept->id != id)
                        continue;
                DL_DELETE(worker->unacked, kept);
                buf_done(&kept->header);
                buf_done(&kept->body);
                free(kept);
                return true;
        }
        return false;
}

static void drop_task(struct sim_worker *worker, struct sim_task *task)
{
        DL_DELETE(worker->tasks, task);
        free(task);
}

static void forget_everything(struct sim_worker *worker)
{
        while (worker->tasks)
                drop_task(worker, worker->tasks);
        while (worker->unacked)
                acknowledge(worker, worker->unacked->id);
}

void sim_worker_init(struct sim *sim, struct sim_worker *worker, unsigned number)
{
        worker->number = number;
        snprintf(worker->public_key, sizeof(worker->public_key), "worker%034u", number);
        /* The first has enough for whatever a job may ask for. */
        worker->slots = number == 0 ? 4 : 1 + (uint32_t)sim_below(sim, 4);
        worker->window = worker->slots * (1 + sim_below(sim, 40));
        worker->pid = 1000 + number;
        worker->alive = true;
}

void sim_worker_done(struct sim_worker *worker)
{
        forget_everything(worker);
}

void sim_worker_disconnect(struct sim *sim, struct sim_worker *worker)
{
        struct session_id session = worker->session;

        if (session.n == 0)
                return;
        sim_net_close(sim, session);
        worker->session.n = 0;
        worker->greeted = false;
        worker->wakes_us = sim->mono_us + (int64_t)sim_below(sim, 3000) * US_PER_MS;
}

void sim_worker_crash(struct sim *sim, struct sim_worker *worker)
{
        sim_worker_disconnect(sim, worker);
        forget_everything(worker);
        worker->pid += 100;
        worker->frozen = false;
        worker->wakes_us = sim->mono_us + (int64_t)sim_below(sim, 60000) * US_PER_MS;
}

static void fill_held(struct sim *sim, const struct sim_worker *worker, struct rec_held_lease *held,
                      struct range *ranges, size_t *n)
{
        const struct sim_task *task;

        *n = 0;
        DL_FOREACH (worker->tasks, task) {
                struct rec_held_lease *one = &held[*n];

                if (task->given_back || *n == 4096)
                        continue;
                ranges[*n] = (struct range){ task->index, task->index };
                *one = (struct rec_held_lease){ .job = task->job,
                                                .ranges = &ranges[*n],
                                                .n_ranges = 1,
                                                .epoch = task->epoch,
                                                .attempt = task->attempt,
                                                .nonce = task->nonce,
                                                .has_job = true,
                                                .has_epoch = true,
                                                .has_attempt = true,
                                                .has_nonce = true };
                if (task->running || task->ended) {
                        one->started_ago_us = (uint64_t)(sim->mono_us - task->started_us);
                        one->has_started_ago_us = true;
                }
                (*n)++;
        }
}

static void say_ready(struct sim *sim, struct sim_worker *worker)
{
        static const char *types[] = { "command", "noop", "echo", "sleep" };
        const char *labels[] = { worker->number % 2 == 0 ? "zone=even" : "zone=odd" };
        const char *res[] = { worker->number % 3 == 0 ? "licence=2" : "licence=1" };
        struct rec_held_lease *held = xcalloc(4096, sizeof(*held));
        struct range *ranges = xcalloc(4096, sizeof(*ranges));
        struct msg msg = { .kind = MSG_ready };
        struct msg_ready *ready = &msg.u.ready;
        struct sim_unacked *kept;

        *ready = (struct msg_ready){ .slots = worker->slots,
                                     .window = worker->window,
                                     .types = types,
                                     .n_types = 4,
                                     .version = "1",
                                     .n_version = 1,
                                     .host = "host",
                                     .n_host = 4,
                                     .pid = worker->pid,
                                     .mem = 8,
                                     .has_mem = true,
                                     .gpus = worker->number % 2 == 0 ? 2 : 1,
                                     .has_gpus = true,
                                     .res = res,
                                     .n_res = 1,
                                     .labels = labels,
                                     .n_labels = 1,
                                     .has_slots = true,
                                     .has_window = true,
                                     .has_pid = true };
        fill_held(sim, worker, held, ranges, &ready->n_held);
        ready->held = held;
        send(sim, worker, &msg);
        DL_FOREACH (worker->unacked, kept)
                sim_net_send(sim, true, worker->session, &kept->header, kept->body.bytes, kept->body.n);
        free(held);
        free(ranges);
}

/* ------------------------------------------------------------------ running */

static void start_tasks(struct sim *sim, struct sim_worker *worker)
{
        struct sim_task *task;
        uint32_t busy = 0;

        DL_FOREACH (worker->tasks, task)
                busy += task->running;
        DL_FOREACH (worker->tasks, task) {
                struct sim_witness *witness;

                if (busy >= worker->slots)
                        break;
                if (task->running || task->ended || task->given_back || task->stopped || task->wanted_back)
                        continue;
                task->running = true;
                task->started_us = sim->mono_us;
                task->ends_us = sim->mono_us + (int64_t)(sim->healing          ? 0
                                                         : sim_chance(sim, 80) ? sim_below(sim, 50)
                                                                               : sim_below(sim, 20000)) *
                                                       US_PER_MS;
                busy++;
                witness = sim_witness(sim, task->job, task->index);
                witness->starts += task->attempt > witness->before;
                if (task->once && task->attempt > witness->before && witness->starts > 1)
                        sim_fail(sim, "task %llu.%llu may run at most once and was started again",
                                 (unsigned long long)task->job, (unsigned long long)task->index);
                witness->once |= task->once;
        }
}

static void say_started(struct sim *sim, struct sim_worker *worker)
{
        struct sim_task *task;

        DL_FOREACH (worker->tasks, task) {
                struct range range = { task->index, task->index };
                struct rec_lease_tasks tasks = { .job = task->job,
                                                 .nonce = task->nonce,
                                                 .ranges = &range,
                                                 .n_ranges = 1,
                                                 .has_job = true,
                                                 .has_nonce = true,
                                                 .has_ago_us = true };
                struct msg msg = { .kind = MSG_started };

                if (!task->running || task->reported || sim->mono_us - task->started_us < 50 * US_PER_MS)
                        continue;
                task->reported = true;
                tasks.ago_us = (uint64_t)(sim->mono_us - task->started_us);
                msg.u.started.tasks = &tasks;
                msg.u.started.n_tasks = 1;
                send(sim, worker, &msg);
        }
}

/* Most of the time of a task that runs; now and then of one that was never granted. */
static void say_progress(struct sim *sim, struct sim_worker *worker)
{
        struct sim_task *task;

        DL_FOREACH (worker->tasks, task) {
                struct rec_task_report report = { .job = task->job,
                                                  .nonce = task->nonce,
                                                  .index = task->index,
                                                  .done = sim_below(sim, 10),
                                                  .total = 10,
                                                  .values = "{\"x\":1}",
                                                  .n_values = 7,
                                                  .has_job = true,
                                                  .has_nonce = true,
                                                  .has_index = true,
                                                  .has_done = true,
                                                  .has_total = true };
                struct msg msg = { .kind = MSG_progress };

                if (sim_below(sim, 50) != 0 || (!task->running && sim_below(sim, 10) != 0))
                        continue;
                if (sim_below(sim, 10) == 0)
                        report.nonce++;
                msg.u.progress.reports = &report;
                msg.u.progress.n_reports = 1;
                send(sim, worker, &msg);
        }
}

/* What the parents of a task that runs left; also where it has none, of a task that is no parent, and with a nonce that nobody
 * was given. */
static void ask_for_parents(struct sim *sim, struct sim_worker *worker)
{
        struct sim_task *task;

        DL_FOREACH (worker->tasks, task) {
                struct msg msg = { .kind = MSG_fetch_parent };
                struct msg_fetch_parent *fetch = &msg.u.fetch_parent;

                if (!task->running || sim_below(sim, 20) != 0)
                        continue;
                *fetch = (struct msg_fetch_parent){ .job = task->job,
                                                    .nonce = task->nonce + (sim_below(sim, 10) == 0),
                                                    .index = task->index,
                                                    .kind = sim_chance(sim, 70) ? DATA_KIND_RESULT
                                                                                : DATA_KIND_OUTPUT,
                                                    .has_job = true,
                                                    .has_nonce = true,
                                                    .has_index = true,
                                                    .has_kind = true };
                if (fetch->kind == DATA_KIND_OUTPUT && sim_chance(sim, 70)) {
                        fetch->stdin_index = 1 + sim_below(sim, task->index + 1);
                        fetch->has_stdin_index = true;
                }
                send(sim, worker, &msg);
                worker->fetches[worker->n_fetches++ % ARRAY_LEN(worker->fetches)] = msg.id;
        }
}

static void stream(struct sim *sim, struct sim_worker *worker, struct sim_task *task)
{
        struct msg msg = { .kind = MSG_store };
        char text[64];

        snprintf(text, sizeof(text), "%llu", (unsigned long long)task->nonce);
        msg.u.store = (struct msg_store){ .job = task->job,
                                          .nonce = task->nonce,
                                          .attempt = task->attempt,
                                          .index = task->index,
                                          .kind = DATA_KIND_OUTPUT,
                                          .stream = STREAM_STDOUT,
                                          .seq = 0,
                                          .has_job = true,
                                          .has_nonce = true,
                                          .has_attempt = true,
                                          .has_index = true,
                                          .has_kind = true,
                                          .has_stream = true,
                                          .has_seq = true };
        msg.body = text;
        msg.body_bytes = strlen(text);
        task->streamed = true;
        task->store_id = send_kept(sim, worker, &msg);
}

static enum end_status outcome(struct sim *sim, const struct sim_task *task)
{
        uint64_t dice = sim_below(sim, 100);

        if (task->stopped)
                return END_STATUS_CANCELLED;
        if (dice < 85)
                return END_STATUS_SUCCEEDED;
        if (dice < 94)
                return END_STATUS_FAILED;
        return dice < 97 ? END_STATUS_TIMEOUT : END_STATUS_OOM;
}

/* Up to 16 tasks that are over, one end each, with their results and the last of their output. */
struct report {
        struct rec_task_end ends[16];
        struct range ranges[16];
        int64_t ago[16], ran[16];
        struct rec_task_chunk chunks[32];
        size_t n, n_chunks;
        struct buf body;
};

static void add_chunk(struct report *report, const struct sim_task *task, enum data_kind kind, uint64_t seq)
{
        struct rec_task_chunk *chunk = &report->chunks[report->n_chunks++];
        size_t before = report->body.n;

        buf_addf(&report->body, "%llu", (unsigned long long)task->nonce);
        *chunk = (struct rec_task_chunk){ .end = report->n,
                                          .index = task->index,
                                          .kind = kind,
                                          .bytes = report->body.n - before,
                                          .has_end = true,
                                          .has_index = true,
                                          .has_kind = true,
                                          .has_bytes = true };
        if (kind != DATA_KIND_OUTPUT)
                return;
        chunk->stream = STREAM_STDOUT;
        chunk->has_stream = true;
        chunk->seq = seq;
        chunk->has_seq = true;
        chunk->final = chunk->has_final = true;
}

static void add_end(struct sim *sim, struct report *report, const struct sim_task *task,
                    enum end_status status)
{
        struct rec_task_end *end = &report->ends[report->n];

        report->ranges[report->n] = (struct range){ task->index, task->index };
        report->ago[report->n] = 1000;
        report->ran[report->n] = sim->mono_us - task->started_us;
        *end = (struct rec_task_end){ .job = task->job,
                                      .nonce = task->nonce,
                                      .epoch = task->epoch,
                                      .attempt = task->attempt,
                                      .ranges = &report->ranges[report->n],
                                      .n_ranges = 1,
                                      .status = status,
                                      .ago_us = &report->ago[report->n],
                                      .n_ago_us = 1,
                                      .ran_us = &report->ran[report->n],
                                      .n_ran_us = 1,
                                      .has_job = true,
                                      .has_nonce = true,
                                      .has_epoch = true,
                                      .has_attempt = true,
                                      .has_status = true };
        if (status == END_STATUS_FAILED) {
                end->exit_code = 1 + sim_below(sim, 3);
                end->has_exit_code = true;
        }
        if (status != END_STATUS_RETURNED) {
                add_chunk(report, task, DATA_KIND_RESULT, 0);
                add_chunk(report, task, DATA_KIND_OUTPUT, task->streamed ? 1 : 0);
        }
        report->n++;
}

static bool wants_to_end(struct sim *sim, struct sim_worker *worker, struct sim_task *task)
{
        if (task->ended || task->given_back)
                return false;
        if (task->stopped)
                return true;
        if (!task->running || task->ends_us > sim->mono_us)
                return false;
        if (!task->streamed && sim_below(sim, 10) == 0)
                stream(sim, worker, task);
        return !task->streamed || task->stream_kept;
}

static void say_finished(struct sim *sim, struct sim_worker *worker)
{
        struct report *report = xcalloc(1, sizeof(*report));
        struct msg msg = { .kind = MSG_finished };
        struct sim_task *task, *told[16];

        DL_FOREACH (worker->tasks, task) {
                bool give_back = !task->running && !task->ended && !task->given_back && !task->stopped &&
                                 (task->wanted_back || sim_below(sim, 200) == 0);

                if (report->n == 16)
                        break;
                if (!give_back && !wants_to_end(sim, worker, task))
                        continue;
                told[report->n] = task;
                if (give_back)
                        task->given_back = true;
                else
                        task->ended = true;
                add_end(sim, report, task, give_back ? END_STATUS_RETURNED : outcome(sim, task));
                task->running = false;
        }
        msg.u.finished = (struct msg_finished){ .window = worker->window,
                                                .has_window = true,
                                                .ends = report->ends,
                                                .n_ends = report->n,
                                                .chunks = report->chunks,
                                                .n_chunks = report->n_chunks };
        msg.body = report->body.n > 0 ? report->body.bytes : NULL;
        msg.body_bytes = report->body.n;
        if (report->n > 0) {
                uint64_t id = send_kept(sim, worker, &msg);

                for (size_t i = 0; i < report->n; i++)
                        told[i]->finished_id = id;
        }
        buf_done(&report->body);
        free(report);
}

static void beat(struct sim *sim, struct sim_worker *worker)
{
        struct msg msg = { .kind = MSG_heartbeat };

        if (sim->mono_us < worker->beats_us)
                return;
        worker->beats_us = sim->mono_us + SIM_HEARTBEAT_MS * US_PER_MS;
        if (sim_below(sim, 10) == 0)
                worker->window = worker->slots * (1 + sim_below(sim, 40));
        msg.u.heartbeat =
                (struct msg_heartbeat){ .window = worker->window, .has_window = true, .has_running = true };
        send(sim, worker, &msg);
}

void sim_worker_step(struct sim *sim, struct sim_worker *worker)
{
        if (worker->frozen || sim->mono_us < worker->wakes_us)
                return;
        start_tasks(sim, worker);
        if (worker->session.n == 0) {
                if (!sim->core)
                        return;
                worker->session = sim_net_open(sim);
                say_ready(sim, worker);
                return;
        }
        if (!worker->greeted)
                return;
        say_started(sim, worker);
        say_progress(sim, worker);
        ask_for_parents(sim, worker);
        say_finished(sim, worker);
        beat(sim, worker);
}

/* ------------------------------------------------------------------ what the core says */

static void on_run(struct sim *sim, struct sim_worker *worker, const struct msg_run *run)
{
        (void)sim;
        for (size_t g = 0; g < run->n_grants; g++) {
                const struct rec_grant *grant = &run->grants[g];

                for (size_t r = 0; r < grant->n_ranges; r++) {
                        for (uint64_t i = grant->ranges[r].lo; i <= grant->ranges[r].hi; i++) {
                                struct sim_task *task = xcalloc(1, sizeof(*task));
                                const struct sim_job *job = sim_store_job(&sim->store, grant->job);

                                task->job = grant->job;
                                task->index = i;
                                task->epoch = run->epoch;
                                task->attempt = grant->attempt;
                                task->nonce = grant->nonce;
                                task->once = job && job->row.spec->spec.at_most_once;
                                DL_APPEND(worker->tasks, task);
                        }
                }
        }
}

static bool names(const struct rec_lease_tasks *named, const struct sim_task *task)
{
        if (named->job != task->job || named->nonce != task->nonce)
                return false;
        for (size_t i = 0; i < named->n_ranges; i++) {
                if (task->index >= named->ranges[i].lo && task->index <= named->ranges[i].hi)
                        return true;
        }
        return false;
}

static void on_stop(struct sim_worker *worker, const struct msg_stop *stop)
{
        struct sim_task *task, *next;

        for (size_t i = 0; i < stop->n_tasks; i++) {
                DL_FOREACH_SAFE (worker->tasks, task, next) {
                        if (!names(&stop->tasks[i], task))
                                continue;
                        if (stop->reason != TASK_REASON_CANCELLED)
                                drop_task(worker, task);
                        else if (!task->ended)
                                task->stopped = true;
                }
        }
}

static void on_take_back(struct sim_worker *worker, const struct msg_take_back *take_back)
{
        struct sim_task *task;

        DL_FOREACH (worker->tasks, task) {
                if (!take_back->has_job || take_back->job == task->job)
                        task->wanted_back = true;
        }
}

static void on_recorded(struct sim_worker *worker, uint64_t re)
{
        struct sim_task *task, *next;

        acknowledge(worker, re);
        DL_FOREACH_SAFE (worker->tasks, task, next) {
                if (task->finished_id == re)
                        drop_task(worker, task);
        }
}

static void on_kept(struct sim_worker *worker, uint64_t re, bool stale)
{
        struct sim_task *task, *next;

        acknowledge(worker, re);
        DL_FOREACH_SAFE (worker->tasks, task, next) {
                if (task->store_id != re || task->ended)
                        continue;
                if (stale)
                        drop_task(worker, task);
                else
                        task->stream_kept = true;
        }
}

/* It has no such parents, or they are being read. */
static void on_refused(struct sim *sim, const struct sim_worker *worker, const struct msg *msg)
{
        enum err_code code = msg->u.worker_refused.code;
        bool fetch = false;

        for (size_t i = 0; i < ARRAY_LEN(worker->fetches); i++)
                fetch |= worker->fetches[i] == msg->re;
        if (!fetch || (code != ERR_BAD_FIELD && code != ERR_RETRY_LATER))
                sim_fail(sim, "the core refuses a worker: %s", msg->u.worker_refused.text);
}

void sim_worker_receive(struct sim *sim, struct sim_worker *worker, struct msg *msg)
{
        if (msg->kind == MSG_resume) {
                if (msg->u.resume.ready)
                        say_ready(sim, worker);
                else
                        worker->greeted = true;
        } else if (msg->kind == MSG_run) {
                on_run(sim, worker, &msg->u.run);
        } else if (msg->kind == MSG_stop) {
                on_stop(worker, &msg->u.stop);
        } else if (msg->kind == MSG_take_back) {
                on_take_back(worker, &msg->u.take_back);
        } else if (msg->kind == MSG_recorded) {
                on_recorded(worker, msg->re);
        } else if (msg->kind == MSG_kept) {
                on_kept(worker, msg->re, false);
        } else if (msg->kind == MSG_stale) {
                on_kept(worker, msg->re, true);
        } else if (msg->kind == MSG_worker_refused) {
                on_refused(sim, worker, msg);
        }
}
