/* Entries of jobs that have them: opened chunks near the cursor, loaded when the job is about to be granted, bounded
 * over all jobs. */
#ifndef CORE_ENTRIES_H
#define CORE_ENTRIES_H

#include "core/state.h"

/* Entries of the tasks of one grant, copied: n_values strings a task. */
struct entry_texts {
        const char **list;
        size_t n;
        size_t n_values;
        size_t bytes; /* as JSON */
};
void entry_texts_free(struct entry_texts *texts); /* NULL is fine */

/* Are the bytes a chunk of exactly n entries, each valid UTF-8 and small enough to travel? */
int entries_check(const void *bytes, size_t n_bytes, uint64_t n, struct err *err) MUST_CHECK;
/* Entries in chunk `no` of a job of this description. */
uint64_t entries_in_chunk(const struct rec_job_spec *spec, uint64_t no);

bool entries_are_loading(const struct lot *lot); /* the next grant waits for a chunk */
/* A chunk came (with the submission or from the store; NULL: it cannot be opened). */
void entries_put(struct core *core, struct job *job, uint32_t no, const uint8_t *bytes, size_t n_bytes);
/* How many of the tasks lo … lo + n - 1 can be granted now, with equal numbers of values and within a message's size;
 * 0: their chunk is being loaded. Gives their texts. */
uint32_t entries_get(struct core *core, struct job *job, uint32_t lo, uint32_t n,
                     struct entry_texts **ret_texts);
void entries_forget(struct core *core, struct job *job);

#endif
