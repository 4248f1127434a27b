/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_MEMORY_H
#define SIM_MEMORY_H

#include "core/engine.h"
#include "sim/graph.h"

/* The most bytes that worker `worker` of `plan` may ever have in batches; see memory.c for the
 * formula. */
double sim_memory_bound(const struct wx_plan *plan, const struct sim_graph *graph, uint32_t worker,
                        uint32_t workers_of_process, uint64_t credit);

#endif /* SIM_MEMORY_H */
