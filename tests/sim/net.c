/* Connections: in order and reliable while they last; what is under way when one breaks is lost. */
#include "sim.h"

#include <stdlib.h>

#include "base/xalloc.h"

struct session_id sim_net_open(struct sim *sim)
{
        return (struct session_id){ ++sim->next_session };
}

static struct sim_worker *worker_of(struct sim *sim, struct session_id session)
{
        for (unsigned i = 0; i < SIM_WORKERS; i++) {
                if (session.n != 0 && sim->workers[i].session.n == session.n)
                        return &sim->workers[i];
        }
        return NULL;
}

static struct sim_client *client_of(struct sim *sim, struct session_id session)
{
        for (unsigned i = 0; i < SIM_CLIENTS; i++) {
                if (session.n != 0 && sim->clients[i].session.n == session.n)
                        return &sim->clients[i];
        }
        return NULL;
}

void sim_net_send(struct sim *sim, bool to_core, struct session_id session, const struct buf *header,
                  const void *body, size_t body_bytes)
{
        struct sim_packet *packet;

        if (!worker_of(sim, session) && !client_of(sim, session))
                return; /* that connection is gone */
        packet = xcalloc(1, sizeof(*packet));
        packet->to_core = to_core;
        packet->session = session;
        buf_add(&packet->header, header->bytes, header->n);
        if (body_bytes > 0)
                buf_add(&packet->body, body, body_bytes);
        DL_APPEND(sim->packets, packet);
        sim->n_packets++;
}

static void drop(struct sim *sim, struct sim_packet *packet)
{
        DL_DELETE(sim->packets, packet);
        sim->n_packets--;
        buf_done(&packet->header);
        buf_done(&packet->body);
        free(packet);
}

void sim_net_close(struct sim *sim, struct session_id session)
{
        struct sim_packet *packet, *next;
        struct event event = { .kind = EVENT_SESSION_LOST, .u.session = session };

        DL_FOREACH_SAFE (sim->packets, packet, next) {
                if (packet->session.n == session.n)
                        drop(sim, packet);
        }
        if (sim_chance(sim, 80))
                sim_shell_event(sim, &event); /* else nobody notices, as after a cable was pulled */
}

static void to_peer(struct sim *sim, struct sim_packet *packet)
{
        struct sim_worker *worker = worker_of(sim, packet->session);
        struct sim_client *client = client_of(sim, packet->session);
        struct err err = { 0 };
        uint64_t id;
        struct msg *msg = msg_decode(worker ? MSG_S2W : MSG_S2C, packet->header.bytes, packet->header.n,
                                     packet->body.bytes, packet->body.n, &id, &err);

        if (!msg)
                sim_fail(sim, "a message of the core cannot be decoded: %s: %s", err.text,
                         packet->header.bytes);
        if (worker)
                sim_worker_receive(sim, worker, msg);
        else if (client)
                sim_client_receive(sim, client, msg);
        msg_free(msg);
}

static void to_core(struct sim *sim, struct sim_packet *packet)
{
        struct sim_worker *worker = worker_of(sim, packet->session);
        struct sim_client *client = client_of(sim, packet->session);

        if (worker)
                sim_shell_message(sim, packet->session, worker->public_key, true, &packet->header,
                                  packet->body.bytes, packet->body.n);
        else if (client)
                sim_shell_message(sim, packet->session, client->public_key, false, &packet->header,
                                  packet->body.bytes, packet->body.n);
}

bool sim_net_deliver(struct sim *sim)
{
        struct sim_packet *packet = sim->packets;
        struct sim_packet *first;
        uint64_t skip;

        if (!packet)
                return false;
        for (skip = sim_below(sim, MIN(sim->n_packets, (size_t)8)); skip > 0; skip--)
                packet = packet->next;
        /* The first of the same connection and direction. */
        DL_FOREACH (sim->packets, first) {
                if (first->session.n == packet->session.n && first->to_core == packet->to_core)
                        break;
        }
        if (!first->to_core) {
                struct sim_worker *worker = worker_of(sim, first->session);

                if (worker && worker->frozen)
                        return false;
                to_peer(sim, first);
        } else if (sim->core) {
                to_core(sim, first);
        }
        DL_FOREACH (sim->packets, packet) {
                if (packet == first) {
                        drop(sim, first);
                        break;
                }
        }
        return true;
}
