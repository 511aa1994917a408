/* unseal(kind, payload, wrapped_key, scope, owner, job, idx, attempt, part, seq, final)
 * unseal_entry(… the same …, k)
 *
 * The plaintext of an envelope, or its k-th entry (from 0) with the values joined by a space; NULL if the scope does
 * not cover the owner, or the envelope was not sealed for just this place. What one row needs is mostly what the row
 * before needed: the data key, the scope and an opened chunk of entries are kept for the length of the statement. */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret_file.h"
#include "base/xalloc.h"
#include "crypt/bytes.h"
#include "crypt/envelope.h"
#include "ring.h"
#include "scope.h"
#include "udf.h"

enum {
        ARG_KIND,
        ARG_PAYLOAD,
        ARG_WRAPPED,
        ARG_SCOPE,
        ARG_OWNER,
        ARG_JOB,
        ARG_INDEX,
        ARG_ATTEMPT,
        ARG_PART,
        ARG_SEQ,
        ARG_FINAL,
        ARG_K
};

#define HEAD_BYTES 13 /* version and nonce of an envelope */
#define TAG_BYTES 16

struct call {
        struct ring *ring; /* NULL: no key ring, every answer is NULL */
        struct sealer *sealer;
        struct scope scope;
        bool has_key;
        uint64_t key_job;
        uint8_t wrapped[WRAPPED_KEY_BYTES];
        struct data_key key;
        struct buf plain;
        /* unseal_entry: what `plain` holds, and where its entries begin */
        bool has_chunk;
        struct seal_place place;
        size_t envelope_bytes;
        uint8_t head[HEAD_BYTES];
        uint8_t tag[TAG_BYTES];
        size_t *starts;
        size_t n_starts;
        size_t cap;
        struct buf entry;
};

UDF_EXPORT my_bool unseal_init(UDF_INIT *init, UDF_ARGS *args, char *message);
UDF_EXPORT void unseal_deinit(UDF_INIT *init);
/* The C function of the same name is what opens envelopes. */
UDF_EXPORT char *sql_unseal(UDF_INIT *init, UDF_ARGS *args, char *result, unsigned long *length,
                            char *is_null, char *error) __asm__("unseal");
UDF_EXPORT my_bool unseal_entry_init(UDF_INIT *init, UDF_ARGS *args, char *message);
UDF_EXPORT void unseal_entry_deinit(UDF_INIT *init);
UDF_EXPORT char *unseal_entry(UDF_INIT *init, UDF_ARGS *args, char *result, unsigned long *length,
                              char *is_null, char *error);

static bool begin(UDF_INIT *init, UDF_ARGS *args, const char *function, unsigned n_args, char *message)
{
        static const struct udf_arg want[] = {
                { "kind", INT_RESULT },     { "payload", STRING_RESULT }, { "wrapped_key", STRING_RESULT },
                { "scope", STRING_RESULT }, { "owner", INT_RESULT },      { "job", INT_RESULT },
                { "idx", INT_RESULT },      { "attempt", INT_RESULT },    { "part", INT_RESULT },
                { "seq", INT_RESULT },      { "final", INT_RESULT },      { "k", INT_RESULT },
        };
        struct call *call;

        if (udf_check(args, function, want, n_args, message))
                return true;
        call = xcalloc(1, sizeof(*call));
        call->ring = ring_get();
        if (call->ring)
                call->sealer = sealer_new(ring_keys(call->ring));
        init->ptr = (char *)call;
        init->maybe_null = 1;
        init->max_length = 0xffffff; /* the server makes it a LONGBLOB */
        return false;
}

static void end(UDF_INIT *init)
{
        struct call *call = (struct call *)(void *)init->ptr;

        if (!call)
                return;
        sealer_free(call->sealer);
        ring_put(call->ring);
        scope_done(&call->scope);
        secret_free(call->plain.bytes, call->plain.cap);
        secret_free(call->entry.bytes, call->entry.cap);
        free(call->starts);
        OPENSSL_cleanse(call, sizeof(*call));
        free(call);
}

