/* Command lines by table (base/opt.h) and the suggestions beside it. */
#include <string.h>

#include "base/nearest.h"
#include "base/opt.h"
#include "unit.h"

static int parse_even(const struct opt *opt, const char *text, int64_t *ret_number, struct err *err)
{
        if (opt_count(opt, text, ret_number, err) < 0)
                return -1;
        return *ret_number % 2 ? err_set(err, ERR_BAD_DATA, "'%s' is not even", text) : 0;
}

static const struct opt options[] = {
        { .name = "slots",
          .letter = 's',
          .parse = opt_count,
          .arg = "N",
          .help = "tasks at once",
          .group = "Capacity",
          .min = 1,
          .max = 64,
          .example = "4" },
        { .name = "even", .parse = parse_even, .arg = "N", .help = "an even number", .example = "2" },
        { .name = "label", .letter = 'l', .parse = opt_word, .arg = "K=V", .help = "a label", .many = true },
        { .name = "shift", .parse = opt_integer, .arg = "N", .help = "up or down", .min = -9, .max = 9 },
        { .name = "quiet", .letter = 'q', .help = "say less", .group = "Other" },
        { .name = "color", .help = "colours", .negatable = true },
        { 0 },
};
static const struct opt common[] = {
        { .name = "profile", .parse = opt_word, .arg = "FILE", .help = "the profile" },
        { 0 },
};
static const char *const examples[] = { "prog a", "prog b", "prog c", NULL };
static const char *const usage[] = { "[options] [word …]", NULL };
static const struct opt_program anywhere = {
        .name = "prog",
        .purpose = "tests",
        .examples = examples,
        .usage = usage,
        .options = options,
        .common = common,
};
static const struct opt_program first = {
        .name = "prog",
        .purpose = "tests",
        .examples = examples,
        .usage = usage,
        .options = options,
        .common = common,
        .options_first = true,
};

#define PARSE(program, opts, err, ...)                                                                       \
        opt_parse(&(program), (int)ARRAY_LEN(((const char *[]){ __VA_ARGS__ })),                             \
                  (char *const *)(const char *[]){ __VA_ARGS__ }, &(opts), &(err))

static void values_come_as_next_word_after_equals_or_glued_to_a_letter(void)
{
        struct err err = { 0 };
        CLEANUP_OPTS struct opts opts = { 0 };
        size_t at = 0;

        CU_ASSERT_EQUAL_FATAL(
                PARSE(anywhere, opts, err, "--label", "a=1", "--label=b=2", "-lc=3", "-l", "d=4", "-qs8"), 0);
        CU_ASSERT_STRING_EQUAL(opts_next(&opts, "label", &at)->text, "a=1");
        CU_ASSERT_STRING_EQUAL(opts_next(&opts, "label", &at)->text, "b=2");
        CU_ASSERT_STRING_EQUAL(opts_next(&opts, "label", &at)->text, "c=3");
        CU_ASSERT_STRING_EQUAL(opts_next(&opts, "label", &at)->text, "d=4");
        CU_ASSERT_PTR_NULL(opts_next(&opts, "label", &at));
        CU_ASSERT(opts_flag(&opts, "quiet"));
        CU_ASSERT_EQUAL(opts_number(&opts, "slots", 1), 8);
}

static void the_last_value_counts_and_flags_can_be_taken_back(void)
{
        struct err err = { 0 };
        CLEANUP_OPTS struct opts opts = { 0 };

        CU_ASSERT_EQUAL_FATAL(PARSE(anywhere, opts, err, "-s", "2", "--color", "--slots=3", "--no-color"), 0);
        CU_ASSERT_EQUAL(opts_number(&opts, "slots", 0), 3);
        CU_ASSERT(opts_has(&opts, "color"));
        CU_ASSERT_FALSE(opts_flag(&opts, "color"));
        CU_ASSERT_FALSE(opts_has(&opts, "quiet"));
        CU_ASSERT_PTR_NULL(opts_text(&opts, "profile"));
        CU_ASSERT_EQUAL(opts_number(&opts, "shift", 7), 7);
}

static void options_stand_anywhere_unless_they_must_come_first(void)
{
        struct err err = { 0 };
        CLEANUP_OPTS struct opts a = { 0 }, f = { 0 };

        CU_ASSERT_EQUAL_FATAL(PARSE(anywhere, a, err, "x", "-q", "-", "y", "--", "-q"), 0);
        CU_ASSERT_EQUAL_FATAL(a.n_words, 4);
        CU_ASSERT_STRING_EQUAL(a.words[1], "-");
        CU_ASSERT_STRING_EQUAL(a.words[3], "-q");
        CU_ASSERT(a.had_dashes);
        CU_ASSERT_EQUAL(a.before_dashes, 3);

        CU_ASSERT_EQUAL_FATAL(PARSE(first, f, err, "-s2", "cmd", "-q", "--", "z"), 0);
        CU_ASSERT_EQUAL_FATAL(f.n_words, 4);
        CU_ASSERT_STRING_EQUAL(f.words[1], "-q");
        CU_ASSERT_FALSE(f.had_dashes);
        CU_ASSERT_FALSE(opts_has(&f, "quiet"));
}

