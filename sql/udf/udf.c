/* Arguments of the SQL functions. */
#include "udf.h"

#include <stdio.h>

#define MESSAGE_BYTES 512 /* MYSQL_ERRMSG_SIZE */

static bool bad_arg(const char *function, unsigned i, const struct udf_arg *want, char *message)
{
        snprintf(message, MESSAGE_BYTES, "%s: argument %u (%s) must be %s", function, i + 1, want->name,
                 want->type == INT_RESULT ? "a whole number" : "a string");
        return true;
}

bool udf_check(UDF_ARGS *args, const char *function, const struct udf_arg *want, unsigned n_want,
               char *message)
{
        if (args->arg_count != n_want) {
                snprintf(message, MESSAGE_BYTES, "%s needs %u arguments, not %u", function, n_want,
                         args->arg_count);
                return true;
        }
        for (unsigned i = 0; i < n_want; i++) {
                bool is_text = args->arg_type[i] == STRING_RESULT;

                /* A NULL literal has the type of a string and no value; it is welcome everywhere. */
                if (want[i].type == INT_RESULT && is_text && args->args[i])
                        return bad_arg(function, i, &want[i], message);
                if (want[i].type == STRING_RESULT && !is_text)
                        return bad_arg(function, i, &want[i], message);
                args->arg_type[i] = want[i].type;
        }
        return false;
}

bool udf_any_null(const UDF_ARGS *args)
{
        for (unsigned i = 0; i < args->arg_count; i++)
                if (!args->args[i])
                        return true;
        return false;
}
