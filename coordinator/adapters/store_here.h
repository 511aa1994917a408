/* A small batch on the coordinator's own thread: gathered, sent, and its answer awaited in the loop.
 *
 * A task submitted alone is two of them; to wake the store's thread and to be woken by it was a tenth of its time. */
#ifndef ADAPTERS_STORE_HERE_H
#define ADAPTERS_STORE_HERE_H

#include "adapters/store_internal.h"

/* False: this one is for the thread; nothing has happened. True: it is on its way, store->fd tells of its answer. */
bool store_here_begin(struct store *store, struct store_batch *batch);
/* The batch that is on its way, once it has committed. NULL: no answer yet; or it did not commit, and the thread has it. */
struct store_batch *store_here_done(struct store *store);

/* The store ends: what is on its way is given up, and its batch has failed. */
void store_here_abandon(struct store *store);

/* Between the threads (store.c). */
void store_give(struct store *store, struct store_batch *batch, bool settle);
void store_wake(struct store *store); /* store->fd becomes readable */

#endif
