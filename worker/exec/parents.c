/* What the parents of a task left: their results, a JSON value of a MiB at most, and the output that is its stdin, as long
 * as it may be. What is the same for all tasks of a job is fetched once for those that wait; what is a task's own (in a
 * graph, or by index) for each.
 *
 * 1. A process starts only when all of it is here.
 * 2. Output goes from the message to a file without a name, so memory does not grow with it.
 * 3. One question at a time is out for each heap; who asks is one of the runs that wait for it.
 * 4. A task of a later attempt never gets what was fetched for an earlier one: its parents may have run again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "exec/run.h"

#define HEAPS_KEPT 4 /* of jobs none of whose tasks runs now: a MiB of results each, and a file */

struct heap { /* run->heap */
        struct exec *exec;
        struct wjob *job; /* of all its tasks; NULL: of one run */
        unsigned attempt;
        struct run *asker; /* NULL: nobody asks now */
        bool results, has_stdin; /* wanted */
        bool results_here, stdin_here;
        bool too_large;
        struct buf text; /* the results; empty: there are none */
        int fd; /* of the output; -1: nothing of it has come */
        struct wplace at;
        uint64_t n_cut;
        struct heap *prev, *next; /* those of jobs: exec->heaps */
};

static bool wants_stdin(const struct wtask *task)
{
        const struct rec_job_spec *spec = wtask_spec(task);

        return spec->has_stdin_job || (task->own && spec->has_stdin_index);
}

static bool wants_results(const struct wtask *task)
{
        return task->lease->grant->has_parent_results && task->lease->grant->parent_results;
}

static void empty(struct heap *heap)
{
        if (heap->fd >= 0)
                close(heap->fd);
        buf_done(&heap->text);
        heap->fd = -1;
        heap->at = (struct wplace){ 0 };
        heap->n_cut = 0;
        heap->results_here = heap->stdin_here = heap->too_large = false;
}

static void heap_free(struct heap *heap)
{
        empty(heap);
        if (heap->job)
                DL_DELETE(heap->exec->heaps, heap);
        free(heap);
}

void parents_forget_job(struct exec *exec, const struct wjob *job)
{
        struct heap *heap, *next;

        DL_FOREACH_SAFE (exec->heaps, heap, next)
                if (heap->job == job)
                        heap_free(heap);
}

void parents_free_all(struct exec *exec)
{
        while (exec->heaps)
                heap_free(exec->heaps);
}

static struct heap *heap_new(struct exec *exec, const struct wtask *task, struct wjob *job)
{
        struct heap *heap = xcalloc(1, sizeof(*heap));

        heap->exec = exec;
        heap->fd = -1;
        heap->job = job;
        heap->attempt = task->lease->attempt;
        heap->results = wants_results(task);
        heap->has_stdin = wants_stdin(task);
        if (job)
                DL_APPEND(exec->heaps, heap);
        return heap;
}

/* Tasks of the job wait for different ones. */
static bool has_own_parents(const struct wtask *task)
{
        const struct rec_job_spec *spec = &task->lease->job->box->spec;

        for (size_t i = 0; i < spec->n_after; i++)
                if (spec->after[i].when == AFTER_WHEN_EACH)
                        return true;
        return task->own || spec->has_edges || spec->stdin_each;
}

/* The heap of a job is what its newest attempt saw. */
static struct heap *heap_of(struct run *run)
{
        struct wjob *job = run->task->lease->job;
        struct heap *heap;

        if (has_own_parents(run->task))
                return heap_new(run->exec, run->task, NULL);
        DL_FOREACH (run->exec->heaps, heap)
                if (heap->job == job)
                        break;
        if (!heap)
                heap = heap_new(run->exec, run->task, job);
        if (heap->attempt < run->task->lease->attempt) {
                heap->attempt = run->task->lease->attempt;
                empty(heap); /* an answer that is still to come is not for it any more */
                heap->asker = NULL;
        }
        heap->results |= wants_results(run->task);
        return heap;
}

/* ------------------------------------------------------------------ fetching */
static bool is_here(const struct heap *heap)
{
        return (!heap->results || heap->results_here) && (!heap->has_stdin || heap->stdin_here);
}

static void ask(struct heap *heap, struct run *run)
{
        enum data_kind kind = heap->results && !heap->results_here ? DATA_KIND_RESULT : DATA_KIND_OUTPUT;

        heap->asker = run;
        run->exec->host.fetch_parent(run->exec->host.arg, run->task, kind, &heap->at);
}

bool parents_are_missing(const struct run *run)
{
        return run->heap && !is_here(run->heap);
}

bool parents_want(struct run *run)
{
        if (!run->heap && (wants_results(run->task) || wants_stdin(run->task)))
                run->heap = heap_of(run);
        if (!parents_are_missing(run))
                return false;
        if (!run->heap->asker)
                ask(run->heap, run);
        return true;
}

static bool waits_for(const struct run *run, const struct heap *heap)
{
        return run->heap == heap && run->phase == RUN_INPUTS && !run->unsettled && !run->pid;
}

static bool is_used(const struct heap *heap)
{
        const struct run *run;

        DL_FOREACH (heap->exec->runs, run)
                if (run->heap == heap)
                        return true;
        return false;
}

/* Tasks of a job come one after the other: what they share outlives each, but not many of it do. */
static void drop_old(struct exec *exec)
{
        struct heap *heap, *next;
        size_t n = 0;

        DL_FOREACH (exec->heaps, heap)
                n += !is_used(heap);
        DL_FOREACH_SAFE (exec->heaps, heap, next)
                if (n > HEAPS_KEPT && !is_used(heap)) {
                        heap_free(heap);
                        n--;
                }
}

