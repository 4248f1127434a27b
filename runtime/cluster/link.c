/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A link: batches to frames and back. Outgoing batches are encoded straight into the send buffer;
 * incoming frames are decoded straight from the receive buffer, except fragments, which are put
 * together first.
 *
 * Credit: both sides count the charges of a channel's items in the same way. The receiver's counter
 * of what was released (`credit.returned`) goes back in CREDIT frames, as a total, whenever a
 * quarter of the credit has come together. The sender may thus believe that up to a quarter is
 * still taken when nothing is: below a quarter any item is admitted, so that an empty channel takes
 * an item of any size.
 *
 *   frame: payload length (4)  edge (2)  kind (1)  flags (1)  item bytes still to come (4)  zero
 * (4) epoch (8)  entered (8)  watermark (8)  payload
 */
#include "cluster/link.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "core/codec.h"

#define READ_BYTES    (256u * 1024) /* the receive buffer */
#define READS_MAX     4u            /* reads of one pump: the worker has other things to do */
#define PATIENCE      16u /* pumps that a few unsent bytes wait for more, when the worker is busy */
#define QUEUE_MARKERS 64u /* markers that may wait in a channel; a few epochs are open at most */
#define KEEP_BYTES                                                                                 \
    (1u << 20) /* a send buffer that grew beyond this is given back when it is empty */

enum frame_kind { FRAME_DATA = 1, FRAME_FRAGMENT, FRAME_MARKER, FRAME_CREDIT };
#define FLAG_IDLE 1u

struct frame {
    uint32_t len;
    uint16_t edge;
    uint8_t kind, flags;
    uint32_t rest, zero;
    uint64_t epoch; /* CREDIT: the total returned */
    int64_t entered, watermark;
};
_Static_assert(sizeof(struct frame) == 40, "the layout on the wire");

struct channel {
    struct wx_outlet outlet; /* first: an outlet is its channel */
    struct wx_inlet inlet;
    struct wx_link *link;
    uint16_t edge;

    uint64_t sent, acked;           /* charges */
    const struct wx_batch *refused; /* the last batch that did not fit, */
    uint64_t refused_charge;        /* and what it needs: spares encoding it again in vain */

    struct wx_credit credit; /* what has been released of the received */
    uint64_t received, announced;
    uint64_t marker;  /* the last one received */
    uint32_t markers; /* in the queue */
    struct wx_batch *first, **last;
    struct wx_buf item; /* fragments so far */
    uint64_t item_len;  /* of the whole; 0: none is on its way */
};

struct wx_link {
    struct wx_link_config config;
    struct wx_link_io *io;
    struct channel *channel; /* [edges] */
    struct wx_buf out;
    size_t out_at;   /* bytes of `out` that are written */
    uint32_t waited; /* pumps since then that wrote nothing */
    bool urgent;     /* credit is in `out`: the other side may wait for it */
    char *in;        /* READ_BYTES, made with the first read */
    size_t in_len;
    bool drained, done, closed;
    uint64_t bytes, records;
    struct wx_error error;
};

static struct channel *channel_of_inlet(struct wx_inlet *inlet)
{
    return (struct channel *)(void *)((char *)inlet - offsetof(struct channel, inlet));
}

static int broken(struct wx_link *link, const char *why)
{
    if (!link->error.exit_code)
        wx_fail(&link->error, WX_EXIT_PEER, "%s", why);
    return -1;
}

static bool fits(const struct wx_link *link, uint64_t flying, uint64_t charge)
{
    return flying + charge <= link->config.credit || flying < link->config.credit / 4;
}

/* ---- sending -----------------------------------------------------------------------------------
 */

static void put_frame(char *to, struct frame frame)
{
    frame.len = htole32(frame.len);
    frame.edge = htole16(frame.edge);
    frame.rest = htole32(frame.rest);
    frame.epoch = htole64(frame.epoch);
    frame.entered = (int64_t)htole64((uint64_t)frame.entered);
    frame.watermark = (int64_t)htole64((uint64_t)frame.watermark);
    memcpy(to, &frame, sizeof frame);
}

static void add_frame(struct wx_link *link, struct frame frame)
{
    char *to = wx_buf_reserve(&link->out, sizeof frame);
    WX_ASSERT(to); /* `max` leaves room for small frames above the largest item */
    put_frame(to, frame);
    link->out.len += sizeof frame;
}

/*
 * The item of `len` bytes at `start` + one header is too long for a frame: move its pieces apart,
 * the last one first, and put a header before each.
 */
