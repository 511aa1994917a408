/* Owners, their accounts and their quotas. Invariant: jobs, tasks and granted are the sums over the owner's jobs in memory. */
#include "core/owner.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "core/queue.h"
#include "core/reply.h"
#include "core/state.h"

typedef unsigned long long ull;

static struct owner *find(const struct core *core, struct principal_id who)
{
        struct owner *owner;

        HASH_FIND(hh, core->owners, &who.n, sizeof(who.n), owner);
        return owner;
}

struct owner *owner_ref(struct core *core, struct principal_id who, uint64_t tasks)
{
        const struct person *person = access_find(&core->access, who);
        struct owner *owner = find(core, who);

        if (!owner) {
                owner = xcalloc(1, sizeof(*owner));
                owner->id = who.n;
                owner->served = core->served;
                owner->weight = person ? MAX(person->row.weight, 1u) : 1;
                if (person)
                        owner->quota = person->row.quota;
                HASH_ADD(hh, core->owners, id, sizeof(owner->id), owner);
        }
        owner->jobs++;
        owner->tasks += tasks;
        return owner;
}

void owner_unref(struct core *core, struct owner *owner, uint64_t tasks)
{
        struct account *account, *next;

        owner->tasks -= tasks;
        if (--owner->jobs > 0)
                return;
        BUG_ON(owner->tasks > 0);
        DL_FOREACH_SAFE (owner->accounts, account, next)
                free(account);
        HASH_DELETE(hh, core->owners, owner);
        free(owner);
}

struct account *owner_account(struct owner *owner, struct queue *queue)
{
        struct account *account;

        DL_FOREACH (owner->accounts, account) {
                if (account->queue == queue)
                        return account;
        }
        account = xcalloc(1, sizeof(*account));
        account->queue = queue;
        account->served = owner->account_served;
        DL_APPEND(owner->accounts, account);
        return account;
}

void owner_weight(struct core *core, struct principal_id who, uint32_t weight)
{
        struct owner *owner = find(core, who);

        if (owner)
                owner->weight = MAX(weight, 1u);
}

static void see_room(struct core *core, struct owner *owner)
{
        bool shut = owner_room(owner) == 0;

        if (shut != owner->shut)
                queue_owner_shut(core, owner, shut);
}

/* Whoever was held back by a limit has earned nothing by it. */
void owner_quota(struct core *core, struct principal_id who, const struct quota *quota)
{
        struct owner *owner = find(core, who);

        if (!owner)
                return;
        owner->quota = *quota;
        if (owner->shut && owner_room(owner) > 0)
                owner->served = MAX(owner->served, core->served);
        see_room(core, owner);
}

void owner_granted(struct core *core, struct owner *owner, int64_t tasks)
{
        owner->granted += (uint64_t)tasks;
        if (owner->quota.running != 0)
                see_room(core, owner);
}

uint64_t owner_room(const struct owner *owner)
{
        if (owner->quota.running == 0)
                return UINT64_MAX;
        return owner->quota.running - MIN(owner->granted, owner->quota.running);
}

/* `more` of them, where `has` are there and `most` may be. */
static bool fits(struct core *core, const struct asker *asker, const char *what, uint64_t has, uint64_t more,
                 uint64_t most)
{
        CLEANUP_BUF struct buf text = { 0 };

        if (most == 0 || (more <= most && has <= most - more))
                return true;
        buf_addf(&text, "your quota is %llu unfinished %s: ", (ull)most, what);
        if (more > most) {
                buf_addf(&text, "%llu are more than that", (ull)more);
                reply_refused(core, asker, ERR_TOO_LARGE, text.bytes);
        } else {
                buf_addf(&text, "you have %llu, and these are %llu", (ull)has, (ull)more);
                reply_retry_later(core, asker, text.bytes, 5000);
        }
        return false;
}

bool owner_allows(struct core *core, const struct asker *asker, const struct msg_submit *submit,
                  const struct rec_submitted_job *told)
{
        const struct person *person = access_find(&core->access, asker->who);
        const struct owner *owner = find(core, asker->who);
        const struct quota *quota = person ? &person->row.quota : &(const struct quota){ 0 };
        uint64_t jobs = 0, tasks = 0;

        if (quota->jobs == 0 && quota->tasks == 0)
                return true;
        for (size_t i = 0; i < submit->n_jobs; i++) {
                struct indexes indexes;

                if (told[i].existing)
                        continue;
                BUG_ON(indexes_init(&indexes, submit->jobs[i].spec, core->settings.tasks_per_job_max, NULL) <
                       0);
                jobs++;
                tasks += indexes.n;
                indexes_done(&indexes);
        }
        return fits(core, asker, "jobs", owner ? owner->jobs : 0, jobs, quota->jobs) &&
               fits(core, asker, "tasks", owner ? owner->tasks : 0, tasks, quota->tasks);
}
