/* What has to be so before the coordinator serves: safe settings, the schema of this program, its views. */
#ifndef ADAPTERS_DB_SETUP_H
#define ADAPTERS_DB_SETUP_H

#include "adapters/db.h"
#include "crypt/keyring.h"

/* Settings that would break the promise of durability are refused, by name and with the fix: CONFIG. With dev those
 * that only concern durability are named in `warnings` instead. */
int db_check_settings(struct db *db, bool dev, struct buf *warnings, struct err *err) MUST_CHECK;
/* Tables that InnoDB does not hold. After the migrations. */
int db_check_tables(struct db *db, struct err *err) MUST_CHECK;

/* Applies the migrations that are missing, under a lock. Safe to run twice, and after a kill at any moment: each
 * statement is noted before and after it ran. Refuses a schema newer than this program: CONFIG.
 * limit: at most so many statements in this call (tests stop half-way); SIZE_MAX: all. */
int db_migrate(struct db *db, size_t limit, struct err *err) MUST_CHECK;

/* Makes views and functions again if their text changed, or if the server's `unseal` came or went, and gives the
 * readers' accounts the right to them. */
int db_views(struct db *db, struct err *err) MUST_CHECK;

/* The installation's row, made if there is none; refuses a key ring of another installation: CONFIG. */
int db_coordinator_row(struct db *db, const struct keyring *keyring, struct err *err) MUST_CHECK;

/* MariaDB accounts of people: what Principals says (has_sql, sql_hash) is brought about. Idempotent; outside any
 * transaction, because account statements commit by themselves. */
int db_accounts(struct db *db, bool all_grants, struct err *err) MUST_CHECK;

#endif
