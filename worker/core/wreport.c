/* What running tasks say of themselves, gathered: a task may speak ten thousand times a second, the coordinator hears the
 * newest once.
 *
 * 1. A report goes out REPORT_EVERY_US after the one before, or at its task's end, and never after the task's `finished`:
 *    reports are pulled before those.
 * 2. Nothing answers it. After a new connection all of them go out again. */
#include "core/wstate.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define REPORT_EVERY_US (1 * US_PER_S)
#define GATHER_US (100 * US_PER_MS) /* messages are so far apart: tasks that speak in turn share them */
#define REPORTS_A_MESSAGE 100 /* with all the values that they may have, half a frame */

static struct wreport *report_new(struct wcore *core, struct wtask *task)
{
        struct wreport *report = xcalloc(1, sizeof(*report));

        report->task = task;
        report->job = task->lease->job->id;
        report->nonce = task->lease->nonce;
        report->index = task->index;
        task->report = report;
        DL_APPEND(core->reports, report);
        return report;
}

static void set_dirty(struct wcore *core, struct wreport *report, bool dirty)
{
        core->n_dirty += dirty;
        core->n_dirty -= report->dirty;
        report->dirty = dirty;
}

static void report_free(struct wcore *core, struct wreport *report)
{
        set_dirty(core, report, false);
        if (report->task)
                report->task->report = NULL;
        DL_DELETE(core->reports, report);
        buf_done(&report->names);
        buf_done(&report->values);
        free(report);
}

void report_free_all(struct wcore *core)
{
        while (core->reports)
                report_free(core, core->reports);
}

/* ------------------------------------------------------------------ values */
static void add_value(struct buf *names, struct buf *values, const struct wvalue *value)
{
        buf_add(names, value->name, value->n_name);
        buf_add_char(names, '\0');
        buf_add(values, value->json, value->n_json);
        buf_add_char(values, '\0');
}

static bool is_named(const struct wnews *news, const char *name, size_t n_name)
{
        for (size_t i = 0; i < news->n_values; i++)
                if (news->values[i].n_name == n_name && !memcmp(news->values[i].name, name, n_name))
                        return true;
        return false;
}

/* Old values but those that are named again, then the new ones. */
static size_t merge(const struct wreport *report, const struct wnews *news, struct buf *names,
                    struct buf *values)
{
        const char *name = report->names.bytes, *json = report->values.bytes;
        size_t n = 0;

        for (size_t i = 0; i < report->n_values; i++) {
                struct wvalue value = { name, json, strlen(name), strlen(json) };

                if (!is_named(news, name, value.n_name)) {
                        add_value(names, values, &value);
                        n++;
                }
                name += value.n_name + 1;
                json += value.n_json + 1;
        }
        for (size_t i = 0; i < news->n_values; i++, n++)
                add_value(names, values, &news->values[i]);
        return n;
}

/* "name":value, with the braces: six bytes beside the two texts are enough. */
static bool fits(const struct buf *names, const struct buf *values, size_t n)
{
        return n <= WCORE_VALUES_MAX && names->n + values->n + n * 6 + 2 <= WCORE_VALUES_BYTES_MAX;
}

static void swap(struct buf *a, struct buf *b)
{
        struct buf old = *a;

        *a = *b;
        *b = old;
}

/* When a message with it may go: not before its time, not too soon after the last one; what has ended at once. */
static int64_t goes_at(const struct wcore *core, const struct wreport *report, int64_t now_us)
{
        if (!report->task)
                return now_us;
        return MAX(MAX(report->due_us, core->report_floor_us), now_us);
}

int wcore_report(struct wcore *core, int64_t now_us, struct wtask *task, const struct wnews *news,
                 struct err *err)
{
        struct wreport *report = task->report ? task->report : report_new(core, task);
        CLEANUP_BUF struct buf names = { 0 }, values = { 0 };