/* Its answer will not come: somebody else asks. */
void parents_leave(struct run *run)
{
        struct heap *heap = run->heap;
        struct run *other;

        run->heap = NULL;
        if (!heap)
                return;
        if (!heap->job) {
                heap_free(heap);
                return;
        }
        if (heap->asker == run) {
                heap->asker = NULL;
                DL_FOREACH (run->exec->runs, other)
                        if (!heap->asker && waits_for(other, heap))
                                ask(heap, other);
        }
        drop_old(run->exec);
}

static int open_file(struct heap *heap)
{
        struct scratch *scratch = heap->exec->scratch;
        char name[32];

        snprintf(name, sizeof(name), "p%llu", (unsigned long long)++scratch->n_named);
        heap->fd = openat(scratch->fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (heap->fd >= 0)
                unlinkat(scratch->fd, name, 0);
        return heap->fd;
}

static enum task_reason take_output(struct heap *heap, const struct msg *msg)
{
        const struct msg_parent_chunk *chunk = &msg->u.parent_chunk;

        if (heap->fd < 0 && open_file(heap) < 0)
                return errno == ENOSPC || errno == EDQUOT ? TASK_REASON_NO_SPACE : TASK_REASON_BAD_INPUT;
        if (!inputs_write(heap->fd, msg->body, msg->body_bytes))
                return errno == ENOSPC || errno == EDQUOT ? TASK_REASON_NO_SPACE : TASK_REASON_BAD_INPUT;
        heap->n_cut += chunk->cut;
        heap->stdin_here = chunk->final;
        if (!chunk->final && !chunk->has_next_index)
                return TASK_REASON_BAD_INPUT;
        heap->at = (struct wplace){ chunk->next_index, chunk->next_attempt, chunk->next_seq };
        return TASK_REASON_NONE;
}

static enum task_reason take(struct heap *heap, const struct msg *msg)
{
        if (msg->u.parent_chunk.kind != DATA_KIND_RESULT)
                return take_output(heap, msg);
        buf_clear(&heap->text);
        buf_add(&heap->text, msg->body, msg->body_bytes);
        heap->too_large = msg->u.parent_chunk.too_large;
        heap->results_here = true;
        return TASK_REASON_NONE;
}

void exec_on_parent(struct exec *exec, struct wtask *task, const struct msg *msg)
{
        struct run *run = task->run, *next;
        struct heap *heap = run ? run->heap : NULL;
        enum task_reason reason;

        if (!heap || heap->asker != run)
                return;
        heap->asker = NULL;
        reason = msg ? take(heap, msg) : TASK_REASON_BAD_INPUT;
        if (reason == TASK_REASON_NONE && !is_here(heap)) {
                ask(heap, run);
                return;
        }
        if (reason != TASK_REASON_NONE)
                empty(heap); /* a later task tries again: it may have been the disk */
        DL_FOREACH_SAFE (exec->runs, run, next) { /* none of them is freed within */
                if (!waits_for(run, heap))
                        continue;
                if (reason != TASK_REASON_NONE)
                        run_fail(run, reason);
                else
                        run_want(run);
        }
}

/* ------------------------------------------------------------------ for the process */
bool parents_give_stdin(const struct run *run)
{
        return run->heap && run->heap->has_stdin;
}

bool parents_stdin(const struct run *run, int *ret_fd)
{
        char path[40];

        *ret_fd = -1;
        if (run->heap->fd < 0)
                return true; /* nothing was written */
        snprintf(path, sizeof(path), "/proc/self/fd/%d", run->heap->fd); /* with a position of its own */
        *ret_fd = open(path, O_RDONLY | O_CLOEXEC);
        return *ret_fd >= 0;
}

uint64_t parents_cut(const struct run *run)
{
        return parents_give_stdin(run) ? run->heap->n_cut : 0;
}

bool parents_too_large(const struct run *run)
{
        return run->heap && run->heap->too_large;
}

static char *path_of(const struct run *run, const char *what)
{
        return xasprintf("%s/%s.%s", run->exec->scratch->path, run->place.name, what);
}

enum task_reason parents_place(struct run *run)
{
        const struct heap *heap = run->heap;
        char name[64];
        int fd;
        bool ok;

        if (!heap || (heap->text.n == 0 && !heap->too_large))
                return TASK_REASON_NONE;
        run->parents_path = path_of(run, heap->too_large ? "parents-too-large" : "parents");
        if (heap->too_large)
                return TASK_REASON_NONE;
        snprintf(name, sizeof(name), "%s.parents", run->place.name);
        fd = openat(run->exec->scratch->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
        ok = fd >= 0 && inputs_write(fd, heap->text.bytes, heap->text.n);
        run->has_parents = fd >= 0;
        if (fd >= 0)
                close(fd);
        if (ok)
                return TASK_REASON_NONE;
        return errno == ENOSPC || errno == EDQUOT ? TASK_REASON_NO_SPACE : TASK_REASON_BAD_INPUT;
}

void parents_remove(struct run *run)
{
        char name[64];

        if (run->has_parents) {
                snprintf(name, sizeof(name), "%s.parents", run->place.name);
                unlinkat(run->exec->scratch->fd, name, 0);
        }
        free(run->parents_path);
        run->parents_path = NULL;
        run->has_parents = false;
}
