/* Settings are rows: when one is asked for, how it changes the description and reads in the event, and what follows from it.
 * The new description is made and checked beside the old one; then it takes its place, what follows is done, and one
 * operation stores it: a restart finds all of a message or nothing.
 *
 * Invariant: nothing that runs is stopped or granted anew for a setting. What a worker has and has not started is taken back
 * where the change concerns it. */
#include "core/change.h"

#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "core/abort.h"
#include "core/fit.h"
#include "core/job.h"
#include "core/lot.h"
#include "core/namesake.h"
#include "core/place.h"
#include "core/queue.h"
#include "core/spec.h"
#include "core/when.h"

#define LIMITS_MAX 256 /* jobs in one message: it stays small */

typedef unsigned long long ull;

/* ------------------------------------------------------------------ run limits, as workers hear of them */

static void send_limits(struct core *core, const struct worker *worker, struct rec_job_limit *limits,
                        size_t n)
{
        struct msg msg = { .kind = MSG_limits };

        msg.u.limits.jobs = limits;
        msg.u.limits.n_jobs = n;
        if (n > 0 && worker->session.n != 0)
                effects_send(core->out, worker->session, &msg, false);
}

static struct rec_job_limit limit_of(const struct job *job)
{
        return (struct rec_job_limit){
                .job = job->id.n, .has_job = true, .time_ms = job->spec->spec.time_ms, .has_time_ms = true
        };
}

/* Every worker that holds tasks of the job hears of its new limit. */
static void tell_limit(struct core *core, struct job *job)
{
        struct rec_job_limit limit = limit_of(job);
        struct worker *last = NULL;
        struct lease *lease;

        DL_FOREACH2(job->leases, lease, job_next)
        {
                if (lease->worker !=
                    last) /* neighbours in the list are often of one worker; twice does no harm */
                        send_limits(core, lease->worker, &limit, 1);
                last = lease->worker;
        }
}

void change_tell_limits(struct core *core, const struct worker *worker)
{
        struct rec_job_limit limits[LIMITS_MAX];
        const struct lease *lease;
        size_t n = 0;

        DL_FOREACH2(worker->leases, lease, worker_next)
        {
                bool known = n > 0 && limits[n - 1].job == lease->job->id.n;

                if (!lease->job->spec->spec.has_time_ms || known || lease->unsent)
                        continue;
                if (n == LIMITS_MAX) {
                        send_limits(core, worker, limits, n);
                        n = 0;
                }
                limits[n++] = limit_of(lease->job);
        }
        send_limits(core, worker, limits, n);
}

/* ------------------------------------------------------------------ the settings */

enum follow { /* bits */
              NOTHING = 0,
              NAME = 1,
              QUEUE = 2,
              NEEDS = 4,
              LIMIT = 8,
              TIMES = 16,
};

/* SETTING(name, it is asked for, what follows) */
#define SETTINGS                                                                                             \
        SETTING(name, ask->name, NAME)                                                                       \
        SETTING(comment, ask->comment, NOTHING)                                                              \
        SETTING(queue, ask->queue, QUEUE)                                                                    \
        SETTING(priority, ask->has_priority, NOTHING)                                                        \
        SETTING(max_running, ask->has_max_running, NOTHING)                                                  \
        SETTING(cpus, ask->has_cpus, NEEDS)                                                                  \
        SETTING(mem, ask->has_mem, NEEDS)                                                                    \
        SETTING(gpus, ask->has_gpus, NEEDS)                                                                  \
        SETTING(time, ask->has_time_ms, LIMIT)                                                               \
        SETTING(at, ask->has_at_us || ask->has_at_delay_ms, TIMES)                                           \
        SETTING(start_by, ask->has_start_by_us || ask->has_start_by_delay_ms, TIMES)                         \
        SETTING(retries, ask->has_retries, NOTHING)                                                          \
        SETTING(backoff, ask->has_backoff_ms, NOTHING)                                                       \
        SETTING(retry_on, ask->n_retry_on > 0 || ask->retry_on_all, NOTHING)                                 \
        SETTING(max_fails, ask->has_max_fails || ask->has_max_fails_percent, NOTHING)                        \
        SETTING(ok_codes, ask->n_ok_codes > 0, NOTHING)

