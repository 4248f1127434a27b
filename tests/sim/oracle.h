/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "sim/graph.h"
#include "sim/io.h"

/*
 * What a random dataflow must give: it interprets the graph record by record in one thread, and
 * shares no code with the engine.
 */
struct sim_oracle {
    struct sim_bag bag[SIM_NODES_MAX]; /* of each output */
    uint64_t records;                  /* taken by all steps together */
    uint64_t stops; /* records that a step refused for which the dataflow stops */
};

/* `counts`: bags only count. `parts` NULL: all that the sources have; else only as much as was
 * given. Finals give their results either way. */
void sim_oracle_run(struct sim_oracle *oracle, const struct sim_graph *graph,
                    const struct sim_part *parts, bool counts);
void sim_oracle_fini(struct sim_oracle *oracle);

#endif /* SIM_ORACLE_H */
