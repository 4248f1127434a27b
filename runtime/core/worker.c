/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: one instance of every node of the plan, and the turn that moves them.
 *
 * A turn does, in this order: bytes in and out; what waits inside, from the sinks upwards, so that
 * room is made before it is needed; epochs; one batch from each source. When none of that did
 * anything, what is held back is let out, and if there was nothing either, the worker is idle. No
 * part of a turn blocks.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "core/engine.h"

#define RECEIVE_BUDGET 16u /* batches taken per exchange and turn: sources get their turn too */
#define HELD_MAX       wax_millis(1) /* partial blocks leave after this, also under load */
#define SOON           wax_millis(1) /* how long to wait for a source that said "soon" */
#define OPEN_EPOCHS    3u            /* closed but not everywhere passed, at most */

static const struct wx_step_ops *const kinds[] = {
    [WX_NODE_SOURCE] = &wx_source_ops,   [WX_NODE_KERNEL] = &wx_kernel_ops,
    [WX_NODE_INSPECT] = &wx_inspect_ops, [WX_NODE_KEY] = &wx_key_ops,
    [WX_NODE_UNKEY] = &wx_unkey_ops,     [WX_NODE_MERGE] = &wx_merge_ops,
    [WX_NODE_COMBINE] = &wx_combine_ops, [WX_NODE_SEND] = &wx_send_ops,
    [WX_NODE_RECEIVE] = &wx_receive_ops, [WX_NODE_FINAL] = &wx_final_ops,
    [WX_NODE_SINK] = &wx_sink_ops,
};

static void create_step(struct wx_worker *worker, uint32_t i)
{
    struct wx_step *step = &worker->step[i];
    step->node = &worker->plan->node[i];
    step->ops = kinds[step->node->kind];
    step->worker = worker;
    step->slot = wx_calloc(step->node->slots, sizeof *step->slot);
    step->pending_end = &step->pending;
}

struct wx_worker *wx_worker_create(const struct wx_worker_config *config)
{
    struct wx_worker *worker = wx_calloc(1, sizeof *worker);
    worker->config = *config;
    worker->plan = config->plan;
    worker->shared = config->shared;
    worker->status = &config->shared->status[config->index - config->shared->first_worker];
    worker->pool = config->pool;
    worker->step = wx_calloc(worker->plan->nodes, sizeof *worker->step);
    worker->from = wx_calloc(WX_BATCH_RECORDS, sizeof *worker->from);
    worker->rest_from = wx_calloc(WX_BATCH_RECORDS, sizeof *worker->rest_from);
    worker->open = 1;
    worker->cx.worker = worker;
    worker->cx.now = wx_worker_now(worker);
    worker->epoch_end = worker->cx.now + worker->shared->epoch_interval;
    atomic_store_explicit(&worker->status->open, 1, memory_order_relaxed);
    for (uint32_t i = 0; i < worker->plan->nodes; i++)
        create_step(worker, i);
    for (uint32_t i = 0; i < worker->plan->nodes && !worker->failed; i++)
        if (worker->step[i].ops->open)
            worker->step[i].ops->open(&worker->step[i]);
    return worker;
}

static void drop_batches(struct wx_step *step)
{
    struct wx_pool *pool = step->worker->pool;
    for (struct wx_batch *batch = step->pending, *next; batch; batch = next) {
        next = batch->next;
        wx_batch_put(pool, batch);
    }
    for (uint32_t i = 0; i < step->node->slots; i++)
        if (step->slot[i].batch)
            wx_batch_put(pool, step->slot[i].batch);
    wx_batch_put(pool, step->failures);
}

/* Records that were skipped are not lost in silence. */
static void report_skipped(const struct wx_step *step)
{
    if (step->failed && step->node->step->policy == WX_ON_FAILURE_SKIP)
        wx_log(WX_LOG_WARN, "step '%s' skipped %llu refused record%s on worker %u",
               step->node->step->id, (unsigned long long)step->failed, step->failed == 1 ? "" : "s",
               step->worker->config.index);
}