static void a_negative_number_is_a_value(void)
{
        struct err err = { 0 };
        CLEANUP_OPTS struct opts opts = { 0 };

        CU_ASSERT_EQUAL_FATAL(PARSE(anywhere, opts, err, "--shift", "-3"), 0);
        CU_ASSERT_EQUAL(opts_number(&opts, "shift", 0), -3);
}

#define REFUSED(code_, text_, ...)                                                                           \
        do {                                                                                                 \
                struct err err = { 0 };                                                                      \
                CLEANUP_OPTS struct opts opts = { 0 };                                                       \
                CU_ASSERT_EQUAL(PARSE(anywhere, opts, err, __VA_ARGS__), -1);                                \
                CU_ASSERT_EQUAL(err.code, (code_));                                                          \
                CU_ASSERT_STRING_EQUAL(err.text, (text_));                                                   \
        } while (0)

static void every_wrong_use_is_named(void)
{
        REFUSED(ERR_USAGE, "unknown option --slotz; did you mean --slots?", "--slotz", "3");
        REFUSED(ERR_USAGE, "unknown option --proflie; did you mean --profile?", "--proflie=3");
        REFUSED(ERR_USAGE, "unknown option --banana; see prog --help", "--banana");
        REFUSED(ERR_USAGE, "unknown option -x; see prog --help", "-x");
        REFUSED(ERR_USAGE, "unknown option --no-quiet; did you mean --quiet?", "--no-quiet");
        REFUSED(ERR_USAGE, "--quiet takes no value", "--quiet=1");
        REFUSED(ERR_USAGE, "--slots needs a value: --slots N", "--slots");
        REFUSED(ERR_USAGE, "-s needs a value: -s N", "-qs");
        REFUSED(ERR_USAGE, "--slots: 'x' is no whole number; example: --slots 4", "--slots", "x");
        REFUSED(ERR_USAGE, "--slots: '' is no whole number; example: --slots 4", "--slots=");
        REFUSED(ERR_USAGE, "--slots: '65' is not within 1 … 64; example: --slots 4", "--slots", "65");
        REFUSED(ERR_USAGE, "--slots: '99999999999999999999' is too large; example: --slots 4",
                "-s99999999999999999999");
        REFUSED(ERR_USAGE, "--label: the value is empty", "--label=");
}

static void a_check_of_the_programs_own_keeps_its_code(void)
{
        REFUSED(ERR_BAD_DATA, "--even: '3' is not even; example: --even 2", "--even", "3");
}

static void help_starts_with_the_examples_and_names_every_option(void)
{
        CLEANUP_BUF struct buf text = { 0 };
        static const char start[] = "Examples:\n  prog a\n  prog b\n  prog c\n";

        opt_help(&anywhere, &text);
        CU_ASSERT_EQUAL(strncmp(text.bytes, start, strlen(start)), 0);
        for (const struct opt *opt = options; opt->name; opt++)
                CU_ASSERT_PTR_NOT_NULL(strstr(text.bytes, opt->name));
        CU_ASSERT_PTR_NOT_NULL(strstr(text.bytes, "  -s, --slots N "));
        CU_ASSERT_PTR_NOT_NULL(strstr(text.bytes, "--[no-]color"));
        CU_ASSERT_PTR_NOT_NULL(strstr(text.bytes, "--profile FILE"));
}

static void help_ends_the_parsing(void)
{
        struct err err = { 0 };
        CLEANUP_OPTS struct opts opts = { 0 };

        CU_ASSERT_EQUAL_FATAL(PARSE(anywhere, opts, err, "-q", "--help", "--nonsense"), 0);
        CU_ASSERT(opts.help);
}

static void distance_counts_single_edits_and_swaps(void)
{
        CU_ASSERT_EQUAL(word_distance("", ""), 0);
        CU_ASSERT_EQUAL(word_distance("retry", "retry"), 0);
        CU_ASSERT_EQUAL(word_distance("retyr", "retry"), 1);
        CU_ASSERT_EQUAL(word_distance("cancle", "cancel"), 1);
        CU_ASSERT_EQUAL(word_distance("kitten", "sitting"), 3);
        CU_ASSERT_EQUAL(word_distance("", "abc"), 3);
}

UNIT_MAIN("opt", TEST(values_come_as_next_word_after_equals_or_glued_to_a_letter),
          TEST(the_last_value_counts_and_flags_can_be_taken_back),
          TEST(options_stand_anywhere_unless_they_must_come_first), TEST(a_negative_number_is_a_value),
          TEST(every_wrong_use_is_named), TEST(a_check_of_the_programs_own_keeps_its_code),
          TEST(help_starts_with_the_examples_and_names_every_option), TEST(help_ends_the_parsing),
          TEST(distance_counts_single_edits_and_swaps))
