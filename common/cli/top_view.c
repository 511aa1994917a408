/* Rows, their order, the bar, the line being typed. */
#include "cli/top_view.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xalloc.h"

#define LINE_MAX_BYTES 64 /* a name of a person; as a filter enough */

const struct top_column_form top_column_forms[TOP_COLUMNS] = {
        [TOP_JOB] = { "job_id", "JOB", 6, false },
        [TOP_OWNER] = { "owner", "OWNER", 8, false },
        [TOP_QUEUE] = { "queue", "QUEUE", 10, true },
        [TOP_STATUS] = { "status", "STATUS", 9, false },
        [TOP_PRIORITY] = { "priority", "PRIO", 5, true },
        [TOP_RUNNING] = { "running", "RUNNING", 8, false },
        [TOP_QUEUED] = { "queued", "QUEUED", 7, false },
        [TOP_WAITING] = { "waiting", "WAITING", 8, false },
        [TOP_SUCCEEDED] = { "succeeded", "DONE", 6, false },
        [TOP_FAILED] = { "failed", "FAILED", 7, false },
        [TOP_NAME] = { "name", "NAME", 0, false },
};

void top_init(struct top_view *view, const char *user)
{
        *view = (struct top_view){ .sort = TOP_RUNNING, .falling = true, .height = 1 };
        if (user)
                buf_add_str(&view->user, user);
}

void top_done(struct top_view *view)
{
        rows_done(&view->jobs);
        xfree(view->shown);
        buf_done(&view->line);
        buf_done(&view->filter);
        buf_done(&view->user);
}

const struct cell *top_cells(const struct top_view *view, size_t shown)
{
        return view->jobs.list[view->shown[shown]];
}

static bool has_text(const struct cell *cell, const struct buf *text)
{
        for (size_t i = 0; i + text->n <= cell->n; i++)
                if (strncasecmp(cell->text + i, text->bytes, text->n) == 0)
                        return true;
        return false;
}

static bool passes(const struct top_view *view, const struct cell *cells)
{
        static const enum top_column searched[] = { TOP_JOB, TOP_OWNER, TOP_QUEUE, TOP_STATUS, TOP_NAME };

        for (size_t i = 0; view->filter.n && i < ARRAY_LEN(searched); i++)
                if (has_text(&cells[searched[i]], &view->filter))
                        return true;
        return view->filter.n == 0;
}

void top_settle(struct top_view *view)
{
        size_t height = MAX(view->height, 1);

        if (view->selected >= view->n_shown)
                view->selected = view->n_shown ? view->n_shown - 1 : 0;
        if (view->selected < view->first)
                view->first = view->selected;
        if (view->selected >= view->first + height)
                view->first = view->selected - height + 1;
        if (view->first + height > view->n_shown)
                view->first = view->n_shown > height ? view->n_shown - height : 0;
}

static bool same_text(const struct cell *a, const char *text, size_t n)
{
        return a->n == n && memcmp(a->text, text, n) == 0;
}

/* Sorted and filtered anew; the bar goes where its job went. */
static void arrange(struct top_view *view, const char *job, size_t n_job)
{
        rows_sort(&view->jobs, view->sort, view->falling);
        xfree(view->shown);
        view->shown = xcalloc(MAX(view->jobs.n, 1), sizeof(*view->shown));
        view->n_shown = 0;
        for (size_t i = 0; i < view->jobs.n; i++) {
                if (!passes(view, view->jobs.list[i]))
                        continue;
                if (job && same_text(&view->jobs.list[i][TOP_JOB], job, n_job))
                        view->selected = view->n_shown;
                view->shown[view->n_shown++] = i;
        }
        top_settle(view);
}

static void rearrange(struct top_view *view)
{
        CLEANUP_BUF struct buf job = { 0 };

        if (view->n_shown) {
                const struct cell *cell = &top_cells(view, view->selected)[TOP_JOB];

                buf_add(&job, cell->text, cell->n);
        }
        arrange(view, job.n ? job.bytes : NULL, job.n);
}

