/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How batches and markers go from step to step.
 *
 * A step hands its pending output to each reader's slot in turn and runs the reader at once, while
 * the batch is in the cache. A reader whose slot is still taken says no; the giver then stops where
 * it is and is called again later. Markers travel in the same slots: a step passes marker e when
 * all its slots have had it, and a slot that is ahead is left alone until then (rule R3).
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "core/engine.h"

/* ---- handing over ---------------------------------------------------------------------------- */

void wx_step_emit(struct wx_step *step, uint32_t port, struct wx_batch *batch)
{
    if (step->node->out[port].readers == 0) {
        wx_batch_put(step->worker->pool, batch);
        return;
    }
    batch->port = (uint8_t)port;
    batch->next = NULL;
    *step->pending_end = batch;
    step->pending_end = &batch->next;
}

/* The step that reads `reader` takes `batch`, if its slot is free or can be freed by running it. */
static bool hand_to(struct wx_worker *worker, const struct wx_reader *reader,
                    struct wx_batch *batch)
{
    struct wx_step *step = &worker->step[reader->node];
    struct wx_slot *slot = &step->slot[reader->slot];
    if (slot->batch) {
        wx_step_run(step);
        if (slot->batch)
            return false;
    }
    slot->batch = batch;
    return true;
}

bool wx_step_flush(struct wx_step *step)
{
    struct wx_worker *worker = step->worker;
    for (struct wx_batch *batch; (batch = step->pending);) {
        const struct wx_out *out = &step->node->out[batch->port];
        for (; step->next_reader < out->readers; step->next_reader++) {
            const struct wx_reader *reader = &out->reader[step->next_reader];
            if (worker->failed || !hand_to(worker, reader, batch))
                return false;
            if (step->next_reader + 1 < out->readers)
                wx_batch_ref(batch);
            else
                break; /* the last reader has our reference: `batch` may be gone after it runs */
            wx_step_run(&worker->step[reader->node]);
        }
        const struct wx_reader *last = &out->reader[out->readers - 1];
        step->pending = batch->next;
        if (!step->pending)
            step->pending_end = &step->pending;
        step->next_reader = 0;
        wx_step_run(&worker->step[last->node]);
    }
    return true;
}

/* ---- running --------------------------------------------------------------------------------- */

/* The next slot with a batch that may be run now; NULL when there is none. */
static struct wx_slot *pick(struct wx_step *step)
{
    uint32_t slots = step->node->slots;
    for (uint32_t i = 0; i < slots; i++) {
        struct wx_slot *slot = &step->slot[(step->next_slot + i) % slots];
        if (slot->passed > step->passed)
            continue; /* ahead: waits for the others */
        if (!slot->batch && step->node->kind == WX_NODE_RECEIVE && step->worker->budget) {
            const struct wx_worker_config *config = &step->worker->config;
            uint32_t from = (uint32_t)(slot - step->slot);
            struct wx_inlet *inlet =
                config->inlets[step->node->edge * step->worker->plan->workers + from];
            slot->batch = inlet->take(inlet);
            step->worker->budget -= slot->batch != NULL;
        }
        if (slot->batch) {
            step->next_slot = (uint32_t)(slot - step->slot);
            return slot;
        }
    }
    return NULL;
}

/* After `slot` had a marker: the step begins to pass it when it was the last one. */
static void take_marker(struct wx_step *step, struct wx_slot *slot)
{
    slot->passed = slot->batch->epoch;
    wx_batch_put(step->worker->pool, slot->batch);
    slot->batch = NULL;
    uint64_t lowest = WX_EPOCH_END;
    for (uint32_t i = 0; i < step->node->slots; i++)
        if (step->slot[i].passed < lowest)
            lowest = step->slot[i].passed;
    if (lowest > step->passed)
        step->marker = lowest;
}

void wx_step_emit_failures(struct wx_step *step)
{
    struct wx_batch *failures = step->failures;
    step->failures = NULL;
    if (failures)
        wx_step_emit(step, step->node->step->failures, failures);
}

static void send_marker(struct wx_step *step, uint64_t epoch)
{
    struct wx_pool *pool = step->worker->pool;
    wx_step_emit_failures(step);
    for (uint32_t port = 0; port < WX_OUTPUTS_MAX; port++)
        if (step->node->out[port].readers)
            wx_step_emit(step, port, wx_batch_marker(pool, epoch));
}

