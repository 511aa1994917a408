/* The open batch: what the core wants stored since the last batch was handed over, and what may be said and done once
 * that is durable. One gathers while the one before is being committed. */
#ifndef COORDINATOR_BATCH_H
#define COORDINATOR_BATCH_H

#include "adapters/store.h"
#include "core/effect.h"

struct batch_send {
        struct session_id to;
        struct buf header;
        struct shared_bytes *body; /* a reference, or NULL */
};

struct batch {
        struct store_batch store;
        struct batch_send *sends;
        size_t n_sends, cap_sends;
        struct fact *facts;
        size_t n_facts, cap_facts;
        size_t bytes; /* of the messages that led to it: roughly what it holds */
};

void batch_add_op(struct batch *batch, struct store_op *op); /* owned from now on */
void batch_add_send(struct batch *batch, struct effect *send); /* takes its header and body */
void batch_add_fact(struct batch *batch, const struct fact *fact);
bool batch_is_empty(const struct batch *batch); /* nothing to store, say or do */
void batch_clear(struct batch *batch); /* frees what it holds; it is empty and usable */
void batch_done(struct batch *batch);

#endif