/* Room for n bytes and the NUL after them, with nothing of the old content left in freed memory. False when memory
 * is short: somebody else's server is not stopped for one large value. */
static bool room(struct buf *buf, size_t n)
{
        char *bytes;

        buf_clear(buf);
        if (n < buf->cap)
                return true;
        bytes = malloc(n + 1);
        if (!bytes)
                return false;
        secret_free(buf->bytes, buf->cap);
        *buf = (struct buf){ .bytes = bytes, .cap = n + 1 };
        bytes[0] = '\0';
        return true;
}

static bool in_range(const UDF_ARGS *args, unsigned i, uint64_t most)
{
        int64_t n = udf_int(args, i);

        return n >= 0 && (uint64_t)n <= most;
}

static bool read_place(const UDF_ARGS *args, struct seal_place *ret_place)
{
        if (!in_range(args, ARG_KIND, UINT8_MAX) || !in_range(args, ARG_OWNER, UINT32_MAX) ||
            !in_range(args, ARG_JOB, INT64_MAX) || !in_range(args, ARG_INDEX, INT64_MAX) ||
            !in_range(args, ARG_ATTEMPT, UINT32_MAX) || !in_range(args, ARG_PART, UINT32_MAX) ||
            !in_range(args, ARG_SEQ, INT64_MAX) || !in_range(args, ARG_FINAL, 1))
                return false;
        *ret_place = (struct seal_place){
                .kind = (enum seal_kind)udf_int(args, ARG_KIND),
                .owner = (uint32_t)udf_int(args, ARG_OWNER),
                .job = (uint64_t)udf_int(args, ARG_JOB),
                .index = (uint64_t)udf_int(args, ARG_INDEX),
                .attempt = (uint32_t)udf_int(args, ARG_ATTEMPT),
                .part = (uint32_t)udf_int(args, ARG_PART),
                .seq = (uint64_t)udf_int(args, ARG_SEQ),
                .final = udf_int(args, ARG_FINAL) == 1,
        };
        return true;
}

static bool same_place(const struct seal_place *a, const struct seal_place *b)
{
        return a->kind == b->kind && a->owner == b->owner && a->job == b->job && a->index == b->index &&
               a->attempt == b->attempt && a->part == b->part && a->seq == b->seq && a->final == b->final;
}

/* Make call->key the one that is wrapped in the row. */
static bool ready_key(struct call *call, const UDF_ARGS *args, uint64_t job)
{
        const char *wrapped = args->args[ARG_WRAPPED];
        size_t bytes = args->lengths[ARG_WRAPPED];

        if (bytes != WRAPPED_KEY_BYTES)
                return false;
        if (call->has_key && call->key_job == job && !memcmp(call->wrapped, wrapped, WRAPPED_KEY_BYTES))
                return true;
        call->has_key = false;
        call->has_chunk = false;
        if (data_key_unwrap(ring_keys(call->ring), job, wrapped, bytes, &call->key, NULL) < 0)
                return false;
        memcpy(call->wrapped, wrapped, WRAPPED_KEY_BYTES);
        call->key_job = job;
        call->has_key = true;
        return true;
}

/* Everything but the payload: true if this row may be opened, and call->key fits it. */
static bool may_open(struct call *call, const UDF_ARGS *args, struct seal_place *ret_place)
{
        return call->ring && !udf_any_null(args) && read_place(args, ret_place) &&
               scope_covers(&call->scope, ring_keys(call->ring), args->args[ARG_SCOPE],
                            args->lengths[ARG_SCOPE], ret_place->owner) &&
               ready_key(call, args, ret_place->job);
}

static bool open_payload(struct call *call, const UDF_ARGS *args, const struct seal_place *place)
{
        size_t bytes = args->lengths[ARG_PAYLOAD];

        return bytes >= ENVELOPE_OVERHEAD && room(&call->plain, bytes) &&
               unseal(call->sealer, &call->key, place, args->args[ARG_PAYLOAD], bytes, &call->plain, NULL) ==
                       0;
}