static bool make_fragments(struct wx_link *link, size_t start, size_t len, struct frame frame)
{
    size_t pieces = (len + WX_FRAME_MAX - 1) / WX_FRAME_MAX;
    size_t more = (pieces - 1) * sizeof frame;
    if (!wx_buf_reserve(&link->out, more))
        return false;
    link->out.len += more;
    char *base = link->out.data + start;
    for (size_t i = pieces; i-- > 0;) {
        size_t at = i * WX_FRAME_MAX;
        size_t n = len - at < WX_FRAME_MAX ? len - at : WX_FRAME_MAX;
        char *to = base + i * (sizeof frame + WX_FRAME_MAX);
        memmove(to + sizeof frame, base + sizeof frame + at, n);
        frame.len = (uint32_t)n;
        frame.rest = (uint32_t)(len - at - n);
        frame.kind = frame.rest > 0 ? FRAME_FRAGMENT : FRAME_DATA;
        put_frame(to, frame);
    }
    return true;
}

static bool offer_data(struct channel *channel, struct wx_batch *batch)
{
    struct wx_link *link = channel->link;
    uint64_t flying = channel->sent - channel->acked;
    if (batch == channel->refused && !fits(link, flying, channel->refused_charge))
        return false;
    size_t start = link->out.len;
    if (wx_buf_reserve(&link->out, sizeof(struct frame)))
        link->out.len += sizeof(struct frame);
    wx_batch_encode(batch, &link->out);
    size_t len = link->out.len - start - sizeof(struct frame);
    struct frame frame = {.len = (uint32_t)len,
                          .edge = channel->edge,
                          .kind = FRAME_DATA,
                          .flags = batch->idle ? FLAG_IDLE : 0,
                          .epoch = batch->epoch,
                          .entered = batch->entered,
                          .watermark = batch->watermark};
    uint64_t charge = len + WX_ITEM_CHARGE;
    if (!link->out.full && !fits(link, flying, charge)) {
        link->out.len = start;
        channel->refused = batch;
        channel->refused_charge = charge;
        return false;
    }
    if (!link->out.full && len <= WX_FRAME_MAX)
        put_frame(link->out.data + start, frame);
    else if (!link->out.full)
        make_fragments(link, start, len, frame);
    if (link->out.full || len > link->config.item_max) {
        link->out.full = false;
        link->out.len = start;
        broken(link,
               "a batch is larger than any that may be sent; raise --max-record or --max-fanout");
        return false;
    }
    channel->sent += charge;
    channel->refused = NULL;
    link->records += batch->n;
    wx_batch_put(link->config.pool, batch);
    return true;
}

static bool link_offer(struct wx_outlet *outlet, struct wx_batch *batch)
{
    struct channel *channel = (struct channel *)(void *)outlet;
    struct wx_link *link = channel->link;
    /* A socket that is behind holds back all channels; the other side always reads, so it catches
     * up. */
    if (link->error.exit_code || link->closed || wx_link_pending(link) >= WX_LINK_BACKLOG)
        return false;
    if (!batch->marker)
        return offer_data(channel, batch);
    add_frame(link, (struct frame){.edge = channel->edge,
                                   .kind = FRAME_MARKER,
                                   .flags = batch->idle ? FLAG_IDLE : 0,
                                   .epoch = batch->epoch,
                                   .entered = batch->entered,
                                   .watermark = batch->watermark});
    wx_batch_put(link->config.pool, batch);
    return true;
}

static void grant(struct wx_link *link)
{
    for (uint32_t i = 0; i < link->config.edges; i++) {
        struct channel *channel = &link->channel[i];
        /* Relaxed: batches are released by the thread that pumps. */
        uint64_t returned = atomic_load_explicit(&channel->credit.returned, memory_order_relaxed);
        if (returned - channel->announced < link->config.credit / 4 ||
            wx_link_pending(link) >= WX_LINK_BACKLOG)
            continue;
        channel->announced = returned;
        add_frame(link,
                  (struct frame){.edge = channel->edge, .kind = FRAME_CREDIT, .epoch = returned});
        link->urgent = true;
    }
}

static int write_out(struct wx_link *link)
{
    int moved = 0;
    while (link->out_at < link->out.len) {
        ssize_t n =
            link->io->write(link->io, link->out.data + link->out_at, link->out.len - link->out_at);
        if (n < 0)
            return broken(link, "the connection broke while it was written to");
        if (n == 0)
            break;
        link->out_at += (size_t)n;
        link->bytes += (size_t)n;
        moved = 1;
    }
    if (link->out_at == link->out.len) {
        link->out.len = link->out_at = 0;
        link->urgent = false;
        if (link->out.cap > KEEP_BYTES)
            wx_buf_free(&link->out);
    } else if (link->out_at >= WX_LINK_BACKLOG) {
        wx_buf_consume(&link->out, link->out_at);
        link->out_at = 0;
    }
    link->waited = 0;
    return moved;
}

