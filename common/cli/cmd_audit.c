/* jobctl audit: events as a table, of everybody whose events one may see, those without a job too. */
#include <string.h>

#include "cli/command.h"

static const struct opt options[] = {
        { .name = "since",
          .parse = opt_word,
          .arg = "T",
          .group = "Which",
          .help = "since a time, or a duration ago (default: 24h)" },
        { .name = "user",
          .letter = 'u',
          .parse = opt_name,
          .arg = "USER",
          .help = "only what concerns jobs of this person" },
        { .name = "from",
          .parse = opt_count,
          .arg = "N",
          .max = (int64_t)ID_MAX,
          .example = "1200",
          .help = "only events after number N" },
        OPTIONS_OF_ROWS("v_events", "at,actor,kind", "actor",
                        "at most N rows: the newest, or the first after --sort"),
        { 0 },
};

static int run_audit(struct cli *cli)
{
        static const struct print print = {
                .schema = "jobctl.audit/1",
                .columns = "event_id,at,kind,actor,job_id,task_index,detail",
                .newest = true,
        };
        CLEANUP_LISTING struct listing listing = listing_of(cli, LIST_KIND_EVENTS);
        struct msg_list *list = &listing.request.u.list;
        const char *since = opts_text(cli->opts, "since");
        struct err err = { 0 };

        if (command_words(cli, 0, 0, &err) < 0)
                return cli_fail(cli, &err);
        list->from = (uint64_t)opts_number(cli->opts, "from", 0);
        list->has_from = opts_has(cli->opts, "from");
        if ((list->user = opts_text(cli->opts, "user")))
                list->n_user = strlen(list->user);
        if (since || !list->has_from) {
                if (command_since(since ? since : "24h", &list->since_us, &err) < 0) {
                        (void)err_wrap(&err, "--since");
                        return cli_fail(cli, &err);
                }
                list->has_since_us = true;
        }
        return command_print(cli, &print, &listing, 1);
}

PROGRAM(audit, "audit", "who did what, and what was refused", options, cli_query_options, "[options]",
        "jobctl audit --since 7d", "jobctl audit -u alice -o at,actor,kind,detail",
        "jobctl audit --from 1200 --csv");
