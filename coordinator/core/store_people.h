/* What is written of people, workers, their keys and their rights. See store_op.h. */
#ifndef CORE_STORE_PEOPLE_H
#define CORE_STORE_PEOPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ids.h"
#include "proto/words.h"

struct quota { /* what a person may have at most; 0: no limit */
        uint64_t jobs; /* unfinished ones */
        uint64_t tasks; /* of unfinished jobs */
        uint64_t running; /* tasks granted at once */
};
struct store_principal {
        struct principal_id principal;
        char name[65];
        bool is_worker;
        bool active;
        uint32_t weight; /* share beside other people; 0 counts as 1 */
        struct quota quota;
        char sql_hash[42]; /* not empty: make a MariaDB account of this name with this password hash */
        bool drop_sql;
        int64_t at_us;
};
struct store_key {
        uint64_t key;
        struct principal_id principal;
        bool is_worker;
        bool revoked;
        char public_key[41];
        int64_t expires_us; /* 0: never */
        int64_t at_us;
};
struct store_role {
        uint32_t role;
        char name[65];
        bool removed;
};
struct store_member {
        uint32_t role;
        struct principal_id principal;
        bool removed;
};
struct store_grant {
        uint32_t role;
        enum permission permission;
        enum scope scope;
        char type[65]; /* "*": all */
        bool removed;
};

#endif
