/* What a task needs of its worker. Equal needs are one object, shared by reference: placing compares pointers, and
 * asks once for all tasks that are alike. */
#ifndef CORE_NEEDS_H
#define CORE_NEEDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "proto/msg.h"

struct core;
struct fit;

struct amount { /* so much of a named resource */
        const char *name;
        size_t n_name;
        uint64_t n;
};
/* "name=number" (checked before) as an amount; the name is borrowed from the text. */
struct amount amount_of(const char *text);

struct needs {
        enum task_type type;
        uint32_t cpus; /* at least 1 */
        uint32_t gpus;
        uint64_t mem_bytes; /* 0: nothing is said */
        const char **res; /* "name=number" */
        size_t n_res;
        const char **require, **avoid; /* "label" or "label=value" */
        size_t n_require, n_avoid;
        /* Of the shared object; whoever asks for one leaves these zero. */
        bool plain; /* one cpu and nothing else: fits wherever there is a slot */
        struct amount *amounts; /* res */
        struct fit *fits; /* with kinds of workers; see fit.h */
        uint64_t refs;
        void *key;
        size_t key_bytes;
        UT_hash_handle hh;
};

/* The shared object of equal value, with one reference more; the order of the lists does not matter. */
struct needs *needs_get(struct core *core, const struct needs *like);
struct needs *needs_of(struct core *core, const struct rec_job_spec *spec); /* what a description asks for */
struct needs *needs_ref(struct needs *needs);
void needs_unref(struct core *core, struct needs *needs);

#endif
