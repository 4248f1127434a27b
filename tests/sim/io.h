/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_IO_H
#define SIM_IO_H

#include "sim/graph.h"

/*
 * Sources and sinks of random dataflows, and what one run of a dataflow has left behind in them.
 * Sources remember how much they gave; sinks collect everything, each worker apart, and check as
 * they go that epochs come in order and nothing is committed too early.
 */

#define SIM_WORKERS_MAX 16

/* A part, as far as it was read. Written by the worker that reads it. */
struct sim_part {
    uint32_t given; /* records */
    bool ended;
};

/* A sink on one worker. Written by that worker. */
struct sim_sunk {
    struct sim_bag bag;
    uint64_t ready, committed; /* epochs */
    bool open, was_open;
    int64_t next_seq[SIM_ORIGINS];
    struct sim_random random;
};

struct sim_io {
    const struct sim_graph *graph;
    uint32_t workers;
    uint64_t seed;
    bool counts; /* sinks only count: there will be very many records */
    struct sim_part part[SIM_ORIGINS];
    struct sim_sunk *sunk; /* [node * workers + worker] */

    /* Somebody is busy for `us`: advances a simulated clock. NULL: nobody cares. */
    void (*busy)(struct sim_io *io, uint32_t worker, wax_duration us);
    /* Has every worker of the cluster passed `epoch`? NULL: not to be checked. */
    bool (*all_passed)(struct sim_io *io, uint64_t epoch);
    /* A check failed. Any thread; only the first text is kept. */
    void (*fault)(struct sim_io *io, const char *text);
};

void sim_io_init(struct sim_io *io, const struct sim_graph *graph, uint32_t workers, uint64_t seed);
void sim_io_fini(struct sim_io *io);

wax_src *sim_io_source(struct sim_io *io, const struct sim_source *source);
wax_sink *sim_io_sink(struct sim_io *io, uint32_t node);

/* What the sink `node` took on all workers together, added to `bag`. */
void sim_io_collect(const struct sim_io *io, uint32_t node, struct sim_bag *bag);
/* A part has not been read to its end. */
bool sim_io_is_cut(const struct sim_io *io);

#endif /* SIM_IO_H */
