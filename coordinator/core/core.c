/* One step: an event goes to the module it concerns, then free slots and ready tasks are brought together. */
#include "core/core.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "core/adopt.h"
#include "core/backoff.h"
#include "core/client.h"
#include "core/comeback.h"
#include "core/deps.h"
#include "core/each.h"
#include "core/entries.h"
#include "core/graph.h"
#include "core/group.h"
#include "core/job.h"
#include "core/news.h"
#include "core/park.h"
#include "core/pending.h"
#include "core/place.h"
#include "core/queue.h"
#include "core/replay.h"
#include "core/report.h"
#include "core/round.h"
#include "core/rows.h"
#include "core/sets.h"
#include "core/submit.h"
#include "core/sweep.h"
#include "core/tasks.h"
#include "core/watch.h"
#include "core/when.h"
#include "core/worker.h"

/* While workers are known the core wants to run this often; a longer gap means that we were stopped, and nobody's lease
 * ends for that. */
#define PULSE_US US_PER_S
#define STALL_US (3 * US_PER_S)

struct core *core_new(void)
{
        struct core *core = xcalloc(1, sizeof(*core));

        core->edge_hits = job_edge_counters();
        core->next_job = 1;
        core->access.next_principal = 1;
        core->access.next_role = 1;
        core->access.next_key = 1;
        submit_init(core);
        sets_init(core);
        worker_init(core);
        backoff_init(core);
        when_init(core);
        each_init(core);
        return core;
}

void core_free(struct core *core)
{
        struct job *job, *next_job;
        struct queue *queue, *next_queue;

        if (!core)
                return;
        HASH_ITER (hh, core->jobs, job, next_job)
                job_free(core, job);
        worker_free_all(core);
        pending_done_all(core);
        round_done_all(core);
        report_done_all(core);
        news_done_all(core);
        watch_done_all(core);
        HASH_ITER (hh, core->queues, queue, next_queue) {
                HASH_DELETE(hh, core->queues, queue);
                free(queue);
        }
        heap_done(&core->uploads);
        backoff_done(core);
        when_done(core);
        each_done(core);
        sets_done(core);
        access_done(&core->access);
        free(core->edge_hits);
        free(core);
}

static void on_key(struct core *core, const struct store_key *row)
{
        access_key(&core->access, row);
        effects_key(core->out, row->public_key, !row->revoked);
}

static void on_replay(struct core *core, struct event *event)
{
        struct queue *queue;

        switch (event->kind) {
        case EVENT_REPLAY_PRINCIPAL:
                access_person(&core->access, &event->u.principal);
                break;
        case EVENT_REPLAY_KEY:
                on_key(core, &event->u.key);
                break;
        case EVENT_REPLAY_ROLE:
                access_role(&core->access, &event->u.role);
                break;
        case EVENT_REPLAY_MEMBER:
                access_member(&core->access, &event->u.member);
                break;
        case EVENT_REPLAY_GRANT:
                access_grant(&core->access, &event->u.grant);
                break;
        case EVENT_REPLAY_QUEUE:
                queue = job_queue_put(core, &event->u.queue);
                queue->id = event->u.queue.queue;
                break;
        case EVENT_REPLAY_WORKER:
                worker_known_before(core, &event->u.worker);
                break;
        case EVENT_REPLAY_JOB:
                replay_job(core, &event->u.job);
                break;
        case EVENT_REPLAY_TASKS:
                replay_tasks(core, &event->u.tasks);
                break;
        case EVENT_REPLAY_SET:
                sets_replay(core, event->u.set.job, event->u.set.set_hash);
                break;
        case EVENT_REPLAY_DONE:
                replay_finish(core, &event->u.settings);
                break;
        case EVENT_TICK:
        case EVENT_MESSAGE:
        case EVENT_BAD_MESSAGE:
        case EVENT_SESSION_LOST:
        case EVENT_FACT:
        case EVENT_ENTRIES:
        case EVENT_DRAIN:
        case EVENT_ROUND:
        case EVENT_KEY_REFUSED:
        case EVENT_DEGRADED:
                bug_at(__FILE__, __LINE__, "life before the replay was done");
        }
}

static void refuse(struct core *core, enum msg_direction direction, const struct asker *asker,
                   enum err_code code, const char *text)
{
        if (direction == MSG_W2S)
                reply_worker_refused(core, asker, code, text);
        else
                reply_refused(core, asker, code, text);
}

