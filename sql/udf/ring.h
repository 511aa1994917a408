/* The key ring as the database server holds it: loaded at first use, shared by all connections, loaded again when
 * the file has changed. The file is named by JOBMILL_KEYRING in the server's environment, else `jobmill.keyring` in
 * its data folder (which is its working directory). Thread-safe. */
#ifndef UDF_RING_H
#define UDF_RING_H

#include "crypt/keyring.h"

struct ring;

/* A reference on the current ring, for the length of a statement; NULL if the file is missing or refused. The
 * reason goes to the server's error log, once per reason: the person at the other end may not learn of paths. */
struct ring *ring_get(void);
void ring_put(struct ring *ring); /* NULL is fine; wiped with its last reference */
const struct keyring *ring_keys(const struct ring *ring);

#endif
