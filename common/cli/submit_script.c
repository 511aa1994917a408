/* #JOB lines: options inside a script. They count only in the comments at its head, so that a script that writes
 * another script does not change itself. Words are split as a shell splits them, without expanding anything. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/submit.h"

#define MARK "#JOB"

int submit_read_head(const char *path, struct buf *text, struct err *err)
{
        FILE *file = fopen(path, "re");
        char block[65536];
        size_t n;
        bool failed;

        if (!file)
                return err_set(err, ERR_BAD_DATA, "%s: %s", path, strerror(errno));
        while (text->n <= SUBMIT_SCRIPT_MAX && (n = fread(block, 1, sizeof(block), file)) > 0)
                buf_add(text, block, n);
        failed = ferror(file);
        fclose(file);
        return failed ? err_set(err, ERR_BAD_DATA, "%s: cannot be read", path) : 0;
}

/* One word at *p into `out` (written over the line itself: never longer). 1: a word; 0: the line's end; -1: a quote that
 * is not closed. */
static int shell_word(char **p, char **out)
{
        char quote = '\0';

        *p += strspn(*p, " \t\r");
        if (!**p || **p == '#')
                return 0;
        for (; **p && (quote || !strchr(" \t\r", **p)); (*p)++) {
                if (quote && **p == quote) {
                        quote = '\0';
                } else if (!quote && (**p == '\'' || **p == '"')) {
                        quote = **p;
                } else {
                        if (**p == '\\' && quote != '\'' && (*p)[1])
                                (*p)++;
                        *(*out)++ = **p;
                }
        }
        if (quote)
                return -1;
        if (**p)
                (*p)++;
        *(*out)++ = '\0';
        return 1;
}

int submit_split_words(char *line, char *words[SCRIPT_WORDS_MAX], struct err *err)
{
        char *p = line, *out = line;
        int n = 0, more;

        do {
                if (n == SCRIPT_WORDS_MAX)
                        return err_set(err, ERR_USAGE, "more than %d words", SCRIPT_WORDS_MAX);
                words[n] = out;
                more = shell_word(&p, &out);
                if (more < 0)
                        return err_set(err, ERR_USAGE, "a quote that is not closed");
                n += more;
        } while (more);
        return n;
}

/* What says where the job comes from was decided before the script was read. */
static int check_options(const struct opts *opts, struct err *err)
{
        static const char *const outside[] = { "file", "from", "wf-scale", "compat" };

        if (opts->help || opts->version)
                return err_set(err, ERR_USAGE, "--help and --version are for the command line");
        for (size_t i = 0; i < ARRAY_LEN(outside); i++)
                if (opts_has(opts, outside[i]))
                        return err_set(err, ERR_USAGE, "--%s is for the command line", outside[i]);
        return 0;
}

static int parse_line(char *line, struct opts *opts, struct err *err)
{
        char *words[SCRIPT_WORDS_MAX];
        int n = submit_split_words(line, words, err);

        if (n < 0)
                return -1;
        if (opt_parse(&submit_program, n, words, opts, err) < 0)
                return -1;
        if (check_options(opts, err) < 0)
                return -1;
        if (opts->n_words)
                return err_set(err, ERR_USAGE, "'%.80s' is no option; only options may stand here",
                               opts->words[0]);
        return 0;
}

static bool is_mark(const char *line)
{
        return strncmp(line, MARK, strlen(MARK)) == 0 && (line[4] == ' ' || line[4] == '\t');
}

int submit_script_options(const char *path, struct opts *opts, struct buf *text, size_t *ret_late,
                          struct err *err)
{
        bool at_head = true;
        size_t no = 0;
        char *line, *next;

        if (submit_read_head(path, text, err) < 0)
                return -1;
        *ret_late = 0;
        for (line = text->n ? text->bytes : NULL; line; line = next) {
                next = strchr(line, '\n');
                if (next)
                        *next++ = '\0';
                no++;
                if (at_head && line[strspn(line, " \t\r")] && line[0] != '#')
                        at_head = false;
                if (!is_mark(line))
                        continue;
                if (!at_head && !*ret_late)
                        *ret_late = no;
                if (at_head && parse_line(line + strlen(MARK), opts, err) < 0)
                        return err_wrap(err, "%s:%zu: #JOB", path, no);
        }
        return 0;
}
