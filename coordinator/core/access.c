/* Principals, keys, roles, grants and the one decision. Knows nothing of jobs. */
#include "core/access.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

struct person *access_person(struct access *access, const struct store_principal *row)
{
        struct person *person = access_find(access, row->principal);

        if (!person) {
                person = xcalloc(1, sizeof(*person));
                person->row = *row;
                HASH_ADD(hh, access->people, row.principal.n, sizeof(person->row.principal.n), person);
                HASH_ADD(hh_name, access->people_by_name, row.name, (unsigned)strlen(person->row.name),
                         person);
        }
        person->row.active = row->active;
        person->row.weight = row->weight;
        person->row.quota = row->quota;
        if (row->principal.n >= access->next_principal)
                access->next_principal = row->principal.n + 1;
        return person;
}

void access_key(struct access *access, const struct store_key *row)
{
        struct key *key = access_find_key(access, row->key);

        if (!key) {
                key = xcalloc(1, sizeof(*key));
                key->row = *row;
                HASH_ADD(hh, access->keys, row.key, sizeof(key->row.key), key);
                HASH_ADD(hh_public, access->keys_by_public, row.public_key,
                         (unsigned)strlen(key->row.public_key), key);
        }
        key->row.revoked = row->revoked;
        key->row.expires_us = row->expires_us;
        if (row->key >= access->next_key)
                access->next_key = row->key + 1;
}

static void role_free(struct access *access, struct role *role)
{
        HASH_DELETE(hh, access->roles, role);
        HASH_DELETE(hh_name, access->roles_by_name, role);
        free(role->grants);
        free(role->members);
        free(role);
}

static void drop_number(uint32_t *list, size_t *n, uint32_t number)
{
        for (size_t i = 0; i < *n; i++) {
                if (list[i] != number)
                        continue;
                list[i] = list[--*n];
                return;
        }
}

static bool has_number(const uint32_t *list, size_t n, uint32_t number)
{
        for (size_t i = 0; i < n; i++) {
                if (list[i] == number)
                        return true;
        }
        return false;
}

static struct role *find_role(const struct access *access, uint32_t number)
{
        struct role *role;

        HASH_FIND(hh, access->roles, &number, sizeof(number), role);
        return role;
}

void access_role(struct access *access, const struct store_role *row)
{
        struct role *role = find_role(access, row->role);

        if (row->role >= access->next_role)
                access->next_role = row->role + 1;
        if (role && row->removed) {
                for (size_t i = 0; i < role->n_members; i++) {
                        struct person *person =
                                access_find(access, (struct principal_id){ role->members[i] });

                        if (person)
                                drop_number(person->roles, &person->n_roles, row->role);
                }
                role_free(access, role);
                return;
        }
        if (role || row->removed)
                return;
        role = xcalloc(1, sizeof(*role));
        role->row = *row;
        HASH_ADD(hh, access->roles, row.role, sizeof(role->row.role), role);
        HASH_ADD(hh_name, access->roles_by_name, row.name, (unsigned)strlen(role->row.name), role);
}

void access_member(struct access *access, const struct store_member *row)
{
        struct role *role = find_role(access, row->role);
        struct person *person = access_find(access, row->principal);

        if (!role || !person)
                return;
        drop_number(role->members, &role->n_members, row->principal.n);
        drop_number(person->roles, &person->n_roles, row->role);
        if (row->removed)
                return;
        GROW(role->members, role->cap_members, role->n_members + 1);
        role->members[role->n_members++] = row->principal.n;
        GROW(person->roles, person->cap_roles, person->n_roles + 1);
        person->roles[person->n_roles++] = row->role;
}

static bool same_grant(const struct store_grant *a, const struct store_grant *b)
{
        return a->permission == b->permission && a->scope == b->scope && strcmp(a->type, b->type) == 0;
}

void access_grant(struct access *access, const struct store_grant *row)
{
        struct role *role = find_role(access, row->role);

        if (!role)
                return;
        for (size_t i = 0; i < role->n_grants; i++) {
                if (!same_grant(&role->grants[i], row))
                        continue;
                role->grants[i] = role->grants[--role->n_grants];
                break;
        }
        if (row->removed)
                return;
        GROW(role->grants, role->cap_grants, role->n_grants + 1);
        role->grants[role->n_grants++] = *row;
}

