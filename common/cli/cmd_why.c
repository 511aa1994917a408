/* jobctl why: every reason why a job or task waits. */
#include <string.h>

#include "base/xalloc.h"
#include "cli/command.h"
#include "cli/sheet.h"

static const struct opt no_options[] = { { 0 } };
static const char *const examples[] = {
        "jobctl why last",
        "jobctl why 36.4",
        "jobctl why 36 --json",
        NULL,
};
static const char *const usage[] = { "ID[.N] [options]", NULL };
static const struct opt_program program = {
        .name = "jobctl why",
        .purpose = "say why a job or task does not run",
        .examples = examples,
        .usage = usage,
        .options = no_options,
        .common = cli_query_options,
};

/* ------------------------------------------------------------------ what the coordinator's memory does not hold */
static bool is(const struct cell *cell, const char *word)
{
        return cell->n == strlen(word) && !memcmp(cell->text, word, cell->n);
}

static void add_row(struct sheet *sheet, const char *reason, const struct buf *detail)
{
        const struct cell cells[2] = { { CELL_TEXT, reason, strlen(reason) },
                                       { CELL_TEXT, detail->n ? detail->bytes : "", detail->n } };

        sheet_row(sheet, cells);
}

static void add_cell(struct buf *text, const char *before, const struct cell *cell)
{
        if (cell->kind != CELL_NULL)
                buf_addf(text, "%s%.*s", before, (int)cell->n, cell->text);
}

/* How the task ended: "failed, exit-code, code 3, attempt 2, on w1" */
static int add_end(struct cli *cli, const struct target *target, struct sheet *sheet, struct err *err)
{
        static const struct {
                const char *column, *before;
        } parts[] = { { "status", "" },
                      { "reason", ", " },
                      { "exit_code", ", code " },
                      { "exit_signal", ", signal " },
                      { "attempt", ", attempt " },
                      { "worker", ", on " },
                      { "ended_at", ", at " } };
        CLEANUP_LISTING struct listing listing = listing_of(cli, LIST_KIND_TASKS);
        CLEANUP_BUF struct buf text = { 0 };
        const struct cell *cell;
        int more;

        listing.request.u.list.job = target->job;
        listing.request.u.list.has_job = true;
        listing.request.u.list.ranges = (struct range *)target->ranges;
        listing.request.u.list.n_ranges = target->n_ranges;
        more = listing_next(&listing, err);
        if (more <= 0)
                return more;
        for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
                if (listing_cell(&listing, parts[i].column, &cell, err) < 0)
                        return -1;
                add_cell(&text, parts[i].before, cell);
        }
        add_row(sheet, "ended", &text);
        return 0;
}

/* Who holds it, and why: the last such event; nothing for those who may not read events. */
static int add_holder(struct cli *cli, const struct target *target, struct sheet *sheet, struct err *err)
{
        CLEANUP_LISTING struct listing listing = listing_of(cli, LIST_KIND_EVENTS);
        CLEANUP_BUF struct buf text = { 0 };
        const struct cell *kind, *actor, *at, *detail;
        int more;

        listing.request.u.list.job = target->job;
        listing.request.u.list.has_job = true;
        while ((more = listing_next(&listing, err)) > 0) {
                if (listing_cell(&listing, "kind", &kind, err) < 0 ||
                    listing_cell(&listing, "actor", &actor, err) < 0 ||
                    listing_cell(&listing, "at", &at, err) < 0 ||
                    listing_cell(&listing, "detail", &detail, err) < 0)
                        return -1;
                if (!is(kind, "hold"))
                        continue;
                buf_clear(&text);
                add_cell(&text, "by ", actor);
                add_cell(&text, ", at ", at);
                add_cell(&text, ": ", detail);
        }
        if (more < 0)
                return err->code == ERR_FORBIDDEN || err->code == ERR_NOT_FOUND ? 0 : -1;
        if (text.n)
                add_row(sheet, "held-by", &text);
        return 0;
}

static int print_reasons(struct cli *cli, const struct target *target, struct listing *listing,
                         struct err *err)
{
        CLEANUP_WITH(sheet_free) struct sheet *sheet = NULL;
        bool held = false, ended = false;
        int more = listing_next(listing, err);

        if (more < 0)
                return -1;
        sheet = sheet_new(cli, "jobctl.why/1", listing->columns, listing->n_columns, NULL);
        for (; more > 0; more = listing_next(listing, err)) {
                held |= is(&listing->cells[0], "held");
                ended |= is(&listing->cells[0], "finished");
                sheet_row(sheet, listing->cells);
        }
        if (more < 0 || (held && add_holder(cli, target, sheet, err) < 0) ||
            (ended && target->ranges && add_end(cli, target, sheet, err) < 0))
                return -1;
        return sheet_end(sheet, err);
}

static int run(struct cli *cli)
{
        CLEANUP_PICKED struct picked_tasks picked = { 0 };
        CLEANUP_LISTING struct listing listing = { .cli = cli, .request = { .kind = MSG_why } };
        const struct target *target;
        struct err err = { 0 };

        if (command_targets(cli, &picked, &err) < 0)
                return cli_fail(cli, &err);
        target = &picked.targets.list[0];
        if (picked.targets.n != 1 || target->n_ranges > 1 ||
            (target->ranges && target->ranges[0].lo != target->ranges[0].hi)) {
                (void)err_set(&err, ERR_USAGE, "one job or one task at a time; example: jobctl why 36.4");
                return cli_fail(cli, &err);
        }
        listing.request.u.why.job = target->job;
        listing.request.u.why.has_job = true;
        if (target->ranges) {
                listing.request.u.why.index = target->ranges[0].lo;
                listing.request.u.why.has_index = true;
        }
        if (print_reasons(cli, target, &listing, &err) < 0)
                return cli_fail(cli, &err);
        return cli_flush(cli, 0);
}

const struct command command_why = { "why", &program, run };
