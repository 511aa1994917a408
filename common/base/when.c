/* Points in time. Reads the time zone of the process (localtime), nothing else. */
#include "base/when.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/escape.h"

#define HELP "write 18:30, 2026-11-25T18:30, 2026-11-25T17:30Z, tomorrow 06:00 or +30m"

static int bad(struct err *err, const char *text, const char *why)
{
        CLEANUP_BUF struct buf shown = { 0 };

        escape_add_short(&shown, text, strlen(text), 60);
        return err_set(err, ERR_BAD_DATA, "time '%s': %s; %s", shown.n ? shown.bytes : "", why, HELP);
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

/* HH:MM[:SS] */
static bool read_time_of_day(const char **p, struct tm *tm)
{
        if (!read_digits(p, 2, &tm->tm_hour) || *(*p)++ != ':' || !read_digits(p, 2, &tm->tm_min))
                return false;
        if (**p == ':') {
                (*p)++;
                if (!read_digits(p, 2, &tm->tm_sec))
                        return false;
        }
        return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec < 60;
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

/* Z or ±HH:MM at *p, and the end. *ret_offset_s: east of Greenwich. */
static bool read_zone(const char *p, int *ret_offset_s)
{
        int hours, minutes, sign = *p == '-' ? -1 : 1;

        *ret_offset_s = 0;
        if (*p == 'Z')
                return !p[1];
        if (*p++ == '\0')
                return false;
        if (!read_digits(&p, 2, &hours) || *p++ != ':' || !read_digits(&p, 2, &minutes) || *p)
                return false;
        *ret_offset_s = sign * (hours * 3600 + minutes * 60);
        return hours < 15 && minutes < 60;
}

/* Is it the day and time that was asked for? mktime and timegm make 1 March of 30 February. */
static bool is_same(const struct tm *a, const struct tm *b)
{
        return a->tm_mon == b->tm_mon && a->tm_mday == b->tm_mday;
}

static int take_local(const char *text, const struct tm *asked, struct when *ret_when, struct err *err)
{
        struct tm tm = *asked;
        time_t seconds;

        tm.tm_isdst = -1;
        seconds = mktime(&tm);
        if (!is_same(&tm, asked) || seconds < 0)
                return bad(err, text, "there is no such day");
        *ret_when = (struct when){ .at_us = (int64_t)seconds * US_PER_S };
        return 0;
}

/* YYYY-MM-DD[THH:MM[:SS]][Z|±HH:MM] */
static int parse_date(const char *text, struct when *ret_when, struct err *err)
{
        const char *p = text;
        struct tm tm = { 0 }, again;
        int offset_s;
        int64_t seconds;

        if (!read_date(&p, &tm))
                return bad(err, text, "it does not begin with a date from 1970 on");
        if ((*p == 'T' || *p == ' ') && (p++, !read_time_of_day(&p, &tm)))
                return bad(err, text, "the time of day is not HH:MM or HH:MM:SS");
        if (!*p)
                return take_local(text, &tm, ret_when, err);
        if (!strchr("Z+-", *p) || !read_zone(p, &offset_s))
                return bad(err, text, "what follows is neither Z nor an offset such as +01:00");
        again = tm;
        seconds = timegm(&again);
        if (!is_same(&again, &tm))
                return bad(err, text, "there is no such day");
        if (seconds < offset_s)
                return bad(err, text, "it is before 1970");
        *ret_when = (struct when){ .at_us = (seconds - offset_s) * US_PER_S };
        return 0;
}

/* The time of day `days` from today; at_day: 00:00 if none is given, else it must be. */
static int parse_day(const char *text, const char *p, int days, int64_t now_us, struct when *ret_when,
                     struct err *err)
{
        time_t now = (time_t)(now_us / US_PER_S);
        struct tm tm = { 0 }, time_of_day = { 0 };

        if (*p && ((*p != ' ' && *p != 'T') || (p++, !read_time_of_day(&p, &time_of_day)) || *p))
                return bad(err, text, "the time of day is not HH:MM or HH:MM:SS");
        localtime_r(&now, &tm);
        tm.tm_mday += days;
        tm.tm_hour = 12; /* there is a noon on every day */
        tm.tm_isdst = -1;
        mktime(&tm);
        tm.tm_hour = time_of_day.tm_hour;
        tm.tm_min = time_of_day.tm_min;
        tm.tm_sec = time_of_day.tm_sec;
        return take_local(text, &tm, ret_when, err);
}

/* HH:MM[:SS]: today, or tomorrow if that is over. */
static int parse_time_of_day(const char *text, int64_t now_us, struct when *ret_when, struct err *err)
{
        char day[16] = " ";
        struct when when;

        if (strlen(text) > sizeof(day) - 2)
                return bad(err, text, "it is no time");
        memcpy(day + 1, text, strlen(text));
        if (parse_day(text, day, 0, now_us, &when, err) < 0)
                return -1;
        if (when.at_us < now_us && parse_day(text, day, 1, now_us, &when, err) < 0)
                return -1;
        *ret_when = when;
        return 0;
}

static int parse_delay(const char *text, const char *duration, struct when *ret_when, struct err *err)
{
        int64_t ms;
        struct err why = { 0 };

        if (duration_parse(duration, &ms, &why) < 0)
                return bad(err, text, "what follows + is no duration");
        *ret_when = (struct when){ .relative = true, .delay_ms = ms };
        return 0;
}

int when_parse(const char *text, int64_t now_us, struct when *ret_when, struct err *err)
{
        if (strncmp(text, "now", 3) == 0 && (!text[3] || text[3] == '+'))
                return parse_delay(text, text[3] ? text + 4 : "0", ret_when, err);
        if (*text == '+')
                return parse_delay(text, text + 1, ret_when, err);
        if (strncmp(text, "today", 5) == 0 && text[5])
                return parse_day(text, text + 5, 0, now_us, ret_when, err);
        if (strncmp(text, "tomorrow", 8) == 0)
                return parse_day(text, text + 8, 1, now_us, ret_when, err);
        if (strlen(text) >= 3 && text[2] == ':')
                return parse_time_of_day(text, now_us, ret_when, err);
        return parse_date(text, ret_when, err);
}
