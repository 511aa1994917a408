/* Keys and values are checked and read by jobsubmit's own table and functions: there is one grammar. Only what has no
 * counterpart there, a value that takes a setting away, is known here. */
#include "cli/settings.h"

#include <string.h>

#include "base/nearest.h"
#include "base/xalloc.h"

/* SETTING(key, value's name in --help, what "none" does: a function, or NULL, help) */
#define SETTINGS                                                                                             \
        SETTING("name", "NAME", NULL, "what the job is called")                                              \
        SETTING("comment", "TEXT", no_comment, "a remark; none")                                             \
        SETTING("queue", "QUEUE", NULL, "one that there is; what runs goes on")                              \
        SETTING("priority", "N", NULL, "-100 ... 100; higher starts first")                                  \
        SETTING("max-running", "N", no_max_running, "tasks at once; none or 0: no limit")                    \
        SETTING("cpus", "N", NULL, "of tasks that have not started, as the next two")                        \
        SETTING("mem", "SIZE[,xF[,max=SIZE]]", no_mem, "none")                                               \
        SETTING("gpus", "N", no_gpus, "none")                                                                \
        SETTING("time", "T", NULL, "run limit, counted from each task's start; what runs, too")              \
        SETTING("at", "TIME", NULL, "what has not started waits until then; now")                            \
        SETTING("start-by", "TIME", no_start_by, "what has not started by then is aborted; none")            \
        SETTING("retries", "N", NULL, "counts when an attempt ends, as the next three")                      \
        SETTING("backoff", "T[,xF][,max=T]", no_backoff, "none")                                             \
        SETTING("retry-on", "LIST", no_retry_on, "none: whatever it ended by")                               \
        SETTING("ok-codes", "LIST", NULL, "0: no others")                                                    \
        SETTING("max-fails", "N|P%", no_max_fails, "more have failed: the rest is aborted; none")

/* ------------------------------------------------------------------ none */

typedef void none_fn(struct msg_set *set);

static void no_comment(struct msg_set *set)
{
        set->comment = "";
        set->n_comment = 0;
}

static void no_max_running(struct msg_set *set)
{
        set->max_running = 0;
        set->has_max_running = true;
}

static void no_mem(struct msg_set *set)
{
        set->mem = 0;
        set->has_mem = true;
}

static void no_gpus(struct msg_set *set)
{
        set->gpus = 0;
        set->has_gpus = true;
}

static void no_start_by(struct msg_set *set)
{
        set->start_by_us = 0;
        set->has_start_by_us = true;
}

static void no_backoff(struct msg_set *set)
{
        set->backoff_ms = 0;
        set->has_backoff_ms = true;
}

static void no_retry_on(struct msg_set *set)
{
        set->retry_on_all = set->has_retry_on_all = true;
}

static void no_max_fails(struct msg_set *set)
{
        set->max_fails_percent = 100;
        set->has_max_fails_percent = true;
}

struct setting {
        const char *name;
        none_fn *none;
};
static const struct setting table[] = {
#define SETTING(name, arg, none, help) { name, none },
        SETTINGS
#undef SETTING
};

const char settings_help[] =
        "Settings, with the values of jobsubmit's options:\n"
#define SETTING(name, arg, none, help) "  " name "=" arg "  " help "\n"
        SETTINGS
#undef SETTING
        "\nAll of them change together, or none does; a job that has ended does not change.";

/* ------------------------------------------------------------------ words */

bool settings_is_one(const char *word)
{
        return strchr(word, '=') && word[0] != '@' && strncmp(word, "tag:", 4) != 0;
}

static int no_such_setting(const char *name, struct err *err)
{
        struct nearest nearest = { 0 };
        CLEANUP_BUF struct buf names = { 0 };
        const char *meant;

        for (size_t i = 0; i < ARRAY_LEN(table); i++) {
                nearest_offer(&nearest, name, table[i].name);
                buf_addf(&names, "%s%s", i > 0 ? ", " : "", table[i].name);
        }
        meant = nearest_get(&nearest, name);
        if (meant)
                return err_set(err, ERR_USAGE, "there is no setting '%.40s'; did you mean %s? settings: %s",
                               name, meant, names.bytes);
        return err_set(err, ERR_USAGE, "there is no setting '%.40s'; settings: %s", name, names.bytes);
}

static const struct setting *find(const char *name)
{
        for (size_t i = 0; i < ARRAY_LEN(table); i++)
                if (strcmp(table[i].name, name) == 0)
                        return &table[i];
        return NULL;
}

