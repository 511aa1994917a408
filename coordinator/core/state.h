/* What the core remembers. Private to coordinator/core: everybody else sees core.h.
 *
 * Memory is O(unfinished jobs + granted tasks): a job's tasks that were never granted are one cursor, finished ones
 * are nothing. */
#ifndef CORE_STATE_H
#define CORE_STATE_H

#include <utlist.h>

#include "base/hash.h"
#include "core/access.h"
#include "core/core.h"
#include "core/heap.h"
#include "core/indexes.h"
#include "core/keeps.h"
#include "core/pace.h"
#include "core/lot.h"
#include "core/owner.h"
#include "core/spans.h"

#define LEASE_TASKS_MAX 512 /* tasks of one grant; positions lo … lo + n - 1 */
#define SMALL_JOB_TASKS 1000 /* rows of such a job are part of its submission */
#define ROWS_A_BATCH 5000 /* rows made or ended by one operation: a transaction of 7 ms */
#define MARK_STRIDE 32768 /* the mark runs so far ahead of the grants */
#define STATUS_COUNT 12 /* task_status numbers are 1 … 11 */

struct job;
struct job_set; /* sets.c */
struct worker;

struct queue {
        uint32_t id;
        char name[65];
        bool paused;
        uint64_t max_running; /* 0: no limit */
        uint32_t weight;
        uint64_t granted; /* tasks out */
        UT_hash_handle hh; /* by name */
};

/* One grant to one worker: neighbouring tasks of one job under one (epoch, attempt, nonce). */
struct lease {
        UT_hash_handle hh; /* by nonce; beside it, so that a search reads one line of cache */
        uint64_t nonce;
        uint64_t epoch;
        struct job *job;
        struct lot *lot; /* of the job: where tasks go that come back */
        struct needs *needs; /* of each task, as it was granted; a reference */
        struct worker *worker;
        uint32_t lo, n; /* positions */
        uint32_t n_out; /* of them not ended yet */
        uint16_t attempt, tries, crashes;
        bool unsent; /* at most once: waits for its attempt to be durable */
        int64_t started_us; /* wall; when the first of them started; 0: none has said so */
        int64_t born_us; /* mono */
        int64_t granted_us; /* wall; or adopted */
        struct entry_texts *texts; /* entries of its tasks, until they are told */
        struct session_id told_in; /* the connection on which it was granted or named */
        struct spans *kept; /* while its worker says ready: what he still holds of it */
        struct lease *job_prev, *job_next, *worker_prev, *worker_next;
        uint64_t bits[]; /* three sets of (n + 63) / 64 words: out, started, cancelled */
};

/* A task below the mark that was not final at the last stop: its worker may come back with it. */
struct note {
        struct principal_id worker;
        uint64_t nonce;
        int64_t started_us;
        bool running;
        bool cancelled; /* somebody asked to cancel it */
};

struct dependency { /* `job` waits for `on` */
        struct job *job;
        struct job_id on;
        enum after_when when;
        struct dependency *next, *prev; /* among those that wait for the same job */
};

struct watch {
        struct session_id session;
        uint64_t re;
        struct job *job;
        struct group *group; /* that it belongs to; NULL: it is a subscription of its own */
        bool begun; /* its first event has been sent */
        struct spans only; /* positions watched and not final; empty with all */
        bool all;
        bool progress, output;
        struct range *of; /* indexes whose output is meant; NULL: all */
        size_t n_of;
        struct spans outputs; /* indexes, not positions: output that it was not told of yet */
        bool output_due;
        int64_t output_told_us; /* mono */
        bool due; /* counts changed since the last event */
        uint64_t fact; /* the end fact that it waits for; 0: something is not final yet */
        int64_t told_us; /* mono; of the last progress event */
        struct watch *next, *prev; /* of the job */
        struct watch *next_of_client, *prev_of_client;
};

struct news { /* a subscription to events */
        struct session_id session;
        uint64_t re;
        struct principal_id who;
        uint64_t key; /* that asked for it */
        bool due;
        int64_t told_us; /* mono */
        struct news *next, *prev;
};

