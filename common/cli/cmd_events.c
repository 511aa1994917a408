/* jobctl events: what people and the system decided, one JSON object a line, resumable by its event_id. */
#include "cli/command.h"
#include "cli/sheet.h"

static const struct opt options[] = {
        { .name = "from",
          .parse = opt_count,
          .arg = "N",
          .group = "Which",
          .max = (int64_t)ID_MAX,
          .example = "1200",
          .help = "only events after number N (event_id of the last one seen)" },
        { .name = "since", .parse = opt_word, .arg = "T", .help = "since a time, or a duration ago" },
        { 0 },
};
static const char *const examples[] = {
        "jobctl events last",
        "jobctl events --since 1h",
        "jobctl events --from 1200 --csv",
        NULL,
};
static const char *const usage[] = { "[SEL …] [options]", NULL };
static const struct opt_program program = {
        .name = "jobctl events",
        .purpose = "print events as JSON lines",
        .examples = examples,
        .usage = usage,
        .options = options,
        .common = cli_query_options,
        .notes = "One JSON object a line; with --json one object with all rows, with --csv a table.",
};

static int print_lines(struct listing *listing, struct err *err)
{
        int more;

        while ((more = listing_next(listing, err)) > 0) {
                CLEANUP_BUF struct buf line = { 0 };

                buf_add_char(&line, '{');
                for (size_t i = 0; i < listing->n_columns; i++) {
                        buf_addf(&line, "%s\"%s\":", i ? "," : "", listing->columns[i]);
                        cell_add_json(&line, &listing->cells[i], false);
                }
                buf_add_str(&line, "}\n");
                if (cli_write(line.bytes, line.n, err) < 0)
                        return -1;
        }
        return more;
}

static int select_events(struct cli *cli, struct msg_list *list, struct err *err)
{
        list->from = (uint64_t)opts_number(cli->opts, "from", 0);
        list->has_from = opts_has(cli->opts, "from");
        if (!opts_has(cli->opts, "since"))
                return 0;
        list->has_since_us = true;
        return command_since(opts_text(cli->opts, "since"), &list->since_us, err);
}

static int print_events(struct cli *cli, struct listing *listings, size_t n)
{
        static const struct print print = { .schema = "jobctl.events/1" };
        struct err err = { 0 };

        for (size_t i = 0; i < n; i++)
                if (select_events(cli, &listings[i].request.u.list, &err) < 0)
                        return cli_fail(cli, &err);
        if (cli->form != CLI_FORM_TEXT)
                return command_print(cli, &print, listings, n);
        for (size_t i = 0; i < n; i++)
                if (print_lines(&listings[i], &err) < 0)
                        return cli_fail(cli, &err);
        return cli_flush(cli, 0);
}

static int run(struct cli *cli)
{
        CLEANUP_PICKED struct picked_tasks picked = { 0 };
        struct listing *listings;
        struct err err = { 0 };
        int code;

        if (cli->opts->n_words == 0) {
                CLEANUP_LISTING struct listing all = listing_of(cli, LIST_KIND_EVENTS);

                return print_events(cli, &all, 1);
        }
        if (command_targets(cli, &picked, &err) < 0)
                return cli_fail(cli, &err);
        listings = command_listings(cli, LIST_KIND_EVENTS, &picked.targets);
        code = print_events(cli, listings, picked.targets.n);
        listings_free(listings, picked.targets.n);
        return code;
}

const struct command command_events = { "events", &program, run };
