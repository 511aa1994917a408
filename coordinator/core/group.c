/* Who waits for ten thousand jobs sends one message and hears at most ten times a second which of them are over: jobs that
 * are in memory are watched, the others are over or not there, and the reader threads say so in one answer.
 *
 * Invariants: 1. the first event leaves when everything recorded before the subscription is committed, so that who reads
 * what there is after that event, and what later ones name, misses nothing; 2. each job is named once as over, by us or by
 * the readers; 3. the last one that ends is told at once. */
#include "core/group.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "core/job.h"
#include "core/watch.h"

#define TELL_EVERY_US (200 * US_PER_MS)
#define TELL_OUTPUT_US (100 * US_PER_MS) /* short for a person who reads along */
#define NOTES_MAX 4096 /* jobs with output, and ranges of their tasks, that an event takes */

struct over {
        uint64_t job;
        bool succeeded;
};

struct left { /* output of a job that is over which was not told of yet */
        uint64_t job;
        struct ranges ranges;
};

struct group {
        uint64_t re;
        bool progress, output;
        bool begun; /* its first event has left */
        bool due; /* something is to be told, but not yet */
        int64_t told_us; /* mono */
        struct rec_job_counts past; /* of its jobs that are over */
        struct over *over; /* since the last event */
        size_t n_over, cap_over;
        struct left *left;
        size_t n_left, cap_left;
};

/* ------------------------------------------------------------------ telling */
static int by_job(const void *a, const void *b)
{
        const struct over *x = a, *y = b;

        return x->job < y->job ? -1 : x->job > y->job;
}

static void add_counts(struct rec_job_counts *sum, const struct rec_job_counts *counts)
{
        sum->tasks += counts->tasks;
        sum->held += counts->held;
        sum->waiting += counts->waiting;
        sum->queued += counts->queued;
        sum->running += counts->running;
        sum->succeeded += counts->succeeded;
        sum->failed += counts->failed;
        sum->cancelled += counts->cancelled;
        sum->aborted += counts->aborted;
}

static struct rec_job_counts counts_of(const struct client *client)
{
        struct rec_job_counts sum = client->group->past;
        const struct watch *watch;

        DL_FOREACH2(client->watches, watch, next_of_client)
        {
                struct rec_job_counts counts;

                if (watch->group != client->group)
                        continue;
                job_counts_fill(watch->job, &counts);
                add_counts(&sum, &counts);
        }
        return sum;
}

static void take_over(struct group *group, struct ranges *succeeded, struct ranges *ended)
{
        if (group->n_over > 0)
                qsort(group->over, group->n_over, sizeof(*group->over), by_job);
        for (size_t i = 0; i < group->n_over; i++)
                ranges_add(group->over[i].succeeded ? succeeded : ended, group->over[i].job,
                           group->over[i].job);
        group->n_over = 0;
}

struct notes { /* which tasks of which jobs have new output */
        struct rec_job_output list[NOTES_MAX];
        struct ranges ranges[NOTES_MAX];
        size_t n, n_ranges;
};

/* False: it is for the next event. */
static bool add_note(struct notes *notes, uint64_t job, struct ranges *take_ranges)
{
        if (notes->n == NOTES_MAX || (notes->n > 0 && notes->n_ranges + take_ranges->n > NOTES_MAX))
                return false;
        notes->n_ranges += take_ranges->n;
        notes->list[notes->n] = (struct rec_job_output){
                .job = job, .has_job = true, .ranges = take_ranges->list, .n_ranges = take_ranges->n
        };
        notes->ranges[notes->n++] = *take_ranges;
        *take_ranges = (struct ranges){ 0 };
        return true;
}

/* False: not everything fits. */
static bool take_outputs(struct core *core, struct client *client, struct notes *notes)
{
        struct group *group = client->group;
        struct watch *watch;

        while (group->n_left > 0 &&
               add_note(notes, group->left[group->n_left - 1].job, &group->left[group->n_left - 1].ranges))
                group->n_left--;
        if (group->n_left > 0)
                return false;
        DL_FOREACH2(client->watches, watch, next_of_client)
        {
                struct ranges ranges = { 0 };

                if (watch->group != group || watch->outputs.count == 0)
                        continue;
                if (notes->n == NOTES_MAX || notes->n_ranges + watch->outputs.n > NOTES_MAX)
                        return false;
                watch_take_outputs(core, watch, &ranges);
                (void)add_note(notes, watch->job->id.n, &ranges);
        }
        return true;
}

