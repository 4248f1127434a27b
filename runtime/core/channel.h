/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_CHANNEL_H
#define WX_CHANNEL_H

#include "core/batch.h"

/*
 * A channel is one (edge, sender worker, receiver worker). The engine sees its two ends through
 * these tables, so that threads, sockets and the simulation run the same step code. FIFO; nothing
 * is lost. An empty channel always admits one batch, whatever its size; beyond that it holds at
 * most its credit.
 */
struct wx_outlet {
    /* Takes `batch` and returns true, or has no room now and returns false. The sender's thread. */
    bool (*offer)(struct wx_outlet *outlet, struct wx_batch *batch);
};
struct wx_inlet {
    /* The next batch, owned by the caller, or NULL. The receiver's thread. */
    struct wx_batch *(*take)(struct wx_inlet *inlet);
};

/*
 * Wakes a parked worker. The worker sets `parked` (seq_cst) and then looks at its inlets once more
 * before it sleeps; a sender publishes and then reads `parked` (seq_cst): one of the two always
 * sees the other.
 */
struct wx_waker {
    _Atomic uint32_t parked;
    void (*wake)(struct wx_waker *waker); /* any thread; may be called without need */
};

/* Call after publishing something for the worker of `waker`. */
static inline void wx_waker_notify(struct wx_waker *waker)
{
    atomic_thread_fence(memory_order_seq_cst); /* pairs with the fence after `parked` is set */
    if (atomic_load_explicit(&waker->parked, memory_order_relaxed))
        waker->wake(waker);
}

/* What moves bytes to and from other processes for one worker; NULL where there are none. */
struct wx_net {
    /* Read and write what can be without blocking. Returns 1 when something moved, 0 when not, -1
     * when a connection broke or spoke nonsense: the session is over and control knows why. */
    int (*pump)(struct wx_net *net);
};

#endif /* WX_CHANNEL_H */