/* ---- receiving ---------------------------------------------------------------------------------
 */

static void enqueue(struct channel *channel, struct wx_batch *batch, const struct frame *frame)
{
    batch->epoch = frame->epoch;
    batch->entered = frame->entered;
    batch->watermark = frame->watermark;
    batch->idle = frame->flags & FLAG_IDLE;
    batch->next = NULL;
    *channel->last = batch;
    channel->last = &batch->next;
}

static int take_item(struct channel *channel, const struct frame *frame, const char *bytes,
                     size_t len)
{
    struct wx_link *link = channel->link;
    struct wx_batch *batch = wx_batch_decode(link->config.pool, link->config.shapes[channel->edge],
                                             bytes, len, &link->error);
    if (!batch)
        return -1;
    batch->credit = &channel->credit;
    batch->charge = (uint32_t)(len + WX_ITEM_CHARGE);
    enqueue(channel, batch, frame);
    return 0;
}

/* The first frame of an item of `len` bytes: may it come, and is it of an epoch that is open? */
static int admit_item(struct channel *channel, const struct frame *frame, uint64_t len)
{
    struct wx_link *link = channel->link;
    uint64_t returned = atomic_load_explicit(&channel->credit.returned, memory_order_relaxed);
    if (len > link->config.item_max)
        return broken(link, "it sent an item larger than any that may be sent");
    if (!fits(link, channel->received - returned, len + WX_ITEM_CHARGE))
        return broken(link, "it sent more than its credit");
    if (frame->epoch <= channel->marker || frame->epoch == WX_EPOCH_END)
        return broken(link, "it sent data of an epoch that was closed");
    channel->received += len + WX_ITEM_CHARGE;
    return 0;
}

static int hear_data(struct channel *channel, const struct frame *frame, const char *payload)
{
    struct wx_link *link = channel->link;
    uint64_t whole = (uint64_t)frame->len + frame->rest;
    if (channel->item_len == 0) {
        if (admit_item(channel, frame, whole) < 0)
            return -1;
        if (frame->rest == 0)
            return take_item(channel, frame, payload, frame->len);
        channel->item_len = whole;
    } else if (channel->item.len + whole != channel->item_len || frame->len == 0) {
        return broken(link, "it sent fragments that do not fit together");
    }
    channel->item.max = link->config.item_max;
    wx_buf_put(&channel->item, payload, frame->len);
    if (frame->rest > 0)
        return 0;
    int rc = take_item(channel, frame, channel->item.data, channel->item.len);
    wx_buf_free(&channel->item);
    channel->item_len = 0;
    return rc;
}

static int hear_marker(struct channel *channel, const struct frame *frame)
{
    struct wx_link *link = channel->link;
    bool next = frame->epoch == channel->marker + 1 || frame->epoch == WX_EPOCH_END;
    if (frame->len > 0 || channel->item_len > 0 || channel->marker == WX_EPOCH_END || !next)
        return broken(link, "it sent a marker that does not follow");
    if (++channel->markers > QUEUE_MARKERS)
        return broken(link, "it has closed too many epochs");
    channel->marker = frame->epoch;
    enqueue(channel, wx_batch_marker(link->config.pool, frame->epoch), frame);
    return 0;
}

static int hear_frame(struct wx_link *link, const struct frame *frame, const char *payload)
{
    struct channel *channel = &link->channel[frame->edge];
    switch (frame->kind) {
    case FRAME_DATA:
    case FRAME_FRAGMENT:
        if ((frame->kind == FRAME_DATA) != (frame->rest == 0))
            return broken(link, "it sent fragments that do not fit together");
        return hear_data(channel, frame, payload);
    case FRAME_MARKER:
        return hear_marker(channel, frame);
    case FRAME_CREDIT:
        if (frame->len > 0 || frame->epoch < channel->acked || frame->epoch > channel->sent)
            return broken(link, "it returned credit that it did not have");
        channel->acked = frame->epoch;
        return 0;
    default:
        return broken(link, "it sent a frame of an unknown kind");
    }
}

/* Takes all whole frames out of the receive buffer. */
static int parse(struct wx_link *link)
{
    size_t at = 0;
    while (link->in_len - at >= sizeof(struct frame)) {
        struct frame frame;
        memcpy(&frame, link->in + at, sizeof frame);
        frame.len = le32toh(frame.len);
        frame.edge = le16toh(frame.edge);
        frame.rest = le32toh(frame.rest);
        frame.epoch = le64toh(frame.epoch);
        frame.entered = (int64_t)le64toh((uint64_t)frame.entered);
        frame.watermark = (int64_t)le64toh((uint64_t)frame.watermark);
        if (frame.len > WX_FRAME_MAX || frame.edge >= link->config.edges)
            return broken(link, "it sent a frame that makes no sense");
        if (link->in_len - at - sizeof frame < frame.len)
            break;
        if (hear_frame(link, &frame, link->in + at + sizeof frame) < 0)
            return -1;
        at += sizeof frame + frame.len;
    }
    memmove(link->in, link->in + at, link->in_len - at);
    link->in_len -= at;
    return 0;
}

