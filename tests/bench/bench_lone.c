/* What a task submitted alone must cost here, whatever we do: the same two transactions on the same tables, as one prepared
 * statement each, and the same messages between three processes through libzmq with CURVE over TCP, and nothing else: no JSON,
 * no sealing, no scheduler, no process that looks after anything. One client, one submission after the other.
 *
 *   bench_lone [N]   prints the median and the 99th percentile of both together, of the messages alone, of the commits alone */
#include <inttypes.h>
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "adapters/sql_files.h"
#include "adapters/store.h"
#include "base/clock.h"
#include "base/xalloc.h"

#define BINDS_MAX 128
#define MESSAGE_BYTES 240 /* about what submit, run and finished have */
#define WARM 200 /* not counted */

struct value { /* of a name in our statements that is not 0 in this row */
        const char *name, *text;
        int64_t number;
};

struct block {
        MYSQL_STMT *handle;
        MYSQL_BIND binds[BINDS_MAX];
        int64_t numbers[BINDS_MAX];
        unsigned long lengths[BINDS_MAX];
        bool counts[BINDS_MAX]; /* a number of its own each time */
        char texts[BINDS_MAX][64];
        size_t n;
};

struct lone {
        char dir[64];
        MYSQL *mysql;
        struct block submit, end;
        int64_t number;
        char public_key[41], secret_key[41], endpoint[64];
};

static void check(bool fine, const char *what, const char *why)
{
        if (fine)
                return;
        fprintf(stderr, "bench_lone: %s: %s\n", what, why);
        exit(70);
}

static int script(const struct lone *lone, const char *what)
{
        char command[160];

        snprintf(command, sizeof(command), "bash tests/contract/server.sh %s %s", what, lone->dir);
        return system(command);
}

/* ------------------------------------------------------------------ the two transactions */
static const char *const SUBMIT[] = { "writer_put", "submission_new", "job_new", "task_new", "event", NULL };
static const char *const END[] = { "writer_put", "task_end_one", "job_counts", NULL };

static bool is_own(const char *name)
{
        return strcmp(name, "job") == 0 || strcmp(name, "batch") == 0 || strcmp(name, "key_hash") == 0;
}

/* Sealed values have the sizes that those of a no-op have. */
static const struct value *value_of(const char *name)
{
        static const char SEALED[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab";
        static const struct value VALUES[] = {
                { "queue", "default", 0 }, { "kind", "submit", 0 },       { "detail", "", 0 },
                { "comment", "", 0 },      { "name_hash", SEALED, 16 },   { "digest", SEALED, 32 },
                { "name", SEALED, 40 },    { "wrapped_key", SEALED, 60 }, { "spec", SEALED, 60 },
                { "status", NULL, 3 },     { "index", NULL, 1 },          { "epoch", NULL, 1 },
                { "tasks", NULL, 1 },      { "owner", NULL, 1 },          { "actor", NULL, 1 },
        };

        for (size_t i = 0; i < ARRAY_LEN(VALUES); i++)
                if (strcmp(VALUES[i].name, name) == 0)
                        return &VALUES[i];
        return NULL;
}

static void add_bind(struct block *block, const char *name)
{
        const struct value *value = value_of(name);
        size_t i = block->n++;

        BUG_ON(i >= BINDS_MAX);
        block->counts[i] = is_own(name);
        block->numbers[i] = value ? value->number : 0;
        block->binds[i] = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_LONGLONG, .buffer = &block->numbers[i] };
        if (!(value && value->text) && strcmp(name, "key_hash") != 0)
                return;
        block->lengths[i] = value ? (value->number ? (unsigned long)value->number : strlen(value->text)) : 16;
        memcpy(block->texts[i], value ? value->text : "0123456789abcdef", block->lengths[i]);
        block->binds[i] = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_BLOB,
                                        .buffer = block->texts[i],
                                        .length = &block->lengths[i] };
}

