/* The set of runs: children that end, credit that comes, and what all runs share. */
#include "exec/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"
#include "exec/cache.h"
#include "exec/run.h"

static struct run *run_of_output(struct output *output)
{
        return (struct run *)((char *)output - offsetof(struct run, output));
}

/* ------------------------------------------------------------------ where output goes */
static bool sink_may_store(void *arg)
{
        struct exec *exec = arg;

        return exec->host.may_store(exec->host.arg);
}

static void sink_store(void *arg, struct output *output, const struct wchunk *chunk)
{
        struct exec *exec = arg;

        exec->host.store(exec->host.arg, run_of_output(output)->task, chunk, 0);
}

static void sink_wait(void *arg, struct output *output)
{
        (void)arg;
        run_wait_credit(run_of_output(output));
}

static void sink_at_end(void *arg, struct output *output)
{
        struct run *run = run_of_output(output);

        (void)arg;
        if (run->phase == RUN_LINGER)
                run->timer.due(&run->timer); /* patience is no longer needed */
}

void exec_on_credit(struct exec *exec)
{
        struct run *list = exec->waiting;
        struct run *run, *next;

        exec->waiting = NULL;
        DL_FOREACH_SAFE2(list, run, next, wait_next)
        {
                if (!exec->host.may_store(exec->host.arg))
                        break;
                DL_DELETE2(list, run, wait_prev, wait_next);
                run->waits = false;
                if (run->phase == RUN_CLOSING && !run->unsettled)
                        run_close(run);
                else if (run->phase != RUN_CLOSING)
                        output_on_credit(&run->output);
        }
        /* Those that were not served stay in front of those that wait again. */
        DL_CONCAT2(list, exec->waiting, wait_prev, wait_next);
        exec->waiting = list;
}

/* ------------------------------------------------------------------ children */
bool exec_is_leader(void *arg, pid_t pid)
{
        struct exec *exec = arg;
        struct run *run;

        HASH_FIND(hh, exec->by_pid, &pid, sizeof(pid), run);
        return run && run->phase == RUN_RUNNING;
}

int64_t exec_oldest_other_us(const struct exec *exec, const struct run *run)
{
        const struct run *other;

        DL_FOREACH (exec->runs, other)
                if (other != run && other->pid)
                        return other->started_us;
        return -1;
}

void exec_on_child(struct exec *exec)
{
        for (;;) {
                siginfo_t info = { 0 };
                struct run *run;

                /* Look first: a leader stays a zombie until its group is dealt with. */
                if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !info.si_pid)
                        return;
                HASH_FIND(hh, exec->by_pid, &info.si_pid, sizeof(info.si_pid), run);
                if (run && run->phase == RUN_RUNNING)
                        run_on_exit(run);
                else
                        waitpid(info.si_pid, NULL, 0); /* an orphan of some task */
        }
}

/* The kernel counts every process that it ended for want of memory. Plenty: an eighth is free, or holds files only. */
static uint64_t oom_kills(struct exec *exec)
{
        FILE *file = fopen("/proc/vmstat", "re");
        char line[128], name[64];
        unsigned long long n, kills = 0, pages = 0;

        while (file && fgets(line, sizeof(line), file)) {
                if (sscanf(line, "%63s %llu", name, &n) != 2)
                        continue;
                if (!strcmp(name, "oom_kill"))
                        kills = n;
                else if (!strcmp(name, "nr_free_pages") || !strcmp(name, "nr_inactive_file") ||
                         !strcmp(name, "nr_active_file"))
                        pages += n;
        }
        if (file)
                fclose(file);
        exec->memory_is_plenty = pages > (unsigned long long)sysconf(_SC_PHYS_PAGES) / 8;
        return kills;
}

static void look_for_oom(struct timer *timer)
{
        struct exec *exec = (struct exec *)((char *)timer - offsetof(struct exec, oom_timer));

        oom_look(&exec->oom, oom_kills(exec));
        if (exec->by_pid)
                loop_timer_set(exec->loop, timer, clock_mono_us() + OOM_LOOK_US);
}

void exec_oom_watch(struct exec *exec)
{
        if (exec->oom_timer.place)
                return;
        oom_start(&exec->oom, oom_kills(exec));
        exec->oom_timer.due = look_for_oom;
        loop_timer_set(exec->loop, &exec->oom_timer, clock_mono_us() + OOM_LOOK_US);
}

bool exec_oom_happened(struct exec *exec)
{
        return oom_blame(&exec->oom, oom_kills(exec));
}

/* ------------------------------------------------------------------ what tasks say of themselves */
static struct run *run_by_pid(struct exec *exec, pid_t pid)
{
        struct run *run;

        HASH_FIND(hh, exec->by_pid, &pid, sizeof(pid), run);
        return run && run->phase == RUN_RUNNING ? run : NULL;
}

/* A process that has left its task's session is known by the folder in its environment. */
static struct run *run_by_dir(struct exec *exec, pid_t pid)
{
        CLEANUP_WITH(xfree) char *dir = tree_dir_of(pid);
        struct run *run;

