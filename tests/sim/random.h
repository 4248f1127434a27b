/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The only source of chance in a simulation: everything random is drawn from a generator that was
 * seeded from the seed of the run. SplitMix64: one word of state, any seed is good.
 */
struct sim_random {
    uint64_t state;
};

/* Mixes two numbers into one that looks random: seeds of parts, values of records. */
static inline uint64_t sim_mix(uint64_t a, uint64_t b)
{
    uint64_t x = a * UINT64_C(0x9e3779b97f4a7c15) + b + UINT64_C(0x632be59bd9b4e019);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static inline uint64_t sim_next(struct sim_random *random)
{
    return sim_mix(random->state += UINT64_C(0x9e3779b97f4a7c15), 0);
}

/* 0 to n - 1; 0 when n is 0. */
static inline uint32_t sim_below(struct sim_random *random, uint32_t n)
{
    return (uint32_t)(((sim_next(random) >> 32) * n) >> 32);
}

/* low to high, both possible. */
static inline uint32_t sim_between(struct sim_random *random, uint32_t low, uint32_t high)
{
    return low + sim_below(random, high - low + 1);
}

/* True once in `n` times. */
static inline bool sim_once_in(struct sim_random *random, uint32_t n)
{
    return sim_below(random, n) == 0;
}

#endif /* SIM_RANDOM_H */
