/* Edges as two tables of rows: the parents of each task, its children. A task waits (park.h) while one of its parents is
 * open. What follows from the end of a parent joins the batch that the end itself is in: its children's rows say queued, or
 * they are aborted, in the same transaction. So nothing of it holds if that fails, and one commit lies between the end of a
 * parent and the grant of a child (park.h: nothing is granted before its row says queued).
 *
 * Invariants, once `ready` and at the end of a step: 1. left[t] counts the parents of t that are open. 2. a parked task
 * with an edge that cannot be met any more is doomed, and so is one that needs the success of a doomed one: all of them
 * are in job.sweep at once, however long the chain. */
#include "core/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/entries.h"
#include "core/job.h"
#include "core/park.h"
#include "core/sweep.h"

#define WHEN_SHIFT 30
#define POSITION_MASK ((UINT32_C(1) << WHEN_SHIFT) - 1)

enum {
        OPEN,
        OK,
        NOT_OK,
        STATE_MASK = 3,
        DOOMED = 4 /* open, but on its way to be aborted */,
        GAVE = 8 /* ended, perhaps with a result */
};

struct positions {
        uint32_t *list;
        size_t n, cap;
};

struct graph {
        uint32_t n, n_edges;
        size_t cap;
        uint32_t *in_first, *in; /* parents of task t: in[in_first[t] … in_first[t + 1]) */
        uint32_t *out_first, *out; /* children; the two top bits of an edge are its enum after_when */
        uint32_t *left;
        uint8_t *state;
        uint32_t n_tasks, n_chunks; /* read so far */
        bool ready, circular;
        struct positions ended; /* in this step: their children have not heard of it */
        bool due; /* in core.graphs_due, for them */
        struct spans wanted; /* a person's own choice: not aborted for what had failed before */
};

void graph_attach(struct job *job, uint32_t done)
{
        struct graph *graph;

        if (!job->spec->spec.has_edges)
                return;
        graph = job->graph = xcalloc(1, sizeof(*graph));
        graph->n = job->tasks;
        graph->in_first = xcalloc((size_t)graph->n + 1, sizeof(uint32_t));
        graph->left = xcalloc(graph->n, sizeof(uint32_t));
        graph->state = xcalloc(graph->n, 1);
        memset(graph->state, OK | GAVE, done);
}

void graph_free(struct core *core, struct job *job)
{
        struct graph *graph = job->graph;

        if (!graph)
                return;
        if (graph->due)
                DL_DELETE2(core->graphs_due, job, due_prev, due_next);
        free(graph->ended.list);
        spans_done(&graph->wanted);
        free(graph->in_first);
        free(graph->in);
        free(graph->out_first);
        free(graph->out);
        free(graph->left);
        free(graph->state);
        free(graph);
        job->graph = NULL;
}

/* ------------------------------------------------------------------ reading */

static void add_edge(struct graph *graph, uint32_t child, uint64_t parent, enum after_when when)
{
        if (parent == 0 || parent > graph->n || parent - 1 == child)
                return; /* nobody of ours says so; the task has one parent less */
        GROW(graph->in, graph->cap, (size_t)graph->n_edges + 1);
        graph->in[graph->n_edges++] = (uint32_t)(parent - 1) | (uint32_t)when << WHEN_SHIFT;
}

static void read_parents(struct graph *graph, uint32_t child, const char *text, const char *end)
{
        while (text < end) {
                enum after_when when = *text == 'a'   ? AFTER_WHEN_ANY
                                       : *text == 'n' ? AFTER_WHEN_NOTOK
                                                      : AFTER_WHEN_OK;
                uint64_t parent = 0;

                text += when != AFTER_WHEN_OK;
                for (; text < end && *text >= '0' && *text <= '9' && parent <= graph->n; text++)
                        parent = parent * 10 + (uint64_t)(*text - '0');
                add_edge(graph, child, parent, when);
                while (text < end && *text != ' ')
                        text++;
                text++;
        }
}

static void read_entry(struct graph *graph, const char *text, const char *end)
{
        const char *values = memchr(text, '\0', (size_t)(end - text));

        if (values && values + 1 < end && values[1] == 1) {
                const char *stop = memchr(values + 2, '\0', (size_t)(end - values - 2));

                read_parents(graph, graph->n_tasks, values + 2, stop ? stop : end);
        }
        graph->in_first[++graph->n_tasks] = graph->n_edges;
}

