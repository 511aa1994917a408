/* --compat slurm: #SBATCH lines of a script as options of ours, as far as there are any.
 *
 * Lines count in the comments at the script's head, as for Slurm. What has no counterpart is named and ignored: a script
 * that asks for mail runs without it. A value that cannot be understood is an error: it means something. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "cli/submit.h"

#define MARK "#SBATCH"
#define HOST_MAX 256

struct slurm {
        struct opts *opts;
        struct json_texts *texts;
        struct buf *ignored;
        bool exports; /* --export was given */
};

/* What a value becomes. */
enum slurm_how {
        AS_IT_IS, /* the same text */
        IS_FLAG, /* no value */
        IS_TIME, /* Slurm's minutes and days */
        IS_MEMORY, /* without a unit: MiB */
        IS_EXPORT, /* ALL, NONE, names */
        IS_ONE, /* must be 1, which is all that a task is */
        IS_GPUS, /* gpu:2, gpu:a100:2, a100:2 or 2 */
        IS_NO_REQUEUE, /* a worker may be lost once */
        IS_NOTHING, /* what we do anyway */
        IS_RECORDED, /* output is recorded, not written to files */
};
static const struct slurm_option {
        const char *name;
        char letter;
        enum slurm_how how;
        const char *ours; /* the option that it becomes */
} slurm_options[] = {
        { "array", 'a', AS_IT_IS, "array" },
        { "begin", 'b', AS_IT_IS, "at" },
        { "chdir", 'D', AS_IT_IS, "cwd" },
        { "comment", 0, AS_IT_IS, "comment" },
        { "cpus-per-task", 'c', AS_IT_IS, "cpus" },
        { "dependency", 'd', AS_IT_IS, "dependency" },
        { "error", 'e', IS_RECORDED, NULL },
        { "export", 0, IS_EXPORT, NULL },
        { "get-user-env", 0, IS_NOTHING, NULL },
        { "gpus", 'G', IS_GPUS, "gpus" },
        { "gpus-per-task", 0, IS_GPUS, "gpus" },
        { "gres", 0, IS_GPUS, "gpus" },
        { "hold", 'H', IS_FLAG, "hold" },
        { "input", 'i', AS_IT_IS, "stdin" },
        { "job-name", 'J', AS_IT_IS, "name" },
        { "mem", 0, IS_MEMORY, "mem" },
        { "no-requeue", 0, IS_NO_REQUEUE, "crash-limit" },
        { "nodes", 'N', IS_ONE, NULL },
        { "ntasks", 'n', IS_ONE, NULL },
        { "ntasks-per-node", 0, IS_ONE, NULL },
        { "open-mode", 0, IS_RECORDED, NULL },
        { "output", 'o', IS_RECORDED, NULL },
        { "partition", 'p', AS_IT_IS, "queue" },
        { "requeue", 0, IS_NOTHING, NULL },
        { "signal", 0, AS_IT_IS, "warn" },
        { "time", 't', IS_TIME, "time" },
};

/* Slurm's options that take no value: the word behind them is the next option. */
static bool is_bare(const char *name)
{
        static const char *const bare[] = { "contiguous", "exclusive",  "get-user-env", "hold",
                                            "no-requeue", "overcommit", "parsable",     "quiet",
                                            "requeue",    "spread-job", "test-only",    "use-min-nodes",
                                            "verbose",    "wait" };

        for (size_t i = 0; i < ARRAY_LEN(bare); i++)
                if (strcmp(bare[i], name) == 0)
                        return true;
        return false;
}

static void ignore(struct slurm *slurm, const char *name, const char *why)
{
        buf_addf(slurm->ignored, "--%s %s\n", name, why);
}

/* An option of ours, if this jobsubmit has it. */
static int give(struct slurm *slurm, const struct slurm_option *option, const char *ours, const char *value,
                struct err *err)
{
        const struct opt *opt = opt_find(&submit_program, ours);
        CLEANUP_BUF struct buf text = { 0 };

        if (!opt) {
                ignore(slurm, option->name, "has no counterpart here and is ignored");
                return 0;
        }
        if (!opt->parse)
                return opts_add(slurm->opts, opt, NULL, true, err);
        buf_add_str(&text, value);
        if (opts_add(slurm->opts, opt, json_texts_keep(slurm->texts, &text), true, err) == 0)
                return 0;
        if (opt->example) {
                struct err why = *err;

                return err_set(err, why.code, "--%s: %s; example: --%s=%s", option->name, why.text,
                               option->name, opt->example);
        }
        return err_wrap(err, "--%s", option->name);
}

