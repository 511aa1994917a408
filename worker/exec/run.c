/* One command from its folder to its end. See run.h for the phases.
 *
 * 1. The leader's exit ends a task, not the end of its pipes: whoever else holds them gets LINGER_US, then dies.
 * 2. What a task left is killed before its end is told, so a slot is never free while something of it still runs. */
#include "exec/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"

#define LINGER_US (100 * US_PER_MS)
#define KILL_AGAIN_US (1 * US_PER_S) /* a tree that did not die at once is killed again */
#define TRY_AGAIN_US (100 * US_PER_MS) /* the system has no process or memory to spare right now */
#define TRIES_MAX 100
#define OUT_MAX_DEFAULT ((uint64_t)16 << 20)

static void on_timer(struct timer *timer);

static void unlimit(struct run *run)
{
        if (run->mem)
                memlimit_give(run->exec->memlimits, STEAL(run->mem));
        if (run->cpu)
                cpulimit_give(run->exec->cpulimits, STEAL(run->cpu));
}

static void limit(struct run *run, struct spawn *spawn)
{
        const struct wlease *lease = run->task->lease;
        uint64_t bytes = lease->mem;

        unlimit(run);
        if (bytes > 0) {
                run->mem = memlimit_take(run->exec->memlimits, run->group, bytes);
                spawn->join_mem_fd = memlimit_procs_fd(run->mem);
                spawn->data_max = memlimit_rlimit(run->mem);
        }
        if (lease->says_cpus) {
                run->cpu = cpulimit_take(run->exec->cpulimits, run->group, run->task->cpus);
                spawn->join_cpu_fd = cpulimit_procs_fd(run->cpu);
        }
}

/* Secrets are kept for a moment only, so they come last. */
void run_want(struct run *run)
{
        enum task_reason reason;

        if (parents_want(run))
                return;
        if (!inputs_needed(run->task->lease->job)) {
                run_begin(run);
                return;
        }
        switch (inputs_want(run->exec, run, &reason)) {
        case 0:
                run_begin(run);
                break;
        case 1:
                break; /* one of us will be called */
        default:
                run_fail(run, reason);
        }
}

void run_new(struct exec *exec, struct wtask *task)
{
        struct run *run = xcalloc(1, sizeof(*run));

        run->exec = exec;
        run->task = task;
        run->started_us = clock_mono_us();
        run->timer.due = on_timer;
        task->run = run;
        DL_APPEND(exec->runs, run);
        run_want(run);
}

void run_free(struct run *run)
{
        struct exec *exec = run->exec;

        loop_timer_clear(exec->loop, &run->timer);
        collect_free(run->collect);
        if (run->has_output)
                output_done(&run->output);
        if (run->pid)
                HASH_DELETE(hh, exec->by_pid, run);
        if (run->waits)
                DL_DELETE2(exec->waiting, run, wait_prev, wait_next);
        if (run->unsettled)
                exec->n_unsettled--;
        unlimit(run);
        if (run->group)
                group_give(exec->groups, run->group);
        parents_leave(run);
        parents_remove(run);
        if (run->has_place)
                scratch_give(exec->scratch, &run->place, run->left_result);
        DL_DELETE(exec->runs, run);
        buf_done(&run->result);
        free(run->dir);
        free(run->result_path);
        free(run);
}

void run_fail(struct run *run, enum task_reason reason)
{
        run->end = (struct wend){ .how = WEND_FAILED, .reason = reason };
        if (run->unsettled)
                return;
        run->unsettled = true;
        run->exec->n_unsettled++;
}

void run_wait_credit(struct run *run)
{
        if (run->waits)
                return;
        run->waits = true;
        DL_APPEND2(run->exec->waiting, run, wait_prev, wait_next);
}

/* ------------------------------------------------------------------ beginning */
static enum task_reason reason_of_errno(int error)
{
        return error == ENOSPC || error == EDQUOT ? TASK_REASON_NO_SPACE : TASK_REASON_LAUNCH;
}

static enum task_reason take_place(struct run *run)
{
        struct exec *exec = run->exec;
        int error = scratch_take(exec->scratch, &run->place);

        if (error)
                return reason_of_errno(error);
        run->has_place = true;
        run->dir = xasprintf("%s/%s", exec->scratch->path, run->place.name);
        run->result_path = xasprintf("%s/%s", exec->scratch->path, run->place.result);
        return TASK_REASON_NONE;
}

