/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_TABLE_H
#define WX_TABLE_H

#include "core/batch.h"
#include "core/heap.h"

/*
 * Keyed state: one value of a type per key, looked up a batch at a time. Keys are divided by the
 * top bits of their hash into virtual partitions, each an open-addressing table of its own: a table
 * grows one partition at a time, so no lookup waits long, and a range of partitions can be stored
 * or moved by itself. Used by one worker.
 */
#define WX_PARTITION_BITS 10u
#define WX_PARTITIONS     (1u << WX_PARTITION_BITS)

static inline uint32_t wx_partition_of(uint64_t hash)
{
    return (uint32_t)(hash >> (64 - WX_PARTITION_BITS));
}

struct wx_subtable {
    char *buckets;
    uint32_t count; /* buckets: a power of two, or 0 */
    uint32_t used;  /* keys */
};

struct wx_table {
    struct wx_heap *heap;
    const wax_type *key, *state;
    bool strings;                  /* keys are wax_str, else int64_t */
    bool flat;                     /* states hold no pointers */
    uint32_t place;                /* bytes of a key's place in a bucket, its hash apart */
    uint32_t bucket;               /* bytes of a bucket */
    uint32_t at_state;             /* where the state stands in a place */
    uint64_t used;                 /* keys */
    uint16_t crowd[WX_PARTITIONS]; /* partitions above their load: grown before the next batch */
    uint32_t crowd_count;
    char *zero; /* the place of the one int64_t key whose hash is 0, or NULL */
    struct wx_subtable part[WX_PARTITIONS];
};

/* Borrows heap and types. */
void wx_table_init(struct wx_table *table, struct wx_heap *heap, const wax_type *key,
                   const wax_type *state);
void wx_table_fini(struct wx_table *table);

/*
 * The states of `n` keys (at most WX_BLOCK_RECORDS), made zeroed where missing; `fresh` gets the
 * indices of those, in order, and the result is how many. Pointers hold until the next call.
 * Strings are copied.
 */
uint32_t wx_table_upsert(struct wx_table *table, uint32_t n, const void *keys, const uint64_t *hash,
                         void **state, uint32_t *fresh);

/*
 * For states that are an int64_t: adds add[i], or 1 where `add` is NULL, to the number of key i.
 * Any `n`. The same as wx_table_upsert() and a loop over the states, at half the cost.
 */
void wx_table_add(struct wx_table *table, uint32_t n, const void *keys, const uint64_t *hash,
                  const int64_t *add);

/*
 * After states were changed by a body: what they point to and do not own yet is copied into memory
 * of their own. Nothing to do for flat states.
 */
void wx_table_keep(struct wx_table *table, uint32_t n, void *const *state);

/* Where a walk over all keys stands. Zeroed: at the start. */
struct wx_table_walk {
    uint32_t part, place;
    bool zero_done;
};
/* Up to `cap` keys, hashes and states from `walk` on; returns how many, 0 at the end. Strings and
 * what states point to are borrowed from the table. */
uint32_t wx_table_read(const struct wx_table *table, struct wx_table_walk *walk, uint32_t cap,
                       void *keys, uint64_t *hash, void *states);
/* Forget all keys; memory is kept for the next ones where it is small. */
void wx_table_clear(struct wx_table *table);

#endif /* WX_TABLE_H */