/* True when the marker has been passed. */
static bool pass_marker(struct wx_step *step)
{
    if (step->ops->marker && !step->ops->marker(step, step->marker))
        return false;
    step->passed = step->marker;
    step->marker = 0;
    step->worker->activity++;
    send_marker(step, step->passed);
    return true;
}

void wx_step_run(struct wx_step *step)
{
    struct wx_worker *worker = step->worker;
    while (!worker->failed && wx_step_flush(step)) {
        if (step->marker) {
            if (!pass_marker(step) && !step->pending)
                return; /* a channel is full */
            continue;
        }
        struct wx_slot *slot = pick(step);
        if (!slot)
            return;
        if (slot->batch->marker) {
            take_marker(step, slot);
            continue;
        }
        struct wx_batch *batch = slot->batch;
        if (!step->batch_n) {
            step->batch_n = batch->n;
            step->io.at = 0;
            step->in += batch->n;
            worker->activity++;
        }
        if (step->ops->run(step, batch)) {
            step->batch_n = 0;
            slot->batch = NULL;
            step->next_slot = (step->next_slot + 1) % step->node->slots;
            wx_batch_put(worker->pool, batch);
        } else if (!step->pending) {
            return;
        }
    }
}

/* ---- the context of user code ---------------------------------------------------------------- */

static _Thread_local struct wx_worker
    *running; /* whose body runs on this thread, for crash messages */

wax_cx *wx_cx_enter(struct wx_step *step, struct wx_batch *out)
{
    struct wx_worker *worker = step->worker;
    wax_cx *cx = &worker->cx;
    cx->worker = worker;
    cx->step = step;
    cx->first = cx->out = out;
    cx->fanout = 0;
    cx->failed = false;
    running = worker;
    /* Relaxed: control only shows it. */
    atomic_store_explicit(&worker->status->busy_step, step->node->step->index + 1u,
                          memory_order_relaxed);
    return cx;
}

void wx_cx_leave(struct wx_worker *worker)
{
    wx_batch_put(worker->pool, worker->cx.scratch);
    worker->cx.scratch = NULL;
    running = NULL;
    atomic_store_explicit(&worker->status->busy_step, 0, memory_order_relaxed);
}

uint64_t wx_cx_record_max(wax_cx *cx)
{
    return cx->worker->config.limits.record_max;
}

wax_time wx_worker_now(struct wx_worker *worker)
{
    return worker->config.now(worker->config.now_arg);
}

int wax_fail(wax_cx *cx, const char *fmt, ...)
{
    if (cx->failed)
        return WAX_FAIL; /* the first reason counts */
    cx->failed = true;
    va_list args;
    va_start(args, fmt);
    vsnprintf(cx->message, sizeof cx->message, fmt, args);
    va_end(args);
    return WAX_FAIL;
}

wax_time wax_now(wax_cx *cx)
{
    return cx->now;
}

uint32_t wax_worker(wax_cx *cx)
{
    return cx->worker->config.index;
}

uint32_t wax_worker_count(wax_cx *cx)
{
    return cx->worker->plan->workers;
}

void *wax_alloc(wax_cx *cx, size_t size)
{
    struct wx_worker *worker = cx->worker;
    /* Too much fails the record, but the body may write before it looks: it gets the memory. */
    if (size > worker->config.limits.record_max)
        wax_fail(cx, "%zu bytes asked for: more than --max-record allows (%llu)", size,
                 (unsigned long long)worker->config.limits.record_max);
    if (!cx->out)
        cx->out = cx->scratch = wx_batch_marker(worker->pool, 0);
    return wx_batch_alloc(worker->pool, cx->out, size);
}

wax_str wax_dup(wax_cx *cx, const void *bytes, size_t len)
{
    char *copy = wax_alloc(cx, len);
    if (cx->failed)
        return (wax_str){"", 0};
    if (len)
        memcpy(copy, bytes, len);
    return (wax_str){copy, (uint32_t)len};
}

wax_str wax_fmt(wax_cx *cx, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (len < 0)
        return (wax_str){"", 0};
    if ((size_t)len < sizeof text)
        return wax_dup(cx, text, (size_t)len);
    char *copy = wax_alloc(cx, (size_t)len + 1);
    if (cx->failed)
        return (wax_str){"", 0};
    va_start(args, fmt);
    vsnprintf(copy, (size_t)len + 1, fmt, args);
    va_end(args);
    return (wax_str){copy, (uint32_t)len};
}

