/* jobctl show: one job: its row, its description, its last events. */
#include <inttypes.h>
#include <string.h>

#include "base/escape.h"
#include "base/xalloc.h"
#include "cli/command.h"
#include "cli/rows.h"
#include "cli/sheet.h"
#include "proto/json_pretty.h"

#define EVENTS_SHOWN 10
#define PROGRESS_SHOWN 20 /* tasks */

static const struct opt no_options[] = { { 0 } };
static const char *const examples[] = {
        "jobctl show last",
        "jobctl show 36 --json",
        "jobctl show @train",
        NULL,
};
static const char *const usage[] = { "SEL [options]", NULL };
static const struct opt_program program = {
        .name = "jobctl show",
        .purpose = "show a job: counts, description, last events",
        .examples = examples,
        .usage = usage,
        .options = no_options,
        .common = cli_query_options,
};

static void add_row_json(const struct listing *listing, const struct cell *cells, struct buf *out)
{
        for (size_t i = 0; i < listing->n_columns; i++) {
                buf_addf(out, "%s\"%s\":", i ? "," : "", listing->columns[i]);
                cell_add_json(out, &cells[i], false);
        }
}

static void add_row_text(const struct listing *listing, const struct cell *cells, struct buf *out)
{
        for (size_t i = 0; i < listing->n_columns; i++) {
                if (cells[i].kind == CELL_NULL)
                        continue;
                buf_addf(out, "%-14s", listing->columns[i]);
                escape_add_text(out, cells[i].text, cells[i].n);
                buf_add_char(out, '\n');
        }
}

static void add_spec_text(const struct cell *spec, struct buf *out)
{
        CLEANUP_BUF struct buf pretty = { 0 };
        const char *line, *end;

        json_pretty_add(&pretty, spec->text, spec->n, 14);
        buf_addf(out, "%-14s", "spec");
        for (line = pretty.bytes; (end = strchr(line, '\n')); line = end + 1) {
                escape_add_text(out, line, (size_t)(end - line));
                buf_add_char(out, '\n');
        }
        escape_add_text(out, line, strlen(line));
        buf_add_char(out, '\n');
}

/* The description as recorded; only who may read the job's data sees it. */
static int add_spec(struct cli *cli, uint64_t job, struct buf *out, struct err *err)
{
        CLEANUP_LISTING struct listing listing = listing_of(cli, LIST_KIND_SPEC);
        const struct cell *spec;
        int more;

        listing.request.u.list.job = job;
        listing.request.u.list.has_job = true;
        more = listing_next(&listing, err);
        if (more < 0 && (err->code == ERR_FORBIDDEN || err->code == ERR_NOT_FOUND))
                more = 0;
        if (more < 0)
                return -1;
        if (!more || listing_cell(&listing, "spec", &spec, err) < 0 || spec->kind == CELL_NULL) {
                if (cli->form == CLI_FORM_JSON)
                        buf_add_str(out, ",\"spec\":null");
                return 0;
        }
        if (cli->form == CLI_FORM_JSON) {
                buf_add_str(out, ",\"spec\":");
                buf_add(out, spec->text, spec->n);
                return 0;
        }
        add_spec_text(spec, out);
        return 0;
}

static void add_event(const struct listing *listing, const struct cell *cells, bool json, bool first,
                      struct buf *out)
{
        static const char *const shown[] = { "at", "kind", "actor", "task_index", "detail" };

        if (json) {
                buf_add_str(out, first ? "\n{" : ",\n{");
                add_row_json(listing, cells, out);
                buf_add_char(out, '}');
                return;
        }
        buf_add_str(out, " ");
        for (size_t k = 0; k < ARRAY_LEN(shown); k++)
                for (size_t i = 0; i < listing->n_columns; i++)
                        if (strcmp(listing->columns[i], shown[k]) == 0 && cells[i].kind != CELL_NULL) {
                                buf_add_str(out, " ");
                                escape_add_text(out, cells[i].text, cells[i].n);
                        }
        buf_add_char(out, '\n');
}

/* "  4  3/10  {"loss":0.3}" */
static void add_said(const struct listing *listing, bool json, bool first, struct buf *out)
{
        struct err err;
        const struct cell *index, *done, *total, *report;

        if (json) {
                buf_add_str(out, first ? "\n{" : ",\n{");
                add_row_json(listing, listing->cells, out);
                buf_add_char(out, '}');
                return;
        }
        if (listing_cell(listing, "task_index", &index, &err) < 0 ||
            listing_cell(listing, "done", &done, &err) < 0 ||
            listing_cell(listing, "total", &total, &err) < 0 ||
            listing_cell(listing, "report", &report, &err) < 0)
                return;
        buf_addf(out, "  %.*s ", (int)index->n, index->text);
        if (done->kind != CELL_NULL)
                buf_addf(out, " %.*s", (int)done->n, done->text);
        if (total->kind != CELL_NULL)
                buf_addf(out, "/%.*s", (int)total->n, total->text);
        if (report->kind != CELL_NULL) {
                buf_add_str(out, "  ");
                escape_add_text(out, report->text, report->n);
        }
        buf_add_char(out, '\n');
}