static void on_message(struct core *core, struct event *event)
{
        struct msg *msg = event->u.message.msg;
        const struct key *key = access_speaker(&core->access, event->u.message.public_key, event->wall_us);
        struct asker asker = { .session = event->u.message.session, .re = msg->id };
        enum msg_direction direction = msg_direction(msg->kind);

        if (!key) {
                refuse(core, direction, &asker, ERR_UNAUTHENTICATED,
                       "this key is unknown, revoked or expired");
                audit_refusal(core, (struct principal_id){ 0 }, "message with a key that is no longer valid");
                return;
        }
        asker.who = key->row.principal;
        asker.key = key->row.key;
        if (direction != (key->row.is_worker ? MSG_W2S : MSG_C2S)) {
                refuse(core, key->row.is_worker ? MSG_W2S : MSG_C2S, &asker, ERR_FORBIDDEN,
                       "this message is not for this kind of key");
                audit_refusal(core, asker.who, msg_op(msg->kind));
        } else if (key->row.is_worker) {
                worker_on_message(core, &asker, &event->u.message.msg);
        } else {
                client_on_message(core, &asker, event);
        }
}

static void on_bad_message(struct core *core, const struct event *event)
{
        struct asker asker = { .session = event->u.message.session, .re = event->u.message.id };
        const struct key *key = access_find_public(&core->access, event->u.message.public_key);

        refuse(core, event->u.message.direction, &asker, event->u.message.err.code,
               event->u.message.err.text);
        audit_refusal(core, key ? key->row.principal : (struct principal_id){ 0 }, event->u.message.err.text);
}

static void on_fact(struct core *core, const struct event *event)
{
        const struct fact *fact = &event->u.fact.fact;
        struct job *job = fact->job.n != 0 ? job_find(core, fact->job.n) : NULL;

        switch (fact->kind) {
        case FACT_JOB_DURABLE:
                if (job)
                        submit_durable(core, job);
                break;
        case FACT_TASKS_EXIST:
                rows_exist(core, job, (uint32_t)fact->n);
                break;
        case FACT_MARK:
                if (job) {
                        job->mark = MAX(job->mark, (uint32_t)fact->n);
                        park_ripen(job);
                        queue_consider(core, job);
                }
                break;
        case FACT_TASKS_ENDED:
                if (!job)
                        break;
                watch_committed(core, job, fact->n);
                if (job->phase != JOB_ENDED || fact->n < job->end_fact)
                        break;
                deps_release(core, job);
                job_free(core, job);
                break;
        case FACT_ATTEMPT_GRANTED:
                place_attempt_durable(core, fact->n);
                break;
        case FACT_WAS_ENDED:
        case FACT_FOUND:
                pending_answer(core, fact, event->u.fact.answer);
                break;
        case FACT_OUTPUT:
                if (job)
                        watch_output(core, job, (uint32_t)fact->n);
                break;
        case FACT_EVENTS:
                news_committed(core, (struct principal_id){ (uint32_t)fact->n });
                break;
        case FACT_CHUNK:
                break;
        case FACT_SWEPT:
                if (job)
                        sweep_done_one(core, job);
                break;
        case FACT_ROUND:
                if (job)
                        round_committed(core, job);
                comeback_ask(core);
                break;
        case FACT_DUE:
                comeback_on_due(core, &fact->op->u.find_due);
                break;
        case FACT_EACH:
                each_committed(core, fact->job.n, fact->n);
                break;
        case FACT_WATCH:
                if (job)
                        watch_begin(core, job, (struct session_id){ fact->n });
                else if (fact->job.n == 0)
                        group_begin(core, (struct session_id){ fact->n });
                break;
        case FACT_AGAIN:
                if (job)
                        tasks_thaw(core, job, fact->n);
                break;
        }
}

static void on_key_refused(struct core *core, const struct event *event)
{
        const struct key *key = access_find_public(&core->access, event->u.key_refused.public_key);
        CLEANUP_BUF struct buf text = { 0 };

        buf_addf(&text, "key %.8s… from %s, %s, %llu times", event->u.key_refused.public_key,
                 event->u.key_refused.address,
                 !key               ? "unknown"
                 : key->row.revoked ? "revoked"
                                    : "not valid now",
                 (unsigned long long)event->u.key_refused.count);
        audit(core, "refuse", NULL, key ? key->row.principal : (struct principal_id){ 0 }, text.bytes);
}

static void tick(struct core *core)
{
        worker_tick(core);
        submit_tick(core);
        report_tick(core);
        backoff_tick(core);
        when_tick(core);
        sets_tick(core);
        watch_tick(core);
        news_tick(core);
        adopt_check(core);
        comeback_tick(core);
        each_tick(core);
}

