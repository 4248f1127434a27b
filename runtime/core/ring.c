/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A channel inside a process: a ring of batch pointers with one producer and one consumer, and a
 * credit in bytes. The producer owns `head`, the consumer `tail`; each keeps its own copy of the
 * other's index and reads the shared one only when the copy says full or empty, so that in steady
 * flow the two cores touch each other's lines once per several batches.
 */
#include <stdlib.h>
#include <string.h>

#include "core/worker.h"

#define SLOTS 64u /* a power of two; credit runs out long before for all but tiny batches */

struct wx_ring {
    struct wx_outlet outlet; /* first: an outlet is its ring */
    struct wx_inlet inlet;
    struct wx_waker *waker; /* of the receiver */
    uint64_t credit_max;

    _Alignas(64) uint64_t sent; /* producer: bytes charged so far */
    uint64_t tail_seen;
    _Alignas(
        64) _Atomic uint64_t head; /* written by the producer (release), read by the consumer */
    _Alignas(
        64) _Atomic uint64_t tail; /* written by the consumer (release), read by the producer */
    uint64_t head_seen;
    _Alignas(64) struct wx_credit credit;
    struct wx_batch *slots[SLOTS];
};

/* May `charge` more bytes be in flight? An empty channel admits anything. */
static bool has_credit(struct wx_ring *ring, uint32_t charge)
{
    /* Acquire: pairs with the release in give_credit(). */
    uint64_t flying =
        ring->sent - atomic_load_explicit(&ring->credit.returned, memory_order_acquire);
    return flying == 0 || flying + charge <= ring->credit_max;
}

static bool ring_offer(struct wx_outlet *outlet, struct wx_batch *batch)
{
    struct wx_ring *ring = (struct wx_ring *)(void *)outlet;
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head - ring->tail_seen == SLOTS) {
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head - ring->tail_seen == SLOTS)
            return false;
    }
    size_t bytes = wx_batch_bytes(batch);
    uint32_t charge = bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
    if (!batch->marker && !has_credit(ring, charge))
        return false;
    if (!batch->marker) {
        batch->credit = &ring->credit;
        batch->charge = charge;
        ring->sent += charge;
    }
    ring->slots[head % SLOTS] = batch;
    /* Release: the batch and all it points to are written before the consumer sees the new head. */
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    wx_waker_notify(ring->waker);
    return true;
}

static struct wx_batch *ring_take(struct wx_inlet *inlet)
{
    struct wx_ring *ring =
        (struct wx_ring *)(void *)((char *)inlet - offsetof(struct wx_ring, inlet));
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail == ring->head_seen) {
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (tail == ring->head_seen)
            return NULL;
    }
    struct wx_batch *batch = ring->slots[tail % SLOTS];
    /* Release: the slot has been read before the producer may write it again. */
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    if (ring->credit.waker)
        wx_waker_notify(ring->credit.waker);
    return batch;
}

struct wx_ring *wx_ring_create(uint64_t credit, struct wx_waker *waker, struct wx_waker *sender)
{
    struct wx_ring *ring = aligned_alloc(64, (sizeof *ring + 63) & ~(size_t)63);
    WX_ASSERT(ring);
    memset(ring, 0, sizeof *ring);
    ring->outlet.offer = ring_offer;
    ring->inlet.take = ring_take;
    ring->waker = waker;
    ring->credit.waker = sender == waker ? NULL : sender;
    ring->credit_max = credit;
    return ring;
}

void wx_ring_destroy(struct wx_ring *ring, struct wx_pool *pool)
{
    if (!ring)
        return;
    for (struct wx_batch *batch; (batch = ring_take(&ring->inlet));)
        wx_batch_put(pool, batch);
    free(ring);
}

struct wx_outlet *wx_ring_outlet(struct wx_ring *ring)
{
    return &ring->outlet;
}

struct wx_inlet *wx_ring_inlet(struct wx_ring *ring)
{
    return &ring->inlet;
}
