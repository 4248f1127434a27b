/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's sockets. One edge-triggered epoll says which are readable or writable again, with one
 * system call a turn however many there are; a socket's readiness is remembered until a call finds
 * it used up. The worker sleeps on the epoll descriptor itself.
 */
#include "cluster/net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"

#define EVENTS 64 /* taken at a time; more come with the next turn */

struct socket {
    struct wx_link_io io; /* first: an io is its socket */
    int fd;               /* -1: not attached */
    bool readable, writable;
    struct wx_link *link;
};

struct wx_sockets {
    struct wx_net net; /* first: a net is its sockets */
    int epoll;
    uint32_t n, attached;
    struct socket *socket;
    bool done;
    char why[200];
    _Atomic int64_t
        broken; /* -1: none. Stored with release after `why`, read with acquire by control */
};

static ssize_t read_socket(struct wx_link_io *io, void *to, size_t len)
{
    struct socket *socket = (struct socket *)(void *)io;
    ssize_t n;
    do
        n = recv(socket->fd, to, len, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    return n == 0 ? -2 : n;
}

static ssize_t write_socket(struct wx_link_io *io, const void *from, size_t len)
{
    struct socket *socket = (struct socket *)(void *)io;
    if (!socket->writable)
        return 0;
    ssize_t n;
    do
        n = send(socket->fd, from, len, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        socket->writable = false;
        return 0;
    }
    return n < 0 ? -1 : n;
}

static int break_at(struct wx_sockets *sockets, uint32_t peer)
{
    if (sockets->done)
        return -1; /* the worker had come to its end: nobody is missing anything */
    snprintf(sockets->why, sizeof sockets->why, "%s", wx_link_error(sockets->socket[peer].link));
    atomic_store_explicit(&sockets->broken, peer, memory_order_release); /* wx_sockets_broken() */
    return -1;
}

static void take_events(struct wx_sockets *sockets)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(sockets->epoll, events, EVENTS, 0);
    for (int i = 0; i < n; i++) {
        struct socket *socket = &sockets->socket[events[i].data.u32];
        socket->readable |= (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
        socket->writable |= (events[i].events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
    }
}

static int pump(struct wx_net *net)
{
    struct wx_sockets *sockets = (struct wx_sockets *)(void *)net;
    int moved = 0;
    take_events(sockets);
    for (uint32_t i = 0; i < sockets->n; i++) {
        struct socket *socket = &sockets->socket[i];
        int rc = wx_link_pump(socket->link, socket->readable, false);
        if (rc < 0)
            return break_at(sockets, i);
        if (socket->readable)
            socket->readable = !wx_link_drained(socket->link);
        moved |= rc;
    }
    return moved;
}

int wx_sockets_flush(struct wx_sockets *sockets)
{
    int moved = 0;
    for (uint32_t i = 0; i < sockets->n; i++) {
        struct socket *socket = &sockets->socket[i];
        if (wx_link_pending(socket->link) == 0 || !socket->writable)
            continue;
        int rc = wx_link_pump(socket->link, false, true);
        if (rc < 0)
            return break_at(sockets, i);
        moved |= rc;
    }
    return moved;
}

struct wx_sockets *wx_sockets_create(uint32_t peers, const struct wx_link_config *links)
{
    struct wx_sockets *sockets = wx_calloc(1, sizeof *sockets);
    sockets->net.pump = pump;
    sockets->n = peers;
    atomic_init(&sockets->broken, -1);
    sockets->epoll = epoll_create1(EPOLL_CLOEXEC);
    WX_ASSERT(sockets->epoll >= 0);
    sockets->socket = wx_calloc(peers, sizeof *sockets->socket);
    for (uint32_t i = 0; i < peers; i++) {
        struct socket *socket = &sockets->socket[i];
        socket->io = (struct wx_link_io){.read = read_socket, .write = write_socket};
        socket->fd = -1;
        socket->link = wx_link_create(links, &socket->io);
    }
    return sockets;
}

void wx_sockets_detach(struct wx_sockets *sockets)
{
    for (uint32_t i = 0; i < sockets->n; i++) {
        if (sockets->socket[i].fd >= 0)
            close(sockets->socket[i].fd);
        sockets->socket[i].fd = -1;
    }
    sockets->attached = 0;
}

void wx_sockets_destroy(struct wx_sockets *sockets)
{
    if (!sockets)
        return;
    wx_sockets_detach(sockets);
    for (uint32_t i = 0; i < sockets->n; i++)
        wx_link_destroy(sockets->socket[i].link);
    close(sockets->epoll);
    free(sockets->socket);
    free(sockets);
}

void wx_sockets_attach(struct wx_sockets *sockets, uint32_t peer, int fd)
{
    struct socket *socket = &sockets->socket[peer];
    if (socket->fd >= 0)
        close(socket->fd);
    else
        sockets->attached++;
    socket->fd = fd;
    socket->readable = socket->writable = true;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u32 = peer};
    int rc = epoll_ctl(sockets->epoll, EPOLL_CTL_ADD, fd, &event);
    WX_ASSERT(rc == 0);
}

bool wx_sockets_complete(const struct wx_sockets *sockets)
{
    return sockets->attached == sockets->n;
}

struct wx_link *wx_sockets_link(struct wx_sockets *sockets, uint32_t peer)
{
    return sockets->socket[peer].link;
}

struct wx_net *wx_sockets_net(struct wx_sockets *sockets)
{
    return &sockets->net;
}

int wx_sockets_poll_fd(const struct wx_sockets *sockets)
{
    return sockets->epoll;
}

void wx_sockets_done(struct wx_sockets *sockets)
{
    sockets->done = true;
    for (uint32_t i = 0; i < sockets->n; i++)
        wx_link_done(sockets->socket[i].link);
}

int64_t wx_sockets_broken(const struct wx_sockets *sockets, const char **why)
{
    int64_t peer = atomic_load_explicit(&sockets->broken, memory_order_acquire); /* break_at() */
    *why = sockets->why;
    return peer;
}

void wx_sockets_count(const struct wx_sockets *sockets, uint64_t *bytes, uint64_t *records)
{
    for (uint32_t i = 0; i < sockets->n; i++) {
        uint64_t b, r;
        wx_link_count(sockets->socket[i].link, &b, &r);
        *bytes += b;
        *records += r;
    }
}
