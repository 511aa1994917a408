/* A binary heap of borrowed pointers. Each item holds a size_t where the heap writes the item's place (0: not in
 * the heap), so that an item can be moved or removed in O(log n). */
#ifndef CORE_HEAP_H
#define CORE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

typedef bool heap_before_fn(const void *a, const void *b); /* a strict order */

struct heap {
        void **list;
        size_t n;
        size_t cap;
        heap_before_fn *before;
        size_t place_offset; /* of the size_t inside an item */
};

void heap_init(struct heap *heap, heap_before_fn *before, size_t place_offset);
void heap_done(struct heap *heap);
void *heap_top(const struct heap *heap); /* NULL: empty */
bool heap_has(const struct heap *heap, const void *item);
void heap_push(struct heap *heap, void *item); /* must not be in a heap */
void heap_remove(struct heap *heap, void *item); /* no-op if it is not in */
void heap_moved(struct heap *heap, void *item); /* its order changed; no-op if it is not in */

#endif