static void prepare(struct lone *lone, struct block *block, const char *const *statements)
{
        CLEANUP_BUF struct buf sql = { 0 };

        buf_add_str(&sql, "BEGIN NOT ATOMIC\n");
        for (; *statements; statements++) {
                CLEANUP_BUF struct buf one = { 0 }, names = { 0 };
                size_t bytes = 0;
                const char *text = sql_find(*statements, &bytes);
                char *save = NULL;

                check(text != NULL, *statements, "no such statement");
                sql_positional(text, bytes, &one, &names);
                buf_add(&sql, one.bytes, one.n);
                buf_add_str(&sql, ";\n");
                for (char *name = strtok_r(names.bytes, " ", &save); name; name = strtok_r(NULL, " ", &save))
                        add_bind(block, name);
        }
        buf_add_str(&sql, "COMMIT;\nEND");
        block->handle = mysql_stmt_init(lone->mysql);
        check(mysql_stmt_prepare(block->handle, sql.bytes, sql.n) == 0, "prepare", mysql_error(lone->mysql));
        check(mysql_stmt_bind_param(block->handle, block->binds) == 0, "bind", mysql_error(lone->mysql));
}

/* fresh: of a job of its own; else of the last one's. */
static void commit(struct lone *lone, struct block *block, bool fresh)
{
        static int64_t batch;

        lone->number += fresh;
        batch++;
        for (size_t i = 0; i < block->n; i++) {
                if (!block->counts[i])
                        continue;
                if (block->binds[i].buffer_type == MYSQL_TYPE_BLOB)
                        memcpy(block->texts[i], &lone->number, sizeof(lone->number));
                else
                        block->numbers[i] =
                                i == 1 ? batch : lone->number; /* writer_put comes first: epoch, batch */
        }
        check(mysql_stmt_execute(block->handle) == 0, "commit", mysql_stmt_error(block->handle));
}

static void begin_database(struct lone *lone)
{
        char option_file[96], keyring_file[96];
        struct store_config config = { option_file, "bench", false };
        struct err err = { 0 };
        struct keyring *keyring;
        struct store *store;

        snprintf(lone->dir, sizeof(lone->dir), "/tmp/jobmill-lone.XXXXXX");
        check(mkdtemp(lone->dir) != NULL, "mkdtemp", "no folder");
        snprintf(option_file, sizeof(option_file), "%s/db.cnf", lone->dir);
        snprintf(keyring_file, sizeof(keyring_file), "%s/keyring", lone->dir);
        check(script(lone, "start") == 0, "server.sh", "no server");
        check(keyring_create(keyring_file, &err) == 0, "key ring", err.text);
        keyring = keyring_load(keyring_file, &err);
        store = keyring ? store_open(&config, keyring, &err) : NULL; /* makes the tables; the epoch is 1 */
        check(store != NULL, "store_open", err.text);
        store_free(store);
        keyring_free(keyring);
        lone->mysql = mysql_init(NULL);
        mysql_options(lone->mysql, MYSQL_READ_DEFAULT_FILE, option_file);
        mysql_options(lone->mysql, MYSQL_READ_DEFAULT_GROUP, "jobmill");
        check(mysql_real_connect(lone->mysql, NULL, NULL, NULL, "bench", 0, NULL, CLIENT_FOUND_ROWS) != NULL,
              "connect", mysql_error(lone->mysql));
        check(mysql_query(lone->mysql, "SET SESSION autocommit=0, tx_isolation='READ-COMMITTED'") == 0,
              "session", mysql_error(lone->mysql));
        prepare(lone, &lone->submit, SUBMIT);
        prepare(lone, &lone->end, END);
}

static void end_database(struct lone *lone)
{
        char command[160];

        mysql_stmt_close(lone->submit.handle);
        mysql_stmt_close(lone->end.handle);
        mysql_close(lone->mysql);
        snprintf(command, sizeof(command), "rm -rf %s", lone->dir);
        check(script(lone, "kill") == 0 && system(command) == 0, lone->dir, "is left");
}

/* ------------------------------------------------------------------ the messages */
static void say(void *socket, const void *to, size_t n_to, char what)
{
        char message[MESSAGE_BYTES] = { what };

        if (to)
                check(zmq_send(socket, to, n_to, ZMQ_SNDMORE) >= 0, "send", zmq_strerror(errno));
        check(zmq_send(socket, message, sizeof(message), 0) >= 0, "send", zmq_strerror(errno));
}

static char hear(void *socket)
{
        char message[MESSAGE_BYTES];

        check(zmq_recv(socket, message, sizeof(message), 0) == (int)sizeof(message), "receive",
              zmq_strerror(errno));
        return message[0];
}

static void *dealer(const struct lone *lone, void *context)
{
        void *socket = zmq_socket(context, ZMQ_DEALER);
        char public_key[41], secret_key[41];

        zmq_curve_keypair(public_key, secret_key);
        zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, lone->public_key, 41);
        zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key, 41);
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret_key, 41);
        check(zmq_connect(socket, lone->endpoint) == 0, lone->endpoint, zmq_strerror(errno));
        return socket;
}

