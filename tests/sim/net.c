/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Simulated sockets. A pipe keeps what was written with the time at which each piece can be read.
 * Like edge-triggered sockets it speaks up once when bytes become readable, and once when there is
 * room again after a write that found none; whoever misses that sleeps for ever, as it would in
 * earnest.
 */
#include "sim/net.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define PIECES_MAX 256u /* under way in one pipe: a pipe with more is full */

struct piece {
    size_t len;
    wax_time at; /* can be read from then on */
    bool told;   /* the reader was woken for it */
};

struct pipe {
    char *bytes; /* [capacity], oldest first */
    size_t used;
    struct piece piece[PIECES_MAX];
    uint32_t pieces;
    wax_time last_at; /* of the newest piece: bytes do not overtake each other */
    bool refused;     /* a write found it full, and was not told of room yet */
    bool unread;      /* readable bytes were left by a read that was cut short */
};

struct socket {
    struct wx_link_io io; /* first: a socket is its stream */
    struct sim_net *net;
    struct wx_link *link;
    struct pipe *in, *out;
    bool readable, writable;
};

struct sim_net {
    struct wx_net worker; /* first */
    uint32_t peers;
    struct socket *socket;
    struct sim_random *random;
    const wax_time *clock;
    struct sim_wire wire;
    const char *error;
};

static ssize_t read_pipe(struct wx_link_io *io, void *to, size_t len)
{
    struct socket *socket = (struct socket *)(void *)io;
    struct sim_net *net = socket->net;
    struct pipe *pipe = socket->in;
    size_t ready = 0;
    for (uint32_t i = 0; i < pipe->pieces && pipe->piece[i].at <= *net->clock; i++)
        ready += pipe->piece[i].len;
    size_t n = ready < len ? ready : len;
    if (!net->wire.whole && n > 1 && sim_once_in(net->random, 3))
        n = 1 + sim_below(net->random, (uint32_t)n);
    memcpy(to, pipe->bytes, n);
    memmove(pipe->bytes, pipe->bytes + n, pipe->used - n);
    pipe->used -= n;
    size_t left = n;
    uint32_t gone = 0;
    while (left > 0 && pipe->piece[gone].len <= left)
        left -= pipe->piece[gone++].len;
    pipe->piece[gone].len -= left;
    pipe->pieces -= gone;
    memmove(pipe->piece, pipe->piece + gone, pipe->pieces * sizeof *pipe->piece);
    pipe->unread = n < len && n < ready; /* the reader takes a short read for the end */
    return (ssize_t)n;
}

static ssize_t write_pipe(struct wx_link_io *io, const void *from, size_t len)
{
    struct socket *socket = (struct socket *)(void *)io;
    struct sim_net *net = socket->net;
    struct pipe *pipe = socket->out;
    if (!socket->writable)
        return 0;
    size_t room = net->wire.capacity - pipe->used;
    if (room == 0 || pipe->pieces == PIECES_MAX) {
        pipe->refused = true;
        socket->writable = false;
        return 0;
    }
    size_t n = len < room ? len : room;
    if (!net->wire.whole && n > 1 && sim_once_in(net->random, 3))
        n = 1 + sim_below(net->random, (uint32_t)n);
    memcpy(pipe->bytes + pipe->used, from, n);
    pipe->used += n;
    wax_time at = *net->clock + sim_below(net->random, (uint32_t)net->wire.delay + 1);
    pipe->last_at = at > pipe->last_at ? at : pipe->last_at;
    pipe->piece[pipe->pieces++] = (struct piece){n, pipe->last_at, false};
    return (ssize_t)n;
}

/* Something to read that was not announced yet: from when on? */
static wax_time readable_at(const struct socket *socket)
{
    const struct pipe *pipe = socket->in;
    if (pipe->unread)
        return 0;
    for (uint32_t i = 0; i < pipe->pieces; i++)
        if (!pipe->piece[i].told)
            return pipe->piece[i].at;
    return INT64_MAX;
}

