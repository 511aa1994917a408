/* When a job may start, and until when: --at, --start-by. A time so long from now is sent as such, so that the same command
 * with the same key is the same request whenever it is repeated. */
#include "base/clock.h"
#include "base/when.h"
#include "cli/submit.h"

#define DELAY_MS_MAX INT64_C(31622400000) /* of messages.def: 366 days */

static int read_when(const char *text, struct when *ret_when, struct err *err)
{
        if (when_parse(text, clock_wall_us(), ret_when, err) < 0) {
                if (err)
                        err->code = ERR_USAGE;
                return -1;
        }
        if (ret_when->relative && ret_when->delay_ms > DELAY_MS_MAX)
                return err_set(err, ERR_USAGE, "'%.80s' is more than 366 days from now", text);
        return 0;
}

int submit_parse_when(const struct opt *opt UNUSED, const char *text, int64_t *ret_number, struct err *err)
{
        struct when when;

        *ret_number = 0;
        return read_when(text, &when, err);
}

static int64_t resolve_us(const struct when *when)
{
        return when->relative ? clock_wall_us() + when->delay_ms * US_PER_MS : when->at_us;
}

static int start_by_of_spec(struct submit *submit, int64_t at_us, struct err *err)
{
        struct rec_job_spec *spec = &submit->spec;
        const char *text = opts_text(submit->opts, "start-by");
        struct when when;
        int64_t until_us;

        if (!text)
                return 0;
        if (read_when(text, &when, err) < 0)
                return -1;
        until_us = resolve_us(&when);
        if (until_us <= clock_wall_us())
                return err_set(err, ERR_USAGE, "--start-by: '%.80s' is over; example: --start-by +30m", text);
        if (until_us <= at_us)
                return err_set(
                        err, ERR_USAGE,
                        "--start-by: '%.80s' is not after --at %.80s; example: --at 18:00 --start-by 20:00",
                        text, opts_text(submit->opts, "at"));
        if (when.relative)
                spec->start_by_delay_ms = (uint64_t)when.delay_ms;
        else
                spec->start_by_us = (uint64_t)when.at_us;
        *(when.relative ? &spec->has_start_by_delay_ms : &spec->has_start_by_us) = true;
        return 0;
}

int submit_times(struct submit *submit, struct err *err)
{
        struct rec_job_spec *spec = &submit->spec;
        const char *text = opts_text(submit->opts, "at");
        struct when when;

        if (!text)
                return start_by_of_spec(submit, 0, err);
        if (read_when(text, &when, err) < 0)
                return -1;
        if (when.relative)
                spec->at_delay_ms = (uint64_t)when.delay_ms;
        else
                spec->at_us = (uint64_t)when.at_us;
        *(when.relative ? &spec->has_at_delay_ms : &spec->has_at_us) = true;
        return start_by_of_spec(submit, resolve_us(&when), err);
}