static void on_life(struct core *core, struct event *event)
{
        struct job *job;

        switch (event->kind) {
        case EVENT_TICK:
                tick(core);
                break;
        case EVENT_MESSAGE:
                on_message(core, event);
                break;
        case EVENT_BAD_MESSAGE:
                on_bad_message(core, event);
                break;
        case EVENT_SESSION_LOST:
                worker_session_lost(core, event->u.session);
                watch_forget_session(core, event->u.session);
                news_forget_session(core, event->u.session);
                break;
        case EVENT_FACT:
                on_fact(core, event);
                break;
        case EVENT_ENTRIES:
                job = job_find(core, event->u.entries.job.n);
                if (!job)
                        break;
                graph_put(core, job, event->u.entries.chunk, event->u.entries.bytes,
                          event->u.entries.n_bytes);
                entries_put(core, job, event->u.entries.chunk, event->u.entries.bytes,
                            event->u.entries.n_bytes);
                break;
        case EVENT_DRAIN:
                core->draining = true;
                break;
        case EVENT_ROUND:
                if (event->u.round->ends)
                        each_on_answer(core, event->u.round);
                else if (!comeback_on_answer(core, event->u.round))
                        round_on_answer(core, event->u.round);
                break;
        case EVENT_KEY_REFUSED:
                on_key_refused(core, event);
                break;
        case EVENT_DEGRADED:
                core->degraded = event->u.degraded;
                break;
        case EVENT_REPLAY_PRINCIPAL:
        case EVENT_REPLAY_KEY:
        case EVENT_REPLAY_ROLE:
        case EVENT_REPLAY_MEMBER:
        case EVENT_REPLAY_GRANT:
        case EVENT_REPLAY_QUEUE:
        case EVENT_REPLAY_WORKER:
        case EVENT_REPLAY_JOB:
        case EVENT_REPLAY_TASKS:
        case EVENT_REPLAY_SET:
        case EVENT_REPLAY_DONE:
                bug_at(__FILE__, __LINE__, "replay in the middle of life");
        }
}

void core_step(struct core *core, struct event *event, struct effects *out)
{
        core->out = out;
        core->wall_us = event->wall_us;
        core->mono_us = event->mono_us;
        core->random = event->random;
        core->n_events++;
        if (!core->live) {
                on_replay(core, event);
        } else {
                if (core->mono_us - core->last_event_us > STALL_US)
                        core->lease_floor_us = core->mono_us;
                core->last_event_us = core->mono_us;
                on_life(core, event);
        }
        if (core->live) {
                graph_pass_on(core);
                round_go_on(core);
                place_all(core);
        }
        core->out = NULL;
}

void core_flush(struct core *core, struct effects *out)
{
        core->out = out;
        job_flush(core);
        core->out = NULL;
}

bool core_dirty(const struct core *core)
{
        return core->dirty != NULL;
}

static int64_t earlier(int64_t a, int64_t b)
{
        return a < 0 ? b : b < 0 ? a : MIN(a, b);
}

int64_t core_next_deadline_us(const struct core *core)
{
        const struct job *upload = heap_top(&core->uploads);
        int64_t deadline = worker_next_deadline(core);

        if (deadline >= 0)
                deadline = MIN(deadline, core->last_event_us + PULSE_US);
        deadline = earlier(deadline, report_next_deadline(core));
        if (upload)
                deadline = earlier(deadline, upload->upload_until_us);
        deadline = earlier(deadline, backoff_next_us(core));
        deadline = earlier(deadline, when_next_us(core));
        deadline = earlier(deadline, news_next_deadline(core));
        deadline = earlier(deadline, sets_next_deadline_us(core));
        if (core->progress_at_us != 0)
                deadline = earlier(deadline, core->progress_at_us);
        if (core->rights_at_us != 0)
                deadline = earlier(deadline, core->rights_at_us);
        deadline = earlier(deadline, each_next_us(core));
        if (core->comeback_at_us != 0)
                deadline = earlier(deadline, core->comeback_at_us);
        if (core->limbo_until_us != 0)
                deadline = earlier(deadline, core->limbo_until_us);
        return deadline;
}

int core_direction_of(const struct core *core, const char *public_key, int64_t wall_us)
{
        const struct key *key = access_speaker(&core->access, public_key, wall_us);

        if (!key)
                return -1;
        return key->row.is_worker ? MSG_W2S : MSG_C2S;
}

struct core_numbers core_numbers(const struct core *core)
{
        struct core_numbers numbers = {
                .workers = HASH_CNT(hh_session, core->sessions),
                .sessions = HASH_CNT(hh_session, core->sessions) + HASH_CNT(hh, core->clients),
                .jobs_unfinished = HASH_CNT(hh, core->jobs),
                .events = core->n_events,
                .grants = core->n_grants,
                .ends = core->n_ends,
                .waiting_p50_ms = pace_ms(&core->pace, 50),
                .waiting_p95_ms = pace_ms(&core->pace, 95),
        };
        const struct job *job;

        for (job = core->jobs; job; job = job->hh.next) {
                numbers.tasks_granted += job->granted;
                numbers.tasks_queued += job->n[TASK_STATUS_QUEUED] - job->granted_queued;
        }
        return numbers;
}