struct client { /* a session with subscriptions */
        uint64_t session;
        uint64_t key; /* with which it asked last */
        struct principal_id who;
        struct watch *watches;
        struct group *group; /* the subscription to several jobs; NULL: none */
        unsigned n; /* watches, and one for the group */
        unsigned n_members; /* watches of the group */
        UT_hash_handle hh;
};

struct entry_chunk { /* opened entries of a job, while they are being granted */
        struct job *job;
        uint32_t no;
        bool loading;
        struct shared_bytes *bytes;
        uint32_t *offsets; /* n + 1 */
        uint32_t n;
        struct entry_chunk *next, *prev; /* of the job */
        struct entry_chunk *lru_next, *lru_prev; /* oldest first */
};

struct thaw { /* positions of job.cool that one commit sets free */
        uint64_t number;
        struct lot *lot; /* where they go; NULL: each where it belongs */
        bool was_held; /* those that were never granted are as if they had not been: the cursor finds them */
        struct spans which;
        struct thaw *next;
};

struct ack { /* an answer that waits until a sweep is through */
        struct session_id session;
        uint64_t re;
        uint64_t count;
        struct ack *next;
};

enum job_phase {
        JOB_LOADING, /* chunks are missing */
        JOB_NEW, /* whole, its commit is on the way */
        JOB_LIVE,
        JOB_ENDED, /* every task is final, that commit is on the way */
};

struct job {
        struct job_id id;
        struct principal_id owner_id;
        struct owner *owner;
        struct queue *queue;
        struct account *account; /* the owner's, of that queue */
        struct job_spec_box *spec;
        size_t spec_bytes; /* encoded */
        struct indexes indexes;
        uint8_t key[20]; /* owner and key hash; zero: unknown (after a retry) */
        uint8_t digest[32];
        bool has_key;
        bool claimed; /* made in the hope that the store does not know its key: nobody may hear of it yet */
        enum job_phase phase;
        uint64_t end_fact; /* JOB_ENDED: whose commit it waits for */
        int64_t submitted_us, started_us, ended_us; /* wall */

        uint64_t n[STATUS_COUNT]; /* tasks by status; job.c alone writes it */
        uint32_t tasks;
        uint32_t cursor; /* positions from here on were never granted */
        uint32_t mark, mark_asked; /* committed; asked for. Grants stay below the committed one */
        uint32_t exist, exist_asked; /* rows below are committed; asked for */
        uint32_t low; /* every task below is final (may lag) */
        uint32_t ends_since_low;
        uint64_t granted; /* tasks in leases */
        uint64_t granted_queued; /* of them not started */
        struct lot plain; /* tasks that need what the description says; owns the cursor */
        struct lot *lots; /* the plain one first */
        struct lot *further_lots; /* the others, by shape and needs */
        struct shapes *shapes; /* tasks that ask for something else than the description; NULL: none */
        struct spans cool; /* to be granted again once it is committed that their last attempt is used up */
        struct thaw *thaws; /* ... in the order of the commits */
        uint64_t n_thaws; /* numbers given so far */
        uint64_t floor_epoch; /* leases of older epochs are not adopted */
        struct spans limbo; /* below the mark after a restart: a worker may come back with them */
        struct spans adopted; /* taken over by a worker since the restart: a hint for older claims */
        struct spans gone; /* from the cursor on, but ended, to be ended or parked: it passes over them */
        struct spans parked; /* wait for something of their own (park.h); note: enum park, number of a keep */
        enum task_status parked_at; /* where these are counted */
        struct keeps keeps; /* who holds what, and why */
        struct spans ripe; /* parked no more, but above the mark or without a row yet */
        struct spans sweep; /* to be ended without a start, row by row; note: with which status and reason */
        struct spans round; /* a new round that is not committed yet */
        bool round_out;
        bool sweeping; /* a chunk of the sweep is on its way */
        uint64_t n_swept; /* chunks so far */
        enum task_status ending; /* whole job: no task of it is granted any more; 0: no */
        enum task_reason ending_reason;
        struct ack *acks; /* told when the sweep is through */
        struct note *notes; /* of limbo; numbers from 1 */
        size_t n_notes, cap_notes;
        struct lease *leases;
        struct spec_known *known; /* workers that have the description */
        struct entry_chunk *chunks;
        uint32_t chunks_total, chunks_stored, chunks_asked; /* upload */
        int64_t upload_until_us; /* mono */
        int64_t task_us; /* run time of a task so far, smoothed: what a grant is charged */

