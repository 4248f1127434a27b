/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_HASH_H
#define WX_HASH_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string.h>

#include <wax/type.h>

/*
 * Hashes of keys. They decide which worker owns a key and are part of what is stored, so they are
 * the same on every machine and never change. Good in the top bits (partition) and in the bottom
 * bits (table slot). Not meant against keys chosen to collide.
 */

#define WX_HASH_MUL1   UINT64_C(0xff51afd7ed558ccd)
#define WX_HASH_MUL2   UINT64_C(0xc4ceb9fe1a85ec53)
#define WX_HASH_UNMUL1 UINT64_C(0x4f74430c22a54005) /* inverse of MUL1 modulo 2^64 */
#define WX_HASH_SHIFT  32 /* half the bits, so that x ^= x >> SHIFT undoes itself */

/*
 * Fold, multiply, fold: the upper half of the key counts in the lower bits, the multiplication
 * carries all of it to the top, and the last fold brings the top back down. A bijection: a table
 * may keep the hash alone and give the key back. Key 0 has hash 0. One multiplication, because
 * every keyed record pays for it.
 */
static inline uint64_t wx_hash_i64(int64_t key)
{
    uint64_t x = (uint64_t)key;
    x ^= x >> WX_HASH_SHIFT;
    x *= WX_HASH_MUL1;
    x ^= x >> WX_HASH_SHIFT;
    return x;
}

static inline int64_t wx_unhash_i64(uint64_t hash)
{
    uint64_t x = hash ^ hash >> WX_HASH_SHIFT;
    x *= WX_HASH_UNMUL1;
    x ^= x >> WX_HASH_SHIFT;
    return (int64_t)x;
}

#define WX_SHORT_MAX 15u /* bytes of a string that is handled as two words */

/* A string of up to WX_SHORT_MAX bytes: its bytes, zeros, and the length in the last byte. */
struct wx_short {
    uint64_t word[2];
};

static inline uint64_t wx_load_(const char *p, size_t n)
{
    uint64_t word = 0;
    memcpy(&word, p, n); /* `n` is 4 or 8, known where this is inlined */
    return word;
}

/* By at most two overlapping loads, none of them outside of the string. */
static inline struct wx_short wx_short_exact_(const char *p, uint32_t len)
{
    uint64_t low = 0, high = 0;
    if (len > 8) {
        low = wx_load_(p, 8);
        high = wx_load_(p + len - 8, 8) >> (8 * (16 - len));
    } else if (len >= 4) {
        low = wx_load_(p, 4) | wx_load_(p + len - 4, 4) << (8 * (len - 4));
    } else if (len) {
        low = (uint64_t)(uint8_t)p[0] | (uint64_t)(uint8_t)p[len / 2] << (8 * (len / 2)) |
              (uint64_t)(uint8_t)p[len - 1] << (8 * (len - 1));
    }
    return (struct wx_short){{low, high | (uint64_t)len << 56}};
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WX_MAY_OVERREAD 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define WX_MAY_OVERREAD 0
#else
#define WX_MAY_OVERREAD 1
#endif
#else
#define WX_MAY_OVERREAD 1
#endif
#define WX_PAGE 4096u /* the smallest page of any machine */

/*
 * The words of a string of at most WX_SHORT_MAX bytes. Two loads that may reach behind the string,
 * but never into another page, and no branch on the length, which nothing could predict: keys of
 * mixed lengths cost half as much. What was read too much is masked away.
 */
static inline struct wx_short wx_short_of(wax_str s)
{
    bool near_end = ((uintptr_t)s.ptr & (WX_PAGE - 1)) > WX_PAGE - 16;
    /* Where an empty string points to may be no memory at all. */
    if (!WX_MAY_OVERREAD || __builtin_expect(near_end, 0) || s.len == 0 || !s.ptr)
        return wx_short_exact_(s.ptr, s.ptr ? s.len : 0);
    const char *p = s.ptr;
    /* The compiler must not know which object this is, or it would warn of reading beyond it. */
    __asm__("" : "+r"(p));
    uint64_t low = wx_load_(p, 8), high = wx_load_(p + 8, 8);
    uint32_t bits = s.len * 8;
    uint64_t low_mask = bits >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << (bits & 63)) - 1;
    uint64_t high_mask = bits <= 64 ? 0 : (UINT64_C(1) << (bits & 63)) - 1;
    return (struct wx_short){{low & low_mask, (high & high_mask) | (uint64_t)s.len << 56}};
}

__extension__ typedef unsigned __int128 wx_wide_;

/* A 64 by 64 bit multiplication folded to 64 bits mixes all of both words. */
static inline uint64_t wx_hash_short(struct wx_short key)
{
    wx_wide_ product = (wx_wide_)(key.word[0] ^ WX_HASH_MUL1) * (key.word[1] ^ WX_HASH_MUL2);
    uint64_t x = (uint64_t)product ^ (uint64_t)(product >> 64);
    x *= WX_HASH_MUL1;
    return x ^ x >> WX_HASH_SHIFT;
}

static __attribute__((noinline, unused)) uint64_t wx_hash_long_str_(wax_str s)
{
    return XXH3_64bits(s.ptr, s.len);
}

/* Short ones by their words, longer ones by XXH3, 64 bits. An absent string hashes like an empty
 * one. */
static inline uint64_t wx_hash_str(wax_str s)
{
    if (__builtin_expect(s.len > WX_SHORT_MAX, 0))
        return wx_hash_long_str_(s);
    return wx_hash_short(wx_short_of(s));
}

#endif /* WX_HASH_H */
