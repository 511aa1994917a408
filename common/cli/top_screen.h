/* The screen of `jobctl top`: the one place that knows the terminal. */
#ifndef CLI_TOP_SCREEN_H
#define CLI_TOP_SCREEN_H

#include "cli/top_view.h"

struct top_screen;
/* The terminal becomes ours until top_screen_close, which every way out has to call. USAGE: its type is not known. */
struct top_screen *top_screen_open(struct err *err) MUST_CHECK;
void top_screen_close(struct top_screen *screen); /* as it was before; NULL is fine */
DEFINE_CLEANUP(struct top_screen, top_screen_close)

/* The next key, as top_view.h names them; TOP_KEY_NONE after `ms`, or when a signal came. */
int top_screen_key(struct top_screen *screen, int ms);
/* head: lines above the jobs. note: what is wrong; empty for nothing. Sets the view's height. */
void top_screen_draw(struct top_screen *screen, struct top_view *view, const struct buf *head,
                     const char *note);

#endif
