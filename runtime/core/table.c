/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bucket has four keys: their hashes first, so that one comparison finds the place, then the
 * places.
 *
 *   | hash 0 | hash 1 | hash 2 | hash 3 | place 0 | place 1 | place 2 | place 3 |
 *
 *   a place of an int64_t key:  | state | owned |              the hash is the key (it is a
 * bijection) a place of a wax_str key:   | 16 bytes of key | state | owned |
 *
 * A string of up to 15 bytes stands in its place, so that comparing needs no other memory; a longer
 * one has a copy elsewhere. `owned` {block, size} is there only for states with pointers. With an
 * int64_t key and a count as state a bucket is one cache line. A hash of 0 marks a vacant place;
 * the one int64_t key that has it lives apart, in `zero`. Buckets that are full pass on to the next
 * one. A partition above its load goes on a list and is grown before the next batch, so that the
 * state pointers of a batch stay good; only when one is full altogether the batch is looked up
 * again from its start.
 */
#include "core/table.h"

#include <string.h>

#include "core/hash.h"
#ifdef __AVX2__
#include <immintrin.h>
#endif

#define PLACES 4u /* of a bucket */

struct owned {
    void *block;
    uint64_t size;
};

/* A key in its place: a short one, or a pointer, the length, and FAR in the last byte. */
#define FAR (UINT64_C(0xff) << 56)

static bool over_load(const struct wx_subtable *part)
{
    return part->used * 4 > part->count * PLACES * 3;
}

void wx_table_init(struct wx_table *table, struct wx_heap *heap, const wax_type *key,
                   const wax_type *state)
{
    memset(table, 0, sizeof *table);
    table->heap = heap;
    table->key = key;
    table->state = state;
    table->strings = key->kind == WAX_STR;
    table->flat = wx_type_is_flat(state);
    table->at_state = table->strings ? sizeof(struct wx_short) : 0;
    table->place = table->at_state + ((state->size + 7) & ~7u);
    if (!table->flat)
        table->place += sizeof(struct owned);
    table->bucket = (uint32_t)(PLACES * (sizeof(uint64_t) + table->place));
}

static inline uint64_t *hashes_of(char *bucket)
{
    return (uint64_t *)(void *)bucket;
}

static inline char *place_at(char *bucket, uint32_t i, size_t place)
{
    return bucket + PLACES * sizeof(uint64_t) + i * place;
}

static inline char *place_of(const struct wx_table *table, char *bucket, uint32_t i)
{
    return place_at(bucket, i, table->place);
}

static struct owned *owned_of(const struct wx_table *table, char *place)
{
    return (struct owned *)(void *)(place + table->place - sizeof(struct owned));
}

static struct wx_short *key_of(char *place)
{
    return (struct wx_short *)(void *)place;
}

/* Bit i: hash i of the bucket is `hash`. */
static inline uint32_t equal_to(const uint64_t *bucket, uint64_t hash)
{
#ifdef __AVX2__
    __m256i have = _mm256_loadu_si256((const __m256i *)(const void *)bucket);
    __m256i same = _mm256_cmpeq_epi64(have, _mm256_set1_epi64x((long long)hash));
    return (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(same));
#else
    return (uint32_t)(bucket[0] == hash) | (uint32_t)(bucket[1] == hash) << 1 |
           (uint32_t)(bucket[2] == hash) << 2 | (uint32_t)(bucket[3] == hash) << 3;
#endif
}

/* ---- string keys ----------------------------------------------------------------------------- */

static inline bool is_far(const struct wx_short *key)
{
    return key->word[1] >= FAR;
}

static inline wax_str far_text(const struct wx_short *key)
{
    return (wax_str){(const char *)(uintptr_t)key->word[0], (uint32_t)key->word[1]};
}

static wax_str text_of(const struct wx_short *key)
{
    if (is_far(key))
        return far_text(key);
    return (wax_str){(const char *)key, (uint32_t)(key->word[1] >> 56)};
}

static bool is_far_text(const struct wx_short *have, wax_str key)
{
    return have->word[1] == (FAR | key.len) && memcmp(far_text(have).ptr, key.ptr, key.len) == 0;
}

/* ---- an end to it ---------------------------------------------------------------------------- */

static void free_place(struct wx_table *table, char *place)
{
    if (table->strings && is_far(key_of(place)))
        wx_heap_free(table->heap, (char *)(uintptr_t)far_text(key_of(place)).ptr,
                     far_text(key_of(place)).len);
    if (!table->flat)
        wx_heap_free(table->heap, owned_of(table, place)->block, owned_of(table, place)->size);
}

