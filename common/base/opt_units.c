/* Option values with units: durations and sizes; and names. A wrong one is wrong use of the command, whatever duration.h calls
 * it. */
#include <string.h>

#include "base/duration.h"
#include "base/name.h"
#include "base/opt.h"

static int is_usage(struct err *err)
{
        if (err)
                err->code = ERR_USAGE;
        return -1;
}

static int within(const struct opt *opt, const char *text, int64_t n, struct err *err)
{
        if ((opt->min || opt->max) && (n < opt->min || n > opt->max))
                return err_set(err, ERR_USAGE, "'%.80s' is outside the allowed range", text);
        return 0;
}

int opt_name(const struct opt *opt, const char *text, int64_t *ret_number, struct err *err)
{
        (void)opt;
        *ret_number = 0;
        if (strlen(text) > 64 || !name_is_valid(text, strlen(text)))
                return err_set(err, ERR_USAGE, "'%.80s' is no name; names are letters, digits, . _ -", text);
        return 0;
}

int opt_duration(const struct opt *opt, const char *text, int64_t *ret_number, struct err *err)
{
        int64_t ms;

        if (duration_parse(text, &ms, err) < 0)
                return is_usage(err);
        if (within(opt, text, ms, err) < 0)
                return -1;
        *ret_number = ms;
        return 0;
}

int opt_size(const struct opt *opt, const char *text, int64_t *ret_number, struct err *err)
{
        uint64_t bytes;

        if (size_parse(text, &bytes, err) < 0)
                return is_usage(err);
        if (bytes > INT64_MAX)
                return err_set(err, ERR_USAGE, "'%.80s' is outside the allowed range", text);
        if (within(opt, text, (int64_t)bytes, err) < 0)
                return -1;
        *ret_number = (int64_t)bytes;
        return 0;
}
