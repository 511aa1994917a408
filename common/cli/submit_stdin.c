/* --stdin-from: what another job wrote is the tasks' standard input. It is a dependency on that job as well. */
#include <string.h>

#include "cli/resolve.h"
#include "cli/submit.h"

#define EXAMPLE "example: --stdin-from 36, or 36.4 for one task of it"

static bool waits_for(const struct submit *submit, uint64_t job)
{
        for (size_t i = 0; i < submit->n_after; i++)
                if (submit->after[i].job == job)
                        return true;
        return false;
}

/* Which tasks of the job: all, or one. */
static int take_ranges(struct submit *submit, const struct selector *selector, const char *text,
                       struct err *err)
{
        if (selector->n_ranges == 0)
                return 0;
        if (submit->spec.stdin_each || selector->n_ranges > 1 ||
            selector->ranges[0].lo != selector->ranges[0].hi)
                return err_set(err, ERR_USAGE, "--stdin-from: '%.80s' names some tasks of a job; " EXAMPLE,
                               text);
        submit->spec.stdin_index = selector->ranges[0].lo;
        submit->spec.has_stdin_index = true;
        return 0;
}

int submit_stdin_from(struct submit *submit, struct err *err)
{
        const char *text = opts_text(submit->opts, "stdin-from"), *word = text;
        CLEANUP_SELECTORS struct selectors selectors = { 0 };
        CLEANUP_TARGETS struct targets targets = { 0 };
        bool each;

        if (!text)
                return 0;
        if (opts_has(submit->opts, "stdin"))
                return err_set(err, ERR_USAGE, "--stdin-from %.80s: --stdin says something else", text);
        if (opts_has(submit->opts, "file"))
                return err_set(err, ERR_USAGE,
                               "--stdin-from %.80s: each task of a graph names one of its own; example: "
                               "\"stdin_from\": \"sort\"",
                               text);
        each = strncmp(text, "each:", 5) == 0;
        submit->spec.stdin_each = submit->spec.has_stdin_each = each;
        word += each ? 5 : 0;
        if (selectors_parse(&word, 1, &selectors, err) < 0)
                return err_wrap(err, "--stdin-from %.80s (" EXAMPLE ")", text);
        if (selectors.n != 1)
                return err_set(err, ERR_USAGE, "--stdin-from: '%.80s' is not one job; " EXAMPLE, text);
        if (take_ranges(submit, &selectors.list[0], text, err) < 0)
                return -1;
        if (targets_resolve(submit->cli, &selectors, &targets, err) < 0)
                return err_wrap(err, "--stdin-from %.80s", text);
        if (targets.n != 1)
                return err_set(err, ERR_USAGE, "--stdin-from: '%.80s' is not one job; " EXAMPLE, text);
        submit->spec.stdin_job = targets.list[0].job;
        submit->spec.has_stdin_job = true;
        if (waits_for(submit, submit->spec.stdin_job))
                return 0;
        return submit_add_after(submit, each ? AFTER_WHEN_EACH : AFTER_WHEN_OK, submit->spec.stdin_job, err);
}
