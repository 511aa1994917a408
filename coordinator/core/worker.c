/* One worker is one key is one principal. Its session is the newest connection that said ready; a message of any other
 * session is answered with the wish for a ready, so that after a restart of the coordinator nothing is assumed.
 *
 * A worker's lease on its tasks ends one lease time after its last sign of life. Time in which we ourselves did not run
 * is not held against it. */
#include "core/worker.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "core/adopt.h"
#include "core/change.h"
#include "core/finish.h"
#include "core/fit.h"
#include "core/lease.h"
#include "core/parents.h"
#include "core/place.h"
#include "core/report.h"

/* So old may `seen` in a worker's row become while the worker is there and nothing changes. */
#define SEEN_EVERY_US (60 * US_PER_S)

static bool deadline_before(const void *a, const void *b)
{
        return ((const struct worker *)a)->deadline_us < ((const struct worker *)b)->deadline_us;
}

void worker_init(struct core *core)
{
        heap_init(&core->deadlines, deadline_before, offsetof(struct worker, deadline_place));
}

struct worker *worker_find(const struct core *core, uint32_t id)
{
        struct worker *worker;

        HASH_FIND(hh, core->workers, &id, sizeof(id), worker);
        return worker;
}

struct worker *worker_get(struct core *core, struct principal_id id)
{
        struct worker *worker = worker_find(core, id.n);

        if (worker)
                return worker;
        worker = xcalloc(1, sizeof(*worker));
        worker->id = id.n;
        worker->state = WORKER_GONE;
        HASH_ADD(hh, core->workers, id, sizeof(worker->id), worker);
        return worker;
}

void worker_free_all(struct core *core)
{
        struct worker *worker, *next;

        HASH_ITER (hh, core->workers, worker, next) {
                BUG_ON(worker->leases);
                if (worker->session.n != 0)
                        HASH_DELETE(hh_session, core->sessions, worker);
                worker->session.n = 0;
                place_worker(core, worker);
                place_forget_worker(core, worker);
                HASH_DELETE(hh, core->workers, worker);
                kind_unref(core, worker->able);
                free(worker->held_res);
                free(worker->draft);
                free(worker->host);
                free(worker);
        }
        heap_done(&core->deadlines);
}

const char *worker_name(const struct core *core, const struct worker *worker)
{
        const struct person *person = access_find(&core->access, (struct principal_id){ worker->id });

        return person ? person->row.name : "?";
}

static bool is_present(const struct worker *worker)
{
        return worker->state == WORKER_CONNECTED || worker->state == WORKER_DRAINING;
}

static void set_session(struct core *core, struct worker *worker, struct session_id session)
{
        if (worker->session.n != 0) {
                HASH_DELETE(hh_session, core->sessions, worker);
                place_forget_worker(core, worker);
        }
        worker->session = session;
        if (session.n != 0)
                HASH_ADD(hh_session, core->sessions, session.n, sizeof(worker->session.n), worker);
}

static struct store_worker *write_row(struct core *core, struct worker *worker)
{
        struct store_worker *row = &effects_store(core->out, STORE_WORKER)->u.worker;

        row->worker.n = worker->id;
        row->state = worker->state;
        row->slots = worker->slots;
        row->busy = worker->busy;
        row->seen_us = core->wall_us;
        worker->busy_written = worker->busy;
        worker->row_us = core->mono_us;
        return row;
}

static void set_deadline(struct core *core, struct worker *worker)
{
        worker->deadline_us =
                MAX(worker->seen_us, core->lease_floor_us) + core->settings.lease_ms * US_PER_MS;
        if (heap_has(&core->deadlines, worker))
                heap_moved(&core->deadlines, worker);
        else
                heap_push(&core->deadlines, worker);
}

static void no_longer_awaited(struct core *core, struct worker *worker)
{
        if (!worker->awaited)
                return;
        worker->awaited = false;
        core->n_awaited--;
}

static void leave(struct core *core, struct worker *worker, enum worker_state state, const char *event,
                  const char *why)
{
        CLEANUP_BUF struct buf text = { 0 };

        buf_addf(&text, "worker %s: %s", worker_name(core, worker), why);
        set_session(core, worker, (struct session_id){ 0 });
        worker->state = state;
        worker->busy = 0;
        place_worker(core, worker);
        lease_lose_all(core, worker, TASK_REASON_WORKER_LOST);
        heap_remove(&core->deadlines, worker);
        no_longer_awaited(core, worker);
        write_row(core, worker);
        audit(core, event, NULL, (struct principal_id){ worker->id }, text.bytes);
}

