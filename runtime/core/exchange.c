/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sending half of an exchange: divides batches into blocks, one per receiving worker.
 *
 * A batch is done in two passes: which worker does each record go to, and as which one of its
 * share; then, once every block has room for its share, the copy, column by column, in which no
 * record waits for the one before it and nothing branches. Blocks own their strings. Hashes of
 * strings go along; those of numbers are cheaper to compute again than to move from one core's
 * cache to another's. A batch whose records point to much memory is done in slices, because records
 * that share a string get a copy each. A block goes out when the next share does not fit, at a
 * marker, or when the worker is idle. When a channel is full the slice stays where it is,
 * untouched, and is tried again later.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/engine.h"
#include "core/table.h"

/* A block with more string memory goes out at once; a slice of a batch has at most one record more.
 */
#define STRINGS_MAX (64u << 10)

struct wx_step_own {
    uint32_t workers;
    uint32_t next;           /* SPREAD: the next receiver */
    uint32_t held;           /* blocks with records */
    uint64_t marker;         /* being sent, */
    uint32_t marker_to;      /* next to this worker */
    bool flat;               /* neither records nor keys have strings */
    struct wx_batch **block; /* [workers], NULL or with records */
    uint32_t *count;         /* [workers]: share of the slice */
    char **to;               /* [workers]: where the share goes in a column of the block */
    uint16_t target[WX_BLOCK_RECORDS]; /* of each record of the slice: the worker, */
    uint16_t place[WX_BLOCK_RECORDS];  /* and its number in that worker's share */
    uint32_t slice;                    /* records of it; 0: it is still to be made */
};

static void send_open(struct wx_step *step)
{
    uint32_t workers = step->worker->plan->workers;
    struct wx_step_own *own = wx_calloc(1, sizeof *own);
    own->workers = workers;
    own->next = step->worker->config.index;
    const struct wx_shape *shape = &step->node->in;
    own->flat = wx_type_is_flat(shape->type) && (!shape->key || wx_type_is_flat(shape->key));
    own->block = wx_calloc(workers, sizeof(struct wx_batch *));
    own->count = wx_calloc(workers, sizeof *own->count);
    own->to = wx_calloc(workers, sizeof *own->to);
    step->own = own;
}

static void send_close(struct wx_step *step)
{
    struct wx_step_own *own = step->own;
    if (!own)
        return;
    for (uint32_t w = 0; w < own->workers; w++)
        wx_batch_put(step->worker->pool, own->block[w]);
    free(own->block);
    free(own->count);
    free(own->to);
    free(own);
    step->own = NULL;
}

static bool offer(struct wx_step *step, uint32_t to, struct wx_batch *batch)
{
    struct wx_outlet *outlet =
        step->worker->config.outlets[step->node->edge * step->own->workers + to];
    return outlet->offer(outlet, batch);
}

static bool send_block(struct wx_step *step, uint32_t to)
{
    struct wx_step_own *own = step->own;
    if (own->block[to] && own->block[to]->n) {
        uint32_t n = own->block[to]->n;
        if (!offer(step, to, own->block[to]))
            return false;
        own->block[to] = NULL;
        own->held--;
        step->out += n;
    }
    return true;
}

/* How many records from `begin` on are to be done together. */
static uint32_t slice_of(const struct wx_step *step, const struct wx_batch *batch, uint32_t begin)
{
    const struct wx_shape *shape = &step->node->in;
    if (step->own->flat)
        return batch->n - begin;
    size_t bytes = 0;
    uint32_t i = begin;
    for (; i < batch->n && bytes <= STRINGS_MAX; i++) {
        if (batch->rec)
            bytes += wx_type_extra(shape->type, batch->rec + (size_t)i * shape->type->size);
        if (shape->key)
            bytes += wx_type_extra(shape->key, (char *)batch->keys + (size_t)i * shape->key->size);
    }
    return i - begin;
}

/* Where each record of the next slice goes. */
static void divide(struct wx_step *step, const struct wx_batch *batch)
{
    struct wx_step_own *own = step->own;
    const uint16_t *owner = step->worker->plan->owner;
    uint32_t begin = step->io.at, n = slice_of(step, batch, begin);
    memset(own->count, 0, own->workers * sizeof *own->count);
    switch (step->node->route) {
    case WX_ROUTE_KEY:
        for (uint32_t i = 0; i < n; i++)
            own->target[i] = owner[wx_partition_of(batch->hash[begin + i])];
        break;
    case WX_ROUTE_SPREAD:
        for (uint32_t i = 0; i < n; i++) {
            own->target[i] = (uint16_t)own->next;
            own->next = own->next + 1 == own->workers ? 0 : own->next + 1;
        }
        break;
    case WX_ROUTE_ONE:
        for (uint32_t i = 0; i < n; i++)
            own->target[i] = (uint16_t)step->node->target;
        break;
    }
    for (uint32_t i = 0; i < n; i++)
        own->place[i] = (uint16_t)own->count[own->target[i]]++;
    own->slice = n;
}

/* Can `block` take `n` records of `batch`, with the same kind of record column? */
static bool fits(const struct wx_step_own *own, const struct wx_batch *block,
                 const struct wx_batch *batch, uint32_t n)
{
    return block->n + n <= block->cap && !block->rec == !batch->rec &&
           (own->flat || wx_batch_arena_bytes(block) <= STRINGS_MAX);
}