static void free_part(struct wx_table *table, struct wx_subtable *part)
{
    bool deep = table->strings || !table->flat;
    for (uint32_t b = 0; deep && b < part->count; b++) {
        char *bucket = part->buckets + (size_t)b * table->bucket;
        for (uint32_t i = 0; i < PLACES; i++)
            if (hashes_of(bucket)[i])
                free_place(table, place_of(table, bucket, i));
    }
    wx_heap_free(table->heap, part->buckets, (size_t)part->count * table->bucket);
    *part = (struct wx_subtable){0};
}

void wx_table_clear(struct wx_table *table)
{
    for (uint32_t p = 0; p < WX_PARTITIONS; p++)
        if (table->part[p].count)
            free_part(table, &table->part[p]);
    if (table->zero) {
        free_place(table, table->zero);
        wx_heap_free(table->heap, table->zero, table->place);
    }
    table->zero = NULL;
    table->used = 0;
    table->crowd_count = 0;
}

void wx_table_fini(struct wx_table *table)
{
    wx_table_clear(table);
}

/* ---- growth ---------------------------------------------------------------------------------- */

/* A vacant place for `hash`, which is marked as taken. There is one. */
static char *take_vacant(const struct wx_table *table, char *buckets, uint32_t count, uint64_t hash)
{
    for (uint64_t at = hash & (count - 1);; at = (at + 1) & (count - 1)) {
        char *bucket = buckets + at * table->bucket;
        uint32_t vacant = equal_to(hashes_of(bucket), 0);
        if (!vacant)
            continue;
        uint32_t i = (uint32_t)__builtin_ctz(vacant);
        hashes_of(bucket)[i] = hash;
        return place_of(table, bucket, i);
    }
}

static void grow(struct wx_table *table, struct wx_subtable *part)
{
    uint32_t count = part->count ? part->count * 2 : 1;
    size_t size = (size_t)count * table->bucket;
    char *buckets = wx_heap_alloc(table->heap, size);
    memset(buckets, 0, size);
    for (uint32_t b = 0; b < part->count; b++) {
        char *from = part->buckets + (size_t)b * table->bucket;
        for (uint32_t i = 0; i < PLACES; i++) {
            uint64_t hash = hashes_of(from)[i];
            if (hash)
                memcpy(take_vacant(table, buckets, count, hash), place_of(table, from, i),
                       table->place);
        }
    }
    wx_heap_free(table->heap, part->buckets, (size_t)part->count * table->bucket);
    part->buckets = buckets;
    part->count = count;
}

static void grow_crowded(struct wx_table *table)
{
    for (uint32_t i = 0; i < table->crowd_count; i++) {
        struct wx_subtable *part = &table->part[table->crowd[i]];
        while (over_load(part))
            grow(table, part);
    }
    table->crowd_count = 0;
}

/* Counts a new key; the partition is noted once, when it passes its load. */
static void count_new(struct wx_table *table, struct wx_subtable *part)
{
    bool before = over_load(part);
    part->used++;
    table->used++;
    if (!before && over_load(part) && table->crowd_count < WX_PARTITIONS)
        table->crowd[table->crowd_count++] = (uint16_t)(part - table->part);
}

/* ---- lookup ---------------------------------------------------------------------------------- */

static char *zero_place(struct wx_table *table, bool *fresh)
{
    *fresh = table->zero == NULL;
    if (*fresh) {
        table->zero = wx_heap_alloc(table->heap, table->place);
        memset(table->zero, 0, table->place);
        table->used++;
    }
    return table->zero;
}

/* A new key's place; NULL: the partition is full, grow it and begin again. */
static __attribute__((noinline)) char *insert(struct wx_table *table, struct wx_subtable *part,
                                              uint64_t hash, const wax_str *key)
{
    if (part->used + 1 >= part->count * PLACES)
        return NULL; /* one place stays vacant, so that every search ends */
    char *place = take_vacant(table, part->buckets, part->count, hash);
    if (key && key->len <= WX_SHORT_MAX) {
        *key_of(place) = wx_short_of(*key);
    } else if (key) {
        char *copy = memcpy(wx_heap_alloc(table->heap, key->len), key->ptr, key->len);
        *key_of(place) = (struct wx_short){{(uintptr_t)copy, FAR | key->len}};
    }
    count_new(table, part);
    return place;
}

/* `place` is table->place: a constant where the caller knows it. */
static inline __attribute__((always_inline)) char *find_i64(struct wx_table *table, uint64_t hash,
                                                            size_t place, bool *fresh)
{
    struct wx_subtable *part = &table->part[wx_partition_of(hash)];
    *fresh = false;
    if (__builtin_expect(part->count == 0 || hash == 0, 0))
        return hash == 0 ? zero_place(table, fresh) : NULL;
    uint32_t mask = part->count - 1;
    size_t size = PLACES * (sizeof(uint64_t) + place);
    for (uint32_t at = (uint32_t)hash & mask;; at = (at + 1) & mask) {
        char *bucket = part->buckets + at * size;
        uint32_t found = equal_to(hashes_of(bucket), hash);
        if (__builtin_expect(found != 0, 1))
            return place_at(bucket, (uint32_t)__builtin_ctz(found), place);
        if (equal_to(hashes_of(bucket), 0)) {
            *fresh = true;
            return insert(table, part, hash, NULL);
        }
    }
}

