/* JSON for people: one value on several lines, indented. For texts that were checked already (a listing's cell);
 * the hot path has json_scan. */
#ifndef PROTO_JSON_PRETTY_H
#define PROTO_JSON_PRETTY_H

#include <stddef.h>

#include "base/buf.h"

/* Append the value in `text`, its lines after the first indented by `indent` spaces more. A text that json-c cannot
 * read is appended as it is. Controls inside strings stay escaped; other characters are the caller's to escape. */
void json_pretty_add(struct buf *out, const char *text, size_t bytes, size_t indent);

#endif