void wx_worker_destroy(struct wx_worker *worker)
{
    if (!worker)
        return;
    for (uint32_t i = 0; i < worker->plan->nodes; i++)
        report_skipped(&worker->step[i]);
    for (uint32_t i = 0; i < worker->plan->nodes; i++)
        if (worker->step[i].ops->close)
            worker->step[i].ops->close(&worker->step[i]);
    for (uint32_t i = 0; i < worker->plan->nodes; i++) {
        drop_batches(&worker->step[i]);
        free(worker->step[i].slot);
    }
    wx_heap_fini(&worker->heap);
    free(worker->step);
    free(worker->from);
    free(worker->rest_from);
    free(worker);
}

/* ---- epochs ---------------------------------------------------------------------------------- */

/* Raises shared->close_below to `to`. Several workers may try at once; the highest wins. */
static void ask_to_close(struct wx_worker *worker, uint64_t to)
{
    struct wx_shared *shared = worker->shared;
    uint64_t now = atomic_load_explicit(&shared->close_below, memory_order_relaxed);
    while (now < to)
        if (atomic_compare_exchange_weak_explicit(&shared->close_below, &now, to,
                                                  memory_order_release, memory_order_relaxed)) {
            shared->notify(shared);
            for (uint32_t i = 0; i < shared->workers_here; i++)
                if (shared->wakers && shared->wakers[i])
                    wx_waker_notify(shared->wakers[i]);
            return;
        }
}

/* May this worker be the first to close its epoch? */
static bool may_close(const struct wx_worker *worker)
{
    uint64_t committed = atomic_load_explicit(&worker->shared->committed, memory_order_acquire);
    return worker->had_input && worker->open < committed + 1 + OPEN_EPOCHS;
}

static void close_epochs(struct wx_worker *worker)
{
    struct wx_shared *shared = worker->shared;
    if (worker->cx.now >= worker->epoch_end && may_close(worker))
        ask_to_close(worker, worker->open + 1);
    /* Acquire: pairs with the release of whoever raised it. */
    uint64_t heard = atomic_load_explicit(&shared->close_below, memory_order_acquire);
    if (heard <= worker->open)
        return;
    worker->open = heard;
    worker->had_input = false;
    worker->epoch_end = worker->cx.now + shared->epoch_interval;
    worker->activity++;
    atomic_store_explicit(&worker->status->open, worker->open, memory_order_relaxed);
}

/* Each source sends the markers of the epochs that are closed, and the last when it has ended. */
static void send_markers(struct wx_worker *worker, struct wx_step *source)
{
    while (!source->marker && source->passed != WX_EPOCH_END && !worker->failed) {
        if (source->passed + 1 < worker->open)
            source->marker = source->passed + 1;
        else if (wx_source_ended(source))
            source->marker = WX_EPOCH_END;
        else
            return;
        wx_step_run(source);
    }
}

static uint64_t lowest_passed(const struct wx_worker *worker)
{
    uint64_t lowest = WX_EPOCH_END;
    for (uint32_t i = 0; i < worker->plan->nodes; i++)
        if (worker->step[i].passed < lowest)
            lowest = worker->step[i].passed;
    return lowest;
}

static void publish_progress(struct wx_worker *worker)
{
    struct wx_worker_status *status = worker->status;
    uint64_t passed = lowest_passed(worker);
    uint32_t state = WX_WORKER_RUNNING;
    if (passed == WX_EPOCH_END)
        state = WX_WORKER_FINISHED;
    else if (worker->draining && passed + 1 >= worker->open &&
             worker->open ==
                 atomic_load_explicit(&worker->shared->close_below, memory_order_acquire))
        state = WX_WORKER_STOPPED;
    if (passed == atomic_load_explicit(&status->passed, memory_order_relaxed) &&
        state == atomic_load_explicit(&status->state, memory_order_relaxed))
        return;
    /* Release: pairs with control's acquire; what the sinks wrote happened before. */
    atomic_store_explicit(&status->passed, passed, memory_order_release);
    atomic_store_explicit(&status->state, state, memory_order_release);
    worker->shared->notify(worker->shared);
}

static void commit(struct wx_worker *worker)
{
    /* Acquire: pairs with control's release. */
    uint64_t committed = atomic_load_explicit(&worker->shared->committed, memory_order_acquire);
    if (committed == worker->committed_seen)
        return;
    worker->committed_seen = committed;
    worker->activity++;
    for (uint32_t i = 0; i < worker->plan->nodes && !worker->failed; i++)
        if (worker->step[i].ops->commit)
            worker->step[i].ops->commit(&worker->step[i], committed);
}

