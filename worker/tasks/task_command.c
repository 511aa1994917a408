/* command: a program and its arguments, as a process (worker/exec). */
#include "tasks/task.h"

static void start(const struct task_host *host, struct wtask *task)
{
        exec_start(host->exec, task);
}

static void stop(const struct task_host *host, struct wtask *task, int64_t grace_us)
{
        exec_stop(host->exec, task, grace_us);
}

static void send_signal(const struct task_host *host, struct wtask *task, int signal)
{
        exec_signal(host->exec, task, signal);
}

const struct task_ops task_ops_COMMAND = { .start = start, .stop = stop, .signal = send_signal };
