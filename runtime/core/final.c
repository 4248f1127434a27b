/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keyed state that is given at the end: FINAL keeps one state per key and hands all of them out at
 * end of input. COMBINE does the same to a worker's own share before the exchange, in a small table
 * that is emptied whenever it is full, at markers and when the worker is idle.
 *
 * Combining pays only when keys repeat: when a full table has swallowed less than two records per
 * key, records go straight through for a while, then it is tried again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/engine.h"
#include "core/table.h"

#define COMBINE_KEYS  (64u << 10) /* keys after which a combining table is emptied */
#define COMBINE_BYTES (8u << 20)  /* or its memory reaches this, strings of the states included */
#define COMBINE_GAIN  2u          /* records per key below which combining does not pay */
#define BYPASS_FIRST  16u   /* records let through after that, in units of the table's fill; */
#define BYPASS_LAST   4096u /* doubled each time in a row that it did not pay, up to this */
#define DEEP_STRIDE                                                                                \
    16u /* keys read from a table at once when they or their states have strings                   \
         */
#define DEEP_BYTES (64u << 10) /* strings after which a batch of them is handed out */

struct wx_step_own {
    struct wx_table table;
    struct wx_table_walk walk;
    bool walking;    /* handing out the table */
    uint64_t taken;  /* COMBINE: records since the table was empty */
    size_t bytes;    /* COMBINE: memory that the table has taken since then */
    uint64_t bypass; /* COMBINE: records still to let through */
    uint32_t rounds; /* COMBINE: fills to let through the next time that it does not pay */
    void *state[WX_BLOCK_RECORDS];
    uint64_t hash[WX_BLOCK_RECORDS]; /* of a batch that came without */
    uint32_t fresh[WX_BLOCK_RECORDS];
    uint8_t is_fresh[WX_BLOCK_RECORDS];
};

static void final_open(struct wx_step *step)
{
    struct wx_step_own *own = wx_calloc(1, sizeof *own);
    const struct wx_shape *shape = &step->node->out[0].shape;
    wx_table_init(&own->table, &step->worker->heap, shape->key, shape->type);
    own->rounds = BYPASS_FIRST;
    step->own = own;
}

static void final_close(struct wx_step *step)
{
    if (!step->own)
        return;
    wx_table_fini(&step->own->table);
    free(step->own);
    step->own = NULL;
}

/* ---- folding --------------------------------------------------------------------------------- */

static void init_fresh(struct wx_step *step, wax_kernel *init, uint32_t fresh_count)
{
    struct wx_step_own *own = step->own;
    void *states[WX_BLOCK_RECORDS];
    for (uint32_t i = 0; i < fresh_count; i++)
        states[i] = own->state[own->fresh[i]];
    wax_io io = {.n = fresh_count, .state = states, .cx = wx_cx_enter(step, NULL)};
    init(&io);
    wx_cx_leave(step->worker);
}

/* Runs the user's kernel over the batch; records it refuses follow the policy. False: stop. */
static bool fold_body(struct wx_step *step, struct wx_batch *in, wax_kernel *kernel)
{
    wax_io *io = &step->io;
    io->at = 0;
    io->n = in->n;
    io->in = in->rec;
    io->keys = in->keys;
    io->state = step->own->state;
    io->fresh = step->own->is_fresh;
    while (io->at < in->n) {
        io->cx = wx_cx_enter(step, NULL);
        int rc = kernel(io);
        wx_table_keep(&step->own->table, in->n, step->own->state); /* before scratch memory goes */
        wx_cx_leave(step->worker);
        bool failed = step->worker->cx.failed;
        uint32_t index = rc < 0 ? io->at : io->at - 1;
        if ((rc < 0 || failed) && !wx_step_refuse(step, in, index))
            return false;
        io->at += rc < 0;
    }
    return true;
}

static bool fold(struct wx_step *step, struct wx_batch *in)
{
    struct wx_step_own *own = step->own;
    const wax_op *op = step->node->step->op;
    enum wx_fold how = step->node->fold;
    const uint64_t *hash = in->hash;
    if (!hash) {
        wx_batch_hashes(in, own->hash);
        hash = own->hash;
    }
    if (how == WX_FOLD_COUNT || how == WX_FOLD_SUM) {
        /* A batch without records is one of ones; what is counted has records, but each counts as
         * one. */
        const void *add = how == WX_FOLD_SUM ? in->rec : NULL;
        wx_table_add(&own->table, in->n, in->keys, hash, add);
        return true;
    }
    uint32_t fresh = wx_table_upsert(&own->table, in->n, in->keys, hash, own->state, own->fresh);
    switch (how) {
    case WX_FOLD_REDUCE:
        memset(own->is_fresh, 0, in->n);
        for (uint32_t i = 0; i < fresh; i++)
            own->is_fresh[own->fresh[i]] = 1;
        return fold_body(step, in, op->kernel);
    case WX_FOLD_BODY:
    case WX_FOLD_MERGE:
        if (fresh && op->init && *op->init)
            init_fresh(step, *op->init, fresh);
        return fold_body(step, in, how == WX_FOLD_BODY ? op->kernel : *op->merge);
    default:
        return false;
    }
}

/* ---- handing out ----------------------------------------------------------------------------- */

