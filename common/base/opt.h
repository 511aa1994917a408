/* Command lines: a program declares its options as a table; parsing, error messages, --help and --version come from
 * it. Values are checked while parsing, so that a program only reads what is right.
 *
 *   static const struct opt options[] = {
 *           { "slots", 0, opt_count, "N", "tasks at once (default: cores)", .group = "Capacity", .min = 1, .max = 65536 },
 *           { "label", 0, opt_text, "K=V", "a label of this worker", .group = "Capacity", .many = true },
 *           { 0 },
 *   };
 *
 * Every program has --help (-h) and --version without naming them. */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"

struct opt;

/* Checks `text`, and for numbers gives the value. Errors say what is wrong with it without naming the option:
 * USAGE, or BAD_DATA where the text is data rather than use. */
typedef int opt_parse_fn(const struct opt *opt, const char *text, int64_t *ret_number, struct err *err);

struct opt {
        const char *name; /* long name, without dashes */
        char letter; /* short name; 0: none */
        opt_parse_fn *parse; /* NULL: a flag without a value */
        const char *arg; /* the value's name in --help; NULL for flags */
        const char *help; /* one sentence; wrapped to the screen */
        const char *group; /* heading in --help; NULL: the heading of the row before */
        int64_t min, max; /* for the numbers below, if not both are 0 */
        const char *example; /* a right value, shown when a value is wrong */
        bool many; /* may be given more than once, each counts; else the last one counts */
        bool negatable; /* a flag that also has --no-NAME */
        bool command; /* about the command as a whole: no description of one job in JSON may hold it */
};

opt_parse_fn opt_text; /* any text, also empty */
opt_parse_fn opt_word; /* text that is not empty */
opt_parse_fn opt_name; /* a name: letters, digits, . _ -, at most 64 */
opt_parse_fn opt_count; /* decimal integer >= 0, within min … max */
opt_parse_fn opt_integer; /* decimal integer with a sign, within min … max */
opt_parse_fn opt_duration; /* 30s 5m 2h 1d HH:MM:SS or seconds; the number is in milliseconds */
opt_parse_fn opt_size; /* bytes, or with K M G T */

struct opt_program {
        const char *name; /* "jobsubmit", "jobctl ls" */
        const char *purpose; /* one line */
        const char *const *examples; /* NULL-terminated, three at least; --help starts with them */
        const char *const *usage; /* NULL-terminated lines: "[options] [--] command [arg …]" */
        const struct opt *options; /* ends with a row without a name */
        const struct opt *common; /* a second table, shown last; may be NULL */
        const char *notes; /* lines at the end of --help; may be NULL */
        bool options_first; /* options end at the first word that is none */
};

struct opt_value {
        const struct opt *opt;
        const char *text; /* borrowed from the command line; NULL for a flag */
        int64_t number; /* for a flag 1, or 0 for --no-NAME */
};

/* A parsed command line. Everything in it is borrowed from the words that were parsed. */
struct opts {
        const struct opt_program *program;
        struct opt_value *values; /* in the order given */
        size_t n_values, cap_values;
        const char **words; /* what is no option, in order */
        size_t n_words, cap_words;
        bool had_dashes; /* there was a `--` */
        size_t before_dashes; /* words before it; n_words if there was none */
        bool help, version; /* asked for; the rest of the line was not looked at */
};

/* Append the options of `words` (without the program's name) to *opts, which starts as {0}; later values count
 * more than earlier ones. Errors read "--slots: 'x' is no whole number; example: --slots 4". */
int opt_parse(const struct opt_program *program, int n_words, char *const *words, struct opts *opts,
              struct err *err) MUST_CHECK;
/* What a command line does word by word, for values that come from elsewhere. opts_add: `text` NULL for a flag, which
 * is on or not; errors are those of the option's own check, without its name. */
const struct opt *opt_find(const struct opt_program *program,
                           const char *name); /* of `options`; NULL: none */
int opts_add(struct opts *opts, const struct opt *opt, const char *text, bool on, struct err *err) MUST_CHECK;
void opts_add_word(struct opts *opts, const char *word);
void opts_done(struct opts *opts);
#define CLEANUP_OPTS __attribute__((cleanup(opts_done)))

/* Answers --help and --version on stdout; true if one was asked for: the program ends with 0. */
bool opt_answer(const struct opts *opts);
void opt_help(const struct opt_program *program, struct buf *out);

/* Look-ups by long name; a name that is in no table is a mistake of the program (BUG). */
bool opts_has(const struct opts *opts, const char *name); /* given at all */
bool opts_flag(const struct opts *opts, const char *name); /* given, and not taken back by --no- */
const char *opts_text(const struct opts *opts, const char *name); /* the last value; NULL: not given */
int64_t opts_number(const struct opts *opts, const char *name, int64_t absent); /* the last value */
/* The values of a repeatable option in order: start with *at = 0; NULL at the end. */
const struct opt_value *opts_next(const struct opts *opts, const char *name, size_t *at);

#endif