/* Every worker's block has room for its share. False: a channel is full. */
static bool make_room(struct wx_step *step, const struct wx_batch *batch)
{
    struct wx_step_own *own = step->own;
    struct wx_pool *pool = step->worker->pool;
    const struct wx_shape *shape = batch->rec ? &step->node->in : &step->node->in_ones;
    for (uint32_t w = 0; w < own->workers; w++) {
        uint32_t share = own->count[w];
        if (share == 0 || (own->block[w] && fits(own, own->block[w], batch, share)))
            continue;
        if (!send_block(step, w))
            return false;
        wx_batch_put(pool, own->block[w]);      /* an empty one of the other kind */
        uint32_t cap = 2 * wx_shape_cap(shape); /* so that a block leaves nearly full */
        own->block[w] = wx_batch_create(pool, shape, cap > share ? cap : share);
        own->block[w]->epoch = step->passed + 1;
        own->block[w]->hashed = shape->key && shape->key->kind == WAX_STR;
    }
    return true;
}

/* Points own->to at the first vacant place of a column of each block. */
static void aim(struct wx_step_own *own, size_t column, size_t size)
{
    for (uint32_t w = 0; w < own->workers; w++) {
        struct wx_batch *block = own->block[w];
        if (block)
            own->to[w] = *(char **)(void *)((char *)block + column) + block->n * size;
    }
}

static void copy_i64(const struct wx_step_own *own, uint32_t n, const int64_t *from)
{
    for (uint32_t i = 0; i < n; i++)
        memcpy(own->to[own->target[i]] + own->place[i] * sizeof *from, &from[i], sizeof *from);
}

static void copy_any(const struct wx_step_own *own, uint32_t n, const char *from, size_t size)
{
    for (uint32_t i = 0; i < n; i++)
        memcpy(own->to[own->target[i]] + own->place[i] * size, from + i * size, size);
}

/* Values with strings are copied one by one into the block's own memory. */
static void copy_deep(struct wx_step *step, uint32_t n, const char *from, const wax_type *type)
{
    struct wx_step_own *own = step->own;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t w = own->target[i];
        struct wx_batch_memory memory = wx_batch_memory(step->worker->pool, own->block[w]);
        wx_type_copy(type, own->to[w] + (size_t)own->place[i] * type->size,
                     from + (size_t)i * type->size, 1, &memory.memory);
    }
}

/* The slice's part of a column of the batch. */
static void copy_column(struct wx_step *step, const void *column_of_batch, const wax_type *type,
                        size_t column)
{
    if (!column_of_batch)
        return;
    uint32_t n = step->own->slice;
    const char *from = (const char *)column_of_batch + (size_t)step->io.at * type->size;
    aim(step->own, column, type->size);
    if (!wx_type_is_flat(type))
        copy_deep(step, n, from, type);
    else if (type->size == sizeof(int64_t))
        copy_i64(step->own, n, (const int64_t *)(const void *)from);
    else
        copy_any(step->own, n, from, type->size);
}

/* The slice has its place in the blocks: copies it there. */
static void send_slice(struct wx_step *step, const struct wx_batch *batch)
{
    struct wx_step_own *own = step->own;
    const struct wx_shape *shape = &step->node->in;
    copy_column(step, batch->rec, shape->type, offsetof(struct wx_batch, rec));
    if (shape->key) {
        copy_column(step, batch->keys, shape->key, offsetof(struct wx_batch, keys));
        if (shape->key->kind == WAX_STR)
            copy_column(step, batch->hash, &wax_type_uint64_t, offsetof(struct wx_batch, hash));
    }
    for (uint32_t w = 0; w < own->workers; w++) {
        if (own->count[w] == 0)
            continue;
        struct wx_batch *block = own->block[w];
        own->held += block->n == 0;
        block->n += own->count[w];
        if (batch->entered < block->entered)
            block->entered = batch->entered;
    }
    step->io.at += own->slice;
    own->slice = 0;
}

static bool send_run(struct wx_step *step, struct wx_batch *batch)
{
    while (step->io.at < batch->n) {
        if (!step->own->slice)
            divide(step, batch);
        if (!make_room(step, batch))
            return false;
        send_slice(step, batch);
    }
    return true;
}

static bool send_all(struct wx_step *step)
{
    bool done = true;
    for (uint32_t w = 0; w < step->own->workers; w++)
        done &= send_block(step, w);
    return done;
}

static bool send_marker(struct wx_step *step, uint64_t epoch)
{
    struct wx_step_own *own = step->own;
    if (own->marker != epoch) {
        if (!send_all(step))
            return false;
        own->marker = epoch;
        own->marker_to = 0;
    }
    for (; own->marker_to < own->workers; own->marker_to++) {
        struct wx_batch *marker = wx_batch_marker(step->worker->pool, epoch);
        if (!offer(step, own->marker_to, marker)) {
            wx_batch_put(step->worker->pool, marker);
            return false;
        }
    }
    return true;
}

static bool send_idle(struct wx_step *step, bool late)
{
    (void)late;
    if (!step->own->held)
        return false;
    uint32_t before = step->own->held;
    send_all(step);
    return step->own->held < before;
}

const struct wx_step_ops wx_send_ops = {.open = send_open,
                                        .run = send_run,
                                        .marker = send_marker,
                                        .idle = send_idle,
                                        .close = send_close};
