/* Inside of the worker's core: only worker/core/w*.c include this.
 *
 * Invariants:
 * 1. A lease lives while tasks of it are left or run; its job lives (refs) until its ends are recorded as well,
 *    because the coordinator sends a description only to a worker that may have forgotten it.
 * 2. A task is in exactly one place: left of its lease, running, the open batch, or a closed batch.
 * 3. A batch is immutable once closed: sent again it says the same, only `ago` grows.
 * 4. free_slots = slots - cpus of running tasks, never negative. A gpu has one running task at most. */
#ifndef CORE_WSTATE_H
#define CORE_WSTATE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "core/wcore.h"

#define STARTED_AFTER_US (100 * US_PER_MS) /* shorter tasks never say `started` */
#define GATHER_BUSY_US (8 * US_PER_MS) /* ends wait so long for company while there is work in hand */
#define GATHER_BULK_US (25 * US_PER_MS) /* and so long while many more of the same job are */
#define BULK_TASKS 32 /* so many */
#define GATHER_THIN_US (1 * US_PER_MS) /* and so long when only running tasks are left */
#define BATCH_TASKS_MAX 2048
#define BATCH_CHUNKS_MAX 2048
#define BATCH_HEADER_MAX (512 << 10) /* estimate; the frame's limit is 1 MiB */
#define HELLO_AGAIN_US (5 * US_PER_S) /* an unanswered ready is said again */
#define FETCH_AGAIN_US (200 * US_PER_MS) /* what cannot be had just now is asked for again */
#define BACK_OFF_US (1 * US_PER_S)
#define REFUSALS_MAX 3 /* of a worker that had been known: then it stops and ends */
#define FORCED_EXIT_US (10 * US_PER_S) /* after a second signal, beyond the tasks' grace */
#define GIVE_BACK_AFTER_US (200 * US_PER_MS) /* work ahead that still waits after this was too much */

struct wgrants {
        struct msg *msg;
        unsigned refs;
};

/* Tasks lo … hi that ended at the same time, alike. */
struct ended_run {
        uint64_t lo, hi;
        int64_t ended_us, ran_us, cpu_us, rss_kib; /* ran_us -1: never started */
};
struct out_end { /* one task_end */
        struct wjob *job;
        uint64_t lease; /* its serial: no index comes twice in one lease */
        uint64_t nonce, epoch;
        uint32_t attempt;
        enum end_status status;
        enum task_reason reason;
        bool has_code, has_signal;
        uint8_t code, signal;
        struct ended_run *runs;
        size_t n_runs, cap_runs;
};
struct out_chunk {
        size_t end;
        uint64_t index;
        enum data_kind kind;
        enum stream stream;
        uint32_t seq;
        bool final;
        size_t bytes;
};
struct out_file {
        size_t end;
        uint64_t index;
        uint32_t file;
        char *name;
        uint64_t bytes;
        char sha256[65];
};
struct wbatch { /* one `finished` */
        uint64_t number;
        uint64_t id; /* of the message; 0: never sent */
        bool sent; /* on this connection */
        int64_t first_us;
        int64_t not_before_us;
        struct out_end *ends;
        size_t n_ends, cap_ends;
        struct out_chunk *chunks;
        size_t n_chunks, cap_chunks;
        struct out_file *files;
        size_t n_files, cap_files;
        size_t n_runs;
        size_t header_bytes; /* estimate */
        struct buf body;
        struct wbatch *prev, *next;
};
struct wstore { /* one `store` that is not known to be durable */
        uint64_t id;
        bool sent;
        uint64_t job, nonce, index;
        uint32_t attempt;
        uint32_t file; /* 0: output */
        enum stream stream;
        uint32_t seq;
        bool final;
        size_t n_bytes;
        struct wstore *prev, *next;
        uint8_t bytes[];
};
struct wfetch {
        uint64_t id;
        bool sent;
        int64_t not_before_us;
        uint64_t job, nonce, index, input, seq;
        bool of_parents; /* what these left, not an input: kind, at, stdin_index */
        enum data_kind kind;
        struct wplace at;
        bool has_stdin_index;
        uint64_t stdin_index;
        struct wfetch *prev, *next;
};

/* What a task said of itself. Lives as long as the task, and after its end until it has gone out. */
struct wreport {
        struct wtask *task; /* NULL: it has ended */
        uint64_t job, nonce, index;
        struct wnews news; /* done and total; values unused */
        struct buf names; /* one after the other, each with its NUL */
        struct buf values; /* the same */
        size_t n_values;
        bool dirty; /* something of it has not gone out */
        bool pulled; /* in the message at hand */
        int64_t due_us; /* not before */
        struct wreport *prev, *next;
};

enum session {
        SESSION_DOWN,
        SESSION_GREET, /* ready must be said (not before greet_at_us) */
        SESSION_GREETED, /* ready is out, resume has not come */
        SESSION_LIVE,
};

struct arena_block;
struct wcore {
        struct wcore_config config;
        char worker[65];
        int64_t born_us;

        enum session session;
        bool was_live;
        unsigned refusals; /* of ready, in a row */
        uint64_t ready_id;
        int64_t greet_at_us;
        int64_t heard_us; /* last sign of the coordinator */
        int64_t lease_us, reconnect_us, heartbeat_us;
        int64_t heartbeat_at_us;
        bool gave_up; /* the reconnect window has passed; what ran was dealt with */

