/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps without state: they call the user's kernel on a batch and hand on what it wrote.
 *
 * Output of one input batch is one batch, or several when it does not fit. An output batch holds on
 * to its input (`parent`) when its strings may point there. Keys follow by the `from` column that
 * the kernel fills.
 */
#include <string.h>

#include "base/log.h"
#include "core/engine.h"

#define STRINGS_MAX  (64u << 10) /* a batch with more string memory goes out at once */
#define STRIDE_FIRST 16u
#define STRIDE_MAX   128u

/* Does an output of `out` point into its input? Keys of a keyed stream are strings of the input,
 * too. */
static bool borrows(const struct wx_shape *out)
{
    return !wx_type_is_flat(out->type) || (out->key && out->key->kind == WAX_STR);
}

static struct wx_batch *new_output(struct wx_step *step, uint32_t port, struct wx_batch *in)
{
    const struct wx_shape *shape = &step->node->out[port].shape;
    struct wx_batch *out = wx_batch_create(step->worker->pool, shape, wx_shape_cap(shape));
    out->epoch = in->epoch;
    out->entered = in->entered;
    if (borrows(shape))
        out->parent = wx_batch_ref(in);
    return out;
}

/* The keys and hashes of out[begin..end) are those of the records they came from. */
static void carry_keys(const struct wx_batch *in, struct wx_batch *out, const uint32_t *from,
                       uint32_t begin, uint32_t end)
{
    if (!out->keys)
        return;
    if (out->shape->key->kind == WAX_STR) {
        const wax_str *keys = in->keys;
        for (uint32_t i = begin; i < end; i++)
            ((wax_str *)out->keys)[i] = keys[from[i]];
    } else {
        const int64_t *keys = in->keys;
        for (uint32_t i = begin; i < end; i++)
            ((int64_t *)out->keys)[i] = keys[from[i]];
    }
    for (uint32_t i = begin; i < end; i++)
        out->hash[i] = in->hash[from[i]];
}

/* ---- output that chains: flat_map and sources ------------------------------------------------ */

void wax_cursor_grow_(wax_cursor *c)
{
    wax_cx *cx = c->cx;
    struct wx_step *step = cx->step;
    struct wx_worker *worker = step->worker;
    struct wx_batch *full = cx->out;
    uint32_t size = full->shape->type->size;
    cx->fanout += (uint64_t)full->cap * size;
    if (cx->fanout > worker->config.limits.fanout_max) {
        wax_fail(cx, "more than %llu bytes of results from one record (--max-fanout)",
                 (unsigned long long)worker->config.limits.fanout_max);
        if (full != cx->first) {
            c->next = full->rec; /* the record has failed: what follows is overwritten */
            c->from = worker->from;
            return;
        }
    }
    full->n = (uint32_t)((size_t)(c->next - full->rec) / size);
    if (c->keyed) {
        carry_keys(step->slot[step->next_slot].batch, full, worker->from, step->keyed, full->n);
        step->keyed = 0;
        c->from = worker->from;
    }
    struct wx_batch *more = wx_batch_create(worker->pool, full->shape, full->cap);
    more->epoch = full->epoch;
    more->entered = full->entered;
    if (full->parent)
        more->parent = wx_batch_ref(full->parent);
    full->next = more;
    cx->out = more;
    c->next = c->rec = more->rec;
    c->end = more->rec + (size_t)more->cap * size;
    c->stop = 0;
}

/* Puts the batches chained behind `first`. */
static void drop_chain(struct wx_step *step, struct wx_batch *first)
{
    for (struct wx_batch *batch = first->next, *next; batch; batch = next) {
        next = batch->next;
        wx_batch_put(step->worker->pool, batch);
    }
    first->next = NULL;
}

void wax_cursor_undo_(wax_cursor *c, char *next)
{
    wax_cx *cx = c->cx;
    struct wx_step *step = cx->step;
    struct wx_batch *first = cx->first;
    uint32_t size = first->shape->type->size;
    uint32_t len = (uint32_t)((size_t)(next - first->rec) / size);
    if (cx->out != first) {
        drop_chain(step, first);
        cx->out = first;
        step->keyed = len;
        c->rec = first->rec;
        c->end = first->rec + (size_t)first->cap * size;
    }
    c->next = next;
    c->from = step->worker->from + len;
}

