/* Making and releasing store operations. One place knows what each kind owns. */
#include "core/store_op.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

struct shared_bytes *shared_bytes_new(const void *bytes, size_t n)
{
        struct shared_bytes *shared = xmalloc(sizeof(*shared) + n);

        shared->refs = 1;
        shared->wipe = false;
        shared->n = n;
        if (n > 0)
                memcpy(shared->bytes, bytes, n);
        return shared;
}

struct shared_bytes *shared_bytes_ref(struct shared_bytes *shared)
{
        shared->refs++;
        return shared;
}

void shared_bytes_unref(struct shared_bytes *shared)
{
        if (!shared)
                return;
        BUG_ON(shared->refs == 0);
        if (--shared->refs > 0)
                return;
        if (shared->wipe)
                explicit_bzero(shared->bytes, shared->n);
        free(shared);
}

struct store_op *store_op_new(enum store_op_kind kind)
{
        struct store_op *op = xcalloc(1, sizeof(*op));

        op->kind = kind;
        return op;
}

static void task_end_done(struct store_task_end *end)
{
        free(end->indexes);
        free(end->values);
}

void store_task_end_values(struct store_task_end *end, size_t n)
{
        int64_t *at = end->alike;

        free(end->values);
        memset(end->alike, 0, sizeof(end->alike));
        end->values = n > 1 ? xcalloc(4 * n, sizeof(*end->values)) : NULL;
        if (end->values)
                at = end->values;
        end->n_values = n;
        end->started_us = at;
        end->ended_us = at + n;
        end->cpu_us = at + 2 * n;
        end->rss_kib = at + 3 * n;
}

static void worker_done(struct store_worker *worker)
{
        free(worker->labels);
        free(worker->version);
        free(worker->host);
        free(worker->enforces);
        free(worker->offers);
}

void store_op_free(struct store_op *op)
{
        if (!op)
                return;
        switch (op->kind) {
        case STORE_JOB_NEW:
                job_spec_free(op->u.job_new.spec);
                break;
        case STORE_JOB_CHUNK:
                shared_bytes_unref(op->u.chunk.keep);
                break;
        case STORE_JOB_SPEC:
                job_spec_free(op->u.job_spec.spec);
                free(op->u.job_spec.held);
                break;
        case STORE_TASK_STATE:
                free(op->u.task_state.indexes);
                break;
        case STORE_TASK_END:
                task_end_done(&op->u.task_end);
                break;
        case STORE_SECRET:
                shared_bytes_unref(op->u.secret.value);
                break;
        case STORE_DATA:
                shared_bytes_unref(op->u.data.keep);
                break;
        case STORE_FILE:
                free(op->u.file.name);
                break;
        case STORE_REPORT:
                free(op->u.report.values);
                break;
        case STORE_EVENT:
                free(op->u.event.detail);
                break;
        case STORE_WORKER:
                worker_done(&op->u.worker);
                break;
        case STORE_ROUND:
                free(op->u.round.indexes);
                break;
        case STORE_JOB_LIVE:
        case STORE_SET_JOB:
        case STORE_SET_LIVE:
        case STORE_JOB_DROP:
        case STORE_ABORTED:
        case STORE_ABORTED_DROP:
        case STORE_FIND_DUE:
        case STORE_JOB_COUNTS:
        case STORE_TASKS_NEW:
        case STORE_ATTEMPT:
        case STORE_WAS_ENDED:
        case STORE_PRINCIPAL:
        case STORE_KEY:
        case STORE_ROLE:
        case STORE_MEMBER:
        case STORE_GRANT:
        case STORE_VISIBLE:
        case STORE_QUEUE:
        case STORE_FIND_KEY:
        case STORE_FIND_JOB:
        case STORE_FIND_ACCOUNT:
        case STORE_FIND_SECRET:
                break;
        }
        free(op);
}

struct job_id store_op_job(const struct store_op *op)
{
        switch (op->kind) {
        case STORE_JOB_NEW:
                return op->u.job_new.job;
        case STORE_JOB_CHUNK:
                return op->u.chunk.job;
        case STORE_JOB_SPEC:
                return op->u.job_spec.job;
        case STORE_JOB_LIVE:
        case STORE_JOB_DROP:
        case STORE_ABORTED_DROP:
                return op->u.job;
        case STORE_ABORTED:
                return op->u.aborted.job;
        case STORE_SET_JOB:
                return op->u.set.job;
        case STORE_JOB_COUNTS:
                return op->u.counts.job;
        case STORE_TASKS_NEW:
                return op->u.tasks_new.job;
        case STORE_TASK_STATE:
                return op->u.task_state.job;
        case STORE_TASK_END:
                return op->u.task_end.job;
        case STORE_ATTEMPT:
                return op->u.attempt.job;
        case STORE_ROUND:
                return op->u.round.job;
        case STORE_DATA:
                return op->u.data.job;
        case STORE_FILE:
                return op->u.file.job;
        case STORE_REPORT:
                return op->u.report.job;
        case STORE_EVENT:
                return op->u.event.job;
        case STORE_SET_LIVE:
        case STORE_SECRET:
        case STORE_WORKER:
        case STORE_WAS_ENDED:
        case STORE_PRINCIPAL:
        case STORE_KEY:
        case STORE_ROLE:
        case STORE_MEMBER:
        case STORE_GRANT:
        case STORE_VISIBLE:
        case STORE_QUEUE:
        case STORE_FIND_KEY:
        case STORE_FIND_JOB:
        case STORE_FIND_ACCOUNT:
        case STORE_FIND_DUE:
        case STORE_FIND_SECRET:
                break;
        }
        return (struct job_id){ 0 };
}
