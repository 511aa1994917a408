/* Durations, sizes and times: what people write, and back. */
#include "unit.h"

#include <inttypes.h>
#include <string.h>

#include "base/duration.h"

static void durations_in_every_form(void)
{
        static const struct {
                const char *text;
                int64_t ms;
        } rows[] = { { "30s", 30000 },
                     { "5m", 300000 },
                     { "2h", 7200000 },
                     { "1d", 86400000 },
                     { "30", 30000 },
                     { "0", 0 },
                     { "01:30:00", 5400000 },
                     { "100:00:01", 360001000 },
                     { "500ms", 500 },
                     { "0.5", 500 },
                     { "1.5h", 5400000 },
                     { "1d12h", 129600000 },
                     { "1h30m15.25s", 5415250 },
                     { "1.0009s", 1000 } };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                int64_t ms = -1;

                CU_ASSERT_EQUAL(duration_parse(rows[i].text, &ms, NULL), 0);
                CU_ASSERT_EQUAL(ms, rows[i].ms);
        }
}

static void wrong_durations_name_text_reason_and_forms(void)
{
        static const char *const rows[] = { "",
                                            "s",
                                            "5x",
                                            "-5s",
                                            "5 s",
                                            "1:30",
                                            "01:60:00",
                                            "01:30:0",
                                            "1m1h",
                                            "1h1h",
                                            "1.5h30m",
                                            "5.",
                                            ".5",
                                            "1e3",
                                            "1h30",
                                            "01:30:00s",
                                            "99999999999999999999",
                                            "9223372036854775807d",
                                            "99999999999999:00:00" };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct err err = { 0 };
                int64_t ms = 77;

                CU_ASSERT_EQUAL(duration_parse(rows[i], &ms, &err), -1);
                CU_ASSERT_EQUAL(ms, 77);
                CU_ASSERT_EQUAL(err.code, ERR_BAD_DATA);
                CU_ASSERT_PTR_NOT_NULL(strstr(err.text, rows[i]));
                CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "HH:MM:SS"));
        }
}

static void a_printed_duration_reads_back_to_the_same(void)
{
        CLEANUP_BUF struct buf b = { 0 };

        for (int64_t ms = 0; ms < 400000000; ms = ms * 3 / 2 + 7) {
                int64_t back = -1;

                buf_clear(&b);
                duration_print(ms, &b);
                CU_ASSERT_EQUAL(duration_parse(b.bytes, &back, NULL), 0);
                CU_ASSERT_EQUAL(back, ms);
        }
        buf_clear(&b);
        duration_print(93784005, &b);
        duration_print(0, &b);
        duration_print(86400000, &b);
        duration_print(-1500, &b);
        CU_ASSERT_STRING_EQUAL(b.bytes, "1d2h3m4.005s0s1d-1.5s");
}

static void sizes_there_and_back(void)
{
        CLEANUP_BUF struct buf b = { 0 };
        uint64_t bytes;

        CU_ASSERT(size_parse("16M", &bytes, NULL) == 0 && bytes == 16 << 20);
        CU_ASSERT(size_parse("1.5g", &bytes, NULL) == 0 && bytes == UINT64_C(3) << 29);
        CU_ASSERT(size_parse("1025", &bytes, NULL) == 0 && bytes == 1025);
        CU_ASSERT(size_parse("2T", &bytes, NULL) == 0 && bytes == UINT64_C(2) << 40);
        CU_ASSERT_EQUAL(size_parse("16MB", &bytes, NULL), -1);
        CU_ASSERT_EQUAL(size_parse("1.5", &bytes, NULL), -1);
        CU_ASSERT_EQUAL(size_parse("16777216T", &bytes, NULL), -1);
        CU_ASSERT_EQUAL(size_parse("-1", &bytes, NULL), -1);
        CU_ASSERT_EQUAL(size_parse("", &bytes, NULL), -1);
        size_print(UINT64_C(16) << 20, &b);
        size_print(1025, &b);
        size_print(0, &b);
        CU_ASSERT_STRING_EQUAL(b.bytes, "16M10250");
        buf_clear(&b);
        size_print_short(1023, &b);
        size_print_short(1536, &b);
        size_print_short(UINT64_C(16) << 20, &b);
        size_print_short(UINT64_MAX, &b);
        CU_ASSERT_STRING_EQUAL(b.bytes, "10231.5K16M16777215T");
}

static void times_are_utc_and_days_exist(void)
{
        CLEANUP_BUF struct buf b = { 0 };
        int64_t us;

        CU_ASSERT_EQUAL(time_parse_us("2026-11-22T12:15:20Z", &us, NULL), 0);
        CU_ASSERT_EQUAL(us, INT64_C(1795349720000000));
        time_print_us(us + 42, &b);
        CU_ASSERT_STRING_EQUAL(b.bytes, "2026-11-22T12:15:20.000042Z");
        CU_ASSERT_EQUAL(time_parse_us(b.bytes, &us, NULL), 0);
        CU_ASSERT_EQUAL(us, INT64_C(1795349720000042));
        CU_ASSERT(time_parse_us("2024-02-29", &us, NULL) == 0 && us == INT64_C(1709164800000000));
        CU_ASSERT(time_parse_us("1970-01-01 00:01", &us, NULL) == 0 && us == 60000000);
        CU_ASSERT_EQUAL(time_parse_us("2026-02-29", &us, NULL), -1);
        CU_ASSERT_EQUAL(time_parse_us("2026-13-01", &us, NULL), -1);
        CU_ASSERT_EQUAL(time_parse_us("2026-01-01T24:00", &us, NULL), -1);
        CU_ASSERT_EQUAL(time_parse_us("2026-01-01T12", &us, NULL), -1);
        CU_ASSERT_EQUAL(time_parse_us("2026-01-01T12:00+01:00", &us, NULL), -1);
        CU_ASSERT_EQUAL(time_parse_us("0000-01-01", &us, NULL), -1);
        CU_ASSERT_EQUAL(time_parse_us("yesterday", &us, NULL), -1);
        CU_ASSERT_EQUAL(time_parse_us("", &us, NULL), -1);
        buf_clear(&b);
        time_print_us(-1, &b);
        CU_ASSERT_STRING_EQUAL(b.bytes, "1969-12-31T23:59:59.999999Z");
}

UNIT_MAIN("duration", TEST(durations_in_every_form), TEST(wrong_durations_name_text_reason_and_forms),
          TEST(a_printed_duration_reads_back_to_the_same), TEST(sizes_there_and_back),
          TEST(times_are_utc_and_days_exist))
