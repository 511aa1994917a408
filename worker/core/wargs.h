/* Entries in commands: `{}` the entry (its values joined by a space), `{1}` `{2}` its values, `{column}`, `{#}` the
 * index. A plain array knows only `{}`, its index; anything else in braces stays as it is. Text goes in raw. */
#ifndef CORE_WARGS_H
#define CORE_WARGS_H

#include "base/buf.h"
#include "core/wtask.h"

/* Append `arg` as the task with this index and entry sees it. */
void wargs_expand(const struct rec_job_spec *spec, struct wentry entry, uint64_t index, const char *arg,
                  struct buf *out);
/* True if wargs_expand could change anything in any of the job's arguments. */
bool wargs_replaces(const struct rec_job_spec *spec);
/* The values joined by a space. */
void wargs_entry(struct wentry entry, struct buf *out);

#endif
