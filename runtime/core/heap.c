/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Size classes are 4, 5, 6 and 7 times a power of two, so at most a fifth of a block is lost.
 * Regions double from 64 KiB to 8 MiB: a small dataflow stays small, a large state gets huge pages.
 * Requests above the largest class go to malloc.
 */
#include "core/heap.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "base/error.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define POISON(p, size)   __asan_poison_memory_region((p), (size))
#define UNPOISON(p, size) __asan_unpoison_memory_region((p), (size))
#else
#define POISON(p, size)   ((void)0)
#define UNPOISON(p, size) ((void)0)
#endif

#define CLASS_SHIFT_MIN 5u /* the smallest class is 32 bytes */
#define REGION_FIRST    (64u << 10)
#define REGION_LARGEST  (8u << 20)
#define HUGE_PAGE       (2u << 20)

struct wx_region {
    struct wx_region *next;
    size_t size;
};

/* The smallest class that holds `size`, and how many bytes it has. */
static uint32_t class_of(size_t size, size_t *bytes)
{
    if (size <= 32) {
        *bytes = 32;
        return 0;
    }
    uint32_t top = 63u - (uint32_t)__builtin_clzll(size - 1); /* 2^top < size <= 2^(top+1) */
    size_t quarter = (size_t)1 << (top - 2);
    size_t steps = (size - ((size_t)1 << top) + quarter - 1) / quarter; /* 1 to 4 */
    *bytes = ((size_t)1 << top) + steps * quarter;
    return (top - CLASS_SHIFT_MIN) * 4 + (uint32_t)steps;
}

size_t wx_heap_size(size_t size)
{
    size_t bytes;
    return class_of(size, &bytes) < WX_HEAP_CLASSES ? bytes : size;
}

static void add_region(struct wx_heap *heap, size_t need)
{
    size_t size = heap->next_region ? heap->next_region : REGION_FIRST;
    heap->next_region = size < REGION_LARGEST ? size * 2 : REGION_LARGEST;
    while (size < need + 128)
        size *= 2;
    size_t align = size >= HUGE_PAGE ? HUGE_PAGE : 4096;
    struct wx_region *region = aligned_alloc(align, size);
    if (!region)
        region = wx_alloc(size); /* says what is missing */
    if (size >= HUGE_PAGE)
        madvise(region, size, MADV_HUGEPAGE);
    region->next = heap->regions;
    region->size = size;
    heap->regions = region;
    heap->at = (char *)region + 64;
    heap->end = (char *)region + size;
    POISON(heap->at, (size_t)(heap->end - heap->at));
}

static void *carve(struct wx_heap *heap, size_t bytes)
{
    uintptr_t at = (uintptr_t)heap->at;
    uintptr_t aligned = bytes >= 64 ? (at + 63) & ~(uintptr_t)63 : (at + 15) & ~(uintptr_t)15;
    if (!heap->at || aligned + bytes > (uintptr_t)heap->end) {
        add_region(heap, bytes);
        aligned = (uintptr_t)heap->at;
    }
    heap->at = (char *)(aligned + bytes);
    return (void *)aligned;
}

void *wx_heap_alloc(struct wx_heap *heap, size_t size)
{
    size_t bytes;
    uint32_t class = class_of(size, &bytes);
    if (class >= WX_HEAP_CLASSES)
        bytes = size;
    heap->used += bytes;
    if (heap->used > heap->peak)
        heap->peak = heap->used;
    if (class >= WX_HEAP_CLASSES)
        return wx_alloc(size);
    void *p = heap->free[class];
    if (p) {
        UNPOISON(p, bytes);
        heap->free[class] = *(void **)p;
        return p;
    }
    p = carve(heap, bytes);
    UNPOISON(p, bytes);
    return p;
}

void wx_heap_free(struct wx_heap *heap, void *p, size_t size)
{
    if (!p)
        return;
    size_t bytes;
    uint32_t class = class_of(size, &bytes);
    if (class >= WX_HEAP_CLASSES) {
        heap->used -= size;
        free(p);
        return;
    }
    WX_ASSERT(heap->used >= bytes);
    heap->used -= bytes;
    *(void **)p = heap->free[class];
    heap->free[class] = p;
    POISON(p, bytes);
}

void wx_heap_fini(struct wx_heap *heap)
{
    for (struct wx_region *region = heap->regions; region;) {
        struct wx_region *next = region->next;
        UNPOISON(region, region->size);
        free(region);
        region = next;
    }
    *heap = (struct wx_heap){0};
}
