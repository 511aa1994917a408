/* Names that people give to queues, roles, workers, people: [A-Za-z0-9][A-Za-z0-9._-]*, plain ASCII, so that no two
 * names look alike. The length is the caller's to bound. */
#ifndef BASE_NAME_H
#define BASE_NAME_H

#include <stdbool.h>
#include <stddef.h>

bool name_is_valid(const char *text, size_t bytes); /* false for the empty text */

#endif
