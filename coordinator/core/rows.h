/* Rows of Tasks for jobs too large to make them with the submission: in bounded batches, jobs in turn, one batch on its
 * way at a time. And the mark, which says how far a job may be granted without asking again. */
#ifndef CORE_ROWS_H
#define CORE_ROWS_H

#include "core/state.h"

void rows_write(struct core *core, struct job *job, uint32_t lo,
                uint32_t hi); /* rows of positions lo … hi - 1 */
void rows_want(struct core *core, struct job *job); /* some are missing: stand in line */
void rows_forget(struct core *core, struct job *job);
void rows_next(struct core *core); /* if none is on its way: the next batch */
void rows_exist(struct core *core, struct job *job, uint32_t n); /* committed; job may be gone (NULL) */
void rows_mark(struct core *core, struct job *job); /* ask for a higher mark if grants come near */

#endif
