/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_HASH_H
#define WX_HASH_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <wax/type.h>

/*
 * Hashes of keys. They decide which worker owns a key and are part of what is stored, so they are
 * the same on every machine and never change. Good in the top bits (partition) and in the bottom
 * bits (table slot). Not meant against keys chosen to collide.
 */

#define WX_HASH_MUL1   UINT64_C(0xff51afd7ed558ccd)
#define WX_HASH_MUL2   UINT64_C(0xc4ceb9fe1a85ec53)
#define WX_HASH_UNMUL1 UINT64_C(0x4f74430c22a54005) /* inverse of MUL1 modulo 2^64 */
#define WX_HASH_UNMUL2 UINT64_C(0x9cb4b2f8129337db) /* inverse of MUL2 modulo 2^64 */
#define WX_HASH_SHIFT  33 /* more than half the bits, so that x ^= x >> SHIFT undoes itself */

/*
 * Two rounds of multiply and fold (the constants of MurmurHash3's finaliser). A bijection: a table
 * may keep the hash alone and give the key back. Key 0 has hash 0. Straight-line code that
 * vectorises over a column.
 */
static inline uint64_t wx_hash_i64(int64_t key)
{
    uint64_t x = (uint64_t)key;
    x ^= x >> WX_HASH_SHIFT;
    x *= WX_HASH_MUL1;
    x ^= x >> WX_HASH_SHIFT;
    x *= WX_HASH_MUL2;
    x ^= x >> WX_HASH_SHIFT;
    return x;
}

static inline int64_t wx_unhash_i64(uint64_t hash)
{
    uint64_t x = hash ^ hash >> WX_HASH_SHIFT;
    x *= WX_HASH_UNMUL2;
    x ^= x >> WX_HASH_SHIFT;
    x *= WX_HASH_UNMUL1;
    x ^= x >> WX_HASH_SHIFT;
    return (int64_t)x;
}

static __attribute__((noinline, unused)) uint64_t wx_hash_long_str_(wax_str s)
{
    return XXH3_64bits(s.ptr, s.len);
}

#define WX_HASH_SHORT 16u /* bytes hashed by a few inlined instructions */

/* XXH3, 64 bits. An absent string hashes like an empty one. */
static inline uint64_t wx_hash_str(wax_str s)
{
    if (__builtin_expect(s.len > WX_HASH_SHORT, 0))
        return wx_hash_long_str_(s);
    return XXH3_64bits(s.ptr, s.len); /* the compiler drops all but the code for short ones */
}

#endif /* WX_HASH_H */
