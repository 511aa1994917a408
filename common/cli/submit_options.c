/* Options to fields of the job's description: the plain ones. */
#include <stdlib.h>
#include <string.h>

#include "base/name.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "cli/resolve.h"
#include "cli/submit.h"
#include "proto/array_text.h"

#define TEXT_NAME_MAX 255
#define TEXT_COMMENT_MAX 1024
#define TEXT_KEY_MAX 128
#define TEXT_TAG_MAX 512
#define TAGS_MAX 64
#define AFTER_MAX 1024
#define OK_CODES_MAX 256
#define OUTS_MAX 256
#define NEEDS_MAX 32
#define SECRETS_MAX 64

void texts_add(struct texts *texts, const char *text)
{
        GROW(texts->list, texts->cap, texts->n + 1);
        texts->list[texts->n++] = text;
}

const char *submit_own(struct submit *submit, char *take_text)
{
        buf_add(&submit->owned, &take_text, sizeof(take_text));
        return take_text;
}

static int option_text(struct submit *submit, const char *option, size_t most, const char **ret_text,
                       size_t *ret_n, struct err *err)
{
        const char *text = opts_text(submit->opts, option);
        char what[64];

        if (!text)
                return 0;
        snprintf(what, sizeof(what), "--%s", option);
        if (cli_check_text(what, text, 1, most, err) < 0)
                return -1;
        *ret_text = text;
        *ret_n = strlen(text);
        return 0;
}

static int texts_of_spec(struct submit *submit, struct err *err)
{
        struct rec_job_spec *spec = &submit->spec;
        const char *key = NULL;
        size_t n_key = 0;

        if (option_text(submit, "name", TEXT_NAME_MAX, &spec->name, &spec->n_name, err) < 0 ||
            option_text(submit, "comment", TEXT_COMMENT_MAX, &spec->comment, &spec->n_comment, err) < 0 ||
            option_text(submit, "queue", 64, &spec->queue, &spec->n_queue, err) < 0 ||
            option_text(submit, "key", TEXT_KEY_MAX, &key, &n_key, err) < 0)
                return -1;
        if (spec->queue && !name_is_valid(spec->queue, spec->n_queue))
                return err_set(err, ERR_USAGE,
                               "--queue: '%.80s' is no name; names are letters, digits, . _ -; "
                               "example: --queue night",
                               spec->queue);
        if (key)
                submit->key = xstrdup(key);
        return 0;
}

/* A tag of the command line takes the place of the script's tag of that key. */
static void add_tag(struct submit *submit, const char *tag, size_t n_key, size_t n_of_script)
{
        for (size_t i = 0; i < n_of_script; i++)
                if (strncmp(submit->tags.list[i], tag, n_key) == 0 && submit->tags.list[i][n_key] == '=') {
                        submit->tags.list[i] = tag;
                        return;
                }
        texts_add(&submit->tags, tag);
}

static int tags_of_spec(struct submit *submit, struct err *err)
{
        const struct opt_value *value;
        size_t at = 0, n_of_script = 0;

        while ((value = opts_next(submit->opts, "tag", &at))) {
                const char *equals = strchr(value->text, '=');

                if (!equals || equals == value->text)
                        return err_set(err, ERR_USAGE,
                                       "--tag: '%.80s' is not k=v; example: --tag project=hull", value->text);
                if (cli_check_text("--tag", value->text, 1, TEXT_TAG_MAX, err) < 0)
                        return -1;
                if (at <= submit->n_script_values) {
                        texts_add(&submit->tags, value->text);
                        n_of_script = submit->tags.n;
                } else {
                        add_tag(submit, value->text, (size_t)(equals - value->text), n_of_script);
                }
        }
        if (submit->tags.n > TAGS_MAX)
                return err_set(err, ERR_USAGE, "%zu tags, at most %d are allowed", submit->tags.n, TAGS_MAX);
        submit->spec.tags = submit->tags.list;
        submit->spec.n_tags = submit->tags.n;
        return 0;
}

/* Files of a task lie below its folder. */
static bool leaves_folder(const char *pattern)
{
        const char *p = pattern;

        if (*p == '/')
                return true;
        for (size_t n; *p; p += n + (p[n] == '/')) {
                n = strcspn(p, "/");
                if (n == 2 && strncmp(p, "..", 2) == 0)
                        return true;
        }
        return false;
}

