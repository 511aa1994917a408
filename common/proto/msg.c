/* Lifetime of messages: the arena in which a decoded one lies. */
#include "proto/msg_fields.h"

#include <stdlib.h>

#include "base/xalloc.h"

#define ARENA_ALIGN 16
#define ARENA_MIN 512

struct msg_arena {
        struct msg_arena *more; /* blocks beyond the first, newest first */
        size_t used;
        size_t cap;
        _Alignas(ARENA_ALIGN) char bytes[];
};

struct msg_arena *msg_arena_new(size_t expected_bytes)
{
        size_t cap = MAX(expected_bytes, (size_t)ARENA_MIN);
        struct msg_arena *arena = xmalloc(sizeof(*arena) + cap);

        arena->more = NULL;
        arena->used = 0;
        arena->cap = cap;
        return arena;
}

static void *take(struct msg_arena *block, size_t bytes)
{
        size_t at = (block->used + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;

        if (at > block->cap || block->cap - at < bytes)
                return NULL;
        block->used = at + bytes;
        return block->bytes + at;
}

void *msg_arena_alloc(struct msg_arena *arena, size_t bytes)
{
        void *p = take(arena, bytes);
        struct msg_arena *block;

        if (!p && arena->more)
                p = take(arena->more, bytes);
        if (p)
                return p;
        block = msg_arena_new(MAX(bytes, arena->cap));
        block->more = arena->more;
        arena->more = block;
        return take(block, bytes);
}

void msg_arena_free(struct msg_arena *arena)
{
        while (arena) {
                struct msg_arena *more = arena->more;

                free(arena);
                arena = more;
        }
}

void msg_free(struct msg *msg)
{
        if (msg)
                msg_arena_free(msg->arena);
}

void job_spec_free(struct job_spec_box *box)
{
        if (box)
                msg_arena_free(box->arena);
}

struct job_spec_box *job_spec_dup(const struct rec_job_spec *spec)
{
        CLEANUP_BUF struct buf json = { 0 };
        struct job_spec_box *copy;

        job_spec_encode(spec, &json);
        copy = job_spec_decode(json.bytes, json.n, NULL);
        BUG_ON(!copy);
        return copy;
}
