/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_FLOW_H
#define WX_FLOW_H

#include <wax/wax.h>

#include "base/error.h"
#include "core/batch.h"

/*
 * The graph a user built: steps and the streams between them, checked while it is built. The first
 * error sticks. Read-only after wx_flow_build(); then any thread may read it.
 */

#define WX_STEPS_MAX  4096 /* steps of a dataflow */
#define WX_ID_MAX     120  /* bytes of a step id */
#define WX_PARAMS_MAX 256
#define WX_FAN_MAX    256 /* streams into one merge */

enum wx_verb {
    WX_INPUT,
    WX_MAP,
    WX_UPDATE,
    WX_FILTER,
    WX_BRANCH,
    WX_FLAT_MAP,
    WX_INSPECT,
    WX_INSPECT_DEBUG,
    WX_MERGE,
    WX_KEY_ON,
    WX_KEY_RM,
    WX_REDISTRIBUTE,
    WX_COUNT_FINAL,
    WX_REDUCE_FINAL,
    WX_FOLD_FINAL,
    WX_OUTPUT,
};

enum wx_policy { WX_ON_FAILURE_STOP, WX_ON_FAILURE_SKIP, WX_ON_FAILURE_DIVERT };

/* A stream: what a step gives on one of its outputs. */
struct wax_port {
    struct wx_flow_step *step; /* that produces it */
    uint32_t index;            /* which of its outputs */
    struct wx_shape shape;
    uint32_t readers; /* steps that take it */
};

#define WX_OUTPUTS_MAX 3 /* of one step: main, the falses of a branch, failures */

struct wx_flow_step {
    wax_flow *flow;
    uint32_t index; /* its place in the order of building, which is topological */
    enum wx_verb verb;
    const char *id, *where;
    const wax_op *op; /* or NULL */
    wax_src *src;     /* of an input */
    wax_sink *sink;   /* of an output */
    void *self;       /* the value given for op->self, copied, or NULL */
    uint32_t inputs;
    struct wax_port **input;
    uint32_t outputs;
    struct wax_port output[WX_OUTPUTS_MAX];
    enum wx_policy policy;
    uint32_t failures; /* index of the failures output, when policy is DIVERT */
};

struct wx_param {
    const char *name, *value;
    bool used;
};

struct wax_flow {
    const char *name;
    struct wx_param params[WX_PARAMS_MAX];
    uint32_t param_count;
    uint32_t steps;
    struct wx_flow_step *step[WX_STEPS_MAX];
    struct wx_error error; /* error.exit_code 0: none */
};

struct wax_src {
    const wax_source_ops *ops;
    void *self;                    /* a copy */
    void (*free_self)(void *self); /* frees what `self` points to, or NULL */
};
struct wax_sink {
    const wax_sink_ops *ops;
    void *self; /* a copy */
};

/* NULL does nothing. */
void wx_source_destroy(wax_src *src);
void wx_sink_destroy(wax_sink *sink);

/* "map", "key_on", ... */
const char *wx_verb_name(enum wx_verb verb);

/*
 * Run the builder of `dataflow` with `params` ("name=value"). A parameter that nobody asked for is
 * an error, so that a typing mistake does not pass. Returns owned, or NULL with `err` filled.
 */
wax_flow *wx_flow_build(const wax_dataflow *dataflow, const char *const *params, size_t n,
                        struct wx_error *err);
void wx_flow_destroy(wax_flow *flow);

/* A number that differs when steps, types or parameters differ: what processes compare before they
 * start. */
uint64_t wx_flow_hash(const wax_flow *flow);

#endif /* WX_FLOW_H */
