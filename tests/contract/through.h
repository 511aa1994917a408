/* A store that talks to its database through the proxy. Static functions: included once by a test. */
#ifndef TESTS_CONTRACT_THROUGH_H
#define TESTS_CONTRACT_THROUGH_H

#include "adapters/store_internal.h"
#include "tests/contract/proxy.h"
#include "tests/contract/scene.h"

static inline void write_option_file(const char *path, const char *socket)
{
        FILE *file = fopen(path, "we");

        fchmod(fileno(file), 0600);
        fprintf(file, "[jobmill]\nsocket = %s\nuser = jobmill\n", socket);
        fclose(file);
}

/* A scene whose store talks through the proxy. */
static inline void open_through(struct scene *s, struct proxy *proxy, char option_file[128])
{
        snprintf(proxy->path, sizeof(proxy->path), "%s/p", the_server.dir);
        snprintf(proxy->server, sizeof(proxy->server), "%s/s", the_server.dir);
        snprintf(option_file, 128, "%s/proxy.cnf", the_server.dir);
        write_option_file(option_file, proxy->path);
        proxy_start(proxy);
        /* store_open has two connections at once, the proxy one: the writer's is made anew through it. */
        s->store = store_open(scene_config(s), s->keyring, &s->err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(s->store);
        free(s->store->option_file);
        s->store->option_file = xstrdup(option_file);
        s->store->target.option_file = s->store->option_file;
        db_close(s->store->db);
        s->store->db = NULL;
        s->batches = 0;
        CU_ASSERT_EQUAL(store_start(s->store, &s->err), 0);
}

#endif
