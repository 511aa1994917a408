/* The environment and the arguments of a task, built from nothing (INTERFACE of tasks: jobworker(1)). */
#ifndef EXEC_ENV_H
#define EXEC_ENV_H

#include "base/buf.h"
#include "core/wtask.h"

struct words { /* strings one after the other, and pointers to them once they stop moving */
        struct buf text;
        size_t *at;
        size_t n, cap;
        char **list; /* words_end: NULL-terminated; list[-1] exists and is free */
};
void words_done(struct words *words);
void words_clear(struct words *words);
void words_open(struct words *words); /* begin one; its bytes are added to words->text */
void words_close(struct words *words);
void words_add(struct words *words, const char *word);
char *const *words_end(struct words *words);

struct env_base { /* of the worker, for all its tasks */
        const char *path, *home, *user;
        const char *worker;
        uint64_t gpus; /* how many it has for tasks */
};
struct env_task {
        const char *dir, *result;
        const char *socket; /* NULL: there is none */
        const char *parents; /* file with the parents' results; NULL: they left none */
        bool parents_too_large; /* ... which does not exist for that */
        uint64_t stdin_cut; /* tasks part of whose output is missing from stdin */
        int64_t end_s; /* Unix seconds; 0: no limit */
};
void env_build(const struct env_base *base, const struct wtask *task, const struct env_task *about,
               struct words *env);
/* PATH as the task will have it: borrowed. */
const char *env_path(const struct env_base *base, const struct rec_job_spec *spec);
void env_args(const struct wtask *task, const char *script, struct words *args);

#endif
