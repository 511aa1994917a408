/* jobctl top: what goes on, on the whole screen. Asks, hands to the view, draws; knows neither keys nor the terminal. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "cli/command.h"
#include "cli/stats.h"
#include "cli/top_screen.h"

#define EVERY_MS 1000
#define JOBS_ASKED 2000 /* two messages; who has more unfinished jobs filters by --user, or asks by SQL */
#define TICK_MS 200 /* so often at least it is looked whether a signal has come */

static const struct opt options[] = {
        { .name = "interval",
          .parse = opt_duration,
          .arg = "T",
          .group = "Screen",
          .min = 100,
          .max = 3600000,
          .example = "5s",
          .help = "look so often (default: 1s)" },
        { .name = "user",
          .letter = 'u',
          .parse = opt_name,
          .arg = "USER",
          .help = "jobs of this person, or all: of everybody whose jobs you may see" },
        { 0 },
};

struct top {
        struct cli *cli;
        struct top_view view;
        struct stats before, now;
        struct buf head;
        struct err err; /* why the last question had no answer; code OK: it had */
        int64_t asked_us; /* mono */
};

/* ------------------------------------------------------------------ asking */
static int take_row(struct rows *rows, const struct listing *listing, struct err *err)
{
        struct cell cells[TOP_COLUMNS];

        for (size_t i = 0; i < TOP_COLUMNS; i++) {
                const struct cell *cell;

                if (listing_cell(listing, top_column_forms[i].column, &cell, err) < 0)
                        return -1;
                cells[i] = *cell;
        }
        return rows_add(rows, cells, TOP_COLUMNS, err);
}

static int ask_jobs(struct top *top, struct err *err)
{
        static const char *const unfinished[] = { "held", "waiting", "queued", "running" };
        CLEANUP_LISTING struct listing listing = listing_of(top->cli, LIST_KIND_JOBS);
        CLEANUP_ROWS struct rows rows = { 0 };
        struct msg_list *list = &listing.request.u.list;
        int more = 0;

        list->statuses = (const char **)unfinished;
        list->n_statuses = ARRAY_LEN(unfinished);
        if (top->view.user.n) {
                list->user = top->view.user.bytes;
                list->n_user = top->view.user.n;
        }
        while (rows.n < JOBS_ASKED && (more = listing_next(&listing, err)) > 0)
                if (take_row(&rows, &listing, err) < 0)
                        return -1;
        if (more < 0)
                return -1;
        top_take(&top->view, &rows, more > 0);
        return 0;
}

static void write_head(struct top *top)
{
        const struct stats *a = top->before.at_us ? &top->before : &top->now, *b = &top->now;
        struct buf *head = &top->head;

        buf_clear(head);
        buf_addf(head, "%" PRIu64 " workers, %" PRIu64 " of %" PRIu64 " slots busy%s\n", b->workers,
                 b->slots_busy, b->slots, b->database_ok ? "" : ", THE DATABASE DOES NOT ANSWER");
        buf_addf(head,
                 "%" PRIu64 " jobs: %" PRIu64 " tasks running, %" PRIu64 " queued, %" PRIu64
                 " waiting, %" PRIu64 " held\n",
                 b->jobs, b->running, b->queued, b->waiting, b->held);
        buf_addf(head, "%.1f starts/s, %.1f ends/s; from submission to start p50 %.1f s, p95 %.1f s\n \n",
                 stats_rate(a->grants, b->grants, a, b), stats_rate(a->ends, b->ends, a, b),
                 (double)b->waiting_p50_ms / 1000, (double)b->waiting_p95_ms / 1000);
}

/* Whether the answer is worth staying for: one that says "later", or a person who is not there, is shown and asked
 * again. */
