/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source steps: the parts of a source that this worker reads.
 *
 * Every worker lists all parts and takes those that fall to it: part k of a step goes to worker
 * (hash(step id) + k) mod workers, so that the single parts of several steps do not all meet on one
 * worker. A part is read as long as it gives something, up to TURNS_MAX batches, then the next one
 * has its turn: files are read one after the other, endless parts take turns.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/engine.h"

#define TURNS_MAX 256u       /* batches from one part before the next one is asked */
#define PARTS_MAX (1u << 20) /* parts of one source */
#define FDS_MAX   16u

struct part {
    char *name;
    void *self, *pos;
    bool started, waits_fd;
    int fd;
    wax_time wake;
};

struct wx_step_own {
    struct part *part; /* of this worker, those that have not ended */
    uint32_t parts;
    uint32_t next;  /* the part to ask */
    uint32_t turns; /* batches it has given in a row */
};

/* What a source's `parts` function fills. */
struct wax_parts {
    struct wx_step *step;
    uint32_t count; /* of all parts */
    uint32_t first; /* worker of part 0 */
};

static const wax_source_ops *ops_of(const struct wx_step *step)
{
    return step->node->step->src->ops;
}

static void add_part(struct wax_parts *parts, const char *name)
{
    struct wx_step *step = parts->step;
    struct wx_step_own *own = step->own;
    uint32_t workers = step->worker->plan->workers;
    uint32_t owner = (uint32_t)(((uint64_t)parts->first + parts->count++) % workers);
    if (owner != step->worker->config.index)
        return;
    if ((own->parts & (own->parts - 1)) == 0)
        own->part = wx_realloc(own->part, (own->parts ? own->parts * 2 : 1) * sizeof *own->part);
    /* In the worker's heap until its end: records may still point to the name of a part that ended.
     */
    size_t size = strlen(name) + 1;
    char *copy = memcpy(wx_heap_alloc(&step->worker->heap, size), name, size);
    own->part[own->parts++] = (struct part){.name = copy};
}

void wax_part(wax_parts *parts, const char *fmt, ...)
{
    char name[4096];
    va_list args;
    va_start(args, fmt);
    vsnprintf(name, sizeof name, fmt, args);
    va_end(args);
    if (parts->count < PARTS_MAX)
        add_part(parts, name);
    else
        wax_fail(&parts->step->worker->cx, "more than %u parts", PARTS_MAX);
}

static void source_open(struct wx_step *step)
{
    const wax_source_ops *ops = ops_of(step);
    step->own = wx_calloc(1, sizeof *step->own);
    struct wax_parts parts = {
        .step = step,
        .first = wx_id_hash(step->node->step->id) % step->worker->plan->workers,
    };
    if (!ops->parts || !*ops->parts) {
        add_part(&parts, "");
        return;
    }
    wax_cx *cx = wx_cx_enter(step, NULL);
    int rc = (*ops->parts)(step->node->step->src->self, &parts, cx);
    wx_cx_leave(step->worker);
    if (rc < 0 || cx->failed)
        wx_step_stop(step, "%s", cx->failed ? cx->message : "cannot list its parts");
}

static void close_part(struct wx_step *step, struct part *part)
{
    wx_self_close(step, ops_of(step)->self, part->self);
    free(part->pos);
}

static void source_close(struct wx_step *step)
{
    struct wx_step_own *own = step->own;
    if (!own)
        return;
    for (uint32_t i = 0; i < own->parts; i++)
        close_part(step, &own->part[i]);
    free(own->part);
    free(own);
    step->own = NULL;
}

static bool start_part(struct wx_step *step, struct part *part)
{
    const wax_source_ops *ops = ops_of(step);
    part->started = true;
    part->pos = wx_calloc(1, ops->pos ? ops->pos->size : 1);
    if (!wx_self_open(step, ops->self, step->node->step->src->self, &part->self))
        return false;
    if (!ops->start || !*ops->start)
        return true;
    wax_cx *cx = wx_cx_enter(step, NULL);
    int rc = (*ops->start)(part->self, part->pos, wax_from_c(part->name), cx);
    wx_cx_leave(step->worker);
    if (rc < 0 || cx->failed)
        wx_step_stop(step, "part '%s': %s", part->name, cx->failed ? cx->message : "cannot start");
    return rc >= 0 && !cx->failed;
}

