/* The database's readers: a few threads with read-only connections that answer listings, logs and loads, so that no
 * SELECT ever delays a grant. Rows of other people are filtered in SQL by Visible; sealed values are opened here. */
#ifndef ADAPTERS_READER_H
#define ADAPTERS_READER_H

#include "adapters/store.h"
#include "core/event.h"

struct reader;

#define READER_QUEUE_MAX 1024 /* waiting questions; beyond: RETRY_LATER at once, listings are shed first */

struct reader *reader_start(const struct store_config *config, const struct keyring *keyring,
                            unsigned threads, struct err *err) MUST_CHECK;
void reader_free(struct reader *reader);
DEFINE_CLEANUP(struct reader, reader_free)
int reader_fd(const struct reader *reader); /* eventfd: readable when reader_next has something */

void reader_ask(struct reader *reader, struct read_request **take_read);
void reader_load(struct reader *reader, struct job_id job, uint32_t chunk);
void reader_load_round(struct reader *reader, struct job_id job);
void reader_load_ends(struct reader *reader, struct job_id job, uint32_t generation);

struct reader_answer {
        struct reader_answer *next;
        bool is_entries;
        /* an answer to send */
        struct session_id to;
        struct buf header; /* encoded */
        struct shared_bytes *body;
        /* or a chunk of entries, opened (bytes NULL: it could not be) */
        struct job_id job;
        uint32_t chunk;
        struct buf bytes;
        bool failed;
        /* or what a retry asked for; the answer's (its spec is NULL once the core has taken it) */
        struct job_round *round;
};
struct reader_answer *reader_next(struct reader *reader); /* NULL: none now; the caller frees */
void reader_answer_free(struct reader_answer *answer);

#endif
