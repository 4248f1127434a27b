/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_ENGINE_H
#define WX_ENGINE_H

#include "core/heap.h"
#include "core/worker.h"

/*
 * Inside the engine: what plan, worker and the kinds of steps share. Everything belongs to one
 * worker, except the plan, which is read by all and written by none.
 *
 * A dataflow step of the user becomes one or more *nodes* of the plan; each worker runs an instance
 * of every node, a `wx_step`. Batches go from step to step by call, one at a time, through a slot
 * per input:
 *
 *     source ─▶ [slot] map ─▶ [slot] send ═ channels ═▶ [slot per sender] receive ─▶ [slot] final
 * ─▶ ...
 *
 * A step runs only when its own output has been taken (flow-control rule R5), so what waits
 * anywhere inside a worker is one batch per slot and one pending output per step.
 */

enum wx_node_kind {
    WX_NODE_SOURCE,
    WX_NODE_KERNEL,  /* map, update, filter, branch, flat_map, key_rm with a body */
    WX_NODE_INSPECT, /* looks and passes on */
    WX_NODE_KEY,     /* gives keys and hashes */
    WX_NODE_UNKEY,   /* drops them */
    WX_NODE_MERGE,
    WX_NODE_COMBINE, /* folds a worker's own share before an exchange */
    WX_NODE_SEND,
    WX_NODE_RECEIVE,
    WX_NODE_FINAL,
    WX_NODE_SINK,
};

enum wx_route {
    WX_ROUTE_KEY,    /* by the key's hash */
    WX_ROUTE_SPREAD, /* evenly */
    WX_ROUTE_ONE,    /* all to `target` */
};

/* What a COMBINE or FINAL does with a record and its key's state. */
enum wx_fold {
    WX_FOLD_COUNT,  /* adds 1 */
    WX_FOLD_SUM,    /* adds the record, an int64_t */
    WX_FOLD_BODY,   /* op->kernel */
    WX_FOLD_MERGE,  /* op->merge: the record is a state */
    WX_FOLD_REDUCE, /* op->kernel with `fresh` */
};

struct wx_reader {
    uint32_t node, slot;
};

struct wx_out {
    struct wx_shape shape;
    uint32_t readers;
    struct wx_reader *reader;
};

struct wx_node {
    enum wx_node_kind kind;
    uint32_t index;
    const struct wx_flow_step *step; /* the user's step that it serves */
    struct wx_shape in;              /* of its input; all inputs are alike */
    struct wx_shape in_ones;         /* the same for batches of ones */
    uint32_t slots;                  /* inputs */
    struct wx_out out[WX_OUTPUTS_MAX];
    uint32_t edge; /* SEND, RECEIVE */
    enum wx_route route;
    uint32_t target;
    enum wx_fold fold;
};

struct wx_plan {
    const wax_flow *flow;
    uint32_t workers;
    uint32_t nodes, node_cap, edges;
    struct wx_node *node; /* in topological order */
    const struct wx_shape **edge_shape;
    uint16_t owner[1024]; /* worker of each virtual partition */
};

/* A hash of a step's id, the same in every process: where its single parts and writers go. */
uint32_t wx_id_hash(const char *id);

/* ---- a worker's instance --------------------------------------------------------------------- */

struct wx_slot {
    struct wx_batch *batch; /* waiting to be run, or NULL */
    uint64_t passed;        /* its last marker */
};

struct wx_step;
struct wx_step_ops {
    /* Before the first batch. On failure calls wx_step_stop(). */
    void (*open)(struct wx_step *step);
    /* Do some or all of `batch`. True: it is done with (the caller puts it). False: output is
     * pending or a channel is full: call again, with the same batch, when step->pending is empty.
     */
    bool (*run)(struct wx_step *step, struct wx_batch *batch);
    /* All inputs have passed `epoch`: flush what belongs to it. True: done. False: as for run.
     * NULL: nothing. */
    bool (*marker)(struct wx_step *step, uint64_t epoch);
    /* The worker has nothing else to do, or `late`: let out what is held back. True: something was.
     * NULL: never. */
    bool (*idle)(struct wx_step *step, bool late);
    /* Everywhere complete. NULL: nothing to do. */
    void (*commit)(struct wx_step *step, uint64_t epoch);
    void (*close)(struct wx_step *step); /* also after a failure, also when open failed */
};