/* Children from parents, by counting. */
static void turn_round(struct graph *graph)
{
        uint32_t *at;

        graph->out_first = xcalloc((size_t)graph->n + 1, sizeof(uint32_t));
        graph->out = xcalloc((size_t)graph->n_edges + 1, sizeof(uint32_t));
        for (uint32_t i = 0; i < graph->n_edges; i++)
                graph->out_first[(graph->in[i] & POSITION_MASK) + 1]++;
        for (uint32_t t = 0; t < graph->n; t++)
                graph->out_first[t + 1] += graph->out_first[t];
        at = xmemdup(graph->out_first, ((size_t)graph->n + 1) * sizeof(uint32_t));
        for (uint32_t t = 0; t < graph->n; t++) {
                for (uint32_t i = graph->in_first[t]; i < graph->in_first[t + 1]; i++)
                        graph->out[at[graph->in[i] & POSITION_MASK]++] = t | (graph->in[i] & ~POSITION_MASK);
        }
        free(at);
}

/* Tasks in an order in which parents come first: are these all? */
static bool find_circle(const struct graph *graph)
{
        uint32_t *order = xcalloc((size_t)graph->n + 1, sizeof(uint32_t));
        uint32_t *left = xcalloc((size_t)graph->n + 1, sizeof(uint32_t));
        uint32_t n = 0;

        for (uint32_t t = 0; t < graph->n; t++) {
                left[t] = graph->in_first[t + 1] - graph->in_first[t];
                if (left[t] == 0)
                        order[n++] = t;
        }
        for (uint32_t k = 0; k < n; k++) {
                for (uint32_t i = graph->out_first[order[k]]; i < graph->out_first[order[k] + 1]; i++) {
                        uint32_t child = graph->out[i] & POSITION_MASK;

                        if (--left[child] == 0)
                                order[n++] = child;
                }
        }
        free(order);
        free(left);
        return n < graph->n;
}

static void settle(struct core *core, struct job *job);

void graph_put(struct core *core, struct job *job, uint32_t no, const uint8_t *bytes, size_t n_bytes)
{
        struct graph *graph = job->graph;
        size_t at = 0;

        if (!graph || graph->ready || no != graph->n_chunks || job->ending != 0)
                return;
        if (!bytes) {
                sweep_job(core, job, TASK_STATUS_FAILED, TASK_REASON_BAD_INPUT);
                return;
        }
        graph->n_chunks++;
        while (at + 4 <= n_bytes && graph->n_tasks < graph->n) {
                size_t length = (size_t)bytes[at] << 24 | (size_t)bytes[at + 1] << 16 |
                                (size_t)bytes[at + 2] << 8 | bytes[at + 3];

                read_entry(graph, (const char *)bytes + at + 4, (const char *)bytes + at + 4 + length);
                at += 4 + length;
        }
        if (graph->n_tasks < graph->n) {
                if (job->phase == JOB_LIVE)
                        effects_load(core->out, job->id, graph->n_chunks);
                return;
        }
        turn_round(graph);
        graph->circular = find_circle(graph);
        graph->ready = true;
        if (job->phase == JOB_LIVE && graph->circular && job->ending == 0)
                sweep_job(core, job, TASK_STATUS_ABORTED, TASK_REASON_DEPENDENCY);
        else if (job->phase == JOB_LIVE)
                settle(core, job);
}

void graph_load(struct core *core, struct job *job)
{
        if (job->graph && !job->graph->ready && job->ending == 0)
                effects_load(core->out, job->id, job->graph->n_chunks);
}

/* ------------------------------------------------------------------ who may go */

static bool is_met(const struct job *job, uint32_t edge, uint8_t state)
{
        enum after_when when = (enum after_when)(edge >> WHEN_SHIFT);

        if (job->spec->spec.on_dep_fail_run || when == AFTER_WHEN_ANY)
                return true;
        return (when == AFTER_WHEN_OK) == (state == OK);
}

static uint8_t state_of(const struct graph *graph, uint32_t edge)
{
        return graph->state[edge & POSITION_MASK] & STATE_MASK;
}

static void put(struct positions *positions, uint32_t t)
{
        GROW(positions->list, positions->cap, positions->n + 1);
        positions->list[positions->n++] = t;
}

static int compare(const void *a, const void *b)
{
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return (x > y) - (x < y);
}

static void take_spans(struct positions *positions, struct spans *out)
{
        if (positions->n > 1)
                qsort(positions->list, positions->n, sizeof(*positions->list), compare);
        for (size_t i = 0; i < positions->n; i++) /* a parent may be named twice */
                if (i == 0 || positions->list[i] != positions->list[i - 1])
                        spans_add(out, (struct span){ .lo = positions->list[i], .hi = positions->list[i] });
        free(positions->list);
        memset(positions, 0, sizeof(*positions));
}

