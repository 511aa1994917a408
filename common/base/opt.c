/* Command lines by table. Reads no environment, prints only in opt_answer, never exits.
 *
 * Invariants: 1. every value in `opts` has passed its option's check; 2. words keep their order; 3. after an error
 * `opts` may hold the values before it and is to be thrown away. */
#include "base/opt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "base/xalloc.h"

#define SHOWN_MAX 80 /* bytes of a wrong value that a message repeats */

/* --- kinds of values ------------------------------------------------------------------------------------------ */
int opt_text(const struct opt *opt UNUSED, const char *text UNUSED, int64_t *ret_number,
             struct err *err UNUSED)
{
        *ret_number = 0;
        return 0;
}

int opt_word(const struct opt *opt UNUSED, const char *text, int64_t *ret_number, struct err *err)
{
        *ret_number = 0;
        if (!*text)
                return err_set(err, ERR_USAGE, "the value is empty");
        return 0;
}

static int check_range(const struct opt *opt, const char *text, int64_t n, struct err *err)
{
        if ((opt->min || opt->max) && (n < opt->min || n > opt->max))
                return err_set(err, ERR_USAGE, "'%.*s' is not within %lld … %lld", SHOWN_MAX, text,
                               (long long)opt->min, (long long)opt->max);
        return 0;
}

int opt_integer(const struct opt *opt, const char *text, int64_t *ret_number, struct err *err)
{
        const char *digits = text + (*text == '-' || *text == '+');
        long long n;

        if (!*digits || strspn(digits, "0123456789") != strlen(digits))
                return err_set(err, ERR_USAGE, "'%.*s' is no whole number", SHOWN_MAX, text);
        errno = 0;
        n = strtoll(text, NULL, 10);
        if (errno)
                return err_set(err, ERR_USAGE, "'%.*s' is too large", SHOWN_MAX, text);
        if (check_range(opt, text, n, err) < 0)
                return -1;
        *ret_number = n;
        return 0;
}

int opt_count(const struct opt *opt, const char *text, int64_t *ret_number, struct err *err)
{
        if (*text == '-' || *text == '+')
                return err_set(err, ERR_USAGE, "'%.*s' is no whole number", SHOWN_MAX, text);
        return opt_integer(opt, text, ret_number, err);
}

/* --- parsing -------------------------------------------------------------------------------------------------- */
static const struct opt help_option = { .name = "help", .letter = 'h', .help = "this text" };
static const struct opt version_option = { .name = "version", .help = "the version" };

static const struct opt *find_in(const struct opt *table, const char *name, size_t n)
{
        for (const struct opt *opt = table; opt && opt->name; opt++)
                if (strlen(opt->name) == n && memcmp(opt->name, name, n) == 0)
                        return opt;
        return NULL;
}

static const struct opt *find_long(const struct opt_program *program, const char *name, size_t n)
{
        const struct opt *opt = find_in(program->options, name, n);

        if (!opt)
                opt = find_in(program->common, name, n);
        if (!opt && n == 4 && memcmp(name, "help", 4) == 0)
                opt = &help_option;
        if (!opt && n == 7 && memcmp(name, "version", 7) == 0)
                opt = &version_option;
        return opt;
}

static const struct opt *find_letter(const struct opt_program *program, char letter)
{
        const struct opt *tables[] = { program->options, program->common };

        for (size_t i = 0; i < ARRAY_LEN(tables); i++)
                for (const struct opt *opt = tables[i]; opt && opt->name; opt++)
                        if (opt->letter == letter)
                                return opt;
        return letter == 'h' ? &help_option : NULL;
}

static int unknown_option(const struct opt_program *program, const char *name, int n, struct err *err)
{
        CLEANUP_WITH(xfree) char *typed = xstrndup(name, (size_t)n);
        const struct opt *tables[] = { program->options, program->common };
        struct nearest nearest = { 0 };
        const char *meant;

        for (size_t i = 0; i < ARRAY_LEN(tables); i++)
                for (const struct opt *opt = tables[i]; opt && opt->name; opt++)
                        nearest_offer(&nearest, typed, opt->name);
        meant = nearest_get(&nearest, typed);
        if (meant)
                return err_set(err, ERR_USAGE, "unknown option --%.*s; did you mean --%s?", SHOWN_MAX, typed,
                               meant);
        return err_set(err, ERR_USAGE, "unknown option --%.*s; see %s --help", SHOWN_MAX, typed,
                       program->name);
}

static int wrong_value(const struct opt *opt, struct err *err)
{
        struct err why = err ? *err : (struct err){ .code = ERR_USAGE };

        if (opt->example)
                return err_set(err, why.code, "--%s: %s; example: --%s %s", opt->name, why.text, opt->name,
                               opt->example);
        return err_set(err, why.code, "--%s: %s", opt->name, why.text);
}

const struct opt *opt_find(const struct opt_program *program, const char *name)
{
        return find_in(program->options, name, strlen(name));
}

int opts_add(struct opts *opts, const struct opt *opt, const char *text, bool on, struct err *err)
{
        struct opt_value value = { .opt = opt, .text = text, .number = on };

        if (opt->parse && opt->parse(opt, text, &value.number, err) < 0)
                return -1;
        GROW(opts->values, opts->cap_values, opts->n_values + 1);
        opts->values[opts->n_values++] = value;
        return 0;
}

