/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A histogram of nanoseconds: exact below 128, then 64 buckets for each power of two, so a
 * percentile is right within 1.6 %. Printed as lines `w6 <name> bucket:count ...`; the driver adds
 * up the histograms of all workers and knows the same bucket rule.
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

#define HISTOGRAM_BUCKETS 2304 /* up to 2^41 ns: 36 minutes */

struct histogram {
    uint64_t count[HISTOGRAM_BUCKETS];
};

static inline uint32_t histogram_bucket(uint64_t ns)
{
    uint32_t shift = ns < 128 ? 0 : 57 - (uint32_t)__builtin_clzll(ns);
    uint64_t bucket = shift * 64 + (ns >> shift);
    return bucket < HISTOGRAM_BUCKETS ? (uint32_t)bucket : HISTOGRAM_BUCKETS - 1;
}

static inline void histogram_add(struct histogram *h, uint64_t now, uint64_t due)
{
    h->count[histogram_bucket(now > due ? now - due : 0)]++;
}

/* Short lines: each is one write, so that those of several workers cannot get mixed. */
static inline void histogram_print(const struct histogram *h, const char *name, FILE *file)
{
    int on_line = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (!h->count[i])
            continue;
        if (on_line == 0)
            fprintf(file, "w6 %s", name);
        fprintf(file, " %u:%llu", i, (unsigned long long)h->count[i]);
        if (++on_line == 12) {
            fputc('\n', file);
            on_line = 0;
        }
    }
    if (on_line)
        fputc('\n', file);
}

#endif
