/* Drawing by ncurses. It keeps its own state of the terminal and sends only what has changed. */
#include "cli/top_screen.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "base/escape.h"
#include "base/xalloc.h"

#define NCURSES_NOMACROS /* words like erase and timeout stay functions */
#include <ncurses.h>
#include <term.h>

#define ESCAPE_MS 25 /* a lone Escape is told from the beginning of a key that sends several bytes */
#define WIDE_COLUMNS 100 /* below, what fewer people look at makes room for names */
#define HELP "q quit  arrows move  s/S sort  r reverse  / filter  u user  p pause"

struct top_screen {
        SCREEN *screen;
};

struct top_screen *top_screen_open(struct err *err)
{
        struct top_screen *screen = xcalloc(1, sizeof(*screen));
        const char *type = getenv("TERM");
        int known = 0;

        if (!setlocale(LC_CTYPE, "") || MB_CUR_MAX == 1)
                (void)setlocale(LC_CTYPE, "C.UTF-8");
        /* newterm would keep memory of a terminal that it does not know. */
        if (setupterm(NULL, STDOUT_FILENO, &known) == OK) {
                (void)del_curterm(cur_term);
                screen->screen = newterm(NULL, stdout, stdin);
        }
        if (!screen->screen) {
                free(screen);
                err_set(err, ERR_USAGE,
                        "top does not know the terminal type '%.40s'; example that works: TERM=xterm jobctl "
                        "top",
                        type ? type : "");
                return NULL;
        }
        (void)set_term(screen->screen);
        (void)set_escdelay(ESCAPE_MS);
        (void)cbreak();
        (void)noecho();
        (void)keypad(stdscr, TRUE);
        (void)curs_set(0);
        return screen;
}

void top_screen_close(struct top_screen *screen)
{
        if (!screen)
                return;
        (void)endwin();
        delscreen(screen->screen);
        free(screen);
}

int top_screen_key(struct top_screen *screen, int ms)
{
        static const struct {
                int theirs, ours;
        } keys[] = {
                { KEY_UP, TOP_KEY_UP },           { KEY_DOWN, TOP_KEY_DOWN },
                { KEY_PPAGE, TOP_KEY_PAGE_UP },   { KEY_NPAGE, TOP_KEY_PAGE_DOWN },
                { KEY_HOME, TOP_KEY_HOME },       { KEY_END, TOP_KEY_END },
                { KEY_LEFT, TOP_KEY_LEFT },       { KEY_RIGHT, TOP_KEY_RIGHT },
                { KEY_ENTER, TOP_KEY_ENTER },     { '\n', TOP_KEY_ENTER },
                { '\r', TOP_KEY_ENTER },          { 27, TOP_KEY_ESCAPE },
                { KEY_BACKSPACE, TOP_KEY_ERASE }, { 8, TOP_KEY_ERASE },
                { 127, TOP_KEY_ERASE },           { KEY_RESIZE, TOP_KEY_RESIZE },
        };
        int key;

        (void)screen;
        timeout(ms);
        key = getch();
        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
                if (keys[i].theirs == key)
                        return keys[i].ours;
        return key >= 0 && key < KEY_MIN ? key : TOP_KEY_NONE;
}

/* One line of the screen, cut to its width: a character may take two places. */
static void put_line(int row, const char *text, int attributes)
{
        mbstate_t state = { 0 };
        int width = 0;
        size_t at = 0, n = strlen(text);

        while (at < n) {
                wchar_t wide;
                size_t bytes = mbrtowc(&wide, text + at, n - at, &state);
                int places;

                if (bytes == 0 || bytes > n - at) /* no character of this locale: it goes byte by byte */
                        break;
                places = wcwidth(wide);
                if (places < 0 || width + places > COLS)
                        break;
                width += places;
                at += bytes;
        }
        (void)attrset(attributes);
        (void)mvaddnstr(row, 0, text, (int)at);
        if (attributes & (int)A_REVERSE)
                for (; width < COLS; width++)
                        (void)addch(' ');
        (void)attrset((int)A_NORMAL);
        if (!(attributes & (int)A_REVERSE) && width < COLS)
                (void)clrtoeol();
}

static void add_headings(const struct top_view *view, struct buf *line)
{
        for (size_t i = 0; i < TOP_COLUMNS; i++) {
                const struct top_column_form *form = &top_column_forms[i];
                CLEANUP_BUF struct buf heading = { 0 };

                if (form->wide && COLS < WIDE_COLUMNS)
                        continue;
                buf_add_str(&heading, form->heading);
                if (view->sort == i)
                        buf_add_char(&heading, view->falling ? '-' : '+');
                buf_addf(line, "%-*s ", form->width, heading.bytes);
        }
}

static void add_cells(const struct cell *cells, struct buf *line)
{
        for (size_t i = 0; i < TOP_COLUMNS; i++) {
                CLEANUP_BUF struct buf text = { 0 };

                if (top_column_forms[i].wide && COLS < WIDE_COLUMNS)
                        continue;
                escape_add_text(&text, cells[i].n ? cells[i].text : "", cells[i].n);
                buf_addf(line, "%-*s ", top_column_forms[i].width, text.n ? text.bytes : "");
        }
}

static void add_footer(const struct top_view *view, const char *note, struct buf *line)
{
        if (view->mode == TOP_USER) {
                buf_addf(line, "jobs of (all: everybody's; nothing: your own): %.*s_", (int)view->line.n,
                         view->line.n ? view->line.bytes : "");
        } else if (view->mode == TOP_FILTER) {
                buf_addf(line, "only lines with: %.*s_", (int)view->line.n,
                         view->line.n ? view->line.bytes : "");
        } else if (*note) {
                escape_add_text(line, note, strlen(note));
        } else {
                if (view->paused)
                        buf_add_str(line, "PAUSED  ");
                if (view->filter.n)
                        buf_addf(line, "[/%.*s]  ", (int)view->filter.n, view->filter.bytes);
                if (view->user.n)
                        buf_addf(line, "[user %.*s]  ", (int)view->user.n, view->user.bytes);
                if (view->more)
                        buf_addf(line, "[the first %zu jobs]  ", view->jobs.n);
                buf_add_str(line, HELP);
        }
}

void top_screen_draw(struct top_screen *screen, struct top_view *view, const struct buf *head,
                     const char *note)
{
        CLEANUP_BUF struct buf line = { 0 };
        int row = 0;

        (void)screen;
        (void)erase();
        for (const char *at = head->n ? head->bytes : ""; *at && row < LINES; row++) {
                size_t n = strcspn(at, "\n");

                buf_clear(&line);
                buf_add(&line, at, n);
                put_line(row, line.n ? line.bytes : "", (int)A_NORMAL);
                at += n + (at[n] == '\n');
        }
        view->height = LINES > row + 2 ? (size_t)(LINES - row - 2) : 1;
        top_settle(view);
        buf_clear(&line);
        add_headings(view, &line);
        if (row < LINES)
                put_line(row++, line.bytes, (int)A_BOLD);
        for (size_t i = view->first; i < view->n_shown && row < LINES - 1; i++) {
                buf_clear(&line);
                add_cells(top_cells(view, i), &line);
                put_line(row++, line.bytes, i == view->selected ? (int)A_REVERSE : (int)A_NORMAL);
        }
        buf_clear(&line);
        add_footer(view, note, &line);
        put_line(LINES - 1, line.n ? line.bytes : "", (int)A_DIM);
        (void)refresh();
}
