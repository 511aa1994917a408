/* Durations, sizes and times: text to numbers and back. */
#include "base/duration.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/escape.h"

#define TOO_LARGE "the number is too large"
#define DURATION_HELP "write 30s, 5m, 2h, 1d, HH:MM:SS or seconds"
#define SIZE_HELP "write bytes, or a number with K, M, G or T, such as 16M"
#define TIME_HELP "write a UTC time such as 2026-11-22T12:15:20Z"

static int bad(struct err *err, const char *what, const char *text, const char *why, const char *help)
{
        CLEANUP_BUF struct buf shown = { 0 };

        escape_add_short(&shown, text, strlen(text), 60);
        return err_set(err, ERR_BAD_DATA, "%s '%s': %s; %s", what, shown.n ? shown.bytes : "", why, help);
}

struct decimal {
        uint64_t whole;
        uint64_t millionths;
        bool fraction; /* a point was there */
};

/* Read digits with an optional fraction; *p moves behind them. NULL, or what is wrong. */
static const char *read_decimal(const char **p, struct decimal *ret)
{
        const char *from = *p;
        uint64_t scale = 1000000;

        *ret = (struct decimal){ 0 };
        for (; **p >= '0' && **p <= '9'; (*p)++)
                if (__builtin_mul_overflow(ret->whole, 10, &ret->whole) ||
                    __builtin_add_overflow(ret->whole, (uint64_t)(**p - '0'), &ret->whole))
                        return TOO_LARGE;
        if (*p == from)
                return "a number is missing";
        if (**p != '.')
                return NULL;
        ret->fraction = true;
        from = ++*p;
        for (; **p >= '0' && **p <= '9'; (*p)++) { /* digits beyond the sixth are cut off */
                scale /= 10;
                ret->millionths += (uint64_t)(**p - '0') * scale;
        }
        return *p == from ? "digits are missing after the point" : NULL;
}

/* number * unit, rounded down; false if it does not fit below `max`. unit <= 2^40. */
static bool scale(const struct decimal *number, uint64_t unit, uint64_t max, uint64_t *ret)
{
        return !__builtin_mul_overflow(number->whole, unit, ret) &&
               !__builtin_add_overflow(*ret, number->millionths * unit / 1000000, ret) && *ret <= max;
}

/* ------------------------------------------------------------------ durations */

struct time_unit {
        const char *word;
        uint64_t ms;
};
static const struct time_unit time_units[] = {
        { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 }
};

/* Two digits below 60 at text. */
static bool read_sixty(const char *text, uint64_t *ret)
{
        if (text[0] < '0' || text[0] > '5' || text[1] < '0' || text[1] > '9')
                return false;
        *ret = (uint64_t)(text[0] - '0') * 10 + (uint64_t)(text[1] - '0');
        return true;
}

/* The part behind the hours: ":MM:SS" and the end. */
static const char *read_clock(const char *p, uint64_t hours, uint64_t *ret_ms)
{
        uint64_t minutes, seconds;

        if (!read_sixty(p + 1, &minutes) || p[3] != ':' || !read_sixty(p + 4, &seconds) || p[6])
                return "hours, minutes and seconds must look like 01:30:00";
        if (hours > INT64_MAX / 3600000 - 1)
                return TOO_LARGE;
        *ret_ms = ((hours * 60 + minutes) * 60 + seconds) * 1000;
        return NULL;
}

/* The unit at p, one that is smaller than the one before it (index `from` and later), or NULL. The longest wins. */
static const struct time_unit *find_unit(const char *p, size_t from)
{
        size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyz");

        for (size_t i = from; i < ARRAY_LEN(time_units); i++)
                if (strlen(time_units[i].word) == n && !memcmp(time_units[i].word, p, n))
                        return &time_units[i];
        return NULL;
}

static const char *read_duration(const char *text, uint64_t *ret_ms)
{
        size_t next_unit = 0;
        bool fraction = false;

        *ret_ms = 0;
        for (const char *p = text; p == text || *p;) {
                static const struct time_unit seconds = { "", 1000 };
                const struct time_unit *unit = &seconds;
                struct decimal number;
                const char *wrong = read_decimal(&p, &number);
                uint64_t ms;

                if (wrong)
                        return wrong;
                if (fraction)
                        return "only the last number may have a fraction";
                if (next_unit == 0 && *p == ':' && !number.fraction)
                        return read_clock(p, number.whole, ret_ms);
                if (*p || next_unit)
                        unit = find_unit(p, next_unit);
                if (!unit)
                        return "a unit is unknown, missing, or not smaller than the one before it";
                if (!scale(&number, unit->ms, INT64_MAX - *ret_ms, &ms))
                        return TOO_LARGE;
                *ret_ms += ms;
                p += strlen(unit->word);
                fraction = number.fraction;
                next_unit = unit == &seconds ? 0 : (size_t)(unit - time_units) + 1;
        }
        return NULL;
}

int duration_parse(const char *text, int64_t *ret_ms, struct err *err)
{
        uint64_t ms;
        const char *wrong = read_duration(text, &ms);

        if (wrong)
                return bad(err, "duration", text, wrong, DURATION_HELP);
        *ret_ms = (int64_t)ms;
        return 0;
}

