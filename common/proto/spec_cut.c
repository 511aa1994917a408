/* Cuts lists by a shallow copy: nothing of the description itself is changed. */
#include "proto/spec_cut.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"

#define RANGE_BYTES 24 /* about what a range takes as text */

/* How many of the strings fit; `what` of them are left out. */
static void cut_strings(const char *what, const char *const *list, size_t *n, size_t most_bytes,
                        struct buf *said)
{
        size_t kept = 0, bytes = 0;

        while (kept < *n && bytes + strlen(list[kept]) <= most_bytes)
                bytes += strlen(list[kept++]) + 1;
        if (kept == *n)
                return;
        buf_addf(said, "%s%s: the first %zu of %zu", said->n ? ", " : "", what, kept, *n);
        *n = kept;
}

static void cut_shapes(struct rec_job_spec *spec, size_t most_bytes, struct buf *said)
{
        size_t kept = 0, bytes = 0;

        for (; kept < spec->n_shapes; kept++) {
                bytes += spec->shapes[kept].n_tasks * RANGE_BYTES;
                if (bytes > most_bytes)
                        break;
        }
        if (kept == spec->n_shapes)
                return;
        buf_addf(said, "%sshapes: the first %zu of %zu", said->n ? ", " : "", kept, spec->n_shapes);
        spec->n_shapes = kept;
}

void job_spec_cut(const struct rec_job_spec *spec, size_t list_bytes, struct buf *out)
{
        struct rec_job_spec cut = *spec;
        CLEANUP_BUF struct buf said = { 0 };

        cut_strings("args", spec->args, &cut.n_args, list_bytes, &said);
        cut_strings("env", spec->env, &cut.n_env, list_bytes, &said);
        cut_strings("outs", spec->outs, &cut.n_outs, list_bytes, &said);
        cut_shapes(&cut, list_bytes, &said);
        job_spec_encode(&cut, out);
        if (!said.n)
                return;
        out->n--; /* the last brace */
        buf_addf(out, ",\"cut\":\"%s\"}", said.bytes);
}
