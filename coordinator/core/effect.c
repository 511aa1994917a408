/* The list of effects that core_step fills. Effects own what they carry until the app takes it (it sets the pointer
 * to NULL, the buffer to empty). */
#include "core/effect.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define HEADER_USUAL_BYTES 255 /* most messages need no more, and no second piece of memory */

static struct effect *add(struct effects *effects, enum effect_kind kind)
{
        struct effect *effect;

        GROW(effects->list, effects->cap, effects->n + 1);
        effect = &effects->list[effects->n++];
        memset(effect, 0, sizeof(*effect));
        effect->kind = kind;
        return effect;
}

void effects_done(struct effects *effects)
{
        for (size_t i = 0; i < effects->n; i++) {
                struct effect *effect = &effects->list[i];

                switch (effect->kind) {
                case EFFECT_STORE:
                        store_op_free(effect->u.store);
                        break;
                case EFFECT_SEND_NOW:
                case EFFECT_SEND_ON_COMMIT:
                        buf_done(&effect->u.send.header);
                        shared_bytes_unref(effect->u.send.body);
                        break;
                case EFFECT_READ:
                        read_request_free(effect->u.read);
                        break;
                case EFFECT_FACT:
                case EFFECT_LOAD:
                case EFFECT_KEY:
                case EFFECT_STOP:
                        break;
                }
        }
        free(effects->list);
        memset(effects, 0, sizeof(*effects));
}

struct store_op *effects_store(struct effects *effects, enum store_op_kind kind)
{
        struct store_op *op = store_op_new(kind);

        add(effects, EFFECT_STORE)->u.store = op;
        return op;
}

void effects_send(struct effects *effects, struct session_id to, const struct msg *msg, bool on_commit)
{
        struct effect *effect = add(effects, on_commit ? EFFECT_SEND_ON_COMMIT : EFFECT_SEND_NOW);

        buf_reserve(&effect->u.send.header, HEADER_USUAL_BYTES);

        effect->u.send.to = to;
        msg_encode(msg, &effect->u.send.header);
        if (msg->body)
                effect->u.send.body = shared_bytes_new(msg->body, msg->body_bytes);
}

void effects_fact(struct effects *effects, struct fact fact)
{
        add(effects, EFFECT_FACT)->u.fact = fact;
}

void effects_read(struct effects *effects, struct read_request *read)
{
        add(effects, EFFECT_READ)->u.read = read;
}

void effects_load(struct effects *effects, struct job_id job, uint32_t chunk)
{
        struct effect *effect = add(effects, EFFECT_LOAD);

        effect->u.load.job = job;
        effect->u.load.chunk = chunk;
}

void effects_load_round(struct effects *effects, struct job_id job)
{
        struct effect *effect = add(effects, EFFECT_LOAD);

        effect->u.load.job = job;
        effect->u.load.round = true;
}

void effects_load_ends(struct effects *effects, struct job_id job, uint32_t generation)
{
        struct effect *effect = add(effects, EFFECT_LOAD);

        effect->u.load.job = job;
        effect->u.load.ends = true;
        effect->u.load.chunk = generation;
}

void effects_key(struct effects *effects, const char *public_key, bool allowed)
{
        struct effect *effect = add(effects, EFFECT_KEY);

        strncpy(effect->u.key.public_key, public_key, sizeof(effect->u.key.public_key) - 1);
        effect->u.key.allowed = allowed;
}

void effects_stop(struct effects *effects, enum err_code code, const char *text)
{
        struct effect *effect = add(effects, EFFECT_STOP);

        effect->u.stop.code = code;
        strncpy(effect->u.stop.text, text, sizeof(effect->u.stop.text) - 1);
}

void read_request_free(struct read_request *read)
{
        if (!read)
                return;
        msg_free(read->msg);
        free(read->jobs);
        free(read->parents);
        free(read);
}