static void tell(struct core *core, struct client *client)
{
        struct group *group = client->group;
        struct msg msg = { .kind = MSG_event, .re = group->re };
        struct msg_event *event = &msg.u.event;
        struct ranges succeeded = { 0 }, ended = { 0 };
        struct notes *notes = group->output ? xcalloc(1, sizeof(*notes)) : NULL;
        struct rec_job_counts counts;

        group->told_us = core->mono_us;
        group->due = notes && !take_outputs(core, client, notes);
        take_over(group, &succeeded, &ended);
        event->succeeded = succeeded.list;
        event->n_succeeded = succeeded.n;
        event->ended = ended.list;
        event->n_ended = ended.n;
        event->open = client->n_members;
        event->has_open = true;
        if (group->progress) {
                counts = counts_of(client);
                event->counts = &counts;
        }
        if (notes && notes->n > 0) {
                event->job_outputs = notes->list;
                event->n_job_outputs = notes->n;
                event->output = event->has_output = true;
        }
        effects_send(core->out, (struct session_id){ client->session }, &msg, false);
        for (size_t i = 0; notes && i < notes->n; i++)
                ranges_done(&notes->ranges[i]);
        free(notes);
        ranges_done(&succeeded);
        ranges_done(&ended);
}

static void tell_when_due(struct core *core, struct client *client)
{
        struct group *group = client->group;
        int64_t at_us = group->told_us + (group->output ? TELL_OUTPUT_US : TELL_EVERY_US);

        if (!group->begun || !group->due)
                return;
        if (core->mono_us < at_us && client->n_members > 0) {
                if (core->progress_at_us == 0 || core->progress_at_us > at_us)
                        core->progress_at_us = at_us;
                return;
        }
        do
                tell(core, client);
        while (group->due);
}

void group_tick(struct core *core, struct client *client)
{
        tell_when_due(core, client);
        if (client->group->begun && client->n_members == 0)
                group_free(core, client);
}

void group_begin(struct core *core, struct session_id session)
{
        struct client *client = client_find(core, session);

        if (!client || !client->group || client->group->begun)
                return;
        client->group->begun = client->group->due = true;
        client->group->told_us = core->mono_us - TELL_EVERY_US; /* the first one is due now */
        group_tick(core, client);
}

void group_note(struct core *core, const struct watch *watch)
{
        struct client *client = client_find(core, watch->session);

        client->group->due = true;
        tell_when_due(core, client);
}

void group_ended(struct core *core, struct watch *watch)
{
        struct client *client = client_find(core, watch->session);
        struct group *group = client->group;
        struct rec_job_counts counts;

        job_counts_fill(watch->job, &counts);
        add_counts(&group->past, &counts);
        GROW(group->over, group->cap_over, group->n_over + 1);
        group->over[group->n_over++] =
                (struct over){ .job = watch->job->id.n, .succeeded = counts.succeeded == counts.tasks };
        group->due = true;
        if (watch->outputs.count > 0) {
                GROW(group->left, group->cap_left, group->n_left + 1);
                group->left[group->n_left] = (struct left){ .job = watch->job->id.n };
                watch_take_outputs(core, watch, &group->left[group->n_left++].ranges);
        }
        watch_free(core, watch);
        group_tick(core, client);
}

/* ------------------------------------------------------------------ beginning and ending */
void group_free(struct core *core, struct client *client)
{
        struct group *group = client->group;
        struct watch *watch, *next;

        /* It counts as one of the client's, so that the client is there until client_unref. */
        DL_FOREACH_SAFE2(client->watches, watch, next, next_of_client)
        {
                if (watch->group == group)
                        watch_free(core, watch);
        }
        client->group = NULL;
        while (group->n_left > 0)
                ranges_done(&group->left[--group->n_left].ranges);
        free(group->left);
        free(group->over);
        free(group);
        client_unref(core, client);
}