void duration_print(int64_t ms, struct buf *out)
{
        uint64_t left = ms < 0 ? (uint64_t)0 - (uint64_t)ms : (uint64_t)ms;

        if (ms < 0)
                buf_add_char(out, '-');
        for (size_t i = 0; i < 3; i++) {
                if (left < time_units[i].ms)
                        continue;
                buf_add_u64(out, left / time_units[i].ms);
                buf_add_str(out, time_units[i].word);
                left %= time_units[i].ms;
        }
        if (!left && ms)
                return;
        buf_add_u64(out, left / 1000);
        if (left % 1000) {
                size_t end;

                buf_addf(out, ".%03u", (unsigned)(left % 1000));
                for (end = out->n; out->bytes[end - 1] == '0';)
                        end--;
                out->n = end;
        }
        buf_add_char(out, 's');
}

/* ------------------------------------------------------------------ sizes */

static const char size_units[] = "KMGT";

static const char *read_size(const char *text, uint64_t *ret_bytes)
{
        const char *p = text;
        struct decimal number;
        const char *wrong = read_decimal(&p, &number);

        if (wrong)
                return wrong;
        if (!*p) {
                *ret_bytes = number.whole;
                return number.fraction ? "bytes have no fraction" : NULL;
        }
        for (size_t i = 0; i < strlen(size_units); i++)
                if (!p[1] && (*p & ~0x20) == size_units[i])
                        return scale(&number, UINT64_C(1024) << 10 * i, UINT64_MAX, ret_bytes) ? NULL
                                                                                               : TOO_LARGE;
        return "the unit is unknown";
}

int size_parse(const char *text, uint64_t *ret_bytes, struct err *err)
{
        uint64_t bytes;
        const char *wrong = read_size(text, &bytes);

        if (wrong)
                return bad(err, "size", text, wrong, SIZE_HELP);
        *ret_bytes = bytes;
        return 0;
}

void size_print(uint64_t bytes, struct buf *out)
{
        size_t unit = 0;

        while (bytes && unit < strlen(size_units) && bytes % 1024 == 0) {
                bytes /= 1024;
                unit++;
        }
        buf_add_u64(out, bytes);
        if (unit)
                buf_add_char(out, size_units[unit - 1]);
}

void size_print_short(uint64_t bytes, struct buf *out)
{
        uint64_t tenths = bytes; /* of the next unit, once divided */
        size_t unit = 0;

        if (bytes < 1024) {
                buf_add_u64(out, bytes);
                return;
        }
        while (bytes >= 1024 && unit < strlen(size_units)) {
                tenths = bytes / 1024 * 10 + bytes % 1024 * 10 / 1024;
                bytes /= 1024;
                unit++;
        }
        buf_add_u64(out, tenths / 10);
        if (tenths < 100 && tenths % 10) {
                buf_add_char(out, '.');
                buf_add_u64(out, tenths % 10);
        }
        buf_add_char(out, size_units[unit - 1]);
}

/* ------------------------------------------------------------------ times */

void time_print_us(int64_t us, struct buf *out)
{
        int64_t fraction = (us % US_PER_S + US_PER_S) % US_PER_S;
        time_t seconds = (us - fraction) / US_PER_S;
        struct tm tm;

        gmtime_r(&seconds, &tm);
        buf_addf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                 tm.tm_hour, tm.tm_min, tm.tm_sec, (int)fraction);
}

/* Exactly n digits at *p; *p moves behind them. */
static bool read_digits(const char **p, int n, int *ret)
{
        *ret = 0;
        for (int i = 0; i < n; i++, (*p)++) {
                if (**p < '0' || **p > '9')
                        return false;
                *ret = *ret * 10 + (**p - '0');
        }
        return true;
}

static bool read_date(const char **p, struct tm *tm)
{
        if (!read_digits(p, 4, &tm->tm_year) || *(*p)++ != '-' || !read_digits(p, 2, &tm->tm_mon) ||
            *(*p)++ != '-' || !read_digits(p, 2, &tm->tm_mday))
                return false;
        tm->tm_year -= 1900;
        tm->tm_mon -= 1;
        return tm->tm_year >= 70;
}

/* HH:MM[:SS[.ffffff]] */
static bool read_time_of_day(const char **p, struct tm *tm, int64_t *ret_us)
{
        int64_t scale_us = US_PER_S;

        if (!read_digits(p, 2, &tm->tm_hour) || *(*p)++ != ':' || !read_digits(p, 2, &tm->tm_min))
                return false;
        if (**p != ':')
                return true;
        (*p)++;
        if (!read_digits(p, 2, &tm->tm_sec))
                return false;
        if (**p != '.')
                return true;
        for ((*p)++; **p >= '0' && **p <= '9' && scale_us > 1; (*p)++) {
                scale_us /= 10;
                *ret_us += (**p - '0') * scale_us;
        }
        return scale_us < US_PER_S;
}

int time_parse_us(const char *text, int64_t *ret_us, struct err *err)
{
        const char *p = text;
        struct tm tm = { 0 };
        struct tm again;
        int64_t us = 0;
        time_t seconds;

        if (!read_date(&p, &tm))
                return bad(err, "time", text, "it does not begin with a date from 1970 on", TIME_HELP);
        if ((*p == 'T' || *p == ' ') && (p++, !read_time_of_day(&p, &tm, &us)))
                return bad(err, "time", text, "the time of day is not HH:MM or HH:MM:SS", TIME_HELP);
        p += *p == 'Z';
        if (*p)
                return bad(err, "time", text, "there is something behind it", TIME_HELP);
        again = tm;
        seconds = timegm(&again);
        if (again.tm_mon != tm.tm_mon || again.tm_mday != tm.tm_mday || again.tm_hour != tm.tm_hour ||
            again.tm_min != tm.tm_min || again.tm_sec != tm.tm_sec)
                return bad(err, "time", text, "there is no such day or hour", TIME_HELP);
        *ret_us = seconds * US_PER_S + us;
        return 0;
}
