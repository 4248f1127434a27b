/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_BATCH_H
#define WX_BATCH_H

#include <wax/type.h>

#include <stdatomic.h>

#include "core/type.h"

/*
 * A batch is up to `cap` records of one shape, with a key and a hash column when keyed, and the
 * memory their strings live in. It is the only thing that moves. At any time one worker holds it,
 * through one or more references; only exchange blocks change workers, and those have a single
 * reference.
 */

#define WX_BATCH_RECORDS 1024u /* most records in a batch */
#define WX_BATCH_BYTES                                                                             \
    (16u * 1024) /* a batch of larger records holds fewer of them, at least 16                     \
                  */
#define WX_BLOCK_RECORDS                                                                           \
    (2 * WX_BATCH_RECORDS)      /* most in an exchange block, so in any batch at all */
#define WX_EPOCH_END UINT64_MAX /* the marker that says: end of input */

/* What travels on a stream: the record type and the key type (NULL, wax_str or int64_t). */
struct wx_shape {
    const wax_type *type;
    const wax_type *key;
    bool ones; /* `type` is int64_t and batches have no record column: see wx_batch.rec */
    bool lean; /* batches have no hash column: whoever needs hashes computes them */
};

struct wx_waker;

/* Bytes a receiver has given back, in total; written by the receiver's thread, read by the
 * sender's. */
struct wx_credit {
    _Atomic uint64_t returned;
    struct wx_waker
        *waker; /* of the sender, when it is another thread that may wait for room; or NULL */
};

struct wx_pool;

struct wx_batch {
    struct wx_batch *next; /* in a list: of whoever owns the batch */
    struct wx_pool *home;  /* the pool its memory goes back to */
    struct wx_batch
        *parent; /* a batch that `rec` or strings point into, or NULL; one reference is held */
    struct wx_chunk *arena;   /* own string memory, newest chunk first */
    struct wx_credit *credit; /* told `charge` when the batch is released, or NULL */
    uint32_t charge;          /* bytes */
    uint32_t refs;
    uint32_t n, cap;
    bool marker;        /* no records: everything of `epoch` came before */
    uint8_t port;       /* the output of the step that it leaves by */
    uint64_t epoch;     /* the epoch of the records, or that the marker closes */
    wax_time entered;   /* when the oldest record came into the dataflow */
    wax_time watermark; /* in-band event time; WX_NO_WATERMARK: none */
    bool idle;          /* the sender's sources are idle: its watermark does not count */
    const struct wx_shape *shape;
    char *rec;      /* the records; NULL: they are int64_t, and each is 1 */
    void *keys;     /* wax_str or int64_t, or NULL */
    uint64_t *hash; /* of the keys, or NULL */
    bool hashed;    /* exchange blocks: is the hash column filled? */
    size_t size;    /* of this block, bytes */
};
#define WX_NO_WATERMARK INT64_MIN

/* A worker's memory for batches. Used by its worker only; batches come home from others. */
struct wx_pool *wx_pool_create(void);
/* After every thread that may hold its batches has ended. NULL does nothing. */
void wx_pool_destroy(struct wx_pool *pool);
/* Bytes handed out and not yet back, and the most there ever were. */
size_t wx_pool_used(const struct wx_pool *pool);
size_t wx_pool_peak(const struct wx_pool *pool);

/* How many records of `shape` fit in a batch. */
uint32_t wx_shape_cap(const struct wx_shape *shape);

/* An empty batch for `cap` records of `shape`, one reference. Columns are uninitialised. Returns
 * owned. */
struct wx_batch *wx_batch_create(struct wx_pool *pool, const struct wx_shape *shape, uint32_t cap);
/* The records of `parent` under another shape, with key columns of its own. Takes a reference to
 * it. */
struct wx_batch *wx_batch_view(struct wx_pool *pool, const struct wx_shape *shape,
                               struct wx_batch *parent);
/* For a step that passes `batch` on as it is: the batch itself, with one more reference, when
 * nobody else holds it, else an alias (a batch can only be in one list). */
struct wx_batch *wx_batch_pass(struct wx_pool *pool, struct wx_batch *batch);
/* The marker of `epoch`. Returns owned. */
struct wx_batch *wx_batch_marker(struct wx_pool *pool, uint64_t epoch);

struct wx_batch *wx_batch_ref(struct wx_batch *batch);
/* Drop a reference; the last one releases the batch. `pool` is the calling worker's. NULL does
 * nothing. */
void wx_batch_put(struct wx_pool *pool, struct wx_batch *batch);

/* Fills the hash column from the keys. */
void wx_batch_hash(struct wx_batch *batch);
/* The hashes of the keys, to `hash`. */
void wx_batch_hashes(const struct wx_batch *batch, uint64_t *hash);

/* `size` bytes that live with `batch`; 16-byte aligned. `pool` is the calling worker's own. */
void *wx_batch_alloc(struct wx_pool *pool, struct wx_batch *batch, size_t size);
/* Bytes of own string memory. */
size_t wx_batch_arena_bytes(const struct wx_batch *batch);
/* Memory, columns and strings, that this batch keeps from being reused. */
size_t wx_batch_bytes(const struct wx_batch *batch);

/* The arena of a batch, for wx_type_copy(). */
struct wx_batch_memory {
    struct wx_memory memory; /* first */
    struct wx_pool *pool;
    struct wx_batch *batch;
};
struct wx_batch_memory wx_batch_memory(struct wx_pool *pool, struct wx_batch *batch);

#endif /* WX_BATCH_H */