/* --- values ------------------------------------------------------------------------------------------------------ */
/* One whole number at *p, behind it the end or one of `stops`. */
static bool number_at(const char **p, const char *stops, uint64_t *ret)
{
        char *end;

        if (!isdigit((unsigned char)**p))
                return false;
        *ret = strtoull(*p, &end, 10);
        if (*end && !strchr(stops, *end))
                return false;
        *p = end;
        return *ret < 1000000000;
}

/* minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes, days-hours:minutes:seconds.
 * 0 seconds: no limit. */
int slurm_time(const char *text, uint64_t *ret_s, struct err *err)
{
        uint64_t days = 0, n[3] = { 0 };
        size_t k = 0;
        const char *p = text, *dash = strchr(text, '-');
        bool right = true;

        if (strcasecmp(text, "UNLIMITED") == 0 || strcasecmp(text, "INFINITE") == 0) {
                *ret_s = 0;
                return 0;
        }
        if (dash) {
                right = number_at(&p, "-", &days) && p == dash;
                p = dash + 1;
        }
        while (right && k < 3) {
                right = number_at(&p, ":", &n[k++]);
                if (!right || !*p)
                        break;
                p++;
        }
        if (!right || *p || (k && p[-1] == ':'))
                return err_set(err, ERR_USAGE,
                               "'%.80s' is no time of Slurm; examples: 90, 1:30:00, 2-12:00:00", text);
        if (dash || k == 3)
                *ret_s = days * 86400 + n[0] * 3600 + n[1] * 60 + n[2];
        else
                *ret_s = n[0] * 60 + n[1];
        return 0;
}

static int give_time(struct slurm *slurm, const struct slurm_option *option, const char *value,
                     struct err *err)
{
        char text[32];
        uint64_t seconds;

        if (slurm_time(value, &seconds, err) < 0)
                return err_wrap(err, "--%s", option->name);
        if (!seconds)
                return 0;
        snprintf(text, sizeof(text), "%" PRIu64, seconds);
        return give(slurm, option, option->ours, text, err);
}

static int give_memory(struct slurm *slurm, const struct slurm_option *option, const char *value,
                       struct err *err)
{
        char text[64];

        if (strspn(value, "0123456789") == strlen(value) && strcmp(value, "0") == 0)
                return 0; /* all of the node's */
        snprintf(text, sizeof(text), "%.60s%s", value,
                 *value && strspn(value, "0123456789") == strlen(value) ? "M" : "");
        return give(slurm, option, option->ours, text, err);
}

static int give_export(struct slurm *slurm, const struct slurm_option *option, const char *value,
                       struct err *err)
{
        CLEANUP_WITH(xfree) char *words = xstrdup(value);
        char *save = NULL;

        slurm->exports = true;
        for (char *word = strtok_r(words, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
                if (strcmp(word, "NONE") == 0 || strcmp(word, "NIL") == 0)
                        continue;
                if (strcmp(word, "ALL") == 0 ? give(slurm, option, "env-all", NULL, err) < 0
                                             : give(slurm, option, "env", word, err) < 0)
                        return -1;
        }
        return 0;
}

static int give_gpus(struct slurm *slurm, const struct slurm_option *option, const char *value,
                     struct err *err)
{
        const char *colon = strrchr(value, ':');
        const char *count = colon ? colon + 1 : isdigit((unsigned char)*value) ? value : "1";

