/* jobctl stats: how much there is, how fast it goes, how long it waits. */
#include <inttypes.h>
#include <poll.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/command.h"
#include "cli/sheet.h"
#include "cli/stats.h"

#define EVERY_MS 1000

static const struct opt stats_options[] = {
        { .name = "interval",
          .parse = opt_duration,
          .arg = "T",
          .group = "What",
          .min = 100,
          .max = 3600000,
          .example = "5s",
          .help = "count for so long what starts and ends (default: 1s)" },
        { 0 },
};

static int interval_ms(const struct cli *cli)
{
        return (int)opts_number(cli->opts, "interval", EVERY_MS);
}

static void add_number(struct sheet *sheet, const char *name, const char *fmt, double value)
{
        CLEANUP_BUF struct buf text = { 0 };
        struct cell cells[2] = { { CELL_TEXT, name, strlen(name) }, { CELL_NUMBER, NULL, 0 } };

        if (*fmt == 'd')
                buf_addf(&text, "%.0f", value);
        else
                buf_addf(&text, "%.1f", value);
        cells[1].text = text.bytes;
        cells[1].n = text.n;
        sheet_row(sheet, cells);
}

static int print_stats(const struct cli *cli, const struct stats *a, const struct stats *b, struct err *err)
{
        static const char *const columns[] = { "name", "value" };
        CLEANUP_WITH(sheet_free) struct sheet *sheet = sheet_new(cli, "jobctl.stats/1", columns, 2, NULL);
        const struct {
                const char *name;
                uint64_t n;
        } counts[] = {
                { "workers", b->workers }, { "slots", b->slots },     { "slots_busy", b->slots_busy },
                { "jobs", b->jobs },       { "held", b->held },       { "waiting", b->waiting },
                { "queued", b->queued },   { "running", b->running },
        };

        for (size_t i = 0; i < ARRAY_LEN(counts); i++)
                add_number(sheet, counts[i].name, "d", (double)counts[i].n);
        add_number(sheet, "starts_per_s", "f", stats_rate(a->grants, b->grants, a, b));
        add_number(sheet, "ends_per_s", "f", stats_rate(a->ends, b->ends, a, b));
        add_number(sheet, "waiting_p50_s", "f", (double)b->waiting_p50_ms / 1000);
        add_number(sheet, "waiting_p95_s", "f", (double)b->waiting_p95_ms / 1000);
        return sheet_end(sheet, err);
}

static int run_stats(struct cli *cli)
{
        struct stats before, after;
        struct err err = { 0 };

        if (command_words(cli, 0, 0, &err) < 0 || stats_ask(cli, &before, &err) < 0)
                return cli_fail(cli, &err);
        (void)poll(NULL, 0, interval_ms(cli));
        if (stats_ask(cli, &after, &err) < 0 || print_stats(cli, &before, &after, &err) < 0)
                return cli_fail(cli, &err);
        return cli_flush(cli, 0);
}

PROGRAM(stats, "stats", "counts, rates, and how long tasks wait", stats_options, cli_query_options,
        "[options]", "jobctl stats", "jobctl stats --interval 10s", "jobctl stats --json");