/* What is not parked has run, or runs: nothing that happens to a parent now matters to it. */
static void doom_one(const struct job *job, uint32_t t, struct positions *never)
{
        struct graph *graph = job->graph;

        if (graph->state[t] != OPEN || !spans_find(&job->parked, t))
                return;
        graph->state[t] |= DOOMED;
        put(never, t);
}

/* Neither this one nor, all the way down, those that need it. */
static void doom(const struct job *job, uint32_t t, struct positions *never)
{
        const struct graph *graph = job->graph;
        size_t k = never->n;

        doom_one(job, t, never);
        for (; k < never->n; k++) {
                uint32_t from = never->list[k];

                for (uint32_t i = graph->out_first[from]; i < graph->out_first[from + 1]; i++) {
                        if (!is_met(job, graph->out[i], NOT_OK))
                                doom_one(job, graph->out[i] & POSITION_MASK, never);
                }
        }
}

static void let_go(struct core *core, struct job *job, struct positions *never, struct positions *now)
{
        static const struct sweep_how abort = {
                .status = TASK_STATUS_ABORTED, .reason = TASK_REASON_DEPENDENCY, .parked = true, .held = true
        };
        struct spans which = { 0 };

        take_spans(never, &which);
        if (which.count > 0)
                sweep_some(core, job, &which, &abort);
        spans_done(&which);
        take_spans(now, &which);
        if (which.count > 0)
                park_release(core, job, &which, PARK_DEPENDENCY);
        spans_done(&which);
}

/* From what is known of each task: what waits and need not, what waits and never will be met. */
static void settle(struct core *core, struct job *job)
{
        struct graph *graph = job->graph;
        struct positions never = { 0 }, now = { 0 };

        graph->ended.n = 0; /* said by their states */
        for (uint32_t t = 0; t < graph->n; t++) {
                bool failed = false;

                graph->left[t] = 0;
                for (uint32_t i = graph->in_first[t]; i < graph->in_first[t + 1]; i++) {
                        uint8_t state = state_of(graph, graph->in[i]);

                        graph->left[t] += state == OPEN;
                        failed |= state != OPEN && !is_met(job, graph->in[i], state);
                }
                if (graph->state[t] != OPEN)
                        continue;
                if (failed && !spans_find(&graph->wanted, t))
                        doom(job, t, &never);
                else if (graph->left[t] == 0)
                        put(&now, t);
        }
        let_go(core, job, &never, &now);
}

void graph_begin(struct core *core, struct job *job)
{
        struct spans all = { 0 };

        if (!job->graph || job->tasks == 0)
                return;
        spans_add(&all, (struct span){ .lo = 0, .hi = job->tasks - 1 });
        park_tasks(core, job, &all, PARK_DEPENDENCY);
        spans_done(&all);
        if (job->graph->ready) /* else a restart came between its chunks: they are read once it is live */
                settle(core, job);
}

void graph_live(struct core *core, struct job *job)
{
        if (job->graph && job->graph->circular && job->ending == 0)
                sweep_job(core, job, TASK_STATUS_ABORTED, TASK_REASON_DEPENDENCY);
        graph_load(core, job);
}

void graph_replayed(struct job *job, const struct spans *which, bool final)
{
        for (size_t i = which->head; job->graph && i < which->n; i++)
                memset(job->graph->state + which->list[i].lo, final ? NOT_OK | GAVE : OPEN,
                       span_count(which->list[i]));
}

void graph_ended(struct core *core, struct job *job, const struct spans *which, enum task_status status)
{
        struct graph *graph = job->graph;

        for (size_t i = which->head; i < which->n; i++) {
                for (uint32_t t = which->list[i].lo; t <= which->list[i].hi; t++) {
                        graph->state[t] = status == TASK_STATUS_SUCCEEDED ? OK : NOT_OK;
                        if (graph->ready)
                                put(&graph->ended, t);
                }
        }
        if (!graph->ready || graph->due)
                return;
        graph->due = true;
        DL_APPEND2(core->graphs_due, job, due_prev, due_next);
}

