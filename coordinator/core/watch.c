/* A watch hangs in its job and in its client. It ends with `done` after the commit of what it waited for, or silently
 * with its session.
 *
 * A job that is not in memory is over or not there: the reader threads answer, after the same check of rights, so that
 * nobody can tell a foreign job from none. */
#include "core/watch.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "core/finish.h"
#include "core/group.h"
#include "core/job.h"
#include "core/lease.h"
#include "core/news.h"
#include "core/reply.h"

#define RIGHTS_EVERY_US US_PER_S /* nobody listens longer with a right that he lost */
#define PROGRESS_EVERY_US (200 * US_PER_MS) /* at most five times a second */
#define OUTPUT_EVERY_US (100 * US_PER_MS) /* short for a person who reads along */
#define OUTPUTS_MAX 4000 /* ranges: an event takes 4096 */

struct client *client_find(const struct core *core, struct session_id session)
{
        struct client *client;

        HASH_FIND(hh, core->clients, &session.n, sizeof(session.n), client);
        return client;
}

struct client *client_get(struct core *core, const struct asker *asker)
{
        struct client *client = client_find(core, asker->session);

        if (!client) {
                client = xcalloc(1, sizeof(*client));
                client->session = asker->session.n;
                HASH_ADD(hh, core->clients, session, sizeof(client->session), client);
        }
        client->who = asker->who;
        client->key = asker->key;
        if (core->rights_at_us == 0)
                core->rights_at_us = core->mono_us + RIGHTS_EVERY_US;
        return client;
}

void client_unref(struct core *core, struct client *client)
{
        if (--client->n > 0)
                return;
        HASH_DELETE(hh, core->clients, client);
        free(client);
}

void watch_free(struct core *core, struct watch *watch)
{
        struct client *client = client_find(core, watch->session);

        client->n_members -= watch->group != NULL;
        DL_DELETE(watch->job->watches, watch);
        DL_DELETE2(client->watches, watch, prev_of_client, next_of_client);
        spans_done(&watch->only);
        spans_done(&watch->outputs);
        free(watch->of);
        free(watch);
        client_unref(core, client);
}

void watch_take_outputs(struct core *core, struct watch *watch, struct ranges *out)
{
        for (size_t i = watch->outputs.head; i < watch->outputs.n; i++)
                ranges_add(out, watch->outputs.list[i].lo, watch->outputs.list[i].hi);
        spans_done(&watch->outputs);
        watch->output_due = false;
        watch->output_told_us = core->mono_us;
}

static void send_event(struct core *core, struct watch *watch, bool with_counts, bool done, bool output)
{
        struct rec_job_counts counts;
        struct ranges outputs = { 0 };
        struct msg msg = { .kind = MSG_event, .re = watch->re };

        msg.u.event.job = watch->job->id.n;
        msg.u.event.has_job = true;
        msg.u.event.status = job_status(watch->job);
        msg.u.event.has_status = true;
        if (with_counts) {
                job_counts_fill(watch->job, &counts);
                msg.u.event.counts = &counts;
        }
        msg.u.event.done = msg.u.event.has_done = done;
        if (output)
                watch_take_outputs(core, watch, &outputs);
        msg.u.event.output = msg.u.event.has_output = output;
        msg.u.event.outputs = outputs.list;
        msg.u.event.n_outputs = outputs.n;
        effects_send(core->out, watch->session, &msg, false);
        ranges_done(&outputs);
}

static void add_common(const struct spans *set, const struct spans *asked, struct spans *out)
{
        for (size_t i = set->head; i < set->n; i++) {
                const struct span *run = &set->list[i];
                uint32_t at = spans_next(asked, run->lo);

                while (at <= run->hi) {
                        uint32_t end = MIN(run->hi, spans_skip(asked, at) - 1);

                        spans_add(out, (struct span){ .lo = at, .hi = end });
                        at = spans_next(asked, end + 1);
                }
        }
}

static void add_granted(const struct job *job, const struct spans *asked, struct spans *out)
{
        const struct lease *lease;

        DL_FOREACH2(job->leases, lease, job_next)
        {
                struct spans granted = { 0 };

                lease_collect(lease, &granted);
                add_common(&granted, asked, out);
                spans_done(&granted);
        }
}