        struct wjob *jobs; /* by id */
        struct wjob *idle_jobs;
        size_t n_idle_jobs;
        struct wlease *leases; /* by nonce */
        uint64_t n_leases_ever;
        uint64_t asked_at_lease; /* n_leases_ever when ends went out at once because the window ran dry */
        struct wlease *queue;
        uint64_t n_unstarted, unstarted_cpus;
        struct wtask *running;
        struct wtask *unsaid; /* the oldest running task whose start is not said */
        uint64_t n_running, free_slots;
        uint64_t gpus_taken; /* bit n: gpu n has a task */
        int64_t limit_at_us; /* not after the earliest warning or time limit of a running task; INT64_MAX: none */

        struct wbatch *open; /* gathering; NULL: nothing */
        int64_t open_due_us;
        struct wbatch *closed;
        struct wbatch *pulled; /* what wcore_pull gave out last */
        uint64_t n_closed;
        uint64_t n_batches;
        size_t unrecorded_bytes;
        struct wstore *stores;
        size_t n_stores, store_bytes;
        struct wfetch *fetches;

        struct wreport *reports;
        size_t n_dirty; /* of them */
        int64_t report_at_us; /* when the next message of them goes */
        int64_t report_floor_us; /* but for tasks that have ended, not before */

        int64_t average_run_us; /* -1: nothing has ended yet */
        uint64_t window;
        int64_t last_end_us;
        int64_t ahead_at_us; /* when work ahead was last looked at */
        int64_t idle_since_us;
        uint64_t n_ended;

        bool draining; /* for good: the process will end */
        bool paused; /* `order drain`: until `order resume` */
        bool forced; /* stop what runs */
        int64_t drain_at_us, forced_at_us;
        bool said_bye, exited;

        struct arena_block *arena; /* of the message being pulled */
};

/* wcore.c */
void core_note(struct weffects *out, bool is_error, const char *fmt, const char *detail);
struct weffect *effect_add(struct weffects *out, enum weffect_kind kind);
void core_exit(struct wcore *core, struct weffects *out, int code, const char *text);
void core_greet(struct wcore *core, int64_t at_us); /* say ready (again); what is unanswered goes out again */
void core_dispatch(struct wcore *core, int64_t now_us, struct weffects *out);
void core_set_limits(struct wcore *core, struct wtask *task); /* as the job's description says now */
void core_stop_task(struct wtask *task, enum wstop stop, enum task_reason reason, struct weffects *out);
/* At most n_tasks; job: only of this job, 0: of any. */
void core_give_back(struct wcore *core, int64_t now_us, uint64_t job, uint64_t n_tasks, struct weffects *out);
void core_start_drain(struct wcore *core, int64_t now_us, struct weffects *out);
void core_stop_all(struct wcore *core, int64_t now_us, enum wstop stop, enum task_reason reason,
                   struct weffects *out);

/* wlease.c */
struct wjob *job_find(struct wcore *core, uint64_t id);
struct wjob *job_add(struct wcore *core, const struct rec_run_spec *spec);
void job_ref(struct wcore *core, struct wjob *job);
void job_unref(struct wcore *core, struct wjob *job, struct weffects *out);
void job_free(struct wcore *core, struct wjob *job);
struct wlease *lease_find(struct wcore *core, uint64_t nonce);
struct wlease *lease_add(struct wcore *core, int64_t now_us, struct wjob *job, uint64_t epoch,
                         const struct rec_grant *grant, struct wgrants *keep);
void lease_free(struct wcore *core, struct wlease *lease, struct weffects *out);
void lease_settle(struct wcore *core, struct wlease *lease,
                  struct weffects *out); /* frees it if nothing is left */
bool lease_take_first(struct wcore *core, struct wlease *lease, struct range *ret_range, uint64_t n_max);
bool lease_take_last(struct wcore *core, struct wlease *lease, struct range *ret_range, uint64_t n_max);
/* Take what of `range` is left; false when there is nothing more of it. */
bool lease_take_inside(struct wcore *core, struct wlease *lease, const struct range *range,
                       struct range *ret_range);
void grants_unref(struct wgrants *grants);

/* wreport.c */
bool report_pull(struct wcore *core, int64_t now_us, struct msg *msg);
void report_sent(struct wcore *core, int64_t now_us);
void report_task_ended(struct wcore *core, int64_t now_us, struct wtask *task, bool silent);
void report_all_again(struct wcore *core); /* a new connection: what went out may be lost */
int64_t report_deadline(const struct wcore *core); /* INT64_MAX: none */
void report_free_all(struct wcore *core);

/* wend.c */
void end_running(struct wcore *core, int64_t now_us, const struct wtask *task, const struct wend *end);
void end_unstarted(struct wcore *core, int64_t now_us, struct wlease *lease, struct range range,
                   enum end_status status, enum task_reason reason);
void end_group(struct wcore *core, int64_t now_us, struct wlease *lease, struct range range,
               const struct wend *end, const struct wchunk *outputs);
void batch_close(struct wcore *core);
void batch_free(struct wcore *core, struct wbatch *batch, struct weffects *out);
struct wbatch *batch_find(struct wcore *core, uint64_t id);

/* wwindow.c */
void window_ended(struct wcore *core, int64_t now_us, int64_t ran_us, uint64_t n);
void window_update(struct wcore *core, int64_t now_us);

/* wpull.c */
void *arena_get(struct wcore *core, size_t bytes); /* zeroed; until the next pull */
void arena_reset(struct wcore *core);
void arena_free(struct wcore *core);

/* wstore.c */
struct wstore *store_find(struct wcore *core, uint64_t id);
void store_drop(struct wcore *core, struct wstore *store);
void store_drop_task(struct wcore *core, uint64_t nonce, uint64_t index); /* those not sent yet */
struct wfetch *fetch_find(struct wcore *core, uint64_t id);
struct wfetch *fetch_next(struct wcore *core, int64_t now_us); /* that is to be sent; NULL: none */
void fetch_drop(struct wcore *core, struct wfetch *fetch);

#endif