void worker_lost(struct core *core, struct worker *worker, const char *why)
{
        if (is_present(worker) || worker->leases)
                leave(core, worker, WORKER_LOST, "worker-lost", why);
}

void worker_session_lost(struct core *core, struct session_id session)
{
        struct worker *worker;
        struct lease *lease;

        HASH_FIND(hh_session, core->sessions, &session.n, sizeof(session.n), worker);

        if (!worker)
                return;
        DL_FOREACH2(worker->leases, lease, worker_next)
        lease->told_in.n = 0; /* what was sent last may be lost */
        set_session(core, worker, (struct session_id){ 0 });
        place_worker(core, worker);
}

void worker_known_before(struct core *core, const struct store_worker *row)
{
        struct worker *worker = worker_get(core, row->worker);

        worker->state = row->state;
        worker->slots = row->slots;
        worker->awaited = true;
        core->n_awaited++;
        worker->seen_us = core->mono_us;
        set_deadline(core, worker);
}

/* ------------------------------------------------------------------ messages */

static void send_resume(struct core *core, const struct asker *asker, const struct worker *worker,
                        bool ask_ready)
{
        struct msg msg = { .kind = MSG_resume, .re = asker->re };
        struct msg_resume *resume = &msg.u.resume;

        *resume = (struct msg_resume){
                .epoch = core->settings.epoch,
                .ready = ask_ready,
                .has_ready = ask_ready,
                .worker = worker_name(core, worker),
                .lease_ms = (uint64_t)core->settings.lease_ms,
                .reconnect_ms = (uint64_t)core->settings.reconnect_ms,
                .heartbeat_ms = (uint64_t)core->settings.heartbeat_ms,
                .install = core->settings.install,
                .has_epoch = true,
                .has_lease_ms = true,
                .has_reconnect_ms = true,
                .has_heartbeat_ms = true,
        };
        resume->n_worker = strlen(resume->worker);
        resume->n_install = strlen(resume->install);
        effects_send(core->out, asker->session, &msg, false);
}

static char *joined(const char **list, size_t n)
{
        struct buf text = { 0 };

        for (size_t i = 0; i < n; i++) {
                if (i > 0)
                        buf_add_char(&text, ',');
                buf_add_str(&text, list[i]);
        }
        return buf_steal(&text);
}

static void learn(struct core *core, struct worker *worker, const struct msg_ready *ready)
{
        worker->slots = (uint32_t)ready->slots;
        worker->window = ready->window;
        worker->pid = ready->pid;
        free(worker->host);
        worker->host = xstrdup(ready->host);
        worker->draining = ready->draining || worker->ordered_drain || worker->ordered_stop;
        worker->state = worker->draining ? WORKER_DRAINING : WORKER_CONNECTED;
        place_learn(core, worker, ready);
}

/* What it has beside its slots, for people: "mem=16384M gpus=2 licence=3". */
static char *offers_of(const struct msg_ready *ready)
{
        struct buf text = { 0 };

        buf_addf(&text, "mem=%lluM gpus=%llu", (unsigned long long)(ready->mem >> 20),
                 (unsigned long long)ready->gpus);
        for (size_t i = 0; i < ready->n_res && text.n < 900; i++)
                buf_addf(&text, " %.80s", ready->res[i]);
        return buf_steal(&text);
}

static void on_ready(struct core *core, struct worker *worker, const struct asker *asker,
                     const struct msg *msg)
{
        const struct msg_ready *ready = &msg->u.ready;
        bool fresh = worker->pid != ready->pid || !worker->host || strcmp(worker->host, ready->host) != 0;
        bool news = !is_present(worker) || worker->awaited || fresh;
        struct store_worker *row;

        worker->ordered_stop = worker->ordered_stop && !fresh;
        worker->stuck = false;
        set_session(core, worker, asker->session);
        worker->seen_us = core->mono_us;
        learn(core, worker, ready);
        send_resume(core, asker, worker, false);
        adopt_reconcile(core, worker, ready, fresh);
        change_tell_limits(core, worker);
        no_longer_awaited(core, worker);
        set_deadline(core, worker);
        place_worker(core, worker);
        row = write_row(core, worker);
        row->labels = joined(ready->labels, ready->n_labels);
        row->version = xstrdup(ready->version);
        row->host = xstrdup(ready->host);
        row->offers = offers_of(ready);
        row->enforces = xstrdup(ready->enforces ? ready->enforces : "");
        if (news)
                audit(core, "worker-ready", NULL, asker->who, ready->host);
        if (worker->ordered_stop)
                worker_order(core, worker, WORKER_ORDER_STOP);
        else if (worker->ordered_drain)
                worker_order(core, worker, WORKER_ORDER_DRAIN);
        adopt_check(core);
}

