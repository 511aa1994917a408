/* What becomes of tasks that fail or run too long: --retry-on, --backoff, --max-fails, --warn, and --mem that grows. Each text is checked while the command
 * line is parsed, so that a wrong one is named with its option, and read again here. */
#include <ctype.h>
#include <string.h>

#include "base/duration.h"
#include "base/signame.h"
#include "base/xalloc.h"
#include "cli/submit.h"
#include "proto/retry_word.h"

#define RETRY_ON_MAX 64 /* words; of messages.def */
#define MEM_MAX (UINT64_C(1) << 50) /* the same */
#define BACKOFF_MS_MAX INT64_C(2592000000) /* the same: 30 days */

/* 0 … max in digits, and the end; -1: something else. */
static int64_t read_count(const char *text, int64_t max)
{
        int64_t n = 0;

        for (const char *p = text; *p; p++) {
                if (*p < '0' || *p > '9')
                        return -1;
                n = n * 10 + (*p - '0');
                if (n > max)
                        return -1;
        }
        return *text ? n : -1;
}

/* --- --retry-on ------------------------------------------------------------------------------------------------ */

/* The word as it is sent: a signal by name is the code that a shell would show. NULL: none. Caller frees. */
static char *retry_word(const char *word)
{
        int signal = isdigit((unsigned char)*word) ? 0 : signame_parse(word);

        if (signal > 0)
                return xasprintf("%d", 128 + signal);
        return retry_word_is_valid(word) ? xstrdup(word) : NULL;
}

/* Calls `take` (if any) with each word of the list. */
static int each_retry_word(const char *text, void (*take)(struct submit *submit, char *take_word),
                           struct submit *submit, struct err *err)
{
        size_t n_words = 0;

        for (const char *p = text;; p++) {
                size_t n = strcspn(p, ",");
                CLEANUP_WITH(xfree) char *typed = xstrndup(p, n);
                CLEANUP_WITH(xfree) char *word = retry_word(typed);

                if (!word)
                        return err_set(err, ERR_USAGE,
                                       "'%.80s': '%.80s' is no exit code 1 … 255, no signal such as SIGSEGV "
                                       "and none "
                                       "of signal, timeout, oom, launch, exit-code, bad-result, no-space",
                                       text, typed);
                if (++n_words > RETRY_ON_MAX)
                        return err_set(err, ERR_USAGE, "more than %d words", RETRY_ON_MAX);
                if (take)
                        take(submit, STEAL(word));
                p += n;
                if (!*p)
                        return 0;
        }
}

int submit_parse_retry_on(const struct opt *opt UNUSED, const char *text, int64_t *ret_number,
                          struct err *err)
{
        *ret_number = 0;
        return each_retry_word(text, NULL, NULL, err);
}

static void add_retry_word(struct submit *submit, char *take_word)
{
        texts_add(&submit->retry_on, submit_own(submit, take_word));
}

static int retry_on_of_spec(struct submit *submit, struct err *err)
{
        const char *text = opts_text(submit->opts, "retry-on");

        if (!text)
                return 0;
        if (each_retry_word(text, add_retry_word, submit, err) < 0)
                return -1;
        submit->spec.retry_on = submit->retry_on.list;
        submit->spec.n_retry_on = submit->retry_on.n;
        if (!submit->spec.retries)
                cli_note(submit->cli,
                         "--retry-on does nothing without --retries; example: --retries 3 --retry-on 75");
        return 0;
}

/* --- --backoff ------------------------------------------------------------------------------------------------- */
struct backoff {
        int64_t first_ms, max_ms;
        int64_t factor; /* in thousandths */
        bool has_max, has_factor;
};

/* "x2", "x1.5": thousandths, -1: neither */
static int64_t read_factor(const char *text)
{
        const char *point = strchr(text, '.');
        CLEANUP_WITH(xfree) char *whole = point ? xstrndup(text, (size_t)(point - text)) : xstrdup(text);
        int64_t factor = read_count(whole, 100) * 1000;
        int64_t part = 100;

        if (factor < 0 || (point && (!point[1] || strlen(point + 1) > 3)))
                return -1;
        for (const char *p = point ? point + 1 : ""; *p; p++, part /= 10) {
                if (*p < '0' || *p > '9')
                        return -1;
                factor += (*p - '0') * part;
        }
        return factor >= 1000 && factor <= 100000 ? factor : -1;
}

static int read_delay(const char *text, int64_t *ret_ms, struct err *err)
{
        if (duration_parse(text, ret_ms, err) < 0) {
                if (err)
                        err->code = ERR_USAGE;
                return -1;
        }
        if (*ret_ms < 1 || *ret_ms > BACKOFF_MS_MAX)
                return err_set(err, ERR_USAGE, "'%.80s' is not within 1ms … 30d", text);
        return 0;
}