void top_take(struct top_view *view, struct rows *take_jobs, bool more)
{
        CLEANUP_BUF struct buf job = { 0 };

        if (view->n_shown) {
                const struct cell *cell = &top_cells(view, view->selected)[TOP_JOB];

                buf_add(&job, cell->text, cell->n);
        }
        rows_done(&view->jobs);
        view->jobs = *take_jobs;
        *take_jobs = (struct rows){ 0 };
        view->more = more;
        arrange(view, job.n ? job.bytes : NULL, job.n);
}

/* ------------------------------------------------------------------ keys */
static enum top_do end_line(struct top_view *view, bool keep)
{
        enum top_mode mode = view->mode;
        struct buf *into = mode == TOP_FILTER ? &view->filter : &view->user;

        view->mode = TOP_LOOK;
        if (!keep && mode == TOP_USER)
                return TOP_DRAW;
        buf_clear(into);
        if (keep)
                buf_add(into, view->line.bytes, view->line.n);
        if (mode == TOP_USER)
                return TOP_ASK;
        rearrange(view);
        return TOP_DRAW;
}

static enum top_do type(struct top_view *view, int key)
{
        if (key == TOP_KEY_ENTER || key == TOP_KEY_ESCAPE)
                return end_line(view, key == TOP_KEY_ENTER);
        if (key == TOP_KEY_ERASE) {
                while (view->line.n && ((unsigned char)view->line.bytes[--view->line.n] & 0xc0) == 0x80)
                        ;
        } else if (key >= ' ' && key < 0x100 && key != 0x7f && view->line.n < LINE_MAX_BYTES) {
                buf_add_char(&view->line, (char)key);
        } else {
                return TOP_NOTHING;
        }
        if (view->mode == TOP_FILTER) { /* it is seen at once */
                buf_clear(&view->filter);
                buf_add(&view->filter, view->line.bytes, view->line.n);
                rearrange(view);
        }
        return TOP_DRAW;
}

static void move_bar(struct top_view *view, int key)
{
        size_t last = view->n_shown ? view->n_shown - 1 : 0, page = MAX(view->height, 1);

        if (key == TOP_KEY_UP || key == 'k')
                view->selected -= view->selected > 0;
        else if (key == TOP_KEY_DOWN || key == 'j')
                view->selected += view->selected < last;
        else if (key == TOP_KEY_PAGE_UP)
                view->selected -= MIN(view->selected, page);
        else if (key == TOP_KEY_PAGE_DOWN || key == ' ')
                view->selected = MIN(last, view->selected + page);
        else if (key == TOP_KEY_HOME)
                view->selected = 0;
        else if (key == TOP_KEY_END)
                view->selected = last;
        top_settle(view);
}

/* Numbers are looked at from the largest, words from the first. */
static void sort_by(struct top_view *view, int column)
{
        view->sort = (enum top_column)((column + TOP_COLUMNS) % TOP_COLUMNS);
        view->falling = view->sort >= TOP_PRIORITY && view->sort <= TOP_FAILED;
        rearrange(view);
}

static enum top_do begin_line(struct top_view *view, enum top_mode mode)
{
        view->mode = mode;
        buf_clear(&view->line);
        return TOP_DRAW;
}

enum top_do top_key(struct top_view *view, int key)
{
        if (key == TOP_KEY_RESIZE)
                return TOP_DRAW;
        if (view->mode != TOP_LOOK)
                return type(view, key);
        switch (key) {
        case 'q':
        case 'Q':
                return TOP_LEAVE;
        case '/':
                return begin_line(view, TOP_FILTER);
        case 'u':
                return begin_line(view, TOP_USER);
        case 'p':
                view->paused = !view->paused;
                return view->paused ? TOP_DRAW : TOP_ASK;
        case 's':
        case TOP_KEY_RIGHT:
                sort_by(view, (int)view->sort + 1);
                return TOP_DRAW;
        case 'S':
        case TOP_KEY_LEFT:
                sort_by(view, (int)view->sort - 1);
                return TOP_DRAW;
        case 'r':
                view->falling = !view->falling;
                rearrange(view);
                return TOP_DRAW;
        case TOP_KEY_ESCAPE:
                buf_clear(&view->filter);
                rearrange(view);
                return TOP_DRAW;
        case TOP_KEY_NONE:
                return TOP_NOTHING;
        default:
                move_bar(view, key);
                return TOP_DRAW;
        }
}
