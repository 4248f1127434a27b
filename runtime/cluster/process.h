/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_PROCESS_H
#define WX_PROCESS_H

#include "cluster/address.h"
#include "cluster/run.h"
#include "cluster/thread.h"

/*
 * One process of a cluster, or the only one: what run.c makes and control.c runs. The main thread
 * owns everything in it but what core/shared.h and the threads' own structs give to the workers.
 */
struct wx_process {
    struct wx_shared shared; /* first: notify() finds the process by it */
    const wax_flow *flow;
    const struct wx_run_options *options;
    struct wx_addresses addresses; /* empty: no cluster */
    uint32_t self, processes;
    char *secret;
    size_t secret_len;

    struct wx_plan *plan;
    uint64_t credit;          /* of each channel, bytes */
    uint32_t pools;           /* made so far */
    struct wx_pool **pool;    /* [workers] */
    struct wx_ring **ring;    /* [edge][sender here][receiver here] */
    struct wx_thread *thread; /* [workers] */
    struct wx_sockets *
        *sockets; /* [workers], each with a link to every worker of the others; or NULL */
    struct wx_outlet **outlets; /* [worker here][edge][worker of the cluster] */
    struct wx_inlet **inlets;

    int event;                 /* eventfd under notify(); -1: none */
    _Atomic uint32_t notified; /* an event is on its way: workers set it, control clears it first */
};

/* The number of worker `worker` of process `process` among the links of a worker here; it must not
 * be ours. */
static inline uint32_t wx_process_link(const struct wx_process *p, uint32_t worker)
{
    uint32_t first = p->shared.first_worker;
    return worker < first ? worker : worker - p->shared.workers_here;
}

/* control.c: joins the cluster, runs the threads, returns the exit code when they have left. */
int wx_control_run(struct wx_process *process);

#endif /* WX_PROCESS_H */