static char *null(char *is_null)
{
        *is_null = 1;
        return NULL;
}

my_bool unseal_init(UDF_INIT *init, UDF_ARGS *args, char *message)
{
        return begin(init, args, "unseal", ARG_FINAL + 1, message);
}

void unseal_deinit(UDF_INIT *init)
{
        end(init);
}

char *sql_unseal(UDF_INIT *init, UDF_ARGS *args, char *result UNUSED, unsigned long *length, char *is_null,
                 char *error UNUSED)
{
        struct call *call = (struct call *)(void *)init->ptr;
        struct seal_place place;

        if (!may_open(call, args, &place) || !open_payload(call, args, &place))
                return null(is_null);
        *length = call->plain.n;
        return call->plain.bytes;
}

my_bool unseal_entry_init(UDF_INIT *init, UDF_ARGS *args, char *message)
{
        return begin(init, args, "unseal_entry", ARG_K + 1, message);
}

void unseal_entry_deinit(UDF_INIT *init)
{
        end(init);
}

/* Is the chunk that lies open this row's? Place, length, nonce and tag tell as surely as the whole: another text
 * with the same four would be a forgery of the tag. */
static bool is_open(const struct call *call, const UDF_ARGS *args, const struct seal_place *place)
{
        const char *payload = args->args[ARG_PAYLOAD];
        size_t bytes = args->lengths[ARG_PAYLOAD];

        return call->has_chunk && bytes == call->envelope_bytes && same_place(place, &call->place) &&
               !memcmp(payload, call->head, HEAD_BYTES) &&
               !memcmp(payload + bytes - TAG_BYTES, call->tag, TAG_BYTES);
}

/* Note where each entry begins, so that entry k costs the same for every k. */
static void index_entries(struct call *call)
{
        size_t at = 0;

        call->n_starts = 0;
        while (call->plain.n - at >= 4) {
                size_t n = get_be32((const uint8_t *)call->plain.bytes + at);

                if (n > call->plain.n - at - 4)
                        return;
                GROW(call->starts, call->cap, call->n_starts + 1);
                call->starts[call->n_starts++] = at;
                at += 4 + n;
        }
}

static bool ready_chunk(struct call *call, const UDF_ARGS *args, const struct seal_place *place)
{
        const char *payload = args->args[ARG_PAYLOAD];
        size_t bytes = args->lengths[ARG_PAYLOAD];

        if (is_open(call, args, place))
                return true;
        call->has_chunk = false;
        if (!open_payload(call, args, place))
                return false;
        index_entries(call);
        call->place = *place;
        call->envelope_bytes = bytes;
        memcpy(call->head, payload, HEAD_BYTES);
        memcpy(call->tag, payload + bytes - TAG_BYTES, TAG_BYTES);
        call->has_chunk = true;
        return true;
}

char *unseal_entry(UDF_INIT *init, UDF_ARGS *args, char *result UNUSED, unsigned long *length, char *is_null,
                   char *error UNUSED)
{
        struct call *call = (struct call *)(void *)init->ptr;
        struct seal_place place;
        const char *text;
        size_t n;
        uint64_t k;

        if (!may_open(call, args, &place) || !ready_chunk(call, args, &place))
                return null(is_null);
        k = (uint64_t)udf_int(args, ARG_K);
        if (k >= call->n_starts) /* also a negative one */
                return null(is_null);
        text = call->plain.bytes + call->starts[k] + 4;
        n = get_be32((const uint8_t *)text - 4);
        if (!room(&call->entry, n))
                return null(is_null);
        buf_add(&call->entry, text, n);
        n = entry_shown(call->entry.bytes, n);
        for (size_t i = 0; i < n; i++)
                if (call->entry.bytes[i] == '\0')
                        call->entry.bytes[i] = ' ';
        *length = n;
        return call->entry.bytes;
}
