/* Input files that jobs may need again: each content is sent to a worker once while it fits. Kept by owner and digest:
 * who names a digest gets only what the same person's jobs brought here, never what others know.
 *
 * A file is shared by hard links with the folders of jobs; nothing writes to it. Bounded: the longest unused go first. */
#ifndef EXEC_CACHE_H
#define EXEC_CACHE_H

#include "exec/scratch.h"

#define CACHE_BYTES_DEFAULT ((uint64_t)4 << 30)

struct cache;
struct cache_key {
        const char *owner;
        const char *sha256; /* hex, lower case */
        uint64_t bytes;
};

struct cache *cache_new(struct scratch *scratch, uint64_t max_bytes); /* 0: keeps nothing */
void cache_free(struct cache *cache);
/* Keep the file `name` (below the scratch folder), which was found to have this digest. A failure only means that it will
 * be sent again. Files of more than half of the bound are not kept. */
void cache_put(struct cache *cache, const struct cache_key *key, const char *name);
/* Give it the name `name`, mode as it was put. Its content is read and compared with the digest first: what was changed is
 * thrown away. False: it is not here. Reads the whole file. */
bool cache_get(struct cache *cache, const struct cache_key *key, const char *name);

#endif