static int ask(struct top *top)
{
        struct stats now;

        top->err = (struct err){ 0 };
        top->asked_us = clock_mono_us();
        if (stats_ask(top->cli, &now, &top->err) == 0 && ask_jobs(top, &top->err) == 0) {
                top->before = top->now;
                top->now = now;
                write_head(top);
                return 0;
        }
        return top->err.code == ERR_RETRY_LATER || top->err.code == ERR_NOT_FOUND ||
                               top->err.code == ERR_BAD_FIELD
                       ? 0
                       : -1;
}

/* ------------------------------------------------------------------ the loop */
static int ms_to_wait(const struct top *top)
{
        int64_t every_us = opts_number(top->cli->opts, "interval", EVERY_MS) * US_PER_MS;
        int64_t left_us = top->asked_us + every_us - clock_mono_us();

        if (top->view.paused)
                return TICK_MS;
        return left_us <= 0 ? 0 : (int)MIN(left_us / US_PER_MS + 1, TICK_MS);
}

static bool is_due(const struct top *top)
{
        int64_t every_us = opts_number(top->cli->opts, "interval", EVERY_MS) * US_PER_MS;

        return !top->view.paused && clock_mono_us() - top->asked_us >= every_us;
}

/* 0: somebody wants to leave; -1: top->err says why it cannot go on. */
static int look(struct top *top, struct top_screen *screen)
{
        while (!interrupted()) {
                enum top_do what = top_key(&top->view, top_screen_key(screen, ms_to_wait(top)));

                if (what == TOP_LEAVE)
                        return 0;
                if ((what == TOP_ASK || is_due(top)) && ask(top) < 0)
                        return -1;
                if (what == TOP_NOTHING && top->asked_us + TICK_MS * US_PER_MS < clock_mono_us())
                        continue;
                top_screen_draw(screen, &top->view, &top->head, top->err.code == ERR_OK ? "" : top->err.text);
        }
        return 0;
}

static int show(struct top *top)
{
        struct top_screen *screen;
        int rc;

        screen = top_screen_open(&top->err);
        if (!screen)
                return -1;
        top_screen_draw(screen, &top->view, &top->head, top->err.code == ERR_OK ? "" : top->err.text);
        rc = look(top, screen);
        top_screen_close(screen);
        return rc;
}

static int run_top(struct cli *cli)
{
        struct top top = { .cli = cli };
        struct err err = { 0 };
        int rc;

        if (command_words(cli, 0, 0, &err) < 0)
                return cli_fail(cli, &err);
        if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO) || cli->form != CLI_FORM_TEXT) {
                (void)err_set(&err, ERR_USAGE, "top needs a terminal; without one: jobctl stats");
                return cli_fail(cli, &err);
        }
        top_init(&top.view, opts_text(cli->opts, "user"));
        interrupt_catch();
        interrupt_catch_also(SIGHUP);
        interrupt_catch_also(SIGQUIT);
        rc = ask(&top); /* before the screen is taken: an error is an ordinary one */
        if (rc == 0)
                rc = show(&top);
        err = top.err;
        top_done(&top.view);
        buf_done(&top.head);
        if (rc < 0 && !interrupted())
                return cli_fail(cli, &err);
        return interrupted() ? EXIT_INTERRUPTED : cli_flush(cli, 0);
}

static const char *const examples[] = { "jobctl top", "jobctl top -u all", "jobctl top --interval 5s", NULL };
static const char *const usage[] = { "[options]", NULL };
static const struct opt_program program = {
        .name = "jobctl top",
        .purpose = "what goes on, on the whole screen; q ends it",
        .examples = examples,
        .usage = usage,
        .options = options,
        .common = cli_common_options,
        .notes = "Keys: q leaves; arrows, Page Up and Down, Home and End move; s and S (or right and left) "
                 "choose the\n"
                 "column to sort by, r turns the order; / shows only lines with a text, Escape all again; u "
                 "asks for\n"
                 "a person (all: everybody whose jobs you may see; nothing: yourself); p pauses.",
};

const struct command command_top = { "top", &program, run_top };