        if (news->n_values) {
                size_t n = merge(report, news, &names, &values);

                if (!fits(&names, &values, n))
                        return err_set(err, ERR_TOO_LARGE,
                                       "a task reports at most %d values, %d bytes in all", WCORE_VALUES_MAX,
                                       WCORE_VALUES_BYTES_MAX);
                report->n_values = n;
                swap(&report->names, &names);
                swap(&report->values, &values);
        }
        if (news->has_done) {
                report->news.has_done = true;
                report->news.done = news->done;
                report->news.has_total = news->has_total;
                report->news.total = news->total;
        }
        if (!report->dirty) {
                int64_t at = goes_at(core, report, now_us);

                core->report_at_us = core->n_dirty == 0 ? at : MIN(core->report_at_us, at);
        }
        set_dirty(core, report, true);
        return 0;
}

/* ------------------------------------------------------------------ going out */
static void build_values(struct wcore *core, const struct wreport *report, struct rec_task_report *rec)
{
        CLEANUP_BUF struct buf json = { 0 };
        const char *name = report->names.bytes, *value = report->values.bytes;
        char *text;

        if (!report->n_values)
                return;
        for (size_t i = 0; i < report->n_values; i++) {
                buf_add_char(&json, i ? ',' : '{');
                buf_add_json_str(&json, name, strlen(name));
                buf_add_char(&json, ':');
                buf_add_str(&json, value);
                name += strlen(name) + 1;
                value += strlen(value) + 1;
        }
        buf_add_char(&json, '}');
        text = arena_get(core, json.n + 1);
        memcpy(text, json.bytes, json.n);
        rec->values = text;
        rec->n_values = json.n;
}

bool report_pull(struct wcore *core, int64_t now_us, struct msg *msg)
{
        struct msg_progress *progress = &msg->u.progress;
        struct wreport *report;

        if (!core->n_dirty || now_us < core->report_at_us)
                return false;
        *progress = (struct msg_progress){ .reports = arena_get(
                                                   core, REPORTS_A_MESSAGE * sizeof(*progress->reports)) };
        DL_FOREACH (core->reports, report) {
                struct rec_task_report *rec = progress->reports + progress->n_reports;

                report->pulled =
                        report->dirty && report->due_us <= now_us && progress->n_reports < REPORTS_A_MESSAGE;
                if (!report->pulled)
                        continue;
                progress->n_reports++;
                *rec = (struct rec_task_report){ .job = report->job,
                                                 .has_job = true,
                                                 .nonce = report->nonce,
                                                 .has_nonce = true,
                                                 .index = report->index,
                                                 .has_index = true,
                                                 .done = report->news.done,
                                                 .has_done = report->news.has_done,
                                                 .total = report->news.total,
                                                 .has_total = report->news.has_total };
                build_values(core, report, rec);
        }
        msg->kind = MSG_progress;
        return progress->n_reports > 0;
}

/* The next message when the first of those that are left may go. */
static void set_next(struct wcore *core, int64_t now_us)
{
        struct wreport *report;

        core->report_floor_us = now_us + GATHER_US;
        core->report_at_us = INT64_MAX;
        DL_FOREACH (core->reports, report)
                if (report->dirty)
                        core->report_at_us = MIN(core->report_at_us, goes_at(core, report, now_us));
}

void report_sent(struct wcore *core, int64_t now_us)
{
        struct wreport *report, *next;

        DL_FOREACH_SAFE (core->reports, report, next) {
                if (!report->pulled)
                        continue;
                report->pulled = false;
                report->due_us = now_us + REPORT_EVERY_US;
                set_dirty(core, report, false);
                if (!report->task)
                        report_free(core, report);
        }
        set_next(core, now_us);
}

void report_task_ended(struct wcore *core, int64_t now_us, struct wtask *task, bool silent)
{
        struct wreport *report = task->report;

        if (!report)
                return;
        if (silent || !report->dirty) {
                report_free(core, report);
                return;
        }
        task->report = NULL;
        report->task = NULL;
        report->due_us = now_us;
        core->report_at_us = now_us;
}

void report_all_again(struct wcore *core)
{
        struct wreport *report;

        DL_FOREACH (core->reports, report) {
                set_dirty(core, report, true);
                report->due_us = 0;
        }
        core->report_at_us = 0;
}

int64_t report_deadline(const struct wcore *core)
{
        return core->n_dirty ? core->report_at_us : INT64_MAX;
}
