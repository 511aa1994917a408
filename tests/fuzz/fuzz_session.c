/* A session of several people and workers with the pure core, line by line, on the simulation's store: whatever they say
 * in whatever order, the core never stops, every message of it can be decoded, and the store's invariants hold after
 * every commit (each task ends once, under its newest lease; counts fit the rows).
 *
 *   0 … 3 JSON    a message of that person        w x y JSON    of that worker; $n $a $e stand for the nonce, attempt and
 *   -0 … -y       its connection breaks                         epoch granted last, $j for the last job, $i for a new id
 *   c             the open batch commits          t MS          time passes
 *   r  R          the coordinator is killed: what was under way was committed (r) or not (R), and starts again */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "sim.h"

#define TASKS_MAX 2000 /* of one job: the store is a hash table */
#define LINES_MAX 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ------------------------------------------------------------------ what the simulation's shell and store ask for */

uint64_t sim_random(struct sim *sim)
{
        sim->random = sim->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return sim->random >> 11;
}

uint64_t sim_below(struct sim *sim, uint64_t n)
{
        return sim_random(sim) % n;
}

void sim_fail(struct sim *sim, const char *fmt, ...)
{
        va_list args;

        fprintf(stderr, "line %llu: ", (unsigned long long)sim->n_steps);
        va_start(args, fmt);
        vfprintf(stderr, fmt, args);
        va_end(args);
        fputc('\n', stderr);
        abort();
}

void sim_client_disconnect(struct sim *sim, struct sim_client *client)
{
        (void)sim;
        client->session.n = 0;
}

void sim_worker_disconnect(struct sim *sim, struct sim_worker *worker)
{
        (void)sim;
        worker->session.n = 0;
}

struct sim_witness *sim_witness(struct sim *sim, uint64_t job, uint64_t index)
{
        struct sim_witness look = { .key = { job, index } };
        struct sim_witness *witness;

        HASH_FIND(hh, sim->witnesses, &look.key, sizeof(look.key), witness);
        if (!witness) {
                witness = xcalloc(1, sizeof(*witness));
                witness->key = look.key;
                HASH_ADD(hh, sim->witnesses, key, sizeof(witness->key), witness);
        }
        return witness;
}

/* ------------------------------------------------------------------ the peers */

struct peer {
        struct session_id session;
        char public_key[41];
        bool worker;
};

struct scene {
        struct sim sim;
        struct peer peers[SIM_CLIENTS + 3];
        uint64_t nonce, attempt, epoch, job, last_id; /* what the placeholders stand for */
};

/* What the core says: it must be readable for whom it is meant. */
void sim_net_send(struct sim *sim, bool to_core, struct session_id session, const struct buf *header,
                  const void *body, size_t body_bytes)
{
        struct scene *scene = (struct scene *)sim;
        const struct peer *peer = NULL;
        uint64_t id;
        struct err err = { 0 };
        CLEANUP_WITH(msg_free) struct msg *msg = NULL;

        BUG_ON(to_core);
        for (size_t i = 0; i < ARRAY_LEN(scene->peers); i++)
                if (scene->peers[i].session.n == session.n)
                        peer = &scene->peers[i];
        if (!peer) /* that connection is gone */
                return;
        msg = msg_decode(peer->worker ? MSG_S2W : MSG_S2C, header->bytes, header->n, body, body_bytes, &id,
                         &err);
        if (!msg)
                sim_fail(sim, "a message of the core cannot be decoded: %s: %s", err.text, header->bytes);
        if (msg->kind == MSG_submitted)
                scene->job = msg->u.submitted.jobs[0].job;
        if (msg->kind == MSG_run) {
                scene->epoch = msg->u.run.epoch;
                scene->nonce = msg->u.run.grants[0].nonce;
                scene->attempt = msg->u.run.grants[0].attempt;
        }
}

