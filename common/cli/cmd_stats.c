/* jobctl stats and jobctl top: how much there is, how fast it goes, how long it waits. */
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/xalloc.h"
#include "cli/command.h"
#include "cli/sheet.h"
#include "cli/stats.h"

#define EVERY_MS 1000
#define JOBS_SHOWN 200 /* more than any screen has lines */

#define INTERVAL(heading, text)                                                                              \
        {                                                                                                    \
                .name = "interval", .parse = opt_duration, .arg = "T", .group = heading, .min = 100,         \
                .max = 3600000, .example = "5s", .help = text                                                \
        }
static const struct opt stats_options[] = {
        INTERVAL("What", "count for so long what starts and ends (default: 1s)"),
        { 0 },
};
static const struct opt top_options[] = {
        INTERVAL("Screen", "look so often (default: 1s)"),
        { .name = "user",
          .letter = 'u',
          .parse = opt_word,
          .arg = "USER",
          .help = "jobs of this person, or all: of everybody whose jobs you may see" },
        { 0 },
};

static int interval_ms(const struct cli *cli)
{
        return (int)opts_number(cli->opts, "interval", EVERY_MS);
}

/* ------------------------------------------------------------------ stats */
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

/* ------------------------------------------------------------------ top */
struct screen {
        struct termios before;
        int rows, columns;
};

static void screen_size(struct screen *screen)
{
        struct winsize size = { 0 };

        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
                size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
        screen->rows = size.ws_row;
        screen->columns = size.ws_col;
}

/* Keys come one by one and unseen; the screen that was there comes back at the end. */
static void screen_begin(struct screen *screen)
{
        struct termios raw;

        tcgetattr(STDIN_FILENO, &screen->before);
        raw = screen->before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
        fputs("\033[?1049h\033[?25l", stdout);
}

static void screen_end(const struct screen *screen)
{
        fputs("\033[?25h\033[?1049l", stdout);
        fflush(stdout);
        tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
}

/* A line of the screen: cut to its width, and to its rows. */
static void add_line(const struct screen *screen, struct buf *out, int *row, const char *text)
{
        size_t n = strlen(text);
        size_t width = 0, at = 0;

        if (*row >= screen->rows)
                return;
        for (; at < n && width < (size_t)screen->columns; at++)
                width += ((unsigned char)text[at] & 0xc0) != 0x80;
        while (at < n && ((unsigned char)text[at] & 0xc0) == 0x80)
                at++;
        buf_addf(out, "%s%.*s\033[K", *row ? "\n" : "\033[H", (int)at, text);
        (*row)++;
}

static void add_head(const struct screen *screen, const struct stats *a, const struct stats *b,
                     struct buf *out, int *row)
{
        CLEANUP_BUF struct buf line = { 0 };

        buf_addf(&line, "%" PRIu64 " workers, %" PRIu64 " of %" PRIu64 " slots busy%s", b->workers,
                 b->slots_busy, b->slots, b->database_ok ? "" : ", THE DATABASE DOES NOT ANSWER");
        add_line(screen, out, row, line.bytes);
        buf_clear(&line);
        buf_addf(&line,
                 "%" PRIu64 " jobs: %" PRIu64 " tasks running, %" PRIu64 " queued, %" PRIu64
                 " waiting, %" PRIu64 " held",
                 b->jobs, b->running, b->queued, b->waiting, b->held);
        add_line(screen, out, row, line.bytes);
        buf_clear(&line);
        buf_addf(&line, "%.1f starts/s, %.1f ends/s; from submission to start p50 %.1f s, p95 %.1f s",
                 stats_rate(a->grants, b->grants, a, b), stats_rate(a->ends, b->ends, a, b),
                 (double)b->waiting_p50_ms / 1000, (double)b->waiting_p95_ms / 1000);
        add_line(screen, out, row, line.bytes);
        add_line(screen, out, row, "");
}