static int by_value(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

static void print(const char *name, int64_t *took_us, size_t n)
{
        qsort(took_us, n, sizeof(*took_us), by_value);
        printf("{\"name\":\"lone_%s_p50\",\"value\":%" PRId64 ",\"unit\":\"us\"}\n", name, took_us[n / 2]);
        printf("{\"name\":\"lone_%s_p99\",\"value\":%" PRId64 ",\"unit\":\"us\"}\n", name,
               took_us[n * 99 / 100]);
        fflush(stdout);
}

static void be_client(const struct lone *lone, const char *name, size_t n)
{
        void *socket = dealer(lone, zmq_ctx_new());
        int64_t *took_us = xcalloc(n, sizeof(*took_us));

        for (size_t i = 0; i < WARM + n; i++) {
                int64_t start_us = clock_mono_us();

                say(socket, NULL, 0, 's');
                check(hear(socket) == 'a' && hear(socket) == 'e', "client", "out of step");
                if (i >= WARM)
                        took_us[i - WARM] = clock_mono_us() - start_us;
        }
        say(socket, NULL, 0, 'q');
        check(hear(socket) == 'q', "client", "out of step");
        print(name, took_us, n);
        _exit(0);
}

static void be_worker(const struct lone *lone)
{
        void *socket = dealer(lone, zmq_ctx_new());

        say(socket, NULL, 0, 'w');
        for (;;) {
                switch (hear(socket)) {
                case 'r':
                        say(socket, NULL, 0, 'f');
                        break;
                case 'q':
                        _exit(0);
                default: /* recorded */
                        break;
                }
        }
}

struct peer {
        char id[16];
        size_t n;
};

/* As the coordinator does it: commit, then speak. */
static bool serve_one(struct lone *lone, void *socket, bool commits, struct peer *client, struct peer *worker)
{
        struct peer from = { 0 };

        from.n = (size_t)zmq_recv(socket, from.id, sizeof(from.id), 0);
        switch (hear(socket)) {
        case 'w':
                *worker = from;
                return true;
        case 's':
                *client = from;
                if (commits)
                        commit(lone, &lone->submit, true);
                say(socket, client->id, client->n, 'a');
                say(socket, worker->id, worker->n, 'r');
                return true;
        case 'f':
                if (commits)
                        commit(lone, &lone->end, false);
                say(socket, worker->id, worker->n, 'd');
                say(socket, client->id, client->n, 'e');
                return true;
        default:
                say(socket, worker->id, worker->n, 'q');
                say(socket, from.id, from.n, 'q');
                return false;
        }
}

static void measure_messages(struct lone *lone, const char *name, size_t n, bool commits)
{
        void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_ROUTER);
        struct peer client = { 0 }, worker = { 0 };
        size_t bytes = sizeof(lone->endpoint);
        int on = 1, status;

        zmq_curve_keypair(lone->public_key, lone->secret_key);
        zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &on, sizeof(on));
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, lone->secret_key, 41);
        check(zmq_bind(socket, "tcp://127.0.0.1:*") == 0, "bind", zmq_strerror(errno));
        zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, lone->endpoint, &bytes);
        if (fork() == 0)
                be_worker(lone);
        while (!worker.n)
                serve_one(lone, socket, commits, &client, &worker);
        if (fork() == 0)
                be_client(lone, name, n);
        while (serve_one(lone, socket, commits, &client, &worker))
                ;
        while (wait(&status) > 0)
                check(status == 0, name, "a peer failed");
        zmq_close(socket);
        zmq_ctx_term(context);
}

static void measure_commits(struct lone *lone, size_t n)
{
        int64_t *took_us = xcalloc(n, sizeof(*took_us));

        for (size_t i = 0; i < n; i++) {
                int64_t start_us = clock_mono_us();

                commit(lone, &lone->submit, true);
                commit(lone, &lone->end, false);
                took_us[i] = clock_mono_us() - start_us;
        }
        print("commits", took_us, n);
        free(took_us);
}

int main(int argc, char **argv)
{
        struct lone lone = { 0 };
        size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000;

        if (n == 0) {
                fprintf(stderr, "usage: bench_lone [N]\n");
                return 64;
        }
        begin_database(&lone);
        measure_messages(&lone, "bare", n, true);
        measure_messages(&lone, "messages", n, false);
        measure_commits(&lone, n);
        end_database(&lone);
        return 0;
}