/* ---- kernel steps ---------------------------------------------------------------------------- */

static void kernel_open(struct wx_step *step)
{
    const struct wx_flow_step *user = step->node->step;
    step->stride = wx_type_is_flat(user->op->out) ? WX_BLOCK_RECORDS : STRIDE_FIRST;
    wx_self_open(step, user->op->self, user->self, &step->self);
}

static void kernel_close(struct wx_step *step)
{
    wx_self_close(step, step->node->step->op->self, step->self);
    wx_batch_put(step->worker->pool, step->built);
    wx_batch_put(step->worker->pool, step->built_rest);
}

static bool is_branch(const struct wx_step *step)
{
    return step->node->step->verb == WX_BRANCH;
}

/*
 * A body may give long strings for each record of a batch, and a kernel is not stopped in between:
 * it is called for so many records that their strings are about as much as a batch should have.
 */
static void adapt_stride(struct wx_step *step, size_t strings)
{
    if (strings > STRINGS_MAX)
        step->stride = step->stride > 1 ? step->stride / 2 : 1;
    else if (strings < STRINGS_MAX / 2 && step->stride < STRIDE_MAX)
        step->stride *= 2;
}

/* How many records the next call may do: a kernel of one result each does not look at the room. */
static uint32_t call_until(const struct wx_step *step, uint32_t n)
{
    if (step->node->step->verb == WX_FLAT_MAP)
        return n;
    uint32_t used = step->built->n, cap = step->built->cap;
    if (step->built_rest) {
        used = step->built_rest->n > used ? step->built_rest->n : used;
        cap = step->built_rest->cap < cap ? step->built_rest->cap : cap;
    }
    return n - step->io.at < cap - used ? n : step->io.at + (cap - used);
}

/* One call of the user's kernel on records [io.at, end) of `in`. Returns its result. */
static int call(struct wx_step *step, struct wx_batch *in, uint32_t end)
{
    struct wx_worker *worker = step->worker;
    struct wx_batch *out = step->built, *rest = step->built_rest;
    wax_io *io = &step->io;
    wax_cx *cx = wx_cx_enter(step, out);
    io->n = end;
    io->in = in->rec;
    io->keys = in->keys;
    io->out = out->rec;
    io->kept = out->n;
    io->room = out->cap;
    io->from = out->keys ? worker->from : NULL;
    io->rest = rest ? rest->rec : NULL;
    io->lost = rest ? rest->n : 0;
    io->rest_from = rest && rest->keys ? worker->rest_from : NULL;
    io->self = step->self;
    io->cx = cx;
    step->keyed = out->n;
    int rc = step->node->step->op->kernel(io);
    wx_cx_leave(worker);
    return rc;
}

/* Takes over what the kernel wrote: sizes, keys, and the chain it may have made. */
static void settle(struct wx_step *step, struct wx_batch *in, uint32_t rest_before)
{
    struct wx_worker *worker = step->worker;
    struct wx_batch *last = worker->cx.out;
    last->n = step->io.kept;
    carry_keys(in, last, worker->from, step->keyed, last->n);
    if (step->built_rest) {
        step->built_rest->n = step->io.lost;
        carry_keys(in, step->built_rest, worker->rest_from, rest_before, step->io.lost);
    }
}

static void emit_built(struct wx_step *step)
{
    struct wx_batch *batch = step->built;
    step->built = NULL;
    while (batch) {
        struct wx_batch *next = batch->next;
        step->out += batch->n;
        if (batch->n)
            wx_step_emit(step, 0, batch);
        else
            wx_batch_put(step->worker->pool, batch);
        batch = next;
    }
    batch = step->built_rest;
    step->built_rest = NULL;
    if (batch && batch->n) {
        step->out += batch->n;
        wx_step_emit(step, 1, batch);
    } else {
        wx_batch_put(step->worker->pool, batch);
    }
}

