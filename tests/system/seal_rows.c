/* seal_rows KEYRING TASKS: prints INSERT statements with jobs of alice and bob, sealed as the store seals them, so that
 * the SQL door can be tried without a coordinator. Makes the key ring if there is none.
 *
 * No value of alice's equals one of bob's, in any column, so that whatever a probe sees names its owner. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "crypt/bytes.h"
#include "crypt/envelope.h"
#include "proto/words.h"

#define JOBS_EACH 2
#define ENTRIES_PER_CHUNK 4

/* bob's number begins with alice's: a list of owners cut short must not name her. */
enum {
        ADMIN = 1,
        ALICE = 2000,
        BOB = 20003,
        RITA = 7,
        OLGA = 8,
        GONE = 9,
        CAROL = 10,
        WORKER_A = 30,
        WORKER_B = 31
};

struct person {
        uint32_t id;
        const char *name;
        const char *queue;
        uint32_t worker;
        uint64_t base; /* of all his numbers */
        int64_t base_us;
        enum task_status status;
        enum task_reason reason;
        enum task_type type;
        unsigned exit_code, exit_signal;
};
static const struct person people[] = {
        { ALICE, "alice", "alices", WORKER_A, 100000, INT64_C(1600000000000000), TASK_STATUS_FAILED,
          TASK_REASON_EXIT_CODE, TASK_TYPE_COMMAND, 41, 0 },
        { BOB, "bob", "bobs", WORKER_B, 500000, INT64_C(1700000000000000), TASK_STATUS_TIMEOUT,
          TASK_REASON_TIME_LIMIT, TASK_TYPE_ECHO, 0, 15 },
};

struct maker {
        struct keyring *keyring;
        struct sealer *sealer;
        struct data_key key;
        uint8_t wrapped[WRAPPED_KEY_BYTES];
};

static void must(int result, const struct err *err)
{
        if (result == 0)
                return;
        fprintf(stderr, "seal_rows: %s\n", err->text);
        exit(err_exit_code(err->code));
}

static void put_hex(const void *bytes, size_t n)
{
        const uint8_t *at = bytes;

        printf("x'");
        for (size_t i = 0; i < n; i++)
                printf("%02x", at[i]);
        printf("'");
}

static void put_sealed(struct maker *maker, const struct seal_place *place, const void *text, size_t n)
{
        CLEANUP_BUF struct buf out = { 0 };
        struct err err;

        must(seal(maker->sealer, &maker->key, place, text, n, &out, &err), &err);
        put_hex(out.bytes, out.n);
}

static void put_sealed_text(struct maker *maker, const struct seal_place *place, const char *what, uint64_t n,
                            const char *who)
{
        CLEANUP_WITH(xfree) char *text = xasprintf("{\"%s\":%" PRIu64 ",\"of\":\"%s-secret\"}", what, n, who);

        put_sealed(maker, place, text, strlen(text));
}

static void new_key(struct maker *maker, uint64_t job)
{
        struct err err;

        must(data_key_new(maker->keyring, job, &maker->key, maker->wrapped, &err), &err);
}

static void put_people(struct maker *maker)
{
        char secret[65];

        new_key(maker, 0);
        hex_write(keyring_scope_secret(maker->keyring), 32, secret);
        printf("INSERT INTO Coordinator (part, epoch, install, wrapped_key, scope_secret, started_us) VALUES "
               "(0, 1, ");
        put_hex(keyring_install(maker->keyring), INSTALL_BYTES);
        printf(", ");
        put_hex(maker->wrapped, sizeof(maker->wrapped));
        printf(", '%s', 0);\n", secret);
        printf("INSERT INTO Principals (principal, name, is_worker, active, has_sql, made_us) VALUES "
               "(%d,'root',0,1,0,0),(%d,'alice',0,1,1,0),(%d,'bob',0,1,1,0),(%d,'rita',0,1,1,0),(%d,'olga',0,"
               "1,1,0),"
               "(%d,'gone',0,0,1,0),(%d,'carol',0,1,0,0),(%d,'w-alice',1,1,0,0),(%d,'w-bob',1,1,0,0);\n",
               ADMIN, ALICE, BOB, RITA, OLGA, GONE, CAROL, WORKER_A, WORKER_B);
        /* Everybody sees his own; rita what alice has; olga all but data; gone and carol would see alice's. */
        printf("INSERT INTO Visible (principal, what, owner) SELECT p.principal, w.seq, p.principal FROM "
               "Principals p, "
               "seq_1_to_3 w WHERE p.is_worker = 0;\n"
               "INSERT INTO Visible (principal, what, owner) SELECT p.principal, w.seq, %d FROM Principals "
               "p, "
               "seq_1_to_3 w WHERE p.principal IN (%d, %d, %d);\n"
               "INSERT INTO Visible (principal, what, owner) VALUES "
               "(%d,1,%d),(%d,1,%d),(%d,3,%d),(%d,3,%d),(%d,3,0);\n",
               ALICE, RITA, GONE, CAROL, OLGA, ALICE, OLGA, BOB, OLGA, ALICE, OLGA, BOB, OLGA);
        printf("INSERT INTO Queues (queue, name, paused, max_running, weight) VALUES "
               "(2,'alices',0,0,1),(3,'bobs',1,0,1);\n");
        printf("INSERT INTO Workers (worker, state, slots, slots_busy, labels, version, host, enforces, "
               "seen_us) VALUES "
               "(%d,1,2,1,'','1','h','',0);\n",
               WORKER_A);
}

