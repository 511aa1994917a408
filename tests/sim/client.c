/* A client: submits, uploads, acts, watches; one request at a time beside its subscriptions; sends again what was not
 * answered when its connection broke. Remembers what it was promised. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/state.h"

void sim_client_init(struct sim *sim, struct sim_client *client, unsigned number)
{
        (void)sim;
        client->number = number;
        snprintf(client->public_key, sizeof(client->public_key), "client%034u", number);
}

void sim_client_done(struct sim_client *client)
{
        for (size_t i = 0; i < client->n; i++) {
                struct sim_submission *one = client->list[i];

                buf_done(&one->header);
                buf_done(&one->body);
                for (uint32_t k = 0; k < one->n_chunks; k++)
                        buf_done(&one->chunks[k]);
                job_spec_free(one->spec);
                free(one);
        }
        buf_done(&client->header);
        buf_done(&client->body);
}

/* ------------------------------------------------------------------ descriptions */

static void big_or_small(struct sim *sim, struct rec_job_spec *spec, struct rec_array_part *parts)
{
        uint64_t dice = sim_below(sim, 100);

        if (dice < 30)
                return;
        parts[0] = (struct rec_array_part){ .lo = 1, .has_lo = true, .has_hi = true };
        parts[0].hi = dice < 92                  ? 1 + sim_below(sim, 15)
                      : dice < 97 || !sim->large ? 1 + sim_below(sim, 300)
                                                 : 36000;
        spec->array = parts;
        spec->n_array = 1;
        spec->is_array = spec->has_is_array = true;
        if (dice >= 60 && dice < 70) { /* 1-19:2,2-…:4: parts that reach into each other */
                parts[0].hi = 19;
                parts[0].step = 2;
                parts[0].has_step = true;
                parts[1] = (struct rec_array_part){ .lo = 2,
                                                    .hi = 2 + 4 * sim_below(sim, 20),
                                                    .step = 4,
                                                    .has_lo = true,
                                                    .has_hi = true,
                                                    .has_step = true };
                spec->n_array = 2;
        }
}

/* Up to three earlier tasks, seldom a later one, so that there is a circle now and then. */
static void parents(struct sim *sim, uint64_t task, uint64_t n_tasks, struct buf *text)
{
        static const char *const letters[] = { "", "", "", "a", "n" };

        buf_add(text, "\0\1", 2);
        for (uint64_t n = sim_below(sim, 4); n > 0 && task > 0; n--)
                buf_addf(text, "%s%llu ", letters[sim_below(sim, ARRAY_LEN(letters))],
                         (unsigned long long)(1 + sim_below(sim, sim_below(sim, 200) == 0 ? n_tasks : task)));
        buf_add(text, "\0\1", 2);
}

static void entries(struct sim *sim, struct sim_submission *submission, struct rec_job_spec *spec)
{
        spec->n_array = 0;
        spec->entries = 1 + sim_below(sim, 60);
        spec->entries_per_chunk = 16;
        spec->has_entries = spec->has_entries_per_chunk = true;
        spec->has_edges = sim_chance(sim, 60);
        spec->on_dep_fail_run = spec->has_on_dep_fail_run = sim_chance(sim, 10);
        submission->n_chunks = (uint32_t)((spec->entries + 15) / 16);
        for (uint64_t i = 0; i < spec->entries; i++) {
                CLEANUP_BUF struct buf text = { 0 };
                uint8_t length[4] = { 0 };

                buf_addf(&text, "value %llu", (unsigned long long)i);
                if (spec->has_edges)
                        parents(sim, i, spec->entries, &text);
                length[3] = (uint8_t)text.n;
                buf_add(&submission->chunks[i / 16], length, 4);
                buf_add(&submission->chunks[i / 16], text.bytes, text.n);
        }
}

static const struct sim_submission *any_known(struct sim *sim, const struct sim_client *client)
{
        const struct sim_submission *one = client->n > 0 ? client->list[sim_below(sim, client->n)] : NULL;

        return one && one->job != 0 ? one : NULL;
}