/* The store of the simulation has room for little, and its readers know no refusals. */
static bool is_beyond(const struct scene *scene, const struct msg *msg)
{
        uint64_t tasks = 0;

        if (msg->kind == MSG_queue_set)
                return true;
        if (msg->kind == MSG_watch) {
                const struct sim_job *job = sim_store_job(&scene->sim.store, msg->u.watch.job);

                return !job || job->loading;
        }
        if (msg->kind != MSG_submit)
                return false;
        if (msg->u.submit.n_jobs > 16)
                return true;
        for (size_t i = 0; i < msg->u.submit.n_jobs; i++) {
                const struct rec_job_spec *spec = msg->u.submit.jobs[i].spec;

                tasks += spec->entries;
                for (size_t k = 0; k < spec->n_array; k++)
                        tasks += spec->array[k].hi - spec->array[k].lo + 1;
        }
        return tasks > TASKS_MAX;
}

static void say_bad(struct scene *scene, const struct peer *peer, uint64_t id, const struct err *err)
{
        struct event event = { .kind = EVENT_BAD_MESSAGE };

        event.u.message.session = peer->session;
        memcpy(event.u.message.public_key, peer->public_key, sizeof(peer->public_key));
        event.u.message.direction = peer->worker ? MSG_W2S : MSG_C2S;
        event.u.message.id = id;
        event.u.message.err = *err;
        sim_shell_event(&scene->sim, &event);
}

static size_t body_bytes(const char *text)
{
        const char *at = strstr(text, "\"body\":");

        return at ? strtoul(at + 7, NULL, 10) % 65536 : 0;
}

static void say(struct scene *scene, const struct peer *peer, const struct buf *header)
{
        size_t n_body = body_bytes(header->bytes);
        CLEANUP_WITH(xfree) void *body = xcalloc(n_body, 1); /* zeros are entries without text, too */
        struct err err = { 0 };
        uint64_t id;
        CLEANUP_WITH(msg_free)
        struct msg *msg = msg_decode(peer->worker ? MSG_W2S : MSG_C2S, header->bytes, header->n,
                                     n_body ? body : NULL, n_body, &id, &err);

        if (!msg)
                say_bad(scene, peer, id, &err);
        else if (!is_beyond(scene, msg))
                sim_shell_message(&scene->sim, peer->session, peer->public_key, peer->worker, header,
                                  n_body ? body : NULL, n_body);
}

/* ------------------------------------------------------------------ lines */

static struct peer *peer_of(struct scene *scene, char c)
{
        if (c >= '0' && c < '0' + SIM_CLIENTS)
                return &scene->peers[c - '0'];
        if (c >= 'w' && c <= 'y')
                return &scene->peers[SIM_CLIENTS + (c - 'w')];
        return NULL;
}

static void fill_in(struct scene *scene, const char *text, size_t bytes, struct buf *out)
{
        for (size_t i = 0; i < bytes; i++) {
                char what = text[i] == '$' && i + 1 < bytes ? text[i + 1] : '\0';

                if (what == 'n')
                        buf_add_u64(out, scene->nonce);
                else if (what == 'a')
                        buf_add_u64(out, scene->attempt);
                else if (what == 'e')
                        buf_add_u64(out, scene->epoch);
                else if (what == 'j')
                        buf_add_u64(out, scene->job);
                else if (what == 'i')
                        buf_add_u64(out, ++scene->last_id);
                else
                        buf_add_char(out, text[i]);
                i += what && strchr("naeji", what) ? 1 : 0;
        }
}

static void cut_off(struct scene *scene, struct peer *peer)
{
        struct event event = { .kind = EVENT_SESSION_LOST, .u.session = peer->session };

        sim_shell_event(&scene->sim, &event);
        peer->session.n = ++scene->sim.next_session;
}

static void restart(struct scene *scene, bool committed)
{
        sim_shell_crash(&scene->sim, committed);
        for (size_t i = 0; i < ARRAY_LEN(scene->peers); i++)
                scene->peers[i].session.n = ++scene->sim.next_session;
        sim_shell_start(&scene->sim);
}