static enum task_reason reason_of_spawn(enum spawn_step step, int error)
{
        switch (step) {
        case SPAWN_DIR:
                return TASK_REASON_NO_CWD;
        case SPAWN_EXEC:
                if (error == ENOENT || error == ENOTDIR)
                        return TASK_REASON_NOT_FOUND;
                if (error == E2BIG)
                        return TASK_REASON_ARGS_TOO_LONG;
                if (error == EACCES || error == EPERM || error == ENOEXEC || error == EISDIR ||
                    error == ELOOP || error == EINVAL || error == ETXTBSY || error == ENAMETOOLONG ||
                    error == ELIBBAD)
                        return TASK_REASON_NOT_EXECUTABLE;
                return TASK_REASON_LAUNCH;
        case SPAWN_STARTED:
        case SPAWN_CLONE:
        case SPAWN_SETUP:
                break;
        }
        return TASK_REASON_LAUNCH;
}

static int make_pipe(int fds[2])
{
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -1;
        fcntl(fds[0], F_SETFL, O_NONBLOCK); /* our end alone: the task's blocks as it expects */
        return 0;
}

static pid_t spawn_in_group(struct run *run, struct spawn *spawn, enum spawn_step *ret_step, int *ret_errno)
{
        struct exec *exec = run->exec;
        pid_t pid;

        if (!run->group)
                run->group = group_take(exec->groups);
        limit(run, spawn);
        pid = spawn_start(exec->spawner, spawn, run->group ? group_fd(run->group) : -1, ret_step, ret_errno);
        if (pid >= 0 || !run->group || *ret_step != SPAWN_CLONE || *ret_errno == EAGAIN ||
            *ret_errno == ENOMEM)
                return pid;
        /* An old kernel, or one that is told not to: without groups from now on. */
        group_give(exec->groups, STEAL(run->group));
        groups_give_up(exec->groups);
        limit(run, spawn);
        return spawn_start(exec->spawner, spawn, -1, ret_step, ret_errno);
}

static void close_one(int fd)
{
        if (fd >= 0)
                close(fd);
}

/* *ret_later: it may well go a little later. */
static enum task_reason start_process(struct run *run, int out_fd, int err_fd, bool *ret_later)
{
        struct exec *exec = run->exec;
        const struct rec_job_spec *spec = wtask_spec(run->task);
        const char *script = inputs_script(run->task->lease->job);
        enum spawn_step step = SPAWN_STARTED;
        bool from_parents = parents_give_stdin(run);
        int error = 0, in_fd = from_parents ? -1 : inputs_stdin(run);
        struct env_task about = { .dir = run->dir,
                                  .result = run->result_path,
                                  .socket = exec->reporter ? reporter_path(exec->reporter) : NULL,
                                  .parents = run->parents_path,
                                  .parents_too_large = parents_too_large(run),
                                  .stdin_cut = parents_cut(run) };
        struct spawn spawn = {
                .file = script,
                .path = env_path(exec->env, spec),
                .dir = spec->n_cwd ? spec->cwd : run->dir,
                .out_fd = out_fd,
                .err_fd = err_fd,
                .user = exec->user,
                .join_mem_fd = -1,
                .join_cpu_fd = -1,
                .memory_is_plenty = exec->memory_is_plenty,
                .sh = script ? "/bin/sh" : NULL,
        };

        if (from_parents ? !parents_stdin(run, &in_fd) : spec->has_stdin_input && in_fd < 0)
                return TASK_REASON_BAD_INPUT;
        spawn.in_fd = in_fd >= 0 ? in_fd : exec->null_fd;
        if (spec->has_time_ms)
                about.end_s = (clock_wall_us() + (int64_t)spec->time_ms * US_PER_MS) / US_PER_S;
        env_build(exec->env, run->task, &about, &exec->words_env);
        inputs_add_secrets(run, &exec->words_env);
        env_args(run->task, script, &exec->words_args);
        if (!exec->words_args.n) {
                close_one(in_fd);
                return TASK_REASON_BAD_TYPE;
        }
        spawn.envp = words_end(&exec->words_env);
        spawn.argv = words_end(&exec->words_args);
        run->started_us = clock_mono_us();
        exec_oom_watch(exec);
        run->pid = spawn_in_group(run, &spawn, &step, &error);
        close_one(in_fd);
        if (spec->n_secrets)
                explicit_bzero(exec->words_env.text.bytes, exec->words_env.text.n);
        if (run->pid < 0) {
                run->pid = 0;
                *ret_later = step == SPAWN_CLONE && (error == EAGAIN || error == ENOMEM);
                return reason_of_spawn(step, error);
        }
        HASH_ADD(hh, exec->by_pid, pid, sizeof(run->pid), run);
        return TASK_REASON_NONE;
}

