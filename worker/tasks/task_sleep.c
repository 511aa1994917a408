/* sleep: takes its slot for a time, without a process. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "core/wargs.h"
#include "tasks/task.h"

#define SLEEP_MAX_S 31622400 /* a year, as for run limits */

struct sleeping {
        const struct task_host *host;
        struct wtask *task;
        struct timer timer;
        struct wend end;
};

/* Decimal seconds, with or without a fraction. -1: it is none. */
static int64_t parse_us(const char *text)
{
        int64_t us = 0, unit = US_PER_S;
        bool digits = false;

        for (; *text >= '0' && *text <= '9'; text++, digits = true) {
                us = us * 10 + (*text - '0') * US_PER_S;
                if (us > SLEEP_MAX_S * US_PER_S)
                        return -1;
        }
        if (*text == '.')
                for (text++; *text >= '0' && *text <= '9'; text++, digits = true)
                        us += (*text - '0') * (unit /= 10);
        return *text || !digits ? -1 : us;
}

static void on_due(struct timer *timer)
{
        struct sleeping *sleeping = (struct sleeping *)((char *)timer - offsetof(struct sleeping, timer));
        const struct task_host *host = sleeping->host;
        struct wtask *task = sleeping->task;
        struct wend end = sleeping->end;

        free(sleeping);
        host->ended(host->arg, task, &end);
}

static void start(const struct task_host *host, struct wtask *task)
{
        struct sleeping *sleeping = xcalloc(1, sizeof(*sleeping));
        const struct rec_job_spec *spec = wtask_spec(task);
        CLEANUP_BUF struct buf text = { 0 };
        int64_t us = -1;

        if (spec->n_args == 1) {
                wargs_expand(spec, wlease_entry(task->lease, task->index), task->index, spec->args[0], &text);
                us = parse_us(text.bytes ? text.bytes : "");
        }
        sleeping->host = host;
        sleeping->task = task;
        sleeping->timer.due = on_due;
        sleeping->end = us < 0 ? (struct wend){ .how = WEND_FAILED, .reason = TASK_REASON_BAD_TYPE }
                               : (struct wend){ .how = WEND_EXITED };
        task->run = sleeping;
        loop_timer_set(host->loop, &sleeping->timer, clock_mono_us() + (us < 0 ? 0 : us));
}

/* Any signal wakes it for good, as it would the program of that name. */
static void send_signal(const struct task_host *host, struct wtask *task, int signal)
{
        struct sleeping *sleeping = task->run;

        sleeping->end = (struct wend){ .how = WEND_SIGNALED, .signal = (uint8_t)signal };
        loop_timer_set(host->loop, &sleeping->timer, clock_mono_us());
}

static void stop(const struct task_host *host, struct wtask *task, int64_t grace_us)
{
        (void)grace_us;
        send_signal(host, task, 15); /* TERM */
}

const struct task_ops task_ops_SLEEP = { .start = start, .stop = stop, .signal = send_signal };
