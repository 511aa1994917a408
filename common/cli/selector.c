/* Selectors to structs. Asks nobody: what `last` or `@name` stand for is found out by resolve.c. */
#include "cli/selector.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "proto/array_text.h"

#define STDIN_SELECTORS_MAX 1000000 /* more jobs than anybody names one by one */
#define SELECTOR_RANGES_MAX 4096 /* as many as a message takes */

static int refuse(const char *text, struct err *err)
{
        return err_set(err, ERR_BAD_DATA,
                       "'%.80s' is no selector; examples: 36  36.4  36.[1-9]  30-36  last  last~1  @name  "
                       "tag:k=v  all",
                       text);
}

/* Digits at *p as an id; moves *p behind them. */
static bool take_id(const char **p, uint64_t *ret_id)
{
        uint64_t id = 0;

        if (!isdigit((unsigned char)**p))
                return false;
        for (; isdigit((unsigned char)**p); (*p)++) {
                id = id * 10 + (uint64_t)(**p - '0');
                if (id > ID_MAX)
                        return false;
        }
        *ret_id = id;
        return true;
}

/* What may follow a job: nothing, `.4`, `_4`, `.[…]`, `_[…]`. */
static int parse_tasks(const char *whole, const char *p, struct selector *selector, struct err *err)
{
        CLEANUP_WITH(xfree) char *inner = NULL;
        size_t n;

        if (!*p)
                return 0;
        if (*p != '.' && *p != '_')
                return refuse(whole, err);
        p++;
        n = strlen(p);
        if (n >= 2 && p[0] == '[' && p[n - 1] == ']')
                inner = xstrndup(p + 1, n - 2);
        else if (n && strspn(p, "0123456789") == n)
                inner = xstrdup(p);
        else
                return refuse(whole, err);
        if (ranges_parse(inner, SELECTOR_RANGES_MAX, &selector->ranges, &selector->n_ranges, err) < 0)
                return err_wrap(err, "selector '%.80s'", whole);
        return 0;
}

static int parse_last(const char *text, struct selector *selector, struct err *err)
{
        const char *p = text + strlen("last");

        selector->kind = SELECTOR_LAST;
        if (*p == '~') {
                p++;
                if (!take_id(&p, &selector->last))
                        return refuse(text, err);
        }
        return parse_tasks(text, p, selector, err);
}

static int parse_job(const char *text, struct selector *selector, struct err *err)
{
        const char *p = text;

        selector->kind = SELECTOR_JOB;
        if (!take_id(&p, &selector->job) || selector->job == 0)
                return refuse(text, err);
        selector->job_to = selector->job;
        if (*p != '-')
                return parse_tasks(text, p, selector, err);
        p++;
        selector->kind = SELECTOR_JOBS;
        if (!take_id(&p, &selector->job_to) || *p || selector->job_to < selector->job)
                return refuse(text, err);
        return 0;
}

static int parse_any(const char *text, struct selector *selector, struct err *err)
{
        if (strcmp(text, "all") == 0) {
                selector->kind = SELECTOR_ALL;
                return 0;
        }
        if (text[0] == '@') {
                selector->kind = SELECTOR_NAME;
                selector->text = xstrdup(text + 1);
                return text[1] && strlen(text + 1) <= 255 ? 0 : refuse(text, err);
        }
        if (strncmp(text, "tag:", 4) == 0) {
                const char *equals = strchr(text, '=');

                selector->kind = SELECTOR_TAG;
                selector->text = xstrdup(text + 4);
                return equals && equals > text + 4 && strlen(text + 4) <= 512 ? 0 : refuse(text, err);
        }
        if (strncmp(text, "last", 4) == 0)
                return parse_last(text, selector, err);
        return parse_job(text, selector, err);
}

int selector_parse(const char *text, struct selector *ret_selector, struct err *err)
{
        struct selector selector = { 0 };

        if (!utf8_valid(text, strlen(text)))
                return err_set(err, ERR_BAD_DATA, "a selector is not valid UTF-8");
        if (parse_any(text, &selector, err) < 0) {
                selector_done(&selector);
                return -1;
        }
        *ret_selector = selector;
        return 0;
}

void selector_done(struct selector *selector)
{
        xfree(selector->text);
        xfree(selector->ranges);
        *selector = (struct selector){ 0 };
}

static int add_selector(struct selectors *selectors, const char *word, struct err *err)
{
        GROW(selectors->list, selectors->cap, selectors->n + 1);
        if (selector_parse(word, &selectors->list[selectors->n], err) < 0)
                return -1;
        selectors->n++;
        return 0;
}

static int read_stdin(struct selectors *selectors, struct err *err)
{
        char word[1024];

        while (scanf("%1023s", word) == 1) {
                if (selectors->n >= STDIN_SELECTORS_MAX)
                        return err_set(err, ERR_TOO_LARGE, "more than %d selectors", STDIN_SELECTORS_MAX);
                if (add_selector(selectors, word, err) < 0)
                        return err_wrap(err, "stdin");
        }
        return 0;
}

int selectors_parse(const char *const *words, size_t n_words, struct selectors *selectors, struct err *err)
{
        for (size_t i = 0; i < n_words; i++) {
                int rc = strcmp(words[i], "-") == 0 ? read_stdin(selectors, err)
                                                    : add_selector(selectors, words[i], err);

                if (rc < 0)
                        return -1;
        }
        return 0;
}

void selectors_done(struct selectors *selectors)
{
        for (size_t i = 0; i < selectors->n; i++)
                selector_done(&selectors->list[i]);
        xfree(selectors->list);
        *selectors = (struct selectors){ 0 };
}