static void failure_options(struct sim *sim, struct rec_job_spec *spec)
{
        static const char *words[] = { "2", "oom", "timeout" };

        if (sim_below(sim, 3) == 0) {
                spec->retries = sim_below(sim, 3);
                spec->has_retries = true;
                spec->retry_on = words;
                spec->n_retry_on = sim_below(sim, 4);
                if (sim_chance(sim, 60)) {
                        spec->backoff_ms = 1 + sim_below(sim, 3000);
                        spec->backoff_factor = 1000 + sim_below(sim, 2000);
                        spec->has_backoff_ms = spec->has_backoff_factor = true;
                }
        }
        if (sim_below(sim, 12) == 0) {
                spec->at_delay_ms = sim_below(sim, 5000);
                spec->has_at_delay_ms = true;
        }
        if (sim_below(sim, 12) == 0) {
                spec->start_by_delay_ms = sim_below(sim, 8000);
                spec->has_start_by_delay_ms = true;
        }
        if (sim_below(sim, 6) == 0) {
                spec->max_fails = sim_below(sim, 3);
                spec->has_max_fails = true;
        } else if (sim_below(sim, 12) == 0) {
                spec->max_fails_percent = sim_below(sim, 40);
                spec->has_max_fails_percent = true;
        }
}

static void needs(struct sim *sim, struct rec_job_spec *spec)
{
        static const char *even[] = { "zone=even" }, *odd[] = { "zone=odd" }, *licence[] = { "licence=1" };

        if (sim_below(sim, 5) == 0) {
                spec->cpus = 1 + sim_below(sim, 4);
                spec->has_cpus = true;
        }
        if (sim_below(sim, 6) == 0) {
                spec->mem = 1 + sim_below(sim, 8);
                spec->has_mem = true;
                if (sim_chance(sim, 50)) {
                        spec->mem_factor = 1000 + sim_below(sim, 1000);
                        spec->mem_max = MIN(spec->mem + 1, UINT64_C(8));
                        spec->has_mem_factor = spec->has_mem_max = true;
                }
        }
        if (sim_below(sim, 8) == 0) {
                spec->gpus = 1 + sim_below(sim, 2);
                spec->has_gpus = true;
        }
        if (sim_below(sim, 8) == 0) {
                spec->res = licence;
                spec->n_res = 1;
        }
        if (sim_below(sim, 8) == 0) {
                spec->require = even;
                spec->n_require = 1;
        } else if (sim_below(sim, 8) == 0) {
                spec->avoid = odd;
                spec->n_avoid = 1;
        }
        if (sim_below(sim, 4) == 0) {
                spec->time_ms = 1000 + sim_below(sim, 20000);
                spec->has_time_ms = true;
        }
}

static const char *const queues[] = { "default", "fast", "slow" };
static const char *const names[] = { "one", "two", "three" };

/* Names are few, so that jobs have older ones of the same name. */
static void name_and_queue(struct sim *sim, struct rec_job_spec *spec)
{
        if (sim_chance(sim, 40)) {
                spec->name = names[sim_below(sim, ARRAY_LEN(names))];
                spec->n_name = strlen(spec->name);
                spec->singleton = spec->has_singleton = sim_chance(sim, 30);
        }
        if (sim_chance(sim, 50)) {
                spec->queue = queues[sim_below(sim, ARRAY_LEN(queues))];
                spec->n_queue = strlen(spec->queue);
        }
}

/* Up to two shapes: the first of them takes runs of tasks from the front, the other one those behind. */
static size_t shapes(struct sim *sim, uint64_t n_tasks, struct rec_shape *list, struct range *ranges)
{
        static int64_t codes[] = { 1, 2 };
        uint64_t at = 1;
        size_t n = 0;

        for (; n < 2 && at <= n_tasks && sim_chance(sim, 60); n++) {
                struct rec_job_spec like = { 0 };
                size_t k = 0;

                needs(sim, &like);
                list[n] = (struct rec_shape){ .tasks = ranges + 8 * n,
                                              .cpus = like.cpus,
                                              .has_cpus = like.has_cpus,
                                              .mem = like.mem,
                                              .has_mem = like.has_mem,
                                              .mem_factor = like.mem_factor,
                                              .has_mem_factor = like.has_mem_factor,
                                              .mem_max = like.mem_max,
                                              .has_mem_max = like.has_mem_max,
                                              .gpus = like.gpus,
                                              .has_gpus = like.has_gpus,
                                              .res = like.res,
                                              .n_res = like.n_res,
                                              .retries = sim_below(sim, 3),
                                              .has_retries = sim_chance(sim, 50),
                                              .ok_codes = codes,
                                              .n_ok_codes = sim_below(sim, 3) };
                for (; k < 8 && at <= n_tasks && (k == 0 || sim_chance(sim, 70)); k++) {
                        uint64_t hi = at + sim_below(sim, 4);

                        hi = MIN(n_tasks, hi);
                        list[n].tasks[k] = (struct range){ at, hi };
                        at = hi + 1 + sim_below(sim, 4);
                }
                list[n].n_tasks = k;
        }
        return n;
}