static int read_in(struct wx_link *link)
{
    int moved = 0;
    if (!link->in)
        link->in = wx_alloc(READ_BYTES);
    link->drained = false;
    for (uint32_t i = 0; i < READS_MAX && !link->drained; i++) {
        size_t room = READ_BYTES - link->in_len;
        ssize_t n = link->io->read(link->io, link->in + link->in_len, room);
        if (n == -2 && link->done) {
            link->closed = link->drained = true;
            return moved;
        }
        if (n < 0)
            return broken(link, n == -2 ? "the connection was closed" : "the connection broke");
        link->drained = (size_t)n < room;
        if (n == 0)
            break;
        link->in_len += (size_t)n;
        moved = 1;
        if (parse(link) < 0)
            return -1;
    }
    return moved;
}

static struct wx_batch *link_take(struct wx_inlet *inlet)
{
    struct channel *channel = channel_of_inlet(inlet);
    struct wx_batch *batch = channel->first;
    if (!batch)
        return NULL;
    channel->first = batch->next;
    if (!channel->first)
        channel->last = &channel->first;
    channel->markers -= batch->marker;
    batch->next = NULL;
    return batch;
}

/* ---- the link ----------------------------------------------------------------------------------
 */

int wx_link_pump(struct wx_link *link, bool readable, bool flush)
{
    int moved = 0;
    if (link->error.exit_code)
        return -1;
    if (readable && !link->closed) {
        moved = read_in(link);
        if (moved < 0)
            return -1;
    }
    grant(link);
    size_t pending = wx_link_pending(link);
    if (pending == 0 || link->closed)
        return moved;
    if (flush || link->urgent || pending >= WX_LINK_WRITE || ++link->waited >= PATIENCE) {
        int wrote = write_out(link);
        return wrote < 0 ? -1 : moved | wrote;
    }
    return moved;
}

struct wx_link *wx_link_create(const struct wx_link_config *config, struct wx_link_io *io)
{
    WX_ASSERT(config->credit >= WX_CREDIT_MIN && config->item_max <= WX_ITEM_MAX);
    WX_ASSERT(config->edges <= UINT16_MAX);
    struct wx_link *link = wx_calloc(1, sizeof *link);
    link->config = *config;
    link->io = io;
    link->out.max = 2 * (size_t)config->item_max + 2 * (size_t)WX_LINK_BACKLOG +
                    (size_t)config->edges * sizeof(struct frame);
    const struct wx_shape **shapes = wx_calloc(config->edges, sizeof *shapes);
    for (uint32_t i = 0; i < config->edges; i++)
        shapes[i] = config->shapes[i];
    link->config.shapes = shapes;
    link->channel = wx_calloc(config->edges, sizeof *link->channel);
    for (uint32_t i = 0; i < config->edges; i++) {
        struct channel *channel = &link->channel[i];
        channel->outlet.offer = link_offer;
        channel->inlet.take = link_take;
        channel->link = link;
        channel->edge = (uint16_t)i;
        channel->last = &channel->first;
    }
    return link;
}

void wx_link_destroy(struct wx_link *link)
{
    if (!link)
        return;
    for (uint32_t i = 0; i < link->config.edges; i++) {
        for (struct wx_batch *batch; (batch = link_take(&link->channel[i].inlet));)
            wx_batch_put(link->config.pool, batch);
        wx_buf_free(&link->channel[i].item);
    }
    free((void *)link->config.shapes);
    free(link->channel);
    free(link->in);
    wx_buf_free(&link->out);
    free(link);
}

struct wx_outlet *wx_link_outlet(struct wx_link *link, uint32_t edge)
{
    return &link->channel[edge].outlet;
}

struct wx_inlet *wx_link_inlet(struct wx_link *link, uint32_t edge)
{
    return &link->channel[edge].inlet;
}

size_t wx_link_pending(const struct wx_link *link)
{
    return link->out.len - link->out_at;
}

bool wx_link_drained(const struct wx_link *link)
{
    return link->drained;
}

const char *wx_link_error(const struct wx_link *link)
{
    return link->error.text;
}

void wx_link_done(struct wx_link *link)
{
    link->done = true;
}

void wx_link_count(const struct wx_link *link, uint64_t *bytes, uint64_t *records)
{
    *bytes = link->bytes;
    *records = link->records;
}
