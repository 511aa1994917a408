/* Lists of what waits for a commit. Must not send or store anything itself. */
#include "coordinator/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

void batch_add_op(struct batch *batch, struct store_op *op)
{
        op->next = NULL;
        if (batch->store.last)
                batch->store.last->next = op;
        else
                batch->store.first = op;
        batch->store.last = op;
        batch->store.n_ops++;
}

void batch_add_send(struct batch *batch, struct effect *send)
{
        GROW(batch->sends, batch->cap_sends, batch->n_sends + 1);
        batch->sends[batch->n_sends++] = (struct batch_send){ .to = send->u.send.to,
                                                              .header = send->u.send.header,
                                                              .body = send->u.send.body };
        send->u.send.header = (struct buf){ 0 };
        send->u.send.body = NULL;
}

void batch_add_fact(struct batch *batch, const struct fact *fact)
{
        GROW(batch->facts, batch->cap_facts, batch->n_facts + 1);
        batch->facts[batch->n_facts++] = *fact;
}

bool batch_is_empty(const struct batch *batch)
{
        return !batch->store.n_ops && !batch->n_sends && !batch->n_facts;
}

void batch_clear(struct batch *batch)
{
        struct batch kept = { .sends = batch->sends,
                              .cap_sends = batch->cap_sends,
                              .facts = batch->facts,
                              .cap_facts = batch->cap_facts };

        store_batch_done(&batch->store);
        for (size_t i = 0; i < batch->n_sends; i++) {
                buf_done(&batch->sends[i].header);
                shared_bytes_unref(batch->sends[i].body);
        }
        *batch = kept;
}

void batch_done(struct batch *batch)
{
        batch_clear(batch);
        free(batch->sends);
        free(batch->facts);
        *batch = (struct batch){ 0 };
}
