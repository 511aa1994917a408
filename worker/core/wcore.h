/* The worker's decisions: what it asks for, what it starts when, what it says about ends and when, what survives a
 * cut connection. Pure: time arrives in the calls, what must be done leaves as effects, and messages are pulled by
 * whoever owns the socket. No socket, process, clock or log.
 *
 * Everything that a coordinator sends is input: a message that makes no sense changes nothing. */
#ifndef CORE_WCORE_H
#define CORE_WCORE_H

#include "core/wtask.h"

/* --- bounds --- */
#define WCORE_WINDOW_MAX                                                                                     \
        2048 /* cpus' worth of tasks held: no-ops at 100,000/s are 20 ms of work, which others wait for */
#define WCORE_AHEAD_US 50000 /* work held beyond the slots: this much run time */
#define WCORE_STORES_MAX 8 /* chunks that are not yet known to be durable */
#define WCORE_STORE_BYTES_MAX ((size_t)4 << 20)
#define WCORE_UNRECORDED_BYTES_MAX ((size_t)32 << 20) /* no task starts while so much waits to be recorded */
#define WCORE_IDLE_JOBS_MAX 1024 /* descriptions kept without a lease */
#define WCORE_VALUES_MAX 64 /* names in a task's report */
#define WCORE_VALUES_BYTES_MAX 4000 /* of them as JSON: what the message takes, and some room */
#define WCORE_CHUNK_MAX ((size_t)64 << 10) /* of output */

enum won_lost { WON_LOST_STOP, WON_LOST_FINISH };

struct wcore_config {
        uint64_t slots;
        const char *const *labels; /* k=v */
        size_t n_labels;
        uint64_t mem_bytes; /* for tasks that say how much they need */
        uint64_t gpus; /* at most 64 */
        const char *const *res; /* name=N */
        size_t n_res;
        const char *version, *host, *enforces;
        uint64_t pid;
        enum won_lost on_lost;
        uint32_t ends_at_once; /* task types (1 << type) that run in groups: WEFFECT_GROUP */
        int64_t idle_exit_us; /* 0: never */
        int64_t life_us; /* 0: for ever */
        int64_t drain_timeout_us; /* 0: none */
};

enum weffect_kind {
        WEFFECT_START, /* task: start it; wcore_on_ended follows once all effects of this call are carried out */
        WEFFECT_GROUP, /* lease, range: tasks that end at once; wcore_on_group_ended follows at once */
        WEFFECT_STOP, /* task, grace_us: TERM, then KILL of everything it started. May come again with less grace */
        WEFFECT_SIGNAL, /* task, signal */
        WEFFECT_CREDIT, /* output may be stored again */
        WEFFECT_INPUT, /* a chunk of an input has come: msg (input_chunk). Without msg: that lease is stale, or (refused) it
                          cannot be had */
        WEFFECT_PARENT, /* what a task's parents left: msg (parent_chunk). Without msg: it cannot be had */
        WEFFECT_JOB_GONE, /* job: forget its files; the pointer dies after this effect */
        WEFFECT_LIVE, /* the coordinator knows us: first, or again */
        WEFFECT_NOTE, /* text: for the log */
        WEFFECT_EXIT, /* code, text: the process ends; nothing of a task is left */
};
struct weffect {
        enum weffect_kind kind;
        union {
                struct {
                        struct wtask *task;
                        int64_t grace_us;
                        int signal;
                } task;
                struct {
                        struct wlease *lease;
                        struct range range; /* indexes */
                } group;
                struct {
                        struct wjob *job;
                        struct wtask *task; /* PARENT: whose */
                        struct msg *msg; /* owned by the effect */
                        bool refused;
                } input;
                struct {
                        int code;
                        bool is_error;
                        char text[200];
                } say;
        } u;
};
struct weffects {
        struct weffect *list;
        size_t n, cap;
};
void weffects_clear(struct weffects *effects); /* frees what they own, keeps the list's memory */
void weffects_done(struct weffects *effects);

struct wcore;
struct wcore *wcore_new(const struct wcore_config *config,
                        int64_t now_us); /* strings are borrowed for life */
void wcore_free(struct wcore *core);
DEFINE_CLEANUP(struct wcore, wcore_free)

/* The connection: up after each handshake (also a new one), down when it is known to be gone. */
void wcore_on_link(struct wcore *core, int64_t now_us, bool up, struct weffects *out);
/* May take the message: then *take_msg is NULL. */
void wcore_on_message(struct wcore *core, int64_t now_us, struct msg **take_msg, struct weffects *out);
void wcore_on_tick(struct wcore *core, int64_t now_us, struct weffects *out);
/* When wcore_on_tick wants to be called; -1: not at all. Absolute. */
int64_t wcore_next_deadline_us(const struct wcore *core);

/* A task is over and everything of it is gone; frees the task. */
void wcore_on_ended(struct wcore *core, int64_t now_us, struct wtask *task, const struct wend *end,
                    struct weffects *out);
/* The group of a WEFFECT_GROUP is over. outputs: NULL, or n texts to stdout, n = tasks of the range. */
void wcore_on_group_ended(struct wcore *core, int64_t now_us, struct wlease *lease, struct range range,
                          const struct wend *end, const struct wchunk *outputs, struct weffects *out);

/* A chunk of a running task's output or file. Only with room (credit), else the caller keeps it until
 * WEFFECT_CREDIT. The bytes are copied. file: 0 for output. */
bool wcore_may_store(const struct wcore *core);
void wcore_store(struct wcore *core, const struct wtask *task, const struct wchunk *chunk, uint32_t file);
/* What a running task says of itself. The newest of everything counts; it goes out at most once a second. TOO_LARGE: more
 * values than a report may hold; nothing of it was taken then. */
struct wnews {
        bool has_done, has_total;
        uint64_t done, total; /* has_done without has_total takes an earlier total back */
        const struct wvalue { /* a name and a JSON value, both as text; borrowed */
                const char *name, *json;
                size_t n_name, n_json;
        } * values;
        size_t n_values;
};
int wcore_report(struct wcore *core, int64_t now_us, struct wtask *task, const struct wnews *news,
                 struct err *err) MUST_CHECK;
/* Ask for a chunk of a job's input; one at a time for each job. -1: the job holds no lease (any more). */
int wcore_fetch(struct wcore *core, const struct wjob *job, uint64_t input, uint64_t seq);
/* Ask for what the parents of a running task left; one question at a time for each task. */
void wcore_fetch_parent(struct wcore *core, const struct wtask *task, enum data_kind kind,
                        const struct wplace *at);

/* First signal: take nothing new, give back what has not started, end when all is recorded. Again, or after the
 * drain timeout: stop what runs. */
void wcore_on_drain(struct wcore *core, int64_t now_us, struct weffects *out);

/* The next message that wants to go out, or false. It borrows from the core until the next call of any function
 * of the core. Once sent (msg->id is set then) wcore_sent must be called; if it was not, it comes again. */
bool wcore_pull(struct wcore *core, int64_t now_us, struct msg *msg);
void wcore_sent(struct wcore *core, int64_t now_us, const struct msg *msg);

struct wcore_numbers {
        uint64_t leases, unstarted, running, free_slots, window, unrecorded_batches, unrecorded_bytes, ended,
                jobs;
        bool live, draining;
};
struct wcore_numbers wcore_numbers(const struct wcore *core);
const char *wcore_worker_name(const struct wcore *core); /* "" until known */

#endif