static int outs_of_spec(struct submit *submit, struct err *err)
{
        const struct opt_value *value;
        size_t at = 0;

        while ((value = opts_next(submit->opts, "out", &at))) {
                if (cli_check_text("--out", value->text, 1, 4095, err) < 0)
                        return -1;
                if (leaves_folder(value->text))
                        return err_set(
                                err, ERR_USAGE,
                                "--out: '%.80s' is not below the task's folder; example: --out '*.csv'",
                                value->text);
                texts_add(&submit->outs, value->text);
        }
        if (submit->outs.n > OUTS_MAX)
                return err_set(err, ERR_USAGE, "--out given %zu times, at most %d are allowed",
                               submit->outs.n, OUTS_MAX);
        submit->spec.outs = submit->outs.list;
        submit->spec.n_outs = submit->outs.n;
        return 0;
}

static int list_of_spec(struct submit *submit, const char *option, struct texts *texts, struct err *err)
{
        const struct opt_value *value;
        size_t at = 0;

        while ((value = opts_next(submit->opts, option, &at)))
                texts_add(texts, value->text);
        if (texts->n > NEEDS_MAX)
                return err_set(err, ERR_USAGE, "--%s given %zu times, at most %d are allowed", option,
                               texts->n, NEEDS_MAX);
        return 0;
}

static int needs_of_spec(struct submit *submit, struct err *err)
{
        struct rec_job_spec *spec = &submit->spec;

        if (list_of_spec(submit, "res", &submit->res, err) < 0 ||
            list_of_spec(submit, "require", &submit->require, err) < 0 ||
            list_of_spec(submit, "avoid", &submit->avoid, err) < 0)
                return -1;
        for (size_t i = 0; i < submit->res.n; i++)
                for (size_t j = 0; j < i; j++)
                        if (strncmp(submit->res.list[i], submit->res.list[j],
                                    strcspn(submit->res.list[i], "=") + 1) == 0)
                                return err_set(err, ERR_USAGE,
                                               "--res: '%.80s' and '%.80s' are the same resource",
                                               submit->res.list[j], submit->res.list[i]);
        spec->res = submit->res.list;
        spec->n_res = submit->res.n;
        spec->require = submit->require.list;
        spec->n_require = submit->require.n;
        spec->avoid = submit->avoid.list;
        spec->n_avoid = submit->avoid.n;
        return 0;
}

/* Whether the secret exists is the coordinator's to say. */
static int secrets_of_spec(struct submit *submit, struct err *err)
{
        const struct opt_value *value;
        size_t at = 0;

        while ((value = opts_next(submit->opts, "secret", &at))) {
                if (!submit_is_env_name(value->text, strlen(value->text)) || strlen(value->text) > 64)
                        return err_set(
                                err, ERR_USAGE,
                                "--secret: '%.80s' is no name of a secret; example: --secret API_TOKEN",
                                value->text);
                texts_add(&submit->secrets, value->text);
        }
        if (submit->secrets.n > SECRETS_MAX)
                return err_set(err, ERR_USAGE, "--secret given %zu times, at most %d are allowed",
                               submit->secrets.n, SECRETS_MAX);
        submit->spec.secrets = submit->secrets.list;
        submit->spec.n_secrets = submit->secrets.n;
        return 0;
}

static void compat_of_spec(struct submit *submit)
{
        if (!opts_has(submit->opts, "compat"))
                return;
        submit->spec.compat = (enum compat)opts_number(submit->opts, "compat", 0);
        submit->spec.has_compat = true;
}

/* "0,3" */
static int ok_codes_of_spec(struct submit *submit, struct err *err)
{
        const char *text = opts_text(submit->opts, "ok-codes");
        const char *p = text;
        size_t n = 0;

        if (!text)
                return 0;
        submit->ok_codes = xcalloc(OK_CODES_MAX, sizeof(int64_t));
        do {
                char *end;
                long code = strtol(p, &end, 10);

                if (*p < '0' || *p > '9' || code > 255 || (*end && *end != ','))
                        return err_set(
                                err, ERR_USAGE,
                                "--ok-codes: '%.80s' is no list of codes 0 … 255; example: --ok-codes 0,3",
                                text);
                if (n == OK_CODES_MAX)
                        return err_set(err, ERR_USAGE, "--ok-codes: more than %d codes", OK_CODES_MAX);
                submit->ok_codes[n++] = code;
                p = *end ? end + 1 : end;
                if (*end && !*p)
                        return err_set(err, ERR_USAGE, "--ok-codes: '%.80s' ends with a comma", text);
        } while (*p);
        submit->spec.ok_codes = submit->ok_codes;
        submit->spec.n_ok_codes = n;
        return 0;
}