        if (!dir)
                return NULL;
        DL_FOREACH (exec->runs, run)
                if (run->phase == RUN_RUNNING && run->dir && strcmp(run->dir, dir) == 0)
                        return run;
        return NULL;
}

static bool find_speaker(void *arg, pid_t speaker, struct reporter_task *ret_task)
{
        struct exec *exec = arg;
        struct run *run = run_by_pid(exec, getsid(speaker));

        if (!run)
                run = run_by_dir(exec, speaker);
        if (!run)
                return false;
        *ret_task = (struct reporter_task){ .leader = run->pid, .started_us = run->started_us };
        return true;
}

static int take_report(void *arg, const struct reporter_task *who, const struct wnews *news, struct err *err)
{
        struct exec *exec = arg;
        struct run *run = run_by_pid(exec, who->leader);

        if (!run || run->started_us != who->started_us)
                return err_set(err, ERR_NOT_FOUND, "the task does not run any more");
        return exec->host.report(exec->host.arg, run->task, news, err);
}

const char *exec_no_socket(const struct exec *exec)
{
        return exec->reporter ? NULL : exec->no_socket.text;
}

/* ------------------------------------------------------------------ life */
static void say_enforces(struct exec *exec)
{
        const char *cpu = cpulimits_word(exec->cpulimits);

        snprintf(exec->enforces, sizeof(exec->enforces), "time %s%s %s%s%s%s",
                 groups_kill(exec->groups) ? "kill-cgroup" : "kill-tree",
                 groups_pids(exec->groups) ? " pids" : "", memlimits_word(exec->memlimits), cpu ? " " : "",
                 cpu ? cpu : "", exec->user ? " user" : "");
}

struct exec *exec_new(struct loop *loop, struct scratch *scratch, const struct exec_config *config,
                      const struct exec_host *host, struct err *err)
{
        CLEANUP_WITH(exec_free) struct exec *exec = xcalloc(1, sizeof(*exec));

        exec->loop = loop;
        exec->scratch = scratch;
        exec->env = config->env;
        exec->user = config->user;
        exec->host = *host;
        exec->sink = (struct output_sink){ .may_store = sink_may_store,
                                           .store = sink_store,
                                           .wait = sink_wait,
                                           .at_end = sink_at_end,
                                           .arg = exec };
        exec->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        exec->spawner = spawner_new(err);
        exec->tree = tree_new();
        exec->cache = cache_new(scratch, config->cache_bytes);
        if (!exec->spawner)
                return NULL;
        if (exec->null_fd < 0) {
                err_set(err, ERR_INTERNAL, "/dev/null: %s", strerror(errno));
                return NULL;
        }
        if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) {
                err_set(err, ERR_INTERNAL, "become a subreaper: %s", strerror(errno));
                return NULL;
        }
        exec->reporter = reporter_new(
                loop, scratch,
                &(struct reporter_host){ .arg = exec, .find = find_speaker, .report = take_report },
                &exec->no_socket);
        exec->groups = groups_new(config->id, config->slots);
        exec->memlimits = memlimits_new(config->id, exec->groups);
        exec->cpulimits = cpulimits_new(config->id, exec->groups);
        say_enforces(exec);
        return STEAL(exec);
}

void exec_free(struct exec *exec)
{
        if (!exec)
                return;
        while (exec->runs) {
                struct run *run = exec->runs;

                if (run->pid) {
                        struct tree_task task = { .leader = run->pid, .dir = run->dir };

                        tree_signal(&task, SIGKILL);
                        if (run->phase == RUN_RUNNING)
                                waitpid(run->pid, NULL, 0);
                        run->left_result = true; /* nobody looked */
                }
                run_free(run);
        }
        loop_timer_clear(exec->loop, &exec->oom_timer);
        parents_free_all(exec);
        inputs_free_all(exec);
        reporter_free(exec->reporter);
        memlimits_free(exec->memlimits);
        cpulimits_free(exec->cpulimits);
        cache_free(exec->cache);
        groups_free(exec->groups);
        spawner_free(exec->spawner);
        tree_free(exec->tree);
        words_done(&exec->words_env);
        words_done(&exec->words_args);
        if (exec->null_fd >= 0)
                close(exec->null_fd);
        free(exec);
}

void exec_start(struct exec *exec, struct wtask *task)
{
        run_new(exec, task);
}

bool exec_has_unsettled(const struct exec *exec)
{
        return exec->n_unsettled > 0;
}

void exec_settle(struct exec *exec)
{
        while (exec->n_unsettled) {
                struct run *run;
                struct wtask *task;
                struct wend end;

                DL_SEARCH_SCALAR(exec->runs, run, unsettled, true);
                BUG_ON(!run);
                task = run->task;
                end = run->end;
                run_free(run);
                exec->host.ended(exec->host.arg, task, &end);
        }
}

const char *exec_enforces(const struct exec *exec)
{
        return exec->enforces;
}