static struct job_spec_box *make_spec(struct sim *sim, struct sim_client *client,
                                      struct sim_submission *submission)
{
        struct rec_array_part parts[2] = { 0 };
        struct rec_after after[2] = { 0 };
        struct rec_shape shape_list[2];
        struct range shape_ranges[16];
        struct rec_job_spec spec = { .type = TASK_TYPE_NOOP, .has_type = true };
        const struct sim_submission *on;

        big_or_small(sim, &spec, parts);
        if (sim_below(sim, 8) == 0)
                entries(sim, submission, &spec);
        failure_options(sim, &spec);
        if (sim_below(sim, 4) == 0) {
                spec.crash_limit = 1 + sim_below(sim, 2);
                spec.has_crash_limit = true;
        }
        if (sim_below(sim, 6) == 0) {
                spec.at_most_once = spec.has_at_most_once = true;
        }
        if (sim_below(sim, 10) == 0) {
                spec.hold = spec.has_hold = true;
        }
        if (sim_below(sim, 6) == 0) {
                spec.max_running = 1 + sim_below(sim, 5);
                spec.has_max_running = true;
        }
        if (sim_below(sim, 4) == 0) {
                spec.priority = (int64_t)sim_below(sim, 7) - 3;
                spec.has_priority = true;
        }
        needs(sim, &spec);
        name_and_queue(sim, &spec);
        if (spec.has_edges) {
                spec.n_shapes = shapes(sim, spec.entries, shape_list, shape_ranges);
                spec.shapes = shape_list;
        }
        while (spec.n_after < 2 && sim_below(sim, 4) == 0 && (on = any_known(sim, client))) {
                after[spec.n_after++] = (struct rec_after){
                        .when = (enum after_when)(1 + sim_below(sim, spec.has_edges ? 3 : 4)),
                        .job = on->job,
                        .has_when = true,
                        .has_job = true
                };
        }
        if (spec.n_after == 2 && after[0].when != AFTER_WHEN_EACH && after[1].when != AFTER_WHEN_EACH &&
            sim_below(sim, 3) == 0)
                spec.after_one = spec.has_after_one = true;
        spec.after = after;
        if (spec.n_after > 0 && !spec.has_edges && sim_chance(sim, 40)) {
                spec.stdin_job = after[0].job;
                spec.stdin_each = after[0].when == AFTER_WHEN_EACH;
                spec.has_stdin_job = true;
                spec.has_stdin_each = spec.stdin_each;
        }
        submission->held = spec.hold;
        return job_spec_dup(&spec);
}

/* ------------------------------------------------------------------ requests */

static void request(struct sim *sim, struct sim_client *client, struct msg *msg, struct sim_submission *about)
{
        buf_clear(&client->header);
        buf_clear(&client->body);
        msg->id = client->request = ++client->next_id;
        msg_encode(msg, &client->header);
        if (msg->body_bytes > 0)
                buf_add(&client->body, msg->body, msg->body_bytes);
        client->about = about;
        client->is_submission =
                msg->kind == MSG_submit || msg->kind == MSG_put || msg->kind == MSG_submit_set;
        client->sent_us = sim->mono_us;
        sim_net_send(sim, true, client->session, &client->header, client->body.bytes, client->body.n);
}

static void submit(struct sim *sim, struct sim_client *client, struct sim_submission *one, bool inline_chunks)
{
        struct rec_new_job rec = { .key = one->key, .n_key = strlen(one->key), .spec = &one->spec->spec };
        struct msg msg = { .kind = MSG_submit };
        int64_t sizes[8];
        CLEANUP_BUF struct buf body = { 0 };

        for (uint32_t k = 0; inline_chunks && k < one->n_chunks; k++) {
                sizes[k] = (int64_t)one->chunks[k].n;
                buf_add(&body, one->chunks[k].bytes, one->chunks[k].n);
        }
        rec.chunks = sizes;
        rec.n_chunks = inline_chunks ? one->n_chunks : 0;
        msg.u.submit.jobs = &rec;
        msg.u.submit.n_jobs = 1;
        msg.u.submit.watch = msg.u.submit.has_watch = client->next_id % 2 == 0;
        msg.body = body.n > 0 ? body.bytes : NULL;
        msg.body_bytes = body.n;
        request(sim, client, &msg, one);
}

static void submit_new(struct sim *sim, struct sim_client *client)
{
        struct sim_submission *one;

        if (client->n == ARRAY_LEN(client->list))
                return;
        one = xcalloc(1, sizeof(*one));
        snprintf(one->key, sizeof(one->key), "key-%zu", client->n);
        one->spec = make_spec(sim, client, one);
        client->list[client->n++] = one;
        submit(sim, client, one, sim_chance(sim, 50));
}

