/* A scope: whose rows a statement may open. Its text is
 *
 *   <owner>,<owner>,…,.<64 hex of HMAC-SHA256 under the key ring's scope secret>
 *
 * Every owner ends with a comma, so that a list that was cut inside a number (a reader can lower
 * group_concat_max_len) is no list at all, rather than one that names somebody else. */
#ifndef UDF_SCOPE_H
#define UDF_SCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "crypt/keyring.h"

#define SCOPE_MAC_HEX 64

struct scope { /* zero-initialised: nothing looked at yet */
        struct buf text; /* the text looked at last */
        bool valid;
        uint32_t *owners; /* sorted */
        size_t n_owners;
        size_t cap;
};
void scope_done(struct scope *scope);

/* Append the authenticated text for a list of owners; -1 if the list is none. */
int scope_make(const struct keyring *keyring, const char *owners, size_t n, struct buf *out) MUST_CHECK;
/* Does `text` name `owner`, and was it made with this key ring? The last text is remembered: O(log owners). */
bool scope_covers(struct scope *scope, const struct keyring *keyring, const char *text, size_t n,
                  int64_t owner);

#endif