        int64_t at_us, start_by_us; /* wall; 0: none (when.h) */
        int64_t late_mono_us; /* when to look whether start_by has passed */
        bool too_early; /* waits for at_us */
        bool late; /* start_by has passed */
        size_t at_place, late_place; /* in core.ats, core.start_bys */
        struct backoff *backoffs; /* waits between attempts */
        struct spans bigger; /* need more memory than the description says (memory.h) */

        struct dependency *waits; /* array of spec.n_after */
        unsigned n_waits; /* not met yet; one of them may be a namesake */
        struct namesakes *namesakes;
        struct job *namesake_next, *namesake_prev;
        bool waits_namesake;
        struct dependency *dependants;
        struct each_set *eaches; /* its elements wait for those of other jobs (each.h); NULL: they do not */
        struct graph *graph; /* its tasks depend on each other; NULL: they do not */
        struct job *due_next, *due_prev; /* in core.graphs_due */
        struct watch *watches;

        bool wants_rows; /* in the line for rows */
        bool dirty;
        struct job_state written; /* what the newest batch says: no second row alike */
        size_t upload_place;
        struct job_set *set; /* that it is loaded with; NULL: none */
        struct job *set_next, *set_prev;
        struct job *dirty_next;
        struct job *rows_next, *rows_prev;
        UT_hash_handle hh; /* by id */
        UT_hash_handle hh_key; /* by key */
};

struct spec_known { /* this worker's session has this job's description */
        struct {
                uint64_t job;
                uint64_t worker;
        } key;
        struct job *job;
        struct worker *worker;
        struct spec_known *next, *prev; /* of the job */
        struct spec_known *next_of_worker, *prev_of_worker;
        UT_hash_handle hh;
};

/* What a worker could take now: nothing, more to prefetch, or work for a slot that is free. */
enum hunger { FULL, WANTS_MORE, IDLE, HUNGER_COUNT };

struct worker {
        UT_hash_handle hh; /* by id; beside it, as in a lease */
        uint32_t id;
        struct session_id session; /* 0: none */
        enum worker_state state;
        bool awaited; /* known from before the start, has not said ready yet */
        bool draining; /* by its own word or by order */
        bool ordered_drain; /* by a person, until he says resume: any process with this key */
        bool ordered_stop; /* the process that is connected, not the next one with this key */
        uint32_t slots;
        uint64_t window; /* cpus' worth it wants to hold in all */
        uint64_t outstanding; /* cpus' worth of its leases */
        uint32_t busy, busy_written;
        int64_t row_us; /* core->mono_us when its row was written last */
        int64_t seen_us; /* mono */
        int64_t deadline_us; /* mono; when to look whether its lease ended */
        uint64_t pid; /* with host: which process; a new one has forgotten everything */
        char *host;
        size_t deadline_place;
        struct lease *leases;
        struct spec_known *known;
        enum hunger hunger;
        struct kind *able; /* what it said that it has; NULL: it never said ready */
        struct kind *kind; /* the same, while connected and not draining */
        uint64_t held_mem, *held_res; /* of the kind's: what its leases need; counted while kind is set */
        uint32_t held_gpus;
        struct lot *reserved; /* its room is kept for this one, which does not fit yet */
        uint64_t idle_counted; /* its part of core.idle_slots */
        struct worker *hungry_next, *hungry_prev;
        struct lease **draft; /* granted in this step, not yet told */
        size_t n_draft, cap_draft, draft_bytes;
        struct worker *draft_next;
        uint64_t asked_job, asked_event; /* of the last take-back: abort.c */
        bool stuck; /* its waiting tasks go to others: it gets nothing ahead until it has ended something */
        int64_t shared_us; /* mono; of the last take-back for somebody idle: share.c */
        UT_hash_handle hh_session;
};