static void watch_one(struct core *core, const struct asker *asker, struct client *client, struct job *job,
                      const struct rec_watch_part *part)
{
        const struct msg_watch ask = { .ranges = part->ranges,
                                       .n_ranges = part->n_ranges,
                                       .progress = client->group->progress,
                                       .output = client->group->output };
        struct watch *watch = watch_new(core, asker, job, &ask);

        watch->group = client->group;
        client->n_members++;
        watch_settle(core, watch);
}

static int check_parts(const struct msg_watch *ask, size_t *ret_jobs, struct err *err)
{
        uint64_t last = 0;

        *ret_jobs = 0;
        for (size_t i = 0; i < ask->n_parts; i++) {
                const struct rec_watch_part *part = &ask->parts[i];
                uint64_t to = part->has_job_to ? part->job_to : part->job;

                if (part->job <= last || to < part->job)
                        return err_set(err, ERR_BAD_FIELD, "parts: jobs in ascending order, each once");
                if (to - part->job >= GROUP_JOBS_MAX - *ret_jobs)
                        return err_set(err, ERR_TOO_LARGE, "parts: more than %d jobs", GROUP_JOBS_MAX);
                *ret_jobs += to - part->job + 1;
                last = to;
        }
        return 0;
}

static struct client *group_new(struct core *core, const struct asker *asker, const struct msg_watch *ask)
{
        struct client *client = client_get(core, asker);

        if (client->group) {
                client->n++; /* so that it stays */
                group_free(core, client);
                client->n--;
        }
        client->group = xcalloc(1, sizeof(*client->group));
        client->group->re = asker->re;
        client->group->progress = ask->progress;
        client->group->output = ask->output;
        client->group->past = (struct rec_job_counts){ .has_tasks = true,
                                                       .has_held = true,
                                                       .has_waiting = true,
                                                       .has_queued = true,
                                                       .has_running = true,
                                                       .has_succeeded = true,
                                                       .has_failed = true,
                                                       .has_cancelled = true,
                                                       .has_aborted = true };
        client->n++;
        return client;
}

void group_on_watch(struct core *core, const struct asker *asker, struct msg **take_msg)
{
        const struct msg_watch *ask = &(*take_msg)->u.watch;
        struct client *client = client_find(core, asker->session);
        uint64_t *elsewhere;
        size_t n_jobs, n_elsewhere = 0;
        struct err err = { 0 };

        if (ask->stop) {
                bool had = client && client->group;

                if (had)
                        group_free(core, client);
                reply_changed(core, asker, had, NULL);
                return;
        }
        if (check_parts(ask, &n_jobs, &err) < 0) {
                reply_refused(core, asker, err.code, err.text);
                return;
        }
        client = group_new(core, asker, ask);
        elsewhere = xcalloc(n_jobs, sizeof(*elsewhere));
        for (size_t i = 0; i < ask->n_parts; i++) {
                const struct rec_watch_part *part = &ask->parts[i];

                for (uint64_t id = part->job; id <= (part->has_job_to ? part->job_to : part->job); id++) {
                        struct job *job = watch_job(core, asker, id, ask->output);

                        if (job)
                                watch_one(core, asker, client, job, part);
                        else
                                elsewhere[n_elsewhere++] = id;
                }
        }
        if (client->n_members > 0)
                effects_fact(core->out, (struct fact){ .kind = FACT_WATCH, .n = asker->session.n });
        else
                group_free(core, client);
        if (n_elsewhere > 0)
                watch_ask_reader(core, asker, take_msg, elsewhere, n_elsewhere);
        else
                free(elsewhere);
}

/* A right that was lost for one of its jobs ends it. */
void group_check_rights(struct core *core, struct client *client, bool speaks)
{
        struct asker asker = { .session = { client->session }, .re = client->group->re, .who = client->who };
        struct watch *watch;
        bool may = true;

        DL_FOREACH2(client->watches, watch, next_of_client)
        {
                may = may && (watch->group != client->group || watch_may(core, client, watch));
        }
        if (speaks && may)
                return;
        if (!speaks)
                reply_refused(core, &asker, ERR_UNAUTHENTICATED, "this key is unknown, revoked or expired");
        else
                reply_refused(core, &asker, ERR_FORBIDDEN, "you may not see these jobs any more");
        group_free(core, client);
}
