/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_TRIAL_H
#define SIM_TRIAL_H

#include "sim/cluster.h"
#include "sim/oracle.h"

/* One simulation: a dataflow on a cluster, and what came of it. Zeroed before sim_trial_prepare().
 */
struct sim_trial {
    struct sim_setup setup;
    struct sim_style style;
    struct sim_graph graph;
    bool counts; /* very many records: they are only counted */
    struct sim_io io;
    struct sim_result result;
    uint64_t records; /* that the interpreter's steps took */
    char why[3000];   /* what was wrong; empty: nothing */
};

/* Sets up what the seed says. */
void sim_trial_prepare(struct sim_trial *trial, uint64_t seed);
/* Many records through few steps into slow sinks: memory must stay where the formula says. `flood`:
 * numbers only, between two processes, and so many that it shows when nothing holds them back. */
void sim_trial_prepare_memory(struct sim_trial *trial, uint64_t seed, bool flood);
/* Bytes of records that sources give. */
double sim_trial_volume(const struct sim_trial *trial);
/* Runs it and checks everything that can be. */
void sim_trial_run(struct sim_trial *trial);
/* Dataflow and cluster, for the reader. */
void sim_trial_print(const struct sim_trial *trial, FILE *to);

#endif /* SIM_TRIAL_H */
