/* Output of the tasks of one job as it is recorded, each byte once: what is new of many tasks is asked for in one
 * request, and a task costs memory only while its output can still grow. */
#ifndef CLI_FOLLOW_OUTPUT_H
#define CLI_FOLLOW_OUTPUT_H

#include "cli/logs.h"
#include "cli/resolve.h"

struct follow_output;
/* A connection of its own, so that the subscription's messages are never in the way. cli and logs are borrowed. */
struct follow_output *follow_output_new(const struct cli *cli, const struct logs *logs,
                                        struct err *err) MUST_CHECK;
void follow_output_free(struct follow_output *output); /* NULL is fine */

/* Another job: what is known of the one before is forgotten. */
void follow_output_begin(struct follow_output *output, const struct target *target);
/* Print what is new of all tasks that have started: at the beginning, and when notes may have been missed. */
int follow_output_all(struct follow_output *output, struct err *err) MUST_CHECK;
/* Print what is new of these tasks. */
int follow_output_some(struct follow_output *output, const struct range *ranges, size_t n,
                       struct err *err) MUST_CHECK;

#endif
