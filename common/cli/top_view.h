/* What `jobctl top` shows and how keys change it. Knows no terminal: top_screen.c draws it. */
#ifndef CLI_TOP_VIEW_H
#define CLI_TOP_VIEW_H

#include "cli/rows.h"

enum top_column {
        TOP_JOB,
        TOP_OWNER,
        TOP_QUEUE,
        TOP_STATUS,
        TOP_PRIORITY,
        TOP_RUNNING,
        TOP_QUEUED,
        TOP_WAITING,
        TOP_SUCCEEDED,
        TOP_FAILED,
        TOP_NAME,
        TOP_COLUMNS
};
struct top_column_form {
        const char *column; /* of the listing */
        const char *heading;
        int width; /* characters; the last column takes what is left */
        bool wide; /* only where there is room for it */
};
extern const struct top_column_form top_column_forms[TOP_COLUMNS];

/* A key is a character, or one of these. */
enum {
        TOP_KEY_NONE = -1,
        TOP_KEY_UP = 0x110000,
        TOP_KEY_DOWN,
        TOP_KEY_PAGE_UP,
        TOP_KEY_PAGE_DOWN,
        TOP_KEY_HOME,
        TOP_KEY_END,
        TOP_KEY_LEFT,
        TOP_KEY_RIGHT,
        TOP_KEY_ENTER,
        TOP_KEY_ESCAPE,
        TOP_KEY_ERASE,
        TOP_KEY_RESIZE
};

enum top_do { TOP_NOTHING, TOP_DRAW, TOP_ASK, TOP_LEAVE };
enum top_mode { TOP_LOOK, TOP_FILTER, TOP_USER }; /* the latter two: a line is being typed */

struct top_view {
        struct rows jobs; /* sorted; TOP_COLUMNS cells each */
        bool more; /* there are more than were asked for */
        size_t *shown; /* of jobs, those that the filter lets through */
        size_t n_shown;
        enum top_column sort;
        bool falling;
        enum top_mode mode;
        struct buf line; /* that is being typed */
        struct buf filter; /* n 0: none */
        struct buf user; /* n 0: one's own jobs */
        bool paused;
        size_t selected, first; /* of shown: the line under the bar, the first on the screen */
        size_t height; /* lines for jobs; set by who draws */
};

void top_init(struct top_view *view, const char *user); /* user: NULL for one's own */
void top_done(struct top_view *view);
/* New rows take the place of the old ones; the bar stays on its job. */
void top_take(struct top_view *view, struct rows *take_jobs, bool more);
/* A key was typed: what is to be done now. */
enum top_do top_key(struct top_view *view, int key);
/* After `height` has changed: the bar is on the screen again. */
void top_settle(struct top_view *view);
const struct cell *top_cells(const struct top_view *view, size_t shown); /* of a line */

#endif
