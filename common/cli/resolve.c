/* Selectors to job numbers by the listing `select`. */
#include "cli/resolve.h"

#include <inttypes.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/listing.h"

void listing_select(struct msg *request, const struct selector *selector)
{
        struct msg_list *list = &request->u.list;

        switch (selector->kind) {
        case SELECTOR_JOB:
                list->job = selector->job;
                list->has_job = true;
                break;
        case SELECTOR_JOBS:
                list->job = selector->job;
                list->has_job = true;
                list->job_to = selector->job_to;
                list->has_job_to = true;
                break;
        case SELECTOR_LAST:
                list->last = selector->last;
                list->has_last = true;
                break;
        case SELECTOR_NAME:
                list->name = selector->text;
                list->n_name = strlen(selector->text);
                break;
        case SELECTOR_TAG:
                list->tag = selector->text;
                list->n_tag = strlen(selector->text);
                break;
        case SELECTOR_ALL:
                break;
        }
        list->ranges = selector->ranges;
        list->n_ranges = selector->n_ranges;
}

static void add_target(struct targets *targets, uint64_t job, const struct selector *selector)
{
        GROW(targets->list, targets->cap, targets->n + 1);
        targets->list[targets->n++] = (struct target){
                .job = job,
                .ranges = selector->ranges,
                .n_ranges = selector->n_ranges,
        };
}

static int nothing_selected(const struct selector *selector, struct err *err)
{
        switch (selector->kind) {
        case SELECTOR_LAST:
                return err_set(err, ERR_NOT_FOUND,
                               selector->last ? "you have submitted fewer jobs than that"
                                              : "you have not submitted any job yet");
        case SELECTOR_NAME:
                return err_set(err, ERR_NOT_FOUND, "no job of yours is named '%s'", selector->text);
        case SELECTOR_TAG:
                return err_set(err, ERR_NOT_FOUND, "no job of yours has the tag '%s'", selector->text);
        case SELECTOR_ALL:
                return err_set(err, ERR_NOT_FOUND, "you have no jobs");
        case SELECTOR_JOB:
        case SELECTOR_JOBS:
                break;
        }
        return err_set(err, ERR_NOT_FOUND, "no such job");
}

static void apply_filter(struct msg_list *list, const struct target_filter *filter, bool all)
{
        static const char *const unfinished[] = { "held", "waiting", "queued", "running" };

        if ((list->user = filter->user))
                list->n_user = strlen(filter->user);
        if ((list->queue = filter->queue))
                list->n_queue = strlen(filter->queue);
        if (all && filter->unfinished) {
                list->statuses = (const char **)unfinished;
                list->n_statuses = ARRAY_LEN(unfinished);
        }
}

/* The jobs of one listing become targets. */
static int add_listed(struct listing *listing, const struct selector *selector, struct targets *targets,
                      struct err *err)
{
        int more;

        listing->request.u.list.ranges = NULL;
        listing->request.u.list.n_ranges = 0;
        while ((more = listing_next(listing, err)) > 0) {
                uint64_t job;

                if (listing_u64(listing, "job_id", &job, err) < 0)
                        return -1;
                add_target(targets, job, selector);
        }
        return more;
}

/* Of these targets those stay that have one of the tasks. */
static int check_tasks(struct cli *cli, const struct selector *selector, struct targets *targets, size_t from,
                       struct err *err)
{
        uint64_t job = targets->list[from].job;
        size_t kept = from;

        for (size_t i = from; i < targets->n; i++) {
                CLEANUP_LISTING struct listing listing = listing_of(cli, LIST_KIND_SELECT);
                struct msg_list *list = &listing.request.u.list;
                int more;

                list->job = targets->list[i].job;
                list->has_job = true;
                list->ranges = selector->ranges;
                list->n_ranges = selector->n_ranges;
                more = listing_next(&listing, err);
                if (more < 0 && (err->code != ERR_NOT_FOUND || targets->n == from + 1))
                        return -1;
                if (more > 0)
                        targets->list[kept++] = targets->list[i];
        }
        targets->n = kept;
        return kept > from ? 0 : err_set(err, ERR_NOT_FOUND, "no such task in job %" PRIu64, job);
}

/* Does this job fit? It stays the last target, or goes. */
static int check_last(struct cli *cli, const struct target_filter *filter, struct targets *targets,
                      struct err *err)
{
        CLEANUP_LISTING struct listing listing = listing_of(cli, LIST_KIND_SELECT);
        int more;

        listing.request.u.list.job = targets->list[targets->n - 1].job;
        listing.request.u.list.has_job = true;
        apply_filter(&listing.request.u.list, filter, false);
        more = listing_next(&listing, err);
        if (more == 0)
                targets->n--;
        return more < 0 ? -1 : 0;
}

static int resolve_jobs(struct cli *cli, const struct selector *selector, const struct target_filter *filter,
                        struct targets *targets, struct err *err)
{
        CLEANUP_LISTING struct listing listing = listing_of(cli, LIST_KIND_SELECT);
        bool all = selector->kind == SELECTOR_ALL;
        bool filtered = filter && (filter->user || filter->queue);
        size_t before = targets->n;

        if (selector->kind == SELECTOR_JOB) {
                add_target(targets, selector->job, selector);
                return filtered ? check_last(cli, filter, targets, err) : 0;
        }
        listing_select(&listing.request, selector);
        if (filter && selector->kind != SELECTOR_LAST)
                apply_filter(&listing.request.u.list, filter, all);
        if (add_listed(&listing, selector, targets, err) < 0)
                return -1;
        if (targets->n > before)
                return filtered && selector->kind == SELECTOR_LAST ? check_last(cli, filter, targets, err)
                                                                   : 0;
        return filtered || (all && filter && filter->unfinished) ? 0 : nothing_selected(selector, err);
}

static int resolve_one(struct cli *cli, const struct selector *selector, const struct target_filter *filter,
                       struct targets *targets, struct err *err)
{
        size_t before = targets->n;

        if (resolve_jobs(cli, selector, filter, targets, err) < 0)
                return -1;
        return selector->n_ranges == 0 || targets->n == before
                       ? 0
                       : check_tasks(cli, selector, targets, before, err);
}

int targets_resolve_some(struct cli *cli, const struct selectors *selectors,
                         const struct target_filter *filter, struct targets *targets, struct err *err)
{
        for (size_t i = 0; i < selectors->n; i++)
                if (resolve_one(cli, &selectors->list[i], filter, targets, err) < 0)
                        return -1;
        if (targets->n == 0 && filter && (filter->user || filter->queue))
                return err_set(err, ERR_NOT_FOUND, "no such job%s%s%s%s", filter->user ? " of " : "",
                               filter->user ? filter->user : "", filter->queue ? " in queue " : "",
                               filter->queue ? filter->queue : "");
        return 0;
}

int targets_resolve(struct cli *cli, const struct selectors *selectors, struct targets *targets,
                    struct err *err)
{
        return targets_resolve_some(cli, selectors, NULL, targets, err);
}

void targets_done(struct targets *targets)
{
        xfree(targets->list);
        *targets = (struct targets){ 0 };
}
