/* Who is who, and who may do what. Principals have keys (one principal each) and roles; a role is a bundle of grants
 * (permission, scope, task type). Allow-only, exact names, default deny, one function. */
#ifndef CORE_ACCESS_H
#define CORE_ACCESS_H

#include "base/hash.h"
#include "core/event.h"

struct person {
        UT_hash_handle hh; /* by number */
        struct store_principal row;
        uint32_t *roles; /* numbers */
        size_t n_roles, cap_roles;
        UT_hash_handle hh_name;
};
struct key {
        struct store_key row;
        UT_hash_handle hh; /* by number */
        UT_hash_handle hh_public;
};
struct role {
        struct store_role row;
        struct store_grant *grants;
        size_t n_grants, cap_grants;
        uint32_t *members;
        size_t n_members, cap_members;
        UT_hash_handle hh; /* by number */
        UT_hash_handle hh_name;
};
struct access {
        struct person *people;
        struct person *people_by_name;
        struct key *keys;
        struct key *keys_by_public;
        struct role *roles;
        struct role *roles_by_name;
        uint32_t next_principal, next_role;
        uint64_t next_key;
};

void access_done(struct access *access);
/* Each takes the row as it is now; `removed` and `active` say whether it holds. Unknown numbers are ignored. */
struct person *access_person(struct access *access, const struct store_principal *row);
void access_key(struct access *access, const struct store_key *row);
void access_role(struct access *access, const struct store_role *row);
void access_member(struct access *access, const struct store_member *row);
void access_grant(struct access *access, const struct store_grant *row);

struct person *access_find(const struct access *access, struct principal_id id);
struct person *access_find_name(const struct access *access, const char *name);
struct role *access_find_role(const struct access *access, const char *name);
/* This key may speak now: known, not revoked, not expired, of somebody active. */
bool access_key_speaks(const struct access *access, const struct key *key, int64_t wall_us);
struct key *access_find_key(const struct access *access, uint64_t key);
struct key *access_find_public(const struct access *access, const char *public_key);
/* The key behind a message if it may speak at wall_us: not revoked, not expired, its principal active. Else NULL. */
const struct key *access_speaker(const struct access *access, const char *public_key, int64_t wall_us);

/* The one decision. `owner`: whose thing it is (0: nobody's, needs scope any). `type`: a task type's word, or NULL
 * where none applies. O(roles and grants of the person). */
bool access_allows(const struct access *access, struct principal_id who, enum permission permission,
                   struct principal_id owner, const char *type);
/* Does he hold this right with at least this scope, so that he may hand it on? */
bool access_holds(const struct access *access, struct principal_id who, enum permission permission,
                  enum scope scope, const char *type);
/* Does he hold this right in any scope at all? */
bool access_has_some(const struct access *access, struct principal_id who, enum permission permission);

#endif
