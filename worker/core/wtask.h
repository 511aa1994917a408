/* What a worker holds: jobs (their descriptions), leases (grants of tasks of one job) and running tasks. The core
 * makes, changes and frees them; task types and exec read them, and keep what is theirs behind `run` and `files`. */
#ifndef CORE_WTASK_H
#define CORE_WTASK_H

#include "base/hash.h"
#include "proto/msg.h"

struct wjob {
        uint64_t id;
        struct job_spec_box *box;
        char *owner;
        char *install;
        uint64_t tasks, index_min, index_max;
        void *files; /* exec: inputs of the job on disk; NULL until needed. Gone before WEFFECT_JOB_GONE returns */

        unsigned refs; /* core: leases, and ends that are not recorded yet */
        struct wjob *prev, *next; /* core: unreferenced jobs, the longest unused first */
        UT_hash_handle hh;
};

struct wgrants; /* core: the `run` message that leases point into */

/* Tasks granted together: named by (epoch, attempt, nonce). */
struct wlease {
        struct wjob *job;
        uint64_t epoch;
        uint64_t nonce;
        uint32_t attempt;
        const struct rec_grant *grant; /* all tasks of it, and their entries */
        /* Of each task, as it was granted: the description may change, these do not. */
        uint64_t cpus, gpus;
        uint64_t mem; /* 0: nothing is said */
        bool says_cpus; /* somebody said how many: it is held to them, not to the one slot of those who did not */

        /* core from here on */
        uint64_t serial; /* our own number: a nonce may come again */
        struct wgrants *keep;
        struct range *left; /* tasks that have not started: left[0 … n_left) */
        size_t n_left;
        uint64_t n_unstarted;
        unsigned n_running;
        bool queued;
        int64_t came_us;
        uint64_t batch_number; /* where its last end went: see wend.c */
        size_t batch_end;
        struct wlease *prev, *next; /* leases with tasks left, in order of arrival */
        UT_hash_handle hh;
};

enum wstop { /* why a task is being stopped */
             WSTOP_NONE,
             WSTOP_CANCEL, /* a person, or the coordinator: ends cancelled */
             WSTOP_LIMIT, /* its time is up: ends timeout */
             WSTOP_LEAVE, /* the worker leaves: ends cancelled, reason stopped, which the coordinator runs again */
             WSTOP_SILENT, /* the lease is no longer ours: nothing is said */
};

/* A task that runs. */
struct wtask {
        struct wlease *lease;
        uint64_t index;
        int64_t started_us;
        enum wstop stop;
        uint64_t gpus; /* its own: bit n is gpu n */
        void *run; /* the task type's */
        struct job_spec_box *own; /* of a task of a graph; NULL: as its job says */

        /* core from here on */
        enum task_reason stop_reason;
        int64_t limit_at_us; /* 0: none */
        int64_t warn_at_us; /* a signal before that; 0: none, or it was sent */
        struct wreport *report; /* what it has said of itself; NULL: nothing */
        bool said; /* `started` has gone out, or the coordinator knows from `ready` */
        uint64_t cpus;
        struct wtask *prev, *next; /* running tasks, the oldest first */
};

/* The values of an entry: text[0 … n). n == 0: the job has no entries. */
struct wentry {
        const char *const *values;
        size_t n;
};
struct wentry wlease_entry(const struct wlease *lease, uint64_t index);
#define GRAPH_VALUES                                                                                         \
        3 /* of an entry of a graph: name, parents, description; people and tasks see the first */
/* What a task of a graph runs; owned by the caller. NULL: as its job says. */
struct job_spec_box *wlease_own_spec(const struct wlease *lease, uint64_t index);

static inline const struct rec_job_spec *wtask_spec(const struct wtask *task)
{
        return task->own ? &task->own->spec : &task->lease->job->box->spec;
}

/* One piece of a task's output that rides in `finished`. */
struct wchunk {
        enum stream stream;
        uint32_t seq;
        bool final;
        const void *bytes;
        size_t n_bytes;
};
struct wplace { /* in the output of parents; attempt 0: as it comes */
        uint64_t index, attempt, seq;
};
struct wfile { /* recorded by WSTORE chunks before */
        uint32_t file;
        const char *name;
        uint64_t bytes;
        char sha256[65];
};

enum wend_how {
        WEND_EXITED, /* code */
        WEND_SIGNALED, /* signal */
        WEND_FAILED, /* never became a process: reason */
};

/* How a task ended, as exec saw it. Borrowed by the core for the duration of the call. */
struct wend {
        enum wend_how how;
        uint8_t code;
        uint8_t signal;
        enum task_reason
                reason; /* FAILED: why. Else TASK_REASON_NONE, or what is wrong with result or files */
        bool oom;
        int64_t cpu_us;
        int64_t rss_kib;
        const char *result; /* NULL: none */
        size_t result_bytes;
        const struct wchunk *chunks;
        size_t n_chunks;
        const struct wfile *files;
        size_t n_files;
};

#endif
