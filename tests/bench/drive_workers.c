/* Ten thousand workers that hold nothing: what connections and heartbeats cost the coordinator.
 *
 *   drive_workers N SECONDS    makes N worker keys, connects N workers with them, says "connected MILLISECONDS" when each
 *                              has had its answer, then sends heartbeats as told for SECONDS and prints
 *                              "beats SENT ANSWERED"
 *
 * Each of a few processes plays its share, with one libzmq context and no thread a worker. The profile of somebody who
 * may make keys is $JOBMILL_PROFILE. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zmq.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "net/client.h"

#define PROCESSES 4
#define AT_ONCE 50 /* handshakes under way in one process: libzmq gives each five seconds */
#define TURN_US 20000
#define PATIENCE_US (120 * US_PER_S)

struct player {
        void *socket;
        bool live;
        int64_t beat_at_us;
};
struct crowd {
        struct profile *profile;
        void *context;
        struct player *players;
        size_t n, n_started, n_live;
        int64_t heartbeat_us;
        uint64_t next_id, sent, answered;
        char (*keys)[2][41];
};

static void die(const char *what, const char *why)
{
        fprintf(stderr, "drive_workers: %s: %s\n", what, why);
        exit(70);
}

static void make_keys(struct crowd *crowd)
{
        struct err err = { 0 };
        struct client *client = client_open(crowd->profile, 10000, &err);

        if (!client)
                die("connect", err.text);
        crowd->keys = xcalloc(crowd->n, sizeof(*crowd->keys));
        for (size_t i = 0; i < crowd->n; i++) {
                char name[64];
                struct msg request = { .kind = MSG_key_add };
                struct msg *answer;

                snprintf(name, sizeof(name), "bench-%d-%zu", (int)getpid(), i);
                if (profile_new_keys(crowd->keys[i][0], crowd->keys[i][1], &err) < 0)
                        die("make a key", err.text);
                request.u.key_add = (struct msg_key_add){ .name = name,
                                                          .n_name = strlen(name),
                                                          .worker = true,
                                                          .has_worker = true,
                                                          .public_key = crowd->keys[i][0],
                                                          .n_public_key = 40 };
                answer = client_call(client, &request, 60000, &err);
                if (!answer)
                        die("key-add", err.text);
                msg_free(answer);
        }
        client_free(client);
}

static void start(struct crowd *crowd)
{
        size_t i = crowd->n_started++;
        int no = 0;
        void *socket = zmq_socket(crowd->context, ZMQ_DEALER);

        if (!socket || zmq_setsockopt(socket, ZMQ_LINGER, &no, sizeof(no)) != 0 ||
            zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, crowd->profile->server_key, 41) != 0 ||
            zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, crowd->keys[i][0], 41) != 0 ||
            zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, crowd->keys[i][1], 41) != 0 ||
            zmq_connect(socket, crowd->profile->endpoints[0]) != 0)
                die("connect a worker", zmq_strerror(errno));
        crowd->players[i].socket = socket;
}

static void say(struct crowd *crowd, struct player *player, struct msg *msg)
{
        CLEANUP_BUF struct buf header = { 0 };

        msg->id = ++crowd->next_id;
        msg_encode(msg, &header);
        if (zmq_send(player->socket, header.bytes, header.n, ZMQ_DONTWAIT) < 0)
                die("send", zmq_strerror(errno));
}

static void say_ready(struct crowd *crowd, struct player *player)
{
        static const char *const types[] = { "noop" };
        struct msg msg = { .kind = MSG_ready };

        msg.u.ready = (struct msg_ready){ .slots = 1,
                                          .has_slots = true,
                                          .has_window = true,
                                          .types = (const char **)(uintptr_t)types,
                                          .n_types = 1,
                                          .version = JOBMILL_VERSION,
                                          .n_version = strlen(JOBMILL_VERSION),
                                          .host = "bench",
                                          .n_host = 5,
                                          .pid = (uint64_t)getpid(),
                                          .has_pid = true };
        say(crowd, player, &msg);
}

static void on_message(struct crowd *crowd, struct player *player, const struct msg *msg)
{
        if (msg->kind == MSG_alive)
                crowd->answered++;
        if (msg->kind != MSG_resume || player->live)
                return;
        player->live = true;
        crowd->n_live++;
        crowd->heartbeat_us = (int64_t)msg->u.resume.heartbeat_ms * US_PER_MS;
        player->beat_at_us =
                clock_mono_us() + crowd->heartbeat_us / (int64_t)crowd->n * (player - crowd->players);
}

static void listen_to(struct crowd *crowd, struct player *player)
{
        char frame[4096];
        int n;

        while ((n = zmq_recv(player->socket, frame, sizeof(frame), ZMQ_DONTWAIT)) >= 0) {
                struct err err = { 0 };
                uint64_t id;
                struct msg *msg =
                        msg_decode(MSG_S2W, frame, MIN((size_t)n, sizeof(frame)), NULL, 0, &id, &err);

                if (!msg)
                        die("an answer", err.text);
                on_message(crowd, player, msg);
                msg_free(msg);
        }
}

