/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hiccup meter: on each CPU named, a thread does nothing but read the clock and notes every
 * gap between two readings. What it sees is what the machine itself (hypervisor, interrupts,
 * neighbours) takes away from any program; latencies are to be read beside it.
 *
 * usage: hiccup SECONDS CPU...
 */
#define _GNU_SOURCE
#include "bench.h"

struct meter {
    int cpu;
    double seconds;
    uint64_t over_10us, over_100us, over_1ms, longest, lost;
};

static void note_gap(struct meter *meter, uint64_t gap)
{
    meter->lost += gap;
    meter->over_10us += gap > 10000;
    meter->over_100us += gap > 100000;
    meter->over_1ms += gap > 1000000;
    if (gap > meter->longest)
        meter->longest = gap;
}

static void *watch_clock(void *argument)
{
    struct meter *meter = argument;
    pin_to_cpu(meter->cpu);
    uint64_t last = now_ns(), end = last + (uint64_t)(meter->seconds * 1e9);
    while (last < end) {
        uint64_t now = now_ns();
        if (now - last > 1000)
            note_gap(meter, now - last);
        last = now;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct meter meter[MAX_THREADS] = {0};
    int n = argc - 2;
    if (n < 1 || n > MAX_THREADS) {
        fprintf(stderr, "usage: hiccup SECONDS CPU...\n");
        return 2;
    }
    for (int i = 0; i < n; i++) {
        meter[i].cpu = (int)strtol(argv[i + 2], NULL, 10);
        meter[i].seconds = strtod(argv[1], NULL);
    }
    run_threads(n, watch_clock, meter, sizeof meter[0]);
    for (int i = 0; i < n; i++) {
        double s = meter[i].seconds;
        printf("hiccup cpu=%d over_10us=%.1f over_100us=%.1f over_1ms=%.2f longest_us=%.0f "
               "lost_percent=%.3f\n",
               meter[i].cpu, (double)meter[i].over_10us / s, (double)meter[i].over_100us / s,
               (double)meter[i].over_1ms / s, (double)meter[i].longest / 1e3,
               (double)meter[i].lost / s / 1e7);
    }
}