/* What of the job is not final: the positions that the subscription waits for. O(what of the job is in memory). */
static void open_positions(const struct job *job, const struct msg_watch *ask, struct spans *out)
{
        struct spans asked = { 0 };
        struct spans never = { 0 };
        const struct spans *sets[] = { &job->cool,   &job->limbo, &job->sweep, &job->round,
                                       &job->parked, &job->ripe,  &never };
        const struct lot *lot;
        uint32_t from = spans_skip(&job->gone, job->cursor);

        while (from < job->tasks) {
                uint32_t next = MIN(job->tasks, spans_next(&job->gone, from));

                spans_add(&never, (struct span){ .lo = from, .hi = next - 1 });
                from = spans_skip(&job->gone, next);
        }
        index_spans(&job->indexes, ask->ranges, ask->n_ranges, &asked);
        for (size_t i = 0; i < ARRAY_LEN(sets); i++)
                add_common(sets[i], &asked, out);
        DL_FOREACH (job->lots, lot)
                add_common(&lot->again, &asked, out);
        add_granted(job, &asked, out);
        spans_done(&never);
        spans_done(&asked);
}

static struct watch *watch_find(const struct core *core, struct session_id session, const struct job *job)
{
        const struct client *client = client_find(core, session);
        struct watch *watch;

        DL_FOREACH2(client ? client->watches : NULL, watch, next_of_client)
        {
                if (watch->job == job && !watch->group)
                        return watch;
        }
        return NULL;
}

void watch_ask_reader(struct core *core, const struct asker *asker, struct msg **take_msg, uint64_t *jobs,
                      size_t n_jobs)
{
        struct read_request *read = xcalloc(1, sizeof(*read));

        read->session = asker->session;
        read->re = asker->re;
        read->who = asker->who;
        read->permission = PERMISSION_JOB_READ;
        read->msg = STEAL(*take_msg);
        read->watch_answer = true;
        read->jobs = jobs;
        read->n_jobs = n_jobs;
        effects_read(core->out, read);
}

struct watch *watch_new(struct core *core, const struct asker *asker, struct job *job,
                        const struct msg_watch *ask)
{
        struct client *client = client_get(core, asker);
        struct watch *watch = xcalloc(1, sizeof(*watch));

        watch->session = asker->session;
        watch->re = asker->re;
        watch->job = job;
        watch->all = ask->n_ranges == 0;
        watch->progress = ask->progress;
        watch->output = ask->output;
        if (ask->output && ask->n_ranges > 0) {
                watch->of = xmemdup(ask->ranges, ask->n_ranges * sizeof(*ask->ranges));
                watch->n_of = ask->n_ranges;
        }
        client->n++;
        DL_APPEND(job->watches, watch);
        DL_APPEND2(client->watches, watch, prev_of_client, next_of_client);
        if (!watch->all)
                open_positions(job, ask, &watch->only);
        watch->told_us = core->mono_us;
        return watch;
}

/* What it waits for may be final in memory and not yet committed: the fact that is on its way tells it; where nothing is
 * on its way any more, a fact of our own does. */
void watch_settle(struct core *core, struct watch *watch)
{
        if (!watch->all && watch->only.count == 0)
                watch->fact = watch->job->phase == JOB_ENDED ? watch->job->end_fact
                                                             : job_end_fact(core, watch->job);
}

static void begin(struct core *core, struct watch *watch)
{
        watch->begun = true;
        spans_done(&watch->outputs); /* they can be read now */
        watch->output_due = false;
        send_event(core, watch, watch->progress, false, false);
}

/* Who wants output reads what there is when he hears of us for the first time: so that must not be before everything
 * recorded until now can be read. */
static void subscribe(struct core *core, const struct asker *asker, struct job *job,
                      const struct msg_watch *ask)
{
        struct watch *watch = watch_new(core, asker, job, ask);

        if (watch->output)
                effects_fact(core->out,
                             (struct fact){ .kind = FACT_WATCH, .job = job->id, .n = asker->session.n });
        else
                begin(core, watch);
        watch_settle(core, watch);
}

void watch_begin(struct core *core, struct job *job, struct session_id session)
{
        struct watch *watch = watch_find(core, session, job);

        if (watch && !watch->begun)
                begin(core, watch);
}

struct job *watch_job(struct core *core, const struct asker *asker, uint64_t id, bool output)
{
        struct job *job = job_find(core, id);

        if (!job || job->phase == JOB_LOADING || job->phase == JOB_NEW ||
            !access_allows(&core->access, asker->who, PERMISSION_JOB_READ, job->owner_id, NULL) ||
            (output && !access_allows(&core->access, asker->who, PERMISSION_DATA_READ, job->owner_id, NULL)))
                return NULL;
        return job;
}

static bool has_enough(const struct client *client)
{
        return client && client->n - client->n_members >= WATCHES_PER_SESSION;
}

bool watch_from_birth(struct core *core, const struct asker *asker, struct job *job)
{
        const struct msg_watch whole = { 0 };

        if (!access_allows(&core->access, asker->who, PERMISSION_JOB_READ, job->owner_id, NULL) ||
            has_enough(client_find(core, asker->session)))
                return false;
        watch_new(core, asker, job, &whole)->begun = true;
        return true;
}

