/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two clocks of a process: the dataflow's, which starts at wall-clock time and then runs at the
 * pace of the monotonic clock, and the monotonic clock itself for time-outs. Both are read without
 * a system call.
 */
#include "cluster/clock.h"

#include <time.h>

static wax_time offset; /* written before threads start, read by all */

static wax_time read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (wax_time)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void wx_clock_start(void)
{
    offset = read_clock(CLOCK_REALTIME) - read_clock(CLOCK_MONOTONIC);
}

wax_time wx_clock_now(void *unused)
{
    (void)unused;
    return read_clock(CLOCK_MONOTONIC) + offset;
}

wax_time wx_clock_steady(void)
{
    return read_clock(CLOCK_MONOTONIC);
}