static void put_event(struct maker *maker, const struct person *person, uint64_t job)
{
        int64_t at_us = person->base_us + 5;
        struct seal_place place = {
                .kind = SEAL_EVENT_DETAIL, .owner = person->id, .job = job, .index = 1, .seq = (uint64_t)at_us
        };

        printf("INSERT INTO Events (at_us, job_id, owner, task_index, has_index, kind, actor, detail) VALUES "
               "(%" PRId64 ", %" PRIu64 ", %u, 1, 1, 'cancel-by-%s', %u, ",
               at_us, job, person->id, person->name, person->id);
        put_sealed_text(maker, &place, "event", job, person->name);
        printf(");\n");
}

static void put_job(struct maker *maker, const struct person *p, uint64_t job, uint64_t tasks)
{
        uint64_t n = p->base + job;
        struct seal_place place = { .owner = p->id, .job = job };

        printf("INSERT INTO Jobs (job_id, owner, queue, task_type, loading, status, priority, cpus, "
               "max_running, tasks, held, "
               "waiting, queued, running, succeeded, failed, timeout, oom, lost, cancelled, aborted, mark, "
               "low, "
               "materialised, submitted_us, started_us, ended_us, chunks, entries_per_chunk, name_hash, "
               "name, comment, "
               "wrapped_key, spec) VALUES (%" PRIu64 ", %u, '%s', %d, 0, %d, %" PRIu64 ", 1, 0",
               job, p->id, p->queue, (int)p->type, (int)p->status, p->base / 10000 + job);
        for (int i = 0; i < 12; i++) /* tasks, held … aborted */
                printf(", %" PRIu64, n * 20 + (uint64_t)i);
        printf(", 0, 0, %" PRIu64 ", %" PRId64 ", %" PRId64 ", %" PRId64
               ", 1, %d, x'00112233445566778899aabbccddeeff', ",
               tasks, p->base_us + 1, p->base_us + 2, job > 2 ? p->base_us + 3 : 0, ENTRIES_PER_CHUNK);
        place.kind = SEAL_JOB_NAME;
        put_sealed_text(maker, &place, "name", job, p->name);
        printf(", ");
        place.kind = SEAL_JOB_COMMENT;
        put_sealed_text(maker, &place, "comment", job, p->name);
        printf(", ");
        put_hex(maker->wrapped, sizeof(maker->wrapped));
        printf(", ");
        place.kind = SEAL_JOB_SPEC;
        put_sealed_text(maker, &place, "spec", job, p->name);
        printf(");\n");
}

static void put_entries(struct maker *maker, const struct person *p, uint64_t job, uint64_t tasks)
{
        for (uint64_t first = 0; first < tasks; first += ENTRIES_PER_CHUNK) {
                CLEANUP_BUF struct buf chunk = { 0 };
                struct seal_place place = {
                        .kind = SEAL_JOB_CHUNK, .owner = p->id, .job = job, .seq = first / ENTRIES_PER_CHUNK
                };

                for (uint64_t k = first; k < tasks && k < first + ENTRIES_PER_CHUNK; k++) {
                        CLEANUP_BUF struct buf entry = { 0 };

                        buf_addf(&entry, "%s-secret%cvalue %" PRIu64, p->name, 0, k + 1);
                        entry_add(&chunk, entry.bytes, entry.n);
                }
                printf("INSERT INTO JobData (job_id, part, seq, owner, payload) VALUES (%" PRIu64
                       ", 0, %" PRIu64 ", %u, ",
                       job, place.seq, p->id);
                put_sealed(maker, &place, chunk.bytes, chunk.n);
                printf(");\n");
        }
}

