/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches and their memory. A pool is a heap plus a way home: a batch released on another worker's
 * thread is pushed on its pool's `returned` stack and taken back, with its strings, when the pool
 * next allocates.
 *
 *   | struct wx_batch | records ... | keys ... | hashes ... |      strings: a list of chunks
 */
#include "core/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/channel.h"
#include "core/hash.h"
#include "core/heap.h"

#define ALIGN64(n)      (((n) + 63) & ~(size_t)63)
#define CHUNK_BYTES     (8u << 10) /* first string chunk of a batch; the next ones double */
#define CHUNK_BYTES_MAX (256u << 10)

struct wx_chunk {
    struct wx_chunk *next;
    size_t size, used; /* bytes, this header included */
};

struct wx_pool {
    struct wx_heap heap;
    /* Batches on their way home. Pushed by any thread (release), taken all at once by the owner
     * (acquire). Push-only plus take-all: no ABA. */
    _Alignas(64) _Atomic(struct wx_batch *) returned;
};

struct wx_pool *wx_pool_create(void)
{
    struct wx_pool *pool = aligned_alloc(64, ALIGN64(sizeof *pool));
    WX_ASSERT(pool);
    memset(pool, 0, sizeof *pool);
    return pool;
}

static void reclaim_one(struct wx_pool *pool, struct wx_batch *batch)
{
    for (struct wx_chunk *chunk = batch->arena; chunk;) {
        struct wx_chunk *next = chunk->next;
        wx_heap_free(&pool->heap, chunk, chunk->size);
        chunk = next;
    }
    wx_heap_free(&pool->heap, batch, batch->size);
}

static void reclaim(struct wx_pool *pool)
{
    if (!atomic_load_explicit(&pool->returned, memory_order_relaxed))
        return;
    struct wx_batch *batch = atomic_exchange_explicit(&pool->returned, NULL, memory_order_acquire);
    while (batch) {
        struct wx_batch *next = batch->next;
        reclaim_one(pool, batch);
        batch = next;
    }
}

void wx_pool_destroy(struct wx_pool *pool)
{
    if (!pool)
        return;
    reclaim(pool);
    wx_heap_fini(&pool->heap);
    free(pool);
}

size_t wx_pool_used(const struct wx_pool *pool)
{
    return pool->heap.used;
}

size_t wx_pool_peak(const struct wx_pool *pool)
{
    return pool->heap.peak;
}

uint32_t wx_shape_cap(const struct wx_shape *shape)
{
    size_t size = shape->ones ? 0 : shape->type->size;
    if (size * WX_BATCH_RECORDS <= WX_BATCH_BYTES)
        return WX_BATCH_RECORDS;
    size_t cap = WX_BATCH_BYTES / size;
    return cap < 16 ? 16 : (uint32_t)cap;
}

static struct wx_batch *get(struct wx_pool *pool, size_t size)
{
    reclaim(pool);
    struct wx_batch *batch = wx_heap_alloc(&pool->heap, size);
    *batch = (struct wx_batch){
        .home = pool, .refs = 1, .size = size, .watermark = WX_NO_WATERMARK, .entered = INT64_MAX};
    return batch;
}

/* Lays out the columns; with `records` false only those of the key. */
static struct wx_batch *create(struct wx_pool *pool, const struct wx_shape *shape, uint32_t cap,
                               bool records)
{
    size_t rec = records && !shape->ones ? ALIGN64((size_t)cap * shape->type->size) : 0;
    size_t keys = shape->key ? ALIGN64((size_t)cap * shape->key->size) : 0;
    size_t hash = shape->key && !shape->lean ? ALIGN64((size_t)cap * sizeof(uint64_t)) : 0;
    struct wx_batch *batch = get(pool, ALIGN64(sizeof *batch) + rec + keys + hash);
    char *at = (char *)batch + ALIGN64(sizeof *batch);
    batch->shape = shape;
    batch->cap = cap;
    batch->rec = rec ? at : NULL;
    batch->keys = keys ? at + rec : NULL;
    batch->hash = hash ? (uint64_t *)(void *)(at + rec + keys) : NULL;
    return batch;
}

struct wx_batch *wx_batch_create(struct wx_pool *pool, const struct wx_shape *shape, uint32_t cap)
{
    return create(pool, shape, cap, true);
}

struct wx_batch *wx_batch_view(struct wx_pool *pool, const struct wx_shape *shape,
                               struct wx_batch *parent)
{
    struct wx_batch *batch = create(pool, shape, parent->n, false);
    batch->parent = wx_batch_ref(parent);
    batch->rec = shape->ones ? NULL : parent->rec;
    batch->n = parent->n;
    batch->epoch = parent->epoch;
    batch->entered = parent->entered;
    return batch;
}