static int add_value(struct opts *opts, const struct opt *opt, const char *text, bool on, struct err *err)
{
        if (opt == &help_option)
                opts->help = true;
        if (opt == &version_option)
                opts->version = true;
        return opts_add(opts, opt, text, on, err) < 0 ? wrong_value(opt, err) : 0;
}

/* `word` starts with "--"; `next` is the word behind it or NULL. Returns how many words were used, or -1. */
static int parse_long(struct opts *opts, const char *word, const char *next, struct err *err)
{
        const char *name = word + 2;
        size_t n = strcspn(name, "=");
        const char *text = name[n] == '=' ? name + n + 1 : NULL;
        const struct opt *opt = find_long(opts->program, name, n);
        bool on = true;

        if (!opt && n > 3 && memcmp(name, "no-", 3) == 0) {
                opt = find_long(opts->program, name + 3, n - 3);
                on = false;
                if (opt && !opt->negatable)
                        opt = NULL;
        }
        if (!opt)
                return unknown_option(opts->program, name, (int)MIN(n, SHOWN_MAX), err);
        if (!opt->parse && text)
                return err_set(err, ERR_USAGE, "--%s takes no value", opt->name);
        if (!opt->parse || text)
                return add_value(opts, opt, text, on, err) < 0 ? -1 : 1;
        if (!next)
                return err_set(err, ERR_USAGE, "--%s needs a value: --%s %s", opt->name, opt->name, opt->arg);
        return add_value(opts, opt, next, true, err) < 0 ? -1 : 2;
}

/* `word` is "-x", "-xyz" (flags) or "-xVALUE". Returns how many words were used, or -1. */
static int parse_short(struct opts *opts, const char *word, const char *next, struct err *err)
{
        for (const char *p = word + 1; *p; p++) {
                const struct opt *opt = find_letter(opts->program, *p);

                if (!opt)
                        return err_set(err, ERR_USAGE, "unknown option -%.*s; see %s --help", SHOWN_MAX, p,
                                       opts->program->name);
                if (!opt->parse) {
                        if (add_value(opts, opt, NULL, true, err) < 0)
                                return -1;
                        continue;
                }
                if (p[1])
                        return add_value(opts, opt, p + 1, true, err) < 0 ? -1 : 1;
                if (!next)
                        return err_set(err, ERR_USAGE, "-%c needs a value: -%c %s", *p, *p, opt->arg);
                return add_value(opts, opt, next, true, err) < 0 ? -1 : 2;
        }
        return 1;
}

void opts_add_word(struct opts *opts, const char *word)
{
        GROW(opts->words, opts->cap_words, opts->n_words + 1);
        opts->words[opts->n_words++] = word;
}

int opt_parse(const struct opt_program *program, int n_words, char *const *words, struct opts *opts,
              struct err *err)
{
        int i = 0;

        opts->program = program;
        while (i < n_words && !opts->help && !opts->version && !opts->had_dashes) {
                const char *word = words[i], *next = i + 1 < n_words ? words[i + 1] : NULL;
                int used = 1;

                if (strcmp(word, "--") == 0)
                        opts->had_dashes = true;
                else if (word[0] == '-' && word[1] == '-')
                        used = parse_long(opts, word, next, err);
                else if (word[0] == '-' && word[1])
                        used = parse_short(opts, word, next, err);
                else if (program->options_first)
                        break;
                else
                        opts_add_word(opts, word);
                if (used < 0)
                        return -1;
                i += used;
        }
        opts->before_dashes = opts->n_words;
        for (; i < n_words; i++)
                opts_add_word(opts, words[i]);
        if (!opts->had_dashes)
                opts->before_dashes = opts->n_words;
        return 0;
}

void opts_done(struct opts *opts)
{
        xfree(opts->values);
        xfree(opts->words);
        *opts = (struct opts){ 0 };
}

/* --- look-ups ------------------------------------------------------------------------------------------------- */
static const struct opt_value *last_value(const struct opts *opts, const char *name)
{
        const struct opt *opt = find_long(opts->program, name, strlen(name));

        BUG_ON(!opt);
        for (size_t i = opts->n_values; i > 0; i--)
                if (opts->values[i - 1].opt == opt)
                        return &opts->values[i - 1];
        return NULL;
}

bool opts_has(const struct opts *opts, const char *name)
{
        return last_value(opts, name) != NULL;
}

bool opts_flag(const struct opts *opts, const char *name)
{
        const struct opt_value *value = last_value(opts, name);

        return value && value->number;
}

const char *opts_text(const struct opts *opts, const char *name)
{
        const struct opt_value *value = last_value(opts, name);

        return value ? value->text : NULL;
}

int64_t opts_number(const struct opts *opts, const char *name, int64_t absent)
{
        const struct opt_value *value = last_value(opts, name);

        return value ? value->number : absent;
}

const struct opt_value *opts_next(const struct opts *opts, const char *name, size_t *at)
{
        const struct opt *opt = find_long(opts->program, name, strlen(name));

        BUG_ON(!opt);
        while (*at < opts->n_values) {
                const struct opt_value *value = &opts->values[(*at)++];

                if (value->opt == opt)
                        return value;
        }
        return NULL;
}