static int add_events(struct cli *cli, uint64_t job, struct buf *out, struct err *err)
{
        CLEANUP_LISTING struct listing listing = listing_of(cli, LIST_KIND_EVENTS);
        CLEANUP_ROWS struct rows rows = { 0 };
        bool json = cli->form == CLI_FORM_JSON;
        size_t from;
        int more;

        listing.request.u.list.job = job;
        listing.request.u.list.has_job = true;
        while ((more = listing_next(&listing, err)) > 0)
                if (rows_add(&rows, listing.cells, listing.n_columns, err) < 0)
                        return -1;
        if (more < 0 && err->code != ERR_FORBIDDEN && err->code != ERR_NOT_FOUND)
                return -1;
        from = rows.n > EVENTS_SHOWN ? rows.n - EVENTS_SHOWN : 0;
        buf_add_str(out, json ? ",\"events\":[" : rows.n ? "events\n" : "");
        for (size_t i = from; i < rows.n; i++)
                add_event(&listing, rows.list[i], json, i == from, out);
        if (json)
                buf_add_char(out, ']');
        return 0;
}

/* What its running tasks say of themselves: in JSON of all tasks that said something, for people of those that run. */
static int add_progress(struct cli *cli, uint64_t job, struct buf *out, struct err *err)
{
        const char *running[] = { "running" };
        CLEANUP_LISTING struct listing listing = listing_of(cli, LIST_KIND_PROGRESS);
        bool json = cli->form == CLI_FORM_JSON;
        int more;

        listing.request.u.list.job = job;
        listing.request.u.list.has_job = true;
        listing.request.u.list.statuses = running;
        listing.request.u.list.n_statuses = json ? 0 : 1;
        listing.request.u.list.limit = PROGRESS_SHOWN;
        listing.request.u.list.has_limit = !json;
        if (json)
                buf_add_str(out, ",\"progress\":[");
        for (size_t n = 0; (more = listing_next(&listing, err)) > 0 && (json || n < PROGRESS_SHOWN); n++) {
                if (!json && n == 0)
                        buf_add_str(out, "progress\n");
                add_said(&listing, json, n == 0, out);
        }
        if (json)
                buf_add_char(out, ']');
        return more < 0 && err->code != ERR_FORBIDDEN && err->code != ERR_NOT_FOUND ? -1 : 0;
}

static int show_job(struct cli *cli, uint64_t job, bool first, struct buf *out, struct err *err)
{
        CLEANUP_LISTING struct listing listing = listing_of(cli, LIST_KIND_JOBS);
        bool json = cli->form == CLI_FORM_JSON;
        int more;

        listing.request.u.list.job = job;
        listing.request.u.list.has_job = true;
        more = listing_next(&listing, err);
        if (more <= 0)
                return more < 0 ? -1
                                : err_set(err, ERR_NOT_FOUND,
                                          "there is no job %" PRIu64 ", or it is not yours", job);
        if (!first)
                buf_add_str(out, json ? "," : "\n");
        if (json)
                buf_add_str(out, "\n{");
        (json ? add_row_json : add_row_text)(&listing, listing.cells, out);
        if (add_spec(cli, job, out, err) < 0 || add_progress(cli, job, out, err) < 0 ||
            add_events(cli, job, out, err) < 0)
                return -1;
        if (json)
                buf_add_char(out, '}');
        return 0;
}

/* One line a job: what a description or an event is has no columns. */
static int print_csv(struct cli *cli, const struct targets *targets)
{
        static const struct print print = { .schema = "jobctl.show/1" };
        struct listing *listings = command_listings(cli, LIST_KIND_JOBS, targets);
        int code = command_print(cli, &print, listings, targets->n);

        listings_free(listings, targets->n);
        return code;
}

static int run(struct cli *cli)
{
        CLEANUP_PICKED struct picked_tasks picked = { 0 };
        CLEANUP_BUF struct buf out = { 0 };
        struct err err = { 0 };

        if (command_targets(cli, &picked, &err) < 0)
                return cli_fail(cli, &err);
        if (cli->form == CLI_FORM_CSV)
                return print_csv(cli, &picked.targets);
        if (cli->form == CLI_FORM_JSON)
                buf_add_str(&out, "{\"schema\":\"jobctl.show/1\",\"rows\":[");
        for (size_t i = 0; i < picked.targets.n; i++) {
                if (show_job(cli, picked.targets.list[i].job, i == 0, &out, &err) < 0 ||
                    cli_write(out.bytes, out.n, &err) < 0)
                        return cli_fail(cli, &err);
                buf_clear(&out);
        }
        if (cli->form == CLI_FORM_JSON)
                printf("%s]}\n", out.n > 0 ? out.bytes : ""); /* its beginning, where there is no job */
        return cli_flush(cli, 0);
}

const struct command command_show = { "show", &program, run };
