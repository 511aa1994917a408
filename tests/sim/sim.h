/* A whole cluster in one process and one thread, driven by one seed: the real core and the real codec, a store that
 * commits, forgets or leaves unknown, a network that breaks, workers and clients that crash. */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <utlist.h>

#include "base/clock.h"
#include "base/hash.h"
#include "core/core.h"
#include "core/indexes.h"

#define SIM_WORKERS 5
#define SIM_CLIENTS 4
#define SIM_QUOTA 5 /* tasks of the first client's that may be granted at once */
#define SIM_LEASE_MS 30000
#define SIM_HEARTBEAT_MS 5000

/* ------------------------------------------------------------------ the store */
struct sim_row {
        uint64_t index;
        struct store_task_state now; /* status, reason, attempt, …; indexes unused */
        bool final;
        bool ended_before; /* in an earlier round */
        uint32_t ooms; /* rows of Attempts that ended oom */
        uint64_t end_nonce;
        UT_hash_handle hh;
};
struct sim_attempt {
        uint64_t key; /* index << 16 | attempt */
        UT_hash_handle hh;
};
struct sim_data {
        char key[96]; /* job/index/kind/attempt/part/seq */
        uint64_t nonce; /* of the execution that wrote it, from its text */
        bool final;
        UT_hash_handle hh;
};
struct sim_job {
        uint64_t id;
        struct store_job_new row; /* its spec is ours */
        struct indexes indexes;
        struct buf *chunks;
        uint32_t n_chunks;
        bool loading;
        bool renamed; /* since it was submitted */
        bool in_set;
        uint8_t set_hash[16];
        struct sim_row *rows;
        struct sim_attempt *attempts;
        uint64_t n_status[12]; /* of the rows */
        bool touched; /* by the batch at hand */
        struct sim_job *next_touched;
        UT_hash_handle hh;
};
struct sim_aborted {
        uint64_t job, on;
        bool due;
};
struct sim_store {
        struct sim_job *jobs, *touched;
        struct sim_aborted *aborted;
        size_t n_aborted, cap_aborted;
        struct sim_data *data;
        struct store_principal people[32];
        struct store_key keys[32];
        struct store_queue queues[8];
        struct store_worker workers[32];
        size_t n_people, n_keys, n_queues, n_workers;
        uint64_t epoch;
        uint64_t n_commits, n_events, n_reports;
        struct store_find_key taken[64]; /* claims of the batch at hand whose key is taken */
        size_t n_taken;
};

struct sim;
void sim_store_setup(struct sim *sim);
void sim_store_free(struct sim_store *store);
void sim_store_apply(struct sim *sim, struct store_op *op);
void sim_store_check_counts(struct sim *sim); /* the counts of every job fit its rows */
void sim_store_replay(struct sim *sim);
bool sim_store_holds(const struct sim_store *store, uint64_t id, uint32_t at);
struct sim_job *sim_store_job(const struct sim_store *store, uint64_t id);
bool sim_store_is_due(const struct sim_store *store); /* somebody is to come back */
bool sim_same_name(const struct rec_job_spec *a, const struct rec_job_spec *b);
bool sim_job_is_final(const struct sim_job *job);
void sim_store_answer_load(struct sim *sim, struct job_id job, bool round, bool ends, uint32_t chunk);
const struct sim_data *sim_store_data(const struct sim_store *store, uint64_t job, uint64_t index,
                                      enum data_kind kind, uint32_t attempt, uint32_t part, uint32_t seq);

/* ------------------------------------------------------------------ what really happened */
struct sim_witness { /* of one task */
        struct {
                uint64_t job, index;
        } key;
        uint64_t epoch, attempt, nonce; /* the newest lease that the core told anybody */
        uint64_t starts; /* executions of this round */
        uint64_t before; /* attempts up to this one are of an older round */
        bool once;
        UT_hash_handle hh;
};
struct sim_witness *sim_witness(struct sim *sim, uint64_t job, uint64_t index);

/* ------------------------------------------------------------------ the coordinator's shell */
struct sim_send {
        struct session_id to;
        struct buf header;
        struct shared_bytes *body;
        struct sim_send *next;
};
struct sim_batch {
        struct store_op *ops;
        struct sim_send *sends;
        struct {
                struct fact *list;
                size_t n, cap;
        } facts;
        size_t n_ops;
};
void sim_shell_start(struct sim *sim); /* a new process: replay, live */
void sim_shell_crash(struct sim *sim, bool commit); /* commit: the batch in flight happened all the same */
void sim_shell_event(struct sim *sim, struct event *event);
void sim_shell_message(struct sim *sim, struct session_id session, const char *public_key, bool worker,
                       const struct buf *header, const void *body, size_t body_bytes);
void sim_shell_park(struct sim *sim, bool release);
void sim_shell_commit(struct sim *sim);
void sim_shell_hand_over(struct sim *sim);

