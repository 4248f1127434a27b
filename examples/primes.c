/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many primes end in which digit? Work for the processor: one worker makes the numbers,
 * redistribute spreads them over all workers, and each tests its share.
 *
 *   wax run examples/primes.c -w2 -D below=200000
 */
#include <wax/wax.h>

WAX_FILTER(is_prime, int64_t)
{
    if (*in < 2)
        return false;
    for (int64_t d = 2; d * d <= *in; d++)
        if (*in % d == 0)
            return false;
    return true;
}

WAX_KEY(last_digit, int64_t, int64_t)
{
    return *in % 10;
}

WAX_DATAFLOW(primes)
{
    int64_t below = wax_param_i64(flow, "below", 100000);
    if (below < 0)
        wax_flow_fail(flow, "parameter 'below' must not be negative");
    wax_stream(int64_t) numbers = wax_input(flow, "numbers", wax_testing_range(0, below));
    wax_stream(int64_t) shares = wax_redistribute("spread", numbers);
    wax_stream(int64_t) primes = wax_filter("is_prime", shares, is_prime);
    wax_output("out", wax_count_final("count", primes, last_digit), wax_stdout());
}