static int add_job(const struct screen *screen, const struct listing *listing, struct buf *out, int *row,
                   struct err *err)
{
        static const char *const columns[] = { "job_id",  "owner",     "status", "running", "queued",
                                               "waiting", "succeeded", "failed", "name" };
        static const int widths[] = { 9, 12, 10, 9, 9, 9, 10, 8, 0 };
        CLEANUP_BUF struct buf line = { 0 };

        for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
                CLEANUP_BUF struct buf text = { 0 };
                const struct cell *cell;

                if (listing_cell(listing, columns[i], &cell, err) < 0)
                        return -1;
                escape_add_text(&text, cell->n ? cell->text : "", cell->n);
                buf_addf(&line, "%-*s ", widths[i], text.n ? text.bytes : "");
        }
        add_line(screen, out, row, line.bytes);
        return 0;
}

static int add_jobs(struct cli *cli, const struct screen *screen, struct buf *out, int *row, struct err *err)
{
        static const char *const unfinished[] = { "held", "waiting", "queued", "running" };
        CLEANUP_LISTING struct listing listing = listing_of(cli, LIST_KIND_JOBS);
        struct msg_list *list = &listing.request.u.list;
        int more = 0;

        list->statuses = (const char **)unfinished;
        list->n_statuses = ARRAY_LEN(unfinished);
        list->limit = JOBS_SHOWN;
        list->has_limit = true;
        if ((list->user = opts_text(cli->opts, "user")))
                list->n_user = strlen(list->user);
        add_line(screen, out, row,
                 "JOB       OWNER        STATUS     RUNNING   QUEUED    WAITING   SUCCEEDED  FAILED   NAME");
        while (*row < screen->rows && (more = listing_next(&listing, err)) > 0)
                if (add_job(screen, &listing, out, row, err) < 0)
                        return -1;
        return more < 0 ? -1 : 0;
}

static int draw(struct cli *cli, struct screen *screen, struct stats *last, struct err *err)
{
        CLEANUP_BUF struct buf out = { 0 };
        struct stats now;
        int row = 0;

        if (stats_ask(cli, &now, err) < 0)
                return -1;
        screen_size(screen);
        add_head(screen, last->at_us ? last : &now, &now, &out, &row);
        if (add_jobs(cli, screen, &out, &row, err) < 0)
                return -1;
        buf_add_str(&out, "\033[J");
        *last = now;
        if (cli_write(out.bytes, out.n, err) < 0)
                return -1;
        fflush(stdout);
        return 0;
}

/* True: q was typed, or the terminal is gone. */
static bool wants_to_end(int ms)
{
        struct pollfd key = { .fd = STDIN_FILENO, .events = POLLIN };
        char c;

        if (poll(&key, 1, ms) <= 0)
                return interrupted();
        return read(STDIN_FILENO, &c, 1) <= 0 || c == 'q' || c == 'Q';
}

static int run_top(struct cli *cli)
{
        struct screen screen = { 0 };
        struct stats last = { 0 };
        struct err err = { 0 };
        int rc;

        if (command_words(cli, 0, 0, &err) < 0)
                return cli_fail(cli, &err);
        if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO) || cli->form != CLI_FORM_TEXT) {
                (void)err_set(&err, ERR_USAGE, "top needs a terminal; without one: jobctl stats");
                return cli_fail(cli, &err);
        }
        if (cli_connect(cli, &err) < 0)
                return cli_fail(cli, &err);
        interrupt_catch();
        screen_begin(&screen);
        while ((rc = draw(cli, &screen, &last, &err)) == 0 || err.code == ERR_RETRY_LATER)
                if (interrupted() || wants_to_end(interval_ms(cli)))
                        break;
        screen_end(&screen);
        return rc < 0 && err.code != ERR_RETRY_LATER ? cli_fail(cli, &err) : cli_flush(cli, 0);
}

PROGRAM(stats, "stats", "counts, rates, and how long tasks wait", stats_options, cli_query_options,
        "[options]", "jobctl stats", "jobctl stats --interval 10s", "jobctl stats --json");
PROGRAM(top, "top", "what goes on, on the whole screen; q ends it", top_options, cli_common_options,
        "[options]", "jobctl top", "jobctl top -u all", "jobctl top --interval 5s");