static inline char *find_str(struct wx_table *table, const wax_str *key, uint64_t hash, bool *fresh)
{
    struct wx_subtable *part = &table->part[wx_partition_of(hash)];
    hash += hash == 0;
    *fresh = false;
    if (__builtin_expect(part->count == 0, 0))
        return NULL;
    bool is_near = key->len <= WX_SHORT_MAX;
    struct wx_short near = {{0, 0}};
    if (is_near)
        near = wx_short_of(*key);
    uint32_t mask = part->count - 1;
    for (uint32_t at = (uint32_t)hash & mask;; at = (at + 1) & mask) {
        char *bucket = part->buckets + (size_t)at * table->bucket;
        uint32_t found = equal_to(hashes_of(bucket), hash);
        for (; found; found &= found - 1) {
            char *place = place_of(table, bucket, (uint32_t)__builtin_ctz(found));
            const struct wx_short *have = key_of(place);
            if (is_near ? have->word[0] == near.word[0] && have->word[1] == near.word[1]
                        : is_far_text(have, *key))
                return place;
        }
        if (equal_to(hashes_of(bucket), 0)) {
            *fresh = true;
            return insert(table, part, hash, key);
        }
    }
}

/*
 * Where each key's search will begin, fetched ahead: by the time it is looked at it is in the
 * cache. Inlined by force: gcc takes a function that only prefetches for one without effect, and
 * drops the call.
 */
static inline __attribute__((always_inline)) void prefetch(const struct wx_table *table, uint32_t n,
                                                           const uint64_t *hash)
{
    size_t size = table->bucket;
    for (uint32_t i = 0; i < n; i++) {
        const struct wx_subtable *part = &table->part[wx_partition_of(hash[i])];
        const char *bucket = part->buckets + (hash[i] & (part->count - 1u)) * size;
        __builtin_prefetch(bucket, 1);
        if (size > 64)
            __builtin_prefetch(bucket + 64, 1);
    }
}

#define CACHED_KEYS 4096u /* tables of no more keys are in the cache anyway */
#define AHEAD                                                                                      \
    64u /* keys fetched ahead: enough to hide memory, few enough to stay in the first cache */

/* Finds or makes the states of all `n` keys; false when a partition had to be grown on the way. */
static inline __attribute__((always_inline)) bool find_all(struct wx_table *table, uint32_t n,
                                                           const wax_str *strings,
                                                           const uint64_t *hash, void **state,
                                                           uint8_t *is_new)
{
    bool large = table->used > CACHED_KEYS;
    size_t at_state = strings ? sizeof(struct wx_short) : 0;
    for (uint32_t begin = 0; begin < n; begin += AHEAD) {
        uint32_t end = n - begin < AHEAD ? n : begin + AHEAD;
        uint32_t next = n - end < AHEAD ? n - end : AHEAD;
        if (large)
            prefetch(table, next, hash + end);
        for (uint32_t i = begin; i < end; i++) {
            bool made;
            char *place = strings ? find_str(table, &strings[i], hash[i], &made)
                                  : find_i64(table, hash[i], table->place, &made);
            if (__builtin_expect(!place, 0)) {
                grow(table, &table->part[wx_partition_of(hash[i])]);
                return false;
            }
            is_new[i] |= made;
            state[i] = place + at_state;
        }
    }
    return true;
}

uint32_t wx_table_upsert(struct wx_table *table, uint32_t n, const void *keys, const uint64_t *hash,
                         void **state, uint32_t *fresh)
{
    uint8_t is_new[WX_BLOCK_RECORDS]; /* made by this call, also after beginning again */
    uint64_t used = table->used;
    WX_ASSERT(n <= WX_BLOCK_RECORDS);
    memset(is_new, 0, n);
    grow_crowded(table);
    if (table->used > CACHED_KEYS)
        prefetch(table, n < AHEAD ? n : AHEAD, hash);
    /* Where a partition was grown, pointers found before may have moved: look all up again. */
    if (table->strings)
        while (!find_all(table, n, keys, hash, state, is_new))
            ;
    else
        while (!find_all(table, n, NULL, hash, state, is_new))
            ;
    if (table->used == used)
        return 0;
    uint32_t fresh_count = 0;
    for (uint32_t i = 0; i < n; i++) {
        fresh[fresh_count] = i;
        fresh_count += is_new[i];
    }
    return fresh_count;
}

