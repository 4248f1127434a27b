/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_GRAPH_H
#define SIM_GRAPH_H

#include "base/error.h"
#include "core/flow.h"
#include "sim/library.h"
#include "sim/random.h"

/*
 * A random dataflow: steps and streams, what is in them, and where the data comes from. Made from a
 * generator alone, so that a seed names it. The engine gets it through the public API
 * (sim_graph_build), the interpreter reads it as it is.
 */

#define SIM_NODES_MAX   64
#define SIM_STREAMS_MAX 128
#define SIM_MERGE_MAX   5
#define SIM_INPUTS_MAX  3
#define SIM_TEXT_MAX    1000000u /* bytes of the longest text that a source gives */

enum sim_node_kind {
    SIM_INPUT,
    SIM_STEP,   /* wax_add() */
    SIM_BRANCH, /* wax_add_branch() */
    SIM_MERGE,
    SIM_NAMED, /* redistribute, key_rm without a body */
    SIM_COUNT, /* count_final */
    SIM_FINAL, /* fold_final, reduce_final */
    SIM_OUTPUT,
};

/* A source: parts that give `records` each, the same whenever and wherever they are read. */
struct sim_source {
    enum sim_type type;
    uint32_t index;        /* of the sources */
    uint32_t parts;        /* 0: a source without any */
    uint32_t first_origin; /* the origin of part 0 */
    uint32_t records[SIM_ORIGINS];
    uint64_t seed;
    uint32_t batch_max; /* records of one call, at most */
    uint32_t pause_in;  /* pauses once in so many calls; 0: never */
    wax_duration pause_max;
    uint32_t text_max; /* bytes; most texts are far shorter */
    uint32_t long_in;  /* one text in so many is a long one; 0: none */
    bool ends_late;    /* says that a part has ended in a call of its own */
    int64_t fails_at;  /* record of part 0 at which it fails; -1: it does not */
};

struct sim_sink {
    bool single, typed;
    uint32_t slow_in; /* is busy for a while once in so many calls; 0: never */
    wax_duration slow_max;
    bool slow_once; /* only on worker 0: the others flood it */
};

struct sim_stream {
    uint32_t node, port;
    enum sim_type type;
    enum sim_key key;
    uint32_t readers;
    bool ordered;     /* the records of one part come in order */
    bool same_record; /* parcels tell where they come from and in which epoch they were given */
    bool after_final;
    uint32_t sources;  /* set of sources that it comes from */
    double records;    /* about how many */
    uint32_t text_max; /* bytes of the longest text that a record, or its key, may have */
    double batch_text; /* bytes of all texts that one batch may point to */
};

struct sim_node {
    enum sim_node_kind kind;
    char id[16];
    const struct sim_op *op;
    const char *verb;
    uint32_t inputs, input[SIM_MERGE_MAX]; /* streams */
    uint32_t outputs, output[3];           /* streams */
    enum wx_policy policy;
    struct sim_source source;
    struct sim_sink sink;
};

struct sim_graph {
    uint32_t nodes, streams, sources, origins, outputs;
    struct sim_node node[SIM_NODES_MAX];
    struct sim_stream stream[SIM_STREAMS_MAX];
};

struct sim_style {
    uint32_t steps;    /* about */
    uint32_t records;  /* of all sources, about */
    uint32_t text_max; /* bytes of the longest text */
    bool may_stop;     /* steps that refuse a record may stop the dataflow */
    bool pressure; /* sources never pause, worker 0 is slow in its sinks, exchanges lie between */
    bool numbers;  /* sources give numbers only */
    bool plain;    /* no steps that multiply records, no finals */
};

void sim_graph_make(struct sim_graph *graph, const struct sim_style *style,
                    struct sim_random *random);

/* Record `k` of part `part`. `text` has room for source->text_max bytes. */
void sim_source_record(const struct sim_source *source, uint32_t part, uint32_t k,
                       struct sim_item *item, char *text);

struct sim_io;
/* Builds it through the public API; `io` serves its sources and sinks and must outlive the flow.
 * One thread at a time. Returns owned, or NULL with `err` filled. */
wax_flow *sim_graph_build(const struct sim_graph *graph, struct sim_io *io, struct wx_error *err);

/* One line per step. */
void sim_graph_print(const struct sim_graph *graph, FILE *to);

#endif /* SIM_GRAPH_H */
