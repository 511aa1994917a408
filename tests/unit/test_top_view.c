/* Keys and lines of `jobctl top`, without a terminal. */
#include "cli/top_view.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static void add(struct rows *rows, const char *job, const char *owner, const char *running, const char *name)
{
        struct cell cells[TOP_COLUMNS];
        struct err err;

        for (size_t i = 0; i < TOP_COLUMNS; i++)
                cells[i] = (struct cell){ CELL_NUMBER, "0", 1 };
        cells[TOP_JOB] = (struct cell){ CELL_NUMBER, job, strlen(job) };
        cells[TOP_OWNER] = (struct cell){ CELL_TEXT, owner, strlen(owner) };
        cells[TOP_QUEUE] = (struct cell){ CELL_TEXT, "default", 7 };
        cells[TOP_STATUS] = (struct cell){ CELL_TEXT, "running", 7 };
        cells[TOP_RUNNING] = (struct cell){ CELL_NUMBER, running, strlen(running) };
        cells[TOP_NAME] = (struct cell){ name ? CELL_TEXT : CELL_NULL, name, name ? strlen(name) : 0 };
        CU_ASSERT_EQUAL(rows_add(rows, cells, TOP_COLUMNS, &err), 0);
}

static struct top_view view_of_three(void)
{
        struct top_view view;
        struct rows rows = { 0 };

        top_init(&view, NULL);
        view.height = 10;
        add(&rows, "9", "alice", "5", "Train");
        add(&rows, "10", "bob", "70", "pack");
        add(&rows, "11", "alice", "5", NULL);
        top_take(&view, &rows, false);
        CU_ASSERT_EQUAL(rows.n, 0);
        return view;
}

static const char *order(const struct top_view *view)
{
        static char text[64];
        size_t n = 0;

        text[0] = 0;
        for (size_t i = 0; i < view->n_shown; i++)
                n += (size_t)snprintf(text + n, sizeof(text) - n, "%s ", top_cells(view, i)[TOP_JOB].text);
        return text;
}

static void type(struct top_view *view, const char *keys)
{
        for (; *keys; keys++)
                (void)top_key(view, (unsigned char)*keys);
}

static void what_runs_most_comes_first(void)
{
        struct top_view view = view_of_three();

        CU_ASSERT_STRING_EQUAL(order(&view), "10 9 11 ");
        CU_ASSERT_EQUAL(top_key(&view, 'r'), TOP_DRAW);
        CU_ASSERT_STRING_EQUAL(order(&view), "9 11 10 ");
        top_done(&view);
}

static void columns_are_sorted_by_in_turn_and_back(void)
{
        struct top_view view = view_of_three();

        type(&view, "s");
        CU_ASSERT_EQUAL(view.sort, TOP_QUEUED);
        type(&view, "SSSSSS");
        CU_ASSERT_EQUAL(view.sort, TOP_JOB);
        CU_ASSERT_STRING_EQUAL(order(&view), "9 10 11 "); /* by value, not by letters */
        (void)top_key(&view, TOP_KEY_LEFT);
        CU_ASSERT_EQUAL(view.sort, TOP_NAME);
        CU_ASSERT_STRING_EQUAL(order(&view), "11 9 10 "); /* no name first */
        (void)top_key(&view, TOP_KEY_RIGHT);
        CU_ASSERT_EQUAL(view.sort, TOP_JOB);
        top_done(&view);
}

static void the_bar_stays_on_its_job(void)
{
        struct top_view view = view_of_three();
        struct rows rows = { 0 };

        (void)top_key(&view, TOP_KEY_DOWN);
        CU_ASSERT_STRING_EQUAL(top_cells(&view, view.selected)[TOP_JOB].text, "9");
        type(&view, "r");
        CU_ASSERT_STRING_EQUAL(top_cells(&view, view.selected)[TOP_JOB].text, "9");
        add(&rows, "9", "alice", "100", "Train");
        add(&rows, "12", "alice", "200", "new");
        top_take(&view, &rows, true);
        CU_ASSERT_STRING_EQUAL(top_cells(&view, view.selected)[TOP_JOB].text, "9");
        CU_ASSERT_TRUE(view.more);
        top_take(&view, &rows, false); /* nothing is left */
        CU_ASSERT_EQUAL(view.n_shown, 0);
        (void)top_key(&view, TOP_KEY_DOWN);
        CU_ASSERT_EQUAL(view.selected, 0);
        top_done(&view);
}

