/* Reports are news, not promises: one that is newer takes the place of one that was not written yet, and none is worth
 * delaying anything.
 *
 * 1. At most one row a task and REPORTS_EVERY_US leaves, however often its worker speaks.
 * 2. What waits is bounded; while the database is away what is new is dropped, for there will be newer.
 * 3. A task's last report is in the same batch as its end, or before it. */
#include "core/report.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "core/finish.h"
#include "core/lease.h"

#define REPORTS_EVERY_US (500 * US_PER_MS)
#define REPORTS_A_BATCH 2000 /* rows that join one batch */
#define REPORTS_MAX 20000 /* tasks with a report that waits: 80 MiB at worst, 2 MiB with plain numbers */

struct report {
        struct {
                uint64_t job, index;
        } key;
        struct principal_id owner;
        uint16_t attempt;
        int64_t done, total; /* -1: not said */
        int64_t at_us;
        char *values;
        UT_hash_handle hh;
};

static void report_free(struct core *core, struct report *report)
{
        HASH_DELETE(hh, core->reports, report);
        free(report->values);
        free(report);
}

void report_done_all(struct core *core)
{
        while (core->reports)
                report_free(core, core->reports);
}

static struct report *find(const struct core *core, uint64_t job, uint64_t index)
{
        struct report *report;
        struct {
                uint64_t job, index;
        } key = { job, index };

        HASH_FIND(hh, core->reports, &key, sizeof(key), report);
        return report;
}

static struct report *get(struct core *core, uint64_t job, uint64_t index)
{
        struct report *report = find(core, job, index);

        if (report || HASH_COUNT(core->reports) >= REPORTS_MAX)
                return report;
        report = xcalloc(1, sizeof(*report));
        report->key.job = job;
        report->key.index = index;
        HASH_ADD(hh, core->reports, key, sizeof(report->key), report);
        return report;
}

static void write_one(struct core *core, struct report *report)
{
        struct store_report *op = &effects_store(core->out, STORE_REPORT)->u.report;

        *op = (struct store_report){
                .job.n = report->key.job,
                .owner = report->owner,
                .index = report->key.index,
                .attempt = report->attempt,
                .done = report->done,
                .total = report->total,
                .at_us = report->at_us,
        };
        op->values = STEAL(report->values);
        report_free(core, report);
}

void report_tick(struct core *core)
{
        size_t n = 0;

        if (!core->reports || core->mono_us < core->reports_at_us)
                return;
        core->reports_at_us = core->mono_us + REPORTS_EVERY_US;
        if (core->degraded)
                return;
        for (; core->reports && n < REPORTS_A_BATCH; n++)
                write_one(core, core->reports);
}

int64_t report_next_deadline(const struct core *core)
{
        return core->reports ? core->reports_at_us : -1;
}

static void keep(struct core *core, const struct lease *lease, const struct rec_task_report *said)
{
        struct report *report = get(core, lease->job->id.n, said->index);

        if (!report)
                return;
        report->owner = lease->job->owner_id;
        report->attempt = lease->attempt;
        report->done = said->has_done ? (int64_t)said->done : -1;
        report->total = said->has_total ? (int64_t)said->total : -1;
        report->at_us = core->wall_us;
        free(report->values);
        report->values = said->n_values > 0 ? xstrndup(said->values, said->n_values) : NULL;
}

void report_on_progress(struct core *core, struct worker *worker, const struct msg *msg)
{
        for (size_t i = 0; i < msg->u.progress.n_reports; i++) {
                const struct rec_task_report *said = &msg->u.progress.reports[i];
                const struct lease *lease =
                        finish_out_lease(core, worker, said->job, said->nonce, said->index);

                if (lease)
                        keep(core, lease, said);
        }
        report_tick(core);
}

void report_ended(struct core *core, const struct job *job, const struct spans *which)
{
        for (size_t i = which->head; core->reports && i < which->n; i++) {
                for (uint32_t at = which->list[i].lo; at <= which->list[i].hi && core->reports; at++) {
                        struct report *report = find(core, job->id.n, index_of(&job->indexes, at));

                        if (report)
                                write_one(core, report);
                }
        }
}