/* Where a call began: to go back there. */
struct before {
    uint32_t at, kept, lost;
};

static void take_back(struct wx_step *step, const struct before *before)
{
    drop_chain(step, step->built);
    step->built->n = before->kept;
    if (step->built_rest)
        step->built_rest->n = before->lost;
}

/*
 * A body refused a record. When the kernel did not stop there (wax_fail() without WAX_FAIL, or a
 * helper such as wax_alloc() that failed), the call is done again record by record. False: the
 * dataflow stops.
 */
static bool handle_failure(struct wx_step *step, struct wx_batch *in, int rc,
                           const struct before *before)
{
    if (rc < 0) {
        step->io.at++;
        return wx_step_refuse(step, in, step->io.at - 1);
    }
    take_back(step, before);
    if (step->io.at - before->at > 1) {
        step->io.at = before->at;
        step->one_by_one = true;
        return true;
    }
    return wx_step_refuse(step, in, before->at);
}

static bool kernel_run(struct wx_step *step, struct wx_batch *in)
{
    while (step->io.at < in->n) {
        if (!step->built)
            step->built = new_output(step, 0, in);
        if (is_branch(step) && !step->built_rest && step->node->out[1].readers)
            step->built_rest = new_output(step, 1, in);
        struct before before = {step->io.at, step->built->n,
                                step->built_rest ? step->built_rest->n : 0};
        uint32_t stride = step->one_by_one ? 1 : step->stride;
        uint32_t end = in->n - step->io.at < stride ? in->n : step->io.at + stride;
        size_t strings_before = wx_batch_arena_bytes(step->built);
        int rc = call(step, in, call_until(step, end));
        settle(step, in, before.lost);
        if (rc < 0 || step->worker->cx.failed) {
            if (!handle_failure(step, in, rc, &before))
                return false;
            continue;
        }
        size_t strings = wx_batch_arena_bytes(step->worker->cx.out);
        adapt_stride(step, strings > strings_before ? strings - strings_before : 0);
        if (step->io.at < end || step->built->n == step->built->cap || strings > STRINGS_MAX) {
            emit_built(step); /* full, or a chain: out with it before going on */
            if (step->pending)
                return false;
        }
    }
    step->one_by_one = false;
    emit_built(step);
    return true;
}

const struct wx_step_ops wx_kernel_ops = {
    .open = kernel_open, .run = kernel_run, .close = kernel_close};

/* ---- inspect --------------------------------------------------------------------------------- */

static void print_record(struct wx_step *step, const struct wx_batch *batch, uint32_t i,
                         struct wx_buf *line)
{
    const struct wx_shape *shape = &step->node->in;
    wx_buf_puts(line, step->node->step->id);
    if (step->node->step->verb == WX_INSPECT_DEBUG)
        wx_buf_printf(line, " W%u @%llu", step->worker->config.index,
                      (unsigned long long)step->passed + 1);
    wx_buf_puts(line, ": ");
    if (batch->keys) {
        wx_type_text(shape->key, (char *)batch->keys + (size_t)i * shape->key->size, line);
        wx_buf_puts(line, "\t");
    }
    if (batch->rec)
        wx_type_text(shape->type, batch->rec + (size_t)i * shape->type->size, line);
    wx_buf_puts(line, "\n");
}

static void inspect_open(struct wx_step *step)
{
    if (step->node->step->op)
        kernel_open(step);
}

static void inspect_close(struct wx_step *step)
{
    if (step->node->step->op)
        kernel_close(step);
}

static bool inspect_run(struct wx_step *step, struct wx_batch *in)
{
    struct wx_worker *worker = step->worker;
    if (step->node->step->op) {
        step->io.n = in->n;
        step->io.in = in->rec;
        step->io.self = step->self;
        step->io.cx = wx_cx_enter(step, NULL);
        step->node->step->op->kernel(&step->io);
        wx_cx_leave(worker);
    } else {
        struct wx_buf text = {.max = SIZE_MAX / 2};
        for (uint32_t i = 0; i < in->n; i++)
            print_record(step, in, i, &text);
        wx_log_raw(text.data, text.len);
        wx_buf_free(&text);
    }
    step->out += in->n;
    wx_step_emit(step, 0, wx_batch_pass(worker->pool, in));
    return true;
}

