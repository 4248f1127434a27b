/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_HEAP_H
#define WX_HEAP_H

#include <stddef.h>
#include <stdint.h>

/*
 * A worker's own allocator: free lists by size class over large regions. No locks, no headers:
 * whoever frees says the size. Memory goes back to the system only with the heap; what is free is
 * used again. A heap and its memory are used by one thread.
 */
#define WX_HEAP_CLASSES 80 /* four steps per doubling, from 32 bytes to 32 MiB */

struct wx_heap {
    void *free[WX_HEAP_CLASSES];
    struct wx_region *regions;
    char *at, *end; /* the rest of the newest region */
    size_t next_region;
    size_t used, peak; /* bytes handed out, by class size */
};

/* Zeroed is a valid empty heap. */
void wx_heap_fini(struct wx_heap *heap);
/* 64-byte aligned for sizes of 64 and more, else 16. Never NULL. Uninitialised. */
void *wx_heap_alloc(struct wx_heap *heap, size_t size);
/* `size` as it was asked for. */
void wx_heap_free(struct wx_heap *heap, void *p, size_t size);
/* What a request of `size` really takes: all of it may be used. */
size_t wx_heap_size(size_t size);

#endif /* WX_HEAP_H */