struct wx_step {
    const struct wx_node *node;
    const struct wx_step_ops *ops;
    struct wx_worker *worker;
    struct wx_slot *slot;
    uint32_t next_slot;       /* where to look first, for fairness */
    struct wx_batch *pending; /* output not yet taken, oldest first */
    struct wx_batch **pending_end;
    uint32_t next_reader; /* of the oldest pending batch */
    uint64_t passed;      /* its last marker */
    uint64_t marker;      /* being passed now, or 0 */
    bool has_self;
    void *self;              /* this worker's copy */
    struct wx_step_own *own; /* what the kind needs; each kind has its own layout */
    uint32_t batch_n;        /* records of the batch being run; 0: none */
    wax_io io;               /* of the running kernel; at = where to go on in that batch */
    struct wx_batch *built;  /* output being filled */
    struct wx_batch *built_rest;
    uint32_t keyed;  /* records of `built` that have their key already */
    uint32_t stride; /* records of one call of the kernel, at most */
    bool one_by_one; /* the kernel is called for single records, to find one that fails */
    struct wx_batch *failures;
    uint64_t in, out, failed; /* records */
};

/* The context of bodies: one per worker. */
struct wax_cx {
    struct wx_worker *worker;
    struct wx_step *step;
    struct wx_batch *first;   /* output of the call: the batch it began with ... */
    struct wx_batch *out;     /* ... and the one being filled: strings go there */
    struct wx_batch *scratch; /* for calls without output */
    uint64_t fanout;          /* bytes chained so far */
    wax_time now;
    bool failed;
    char message[1000];
    int wait_fds[16];
    uint32_t wait_fd_count;
};

struct wx_worker {
    struct wx_worker_config config;
    const struct wx_plan *plan;
    struct wx_shared *shared;
    struct wx_worker_status *status;
    struct wx_pool *pool;
    struct wx_heap heap;  /* of keyed state */
    struct wx_step *step; /* [plan->nodes] */
    wax_cx cx;
    uint64_t open;  /* the epoch of the sources */
    bool had_input; /* since the last marker */
    wax_time epoch_end;
    uint64_t committed_seen;
    uint64_t activity; /* batches and markers run so far */
    uint32_t budget;   /* batches that RECEIVE steps may still take in this turn */
    bool draining, failed;
    bool soon;         /* a source asked to be asked again soon */
    wax_time flush_at; /* what is held back leaves by then */
    int wait_fds[16];  /* that sources wait for, in this turn */
    uint32_t wait_fd_count;
    uint32_t *from, *rest_from; /* scratch for kernels, WX_BATCH_RECORDS each */
};

/* ---- between steps --------------------------------------------------------------------------- */

/* Run until the step's input is used up or its output cannot leave. */
void wx_step_run(struct wx_step *step);
/* Try to hand over pending output; true when there is none left. */
bool wx_step_flush(struct wx_step *step);
/* Hand out a batch on an output. Takes `batch`. */
void wx_step_emit(struct wx_step *step, uint32_t port, struct wx_batch *batch);
/* A record of `batch` was refused: apply the step's policy. False: the dataflow stops. */
bool wx_step_refuse(struct wx_step *step, const struct wx_batch *batch, uint32_t index);
/* Hands out the refused records that were diverted so far. */
void wx_step_emit_failures(struct wx_step *step);
/* The dataflow stops with this message; the first one of the process counts. */
void wx_step_stop(struct wx_step *step, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void wx_worker_stop(struct wx_worker *worker, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Set up the context for a call of user code of `step`, and leave it. `out` NULL: what the body
 * allocates is gone when it returns. */
wax_cx *wx_cx_enter(struct wx_step *step, struct wx_batch *out);
void wx_cx_leave(struct wx_worker *worker);
/* The most bytes one record may have. */
uint64_t wx_cx_record_max(wax_cx *cx);
wax_time wx_worker_now(struct wx_worker *worker);

/* Copies the value given for SELF and opens it. False: it refused, the dataflow stops. */
bool wx_self_open(struct wx_step *step, const wax_self *type, const void *value, void **self);
void wx_self_close(struct wx_step *step, const wax_self *type, void *self);

/* The kinds of steps. */
extern const struct wx_step_ops wx_source_ops, wx_kernel_ops, wx_inspect_ops, wx_key_ops,
    wx_unkey_ops, wx_merge_ops, wx_combine_ops, wx_send_ops, wx_receive_ops, wx_final_ops,
    wx_sink_ops;

/* A source step asks its parts for a batch; lowers `*wake` to when it wants to be asked again. */
void wx_source_poll(struct wx_step *step, wax_time *wake);
/* All parts have ended. */
bool wx_source_ended(const struct wx_step *step);

#endif /* WX_ENGINE_H */