/* --- several jobs as one: loaded by some messages, alive with the last --- */

static void start_set(struct sim *sim, struct sim_client *client)
{
        struct sim_set *set = &client->set;
        size_t n = 2 + sim_below(sim, SIM_SET_MAX - 1);

        if (client->n + n > ARRAY_LEN(client->list))
                return;
        *set = (struct sim_set){ .number = ++client->n_sets, .n = n };
        for (size_t i = 0; i < n; i++) {
                struct sim_submission *one = xcalloc(1, sizeof(*one));

                snprintf(one->key, sizeof(one->key), "key-%zu", client->n);
                one->spec = make_spec(sim, client, one);
                one->in_set = true;
                client->list[client->n++] = set->list[i] = one;
        }
}

static void load_more(struct sim *sim, struct sim_client *client, const char *name)
{
        struct sim_set *set = &client->set;
        struct rec_new_job recs[2] = { 0 };
        int64_t sizes[2][8];
        struct msg msg = { .kind = MSG_submit };
        CLEANUP_BUF struct buf body = { 0 };

        set->n_asked = MIN(set->n - set->n_loaded, ARRAY_LEN(recs));
        for (size_t i = 0; i < set->n_asked; i++) {
                struct sim_submission *one = set->list[set->n_loaded + i];

                recs[i] = (struct rec_new_job){ .key = one->key,
                                                .n_key = strlen(one->key),
                                                .spec = &one->spec->spec,
                                                .chunks = sizes[i],
                                                .n_chunks = one->n_chunks };
                for (uint32_t k = 0; k < one->n_chunks; k++) {
                        sizes[i][k] = (int64_t)one->chunks[k].n;
                        buf_add(&body, one->chunks[k].bytes, one->chunks[k].n);
                }
        }
        msg.u.submit = (struct msg_submit){
                .jobs = recs, .n_jobs = set->n_asked, .set = name, .n_set = strlen(name)
        };
        msg.body = body.n > 0 ? body.bytes : NULL;
        msg.body_bytes = body.n;
        request(sim, client, &msg, NULL);
}

static void go_on_with_set(struct sim *sim, struct sim_client *client)
{
        struct sim_set *set = &client->set;
        const struct sim_submission *last = set->list[set->n - 1];
        struct msg msg = { .kind = MSG_submit_set };
        char name[32];

        snprintf(name, sizeof(name), "set-%u", set->number);
        if (set->n_loaded < set->n) {
                load_more(sim, client, name);
                return;
        }
        set->n_asked = 0;
        msg.u.submit_set = (struct msg_submit_set){ .set = name,
                                                    .n_set = strlen(name),
                                                    .jobs = set->n,
                                                    .has_jobs = true,
                                                    .key = last->key,
                                                    .n_key = strlen(last->key) };
        request(sim, client, &msg, NULL);
}

static void on_loaded(struct sim *sim, struct sim_client *client, const struct msg *msg)
{
        struct sim_set *set = &client->set;

        if (msg->u.loaded.n_jobs != set->n_asked)
                sim_fail(sim, "%zu jobs of a set are said to be loaded, not %zu", msg->u.loaded.n_jobs,
                         set->n_asked);
        for (size_t i = 0; i < set->n_asked; i++) {
                const struct rec_submitted_job *job = &msg->u.loaded.jobs[i];
                const struct sim_job *stored = sim_store_job(&sim->store, job->job);

                if (job->existing || !stored || !stored->loading)
                        sim_fail(sim, "job %llu of a set is not being loaded", (unsigned long long)job->job);
                set->list[set->n_loaded++]->loaded_as = job->job;
        }
}

static void on_set_lives(struct sim *sim, struct sim_client *client)
{
        struct sim_set *set = &client->set;

        for (size_t i = 0; i < set->n; i++) {
                struct sim_submission *one = set->list[i];
                const struct sim_job *stored = sim_store_job(&sim->store, one->loaded_as);

                if (!stored || stored->loading)
                        sim_fail(sim, "job %llu of a set was acknowledged and is not stored",
                                 (unsigned long long)one->loaded_as);
                one->job = one->loaded_as;
                one->tasks = stored->row.tasks;
                one->in_set = false;
        }
        set->n = 0;
}

