/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_WORKER_H
#define WX_WORKER_H

#include "core/channel.h"
#include "core/flow.h"
#include "core/shared.h"

/*
 * The plan: what every worker of the cluster runs, made from the graph alone, so that all processes
 * make the same. Immutable; any thread may read it.
 */
struct wx_plan;
/* Keeps `flow`, which must outlive the plan. `workers` is the number in the whole cluster. Returns
 * owned. */
struct wx_plan *wx_plan_create(const wax_flow *flow, uint32_t workers);
void wx_plan_destroy(struct wx_plan *plan);
/* The exchanges, 0 to n - 1, and what travels on each. */
uint32_t wx_plan_edges(const struct wx_plan *plan);
const struct wx_shape *wx_plan_edge_shape(const struct wx_plan *plan, uint32_t edge);

/* Limits, from the command line. */
struct wx_limits {
    uint64_t record_max;  /* --max-record: bytes of one record */
    uint64_t fanout_max;  /* --max-fanout: bytes one record may become in one step */
    uint64_t channel_max; /* credit of one channel, bytes */
};
#define WX_RECORD_MAX (16u << 20)
#define WX_FANOUT_MAX (64u << 20)
/* The credit of a channel in a cluster of `workers`: 8 MiB shared by the senders, 64 KiB to 512 KiB
 * each. */
uint64_t wx_channel_credit(uint32_t workers);

struct wx_worker_config {
    const struct wx_plan *plan;
    struct wx_shared *shared;
    uint32_t index; /* over the whole cluster */
    struct wx_limits limits;
    wax_time (*now)(void *arg); /* the clock */
    void *now_arg;
    struct wx_net *net; /* or NULL */
    /* Ends of the channels, [edge * workers + other worker], borrowed. Also to itself. */
    struct wx_outlet *const *outlets;
    struct wx_inlet *const *inlets;
    struct wx_pool *pool; /* the worker's own, borrowed */
};

enum wx_turn {
    WX_TURN_BUSY,     /* something was done: call again */
    WX_TURN_IDLE,     /* nothing to do until `deadline` or until something arrives */
    WX_TURN_FINISHED, /* status->state says how it ended; do not call again */
};

/* What an idle worker waits for, besides its inlets. */
struct wx_wait {
    wax_time deadline; /* of config.now; INT64_MAX: none */
    int fds[16];       /* sources wait for these to be readable */
    uint32_t fd_count;
};

/* A worker is used by one thread. Create and destroy on that thread too (SELF hooks run there). */
struct wx_worker *wx_worker_create(const struct wx_worker_config *config);
/* One bounded amount of work. Fills `wait` when it returns IDLE. */
enum wx_turn wx_worker_turn(struct wx_worker *worker, struct wx_wait *wait);
void wx_worker_destroy(struct wx_worker *worker);

/*
 * In a signal handler: describe what the calling thread was doing ("step 'parse' of dataflow 'brc',
 * worker 1, epoch 3, record 812") into `text`. `record` as found by wx_worker_replay(), or 0: then
 * the records of the interrupted call are given. Async-signal-safe. False when the thread runs no
 * body.
 */
bool wx_worker_crash_text(uint64_t record, char *text, size_t cap);

/*
 * In a forked copy of a process that crashed: does the records of the interrupted call again, one
 * at a time, and says before each which it is. Kernels loop over a batch without noting where they
 * are, so this is how the record that crashes is found. Returns when none did, and at once outside
 * of a body over records.
 */
void wx_worker_replay(void (*before)(uint64_t record));

/* ---- channels inside a process --------------------------------------------------------------- */

/* A bounded single-producer single-consumer ring of batches, with both ends. */
struct wx_ring;
/* `credit` in bytes; the wakers of both ends (the same one for a worker's channel to itself).
 * Returns owned. */
struct wx_ring *wx_ring_create(uint64_t credit, struct wx_waker *receiver, struct wx_waker *sender);
/* After both threads have ended, before the pools go. `pool` is any. NULL does nothing. */
void wx_ring_destroy(struct wx_ring *ring, struct wx_pool *pool);
struct wx_outlet *wx_ring_outlet(struct wx_ring *ring);
struct wx_inlet *wx_ring_inlet(struct wx_ring *ring);

#endif /* WX_WORKER_H */
