/* Shapes: what tasks of a graph ask for where it is not what their job's description says. A shape is one of
 * spec.shapes, by its number from 1; 0 is the description itself. It stands in the description, so that it is known before
 * any task is granted, adopted or ended. */
#ifndef CORE_SHAPE_H
#define CORE_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/msg.h"

struct core;
struct job;
struct lot;

/* The description as it holds for the tasks of this shape. Pointers are borrowed from both. */
void shape_merge(const struct rec_job_spec *spec, const struct rec_shape *shape, struct rec_job_spec *ret);
/* BAD_FIELD: a task that is not there, or one with two shapes. O(n log n) in their ranges. */
int shape_check(const struct rec_job_spec *spec, struct err *err) MUST_CHECK;

void shape_attach(struct core *core, struct job *job); /* with the job's plain lot */
void shape_needs_changed(struct core *core,
                         struct job *job); /* the description's: what a shape does not say follows it */
void shape_free(struct job *job);
uint32_t shape_of(const struct job *job, uint32_t position); /* O(log n) */
uint32_t shape_run(const struct job *job, uint32_t from,
                   uint32_t to); /* the last from there that is like the first */
/* `room` is used if the shape is not 0; the result is borrowed from it or from the job. */
const struct rec_job_spec *shape_spec(const struct job *job, uint32_t shape, struct rec_job_spec *room);
struct lot *shape_lot(struct job *job, uint32_t shape); /* of tasks that did not run out of memory */
bool shape_has_plain(const struct job *job); /* some task asks for what the description says */
/* The lot that the fewest workers could run; NULL: no job. */
const struct lot *shape_scarce(const struct core *core, const struct job *job);
/* What a worker is told: each grant says for itself what its tasks take. Borrowed until the next call for the job. */
struct rec_job_spec *shape_told_spec(struct job *job);

#endif