/* The description takes the value of the message; the event says it as a person would type it. */
struct put {
        const struct core *core;
        const struct msg_set *ask;
        struct rec_job_spec *spec;
        struct buf *text;
};

static struct buf *say(struct put *put, const char *word)
{
        buf_addf(put->text, "%s%s=", put->text->n > 0 ? " " : "", word);
        return put->text;
}

static void say_text(struct put *put, const char *word, const char *text)
{
        bool bare = text[0] != '\0' && strcspn(text, " '\"") == strlen(text);

        buf_addf(say(put, word), bare ? "%s" : "'%s'", text);
}

static void put_name(struct put *put)
{
        put->spec->name = put->ask->name;
        put->spec->n_name = put->ask->n_name;
        say_text(put, "name", put->ask->name);
}

static void put_comment(struct put *put)
{
        put->spec->comment = put->ask->n_comment > 0 ? put->ask->comment : NULL;
        put->spec->n_comment = put->ask->n_comment;
        say_text(put, "comment", put->ask->comment);
}

static void put_queue(struct put *put)
{
        put->spec->queue = put->ask->queue;
        put->spec->n_queue = put->ask->n_queue;
        say_text(put, "queue", put->ask->queue);
}

static void put_priority(struct put *put)
{
        put->spec->priority = put->ask->priority;
        put->spec->has_priority = true;
        buf_addf(say(put, "priority"), "%lld", (long long)put->ask->priority);
}

static void put_max_running(struct put *put)
{
        put->spec->max_running = put->ask->max_running;
        put->spec->has_max_running = put->ask->max_running > 0;
        buf_addf(say(put, "max-running"), "%llu", (ull)put->ask->max_running);
}

static void put_cpus(struct put *put)
{
        put->spec->cpus = put->ask->cpus;
        put->spec->has_cpus = true;
        buf_addf(say(put, "cpus"), "%llu", (ull)put->ask->cpus);
}

static void say_factor(struct put *put, uint64_t factor)
{
        buf_addf(put->text, ",x%llu", (ull)factor / 1000);
        if (factor % 1000 > 0)
                buf_addf(put->text, ".%03llu", (ull)factor % 1000);
}

static void put_mem(struct put *put)
{
        const struct msg_set *ask = put->ask;
        struct rec_job_spec *spec = put->spec;

        spec->mem = ask->mem;
        spec->mem_factor = ask->mem_factor;
        spec->mem_max = ask->mem_max;
        spec->has_mem = ask->mem > 0;
        spec->has_mem_factor = ask->has_mem_factor;
        spec->has_mem_max = ask->has_mem_max;
        size_print(ask->mem, say(put, "mem"));
        if (ask->has_mem_factor)
                say_factor(put, ask->mem_factor);
        if (ask->has_mem_max) {
                buf_add_str(put->text, ",max=");
                size_print(ask->mem_max, put->text);
        }
}

static void put_gpus(struct put *put)
{
        put->spec->gpus = put->ask->gpus;
        put->spec->has_gpus = put->ask->gpus > 0;
        buf_addf(say(put, "gpus"), "%llu", (ull)put->ask->gpus);
}

static void put_time(struct put *put)
{
        put->spec->time_ms = put->ask->time_ms;
        put->spec->has_time_ms = true;
        duration_print((int64_t)put->ask->time_ms, say(put, "time"));
}

/* A time of the message on the wall clock; 0: none. */
static uint64_t wall_of(const struct core *core, uint64_t us, bool has_delay, uint64_t delay_ms)
{
        return has_delay ? (uint64_t)core->wall_us + delay_ms * US_PER_MS : us;
}

static void say_when(struct put *put, const char *word, uint64_t us, const char *none)
{
        if (us > 0)
                time_print_us((int64_t)us, say(put, word));
        else
                buf_add_str(say(put, word), none);
}

static void put_at(struct put *put)
{
        const struct msg_set *ask = put->ask;
        struct rec_job_spec *spec = put->spec;
        bool now = ask->has_at_delay_ms && ask->at_delay_ms == 0;

        spec->at_us = now ? 0 : wall_of(put->core, ask->at_us, ask->has_at_delay_ms, ask->at_delay_ms);
        spec->has_at_us = spec->at_us > 0;
        spec->at_delay_ms = 0;
        spec->has_at_delay_ms = false;
        spec->at_set = spec->has_at_set = spec->has_at_us;
        say_when(put, "at", spec->at_us, "now");
}