/* --- --after --------------------------------------------------------------------------------------------------- */
int submit_add_after(struct submit *submit, enum after_when when, uint64_t job, struct err *err)
{
        if (submit->n_after == AFTER_MAX)
                return err_set(err, ERR_USAGE, "more than %d jobs", AFTER_MAX);
        GROW(submit->after, submit->cap_after, submit->n_after + 1);
        submit->after[submit->n_after++] =
                (struct rec_after){ .when = when, .has_when = true, .job = job, .has_job = true };
        return 0;
}

static int add_after(struct submit *submit, enum after_when when, const char *word, struct err *err)
{
        CLEANUP_SELECTORS struct selectors selectors = { 0 };
        CLEANUP_TARGETS struct targets targets = { 0 };

        if (selectors_parse(&word, 1, &selectors, err) < 0)
                return -1;
        if (selectors.n > 0 && selectors.list[0].n_ranges > 0)
                return err_set(err, ERR_USAGE, "'%.80s' names tasks; a dependency is on a whole job", word);
        if (targets_resolve(submit->cli, &selectors, &targets, err) < 0)
                return -1;
        if (targets.n == 0)
                return err_set(err, ERR_NOT_FOUND, "stdin names no job");
        for (size_t i = 0; i < targets.n; i++)
                if (submit_add_after(submit, when, targets.list[i].job, err) < 0)
                        return -1;
        return 0;
}

/* "ok:36,37,any:38": what is said once holds until something else is. */
static int parse_after(struct submit *submit, const char *text, struct err *err)
{
        static const char *const words[] = { "ok:", "any:", "notok:", "each:" };
        static const enum after_when whens[] = { AFTER_WHEN_OK, AFTER_WHEN_ANY, AFTER_WHEN_NOTOK,
                                                 AFTER_WHEN_EACH };
        enum after_when when = AFTER_WHEN_OK;
        const char *p = text;

        for (;;) {
                CLEANUP_WITH(xfree) char *word = NULL;
                size_t n, i = 0;

                while (i < ARRAY_LEN(words) && strncmp(p, words[i], strlen(words[i])) != 0)
                        i++;
                if (i < ARRAY_LEN(words)) {
                        when = whens[i];
                        p += strlen(words[i]);
                }
                n = strcspn(p, ",");
                word = xstrndup(p, n);
                if (add_after(submit, when, word, err) < 0)
                        return err_wrap(err, "--after %.80s", text);
                if (!p[n])
                        return 0;
                p += n + 1;
        }
}

/* What Slurm has and we have not: what to say instead. */
static int refuse_dependency(const char *text, const char *item, struct err *err)
{
        if (strchr(text, '?') &&
            (strchr(text, ',') || strstr(text, "aftercorr") || strstr(text, "singleton")))
                return err_set(
                        err, ERR_USAGE,
                        "--dependency: '%.80s': of several (?) one of afterok, afterany, afternotok is "
                        "enough, and nothing else stands beside them; example: --dependency "
                        "afterok:36?afterany:37",
                        text);
        if (strncmp(item, "after:", strlen("after:")) == 0)
                return err_set(
                        err, ERR_USAGE,
                        "--dependency: '%.80s': a job can wait for the end of another, not for its start "
                        "(after); example: --dependency afterany:36",
                        text);
        return err_set(err, ERR_USAGE,
                       "--dependency: '%.80s' is no list of afterok, afterany, afternotok, aftercorr with "
                       ":ID[:ID], and singleton; example: --dependency afterok:36:37,afterany:38",
                       text);
}

/* One of the list: "afterok:36:37", "singleton". */
static int add_dependency(struct submit *submit, const char *text, const char *item, struct err *err)
{
        static const struct {
                const char *word;
                enum after_when when;
        } words[] = { { "afterok", AFTER_WHEN_OK },
                      { "afterany", AFTER_WHEN_ANY },
                      { "afternotok", AFTER_WHEN_NOTOK },
                      { "aftercorr", AFTER_WHEN_EACH } };
        size_t n = strcspn(item, ":"), i = 0;

        if (strcmp(item, "singleton") == 0) {
                submit->spec.singleton = submit->spec.has_singleton = true;
                return 0;
        }
        while (i < ARRAY_LEN(words) && (strlen(words[i].word) != n || strncmp(item, words[i].word, n) != 0))
                i++;
        if (i == ARRAY_LEN(words) || !item[n])
                return refuse_dependency(text, item, err);
        while (item[n]) {
                CLEANUP_WITH(xfree) char *word = NULL;

                item += n + 1;
                n = strcspn(item, ":");
                word = xstrndup(item, n);
                if (add_after(submit, words[i].when, word, err) < 0)
                        return err_wrap(err, "--dependency %.80s", text);
        }
        return 0;
}

