/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control, reduced to what decides about epochs and about the end: what all have passed is
 * committed; when all have passed the end of the input, or have drained, all may go; a failure or a
 * second signal lets all go at once.
 */
#include "sim/control.h"

#include <string.h>

#include "base/alloc.h"

wax_time sim_control_wakes_at(const struct sim_control *control)
{
    if (control->dirty)
        return 0;
    return control->messages ? control->inbox[0].at : INT64_MAX;
}

static void wake_all(struct sim_control *control)
{
    for (uint32_t i = 0; i < control->shared.workers_here; i++)
        wx_waker_notify(control->wakers[i]);
}

static void send(struct sim_controls *all, struct sim_control *from, struct sim_control *to,
                 wax_time now)
{
    if (to->messages == to->message_cap) {
        to->message_cap = to->message_cap ? to->message_cap * 2 : 16;
        to->inbox = wx_realloc(to->inbox, to->message_cap * sizeof *to->inbox);
    }
    struct sim_message message = {.from = from->index, .news = from->said};
    message.at = now + sim_below(all->random, (uint32_t)all->delay + 1);
    /* Between two processes messages stay in order. */
    uint32_t at = to->messages;
    for (uint32_t i = 0; i < to->messages; i++)
        if (to->inbox[i].from == from->index && to->inbox[i].at > message.at)
            message.at = to->inbox[i].at;
    while (at > 0 && to->inbox[at - 1].at > message.at)
        at--;
    memmove(&to->inbox[at + 1], &to->inbox[at], (to->messages - at) * sizeof *to->inbox);
    to->inbox[at] = message;
    to->messages++;
}

static void hear(struct sim_control *control, wax_time now)
{
    uint32_t due = 0;
    while (due < control->messages && control->inbox[due].at <= now) {
        const struct sim_message *message = &control->inbox[due++];
        control->known[message->from] = message->news;
    }
    control->messages -= due;
    if (due)
        memmove(control->inbox, control->inbox + due, control->messages * sizeof *control->inbox);
}

/* What the workers of this process have come to. */
static struct sim_news look(struct sim_control *control)
{
    struct wx_shared *shared = &control->shared;
    struct sim_news news;
    memset(&news, 0, sizeof news); /* also between the members: it is compared as bytes */
    news.passed = WX_EPOCH_END;
    news.idle = news.finished = true;
    for (uint32_t i = 0; i < shared->workers_here; i++) {
        uint32_t state = atomic_load(&shared->status[i].state);
        uint64_t passed = atomic_load(&shared->status[i].passed);
        news.passed = passed < news.passed ? passed : news.passed;
        news.idle = news.idle && state != WX_WORKER_RUNNING;
        news.finished = news.finished && state == WX_WORKER_FINISHED;
    }
    news.close_below = atomic_load(&shared->close_below);
    news.failed = atomic_load(&shared->failed);
    news.draining = control->draining;
    news.leaving = control->leaving;
    return news;
}

static void set_committed(struct sim_controls *all, struct sim_control *control, uint64_t epoch)
{
    control->committed = epoch;
    if (epoch != WX_EPOCH_END && sim_mischief_now(all->mischief, SIM_COMMIT_EARLY))
        epoch++;
    atomic_store(&control->shared.committed, epoch);
    wake_all(control);
}

static void set_stop(struct sim_control *control, enum wx_stop stop)
{
    if (atomic_load(&control->shared.stop) >= (uint32_t)stop)
        return;
    atomic_store(&control->shared.stop, stop);
    wake_all(control);
}

static void advance(struct sim_controls *all, struct sim_control *control)
{
    struct sim_news sum = {.passed = WX_EPOCH_END, .idle = true, .finished = true};
    for (uint32_t i = 0; i < all->n; i++) {
        const struct sim_news *news = &control->known[i];
        sum.passed = news->passed < sum.passed ? news->passed : sum.passed;
        sum.close_below = news->close_below > sum.close_below ? news->close_below : sum.close_below;
        sum.idle &= news->idle;
        sum.finished &= news->finished;
        sum.draining |= news->draining;
        sum.leaving |= news->leaving | news->failed;
    }
    if (sum.close_below > atomic_load(&control->shared.close_below)) {
        atomic_store(&control->shared.close_below, sum.close_below);
        wake_all(control);
    }
    if (sum.passed > control->committed)
        set_committed(all, control, sum.passed);
    bool drained = sum.draining && sum.passed + 1 >= sum.close_below;
    if (sum.draining)
        set_stop(control, WX_STOP_DRAIN);
    /* Who leaves says so: another may see it differently by then, because it heard of the stop
     * later. */
    if (sum.leaving || (sum.idle && drained && !sum.finished)) {
        control->dirty |= !control->leaving;
        control->leaving = true;
        set_stop(control, WX_STOP_NOW);
    }
}

void sim_control_run(struct sim_controls *all, uint32_t index, wax_time now)
{
    struct sim_control *control = &all->of[index];
    control->dirty = false;
    hear(control, now);
    struct sim_news news = look(control);
    if (memcmp(&news, &control->said, sizeof news) != 0) {
        control->said = news;
        for (uint32_t i = 0; i < all->n; i++)
            if (i != index)
                send(all, control, &all->of[i], now);
    }
    control->known[index] = news;
    advance(all, control);
}
