/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_LIBRARY_H
#define SIM_LIBRARY_H

#include "sim/item.h"

/*
 * The bodies that random dataflows are made of. Each is there twice: as a kernel of the public API,
 * which the engine runs, and as a plain function over sim_items, which the interpreter calls. The
 * two share arithmetic on single values and nothing else.
 */

enum sim_kind {
    SIM_MAP, /* also filter_map, update and inspect */
    SIM_FILTER,
    SIM_FLAT_MAP,
    SIM_KEY_ON,
    SIM_KEY_RM,
    SIM_FOLD,
    SIM_REDUCE,
};

/* Where a body of the interpreter leaves its results. */
struct sim_emit {
    struct sim_arena *arena;
    const struct sim_item *in;
    struct sim_item *item;
    uint32_t n, cap;
    wax_str message; /* why it refused the record */
};

struct sim_op {
    enum sim_kind kind;
    const wax_op *op;
    const void *self;
    enum sim_type in, out;
    enum sim_key key; /* KEY_ON: what it gives; KEY_RM: what it needs */
    /* FILTER: 1 or 0. The others put their results into `emit`. Negative: refused, see
     * emit->message. */
    int (*pure)(const struct sim_item *in, struct sim_emit *emit);
    /* FOLD, REDUCE: as the body does. `state` starts as `init` or as the first record. */
    int (*fold)(struct sim_item *state, const struct sim_item *in, struct sim_emit *emit);
    struct sim_item init;
    double gain;    /* FLAT_MAP: results per record, about; 0: about one */
    uint32_t grows; /* bytes of text that it may add to a record, besides slices of what there is */
    uint32_t repeats; /* how often its results may hold a text of the input; 0: once */
    bool refuses;     /* refuses some records */
    bool same_record; /* what it gives still tells the record's origin and epoch */
    bool needs_order; /* for streams in which the records of one part are in order */
};

extern const struct sim_op sim_ops[];
extern const uint32_t sim_op_count;

/* Bytes that one record may allocate, and one record may become, in every simulation: bodies try
 * them out. */
#define SIM_RECORD_MAX (1536u << 10)
#define SIM_FANOUT_MAX (1024u << 10)

/* OPENs without CLOSE of the SELFs in this library. Any thread. */
int64_t sim_library_open_count(void);

#endif /* SIM_LIBRARY_H */
