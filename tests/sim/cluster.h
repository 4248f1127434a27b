/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_CLUSTER_H
#define SIM_CLUSTER_H

#include "sim/io.h"
#include "sim/net.h"

/*
 * A cluster of workers in one thread. The engine's workers, rings and links are the real ones;
 * clock, network, control and the order in which anything happens are simulated and follow from the
 * seed.
 */

/* Deliberate defects, to see that the checks find them. */
enum sim_bug {
    SIM_NO_BUG,
    SIM_DROP,         /* a channel loses a batch */
    SIM_REPEAT,       /* a channel delivers a batch twice */
    SIM_SWAP,         /* a channel delivers two batches in the wrong order */
    SIM_MARKER_EARLY, /* a channel delivers a marker before the batch in front of it */
    SIM_MISROUTE,     /* a batch goes to another worker than it was sent to */
    SIM_COMMIT_EARLY, /* control says that an epoch is committed when it is not */
    SIM_DEAF,         /* a worker that should be woken goes on sleeping */
    SIM_LEAK,         /* a batch is never released */
    SIM_NO_CREDIT,    /* channels between processes take whatever they are given */
    SIM_BUGS,
};
const char *sim_bug_name(enum sim_bug bug);

enum sim_end {
    SIM_END_OF_INPUT,
    SIM_END_DRAIN, /* told to stop: finish what was read */
    SIM_END_NOW,   /* told to leave */
};

struct sim_setup {
    uint64_t seed;
    uint32_t processes, workers; /* workers of each process */
    uint64_t credit;             /* of a channel, bytes */
    wax_duration epoch_interval;
    struct sim_wire wire;
    wax_duration message_delay; /* between controls, up to */
    enum sim_end end;
    uint64_t end_after; /* turns after which `end` is asked for */
    enum sim_bug bug;
    FILE *trace; /* every turn, or NULL */
};

struct sim_result {
    char *fault;   /* what went wrong, owned, or NULL */
    bool failed;   /* the dataflow stopped because of a failure, see below */
    bool finished; /* all workers came to the end of the input */
    struct wx_error failure;
    uint64_t turns, trace; /* how many, and a hash over all */
    size_t peak, bound;    /* of the worker's pool that came closest to what the formula allows */
    bool bug_used;         /* there was an occasion for the bug */
};

/* `io` was initialised for all workers of the cluster. */
void sim_cluster_run(const struct sim_setup *setup, const struct sim_graph *graph,
                     struct sim_io *io, struct sim_result *result);

#endif /* SIM_CLUSTER_H */
