/* Binary heap with places.
 * Invariant: list[i] is not before list[(i - 1) / 2], and the place of list[i] is i + 1. */
#include "core/heap.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/xalloc.h"

static size_t *place(const struct heap *heap, const void *item)
{
        return (size_t *)((char *)(uintptr_t)item + heap->place_offset);
}

static void put(struct heap *heap, size_t i, void *item)
{
        heap->list[i] = item;
        *place(heap, item) = i + 1;
}

static void up(struct heap *heap, size_t i)
{
        void *item = heap->list[i];

        while (i > 0 && heap->before(item, heap->list[(i - 1) / 2])) {
                put(heap, i, heap->list[(i - 1) / 2]);
                i = (i - 1) / 2;
        }
        put(heap, i, item);
}

static void down(struct heap *heap, size_t i)
{
        void *item = heap->list[i];

        for (;;) {
                size_t child = 2 * i + 1;

                if (child >= heap->n)
                        break;
                if (child + 1 < heap->n && heap->before(heap->list[child + 1], heap->list[child]))
                        child++;
                if (!heap->before(heap->list[child], item))
                        break;
                put(heap, i, heap->list[child]);
                i = child;
        }
        put(heap, i, item);
}

void heap_init(struct heap *heap, heap_before_fn *before, size_t place_offset)
{
        *heap = (struct heap){ .before = before, .place_offset = place_offset };
}

void heap_done(struct heap *heap)
{
        free(heap->list);
        heap->list = NULL;
        heap->n = heap->cap = 0;
}

void *heap_top(const struct heap *heap)
{
        return heap->n > 0 ? heap->list[0] : NULL;
}

bool heap_has(const struct heap *heap, const void *item)
{
        return *place(heap, item) != 0;
}

void heap_push(struct heap *heap, void *item)
{
        BUG_ON(heap_has(heap, item));
        GROW(heap->list, heap->cap, heap->n + 1);
        heap->list[heap->n] = item;
        up(heap, heap->n++);
}

void heap_remove(struct heap *heap, void *item)
{
        size_t i = *place(heap, item);

        if (i == 0)
                return;
        i--;
        BUG_ON(heap->list[i] != item);
        *place(heap, item) = 0;
        heap->n--;
        if (i == heap->n)
                return;
        put(heap, i, heap->list[heap->n]);
        heap_moved(heap, heap->list[i]);
}

void heap_moved(struct heap *heap, void *item)
{
        size_t i = *place(heap, item);

        if (i == 0)
                return;
        up(heap, i - 1);
        down(heap, *place(heap, item) - 1);
}
