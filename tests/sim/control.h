/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

#include "core/shared.h"
#include "sim/tap.h"

/*
 * The control thread of each process, as far as workers notice it: hears of closed epochs, of what
 * others have passed and of failures, with a delay, and tells its own workers.
 */

#define SIM_PROCESSES_MAX 4

/* What one process tells the others; only grows, but for `idle`. */
struct sim_news {
    uint64_t close_below, passed;
    bool idle, finished, draining, leaving, failed;
};

struct sim_message {
    wax_time at;
    uint32_t from;
    struct sim_news news;
};

struct sim_control {
    struct wx_shared shared; /* first */
    struct wx_waker *wakers[SIM_WORKERS_MAX];
    uint32_t index, processes;
    bool dirty; /* a worker called notify() */
    struct sim_news said, known[SIM_PROCESSES_MAX];
    uint64_t committed;
    bool draining, leaving;    /* asked to */
    struct sim_message *inbox; /* in the order in which they arrive */
    uint32_t messages, message_cap;
};

/* The time at which it has something to do; 0: now. */
wax_time sim_control_wakes_at(const struct sim_control *control);

struct sim_controls {
    struct sim_control *of; /* [n] */
    uint32_t n;
    struct sim_random *random;
    wax_duration delay;
    struct sim_mischief *mischief;
};
void sim_control_run(struct sim_controls *all, uint32_t index, wax_time now);

#endif /* SIM_CONTROL_H */
