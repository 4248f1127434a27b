/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sink steps: the ends of a dataflow. Records are written as they come; at each marker the sink
 * makes the epoch ready (pre_commit), and once every worker of the cluster has passed it, commit()
 * makes it count.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "core/engine.h"

struct wx_step_own {
    uint64_t ready;     /* the last epoch made ready, */
    uint64_t committed; /* and the last one committed */
    bool unflushed;     /* something was written since the last flush */
};

static const wax_sink_ops *ops_of(const struct wx_step *step)
{
    return step->node->step->sink->ops;
}

/* A sink with a single writer is opened by that one only: to open a file may be to empty it. */
static bool writes_here(const struct wx_step *step)
{
    return !ops_of(step)->single || step->node->target == step->worker->config.index;
}

static void sink_open(struct wx_step *step)
{
    step->own = wx_calloc(1, sizeof *step->own);
    if (!writes_here(step))
        return;
    wx_self_open(step, ops_of(step)->self, step->node->step->sink->self, &step->self);
}

static void sink_close(struct wx_step *step)
{
    wx_self_close(step, ops_of(step)->self, step->self);
    free(step->own);
    step->own = NULL;
}

/* The sink refused a record. One that takes many at once may not say which: then all are named. */
static bool refuse(struct wx_step *step, struct wx_batch *in, uint32_t begin)
{
    wax_cx *cx = &step->worker->cx;
    uint32_t index = step->io.at++;
    if (index != begin || in->n - begin == 1)
        return wx_step_refuse(step, in, index);
    uint64_t first = step->in - step->batch_n + begin + 1;
    wx_step_stop(step, "%s; one of records %llu to %llu",
                 cx->failed ? cx->message : "its sink gave no reason", (unsigned long long)first,
                 (unsigned long long)(first + in->n - begin - 1));
    return false;
}

static bool sink_run(struct wx_step *step, struct wx_batch *in)
{
    wax_io *io = &step->io;
    while (io->at < in->n) {
        uint32_t begin = io->at;
        io->n = in->n;
        io->in = in->rec;
        io->keys = in->keys;
        io->type = step->node->in.type;
        io->key_type = step->node->in.key;
        io->self = step->self;
        io->cx = wx_cx_enter(step, NULL);
        int rc = ops_of(step)->write(step->self, io);
        wx_cx_leave(step->worker);
        step->own->unflushed = true;
        if (rc >= 0 && !step->worker->cx.failed)
            break;
        if (!refuse(step, in, begin))
            return false;
    }
    step->out += in->n;
    return true;
}

static bool check(struct wx_step *step, int rc, const char *what)
{
    wax_cx *cx = &step->worker->cx;
    if (rc >= 0 && !cx->failed)
        return true;
    wx_step_stop(step, "%s: %s", what, cx->failed ? cx->message : "its sink gave no reason");
    return false;
}

static bool flush(struct wx_step *step)
{
    const wax_sink_ops *ops = ops_of(step);
    if (!step->own->unflushed)
        return true;
    step->own->unflushed = false;
    if (!ops->flush || !*ops->flush)
        return true;
    int rc = (*ops->flush)(step->self, wx_cx_enter(step, NULL));
    wx_cx_leave(step->worker);
    return check(step, rc, "flush");
}

static bool sink_marker(struct wx_step *step, uint64_t epoch)
{
    const wax_sink_ops *ops = ops_of(step);
    if (!writes_here(step))
        return true;
    if (!flush(step))
        return false;
    step->own->ready = epoch == WX_EPOCH_END ? step->passed + 1 : epoch;
    if (!ops->pre_commit || !*ops->pre_commit)
        return true;
    int rc = (*ops->pre_commit)(step->self, step->own->ready, wx_cx_enter(step, NULL));
    wx_cx_leave(step->worker);
    return check(step, rc, "pre-commit");
}

static void sink_commit(struct wx_step *step, uint64_t epoch)
{
    const wax_sink_ops *ops = ops_of(step);
    uint64_t ready = step->own->ready < epoch ? step->own->ready : epoch;
    /* A sink that came to its end before others has nothing new to commit in their last epochs. */
    if (!ops->commit || !*ops->commit || ready == step->own->committed)
        return;
    step->own->committed = ready;
    int rc = (*ops->commit)(step->self, ready, wx_cx_enter(step, NULL));
    wx_cx_leave(step->worker);
    check(step, rc, "commit");
}

static bool sink_idle(struct wx_step *step, bool late)
{
    (void)late;
    bool something = step->own->unflushed;
    flush(step);
    return something;
}

const struct wx_step_ops wx_sink_ops = {.open = sink_open,
                                        .run = sink_run,
                                        .marker = sink_marker,
                                        .idle = sink_idle,
                                        .commit = sink_commit,
                                        .close = sink_close};
