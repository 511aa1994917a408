/* A proxy between the store and MariaDB that cuts the connection around a COMMIT: before the server sees it, or after
 * the server has answered it. Only for unencrypted sockets. Static functions: included once by a test. */
#ifndef TESTS_CONTRACT_PROXY_H
#define TESTS_CONTRACT_PROXY_H

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum proxy_cut { CUT_NOTHING, CUT_BEFORE_COMMIT, CUT_AFTER_COMMIT };

struct proxy {
        char path[108], server[108];
        int listener;
        pthread_t thread;
        atomic_int cut; /* enum proxy_cut; back to CUT_NOTHING once it was done */
        atomic_int cuts; /* how many were */
        atomic_bool stop;
        /* Of the connection that is served: statements that hold their COMMIT. */
        bool prepares; /* the answer that comes next names one */
        unsigned char holding[32][4];
        unsigned n_holding;
};

static inline int proxy_socket(const char *path, bool listening)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), done;

        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        done = listening ? bind(fd, (struct sockaddr *)&address, sizeof(address))
                         : connect(fd, (struct sockaddr *)&address, sizeof(address));
        if (done == 0 && listening)
                done = listen(fd, 8);
        if (done < 0) {
                close(fd);
                return -1;
        }
        return fd;
}

/* A packet: 3 bytes length, sequence 0; a query: 0x03, text; a statement to be run: 0x17, its number. */
static inline bool proxy_is_commit(const struct proxy *proxy, const char *bytes, ssize_t n)
{
        for (unsigned i = 0; n > 9 && bytes[4] == 0x17 && i < proxy->n_holding; i++)
                if (memcmp(bytes + 5, proxy->holding[i], 4) == 0)
                        return true;
        return n == 11 && memcmp(bytes + 4, "\003COMMIT", 7) == 0;
}

/* To prepare: 0x16, text. Its answer: 0, the number. */
static inline void proxy_note(struct proxy *proxy, const char *bytes, ssize_t n, bool from_client)
{
        if (from_client) { /* the first piece of a packet, at least */
                if (n > 20 && bytes[4] == 0x16)
                        proxy->prepares = memcmp(bytes + 5, "BEGIN NOT ATOMIC", 16) == 0;
        } else if (proxy->prepares && n > 9 && proxy->n_holding < 32) {
                memcpy(proxy->holding[proxy->n_holding++], bytes + 5, 4);
                proxy->prepares = false;
        }
}

static inline bool proxy_pass(struct proxy *proxy, int from, int to, bool from_client)
{
        char bytes[65536];
        ssize_t n = read(from, bytes, sizeof(bytes));
        int cut = atomic_load(&proxy->cut);
        char answer[256];

        if (n <= 0)
                return false;
        proxy_note(proxy, bytes, n, from_client);
        if (from_client && cut != CUT_NOTHING && proxy_is_commit(proxy, bytes, n)) {
                atomic_store(&proxy->cut, CUT_NOTHING);
                atomic_fetch_add(&proxy->cuts, 1);
                if (cut == CUT_AFTER_COMMIT && write(to, bytes, (size_t)n) == n)
                        n = read(to, answer, sizeof(answer)); /* it is done; nobody hears of it */
                return false;
        }
        for (ssize_t at = 0, sent; at < n; at += sent)
                if ((sent = write(to, bytes + at, (size_t)(n - at))) <= 0)
                        return false;
        return true;
}

static inline void proxy_serve(struct proxy *proxy, int client)
{
        int server = proxy_socket(proxy->server, false);
        struct pollfd fds[2] = { { .fd = client, .events = POLLIN }, { .fd = server, .events = POLLIN } };
        bool going = server >= 0;

        proxy->n_holding = 0;
        proxy->prepares = false;

        while (going && !atomic_load(&proxy->stop)) {
                poll(fds, 2, 50);
                if (fds[0].revents)
                        going = proxy_pass(proxy, client, server, true);
                if (going && fds[1].revents)
                        going = proxy_pass(proxy, server, client, false);
        }
        close(client);
        if (server >= 0)
                close(server);
}

/* One connection at a time: the store has one writer, and looks back with a new one after the old is cut. */
static inline void *proxy_run(void *arg)
{
        struct proxy *proxy = arg;
        struct pollfd fd = { .fd = proxy->listener, .events = POLLIN };

        while (!atomic_load(&proxy->stop))
                if (poll(&fd, 1, 50) > 0) {
                        int client = accept(proxy->listener, NULL, NULL);

                        if (client >= 0)
                                proxy_serve(proxy, client);
                }
        return NULL;
}

static inline void proxy_start(struct proxy *proxy)
{
        proxy->listener = proxy_socket(proxy->path, true);
        if (proxy->listener < 0 || pthread_create(&proxy->thread, NULL, proxy_run, proxy) != 0)
                _exit(2);
}

static inline void proxy_end(struct proxy *proxy)
{
        atomic_store(&proxy->stop, true);
        pthread_join(proxy->thread, NULL);
        close(proxy->listener);
        unlink(proxy->path);
}

#endif