static void set_window(struct core *core, struct worker *worker, uint64_t window)
{
        if (worker->window == window)
                return;
        worker->window = window;
        place_window(core, worker);
}

/* It has ended something: what it is given ahead will not wait for ever. */
static void goes_on(struct core *core, struct worker *worker, const struct msg_finished *finished)
{
        bool ended = false;

        for (size_t i = 0; i < finished->n_ends; i++)
                ended |= finished->ends[i].status != END_STATUS_RETURNED;
        if (!worker->stuck || !ended)
                return;
        worker->stuck = false;
        place_window(core, worker);
}

static void on_heartbeat(struct core *core, struct worker *worker, const struct asker *asker,
                         const struct msg_heartbeat *beat)
{
        struct msg alive = { .kind = MSG_alive, .re = asker->re };

        effects_send(core->out, asker->session, &alive, false);
        set_window(core, worker, beat->window);
        worker->busy = (uint32_t)beat->running;
        if (worker->busy != worker->busy_written || core->mono_us - worker->row_us >= SEEN_EVERY_US)
                write_row(core, worker);
}

static void dispatch(struct core *core, struct worker *worker, const struct asker *asker,
                     struct msg **take_msg)
{
        struct msg *msg = *take_msg;

        worker->seen_us = core->mono_us;
        /* The decoder lets a worker's key send only what is W2S. */
        if (msg->kind == MSG_heartbeat) {
                on_heartbeat(core, worker, asker, &msg->u.heartbeat);
        } else if (msg->kind == MSG_started) {
                finish_on_started(core, worker, asker, msg);
        } else if (msg->kind == MSG_finished) {
                set_window(core, worker, msg->u.finished.window);
                goes_on(core, worker, &msg->u.finished);
                finish_on_finished(core, worker, asker, msg);
        } else if (msg->kind == MSG_store) {
                finish_on_store(core, worker, asker, msg);
        } else if (msg->kind == MSG_progress) {
                report_on_progress(core, worker, msg);
        } else if (msg->kind == MSG_fetch) {
                finish_on_fetch(core, worker, asker, take_msg);
        } else if (msg->kind == MSG_fetch_parent) {
                parents_on_fetch(core, worker, asker, take_msg);
        } else if (msg->kind == MSG_bye) {
                leave(core, worker, WORKER_GONE, "worker-gone", "said goodbye");
        } else {
                reply_worker_refused(core, asker, ERR_BAD_FIELD, "not a worker's message");
        }
}

void worker_on_message(struct core *core, const struct asker *asker, struct msg **take_msg)
{
        struct worker *worker = worker_get(core, asker->who);

        if (!access_allows(&core->access, asker->who, PERMISSION_WORKER_RUN, (struct principal_id){ 0 },
                           NULL)) {
                audit_refusal(core, asker->who, "a worker's message without the right worker.run");
                reply_worker_refused(core, asker, ERR_FORBIDDEN, "this key may not run tasks");
                return;
        }
        if ((*take_msg)->kind == MSG_ready)
                on_ready(core, worker, asker, *take_msg);
        else if (worker->session.n != asker->session.n)
                send_resume(core, asker, worker, true);
        else
                dispatch(core, worker, asker, take_msg);
}

/* ------------------------------------------------------------------ orders and time */

void worker_order(struct core *core, struct worker *worker, enum worker_order order)
{
        struct msg msg = { .kind = MSG_order };

        worker->ordered_drain =
                order == WORKER_ORDER_DRAIN || (order == WORKER_ORDER_STOP && worker->ordered_drain);
        if (!is_present(worker) || worker->awaited)
                return;
        worker->ordered_stop = order == WORKER_ORDER_STOP;
        worker->draining = order != WORKER_ORDER_RESUME;
        worker->state = worker->draining ? WORKER_DRAINING : WORKER_CONNECTED;
        place_worker(core, worker);
        write_row(core, worker);
        msg.u.order.state = order;
        msg.u.order.has_state = true;
        if (worker->session.n != 0)
                effects_send(core->out, worker->session, &msg, false);
}

void worker_tick(struct core *core)
{
        struct worker *worker;

        while ((worker = heap_top(&core->deadlines)) && worker->deadline_us <= core->mono_us) {
                set_deadline(core, worker);
                if (worker->deadline_us <= core->mono_us)
                        worker_lost(core, worker, "no sign of life for one lease");
        }
}

int64_t worker_next_deadline(const struct core *core)
{
        const struct worker *worker = heap_top(&core->deadlines);

        return worker ? worker->deadline_us : -1;
}