void watch_on_watch(struct core *core, const struct asker *asker, struct msg **take_msg)
{
        const struct msg_watch *ask = &(*take_msg)->u.watch;
        struct job *job;
        const struct client *client = client_find(core, asker->session);
        struct watch *old;

        if (ask->has_job + ask->events + (ask->n_parts > 0) != 1) {
                reply_refused(core, asker, ERR_BAD_FIELD, "watch: a job, or parts, or events");
                return;
        }
        if (ask->n_parts > 0) {
                group_on_watch(core, asker, take_msg);
                return;
        }
        if (!ask->has_job) {
                news_on_watch(core, asker, ask);
                return;
        }
        job = watch_job(core, asker, ask->job, ask->output);
        if (!job) {
                if (ask->stop)
                        reply_changed(core, asker, 0, NULL);
                else
                        watch_ask_reader(core, asker, take_msg, NULL, 0);
                return;
        }
        old = watch_find(core, asker->session, job);
        if (ask->stop) {
                if (old)
                        watch_free(core, old);
                reply_changed(core, asker, old ? 1 : 0, NULL);
                return;
        }
        if (has_enough(client)) {
                reply_retry_later(core, asker, "too many subscriptions of one connection", 1000);
                return;
        }
        if (old && old->re == asker->re)
                watch_free(core, old); /* the same request, sent again */
        subscribe(core, asker, job, ask);
}

void watch_ended(struct core *core, struct job *job, const struct spans *which)
{
        struct watch *watch;
        uint64_t fact = 0;

        DL_FOREACH (job->watches, watch) {
                struct spans ended = { 0 };

                if (watch->all || watch->only.count == 0)
                        continue;
                for (size_t i = which->head; i < which->n; i++)
                        spans_take(&watch->only, which->list[i].lo, which->list[i].hi, &ended);
                spans_done(&ended);
                if (watch->only.count > 0)
                        continue;
                if (fact == 0)
                        fact = job_end_fact(core, job);
                watch->fact = fact;
        }
}

/* An older fact says nothing of what ended after it: that is in a batch of its own, not committed yet. */
static bool is_through(const struct watch *watch, const struct job *job, uint64_t fact)
{
        if (watch->all)
                return job->phase == JOB_ENDED && job->end_fact <= fact;
        return watch->fact != 0 && watch->fact <= fact;
}

void watch_committed(struct core *core, struct job *job, uint64_t fact)
{
        struct watch *watch, *next;

        DL_FOREACH_SAFE (job->watches, watch, next) {
                if (!is_through(watch, job, fact))
                        continue;
                if (watch->group) {
                        group_ended(core, watch);
                        continue;
                }
                send_event(core, watch, true, true, watch->output);
                watch_free(core, watch);
        }
}

void watch_progress(struct core *core, struct job *job)
{
        struct watch *watch;

        DL_FOREACH (job->watches, watch) {
                if (watch->group && watch->progress)
                        group_note(core, watch);
                if (watch->group || !watch->progress || !watch->begun)
                        continue;
                watch->due = true;
                if (core->mono_us - watch->told_us >= PROGRESS_EVERY_US) {
                        watch->due = false;
                        watch->told_us = core->mono_us;
                        send_event(core, watch, true, false, false);
                } else if (core->progress_at_us == 0) {
                        core->progress_at_us = watch->told_us + PROGRESS_EVERY_US;
                }
        }
}

void watch_note_output(struct core *core, struct job *job, uint64_t index)
{
        const struct watch *watch;

        DL_FOREACH (job->watches, watch) {
                if (!watch->output)
                        continue;
                effects_fact(core->out, (struct fact){ .kind = FACT_OUTPUT, .job = job->id, .n = index });
                return;
        }
}

void watch_note_finished(struct core *core, const struct worker *worker, const struct msg_finished *finished)
{
        for (size_t i = 0; core->clients && i < finished->n_chunks; i++) {
                const struct rec_task_chunk *chunk = &finished->chunks[i];
                const struct rec_task_end *end = &finished->ends[chunk->end];
                const struct lease *lease =
                        chunk->kind == DATA_KIND_OUTPUT
                                ? finish_out_lease(core, worker, end->job, end->nonce, chunk->index)
                                : NULL;

                if (lease)
                        watch_note_output(core, lease->job, chunk->index);
        }
}

static bool wants_output_of(const struct watch *watch, uint32_t index)
{
        if (!watch->output)
                return false;
        for (size_t i = 0; i < watch->n_of; i++) {
                if (index >= watch->of[i].lo && index <= watch->of[i].hi)
                        return true;
        }
        return watch->n_of == 0;
}

