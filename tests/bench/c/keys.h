/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The random keys of the benchmark: splitmix64, scaled to [0, K), uniform or Zipf(1.0) by Walker's
 * alias method. Only additions, products and quotients of doubles, always in the same order, so
 * that C and Rust draw the very same keys.
 */
#ifndef KEYS_H
#define KEYS_H

#include <stdint.h>
#include <stdlib.h>

#define KEY_SEED(worker) (42 + (uint64_t)(worker)*0x1234567u)

static inline uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* The upper half of the 128-bit product: `x` scaled from [0, 2^64) to [0, n). */
static inline uint64_t scale(uint64_t x, uint64_t n)
{
    return (uint64_t)(((unsigned __int128)x * n) >> 64);
}

static inline uint64_t uniform_key(uint64_t *state, uint64_t n)
{
    return scale(splitmix64(state), n);
}

/* Slot i stands for key i below `keep` (of 2^32) and for key `alias` above it. */
struct zipf_slot {
    uint32_t keep, alias;
};
struct zipf {
    struct zipf_slot *slot; /* NULL: out of memory */
    uint64_t n;
};

/* One slot of Vose's construction: `small` is finished and filled up by `large`. */
static inline void zipf_pair(struct zipf *z, double *share, uint32_t small, uint32_t large)
{
    z->slot[small] = (struct zipf_slot){(uint32_t)(share[small] * 4294967295.0), large};
    share[large] = (share[large] + share[small]) - 1.0;
}

static inline void zipf_fill(struct zipf *z, double *share, uint32_t *small, uint32_t *large)
{
    uint64_t smalls = 0, larges = 0;
    for (uint64_t i = 0; i < z->n; i++) {
        if (share[i] < 1.0)
            small[smalls++] = (uint32_t)i;
        else
            large[larges++] = (uint32_t)i;
    }
    while (smalls && larges) {
        uint32_t filler = large[larges - 1];
        zipf_pair(z, share, small[--smalls], filler);
        if (share[filler] < 1.0) {
            larges--;
            small[smalls++] = filler;
        }
    }
    while (larges--)
        z->slot[large[larges]] = (struct zipf_slot){UINT32_MAX, large[larges]};
    while (smalls--)
        z->slot[small[smalls]] = (struct zipf_slot){UINT32_MAX, small[smalls]};
}

/* Key i with a probability proportional to 1 / (i + 1); `slot` is the caller's to free. */
static inline struct zipf zipf_create(uint64_t n)
{
    struct zipf z = {malloc(n * sizeof *z.slot), n};
    double *share = malloc(n * sizeof *share), total = 0;
    uint32_t *small = malloc(n * sizeof *small), *large = malloc(n * sizeof *large);
    if (z.slot && share && small && large) {
        for (uint64_t i = 0; i < n; i++)
            total += 1.0 / (double)(i + 1);
        for (uint64_t i = 0; i < n; i++)
            share[i] = 1.0 / (double)(i + 1) / total * (double)n;
        zipf_fill(&z, share, small, large);
    } else {
        free(z.slot);
        z.slot = NULL;
    }
    free(share);
    free(small);
    free(large);
    return z;
}

static inline uint64_t zipf_key(const struct zipf *z, uint64_t *state)
{
    unsigned __int128 product = (unsigned __int128)splitmix64(state) * z->n;
    uint64_t i = (uint64_t)(product >> 64);
    uint32_t rest = (uint32_t)((uint64_t)product >> 32);
    return rest <= z->slot[i].keep ? i : z->slot[i].alias;
}

#endif
