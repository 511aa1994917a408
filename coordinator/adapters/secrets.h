/* The table Secrets: written by the store, opened by a reader for a worker's lease. */
#ifndef ADAPTERS_SECRETS_H
#define ADAPTERS_SECRETS_H

#include "adapters/reader_internal.h"
#include "adapters/store_writer.h"

/* An envelope opens only for this owner and name. */
struct seal_place secret_place(const struct keyring *keyring, struct principal_id owner, const char *name);
int store_secret(struct store_writer *writer, struct db *db, const struct store_secret *secret,
                 struct err *err) MUST_CHECK;
int store_find_secret(struct db *db, struct store_find_secret *find, struct err *err) MUST_CHECK;
/* Answers a worker's `fetch` of a secret. NOT_FOUND: it was removed. */
int reader_secret(struct reader_hand *hand, const struct read_request *read, struct err *err) MUST_CHECK;

#endif
