/* From selectors to jobs: what `last`, `@name`, `tag:k=v`, `30-36` and `all` stand for is asked of the coordinator. */
#ifndef CLI_RESOLVE_H
#define CLI_RESOLVE_H

#include "cli/cli.h"
#include "cli/selector.h"

struct target {
        uint64_t job;
        const struct range *ranges; /* borrowed from the selector; NULL: the whole job */
        size_t n_ranges;
};
struct targets {
        struct target *list;
        size_t n, cap;
};

/* The targets of all selectors, in order. A selector that stands for no job is NOT_FOUND; a number is taken as it
 * is: whether that job exists is said by the request that uses it. */
int targets_resolve(struct cli *cli, const struct selectors *selectors, struct targets *targets,
                    struct err *err) MUST_CHECK;
/* The same, but only those jobs that fit. A number is looked up too then; one that does not fit is left out. Nothing
 * left is NOT_FOUND, but for `all` with `unfinished`: to have nothing to do is no mistake. */
struct target_filter {
        const char *user, *queue; /* NULL: any */
        bool unfinished; /* of `all` only jobs that have not ended */
};
int targets_resolve_some(struct cli *cli, const struct selectors *selectors,
                         const struct target_filter *filter, struct targets *targets,
                         struct err *err) MUST_CHECK;
void targets_done(struct targets *targets);
#define CLEANUP_TARGETS __attribute__((cleanup(targets_done)))

/* Fill a listing's request with one selector as far as listings take it themselves (a job, jobs, last, name, tag). */
void listing_select(struct msg *request, const struct selector *selector);

#endif
