/* check_envelopes KEYRING <LINES: the invariant that SQL cannot check. LINES are those of envelopes.sql. Every envelope
 * opens; none opens with a bit flipped, nor for another place; no nonce was used twice under one data key. Prints a
 * line for each offence and ends with their number; status 1 if there is any, or no envelope at all. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/xalloc.h"
#include "crypt/envelope.h"

#define NONCE_AT 1 /* in an envelope, after the version */
#define NONCE_BYTES 12

struct nonce {
        struct {
                uint64_t job;
                uint8_t bytes[NONCE_BYTES];
                uint8_t zero[4];
        } key;
        UT_hash_handle hh;
};

struct check {
        struct keyring *keyring;
        struct sealer *sealer;
        struct nonce *nonces;
        unsigned long envelopes, offences;
};

static void offence(struct check *check, const struct seal_place *place, const char *what)
{
        check->offences++;
        printf("kind %d of job %" PRIu64 " task %" PRIu64 " attempt %u part %u seq %" PRIu64 ": %s\n",
               (int)place->kind, place->job, place->index, place->attempt, place->part, place->seq, what);
}

static bool opens(struct check *check, const struct data_key *key, struct seal_place place,
                  const struct buf *envelope)
{
        CLEANUP_BUF struct buf plain = { 0 };
        struct err err;

        return unseal(check->sealer, key, &place, envelope->bytes, envelope->n, &plain, &err) == 0;
}

/* Each part of the place that this kind is bound to, moved by one. */
static void check_moved(struct check *check, const struct data_key *key, const struct seal_place *place,
                        const struct buf *envelope)
{
        struct seal_place owner = *place, job = *place, index = *place, attempt = *place, seq = *place;

        owner.owner++;
        job.job++;
        index.index++;
        attempt.attempt++;
        seq.seq++;
        if (opens(check, key, owner, envelope) || opens(check, key, job, envelope) ||
            opens(check, key, index, envelope) || opens(check, key, attempt, envelope) ||
            opens(check, key, seq, envelope))
                offence(check, place, "opens at another place");
}

static void check_flipped(struct check *check, const struct data_key *key, const struct seal_place *place,
                          struct buf *envelope)
{
        size_t at = check->envelopes % envelope->n; /* another byte each time */

        envelope->bytes[at] = (char)(envelope->bytes[at] ^ (1 << check->envelopes % 8));
        if (opens(check, key, *place, envelope))
                offence(check, place, "opens with a bit flipped");
        envelope->bytes[at] = (char)(envelope->bytes[at] ^ (1 << check->envelopes % 8));
}

static void check_nonce(struct check *check, const struct seal_place *place, const struct buf *envelope)
{
        struct nonce *nonce = xcalloc(1, sizeof(*nonce)), *before;

        nonce->key.job = place->job;
        memcpy(nonce->key.bytes, envelope->bytes + NONCE_AT, NONCE_BYTES);
        HASH_FIND(hh, check->nonces, &nonce->key, sizeof(nonce->key), before);
        if (before) {
                offence(check, place, "its nonce was used before under the same key");
                free(nonce);
                return;
        }
        HASH_ADD(hh, check->nonces, key, sizeof(nonce->key), nonce);
}

static void from_hex(const char *hex, struct buf *out)
{
        static const char DIGITS[] = "0123456789ABCDEF";

        for (; isxdigit((unsigned char)hex[0]) && isxdigit((unsigned char)hex[1]); hex += 2)
                buf_add_char(out, (char)((strchr(DIGITS, hex[0]) - DIGITS) * 16 +
                                         (strchr(DIGITS, hex[1]) - DIGITS)));
}

static void check_line(struct check *check, char *line)
{
        CLEANUP_BUF struct buf wrapped = { 0 }, envelope = { 0 };
        struct seal_place place = { 0 };
        struct data_key key;
        struct err err = { 0 };
        unsigned kind = 0, final = 0;
        int at = 0;

        if (sscanf(line, "%u %" SCNu32 " %" SCNu64 " %" SCNu64 " %" SCNu32 " %" SCNu32 " %" SCNu64 " %u %n",
                   &kind, &place.owner, &place.job, &place.index, &place.attempt, &place.part, &place.seq,
                   &final, &at) < 8) {
                printf("not a line of envelopes.sql: %.60s\n", line);
                check->offences++;
                return;
        }
        place.kind = (enum seal_kind)kind;
        place.final = final;
        from_hex(line + at, &wrapped);
        from_hex(strchr(line + at, '\t') + 1, &envelope);
        check->envelopes++;
        if (envelope.n < ENVELOPE_OVERHEAD ||
            data_key_unwrap(check->keyring, place.job, wrapped.bytes, wrapped.n, &key, &err) < 0 ||
            !opens(check, &key, place, &envelope)) {
                offence(check, &place, "does not open");
                return;
        }
        check_nonce(check, &place, &envelope);
        check_flipped(check, &key, &place, &envelope);
        check_moved(check, &key, &place, &envelope);
}

int main(int argc, char **argv)
{
        struct check check = { 0 };
        struct nonce *nonce, *tmp;
        struct err err;
        char *line = NULL;
        size_t cap = 0;

        if (argc != 2)
                return 64;
        check.keyring = keyring_load(argv[1], &err);
        if (!check.keyring) {
                fprintf(stderr, "%s\n", err.text);
                return 78;
        }
        check.sealer = sealer_new(check.keyring);
        while (getline(&line, &cap, stdin) > 0)
                check_line(&check, line);
        printf("%lu envelopes, %lu offences\n", check.envelopes, check.offences);
        free(line);
        HASH_ITER (hh, check.nonces, nonce, tmp) {
                HASH_DEL(check.nonces, nonce);
                free(nonce);
        }
        sealer_free(check.sealer);
        keyring_free(check.keyring);
        return check.offences || check.envelopes == 0;
}
