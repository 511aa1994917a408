/* Selectors to job numbers by the listing `select`. */
#include "cli/resolve.h"

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

static int resolve_one(struct cli *cli, const struct selector *selector, struct targets *targets,
                       struct err *err)
{
        CLEANUP_LISTING struct listing listing = listing_of(cli, LIST_KIND_SELECT);
        size_t before = targets->n;
        int more;

        if (selector->kind == SELECTOR_JOB) {
                add_target(targets, selector->job, selector);
                return 0;
        }
        listing_select(&listing.request, selector);
        listing.request.u.list.ranges = NULL;
        listing.request.u.list.n_ranges = 0;
        while ((more = listing_next(&listing, err)) > 0) {
                uint64_t job;

                if (listing_u64(&listing, "job_id", &job, err) < 0)
                        return -1;
                add_target(targets, job, selector);
        }
        if (more < 0)
                return -1;
        return targets->n == before ? nothing_selected(selector, err) : 0;
}

int targets_resolve(struct cli *cli, const struct selectors *selectors, struct targets *targets,
                    struct err *err)
{
        for (size_t i = 0; i < selectors->n; i++)
                if (resolve_one(cli, &selectors->list[i], targets, err) < 0)
                        return -1;
        return 0;
}

void targets_done(struct targets *targets)
{
        xfree(targets->list);
        *targets = (struct targets){ 0 };
}
