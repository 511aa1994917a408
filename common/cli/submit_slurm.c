/* --compat slurm: #SBATCH lines of a script as options of ours, as far as there are any.
 *
 * Lines count in the comments at the script's head, as for Slurm. What has no counterpart is named and ignored: a script
 * that asks for mail runs without it. A value that cannot be understood is an error: it means something. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/name.h"
#include "base/xalloc.h"
#include "cli/listing.h"
#include "cli/submit.h"

#define MARK "#SBATCH"
#define HOST_MAX 256

struct slurm {
        struct opts *opts;
        struct json_texts *texts;
        struct buf *ignored;
        bool exports; /* --export was given */
        bool has_time; /* the command line has a --time */
        const char *mem_per_cpu; /* with its unit; NULL: not given */
};

/* What a value becomes. */
enum slurm_how {
        AS_IT_IS, /* the same text */
        IS_FLAG, /* no value */
        IS_TIME, /* Slurm's minutes and days */
        IS_MEMORY, /* without a unit: MiB */
        IS_EXPORT, /* ALL, NONE, names */
        IS_ONE, /* must be 1, which is all that a task is */
        IS_PER_CPU, /* the same, times the cpus of the task */
        IS_BEGIN, /* Slurm's now+1hour, noon, 12/24/26 */
        IS_DEPENDENCY, /* singleton may be part of it */
        IS_NICE, /* a priority upside down */
        IS_SIGNAL, /* B:USR1@60 */
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
        { "begin", 'b', IS_BEGIN, "at" },
        { "chdir", 'D', AS_IT_IS, "cwd" },
        { "comment", 0, AS_IT_IS, "comment" },
        { "cpus-per-task", 'c', AS_IT_IS, "cpus" },
        { "dependency", 'd', IS_DEPENDENCY, "dependency" },
        { "error", 'e', IS_RECORDED, NULL },
        { "export", 0, IS_EXPORT, NULL },
        { "get-user-env", 0, IS_NOTHING, NULL },
        { "gpus", 'G', IS_GPUS, "gpus" },
        { "gpus-per-node", 0, IS_GPUS, "gpus" },
        { "gpus-per-task", 0, IS_GPUS, "gpus" },
        { "gres", 0, IS_GPUS, "gpus" },
        { "hold", 'H', IS_FLAG, "hold" },
        { "input", 'i', AS_IT_IS, "stdin" },
        { "job-name", 'J', AS_IT_IS, "name" },
        { "mem", 0, IS_MEMORY, "mem" },
        { "mem-per-cpu", 0, IS_PER_CPU, "mem" },
        { "nice", 0, IS_NICE, "priority" },
        { "no-requeue", 0, IS_NO_REQUEUE, "crash-limit" },
        { "nodes", 'N', IS_ONE, NULL },
        { "ntasks", 'n', IS_ONE, NULL },
        { "ntasks-per-node", 0, IS_ONE, NULL },
        { "open-mode", 0, IS_RECORDED, NULL },
        { "output", 'o', IS_RECORDED, NULL },
        { "parsable", 0, IS_NOTHING, NULL },
        { "partition", 'p', AS_IT_IS, "queue" },
        { "quiet", 'Q', IS_NOTHING, NULL },
        { "requeue", 0, IS_NOTHING, NULL },
        { "signal", 0, IS_SIGNAL, "warn" },
        { "time", 't', IS_TIME, "time" },
        { "wait", 'W', IS_FLAG, "wait" },
        { "workdir", 0, AS_IT_IS, "cwd" }, /* as older versions spell chdir */
};

/* Slurm's options that take no value, or only one behind a =: the word behind them is the next option. */
static bool is_bare(const char *name)
{
        static const char *const bare[] = { "contiguous", "exclusive",  "get-user-env",  "hold",    "nice",
                                            "no-requeue", "overcommit", "parsable",      "quiet",   "requeue",
                                            "spread-job", "test-only",  "use-min-nodes", "verbose", "wait" };

        for (size_t i = 0; i < ARRAY_LEN(bare); i++)
                if (strcmp(bare[i], name) == 0)
                        return true;
        return false;
}

/* Once, however often it is there. */
static void ignore(struct slurm *slurm, const char *name, const char *why)
{
        CLEANUP_BUF struct buf line = { 0 };

        buf_addf(&line, "%s%s %s\n", name[1] ? "--" : "-", name, why);
        if (slurm->ignored->n == 0 || !strstr(slurm->ignored->bytes, line.bytes))
                buf_add(slurm->ignored, line.bytes, line.n);
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
        CLEANUP_BUF struct buf text = { 0 };
        size_t n = MIN(strlen(value), (size_t)60), digits = strspn(value, "0123456789");

        if (strcmp(value, "0") == 0)
                return 0; /* all of the node's */
        if (n > 1 && strchr("bB", value[n - 1]) && strchr("kmgtKMGT", value[n - 2]))
                n--; /* 4GB is 4G */
        buf_addf(&text, "%.*s%s", (int)n, value, digits && !value[digits] ? "M" : "");
        if (option->how == IS_MEMORY)
                return give(slurm, option, option->ours, text.bytes, err);
        slurm->mem_per_cpu = json_texts_keep(slurm->texts, &text); /* how many cpus may come later */
        return 0;
}

