/* jobctl events: what people and the system decided, one JSON object a line, resumable by its event_id. */
#include <poll.h>

#include "cli/command.h"
#include "cli/sheet.h"

#define ASK_AGAIN_MS 500 /* of a coordinator that says: later */

static const struct opt options[] = {
        { .name = "from",
          .parse = opt_count,
          .arg = "N",
          .group = "Which",
          .max = (int64_t)ID_MAX,
          .example = "1200",
          .help = "only events after number N (event_id of the last one seen)" },
        { .name = "follow", .letter = 'f', .help = "go on: new events as they happen, until Ctrl-C" },
        { .name = "since", .parse = opt_word, .arg = "T", .help = "since a time, or a duration ago" },
        { 0 },
};
static const char *const examples[] = {
        "jobctl events last",
        "jobctl events -f --from 1200     # go on where one stopped, and stay",
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

static int print_line(const struct listing *listing, struct err *err)
{
        CLEANUP_BUF struct buf line = { 0 };

        buf_add_char(&line, '{');
        for (size_t i = 0; i < listing->n_columns; i++) {
                buf_addf(&line, "%s\"%s\":", i ? "," : "", listing->columns[i]);
                cell_add_json(&line, &listing->cells[i], false);
        }
        buf_add_str(&line, "}\n");
        return cli_write(line.bytes, line.n, err);
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

/* Without lines. Of several jobs the events stand in their order, whatever job they are of. */
static int print_rows(struct cli *cli, struct listing *listings, size_t n)
{
        const struct print print = { .schema = "jobctl.events/1", .order = n > 1 ? "event_id" : NULL };
        struct err err = { 0 };

        for (size_t i = 0; i < n; i++)
                if (select_events(cli, &listings[i].request.u.list, &err) < 0)
                        return cli_fail(cli, &err);
        return command_print(cli, &print, listings, n);
}

/* ------------------------------------------------------------------ following */
static bool has_index(const struct target *target, const struct cell *index, uint64_t n)
{
        if (!target->ranges)
                return true;
        for (size_t i = 0; index->kind != CELL_NULL && i < target->n_ranges; i++)
                if (n >= target->ranges[i].lo && n <= target->ranges[i].hi)
                        return true;
        return false;
}

/* 1: the row is of what was selected (nothing selected: everything); 0: it is not. */
static int is_selected(const struct listing *listing, const struct targets *targets, struct err *err)
{
        const struct cell *cell;
        uint64_t job, index;

        if (targets->n == 0)
                return 1;
        if (listing_u64(listing, "job_id", &job, err) < 0 ||
            listing_u64(listing, "task_index", &index, err) < 0 ||
            listing_cell(listing, "task_index", &cell, err) < 0)
                return -1;
        for (size_t i = 0; i < targets->n; i++)
                if (targets->list[i].job == job && has_index(&targets->list[i], cell, index))
                        return 1;
        return 0;
}

/* Everything after *from, which moves on. One job alone is asked for by its number, several are picked here. */
static int print_news(struct cli *cli, const struct targets *targets, uint64_t *from, struct err *err)
{
        CLEANUP_LISTING struct listing listing = listing_of(cli, LIST_KIND_EVENTS);
        struct msg_list *list = &listing.request.u.list;
        int more;

        if (select_events(cli, list, err) < 0)
                return -1;
        list->from = *from;
        list->has_from = *from > 0;
        list->has_job = targets->n == 1;
        list->job = list->has_job ? targets->list[0].job : 0;
        while ((more = listing_next(&listing, err)) > 0) {
                int wanted = is_selected(&listing, targets, err);

                if (wanted < 0 || listing_u64(&listing, "event_id", from, err) < 0 ||
                    (wanted && print_line(&listing, err) < 0))
                        return -1;
        }
        return more;
}

/* The subscription has one connection, the reading another, so that none is in the way of the other. A note after a
 * reconnect says the same as any: look from where you are. */
static int follow(struct cli *cli, const struct targets *targets, struct err *err)
{
        CLEANUP_CLI struct cli notes = *cli;
        struct msg request = { .kind = MSG_watch };
        uint64_t from = (uint64_t)opts_number(cli->opts, "from", 0);

        notes.notes = NULL;
        notes.profile = NULL;
        notes.client = NULL;
        notes.notes = NULL;
        request.u.watch.events = request.u.watch.has_events = true;
        interrupt_catch();
        if (cli_connect(cli, err) < 0 || cli_connect(&notes, err) < 0)
                return -1;
        client_set_patience(cli->client, -1);
        client_set_patience(notes.client, -1);
        if (client_send(notes.client, &request, err) < 0)
                return -1;
        while (!interrupted()) {
                CLEANUP_WITH(msg_free) struct msg *note = client_next(notes.client, -1, NULL, err);

                if (!note && (err->code != ERR_RETRY_LATER || interrupted()))
                        return -1;
                if (!note) {
                        (void)poll(NULL, 0, ASK_AGAIN_MS);
                        if (client_send(notes.client, &request, err) < 0)
                                return -1;
                        continue;
                }
                while (print_news(cli, targets, &from, err) < 0) {
                        if (err->code != ERR_RETRY_LATER || interrupted())
                                return -1;
                        (void)poll(NULL, 0, ASK_AGAIN_MS);
                }
                fflush(stdout);
        }
        return err_set(err, ERR_RETRY_LATER, "interrupted");
}

static int run_follow(struct cli *cli)
{
        CLEANUP_PICKED struct picked_tasks picked = { 0 };
        struct err err = { 0 };

        if (cli->form != CLI_FORM_TEXT) {
                (void)err_set(&err, ERR_USAGE, "--follow prints JSON lines and nothing else");
                return cli_fail(cli, &err);
        }
        if (cli->opts->n_words && command_targets(cli, &picked, &err) < 0)
                return cli_fail(cli, &err);
        if (cli->opts->n_words && picked.targets.n == 0)
                return 0; /* an empty stdin: there is nothing to follow */
        (void)follow(cli, &picked.targets, &err);
        return interrupted() ? EXIT_INTERRUPTED : cli_fail(cli, &err);
}

/* All at once: the same look as following takes, once. */
static int print_all(struct cli *cli, const struct targets *targets)
{
        uint64_t from = (uint64_t)opts_number(cli->opts, "from", 0);
        struct err err = { 0 };

        return print_news(cli, targets, &from, &err) < 0 ? cli_fail(cli, &err) : cli_flush(cli, 0);
}

static int run(struct cli *cli)
{
        CLEANUP_PICKED struct picked_tasks picked = { 0 };
        struct listing *listings;
        struct err err = { 0 };
        int code;

        if (opts_flag(cli->opts, "follow"))
                return run_follow(cli);
        if (cli->opts->n_words > 0 && command_targets(cli, &picked, &err) < 0)
                return cli_fail(cli, &err);
        if (cli->form == CLI_FORM_TEXT)
                return cli->opts->n_words > 0 && picked.targets.n == 0 ? 0 : print_all(cli, &picked.targets);
        if (cli->opts->n_words == 0) {
                CLEANUP_LISTING struct listing all = listing_of(cli, LIST_KIND_EVENTS);

                return print_rows(cli, &all, 1);
        }
        listings = command_listings(cli, LIST_KIND_EVENTS, &picked.targets);
        code = print_rows(cli, listings, picked.targets.n);
        listings_free(listings, picked.targets.n);
        return code;
}

const struct command command_events = { "events", &program, run };