static void put(struct sim *sim, struct sim_client *client, struct sim_submission *one, uint64_t no)
{
        struct msg msg = { .kind = MSG_put };

        if (no >= one->n_chunks)
                sim_fail(sim, "the core wants chunk %llu of %u", (unsigned long long)no, one->n_chunks);
        msg.u.put.key = one->key;
        msg.u.put.n_key = strlen(one->key);
        msg.u.put.no = no;
        msg.u.put.has_no = true;
        msg.body = one->chunks[no].bytes;
        msg.body_bytes = one->chunks[no].n;
        request(sim, client, &msg, one);
}

/* A job of his of which tasks are being aborted now, in many commits, for others that failed. */
static uint64_t find_cascade(const struct sim *sim, const struct sim_client *client)
{
        for (size_t i = client->n; i > 0; i--) {
                const struct job *job;

                HASH_FIND(hh, sim->core->jobs, &client->list[i - 1]->job, sizeof(uint64_t), job);
                if (job && job->sweep.count > 0 && job->ending == 0 && (job->graph || job->eaches))
                        return job->id.n;
        }
        return 0;
}

static bool retry_in_the_middle(struct sim *sim, struct sim_client *client)
{
        uint64_t job = sim->core && sim_chance(sim, 70) ? find_cascade(sim, client) : 0;
        struct msg msg = { .kind = MSG_retry };

        if (job == 0)
                return false;
        msg.u.retry = (struct msg_retry){ .job = job, .has_job = true };
        if (sim_chance(sim, 50))
                msg.u.retry.failed = msg.u.retry.has_failed = true;
        request(sim, client, &msg, client->list[0]);
        return true;
}

/* Often one that others were aborted for: its new round brings them back. */
static uint64_t to_retry(struct sim *sim, const struct sim_client *client, const struct sim_submission *one)
{
        for (size_t i = client->n; i > 0 && sim_chance(sim, 99); i--) {
                const struct sim_submission *other = client->list[i - 1];
                const struct sim_job *job = sim_store_job(&sim->store, other->job);

                if (job && job->n_status[TASK_STATUS_ABORTED] > 0 && other->spec->spec.n_after > 0)
                        return other->spec->spec.after[0].job;
        }
        return one->job;
}

/* Somebody's share, or a queue's and how much of it may run. */
static void set_share(struct sim *sim, struct sim_client *client)
{
        struct msg msg = { .kind = MSG_user_set };
        char name[32];

        if (sim_chance(sim, 50)) {
                snprintf(name, sizeof(name), "person%u", (unsigned)sim_below(sim, SIM_CLIENTS));
                msg.u.user_set = (struct msg_user_set){ .name = name,
                                                        .n_name = strlen(name),
                                                        .weight = 1 + sim_below(sim, 5),
                                                        .has_weight = true };
        } else {
                const char *queue = queues[sim_below(sim, ARRAY_LEN(queues))];

                msg.kind = MSG_queue_set;
                msg.u.queue_set = (struct msg_queue_set){ .queue = queue,
                                                          .n_queue = strlen(queue),
                                                          .weight = 1 + sim_below(sim, 5),
                                                          .has_weight = true,
                                                          .max_running = sim_below(sim, 30),
                                                          .has_max_running = sim_chance(sim, 30) };
        }
        request(sim, client, &msg, NULL);
}

/* A number below n, with that chance: what is 0 and not said is not sent. */
static bool draw(struct sim *sim, unsigned percent, uint64_t n, uint64_t *ret)
{
        *ret = sim_chance(sim, percent) ? sim_below(sim, n) + 1 : 0;
        if (*ret == 0)
                return false;
        --*ret;
        return true;
}

static void set_failure(struct sim *sim, struct msg_set *set)
{
        static const char *words[] = { "2", "oom", "timeout" };
        static int64_t codes[] = { 0, 1, 2 };

        set->has_retries = draw(sim, 30, 3, &set->retries);
        set->has_backoff_ms = draw(sim, 20, 3000, &set->backoff_ms);
        if (set->backoff_ms > 0) {
                set->backoff_factor = 1000 + sim_below(sim, 2000);
                set->has_backoff_factor = true;
        }
        set->retry_on = words;
        set->n_retry_on = sim_chance(sim, 20) ? 1 + sim_below(sim, 3) : 0;
        set->ok_codes = codes;
        set->n_ok_codes = sim_chance(sim, 20) ? 1 + sim_below(sim, 3) : 0;
        set->has_max_fails = draw(sim, 5, 3, &set->max_fails);
        if (!set->has_max_fails && sim_chance(sim, 10)) {
                set->max_fails_percent = 100;
                set->has_max_fails_percent = true;
        }
}

