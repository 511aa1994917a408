/* jobctl: finds the command among the words, parses the rest by its table, runs it. */
#include <signal.h>
#include <string.h>

#include "base/nearest.h"
#include "base/xalloc.h"
#include "cli/command.h"

static const struct command *const commands[] = {
#define COMMAND(id, name) &command_##id,
        COMMANDS
#undef COMMAND
};

static const char *const examples[] = {
        "jobctl ls                                # your jobs: unfinished, or of the last 24 hours",
        "jobctl logs last -f                      # output of the newest job, as it comes",
        "jobctl why last                          # why it does not run yet",
        "jobctl sql 'SELECT task_index, result FROM v_results WHERE job_id=5'",
        "jobctl cancel 36.[1-9]                   # some tasks of job 36",
        NULL,
};
static const char *const usage[] = { "COMMAND [word …] [option …]", "COMMAND --help", NULL };
static const struct opt no_options[] = { { 0 } };

/* Whether `name` begins with the words given: 0 no, 1 or 2 how many words it takes. */
static int matches(const char *name, const char *first, const char *second)
{
        const char *blank = strchr(name, ' ');
        size_t n = blank ? (size_t)(blank - name) : strlen(name);

        if (strlen(first) != n || memcmp(name, first, n) != 0)
                return 0;
        if (!blank)
                return 1;
        return second && strcmp(blank + 1, second) == 0 ? 2 : 0;
}

static bool is_group(const char *word)
{
        size_t n = strlen(word);

        for (size_t i = 0; i < ARRAY_LEN(commands); i++)
                if (strncmp(commands[i]->name, word, n) == 0 && commands[i]->name[n] == ' ')
                        return true;
        return false;
}

static void add_command_list(struct buf *out, const char *group)
{
        size_t n = group ? strlen(group) : 0;

        for (size_t i = 0; i < ARRAY_LEN(commands); i++)
                if (!group || (strncmp(commands[i]->name, group, n) == 0 && commands[i]->name[n] == ' '))
                        buf_addf(out, "\n  %-16s %s", commands[i]->name, commands[i]->program->purpose);
}

static int answer_general(bool help)
{
        CLEANUP_BUF struct buf notes = { 0 };
        struct opt_program program = {
                .name = "jobctl",
                .purpose = "look at jobs, wait for them, act on them, administer",
                .examples = examples,
                .usage = usage,
                .options = no_options,
                .common = cli_common_options,
        };
        struct opts opts = { .program = &program, .help = help, .version = !help };

        buf_add_str(&notes, "Commands:");
        add_command_list(&notes, NULL);
        buf_add_str(
                &notes,
                "\n\nJobs are named by: 36  36.4  36.[1-9:2]  30-36  last  last~1  @name  tag:k=v  all  - "
                "(from stdin).\nSee jobctl(1).");
        program.notes = notes.bytes;
        (void)opt_answer(&opts);
        return 0;
}

static int unknown_command(const char *word, const char *second)
{
        struct nearest nearest = { 0 };
        struct err err;
        CLEANUP_BUF struct buf list = { 0 };
        const char *meant;
        char *firsts[ARRAY_LEN(commands)];

        if (is_group(word)) {
                add_command_list(&list, word);
                (void)err_set(&err, ERR_USAGE, "%s: %s%s; there are:", word,
                              second ? "no command " : "which command?", second ? second : "");
                fprintf(stderr, "jobctl: %s%s\n", err.text, list.bytes);
                return err_exit_code(ERR_USAGE);
        }
        for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
                const char *name = commands[i]->name;

                firsts[i] = xstrndup(name, strcspn(name, " "));
                nearest_offer(&nearest, word, firsts[i]);
        }
        meant = nearest_get(&nearest, word);
        (void)err_set(&err, ERR_USAGE, "there is no command '%.80s'%s%s%s see jobctl --help", word,
                      meant ? "; did you mean " : ";", meant ? meant : "", meant ? "?" : "");
        for (size_t i = 0; i < ARRAY_LEN(commands); i++)
                xfree(firsts[i]);
        return cli_fail_early("jobctl", &err);
}

