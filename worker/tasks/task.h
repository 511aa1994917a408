/* Task types: one file each behind one table of functions. A type is a row in proto/task_types.def and a
 * `const struct task_ops task_ops_<ROW>` in a file of this folder. */
#ifndef TASKS_TASK_H
#define TASKS_TASK_H

#include "core/wcore.h"
#include "exec/exec.h"

struct task_host { /* what a type works with */
        struct loop *loop;
        struct exec *exec;
        void *arg;
        /* The task is over (and freed). Never from inside start, stop or signal: by a timer or a descriptor. */
        void (*ended)(void *arg, struct wtask *task, const struct wend *end);
        void (*group_ended)(void *arg, struct wlease *lease, struct range range, const struct wend *end,
                            const struct wchunk *outputs);
};

struct task_ops {
        /* Takes one or more slots for a while. */
        void (*start)(const struct task_host *host, struct wtask *task);
        void (*stop)(const struct task_host *host, struct wtask *task, int64_t grace_us);
        void (*signal)(const struct task_host *host, struct wtask *task, int signal);
        /* Or ends at once: calls group_ended before it returns. The three above are NULL then. */
        void (*group)(const struct task_host *host, struct wlease *lease, struct range range);
};

const struct task_ops *task_ops_of(enum task_type type);
uint32_t task_types_at_once(void); /* 1 << type for those with `group` */

#define TASK_TYPE(name, number, word, least, most, what) extern const struct task_ops task_ops_##name;
#include "proto/task_types.def"
#undef TASK_TYPE

#endif
