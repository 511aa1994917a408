/* Running commands as processes: one `run` for each task of type command, from its folder to its end.
 *
 * Nothing here ends a task inside a call of the core's effects: what fails at once is kept for exec_settle. */
#ifndef EXEC_EXEC_H
#define EXEC_EXEC_H

#include "core/wcore.h"
#include "exec/env.h"
#include "exec/loop.h"
#include "exec/scratch.h"

struct exec_host { /* the core, through the app */
        void *arg;
        void (*ended)(void *arg, struct wtask *task, const struct wend *end); /* the task is freed by it */
        bool (*may_store)(void *arg);
        void (*store)(void *arg, const struct wtask *task, const struct wchunk *chunk, uint32_t file);
        int (*fetch)(void *arg, const struct wjob *job, uint64_t input, uint64_t seq);
        void (*fetch_parent)(void *arg, const struct wtask *task, enum data_kind kind,
                             const struct wplace *at);
        int (*report)(void *arg, struct wtask *task, const struct wnews *news, struct err *err);
};

struct exec;
struct exec_config {
        const char *id; /* of the worker's key */
        uint64_t slots;
        uint64_t cache_bytes; /* input files that are kept for further jobs; 0: none */
        const struct env_base *env;
        const struct spawn_user *user; /* NULL: tasks run as we do */
};
/* Everything is borrowed for life, but `config` itself. Makes the process a subreaper. */
struct exec *exec_new(struct loop *loop, struct scratch *scratch, const struct exec_config *config,
                      const struct exec_host *host, struct err *err) MUST_CHECK;
void exec_free(struct exec *exec); /* kills what still runs */
DEFINE_CLEANUP(struct exec, exec_free)

void exec_start(struct exec *exec, struct wtask *task);
void exec_stop(struct exec *exec, struct wtask *task, int64_t grace_us);
void exec_signal(struct exec *exec, struct wtask *task, int signal);

void exec_on_child(struct exec *exec); /* SIGCHLD has come */
void exec_on_credit(struct exec *exec);
void exec_on_input(struct wjob *job, const struct msg *msg, bool refused); /* WEFFECT_INPUT */
void exec_on_parent(struct exec *exec, struct wtask *task, const struct msg *msg); /* WEFFECT_PARENT */
void exec_forget_job(struct exec *exec, struct wjob *job);
void exec_settle(struct exec *exec); /* end what failed while starting */
bool exec_has_unsettled(const struct exec *exec);
const char *exec_no_socket(const struct exec *exec); /* why tasks have no JOB_SOCKET; NULL: they have */
const char *exec_enforces(const struct exec *exec); /* what this machine enforces, for people */

#endif
