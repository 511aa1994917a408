/* seal_scope(owners, secret)      the authenticated scope text; NULL unless `secret` is the key ring's (64 hex)
 * scoped(scope, owner, n)         n if the scope covers owner, else NULL
 * scoped_text(scope, owner, text) the same for a string
 *
 * The last two keep numbers and words of foreign rows from a reader's own predicates, which the server may run
 * before the view's: there is nothing for a predicate to see. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "crypt/bytes.h"
#include "ring.h"
#include "scope.h"
#include "udf.h"

#define SECRET_BYTES 32
#define TEXT_MAX 65535 /* longer than any text that a view guards */

struct scope_call {
        struct ring *ring; /* NULL: no key ring, every answer is NULL */
        struct scope scope;
        struct buf made;
};

static void call_begin(UDF_INIT *init, unsigned max_length)
{
        struct scope_call *call = xcalloc(1, sizeof(*call));

        call->ring = ring_get();
        init->ptr = (char *)call;
        init->maybe_null = 1;
        init->max_length = max_length;
}

static void call_end(UDF_INIT *init)
{
        struct scope_call *call = (struct scope_call *)(void *)init->ptr;

        if (!call)
                return;
        ring_put(call->ring);
        scope_done(&call->scope);
        buf_done(&call->made);
        free(call);
}

static bool covers(UDF_INIT *init, const UDF_ARGS *args)
{
        struct scope_call *call = (struct scope_call *)(void *)init->ptr;

        return call->ring && !udf_any_null(args) &&
               scope_covers(&call->scope, ring_keys(call->ring), args->args[0], args->lengths[0],
                            udf_int(args, 1));
}

UDF_EXPORT my_bool seal_scope_init(UDF_INIT *init, UDF_ARGS *args, char *message);
UDF_EXPORT void seal_scope_deinit(UDF_INIT *init);
UDF_EXPORT char *seal_scope(UDF_INIT *init, UDF_ARGS *args, char *result, unsigned long *length,
                            char *is_null, char *error);
UDF_EXPORT my_bool scoped_init(UDF_INIT *init, UDF_ARGS *args, char *message);
UDF_EXPORT void scoped_deinit(UDF_INIT *init);
UDF_EXPORT long long scoped(UDF_INIT *init, UDF_ARGS *args, char *is_null, char *error);
UDF_EXPORT my_bool scoped_text_init(UDF_INIT *init, UDF_ARGS *args, char *message);
UDF_EXPORT void scoped_text_deinit(UDF_INIT *init);
UDF_EXPORT char *scoped_text(UDF_INIT *init, UDF_ARGS *args, char *result, unsigned long *length,
                             char *is_null, char *error);

my_bool seal_scope_init(UDF_INIT *init, UDF_ARGS *args, char *message)
{
        static const struct udf_arg want[] = { { "owners", STRING_RESULT }, { "secret", STRING_RESULT } };

        if (udf_check(args, "seal_scope", want, ARRAY_LEN(want), message))
                return 1;
        call_begin(init, 1024 * 1024);
        return 0;
}

void seal_scope_deinit(UDF_INIT *init)
{
        call_end(init);
}

static bool is_secret(const struct keyring *keyring, const char *hex, size_t n)
{
        uint8_t got[SECRET_BYTES];

        return hex_read(hex, n, got, sizeof(got)) &&
               CRYPTO_memcmp(got, keyring_scope_secret(keyring), sizeof(got)) == 0;
}

char *seal_scope(UDF_INIT *init, UDF_ARGS *args, char *result UNUSED, unsigned long *length, char *is_null,
                 char *error UNUSED)
{
        struct scope_call *call = (struct scope_call *)(void *)init->ptr;

        buf_clear(&call->made);
        if (!call->ring || udf_any_null(args) ||
            !is_secret(ring_keys(call->ring), args->args[1], args->lengths[1]) ||
            scope_make(ring_keys(call->ring), args->args[0], args->lengths[0], &call->made) < 0) {
                *is_null = 1;
                return NULL;
        }
        *length = call->made.n;
        return call->made.bytes;
}

my_bool scoped_init(UDF_INIT *init, UDF_ARGS *args, char *message)
{
        static const struct udf_arg want[] = { { "scope", STRING_RESULT },
                                               { "owner", INT_RESULT },
                                               { "n", INT_RESULT } };

        if (udf_check(args, "scoped", want, ARRAY_LEN(want), message))
                return 1;
        call_begin(init, 20);
        init->decimals = 0;
        return 0;
}

void scoped_deinit(UDF_INIT *init)
{
        call_end(init);
}

long long scoped(UDF_INIT *init, UDF_ARGS *args, char *is_null, char *error UNUSED)
{
        if (covers(init, args))
                return udf_int(args, 2);
        *is_null = 1;
        return 0;
}

my_bool scoped_text_init(UDF_INIT *init, UDF_ARGS *args, char *message)
{
        static const struct udf_arg want[] = { { "scope", STRING_RESULT },
                                               { "owner", INT_RESULT },
                                               { "text", STRING_RESULT } };

        if (udf_check(args, "scoped_text", want, ARRAY_LEN(want), message))
                return 1;
        call_begin(init, TEXT_MAX);
        return 0;
}

void scoped_text_deinit(UDF_INIT *init)
{
        call_end(init);
}

char *scoped_text(UDF_INIT *init, UDF_ARGS *args, char *result UNUSED, unsigned long *length, char *is_null,
                  char *error UNUSED)
{
        if (!covers(init, args) || args->lengths[2] > TEXT_MAX) {
                *is_null = 1;
                return NULL;
        }
        *length = args->lengths[2];
        return args->args[2];
}