struct wx_batch *wx_batch_pass(struct wx_pool *pool, struct wx_batch *batch)
{
    if (batch->refs == 1)
        return wx_batch_ref(batch);
    struct wx_batch *alias = get(pool, sizeof *alias);
    alias->parent = wx_batch_ref(batch);
    alias->shape = batch->shape;
    alias->n = alias->cap = batch->n;
    alias->epoch = batch->epoch;
    alias->entered = batch->entered;
    alias->rec = batch->rec;
    alias->keys = batch->keys;
    alias->hash = batch->hash;
    return alias;
}

struct wx_batch *wx_batch_marker(struct wx_pool *pool, uint64_t epoch)
{
    struct wx_batch *batch = get(pool, sizeof *batch);
    batch->marker = true;
    batch->epoch = epoch;
    return batch;
}

struct wx_batch *wx_batch_ref(struct wx_batch *batch)
{
    batch->refs++;
    return batch;
}

void wx_batch_hashes(const struct wx_batch *batch, uint64_t *hash)
{
    if (batch->shape->key->kind == WAX_STR) {
        const wax_str *keys = batch->keys;
        for (uint32_t i = 0; i < batch->n; i++)
            hash[i] = wx_hash_str(keys[i]);
    } else {
        const int64_t *keys = batch->keys;
        for (uint32_t i = 0; i < batch->n; i++)
            hash[i] = wx_hash_i64(keys[i]);
    }
}

void wx_batch_hash(struct wx_batch *batch)
{
    wx_batch_hashes(batch, batch->hash);
    batch->hashed = true;
}

/* The bytes are the sender's again: it may have parked for want of room. */
static void give_credit(struct wx_credit *credit, uint32_t charge)
{
    /* One thread writes, so load and store need no exchange. Release: pairs with the sender's
     * acquire. */
    uint64_t returned = atomic_load_explicit(&credit->returned, memory_order_relaxed) + charge;
    atomic_store_explicit(&credit->returned, returned, memory_order_release);
    if (credit->waker)
        wx_waker_notify(credit->waker);
}

void wx_batch_put(struct wx_pool *pool, struct wx_batch *batch)
{
    while (batch && --batch->refs == 0) {
        struct wx_batch *parent = batch->parent;
        if (batch->credit)
            give_credit(batch->credit, batch->charge);
        struct wx_pool *home = batch->home;
        if (home == pool) {
            reclaim_one(pool, batch);
        } else {
            struct wx_batch *top = atomic_load_explicit(&home->returned, memory_order_relaxed);
            do
                batch->next = top;
            while (!atomic_compare_exchange_weak_explicit(
                &home->returned, &top, batch, memory_order_release, memory_order_relaxed));
        }
        batch = parent;
    }
}

void *wx_batch_alloc(struct wx_pool *pool, struct wx_batch *batch, size_t size)
{
    WX_ASSERT(batch->home == pool);
    size = (size + 15) & ~(size_t)15;
    struct wx_chunk *chunk = batch->arena;
    if (!chunk || chunk->size - chunk->used < size) {
        size_t want = chunk ? chunk->size * 2 : CHUNK_BYTES;
        want = want > CHUNK_BYTES_MAX ? CHUNK_BYTES_MAX : want;
        size_t need = size + ALIGN64(sizeof *chunk);
        want = wx_heap_size(want < need ? need : want);
        chunk = wx_heap_alloc(&pool->heap, want);
        chunk->size = want;
        chunk->used = ALIGN64(sizeof *chunk);
        chunk->next = batch->arena;
        batch->arena = chunk;
    }
    void *p = (char *)chunk + chunk->used;
    chunk->used += size;
    return p;
}

size_t wx_batch_arena_bytes(const struct wx_batch *batch)
{
    size_t bytes = 0;
    for (const struct wx_chunk *chunk = batch->arena; chunk; chunk = chunk->next)
        bytes += chunk->size;
    return bytes;
}

size_t wx_batch_bytes(const struct wx_batch *batch)
{
    return wx_heap_size(batch->size) + wx_batch_arena_bytes(batch);
}

static void *memory_alloc(struct wx_memory *memory, size_t size)
{
    struct wx_batch_memory *self = (struct wx_batch_memory *)(void *)memory;
    return wx_batch_alloc(self->pool, self->batch, size);
}

struct wx_batch_memory wx_batch_memory(struct wx_pool *pool, struct wx_batch *batch)
{
    return (struct wx_batch_memory){{memory_alloc}, pool, batch};
}
