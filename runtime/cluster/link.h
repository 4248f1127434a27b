/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_LINK_H
#define WX_LINK_H

#include <sys/types.h>

#include "base/error.h"
#include "core/channel.h"

/*
 * The connection between one worker here and one worker of another process: all channels of the
 * two, in both directions, over one stream of bytes. A byte machine: it knows no sockets, clocks or
 * threads. What comes from outside is distrusted; the worst it can do is to break the link.
 *
 * The receiver of a channel reserves its credit: the sender has at most that many bytes on the way,
 * or a quarter of it and one item, whatever the item's size. An item that does not fit a frame
 * travels in fragments.
 */

#define WX_FRAME_MAX    (64u * 1024)  /* payload of one frame, bytes */
#define WX_LINK_BACKLOG (256u * 1024) /* unsent bytes above which a link takes no more batches */
#define WX_LINK_WRITE   (64u * 1024)  /* unsent bytes worth a write while the worker is busy */
#define WX_ITEM_MAX     (1u << 30)    /* bytes of one encoded batch, whatever the limits say */
#define WX_ITEM_CHARGE  256u          /* credit that an item takes besides its bytes */
#define WX_CREDIT_MIN   1024u

/* The stream under a link. Both calls return at once. */
struct wx_link_io {
    /* The bytes moved, 0: none can be now, -1: broken, -2 (read): the other side has closed its
     * end. */
    ssize_t (*read)(struct wx_link_io *io, void *to, size_t len);
    ssize_t (*write)(struct wx_link_io *io, const void *from, size_t len);
};

struct wx_link_config {
    uint32_t edges;
    const struct wx_shape *const *shapes; /* [edges], borrowed */
    struct wx_pool *pool;                 /* the worker's, borrowed */
    uint64_t credit;   /* of each channel, bytes, at least WX_CREDIT_MIN; the same on both sides */
    uint64_t item_max; /* bytes of the largest encoded batch, at most WX_ITEM_MAX */
};

struct wx_link;

/* `io` is borrowed. Returns owned. */
struct wx_link *wx_link_create(const struct wx_link_config *config, struct wx_link_io *io);
/* After everything that came through it was released. NULL does nothing. */
void wx_link_destroy(struct wx_link *link);

/* The ends of the channels of `edge`, borrowed. */
struct wx_outlet *wx_link_outlet(struct wx_link *link, uint32_t edge);
struct wx_inlet *wx_link_inlet(struct wx_link *link, uint32_t edge);

/*
 * Read what is there and queue it for the inlets, grant credit, write what is worth a write; with
 * `flush`, write everything. Returns 1 when something moved, 0 when not, -1 when the link is
 * broken, for ever.
 */
int wx_link_pump(struct wx_link *link, bool readable, bool flush);
/* Unsent bytes. */
size_t wx_link_pending(const struct wx_link *link);
/* Did the last read take all there was? If not, pump again without waiting. */
bool wx_link_drained(const struct wx_link *link);
/* Why it broke; empty while it is not. Borrowed. */
const char *wx_link_error(const struct wx_link *link);
/* From now on the other side may close its end. */
void wx_link_done(struct wx_link *link);

/* Bytes written and records sent. */
void wx_link_count(const struct wx_link *link, uint64_t *bytes, uint64_t *records);

#endif /* WX_LINK_H */
