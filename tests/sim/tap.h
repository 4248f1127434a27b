/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_TAP_H
#define SIM_TAP_H

#include "sim/cluster.h"

/*
 * A tap sits in a channel: it checks what the sender puts in (markers one after the other, records
 * in the epoch between them, nothing after the last marker), and it is where a channel can be made
 * to misbehave.
 */
struct sim_tap {
    struct wx_outlet outlet; /* first */
    struct wx_inlet inlet;
    struct wx_outlet *to; /* the channel itself */
    struct wx_inlet *from;
    struct sim_io *io;
    struct sim_random *random;
    struct sim_mischief *mischief;
    struct wx_pool *pool;      /* the receiver's */
    struct sim_tap *neighbour; /* the same edge and sender, another receiver; or NULL */
    uint32_t edge, sender, receiver;
    uint64_t marker;       /* the last one sent */
    struct wx_batch *held; /* delivered before anything else */
};

/* One bug for the whole cluster, at one moment. */
struct sim_mischief {
    enum sim_bug bug;
    uint32_t after; /* occasions to let pass */
    bool used;
};
/* Is it time now? */
bool sim_mischief_now(struct sim_mischief *mischief, enum sim_bug bug);

void sim_tap_init(struct sim_tap *tap, struct wx_outlet *to, struct wx_inlet *from);
/* After the workers, before the pools. */
void sim_tap_fini(struct sim_tap *tap, struct wx_pool *pool);

#endif /* SIM_TAP_H */
