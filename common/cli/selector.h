/* Selectors: which jobs or tasks a command means.
 *
 *   36          a job                     last, last~1    the caller's newest job, the one before
 *   36.4 36_4   one task                  @name           all the caller's jobs of that exact name
 *   36.[1-9:2]  some tasks                tag:k=v         all the caller's jobs with that tag
 *   30-36       jobs 30 to 36             all             all the caller's jobs
 *   -           selectors on stdin, separated by blanks
 *
 * A part `.4` or `.[…]` may follow `last` and `last~1` too. */
#ifndef CLI_SELECTOR_H
#define CLI_SELECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/msg.h"

enum selector_kind { SELECTOR_JOB, SELECTOR_JOBS, SELECTOR_LAST, SELECTOR_NAME, SELECTOR_TAG, SELECTOR_ALL };

struct selector {
        enum selector_kind kind;
        uint64_t job, job_to; /* JOB: both the same; JOBS: the range */
        uint64_t last; /* LAST: 0 is the newest */
        char *text; /* NAME: the name; TAG: k=v */
        struct range *ranges; /* task indexes; NULL: the whole job */
        size_t n_ranges;
};

/* "-" is not a selector but a place to read some from; callers use selectors_read. BAD_DATA for text that is none:
 * "'36.' is no selector; examples: 36  36.4  36.[1-9]  30-36  last  @name  tag:k=v  all". */
int selector_parse(const char *text, struct selector *ret_selector, struct err *err) MUST_CHECK;
void selector_done(struct selector *selector);

struct selectors {
        struct selector *list;
        size_t n, cap;
};
/* All of `words`, "-" replaced by what stands on stdin. */
int selectors_parse(const char *const *words, size_t n_words, struct selectors *selectors,
                    struct err *err) MUST_CHECK;
void selectors_done(struct selectors *selectors);
#define CLEANUP_SELECTORS __attribute__((cleanup(selectors_done)))

#endif