static bool has_room_news(const struct socket *socket)
{
    const struct pipe *pipe = socket->out;
    return pipe->refused && pipe->used < socket->net->wire.capacity && pipe->pieces < PIECES_MAX;
}

static void take_events(struct sim_net *net)
{
    for (uint32_t i = 0; i < net->peers; i++) {
        struct socket *socket = &net->socket[i];
        if (readable_at(socket) <= *net->clock) {
            socket->readable = true;
            socket->in->unread = false;
            for (uint32_t k = 0; k < socket->in->pieces; k++)
                socket->in->piece[k].told |= socket->in->piece[k].at <= *net->clock;
        }
        if (has_room_news(socket)) {
            socket->writable = true;
            socket->out->refused = false;
        }
    }
}

static int pump(struct wx_net *worker)
{
    struct sim_net *net = (struct sim_net *)(void *)worker;
    int moved = 0;
    take_events(net);
    for (uint32_t i = 0; i < net->peers; i++) {
        struct socket *socket = &net->socket[i];
        int rc = wx_link_pump(socket->link, socket->readable, false);
        if (rc < 0) {
            net->error = wx_link_error(socket->link);
            return -1;
        }
        if (socket->readable)
            socket->readable = !wx_link_drained(socket->link);
        moved |= rc;
    }
    return moved;
}

int sim_net_flush(struct sim_net *net)
{
    int moved = 0;
    for (uint32_t i = 0; i < net->peers; i++) {
        struct socket *socket = &net->socket[i];
        if (wx_link_pending(socket->link) == 0 || !socket->writable)
            continue;
        int rc = wx_link_pump(socket->link, false, true);
        if (rc < 0) {
            net->error = wx_link_error(socket->link);
            return -1;
        }
        moved |= rc;
    }
    return moved;
}

wax_time sim_net_wakes_at(const struct sim_net *net)
{
    wax_time first = INT64_MAX;
    for (uint32_t i = 0; i < net->peers; i++) {
        wax_time at = has_room_news(&net->socket[i]) ? 0 : readable_at(&net->socket[i]);
        first = at < first ? at : first;
    }
    return first;
}

struct sim_net *sim_net_create(uint32_t peers, const struct wx_link_config *links,
                               struct sim_random *random, const wax_time *clock,
                               const struct sim_wire *wire)
{
    struct sim_net *net = wx_calloc(1, sizeof *net);
    net->worker.pump = pump;
    net->peers = peers;
    net->random = random;
    net->clock = clock;
    net->wire = *wire;
    net->error = "";
    net->socket = wx_calloc(peers, sizeof *net->socket);
    for (uint32_t i = 0; i < peers; i++) {
        struct socket *socket = &net->socket[i];
        socket->io = (struct wx_link_io){.read = read_pipe, .write = write_pipe};
        socket->net = net;
        socket->link = wx_link_create(links, &socket->io);
        socket->readable = socket->writable = true;
    }
    return net;
}

static struct pipe *create_pipe(const struct sim_wire *wire)
{
    struct pipe *pipe = wx_calloc(1, sizeof *pipe);
    pipe->bytes = wx_alloc(wire->capacity);
    return pipe;
}

void sim_net_connect(struct sim_net *left, uint32_t a, struct sim_net *right, uint32_t b)
{
    left->socket[a].out = right->socket[b].in = create_pipe(&left->wire);
    right->socket[b].out = left->socket[a].in = create_pipe(&left->wire);
}

/* The receiving side owns a pipe. */
void sim_net_destroy(struct sim_net *net)
{
    if (!net)
        return;
    for (uint32_t i = 0; i < net->peers; i++) {
        wx_link_destroy(net->socket[i].link);
        free(net->socket[i].in->bytes);
        free(net->socket[i].in);
    }
    free(net->socket);
    free(net);
}

struct wx_net *sim_net_of_worker(struct sim_net *net)
{
    return &net->worker;
}

struct wx_link *sim_net_link(struct sim_net *net, uint32_t peer)
{
    return net->socket[peer].link;
}

const char *sim_net_error(const struct sim_net *net)
{
    return net->error;
}