/* Hands on what `next` wrote: a batch, or a chain of them. Returns the number of records. */
static uint64_t emit_chain(struct wx_step *step, struct wx_batch *first, uint32_t kept)
{
    uint64_t n = 0;
    step->worker->cx.out->n = kept;
    for (struct wx_batch *batch = first, *next; batch; batch = next) {
        next = batch->next;
        n += batch->n;
        if (batch->n)
            wx_step_emit(step, 0, batch);
        else
            wx_batch_put(step->worker->pool, batch);
    }
    return n;
}

static void end_part(struct wx_step *step, uint32_t i)
{
    struct wx_step_own *own = step->own;
    close_part(step, &own->part[i]);
    memmove(&own->part[i], &own->part[i + 1], (own->parts - i - 1) * sizeof *own->part);
    own->parts--;
    own->next = own->parts ? i % own->parts : 0;
    own->turns = 0;
}

/* True when the part gave something or ended. */
static bool ask(struct wx_step *step, uint32_t i)
{
    struct wx_worker *worker = step->worker;
    struct part *part = &step->own->part[i];
    if (!part->started && !start_part(step, part))
        return true;
    const struct wx_shape *shape = &step->node->out[0].shape;
    struct wx_batch *out = wx_batch_create(worker->pool, shape, wx_shape_cap(shape));
    out->epoch = step->passed + 1;
    out->entered = worker->cx.now;
    wax_cx *cx = wx_cx_enter(step, out);
    cx->wait_fd_count = 0;
    wax_io io = {
        .out = out->rec, .room = out->cap, .self = part->self, .cx = cx, .type = shape->type};
    wax_time wake = 0;
    int rc = ops_of(step)->next(part->self, part->pos, &io, &wake);
    wx_cx_leave(worker);
    uint64_t n = emit_chain(step, out, rc < 0 ? 0 : io.kept);
    step->out += n;
    worker->had_input |= n > 0;
    if (rc < 0 || cx->failed) {
        wx_step_stop(step, "%s%s%s%s", *part->name ? "part '" : "", part->name,
                     *part->name ? "': " : "",
                     cx->failed ? cx->message : "its source gave no reason");
        return true;
    }
    part->waits_fd = n == 0 && cx->wait_fd_count > 0;
    part->fd = part->waits_fd ? cx->wait_fds[0] : -1;
    part->wake = wake;
    if (rc & WAX_EOF)
        end_part(step, i);
    return n > 0 || (rc & WAX_EOF);
}

void wx_source_poll(struct wx_step *step, wax_time *wake)
{
    struct wx_step_own *own = step->own;
    struct wx_worker *worker = step->worker;
    for (uint32_t tried = 0, parts = own->parts; tried < parts; tried++) {
        uint32_t i = own->next;
        struct part *part = &own->part[i];
        if (part->wake <= worker->cx.now && ask(step, i)) {
            worker->activity++;
            if (++own->turns >= TURNS_MAX && own->parts) {
                own->next = (own->next + 1) % own->parts;
                own->turns = 0;
            }
            return;
        }
        if (worker->failed)
            return;
        if (part->waits_fd && worker->wait_fd_count < FDS_MAX)
            worker->wait_fds[worker->wait_fd_count++] = part->fd;
        else if (part->wake == 0)
            worker->soon = true;
        if (part->wake > worker->cx.now && part->wake < *wake)
            *wake = part->wake;
        own->next = (i + 1) % own->parts;
        own->turns = 0;
    }
}

bool wx_source_ended(const struct wx_step *step)
{
    return step->own->parts == 0;
}

const struct wx_step_ops wx_source_ops = {.open = source_open, .close = source_close};
