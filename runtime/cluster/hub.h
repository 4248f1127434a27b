/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_HUB_H
#define WX_HUB_H

#include <sys/socket.h>

#include "cluster/address.h"
#include "cluster/session.h"

/*
 * The sockets under a session: the listening port, calls to the processes with lower ids (again and
 * again until they answer), bytes to messages and back. Non-blocking; the control thread's.
 */
struct wx_hub;

struct wx_hub_config {
    int epoll;    /* where the hub's descriptors go; borrowed */
    uint32_t tag; /* the upper half of their events' data.u64; the lower is for wx_hub_event() */
    int event;    /* an eventfd in that epoll, written to when a name was resolved; borrowed */
    const struct wx_addresses *addresses; /* borrowed */
    uint32_t self;
    /* A data connection with its preface was accepted. Takes `fd`, or closes it. */
    void (*accept_data)(void *arg, const struct wx_preface *preface, int fd);
    void *arg;
};

/*
 * Listens on the address of `self`: on that alone when it is one of this machine written as numbers
 * or "localhost", else on the port of all addresses. Returns owned, or NULL with `err` filled.
 */
struct wx_hub *wx_hub_create(const struct wx_hub_config *config, struct wx_error *err);
void wx_hub_destroy(struct wx_hub *hub);
/* The session that gets the events; before anything else. */
void wx_hub_serve(struct wx_hub *hub, struct wx_session *session);

/* A descriptor of the hub is ready: `data` is the lower half of the event's data. */
void wx_hub_event(struct wx_hub *hub, wax_time now, uint32_t data, uint32_t events);
/* Make the calls that are due. */
void wx_hub_tick(struct wx_hub *hub, wax_time now);
wax_time wx_hub_next_tick(const struct wx_hub *hub);

/* As in struct wx_session_host. */
void wx_hub_send(struct wx_hub *hub, uint32_t conn, const struct wx_message *message);
void wx_hub_close(struct wx_hub *hub, wax_time now, uint32_t conn);

/* No new connections; close all once what was sent has gone out and was taken. */
void wx_hub_shut(struct wx_hub *hub, wax_time now);
bool wx_hub_is_quiet(const struct wx_hub *hub);

/* Where the call to `peer` was answered, for data connections. False: it was not called. */
bool wx_hub_peer(const struct wx_hub *hub, uint32_t peer, struct sockaddr_storage *address,
                 socklen_t *len);
/* How many of the cluster's other processes run on this machine, as far as addresses tell. */
uint32_t wx_hub_neighbours(const struct wx_hub *hub);

#endif /* WX_HUB_H */