/* Notes of one task after the other would be as many as its lines: they gather for a moment, or until they are many. */
void watch_output(struct core *core, struct job *job, uint32_t index)
{
        struct watch *watch;

        DL_FOREACH (job->watches, watch) {
                if (!wants_output_of(watch, index))
                        continue;
                if (!spans_find(&watch->outputs, index))
                        spans_add(&watch->outputs, (struct span){ .lo = index, .hi = index });
                if (watch->group) {
                        group_note(core, watch);
                        continue;
                }
                if (!watch->begun)
                        continue;
                if (core->mono_us - watch->output_told_us >= OUTPUT_EVERY_US ||
                    watch->outputs.n - watch->outputs.head >= OUTPUTS_MAX) {
                        send_event(core, watch, false, false, true);
                } else {
                        watch->output_due = true;
                        if (core->progress_at_us == 0 ||
                            core->progress_at_us > watch->output_told_us + OUTPUT_EVERY_US)
                                core->progress_at_us = watch->output_told_us + OUTPUT_EVERY_US;
                }
        }
}

bool watch_may(const struct core *core, const struct client *client, const struct watch *watch)
{
        struct principal_id owner = watch->job->owner_id;

        return access_allows(&core->access, client->who, PERMISSION_JOB_READ, owner, NULL) &&
               (!watch->output ||
                access_allows(&core->access, client->who, PERMISSION_DATA_READ, owner, NULL));
}

/* A key that was revoked or has expired, or a role that was taken away, ends what it still listens to. */
static void check_rights(struct core *core)
{
        struct client *client, *next_client;

        if (core->rights_at_us == 0 || core->mono_us < core->rights_at_us)
                return;
        HASH_ITER (hh, core->clients, client, next_client) {
                bool speaks = access_key_speaks(&core->access, access_find_key(&core->access, client->key),
                                                core->wall_us);
                struct asker asker = { .session = { client->session }, .who = client->who };
                struct watch *watch, *next;
                bool has_group = client->group != NULL;

                /* The last watch_free frees the client too, unless it has a group. */
                DL_FOREACH_SAFE2(client->watches, watch, next, next_of_client)
                {
                        asker.re = watch->re;
                        if (watch->group)
                                continue;
                        if (!speaks)
                                reply_refused(core, &asker, ERR_UNAUTHENTICATED,
                                              "this key is unknown, revoked or expired");
                        else if (!watch_may(core, client, watch))
                                reply_refused(core, &asker, ERR_FORBIDDEN,
                                              "you may not see this job any more");
                        else
                                continue;
                        watch_free(core, watch);
                }
                if (has_group)
                        group_check_rights(core, client, speaks);
        }
        core->rights_at_us = core->clients ? core->mono_us + RIGHTS_EVERY_US : 0;
}

static void output_is_due(struct core *core, struct watch *watch)
{
        int64_t at_us = watch->output_told_us + OUTPUT_EVERY_US;

        if (core->mono_us >= at_us)
                send_event(core, watch, false, false, true);
        else if (core->progress_at_us == 0 || core->progress_at_us > at_us)
                core->progress_at_us = at_us;
}

/* Only while somebody watches progress: the subscriptions whose counts changed too soon after the last event. */
void watch_tick(struct core *core)
{
        struct client *client, *next;

        check_rights(core);
        if (core->progress_at_us == 0 || core->mono_us < core->progress_at_us)
                return;
        core->progress_at_us = 0;
        HASH_ITER (hh, core->clients, client, next) {
                struct watch *watch;

                DL_FOREACH2(client->watches, watch, next_of_client)
                {
                        if (watch->due)
                                watch_progress(core, watch->job);
                        if (watch->output_due)
                                output_is_due(core, watch);
                }
                if (client->group)
                        group_tick(core, client);
        }
}

void watch_forget_job(struct core *core, struct job *job)
{
        struct watch *watch, *next;

        DL_FOREACH_SAFE (job->watches, watch, next)
                watch_free(core, watch);
}

void watch_forget_session(struct core *core, struct session_id session)
{
        struct client *client = client_find(core, session);
        struct watch *watch, *next;

        if (!client)
                return;
        client->n++; /* until all of it is gone */
        if (client->group)
                group_free(core, client);
        DL_FOREACH_SAFE2(client->watches, watch, next, next_of_client)
        watch_free(core, watch);
        client_unref(core, client);
}

void watch_done_all(struct core *core)
{
        while (core->clients)
                watch_forget_session(core, (struct session_id){ core->clients->session });
}