static int read_backoff_part(const char *part, bool first, struct backoff *backoff, struct err *err)
{
        if (first)
                return read_delay(part, &backoff->first_ms, err);
        if (*part == 'x' && !backoff->has_factor) {
                backoff->factor = read_factor(part + 1);
                backoff->has_factor = true;
                return backoff->factor < 0 ? err_set(err, ERR_USAGE, "'%.80s' is no factor x1 … x100", part)
                                           : 0;
        }
        if (strncmp(part, "max=", 4) == 0 && !backoff->has_max) {
                backoff->has_max = true;
                return read_delay(part + 4, &backoff->max_ms, err);
        }
        return err_set(err, ERR_USAGE,
                       "'%.80s' is neither a factor (x2) nor a limit (max=10m), or comes twice", part);
}

/* TIME[,xFACTOR][,max=TIME] */
static int read_backoff(const char *text, struct backoff *ret, struct err *err)
{
        *ret = (struct backoff){ 0 };
        for (const char *p = text;; p++) {
                size_t n = strcspn(p, ",");
                CLEANUP_WITH(xfree) char *part = xstrndup(p, n);

                if (read_backoff_part(part, p == text, ret, err) < 0)
                        return err_wrap(err, "'%.80s'", text);
                p += n;
                if (!*p)
                        break;
        }
        if (ret->has_max && ret->max_ms < ret->first_ms)
                return err_set(err, ERR_USAGE, "'%.80s': the limit is shorter than the first wait", text);
        return 0;
}

int submit_parse_backoff(const struct opt *opt UNUSED, const char *text, int64_t *ret_number, struct err *err)
{
        struct backoff backoff;

        *ret_number = 0;
        return read_backoff(text, &backoff, err);
}

static int backoff_of_spec(struct submit *submit, struct err *err)
{
        struct rec_job_spec *spec = &submit->spec;
        const char *text = opts_text(submit->opts, "backoff");
        struct backoff backoff;

        if (!text)
                return 0;
        if (read_backoff(text, &backoff, err) < 0)
                return -1;
        spec->backoff_ms = (uint64_t)backoff.first_ms;
        spec->has_backoff_ms = true;
        spec->backoff_factor = (uint64_t)backoff.factor;
        spec->has_backoff_factor = backoff.has_factor;
        spec->backoff_max_ms = (uint64_t)backoff.max_ms;
        spec->has_backoff_max_ms = backoff.has_max;
        if (!spec->retries)
                cli_note(submit->cli,
                         "--backoff does nothing without --retries; example: --retries 3 --backoff 5s");
        return 0;
}

/* --- --max-fails ----------------------------------------------------------------------------------------------- */
static int read_max_fails(const char *text, uint64_t *ret_n, bool *ret_percent, struct err *err)
{
        size_t n = strlen(text);
        bool percent = n > 0 && text[n - 1] == '%';
        CLEANUP_WITH(xfree) char *digits = xstrndup(text, n - percent);
        int64_t count = read_count(digits, percent ? 100 : 10000000);

        if (count < 0)
                return err_set(
                        err, ERR_USAGE,
                        "'%.80s' is neither a number of tasks 0 … 10000000 nor a part of them 0%% … 100%%",
                        text);
        *ret_n = (uint64_t)count;
        *ret_percent = percent;
        return 0;
}

int submit_parse_max_fails(const struct opt *opt UNUSED, const char *text, int64_t *ret_number,
                           struct err *err)
{
        uint64_t n;
        bool percent;

        *ret_number = 0;
        return read_max_fails(text, &n, &percent, err);
}

static int max_fails_of_spec(struct submit *submit, struct err *err)
{
        struct rec_job_spec *spec = &submit->spec;
        const char *text = opts_text(submit->opts, "max-fails");
        uint64_t n;
        bool percent;

        if (!text)
                return 0;
        if (read_max_fails(text, &n, &percent, err) < 0)
                return -1;
        *(percent ? &spec->max_fails_percent : &spec->max_fails) = n;
        *(percent ? &spec->has_max_fails_percent : &spec->has_max_fails) = true;
        return 0;
}

/* --- --warn ---------------------------------------------------------------------------------------------------- */

/* SIG@T */
static int read_warn(const char *text, uint64_t *ret_signal, uint64_t *ret_ms, struct err *err)
{
        const char *at = strchr(text, '@');
        CLEANUP_WITH(xfree) char *word = xstrndup(text, at ? (size_t)(at - text) : strlen(text));
        int signal = signame_parse(word);
        int64_t ms;

        if (!at)
                return err_set(err, ERR_USAGE, "'%.80s' is not SIGNAL@TIME, such as USR1@60s", text);
        if (signal == 0)
                return err_set(err, ERR_USAGE, "'%.40s' is no signal", word);
        if (duration_parse(at + 1, &ms, err) < 0) {
                if (err)
                        err->code = ERR_USAGE;
                return err_wrap(err, "'%.80s'", text);
        }
        *ret_signal = (uint64_t)signal;
        *ret_ms = (uint64_t)ms;
        return 0;
}