/*
 * Fills `out` with keys of the table and copies of their strings: the table may be emptied while
 * the batch is still under way. Few at a time, so that a batch ends when it has strings enough.
 */
static void read_deep(struct wx_step *step, struct wx_batch *out)
{
    struct wx_step_own *own = step->own;
    struct wx_pool *pool = step->worker->pool;
    const struct wx_shape *shape = out->shape;
    struct wx_batch_memory memory = wx_batch_memory(pool, out);
    struct wx_batch *few = wx_batch_create(pool, shape, DEEP_STRIDE);
    while (out->n < out->cap && wx_batch_arena_bytes(out) <= DEEP_BYTES) {
        uint32_t room = out->cap - out->n < few->cap ? out->cap - out->n : few->cap;
        uint32_t n = wx_table_read(&own->table, &own->walk, room, few->keys, few->hash, few->rec);
        if (n == 0)
            break;
        wx_type_copy(shape->key, (char *)out->keys + (size_t)out->n * shape->key->size, few->keys,
                     n, &memory.memory);
        wx_type_copy(shape->type, out->rec + (size_t)out->n * shape->type->size, few->rec, n,
                     &memory.memory);
        memcpy(out->hash + out->n, few->hash, n * sizeof *out->hash);
        out->n += n;
    }
    wx_batch_put(pool, few);
}

/* One batch of the table's contents. False: there was nothing left. */
static bool hand_out_batch(struct wx_step *step)
{
    struct wx_step_own *own = step->own;
    struct wx_pool *pool = step->worker->pool;
    const struct wx_shape *shape = &step->node->out[0].shape;
    struct wx_batch *out = wx_batch_create(pool, shape, wx_shape_cap(shape));
    if (own->table.strings || !own->table.flat)
        read_deep(step, out);
    else
        out->n = wx_table_read(&own->table, &own->walk, out->cap, out->keys, out->hash, out->rec);
    if (out->n == 0) {
        wx_batch_put(pool, out);
        return false;
    }
    out->epoch = step->passed + 1;
    out->entered = step->worker->cx.now;
    step->out += out->n;
    wx_step_emit(step, 0, out);
    return true;
}

/* True when the table has been handed out and is empty; false with output pending. */
static bool hand_out(struct wx_step *step)
{
    struct wx_step_own *own = step->own;
    if (!own->walking) {
        own->walking = true;
        own->walk = (struct wx_table_walk){0};
    }
    while (hand_out_batch(step))
        if (!wx_step_flush(step))
            return false;
    wx_table_clear(&own->table);
    own->walking = false;
    own->taken = 0;
    own->bytes = 0;
    return true;
}

/* ---- final ----------------------------------------------------------------------------------- */

static bool final_run(struct wx_step *step, struct wx_batch *in)
{
    return fold(step, in);
}

static bool final_marker(struct wx_step *step, uint64_t epoch)
{
    return epoch != WX_EPOCH_END || hand_out(step);
}

const struct wx_step_ops wx_final_ops = {
    .open = final_open, .run = final_run, .marker = final_marker, .close = final_close};

/* ---- combine --------------------------------------------------------------------------------- */

static bool is_full(const struct wx_step_own *own)
{
    return own->table.used >= COMBINE_KEYS || own->bytes >= COMBINE_BYTES;
}

/* A record may go through as it is when it looks like the state that it would become. */
static bool can_bypass(const struct wx_step *step)
{
    return step->node->fold != WX_FOLD_BODY;
}

/* The table is full: has combining paid? */
static void judge(struct wx_step *step)
{
    struct wx_step_own *own = step->own;
    if (own->taken >= (uint64_t)COMBINE_GAIN * own->table.used) {
        own->rounds = BYPASS_FIRST;
    } else if (can_bypass(step)) {
        own->bypass = own->rounds * own->taken;
        own->rounds = own->rounds < BYPASS_LAST ? own->rounds * 2 : BYPASS_LAST;
    }
}

static bool combine_run(struct wx_step *step, struct wx_batch *in)
{
    struct wx_step_own *own = step->own;
    if (own->walking || is_full(own)) {
        if (!own->walking)
            judge(step);
        if (!hand_out(step))
            return false;
    }
    if (own->bypass) {
        own->bypass = own->bypass > in->n ? own->bypass - in->n : 0;
        step->out += in->n;
        wx_step_emit(step, 0, wx_batch_pass(step->worker->pool, in));
        return true;
    }
    own->taken += in->n;
    size_t before = step->worker->heap.used;
    bool done = fold(step, in);
    own->bytes += step->worker->heap.used - before; /* nobody else draws on the heap meanwhile */
    return done;
}

static bool combine_marker(struct wx_step *step, uint64_t epoch)
{
    (void)epoch;
    return hand_out(step);
}

static bool combine_idle(struct wx_step *step, bool late)
{
    if (late || step->batch_n || (!step->own->walking && step->own->table.used == 0))
        return false;
    return wx_step_flush(step) && (hand_out(step), true);
}

const struct wx_step_ops wx_combine_ops = {.open = final_open,
                                           .run = combine_run,
                                           .marker = combine_marker,
                                           .idle = combine_idle,
                                           .close = final_close};
