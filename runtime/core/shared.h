/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_SHARED_H
#define WX_SHARED_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/error.h"
#include "core/channel.h"

/*
 * What the workers of one process share with its control thread: a few atomics, and nothing else.
 * Workers write their own `wx_worker_status` and call notify(); control writes the rest and wakes
 * the workers.
 */

enum wx_stop {
    WX_STOP_NO,
    WX_STOP_DRAIN, /* no more input: close the open epoch, end when it is through (SIGTERM, SIGINT)
                    */
    WX_STOP_NOW,   /* leave at the next turn */
};

/*
 * A worker that is FINISHED or STOPPED still takes turns (its peers may need what it has sent)
 * until control lets it go: `committed` = WX_EPOCH_END after the end of input, `stop` = WX_STOP_NOW
 * after a drain.
 */
enum wx_worker_state {
    WX_WORKER_RUNNING,
    WX_WORKER_FINISHED, /* end of input: every sink has passed the marker WX_EPOCH_END */
    WX_WORKER_STOPPED,  /* drained: every sink passed the last epoch, see `close_below` */
    WX_WORKER_FAILED,   /* shared->failure says why; it takes no more turns */
};

/* One cache line per worker, so that they do not disturb each other. */
struct wx_worker_status {
    _Alignas(64) _Atomic uint32_t state; /* enum wx_worker_state */
    _Atomic uint64_t passed;    /* the highest epoch that all sinks of the worker have passed */
    _Atomic uint64_t open;      /* the epoch its sources are in */
    _Atomic uint64_t turns;     /* counts turns: progress, for heartbeats */
    _Atomic uint64_t busy_step; /* 1 + index of the step whose body runs now, or 0 */
};

struct wx_shared {
    uint32_t workers_here;  /* W: threads of this process */
    uint32_t workers_total; /* of the cluster */
    uint32_t first_worker;  /* index of this process's worker 0 */
    wax_duration epoch_interval;

    /* Every epoch below this is to be closed by every worker. Raised by whoever closes first (a
     * worker of this process, or control on hearing EPOCH). Release; workers read it with acquire.
     */
    _Atomic uint64_t close_below;
    /* Every worker of the cluster has passed this epoch. Written by control, release. */
    _Atomic uint64_t committed;
    _Atomic uint32_t stop; /* enum wx_stop; only grows. Written by control, release. */

    struct wx_worker_status *status; /* [workers_here] */
    struct wx_waker **wakers;        /* [workers_here] */

    /* The first failure of this process; `failed` is set (release) after `failure` is filled. */
    _Atomic uint32_t failing; /* claimed by the worker that fills `failure` */
    _Atomic uint32_t failed;
    struct wx_error failure;

    /* Tells control to look at the status again. Any worker; must not block. */
    void (*notify)(struct wx_shared *shared);
};

#endif /* WX_SHARED_H */
