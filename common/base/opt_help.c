/* --help and --version, made from the option table alone, so that they cannot drift from what is parsed. */
#include <string.h>

#include "base/opt.h"

#define TEXT_COLUMN 28
#define WIDTH 90

/* Columns that UTF-8 text takes, well enough for help texts: bytes that start a character. */
static size_t columns_of(const char *text, size_t n)
{
        size_t columns = 0;

        for (size_t i = 0; i < n; i++)
                columns += ((unsigned char)text[i] & 0xC0) != 0x80;
        return columns;
}

static void add_spaces(struct buf *out, size_t n)
{
        while (n-- > 0)
                buf_add_char(out, ' ');
}

/* Words of `text` from column `at` on, wrapped at WIDTH, further lines indented to TEXT_COLUMN. */
static void add_wrapped(struct buf *out, const char *text, size_t at)
{
        bool first = true;

        while (*text) {
                size_t n = strcspn(text, " ");
                size_t columns = columns_of(text, n);

                if (!first && at + 1 + columns > WIDTH) {
                        buf_add_char(out, '\n');
                        add_spaces(out, TEXT_COLUMN);
                        at = TEXT_COLUMN;
                } else if (!first) {
                        buf_add_char(out, ' ');
                        at++;
                }
                buf_add(out, text, n);
                at += columns;
                first = false;
                text += n;
                text += strspn(text, " ");
        }
        buf_add_char(out, '\n');
}

static void add_option(struct buf *out, const struct opt *opt)
{
        size_t start = out->n, columns;

        if (opt->letter)
                buf_addf(out, "  -%c, ", opt->letter);
        else
                buf_add_str(out, "      ");
        buf_addf(out, "--%s%s", opt->negatable ? "[no-]" : "", opt->name);
        if (opt->arg)
                buf_addf(out, " %s", opt->arg);
        columns = columns_of(out->bytes + start, out->n - start);
        if (columns + 1 >= TEXT_COLUMN) {
                buf_add_char(out, '\n');
                columns = 0;
        }
        add_spaces(out, TEXT_COLUMN - columns);
        add_wrapped(out, opt->help, TEXT_COLUMN);
}

static void add_table(struct buf *out, const struct opt *table)
{
        for (const struct opt *opt = table; opt && opt->name; opt++) {
                if (opt->group)
                        buf_addf(out, "\n%s:\n", opt->group);
                add_option(out, opt);
        }
}

void opt_help(const struct opt_program *program, struct buf *out)
{
        static const struct opt always[] = {
                { .name = "help", .letter = 'h', .help = "this text" },
                { .name = "version", .letter = 0, .help = "the version" },
                { 0 },
        };

        buf_add_str(out, "Examples:\n");
        for (size_t i = 0; program->examples[i]; i++)
                buf_addf(out, "  %s\n", program->examples[i]);
        buf_addf(out, "\n%s: %s\n\nUsage:\n", program->name, program->purpose);
        for (size_t i = 0; program->usage[i]; i++)
                buf_addf(out, "  %s%s%s\n", program->name, *program->usage[i] ? " " : "", program->usage[i]);
        add_table(out, program->options);
        add_table(out, program->common);
        if (!(program->options && program->options->name) && !(program->common && program->common->name))
                buf_add_str(out, "\nOptions:\n");
        add_table(out, always);
        if (program->notes)
                buf_addf(out, "\n%s\n", program->notes);
}

bool opt_answer(const struct opts *opts)
{
        CLEANUP_BUF struct buf text = { 0 };

        if (opts->help)
                opt_help(opts->program, &text);
        else if (opts->version)
                buf_addf(&text, "%s %s\n", opts->program->name, JOBMILL_VERSION);
        else
                return false;
        fwrite(text.bytes, 1, text.n, stdout);
        return true;
}