static void put_start_by(struct put *put)
{
        const struct msg_set *ask = put->ask;
        struct rec_job_spec *spec = put->spec;

        spec->start_by_us =
                wall_of(put->core, ask->start_by_us, ask->has_start_by_delay_ms, ask->start_by_delay_ms);
        spec->has_start_by_us = spec->start_by_us > 0;
        spec->start_by_delay_ms = 0;
        spec->has_start_by_delay_ms = false;
        say_when(put, "start-by", spec->start_by_us, "none");
}

static void put_retries(struct put *put)
{
        put->spec->retries = put->ask->retries;
        put->spec->has_retries = true;
        buf_addf(say(put, "retries"), "%llu", (ull)put->ask->retries);
}

static void put_backoff(struct put *put)
{
        const struct msg_set *ask = put->ask;
        struct rec_job_spec *spec = put->spec;

        spec->backoff_ms = ask->backoff_ms;
        spec->backoff_factor = ask->backoff_factor;
        spec->backoff_max_ms = ask->backoff_max_ms;
        spec->has_backoff_ms = ask->backoff_ms > 0;
        spec->has_backoff_factor = ask->has_backoff_factor;
        spec->has_backoff_max_ms = ask->has_backoff_max_ms;
        duration_print((int64_t)ask->backoff_ms, say(put, "backoff"));
        if (ask->has_backoff_factor)
                say_factor(put, ask->backoff_factor);
        if (ask->has_backoff_max_ms) {
                buf_add_str(put->text, ",max=");
                duration_print((int64_t)ask->backoff_max_ms, put->text);
        }
}

static void put_retry_on(struct put *put)
{
        put->spec->retry_on = put->ask->retry_on;
        put->spec->n_retry_on = put->ask->n_retry_on;
        say(put, "retry-on");
        for (size_t i = 0; i < put->ask->n_retry_on; i++)
                buf_addf(put->text, "%s%s", i > 0 ? "," : "", put->ask->retry_on[i]);
        if (put->ask->n_retry_on == 0)
                buf_add_str(put->text, "all");
}

static void put_max_fails(struct put *put)
{
        const struct msg_set *ask = put->ask;
        struct rec_job_spec *spec = put->spec;
        bool limit = ask->has_max_fails || ask->max_fails_percent < 100;

        spec->max_fails = ask->max_fails;
        spec->max_fails_percent = limit ? ask->max_fails_percent : 0;
        spec->has_max_fails = ask->has_max_fails;
        spec->has_max_fails_percent = ask->has_max_fails_percent && limit;
        if (!limit)
                buf_add_str(say(put, "max-fails"), "none");
        else if (ask->has_max_fails)
                buf_addf(say(put, "max-fails"), "%llu", (ull)ask->max_fails);
        else
                buf_addf(say(put, "max-fails"), "%llu%%", (ull)ask->max_fails_percent);
}

static void put_ok_codes(struct put *put)
{
        put->spec->ok_codes = put->ask->ok_codes;
        put->spec->n_ok_codes = put->ask->n_ok_codes;
        say(put, "ok-codes");
        for (size_t i = 0; i < put->ask->n_ok_codes; i++)
                buf_addf(put->text, "%s%lld", i > 0 ? "," : "", (long long)put->ask->ok_codes[i]);
}

/* Returns what follows: bits of enum follow. */
static unsigned put_all(struct put *put)
{
        const struct msg_set *ask = put->ask;
        unsigned follow = 0;

#define SETTING(name, asked, what)                                                                           \
        if (asked) {                                                                                         \
                put_##name(put);                                                                             \
                follow |= (unsigned)what;                                                                    \
        }
        SETTINGS
#undef SETTING
        return follow;
}

/* ------------------------------------------------------------------ may it be */