/* The words that are values of common options are no commands. */
static bool takes_next(const char *word)
{
        for (const struct opt *opt = cli_common_options; opt->name; opt++)
                if (opt->parse && word[0] == '-' && word[1] == '-' && strcmp(word + 2, opt->name) == 0)
                        return true;
        return false;
}

/* A word in front of a command that is no value of one of its options was meant as the command. NULL: there is none. */
static const char *stray_word(const struct opt_program *program, int n, char *const *words)
{
        CLEANUP_OPTS struct opts opts = { 0 };
        struct err err = { 0 };

        if (opt_parse(program, n, words, &opts, &err) < 0 || opts.n_words == 0)
                return NULL;
        return opts.words[0];
}

struct line {
        const struct command *command;
        int at; /* index of its first word */
        int n_words; /* how many words it takes */
        int first; /* index of the first word that is no option; -1: none */
};

static struct line find_command(int n, char *const *words)
{
        struct line line = { .first = -1 };

        for (int i = 0; i < n && !line.command && strcmp(words[i], "--") != 0; i++) {
                if (words[i][0] == '-') {
                        i += takes_next(words[i]);
                        continue;
                }
                if (line.first < 0)
                        line.first = i;
                for (size_t k = 0; k < ARRAY_LEN(commands) && !line.command; k++) {
                        line.n_words = matches(commands[k]->name, words[i], i + 1 < n ? words[i + 1] : NULL);
                        if (line.n_words) {
                                line.command = commands[k];
                                line.at = i;
                        }
                }
                if (!line.command && is_group(words[i])) {
                        line.first = i;
                        break;
                }
        }
        return line;
}

static int run_command(const struct line *line, int n, char *const *words)
{
        CLEANUP_OPTS struct opts opts = { 0 };
        CLEANUP_CLI struct cli cli = { 0 };
        CLEANUP_WITH(xfree) char **rest = xcalloc((size_t)n + 1, sizeof(char *));
        struct err err = { 0 };
        int n_rest = 0;

        for (int i = 0; i < n; i++)
                if (i < line->at || i >= line->at + line->n_words)
                        rest[n_rest++] = words[i];
        if (opt_parse(line->command->program, n_rest, rest, &opts, &err) < 0)
                return cli_fail_early("jobctl", &err);
        if (opt_answer(&opts))
                return 0;
        cli_init(&cli, "jobctl", &opts);
        return cli_exit(line->command->run(&cli));
}

static bool has_word(int n, char *const *words, const char *word)
{
        for (int i = 0; i < n; i++)
                if (strcmp(words[i], word) == 0)
                        return true;
        return false;
}

int main(int argc, char **argv)
{
        struct line line = find_command(argc - 1, argv + 1);
        int n = argc - 1;
        char **words = argv + 1;

        signal(SIGPIPE, SIG_DFL); /* `jobctl ls | head` ends quietly */
        if (line.command) {
                const char *stray = stray_word(line.command->program, line.at, words);

                return stray ? unknown_command(stray, NULL) : run_command(&line, n, words);
        }
        if (has_word(n, words, "--version"))
                return answer_general(false);
        if (line.first < 0 && (has_word(n, words, "--help") || has_word(n, words, "-h")))
                return answer_general(true);
        if (line.first < 0) {
                (void)answer_general(true);
                return err_exit_code(ERR_USAGE);
        }
        if (has_word(n, words, "--help") && is_group(words[line.first])) {
                CLEANUP_BUF struct buf list = { 0 };

                add_command_list(&list, words[line.first]);
                printf("jobctl %s:%s\n", words[line.first], list.bytes);
                return 0;
        }
        return unknown_command(words[line.first], line.first + 1 < n ? words[line.first + 1] : NULL);
}