static void the_bar_stays_on_the_screen(void)
{
        struct top_view view;
        struct rows rows = { 0 };
        char job[16];

        top_init(&view, NULL);
        for (int i = 1; i <= 100; i++) {
                snprintf(job, sizeof(job), "%d", i);
                add(&rows, job, "alice", "0", "x");
        }
        top_take(&view, &rows, false);
        view.height = 20;
        top_settle(&view);
        (void)top_key(&view, TOP_KEY_END);
        CU_ASSERT_EQUAL(view.selected, 99);
        CU_ASSERT_EQUAL(view.first, 80);
        (void)top_key(&view, TOP_KEY_PAGE_UP);
        CU_ASSERT_EQUAL(view.selected, 79);
        CU_ASSERT_EQUAL(view.first, 79);
        view.height = 50; /* the window grew */
        top_settle(&view);
        CU_ASSERT_EQUAL(view.first, 50);
        (void)top_key(&view, TOP_KEY_HOME);
        (void)top_key(&view, TOP_KEY_UP);
        CU_ASSERT_EQUAL(view.selected, 0);
        (void)top_key(&view, TOP_KEY_PAGE_DOWN);
        CU_ASSERT_EQUAL(view.selected, 50);
        top_done(&view);
}

static void a_filter_acts_as_it_is_typed_and_goes_by_escape(void)
{
        struct top_view view = view_of_three();

        type(&view, "/tra");
        CU_ASSERT_EQUAL(view.mode, TOP_FILTER);
        CU_ASSERT_STRING_EQUAL(order(&view), "9 ");
        type(&view, "q"); /* a letter like any other */
        CU_ASSERT_STRING_EQUAL(order(&view), "");
        (void)top_key(&view, TOP_KEY_ERASE);
        CU_ASSERT_EQUAL(top_key(&view, TOP_KEY_ENTER), TOP_DRAW);
        CU_ASSERT_STRING_EQUAL(order(&view), "9 ");
        CU_ASSERT_EQUAL(view.mode, TOP_LOOK);
        (void)top_key(&view, TOP_KEY_ESCAPE);
        CU_ASSERT_STRING_EQUAL(order(&view), "10 9 11 ");
        type(&view, "/alice");
        (void)top_key(&view, TOP_KEY_ESCAPE);
        CU_ASSERT_STRING_EQUAL(order(&view), "10 9 11 ");
        top_done(&view);
}

static void erasing_takes_whole_characters(void)
{
        struct top_view view = view_of_three();

        type(&view, "/a\xc3\xa4");
        CU_ASSERT_EQUAL(view.line.n, 3);
        (void)top_key(&view, TOP_KEY_ERASE);
        CU_ASSERT_EQUAL(view.line.n, 1);
        (void)top_key(&view, TOP_KEY_ERASE);
        (void)top_key(&view, TOP_KEY_ERASE);
        CU_ASSERT_EQUAL(view.line.n, 0);
        top_done(&view);
}

static void a_person_is_named_and_asked_for(void)
{
        struct top_view view = view_of_three();

        type(&view, "ubob");
        CU_ASSERT_EQUAL(view.user.n, 0);
        CU_ASSERT_EQUAL(top_key(&view, TOP_KEY_ENTER), TOP_ASK);
        CU_ASSERT_STRING_EQUAL(view.user.bytes, "bob");
        type(&view, "uall");
        CU_ASSERT_EQUAL(top_key(&view, TOP_KEY_ESCAPE), TOP_DRAW);
        CU_ASSERT_STRING_EQUAL(view.user.bytes, "bob");
        type(&view, "u");
        CU_ASSERT_EQUAL(top_key(&view, TOP_KEY_ENTER), TOP_ASK); /* one's own again */
        CU_ASSERT_EQUAL(view.user.n, 0);
        top_done(&view);
}

static void a_pause_ends_with_a_look(void)
{
        struct top_view view = view_of_three();

        CU_ASSERT_EQUAL(top_key(&view, 'p'), TOP_DRAW);
        CU_ASSERT_TRUE(view.paused);
        CU_ASSERT_EQUAL(top_key(&view, 'p'), TOP_ASK);
        CU_ASSERT_EQUAL(top_key(&view, TOP_KEY_NONE), TOP_NOTHING);
        CU_ASSERT_EQUAL(top_key(&view, TOP_KEY_RESIZE), TOP_DRAW);
        CU_ASSERT_EQUAL(top_key(&view, 'q'), TOP_LEAVE);
        top_done(&view);
}

UNIT_MAIN("top_view", TEST(what_runs_most_comes_first), TEST(columns_are_sorted_by_in_turn_and_back),
          TEST(the_bar_stays_on_its_job), TEST(the_bar_stays_on_the_screen),
          TEST(a_filter_acts_as_it_is_typed_and_goes_by_escape), TEST(erasing_takes_whole_characters),
          TEST(a_person_is_named_and_asked_for), TEST(a_pause_ends_with_a_look))