/* What it needs, and where and when it may run. */
static void set_place(struct sim *sim, struct msg_set *set)
{
        set->has_cpus = draw(sim, 20, 4, &set->cpus);
        set->cpus += set->has_cpus;
        set->has_gpus = draw(sim, 10, 3, &set->gpus);
        set->has_mem = draw(sim, 20, 8, &set->mem);
        if (set->mem > 0 && sim_chance(sim, 50)) {
                set->mem_factor = 1000 + sim_below(sim, 1000);
                set->mem_max = set->mem + 1;
                set->has_mem_factor = set->has_mem_max = true;
        }
        if (sim_chance(sim, 25)) {
                set->queue = queues[sim_below(sim, ARRAY_LEN(queues))];
                set->n_queue = strlen(set->queue);
        }
        if (sim_chance(sim, 20)) {
                set->name = names[sim_below(sim, ARRAY_LEN(names))];
                set->n_name = strlen(set->name);
        }
        set->has_at_delay_ms = draw(sim, 20, 8000, &set->at_delay_ms);
        if (set->has_at_delay_ms && sim_chance(sim, 30))
                set->at_delay_ms = 0;
        set->has_start_by_us = draw(sim, 10, 9000000, &set->start_by_us);
        if (set->has_start_by_us)
                set->start_by_us = sim_chance(sim, 30) ? 0 : set->start_by_us + (uint64_t)sim->wall_us;
}

static void set(struct sim *sim, const struct sim_submission *one, struct msg *msg)
{
        struct msg_set *set = &msg->u.set;

        msg->kind = MSG_set;
        *set = (struct msg_set){ .job = one->job,
                                 .has_job = true,
                                 .priority = (int64_t)sim_below(sim, 11) - 5,
                                 .has_priority = true,
                                 .max_running = sim_below(sim, 4),
                                 .has_max_running = true,
                                 .dry_run = sim_chance(sim, 5) };
        set->has_dry_run = set->dry_run;
        set_failure(sim, set);
        set_place(sim, set);
}

static void act(struct sim *sim, struct sim_client *client, struct sim_submission *one)
{
        struct range range = { 1 + sim_below(sim, 50), 0 };
        struct msg msg = { 0 };
        uint64_t dice = sim_below(sim, 100);
        const char *waiting = "waiting";

        range.hi = range.lo + sim_below(sim, 100);
        if (dice < 20) {
                msg.kind = MSG_cancel;
                msg.u.cancel = (struct msg_cancel){
                        .job = one->job, .has_job = true, .ranges = &range, .n_ranges = dice < 14 ? 1 : 0
                };
        } else if (dice < 35) {
                msg.kind = MSG_hold;
                msg.u.hold = (struct msg_hold){ .job = one->job,
                                                .has_job = true,
                                                .ranges = &range,
                                                .n_ranges = dice < 31 ? 1 : 0,
                                                .reason = "sim",
                                                .n_reason = 3,
                                                .statuses = &waiting,
                                                .n_statuses = dice == 24 || dice == 33 };
                one->held = true;
        } else if (dice < 55) {
                msg.kind = MSG_release;
                msg.u.release = (struct msg_release){
                        .job = one->job, .has_job = true, .ranges = &range, .n_ranges = dice < 47 ? 1 : 0
                };
        } else if (dice < 75) {
                msg.kind = MSG_retry;
                msg.u.retry = (struct msg_retry){ .job = to_retry(sim, client, one),
                                                  .has_job = true,
                                                  .ranges = &range,
                                                  .n_ranges = dice < 62 ? 1 : 0,
                                                  .failed = dice % 2,
                                                  .has_failed = true };
        } else if (dice < 90) {
                set(sim, one, &msg);
        } else {
                msg.kind = MSG_why;
                msg.u.why = (struct msg_why){ .job = one->job, .has_job = true };
        }
        request(sim, client, &msg, one);
}

static void watch(struct sim *sim, struct sim_client *client, struct sim_submission *one)
{
        struct msg msg = { .kind = MSG_watch, .id = ++client->next_id };
        CLEANUP_BUF struct buf header = { 0 };

        one->watched = true;
        one->watch_id = msg.id;
        msg.u.watch = (struct msg_watch){
                .job = one->job, .has_job = true, .progress = one->job % 3 == 0, .has_progress = true
        };
        msg_encode(&msg, &header);
        sim_net_send(sim, true, client->session, &header, NULL, 0);
}