/* ---- adding ---------------------------------------------------------------------------------- */

/* Adds to the numbers of the keys from `i` on, up to AHEAD of them; `place` as for find_i64(). */
static inline __attribute__((always_inline)) void add_some(struct wx_table *table, uint32_t i,
                                                           uint32_t end, const wax_str *strings,
                                                           const uint64_t *hash, const int64_t *add,
                                                           size_t place)
{
    for (; i < end; i++) {
        bool made;
        char *found;
        while (!(found = strings ? find_str(table, &strings[i], hash[i], &made)
                                 : find_i64(table, hash[i], place, &made)))
            grow(table, &table->part[wx_partition_of(hash[i])]);
        *(int64_t *)(void *)(found + (strings ? sizeof(struct wx_short) : 0)) += add ? add[i] : 1;
    }
}

void wx_table_add(struct wx_table *table, uint32_t n, const void *keys, const uint64_t *hash,
                  const int64_t *add)
{
    grow_crowded(table);
    bool large = table->used > CACHED_KEYS;
    if (large)
        prefetch(table, n < AHEAD ? n : AHEAD, hash);
    for (uint32_t begin = 0; begin < n; begin += AHEAD) {
        uint32_t end = n - begin < AHEAD ? n : begin + AHEAD;
        if (large)
            prefetch(table, n - end < AHEAD ? n - end : AHEAD, hash + end);
        if (table->strings)
            add_some(table, begin, end, keys, hash, add, 0);
        else if (add)
            add_some(table, begin, end, NULL, hash, add, sizeof(int64_t));
        else
            add_some(table, begin, end, NULL, hash, NULL, sizeof(int64_t));
    }
}

/* ---- states with pointers -------------------------------------------------------------------- */

struct block_memory {
    struct wx_memory memory;
    char *at, *end;
};

static void *block_alloc(struct wx_memory *memory, size_t size)
{
    struct block_memory *block = (struct block_memory *)(void *)memory;
    char *p = block->at;
    block->at += (size + 7) & ~(size_t)7;
    WX_ASSERT(block->at <= block->end);
    return p;
}

/*
 * A state owns one block with everything it points to. When a body has put something foreign into
 * it, a new block is made of the whole. `owned` stands right behind the state.
 */
static void keep_one(struct wx_table *table, void *state)
{
    struct owned *owned = owned_of(table, (char *)state - table->at_state);
    char *low = owned->block, *high = low + owned->size;
    if (!wx_type_points_outside(table->state, state, low, high))
        return;
    size_t size = wx_type_extra(table->state, state);
    char *block = wx_heap_alloc(table->heap, size);
    struct block_memory memory = {{block_alloc}, block, block + size};
    void *copy = wx_heap_alloc(table->heap, table->state->size);
    wx_type_copy(table->state, copy, state, 1, &memory.memory);
    memcpy(state, copy, table->state->size);
    wx_heap_free(table->heap, copy, table->state->size);
    wx_heap_free(table->heap, owned->block, owned->size);
    *owned = (struct owned){block, size};
}

void wx_table_keep(struct wx_table *table, uint32_t n, void *const *state)
{
    if (table->flat)
        return;
    for (uint32_t i = 0; i < n; i++)
        keep_one(table, state[i]);
}

/* ---- walking --------------------------------------------------------------------------------- */

static void read_place(const struct wx_table *table, char *place, uint32_t k, void *keys,
                       const uint64_t *hash, void *states)
{
    if (table->strings)
        ((wax_str *)keys)[k] = text_of(key_of(place));
    else
        ((int64_t *)keys)[k] = wx_unhash_i64(hash[k]);
    size_t size = table->state->size;
    memcpy((char *)states + k * size, place + table->at_state, size);
}

uint32_t wx_table_read(const struct wx_table *table, struct wx_table_walk *walk, uint32_t cap,
                       void *keys, uint64_t *hash, void *states)
{
    uint32_t n = 0;
    if (table->zero && !walk->zero_done && cap) {
        hash[n] = 0;
        read_place(table, table->zero, n, keys, hash, states);
        n++;
    }
    walk->zero_done |= cap > 0;
    for (; walk->part < WX_PARTITIONS; walk->part++, walk->place = 0) {
        const struct wx_subtable *part = &table->part[walk->part];
        for (; walk->place < part->count * PLACES; walk->place++) {
            char *bucket = part->buckets + (size_t)(walk->place / PLACES) * table->bucket;
            if (!hashes_of(bucket)[walk->place % PLACES])
                continue;
            if (n == cap)
                return n;
            hash[n] = hashes_of(bucket)[walk->place % PLACES];
            read_place(table, place_of(table, bucket, walk->place % PLACES), n, keys, hash, states);
            n++;
        }
    }
    return n;
}