/* --mem-per-cpu, unless --mem said it for all. */
static int settle_memory(struct slurm *slurm, struct err *err)
{
        static const struct slurm_option option = { "mem-per-cpu", 0, IS_PER_CPU, "mem" };
        const struct opt any = { .max = INT64_MAX };
        char text[32];
        int64_t bytes, cpus = opts_number(slurm->opts, "cpus", 1);

        if (!slurm->mem_per_cpu || opts_has(slurm->opts, "mem"))
                return 0;
        if (opt_size(&any, slurm->mem_per_cpu, &bytes, err) < 0)
                return err_wrap(err, "--%s", option.name);
        if (bytes > INT64_MAX / MAX(cpus, INT64_C(1)))
                return err_set(err, ERR_USAGE, "--%s: '%.80s' is too much", option.name, slurm->mem_per_cpu);
        snprintf(text, sizeof(text), "%" PRId64, bytes * cpus);
        return give(slurm, &option, option.ours, text, err);
}

/* now+60, now+1hour; noon and its like; 12/24/26, 12/24: what our --at writes otherwise. */
static int give_begin(struct slurm *slurm, const struct slurm_option *option, const char *value,
                      struct err *err)
{
        static const struct {
                const char *word, *ours;
        } words[] = { { "midnight", "00:00" }, { "noon", "12:00" },    { "elevenses", "11:00" },
                      { "fika", "15:00" },     { "teatime", "16:00" }, { "today", "now" } };
        static const struct {
                const char *word;
                uint64_t seconds;
        } units[] = {
                { "second", 1 }, { "minute", 60 }, { "hour", 3600 }, { "day", 86400 }, { "week", 604800 }
        };
        unsigned month, day, year;
        char text[64], end;
        uint64_t n;

        for (size_t i = 0; i < ARRAY_LEN(words); i++)
                if (strcmp(value, words[i].word) == 0)
                        return give(slurm, option, option->ours, words[i].ours, err);
        if (strncmp(value, "now+", 4) == 0 && isdigit((unsigned char)value[4])) {
                char *unit;
                size_t length;

                n = strtoull(value + 4, &unit, 10);
                length = strlen(unit);
                length -= length > 1 && unit[length - 1] == 's';
                for (size_t i = 0; i < ARRAY_LEN(units); i++) {
                        if (length > 0 &&
                            (length != strlen(units[i].word) || strncmp(unit, units[i].word, length) != 0))
                                continue;
                        snprintf(text, sizeof(text), "now+%" PRIu64, n * (length > 0 ? units[i].seconds : 1));
                        return give(slurm, option, option->ours, text, err);
                }
        }
        if (sscanf(value, "%2u/%2u/%2u%c", &month, &day, &year, &end) == 3 ||
            (sscanf(value, "%2u/%2u/%2u%c", &month, &day, &year, &end) == 4 && end == '-')) {
                const char *clock = strchr(value, '-');

                snprintf(text, sizeof(text), "20%02u-%02u-%02u%s%.20s", year, month, day, clock ? "T" : "",
                         clock ? clock + 1 : "");
                return give(slurm, option, option->ours, text, err);
        }
        return give(slurm, option, option->ours, value, err);
}

static int give_dependency(struct slurm *slurm, const struct slurm_option *option, const char *value,
                           struct err *err)
{
        CLEANUP_WITH(xfree) char *words = xstrdup(value);
        CLEANUP_BUF struct buf rest = { 0 };
        char *save = NULL;

        if (strchr(value, '?')) /* one of them is enough: ours are all needed */
                return give(slurm, option, option->ours, value, err);
        for (char *word = strtok_r(words, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
                if (strcmp(word, "singleton") == 0) {
                        if (give(slurm, option, "singleton", NULL, err) < 0)
                                return -1;
                        continue;
                }
                buf_addf(&rest, "%s%s", rest.n > 0 ? "," : "", word);
        }
        return rest.n > 0 ? give(slurm, option, option->ours, rest.bytes, err) : 0;
}

/* Higher is later; without a value 100. Ours ends at 100 either way. */
static int give_nice(struct slurm *slurm, const struct slurm_option *option, const char *value,
                     struct err *err)
{
        char text[32], *end = NULL;
        long long nice = value ? strtoll(value, &end, 10) : 100;

        if (value && (end == value || *end))
                return err_set(err, ERR_USAGE, "--nice: '%.80s' is no number; example: --nice=50", value);
        snprintf(text, sizeof(text), "%lld", -MAX(MIN(nice, 100LL), -100LL));
        return give(slurm, option, option->ours, text, err);
}

/* [R:|B:]SIGNAL[@SECONDS]: a minute before the end if nothing is said. Whom it is for makes no difference here. */
static int give_signal(struct slurm *slurm, const struct slurm_option *option, const char *value,
                       struct err *err)
{
        char text[96];

