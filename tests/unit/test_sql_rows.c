/* What `mariadb --xml` prints, read back (cli/sql_rows.h). The texts below were printed by MariaDB 10.11. */
#include <stdio.h>
#include <string.h>

#include "cli/sql_rows.h"
#include "unit.h"

#define HEAD                                                                                                 \
        "<?xml version=\"1.0\"?>\n\n<resultset statement=\"select 1 &lt; 2\" "                               \
        "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n"

static struct sql_rows open_text(const char *text)
{
        struct sql_rows rows = { .in = fmemopen((void *)text, strlen(text), "r") };

        CU_ASSERT_PTR_NOT_NULL_FATAL(rows.in);
        return rows;
}

static void close_text(struct sql_rows *rows)
{
        fclose(rows->in);
        sql_rows_done(rows);
}

static bool is(const struct cell *cell, const char *text)
{
        return cell->kind == CELL_TEXT && cell->n == strlen(text) && memcmp(cell->text, text, cell->n) == 0;
}

static void null_and_the_text_null_differ(void)
{
        struct sql_rows rows = open_text(
                HEAD "  <row>\n\t<field name=\"a\" xsi:nil=\"true\" />\n\t<field name=\"b\">NULL</field>\n"
                     "\t<field name=\"c\"></field>\n  </row>\n</resultset>\n");
        struct err err = { 0 };

        CU_ASSERT_EQUAL_FATAL(sql_rows_next(&rows, &err), 1);
        CU_ASSERT_EQUAL_FATAL(rows.n, 3);
        CU_ASSERT_STRING_EQUAL(rows.names[1], "b");
        CU_ASSERT_EQUAL(rows.cells[0].kind, CELL_NULL);
        CU_ASSERT(is(&rows.cells[1], "NULL"));
        CU_ASSERT(is(&rows.cells[2], ""));
        CU_ASSERT_EQUAL(sql_rows_next(&rows, &err), 0);
        close_text(&rows);
}

static void text_keeps_every_byte(void)
{
        struct sql_rows rows = open_text(
                HEAD "  <row>\n\t<field name=\"x &lt; y\">a&lt;b&amp;lt;&quot;\n&gt;c</field>\n  </row>\n"
                     "  <row>\n\t<field name=\"x &lt; y\">/row&gt;</field>\n  </row>\n</resultset>\n");
        struct err err = { 0 };

        CU_ASSERT_EQUAL_FATAL(sql_rows_next(&rows, &err), 1);
        CU_ASSERT_STRING_EQUAL(rows.names[0], "x < y");
        CU_ASSERT(is(&rows.cells[0], "a<b&lt;\"\n>c"));
        CU_ASSERT_EQUAL_FATAL(sql_rows_next(&rows, &err), 1);
        CU_ASSERT(is(&rows.cells[0], "/row>"));
        close_text(&rows);
}

static void an_empty_result_has_no_rows(void)
{
        struct sql_rows rows = open_text(HEAD "</resultset>\n");
        struct err err = { 0 };

        CU_ASSERT_EQUAL(sql_rows_next(&rows, &err), 0);
        close_text(&rows);
}

static void a_second_result_is_refused(void)
{
        struct sql_rows rows = open_text(HEAD "</resultset>\n" HEAD "</resultset>\n");
        struct err err = { 0 };

        CU_ASSERT_EQUAL(sql_rows_next(&rows, &err), -1);
        CU_ASSERT_EQUAL(err.code, ERR_BAD_DATA);
        close_text(&rows);
}

static void a_text_that_breaks_off_is_an_error(void)
{
        static const char *const texts[] = { HEAD "  <row>\n\t<field name=\"a\">x",
                                             HEAD "  <row>\n\t<field name=\"a",
                                             HEAD "  <row>\n\t<field name=\"a>x</field>" };

        for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
                struct sql_rows rows = open_text(texts[i]);
                struct err err = { 0 };

                CU_ASSERT_EQUAL(sql_rows_next(&rows, &err), -1);
                close_text(&rows);
        }
}

UNIT_MAIN("sql_rows", TEST(null_and_the_text_null_differ), TEST(text_keeps_every_byte),
          TEST(an_empty_result_has_no_rows), TEST(a_second_result_is_refused),
          TEST(a_text_that_breaks_off_is_an_error))