/* ---- the turn -------------------------------------------------------------------------------- */

/* What waits inside, sinks first. */
static void run_inside(struct wx_worker *worker)
{
    for (uint32_t i = worker->plan->nodes; i-- > 0 && !worker->failed;) {
        struct wx_step *step = &worker->step[i];
        if (step->node->kind == WX_NODE_RECEIVE) {
            worker->budget = RECEIVE_BUDGET;
            wx_step_run(step);
        } else if (step->pending || step->marker || step->batch_n) {
            wx_step_run(step);
        }
    }
}

static void run_sources(struct wx_worker *worker, struct wx_wait *wait)
{
    for (uint32_t i = 0; i < worker->plan->nodes && !worker->failed; i++) {
        struct wx_step *step = &worker->step[i];
        if (step->node->kind != WX_NODE_SOURCE)
            continue;
        send_markers(worker, step);
        if (step->pending || step->marker || worker->draining || worker->failed)
            continue;
        wx_source_poll(step, &wait->deadline);
        wx_step_run(step);
        send_markers(worker, step);
    }
}

static void let_out(struct wx_worker *worker, bool late)
{
    worker->flush_at = worker->cx.now + HELD_MAX;
    for (uint32_t i = 0; i < worker->plan->nodes && !worker->failed; i++) {
        struct wx_step *step = &worker->step[i];
        if (step->ops->idle && step->ops->idle(step, late))
            worker->activity++;
        if (step->failures && !step->pending) {
            wx_step_emit_failures(step);
            wx_step_run(step);
            worker->activity++;
        }
    }
}

static void fill_wait(struct wx_worker *worker, struct wx_wait *wait)
{
    if (may_close(worker) && !worker->draining && worker->epoch_end < wait->deadline)
        wait->deadline = worker->epoch_end;
    if (worker->soon && worker->cx.now + SOON < wait->deadline)
        wait->deadline = worker->cx.now + SOON;
    wait->fd_count = worker->wait_fd_count;
    memcpy(wait->fds, worker->wait_fds, sizeof wait->fds);
}

/* Acts on `stop`. True: leave now. */
static bool stopped(struct wx_worker *worker)
{
    /* Acquire: pairs with control's release. */
    uint32_t stop = atomic_load_explicit(&worker->shared->stop, memory_order_acquire);
    if (stop == WX_STOP_NOW) {
        uint32_t state = atomic_load_explicit(&worker->status->state, memory_order_relaxed);
        if (state == WX_WORKER_RUNNING)
            atomic_store_explicit(&worker->status->state, WX_WORKER_STOPPED, memory_order_release);
        else
            commit(worker); /* after a drain: the last epoch may have become complete just now */
        return true;
    }
    if (stop == WX_STOP_DRAIN && !worker->draining) {
        worker->draining = true;
        ask_to_close(worker, worker->open + 1);
    }
    return false;
}

enum wx_turn wx_worker_turn(struct wx_worker *worker, struct wx_wait *wait)
{
    uint64_t before = worker->activity;
    *wait = (struct wx_wait){.deadline = INT64_MAX};
    worker->cx.now = wx_worker_now(worker);
    worker->wait_fd_count = 0;
    worker->soon = false;
    /* Relaxed: a counter that control looks at to see life. */
    atomic_store_explicit(&worker->status->turns, before + 1, memory_order_relaxed);

    struct wx_net *net = worker->config.net;
    int moved = net && !worker->failed ? net->pump(net) : 0;
    if (worker->failed || moved < 0 || stopped(worker))
        return WX_TURN_FINISHED;
    run_inside(worker);
    close_epochs(worker);
    run_sources(worker, wait);
    if (worker->activity == before)
        let_out(worker, false);
    else if (worker->cx.now >= worker->flush_at)
        let_out(worker, true);
    publish_progress(worker);
    commit(worker);
    if (worker->failed || worker->committed_seen == WX_EPOCH_END)
        return WX_TURN_FINISHED;
    if (moved || worker->activity != before)
        return WX_TURN_BUSY;
    fill_wait(worker, wait);
    return WX_TURN_IDLE;
}