const struct wx_step_ops wx_inspect_ops = {
    .open = inspect_open, .run = inspect_run, .close = inspect_close};

/* ---- merge, receive -------------------------------------------------------------------------- */

static bool pass_run(struct wx_step *step, struct wx_batch *in)
{
    step->out += in->n;
    wx_step_emit(step, 0, wx_batch_pass(step->worker->pool, in));
    return true;
}

static bool receive_run(struct wx_step *step, struct wx_batch *in)
{
    if (in->hash && !in->hashed)
        wx_batch_hash(in);
    return pass_run(step, in);
}

const struct wx_step_ops wx_merge_ops = {.run = pass_run};
const struct wx_step_ops wx_receive_ops = {.run = receive_run};

/* ---- keys ------------------------------------------------------------------------------------ */

static bool unkey_run(struct wx_step *step, struct wx_batch *in)
{
    struct wx_batch *out = wx_batch_view(step->worker->pool, &step->node->out[0].shape, in);
    step->out += in->n;
    wx_step_emit(step, 0, out);
    return true;
}

const struct wx_step_ops wx_unkey_ops = {.run = unkey_run};

static bool has_null(const struct wx_batch *out)
{
    const wax_str *keys = out->keys;
    uint32_t nulls = 0;
    for (uint32_t i = 0; i < out->n; i++)
        nulls += keys[i].ptr == NULL;
    return nulls > 0;
}

static void call_key(struct wx_step *step, struct wx_batch *in, struct wx_batch *out,
                     uint32_t begin, uint32_t end)
{
    wax_io *io = &step->io;
    io->at = begin;
    io->n = end;
    io->in = in->rec;
    io->out = out->keys;
    io->cx = wx_cx_enter(step, out);
    step->node->step->op->kernel(io);
    wx_cx_leave(step->worker);
}

/* Some record has no key. Goes through them one by one; `out` keeps the records that have one. */
static bool key_one_by_one(struct wx_step *step, struct wx_batch *in, struct wx_batch *out)
{
    const struct wx_shape *shape = out->shape;
    uint32_t size = shape->ones ? 0 : shape->type->size, kept = 0;
    wax_str *strings = shape->key->kind == WAX_STR ? out->keys : NULL;
    for (uint32_t i = 0; i < in->n; i++) {
        call_key(step, in, out, i, i + 1);
        wax_cx *cx = &step->worker->cx;
        if (!cx->failed && strings && strings[i].ptr == NULL)
            wax_fail(cx, "the key has no value");
        if (cx->failed) {
            if (!wx_step_refuse(step, in, i))
                return false;
            continue;
        }
        if (strings)
            strings[kept] = strings[i];
        else
            ((int64_t *)out->keys)[kept] = ((int64_t *)out->keys)[i];
        if (size)
            memcpy(out->rec + (size_t)kept * size, in->rec + (size_t)i * size, size);
        kept++;
    }
    out->n = kept;
    return true;
}

static bool key_run(struct wx_step *step, struct wx_batch *in)
{
    struct wx_pool *pool = step->worker->pool;
    const struct wx_shape *shape = &step->node->out[0].shape;
    struct wx_batch *out = wx_batch_view(pool, shape, in);
    call_key(step, in, out, 0, in->n);
    if (step->worker->cx.failed || (shape->key->kind == WAX_STR && has_null(out))) {
        wx_batch_put(pool, out);
        out = wx_batch_create(pool, shape, in->n); /* its own records: some will be left out */
        out->parent = wx_batch_ref(in);
        if (!key_one_by_one(step, in, out)) {
            wx_batch_put(pool, out);
            return false;
        }
    }
    wx_batch_hash(out);
    step->out += out->n;
    if (out->n)
        wx_step_emit(step, 0, out);
    else
        wx_batch_put(pool, out);
    return true;
}

const struct wx_step_ops wx_key_ops = {.open = kernel_open, .run = key_run, .close = kernel_close};
