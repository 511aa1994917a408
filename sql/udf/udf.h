/* What the SQL functions share: checks of arguments, and how they read them. Every function answers NULL where it has
 * nothing to give; anybody may call one, so none tells more than that. */
#ifndef UDF_UDF_H
#define UDF_UDF_H

#include <mysql.h>
#include <stdbool.h>
#include <stdint.h>

#define UDF_EXPORT __attribute__((visibility("default")))

struct udf_arg {
        const char *name;
        enum Item_result type; /* STRING_RESULT or INT_RESULT */
};

/* True (and a message) if the call is wrong; else the server will convert what it can. */
bool udf_check(UDF_ARGS *args, const char *function, const struct udf_arg *want, unsigned n_want,
               char *message);
bool udf_any_null(const UDF_ARGS *args);

static inline int64_t udf_int(const UDF_ARGS *args, unsigned i)
{
        return *(const long long *)(const void *)args->args[i];
}

#endif
