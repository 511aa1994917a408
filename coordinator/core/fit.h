/* What workers have and what tasks need of them. Connected workers that are alike in all they have are one kind; what a
 * kind could ever run, and whether any of its workers has room for it now, is remembered for each pair of needs and
 * kind, so that placing neither compares labels nor looks at all workers. */
#ifndef CORE_FIT_H
#define CORE_FIT_H

#include "base/buf.h"
#include "core/state.h"

struct kind { /* workers alike in what they have */
        uint32_t slots, types, gpus;
        uint64_t mem_bytes;
        const char **labels; /* "k=v" */
        size_t n_labels;
        struct amount *res;
        size_t n_res;
        uint64_t refs; /* workers that said so when they came, whether or not they are there */
        uint64_t n; /* of them connected and taking work */
        struct worker *hungry[HUNGER_COUNT]; /* lists; FULL is unused */
        struct fit *fits; /* by needs */
        uint64_t nothing_at[HUNGER_COUNT]; /* core.lane_changes when nothing was found for them; 0: look */
        struct kind *idle_next, *idle_prev, *more_next, *more_prev; /* of core.hungry_kinds */
        void *key;
        size_t key_bytes;
        UT_hash_handle hh;
};

enum fit_state {
        FIT_UNKNOWN, /* look at all of them */
        FIT_NONE, /* none of its hungry workers has room */
        FIT_ONE, /* `one` may have room, no other has */
};
struct fit {
        struct needs *needs;
        struct kind *kind;
        bool able; /* could ever run it */
        struct {
                enum fit_state state;
                uint32_t one;
        } now[HUNGER_COUNT];
        struct fit *next, *prev; /* of the needs */
        UT_hash_handle hh; /* of the kind */
        uint32_t res_at[]; /* where in the kind's list each amount lies */
};

struct kind *kind_get(struct core *core, const struct msg_ready *ready); /* with one reference more */
void kind_unref(struct core *core, struct kind *kind);
/* Could a worker of this kind ever run it? */
bool fit_able(struct kind *kind, struct needs *needs);
/* How many tasks with these needs the worker could take at this moment, at most `most`. It is of the kind. */
uint64_t fit_room(const struct worker *worker, struct needs *needs, uint64_t most);
/* A hungry worker of the kind that has room for one now, or NULL. O(1) but for the first time that none has. */
struct worker *fit_find(struct core *core, struct kind *kind, struct needs *needs, enum hunger hunger);
/* The worker has more room than before, or is hungry now. O(different needs). */
void fit_grown(struct worker *worker);
void fits_forget_needs(struct needs *needs);

/* What workers hold of what tasks need, besides slots. */
void fit_hold(struct worker *worker, const struct needs *needs, bool more);
void fit_recount(struct worker *worker); /* it joined a kind: from its leases */

/* "2 have fewer than 8 slots, 3 have no 2 gpus": how many of the connected workers fail each test. */
void fit_say_lack(const struct core *core, const struct needs *needs, struct buf *out);
uint64_t fit_suitable(const struct core *core,
                      struct needs *needs); /* connected workers that could ever run it */

#endif
