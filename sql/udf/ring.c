/* The shared key ring. The one place with a mutable global: a server loads the library once, and statements of all
 * its connections have nothing else in common. Everything in it is under its lock, counts too. */
#include "ring.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/xalloc.h"

struct ring {
        struct keyring *keyring;
        unsigned refs; /* one is the global's own */
};

struct stamp { /* tells whether the file is another one than the one loaded */
        dev_t dev;
        ino_t ino;
        off_t bytes;
        struct timespec written;
        struct timespec changed;
};

static struct {
        pthread_mutex_t lock;
        struct ring *ring;
        struct stamp stamp;
        char last_complaint[ERR_TEXT_BYTES];
} shared = { .lock = PTHREAD_MUTEX_INITIALIZER };

static const char *ring_path(void)
{
        const char *path = getenv("JOBMILL_KEYRING");

        return path && *path ? path : "jobmill.keyring";
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
        return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
        return a->dev == b->dev && a->ino == b->ino && a->bytes == b->bytes &&
               same_time(&a->written, &b->written) && same_time(&a->changed, &b->changed);
}

static struct stamp stamp_of(const char *path)
{
        struct stat st = { 0 };

        if (lstat(path, &st) < 0)
                return (struct stamp){ 0 };
        return (struct stamp){ st.st_dev, st.st_ino, st.st_size, st.st_mtim, st.st_ctim };
}

static void complain_once(const char *text)
{
        if (!strcmp(shared.last_complaint, text))
                return;
        snprintf(shared.last_complaint, sizeof(shared.last_complaint), "%s", text);
        if (*text)
                fprintf(stderr, "jobmill: sealed values stay closed: %s\n", text);
}

/* With the lock held. */
static void drop(struct ring *ring)
{
        if (!ring || --ring->refs)
                return;
        keyring_free(ring->keyring);
        free(ring);
}

/* With the lock held: what the file says now, or NULL. */
static struct ring *load(const char *path)
{
        struct err err = { 0 };
        struct keyring *keyring = keyring_load(path, &err);
        struct ring *ring;

        complain_once(keyring ? "" : err.text);
        if (!keyring)
                return NULL;
        ring = xcalloc(1, sizeof(*ring));
        ring->keyring = keyring;
        ring->refs = 1;
        return ring;
}

struct ring *ring_get(void)
{
        struct ring *ring;

        pthread_mutex_lock(&shared.lock);
        {
                const char *path = ring_path();
                struct stamp now = stamp_of(path); /* before loading: a later change is seen next time */

                if (!shared.ring || !same_stamp(&now, &shared.stamp)) {
                        drop(shared.ring);
                        shared.ring = load(path);
                        shared.stamp = now;
                }
                ring = shared.ring;
                if (ring)
                        ring->refs++;
        }
        pthread_mutex_unlock(&shared.lock);
        return ring;
}

void ring_put(struct ring *ring)
{
        pthread_mutex_lock(&shared.lock);
        drop(ring);
        pthread_mutex_unlock(&shared.lock);
}

const struct keyring *ring_keys(const struct ring *ring)
{
        return ring->keyring;
}

/* DROP FUNCTION unloads the library: the keys must not stay behind. */
static __attribute__((destructor)) void forget(void)
{
        drop(shared.ring);
        shared.ring = NULL;
}
