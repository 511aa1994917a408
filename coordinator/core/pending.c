/* Questions and the requests that wait for them. Answers are copied: an operation lives only as long as its batch. */
#include "core/pending.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

bool pending_full(const struct core *core)
{
        return core->n_pendings >= PENDING_MAX;
}

struct pending *pending_new(struct core *core, const struct asker *asker, struct msg **take_msg,
                            pending_fn *go_on)
{
        struct pending *pending = xcalloc(1, sizeof(*pending));

        pending->number = ++core->next_pending;
        pending->asker = *asker;
        if (take_msg)
                pending->msg = STEAL(*take_msg);
        pending->go_on = go_on;
        HASH_ADD(hh, core->pendings, number, sizeof(pending->number), pending);
        core->n_pendings++;
        return pending;
}

static void pending_free(struct core *core, struct pending *pending)
{
        HASH_DELETE(hh, core->pendings, pending);
        core->n_pendings--;
        msg_free(pending->msg);
        free(pending->key_hash);
        free(pending->digest);
        free(pending->keys);
        free(pending->told);
        free(pending->jobs);
        free(pending->secrets);
        free(pending);
}

void pending_done_all(struct core *core)
{
        struct pending *pending, *next;

        HASH_ITER (hh, core->pendings, pending, next)
                pending_free(core, pending);
}

static void expect(struct core *core, struct pending *pending, struct store_op *op, enum fact_kind kind,
                   uint64_t n)
{
        pending->n_open++;
        effects_fact(core->out, (struct fact){ .kind = kind, .request = pending->number, .op = op, .n = n });
}

static struct store_find_key *find_key(struct core *core, struct pending *pending, struct principal_id owner,
                                       const uint8_t hash[16])
{
        struct store_op *op = effects_store(core->out, STORE_FIND_KEY);

        op->u.find_key.owner = owner;
        memcpy(op->u.find_key.key_hash, hash, 16);
        expect(core, pending, op, FACT_FOUND, 0);
        return &op->u.find_key;
}

void pending_ask_key(struct core *core, struct pending *pending, struct principal_id owner,
                     const uint8_t hash[16])
{
        find_key(core, pending, owner, hash);
}

void pending_claim_key(struct core *core, struct pending *pending, struct principal_id owner,
                       const uint8_t hash[16])
{
        struct store_find_key *claim = find_key(core, pending, owner, hash);

        claim->claims = pending->claims;
        claim->n_claims = pending->n_claims;
}

void pending_forget_key(struct pending *pending, const uint8_t hash[16])
{
        const struct store_find_key *known = pending_key(pending, hash);

        if (!known)
                return;
        pending->keys[known - pending->keys] = pending->keys[--pending->n_keys];
        pending->key_at = 0;
}

void pending_ask_job(struct core *core, struct pending *pending, uint64_t job)
{
        struct store_op *op = effects_store(core->out, STORE_FIND_JOB);

        op->u.find_job.job.n = job;
        expect(core, pending, op, FACT_FOUND, 0);
}

void pending_ask_secret(struct core *core, struct pending *pending, struct principal_id owner,
                        const char *name)
{
        struct store_op *op = effects_store(core->out, STORE_FIND_SECRET);

        op->u.find_secret.owner = owner;
        strncpy(op->u.find_secret.name, name, sizeof(op->u.find_secret.name) - 1);
        expect(core, pending, op, FACT_FOUND, 0);
}

const struct store_find_secret *pending_secret(const struct pending *pending, const char *name)
{
        for (size_t i = 0; i < pending->n_secrets; i++)
                if (strcmp(pending->secrets[i].name, name) == 0)
                        return &pending->secrets[i];
        return NULL;
}

void pending_ask_account(struct core *core, struct pending *pending, const char *name)
{
        struct store_op *op = effects_store(core->out, STORE_FIND_ACCOUNT);

        strncpy(op->u.account, name, sizeof(op->u.account) - 1);
        expect(core, pending, op, FACT_FOUND, 0);
}

void pending_ask_was_ended(struct core *core, struct pending *pending, uint64_t job, uint64_t index,
                           uint64_t nonce, uint64_t n_tasks)
{
        struct store_op *op = effects_store(core->out, STORE_WAS_ENDED);

        op->u.was_ended = (struct store_was_ended){ .job.n = job, .index = index, .nonce = nonce };
        expect(core, pending, op, FACT_WAS_ENDED, n_tasks);
}

const struct store_find_key *pending_key(struct pending *pending, const uint8_t hash[16])
{
        for (size_t i = 0; i < pending->n_keys; i++) {
                size_t at = (pending->key_at + i) % pending->n_keys;

                if (memcmp(pending->keys[at].key_hash, hash, 16) == 0) {
                        pending->key_at = at;
                        return &pending->keys[at];
                }
        }
        return NULL;
}

const struct store_find_job *pending_job(const struct pending *pending, uint64_t job)
{
        for (size_t i = 0; i < pending->n_jobs; i++) {
                if (pending->jobs[i].job.n == job)
                        return &pending->jobs[i];
        }
        return NULL;
}

static void keep_answer(struct pending *pending, const struct store_op *op)
{
        if (op->kind == STORE_FIND_KEY) {
                GROW(pending->keys, pending->cap_keys, pending->n_keys + 1);
                pending->keys[pending->n_keys++] = op->u.find_key;
        } else if (op->kind == STORE_FIND_JOB) {
                GROW(pending->jobs, pending->cap_jobs, pending->n_jobs + 1);
                pending->jobs[pending->n_jobs++] = op->u.find_job;
        } else if (op->kind == STORE_FIND_SECRET) {
                GROW(pending->secrets, pending->cap_secrets, pending->n_secrets + 1);
                pending->secrets[pending->n_secrets++] = op->u.find_secret;
        } else if (op->kind == STORE_FIND_ACCOUNT) {
                pending->account = op->answer != 0;
        }
}

void pending_check(struct core *core, struct pending *pending)
{
        if (pending->n_open > 0)
                return;
        pending->go_on(core, pending);
        if (pending->n_open == 0)
                pending_free(core, pending);
}

void pending_answer(struct core *core, const struct fact *fact, int64_t answer)
{
        struct pending *pending;

        HASH_FIND(hh, core->pendings, &fact->request, sizeof(fact->request), pending);
        if (!pending)
                return;
        pending->n_open--;
        if (fact->kind == FACT_WAS_ENDED) {
                if (answer != 0)
                        pending->already += fact->n;
                else
                        pending->stale += fact->n;
        } else if (fact->op) {
                keep_answer(pending, fact->op);
        }
        pending_check(core, pending);
}