static int check(const struct core *core, const struct job *job, const struct msg_set *ask,
                 const struct rec_job_spec *spec, struct err *err)
{
        int64_t at_us = when_at_us(spec, job->submitted_us);
        int64_t start_by_us = when_start_by_us(spec, job->submitted_us);
        struct rec_job_spec plain = *spec;

        if ((ask->has_at_us && ask->has_at_delay_ms) || (ask->has_start_by_us && ask->has_start_by_delay_ms))
                return err_set(err, ERR_BAD_FIELD, "a time and a delay exclude each other");
        if (ask->n_retry_on > 0 && ask->retry_on_all)
                return err_set(err, ERR_BAD_FIELD, "retry_on and retry_on_all exclude each other");
        if (ask->queue && !job_queue_find(core, ask->queue))
                return err_set(err, ERR_NOT_FOUND, "there is no queue '%s'", ask->queue);
        plain.at_set = plain.has_at_set = false;
        if (spec_check(&plain, err) < 0)
                return -1;
        if ((ask->has_at_us || ask->has_at_delay_ms || ask->has_start_by_us || ask->has_start_by_delay_ms) &&
            start_by_us > 0 && at_us >= start_by_us)
                return err_set(err, ERR_BAD_FIELD,
                               "start-by: it is not after at, so that nothing could start; "
                               "example: at=now start-by=+30m");
        return 0;
}

/* ------------------------------------------------------------------ what follows */

static void move_to_queue(struct core *core, struct job *job)
{
        struct queue *queue = job_queue_find(core, job->spec->spec.queue);

        job->queue->granted -= job->granted;
        queue->granted += job->granted;
        job->queue = queue;
        job->account = owner_account(job->owner, queue);
        core->lane_changes++;
}

static void renew_spec(struct job *job, const struct rec_job_spec *spec)
{
        struct job_spec_box *before = job->spec;
        CLEANUP_BUF struct buf text = { 0 };

        job->spec = job_spec_dup(spec);
        job_spec_encode(&job->spec->spec, &text);
        job->spec_bytes = text.n;
        job_spec_free(before);
}

static void carry_out(struct core *core, struct job *job, const struct rec_job_spec *spec, unsigned follow)
{
        const char *name = job->spec->spec.name;
        bool early = job->too_early;
        bool renamed = (follow & NAME) != 0 && (!name || strcmp(name, spec->name) != 0);

        queue_remove(core, job);
        renew_spec(job, spec);
        place_spec_changed(core, job);
        if (renamed)
                namesake_rename(core, job);
        if ((follow & QUEUE) != 0)
                move_to_queue(core, job);
        if ((follow & NEEDS) != 0)
                lots_needs_changed(core, job);
        if ((follow & LIMIT) != 0)
                tell_limit(core, job);
        if ((follow & TIMES) != 0)
                when_changed(core, job);
        queue_consider(core, job);
        if ((follow & NEEDS) != 0 || (job->too_early && !early))
                abort_take_all_back(core, job);
}

/* With new needs: can somebody ever run it? */
static void say_lack(struct core *core, const struct rec_job_spec *spec, unsigned follow, struct buf *out)
{
        struct needs *needs;

        if ((follow & NEEDS) == 0 || core->n_active == 0)
                return;
        needs = needs_of(core, spec);
        if (fit_suitable(core, needs) == 0) {
                buf_addf(out, "none of %zu workers could ever run it: ", core->n_active);
                fit_say_lack(core, needs, out);
        }
        needs_unref(core, needs);
}

void change_set(struct core *core, const struct asker *asker, struct job *job, const struct msg_set *ask)
{
        const struct chosen all = { 0 };
        struct rec_job_spec spec = job->spec->spec;
        CLEANUP_BUF struct buf text = { 0 };
        CLEANUP_BUF struct buf lack = { 0 };
        struct put put = { .core = core, .ask = ask, .spec = &spec, .text = &text };
        struct err err = { 0 };
        unsigned follow = put_all(&put);

        if (job->ending != 0) {
                reply_changed(core, asker, 0, "the job is being ended");
                return;
        }
        if (check(core, job, ask, &spec, &err) < 0) {
                reply_refused(core, asker, err.code, err.text);
                return;
        }
        say_lack(core, &spec, follow, &lack);
        reply_changed(core, asker, job->tasks - job_final(job), lack.n > 0 ? lack.bytes : NULL);
        if (ask->dry_run)
                return;
        carry_out(core, job, &spec, follow);
        job_write_spec(core, job);
        audit_tasks(core, "set", job, asker->who, &all, text.n > 0 ? text.bytes : NULL, ask->reason);
        job_check_end(core, job);
}