        if (strcmp(option->name, "gres") == 0 && strncmp(value, "gpu", 3) != 0) {
                ignore(slurm, option->name, "is understood for gpu only; it is ignored");
                return 0;
        }
        return give(slurm, option, option->ours, isdigit((unsigned char)*count) ? count : "1", err);
}

static int apply(struct slurm *slurm, const struct slurm_option *option, const char *value, struct err *err)
{
        switch (option->how) {
        case AS_IT_IS:
        case IS_FLAG:
                return give(slurm, option, option->ours, value, err);
        case IS_TIME:
                return give_time(slurm, option, value, err);
        case IS_MEMORY:
                return give_memory(slurm, option, value, err);
        case IS_EXPORT:
                return give_export(slurm, option, value, err);
        case IS_ONE:
                if (strcmp(value, "1") != 0 && strcmp(value, "1-1") != 0)
                        ignore(slurm, option->name, "is ignored: a task is one process tree on one worker");
                return 0;
        case IS_GPUS:
                return give_gpus(slurm, option, value, err);
        case IS_NO_REQUEUE:
                return give(slurm, option, option->ours, "1", err);
        case IS_NOTHING:
                return 0;
        case IS_RECORDED:
                ignore(slurm, option->name, "is ignored: output is recorded; see it with: jobctl logs ID");
                return 0;
        }
        return 0;
}

/* --- lines ------------------------------------------------------------------------------------------------------- */
static const struct slurm_option *find_option(const char *name, size_t n, char letter)
{
        for (size_t i = 0; i < ARRAY_LEN(slurm_options); i++) {
                const struct slurm_option *option = &slurm_options[i];

                if (letter ? option->letter == letter
                           : strlen(option->name) == n && memcmp(option->name, name, n) == 0)
                        return option;
        }
        return NULL;
}

/* The option in words[i]; returns how many words it used. */
static int take_option(struct slurm *slurm, char *const *words, int n_words, int i, struct err *err)
{
        const char *word = words[i], *value = NULL;
        bool is_long = word[1] == '-';
        size_t n = is_long ? strcspn(word + 2, "=") : 1;
        const struct slurm_option *option =
                is_long ? find_option(word + 2, n, 0) : find_option("", 0, word[1]);
        CLEANUP_WITH(xfree)
        char *name = option ? xstrdup(option->name) : xstrndup(is_long ? word + 2 : word + 1, n);
        int used = 1;

        if (is_long && word[2 + n] == '=')
                value = word + 2 + n + 1;
        else if (!is_long && word[2])
                value = word + 2;
        else if (i + 1 < n_words && words[i + 1][0] != '-' && !is_bare(name)) {
                value = words[i + 1];
                used = 2;
        }
        if (!option) {
                ignore(slurm, name, "has no counterpart here and is ignored");
                return used;
        }
        if (!value && !is_bare(name))
                return err_set(err, ERR_USAGE, "--%s needs a value", name);
        return apply(slurm, option, value, err) < 0 ? -1 : used;
}

static int take_line(struct slurm *slurm, char *line, struct err *err)
{
        char *words[SCRIPT_WORDS_MAX];
        int n = submit_split_words(line, words, err);

        for (int i = 0; i < n;) {
                int used;

                if (words[i][0] != '-' || !words[i][1])
                        return err_set(err, ERR_USAGE, "'%.80s' is no option", words[i]);
                used = take_option(slurm, words, n, i, err);
                if (used < 0)
                        return -1;
                i += used;
        }
        return n < 0 ? -1 : 0;
}

static int add_pair(struct slurm *slurm, const char *name, const char *value, struct err *err)
{
        CLEANUP_BUF struct buf pair = { 0 };

        buf_addf(&pair, "%s=%s", name, value);
        return opts_add(slurm->opts, opt_find(&submit_program, "env"), json_texts_keep(slurm->texts, &pair),
                        true, err);
}

/* Slurm runs a script in the folder it was submitted in, with the environment it was submitted from. */
static int add_surroundings(struct slurm *slurm, struct err *err)
{
        char host[HOST_MAX] = "";
        CLEANUP_WITH(xfree) char *here = getcwd(NULL, 0);

        gethostname(host, sizeof(host) - 1);
        if (!slurm->exports &&
            opts_add(slurm->opts, opt_find(&submit_program, "env-all"), NULL, true, err) < 0)
                return -1;
        if (!opts_has(slurm->opts, "cwd") &&
            opts_add(slurm->opts, opt_find(&submit_program, "cwd"), ".", true, err) < 0)
                return -1;
        if (here && add_pair(slurm, "SLURM_SUBMIT_DIR", here, err) < 0)
                return -1;
        return *host ? add_pair(slurm, "SLURM_SUBMIT_HOST", host, err) : 0;
}

int submit_slurm_options(const char *path, struct opts *opts, struct json_texts *texts, struct buf *ignored,
                         struct err *err)
{
        struct slurm slurm = { .opts = opts, .texts = texts, .ignored = ignored };
        CLEANUP_BUF struct buf text = { 0 };
        size_t no = 0;
        char *next = NULL;

        opts->program = &submit_program;
        if (path && submit_read_head(path, &text, err) < 0)
                return -1;
        for (char *line = text.n ? text.bytes : NULL; line; line = next) {
                next = strchr(line, '\n');
                if (next)
                        *next++ = '\0';
                no++;
                if (line[strspn(line, " \t\r")] && line[0] != '#')
                        break;
                if (strncmp(line, MARK, strlen(MARK)) != 0 || !isspace((unsigned char)line[strlen(MARK)]))
                        continue;
                if (take_line(&slurm, line + strlen(MARK), err) < 0)
                        return err_wrap(err, "%s:%zu: #SBATCH", path, no);
        }
        return add_surroundings(&slurm, err);
}