/* ------------------------------------------------------------------ workers and clients */
struct sim_task {
        uint64_t job, index, epoch, attempt, nonce;
        bool once;
        bool running, reported, ended, stopped, given_back;
        bool wanted_back; /* by take-back: given back if it has not started */
        bool streamed, stream_kept; /* a chunk of output went ahead by `store` */
        uint64_t store_id;
        int64_t started_us, ends_us;
        uint64_t finished_id; /* the message that says its end; 0: not said */
        struct sim_task *next, *prev;
};
struct sim_unacked { /* a message that is sent again until it is answered */
        uint64_t id;
        struct buf header;
        struct buf body;
        struct sim_unacked *next, *prev;
};
struct sim_worker {
        unsigned number;
        char public_key[41];
        uint32_t slots;
        uint64_t pid, next_id, window;
        struct session_id session; /* 0: not connected */
        bool alive, greeted, frozen;
        int64_t wakes_us, beats_us;
        struct sim_task *tasks;
        struct sim_unacked *unacked;
        uint64_t fetches[64]; /* the last messages that asked for what parents left */
        unsigned n_fetches;
};
struct sim_submission {
        char key[32];
        struct buf header, body; /* the submit message */
        uint64_t job; /* 0: not acknowledged */
        uint64_t tasks;
        struct job_spec_box *spec;
        struct buf chunks[8];
        uint32_t n_chunks;
        bool watched, told_done, held;
        uint64_t watch_id;
        bool grouped; /* in its client's subscription to several jobs */
        bool in_set; /* loaded with others, not acknowledged yet */
        uint64_t loaded_as; /* its id, as `loaded` said */
};
#define SIM_SET_MAX 6
struct sim_set { /* jobs that a client submits as one; n 0: none is on its way */
        unsigned number;
        struct sim_submission *list[SIM_SET_MAX];
        size_t n, n_loaded, n_asked; /* asked: by the request that is outstanding */
};
struct sim_client {
        unsigned number;
        char public_key[41];
        struct session_id session;
        uint64_t next_id;
        struct sim_submission *list[512];
        size_t n;
        uint64_t group_id; /* its subscription to several jobs; 0: none yet */
        struct sim_set set;
        unsigned n_sets;
        /* the request that is outstanding */
        uint64_t request; /* its id; 0: none */
        struct buf header, body;
        struct sim_submission *about;
        bool is_submission;
        int64_t sent_us;
};
void sim_worker_init(struct sim *sim, struct sim_worker *worker, unsigned number);
void sim_worker_done(struct sim_worker *worker);
void sim_worker_step(struct sim *sim, struct sim_worker *worker);
void sim_worker_receive(struct sim *sim, struct sim_worker *worker, struct msg *msg);
void sim_worker_crash(struct sim *sim, struct sim_worker *worker);
void sim_worker_disconnect(struct sim *sim, struct sim_worker *worker);
void sim_client_init(struct sim *sim, struct sim_client *client, unsigned number);
void sim_client_done(struct sim_client *client);
void sim_client_step(struct sim *sim, struct sim_client *client);
void sim_client_receive(struct sim *sim, struct sim_client *client, struct msg *msg);
void sim_client_disconnect(struct sim *sim, struct sim_client *client);
struct job_spec_box *sim_spec(struct sim *sim, struct sim_submission *submission);

/* ------------------------------------------------------------------ the network */
struct sim_packet {
        bool to_core;
        struct session_id session;
        struct buf header;
        struct buf body;
        struct sim_packet *next, *prev;
};
void sim_net_send(struct sim *sim, bool to_core, struct session_id session, const struct buf *header,
                  const void *body, size_t body_bytes);
bool sim_net_deliver(struct sim *sim); /* one packet of a random session, in order within it */
struct session_id sim_net_open(struct sim *sim);
void sim_net_close(struct sim *sim, struct session_id session); /* what is under way is lost */

struct sim_room {
        uint64_t cpus, mem, gpus, licences;
};

struct sim {
        uint64_t seed, random;
        uint64_t n_steps, max_steps;
        int64_t mono_us, wall_us;
        bool healing;
        bool large; /* big arrays too */
        struct core *core; /* NULL: it is down */
        struct sim_store store;
        struct sim_batch open, flight;
        bool in_flight;
        struct {
                struct job_id job;
                bool round, ends;
                uint32_t chunk;
        } loads[4096];
        size_t n_loads;
        struct sim_packet *packets;
        size_t n_packets;
        uint64_t next_session;
        struct sim_witness *witnesses;
        struct sim_worker workers[SIM_WORKERS];
        struct sim_client clients[SIM_CLIENTS];
        struct sim_room granted[1 + SIM_CLIENTS + SIM_WORKERS]; /* by principal, as of the last step */
        uint64_t passed_job; /* whose turn it is, and others pass it; 0: nobody's */
        uint32_t passed_lot;
        int64_t passed_since_us;
        uint64_t n_restarts, n_ends, n_taken, n_came_back;
        uint64_t n_fetched; /* reads of what parents left */
        uint64_t edge_hits[128];
        bool verbose;
};
uint64_t sim_random(struct sim *sim);
uint64_t sim_below(struct sim *sim, uint64_t n); /* 0 … n - 1 */
bool sim_chance(struct sim *sim, unsigned percent);
void sim_fail(struct sim *sim, const char *fmt, ...) PRINTF_LIKE(2, 3) __attribute__((noreturn));
void sim_check_end(struct sim *sim); /* everything is quiet: the invariants of the end */

/* room.c: what workers hold, after every step. */
void sim_check_room(struct sim *sim);
void sim_check_shares(struct sim *sim); /* ... of people and queues; between two steps */

#endif
