/* What the files of the reader share: the hands of one reader thread. */
#ifndef ADAPTERS_READER_INTERNAL_H
#define ADAPTERS_READER_INTERNAL_H

#include "adapters/db.h"
#include "adapters/reader.h"
#include "adapters/store_keys.h"
#include "crypt/envelope.h"

struct reader_hand { /* one thread's own */
        struct reader *reader; /* for reader_emit alone */
        const struct keyring *keyring;
        struct db *db; /* NULL: not connected */
        struct store_keys *keys;
        struct sealer *sealer;
        /* The chunk of entries opened last: a page of tasks mostly needs one. */
        uint64_t entries_job;
        uint32_t entries_chunk;
        struct buf entries;
};

/* Sends a message in answer to the request; body may be NULL and is copied. */
void reader_emit(struct reader_hand *hand, const struct read_request *read, struct msg *msg, const void *body,
                 size_t body_bytes);

/* Each answers the request, or fails with an error that the caller turns into a refusal. NOT_FOUND is the same for
 * what is missing and what is foreign. */
int reader_list(struct reader_hand *hand, const struct read_request *read, struct err *err) MUST_CHECK;
int reader_logs(struct reader_hand *hand, const struct read_request *read, struct err *err) MUST_CHECK;
int reader_tail(struct reader_hand *hand, const struct read_request *read, struct err *err) MUST_CHECK;
int reader_get(struct reader_hand *hand, const struct read_request *read, struct err *err) MUST_CHECK;
int reader_fetch(struct reader_hand *hand, const struct read_request *read, struct err *err) MUST_CHECK;
int reader_watch(struct reader_hand *hand, const struct read_request *read, struct err *err) MUST_CHECK;
int reader_not_found(struct err *err);

struct reader_place { /* of a chunk of a job: part 0 entries, 1… inputs */
        struct job_id job;
        uint32_t part, seq;
};
/* The chunk, opened, appended to `out`. NOT_FOUND; BAD_DATA: damaged. */
int reader_chunk(struct reader_hand *hand, struct reader_place place, struct buf *out, bool *ret_last,
                 struct err *err) MUST_CHECK;
/* What people see of the k-th entry of a chunk, appended to `out`; values are joined by a space. */
int reader_entry(struct reader_hand *hand, uint64_t job, uint32_t chunk, uint64_t k, struct buf *out,
                 struct err *err) MUST_CHECK;
int reader_parents(struct reader_hand *hand, const struct read_request *read, struct err *err) MUST_CHECK;
/* The ended tasks of a job, for a retry. */
int reader_round(struct reader_hand *hand, struct job_round *round, struct err *err) MUST_CHECK;

/* Rows of an open answer become a JSON array of arrays: as many as fit one message, at most `limit`. `json` and
 * `columns` hold what answer->rows and answer->columns point to. TOO_LARGE: a single row that no message can carry. */
#define READER_COLUMNS_MAX 64
struct reader_columns {
        const char *names[READER_COLUMNS_MAX];
        char text[READER_COLUMNS_MAX][64];
};
int reader_rows(struct reader_hand *hand, struct db_rows *rows, size_t limit, struct buf *json,
                struct reader_columns *columns, struct msg_rows *answer, struct err *err) MUST_CHECK;

#endif
