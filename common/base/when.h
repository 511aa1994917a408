/* Points in time as people write them for a job: on the clock, or so long from now. */
#ifndef BASE_WHEN_H
#define BASE_WHEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct when {
        bool relative; /* counted from the moment in which it is accepted: delay_ms; else at_us */
        int64_t delay_ms;
        int64_t at_us; /* since 1970, UTC */
};

/* `18:30`, `18:30:15`      the next such time of day, here
 * `2026-11-25T18:30[:15]`  that time here; with Z or ±HH:MM behind it, there. A blank may stand for T; without a time: 00:00
 * `tomorrow`, `tomorrow 06:00`, `today 18:30`  that day, here
 * `+30m`, `now+30m`, `now` so long from now: any duration
 * Here: in the time zone of this process (TZ). now_us: wall clock. Times before 1970 or after 9999 and days that do not
 * exist are refused (BAD_DATA), with examples that work. */
int when_parse(const char *text, int64_t now_us, struct when *ret_when, struct err *err) MUST_CHECK;

#endif
