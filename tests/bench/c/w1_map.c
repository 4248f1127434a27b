/* SPDX-License-Identifier: Apache-2.0 */
/*
 * W1, the map chain, by hand: the numbers 0..N-1 go through x+1, x*3, drop multiples of 7,
 * x^(x>>5) and the identity, and are counted and summed. One fused loop for each thread: what a
 * compiler makes of the task when no engine stands between the steps.
 *
 * usage: w1_map N THREADS
 */
#define _GNU_SOURCE
#include "bench.h"

struct job {
    uint64_t from, to;
    uint64_t out, sum;
};

static void *run_chain(void *argument)
{
    struct job *job = argument;
    uint64_t out = 0, sum = 0;
    for (uint64_t i = job->from; i < job->to; i++) {
        uint64_t x = (i + 1) * 3;
        uint64_t kept = x % 7 != 0;
        out += kept;
        sum += kept ? x ^ (x >> 5) : 0;
    }
    job->out = out;
    job->sum = sum;
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: w1_map N THREADS\n");
        return 2;
    }
    uint64_t n = strtoull(argv[1], NULL, 10), start = now_ns();
    int threads = thread_count(argv[2]);
    struct job job[MAX_THREADS] = {0};
    for (int i = 0; i < threads; i++) {
        job[i].from = n * (uint64_t)i / (uint64_t)threads;
        job[i].to = n * (uint64_t)(i + 1) / (uint64_t)threads;
    }
    run_threads(threads, run_chain, job, sizeof job[0]);
    for (int i = 0; i < threads; i++)
        printf("w1 out=%lu sum=%lu\n", job[i].out, job[i].sum);
    report_seconds(start);
}