/* Jobs that were aborted because of one that has a new round: they come back a few at a time. */
struct comeback {
        uint64_t job;
        bool loading; /* being read; else it waits until it can be */
};

struct backoff;
struct kind; /* fit.h */
struct lane;
struct pending;
struct round_wait;
struct report;

#define FEW 4 /* so many parts of a message find their place on the stack: mostly all */

struct core {
        /* of the event at hand */
        struct effects *out;
        int64_t wall_us, mono_us;
        uint64_t random;

        struct core_settings settings;
        bool live, draining, degraded;
        struct access access;
        struct queue *queues;
        struct job *jobs, *keys; /* keys: the same by idempotency key */
        struct owner *owners;
        int64_t served; /* of the owner served last: newcomers start here */
        struct namesakes *namesakes; /* by owner and name */
        struct needs *needs;
        struct lane *lanes; /* by queue and needs */
        struct bucket *buckets; /* by lane, owner and level */
        struct lease *leases;
        struct worker *workers, *sessions; /* sessions: the same by session */
        struct kind *kinds; /* by what they have */
        struct kind *hungry_kinds[HUNGER_COUNT]; /* those that have such workers */
        uint64_t lane_changes; /* grows when something could be granted that could not before */
        struct lot *reservations;
        size_t n_reservations, n_active; /* workers that take work */
        uint64_t idle_slots; /* of connected workers: slots without a task */
        struct worker *drafts; /* workers with grants to be told at the end of the step */
        struct spec_known *known;
        struct heap deadlines; /* workers by deadline_us */
        struct heap uploads; /* loading jobs by upload_until_us */
        struct heap backoffs; /* by due_us */
        struct heap ats; /* jobs that are too early, by at_us */
        struct heap start_bys; /* jobs by late_mono_us */
        struct job *graphs_due; /* tasks of theirs ended in this step */
        struct job_set *sets; /* being loaded, by owner and name */
        struct heap sets_by_time; /* the same by until_us */
        struct job *rows_line; /* jobs that want rows, in turn */
        bool rows_out; /* a batch of rows is on its way */
        int64_t submitted_us; /* mono; of the last submission: rows_next */
        struct job *dirty;
        struct entry_chunk *entries_lru;
        size_t entries_bytes;
        struct client *clients;
        struct news *news;
        unsigned n_news;
        int64_t news_rights_at_us; /* mono; when the rights of those are looked at again */
        struct pending *pendings;
        struct report *reports; /* what tasks said that is not written yet, oldest first */
        int64_t reports_at_us; /* mono; not before then */
        struct round_wait *rounds; /* retries whose tasks are being read */
        unsigned n_rounds, n_rounds_read; /* all; those that are being read now */
        struct comeback comebacks[DUE_MAX];
        unsigned n_comebacks;
        bool comeback_asked; /* which are due is being asked */
        bool comeback_more; /* ... and is to be asked again */
        int64_t comeback_at_us; /* mono; when to try those that wait; 0: none does */
        uint64_t next_pending, n_pendings;
        uint64_t next_job;
        uint32_t n_awaited;
        int64_t limbo_until_us; /* mono; 0: no task is in limbo */
        int64_t last_event_us; /* mono */
        int64_t lease_floor_us; /* mono; no lease ended before: we ourselves were not running */
        int64_t rights_at_us; /* mono; when to look whether watchers still may; 0: nobody watches */
        int64_t share_at_us; /* mono; not before */
        int64_t progress_at_us; /* mono; next progress event that is due; 0: none */
        int64_t refuse_until_us; /* mono; rate of refusal events */
        uint32_t refusals_hidden;
        uint64_t n_events, n_grants, n_ends;
        struct pace pace; /* from submission to grant */
        struct each_parents *each_parents; /* jobs whose elements others wait for (each.c) */
        uint64_t n_end_facts; /* each FACT_TASKS_ENDED has a number of its own */
        uint64_t *edge_hits; /* a counter per edge of task_state.def */
};

#endif
