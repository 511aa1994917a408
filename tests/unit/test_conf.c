/* `name = value` files: every line is given or refused with its number. */
#include "base/conf.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "tests/unit/unit.h"

/* All lines as "N name=value;", or the error. */
static void read_all(const char *text, size_t n, struct buf *out)
{
        CLEANUP_CONF struct conf conf = { 0 };
        struct conf_line line;
        struct err err = { 0 };
        int more;

        buf_clear(out);
        buf_add_str(out, "");
        conf_from_text(&conf, "F", text, n);
        while ((more = conf_next(&conf, &line, &err)) > 0)
                buf_addf(out, "%u %s=%s;", line.line, line.name, line.value);
        if (more < 0) {
                CU_ASSERT_EQUAL(err.code, ERR_CONFIG);
                buf_add_str(out, err.text);
        }
}

static void gives(const char *text, const char *want)
{
        CLEANUP_BUF struct buf out = { 0 };

        read_all(text, strlen(text), &out);
        CU_ASSERT_STRING_EQUAL(out.bytes, want);
        if (strcmp(out.bytes, want) != 0)
                fprintf(stderr, "got: %s\n", out.bytes);
}

static void lines_are_given_in_order_with_their_numbers(void)
{
        gives("a = 1\n\n# comment = x\n  b=2 3 \n\tc-9\t=\t\n", "1 a=1;4 b=2 3;5 c-9=;");
        gives("a = 1", "1 a=1;");
        gives("a = b = c # d\n", "1 a=b = c # d;");
        gives("a = x\r\nb = y\r\n", "1 a=x;2 b=y;");
        gives("  # indented comment\n", "");
        gives("", "");
        gives("\n\n\n", "");
        gives("a = gr\xc3\xbc\xc3\x9f\n", "1 a=gr\xc3\xbc\xc3\x9f;");
}

static void line_without_equals_is_refused_with_its_number(void)
{
        gives("a = 1\nhello\nb = 2\n", "1 a=1;F:2: no `name = value` line");
        gives("\xef\xbb\xbf"
              "a = 1\n",
              "F:1: the name before `=` is none (small letters, digits and -)");
}

static void bad_names_are_refused(void)
{
        static const char *const bad[] = { "= 1\n",    "A = 1\n",  "a b = 1\n", "a_b = 1\n",
                                           "9a = 1\n", "-a = 1\n", "a. = 1\n" };

        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                gives(bad[i], "F:1: the name before `=` is none (small letters, digits and -)");
}

static void control_characters_and_nul_are_refused(void)
{
        CLEANUP_BUF struct buf out = { 0 };

        gives("a = \x1b[31m\n", "F:1: a control character");
        gives("a = \x7f\n", "F:1: a control character");
        read_all("a = 1\nb = x\0y\n", 14, &out);
        CU_ASSERT_STRING_EQUAL(out.bytes, "1 a=1;F:2: a NUL byte: this is no text file");
        read_all("\0", 1, &out);
        CU_ASSERT_STRING_EQUAL(out.bytes, "F:1: a NUL byte: this is no text file");
}

static void long_lines_and_names_are_refused(void)
{
        CLEANUP_BUF struct buf text = { 0 };
        CLEANUP_BUF struct buf out = { 0 };

        buf_add_str(&text, "a = 1\nb = ");
        while (text.n < 6 + CONF_LINE_MAX)
                buf_add_char(&text, 'x');
        read_all(text.bytes, text.n, &out);
        CU_ASSERT_PTR_NULL(strstr(out.bytes, "F:2")); /* just fits */
        buf_add_char(&text, 'x');
        read_all(text.bytes, text.n, &out);
        CU_ASSERT_STRING_EQUAL(out.bytes, "1 a=1;F:2: the line is too long");

        buf_clear(&text);
        for (int i = 0; i <= CONF_NAME_MAX; i++)
                buf_add_char(&text, 'n');
        buf_add_str(&text, " = 1");
        read_all(text.bytes, text.n, &out);
        CU_ASSERT_PTR_NOT_NULL(strstr(out.bytes, "F:1: the name"));
}

static void doubled_names_are_refused_with_both_lines(void)
{
        CLEANUP_CONF struct conf conf = { 0 };
        struct conf_line line;
        struct err err = { 0 };
        unsigned seen = 0;

        conf_from_text(&conf, "F", "a = 1\n\na = 2\n", 13);
        CU_ASSERT_EQUAL(conf_next(&conf, &line, &err), 1);
        CU_ASSERT_EQUAL(conf_once(&conf, &line, &seen, &err), 0);
        CU_ASSERT_EQUAL(conf_next(&conf, &line, &err), 1);
        CU_ASSERT_EQUAL(conf_once(&conf, &line, &seen, &err), -1);
        CU_ASSERT_EQUAL(err.code, ERR_CONFIG);
        CU_ASSERT_STRING_EQUAL(err.text, "F:3: a: already set on line 1");
        CU_ASSERT_EQUAL(conf_refuse(&conf, &line, &err, "needs %d", 5), -1);
        CU_ASSERT_STRING_EQUAL(err.text, "F:3: a: needs 5");
        CU_ASSERT_EQUAL(conf_next(&conf, &line, &err), 0);
}

static void opened(const char *path, enum conf_kind kind, const char *because)
{
        CLEANUP_CONF struct conf conf = { 0 };
        struct err err = { 0 };
        int result = conf_open(&conf, path, kind, &err);

        CU_ASSERT_EQUAL(result, because ? -1 : 0);
        if (because && !strstr(err.text, because)) {
                CU_FAIL(because);
                fprintf(stderr, "got: %s\n", err.text);
        }
}

static void files_are_refused_by_what_others_may_do(void)
{
        char folder[] = "/tmp/jobmill-unit-XXXXXX";
        char path[64];
        FILE *file;

        CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
        snprintf(path, sizeof(path), "%s/f.conf", folder);
        opened(path, CONF_PLAIN, "No such file");
        opened(folder, CONF_PLAIN, "not a regular file");
        file = fopen(path, "w");
        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        fputs("a = 1\n", file);
        fclose(file);
        chmod(path, 0644);
        opened(path, CONF_PLAIN, NULL);
        opened(path, CONF_SECRET, "chmod 600");
        chmod(path, 0664);
        opened(path, CONF_PLAIN, "chmod go-w");
        chmod(path, 0600);
        opened(path, CONF_SECRET, NULL);
        CU_ASSERT_EQUAL(truncate(path, 10 * 1024 * 1024), 0); /* sparse */
        opened(path, CONF_PLAIN, "longer than 1 MiB");
        opened(path, CONF_SECRET, "longer than 1048576 bytes");
        unlink(path);
        rmdir(folder);
}

UNIT_MAIN("conf", TEST(lines_are_given_in_order_with_their_numbers),
          TEST(line_without_equals_is_refused_with_its_number), TEST(bad_names_are_refused),
          TEST(control_characters_and_nul_are_refused), TEST(long_lines_and_names_are_refused),
          TEST(doubled_names_are_refused_with_both_lines), TEST(files_are_refused_by_what_others_may_do))