static void beat(struct crowd *crowd, struct player *player, int64_t now_us)
{
        struct msg msg = { .kind = MSG_heartbeat };

        if (!player->live || now_us < player->beat_at_us)
                return;
        msg.u.heartbeat = (struct msg_heartbeat){ .has_window = true, .has_running = true };
        say(crowd, player, &msg);
        player->beat_at_us += crowd->heartbeat_us;
        crowd->sent++;
}

static void turn(struct crowd *crowd)
{
        int64_t begun_us = clock_mono_us();
        int64_t left_us;

        for (size_t i = 0; i < crowd->n_started; i++) {
                listen_to(crowd, &crowd->players[i]);
                beat(crowd, &crowd->players[i], begun_us);
        }
        left_us = begun_us + TURN_US * (crowd->n_live == crowd->n ? 10 : 1) - clock_mono_us();
        if (left_us > 0)
                usleep((useconds_t)left_us);
}

static void connect_all(struct crowd *crowd)
{
        int64_t give_up_us = clock_mono_us() + PATIENCE_US;

        while (crowd->n_live < crowd->n) {
                while (crowd->n_started < crowd->n && crowd->n_started - crowd->n_live < AT_ONCE) {
                        start(crowd);
                        say_ready(crowd, &crowd->players[crowd->n_started - 1]);
                }
                turn(crowd);
                if (clock_mono_us() > give_up_us)
                        die("connect", "not all of them were answered in time");
        }
}

/* One process: `told` takes a byte when all are connected, then two numbers. */
static void play(size_t n, int64_t for_us, int begin, int told)
{
        struct rlimit files = { 65536, 65536 };
        struct err err = { 0 };
        struct crowd crowd = { .profile = profile_load(getenv("JOBMILL_PROFILE"), &err), .n = n };
        uint64_t numbers[2];
        int64_t until_us;
        char go;

        if (!crowd.profile)
                die("profile", err.text);
        setrlimit(RLIMIT_NOFILE, &files); /* best effort: two descriptors a worker */
        crowd.context = zmq_ctx_new();
        zmq_ctx_set(crowd.context, ZMQ_MAX_SOCKETS, 65000);
        crowd.players = xcalloc(n, sizeof(*crowd.players));
        make_keys(&crowd);
        if (write(told, "k", 1) != 1 || read(begin, &go, 1) != 1)
                exit(70);
        connect_all(&crowd);
        if (write(told, "c", 1) != 1)
                exit(70);
        until_us = clock_mono_us() + for_us;
        while (clock_mono_us() < until_us)
                turn(&crowd);
        numbers[0] = crowd.sent;
        numbers[1] = crowd.answered;
        if (write(told, numbers, sizeof(numbers)) != (ssize_t)sizeof(numbers))
                exit(70);
        _exit(0); /* ten thousand sockets close by themselves */
}

static void await(int from, char what)
{
        for (int i = 0; i < PROCESSES; i++) {
                char said;

                if (read(from, &said, 1) != 1 || said != what)
                        die("a process", "ended early");
        }
}

int main(int argc, char **argv)
{
        size_t n = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
        int64_t for_us = argc == 3 ? strtol(argv[2], NULL, 10) * US_PER_S : 0;
        uint64_t sent = 0, answered = 0;
        int begin[2], told[2];
        int64_t start_us;

        if (n < PROCESSES || !getenv("JOBMILL_PROFILE") || pipe(begin) != 0 || pipe(told) != 0) {
                fprintf(stderr, "usage: JOBMILL_PROFILE=FILE drive_workers N SECONDS\n");
                return 64;
        }
        for (int i = 0; i < PROCESSES; i++) {
                if (fork() == 0) {
                        close(told[0]);
                        play(n / PROCESSES, for_us, begin[0], told[1]);
                }
        }
        close(told[1]);
        await(told[0], 'k');
        start_us = clock_mono_us();
        if (write(begin[1], "gggg", PROCESSES) != PROCESSES)
                return 70;
        await(told[0], 'c');
        printf("connected %" PRId64 "\n", (clock_mono_us() - start_us) / US_PER_MS);
        fflush(stdout);
        for (int i = 0; i < PROCESSES; i++) {
                uint64_t numbers[2];

                if (read(told[0], numbers, sizeof(numbers)) != (ssize_t)sizeof(numbers))
                        die("a process", "ended early");
                sent += numbers[0];
                answered += numbers[1];
        }
        printf("beats %" PRIu64 " %" PRIu64 "\n", sent, answered);
        while (wait(NULL) > 0)
                ;
        return 0;
}
