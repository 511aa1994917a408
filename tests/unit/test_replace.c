/* Replacement in arguments: what --dry-run shows (cli/replace.h) is what a worker does (core/wargs.h). */
#include <stdlib.h>
#include <string.h>

#include "cli/replace.h"
#include "core/wargs.h"
#include "unit.h"

static const char *values[] = { "a b", "", "{1}" };
static const char *columns[] = { "name", "1", "x y" };

/* Both ways; true if they agree, with the text in *out. */
static bool both(const char *text, size_t n_values, size_t n_columns, struct buf *out)
{
        const struct replace replace = {
                .values = n_values ? values : NULL,
                .n_values = n_values,
                .columns = columns,
                .n_columns = n_columns,
                .index = 7,
        };
        struct rec_job_spec spec = {
                .is_array = !n_values,
                .has_is_array = !n_values,
                .entries = n_values ? 9 : 0,
                .has_entries = n_values > 0,
                .columns = columns,
                .n_columns = n_columns,
        };
        struct wentry entry = { .values = values, .n = n_values };
        CLEANUP_BUF struct buf theirs = { 0 };

        buf_clear(out);
        replace_add(&replace, text, out);
        wargs_expand(&spec, entry, 7, text, &theirs);
        buf_add(out, "", 0);
        return out->n == theirs.n && (!out->n || memcmp(out->bytes, theirs.bytes, out->n) == 0);
}

static void gives(const char *text, size_t n_values, size_t n_columns, const char *wanted)
{
        CLEANUP_BUF struct buf out = { 0 };

        CU_ASSERT(both(text, n_values, n_columns, &out));
        CU_ASSERT_STRING_EQUAL(out.n ? out.bytes : "", wanted);
}

static void braces_stand_for_the_entry_its_values_and_columns(void)
{
        gives("{}", 3, 0, "a b  {1}");
        gives("-{1}-{3}-{#}-", 3, 0, "-a b-{1}-7-");
        gives("{name}", 3, 3, "a b");
        gives("{1}", 3, 3, "");
        gives("{x y}", 3, 3, "{1}");
}

static void an_array_knows_only_its_index(void)
{
        gives("x{}y{#}{1}", 0, 0, "x7y{#}{1}");
}

static void everything_else_stays(void)
{
        gives("{4}{0}{01}{a}{ }{{}}{", 3, 0, "{4}{0}{01}{a}{ }{a b  {1}}{");
        gives("awk '{print $1}'", 3, 0, "awk '{print $1}'");
        gives("", 3, 0, "");
}

static void both_agree_on_any_text(void)
{
        static const char alphabet[] = "{{}}}#01 234xname";
        CLEANUP_BUF struct buf out = { 0 };

        srand(3);
        for (int i = 0; i < 20000; i++) {
                char text[16];
                size_t n = (size_t)rand() % sizeof(text);

                for (size_t k = 0; k < n; k++)
                        text[k] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
                text[n ? n - 1 : 0] = '\0';
                n = (size_t)rand() % 4; /* values; as many columns or none */
                CU_ASSERT_FATAL(both(text, n, rand() % 2 ? n : 0, &out));
        }
}

UNIT_MAIN("replace", TEST(braces_stand_for_the_entry_its_values_and_columns),
          TEST(an_array_knows_only_its_index), TEST(everything_else_stays), TEST(both_agree_on_any_text))