static void close_pipe(int fds[2])
{
        for (size_t i = 0; i < 2; i++)
                if (fds[i] >= 0)
                        close(fds[i]);
}

/* What it reads is not all that was written. */
static void say_cut(struct run *run)
{
        CLEANUP_BUF struct buf text = { 0 };
        uint64_t n = parents_cut(run);

        if (n == 0)
                return;
        buf_addf(&text, "[jobmill: stdin lacks what was not kept of the output of %llu task%s]\n",
                 (unsigned long long)n, n == 1 ? "" : "s");
        output_say(&run->output, text.bytes, text.n);
}

static void try_start(struct run *run)
{
        const struct rec_job_spec *spec = wtask_spec(run->task);
        enum task_reason reason = TASK_REASON_LAUNCH;
        int out[2] = { -1, -1 }, err[2] = { -1, -1 };
        bool later = false;

        if (make_pipe(out) == 0 && make_pipe(err) == 0)
                reason = start_process(run, out[1], err[1], &later);
        if (reason == TASK_REASON_NONE) {
                close(out[1]);
                close(err[1]);
                output_init(&run->output, run->exec->loop, &run->exec->sink, out[0], err[0],
                            spec->has_out_max ? spec->out_max : OUT_MAX_DEFAULT);
                run->has_output = true;
                run->phase = RUN_RUNNING;
                say_cut(run);
                return;
        }
        close_pipe(out);
        close_pipe(err);
        if (later && ++run->n_tries < TRIES_MAX)
                loop_timer_set(run->exec->loop, &run->timer, clock_mono_us() + TRY_AGAIN_US);
        else
                run_fail(run, reason);
}

void run_begin(struct run *run)
{
        bool again = run->has_place; /* the system had no process to spare before */
        enum task_reason reason = again ? TASK_REASON_NONE : take_place(run);

        if (reason == TASK_REASON_NONE && !again && inputs_needed(run->task->lease->job))
                reason = inputs_place(run);
        if (reason == TASK_REASON_NONE && !again)
                reason = parents_place(run);
        if (reason == TASK_REASON_NONE)
                try_start(run);
        else
                run_fail(run, reason);
}

/* ------------------------------------------------------------------ ending */
static void kill_left(struct run *run)
{
        struct tree_task left = { .leader = run->pid, .dir = run->dir };

        if (tree_left_nothing(run->exec->tree, exec_is_leader, run->exec))
                return;
        if (run->group)
                group_kill(run->group);
        tree_kill_left(run->exec->tree, &left, exec_oldest_other_us(run->exec, run), exec_is_leader,
                       run->exec);
}

static int64_t timeval_us(const struct timeval *t)
{
        return (int64_t)t->tv_sec * US_PER_S + t->tv_usec;
}

static void take_status(struct run *run)
{
        struct rusage usage = { 0 };
        int status = 0;

        while (wait4(run->pid, &status, 0, &usage) < 0 && errno == EINTR)
                ;
        run->end.cpu_us = timeval_us(&usage.ru_utime) + timeval_us(&usage.ru_stime);
        run->end.rss_kib = usage.ru_maxrss;
        /* The whole tree, where the kernel counts it; the leader knows only of those that it waited for. */
        if (run->group) {
                int64_t cpu_us = group_cpu_us(run->group);

                run->end.cpu_us = MAX(run->end.cpu_us, cpu_us);
        }
        if (WIFSIGNALED(status)) {
                run->end.how = WEND_SIGNALED;
                run->end.signal = (uint8_t)WTERMSIG(status);
                run->end.oom = run->end.signal == SIGKILL && !run->stopping && exec_oom_happened(run->exec);
        } else {
                run->end.how = WEND_EXITED;
                run->end.code = (uint8_t)WEXITSTATUS(status);
        }
        if (run->mem && !run->stopping && memlimit_met(run->mem, run->end.rss_kib))
                run->end.oom = true;
}