void access_done(struct access *access)
{
        struct person *person, *next_person;
        struct key *key, *next_key;
        struct role *role, *next_role;

        HASH_ITER (hh, access->roles, role, next_role)
                role_free(access, role);
        HASH_ITER (hh, access->keys, key, next_key) {
                HASH_DELETE(hh, access->keys, key);
                HASH_DELETE(hh_public, access->keys_by_public, key);
                free(key);
        }
        HASH_ITER (hh, access->people, person, next_person) {
                HASH_DELETE(hh, access->people, person);
                HASH_DELETE(hh_name, access->people_by_name, person);
                free(person->roles);
                free(person);
        }
}

struct person *access_find(const struct access *access, struct principal_id id)
{
        struct person *person;

        HASH_FIND(hh, access->people, &id.n, sizeof(id.n), person);
        return person;
}

struct person *access_find_name(const struct access *access, const char *name)
{
        struct person *person;

        HASH_FIND(hh_name, access->people_by_name, name, (unsigned)strlen(name), person);
        return person;
}

struct role *access_find_role(const struct access *access, const char *name)
{
        struct role *role;

        HASH_FIND(hh_name, access->roles_by_name, name, (unsigned)strlen(name), role);
        return role;
}

struct key *access_find_key(const struct access *access, uint64_t number)
{
        struct key *key;

        HASH_FIND(hh, access->keys, &number, sizeof(number), key);
        return key;
}

struct key *access_find_public(const struct access *access, const char *public_key)
{
        struct key *key;

        HASH_FIND(hh_public, access->keys_by_public, public_key, (unsigned)strlen(public_key), key);
        return key;
}

bool access_key_speaks(const struct access *access, const struct key *key, int64_t wall_us)
{
        const struct person *person;

        if (!key || key->row.revoked || (key->row.expires_us != 0 && key->row.expires_us <= wall_us))
                return false;
        person = access_find(access, key->row.principal);
        return person && person->row.active && person->row.is_worker == key->row.is_worker;
}

const struct key *access_speaker(const struct access *access, const char *public_key, int64_t wall_us)
{
        const struct key *key = access_find_public(access, public_key);

        return access_key_speaks(access, key, wall_us) ? key : NULL;
}

static bool type_fits(const struct store_grant *grant, const char *type)
{
        return strcmp(grant->type, "*") == 0 || (type && strcmp(grant->type, type) == 0);
}

/* A right that names task types counts for what has no type only if it covers all of them. */
bool access_allows(const struct access *access, struct principal_id who, enum permission permission,
                   struct principal_id owner, const char *type)
{
        const struct person *person = access_find(access, who);

        if (!person || !person->row.active)
                return false;
        if (permission == PERMISSION_NONE)
                return true;
        for (size_t r = 0; r < person->n_roles; r++) {
                const struct role *role = find_role(access, person->roles[r]);

                for (size_t g = 0; role && g < role->n_grants; g++) {
                        const struct store_grant *grant = &role->grants[g];

                        if (grant->permission != permission || !type_fits(grant, type))
                                continue;
                        if (grant->scope == SCOPE_ANY || (owner.n != 0 && owner.n == who.n))
                                return true;
                        if (grant->scope == SCOPE_ROLE && owner.n != 0 &&
                            has_number(role->members, role->n_members, owner.n))
                                return true;
                }
        }
        return false;
}

bool access_holds(const struct access *access, struct principal_id who, enum permission permission,
                  enum scope scope, const char *type)
{
        const struct person *person = access_find(access, who);

        for (size_t r = 0; person && r < person->n_roles; r++) {
                const struct role *role = find_role(access, person->roles[r]);

                for (size_t g = 0; role && g < role->n_grants; g++) {
                        const struct store_grant *grant = &role->grants[g];

                        if (grant->permission == permission && grant->scope >= scope &&
                            type_fits(grant, type))
                                return true;
                }
        }
        return false;
}

bool access_has_some(const struct access *access, struct principal_id who, enum permission permission)
{
        const struct person *person = access_find(access, who);

        for (size_t r = 0; person && r < person->n_roles; r++) {
                const struct role *role = find_role(access, person->roles[r]);

                for (size_t g = 0; role && g < role->n_grants; g++) {
                        if (role->grants[g].permission == permission)
                                return true;
                }
        }
        return false;
}
