/* Points in time, in a zone with summer time. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/when.h"
#include "unit.h"

/* Wednesday, 25 November 2026, 12:00 in Berlin */
static const int64_t now_us = INT64_C(1795604400) * 1000000;

static void berlin(void)
{
        setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
        tzset();
}

static void is_at(const char *text, const char *utc)
{
        struct when when;
        struct err err = { 0 };
        int64_t us;

        CU_ASSERT_EQUAL_FATAL(time_parse_us(utc, &us, &err), 0);
        if (when_parse(text, now_us, &when, &err) < 0) {
                CU_FAIL(text);
                return;
        }
        CU_ASSERT_FALSE(when.relative);
        CU_ASSERT_EQUAL(when.at_us, us);
}

static void is_in(const char *text, int64_t ms)
{
        struct when when;

        CU_ASSERT_EQUAL_FATAL(when_parse(text, now_us, &when, NULL), 0);
        CU_ASSERT_TRUE(when.relative);
        CU_ASSERT_EQUAL(when.delay_ms, ms);
}

static void a_time_of_day_is_the_next_one_here(void)
{
        berlin();
        is_at("18:30", "2026-11-25T17:30Z");
        is_at("18:30:15", "2026-11-25T17:30:15Z");
        is_at("12:00", "2026-11-25T11:00Z"); /* now */
        is_at("11:59:59", "2026-11-26T10:59:59Z"); /* over for today */
        is_at("00:00", "2026-11-25T23:00Z");
}

static void a_date_is_here_unless_it_says_where(void)
{
        berlin();
        is_at("2026-11-30", "2026-11-29T23:00Z");
        is_at("2026-11-30T18:30", "2026-11-30T17:30Z");
        is_at("2026-11-30 18:30:01", "2026-11-30T17:30:01Z");
        is_at("2026-07-01T12:00", "2026-07-01T10:00Z"); /* summer */
        is_at("2026-11-30T18:30Z", "2026-11-30T18:30Z");
        is_at("2026-11-30T18:30:00+05:30", "2026-11-30T13:00Z");
        is_at("2026-11-30T18:30-08:00", "2026-12-01T02:30Z");
        is_at("1970-01-01T00:00Z", "1970-01-01T00:00Z");
        is_at("2028-02-29T00:00Z", "2028-02-29T00:00Z");
}

static void days_by_name(void)
{
        berlin();
        is_at("tomorrow", "2026-11-25T23:00Z");
        is_at("tomorrow 06:00", "2026-11-26T05:00Z");
        is_at("tomorrowT06:00:30", "2026-11-26T05:00:30Z");
        is_at("today 18:30", "2026-11-25T17:30Z");
        is_at("today 06:00", "2026-11-25T05:00Z"); /* even if it is over */
}

static void so_long_from_now_stays_relative(void)
{
        is_in("now", 0);
        is_in("+30m", 1800000);
        is_in("now+1d12h", 129600000);
        is_in("+90", 90000);
        is_in("+00:01:30", 90000);
}

static void what_is_no_time_is_refused_with_examples(void)
{
        static const char *const bad[] = {
                "",
                "soon",
                "+",
                "+x",
                "now-1h",
                "18",
                "18:60",
                "24:00",
                "18:30Z",
                "18:30 x",
                "2026-02-30",
                "2026-13-01",
                "2026-11-25T18",
                "2026-11-25T18:30+1",
                "2026-11-25T18:30X",
                "1969-12-31",
                "today",
                "tomorrow x",
                "tomorrow06:00",
                "18:3",
                "1970-01-01T00:00+01:00",
                "2027-02-29T00:00Z",
        };
        struct when when;
        struct err err;

        berlin();
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                err = (struct err){ 0 };
                if (when_parse(bad[i], now_us, &when, &err) == 0)
                        CU_FAIL(bad[i]);
                CU_ASSERT_EQUAL(err.code, ERR_BAD_DATA);
                CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "tomorrow 06:00 or +30m"));
        }
}

UNIT_MAIN("when", TEST(a_time_of_day_is_the_next_one_here), TEST(a_date_is_here_unless_it_says_where),
          TEST(days_by_name), TEST(so_long_from_now_stays_relative),
          TEST(what_is_no_time_is_refused_with_examples))
