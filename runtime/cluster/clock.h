/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_CLOCK_H
#define WX_CLOCK_H

#include <wax/type.h>

/*
 * The clock of the dataflow: wall-clock time when the process started, plus what the monotonic
 * clock has run since. It never jumps, so that a corrected system clock neither fires nor stalls
 * timers. Any thread.
 */
void wx_clock_start(void); /* once, before other threads */
wax_time wx_clock_now(void *unused);

/* The monotonic clock alone, in microseconds: for time-outs. */
wax_time wx_clock_steady(void);

#endif /* WX_CLOCK_H */