        if ((*value == 'B' || *value == 'R') && value[1] == ':')
                value += 2;
        snprintf(text, sizeof(text), "%.80s%s", value, strchr(value, '@') ? "" : "@60");
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
                if (strcmp(word, "ALL") != 0 && !strchr(word, '=') && !getenv(word))
                        continue; /* what is not set here is not set there */
                if (strcmp(word, "ALL") == 0 ? give(slurm, option, "env-all", NULL, err) < 0
                                             : give(slurm, option, "env", word, err) < 0)
                        return -1;
        }
        return 0;
}

static int give_gpus(struct slurm *slurm, const struct slurm_option *option, const char *value,
                     struct err *err)
{
        CLEANUP_WITH(xfree) char *words = xstrdup(value);
        char *save = NULL;

        for (char *word = strtok_r(words, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
                const char *colon = strrchr(word, ':');
                const char *count = colon ? colon + 1 : isdigit((unsigned char)*word) ? word : "1";

                if (strcmp(count, "0") == 0 || strcmp(word, "none") == 0)
                        continue;
                if (strcmp(option->name, "gres") == 0 && strncmp(word, "gpu", 3) != 0)
                        ignore(slurm, option->name, "is understood for gpu only; the others are ignored");
                else if (give(slurm, option, option->ours, isdigit((unsigned char)*count) ? count : "1",
                              err) < 0)
                        return -1;
        }
        return 0;
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
        case IS_PER_CPU:
                return give_memory(slurm, option, value, err);
        case IS_BEGIN:
                return give_begin(slurm, option, value, err);
        case IS_DEPENDENCY:
                return give_dependency(slurm, option, value, err);
        case IS_NICE:
                return give_nice(slurm, option, value, err);
        case IS_SIGNAL:
                return give_signal(slurm, option, value, err);
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

/* A signal before an end that nobody has said: the time limit of a partition, which there is not here. */
static void settle_signal(struct slurm *slurm)
{
        struct opts *opts = slurm->opts;
        size_t kept = 0;

        if (!opts_has(opts, "warn") || opts_has(opts, "time") || slurm->has_time)
                return;
        ignore(slurm, "signal", "is ignored: without --time there is no end to warn of");
        for (size_t i = 0; i < opts->n_values; i++)
                if (strcmp(opts->values[i].opt->name, "warn") != 0)
                        opts->values[kept++] = opts->values[i];
        opts->n_values = kept;
}

int submit_slurm_options(const char *path, struct opts *opts, struct slurm_script *script, struct err *err)
{
        struct slurm slurm = { .opts = opts,
                               .texts = &script->texts,
                               .ignored = &script->ignored,
                               .has_time = script->has_time };
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
        if (settle_memory(&slurm, err) < 0)
                return err_wrap(err, "%s: #SBATCH", path);
        settle_signal(&slurm);
        return add_surroundings(&slurm, err);
}

/* Is it the value that a #SBATCH line gave? The command line's are not ours to change. */
static bool is_from_script(const struct json_texts *texts, const char *text)
{
        for (size_t i = 0; i < texts->n; i++)
                if (texts->list[i] == text)
                        return true;
        return false;
}

/* 1: there is a queue of this name. */
static int queue_exists(struct cli *cli, const char *name, struct err *err)
{
        CLEANUP_LISTING struct listing listing = listing_of(cli, LIST_KIND_QUEUES);

        if (strcmp(name, "default") == 0 || !name_is_valid(name, strlen(name)))
                return strcmp(name, "default") == 0;
        listing.request.u.list.name = name;
        listing.request.u.list.n_name = strlen(name);
        return listing_next(&listing, err);
}

/* A name that is no queue would make one, to which nobody has given a limit or a weight: the first of the list that is
 * there is taken, else the default one. */
int submit_slurm_partition(struct cli *cli, struct opts *opts, struct json_texts *texts, struct err *err)
{
        const char *queue = opts_text(opts, "queue");
        const struct opt *opt = opt_find(&submit_program, "queue");
        CLEANUP_WITH(xfree) char *words = NULL;
        char *save = NULL;

        if (!queue || !is_from_script(texts, queue))
                return 0;
        words = xstrdup(queue);
        for (char *word = strtok_r(words, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
                CLEANUP_BUF struct buf name = { 0 };
                int found = opts_flag(opts, "dry-run") ? 1 : queue_exists(cli, word, err);

                if (found < 0)
                        return -1;
                if (found == 0)
                        continue;
                buf_add_str(&name, word);
                return opts_add(opts, opt, json_texts_keep(texts, &name), true, err);
        }
        cli_note(cli, "#SBATCH --partition: there is no queue %.64s here; the job goes to the queue default",
                 queue);
        return opts_add(opts, opt, "default", true, err);
}
