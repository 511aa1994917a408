/* Replacement in arguments, as workers do it (worker/core/wargs.c; a test compares the two), for `jobsubmit --dry-run`:
 *
 *   {}       the entry, the values of a product joined by blanks; in a plain array the index
 *   {1} {2}  the values of the entry        {name}  the value of that column
 *   {#}      the index (of an entry)        anything else in braces stays as it is
 *
 * Nothing is replaced where there are neither entries nor an array. Text goes in raw and is not looked at again. */
#ifndef CLI_REPLACE_H
#define CLI_REPLACE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct replace {
        const char *const *values; /* of the entry; NULL: a plain array */
        size_t n_values;
        const char *const *columns; /* names of the values; NULL: none */
        size_t n_columns;
        uint64_t index;
};

/* Append `text` with its replacements. */
void replace_add(const struct replace *replace, const char *text, struct buf *out);

#endif
