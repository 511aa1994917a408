/* SHA-256 of what a submission names itself by. */
#include "adapters/digests.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

static void reserve(struct digests *digests, size_t n)
{
        if (n <= digests->cap)
                return;
        digests->cap = n;
        digests->key_hash = xrealloc(digests->key_hash, n * sizeof(*digests->key_hash));
        digests->digest = xrealloc(digests->digest, n * sizeof(*digests->digest));
}

static void hash_key(const char *key, size_t n, uint8_t ret_hash[16])
{
        uint8_t whole[SHA256_DIGEST_LENGTH];

        SHA256((const uint8_t *)key, n, whole);
        memcpy(ret_hash, whole, 16);
}

void digests_of(struct digests *digests, const struct msg *msg)
{
        digests->n = 0;
        if (msg->kind == MSG_put) {
                reserve(digests, 1);
                hash_key(msg->u.put.key, msg->u.put.n_key, digests->key_hash[0]);
                digests->n = 1;
        } else if (msg->kind == MSG_submit_set) {
                reserve(digests, 2);
                hash_key(msg->u.submit_set.set, msg->u.submit_set.n_set, digests->key_hash[0]);
                hash_key(msg->u.submit_set.key, msg->u.submit_set.n_key, digests->key_hash[1]);
                digests->n = 2;
        } else if (msg->kind == MSG_submit) {
                reserve(digests, msg->u.submit.n_jobs + 1);
                for (size_t i = 0; i < msg->u.submit.n_jobs; i++) {
                        const struct rec_new_job *job = &msg->u.submit.jobs[i];

                        hash_key(job->key, job->n_key, digests->key_hash[i]);
                        buf_clear(&digests->scratch);
                        job_spec_encode(job->spec, &digests->scratch);
                        SHA256((const uint8_t *)digests->scratch.bytes, digests->scratch.n,
                               digests->digest[i]);
                }
                digests->n = msg->u.submit.n_jobs;
                if (msg->u.submit.set)
                        hash_key(msg->u.submit.set, msg->u.submit.n_set, digests->key_hash[digests->n++]);
        }
}

void digests_done(struct digests *digests)
{
        free(digests->key_hash);
        free(digests->digest);
        buf_done(&digests->scratch);
        *digests = (struct digests){ 0 };
}