static void begin_closing(struct run *run)
{
        struct exec *exec = run->exec;
        bool has_result;

        HASH_DELETE(hh, exec->by_pid, run);
        run->pid = 0;
        run->phase = RUN_CLOSING;
        loop_timer_clear(exec->loop, &run->timer);
        output_drain(&run->output);
        output_close(&run->output);
        run->end.reason = result_read(exec->scratch->fd, run->place.result, &run->result, &has_result);
        run->left_result = has_result || run->end.reason != TASK_REASON_NONE;
        if (has_result) {
                run->end.result = run->result.bytes;
                run->end.result_bytes = run->result.n;
        }
        run->collect = collect_new(run);
        run_close(run);
}

void run_on_exit(struct run *run)
{
        output_drain(&run->output);
        if (output_at_end(&run->output)) {
                kill_left(run); /* the zombie keeps its group's number ours */
                take_status(run);
                begin_closing(run);
                return;
        }
        take_status(run);
        run->phase = RUN_LINGER;
        loop_timer_set(run->exec->loop, &run->timer, clock_mono_us() + LINGER_US);
}

void run_close(struct run *run)
{
        struct exec *exec = run->exec;
        struct wtask *task = run->task;
        size_t inline_max = MIN(OUTPUT_INLINE_MAX, MSG_BODY_MAX - run->end.result_bytes);
        struct wend end;

        if (run->collect && task->stop != WSTOP_SILENT) {
                if (!collect_step(run->collect)) {
                        run_wait_credit(run);
                        return;
                }
        }
        if (task->stop != WSTOP_SILENT && !output_finish(&run->output, inline_max)) {
                run_wait_credit(run);
                return;
        }
        run->end.chunks = run->output.chunks;
        run->end.n_chunks = run->output.n_chunks;
        end = run->end;
        exec->host.ended(exec->host.arg, task, &end);
        run_free(run);
}

/* ------------------------------------------------------------------ stopping */
static void signal_tree(struct run *run, int signal)
{
        struct tree_task task = { .leader = run->pid, .dir = run->dir };

        if (run->group && signal == SIGKILL)
                group_kill(run->group);
        tree_signal(&task, signal);
}

static void on_timer(struct timer *timer)
{
        struct run *run = (struct run *)((char *)timer - offsetof(struct run, timer));

        switch (run->phase) {
        case RUN_INPUTS:
                if (!run->unsettled)
                        run_want(run); /* secrets are not kept meanwhile */
                break;
        case RUN_RUNNING:
                signal_tree(run, SIGKILL);
                loop_timer_set(run->exec->loop, timer, clock_mono_us() + KILL_AGAIN_US);
                break;
        case RUN_LINGER:
                kill_left(run);
                if (run->group)
                        run->end.cpu_us += group_cpu_us(run->group);
                begin_closing(run);
                break;
        case RUN_CLOSING:
                break; /* no timer */
        }
}

void exec_stop(struct exec *exec, struct wtask *task, int64_t grace_us)
{
        struct run *run = task->run;
        int64_t kill_at_us = clock_mono_us() + grace_us;

        switch (run->phase) {
        case RUN_INPUTS:
                if (!run->unsettled)
                        run_fail(run, TASK_REASON_STOPPED);
                break;
        case RUN_RUNNING:
                if (!run->stopping) {
                        run->stopping = true;
                        signal_tree(run, SIGTERM);
                        signal_tree(run, SIGCONT); /* what is stopped could not hear it */
                }
                if (!run->timer.place || kill_at_us < run->timer.at_us)
                        loop_timer_set(exec->loop, &run->timer, kill_at_us);
                break;
        case RUN_LINGER:
                break; /* it is over already */
        case RUN_CLOSING:
                /* Nobody wants its output any more, and there may be nobody to give it to. */
                if (run->waits && !run->unsettled &&
                    (task->stop == WSTOP_LEAVE || task->stop == WSTOP_SILENT))
                        run_fail(run, TASK_REASON_STOPPED);
                break;
        }
}

void exec_signal(struct exec *exec, struct wtask *task, int signal)
{
        struct run *run = task->run;

        (void)exec;
        if (run->phase == RUN_RUNNING)
                kill(-run->pid, signal);
}
