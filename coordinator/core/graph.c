/* Edges as two tables of rows: the parents of each task, its children. A task waits (park.h) while one of its parents is
 * open; it is let go or aborted when the end of a parent is committed.
 *
 * Invariants, once `ready`: 1. left[t] counts the parents of t that are open. 2. state[t] changes with commits alone, but
 * for a new round, which makes tasks open at once. */
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

enum { OPEN, OK, NOT_OK };

struct graph_end {
        uint64_t number;
        struct spans which;
        bool ok;
        struct graph_end *next;
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
        struct graph_end *ends, *last_end;
        uint64_t n_ends; /* numbers given */
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
        memset(graph->state, OK, done);
}

void graph_free(struct job *job)
{
        struct graph *graph = job->graph;
        struct graph_end *end, *next;

        if (!graph)
                return;
        LL_FOREACH_SAFE (graph->ends, end, next) {
                spans_done(&end->which);
                free(end);
        }
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

static void let_go(struct core *core, struct job *job, struct spans *never, struct spans *now)
{
        static const struct sweep_how abort = { .status = TASK_STATUS_ABORTED,
                                                .reason = TASK_REASON_DEPENDENCY,
                                                .parked = true };

        if (never->count > 0)
                sweep_some(core, job, never, &abort);
        if (now->count > 0)
                park_release(core, job, now, PARK_DEPENDENCY);
        spans_done(never);
        spans_done(now);
}

/* From what is known of each task: what waits and need not, what waits and never will be met. */
static void settle(struct core *core, struct job *job)
{
        struct graph *graph = job->graph;
        struct spans never = { 0 }, now = { 0 };

        for (uint32_t t = 0; t < graph->n; t++) {
                bool failed = false;

                graph->left[t] = 0;
                for (uint32_t i = graph->in_first[t]; i < graph->in_first[t + 1]; i++) {
                        uint8_t state = graph->state[graph->in[i] & POSITION_MASK];

                        graph->left[t] += state == OPEN;
                        failed |= state != OPEN && !is_met(job, graph->in[i], state);
                }
                if (graph->state[t] != OPEN)
                        continue;
                if (failed && !spans_find(&graph->wanted, t))
                        spans_add(&never, (struct span){ .lo = t, .hi = t });
                else if (graph->left[t] == 0)
                        spans_add(&now, (struct span){ .lo = t, .hi = t });
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
                memset(job->graph->state + which->list[i].lo, final ? NOT_OK : OPEN,
                       span_count(which->list[i]));
}

void graph_ended(struct core *core, struct job *job, const struct spans *which, enum task_status status)
{
        struct graph_end *end = xcalloc(1, sizeof(*end));

        end->number = ++job->graph->n_ends;
        end->ok = status == TASK_STATUS_SUCCEEDED;
        for (size_t i = which->head; i < which->n; i++)
                spans_add(&end->which, (struct span){ .lo = which->list[i].lo, .hi = which->list[i].hi });
        if (job->graph->ends)
                job->graph->last_end->next = end;
        else
                job->graph->ends = end;
        job->graph->last_end = end;
        effects_fact(core->out, (struct fact){ .kind = FACT_PARENTS, .job = job->id, .n = end->number });
}

static void tell_children(const struct job *job, uint32_t t, struct spans *never, struct spans *now)
{
        struct graph *graph = job->graph;

        for (uint32_t i = graph->out_first[t]; i < graph->out_first[t + 1]; i++) {
                uint32_t child = graph->out[i] & POSITION_MASK;
                struct span one = { .lo = child, .hi = child };

                if (graph->left[child] > 0)
                        graph->left[child]--;
                if (!is_met(job, graph->out[i], graph->state[t])) {
                        if (!spans_find(never, child))
                                spans_add(never, one);
                } else if (graph->left[child] == 0 && !spans_find(now, child)) {
                        spans_add(now, one);
                }
        }
}

void graph_committed(struct core *core, struct job *job, uint64_t number)
{
        struct graph *graph = job->graph;
        struct spans never = { 0 }, now = { 0 };
        struct graph_end *end;

        while (graph && (end = graph->ends) && end->number <= number) {
                graph->ends = end->next;
                for (size_t i = end->which.head; i < end->which.n; i++) {
                        for (uint32_t t = end->which.list[i].lo; t <= end->which.list[i].hi; t++) {
                                graph->state[t] = end->ok ? OK : NOT_OK;
                                if (graph->ready)
                                        tell_children(job, t, &never, &now);
                        }
                }
                spans_done(&end->which);
                free(end);
        }
        if (job->phase == JOB_LIVE && job->ending == 0)
                let_go(core, job, &never, &now);
        spans_done(&never);
        spans_done(&now);
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
                open += graph->state[graph->in[i] & POSITION_MASK] == OPEN;
        buf_addf(out, "%u of its %u parents have not ended:", open, all);
        for (uint32_t i = graph->in_first[at]; i < graph->in_first[at + 1] && said < 10; i++) {
                uint32_t parent = graph->in[i] & POSITION_MASK;

                if (graph->state[parent] != OPEN)
                        continue;
                buf_addf(out, " %llu.%llu", (unsigned long long)job->id.n,
                         (unsigned long long)index_of(&job->indexes, parent));
                said++;
        }
        if (open > said)
                buf_add_str(out, " …");
}