wax_str wax_str_lower(wax_cx *cx, wax_str s)
{
    uint32_t i = 0;
    while (i < s.len && !(s.ptr[i] >= 'A' && s.ptr[i] <= 'Z'))
        i++;
    if (i == s.len)
        return s;
    char *copy = wax_alloc(cx, s.len);
    if (cx->failed)
        return s;
    memcpy(copy, s.ptr, i);
    for (; i < s.len; i++)
        copy[i] = (char)(s.ptr[i] >= 'A' && s.ptr[i] <= 'Z' ? s.ptr[i] + ('a' - 'A') : s.ptr[i]);
    return (wax_str){copy, s.len};
}

void wax_wait_fd(wax_cx *cx, int fd)
{
    if (cx->wait_fd_count < sizeof cx->wait_fds / sizeof cx->wait_fds[0])
        cx->wait_fds[cx->wait_fd_count++] = fd;
}

bool wx_self_open(struct wx_step *step, const wax_self *type, const void *value, void **self)
{
    if (!type || type->size == 0)
        return true;
    *self = wx_heap_alloc(&step->worker->heap, type->size);
    memcpy(*self, value, type->size);
    if (!*type->open)
        return true;
    wax_cx *cx = wx_cx_enter(step, NULL);
    int rc = (*type->open)(*self, cx);
    wx_cx_leave(step->worker);
    if (rc < 0 || cx->failed)
        wx_step_stop(step, "%s", cx->failed ? cx->message : "cannot open its resources");
    return rc >= 0 && !cx->failed;
}

void wx_self_close(struct wx_step *step, const wax_self *type, void *self)
{
    if (!self)
        return;
    running = step->worker;
    if (*type->close)
        (*type->close)(self);
    running = NULL;
    wx_heap_free(&step->worker->heap, self, type->size);
}

/* ---- failures -------------------------------------------------------------------------------- */

void wx_worker_stop(struct wx_worker *worker, const char *fmt, ...)
{
    struct wx_shared *shared = worker->shared;
    worker->failed = true;
    uint32_t claimed = 0;
    /* Relaxed: only decides who fills `failure`; `failed` publishes it. */
    if (atomic_compare_exchange_strong_explicit(&shared->failing, &claimed, 1, memory_order_relaxed,
                                                memory_order_relaxed)) {
        va_list args;
        va_start(args, fmt);
        shared->failure.exit_code = WX_EXIT_FAILED;
        vsnprintf(shared->failure.text, sizeof shared->failure.text, fmt, args);
        va_end(args);
        /* Release: pairs with control's acquire before it reads `failure`. */
        atomic_store_explicit(&shared->failed, 1, memory_order_release);
    }
    atomic_store_explicit(&worker->status->state, WX_WORKER_FAILED, memory_order_release);
    shared->notify(shared);
}