/* One subscription for everything that the client has and that is not over; it takes the place of the last one. */
static void watch_group(struct sim *sim, struct sim_client *client)
{
        struct msg msg = { .kind = MSG_watch, .id = ++client->next_id };
        struct rec_watch_part *parts = xcalloc(client->n + 1, sizeof(*parts));
        struct msg_watch *ask = &msg.u.watch;
        CLEANUP_BUF struct buf header = { 0 };

        for (size_t i = 0; i < client->n; i++) {
                struct sim_submission *one = client->list[i];
                size_t at = ask->n_parts;

                if (one->job == 0 || one->told_done)
                        continue;
                one->grouped = true;
                for (; at > 0 && parts[at - 1].job > one->job; at--)
                        parts[at] = parts[at - 1];
                parts[at] = (struct rec_watch_part){ .job = one->job, .has_job = true };
                ask->n_parts++;
        }
        client->group_id = msg.id;
        ask->parts = parts;
        ask->output = ask->has_output = msg.id % 3 == 0;
        ask->progress = ask->has_progress = msg.id % 2 == 0;
        msg_encode(&msg, &header);
        if (ask->n_parts > 0)
                sim_net_send(sim, true, client->session, &header, NULL, 0);
        xfree(parts);
}

/* Also what was aborted while it was held, released then, and came back held. */
static void release_held(struct sim *sim, struct sim_client *client)
{
        for (size_t i = 0; i < client->n; i++) {
                struct sim_submission *one = client->list[i];
                const struct sim_job *job = sim_store_job(&sim->store, one->job);
                struct msg msg = { .kind = MSG_release };

                if (one->job == 0 || !(one->held || (job && job->row.state.held > 0)))
                        continue;
                one->held = false;
                msg.u.release = (struct msg_release){ .job = one->job, .has_job = true };
                request(sim, client, &msg, one);
                return;
        }
}

static void resend_all(struct sim *sim, struct sim_client *client)
{
        if (client->request != 0)
                sim_net_send(sim, true, client->session, &client->header, client->body.bytes, client->body.n);
        for (size_t i = 0; i < client->n; i++) {
                if (client->list[i]->watched && !client->list[i]->told_done)
                        watch(sim, client, client->list[i]);
        }
        if (client->group_id != 0)
                watch_group(sim, client);
}

/* What was submitted and never acknowledged is asked for again. */
static bool finish_submission(struct sim *sim, struct sim_client *client)
{
        for (size_t i = 0; i < client->n; i++) {
                if (client->list[i]->job != 0 || client->list[i]->in_set)
                        continue;
                submit(sim, client, client->list[i], true);
                return true;
        }
        return false;
}

void sim_client_step(struct sim *sim, struct sim_client *client)
{
        struct sim_submission *one;

        if (client->session.n == 0) {
                if (!sim->core)
                        return;
                client->session = sim_net_open(sim);
                resend_all(sim, client);
                return;
        }
        if (client->request != 0)
                return;
        if (client->set.n > 0 && (sim->healing || sim_chance(sim, 40))) {
                if (!sim->healing && sim_chance(sim, 5))
                        client->set.n = 0; /* the client dies: nobody may ever see what it loaded */
                else
                        go_on_with_set(sim, client);
                return;
        }
        if (sim->healing) {
                if (!finish_submission(sim, client))
                        release_held(sim, client);
                return;
        }
        if (retry_in_the_middle(sim, client))
                return;
        one = (struct sim_submission *)(uintptr_t)any_known(sim, client);
        if (sim_chance(sim, 25))
                submit_new(sim, client);
        else if (client->set.n == 0 && sim_chance(sim, 5))
                start_set(sim, client);
        else if (one && !one->watched && sim_chance(sim, 20))
                watch_group(sim, client);
        else if (one && !one->watched)
                watch(sim, client, one);
        else if (one && sim_chance(sim, 40))
                act(sim, client, one);
        else if (one && sim_chance(sim, 10))
                submit(sim, client, one, true); /* the same again */
        else if (sim_chance(sim, 5))
                set_share(sim, client);
}

void sim_client_disconnect(struct sim *sim, struct sim_client *client)
{
        if (client->session.n != 0)
                sim_net_close(sim, client->session);
        client->session.n = 0;
}

/* ------------------------------------------------------------------ answers */

