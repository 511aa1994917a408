/* A description that is too long to be shown whole. */
#ifndef PROTO_SPEC_CUT_H
#define PROTO_SPEC_CUT_H

#include "proto/msg.h"

/* Append it as JSON with its long lists (args, env, outs, shapes) cut to their first elements, about `list_bytes` bytes of
 * each; a member `cut`, which no description has, says what was left out. */
void job_spec_cut(const struct rec_job_spec *spec, size_t list_bytes, struct buf *out);

#endif
