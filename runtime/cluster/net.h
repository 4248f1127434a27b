/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_NET_H
#define WX_NET_H

#include "cluster/link.h"
#include "core/channel.h"

/*
 * All data connections of one worker: a socket and a link for every worker of the other processes.
 * Made by the control thread, used by the worker's thread alone while that runs, taken apart by
 * control again.
 */
struct wx_sockets;

/* `peers` connections over the same edges; `links` says how. Returns owned. */
struct wx_sockets *wx_sockets_create(uint32_t peers, const struct wx_link_config *links);
/* Closes the sockets. After the worker was destroyed and the channels are empty. NULL does nothing.
 */
void wx_sockets_destroy(struct wx_sockets *sockets);

/* Takes `fd`, connected and past its preface, as the connection of `peer` (0 to peers - 1). */
void wx_sockets_attach(struct wx_sockets *sockets, uint32_t peer, int fd);
/* Is every peer's connection attached? */
bool wx_sockets_complete(const struct wx_sockets *sockets);
/* Closes all connections that were attached: they were of a generation that never began. */
void wx_sockets_detach(struct wx_sockets *sockets);

struct wx_link *wx_sockets_link(struct wx_sockets *sockets, uint32_t peer);
/* What the worker pumps. */
struct wx_net *wx_sockets_net(struct wx_sockets *sockets);

/* Write out everything there is, as far as the sockets take it. Returns as wx_net's pump. */
int wx_sockets_flush(struct wx_sockets *sockets);
/* Readable when pump would find something: a file descriptor for poll(2). */
int wx_sockets_poll_fd(const struct wx_sockets *sockets);

/* From here on a peer that closes its connection is not a failure: this worker is done. */
void wx_sockets_done(struct wx_sockets *sockets);
/*
 * The peer whose connection broke, or -1; `why` then says how. Any thread: set once, before the
 * worker's thread tells control.
 */
int64_t wx_sockets_broken(const struct wx_sockets *sockets, const char **why);

/* Sent so far. While the worker's thread does not run. */
void wx_sockets_count(const struct wx_sockets *sockets, uint64_t *bytes, uint64_t *records);

#endif /* WX_NET_H */
