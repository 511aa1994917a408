/* Output of the tasks of a selection, each byte once: what is new of many tasks is asked for in one request, and a task
 * costs memory only while its output can still grow. */
#ifndef CLI_FOLLOW_OUTPUT_H
#define CLI_FOLLOW_OUTPUT_H

#include "cli/follow_parts.h"
#include "cli/logs.h"

struct follow_output;
/* A connection of its own, so that the subscription's messages are never in the way. All three are borrowed. parts: what is
 * followed, over any number of restarts; NULL: nothing is, but follow_output_whole is called. */
struct follow_output *follow_output_new(const struct cli *cli, const struct logs *logs,
                                        const struct follow_parts *parts, struct err *err) MUST_CHECK;
void follow_output_free(struct follow_output *output); /* NULL is fine */

/* Print what is new of all tasks of the parts first … end that have started, but for jobs that are over: at the beginning,
 * and when notes may have been missed. */
int follow_output_all(struct follow_output *output, size_t first, size_t end, struct err *err) MUST_CHECK;
/* Print what is new of these tasks. */
int follow_output_some(struct follow_output *output, uint64_t job, const struct range *ranges, size_t n,
                       struct err *err) MUST_CHECK;
/* Print what a job that is over has, task after task. */
int follow_output_whole(struct follow_output *output, const struct follow_part *part,
                        struct err *err) MUST_CHECK;
/* Nothing more will be asked of this job. */
void follow_output_forget(struct follow_output *output, uint64_t job);
/* At the end. NOT_FOUND: an attempt was asked for that no task has had. */
int follow_output_end(struct follow_output *output, struct err *err) MUST_CHECK;

#endif
