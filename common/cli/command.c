/* What several commands of jobctl do alike. */
#include "cli/command.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/xalloc.h"

int command_words(const struct cli *cli, size_t least, size_t most, struct err *err)
{
        const struct opts *opts = cli->opts;
        size_t n = opts->n_words;

        if (n < least)
                return err_set(err, ERR_USAGE, "a word is missing: %s %s", opts->program->name,
                               opts->program->usage[0]);
        if (n > most)
                return err_set(err, ERR_USAGE, "'%.80s' is one word too many: %s %s", opts->words[most],
                               opts->program->name, opts->program->usage[0]);
        return 0;
}

/* --- changes --------------------------------------------------------------------------------------------------- */
int command_change(struct cli *cli, struct msg *request, const char *done)
{
        struct err err = { 0 };
        CLEANUP_WITH(msg_free) struct msg *answer = cli_call(cli, request, MSG_changed, &err);

        if (!answer)
                return cli_fail(cli, &err);
        if (cli->form == CLI_FORM_JSON)
                printf("{\"schema\":\"jobctl.change/1\",\"changed\":%" PRIu64 ",\"rows\":[]}\n",
                       answer->u.changed.count);
        else if (!cli->quiet)
                printf("%s%s%s\n", done, answer->u.changed.n_detail ? ": " : "",
                       answer->u.changed.n_detail ? answer->u.changed.detail : "");
        return cli_flush(cli, 0);
}

/* --- selections ------------------------------------------------------------------------------------------------ */
int command_targets(struct cli *cli, struct picked_tasks *picked, struct err *err)
{
        const struct opts *opts = cli->opts;

        if (opts->n_words == 0)
                return err_set(err, ERR_USAGE, "which jobs? example: %s last", opts->program->name);
        if (selectors_parse(opts->words, opts->n_words, &picked->selectors, err) < 0)
                return -1;
        return targets_resolve(cli, &picked->selectors, &picked->targets, err);
}

void picked_tasks_done(struct picked_tasks *picked)
{
        targets_done(&picked->targets);
        selectors_done(&picked->selectors);
}

int command_since(const char *text, uint64_t *ret_us, struct err *err)
{
        int64_t us, ms;
        struct err as_time;

        if (time_parse_us(text, &us, &as_time) < 0) {
                if (duration_parse(text, &ms, err) < 0)
                        return err_set(err, ERR_USAGE,
                                       "'%.60s' is neither a time (2026-11-22T12:00) nor a duration (2h)",
                                       text);
                us = clock_wall_us() - ms * US_PER_MS;
        }
        *ret_us = us > 0 ? (uint64_t)us : 0;
        return 0;
}

/* Slurm's words for states, and their letters. */
static const struct {
        const char *slurm, *letters, *ours;
} slurm_words[] = {
        { "PENDING", "PD", "held,waiting,queued" },
        { "RUNNING", "R", "running" },
        { "SUSPENDED", "S", "held" },
        { "COMPLETING", "CG", "running" },
        { "COMPLETED", "CD", "succeeded" },
        { "CANCELLED", "CA", "cancelled,aborted" },
        { "CANCELED", "CA", "cancelled,aborted" },
        { "FAILED", "F", "failed" },
        { "TIMEOUT", "TO", "timeout" },
        { "OUT_OF_MEMORY", "OOM", "oom" },
        { "NODE_FAIL", "NF", "lost" },
        { "DEADLINE", "DL", "aborted" },
        { "PREEMPTED", "PR", "queued" },
        { "BOOT_FAIL", "BF", "lost" },
};

static int add_status(const char *word, size_t n, const char **words, size_t *ret_n, struct err *err)
{
        CLEANUP_WITH(xfree) char *lower = xstrndup(word, n);
        int status;

        for (char *p = lower; *p; p++)
                *p = (char)tolower((unsigned char)*p);
        status = task_status_from_word(lower);
        if (status < 0)
                return err_set(err, ERR_USAGE,
                               "'%.40s' is no status; there are held waiting queued running succeeded failed "
                               "timeout oom "
                               "lost cancelled aborted, and Slurm's words",
                               lower);
        if (*ret_n == STATUS_WORDS_MAX)
                return err_set(err, ERR_USAGE, "more than %d statuses", STATUS_WORDS_MAX);
        words[(*ret_n)++] = task_status_word((enum task_status)status);
        return 0;
}

static const char *from_slurm(const char *word, size_t n)
{
        for (size_t i = 0; i < ARRAY_LEN(slurm_words); i++)
                if ((strlen(slurm_words[i].slurm) == n && strncasecmp(slurm_words[i].slurm, word, n) == 0) ||
                    (strlen(slurm_words[i].letters) == n &&
                     strncasecmp(slurm_words[i].letters, word, n) == 0))
                        return slurm_words[i].ours;
        return NULL;
}

static int add_statuses(const char *text, bool slurm, const char **words, size_t *ret_n, struct err *err)
{
        for (const char *p = text; *p;) {
                size_t n = strcspn(p, ",");
                const char *ours = slurm ? from_slurm(p, n) : NULL;
                int rc = ours ? add_statuses(ours, false, words, ret_n, err)
                              : add_status(p, n, words, ret_n, err);

                if (rc < 0)
                        return -1;
                p += n + (p[n] == ',');
        }
        return 0;
}

int command_statuses(const char *text, const char *ret_words[STATUS_WORDS_MAX], size_t *ret_n,
                     struct err *err)
{
        *ret_n = 0;
        return add_statuses(text, true, ret_words, ret_n, err);
}

struct listing *command_listings(struct cli *cli, enum list_kind what, const struct targets *targets)
{
        struct listing *listings = xcalloc(MAX(targets->n, 1), sizeof(*listings));

        for (size_t i = 0; i < targets->n; i++) {
                struct msg_list *list = &listings[i].request.u.list;

                listings[i] = listing_of(cli, what);
                list->job = targets->list[i].job;
                list->has_job = true;
                list->ranges = (struct range *)targets->list[i].ranges;
                list->n_ranges = targets->list[i].n_ranges;
        }
        return listings;
}

void listings_free(struct listing *listings, size_t n)
{
        for (size_t i = 0; i < n; i++)
                listing_done(&listings[i]);
        xfree(listings);
}