static void put_data(struct maker *maker, const struct person *p, uint64_t job, uint64_t index)
{
        struct seal_place place = {
                .kind = SEAL_RESULT, .owner = p->id, .job = job, .index = index, .attempt = 2
        };
        uint32_t stream = p->id == ALICE ? STREAM_STDOUT : STREAM_STDERR;
        int64_t at_us = p->base_us + 100 + (int64_t)index;

        printf("INSERT INTO Data (job_id, task_index, kind, attempt, part, seq, final, owner, recorded_us, "
               "payload) VALUES (%" PRIu64 ", %" PRIu64 ", %d, 2, 0, 0, 0, %u, %" PRId64 ", ",
               job, index, DATA_KIND_RESULT, p->id, at_us);
        put_sealed_text(maker, &place, "x", index, p->name);
        place.kind = SEAL_OUTPUT;
        place.part = stream;
        place.seq = p->base / 100000;
        place.final = true;
        printf("), (%" PRIu64 ", %" PRIu64 ", %d, 2, %u, %" PRIu64 ", 1, %u, %" PRId64 ", ", job, index,
               DATA_KIND_OUTPUT, stream, place.seq, p->id, at_us);
        put_sealed(maker, &place, p->id == ALICE ? "alice-secret \xff out\n" : "bob-secret \xff out\n",
                   p->id == ALICE ? 19 : 17);
        printf(");\n");
}

static void put_file(struct maker *maker, const struct person *p, uint64_t job, uint64_t index)
{
        struct seal_place place = {
                .kind = SEAL_FILE_NAME, .owner = p->id, .job = job, .index = index, .attempt = 2, .part = 1
        };

        printf("INSERT INTO Files (job_id, task_index, attempt, file, owner, bytes, sha256, name) VALUES "
               "(%" PRIu64 ", %" PRIu64 ", 2, 1, %u, %" PRIu64 ", '%064" PRIu64 "', ",
               job, index, p->id, p->base + index, p->base + index);
        put_sealed_text(maker, &place, "file", index, p->name);
        printf(");\n");
}

static void put_report(struct maker *maker, const struct person *p, uint64_t job, uint64_t index)
{
        int64_t at_us = p->base_us + (int64_t)index;
        struct seal_place place = { .kind = SEAL_REPORT,
                                    .owner = p->id,
                                    .job = job,
                                    .index = index,
                                    .attempt = 2,
                                    .seq = (uint64_t)at_us };

        printf("INSERT INTO Reports (job_id, task_index, owner, attempt, done, total, at_us, payload) VALUES "
               "(%" PRIu64 ", %" PRIu64 ", %u, 2, %" PRIu64 ", %" PRIu64 ", %" PRId64 ", ",
               job, index, p->id, p->base + index, p->base + 2 * index, at_us);
        put_sealed_text(maker, &place, "report", index, p->name);
        printf(");\n");
}

static void put_task(const struct person *p, uint64_t job, uint64_t index)
{
        uint64_t n = p->base + index;
        int64_t us = p->base_us + 1000000 + (int64_t)index;

        printf("INSERT INTO Tasks (job_id, task_index, status, reason, exit_code, exit_signal, attempt, "
               "owner, worker, "
               "started_us, ended_us, cpu_us, rss_kib) VALUES (%" PRIu64 ", %" PRIu64
               ", %d, %d, %u, %u, 2, %u, %u, %" PRId64 ", %" PRId64 ", %" PRIu64 ", %" PRIu64 ");\n",
               job, index, (int)p->status, (int)p->reason, p->exit_code, p->exit_signal, p->id, p->worker, us,
               us + 7, n, n);
        printf("INSERT INTO Attempts (job_id, task_index, attempt, status, reason, exit_code, exit_signal, "
               "worker, started_us, "
               "ended_us, cpu_us, rss_kib) VALUES (%" PRIu64 ", %" PRIu64 ", 1, %d, %d, %u, %u, %u, %" PRId64
               ", %" PRId64 ", %" PRIu64 ", %" PRIu64 ");\n",
               job, index, (int)p->status, (int)p->reason, p->exit_code, p->exit_signal, p->worker, us - 500,
               us - 400, n, n);
}

int main(int argc, char **argv)
{
        struct maker maker = { 0 };
        struct err err;
        uint64_t job = 0;

        if (argc != 3)
                return 64;
        if (access(argv[1], F_OK) != 0)
                must(keyring_create(argv[1], &err), &err);
        maker.keyring = keyring_load(argv[1], &err);
        must(maker.keyring ? 0 : -1, &err);
        maker.sealer = sealer_new(maker.keyring);
        put_people(&maker);
        for (int round = 0; round < JOBS_EACH; round++)
                for (size_t i = 0; i < ARRAY_LEN(people); i++) {
                        uint64_t tasks = strtoul(argv[2], NULL, 10);

                        new_key(&maker, ++job);
                        put_job(&maker, &people[i], job, tasks);
                        put_entries(&maker, &people[i], job, tasks);
                        put_event(&maker, &people[i], job);
                        for (uint64_t index = 1; index <= tasks; index++) {
                                put_task(&people[i], job, index);
                                put_data(&maker, &people[i], job, index);
                                put_file(&maker, &people[i], job, index);
                                put_report(&maker, &people[i], job, index);
                        }
                }
        sealer_free(maker.sealer);
        keyring_free(maker.keyring);
        return 0;
}
