/* The cache of input files: a folder of its own in the scratch folder, and a list in the order of use. */
#include "exec/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "base/xalloc.h"
#include "crypt/digest.h"

#define FILES_MAX 100000 /* of the list, which is searched from its newer end */
#define NAME_BYTES 48
#define BLOCK_BYTES 65536

struct cached {
        char owner[65];
        char sha256[DIGEST_HEX_BYTES + 1];
        uint64_t bytes;
        char name[NAME_BYTES];
        struct cached *prev, *next; /* the longest unused first */
};

struct cache {
        struct scratch *scratch;
        uint64_t max_bytes, bytes, n_named;
        size_t n;
        struct cached *list;
        char folder[NAME_BYTES / 2]; /* empty until there is something to keep */
};

struct cache *cache_new(struct scratch *scratch, uint64_t max_bytes)
{
        struct cache *cache = xcalloc(1, sizeof(*cache));

        cache->scratch = scratch;
        cache->max_bytes = max_bytes;
        return cache;
}

static void drop(struct cache *cache, struct cached *file)
{
        unlinkat(cache->scratch->fd, file->name, 0);
        DL_DELETE(cache->list, file);
        cache->bytes -= file->bytes;
        cache->n--;
        free(file);
}

void cache_free(struct cache *cache)
{
        if (!cache)
                return;
        while (cache->list)
                drop(cache, cache->list);
        if (cache->folder[0])
                scratch_remove(cache->scratch, cache->folder);
        free(cache);
}

static struct cached *find(const struct cache *cache, const struct cache_key *key)
{
        struct cached *file;

        DL_FOREACH (cache->list, file)
                if (file->bytes == key->bytes && strcmp(file->sha256, key->sha256) == 0 &&
                    strcmp(file->owner, key->owner) == 0)
                        return file;
        return NULL;
}

/* A name of its own: the folder of an earlier time may still be on its way out. */
static bool has_folder(struct cache *cache)
{
        if (cache->folder[0])
                return true;
        snprintf(cache->folder, sizeof(cache->folder), "c%llu",
                 (unsigned long long)++cache->scratch->n_named);
        if (scratch_make(cache->scratch, cache->folder) == 0)
                return true;
        cache->folder[0] = '\0';
        return false;
}

void cache_put(struct cache *cache, const struct cache_key *key, const char *name)
{
        struct cached *file;

        if (key->bytes == 0 || key->bytes > cache->max_bytes / 2 || find(cache, key) || !has_folder(cache))
                return;
        while (cache->list && (cache->bytes + key->bytes > cache->max_bytes || cache->n >= FILES_MAX))
                drop(cache, cache->list);
        file = xcalloc(1, sizeof(*file));
        snprintf(file->owner, sizeof(file->owner), "%s", key->owner);
        snprintf(file->sha256, sizeof(file->sha256), "%s", key->sha256);
        file->bytes = key->bytes;
        snprintf(file->name, sizeof(file->name), "%s/%llu", cache->folder,
                 (unsigned long long)++cache->n_named);
        if (linkat(cache->scratch->fd, name, cache->scratch->fd, file->name, 0) < 0) {
                free(file);
                return;
        }
        DL_APPEND(cache->list, file);
        cache->bytes += file->bytes;
        cache->n++;
}

static bool is_unchanged(const struct cache *cache, const struct cached *file)
{
        CLEANUP_WITH(digest_free) struct digest *digest = digest_new();
        int fd = openat(cache->scratch->fd, file->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        char block[BLOCK_BYTES], sha256[DIGEST_HEX_BYTES + 1];
        uint64_t bytes = 0;
        ssize_t n = -1;

        while (fd >= 0 && ((n = read(fd, block, sizeof(block))) > 0 || (n < 0 && errno == EINTR))) {
                if (n < 0)
                        continue;
                digest_add(digest, block, (size_t)n);
                bytes += (uint64_t)n;
        }
        if (fd >= 0)
                close(fd);
        digest_hex(digest, sha256);
        return n == 0 && bytes == file->bytes && strcmp(sha256, file->sha256) == 0;
}

bool cache_get(struct cache *cache, const struct cache_key *key, const char *name)
{
        struct cached *file = find(cache, key);

        if (!file)
                return false;
        if (!is_unchanged(cache, file)) {
                drop(cache, file);
                return false;
        }
        DL_DELETE(cache->list, file);
        DL_APPEND(cache->list, file);
        return linkat(cache->scratch->fd, file->name, cache->scratch->fd, name, 0) == 0;
}
