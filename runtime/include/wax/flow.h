/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wax/flow.h: dataflows: how a module offers one, its parameters, and programs of one's own.
 */
#ifndef WAX_FLOW_H
#define WAX_FLOW_H

#include <wax/io.h>

typedef struct wax_dataflow {
    uint32_t abi, size; /* WAX_ABI, sizeof(wax_dataflow) */
    const char *name, *where;
    void (*build)(wax_flow *flow);
} wax_dataflow;

/*
 * WAX_DATAFLOW(name) { ... wax_input(flow, ...) ... wax_output(...) ... }
 *
 * A function that describes the graph and does nothing else: it runs in every process and must make
 * the same graph from the same parameters. `wax run module:name` finds it.
 */
#define WAX_DATAFLOW(NAME)                                                                         \
    static void wax_build_##NAME(wax_flow *flow);                                                  \
    WAX_BEGIN_C                                                                                    \
    extern WAX_EXPORT const wax_dataflow wax_dataflow_##NAME;                                      \
    WAX_END_C                                                                                      \
    const wax_dataflow wax_dataflow_##NAME = {WAX_ABI, sizeof(wax_dataflow), #NAME, WAX_HERE,      \
                                              wax_build_##NAME};                                   \
    static void wax_build_##NAME(WAX_UNUSED wax_flow *flow)

WAX_BEGIN_C
/*
 * Parameters, from `-D name=value`. `fallback` NULL: the parameter is required. Strings are
 * borrowed for the life of the flow. A value of the wrong kind is an error of the flow that names
 * it.
 */
WAX_EXPORT const char *wax_param(wax_flow *flow, const char *name, const char *fallback);
WAX_EXPORT int64_t wax_param_i64(wax_flow *flow, const char *name, int64_t fallback);
WAX_EXPORT double wax_param_f64(wax_flow *flow, const char *name, double fallback);
/* "250ms", "30s", "5m", "1h". */
WAX_EXPORT wax_duration wax_param_duration(wax_flow *flow, const char *name, wax_duration fallback);
/* Refuse to build, with a reason. The first error of a flow sticks. */
WAX_EXPORT void wax_flow_fail(wax_flow *flow, const char *fmt, ...) WAX_PRINTF(2, 3);

/* Runs `flow` with the arguments of `wax run`, without a module name. Returns the exit code. */
WAX_EXPORT int wax_main(int argc, char **argv, const wax_dataflow *flow);
/* The version of the runtime, "0.1.0". */
WAX_EXPORT const char *wax_version(void);
WAX_END_C

/* WAX_MAIN(name);    a program instead of a module: link with `pkg-config --libs wax` */
#define WAX_MAIN(NAME)                                                                             \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return wax_main(argc, argv, &wax_dataflow_##NAME);                                         \
    }                                                                                              \
    WAX_END_

#endif /* WAX_FLOW_H */
