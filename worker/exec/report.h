/* The worker's unix socket, $JOB_SOCKET of its tasks: what they say of themselves while they run.
 *
 * A line from a task is one JSON object, {"done":3,"total":10,"set":{"loss":0.3}}, each member optional; the answer is
 * one line too, {"ok":true} or {"error":"…"}. Who speaks is known from the process at the other end: its session is
 * that of the task's first process, or its environment has the task's JOB_DIR. Only the tasks' user (and root) may speak. */
#ifndef EXEC_REPORT_H
#define EXEC_REPORT_H

#include "core/wcore.h"
#include "exec/loop.h"
#include "exec/scratch.h"
#include "proto/json_scan.h"

struct reporter_task { /* a task that runs, by its first process: numbers of processes come again, start times do not */
        pid_t leader;
        int64_t started_us;
};
struct reporter_host {
        void *arg;
        bool (*find)(void *arg, pid_t speaker, struct reporter_task *ret_task);
        /* NOT_FOUND: it does not run any more. */
        int (*report)(void *arg, const struct reporter_task *task, const struct wnews *news, struct err *err);
};

struct reporter;
/* Listens in the scratch folder, which is borrowed for life as the loop is. */
struct reporter *reporter_new(struct loop *loop, const struct scratch *scratch,
                              const struct reporter_host *host, struct err *err) MUST_CHECK;
void reporter_free(struct reporter *reporter); /* NULL is fine */
const char *
reporter_path(const struct reporter *reporter); /* for JOB_SOCKET; may be longer than an address */

/* One line, without its newline, to news; for tests and fuzzing. The values point into *tokens and the text. */
#define REPORT_LINE_MAX 8192
int report_parse(const char *text, size_t n, struct json_tokens *tokens,
                 struct wvalue values[WCORE_VALUES_MAX], struct wnews *ret_news, struct err *err) MUST_CHECK;

#endif
