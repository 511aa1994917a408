/* echo: its arguments, joined by a space, and a newline, to stdout. No process. */
#include <stdlib.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "core/wargs.h"
#include "tasks/task.h"

#define TEXT_MAX ((size_t)768 << 10) /* rides in one `finished`, with room to spare */

static void add_text(const struct wlease *lease, uint64_t index, struct buf *out)
{
        CLEANUP_WITH(job_spec_free) struct job_spec_box *own = wlease_own_spec(lease, index);
        const struct rec_job_spec *spec = own ? &own->spec : &lease->job->box->spec;
        struct wentry entry = wlease_entry(lease, index);
        uint64_t max = spec->has_out_max ? spec->out_max : UINT64_MAX;
        size_t from = out->n;

        for (size_t i = 0; i < spec->n_args && out->n - from <= TEXT_MAX; i++) {
                if (i)
                        buf_add_char(out, ' ');
                wargs_expand(spec, entry, index, spec->args[i], out);
        }
        buf_add_char(out, '\n');
        if (out->n - from > max) /* too short to say so */
                out->n = from + utf8_cut(out->bytes + from, (size_t)max);
}

static void one_by_one(const struct task_host *host, struct wlease *lease, struct range range)
{
        CLEANUP_BUF struct buf text = { 0 };
        uint64_t n = range.hi - range.lo + 1;
        CLEANUP_WITH(xfree) struct wchunk *outputs = xcalloc(n, sizeof(*outputs));
        CLEANUP_WITH(xfree) size_t *at = xcalloc(n, sizeof(*at));
        bool too_long = false;

        for (uint64_t i = 0; i < n; i++) {
                size_t from = text.n;

                at[i] = from;
                add_text(lease, range.lo + i, &text);
                too_long |= text.n - from > TEXT_MAX;
                outputs[i] = (struct wchunk){ .stream = STREAM_STDOUT, .n_bytes = text.n - from };
        }
        for (uint64_t i = 0; i < n; i++)
                outputs[i].bytes = text.bytes + at[i];
        if (too_long)
                host->group_ended(host->arg, lease, range,
                                  &(struct wend){ .how = WEND_FAILED, .reason = TASK_REASON_ARGS_TOO_LONG },
                                  NULL);
        else
                host->group_ended(host->arg, lease, range, &(struct wend){ .how = WEND_EXITED }, outputs);
}

const struct task_ops task_ops_ECHO = { .group = one_by_one };