int submit_parse_warn(const struct opt *opt UNUSED, const char *text, int64_t *ret_number, struct err *err)
{
        uint64_t signal, ms;

        *ret_number = 0;
        return read_warn(text, &signal, &ms, err);
}

static int warn_of_spec(struct submit *submit, struct err *err)
{
        struct rec_job_spec *spec = &submit->spec;
        const char *text = opts_text(submit->opts, "warn");

        if (!text)
                return 0;
        if (read_warn(text, &spec->warn_signal, &spec->warn_ms, err) < 0)
                return -1;
        spec->has_warn_signal = spec->has_warn_ms = true;
        if (!spec->has_time_ms)
                return err_set(err, ERR_USAGE,
                               "--warn: goes with a run limit; example: --time 1h --warn USR1@60s");
        if (spec->warn_ms >= spec->time_ms)
                return err_set(
                        err, ERR_USAGE,
                        "--warn: '%.80s' is not before the end of --time %.80s; example: --time 1h --warn "
                        "USR1@60s",
                        strchr(text, '@') + 1, opts_text(submit->opts, "time"));
        return 0;
}

/* --- --mem ----------------------------------------------------------------------------------------------------- */
struct mem {
        uint64_t bytes, max;
        int64_t factor; /* in thousandths; 0: none */
};

static int read_mem_part(const char *part, bool first, struct mem *mem, struct err *err)
{
        uint64_t *bytes = first ? &mem->bytes : &mem->max;

        if (!first && *part == 'x' && mem->factor == 0) {
                mem->factor = read_factor(part + 1);
                return mem->factor < 0 ? err_set(err, ERR_USAGE, "'%.80s' is no factor x1 … x100", part) : 0;
        }
        if (!first && (strncmp(part, "max=", 4) != 0 || mem->max != 0))
                return err_set(err, ERR_USAGE,
                               "'%.80s' is neither a factor (x2) nor a limit (max=32G), or comes twice",
                               part);
        if (size_parse(first ? part : part + 4, bytes, err) < 0) {
                if (err)
                        err->code = ERR_USAGE;
                return -1;
        }
        if (*bytes < 1 || *bytes > MEM_MAX)
                return err_set(err, ERR_USAGE, "'%.80s' is not within 1 byte … 1024T", part);
        return 0;
}

/* SIZE[,xFACTOR[,max=SIZE]] */
static int read_mem(const char *text, struct mem *ret, struct err *err)
{
        *ret = (struct mem){ 0 };
        for (const char *p = text;; p++) {
                size_t n = strcspn(p, ",");
                CLEANUP_WITH(xfree) char *part = xstrndup(p, n);

                if (read_mem_part(part, p == text, ret, err) < 0)
                        return err_wrap(err, "'%.80s'", text);
                p += n;
                if (!*p)
                        break;
        }
        if (ret->max != 0 && ret->factor == 0)
                return err_set(err, ERR_USAGE, "'%.80s': a limit goes with a factor", text);
        if (ret->max != 0 && ret->max < ret->bytes)
                return err_set(err, ERR_USAGE, "'%.80s': the limit is less than the first size", text);
        return 0;
}

int submit_parse_mem(const struct opt *opt UNUSED, const char *text, int64_t *ret_number, struct err *err)
{
        struct mem mem;

        if (read_mem(text, &mem, err) < 0)
                return -1;
        *ret_number = (int64_t)mem.bytes;
        return 0;
}

static int mem_of_spec(struct submit *submit, struct err *err)
{
        struct rec_job_spec *spec = &submit->spec;
        const char *text = opts_text(submit->opts, "mem");
        struct mem mem;

        if (!text)
                return 0;
        if (read_mem(text, &mem, err) < 0)
                return -1;
        spec->mem = mem.bytes;
        spec->mem_factor = (uint64_t)mem.factor;
        spec->has_mem_factor = mem.factor != 0;
        spec->mem_max = mem.max;
        spec->has_mem = true;
        spec->has_mem_max = mem.max != 0;
        if (mem.factor != 0 && !spec->retries)
                cli_note(submit->cli,
                         "--mem with a factor needs --retries; example: --retries 3 --mem 4G,x2");
        return 0;
}

int submit_failure(struct submit *submit, struct err *err)
{
        if (retry_on_of_spec(submit, err) < 0 || backoff_of_spec(submit, err) < 0 ||
            max_fails_of_spec(submit, err) < 0 || mem_of_spec(submit, err) < 0)
                return -1;
        return warn_of_spec(submit, err);
}