static void tell_children(const struct job *job, uint32_t t, struct positions *never, struct positions *now)
{
        struct graph *graph = job->graph;

        for (uint32_t i = graph->out_first[t]; i < graph->out_first[t + 1]; i++) {
                uint32_t child = graph->out[i] & POSITION_MASK;
                bool last = graph->left[child] > 0 && --graph->left[child] == 0;

                if (!is_met(job, graph->out[i], state_of(graph, t)))
                        doom(job, child, never);
                else if (last && graph->state[child] == OPEN)
                        put(now, child);
        }
}

static void pass_on(struct core *core, struct job *job)
{
        struct positions ended = job->graph->ended;
        struct positions never = { 0 }, now = { 0 };

        memset(&job->graph->ended, 0, sizeof(job->graph->ended)); /* aborting may add to it */
        for (size_t i = 0; i < ended.n; i++)
                tell_children(job, ended.list[i], &never, &now);
        free(ended.list);
        if (job->phase == JOB_LIVE && job->ending == 0)
                let_go(core, job, &never, &now);
        free(never.list);
        free(now.list);
}

void graph_pass_on(struct core *core)
{
        struct job *job;

        while ((job = core->graphs_due) != NULL) {
                DL_DELETE2(core->graphs_due, job, due_prev, due_next);
                job->graph->due = false;
                pass_on(core, job);
        }
}

void graph_round(struct core *core, struct job *job, const struct spans *wanted)
{
        graph_replayed(job, &job->round, false);
        spans_done(&job->graph->wanted);
        for (size_t i = wanted->head; i < wanted->n; i++)
                spans_add(&job->graph->wanted,
                          (struct span){ .lo = wanted->list[i].lo, .hi = wanted->list[i].hi });
        park_taken(core, job, &job->round, PARK_DEPENDENCY);
        if (job->graph->ready)
                settle(core, job);
        else
                graph_load(core, job);
}

bool graph_is_ready(const struct job *job)
{
        return job->graph->ready;
}

bool graph_has_parents(const struct job *job, uint32_t at)
{
        const struct graph *graph = job->graph;

        return graph->ready && graph->in_first[at] < graph->in_first[at + 1];
}

bool graph_has_parent(const struct job *job, uint32_t at, uint32_t parent)
{
        const struct graph *graph = job->graph;

        for (uint32_t i = graph->in_first[at]; graph->ready && i < graph->in_first[at + 1]; i++)
                if ((graph->in[i] & POSITION_MASK) == parent)
                        return true;
        return false;
}

void graph_parents(const struct job *job, uint32_t at, struct spans *out)
{
        const struct graph *graph = job->graph;
        struct positions parents = { 0 };

        for (uint32_t i = graph->in_first[at]; graph->ready && i < graph->in_first[at + 1]; i++)
                put(&parents, graph->in[i] & POSITION_MASK);
        take_spans(&parents, out);
}

void graph_gave_result(struct job *job, uint32_t at)
{
        job->graph->state[at] |= GAVE;
}

bool graph_parents_left_results(const struct job *job, uint32_t at)
{
        const struct graph *graph = job->graph;

        for (uint32_t i = graph->in_first[at]; graph->ready && i < graph->in_first[at + 1]; i++)
                if (graph->state[graph->in[i] & POSITION_MASK] & GAVE)
                        return true;
        return false;
}

uint32_t graph_find_parents(const struct job *job, uint32_t at, uint32_t *out, uint32_t most)
{
        const struct graph *graph = job->graph;
        uint32_t n = 0;

        for (uint32_t i = graph->in_first[at]; graph->ready && i < graph->in_first[at + 1] && n < most; i++)
                out[n++] = graph->in[i] & POSITION_MASK;
        return n;
}

void graph_why(const struct job *job, uint32_t at, struct buf *out)
{
        const struct graph *graph = job->graph;
        uint32_t said = 0, open = 0, all;

        if (!graph->ready) {
                buf_add_str(out, "its parents are being read");
                return;
        }
        all = graph->in_first[at + 1] - graph->in_first[at];
        for (uint32_t i = graph->in_first[at]; i < graph->in_first[at + 1]; i++)
                open += state_of(graph, graph->in[i]) == OPEN;
        buf_addf(out, "%u of its %u parents have not ended:", open, all);
        for (uint32_t i = graph->in_first[at]; i < graph->in_first[at + 1] && said < 10; i++) {
                uint32_t parent = graph->in[i] & POSITION_MASK;

                if (state_of(graph, parent) != OPEN)
                        continue;
                buf_addf(out, " %llu.%llu", (unsigned long long)job->id.n,
                         (unsigned long long)index_of(&job->indexes, parent));
                said++;
        }
        if (open > said)
                buf_add_str(out, " …");
}
