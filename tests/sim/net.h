/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_NET_H
#define SIM_NET_H

#include "cluster/link.h"
#include "sim/random.h"

/*
 * The network of a simulation: a pipe of bytes for each direction between two workers of different
 * processes, with a delay, a capacity, and reads and writes that do less than they are asked to. On
 * top of them the engine's own links, served as a worker's thread serves its sockets.
 */

struct sim_wire {
    uint32_t capacity;  /* bytes under way, at most */
    wax_duration delay; /* up to this much until written bytes can be read */
    bool whole;         /* reads and writes are not cut short */
};

/* One worker's sockets. */
struct sim_net;

/* `clock` is the simulation's; all pointers in `links` are borrowed. Returns owned. */
struct sim_net *sim_net_create(uint32_t peers, const struct wx_link_config *links,
                               struct sim_random *random, const wax_time *clock,
                               const struct sim_wire *wire);
/* Connects socket `a` of `left` with socket `b` of `right`. */
void sim_net_connect(struct sim_net *left, uint32_t a, struct sim_net *right, uint32_t b);
/* After the workers that used it. NULL does nothing. */
void sim_net_destroy(struct sim_net *net);

struct wx_net *sim_net_of_worker(struct sim_net *net);
struct wx_link *sim_net_link(struct sim_net *net, uint32_t peer);
/* As wx_sockets_flush(): writes all that can be. 1 when something moved, -1 when a link broke. */
int sim_net_flush(struct sim_net *net);
/* When something happens that would wake a sleeping worker; INT64_MAX: nothing will. */
wax_time sim_net_wakes_at(const struct sim_net *net);
/* Why a link broke; empty when none has. */
const char *sim_net_error(const struct sim_net *net);

#endif /* SIM_NET_H */