/* "afterok:36:37,afterany:38": all of them; "afterok:36?afterany:38": one of them is enough */
static int parse_dependency(struct submit *submit, const char *text, struct err *err)
{
        const char *p = text;

        if (strchr(text, '?')) {
                if (strchr(text, ',') || strstr(text, "aftercorr") || strstr(text, "singleton"))
                        return refuse_dependency(text, text, err);
                submit->spec.after_one = submit->spec.has_after_one = true;
        }
        for (;;) {
                size_t n = strcspn(p, ",?");
                CLEANUP_WITH(xfree) char *item = xstrndup(p, n);

                if (add_dependency(submit, text, item, err) < 0)
                        return -1;
                if (!p[n])
                        return 0;
                p += n + 1;
        }
}

static int after_of_spec(struct submit *submit, struct err *err)
{
        const struct opt_value *value;
        size_t at = 0, one = 0;

        while ((value = opts_next(submit->opts, "dependency", &at))) {
                size_t before = submit->n_after;

                if (parse_dependency(submit, value->text, err) < 0)
                        return -1;
                one = strchr(value->text, '?') ? submit->n_after - before : one;
        }
        at = 0;
        while ((value = opts_next(submit->opts, "after", &at)))
                if (parse_after(submit, value->text, err) < 0)
                        return -1;
        if (submit_stdin_from(submit, err) < 0)
                return -1;
        if (submit->spec.after_one && submit->n_after > one)
                return err_set(err, ERR_USAGE,
                               "--dependency with ? says all that the job waits for; no other --dependency, "
                               "--after or --stdin-from stands beside it");
        submit->spec.after = submit->after;
        submit->spec.n_after = submit->n_after;
        return 0;
}

/* --- numbers and flags ----------------------------------------------------------------------------------------- */
static void option_number(struct submit *submit, const char *option, uint64_t *ret_n, bool *ret_has)
{
        if (!opts_has(submit->opts, option))
                return;
        *ret_n = (uint64_t)opts_number(submit->opts, option, 0);
        *ret_has = true;
}

static void option_flag(struct submit *submit, const char *option, bool *ret_on, bool *ret_has)
{
        if (opts_flag(submit->opts, option))
                *ret_on = *ret_has = true;
}

static void numbers_of_spec(struct submit *submit)
{
        struct rec_job_spec *spec = &submit->spec;

        option_number(submit, "cpus", &spec->cpus, &spec->has_cpus);
        option_number(submit, "gpus", &spec->gpus, &spec->has_gpus);
        option_number(submit, "max-running", &spec->max_running, &spec->has_max_running);
        option_number(submit, "time", &spec->time_ms, &spec->has_time_ms);
        option_number(submit, "grace", &spec->grace_ms, &spec->has_grace_ms);
        option_number(submit, "retries", &spec->retries, &spec->has_retries);
        option_number(submit, "crash-limit", &spec->crash_limit, &spec->has_crash_limit);
        option_number(submit, "out-max", &spec->out_max, &spec->has_out_max);
        option_flag(submit, "hold", &spec->hold, &spec->has_hold);
        option_flag(submit, "singleton", &spec->singleton, &spec->has_singleton);
        option_flag(submit, "at-most-once", &spec->at_most_once, &spec->has_at_most_once);
        option_flag(submit, "no-replace", &spec->no_replace, &spec->has_no_replace);
        if (opts_number(submit->opts, "on-dep-fail", 0))
                spec->on_dep_fail_run = spec->has_on_dep_fail_run = true;
        if (opts_has(submit->opts, "priority")) {
                spec->priority = opts_number(submit->opts, "priority", 0);
                spec->has_priority = true;
        }
}

static int check_following(const struct submit *submit, struct err *err)
{
        static const char *const need_wait[] = { "progress", "timeout", "exit-code" };

        if (opts_flag(submit->opts, "wait") || opts_flag(submit->opts, "watch"))
                return 0;
        for (size_t i = 0; i < ARRAY_LEN(need_wait); i++)
                if (opts_has(submit->opts, need_wait[i]))
                        return err_set(err, ERR_USAGE, "--%s goes with --wait or --watch", need_wait[i]);
        return 0;
}

int submit_options(struct submit *submit, struct err *err)
{
        numbers_of_spec(submit);
        compat_of_spec(submit);
        if (check_following(submit, err) < 0 || texts_of_spec(submit, err) < 0 ||
            tags_of_spec(submit, err) < 0 || outs_of_spec(submit, err) < 0 ||
            secrets_of_spec(submit, err) < 0 || ok_codes_of_spec(submit, err) < 0 ||
            submit_failure(submit, err) < 0 || submit_times(submit, err) < 0 ||
            needs_of_spec(submit, err) < 0)
                return -1;
        return after_of_spec(submit, err);
}