static bool takes_away(const struct setting *setting, const char *value)
{
        bool zero = setting->none == no_max_running || setting->none == no_gpus;

        return setting->none && (strcmp(value, "none") == 0 || (zero && strcmp(value, "0") == 0) ||
                                 (setting->none == no_comment && !*value));
}

int settings_add(struct settings *settings, const char *word, struct msg_set *set, struct err *err)
{
        const char *value = strchr(word, '=') + 1;
        CLEANUP_WITH(xfree) char *name = xstrndup(word, (size_t)(value - word) - 1);
        const struct setting *setting = find(name);
        const struct opt *opt = setting ? opt_find(&submit_program, name) : NULL;
        struct err why = { 0 };

        settings->opts.program = &submit_program;
        if (!setting)
                return no_such_setting(name, err);
        BUG_ON(!opt);
        for (size_t i = 0; i < settings->opts.n_words; i++)
                if (strcmp(settings->opts.words[i], setting->name) == 0)
                        return err_set(err, ERR_USAGE, "%s is given twice", name);
        opts_add_word(&settings->opts, setting->name);
        if (takes_away(setting, value)) {
                setting->none(set);
                return 0;
        }
        if (opts_add(&settings->opts, opt, value, true, &why) < 0)
                return err_set(err, why.code, "%.80s: %s; example: jobctl set 36 %s=%s", word, why.text, name,
                               opt->example);
        return 0;
}

/* jobsubmit's errors speak of "--at: …" and "--at 18:00": here these are at and at=18:00. */
static void reword(struct err *err)
{
        CLEANUP_BUF struct buf text = { 0 };

        for (const char *p = err->text; *p;) {
                CLEANUP_WITH(xfree) char *name = NULL;
                size_t n = strncmp(p, "--", 2) == 0 ? strcspn(p + 2, " :") : 0;

                name = xstrndup(p + 2, n);
                if (n == 0 || !find(name)) {
                        buf_add_char(&text, *p++);
                        continue;
                }
                buf_add_str(&text, name);
                p += 2 + n;
                if (*p == ' ' && strncmp(p, " has ", 5) != 0 && strncmp(p, " is ", 4) != 0) {
                        buf_add_char(&text, '=');
                        p++;
                }
        }
        err_set(err, err->code, "%s", text.bytes);
}

static void fill_order(const struct rec_job_spec *spec, struct msg_set *set)
{
        set->name = spec->name;
        set->n_name = spec->n_name;
        set->queue = spec->queue;
        set->n_queue = spec->n_queue;
        if (spec->comment) {
                set->comment = spec->comment;
                set->n_comment = spec->n_comment;
        }
        set->retry_on = spec->retry_on;
        set->n_retry_on = spec->n_retry_on;
        set->ok_codes = spec->ok_codes;
        set->n_ok_codes = spec->n_ok_codes;
}

static void fill_numbers(const struct rec_job_spec *spec, struct msg_set *set)
{
#define NUMBER(field)                                                                                        \
        if (spec->has_##field) {                                                                             \
                set->field = spec->field;                                                                    \
                set->has_##field = true;                                                                     \
        }
        NUMBER(priority)
        NUMBER(max_running)
        NUMBER(cpus)
        NUMBER(mem)
        NUMBER(mem_factor)
        NUMBER(mem_max)
        NUMBER(gpus)
        NUMBER(time_ms)
        NUMBER(at_us)
        NUMBER(at_delay_ms)
        NUMBER(start_by_us)
        NUMBER(start_by_delay_ms)
        NUMBER(retries)
        NUMBER(backoff_ms)
        NUMBER(backoff_factor)
        NUMBER(backoff_max_ms)
        NUMBER(max_fails)
        NUMBER(max_fails_percent)
#undef NUMBER
}

int settings_fill(struct settings *settings, struct cli *cli, struct msg_set *set, struct err *err)
{
        struct submit *submit = &settings->submit;
        int rc;
        struct cli quiet = *cli; /* the job may have the retries that --backoff goes with */

        if (settings->opts.n_words == 0)
                return err_set(err, ERR_USAGE,
                               "set what? example: jobctl set 36 priority=10; see jobctl set --help");
        quiet.quiet = true;
        submit->cli = &quiet;
        submit->opts = &settings->opts;
        rc = submit_options(submit, err);
        submit->cli = cli;
        if (rc < 0) {
                reword(err);
                return -1;
        }
        fill_order(&submit->spec, set);
        fill_numbers(&submit->spec, set);
        return 0;
}

void settings_done(struct settings *settings)
{
        submit_done(&settings->submit);
        opts_done(&settings->opts);
}
