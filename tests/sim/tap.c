/* SPDX-License-Identifier: Apache-2.0 */
/* Taps in channels: checks on what goes in, and deliberate defects on what comes out. */
#include "sim/tap.h"

#include <inttypes.h>

bool sim_mischief_now(struct sim_mischief *mischief, enum sim_bug bug)
{
    if (mischief->bug != bug || mischief->used)
        return false;
    if (mischief->after > 0) {
        mischief->after--;
        return false;
    }
    mischief->used = true;
    return true;
}

static void check_sent(struct sim_tap *tap, uint64_t epoch, bool marker)
{
    bool good = epoch == tap->marker + 1 || (marker && epoch == WX_EPOCH_END);
    if (good && tap->marker != WX_EPOCH_END)
        return;
    char text[200];
    snprintf(text, sizeof text,
             "worker %u sends worker %u a %s of epoch %" PRIu64 " after marker %" PRIu64
             " on exchange %u",
             tap->sender, tap->receiver, marker ? "marker" : "batch", epoch, tap->marker,
             tap->edge);
    tap->io->fault(tap->io, text);
}

static bool tap_offer(struct wx_outlet *outlet, struct wx_batch *batch)
{
    struct sim_tap *tap = (struct sim_tap *)(void *)outlet, *to = tap;
    bool marker = batch->marker;
    uint64_t epoch = batch->epoch; /* the batch is gone when the offer was taken */
    if (!marker && tap->neighbour && sim_mischief_now(tap->mischief, SIM_MISROUTE))
        to = tap->neighbour;
    if (!to->to->offer(to->to, batch))
        return false;
    check_sent(tap, epoch, marker);
    if (marker)
        tap->marker = epoch;
    return true;
}

static struct wx_batch *take(struct sim_tap *tap)
{
    return tap->from->take(tap->from);
}

/* Swaps `batch` with the one behind it, if there is one of the kind that is wanted. */
static struct wx_batch *swap(struct sim_tap *tap, struct wx_batch *batch, bool marker,
                             enum sim_bug bug)
{
    if (tap->mischief->bug != bug || tap->mischief->used)
        return batch;
    struct wx_batch *second = take(tap);
    if (second && second->marker == marker && sim_mischief_now(tap->mischief, bug)) {
        tap->held = batch;
        return second;
    }
    tap->held = second;
    return batch;
}

static struct wx_batch *tap_take(struct wx_inlet *inlet)
{
    struct sim_tap *tap =
        (struct sim_tap *)(void *)((char *)inlet - offsetof(struct sim_tap, inlet));
    struct wx_batch *batch = tap->held;
    if (batch) {
        tap->held = NULL;
        return batch;
    }
    batch = take(tap);
    if (!batch || batch->marker)
        return batch;
    if (sim_mischief_now(tap->mischief, SIM_DROP)) {
        wx_batch_put(tap->pool, batch);
        return take(tap);
    }
    if (sim_mischief_now(tap->mischief, SIM_LEAK))
        wx_batch_ref(batch);
    if (sim_mischief_now(tap->mischief, SIM_REPEAT)) {
        wx_batch_ref(batch);
        tap->held = wx_batch_pass(tap->pool, batch);
        wx_batch_put(tap->pool, batch);
    }
    if (!tap->held)
        batch = swap(tap, batch, true, SIM_MARKER_EARLY);
    if (!tap->held)
        batch = swap(tap, batch, false, SIM_SWAP);
    return batch;
}

void sim_tap_init(struct sim_tap *tap, struct wx_outlet *to, struct wx_inlet *from)
{
    tap->outlet.offer = tap_offer;
    tap->inlet.take = tap_take;
    tap->to = to;
    tap->from = from;
}

void sim_tap_fini(struct sim_tap *tap, struct wx_pool *pool)
{
    wx_batch_put(pool, tap->held);
    tap->held = NULL;
}