void wx_step_stop(struct wx_step *step, const char *fmt, ...)
{
    char text[1200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct wx_worker *worker = step->worker;
    wx_worker_stop(worker, "step '%s' of dataflow '%s' failed on worker %u in epoch %llu: %s",
                   step->node->step->id, worker->plan->flow->name, worker->config.index,
                   (unsigned long long)step->passed + 1, text);
}

#define RECORD_SHOWN 400 /* bytes of a refused record in a message */

static void show_record(const struct wx_shape *shape, const struct wx_batch *batch, uint32_t index,
                        struct wx_buf *text)
{
    if (batch->keys && shape->key) {
        wx_type_text(shape->key, (char *)batch->keys + (size_t)index * shape->key->size, text);
        wx_buf_puts(text, " -> ");
    }
    if (batch->rec)
        wx_type_text(shape->type, batch->rec + (size_t)index * shape->type->size, text);
}

static void divert(struct wx_step *step, const char *message, const struct wx_buf *record)
{
    struct wx_worker *worker = step->worker;
    const struct wx_shape *shape = &step->node->out[step->node->step->failures].shape;
    if (!step->failures)
        step->failures = wx_batch_create(worker->pool, shape, wx_shape_cap(shape));
    struct wx_batch *batch = step->failures;
    struct wx_batch_memory memory = wx_batch_memory(worker->pool, batch);
    const wax_failure failure = {
        .step = wax_from_c(step->node->step->id),
        .message = wax_from_c(message),
        .record = {record->data ? record->data : "", (uint32_t)record->len},
        .at = worker->cx.now,
        .epoch = (int64_t)step->passed + 1,
    };
    wx_type_copy(shape->type, batch->rec + (size_t)batch->n * sizeof failure, &failure, 1,
                 &memory.memory);
    if (++batch->n == batch->cap || wx_batch_arena_bytes(batch) > (64u << 10)) {
        step->failures = NULL;
        wx_step_emit(step, step->node->step->failures, batch);
    }
}

bool wx_step_refuse(struct wx_step *step, const struct wx_batch *batch, uint32_t index)
{
    wax_cx *cx = &step->worker->cx;
    const char *message = cx->failed ? cx->message : "the body gave no reason";
    enum wx_policy policy = step->node->step->policy;
    step->failed++;
    cx->failed = false;
    if (policy == WX_ON_FAILURE_SKIP)
        return true;
    struct wx_buf text = {.max = 1u << 20};
    show_record(&step->node->in, batch, index, &text);
    if (policy == WX_ON_FAILURE_DIVERT) {
        divert(step, message, &text);
    } else {
        int shown = text.len > RECORD_SHOWN ? RECORD_SHOWN : (int)text.len;
        wx_step_stop(step, "%s; record %llu: %.*s%s", message,
                     (unsigned long long)(step->in - step->batch_n + index + 1), shown,
                     text.data ? text.data : "", text.len > RECORD_SHOWN ? "..." : "");
    }
    wx_buf_free(&text);
    return policy == WX_ON_FAILURE_DIVERT;
}

/* ---- crashes --------------------------------------------------------------------------------- */

/* snprintf is not async-signal-safe by the letter; these few lines are. */
static size_t put_text(char *to, size_t at, size_t cap, const char *text)
{
    while (*text && at + 1 < cap)
        to[at++] = *text++;
    to[at] = '\0';
    return at;
}

static size_t put_number(char *to, size_t at, size_t cap, uint64_t n)
{
    char digits[21];
    size_t i = sizeof digits - 1;
    digits[i] = '\0';
    do
        digits[--i] = (char)('0' + n % 10);
    while ((n /= 10));
    return put_text(to, at, cap, digits + i);
}

bool wx_worker_crash_text(uint64_t record, char *text, size_t cap)
{
    const struct wx_worker *worker = running;
    if (!worker || !worker->cx.step || cap == 0)
        return false;
    const struct wx_step *step = worker->cx.step;
    size_t at = put_text(text, 0, cap, "step '");
    at = put_text(text, at, cap, step->node->step->id);
    at = put_text(text, at, cap, "' of dataflow '");
    at = put_text(text, at, cap, worker->plan->flow->name);
    at = put_text(text, at, cap, "', worker ");
    at = put_number(text, at, cap, worker->config.index);
    at = put_text(text, at, cap, ", epoch ");
    at = put_number(text, at, cap, step->passed + 1);
    if (step->batch_n) {
        uint64_t before = step->in - step->batch_n;
        at = put_text(text, at, cap, record ? ", record " : ", one of records ");
        at = put_number(text, at, cap, record ? record : before + step->io.at + 1);
        if (!record) {
            at = put_text(text, at, cap, " to ");
            put_number(text, at, cap, before + step->io.n);
        }
    }
    return true;
}

static wax_kernel *kernel_of(const struct wx_step *step)
{
    const wax_op *op = step->node->step->op;
    switch (step->node->kind) {
    case WX_NODE_KERNEL:
    case WX_NODE_KEY:
    case WX_NODE_INSPECT:
        return op ? op->kernel : NULL;
    case WX_NODE_COMBINE:
    case WX_NODE_FINAL:
        if (step->node->fold == WX_FOLD_COUNT || step->node->fold == WX_FOLD_SUM)
            return NULL;
        return step->node->fold == WX_FOLD_MERGE ? *op->merge : op->kernel;
    default:
        return NULL; /* what a source or sink does again may be seen outside */
    }
}

void wx_worker_replay(void (*before)(uint64_t record))
{
    struct wx_worker *worker = running;
    struct wx_step *step = worker ? worker->cx.step : NULL;
    wax_kernel *kernel = step && step->batch_n ? kernel_of(step) : NULL;
    if (!kernel)
        return;
    wax_io io = step->io;
    uint64_t first = step->in - step->batch_n + 1;
    for (uint32_t i = io.at, end = io.n; i < end; i++) {
        before(first + i);
        io.at = i;
        io.n = i + 1;
        io.kept = io.lost = 0;
        kernel(&io);
    }
}