static void on_submitted(struct sim *sim, struct sim_client *client, const struct msg *msg)
{
        struct sim_submission *one = client->about;
        const struct rec_submitted_job *job = &msg->u.submitted.jobs[0];
        const struct sim_job *stored = sim_store_job(&sim->store, job->job);

        if (one->job != 0 && one->job != job->job)
                sim_fail(sim, "one key, two jobs: %llu and %llu", (unsigned long long)one->job,
                         (unsigned long long)job->job);
        if (!stored || stored->loading || stored->row.tasks != job->tasks)
                sim_fail(sim, "job %llu was acknowledged and is not stored", (unsigned long long)job->job);
        one->job = job->job;
        one->tasks = job->tasks;
        if (msg->u.submitted.watched) {
                one->watched = true;
                one->watch_id = msg->re;
        }
}

static void check_over(struct sim *sim, struct sim_submission *one)
{
        one->told_done = true;
        if (!sim_store_job(&sim->store, one->job)->row.state.ended_us &&
            sim_store_job(&sim->store, one->job)->row.state.floor_epoch != sim->store.epoch)
                sim_fail(sim, "job %llu is said to be done and is not", (unsigned long long)one->job);
}

static bool is_in(const struct range *ranges, size_t n, uint64_t job)
{
        for (size_t i = 0; i < n; i++) {
                if (job >= ranges[i].lo && job <= ranges[i].hi)
                        return true;
        }
        return false;
}

static void on_group_event(struct sim *sim, struct sim_client *client, const struct msg_event *event)
{
        for (size_t i = 0; i < client->n; i++) {
                struct sim_submission *one = client->list[i];

                if (one->job != 0 && (is_in(event->succeeded, event->n_succeeded, one->job) ||
                                      is_in(event->ended, event->n_ended, one->job))) {
                        if (!one->grouped)
                                sim_fail(sim, "job %llu is named by a subscription that it is not of",
                                         (unsigned long long)one->job);
                        check_over(sim, one);
                }
        }
}

static void on_event(struct sim *sim, struct sim_client *client, const struct msg *msg)
{
        if (client->group_id != 0 && msg->re == client->group_id)
                on_group_event(sim, client, &msg->u.event);
        for (size_t i = 0; i < client->n; i++) {
                struct sim_submission *one = client->list[i];

                if (!one->watched || one->watch_id != msg->re || !msg->u.event.done)
                        continue;
                check_over(sim, one);
        }
}

static void on_set_answer(struct sim *sim, struct sim_client *client, const struct msg *msg)
{
        if (client->set.n == 0)
                return;
        if (msg->kind == MSG_loaded)
                on_loaded(sim, client, msg);
        else if (msg->kind == MSG_submitted)
                on_set_lives(sim, client);
        else if (msg->u.refused.code == ERR_NOT_FOUND || msg->u.refused.code == ERR_CONFLICT)
                client->set.n_loaded = 0; /* it stood still for too long: all of it again */
        else if (msg->u.refused.code != ERR_RETRY_LATER)
                sim_fail(sim, "the core refuses a set: %s", msg->u.refused.text);
}

/* A setting may name a queue that nobody has made yet, or times that exclude each other. */
static bool is_sound_refusal(const struct sim_client *client, const struct msg *msg)
{
        return strstr(client->header.bytes, "\"op\":\"set\"") &&
               (strncmp(msg->u.refused.text, "there is no queue", 17) == 0 ||
                strncmp(msg->u.refused.text, "start-by: ", 10) == 0);
}

void sim_client_receive(struct sim *sim, struct sim_client *client, struct msg *msg)
{
        if (msg->kind == MSG_event) {
                on_event(sim, client, msg);
                return;
        }
        if (client->group_id != 0 && msg->re == client->group_id && msg->kind == MSG_refused) {
                if (msg->u.refused.code != ERR_RETRY_LATER)
                        sim_fail(sim, "the core refuses a watch: %s", msg->u.refused.text);
                watch_group(sim, client);
                return;
        }
        if (msg->re != client->request || client->request == 0)
                return;
        client->request = 0;
        if (msg->kind == MSG_refused && is_sound_refusal(client, msg))
                return;
        if (!client->about && client->is_submission) {
                on_set_answer(sim, client, msg);
        } else if (msg->kind == MSG_submitted) {
                on_submitted(sim, client, msg);
        } else if (msg->kind == MSG_stored) {
                put(sim, client, client->about, msg->u.stored.upto);
        } else if (msg->kind == MSG_refused && msg->u.refused.code != ERR_RETRY_LATER &&
                   msg->u.refused.code != ERR_NOT_FOUND) {
                sim_fail(sim, "the core refuses: %s", msg->u.refused.text);
        } else if (msg->kind == MSG_refused && msg->u.refused.code == ERR_NOT_FOUND &&
                   !client->is_submission) {
                sim_fail(sim, "an acknowledged job is not found: %s", client->header.bytes);
        }
}