static void commit(struct scene *scene)
{
        sim_shell_hand_over(&scene->sim);
        while (scene->sim.n_loads > 0) {
                struct sim *sim = &scene->sim;

                sim->n_loads--;
                sim_store_answer_load(sim, sim->loads[sim->n_loads].job, sim->loads[sim->n_loads].round,
                                      sim->loads[sim->n_loads].ends, sim->loads[sim->n_loads].chunk);
        }
        sim_shell_commit(&scene->sim);
}

static void pass_time(struct scene *scene, const char *text)
{
        struct event event = { .kind = EVENT_TICK };
        int64_t us = (int64_t)(strtoul(text, NULL, 10) % 4000000) * 1000;

        scene->sim.mono_us += us;
        scene->sim.wall_us += us;
        sim_shell_event(&scene->sim, &event);
}

static void line(struct scene *scene, const char *text, size_t bytes)
{
        CLEANUP_BUF struct buf header = { 0 };
        struct peer *peer = bytes ? peer_of(scene, text[0]) : NULL;

        scene->sim.n_steps++;
        if (!bytes)
                return;
        buf_add_str(&header, "");
        fill_in(scene, text + 1, bytes - 1, &header);
        if (peer)
                say(scene, peer, &header);
        else if (text[0] == '-' && bytes > 1 && peer_of(scene, text[1]))
                cut_off(scene, peer_of(scene, text[1]));
        else if (text[0] == 'c')
                commit(scene);
        else if (text[0] == 't')
                pass_time(scene, header.bytes);
        else if (text[0] == 'r' || text[0] == 'R')
                restart(scene, text[0] == 'r');
        sim_shell_hand_over(&scene->sim);
}

static struct scene *scene_new(void)
{
        struct scene *scene = xcalloc(1, sizeof(*scene));
        struct sim *sim = &scene->sim;

        sim->random = 1;
        sim->healing = true; /* no faults but those of the input */
        sim->mono_us = 1000 * US_PER_S;
        sim->wall_us = INT64_C(1700000000) * US_PER_S;
        for (size_t i = 0; i < SIM_CLIENTS; i++)
                snprintf(sim->clients[i].public_key, 41, "%-40s", (char[]){ 'c', (char)('0' + i), 0 });
        for (size_t i = 0; i < SIM_WORKERS; i++)
                snprintf(sim->workers[i].public_key, 41, "%-40s", (char[]){ 'w', (char)('0' + i), 0 });
        for (size_t i = 0; i < ARRAY_LEN(scene->peers); i++) {
                struct peer *peer = &scene->peers[i];

                peer->worker = i >= SIM_CLIENTS;
                peer->session.n = ++sim->next_session;
                memcpy(peer->public_key,
                       peer->worker ? sim->workers[i - SIM_CLIENTS].public_key : sim->clients[i].public_key,
                       sizeof(peer->public_key));
        }
        sim_store_setup(sim);
        sim_shell_start(sim);
        return scene;
}

static void scene_free(struct scene *scene)
{
        struct sim_witness *witness, *next;

        sim_shell_crash(&scene->sim, false);
        HASH_ITER (hh, scene->sim.witnesses, witness, next) {
                HASH_DELETE(hh, scene->sim.witnesses, witness);
                free(witness);
        }
        sim_store_free(&scene->sim.store);
        free(scene);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct scene *scene = scene_new();
        const char *at = (const char *)data;
        const char *end = at + size;

        for (int n = 0; at < end && n < LINES_MAX; n++) {
                const char *newline = memchr(at, '\n', (size_t)(end - at));
                const char *stop = newline ? newline : end;

                line(scene, at, (size_t)(stop - at));
                at = stop + 1;
        }
        commit(scene);
        commit(scene);
        scene_free(scene);
        return 0;
}
