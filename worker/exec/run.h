/* Inside of worker/exec: one task's process and everything about it. Only exec.c, run.c, inputs.c and collect.c
 * include this.
 *
 *   INPUTS --> RUNNING --> LINGER --> CLOSING --> over (freed)
 *     \______________________________/^
 *
 * INPUTS   waits for files of its job, and for what its parents left; no process yet (jobs without inputs pass at once)
 * RUNNING  the leader lives
 * LINGER   the leader is gone and waited for, somebody still holds its pipes: a short while for what they write
 * CLOSING  nothing of it lives; output and files wait for credit */
#ifndef EXEC_RUN_H
#define EXEC_RUN_H

#include "base/hash.h"
#include "base/xalloc.h"
#include "exec/exec.h"
#include "exec/cpulimit.h"
#include "exec/group.h"
#include "exec/output.h"
#include "exec/memlimit.h"
#include "exec/oom.h"
#include "exec/report.h"
#include "exec/tree.h"

enum run_phase { RUN_INPUTS, RUN_RUNNING, RUN_LINGER, RUN_CLOSING };

struct collect;
struct heap;
struct run {
        struct exec *exec;
        struct wtask *task;
        enum run_phase phase;
        pid_t pid; /* the leader; its group and session too. 0: none */
        struct place place;
        struct group *group; /* NULL: the machine has none for us */
        struct memlimit *mem; /* NULL: the task has no limit */
        struct cpulimit *cpu; /* likewise */
        unsigned n_tries; /* INPUTS: starts that the system refused, to be tried again */
        char *dir; /* JOB_DIR */
        char *result_path; /* JOB_RESULT */
        int64_t started_us;
        bool has_place, left_result, has_output, stopping;
        struct timer timer; /* INPUTS: try again; RUNNING: KILL after grace; LINGER: the end of patience */
        struct output output;
        struct heap *heap; /* what its parents left; NULL: nothing that it would see */
        char *parents_path; /* JOB_PARENT_RESULT; NULL: none */
        bool has_parents; /* that file is there */
        struct collect *collect; /* CLOSING: files of --out; NULL: none or done */
        struct wend end;
        struct buf result;
        bool unsettled;
        bool waits; /* for credit: in exec->waiting */
        struct run *prev, *next; /* all runs, the oldest first */
        struct run *wait_prev, *wait_next;
        UT_hash_handle hh; /* by pid */
};

struct exec {
        struct loop *loop;
        struct scratch *scratch;
        const struct env_base *env;
        const struct spawn_user *user;
        struct exec_host host;
        struct spawner *spawner;
        struct tree *tree;
        struct groups *groups;
        struct reporter *reporter; /* NULL: no_socket says why */
        struct err no_socket;
        struct memlimits *memlimits;
        struct cpulimits *cpulimits;
        struct output_sink sink;
        struct run *runs;
        struct run *by_pid;
        struct inputs *inputs; /* of every job that has some */
        struct heap *heaps; /* what parents left, where it is the same for all tasks of a job */
        struct cache *cache;
        struct run *waiting; /* for credit, first come first served */
        size_t n_unsettled;
        int null_fd;
        struct oom oom;
        bool memory_is_plenty; /* at the last look */
        struct timer oom_timer; /* set while something runs */
        struct words words_env, words_args;
        char enforces[256];
};

void run_new(struct exec *exec, struct wtask *task);
void run_free(struct run *run);
void run_want(struct run *run); /* begin when everything is here that has to be fetched */
void run_begin(struct run *run); /* inputs are there: make the folder, start the process */
void run_fail(struct run *run, enum task_reason reason); /* before there is a process; ended by exec_settle */
void run_on_exit(struct run *run); /* its leader is a zombie */
void run_close(struct run *run); /* CLOSING: go on until credit is missing or it is over (freed then) */
void run_wait_credit(struct run *run);

/* exec.c */
int64_t exec_oldest_other_us(const struct exec *exec, const struct run *run);
bool exec_is_leader(void *arg, pid_t pid);
void exec_oom_watch(struct exec *exec); /* before something starts */
bool exec_oom_happened(struct exec *exec); /* a task died of SIGKILL: of that? */

/* result.c: read JOB_RESULT. NULL reason: TASK_REASON_NONE with or without a result. */
enum task_reason result_read(int at_fd, const char *path, struct buf *ret_text, bool *ret_has);

/* inputs.c */
bool inputs_needed(const struct wjob *job);
void inputs_free_all(struct exec *exec); /* at the end: the jobs are not told */
/* 0: all there; 1: being fetched, run_begin or run_fail follows; -1: they cannot be had, *ret_reason. */
int inputs_want(struct exec *exec, struct run *run, enum task_reason *ret_reason);
const char *inputs_script(const struct wjob *job); /* path of the job's script, NULL: it is none */
enum task_reason inputs_place(struct run *run); /* into the task's folder */
int inputs_stdin(const struct run *run); /* opened for it, the caller's; -1: it has none, or errno */
void inputs_add_secrets(const struct run *run, struct words *env); /* only while inputs_want says 0 */

bool inputs_write(int fd, const char *bytes, size_t n); /* all of it; errno */

/* parents.c */
bool parents_want(struct run *run); /* true: it waits, run_want or run_fail follows */
bool parents_are_missing(const struct run *run);
void parents_leave(struct run *run);
void parents_forget_job(struct exec *exec, const struct wjob *job);
void parents_free_all(struct exec *exec);
enum task_reason parents_place(struct run *run); /* makes JOB_PARENT_RESULT, beside the task's folder */
void parents_remove(struct run *run);
bool parents_too_large(const struct run *run);
bool parents_give_stdin(const struct run *run);
/* Opened for it, the caller's; -1: there is nothing in it. False: errno. */
bool parents_stdin(const struct run *run, int *ret_fd);
uint64_t parents_cut(const struct run *run); /* parents part of whose output was not kept */

/* collect.c */
struct collect *collect_new(struct run *run); /* NULL: nothing to collect */
void collect_free(struct collect *collect);
bool collect_step(
        struct collect *collect); /* false: no credit now; true: done, run->end has files or a reason */

#endif
